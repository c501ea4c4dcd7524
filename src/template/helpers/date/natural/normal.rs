//! The first half of `date.js`: dates in the text become normal ones, numbers in words become numbers, and what is
//! left is a phrase.

use std::fmt::Write as _;

use super::{
    Regex, expression, groups,
    words::{Symbol, Time, Token, is_time},
};
use crate::template::{
    clock::Clock,
    javascript::{Problem, date, number},
};

/// What was found in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Without the dates.
    pub(super) rest: String,
    /// Dates with their time, as `new Date` reads them.
    pub(super) dates: Vec<String>,
}

/// Where `date.js` would throw it goes on with the text as it is.
enum Broken {
    Thrown,
    Ours(Problem),
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self::Ours(problem)
    }
}

pub(super) fn normalise(text: &str, clock: &Clock) -> Result<Found, Problem> {
    match steps(text, clock) {
        Ok(found) => Ok(found),
        Err(Broken::Thrown) => Ok(Found { rest: text.to_owned(), dates: vec![] }),
        Err(Broken::Ours(problem)) => Err(problem),
    }
}

fn steps(text: &str, clock: &Clock) -> Result<Found, Broken> {
    let symbols = longest_run(symbols(text, clock)?);
    let symbols = reduce(symbols, Of::Numbers)?;
    let symbols = redistribute(symbols)?;
    let symbols = reduce(symbols, Of::Offsets)?;
    restore(symbols, clock)
}

expression!(NUMBER_WORD, r"\s+(\d+)([a-zA-Z]+)");
expression!(WORD_NUMBER, r"\s+([a-zA-Z]+)(\d+)");

/// The words of a text by their meaning; `None` for a word without one.
fn symbols(text: &str, clock: &Clock) -> Result<Vec<Option<Symbol>>, Broken> {
    let text = NUMBER_WORD.replace_all(&format!(" {text}"), " $1 $2");
    let text = WORD_NUMBER.replace_all(&text, " $1 $2");
    let text = single_spaced(&text);
    let text = with_times(text.strip_prefix(' ').unwrap_or(&text), clock);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let strip =
        |token: &str| if is_time(token) { token.to_owned() } else { token.trim_matches(|c| !is_word(c)).to_owned() };
    let tokens: Vec<String> = text.split(' ').map(strip).collect();
    let mut out = vec![];
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let pair = format!("{token} {}", tokens.get(at + 1).map_or("", String::as_str));
        let (one, two) = (Symbol::of(token)?, Symbol::of(&pair)?);
        at += 1;
        match (one, two) {
            (None, Some(_)) => return Err(Broken::Thrown),
            (Some(one), Some(two)) if one.value() == two.value() => {
                at += 1;
                out.push(Some(two));
            }
            (one, _) => out.push(one),
        }
    }
    Ok(out)
}

fn single_spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_space = false;
    for c in text.chars() {
        let space = crate::template::javascript::text::is_space(c);
        match (space, in_space) {
            (true, false) => out.push(' '),
            (true, true) => {}
            (false, _) => out.push(c),
        }
        in_space = space;
    }
    out
}

/// Dates and clock times in the text, each as a time in parts.
fn with_times(text: &str, clock: &Clock) -> String {
    let mut out = text.to_owned();
    for date in dates_in(text, clock).iter().filter(|date| !is_short_form(date)) {
        if let Some(standard) = standard(date, clock) {
            out = out.replacen(date.as_str(), &in_parts(&standard), 1);
        }
    }
    short_forms(&out)
}

/// `2018-6-21 16:56:44`, for what `new Date` can read.
fn standard(text: &str, clock: &Clock) -> Option<String> {
    date::parse(text, &clock.zone).map(|time| standard_of(time, clock))
}

fn standard_of(time: i64, clock: &Clock) -> String {
    let parts = date::parts(time, &clock.zone);
    format!(
        "{}-{}-{} {:02}:{:02}:{:02}",
        parts.year,
        parts.month + 1,
        parts.day,
        parts.hour,
        parts.minute,
        parts.second
    )
}

fn in_parts(standard: &str) -> String {
    let (day, time) = standard.split_once(' ').unwrap_or((standard, ""));
    let day: Vec<&str> = day.split('-').collect();
    let time: Vec<&str> = time.split(':').collect();
    let at = |list: &[&str], at: usize| list.get(at).copied().unwrap_or("undefined").to_owned();
    format!("t:{}y{}M{}d{}h{}m{}s,dt:", at(&day, 0), at(&day, 1), at(&day, 2), at(&time, 0), at(&time, 1), at(&time, 2))
}

/// The runs of words that `new Date` reads, as long as they grow and as short as they mean the same.
fn dates_in(text: &str, clock: &Clock) -> Vec<String> {
    let mut words = text.split(' ');
    let mut out = vec![];
    let mut head = String::new();
    while let Some(word) = words.next() {
        if !head.is_empty() && !word.is_empty() {
            head.push(' ');
        }
        head.push_str(word);
        let Some(mut found) = standard(&head, clock) else { continue };
        let mut ahead = words.clone();
        while let Some(word) = ahead.next() {
            let longer = format!("{head} {word}");
            let Some(date) = standard(&longer, clock) else { break };
            found = date;
            head = longer;
            words = ahead.clone();
        }
        while let Some(shorter) = without_first_word(&head) {
            if standard(shorter, clock).as_ref() != Some(&found) {
                break;
            }
            head = shorter.to_owned();
        }
        if crate::template::javascript::text::length(&head) > 6 {
            out.push(head.clone());
        }
        head.clear();
    }
    out
}

fn without_first_word(text: &str) -> Option<&str> {
    text.trim_start().split_once(' ').map(|(_, rest)| rest.trim_start())
}

expression!(
    MONTH_DAY_TO_MONTH_DAY,
    r"(?!\d{1,4}\/\d{1,4}\s*-\s*\d{1,4}\/\d{1,4}\/)(\d{1,4})\/(\d{1,4})\s*-\s*(\d{1,4})\/(\d{1,4})"
);
expression!(MONTH_DAY_TO_DAY, r"(?!\d{1,4}\/\d{1,4}\s*-\s*\d{1,4}\/)(\d{1,4})\/(\d{1,4})\s*-\s*(\d{1,4})");
expression!(MONTH_DAY, r"(?!\d{1,4}\/\d{1,4}\/)(\d{1,4})\/(\d{1,4})");
expression!(CLOCK, r"(\s+\d{1,2}|^\d{1,2})\:?(\d{2})\s*(\S+)*");
expression!(TIME_AND_RANGE, r"t\:\S*,dt\:\S*(\s*-\s*t\:\S*,dt\:\S*)?");

/// Whether all of it is a short form such as `06/21` or `12:30`.
fn is_short_form(date: &str) -> bool {
    let replaced = short_forms(date);
    let rest = match TIME_AND_RANGE.find(&replaced) {
        Some(found) => format!(
            "{}{}",
            replaced.get(..found.start()).unwrap_or_default(),
            replaced.get(found.end()..).unwrap_or_default()
        ),
        None => replaced,
    };
    !rest.chars().any(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `06/21` and `12:30` as times in parts. Each expression goes on where it last stopped, in the text as it is then.
fn short_forms(text: &str) -> String {
    let forms: [&Regex; 4] = [&MONTH_DAY_TO_MONTH_DAY, &MONTH_DAY_TO_DAY, &MONTH_DAY, &CLOCK];
    let mut from = [0; 4];
    let mut text = text.to_owned();
    loop {
        let mut found = None;
        for (at, (regex, from)) in forms.iter().zip(&mut from).enumerate() {
            let start =
                if *from <= text.len() && text.is_char_boundary(*from) { groups(regex, &text, *from) } else { None };
            *from = start.as_ref().map_or(0, |(range, _)| range.end);
            if let Some((_, groups)) = start {
                found = Some((at, groups));
                break;
            }
        }
        let Some((form, groups)) = found else { return text };
        let group = |at: usize| groups.get(at).cloned().flatten().unwrap_or_default();
        let time = match form {
            0 => format!(
                " t:{},dt: - t:{},dt: ",
                month_and_day(&group(1), &group(2)),
                month_and_day(&group(3), &group(4))
            ),
            1 => format!(
                " t:{},dt: - t:{},dt: ",
                month_and_day(&group(1), &group(2)),
                month_and_day(&group(1), &group(3))
            ),
            2 => format!(" t:{},dt: ", month_and_day(&group(1), &group(2))),
            _ => format!(" t:{}h{}m,dt: {}", group(1).trim(), group(2), group(3)),
        };
        text = text.replacen(&group(0), &time, 1);
    }
}

fn month_and_day(first: &str, second: &str) -> String {
    let (years, others): (Vec<&str>, Vec<&str>) = [first, second].into_iter().partition(|part| part.len() == 4);
    let year = years.first().map(|year| format!("{year}y")).unwrap_or_default();
    let month = others.first().copied().unwrap_or("undefined");
    let day = others.get(1).map(|day| format!("{day}d")).unwrap_or_default();
    format!("{year}{month}M{day}")
}

/// The longest run of words with a meaning, one with a time in it rather than without; more than two words without
/// a meaning part two runs.
fn longest_run(symbols: Vec<Option<Symbol>>) -> Vec<Symbol> {
    let mut runs: Vec<Vec<Symbol>> = vec![];
    let mut run = vec![];
    let mut skipped = 0;
    for symbol in symbols {
        let Some(symbol) = symbol else {
            skipped += 1;
            continue;
        };
        if skipped > 2 {
            runs.push(std::mem::take(&mut run));
        }
        skipped = 0;
        run.push(symbol);
    }
    if !run.is_empty() {
        runs.push(run);
    }
    let has_time = |run: &[Symbol]| run.iter().any(|symbol| matches!(symbol, Symbol::Time(_)));
    runs.sort_by_key(|run| (has_time(run), run.len()));
    runs.pop().unwrap_or_default()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Numbers,
    Offsets,
}

impl Of {
    fn is(self, symbol: &Symbol) -> bool {
        match self {
            Self::Numbers => matches!(symbol, Symbol::Number { .. }),
            Self::Offsets => matches!(symbol, Symbol::Offset { .. }),
        }
    }
}

/// Joins neighbours, with the operation between them.
fn reduce(symbols: Vec<Symbol>, of: Of) -> Result<Vec<Symbol>, Broken> {
    if symbols.len() < 2 {
        return Ok(symbols);
    }
    let mut out = vec![];
    let mut symbols = symbols.into_iter();
    let Some(mut past) = symbols.next() else { return Ok(out) };
    let mut operation: Option<&'static str> = None;
    for symbol in symbols {
        match symbol {
            Symbol::Operation { name, .. } => operation = Some(name),
            symbol if of.is(&past) && of.is(&symbol) => past = joined(&past, operation.take(), &symbol),
            symbol => {
                out.push(std::mem::replace(&mut past, symbol));
                out.extend(operation.take().map(operation_symbol));
            }
        }
    }
    out.push(past);
    out.extend(operation.map(operation_symbol));
    Ok(out)
}

fn operation_symbol(name: &'static str) -> Symbol {
    Symbol::Operation { name, token: name.to_owned() }
}

fn joined(left: &Symbol, operation: Option<&str>, right: &Symbol) -> Symbol {
    match (left, right) {
        (Symbol::Number { value: left, .. }, Symbol::Number { value: right, .. }) => {
            let operation = operation.unwrap_or(if left > right { "plus" } else { "times" });
            let value = match operation {
                "minus" => left - right,
                "plus" => left + right,
                "times" => left * right,
                _ => left / right,
            };
            Symbol::Number { value, token: Token::Made }
        }
        (Symbol::Offset { name: left, .. }, Symbol::Offset { name: right, .. }) => {
            let (name, token) = if left == right { ("plus", "after") } else { ("minus", "before") };
            Symbol::Offset { name, token: token.to_owned() }
        }
        _ => left.clone(),
    }
}

/// Moves a number that has no unit to the one before it that has.
fn redistribute(mut symbols: Vec<Symbol>) -> Result<Vec<Symbol>, Broken> {
    if symbols.len() < 2 {
        return Ok(symbols);
    }
    let is_number = |symbol: Option<&Symbol>| matches!(symbol, Some(Symbol::Number { .. }));
    let is_time = |symbol: Option<&Symbol>| matches!(symbol, Some(Symbol::Time(_)));
    let mut at = 0;
    while at < symbols.len() {
        if is_number(symbols.get(at)) && !is_time(symbols.get(at + 1)) {
            // `slice(0, at - 1)`, where -1 means all but the last.
            let before = at.checked_sub(1).unwrap_or(symbols.len() - 1);
            let target = symbols.iter().take(before).rposition(|symbol| is_number(Some(symbol)));
            if let Some(target) = target.filter(|target| is_time(symbols.get(target + 1))) {
                let operation =
                    at.checked_sub(1).filter(|at| matches!(symbols.get(*at), Some(Symbol::Operation { .. })));
                let number = symbols.remove(at);
                symbols.insert(target + 1, number);
                if let Some(operation) = operation {
                    let moved = if operation > target { operation + 1 } else { operation };
                    let operation = symbols.remove(moved);
                    symbols.insert(target + 1, operation);
                }
            }
        }
        at += 1;
    }
    reduce(symbols, Of::Numbers)
}

/// Writes the symbols out again; whole dates are set aside.
fn restore(symbols: Vec<Symbol>, clock: &Clock) -> Result<Found, Broken> {
    let mut found = Found::default();
    let mut words = vec![];
    let mut symbols = symbols.into_iter().peekable();
    while let Some(symbol) = symbols.next() {
        match symbol {
            Symbol::Operation { name: "plus", .. } if matches!(symbols.peek(), Some(Symbol::Number { .. })) => {}
            Symbol::Operation { token, .. } | Symbol::Offset { token, .. } | Symbol::Times { token } => {
                words.push(token);
            }
            // A number worked out here has no text, on which `date.js` breaks off.
            Symbol::Number { token: Token::Made, .. } => return Err(Broken::Thrown),
            Symbol::Number { value, token: Token::Written(token) } => words.push(number_word(value, &token)),
            Symbol::Time(time) => match restored(&time, clock)? {
                Restored::Words(text) => words.push(text),
                Restored::Date(date) => found.dates.push(date),
            },
        }
    }
    found.rest = single_spaced(&words.join(" "));
    Ok(found)
}

fn number_word(value: f64, token: &str) -> String {
    let token = crate::template::javascript::text::trim(token);
    let plain = !token.is_empty() && token.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    if plain { token.to_owned() } else { number::print(value) }
}

enum Restored {
    Words(String),
    Date(String),
}

fn restored(time: &Time, clock: &Clock) -> Result<Restored, Broken> {
    if is_time(&time.token) {
        let parts = carried(&time.token);
        let full = date_text(&parts, clock);
        let whole = parts.iter().all(Option::is_some);
        if whole || parts.get(3).is_some_and(Option::is_none) {
            return Ok(Restored::Date(full));
        }
        // Of a time without a date the hour and minute are kept.
        return clock_part(&full).map(Restored::Words).ok_or(Broken::Thrown);
    }
    let units = ["y", "M", "w", "d", "h", "m", "s", "ms"];
    let pure = time.relative.iter().chain(&time.absolute).all(|(unit, _)| units.contains(&unit.as_str()));
    if !time.absolute.is_empty() || time.relative.is_empty() || !pure {
        return Ok(Restored::Words(time.token.clone()));
    }
    let mut words = String::new();
    for (unit, count) in &time.relative {
        let value = number::parse_float(count);
        let plain = !value.is_nan() && !number::read(count).is_nan();
        if plain && value != 0.0 && (value.abs() - 1.0).abs() > f64::EPSILON {
            let _ = write!(words, "{count} ");
        }
        let _ = write!(words, "{} ", time.canon.as_ref().unwrap_or(unit));
    }
    Ok(Restored::Words(words))
}

/// `16:56` in `2018-06-21 16:56:44`.
fn clock_part(text: &str) -> Option<String> {
    expression!(PART, r"(\d+\:\d+)");
    PART.find(text).and_then(|found| text.get(found.range())).map(str::to_owned)
}

/// Year, month, day, hour, minute and second of a time in parts, with what is too much carried up: 30 days are a
/// month to `date.js`, which is why it is wrong on the 30th and 31st.
fn carried(token: &str) -> [Option<f64>; 6] {
    const FACTORS: [f64; 5] = [365.0, 30.0, 24.0, 60.0, 60.0];
    let value = |unit: char| number_before(token, unit);
    let days = value('d').unwrap_or(0.0) + value('w').unwrap_or(0.0) * 7.0;
    let mut parts = [value('y'), value('M'), Some(days), value('h'), value('m'), value('s')];
    let mut carry = 0.0;
    for (at, part) in parts.iter_mut().enumerate() {
        if part.is_none() && carry == 0.0 {
            continue;
        }
        let sum = part.unwrap_or(0.0) + carry;
        *part = Some(sum);
        let Some(factor) = FACTORS.get(at) else { break };
        carry = sum.fract() * factor;
        if carry > 0.0 {
            *part = Some(sum.trunc());
        } else {
            carry = 0.0;
        }
    }
    carry = 0.0;
    for (part, factor) in parts.iter_mut().rev().zip(FACTORS.iter().rev().map(Some).chain([None])) {
        if part.is_none() && carry == 0.0 {
            continue;
        }
        let sum = part.unwrap_or(0.0) + carry;
        *part = Some(sum);
        let Some(factor) = factor else { break };
        carry = (sum / factor).trunc();
        if carry > 0.0 {
            *part = Some(sum % factor);
        } else {
            carry = 0.0;
        }
    }
    parts
}

/// The first number that stands right before `unit`.
fn number_before(token: &str, unit: char) -> Option<f64> {
    token.match_indices(unit).find_map(|(at, _)| {
        let before = token.get(..at)?;
        let start = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let digits = before.get(start..)?.trim_start_matches('.');
        digits.parse().ok()
    })
}

/// `2018-06-21 16:56:44`, with today's parts where there are none.
fn date_text(parts: &[Option<f64>; 6], clock: &Clock) -> String {
    let now = carried(&in_parts(&standard_of(clock.now.as_millisecond(), clock)));
    let mut out = String::new();
    for ((part, now), end) in parts.iter().zip(now).zip(["-", "-", " ", ":", ":", ""]) {
        let text = number::print(part.or(now).unwrap_or(f64::NAN));
        let (whole, fraction) =
            text.split_once('.').map_or((text.as_str(), None), |(whole, fraction)| (whole, Some(fraction)));
        let zero = if whole.len() == 1 { "0" } else { "" };
        let fill = fraction.map(|fraction| "0".repeat(3usize.saturating_sub(fraction.len()))).unwrap_or_default();
        let _ = write!(out, "{zero}{text}{fill}{end}");
    }
    out
}

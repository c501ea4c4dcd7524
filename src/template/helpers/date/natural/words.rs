//! The words that `date.js` knows, and what each stands for.

use crate::template::javascript::{Problem, number, throw};

/// A word with a meaning.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Symbol {
    /// `plus`, `minus`, `times`, `divide`
    Operation {
        name: &'static str,
        token: String,
    },
    /// `plus` for `in` and `after`, `minus` for `ago` and `before`.
    Offset {
        name: &'static str,
        token: String,
    },
    Number {
        value: f64,
        token: Token,
    },
    Time(Time),
    Times {
        token: String,
    },
}

/// What a number was written as. `date.js` breaks off where it meets one that it has worked out itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Written(String),
    Made,
}

/// A time or a span, in parts: `t` is absolute, `dt` relative.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Time {
    pub(super) token: String,
    /// The first of the words that mean the same; `None` for one that was a date already.
    pub(super) canon: Option<String>,
    pub(super) absolute: Vec<(String, String)>,
    pub(super) relative: Vec<(String, String)>,
}

type Map = &'static [(&'static str, &'static [&'static str])];

const OPERATIONS: Map = &[
    ("plus", &["and", "plus", "+", "add", "on"]),
    ("minus", &["minus", "subtract"]),
    ("times", &["times", "multiply"]),
    ("divide", &["divide"]),
];

const OFFSETS: Map = &[
    ("plus", &["at", "in", "past", "late", "later", "after", "next", "from", "start", "starting", "since", "coming"]),
    ("minus", &["last", "minus", "subtract", "ago", "before", "from"]),
];

const NUMBERS: Map = &[
    ("0", &["zero"]),
    ("1", &["one", "a", "an", "first"]),
    ("2", &["two", "second"]),
    ("3", &["three", "third"]),
    ("4", &["four", "fourth"]),
    ("5", &["five", "fifth"]),
    ("6", &["six", "sixth"]),
    ("7", &["seven", "seventh"]),
    ("8", &["eight", "eighth"]),
    ("9", &["nine", "ninth"]),
    ("10", &["ten", "tenth"]),
    ("11", &["eleven", "eleventh"]),
    ("12", &["twelve", "twelveth"]),
    ("13", &["thirteen", "thirteenth"]),
    ("14", &["fourteen", "fourteenth"]),
    ("15", &["fifteen", "fifteenth"]),
    ("16", &["sixteen", "sixteenth"]),
    ("17", &["seventeen", "seventeenth"]),
    ("18", &["eighteen", "eighteenth"]),
    ("19", &["nineteen", "nineteenth"]),
    ("20", &["twenty", "twentieth"]),
    ("30", &["thirty", "thirtieth"]),
    ("40", &["fourty", "fourtieth"]),
    ("50", &["fifty", "fiftieth"]),
    ("60", &["sixty", "sixtieth"]),
    ("70", &["seventy", "seventieth"]),
    ("80", &["eighty", "eightieth"]),
    ("90", &["ninety", "ninetieth"]),
    ("100", &["hundred", "hundreds", "hundredth"]),
    ("1000", &["thousand", "thousands", "thousandth", "k", "K"]),
    ("0.25", &["quarter"]),
    ("0.5", &["half", "1/2", "half an"]),
];

const UNITS: Map = &[
    ("s", &["second", "seconds", "s", "sec", "secs"]),
    ("m", &["minute", "minutes", "m", "min", "mins"]),
    ("h", &["hour", "hours", "h", "hr", "hrs"]),
    ("d", &["day", "days", "d", "dai"]),
    ("w", &["week", "weeks", "w", "wk", "wks"]),
    ("M", &["month", "months", "monthes", "M", "mo", "moon", "moons"]),
    ("y", &["year", "years", "y", "yr", "yrs"]),
];

const TIMES: Map = &[
    ("t:,dt:=3h", &["later", "soon"]),
    ("t:=1d,dt:", &["st", "nd", "rd", "th", "st day", "nd day", "rd day", "th day"]),
    ("t:,dt:1w", &["st week", "nd week", "rd week", "th week"]),
    ("t:,dt:14d", &["day", "fortnight"]),
    ("t:=0h=0m=0s1mer,dt:", &["pm", "p.m", "p.m.", "noon"]),
    ("t:,dt:1d", &["tomorrow", "tmr"]),
    ("t:,dt:-1d", &["yesterday", "ytd"]),
    ("t:,0dt:", &["today"]),
    ("t:=2h=0m=0s1mer,dt:", &["afternoon"]),
    ("t:=6h=0m=0s0mer,dt:", &["dawn"]),
    ("t:=7h=0m=0s0mer,dt:", &["am", "a.m", "a.m."]),
    ("t:=7h=0m=0s1mer,dt:", &["evening"]),
    ("t:=8h=0m=0s0mer,dt:", &["morning"]),
    ("t:=9h=0m=0s1mer,dt:", &["tonight", "night"]),
    ("t:=0h=0m=0s0mer,dt:1d", &["midnight"]),
    ("t:,dt:=0w0wd", &["sunday", "sun"]),
    ("t:,dt:=0w1wd", &["monday", "mon"]),
    ("t:,dt:=0w2wd", &["tuesday", "tue", "tues"]),
    ("t:,dt:=0w3wd", &["wednesday", "wed"]),
    ("t:,dt:=0w4wd", &["thursday", "thu", "thur", "thurs"]),
    ("t:,dt:=0w5wd", &["friday", "fri"]),
    ("t:,dt:=0w6wd", &["saturday", "sat"]),
    ("t:1M=1d,dt:", &["january", "jan"]),
    ("t:2M=1d,dt:", &["february", "feb"]),
    ("t:3M=1d,dt:", &["march", "mar"]),
    ("t:4M=1d,dt:", &["april", "apr"]),
    ("t:5M=1d,dt:", &["may"]),
    ("t:6M=1d,dt:", &["june", "jun"]),
    ("t:7M=1d,dt:", &["july", "jul"]),
    ("t:8M=1d,dt:", &["august", "aug"]),
    ("t:9M=1d,dt:", &["september", "sept", "sep"]),
    ("t:10M=1d,dt:", &["october", "oct"]),
    ("t:11M=1d,dt:", &["november", "nov"]),
    ("t:12M=1d,dt:", &["december", "dec"]),
    ("t:12M25d,dt:", &["christmas"]),
];

const OFTEN: Map = &[("1", &["once"]), ("2", &["twice"])];

/// The entry that lists `word`: its value, and the first of its words.
fn find(map: Map, word: &str) -> Option<(&'static str, &'static str)> {
    let (value, words) = map.iter().find(|(_, words)| words.contains(&word))?;
    Some((value, words.first()?))
}

/// Whether it is a time in parts, as in `t:12h30m,dt:`.
pub(super) fn is_time(text: &str) -> bool {
    let Some(at) = text.find("t:") else { return false };
    let after = text.get(at + 2..).unwrap_or_default();
    let word = after.split(char::is_whitespace).next().unwrap_or_default();
    word.contains(",dt:") || after.split("t:").skip(1).any(is_time)
}

impl Symbol {
    /// What `text` means; `None` for nothing.
    pub(super) fn of(text: &str) -> Result<Option<Self>, Problem> {
        let parsed = number::parse_float(text);
        #[expect(clippy::float_cmp, reason = "JavaScript compares exactly")]
        let is_number = parsed == number::read(text);
        if is_number {
            return Ok(Some(Self::Number { value: parsed, token: Token::Written(text.to_owned()) }));
        }
        if is_time(text) {
            return if text.contains(char::is_whitespace) {
                Ok(None)
            } else {
                Time::parse(text, text, None).map(Self::Time).map(Some)
            };
        }
        let lower = if text == "M" { text.to_owned() } else { text.to_lowercase() };
        let token = text.to_owned();
        if let Some((name, _)) = find(OPERATIONS, &lower) {
            return Ok(Some(Self::Operation { name, token }));
        }
        if let Some((name, _)) = find(OFFSETS, &lower) {
            return Ok(Some(Self::Offset { name, token }));
        }
        if let Some((value, _)) = find(NUMBERS, &lower) {
            return Ok(Some(Self::Number { value: number::read(value), token: Token::Written(token) }));
        }
        if let Some((unit, canon)) = find(UNITS, &lower) {
            let relative = vec![(unit.to_owned(), "1".to_owned())];
            return Ok(Some(Self::Time(Time { token, canon: Some(canon.to_owned()), absolute: vec![], relative })));
        }
        if let Some((value, canon)) = find(TIMES, &lower) {
            return Time::parse(value, text, Some(canon)).map(Self::Time).map(Some);
        }
        Ok(find(OFTEN, &lower).map(|_| Self::Times { token }))
    }

    /// What `date.js` compares of two symbols.
    pub(super) fn value(&self) -> Option<String> {
        match self {
            Self::Operation { name, .. } | Self::Offset { name, .. } => Some((*name).to_owned()),
            Self::Number { value, .. } => Some(number::print(*value)),
            Self::Times { token } => find(OFTEN, &token.to_lowercase()).map(|(value, _)| value.to_owned()),
            Self::Time(_) => None,
        }
    }
}

impl Time {
    fn parse(value: &str, token: &str, canon: Option<&str>) -> Result<Self, Problem> {
        let mut sides = value.split(',').map(|side| side.rsplit(':').next().unwrap_or_default());
        let absolute = units(sides.next().unwrap_or_default())?;
        let relative = units(sides.next().unwrap_or_default())?;
        Ok(Self { token: token.to_owned(), canon: canon.map(str::to_owned), absolute, relative })
    }
}

/// `=2h30m`: each unit with its number, a default marked by `=`.
fn units(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut out: Vec<(String, String)> = vec![];
    let mut rest = text;
    while !rest.is_empty() {
        let before = rest;
        let mark = if rest.starts_with('=') { "=" } else { "" };
        rest = rest.strip_prefix('=').unwrap_or(rest);
        let sign = usize::from(rest.starts_with('-'));
        let whole = sign + rest.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
        let fraction = rest
            .get(whole..)
            .and_then(|rest| rest.strip_prefix('.'))
            .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
        let end = match (whole > sign, fraction) {
            (false, _) => 0,
            (true, 0) => whole,
            (true, fraction) => whole + 1 + fraction,
        };
        let number = if end == 0 { "1" } else { rest.get(..end).unwrap_or_default() };
        rest = rest.get(end..).unwrap_or_default();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = if letters == 0 { "undefined" } else { rest.get(..letters).unwrap_or_default() };
        rest = rest.get(letters..).unwrap_or_default();
        if rest == before {
            return throw("a date that date.js would read for ever");
        }
        let value = format!("{mark}{number}");
        match out.iter_mut().find(|(known, _)| known == unit) {
            Some((_, old)) => *old = value,
            None => out.push((unit.to_owned(), value)),
        }
    }
    Ok(out)
}

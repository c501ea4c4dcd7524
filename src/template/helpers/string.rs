//! Text.

use std::rc::Rc;

use super::{
    Table,
    rules::{full_text, is_number, options},
};
use crate::template::{
    javascript::{Outcome, Problem, Value, number, text, throw},
    machine::{Invocation, TEXT_LIMIT},
};

pub(super) const HELPERS: Table = &[
    ("append", append),
    ("camelcase", |call| recased(call, text::upper)),
    ("capitalize", |call| of_text(call, text::capitalized)),
    ("capitalizeAll", |call| of_text(call, capitalize_all)),
    ("center", center),
    ("chop", |call| of_text(call, |text| chop(text).to_owned())),
    ("dashcase", |call| recased(call, |c| format!("-{c}"))),
    ("dotcase", |call| recased(call, |c| format!(".{c}"))),
    ("downcase", |call| of_text_or_block(call, text::lower)),
    ("ellipsis", ellipsis),
    ("hyphenate", |call| of_text(call, |text| text.replace(' ', "-"))),
    ("isString", |call| Ok(Value::Bool(matches!(call.arg(0), Value::Text(_))))),
    ("lowercase", |call| of_text_or_block(call, text::lower)),
    ("occurrences", occurrences),
    ("pascalcase", |call| of_text(call, |text| text::capitalized(&changed_case(text, text::upper)))),
    ("pathcase", |call| recased(call, |c| format!("/{c}"))),
    ("plusify", plusify),
    ("prepend", prepend),
    ("raw", raw),
    ("remove", remove),
    ("removeFirst", remove_first),
    ("replace", replace),
    ("replaceFirst", replace_first),
    ("reverse", |call| of_text(call, reversed)),
    ("sentence", |call| of_text(call, sentences)),
    ("snakecase", |call| recased(call, |c| format!("_{c}"))),
    ("split", split),
    ("startsWith", starts_with),
    ("titleize", |call| of_text(call, titleize)),
    ("trim", trim),
    ("trimLeft", |call| of_full_text(call, |text| text.trim_start_matches(text::is_space).to_owned())),
    ("trimRight", |call| of_full_text(call, |text| text.trim_end_matches(text::is_space).to_owned())),
    ("truncate", truncate),
    ("truncateWords", truncate_words),
    ("upcase", |call| of_text_or_block(call, text::upper)),
    ("uppercase", |call| of_text_or_block(call, text::upper)),
];

/// What a text that is not empty becomes; all else becomes empty.
fn of_text(call: &Invocation<'_>, change: impl Fn(&str) -> String) -> Outcome {
    Ok(Value::from(full_text(&call.arg(0)).map(|text| change(text)).unwrap_or_default()))
}

/// The same, where all else becomes `undefined`.
fn of_full_text(call: &Invocation<'_>, change: impl Fn(&str) -> String) -> Outcome {
    Ok(full_text(&call.arg(0)).map_or(Value::Undefined, |text| Value::from(change(text))))
}

fn of_text_or_block(call: &Invocation<'_>, change: impl Fn(&str) -> String) -> Outcome {
    if call.args.is_empty() && call.options.is_block() {
        let made = call.then(call.this.clone())?;
        return Ok(Value::from(change(&made.to_text())));
    }
    of_text(call, change)
}

/// Refuses a text of more than the limit before it is made.
pub(super) fn check_size(call: &Invocation<'_>, bytes: usize) -> Result<(), Problem> {
    if bytes > TEXT_LIMIT { call.fails(&format!("makes a text of more than {TEXT_LIMIT} bytes")) } else { Ok(()) }
}

fn append(call: &Invocation<'_>) -> Outcome {
    Ok(match (call.arg(0), call.arg(1)) {
        (Value::Text(text), Value::Text(end)) => Value::from(format!("{text}{end}")),
        (text, _) => text,
    })
}

fn prepend(call: &Invocation<'_>) -> Outcome {
    Ok(match (call.arg(0), call.arg(1)) {
        (Value::Text(text), Value::Text(start)) => Value::from(format!("{start}{text}")),
        (text, _) => text,
    })
}

/// Neither letter nor digit, for the words of these helpers: ASCII alone counts.
fn parts_words(c: char) -> bool {
    !c.is_ascii_alphanumeric()
}

fn chop(text: &str) -> &str {
    text::trim(text).trim_matches(parts_words)
}

fn recased(call: &Invocation<'_>, join: impl Fn(&str) -> String) -> Outcome {
    of_text(call, |text| changed_case(text, &join))
}

/// Lower case, with what parts two words replaced by `join` of the next letter.
fn changed_case(text: &str, join: impl Fn(&str) -> String) -> String {
    if text::length(text) == 1 {
        return text::lower(text);
    }
    let lower = text::lower(chop(text));
    let mut out = String::new();
    let mut rest = lower.as_str();
    while let Some(at) = rest.find(parts_words) {
        out.push_str(rest.get(..at).unwrap_or_default());
        let next = rest.get(at..).unwrap_or_default().trim_start_matches(parts_words);
        let first = next.get(..next.len().min(1)).unwrap_or_default();
        out.push_str(&join(first));
        rest = next.get(first.len()..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Each word from its first ASCII letter on.
fn capitalize_all(text: &str) -> String {
    let mut out = String::new();
    let mut in_word = false;
    for c in text.chars() {
        if !in_word && text::is_word(c) {
            in_word = true;
            out.push(c.to_ascii_uppercase());
            continue;
        }
        in_word = in_word && !text::is_space(c);
        out.push(c);
    }
    out
}

fn center(call: &Invocation<'_>) -> Outcome {
    const SPACE: &str = "&nbsp;";
    let value = call.arg(0);
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    let count = call.arg(1).to_number().ceil().max(0.0);
    let count = text::position(count, TEXT_LIMIT);
    check_size(call, count.saturating_mul(2 * SPACE.len()).saturating_add(text.len()))?;
    let spaces = SPACE.repeat(count);
    Ok(Value::from(format!("{spaces}{text}{spaces}")))
}

/// Cuts to `limit` units, of which the last are `suffix`.
fn truncated(text: &str, limit: &Value, suffix: &str) -> Rc<str> {
    let limit = limit.to_number();
    if number::of_count(text::length(text)) > limit {
        let kept = text::slice(text, 0.0, limit - number::of_count(text::length(suffix)));
        return format!("{kept}{suffix}").into();
    }
    text.into()
}

fn truncate(call: &Invocation<'_>) -> Outcome {
    let (value, suffix) = (call.arg(0), call.arg(2));
    let suffix = suffix.as_text().map_or("", |text| text);
    Ok(full_text(&value).map_or(Value::Undefined, |text| Value::Text(truncated(text, &call.arg(1), suffix))))
}

fn ellipsis(call: &Invocation<'_>) -> Outcome {
    let (value, limit) = (call.arg(0), call.arg(1));
    let Some(text) = full_text(&value) else { return Ok(Value::Undefined) };
    if number::of_count(text::length(text)) <= limit.to_number() {
        return Ok(value);
    }
    Ok(Value::from(format!("{}…", truncated(text, &limit, ""))))
}

/// It never truncates: its test is the wrong way round.
fn truncate_words(call: &Invocation<'_>) -> Outcome {
    let (value, suffix) = (call.arg(0), call.arg(2));
    let suffix = suffix.as_text().map_or("…", |text| text);
    let Some(text) = full_text(&value).filter(|_| is_number(&call.arg(1))) else { return Ok(Value::Undefined) };
    let spaced = text.replace('\t', " ");
    Ok(Value::from(format!("{}{suffix}", text::trim(&spaced))))
}

/// Looking for an empty text, or for something that is no text, never ends in JavaScript.
fn occurrences(call: &Invocation<'_>) -> Outcome {
    let (value, part) = (call.arg(0), call.arg(1));
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    let step = part.read("length")?.to_number();
    let found = text.matches(&*part.to_text()).count();
    if found > 0 && (step.is_nan() || part.to_text().is_empty() || step < 1.0) {
        return call.fails("would search for ever: give it a text that is not empty");
    }
    Ok(Value::Number(number::of_count(found)))
}

/// `text.split(a).join(b)`, by characters where `a` is empty.
fn replaced(call: &Invocation<'_>, text: &str, a: &str, b: &str) -> Outcome {
    let count = text.matches(a).count();
    check_size(call, count.saturating_mul(b.len()).saturating_add(text.len()))?;
    Ok(Value::from(text.replace(a, b)))
}

fn plusify(call: &Invocation<'_>) -> Outcome {
    let (value, part) = (call.arg(0), call.arg(1));
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    replaced(call, text, full_text(&part).map_or(" ", |part| part), "+")
}

fn remove(call: &Invocation<'_>) -> Outcome {
    let (value, part) = (call.arg(0), call.arg(1));
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    full_text(&part).map_or(Ok(value.clone()), |part| replaced(call, text, part, ""))
}

fn remove_first(call: &Invocation<'_>) -> Outcome {
    let (value, part) = (call.arg(0), call.arg(1));
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    Ok(full_text(&part).map_or(value.clone(), |part| Value::from(text.replacen(&**part, "", 1))))
}

fn replace(call: &Invocation<'_>) -> Outcome {
    let (value, part, by) = (call.arg(0), call.arg(1), call.arg(2));
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    let by = full_text(&by).map_or("", |by| by);
    full_text(&part).map_or(Ok(value.clone()), |part| replaced(call, text, part, by))
}

fn replace_first(call: &Invocation<'_>) -> Outcome {
    let (value, part, by) = (call.arg(0), call.arg(1), call.arg(2));
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    let by = full_text(&by).map_or("", |by| by);
    let Some((before, after)) = full_text(&part).and_then(|part| text.split_once(&**part)) else { return Ok(value) };
    let part = part.to_text();
    let marks = by.matches('$').count();
    check_size(call, marks.saturating_mul(text.len()).saturating_add(by.len()))?;
    Ok(Value::from(format!("{before}{}{after}", expanded(by, before, &part, after))))
}

/// `$&`, `$'` and their like in what replaces.
fn expanded(by: &str, before: &str, part: &str, after: &str) -> String {
    let mut out = String::new();
    let mut rest = by;
    while let Some((plain, marked)) = rest.split_once('$') {
        out.push_str(plain);
        let (put, taken) = match marked.chars().next() {
            Some('$') => ("$", 1),
            Some('&') => (part, 1),
            Some('`') => (before, 1),
            Some('\'') => (after, 1),
            _ => ("$", 0),
        };
        out.push_str(put);
        rest = marked.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn reversed(text: &str) -> String {
    let mut units = text::units(text);
    units.reverse();
    text::of_units(&units).to_string()
}

/// Each sentence with a capital at its start, and the rest small.
fn sentences(text: &str) -> String {
    let ends = ['.', '?', '!'];
    let mut out = String::new();
    let mut rest = text;
    loop {
        let start = rest.trim_start_matches(text::is_space);
        out.push_str(rest.get(..rest.len() - start.len()).unwrap_or_default());
        let Some(first) = start.chars().next() else { return out };
        let body = start.get(first.len_utf8()..).unwrap_or_default();
        let stop = body.find(ends).unwrap_or(body.len());
        let after = body.get(stop..).unwrap_or_default().trim_start_matches(ends);
        let sentence = start.get(..start.len() - after.len()).unwrap_or_default();
        let (head, tail) = sentence.split_at(if first.len_utf16() == 1 { first.len_utf8() } else { 0 });
        out.push_str(&text::upper(head));
        out.push_str(&text::lower(tail));
        rest = after;
    }
}

fn split(call: &Invocation<'_>) -> Outcome {
    let (value, part) = (call.arg(0), call.arg(1));
    let Some(text) = full_text(&value) else { return Ok(Value::from("")) };
    let part = full_text(&part).map_or(",", |part| part);
    Ok(Value::list(text.split(part).map(Value::from).collect()))
}

fn starts_with(call: &Invocation<'_>) -> Outcome {
    let (prefix, value) = (call.arg(0), call.arg(1));
    if full_text(&value).is_some_and(|text| text.starts_with(&*prefix.to_text())) {
        return call.then(call.this.clone());
    }
    if call.options.is_block() { call.otherwise(call.this.clone()) } else { Ok(Value::from("")) }
}

fn titleize(text: &str) -> String {
    let mut spaced = String::new();
    for c in text.chars() {
        let parts = matches!(c, '-' | ' ' | '_');
        if !(parts && spaced.ends_with(' ')) {
            spaced.push(if parts { ' ' } else { c });
        }
    }
    spaced.split(' ').map(text::capitalized).collect::<Vec<_>>().join(" ")
}

fn trim(call: &Invocation<'_>) -> Outcome {
    Ok(Value::from(call.arg(0).as_text().map_or("", |text| text::trim(text))))
}

/// Its block as it was written, with a backslash before each tag in it.
fn raw(call: &Invocation<'_>) -> Outcome {
    if !call.args.is_empty() {
        return throw("`raw` takes named values only");
    }
    let made = call.then(Value::Undefined)?.to_text();
    let set = options(&call.this, &Value::Options(call.options.clone()), &Value::Undefined);
    if matches!(set.get("escape"), Value::Bool(false)) {
        return Ok(Value::Text(made));
    }
    Ok(Value::from(escape_tags(&made)))
}

fn escape_tags(text: &str) -> String {
    let mut out = text::units(text);
    let (brace, backslash) = (u16::from(b'{'), u16::from(b'\\'));
    let mut at = 0;
    while let Some(found) = out.get(at..).and_then(|rest| rest.windows(2).position(|pair| pair == [brace, brace])) {
        at += found;
        let escaped = at.checked_sub(1).and_then(|before| out.get(before)) == Some(&backslash);
        if !escaped {
            out.insert(at, backslash);
        }
        at += 3;
    }
    text::of_units(&out).to_string()
}

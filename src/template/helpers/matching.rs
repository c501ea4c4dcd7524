//! Globs, as `micromatch` 3 matches them: turned into the very regular expression that it makes. What is turned is
//! `*`, `**`, `?`, `[…]`, `{a,b}`, `@(a|b)` and its kin, and a `!` at the start; all else is refused.

mod glob;

use std::rc::Rc;

use super::{
    Table,
    rules::{described, options},
};
use crate::template::{
    javascript::{Outcome, Problem, Value, compare::is_strictly_equal},
    machine::Invocation,
};
use glob::{Dots, Glob};

pub(super) const HELPERS: Table = &[("match", matching), ("isMatch", is_match), ("mm", deprecated)];

/// Settings of `micromatch` that change what matches.
const SETTINGS: &[&str] = &[
    "nocase",
    "matchBase",
    "basename",
    "nonull",
    "nullglob",
    "failglob",
    "ignore",
    "contains",
    "noext",
    "nobrace",
    "nonegate",
    "noglobstar",
    "unixify",
    "unescape",
    "capture",
    "expand",
    "flags",
    "star",
    "slash",
];

struct Settings {
    dots: Dots,
    keeps_duplicates: bool,
}

fn settings(call: &Invocation<'_>) -> Result<Settings, Problem> {
    let set = options(&call.this, &call.arg(2), &call.arg(3));
    if let Some(name) = SETTINGS.iter().find(|name| set.get(name).is_true()) {
        return call.fails(&format!("`{name}` is not supported"));
    }
    let dots = if matches!(set.get("dot"), Value::Bool(true)) { Dots::Match } else { Dots::Hide };
    Ok(Settings { dots, keeps_duplicates: matches!(set.get("nodupes"), Value::Bool(false)) })
}

/// `utils.arrayify`
fn listed(value: &Value) -> Vec<Value> {
    match value {
        Value::List(list) => list.items(),
        value if value.is_true() => vec![value.clone()],
        _ => vec![],
    }
}

fn without_dot_slash(text: &str) -> &str {
    text.strip_prefix("./").unwrap_or(text)
}

fn matching(call: &Invocation<'_>) -> Outcome {
    let settings = settings(call)?;
    let files = listed(&call.arg(0));
    let patterns = match call.arg(1) {
        Value::Text(text) => split_at_commas(&text),
        other => listed(&other),
    };
    if files.is_empty() || patterns.is_empty() {
        return Ok(Value::list(vec![]));
    }
    let (mut keep, mut omit) = (vec![], vec![]);
    for pattern in &patterns {
        match pattern.as_text().and_then(|text| text.strip_prefix('!')).filter(|_| patterns.len() > 1) {
            Some(negated) => omit.extend(matched(call, &files, &Value::from(negated), &settings)?),
            None => keep.extend(matched(call, &files, pattern, &settings)?),
        }
    }
    keep.retain(|file| !omit.iter().any(|omitted| is_strictly_equal(omitted, file)));
    Ok(Value::list(if settings.keeps_duplicates { keep } else { unique(keep) }))
}

/// `text.split(/, */)`
fn split_at_commas(text: &str) -> Vec<Value> {
    let mut parts = text.split(',');
    let first = parts.next().into_iter();
    first.chain(parts.map(|part| part.trim_start_matches(' '))).map(Value::from).collect()
}

fn unique(files: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = vec![];
    for file in files {
        if !out.iter().any(|known| is_strictly_equal(known, &file)) {
            out.push(file);
        }
    }
    out
}

fn matched(
    call: &Invocation<'_>,
    files: &[Value],
    pattern: &Value,
    settings: &Settings,
) -> Result<Vec<Value>, Problem> {
    let Value::Text(pattern) = pattern else {
        return call.fails(&format!("takes patterns, this is {}", described(pattern)));
    };
    let glob = Glob::new(pattern, settings.dots)?;
    let mut out = vec![];
    for file in files {
        let Value::Text(path) = file else {
            return call.fails(&format!("takes paths, this is {}", described(file)));
        };
        if path == pattern || call.matching(pattern, || glob.matches(path)) {
            out.push(Value::from(without_dot_slash(path)));
        }
    }
    Ok(out)
}

fn is_match(call: &Invocation<'_>) -> Outcome {
    let settings = settings(call)?;
    let (file, pattern) = (call.arg(0), call.arg(1));
    let Value::Text(path) = &file else {
        return call.fails(&format!("takes a path, this is {}", described(&file)));
    };
    let is_empty = |text: &str| text.is_empty() || text == "./";
    if is_empty(path) || is_empty(&pattern.to_text()) {
        return Ok(Value::Bool(false));
    }
    let patterns: Vec<Rc<str>> = match &pattern {
        Value::Text(pattern) => vec![pattern.clone()],
        Value::Pattern(pattern) => {
            return Ok(Value::Bool(call.matching(&**pattern, || pattern.test(without_dot_slash(path)))));
        }
        Value::List(list) if list.len() > 0 && list.items().iter().all(|item| matches!(item, Value::Text(_))) => {
            list.items().iter().map(Value::to_text).collect()
        }
        other => return call.fails(&format!("takes a pattern, this is {}", described(other))),
    };
    for pattern in patterns {
        let glob = Glob::new(&pattern, settings.dots)?;
        if call.matching(&pattern, || glob.matches(path)) {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn deprecated(call: &Invocation<'_>) -> Outcome {
    call.machine.say("mm: deprecated, please use the helper match");
    matching(call)
}

//! Looks paths up, as the code that handlebars.js compiles does.

use super::scope::{Frame, Params};
use crate::template::{
    javascript::{Outcome, Value, throw},
    language::Path,
};

/// The block parameter that `path` starts with, and its position.
fn param<'f>(path: &Path, frame: &'f Frame) -> Option<(&'f Params, usize)> {
    let name = path.parts.first().filter(|_| path.depth == 0 && !path.is_scoped())?;
    let mut params = frame.params.as_ref();
    while let Some(here) = params {
        if let Some(at) = here.names.iter().position(|known| **known == **name) {
            return Some((here, at));
        }
        params = here.above.as_ref();
    }
    None
}

/// The block parameters in force, a list for each block.
pub(super) fn params(frame: &Frame) -> Vec<Value> {
    let mut out = vec![];
    let mut params = frame.params.as_ref();
    while let Some(here) = params {
        out.push(here.values.clone().map_or(Value::Undefined, Value::list));
        params = here.above.as_ref();
    }
    out
}

pub(super) fn is_param(path: &Path, frame: &Frame) -> bool {
    param(path, frame).is_some()
}

/// The value of `path`.
pub(super) fn find(path: &Path, frame: &Frame) -> Outcome {
    if let Some((params, at)) = param(path, frame) {
        let Some(values) = &params.values else {
            let name = path.parts.first().map_or("", String::as_str);
            return throw(format!("`as |{name}|` stands at a helper that gives no block parameters"));
        };
        return Ok(follow(values.get(at).cloned().unwrap_or_default(), path.parts.get(1..).unwrap_or_default()));
    }
    if path.parts.first().is_none_or(String::is_empty) {
        return Ok(context(frame, path.depth));
    }
    if path.is_data {
        return Ok(private(path, frame));
    }
    Ok(follow(context(frame, path.depth), &path.parts))
}

/// The context `depth` levels up.
fn context(frame: &Frame, depth: usize) -> Value {
    let mut scope = Some(&frame.scope);
    for _ in 0..depth {
        scope = scope.and_then(|scope| scope.above.as_ref());
    }
    scope.map(|scope| scope.this.clone()).unwrap_or_default()
}

fn follow(value: Value, parts: &[String]) -> Value {
    parts.iter().fold(value, |value, part| if value.is_nullish() { value } else { value.get(part) })
}

/// `@x.y`: a value that is false ends the way.
fn private(path: &Path, frame: &Frame) -> Value {
    let Some(data) = frame.data.above(path.depth) else { return Value::Undefined };
    let Some((first, rest)) = path.parts.split_first() else { return Value::Undefined };
    if first == "partial-block" && data.partial_block.borrow().is_some() {
        return Value::Bool(true);
    }
    rest.iter().fold(data.vars.get(first), |value, part| if value.is_true() { value.get(part) } else { value })
}

/// What helpers get as `this`.
pub(super) fn this(frame: &Frame, nothing: &Value) -> Value {
    let this = &frame.scope.this;
    if this.is_nullish() { nothing.clone() } else { this.clone() }
}

/// The name under which a literal is looked up: `{{12}}`, `{{"a b"}}`.
pub(super) fn of_literal(name: &str) -> Path {
    Path { is_data: false, depth: 0, parts: vec![name.to_string()], original: name.to_string() }
}

//! Regular expressions of JavaScript.

use std::rc::Rc;

use super::{
    Table,
    rules::{full_text, options},
};
use crate::template::{
    javascript::{Outcome, Value, pattern::Pattern},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[("toRegex", to_regex), ("test", test)];

fn to_regex(call: &Invocation<'_>) -> Outcome {
    let source = match call.arg(0) {
        Value::Undefined => Rc::from(""),
        Value::Pattern(pattern) => Rc::from(pattern.source()),
        other => other.to_text(),
    };
    let set = options(&Value::object([]), &call.arg(1), &call.arg(2));
    let flags = match set.get("flags") {
        Value::Undefined => Rc::from(""),
        other => other.to_text(),
    };
    Pattern::new(&source, &flags).map(|pattern| Value::Pattern(Rc::new(pattern)))
}

fn test(call: &Invocation<'_>) -> Outcome {
    let text = call.arg(0);
    let Some(text) = full_text(&text) else { return Ok(Value::Bool(false)) };
    match call.arg(1) {
        Value::Pattern(pattern) => Ok(Value::Bool(call.matching(&*pattern, || pattern.test(text)))),
        _ => call.fails("takes a regular expression: (toRegex \"…\")"),
    }
}

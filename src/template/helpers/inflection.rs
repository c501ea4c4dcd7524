//! Words by number.

use std::cmp::Ordering;

use super::Table;
use crate::template::{
    javascript::{
        Outcome, Value,
        compare::{is_strictly_equal, relation},
        number,
    },
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[("inflect", inflect), ("ordinalize", ordinalize)];

fn inflect(call: &Invocation<'_>) -> Outcome {
    let count = call.arg(0);
    let more = relation(&count, &Value::Number(1.0)) == Some(Ordering::Greater);
    let many = more || is_strictly_equal(&count, &Value::Number(0.0));
    let word = call.arg(if many { 2 } else { 1 });
    if !matches!(call.arg(3), Value::Bool(true)) {
        return Ok(word);
    }
    Ok(Value::from(format!("{} {}", count.to_text(), word.to_text())))
}

fn ordinalize(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    let number = number::round(value.to_number()).abs();
    let ending = match (number % 100.0, number % 10.0) {
        (teen, _) if (11.0..=13.0).contains(&teen) => "th",
        (_, 1.0) => "st",
        (_, 2.0) => "nd",
        (_, 3.0) => "rd",
        _ => "th",
    };
    Ok(Value::from(format!("{}{ending}", value.to_text())))
}

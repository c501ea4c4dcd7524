//! Arithmetic.

use super::{
    Table,
    rules::{described, is_number},
};
use crate::template::{
    javascript::{Outcome, Problem, Value, number},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("abs", |call| unary(call, f64::abs)),
    ("add", add),
    ("avg", avg),
    ("ceil", |call| unary(call, f64::ceil)),
    ("divide", |call| binary(call, |a, b| a / b)),
    ("floor", |call| unary(call, f64::floor)),
    ("minus", |call| binary(call, |a, b| a - b)),
    ("modulo", |call| binary(call, |a, b| a % b)),
    ("multiply", |call| binary(call, |a, b| a * b)),
    ("plus", |call| binary(call, |a, b| a + b)),
    ("random", random),
    ("remainder", |call| Ok(Value::Number(call.arg(0).to_number() % call.arg(1).to_number()))),
    ("round", |call| unary(call, number::round)),
    ("subtract", |call| binary(call, |a, b| a - b)),
    ("sum", sum),
    ("times", |call| binary(call, |a, b| a * b)),
];

fn number_at(call: &Invocation<'_>, at: usize) -> Result<f64, Problem> {
    let value = call.arg(at);
    if is_number(&value) {
        return Ok(value.to_number());
    }
    let given = if at < call.args.len() { described(&value) } else { "missing" };
    call.fails(&format!("takes numbers; value {} is {given}", at + 1))
}

fn unary(call: &Invocation<'_>, of: impl Fn(f64) -> f64) -> Outcome {
    number_at(call, 0).map(|number| Value::Number(of(number)))
}

fn binary(call: &Invocation<'_>, of: impl Fn(f64, f64) -> f64) -> Outcome {
    Ok(Value::Number(of(number_at(call, 0)?, number_at(call, 1)?)))
}

fn add(call: &Invocation<'_>) -> Outcome {
    Ok(match (call.arg(0), call.arg(1)) {
        (a, b) if is_number(&a) && is_number(&b) => Value::Number(a.to_number() + b.to_number()),
        (Value::Text(a), Value::Text(b)) => Value::from(format!("{a}{b}")),
        _ => Value::from(""),
    })
}

/// The arguments, with lists in their places.
fn flat(args: &[Value]) -> Vec<Value> {
    let items = |value: &Value| match value {
        Value::List(list) => list.items(),
        other => vec![other.clone()],
    };
    args.iter().flat_map(items).collect()
}

/// From the right, as handlebars-helpers adds.
fn total(values: &[Value]) -> f64 {
    values.iter().rev().filter(|value| is_number(value)).fold(0.0, |sum, value| sum + value.to_number())
}

fn sum(call: &Invocation<'_>) -> Outcome {
    Ok(Value::Number(total(&flat(&call.args))))
}

fn avg(call: &Invocation<'_>) -> Outcome {
    let values = flat(&call.args);
    Ok(Value::Number(total(&values) / number::of_count(values.len())))
}

fn random(call: &Invocation<'_>) -> Outcome {
    let (low, high) = (number_at(call, 0)?, number_at(call, 1)?);
    let min = call.arg(0);
    // `max - min + 1` counts, `min + …` joins when `min` is a text.
    let steps = (fastrand::f64() * (high - low + 1.0)).floor();
    Ok(match min {
        Value::Text(min) => Value::from(format!("{min}{}", number::print(steps))),
        _ => Value::Number(low + steps),
    })
}

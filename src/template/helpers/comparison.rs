//! Comparisons. Lists and objects are true here, unlike for `#if`.

use std::cmp::Ordering;

use super::{
    Table,
    rules::{choose, full_text, get, has, is_number, is_options},
};
use crate::template::{
    javascript::{
        Outcome, Problem, Value,
        compare::{is_loosely_equal, is_strictly_equal, relation},
        number, text,
    },
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("and", and),
    ("compare", compare),
    ("contains", contains),
    ("default", default),
    ("eq", |call| binary(call, is_strictly_equal)),
    ("gt", |call| binary(call, is_greater)),
    ("gte", |call| binary(call, is_at_least)),
    ("has", has_value),
    ("isFalsey", |call| choose(call, is_falsey(&call.arg(0)), &call.arg(1))),
    ("isTruthy", |call| choose(call, !is_falsey(&call.arg(0)), &call.arg(1))),
    ("ifEven", |call| choose(call, !is_odd(call)?, &call.arg(1))),
    ("ifNth", if_nth),
    ("ifOdd", |call| choose(call, is_odd(call)?, &call.arg(1))),
    ("is", |call| binary(call, is_loosely_equal)),
    ("isnt", |call| binary(call, |a, b| !is_loosely_equal(a, b))),
    ("lt", |call| binary(call, is_less)),
    ("lte", |call| binary(call, is_at_most)),
    ("neither", |call| choose(call, !call.arg(0).is_true() && !call.arg(1).is_true(), &call.arg(2))),
    ("not", |call| choose(call, !call.arg(0).is_true(), &call.arg(1))),
    ("or", or),
    ("unlessEq", |call| unless(call, |a, b| !is_strictly_equal(a, b))),
    ("unlessGt", |call| unless(call, is_at_most)),
    ("unlessLt", |call| unless(call, is_at_least)),
    ("unlessGteq", |call| unless(call, is_less)),
    ("unlessLteq", |call| unless(call, is_greater)),
];

fn is_less(a: &Value, b: &Value) -> bool {
    relation(a, b) == Some(Ordering::Less)
}

fn is_greater(a: &Value, b: &Value) -> bool {
    relation(a, b) == Some(Ordering::Greater)
}

fn is_at_least(a: &Value, b: &Value) -> bool {
    relation(a, b).is_some_and(Ordering::is_ge)
}

fn is_at_most(a: &Value, b: &Value) -> bool {
    relation(a, b).is_some_and(Ordering::is_le)
}

/// `{{eq a b}}` or `{{eq a compare=b}}`
fn binary(call: &Invocation<'_>, holds: impl Fn(&Value, &Value) -> bool) -> Outcome {
    let (b, options) = match call.args.len() {
        1 => (call.hash("compare"), call.arg(1)),
        _ => (call.arg(1), call.arg(2)),
    };
    choose(call, holds(&call.arg(0), &b), &options)
}

fn unless(call: &Invocation<'_>, holds: impl Fn(&Value, &Value) -> bool) -> Outcome {
    let b = call.arg(1);
    let (b, options) = if is_options(&b) { (b.get("hash").get("compare"), b) } else { (b, call.arg(2)) };
    choose(call, holds(&call.arg(0), &b), &options)
}

fn and(call: &Invocation<'_>) -> Outcome {
    choose(call, call.args.iter().all(Value::is_true), &Value::Options(call.options.clone()))
}

fn or(call: &Invocation<'_>) -> Outcome {
    choose(call, call.args.iter().any(Value::is_true), &Value::Options(call.options.clone()))
}

fn compare(call: &Invocation<'_>) -> Outcome {
    let [a, operator, b, ..] = call.args.as_slice() else { return call.fails("takes three values: a operator b") };
    let holds = match operator.as_text().map_or("", |text| text) {
        "==" => is_loosely_equal(a, b),
        "===" => is_strictly_equal(a, b),
        "!=" => !is_loosely_equal(a, b),
        "!==" => !is_strictly_equal(a, b),
        "<" => is_less(a, b),
        ">" => is_greater(a, b),
        "<=" => is_at_most(a, b),
        ">=" => is_at_least(a, b),
        "typeof" => b.as_text().is_some_and(|name| **name == *a.type_name()),
        _ => return call.fails(&format!("`{}` is no operator", operator.to_text())),
    };
    choose(call, holds, &call.arg(3))
}

fn contains(call: &Invocation<'_>) -> Outcome {
    let (collection, value, start) = (call.arg(0), call.arg(1), call.arg(2));
    let (start, options) = if start.type_name() == "object" { (Value::Undefined, start) } else { (start, call.arg(3)) };
    let found = if collection.is_nullish() || value.is_nullish() || !is_number(&collection.get("length")) {
        false
    } else {
        match &collection {
            Value::Text(whole) => {
                let from = text::position(start.to_number().max(0.0), text::length(whole));
                text::index_of(whole, &value.to_text(), from).is_some()
            }
            Value::List(list) => {
                let from = text::position(start.to_number(), list.len());
                list.items().iter().skip(from).any(|item| is_strictly_equal(item, &value))
            }
            _ => return call.fails("takes a list or a text"),
        }
    };
    choose(call, found, &options)
}

fn default(call: &Invocation<'_>) -> Outcome {
    Ok(call.args.iter().find(|value| !value.is_nullish()).cloned().unwrap_or_else(|| Value::from("")))
}

fn has_value(call: &Invocation<'_>) -> Outcome {
    let (value, pattern) = (call.arg(0), call.arg(1));
    let mut options = call.arg(2);
    if is_options(&value) {
        return choose(call, false, &value);
    }
    let given = !is_options(&pattern);
    if !given {
        options = pattern.clone();
    }
    if matches!(value, Value::Null) {
        return choose(call, false, &options);
    }
    if call.args.len() == 1 {
        let this = &call.this;
        let looked_at = if this.is_object() && value.is_true() { get(this, &value)? } else { this.clone() };
        return choose(call, has_something(&looked_at), &options);
    }
    let key = full_text(&pattern).filter(|_| given);
    let found = key.is_some_and(|key| match &value {
        Value::List(list) => list.items().iter().any(|item| is_strictly_equal(item, &pattern)),
        Value::Text(whole) => whole.contains(&**key),
        Value::Object(_) => has(&value, key),
        _ => false,
    });
    choose(call, found, &options)
}

/// The library `has-values`.
fn has_something(value: &Value) -> bool {
    match value {
        value if is_number(value) => true,
        Value::Null | Value::Bool(_) => true,
        Value::Text(text) => !text.is_empty(),
        Value::List(list) => list.items().iter().any(has_something),
        Value::Object(_) => value.fields().iter().any(|(_, value)| has_something(value)),
        _ => false,
    }
}

/// The library `falsey`.
fn is_falsey(value: &Value) -> bool {
    match value {
        Value::List(list) => list.len() == 0,
        Value::Object(_) | Value::Options(_) => value.keys().is_empty(),
        Value::Text(text) => {
            matches!(&*text::lower(text), "" | "none" | "nil" | "nope" | "no" | "nada" | "0" | "false")
        }
        other => !other.is_true(),
    }
}

fn is_odd(call: &Invocation<'_>) -> Result<bool, Problem> {
    let value = call.arg(0);
    if !is_number(&value) {
        return call.fails("takes a whole number");
    }
    let number = value.to_number();
    if number.fract() != 0.0 {
        return call.fails(&format!("takes a whole number, this is {}", number::print(number)));
    }
    Ok(number::to_int32(number) & 1 == 1)
}

fn if_nth(call: &Invocation<'_>) -> Outcome {
    let (a, b) = (call.arg(0), call.arg(1));
    let is_nth = is_number(&a) && is_number(&b) && b.to_number() % a.to_number() == 0.0;
    choose(call, is_nth, &call.arg(2))
}

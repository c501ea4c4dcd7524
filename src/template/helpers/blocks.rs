//! The helpers of handlebars.js itself.

use std::rc::Rc;

use super::Table;
use crate::template::{
    javascript::{Outcome, Value, number, throw},
    machine::{Data, Invocation},
};

pub(super) const HELPERS: Table =
    &[("if", if_), ("unless", unless), ("with", with), ("each", each), ("lookup", lookup)];

fn if_(call: &Invocation<'_>) -> Outcome {
    conditional(call, true)
}

fn unless(call: &Invocation<'_>) -> Outcome {
    conditional(call, false)
}

fn conditional(call: &Invocation<'_>, wanted: bool) -> Outcome {
    let [value] = call.args.as_slice() else { return call.fails("takes exactly one value") };
    let zero_counts = call.hash("includeZero").is_true();
    let holds = !value.is_empty() && (zero_counts || value.is_true());
    let this = call.this.clone();
    if holds == wanted { call.then(this) } else { call.otherwise(this) }
}

fn with(call: &Invocation<'_>) -> Outcome {
    let [value] = call.args.as_slice() else { return call.fails("takes exactly one value") };
    if value.is_empty() {
        return call.otherwise(call.this.clone());
    }
    let data = call.options.data.clone();
    call.then_with(&call.options, value.clone(), Some(data), Some(vec![value.clone()]))
}

fn each(call: &Invocation<'_>) -> Outcome {
    let [value] = call.args.as_slice() else { return call.fails("takes exactly one value") };
    let mut out = String::new();
    let keys: Vec<Value> = match value {
        Value::List(list) => (0..list.len()).map(|at| Value::Number(number::of_count(at))).collect(),
        Value::Object(_) => value.keys().into_iter().map(Value::Text).collect(),
        _ => vec![],
    };
    if keys.is_empty() {
        return call.otherwise(call.this.clone());
    }
    let data = Rc::new(Data::child(&call.options.data));
    let last = keys.len() - 1;
    for (at, key) in keys.into_iter().enumerate() {
        let item = value.get(&key.to_text());
        data.vars.set("key", key.clone());
        data.vars.set("index", Value::Number(number::of_count(at)));
        data.vars.set("first", Value::Bool(at == 0));
        data.vars.set("last", Value::Bool(at == last));
        let made = call.then_with(&call.options, item.clone(), Some(data.clone()), Some(vec![item, key]))?;
        out.push_str(&made.to_text());
    }
    Ok(Value::from(out))
}

fn lookup(call: &Invocation<'_>) -> Outcome {
    let object = call.arg(0);
    if !object.is_true() {
        return Ok(object);
    }
    match call.args.as_slice() {
        [object, key] => Ok(object.get(&key.to_text())),
        _ => throw("`lookup` takes two values"),
    }
}

/// `{{#x}}…{{/x}}` over a field: once, for each item, or not at all.
pub(crate) fn section(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    let this = call.this.clone();
    match &value {
        Value::Bool(true) => call.then(this),
        Value::Bool(false) | Value::Undefined | Value::Null => call.otherwise(this),
        Value::List(list) if list.len() == 0 => call.otherwise(this),
        Value::List(_) => each(call),
        // The block parameters of such a block are those around it.
        _ => call.then_with(&call.options, value, None, Some(call.machine.params_around())),
    }
}

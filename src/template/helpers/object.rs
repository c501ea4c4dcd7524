//! Objects.

use std::rc::Rc;

use super::{
    Table,
    rules::{arrayify, frame_of_call, get, get_object, has_own, is_number, is_options},
};
use crate::template::{
    javascript::{Object, Outcome, Value, json, text, throw},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("extend", extend),
    ("forIn", for_own),
    ("forOwn", for_own),
    ("toPath", to_path),
    ("get", get_value),
    ("getObject", |call| Ok(get_object(&call.arg(1), &call.arg(0)))),
    ("hasOwn", has_own_field),
    ("isObject", |call| Ok(Value::Bool(call.arg(0).is_object()))),
    ("JSONparse", parse),
    ("JSONstringify", stringify),
    ("merge", merge),
    ("parseJSON", parse),
    ("pick", pick),
    ("stringify", stringify),
];

fn extend(call: &Invocation<'_>) -> Outcome {
    let sources = call.args.iter().filter(|source| source.is_object());
    let all = sources.flat_map(Value::fields).chain(Value::Object(call.options.hash.clone()).fields());
    Ok(Value::object(all))
}

/// `forOwn` and `forIn`: data from JSON has no inherited fields.
pub(super) fn for_own(call: &Invocation<'_>) -> Outcome {
    // Without an object the call itself is taken for it.
    if call.args.is_empty() {
        return call.otherwise(Value::Options(call.options.clone()));
    }
    if call.args.len() > 1 {
        return call.fails("takes one object");
    }
    let object = call.arg(0);
    let data = frame_of_call(call);
    let mut out = String::new();
    for key in object.keys() {
        data.vars.set("key", Value::Text(key.clone()));
        out.push_str(&call.then_with(&call.options, object.get(&key), Some(data.clone()), None)?.to_text());
    }
    Ok(Value::from(out))
}

fn to_path(call: &Invocation<'_>) -> Outcome {
    let parts = call.args.iter().filter(|part| matches!(part, Value::Text(_) | Value::Number(_)));
    Ok(Value::from(parts.map(|part| part.to_text().to_string()).collect::<Vec<_>>().join(".")))
}

fn get_value(call: &Invocation<'_>) -> Outcome {
    let context = call.arg(1);
    let found = get(&context, &call.arg(0))?;
    let is_block = matches!(call.arg(2), Value::Options(options) if options.is_block());
    match (is_block, found.is_true()) {
        (false, _) => Ok(found),
        (true, true) => call.then(found),
        (true, false) => call.otherwise(context),
    }
}

fn has_own_field(call: &Invocation<'_>) -> Outcome {
    let object = call.arg(0);
    if object.is_nullish() {
        return call.fails("takes an object, this value is missing");
    }
    Ok(Value::Bool(has_own(&object, &call.arg(1).to_text())))
}

fn parse(call: &Invocation<'_>) -> Outcome {
    json::parse(&call.arg(0).to_text())
}

fn stringify(call: &Invocation<'_>) -> Outcome {
    let indent = match call.arg(1) {
        Value::Text(indent) if is_number(&Value::Text(indent.clone())) => {
            Some(text::slice(&indent, 0.0, 10.0).to_string())
        }
        Value::Number(width) if width.is_finite() && width > 0.0 => {
            Some(" ".repeat(text::position(width.min(10.0), 10)))
        }
        _ => None,
    };
    json::stringify(&call.arg(0), indent.as_deref())
}

/// Changes its first object, for the rest of the template.
fn merge(call: &Invocation<'_>) -> Outcome {
    let hash = Value::Object(call.options.hash.clone());
    let Some((target, sources)) = call.args.split_first() else { return Ok(hash) };
    if target.is_nullish() {
        return call.fails("takes an object to merge into, this value is missing");
    }
    for (key, value) in sources.iter().flat_map(Value::fields).chain(hash.fields()) {
        match target {
            Value::Object(object) => object.set(&key, value),
            Value::List(list) => list.set(&key, value),
            Value::Text(_) if has_own(target, &key) => return call.fails("cannot change the letters of a text"),
            _ => {}
        }
    }
    Ok(target.clone())
}

fn pick(call: &Invocation<'_>) -> Outcome {
    if call.args.len() < 2 {
        return throw("`pick` takes the names of fields and an object");
    }
    if call.arg(2).is_nullish() {
        return call.fails("takes the names of fields and an object, and nothing behind them");
    }
    let (names, context) = (call.arg(0), call.arg(1));
    let names = if names.is_true() { arrayify(&names) } else { vec![] };
    let mut picked = Object::default();
    for name in &names {
        let part = get_object(&context, name);
        // What looks like a call's options is replaced by its hash.
        let part = if is_options(&part) { part.get("hash") } else { part };
        if part.is_object() {
            let all = Value::Object(Rc::new(picked)).fields().into_iter().chain(part.fields());
            picked = Object::new(all);
        }
    }
    let is_block = matches!(call.arg(2), Value::Options(options) if options.is_block());
    match (is_block, picked.is_bare()) {
        (false, _) => Ok(Value::Object(Rc::new(picked))),
        (true, false) => call.then(Value::Object(Rc::new(picked))),
        (true, true) => call.otherwise(context),
    }
}

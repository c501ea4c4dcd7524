//! What fits nowhere else.

use std::rc::Rc;

use super::{
    Table,
    rules::{described, expect_options, get, options},
};
use crate::template::{
    javascript::{Object, Outcome, Value, throw},
    machine::{Data, Invocation},
};

pub(super) const HELPERS: Table = &[
    ("frame", frame),
    ("option", option),
    ("noop", noop),
    ("typeOf", |call| Ok(Value::from(call.arg(0).kind()))),
    ("withHash", with_hash),
];

fn frame(call: &Invocation<'_>) -> Outcome {
    let data = match call.arg(0) {
        value if call.args.is_empty() || value.get("hash").is_true() => Data::child(&call.options.data),
        value if value.is_object() => Data::bare(Object::new(value.fields())),
        other => return call.fails(&format!("takes an object, this is {}", described(&other))),
    };
    for (key, value) in Value::Object(call.options.hash.clone()).fields() {
        data.vars.set(&key, value);
    }
    call.then_with(&call.options, call.this.clone(), Some(Rc::new(data)), None)
}

fn noop(call: &Invocation<'_>) -> Outcome {
    expect_options(call, 0)?;
    call.then(call.this.clone())
}

fn option(call: &Invocation<'_>) -> Outcome {
    let set = Value::Object(Rc::new(options(&call.this, &call.arg(1), &call.arg(2))));
    if call.args.is_empty() {
        return throw("`option` takes a name");
    }
    get(&set, &call.arg(0))
}

fn with_hash(call: &Invocation<'_>) -> Outcome {
    if !call.args.is_empty() {
        return call.fails("takes named values only");
    }
    let hash = call.options.hash.clone();
    if hash.is_bare() { call.otherwise(call.this.clone()) } else { call.then(Value::Object(hash)) }
}

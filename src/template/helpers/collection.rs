//! Lists and objects alike.

use super::{
    Table, array, object,
    rules::{choose, expect_options, is_options},
};
use crate::template::{
    javascript::{Outcome, Value},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[("isEmpty", is_empty), ("iterate", iterate)];

fn is_empty(call: &Invocation<'_>) -> Outcome {
    let (value, options) = (call.arg(0), call.arg(1));
    if !is_options(&options) {
        // Without a value the first argument is the call itself.
        return if is_options(&value) && call.args.is_empty() { choose_first(call) } else { Ok(Value::Bool(true)) };
    }
    if matches!(&value, Value::List(list) if list.len() == 0) {
        return choose_first(call);
    }
    if value.is_nullish() {
        return call.fails("takes a list or an object, this value is missing");
    }
    let bare = value.type_name() == "object" && value.keys().is_empty();
    choose(call, bare, &options)
}

/// `util.fn(true, this, options)`
fn choose_first(call: &Invocation<'_>) -> Outcome {
    choose(call, true, &Value::Options(call.options.clone()))
}

fn iterate(call: &Invocation<'_>) -> Outcome {
    match call.arg(0) {
        Value::List(_) => array::for_each(call),
        value if value.is_object() => object::for_own(call),
        _ => {
            expect_options(call, 1)?;
            call.otherwise(call.this.clone())
        }
    }
}

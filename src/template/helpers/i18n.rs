//! Texts by language, from the payload itself.

use std::rc::Rc;

use super::{
    Table,
    rules::{assigned, full_text, get, is_options, options},
};
use crate::template::{
    javascript::{Outcome, Value},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[("i18n", i18n)];

fn i18n(call: &Invocation<'_>) -> Outcome {
    let (key, locals) = (call.arg(0), call.arg(1));
    let (locals, given) = if is_options(&locals) { (Value::object([]), locals) } else { (locals, call.arg(2)) };
    let Some(name) = full_text(&key) else { return call.fails("takes a key") };
    let set = Value::Object(Rc::new(options(&call.this, &locals, &given)));
    let context = assigned([&call.this, &set]);
    let language = Some(context.get("language")).filter(Value::is_true).unwrap_or_else(|| context.get("lang"));
    let Some(language) = full_text(&language) else { return call.fails("needs a `language`") };
    let texts = context.get(language);
    if matches!(texts, Value::Undefined) {
        return call.fails(&format!("there is no language `{language}`"));
    }
    match get(&texts, &key)? {
        Value::Undefined => call.fails(&format!("there is no `{name}` in the language `{language}`")),
        found => Ok(found),
    }
}

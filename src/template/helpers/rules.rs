//! What the libraries under handlebars-helpers do: `handlebars-utils`, `is-number`, `get-value` and their like.

use std::rc::Rc;

use crate::template::{
    javascript::{List, Object, Outcome, Problem, Value, number, text, throw},
    machine::{Data, Invocation},
};

/// Whether it passes for the options of a call: it is enough to have an object named `hash`.
pub(super) fn is_options(value: &Value) -> bool {
    matches!(value, Value::Options(_)) || (value.is_object() && value.get("hash").is_object())
}

/// Nothing, or what stands there when nothing was given.
pub(super) fn is_undefined(value: &Value) -> bool {
    value.is_nullish() || is_options(value)
}

/// A number, or a text that is one; not infinite.
pub(super) fn is_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_finite(),
        Value::Text(text) => !text::trim(text).is_empty() && number::read(text).is_finite(),
        _ => false,
    }
}

/// A text that is not empty.
pub(super) fn full_text(value: &Value) -> Option<&Rc<str>> {
    value.as_text().filter(|text| !text.is_empty())
}

fn has_block(call: &Invocation<'_>, options: &Value) -> bool {
    matches!(options, Value::Options(options) if options.is_block()) && !is_options(&call.this)
}

/// `util.value`: the first or second part of the block, or `yes` itself.
pub(super) fn choose(call: &Invocation<'_>, yes: bool, options: &Value) -> Outcome {
    match (has_block(call, options), yes) {
        (false, _) => Ok(Value::Bool(yes)),
        (true, true) => call.then(call.this.clone()),
        (true, false) => call.otherwise(call.this.clone()),
    }
}

/// The options that follow `count` arguments. With fewer or more JavaScript would not find a block there.
pub(super) fn expect_options(call: &Invocation<'_>, count: usize) -> Result<(), Problem> {
    if call.args.len() == count {
        return Ok(());
    }
    call.fails(&format!("takes {count} {}, here are {}", if count == 1 { "value" } else { "values" }, call.args.len()))
}

/// `value.slice(start, end)`
pub(super) fn slice(value: &Value, start: &Value, end: Option<f64>) -> Outcome {
    let start = start.to_number();
    match value {
        Value::Text(text) => Ok(Value::Text(text::slice(text, start, end.unwrap_or(f64::INFINITY)))),
        Value::List(list) => Ok(Value::list(cut(list, start, end.unwrap_or(f64::INFINITY)))),
        other => throw(format!("{} has no slice", described(other))),
    }
}

pub(super) fn cut(list: &List, start: f64, end: f64) -> Vec<Value> {
    let items = list.items();
    let (start, end) = (text::position(start, items.len()), text::position(end, items.len()));
    items.get(start..end.max(start)).unwrap_or_default().to_vec()
}

/// What a message calls a value.
pub(super) fn described(value: &Value) -> &'static str {
    match value.kind() {
        "undefined" => "a missing value",
        "null" => "null",
        "array" => "a list",
        "regexp" => "a regular expression",
        "object" => "an object",
        "string" => "a text",
        "number" => "a number",
        _ => "true or false",
    }
}

/// The list, or what JavaScript throws for lack of the method `method`.
pub(super) fn expect_list<'v>(call: &Invocation<'_>, value: &'v Value) -> Result<&'v Rc<List>, Problem> {
    value.as_list().map_or_else(|| call.fails(&format!("takes a list, this is {}", described(value))), Ok)
}

/// `value.length` as a loop takes it: 0 where there is none.
pub(super) fn length(value: &Value) -> Result<usize, Problem> {
    let length = value.read("length")?.to_number();
    Ok(if length.is_nan() { 0 } else { text::position(length.max(0.0), usize::MAX >> 12) })
}

/// What every object has from its prototype: for `in` it is there.
const INHERITED: &[&str] = &[
    "constructor",
    "toString",
    "valueOf",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "__proto__",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
];

/// `key in value`
pub(super) fn has(value: &Value, key: &str) -> bool {
    INHERITED.contains(&key) || has_own(value, key)
}

pub(super) fn has_own(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(object) => object.has(key),
        Value::List(_) | Value::Text(_) => key == "length" || value.keys().iter().any(|known| **known == *key),
        other => !matches!(other.get(key), Value::Undefined),
    }
}

/// The library `get-value`: a whole key first, then its parts at the dots.
pub(super) fn get(value: &Value, path: &Value) -> Outcome {
    if value.type_name() != "object" || matches!(value, Value::Null) || !path.is_true() {
        return Ok(value.clone());
    }
    let key = match path {
        Value::List(parts) => parts.join(".").into(),
        other => other.to_text(),
    };
    if has_own(value, &key) {
        return Ok(value.get(&key));
    }
    if !matches!(path, Value::Text(_) | Value::List(_)) {
        return throw(format!("{} is no path to a field", described(path)));
    }
    let mut parts = key.split('.');
    let mut found = value.clone();
    while found.is_true() {
        let Some(part) = parts.next() else { break };
        let mut part = part.to_owned();
        while part.ends_with('\\') {
            part.pop();
            part = format!("{part}.{}", parts.next().unwrap_or("undefined"));
        }
        found = found.get(&part);
    }
    Ok(found)
}

/// The library `get-object`: an object with the last part of the path alone.
pub(super) fn get_object(value: &Value, path: &Value) -> Value {
    if !path.is_true() {
        return value.clone();
    }
    let path = path.to_text();
    let parts: Vec<&str> = path.split(['[', '.', ']']).filter(|part| !part.is_empty()).collect();
    let mut found = value.clone();
    for part in &parts {
        if !found.is_true() {
            break;
        }
        found = found.get(part);
    }
    if !found.is_true() {
        return Value::object([]);
    }
    let last = parts.last().copied().unwrap_or("undefined");
    if is_number(&Value::text(last)) { Value::list(vec![found]) } else { Value::object([(Rc::from(last), found)]) }
}

/// `util.arrayify`
pub(super) fn arrayify(value: &Value) -> Vec<Value> {
    match value {
        Value::List(list) => list.items(),
        value if value.is_nullish() => vec![],
        value => vec![value.clone()],
    }
}

/// `Object.assign({}, …)`
pub(super) fn assigned<'v>(sources: impl IntoIterator<Item = &'v Value>) -> Object {
    Object::new(sources.into_iter().flat_map(Value::fields))
}

/// `util.options`: what a helper is set to, by its arguments, its hash and the context's `options`.
pub(super) fn options(this: &Value, locals: &Value, options: &Value) -> Object {
    if is_options(this) {
        return self::options(&Value::object([]), locals, this);
    }
    let (locals, options) = if is_options(locals) { (options, locals) } else { (locals, options) };
    let mut all = assigned([locals]);
    if !is_options(options) {
        all = assigned([locals, options]);
    }
    let mut out = assigned([&Value::Object(Rc::new(all)), &options.get("hash")]);
    if this.is_object() {
        out = assigned([&this.get("options"), &Value::Object(Rc::new(out))]);
    }
    let name = options.get("name");
    let named = out.get(&name.to_text());
    if named.is_true() {
        out = assigned([&named, &Value::Object(Rc::new(out))]);
    }
    out
}

/// The frame that `createFrame(options, options.hash)` makes: of the call, not of the variables around it.
pub(super) fn frame_of_call(call: &Invocation<'_>) -> Rc<Data> {
    let options = Value::Options(call.options.clone());
    let outer = &call.options.data.vars;
    let data = Value::object(outer.keys().into_iter().map(|key| (key.clone(), outer.get(&key))));
    let vars = Object::new(options.fields());
    vars.set("data", data);
    for (key, value) in Value::Object(call.options.hash.clone()).fields() {
        vars.set(&key, value);
    }
    Rc::new(Data::bare(vars))
}

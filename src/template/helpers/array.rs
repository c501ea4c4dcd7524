//! Lists.

use std::cmp::Ordering;

use super::{
    Table,
    rules::{cut, described, expect_list, expect_options, frame_of_call, get, is_number, is_undefined, length, slice},
};
use crate::template::{
    javascript::{
        List, Outcome, Problem, Value,
        compare::{self, default_order, is_strictly_equal, relation, sort},
        number, throw,
    },
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("after", after),
    ("arrayify", arrayify),
    ("before", before),
    ("eachIndex", each_index),
    ("filter", filter),
    ("first", first),
    ("forEach", for_each),
    ("inArray", in_array),
    ("isArray", is_array),
    ("itemAt", item_at),
    ("join", join),
    ("equalsLength", equals_length),
    ("last", last),
    ("length", length_of),
    ("lengthEqual", equals_length),
    ("map", map),
    ("pluck", pluck),
    ("some", some),
    ("sort", sort_list),
    ("sortBy", sort_by),
    ("withAfter", with_after),
    ("withBefore", with_before),
    ("withFirst", with_first),
    ("withGroup", with_group),
    ("withLast", with_last),
    ("withSort", with_sort),
    ("unique", unique),
];

fn after(call: &Invocation<'_>) -> Outcome {
    let list = call.arg(0);
    if is_undefined(&list) { Ok(Value::from("")) } else { slice(&list, &call.arg(1), None) }
}

fn before(call: &Invocation<'_>) -> Outcome {
    let list = call.arg(0);
    if is_undefined(&list) {
        return Ok(Value::from(""));
    }
    slice(&list, &Value::Number(0.0), Some(-call.arg(1).to_number()))
}

fn arrayify(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    Ok(match &value {
        Value::List(_) => value,
        value if value.is_true() => Value::list(vec![value.clone()]),
        _ => Value::list(vec![]),
    })
}

/// The block for each of `items`.
fn render_each(call: &Invocation<'_>, items: impl IntoIterator<Item = Value>) -> Outcome {
    let mut out = String::new();
    for item in items {
        out.push_str(&call.then(item)?.to_text());
    }
    Ok(Value::from(out))
}

fn each_index(call: &Invocation<'_>) -> Outcome {
    let list = call.arg(0);
    if length(&list)? > 0 {
        expect_options(call, 1)?;
    }
    let at = |at: usize| Value::Number(number::of_count(at));
    let item = |index: usize| list.get(&index.to_string());
    let contexts =
        (0..length(&list)?).map(|index| Value::object([("item".into(), item(index)), ("index".into(), at(index))]));
    render_each(call, contexts)
}

fn filter(call: &Invocation<'_>) -> Outcome {
    expect_options(call, 2)?;
    let (list, value) = (call.arg(0), call.arg(1));
    let list = expect_list(call, &list)?;
    let property = Some(call.hash("property")).filter(Value::is_true).unwrap_or_else(|| call.hash("prop"));
    let mut found = vec![];
    for item in list.items() {
        let compared = if property.is_true() { get(&item, &property)? } else { item.clone() };
        if is_strictly_equal(&value, &compared) {
            found.push(item);
        }
    }
    if found.is_empty() { call.otherwise(call.this.clone()) } else { render_each(call, found) }
}

fn first(call: &Invocation<'_>) -> Outcome {
    let (list, count) = (call.arg(0), call.arg(1));
    if is_undefined(&list) {
        return Ok(Value::from(""));
    }
    if is_number(&count) { slice(&list, &Value::Number(0.0), Some(count.to_number())) } else { Ok(list.get("0")) }
}

/// Writes its counts into the items themselves, for good.
pub(super) fn for_each(call: &Invocation<'_>) -> Outcome {
    let list = call.arg(0);
    let length = length(&list)?;
    if length > 0 || !call.arg(1).is_object() {
        expect_options(call, 1)?;
    }
    let data = frame_of_call(call);
    let mut out = String::new();
    for at in 0..length {
        let item = list.get(&at.to_string());
        let set: &dyn Fn(&str, Value) = match &item {
            Value::Object(object) => &|key, value| object.set(key, value),
            Value::List(list) => &|key, value| list.set(key, value),
            other => return call.fails(&format!("takes a list of objects; in this one is {}", described(other))),
        };
        data.vars.set("index", Value::Number(number::of_count(at)));
        set("index", Value::Number(number::of_count(at + 1)));
        set("total", Value::Number(number::of_count(length)));
        set("isFirst", Value::Bool(at == 0));
        set("isLast", Value::Bool(at + 1 == length));
        out.push_str(&call.then_with(&call.options, item.clone(), Some(data.clone()), None)?.to_text());
    }
    Ok(Value::from(out))
}

fn in_array(call: &Invocation<'_>) -> Outcome {
    let (list, value) = (call.arg(0), call.arg(1));
    let found = (0..length(&list)?).any(|at| is_strictly_equal(&list.get(&at.to_string()), &value));
    super::rules::choose(call, found, &call.arg(2))
}

fn is_array(call: &Invocation<'_>) -> Outcome {
    Ok(Value::Bool(matches!(call.arg(0), Value::List(_))))
}

fn item_at(call: &Invocation<'_>) -> Outcome {
    let (Value::List(list), at) = (call.arg(0), call.arg(1)) else { return Ok(Value::Undefined) };
    let at = if is_number(&at) { at.to_number() } else { 0.0 };
    let at = if at < 0.0 { at + number::of_count(list.len()) } else { at };
    Ok(Value::List(list).get(&number::print(at)))
}

fn join(call: &Invocation<'_>) -> Outcome {
    let (list, separator) = (call.arg(0), call.arg(1));
    let Value::List(items) = &list else {
        return Ok(if matches!(list, Value::Text(_)) { list } else { Value::from("") });
    };
    let separator = super::rules::full_text(&separator).map_or(", ", |text| text);
    super::string::check_size(call, items.len().saturating_mul(separator.len()))?;
    Ok(Value::from(items.join(separator)))
}

fn equals_length(call: &Invocation<'_>) -> Outcome {
    let (value, mut wanted) = (call.arg(0), call.arg(1));
    let mut options = call.arg(2);
    if super::rules::is_options(&wanted) {
        options = wanted;
        wanted = Value::Number(0.0);
    }
    let length = match &value {
        Value::Text(_) | Value::List(_) => value.get("length"),
        _ => Value::Number(0.0),
    };
    super::rules::choose(call, is_strictly_equal(&length, &wanted), &options)
}

fn last(call: &Invocation<'_>) -> Outcome {
    let (value, count) = (call.arg(0), call.arg(1));
    if !matches!(value, Value::Text(_) | Value::List(_)) {
        return Ok(Value::from(""));
    }
    if is_number(&count) {
        return slice(&value, &Value::Number(-count.to_number().abs()), None);
    }
    let last = length(&value)?.checked_sub(1);
    Ok(last.map_or(Value::Undefined, |last| value.get(&last.to_string())))
}

fn length_of(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    Ok(match &value {
        Value::Object(object) if !super::rules::is_options(&value) => {
            Value::Number(number::of_count(object.keys().len()))
        }
        Value::Text(_) | Value::List(_) => value.get("length"),
        _ => Value::Number(0.0),
    })
}

/// JSON has no functions to map with, so the list stays as it is.
fn map(call: &Invocation<'_>) -> Outcome {
    let list = call.arg(0);
    Ok(if matches!(list, Value::List(_)) { list } else { Value::from("") })
}

fn pluck(call: &Invocation<'_>) -> Outcome {
    let (list, property) = (call.arg(0), call.arg(1));
    if is_undefined(&list) {
        return Ok(Value::from(""));
    }
    let mut out = vec![];
    for at in 0..length(&list)? {
        out.push(get(&list.get(&at.to_string()), &property)?);
    }
    out.retain(|value| !matches!(value, Value::Undefined));
    Ok(Value::list(out))
}

fn some(call: &Invocation<'_>) -> Outcome {
    match call.arg(0) {
        Value::List(list) if list.len() > 0 => call.fails("takes a function, which a payload cannot hold"),
        _ => {
            expect_options(call, 2)?;
            call.otherwise(call.this.clone())
        }
    }
}

/// Sorts the list in its place.
fn sort_in_place(list: &List, order: &dyn Fn(&Value, &Value) -> Ordering) {
    list.replace(sort(list.items(), order));
}

fn reverse_in_place(list: &List) {
    let mut items = list.items();
    items.reverse();
    list.replace(items);
}

fn sort_list(call: &Invocation<'_>) -> Outcome {
    let Value::List(list) = call.arg(0) else { return Ok(Value::from("")) };
    sort_in_place(&list, &default_order);
    // Whatever stands in the place of the options reverses, too.
    if get(&call.arg(1), &Value::from("hash.reverse"))?.is_true() {
        reverse_in_place(&list);
    }
    Ok(Value::List(list))
}

fn sort_by(call: &Invocation<'_>) -> Outcome {
    let Value::List(list) = call.arg(0) else { return Ok(Value::from("")) };
    if super::rules::full_text(&call.arg(1)).is_none() {
        sort_in_place(&list, &default_order);
        return Ok(Value::List(list));
    }
    let mut properties: Vec<Value> = call
        .args
        .iter()
        .skip(1)
        .flat_map(|property| match property {
            Value::List(list) => list.items(),
            other => vec![other.clone()],
        })
        .collect();
    let options = properties.pop_if(|last| last.is_object());
    for property in &properties {
        check_order(call, &list, property, |value| !value.is_nullish())?;
    }
    let reverse = options.is_some_and(|options| matches!(options.get("reverse"), Value::Bool(true)));
    let problem = std::cell::RefCell::new(None);
    let order = |a: &Value, b: &Value| {
        let order = by_properties(&properties, a, b).unwrap_or_else(|found| {
            problem.replace(Some(found));
            Ordering::Equal
        });
        if reverse { order.reverse() } else { order }
    };
    sort_in_place(&list, &order);
    problem.take().map_or(Ok(Value::List(list)), Err)
}

/// Up to this length a list is sorted step by step as V8 sorts it, also by an order that contradicts itself.
const SAME_STEPS: usize = 32;

/// Refuses a longer list whose values have no one order: numbers and texts are compared in two ways.
fn check_order(
    call: &Invocation<'_>,
    list: &List,
    property: &Value,
    counts: fn(&Value) -> bool,
) -> Result<(), Problem> {
    if list.len() <= SAME_STEPS {
        return Ok(());
    }
    let key = |item: &Value| if item.type_name() == "object" { get(item, property) } else { Ok(item.clone()) };
    let keys: Vec<Value> = list.items().iter().map(key).collect::<Result<_, _>>()?;
    let is_number = |value: &Value| match value {
        Value::Number(number) => !number.is_nan(),
        value => matches!(value, Value::Bool(_) | Value::Null),
    };
    let is_text = |value: &Value| matches!(value, Value::Text(_) | Value::List(_) | Value::Object(_));
    let counted = || keys.iter().filter(|value| counts(value));
    if counted().all(is_number) || counted().all(is_text) {
        return Ok(());
    }
    call.fails(&format!("more than {SAME_STEPS} items whose values are of several kinds have no one order"))
}

fn by_properties(properties: &[Value], a: &Value, b: &Value) -> Result<Ordering, Problem> {
    for property in properties {
        let both = a.type_name() == "object" && b.type_name() == "object";
        let order = if property.is_true() && both {
            present_first(&get(a, property)?, &get(b, property)?)
        } else {
            present_first(a, b)
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(Ordering::Equal)
}

/// The library `default-compare`: null and undefined come last.
fn present_first(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) | (Value::Undefined, Value::Undefined) => Ordering::Equal,
        (Value::Null, Value::Undefined) => Ordering::Less,
        (Value::Null | Value::Undefined, _) => Ordering::Greater,
        (_, Value::Null | Value::Undefined) => Ordering::Less,
        _ => relation(a, b).unwrap_or(Ordering::Equal),
    }
}

fn with_after(call: &Invocation<'_>) -> Outcome {
    let Value::List(list) = call.arg(0) else { return Ok(Value::from("")) };
    let from = call.arg(1).to_number();
    let items = cut(&list, from, f64::INFINITY);
    if !items.is_empty() {
        expect_options(call, 2)?;
    }
    render_each(call, items)
}

fn with_before(call: &Invocation<'_>) -> Outcome {
    let Value::List(list) = call.arg(0) else { return Ok(Value::from("")) };
    let items = cut(&list, 0.0, -call.arg(1).to_number());
    if !items.is_empty() {
        expect_options(call, 2)?;
    }
    render_each(call, items)
}

/// The items that `withFirst` and `withLast` show by a number; by none they fail in JavaScript, too.
fn with_some(call: &Invocation<'_>, of: impl Fn(&Value, f64) -> Outcome) -> Outcome {
    let (list, count) = (call.arg(0), call.arg(1));
    if is_undefined(&list) {
        return Ok(Value::from(""));
    }
    if is_undefined(&count) {
        return Ok(Value::Undefined);
    }
    let count = number::parse_float(&count.to_text());
    let chosen = of(&list, count)?;
    let items: Vec<_> = (0..length(&chosen)?).map(|at| chosen.get(&at.to_string())).collect();
    if !items.is_empty() {
        expect_options(call, 2)?;
    }
    render_each(call, items)
}

fn with_first(call: &Invocation<'_>) -> Outcome {
    if let Some(out) = with_one(call, |list| list.get("0"))? {
        return Ok(out);
    }
    with_some(call, |list, count| slice(list, &Value::Number(0.0), Some(count)))
}

fn with_last(call: &Invocation<'_>) -> Outcome {
    let last = |list: &Value| {
        let length = list.get("length").to_number();
        list.get(&number::print(length - 1.0))
    };
    if let Some(out) = with_one(call, last)? {
        return Ok(out);
    }
    with_some(call, |list, count| slice(list, &Value::Number(-count), None))
}

/// Without a number the block is for one item.
fn with_one(call: &Invocation<'_>, item: impl Fn(&Value) -> Value) -> Result<Option<Value>, Problem> {
    let list = call.arg(0);
    if is_undefined(&list) || call.args.len() != 1 {
        let lacks_options = !is_undefined(&list) && is_undefined(&call.arg(1));
        return if lacks_options { throw("a missing number has no block") } else { Ok(None) };
    }
    call.then(item(&list)).map(Some)
}

fn with_group(call: &Invocation<'_>) -> Outcome {
    let Value::List(list) = call.arg(0) else { return Ok(Value::from("")) };
    let size = call.arg(1).to_number();
    let mut groups: Vec<Vec<Value>> = vec![];
    for (at, item) in list.items().into_iter().enumerate() {
        if at == 0 || number::of_count(at) % size == 0.0 {
            groups.push(vec![]);
        }
        if let Some(group) = groups.last_mut() {
            group.push(item);
        }
    }
    if !groups.is_empty() {
        expect_options(call, 2)?;
    }
    render_each(call, groups.into_iter().map(Value::list))
}

fn with_sort(call: &Invocation<'_>) -> Outcome {
    let (value, property) = (call.arg(0), call.arg(1));
    if is_undefined(&value) {
        return Ok(Value::from(""));
    }
    let list = expect_list(call, &value)?;
    if is_undefined(&property) {
        expect_options(call, 1)?;
        sort_in_place(list, &default_order);
    } else {
        expect_options(call, 2)?;
        check_order(call, list, &property, |_| true)?;
        let key = |item: &Value| get(item, &property).unwrap_or_default();
        sort_in_place(list, &|a, b| relation(&key(a), &key(b)).unwrap_or(Ordering::Equal));
    }
    if call.hash("reverse").is_true() {
        reverse_in_place(list);
    }
    render_each(call, list.items())
}

fn unique(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    if is_undefined(&value) {
        return Ok(Value::from(""));
    }
    let list = expect_list(call, &value)?;
    let mut out: Vec<Value> = vec![];
    for item in list.items() {
        // NaN equals nothing, not even itself.
        let is_nan = matches!(item, Value::Number(number) if number.is_nan());
        if !is_nan && !out.iter().any(|known| compare::is_strictly_equal(known, &item)) {
            out.push(item);
        }
    }
    Ok(Value::list(out))
}

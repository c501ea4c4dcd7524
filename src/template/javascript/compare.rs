//! `===`, `==`, `<`, and the order of `sort`.

use std::cmp::Ordering;

use super::{Value, text};

/// `a === b`
#[expect(clippy::float_cmp, reason = "JavaScript compares exactly")]
pub(crate) fn is_strictly_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Undefined, Value::Undefined) | (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => a.is_same(b),
    }
}

fn is_reference(value: &Value) -> bool {
    value.type_name() == "object" && !matches!(value, Value::Null)
}

/// `a == b`
#[expect(clippy::float_cmp, reason = "JavaScript compares exactly")]
pub(crate) fn is_loosely_equal(a: &Value, b: &Value) -> bool {
    if a.is_nullish() || b.is_nullish() {
        return a.is_nullish() && b.is_nullish();
    }
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a == b,
        _ if is_reference(a) && is_reference(b) => a.is_same(b),
        _ if is_reference(a) => is_loosely_equal(&Value::Text(a.to_text()), b),
        _ if is_reference(b) => is_loosely_equal(a, &Value::Text(b.to_text())),
        _ => a.to_number() == b.to_number(),
    }
}

/// How `a` stands to `b` for `<` and its kin; `None` when nothing holds, as with `NaN`.
pub(crate) fn relation(a: &Value, b: &Value) -> Option<Ordering> {
    let primitive = |value: &Value| if is_reference(value) { Value::Text(value.to_text()) } else { value.clone() };
    match (primitive(a), primitive(b)) {
        (Value::Text(a), Value::Text(b)) => Some(text::order(&a, &b)),
        (a, b) => a.to_number().partial_cmp(&b.to_number()),
    }
}

/// `a + b`
pub(crate) fn sum(a: &Value, b: &Value) -> Value {
    let joins = |value: &Value| matches!(value, Value::Text(_)) || is_reference(value);
    if joins(a) || joins(b) {
        return Value::from(format!("{}{}", a.to_text(), b.to_text()));
    }
    Value::Number(a.to_number() + b.to_number())
}

/// The order of `list.sort()`: by the printed text, `undefined` last.
pub(crate) fn default_order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Undefined, Value::Undefined) => Ordering::Equal,
        (Value::Undefined, _) => Ordering::Greater,
        (_, Value::Undefined) => Ordering::Less,
        _ => text::order(&a.to_text(), &b.to_text()),
    }
}

/// Sorts as V8 does for lists up to its short run, by binary insertion, and by merging beyond: stable, and safe
/// with an order that contradicts itself. `undefined` goes last unasked.
pub(crate) fn sort(items: Vec<Value>, order: &dyn Fn(&Value, &Value) -> Ordering) -> Vec<Value> {
    let (missing, present): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| matches!(item, Value::Undefined));
    let mut sorted = tim_sort(present, order);
    sorted.extend(missing);
    sorted
}

/// V8 cuts longer lists into runs of 32 to 64 that it merges; where the order is one, so does this give the same.
const SHORT: usize = 32;

fn tim_sort(items: Vec<Value>, order: &dyn Fn(&Value, &Value) -> Ordering) -> Vec<Value> {
    if items.len() < 2 {
        return items;
    }
    if items.len() <= SHORT {
        return insertion_sort(items, order);
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    merge(tim_sort(left, order), tim_sort(right, order), order)
}

/// Keeps the run that is in order at the start (reversed if it falls), and puts each further item into its place.
fn insertion_sort(mut items: Vec<Value>, order: &dyn Fn(&Value, &Value) -> Ordering) -> Vec<Value> {
    let run = run_length(&mut items, order);
    let rest = items.split_off(run);
    for item in rest {
        let (mut low, mut high) = (0, items.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let before = items.get(middle).is_some_and(|other| order(&item, other) == Ordering::Less);
            if before { high = middle } else { low = middle + 1 }
        }
        items.insert(low, item);
    }
    items
}

fn run_length(items: &mut [Value], order: &dyn Fn(&Value, &Value) -> Ordering) -> usize {
    let falls = |pair: &[Value]| matches!(pair, [a, b] if order(b, a) == Ordering::Less);
    let mut pairs = items.windows(2);
    let Some(first) = pairs.next() else { return items.len() };
    let falling = falls(first);
    let length = 2 + pairs.take_while(|pair| falls(pair) == falling).count();
    if falling && let Some(run) = items.get_mut(..length) {
        run.reverse();
    }
    length
}

fn merge(left: Vec<Value>, right: Vec<Value>, order: &dyn Fn(&Value, &Value) -> Ordering) -> Vec<Value> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let take_right = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => order(b, a) == Ordering::Less,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return out,
        };
        out.extend(if take_right { right.next() } else { left.next() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_that_of_javascript() {
        let (one, text) = (Value::Number(1.0), Value::from("1"));
        assert!(is_loosely_equal(&one, &text) && !is_strictly_equal(&one, &text));
        assert!(
            is_loosely_equal(&Value::Null, &Value::Undefined) && !is_loosely_equal(&Value::Null, &Value::Number(0.0))
        );
        assert!(is_loosely_equal(&Value::list(vec![one.clone()]), &text));
        assert!(!is_strictly_equal(&Value::Number(f64::NAN), &Value::Number(f64::NAN)));
        assert_eq!(relation(&Value::from("10"), &Value::from("9")), Some(Ordering::Less));
        assert_eq!(relation(&Value::from("10"), &Value::Number(9.0)), Some(Ordering::Greater));
        assert_eq!(relation(&Value::Undefined, &one), None);
    }

    #[test]
    fn an_order_that_contradicts_itself_sorts_without_harm() {
        let items: Vec<_> = (0..500).map(|n| Value::Number(f64::from(n % 7))).collect();

        let sorted = sort(items, &|_, _| Ordering::Less);

        assert_eq!(sorted.len(), 500);
    }
}

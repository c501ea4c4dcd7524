//! Comparisons and conditions, with JavaScript's rules.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Arguments, Outcome, blocks::is_true};

#[expect(clippy::unnecessary_wraps, reason = "all helpers have one signature")]
fn answer(yes: bool) -> Outcome {
    Ok(Some(Value::Bool(yes)))
}

/// JavaScript's `===`. Lists and objects are equal only to themselves there, which cannot be told here.
fn same(a: Option<&Value>, b: Option<&Value>) -> Result<bool, String> {
    match (a, b) {
        (Some(Value::Array(_) | Value::Object(_)), Some(Value::Array(_) | Value::Object(_))) => {
            Err("cannot compare two lists or objects".to_owned())
        }
        (Some(Value::Number(a)), Some(Value::Number(b))) => Ok(a == b || a.as_f64() == b.as_f64()),
        (a, b) => Ok(a == b),
    }
}

/// `eq a b`: `===`
pub(super) fn eq(arguments: &Arguments<'_>) -> Outcome {
    answer(same(arguments.get(0), arguments.get(1))?)
}

/// `is a b`: `==`
pub(super) fn is(arguments: &Arguments<'_>) -> Outcome {
    answer(alike(arguments.get(0), arguments.get(1))?)
}

pub(super) fn isnt(arguments: &Arguments<'_>) -> Outcome {
    answer(!alike(arguments.get(0), arguments.get(1))?)
}

fn alike(a: Option<&Value>, b: Option<&Value>) -> Result<bool, String> {
    let nothing = |value: Option<&Value>| value.is_none_or(Value::is_null);
    match (a, b) {
        _ if nothing(a) || nothing(b) => Ok(nothing(a) && nothing(b)),
        (Some(Value::String(_)), Some(Value::String(_))) | (Some(Value::Bool(_)), Some(Value::Bool(_))) => same(a, b),
        _ => Ok(number(a)?.partial_cmp(&number(b)?) == Some(Ordering::Equal)),
    }
}

/// `Number(value)`
fn number(value: Option<&Value>) -> Result<f64, String> {
    match value {
        None => Ok(f64::NAN),
        Some(Value::Null) => Ok(0.0),
        Some(Value::Bool(yes)) => Ok(f64::from(u8::from(*yes))),
        Some(Value::Number(number)) => Ok(number.as_f64().unwrap_or(f64::NAN)),
        Some(Value::String(text)) => Ok(parsed(text.trim())),
        Some(Value::Array(_) | Value::Object(_)) => Err("cannot compare a list or an object".to_owned()),
    }
}

fn parsed(text: &str) -> f64 {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text {
        "" => 0.0,
        _ if plain => text.parse().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

/// How two values stand to each other in `<` and `>`: texts by UTF-16 units, all else as numbers.
fn order(arguments: &Arguments<'_>) -> Result<Option<Ordering>, String> {
    if let (Some(a), Some(b)) = (arguments.text(0), arguments.text(1)) {
        return Ok(Some(a.encode_utf16().cmp(b.encode_utf16())));
    }
    Ok(number(arguments.get(0))?.partial_cmp(&number(arguments.get(1))?))
}

pub(super) fn gt(arguments: &Arguments<'_>) -> Outcome {
    answer(order(arguments)? == Some(Ordering::Greater))
}

pub(super) fn gte(arguments: &Arguments<'_>) -> Outcome {
    answer(matches!(order(arguments)?, Some(Ordering::Greater | Ordering::Equal)))
}

pub(super) fn lt(arguments: &Arguments<'_>) -> Outcome {
    answer(order(arguments)? == Some(Ordering::Less))
}

pub(super) fn lte(arguments: &Arguments<'_>) -> Outcome {
    answer(matches!(order(arguments)?, Some(Ordering::Less | Ordering::Equal)))
}

/// `and a b …`: an empty list counts as true here, unlike in `{{#if}}`.
pub(super) fn and(arguments: &Arguments<'_>) -> Outcome {
    answer(arguments.values.iter().all(|value| is_true(*value)))
}

pub(super) fn or(arguments: &Arguments<'_>) -> Outcome {
    answer(arguments.values.iter().any(|value| is_true(*value)))
}

pub(super) fn not(arguments: &Arguments<'_>) -> Outcome {
    answer(!is_true(arguments.get(0)))
}

/// `contains list value` or `contains text part`
pub(super) fn contains(arguments: &Arguments<'_>) -> Outcome {
    let Some(wanted) = arguments.get(1).filter(|value| !value.is_null()) else { return answer(false) };
    match arguments.get(0) {
        Some(Value::String(text)) => answer(text.contains(&super::json::text(wanted)?)),
        Some(Value::Array(items)) => {
            for item in items {
                if same(Some(item), Some(wanted))? {
                    return answer(true);
                }
            }
            answer(false)
        }
        _ => answer(false),
    }
}

/// `default a b …`: the first that is there.
#[expect(clippy::unnecessary_wraps, reason = "all helpers have one signature")]
pub(super) fn default(arguments: &Arguments<'_>) -> Outcome {
    let found = arguments.values.iter().flatten().find(|value| !value.is_null());
    Ok(Some(found.map_or_else(|| Value::from(""), |value| (*value).clone())))
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use serde_json::json;

    #[test]
    fn comparisons_follow_javascript() {
        for (name, a, b, result) in [
            ("eq", json!(1), json!(1.0), true),
            ("eq", json!(1), json!("1"), false),
            ("is", json!(1), json!("1"), true),
            ("is", json!(0), json!(null), false),
            ("is", json!(true), json!("x"), false),
            ("isnt", json!("a"), json!("b"), true),
            ("gt", json!("10"), json!("9"), false),
            ("gt", json!("10"), json!(9), true),
            ("gte", json!(null), json!(0), true),
            ("lt", json!("x"), json!(1), false),
            ("lte", json!(2), json!(2), true),
            ("contains", json!("high urgency"), json!("urg"), true),
            ("contains", json!([1, "2"]), json!(2), false),
            ("and", json!([]), json!({}), true),
            ("or", json!(0), json!(""), false),
        ] {
            assert_eq!(run(name, &[a.clone(), b.clone()]), Ok(Some(json!(result))), "{name} {a} {b}");
        }
        assert!(run("eq", &[json!([]), json!([])]).is_err());
    }

    #[test]
    fn the_first_value_that_is_there_is_taken() {
        assert_eq!(run("default", &[json!(null), json!(""), json!("x")]), Ok(Some(json!(""))));
        assert_eq!(run("default", &[json!(null)]), Ok(Some(json!(""))));
    }
}

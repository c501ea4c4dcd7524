//! Lists and fields.

use serde_json::Value;

use super::{Arguments, Outcome, json};

/// `lookup data key`
pub(super) fn lookup(arguments: &Arguments<'_>) -> Outcome {
    let key = match arguments.get(1) {
        None => "undefined".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(key) => json::text(key)?,
    };
    Ok(match arguments.get(0) {
        Some(Value::Object(fields)) => fields.get(&key).cloned(),
        Some(Value::Array(items)) if key == "length" => Some(Value::from(items.len())),
        Some(Value::Array(items)) => position(&key).and_then(|at| items.get(at)).cloned(),
        Some(Value::String(_)) => return Err("not supported yet: a part of a text".to_owned()),
        _ => None,
    })
}

fn position(key: &str) -> Option<usize> {
    key.parse::<usize>().ok().filter(|at| at.to_string() == key)
}

/// `join list separator`
pub(super) fn join(arguments: &Arguments<'_>) -> Outcome {
    let items = match arguments.get(0) {
        Some(text @ Value::String(_)) => return Ok(Some(text.clone())),
        Some(Value::Array(items)) => items,
        _ => return Ok(Some(Value::from(""))),
    };
    let separator = arguments.text(1).filter(|text| !text.is_empty()).unwrap_or(", ");
    let texts: Result<Vec<_>, _> = items.iter().map(json::text).collect();
    Ok(Some(Value::from(texts?.join(separator))))
}

/// `length value`: items, fields, or a text's UTF-16 units.
#[expect(clippy::unnecessary_wraps, reason = "all helpers have one signature")]
pub(super) fn length(arguments: &Arguments<'_>) -> Outcome {
    let length = match arguments.get(0) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(fields)) => fields.len(),
        Some(Value::String(text)) => text.encode_utf16().count(),
        _ => 0,
    };
    Ok(Some(Value::from(length)))
}

/// `first list n`
pub(super) fn first(arguments: &Arguments<'_>) -> Outcome {
    let items = match arguments.get(0) {
        None => return Ok(Some(Value::from(""))),
        Some(Value::Array(items)) => items,
        Some(_) => return Err("takes a list".to_owned()),
    };
    Ok(match how_many(arguments)? {
        None => items.first().cloned(),
        Some(count) => Some(items.iter().take(count).cloned().collect()),
    })
}

/// `last list n`
pub(super) fn last(arguments: &Arguments<'_>) -> Outcome {
    let items = match arguments.get(0) {
        Some(Value::Array(items)) => items,
        Some(Value::String(_)) => return Err("takes a list".to_owned()),
        _ => return Ok(Some(Value::from(""))),
    };
    Ok(match how_many(arguments)? {
        None => items.last().cloned(),
        Some(0) => Some(Value::Array(items.clone())),
        Some(count) => Some(items.iter().skip(items.len().saturating_sub(count)).cloned().collect()),
    })
}

/// The second argument; only whole numbers, the others do odd things in JavaScript.
fn how_many(arguments: &Arguments<'_>) -> Result<Option<usize>, String> {
    match arguments.get(1) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
            count.map(Some).ok_or_else(|| "takes a whole number as its second value".to_owned())
        }
    }
}

/// `itemAt list position`: from the end when negative.
pub(super) fn item_at(arguments: &Arguments<'_>) -> Outcome {
    let Some(Value::Array(items)) = arguments.get(0) else { return Ok(Some(Value::from(""))) };
    let at = match arguments.get(1) {
        Some(value) => value.as_i64().ok_or("takes a whole number as its second value")?,
        None => 0,
    };
    let at = if at < 0 {
        usize::try_from(at.unsigned_abs()).ok().and_then(|n| items.len().checked_sub(n))
    } else {
        usize::try_from(at).ok()
    };
    Ok(at.and_then(|at| items.get(at)).cloned())
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use serde_json::json;

    #[test]
    fn items_and_fields_are_found() {
        for (name, values, result) in [
            ("lookup", vec![json!({"a": 1}), json!("a")], json!(1)),
            ("lookup", vec![json!([5, 6]), json!(1)], json!(6)),
            ("join", vec![json!(["a", 1, null])], json!("a, 1, ")),
            ("join", vec![json!(["a", "b"]), json!("")], json!("a, b")),
            ("join", vec![json!(["a", "b"]), json!("; ")], json!("a; b")),
            ("join", vec![json!("text")], json!("text")),
            ("length", vec![json!("a😀")], json!(3)),
            ("length", vec![json!({"a": 1})], json!(1)),
            ("length", vec![json!(5)], json!(0)),
            ("first", vec![json!([1, 2, 3])], json!(1)),
            ("first", vec![json!([1, 2, 3]), json!(2)], json!([1, 2])),
            ("last", vec![json!([1, 2, 3]), json!(2)], json!([2, 3])),
            ("itemAt", vec![json!([1, 2, 3]), json!(-1)], json!(3)),
        ] {
            assert_eq!(run(name, &values), Ok(Some(result)), "{name} {values:?}");
        }
        assert_eq!(run("lookup", &[json!({"a": 1}), json!("b")]), Ok(None));
        assert!(run("join", &[json!([{"a": 1}])]).is_err());
    }
}

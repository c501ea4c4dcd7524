//! Values as JavaScript shows them.

use serde_json::{Map, Number, Value, ser::PrettyFormatter};

use super::{Arguments, Outcome};

/// A whole number beyond this is not exact in JavaScript.
const SAFE: f64 = 9_007_199_254_740_992.0;
/// `JSON.stringify` indents by at most so many spaces.
const WIDEST_INDENT: usize = 10;

/// What JavaScript prints for `value`. An object has no useful text: that is an error.
pub(super) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Number(number) => Ok(number_text(number)),
        Value::String(text) => Ok(text.clone()),
        Value::Array(items) => Ok(items.iter().map(text).collect::<Result<Vec<_>, _>>()?.join(",")),
        Value::Object(_) => Err("is or holds an object, which would print as [object Object]".to_owned()),
    }
}

/// A number as JavaScript writes it: no exponent from 1e-6 up to 1e21.
pub(super) fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

/// The data as JavaScript holds it: keys that look like list positions first, 1.0 as 1.
pub(in crate::template) fn as_javascript(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(as_javascript).collect()),
        Value::Object(fields) => Value::Object(ordered(fields)),
        Value::Number(number) if number.is_f64() => whole(number).map_or_else(|| value.clone(), Value::from),
        other => other.clone(),
    }
}

fn whole(number: &Number) -> Option<i64> {
    let value = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() < SAFE)?;
    format!("{value:.0}").trim_start_matches("-0").parse().ok().or(Some(0))
}

fn ordered(fields: &Map<String, Value>) -> Map<String, Value> {
    let position = |key: &str| key.parse::<u32>().ok().filter(|n| n.to_string() == key && *n < u32::MAX);
    let mut first: Vec<(u32, &String)> = fields.keys().filter_map(|key| Some((position(key)?, key))).collect();
    first.sort_unstable();
    let rest = fields.keys().filter(|key| position(key).is_none());
    let keys = first.into_iter().map(|(_, key)| key).chain(rest);
    keys.filter_map(|key| Some((key.clone(), as_javascript(fields.get(key)?)))).collect()
}

/// `JSONstringify value indent`
pub(super) fn stringify(arguments: &Arguments<'_>) -> Outcome {
    let Some(value) = arguments.get(0) else { return Ok(None) };
    let indent = indent(arguments.get(1));
    let text = if indent.is_empty() {
        serde_json::to_string(value)
    } else {
        let mut out = vec![];
        let mut to = serde_json::Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(indent.as_bytes()));
        serde::Serialize::serialize(value, &mut to).map(|()| String::from_utf8_lossy(&out).into_owned())
    };
    text.map(|text| Some(Value::String(text))).map_err(|cause| cause.to_string())
}

fn indent(value: Option<&Value>) -> String {
    let number = match value {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    let spaces = (0..=WIDEST_INDENT).rev().find(|spaces| number.is_some_and(|n| n >= count(*spaces)));
    " ".repeat(spaces.unwrap_or(0))
}

/// A small count as JavaScript's only kind of number.
pub(super) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_javascript_prints_them() {
        for (value, printed) in [
            (json!(null), ""),
            (json!(true), "true"),
            (json!(1.5), "1.5"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(1.5e-7), "1.5e-7"),
            (json!(-0.0), "0"),
            (json!([1, [2, null], "x"]), "1,2,,x"),
        ] {
            assert_eq!(text(&value).as_deref(), Ok(printed), "{value}");
        }
        assert!(text(&json!({"a": 1})).is_err());
        assert!(text(&json!([{}])).is_err());
    }

    #[test]
    fn data_is_held_as_javascript_holds_it() {
        let data = as_javascript(&json!({"b": 1.0, "10": 2, "2": -3.0, "a": {"01": 0.5}}));

        assert_eq!(data.to_string(), r#"{"2":-3,"10":2,"b":1,"a":{"01":0.5}}"#);
    }

    #[test]
    fn json_is_written_flat_or_indented() {
        let value = json!({"a": [1, "\n\"é"], "b": {}});
        let written = |indent: Value| super::super::run("JSONstringify", &[value.clone(), indent]);

        assert_eq!(written(json!(null)), Ok(Some(json!(r#"{"a":[1,"\n\"é"],"b":{}}"#))));
        assert_eq!(written(json!(1)), Ok(Some(json!("{\n \"a\": [\n  1,\n  \"\\n\\\"é\"\n ],\n \"b\": {}\n}"))));
        assert_eq!(indent(Some(&json!(99))), " ".repeat(10));
        assert_eq!(indent(Some(&json!("2"))), "  ");
        assert_eq!(indent(Some(&json!(-1))), "");
    }
}

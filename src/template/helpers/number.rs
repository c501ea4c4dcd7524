//! Numbers as text.

use super::{
    Table,
    rules::{is_number, is_undefined},
};
use crate::template::{
    javascript::{Outcome, Value, number, text},
    machine::Invocation,
};

pub(super) const HELPERS: Table = &[
    ("bytes", bytes),
    ("addCommas", add_commas),
    ("phoneNumber", phone_number),
    ("toAbbr", to_abbr),
    ("toExponential", to_exponential),
    ("toFixed", to_fixed),
    ("toFloat", |call| Ok(Value::Number(number::parse_float(&call.arg(0).to_text())))),
    ("toInt", |call| Ok(Value::Number(number::parse_int(&call.arg(0).to_text())))),
    ("toPrecision", to_precision),
];

/// `Math.pow(10, power)`
fn power_of_ten(power: f64) -> f64 {
    let whole = power.fract() == 0.0 && power.abs() < 400.0;
    // The nearest double, which `powf` may miss.
    if whole { format!("1e{power}").parse().unwrap_or(f64::NAN) } else { 10f64.powf(power) }
}

fn rounded(number: f64, precision: f64, size: f64) -> f64 {
    number::round(number * precision / size) / precision
}

pub(super) fn bytes(call: &Invocation<'_>) -> Outcome {
    const UNITS: [&str; 8] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB"];
    let mut value = call.arg(0);
    if value.is_nullish() {
        return Ok(Value::from("0 B"));
    }
    if !is_number(&value) {
        value = value.get("length");
        if !value.is_true() {
            return Ok(Value::from("0 B"));
        }
    }
    let precision = Some(call.arg(1)).filter(is_number).map_or(2.0, |precision| precision.to_number());
    let precision = power_of_ten(precision);
    let number = value.to_number();
    for (at, unit) in UNITS.iter().enumerate().rev() {
        let size = power_of_ten(number::of_count(at) * 3.0);
        if size <= number + 1.0 {
            return Ok(Value::from(format!("{} {unit}", number::print(rounded(number, precision, size)))));
        }
    }
    // One step too far: between -1 and 0 there is a unit that has no name.
    if 0.001 <= number + 1.0 {
        return Ok(Value::from(format!("{} undefined", number::print(rounded(number, precision, 0.001)))));
    }
    Ok(Value::Number(number))
}

/// A comma wherever a multiple of three digits follows, also behind the point.
fn add_commas(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    if value.is_nullish() {
        return call.fails("takes a number, this value is missing");
    }
    let text = value.to_text();
    let mut out = String::new();
    for (at, c) in text.char_indices() {
        out.push(c);
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if c.is_ascii_digit() && digits > 0 && digits % 3 == 0 {
            out.push(',');
        }
    }
    Ok(Value::from(out))
}

fn phone_number(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    if value.is_nullish() {
        return call.fails("takes a number, this value is missing");
    }
    let text = value.to_text();
    let part = |from: f64, to: f64| text::slice(&text, from, to);
    Ok(Value::from(format!("({}) {}-{}", part(0.0, 3.0), part(3.0, 6.0), part(6.0, 10.0))))
}

fn to_abbr(call: &Invocation<'_>) -> Outcome {
    let (value, precision) = (call.arg(0), call.arg(1));
    let number = if is_number(&value) { value.to_number() } else { 0.0 };
    let precision = power_of_ten(if is_undefined(&precision) { 2.0 } else { precision.to_number() });
    for (at, unit) in ["k", "m", "b", "t", "q"].iter().enumerate().rev() {
        let size = power_of_ten(number::of_count(at + 1) * 3.0);
        if size <= number + 1.0 {
            return Ok(Value::from(format!("{}{unit}", number::print(rounded(number, precision, size)))));
        }
    }
    Ok(Value::Number(number))
}

fn number_or_zero(value: &Value) -> f64 {
    if is_number(value) { value.to_number() } else { 0.0 }
}

fn to_exponential(call: &Invocation<'_>) -> Outcome {
    let digits = Some(call.arg(1)).filter(|digits| !is_undefined(digits)).map_or(0.0, |digits| digits.to_number());
    number::to_exponential(number_or_zero(&call.arg(0)), digits).map(Value::from)
}

fn to_fixed(call: &Invocation<'_>) -> Outcome {
    let digits = number_or_zero(&call.arg(1));
    number::to_fixed(number_or_zero(&call.arg(0)), digits).map(Value::from)
}

fn to_precision(call: &Invocation<'_>) -> Outcome {
    let digits = Some(call.arg(1)).filter(is_number).map_or(1.0, |digits| digits.to_number());
    number::to_precision(number_or_zero(&call.arg(0)), digits).map(Value::from)
}

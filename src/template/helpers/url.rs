//! Addresses.

use std::fmt::Write as _;

use super::{
    Table,
    rules::{described, full_text},
};
use crate::template::{
    javascript::{Outcome, Problem, Value},
    machine::Invocation,
};
use legacy::{Address, Slashes};

mod legacy;

pub(super) const HELPERS: Table = &[
    ("encodeURI", encode),
    ("escape", encode),
    ("decodeURI", decode),
    ("url_encode", encode),
    ("url_decode", decode),
    ("urlResolve", resolve),
    ("urlParse", parse),
    ("stripQuerystring", strip_query),
    ("stripProtocol", strip_protocol),
];

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte)
}

/// `encodeURIComponent`
fn encoded(text: &str) -> String {
    encoded_except(text, "")
}

fn encoded_except(text: &str, also_plain: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) || also_plain.bytes().any(|plain| plain == byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn encode(call: &Invocation<'_>) -> Outcome {
    Ok(full_text(&call.arg(0)).map_or(Value::Undefined, |text| Value::from(encoded(text))))
}

fn decode(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    let Some(text) = full_text(&value) else { return Ok(Value::Undefined) };
    match decoded(text) {
        Some(text) => Ok(Value::from(text)),
        None => call.fails("a `%` that is not followed by the code of a character"),
    }
}

/// `decodeURIComponent`; `None` for what is malformed.
fn decoded(text: &str) -> Option<String> {
    let mut out = vec![];
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

fn strip_query(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    let path = full_text(&value).and_then(|text| text.split('?').next());
    Ok(path.map_or(Value::Undefined, Value::from))
}

fn address_at(call: &Invocation<'_>, at: usize, slashes: Slashes) -> Result<Address, Problem> {
    match call.arg(at) {
        Value::Text(text) => legacy::parse(&text, slashes),
        other => call.fails(&format!("takes an address, this is {}", described(&other))),
    }
}

fn resolve(call: &Invocation<'_>) -> Outcome {
    let (base, other) = (address_at(call, 0, Slashes::Host)?, address_at(call, 1, Slashes::Host)?);
    Ok(Value::from(base.resolve(other).to_string()))
}

fn parse(call: &Invocation<'_>) -> Outcome {
    address_at(call, 0, Slashes::Path).map(|address| address.fields())
}

fn strip_protocol(call: &Invocation<'_>) -> Outcome {
    let value = call.arg(0);
    let Some(text) = full_text(&value) else { return Ok(Value::Undefined) };
    let mut address = legacy::parse(text, Slashes::Path)?;
    address.protocol = Some(String::new());
    Ok(Value::from(address.to_string()))
}

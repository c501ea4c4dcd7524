//! Refusals in all the shapes in which `PagerDuty` sends them, turned into one reason.

use reqwest::StatusCode;
use serde_json::Value;

use crate::{core::text::Shown, provider::ProviderError};

/// "Requester User Not Found": `From` names nobody.
const REQUESTER_NOT_FOUND: u64 = 1008;

/// Why, in the provider's words where there are any, else in the status line's. The body may hold `error` as a
/// text, a list or an object, whose `errors` again is a text or a list; or be no JSON at all, or empty.
pub(super) fn reason(status: StatusCode, body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = json.get("error").unwrap_or(&json);
    let message = ["message", "detail", "title"].iter().find_map(|key| error.get(key)?.as_str());
    let mut words: Vec<&str> = message.into_iter().collect();
    words.extend(texts(error));
    words.extend(error.get("errors").map(texts).unwrap_or_default());
    let mut reason = words.join("; ");
    if reason.trim().is_empty() {
        status.canonical_reason().unwrap_or("no reason given").clone_into(&mut reason);
    }
    if error.get("code").and_then(Value::as_u64) == Some(REQUESTER_NOT_FOUND) {
        reason.push_str(" (the account's `from` names nobody there)");
    }
    Shown::line(&reason).to_string()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![],
    }
}

/// The error for an answer that is neither a success nor a 429.
pub(super) fn refused(status: StatusCode, reason: String, what: &str, advice: &str) -> ProviderError {
    let code = status.as_u16();
    match code {
        300..=399 => ProviderError::Refused {
            status: code,
            reason: "redirects are not followed; check the address of the account".to_owned(),
        },
        401 => ProviderError::Unauthorised { advice: advice.to_owned() },
        402 | 403 => ProviderError::Forbidden { reason },
        404 => ProviderError::NotFound { what: what.to_owned() },
        408 | 500..=599 => ProviderError::Broken { status: code, reason },
        _ => ProviderError::Refused { status: code, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_of_an_error_gives_its_reason() {
        let cases = [
            (r#"{"error":{"message":"Bad","code":2001,"errors":["a","b"]}}"#, "Bad; a; b"),
            (r#"{"error":{"message":"Not Found","code":2100}}"#, "Not Found"),
            (r#"{"error":{"code":84,"message":"other","errors":"only one"}}"#, "other; only one"),
            (r#"{"error":["first","second"]}"#, "first; second"),
            (r#"{"error":"a plain text"}"#, "a plain text"),
            (
                r#"{"status":"invalid","message":"Event object is invalid","errors":["x"]}"#,
                "Event object is invalid; x",
            ),
            (r#"{"error":{"message":"a\u001b[2Jb"}}"#, "a␛[2Jb"),
            (
                r#"{"error":{"message":"Nobody","code":1008,"errors":[]}}"#,
                "Nobody (the account's `from` names nobody there)",
            ),
            ("<html>no</html>", "Bad Request"),
            (r#"{"error":{"errors":null}}"#, "Bad Request"),
            (r#"{"error":null}"#, "Bad Request"),
            ("", "Bad Request"),
        ];
        for (body, expected) in cases {
            assert_eq!(reason(StatusCode::BAD_REQUEST, body.as_bytes()), expected, "{body}");
        }
    }
}

//! What a template sees of a delivery.

use serde_json::{Map, Value, json};

use crate::core::id::AccountName;

/// A delivery as `PagerDuty` sends it, with made-up names: what is previewed when there is no real one.
pub const SAMPLE_BODY: &str = include_str!("../../assets/samples/incident.triggered.json");

/// What a template sees on a `PagerDuty` delivery:
///
/// ```text
/// event     id, type (incident.triggered …), time (ISO 8601), account, provider, agent (a name or null)
/// incident  id, number, title, status, urgency, priority, service, escalation_policy, assignees and teams
///           (lists of { id, name, url }), created_at, url; null where the event has no incident
/// note      id, content; null where the event is no note
/// message   the text of a ping or a status update, or null
/// raw       the delivery itself, or its text when it is not JSON
/// ```
///
/// Every name is always there, so a template can rely on it; what the event does not tell is null or empty.
pub fn context(account: &AccountName, body: &[u8]) -> Value {
    let raw =
        serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
    let event = at(&raw, "event");
    let data = at(event, "data");
    json!({
        "event": {
            "id": text(event, "id"),
            "type": text(event, "event_type"),
            "time": text(event, "occurred_at"),
            "account": account.as_str(),
            "provider": "pagerduty",
            "agent": name(at(event, "agent")),
        },
        "incident": incident(data),
        "note": note(data),
        "message": text(data, "message"),
        "raw": raw,
    })
}

/// [`context`] of [`SAMPLE_BODY`].
pub fn sample_context(account: &AccountName) -> Value {
    context(account, SAMPLE_BODY.as_bytes())
}

fn at<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

/// The text or number at `key`; null for all else.
fn text(value: &Value, key: &str) -> Value {
    match at(value, key) {
        found @ (Value::String(_) | Value::Number(_)) => found.clone(),
        _ => Value::Null,
    }
}

/// What a reference is called.
fn name(reference: &Value) -> Value {
    ["summary", "name", "id"].iter().map(|key| text(reference, key)).find(|name| !name.is_null()).unwrap_or_default()
}

fn is(data: &Value, kind: &str) -> bool {
    at(data, "type").as_str() == Some(kind)
}

/// The incident itself, or what an event about a part of it says of it.
fn incident(data: &Value) -> Value {
    let own = if is(data, "incident") { data } else { at(data, "incident") };
    if !own.is_object() {
        return Value::Null;
    }
    let title = Some(text(own, "title")).filter(|title| !title.is_null()).unwrap_or_else(|| text(own, "summary"));
    let mut out = Map::new();
    out.insert("id".to_owned(), text(own, "id"));
    out.insert("number".to_owned(), text(own, "number"));
    out.insert("title".to_owned(), title);
    for key in ["status", "urgency", "created_at"] {
        out.insert(key.to_owned(), text(own, key));
    }
    for key in ["priority", "service", "escalation_policy"] {
        out.insert(key.to_owned(), name(at(own, key)));
    }
    for key in ["assignees", "teams"] {
        out.insert(key.to_owned(), references(at(own, key)));
    }
    out.insert("url".to_owned(), text(own, "html_url"));
    Value::Object(out)
}

fn references(list: &Value) -> Value {
    let one = |item: &Value| json!({ "id": text(item, "id"), "name": name(item), "url": text(item, "html_url") });
    list.as_array().into_iter().flatten().map(one).collect()
}

fn note(data: &Value) -> Value {
    if !is(data, "incident_note") {
        return Value::Null;
    }
    json!({ "id": text(data, "id"), "content": text(data, "content") })
}

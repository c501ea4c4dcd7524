//! What a target is told of an event: the incident in `PagerTree`'s shape, and the context that templates see.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Event;
use crate::core::{
    board::Board,
    incident::{Incident, Status, Urgency},
};

/// The incident as it stands. What has not happened yet is absent, not null.
pub fn data(incident: &Incident) -> Value {
    let (state, mut out) = (&incident.state, Map::new());
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("id", incident.key.id.as_str().into());
    put("sid", incident.key.account.as_str().into());
    put("title", state.title.as_str().into());
    put("status", status(state.status).into());
    put("urgency", urgency(state.urgency).into());
    put("created", state.created_at.as_second().into());
    if state.status == Status::Resolved {
        put("resolved", incident.stamp.at.as_second().into());
    }
    put("createdAt", iso(state.created_at).into());
    put("updatedAt", iso(incident.stamp.at).into());
    Value::Object(out)
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Triggered => "open",
        Status::Acknowledged => "acknowledged",
        Status::Resolved => "resolved",
    }
}

fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Low => "low",
        Urgency::High => "high",
    }
}

/// ISO 8601 in UTC with milliseconds, as JavaScript's `toISOString` prints it.
fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// What the incident refers to: `source`, `s_log`, `d_team`, `d_user`; null where the board does not know it.
pub fn linked(incident: &Incident, board: &Board) -> Value {
    let _ = (incident, board);
    json!({ "source": null, "s_log": null, "d_team": null, "d_user": null })
}

impl Event {
    /// The body where a target has no template: `{type, data}`, with what the incident refers to if `linked`.
    pub fn default_body(&self, linked: bool) -> Value {
        let data = if linked { self.whole() } else { self.data.clone() };
        json!({ "type": self.kind, "data": data })
    }

    /// What a template sees; `raw` is the provider's own delivery, null where polling told of the event.
    pub fn context(&self, raw: &Value) -> Value {
        let incident = self.whole();
        json!({
            "event": {
                "id": self.id,
                "type": self.kind,
                "time": iso(self.at),
                "account": self.account,
                "provider": self.provider,
            },
            "incident": incident,
            "alert": incident,
            "raw": raw,
        })
    }

    fn whole(&self) -> Value {
        let mut whole = self.data.clone();
        if let (Value::Object(data), Value::Object(linked)) = (&mut whole, &self.linked) {
            data.extend(linked.clone());
        }
        whole
    }
}

//! The Events API v2: no key in the headers, but the routing key of an integration in the body.

use jiff::Timestamp;
use reqwest::{Method, header::HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::errors;
use crate::{
    core::{
        call::Purpose,
        event::{Event, EventAction, Link},
    },
    provider::{
        ProviderError,
        http::{Answer, BadAddress, BaseUrl, Call, Http, Limits, Trouble},
    },
};

/// One address that events go to.
#[derive(Debug)]
pub struct Events {
    http: Http,
}

impl Events {
    pub fn new(base_url: &str) -> Result<Self, BadAddress> {
        Ok(Self { http: Http::new(BaseUrl::parse(base_url)?, Limits::default()) })
    }

    /// Sends an event, once. A success (202) means that it is taken, not that an incident came of it.
    pub async fn send(&self, routing_key: &SecretString, event: &Event) -> Result<(), ProviderError> {
        let segments: &[&str] = match event.action {
            EventAction::Change => &["v2", "change", "enqueue"],
            EventAction::Trigger | EventAction::Acknowledge | EventAction::Resolve => &["v2", "enqueue"],
        };
        let key = routing_key.expose_secret().trim();
        let body = Some(body(key, event));
        let call = Call {
            purpose: Purpose::Action,
            method: Method::POST,
            segments,
            query: &[],
            headers: HeaderMap::new(),
            body,
        };
        self.http.write(&call, |answer| judge(&answer, key)).await
    }
}

fn judge(answer: &Answer, key: &str) -> Result<(), Trouble> {
    if answer.status.is_success() {
        return Ok(());
    }
    let reason = errors::reason(answer.status, &answer.body).replace(key, "[key]");
    Err(errors::refused(answer.status, reason, "v2/enqueue", "the routing key is wrong").into())
}

fn body(routing_key: &str, event: &Event) -> Value {
    let mut body = json!({ "routing_key": routing_key });
    if event.action != EventAction::Change {
        body["event_action"] = event.action.word().into();
        body["dedup_key"] = event.dedup_key.as_str().into();
    }
    if matches!(event.action, EventAction::Acknowledge | EventAction::Resolve) {
        return body;
    }
    body["payload"] = payload(event);
    if !event.links.is_empty() {
        body["links"] = json!(event.links);
    }
    if !event.images.is_empty() {
        body["images"] = event.images.iter().map(|src| json!({ "src": src })).collect();
    }
    if let (EventAction::Trigger, Some(Link { href, text })) = (event.action, &event.client) {
        body["client_url"] = href.as_str().into();
        body["client"] = text.as_deref().unwrap_or(href).into();
    }
    body
}

fn payload(event: &Event) -> Value {
    let mut payload = json!({
        "summary": event.summary,
        "source": event.source,
        "timestamp": written(event.at),
        "custom_details": event.custom_details,
    });
    if event.action == EventAction::Trigger {
        payload["severity"] = json!(event.severity);
        for (name, value) in [("component", &event.component), ("group", &event.group), ("class", &event.class)] {
            if let Some(value) = value {
                payload[name] = value.as_str().into();
            }
        }
    }
    payload
}

/// As the documented samples have it.
fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::tests::event;

    #[test]
    fn each_kind_of_event_has_the_documented_body() {
        let trigger = body("K", &event(EventAction::Trigger));
        assert_eq!(
            trigger,
            json!({
                "routing_key": "K", "event_action": "trigger", "dedup_key": "disk/db-3",
                "payload": { "summary": "disk full", "source": "db-3", "severity": "critical",
                    "timestamp": "1970-01-01T00:00:00.000+0000", "custom_details": { "free": 3 } },
            })
        );
        let resolve = body("K", &event(EventAction::Resolve));
        assert_eq!(resolve, json!({ "routing_key": "K", "event_action": "resolve", "dedup_key": "disk/db-3" }));
        let change = body("K", &event(EventAction::Change));
        assert_eq!(change["payload"]["severity"], Value::Null);
        assert_eq!((change.get("event_action"), change.get("dedup_key")), (None, None));
    }
}

//! The Events API v2 on the same port: no key but the routing key of a service's integration.

use std::sync::Arc;

use axum::{Router, body::Bytes, extract::State, http::StatusCode, response::Response, routing::post};
use serde_json::{Value, json};

use super::{
    super::world::{Agent, IncidentIx, ServiceIx, Trigger, UserIx, World},
    Answer, Shared,
};
use crate::core::incident::{Status, Urgency};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/v2/enqueue", post(enqueue)).route("/v2/change/enqueue", post(change)).with_state(shared)
}

/// The routing key of a service: its id, filled up to the length of one.
pub(crate) fn routing_key(service_id: &str) -> String {
    format!("{:0<32}", service_id.to_lowercase())
}

fn invalid(errors: &[&str]) -> Answer {
    let body = json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
    Answer::new(StatusCode::BAD_REQUEST, body)
}

fn parsed(body: &Bytes) -> Result<Value, Answer> {
    serde_json::from_slice(body).map_err(|_| invalid(&["JSON parse error"]))
}

fn text<'a>(event: &'a Value, key: &str) -> Option<&'a str> {
    event.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn service(world: &World, event: &Value) -> Result<ServiceIx, Answer> {
    let key = text(event, "routing_key").ok_or_else(|| invalid(&["'routing_key' is missing or blank"]))?;
    let mut services = (0..world.account.services.len()).map(ServiceIx);
    let found = services.find(|ix| routing_key(&world.account.service(*ix).id) == key);
    found.ok_or_else(|| invalid(&["'routing_key' is not known"]))
}

async fn enqueue(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let answer = shared.act(|world, now| {
        let event = parsed(&body)?;
        let service = service(world, &event)?;
        let action = text(&event, "event_action").unwrap_or_default().to_owned();
        let key = text(&event, "dedup_key").map(str::to_owned);
        let open = key.as_deref().and_then(|key| open(world, service, key));
        match (action.as_str(), open) {
            ("trigger", None) => drop(world.trigger(read(&event, service, key.clone())?, now)),
            ("acknowledge" | "resolve", _) if key.is_none() => return Err(invalid(&["'dedup_key' is missing"])),
            ("trigger", Some(_)) | ("acknowledge" | "resolve", None) => {}
            ("acknowledge", Some(ix)) => {
                // By the integration, at PagerDuty; here whoever has it stands for that.
                let by = world.incident(ix).assignments.first().map_or(UserIx(0), |(_, user)| *user);
                world.acknowledge(ix, by, now);
            }
            ("resolve", Some(ix)) => world.resolve(ix, Agent::Service(service), None, now),
            _ => return Err(invalid(&["'event_action' is invalid (must be one of trigger, acknowledge, resolve)"])),
        }
        let key = key.unwrap_or_else(|| "made-up".to_owned());
        Ok(Answer::new(
            StatusCode::ACCEPTED,
            json!({"status": "success", "message": "Event processed", "dedup_key": key}),
        ))
    });
    answer.unwrap_or_else(|refusal: Answer| refusal).into_response()
}

fn open(world: &World, service: ServiceIx, key: &str) -> Option<IncidentIx> {
    world.open().find(|ix| {
        let incident = world.incident(*ix);
        incident.service == service && incident.key == key && incident.status != Status::Resolved
    })
}

fn read(event: &Value, service: ServiceIx, key: Option<String>) -> Result<Trigger, Answer> {
    let payload = event.get("payload").cloned().unwrap_or_default();
    let title = text(&payload, "summary").ok_or_else(|| invalid(&["'payload.summary' is missing or blank"]))?;
    let severity = match text(&payload, "severity") {
        Some("critical") => "critical",
        Some("error") => "error",
        Some("warning") => "warning",
        Some("info") => "info",
        _ => return Err(invalid(&["'payload.severity' is invalid"])),
    };
    text(&payload, "source").ok_or_else(|| invalid(&["'payload.source' is missing or blank"]))?;
    let links = event.get("links").and_then(Value::as_array).cloned().unwrap_or_default();
    let contexts = links.into_iter().map(|link| json!({"type": "link", "href": link["href"], "text": link["text"]}));
    let details = payload.get("custom_details").cloned().unwrap_or_else(|| json!({}));
    Ok(Trigger {
        title: title.to_owned(),
        service,
        urgency: if matches!(severity, "critical" | "error") { Urgency::High } else { Urgency::Low },
        agent: Agent::Service(service),
        priority: None,
        key,
        alert: Some((severity, details, contexts.collect())),
        policy: None,
        assignee: None,
        kind: None,
    })
}

async fn change(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let answer = shared.act(|world, _| {
        let event = parsed(&body)?;
        service(world, &event)?;
        let payload = event.get("payload").cloned().unwrap_or_default();
        text(&payload, "summary").ok_or_else(|| invalid(&["'payload.summary' is missing or blank"]))?;
        Ok(Answer::new(StatusCode::ACCEPTED, json!({"status": "success", "message": "Change event processed"})))
    });
    answer.unwrap_or_else(|refusal: Answer| refusal).into_response()
}

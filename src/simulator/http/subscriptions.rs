//! The one webhook subscription there is: to look at, to switch on again, to test. Its secret is never shown.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use axum::{
    Extension, Router,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{super::json::event::Event, Answer, Call, Shared};

const EVENTS: &[&str] = &[
    "incident.acknowledged",
    "incident.annotated",
    "incident.conference_bridge.updated",
    "incident.delegated",
    "incident.escalated",
    "incident.incident_type.changed",
    "incident.priority_updated",
    "incident.reassigned",
    "incident.reopened",
    "incident.resolved",
    "incident.service_updated",
    "incident.triggered",
    "incident.unacknowledged",
    "pagey.ping",
];

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/webhook_subscriptions", get(list))
        .route("/webhook_subscriptions/{id}", get(one))
        .route("/webhook_subscriptions/{id}/enable", post(enable))
        .route("/webhook_subscriptions/{id}/ping", post(ping))
}

fn subscription(shared: &Shared) -> Option<Value> {
    let address = shared.courier.address()?;
    Some(json!({
        "id": address.subscription,
        "type": "webhook_subscription",
        "active": true,
        "description": "Sends everything to the console",
        "events": EVENTS,
        "filter": {"type": "account_reference", "id": null},
        "delivery_method": {
            "id": address.subscription,
            "type": "http_delivery_method",
            "url": address.url.as_str(),
            "secret": null,
            "temporarily_disabled": shared.courier.tally().disabled,
            "custom_headers": [],
        },
    }))
}

fn named(shared: &Shared, id: &str) -> Result<Value, Answer> {
    subscription(shared).filter(|s| s["id"] == id).ok_or_else(Answer::not_found)
}

fn answered(answer: Result<Answer, Answer>) -> Ready<Response> {
    ready(answer.unwrap_or_else(|refusal| refusal).into_response())
}

fn list(State(shared): State<Arc<Shared>>, Extension(call): Extension<Call>) -> Ready<Response> {
    let all = Vec::from_iter(subscription(&shared));
    answered(call.query.page().map(|page| Answer::ok(page.of("webhook_subscriptions", &all, Value::clone))))
}

fn one(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Ready<Response> {
    answered(named(&shared, &id).map(|s| Answer::ok(json!({"webhook_subscription": s}))))
}

fn enable(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Ready<Response> {
    let enabled = named(&shared, &id).and_then(|_| {
        shared.courier.enable();
        named(&shared, &id)
    });
    answered(enabled.map(|s| Answer::ok(json!({"webhook_subscription": s}))))
}

fn ping(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Ready<Response> {
    let sent = named(&shared, &id).map(|_| {
        shared.act(|world, now| {
            let event = Event::ping(&world.dice.event_id(), &id, now);
            world.outbox.push(event);
        });
        Answer { status: StatusCode::ACCEPTED, body: None }
    });
    answered(sent)
}

//! The one webhook subscription there can be: to look at, to make, to change, to switch on again, to test. Its secret
//! is shown once, when it is made.

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
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    super::{
        courier::{Address, Form},
        json::event::Event,
        world::Audience,
    },
    Answer, Call, Shared, bad_request,
};

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

/// What a subscription is that came with the simulator.
pub(crate) fn usual_form() -> Form {
    Form {
        description: "Sends everything to the console".to_owned(),
        events: EVENTS.iter().map(|kind| (*kind).to_owned()).collect(),
        filter: json!({"type": "account_reference", "id": null}),
        active: true,
    }
}

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/webhook_subscriptions", get(list).post(create))
        .route("/webhook_subscriptions/{id}", get(one).put(update).delete(delete))
        .route("/webhook_subscriptions/{id}/enable", post(enable))
        .route("/webhook_subscriptions/{id}/ping", post(ping))
}

fn subscription(shared: &Shared) -> Option<Value> {
    let address = shared.courier.address()?;
    Some(shape(&address, shared.courier.tally().disabled))
}

fn shape(address: &Address, disabled: bool) -> Value {
    let form = &address.form;
    json!({
        "id": address.subscription,
        "type": "webhook_subscription",
        "active": form.active,
        "description": form.description,
        "events": form.events,
        "filter": form.filter,
        "delivery_method": {
            "id": address.subscription,
            "type": "http_delivery_method",
            "url": address.url.as_str(),
            "secret": null,
            "temporarily_disabled": disabled,
            "custom_headers": [],
        },
    })
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

/// What a request to make or to change one says of it; `before` stands where it says nothing.
fn form(wanted: &Value, before: Form) -> Result<Form, Answer> {
    let events = match wanted.get("events") {
        None => before.events,
        Some(Value::Array(kinds)) if !kinds.is_empty() => {
            kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(_) => return Err(Answer::invalid("Events is too short (minimum is 1 item)")),
    };
    let filter = match wanted.get("filter") {
        None => before.filter,
        Some(filter) => checked_filter(filter)?,
    };
    let description = wanted.get("description").and_then(Value::as_str).map_or(before.description, str::to_owned);
    let active = wanted.get("active").and_then(Value::as_bool).unwrap_or(before.active);
    Ok(Form { description, events, filter, active })
}

fn checked_filter(filter: &Value) -> Result<Value, Answer> {
    let (kind, id) = (filter["type"].as_str().unwrap_or_default(), filter["id"].as_str());
    match (kind, id) {
        ("account_reference", _) => Ok(json!({"type": kind, "id": null})),
        ("service_reference" | "team_reference", Some(id)) => Ok(json!({"type": kind, "id": id})),
        ("service_reference" | "team_reference", None) => Err(Answer::invalid("Filter id can't be blank")),
        _ => Err(Answer::invalid("Filter type is not included in the list")),
    }
}

fn wanted(call: &Call) -> Result<Value, Answer> {
    let mut body = call.json()?;
    match body.get_mut("webhook_subscription").map(Value::take) {
        Some(wanted @ Value::Object(_)) => Ok(wanted),
        _ => Err(Answer::invalid("Webhook subscription can't be blank")),
    }
}

fn create(State(shared): State<Arc<Shared>>, Extension(call): Extension<Call>) -> Ready<Response> {
    answered(created(&shared, &call))
}

fn created(shared: &Shared, call: &Call) -> Result<Answer, Answer> {
    if shared.courier.address().is_some() {
        return Err(bad_request(2019, "You have reached the limit of webhook subscriptions"));
    }
    let wanted = wanted(call)?;
    let url = wanted.pointer("/delivery_method/url").and_then(Value::as_str).unwrap_or_default();
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| Answer::invalid("Delivery method url is invalid"))?;
    if wanted.get("events").is_none() || wanted.get("filter").is_none() {
        return Err(Answer::invalid("Events and filter can't be blank"));
    }
    let form = form(&wanted, usual_form())?;
    let (id, secret) = shared.act(|world, _| (world.dice.short_id(), world.dice.signing_secret()));
    let address = Address::new(url, SecretString::from(secret.as_str()), id, form)
        .map_err(|_| Answer::error(StatusCode::INTERNAL_SERVER_ERROR, 2000, "no client for this address"))?;
    let mut told = shape(&address, false);
    told["delivery_method"]["secret"] = secret.into();
    shared.courier.set_address(Some(address));
    shared.act(|world, _| world.set_audience(Audience::Subscribed));
    Ok(Answer::ok(json!({"webhook_subscription": told})))
}

fn update(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Extension(call): Extension<Call>,
) -> Ready<Response> {
    let updated = named(&shared, &id).and_then(|_| {
        let mut address = (*shared.courier.address().ok_or_else(Answer::not_found)?).clone();
        address.form = form(&wanted(&call)?, address.form.clone())?;
        shared.courier.set_address(Some(address));
        named(&shared, &id)
    });
    answered(updated.map(|s| Answer::ok(json!({"webhook_subscription": s}))))
}

fn delete(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Ready<Response> {
    let deleted = named(&shared, &id).map(|_| {
        shared.courier.set_address(None);
        shared.act(|world, _| world.set_audience(Audience::Nobody));
        Answer { status: StatusCode::NO_CONTENT, body: None }
    });
    answered(deleted)
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

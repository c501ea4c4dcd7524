//! `/_sim/…`: the simulator's own knobs, beside the account's API. No key, no faults, no record.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        faults::Faults,
        json::Includes,
        world::{Agent, IncidentIx, ServiceIx, Trigger, World, update},
    },
    Answer, Shared, locked,
};
use crate::core::incident::Urgency;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_sim/faults", get(faults).post(set_faults))
        .route("/_sim/requests", get(requests))
        .route("/_sim/incidents", get(ledger).post(trigger))
        .route("/_sim/stats", get(stats))
        .route("/_sim/quiet", post(quiet))
        .with_state(shared)
}

async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    let faults = locked(&shared.faults).0.clone();
    Answer::ok(json!(faults)).into_response()
}

/// What is not named is healed.
async fn set_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match Faults::parse(&body) {
        Ok(faults) => {
            shared.courier.set_faults(faults.webhooks);
            locked(&shared.faults).0 = faults;
            self::faults(State(shared)).await
        }
        Err(reason) => (StatusCode::BAD_REQUEST, reason).into_response(),
    }
}

async fn requests(State(shared): State<Arc<Shared>>) -> Response {
    let requests = locked(&shared.record).json();
    Answer::ok(json!({"requests": requests})).into_response()
}

async fn stats(State(shared): State<Arc<Shared>>) -> Response {
    let (tally, requests) = (shared.courier.tally(), locked(&shared.record).count());
    let stats = json!({
        "signed": tally.signed, "delivered": tally.delivered, "dropped": tally.dropped, "duplicates": tally.duplicates,
        "pending": tally.pending, "disabled": tally.disabled, "requests": requests
    });
    Answer::ok(stats).into_response()
}

/// From now on nothing happens by itself; what is asked for still does.
async fn quiet(State(shared): State<Arc<Shared>>) -> Response {
    shared.quiet.cancel();
    StatusCode::NO_CONTENT.into_response()
}

/// How every incident really stands.
async fn ledger(State(shared): State<Arc<Shared>>) -> Response {
    let incidents = shared.act(|world, _| {
        let one = |(ix, incident): (IncidentIx, &super::super::world::Incident)| {
            let assignees: Vec<_> = world.assignees(ix).into_iter().map(|u| world.account.user(u).id.clone()).collect();
            let notes: Vec<_> = incident.notes.iter().map(|n| n.content.clone()).collect();
            json!({
                "id": incident.id, "number": incident.number, "title": incident.title,
                "status": incident.status.word(), "assignees": assignees, "notes": notes,
                "created_at": super::super::clock::millis(incident.created_at),
                "updated_at": super::super::clock::millis(incident.updated_at)
            })
        };
        world.incidents().map(one).collect::<Vec<Value>>()
    });
    Answer::ok(json!({"incidents": incidents})).into_response()
}

/// An incident to order. Only the title is needed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    title: String,
    /// Name or id; the first one unless said.
    service: Option<String>,
    urgency: Option<Urgency>,
    /// Name or id.
    priority: Option<String>,
    key: Option<String>,
    /// What the alert says, in any form.
    #[serde(default)]
    details: Value,
}

async fn trigger(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let made = shared.act(|world, now| {
        let order = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        let ix = world.trigger(read_order(world, order)?, now);
        Ok::<Value, String>(world.incident_json(ix, &Includes::default()))
    });
    match made {
        Ok(incident) => Answer::created(json!({"incident": incident})).into_response(),
        Err(reason) => (StatusCode::BAD_REQUEST, reason).into_response(),
    }
}

fn read_order(world: &World, order: Order) -> Result<Trigger, String> {
    let service = match &order.service {
        None => ServiceIx(0),
        Some(name) => world.account.find_service(name).ok_or_else(|| format!("no service {name}"))?,
    };
    let priority = match &order.priority {
        None => None,
        Some(name) => Some(world.account.find_priority(name).ok_or_else(|| format!("no priority {name}"))?),
    };
    let urgency = order.urgency.unwrap_or(Urgency::High);
    let severity = update::severity(urgency);
    Ok(Trigger {
        title: order.title,
        service,
        urgency,
        agent: Agent::Service(service),
        priority,
        key: order.key,
        alert: Some((severity, order.details, vec![])),
        policy: None,
        assignee: None,
        kind: None,
    })
}

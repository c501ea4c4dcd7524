//! Webhooks v3: the envelope, and `data` in its own shape, which differs from what REST calls the same things
//! (`number`, `assignees`, no `updated_at`). Written once; every attempt sends the same bytes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{
        clock,
        world::{Account, Agent, Incident, IncidentIx, World, incident::Note},
    },
    thing, with,
};

/// Longer notes are cut in webhooks; REST has the whole.
const NOTE_LIMIT: usize = 2000;
/// Here, unlike in REST, priorities have a page.
const PRIORITIES_PAGE: &str = "https://dogwatch.pagerduty.com/account/incident_priorities";

#[derive(Debug)]
pub(crate) struct Event {
    /// Webhooks of one incident are delivered in order.
    pub(crate) incident: String,
    pub(crate) body: Vec<u8>,
}

impl Event {
    /// `signed` is the event's id and when it happened.
    pub(crate) fn new(
        account: &Account,
        incident: &Incident,
        kind: &'static str,
        agent: Agent,
        signed: (String, Timestamp),
        data: Value,
    ) -> Self {
        let agent = match agent {
            Agent::Timeout => Value::Null,
            agent => account.agent_ref(agent, incident.service),
        };
        let (id, at) = signed;
        let body = envelope(&id, kind, "incident", at, [agent, data]);
        Self { incident: incident.id.clone(), body }
    }

    /// What `POST /webhook_subscriptions/{id}/ping` sends.
    pub(crate) fn ping(id: &str, subscription: &str, at: Timestamp) -> Self {
        let agent = json!({"id": "PSYSTEM", "type": "user_reference"});
        let data = json!({"message": "Hello from your friend Pagey!", "type": "ping"});
        let body = envelope(id, "pagey.ping", "pagey", at, [agent, data]);
        Self { incident: format!("ping-{subscription}"), body }
    }
}

fn envelope(id: &str, kind: &str, resource: &str, at: Timestamp, [agent, data]: [Value; 2]) -> Vec<u8> {
    let event = json!({
        "event": {
            "id": id,
            "event_type": kind,
            "resource_type": resource,
            "occurred_at": clock::millis(at),
            "agent": agent,
            "client": null,
            "data": data,
        }
    });
    event.to_string().into_bytes()
}

/// The incident as it stands, in the webhook's shape.
pub(crate) fn incident(world: &World, ix: IncidentIx) -> Value {
    let incident = world.incident(ix);
    let account = &world.account;
    let assignees: Vec<Value> = incident.assignments.iter().map(|(_, u)| account.user_ref(*u)).collect();
    let resolve_reason = incident
        .merged_into
        .map(|to| json!({"type": "merge_resolve_reason", "incident": reference(world.incident(to))}));
    let mut base = thing(&incident.id, "incident", &incident.title, "incidents", "incidents");
    if let Some(base) = base.as_object_mut() {
        base.shift_remove("summary");
    }
    let mut data = with(
        base,
        json!({
            "number": incident.number,
            "status": incident.status.word(),
            "incident_key": incident.key,
            "created_at": clock::rest(incident.created_at),
            "title": incident.title,
            "service": account.service_ref(incident.service),
            "assignees": assignees,
            "escalation_policy": account.policy_ref(incident.policy),
            "teams": [account.team_ref(account.service(incident.service).team)],
            "priority": incident.priority.map(|p| with(account.priority_ref(p), json!({"html_url": PRIORITIES_PAGE}))),
            "urgency": super::incident::urgency(incident.urgency),
            "conference_bridge": incident.bridge,
            "resolve_reason": resolve_reason,
            "incident_type": {"name": incident.kind},
        }),
    );
    if let Some(at) = incident.reopened_at {
        data = with(data, json!({"reopened_at": clock::rest(at)}));
    }
    data
}

/// In webhooks a reference's summary is the bare title.
fn reference(incident: &Incident) -> Value {
    thing(&incident.id, "incident_reference", &incident.title, "incidents", "incidents")
}

pub(crate) fn note(incident: &Incident, note: &Note) -> Value {
    let content: String = note.content.chars().take(NOTE_LIMIT).collect();
    let trimmed = content.len() < note.content.len();
    json!({
        "incident": reference(incident),
        "id": note.id,
        "content": content,
        "trimmed": trimmed,
        "type": "incident_note",
    })
}

/// The bridge has another shape here than in the incident itself.
pub(crate) fn bridge(incident: &Incident, bridge: &Value) -> Value {
    let number = bridge.get("conference_number").cloned().unwrap_or_default();
    json!({
        "incident": reference(incident),
        "conference_numbers": [{"label": "", "number": number}],
        "conference_url": bridge.get("conference_url").cloned().unwrap_or_default(),
        "type": "incident_conference_bridge",
    })
}

//! What a target is told of an event: the incident in `PagerTree`'s shape, and the context that templates see.
//!
//! One builder for all: what is sent, and what a preview on a delivery shows, cannot differ. [`FIELDS`] lists what
//! there is.

mod fields;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use fields::{FIELDS, Field, reference};

use super::{Event, EventType, happening};
use crate::core::{
    board::{AccountBoard, Board},
    delivery::{Decoded, DeliverySummary, Direction, Verdict},
    id::{AccountName, DeliveryId, IncidentKey, UserId},
    incident::{Incident, Named, Source, Status, Urgency},
    text::Shown,
};

/// How long after it was created `ttl` lies.
const LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);
const LINKED: [&str; 4] = ["source", "s_log", "d_team", "d_user"];

/// The incident as it stands. Of what `PagerTree` tells, that which has not happened or is not known is absent, not
/// null; what dogwatch knows beside it is always there.
pub fn data(incident: &Incident) -> Value {
    let state = &incident.state;
    let mut out = Object::default();
    out.put("id", &incident.key.id);
    out.put("sid", &incident.key.account);
    out.put("title", &state.title);
    out.put("description", "");
    out.put("status", status(state.status));
    out.put("urgency", urgency(state.urgency));
    out.put("created", state.created_at.as_second());
    out.put_if("acknowledged", acknowledged(incident).map(Timestamp::as_second));
    out.put_if("resolved", (state.status == Status::Resolved).then(|| incident.stamp.at.as_second()));
    out.put_if("ttl", state.created_at.checked_add(LIFE).ok().map(Timestamp::as_second));
    out.put("createdAt", iso(state.created_at));
    out.put("updatedAt", iso(updated(incident)));
    out.put_if("source_id", state.service.as_ref().map(|service| &service.id));
    out.put_if("d_team_id", state.teams.first().map(|team| &team.id));
    out.put_if("d_user_id", state.assignees.first().map(|user| &user.id));
    for none in ["subscribers", "tags", "additional_data", "workflows"] {
        out.put(none, json!([]));
    }
    out.put("number", state.number);
    out.put("provider_status", state.status.word());
    out.put("priority", &state.priority);
    out.put("service", state.service.as_ref().map(|service| &service.name));
    out.put("escalation_policy", state.escalation_policy.as_ref().map(|policy| &policy.name));
    out.put("assignees", &state.assignees);
    out.put("teams", &state.teams);
    out.put("url", &state.url);
    out.put("dedup_key", &state.dedup_key);
    Value::Object(out.0)
}

#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, name: &str, value: impl Serialize) {
        self.0.insert(name.to_owned(), json!(value));
    }

    fn put_if(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
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

/// When it was acknowledged last: as REST told, or else when it was seen so.
fn acknowledged(incident: &Incident) -> Option<Timestamp> {
    let told = incident.extra.as_ref().and_then(|(_, extra)| extra.acknowledged.last());
    match incident.state.status {
        Status::Triggered => None,
        Status::Acknowledged => Some(told.map_or(incident.stamp.at, |(at, _)| *at)),
        Status::Resolved => told.map(|(at, _)| *at),
    }
}

/// REST's whole seconds are stamped with the end of the second.
fn updated(incident: &Incident) -> Timestamp {
    let at = incident.stamp.at;
    let end = incident.stamp.source == Source::Rest && at.subsec_millisecond() == 999;
    if end { Timestamp::from_second(at.as_second()).unwrap_or(at) } else { at }
}

/// ISO 8601 in UTC with milliseconds, as JavaScript's `toISOString` prints it.
fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// What the incident refers to: `source`, `s_log`, `d_team`, `d_user`; null where nobody knows it.
pub fn linked(incident: &Incident, board: &Board) -> Value {
    let (key, state) = (&incident.key, &incident.state);
    let account = board.accounts.get(&key.account);
    let source = state.service.as_ref().map(|one| named(&key.account, one, "service"));
    let team = state.teams.first().map(|one| named(&key.account, one, "team"));
    let user = state.assignees.first().map(|one| person(&key.account, one, account));
    json!({ "source": source, "s_log": log(key, board), "d_team": team, "d_user": user })
}

fn named<Id: Serialize>(account: &AccountName, thing: &Named<Id>, kind: &str) -> Value {
    json!({ "sid": account, "id": thing.id, "name": thing.name, "type": kind })
}

fn person(account: &AccountName, user: &Named<UserId>, board: Option<&AccountBoard>) -> Value {
    let known = board.and_then(|board| board.people.iter().find(|person| person.user.id == user.id));
    let mut out = named(account, user, "user");
    out["email"] = json!(known.and_then(|person| person.email.as_ref()));
    out
}

/// The first delivery in the log that told of the incident.
fn log(key: &IncidentKey, board: &Board) -> Option<Value> {
    let told = |delivery: &&DeliverySummary| {
        delivery.incident.as_ref() == Some(key)
            && delivery.direction == Direction::Incoming
            && delivery.verdict == Verdict::Accepted
    };
    let first = board.deliveries.iter().rev().find(told)?;
    Some(json!({
        "sid": key.account,
        "id": first.id.to_string(),
        "createdAt": iso(first.at),
        "owner_id": key.id,
        "content": first.event_type,
    }))
}

/// How an event came to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The event's id.
    pub id: String,
    pub kind: EventType,
    pub at: Timestamp,
    /// `None`: polling found it.
    pub delivery: Option<DeliveryId>,
}

impl Event {
    /// What happened to `incident` as it stands now.
    pub fn new(told: Told, incident: &Incident, board: &Board) -> Self {
        let Told { id, kind, at, delivery } = told;
        let account = incident.key.account.clone();
        let provider = provider(&account, board);
        let (data, linked) = (data(incident), linked(incident, board));
        let title = incident.state.title.clone();
        Self { id, kind, at, account, provider, incident: incident.key.clone(), title, data, linked, delivery }
    }

    /// What a delivery tells, as targets would be told of it; `None` where it names no incident.
    pub fn told_by(decoded: &Decoded, delivery: Option<DeliveryId>, board: &Board) -> Option<Self> {
        let key = decoded.incident.as_ref()?;
        let kind = happening::name(decoded.event_type.as_str())?;
        let incident = incident_of(decoded, board);
        let at = decoded.occurred_at.or_else(|| incident.as_ref().map(|incident| incident.stamp.at))?;
        let told = Told { id: decoded.event_id.to_string(), kind, at, delivery };
        Some(match incident {
            Some(incident) => Self::new(told, &incident, board),
            None => Self::about(told, key, board),
        })
    }

    /// What happened to an incident of which nothing else is known.
    pub fn about(told: Told, key: &IncidentKey, board: &Board) -> Self {
        let Told { id, kind, at, delivery } = told;
        let account = key.account.clone();
        let provider = provider(&account, board);
        let data = json!({ "id": key.id, "sid": account });
        let (title, linked) = (Shown::default(), Value::Null);
        Self { id, kind, at, account, provider, incident: key.clone(), title, data, linked, delivery }
    }

    /// The body where a target has no template: `{type, data}`, with what the incident refers to if `linked`.
    pub fn default_body(&self, linked: bool) -> Value {
        let mut data = self.whole();
        if let Value::Object(data) = &mut data
            && !linked
        {
            data.retain(|name, _| !LINKED.contains(&name.as_str()));
        }
        json!({ "type": self.kind, "data": data })
    }

    /// What a template sees; `raw` is the provider's own delivery, null where polling told of the event.
    pub fn context(&self, raw: &Value) -> Value {
        let event = json!({
            "id": self.id,
            "type": self.kind,
            "time": iso(self.at),
            "account": self.account,
            "provider": self.provider,
        });
        context(&event, &self.whole(), raw)
    }

    /// The incident with what it refers to.
    fn whole(&self) -> Value {
        let mut whole = self.data.clone();
        if let Value::Object(data) = &mut whole {
            let linked = |name: &str| self.linked.get(name).cloned().unwrap_or_default();
            data.extend(LINKED.map(|name| (name.to_owned(), linked(name))));
            let log = self.log();
            if let Some(id) = log.get("id") {
                data.insert("s_log_id".to_owned(), id.clone());
            }
            data.insert("s_log".to_owned(), log);
        }
        whole
    }

    /// The delivery that first told of the incident: this one, where none is known from before.
    fn log(&self) -> Value {
        match (self.linked.get("s_log"), self.delivery) {
            (Some(log @ Value::Object(_)), _) => log.clone(),
            (_, Some(delivery)) => json!({
                "sid": self.account,
                "id": delivery.to_string(),
                "createdAt": iso(self.at),
                "owner_id": self.incident.id,
                "content": self.kind,
            }),
            (_, None) => Value::Null,
        }
    }
}

/// What a template sees of a delivery that is no event of a known incident: a ping, or what nobody can read.
pub fn bare_context(account: &AccountName, decoded: Option<&Decoded>, raw: &Value, board: &Board) -> Value {
    let event = json!({
        "id": decoded.map(|told| &told.event_id),
        "type": decoded.map(|told| &told.event_type),
        "time": decoded.and_then(|told| told.occurred_at).map(iso),
        "account": account,
        "provider": provider(account, board),
    });
    context(&event, &Value::Null, raw)
}

fn context(event: &Value, incident: &Value, raw: &Value) -> Value {
    json!({ "event": event, "incident": incident, "alert": incident, "raw": raw })
}

fn provider(account: &AccountName, board: &Board) -> String {
    board.accounts.get(account).map_or_else(|| "pagerduty".to_owned(), |known| known.account.provider.to_string())
}

/// The incident as it stood after the delivery: with all that is known, unless something newer is.
fn incident_of(decoded: &Decoded, board: &Board) -> Option<Incident> {
    let known = decoded.incident.as_ref().and_then(|key| board.incidents.get(key)).cloned();
    let Some(seen) = &decoded.observation else { return known };
    let merged = known.map(|mut incident| {
        incident.merge(seen);
        incident
    });
    merged.filter(|incident| incident.stamp == seen.stamp).or_else(|| Some(Incident::first(seen.clone())))
}

#[cfg(test)]
mod tests;

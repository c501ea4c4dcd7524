//! What changes incidents: `PUT` one or many (all or nothing), create, snooze, merge. Every one names who does it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    super::{
        json::{Includes, incident::incident_ref},
        world::{Agent, IncidentIx, Objection, ServiceIx, Trigger, World, update},
    },
    Answer, Call,
};
use crate::core::incident::{Status, Urgency};

type Answered = Result<Answer, Answer>;

/// More items in one `PUT` are refused with 413.
const MOST_AT_ONCE: usize = 250;
/// A week.
const LONGEST_SNOOZE: i64 = 604_800;

/// The value at `key` of the body.
fn wrapped(call: &Call, key: &str) -> Result<Value, Answer> {
    let mut body = call.json()?;
    body.get_mut(key).map(Value::take).ok_or_else(|| Answer::invalid(format!("{key} is missing")))
}

pub(super) fn update_one(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let ix = call.incident(world)?;
    let item = wrapped(call, "incident")?;
    let update = world.read_update(&item)?;
    world.check_update(ix, &update, call.now)?;
    world.apply_update(ix, update, by, call.now);
    Ok(Answer::ok(json!({"incident": world.incident_json(ix, &Includes::default())})))
}

pub(super) fn update_many(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let items = wrapped(call, "incidents")?;
    let items = items.as_array().ok_or_else(|| Answer::invalid("incidents must be a list"))?;
    if items.len() > MOST_AT_ONCE {
        let message = "The request has more items than are allowed at once";
        return Err(Answer::error(StatusCode::PAYLOAD_TOO_LARGE, 2001, message));
    }
    let mut planned = vec![];
    for item in items {
        if item.get("service").is_some() {
            return Err(Answer::invalid("service can only be changed for one incident at a time"));
        }
        let ix = listed(world, item)?;
        if planned.iter().any(|(other, _)| *other == ix) {
            return Err(Answer::invalid("an incident is listed twice"));
        }
        let update = world.read_update(item)?;
        world.check_update(ix, &update, call.now)?;
        planned.push((ix, update));
    }
    let changed: Vec<IncidentIx> = planned.iter().map(|(ix, _)| *ix).collect();
    for (ix, update) in planned {
        world.apply_update(ix, update, by, call.now);
    }
    let incidents: Vec<Value> = changed.iter().map(|ix| world.incident_json(*ix, &Includes::default())).collect();
    Ok(Answer::ok(json!({"incidents": incidents})))
}

/// In lists only ids count, not numbers, and a missing one spoils the whole request.
fn listed(world: &World, item: &Value) -> Result<IncidentIx, Answer> {
    let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
    let found = world.find(id).filter(|ix| world.incident(*ix).id == id);
    found.ok_or_else(|| Answer::invalid(format!("Incident {id} Not Found")))
}

pub(super) fn create(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let item = wrapped(call, "incident")?;
    let new = read_new(world, &item, Agent::User(by))?;
    let ix = world.trigger(new, call.now);
    Ok(Answer::created(json!({"incident": world.incident_json(ix, &Includes::default())})))
}

/// Reads a new incident made by hand.
fn read_new(world: &World, item: &Value, agent: Agent) -> Result<Trigger, Answer> {
    let title = item.get("title").and_then(Value::as_str).filter(|t| !t.is_empty());
    let service = update::reference(item, "service")?.and_then(|id| world.account.find_service(id));
    let (Some(title), Some(service)) = (title, service) else {
        return Err(Answer::invalid("title and service must be given"));
    };
    let policy = update::reference(item, "escalation_policy")?
        .map(|id| world.account.find_policy(id).ok_or(Objection::PolicyNotFound))
        .transpose()?;
    let assignees = world.read_assignees(item)?.unwrap_or_default();
    if assignees.len() > 1 || (policy.is_some() && !assignees.is_empty()) {
        return Err(Answer::invalid("either one assignee or an escalation policy may be given"));
    }
    let key = item.get("incident_key").and_then(Value::as_str).map(str::to_owned);
    refuse_known_key(world, service, key.as_deref())?;
    let kind = item.get("incident_type").and_then(|t| t.get("name")).and_then(Value::as_str);
    Ok(Trigger {
        title: title.to_owned(),
        service,
        urgency: item.get("urgency").and_then(Value::as_str).and_then(update::urgency).unwrap_or(Urgency::High),
        agent,
        priority: world.read_priority(item)?.and_then(update::Ranking::priority),
        key,
        alert: None,
        policy,
        assignee: assignees.first().copied(),
        kind: kind.map(str::to_owned),
    })
}

fn refuse_known_key(world: &World, service: ServiceIx, key: Option<&str>) -> Result<(), Answer> {
    let same = |ix: &IncidentIx| {
        let incident = world.incident(*ix);
        incident.service == service && Some(incident.key.as_str()) == key
    };
    match world.open().find(same) {
        Some(_) => Err(Answer::invalid("Open incident with matching dedup key already exists on this service")),
        None => Ok(()),
    }
}

pub(super) fn snooze(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let ix = call.incident(world)?;
    let duration = call.json()?.get("duration").and_then(Value::as_i64);
    let seconds = duration.filter(|d| (1..=LONGEST_SNOOZE).contains(d)).ok_or(Objection::InvalidSnooze)?;
    if world.incident(ix).status != Status::Acknowledged {
        return Err(Objection::NotAcknowledged.into());
    }
    world.snooze(ix, seconds, by, call.now);
    Ok(Answer::created(json!({"incident": world.incident_json(ix, &Includes::default())})))
}

pub(super) fn merge(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let target = call.incident(world)?;
    let sources = wrapped(call, "source_incidents")?;
    let sources = sources.as_array().ok_or_else(|| Answer::invalid("source_incidents must be a list"))?;
    let sources = sources.iter().map(|item| listed(world, item)).collect::<Result<Vec<_>, _>>()?;
    if !world.incident(target).status.is_open() {
        return Err(Objection::AlreadyResolved.into());
    }
    if sources.iter().any(|ix| world.incident(*ix).merged_into.is_some()) {
        return Err(Objection::AlreadyMerged.into());
    }
    world.merge(target, &sources, by, call.now);
    Ok(Answer::ok(json!({"incident": incident_ref(world.incident(target))})))
}

//! What belongs to one incident: notes, alerts, timeline. Notes come whole, the others in pages.

use serde_json::{Value, json};

use super::{
    super::{
        json::Includes,
        world::{Incident, Objection, World, incident::LogEntry, update},
    },
    Answer, Call,
    account::in_set,
};

type Answered = Result<Answer, Answer>;

/// As documented for one incident.
const MOST_NOTES: usize = 2000;

pub(super) fn notes(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    let zone = call.query.zone(world.account.zone)?;
    let notes: Vec<Value> = world.incident(ix).notes.iter().rev().map(|n| world.note_json(n, &zone)).collect();
    Ok(Answer::ok(json!({"notes": notes})))
}

pub(super) fn annotate(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let ix = call.incident(world)?;
    let body = call.json()?;
    let content = body.get("note").and_then(|n| n.get("content")).and_then(Value::as_str);
    let content = content.filter(|c| !c.trim().is_empty());
    let content = content.ok_or_else(|| Answer::invalid("Content cannot be empty"))?;
    if world.incident(ix).notes.len() >= MOST_NOTES {
        return Err(super::bad_request(2019, "Product Limit Reached"));
    }
    let place = world.annotate(ix, by, content, call.now);
    let zone = call.query.zone(world.account.zone)?;
    let note = world.incident(ix).notes.get(place).map(|n| world.note_json(n, &zone));
    Ok(Answer::ok(json!({"note": note})))
}

pub(super) fn alerts(world: &mut World, call: &Call) -> Answered {
    let incident = world.incident(call.incident(world)?);
    let statuses = call.query.set("statuses");
    if statuses.iter().any(|s| update::status(s).is_none()) {
        return Err(Objection::InvalidStatus.into());
    }
    let wanted = |alert: &&super::super::world::incident::Alert| {
        let status = if alert.resolved_at.is_some() { "resolved" } else { "triggered" };
        in_set(call, "statuses", status) && call.query.one("alert_key").is_none_or(|key| key == alert.key)
    };
    let found: Vec<_> = incident.alerts.iter().filter(wanted).collect();
    let includes = call.query.includes();
    Ok(Answer::ok(call.query.page()?.of("alerts", &found, |alert| world.alert_json(incident, alert, &includes))))
}

pub(super) fn alert(world: &mut World, call: &Call) -> Answered {
    let incident = world.incident(call.incident(world)?);
    let alert = incident.alerts.iter().find(|a| a.id == call.id(1)).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(json!({"alert": world.alert_json(incident, alert, &Includes::default())})))
}

pub(super) fn incident_log(world: &mut World, call: &Call) -> Answered {
    let incident = world.incident(call.incident(world)?);
    paged(world, call, incident.log.iter().map(|entry| (incident, entry)).collect())
}

/// Of all incidents.
pub(super) fn log(world: &mut World, call: &Call) -> Answered {
    let entries = world.incidents().flat_map(|(_, i)| i.log.iter().map(move |entry| (i, entry))).collect();
    paged(world, call, entries)
}

/// Newest first, within `since` and `until` if those are given.
fn paged(world: &World, call: &Call, mut entries: Vec<(&Incident, &LogEntry)>) -> Answered {
    let zone = call.query.zone(world.account.zone)?;
    let (since, until) = (call.query.time("since", &zone)?, call.query.time("until", &zone)?);
    let overview = call.query.flag("is_overview");
    entries.retain(|(_, e)| {
        let time = since.is_none_or(|s| e.at >= s) && until.is_none_or(|u| e.at <= u);
        time && (!overview || e.entry.is_overview())
    });
    // Of the same moment the later written comes first.
    entries.reverse();
    entries.sort_by_key(|(_, e)| std::cmp::Reverse(e.at));
    let includes = call.query.includes();
    Ok(Answer::ok(
        call.query.page()?.of("log_entries", &entries, |(incident, e)| world.entry_json(incident, e, &includes)),
    ))
}

//! Overrides of both kinds of schedules: seen, made and taken away.
//!
//! An answer of 201 says nothing yet: each override that was asked for has a status of its own in it, in one of three
//! shapes. What the answer does not show as made is not called made.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::Api,
    lenient,
    naming::named,
    oncall::Window,
    paging::List,
    shift_based::{self, Assignment, Member, People},
    wire,
};
use crate::{
    core::{
        arrangement::Cover,
        id::{OverrideId, ScheduleId, UserId},
        rota::Override,
        span::Span,
        text::Shown,
    },
    provider::{Added, ProviderError, Removed},
};

/// Which system keeps a schedule. Each answers 400 to the ids of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Layers,
    Shifts,
}

/// By asking for it: one request, so that a write goes the right way at once.
pub(super) async fn kind(api: &Api, id: &ScheduleId) -> Result<Kind, ProviderError> {
    match api.get(&["schedules", id.as_str()], &[]).await {
        Ok(_) => Ok(Kind::Layers),
        Err(error) if is_other_kind(&error) => Ok(Kind::Shifts),
        Err(error) => Err(error),
    }
}

/// What either system says to an id of the other.
pub(super) fn is_other_kind(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Refused { status: 400, .. })
}

impl From<Span> for Window {
    fn from(span: Span) -> Self {
        Self { from: span.from, to: span.to }
    }
}

/// An override of either kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireOverride {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::time")]
    start: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    end: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    user: Option<wire::Reference>,
    #[serde(deserialize_with = "lenient::time")]
    start_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    end_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    overriding_member: Option<Member>,
}

pub(super) async fn list(api: &Api, id: &ScheduleId, span: Span) -> Result<Vec<Override>, ProviderError> {
    let query = Window::from(span).query();
    let path = ["schedules", id.as_str(), "overrides"];
    let rows = match api.get(&path, &query).await {
        Ok(reply) => rows(reply.json)?,
        Err(error) if is_other_kind(&error) => return list_of_shifts(api, id, &query).await,
        Err(error) => return Err(error),
    };
    Ok(rows.into_iter().filter_map(layer_override).collect())
}

/// Also what was put beside the rotations, where nobody was: to people it is an override too.
async fn list_of_shifts(api: &Api, id: &ScheduleId, query: &[(&str, String)]) -> Result<Vec<Override>, ProviderError> {
    let overrides = ["v3", "schedules", id.as_str(), "overrides"];
    let extra = ["v3", "schedules", id.as_str(), "custom_shifts"];
    let overrides = api.list(&List::all(&overrides, "overrides", query)).await?.rows;
    let extra = api.list(&List::all(&extra, "custom_shifts", query)).await?.rows;
    if overrides.is_empty() && extra.is_empty() {
        return Ok(vec![]);
    }
    let people = People::fetch(api).await?;
    let mut all: Vec<Override> = overrides.into_iter().filter_map(|row| shift_based_override(row, &people)).collect();
    all.extend(extra.into_iter().filter_map(|row| extra_shift(row, &people)));
    all.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    Ok(all)
}

fn rows(mut answer: Value) -> Result<Vec<Value>, ProviderError> {
    match answer.get_mut("overrides").map(Value::take) {
        Some(Value::Array(rows)) => Ok(rows),
        _ => Err(ProviderError::Unreadable { cause: "the list `overrides` is missing in the answer".to_owned() }),
    }
}

fn layer_override(row: Value) -> Option<Override> {
    let wire: WireOverride = serde_json::from_value(row).ok()?;
    Some(Override { id: wire.id?.parse().ok()?, start: wire.start?, end: wire.end?, user: named(wire.user)? })
}

fn shift_based_override(row: Value, people: &People) -> Option<Override> {
    let wire: WireOverride = serde_json::from_value(row).ok()?;
    let user: UserId = wire.overriding_member?.user_id?.parse().ok()?;
    let user = people.named(user);
    Some(Override { id: wire.id?.parse().ok()?, start: wire.start_time?, end: wire.end_time?, user })
}

/// Before the id of what was put beside the rotations, so that it is taken away where it is kept.
const EXTRA: &str = "custom_shift:";

fn extra_shift(row: Value, people: &People) -> Option<Override> {
    let member = row.get("assignments")?.get(0)?.get("member")?.get("user_id")?.as_str()?.to_owned();
    let wire: WireOverride = serde_json::from_value(row).ok()?;
    let id = format!("{EXTRA}{}", wire.id?).parse().ok()?;
    Some(Override { id, start: wire.start_time?, end: wire.end_time?, user: people.named(member.parse().ok()?) })
}

pub(super) async fn add(api: &Api, id: &ScheduleId, covers: &[Cover]) -> Result<Vec<Added>, ProviderError> {
    match kind(api, id).await.map_err(unsent)? {
        Kind::Layers => add_to_layers(api, id, covers).await,
        Kind::Shifts => {
            let mut out = vec![];
            for cover in covers {
                // Each takes several requests, so each ends for itself.
                out.push(match add_to_shifts(api, id, cover).await {
                    Ok(added) => added,
                    Err(error @ ProviderError::RateLimited { .. }) if out.is_empty() => return Err(error),
                    Err(error) if covers.len() > 1 && !error.leaves_doubt() => Added::Refused { reason: error.shown() },
                    Err(error) => return Err(error),
                });
            }
            Ok(out)
        }
    }
}

/// What failed before anything was sent leaves no doubt about what was.
fn unsent(error: ProviderError) -> ProviderError {
    match error {
        error if !error.leaves_doubt() => error,
        error => ProviderError::Unreachable {
            address: "the schedule".to_owned(),
            cause: format!("nothing was sent, because it could not be looked at first: {error}"),
            maybe_sent: false,
        },
    }
}

async fn add_to_layers(api: &Api, id: &ScheduleId, covers: &[Cover]) -> Result<Vec<Added>, ProviderError> {
    let one = |cover: &Cover| {
        json!({
            "start": wire::time(cover.span.from),
            "end": wire::time(cover.span.to),
            "user": { "id": cover.user.id.as_str(), "type": "user_reference" },
            "time_zone": "UTC",
        })
    };
    let body = json!({ "overrides": covers.iter().map(one).collect::<Vec<_>>() });
    let answer = api.post(&["schedules", id.as_str(), "overrides"], body).await?;
    let items = items(answer).ok_or_else(|| unreadable("without overrides"))?;
    if items.len() != covers.len() {
        return Err(unreadable("with another number of overrides than were asked for"));
    }
    Ok(items.iter().zip(covers).map(|(item, cover)| judged(item, cover)).collect())
}

fn unreadable(what: &str) -> ProviderError {
    ProviderError::Unreadable { cause: format!("an answer {what}") }
}

/// The items of an answer in each of its three shapes: a list, `{"overrides": list}`, `{"override": {…}}`.
fn items(answer: Value) -> Option<Vec<Value>> {
    match answer {
        Value::Array(items) => Some(items),
        Value::Object(mut fields) => match (fields.remove("overrides"), fields.remove("override")) {
            (Some(Value::Array(items)), _) => Some(items),
            (_, Some(one)) => Some(vec![one]),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an item shows itself as made. It may have a status and the override beside it, or be the override.
fn judged(item: &Value, cover: &Cover) -> Added {
    let status = item.get("status").and_then(Value::as_u64);
    let made = item.get("override").unwrap_or(item);
    if let Some(status) = status.filter(|status| !(200..300).contains(status)) {
        return Added::Refused { reason: Shown::line(&reason(item, status)) };
    }
    if item.get("errors").is_some_and(|errors| errors.as_array().is_some_and(|all| !all.is_empty())) {
        return Added::Refused { reason: Shown::line(&reason(item, status.unwrap_or_default())) };
    }
    match layer_override(made.clone()) {
        Some(made) if made.user.id == cover.user.id => Added::Made,
        Some(made) => Added::Refused {
            reason: Shown::line(&format!("the provider put {} there, and not who was asked for", made.user.name)),
        },
        None => Added::Refused { reason: "the provider's answer does not show it as made".into() },
    }
}

fn reason(item: &Value, status: u64) -> String {
    let errors = item.get("errors");
    let texts: Vec<&str> = match errors {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => vec![],
    };
    if texts.is_empty() { format!("refused with {status}") } else { texts.join("; ") }
}

/// What of a cover lies where somebody is, and what where nobody is.
#[derive(Debug, Default, PartialEq)]
struct Pieces {
    overrides: Vec<Value>,
    /// Nobody is there, so that nobody can be replaced: the person is put there beside the rotations.
    extra: Vec<Value>,
}

async fn add_to_shifts(api: &Api, id: &ScheduleId, cover: &Cover) -> Result<Added, ProviderError> {
    let (_, assignments) = shift_based::fetch(api, id, cover.span.into()).await.map_err(unsent)?;
    let pieces = pieces(&assignments, cover);
    let (wanted, mut done, mut failed) = (pieces.overrides.len() + pieces.extra.len(), 0, vec![]);
    if wanted == 0 {
        return Ok(Added::There);
    }
    for (kind, items) in [("overrides", pieces.overrides), ("custom_shifts", pieces.extra)] {
        if items.is_empty() {
            continue;
        }
        let asked = items.len();
        let body = Value::Object([(kind.to_owned(), Value::Array(items))].into_iter().collect());
        match api.post(&["v3", "schedules", id.as_str(), kind], body).await {
            Ok(answer) => {
                let made = answer
                    .get(kind)
                    .and_then(Value::as_array)
                    .map_or(0, |made| made.iter().filter(|one| one.get("id").is_some_and(Value::is_string)).count());
                done += made.min(asked);
                if made < asked {
                    failed.push(format!("the answer shows {made} of {asked} {} as made", kind.replace('_', " ")));
                }
            }
            Err(error) if error.leaves_doubt() && done > 0 => return Ok(in_doubt(&error, done, wanted)),
            Err(error) if error.leaves_doubt() => return Err(error),
            // Nothing was done of it, and nothing of the rest will be: asked again, all of it is.
            Err(error @ ProviderError::RateLimited { .. }) if done == 0 && failed.is_empty() => return Err(error),
            Err(error) => failed.push(error.to_string()),
        }
    }
    let reason = Shown::line(&failed.join("; "));
    Ok(match done {
        all if all == wanted => Added::Made,
        0 => Added::Refused { reason },
        _ => Added::Partly { failed: reason },
    })
}

fn in_doubt(error: &ProviderError, done: usize, wanted: usize) -> Added {
    Added::InDoubt { given: Shown::line(&format!("{done} of {wanted} parts of the time")), cause: error.shown() }
}

fn pieces(assignments: &[Assignment], cover: &Cover) -> Pieces {
    let mut out = Pieces::default();
    let mut taken: Vec<&Assignment> = assignments.iter().filter(|one| one.user().is_some()).collect();
    taken.sort_by_key(|one| (one.start_time, one.end_time));
    let mut reached = cover.span.from;
    for one in taken {
        let (Some(start), Some(end)) = (one.start_time, one.end_time) else { continue };
        let (start, end) = (start.max(cover.span.from), end.min(cover.span.to));
        if start >= end {
            continue;
        }
        if start > reached {
            out.extra.push(extra(reached, start, cover));
        }
        reached = reached.max(end);
        if one.user().is_some_and(|user| user != cover.user.id) {
            out.overrides.push(replacing(one, start, end, cover));
        }
    }
    if reached < cover.span.to {
        out.extra.push(extra(reached, cover.span.to, cover));
    }
    out
}

fn replacing(one: &Assignment, start: Timestamp, end: Timestamp, cover: &Cover) -> Value {
    let source = one.source.clone().unwrap_or_default();
    let member = |id: &str| json!({ "type": "user_member", "user_id": id });
    let mut item = json!({
        "type": "override_shift",
        "start_time": wire::time(start),
        "end_time": wire::time(end),
        "overridden_member": member(one.user().as_ref().map_or("", UserId::as_str)),
        "overriding_member": member(cover.user.id.as_str()),
    });
    match (source.rotation_id, source.shift_id) {
        (Some(rotation), _) => item["rotation_id"] = Value::String(rotation),
        (None, Some(shift)) => item["custom_shift_id"] = Value::String(shift),
        // The provider refuses it, and says why.
        (None, None) => {}
    }
    item
}

fn extra(start: Timestamp, end: Timestamp, cover: &Cover) -> Value {
    let member = json!({ "type": "user_member", "user_id": cover.user.id.as_str() });
    json!({
        "type": "custom_shift",
        "start_time": wire::time(start),
        "end_time": wire::time(end),
        "assignments": [{ "type": "shift_assignment", "member": member }],
    })
}

pub(super) async fn remove(api: &Api, schedule: &ScheduleId, id: &OverrideId) -> Result<Removed, ProviderError> {
    let reply = match kind(api, schedule).await.map_err(unsent)? {
        Kind::Layers => api.delete(&["schedules", schedule.as_str(), "overrides", id.as_str()]).await?,
        Kind::Shifts => {
            let (kind, id) = match id.as_str().strip_prefix(EXTRA) {
                Some(id) => ("custom_shifts", id),
                None => ("overrides", id.as_str()),
            };
            api.delete(&["v3", "schedules", schedule.as_str(), kind, id]).await?
        }
    };
    // One that runs is cut short, with 200.
    Ok(if reply.status == 200 { Removed::CutShort } else { Removed::Gone })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::incident::Named;

    fn time(text: &str) -> Timestamp {
        format!("2026-01-01T{text}:00Z").parse().expect("time")
    }

    fn cover(from: &str, to: &str) -> Cover {
        let user = Named { id: UserId::new("UBOB").expect("id"), name: "Bob".into() };
        Cover { user, span: Span { from: time(from), to: time(to) }, replaces: vec![] }
    }

    fn made(user: &str) -> Value {
        json!({ "id": "Q1", "start": "2026-01-01T08:00:00Z", "end": "2026-01-01T09:00:00Z", "user": { "id": user } })
    }

    #[test]
    fn each_of_the_three_shapes_of_an_answer_is_read() {
        let list = json!([{ "status": 201, "override": made("UBOB") }]);
        let wrapped = json!({ "overrides": [made("UBOB")] });
        let old = json!({ "override": made("UBOB") });
        for answer in [list, wrapped, old] {
            let items = items(answer).expect("items");
            assert_eq!(
                items.iter().map(|item| judged(item, &cover("08:00", "09:00"))).collect::<Vec<_>>(),
                [Added::Made]
            );
        }
        assert_eq!(items(json!({ "ok": true })), None);
    }

    #[test]
    fn created_says_nothing_for_an_item_that_failed() {
        let failed =
            json!({ "status": 400, "errors": ["Override must end after its start"], "override": made("UBOB") });
        let refused = |item: Value| match judged(&item, &cover("08:00", "09:00")) {
            Added::Refused { reason } => reason.to_string(),
            other => panic!("{other:?}"),
        };

        assert_eq!(refused(failed), "Override must end after its start");
        assert_eq!(refused(json!({ "status": 422, "override": made("UBOB") })), "refused with 422");
        assert!(refused(json!({ "status": 201, "override": made("UANN") })).contains("not who was asked for"));
        assert!(refused(json!({ "status": 201, "override": { "user": { "id": "UBOB" } } })).contains("not show it"));
    }

    #[test]
    fn a_cover_of_a_shift_based_schedule_names_each_whom_it_replaces_and_fills_the_gaps() {
        let assignments: Vec<Assignment> = serde_json::from_value(json!([
            { "start_time": "2026-01-01T06:00:00Z", "end_time": "2026-01-01T08:30:00Z",
              "member": { "type": "user_member", "user_id": "UANN" }, "source": { "rotation_id": "R1" } },
            { "start_time": "2026-01-01T08:30:00Z", "end_time": "2026-01-01T09:00:00Z",
              "member": { "type": "empty_member" }, "source": {} },
            { "start_time": "2026-01-01T09:00:00Z", "end_time": "2026-01-01T09:30:00Z",
              "member": { "type": "user_member", "user_id": "UBOB" }, "source": { "rotation_id": "R1" } },
            { "start_time": "2026-01-01T09:30:00Z", "end_time": "2026-01-01T12:00:00Z",
              "member": { "type": "user_member", "user_id": "UZOE" }, "source": { "shift_id": "C1" } },
        ]))
        .expect("assignments");

        let pieces = pieces(&assignments, &cover("08:00", "10:00"));

        let told = |item: &Value| {
            let text = |key: &str| item[key].as_str().unwrap_or_default().get(11..16).unwrap_or_default().to_owned();
            format!("{}-{}", text("start_time"), text("end_time"))
        };
        assert_eq!(pieces.overrides.iter().map(told).collect::<Vec<_>>(), ["08:00-08:30", "09:30-10:00"]);
        assert_eq!(pieces.extra.iter().map(told).collect::<Vec<_>>(), ["08:30-09:00"]);
        assert_eq!(pieces.overrides[0]["rotation_id"], "R1");
        assert_eq!(pieces.overrides[0]["overridden_member"]["user_id"], "UANN");
        assert_eq!(
            (&pieces.overrides[1]["custom_shift_id"], pieces.overrides[1].get("rotation_id")),
            (&json!("C1"), None)
        );
        assert_eq!(pieces.extra[0]["assignments"][0]["member"]["user_id"], "UBOB");
    }
}

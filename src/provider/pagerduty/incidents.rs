//! Incidents on the wire turned into observations; the shapes of REST and of webhooks meet here.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    client::Api,
    naming::{named, shown_url},
    paging::{End, List},
    wire,
};
use crate::{
    core::{
        id::{AccountName, IncidentId, IncidentKey},
        incident::{Extra, Observation, Pending, Stamp, State, Status, Urgency, Via},
        text::Shown,
    },
    provider::ProviderError,
};

/// `PagerDuty` refuses a longer range than six months.
const LONGEST_RANGE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// Every open incident: `date_range=all`, because without it those older than a month are left out. In order of
/// creation, so that new ones come behind the pages that were read already.
pub(super) async fn open(api: &Api, account: &AccountName, now: Timestamp) -> Result<Vec<Observation>, ProviderError> {
    let (statuses, asked) = (&[Status::Triggered, Status::Acknowledged], api.http.asked());
    let mut query = of_status(statuses);
    query.insert(0, ("date_range", "all".to_owned()));
    let read = |row| observed(account, row, asked);
    let mut found = api.list_of(&List::all(&["incidents"], "incidents", &query).side_by_side(), &read).await?;
    if found.end == End::Window {
        let since = newest(&found.rows).ok_or_else(too_many)?;
        found.rows.extend(created_since(api, account, statuses, since, now).await?);
    }
    Ok(found.rows)
}

/// Incidents that are resolved and were **created** since `since`: that is what the filter of this name compares.
/// An older one that was resolved only now is missing here; ask for it by its id when it leaves the open list.
pub(super) async fn resolved(
    api: &Api,
    account: &AccountName,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Observation>, ProviderError> {
    let earliest = now.checked_sub(LONGEST_RANGE).unwrap_or(since);
    created_since(api, account, &[Status::Resolved], since.max(earliest), now).await
}

fn of_status(statuses: &[Status]) -> Vec<(&'static str, String)> {
    let mut query: Vec<_> = statuses.iter().map(|status| ("statuses[]", status.word().to_owned())).collect();
    query.push(("sort_by", "created_at:asc".to_owned()));
    query
}

/// Those that were created since `since`, however many: where there are more than one list shows, the next begins with
/// the last of it, and none spans more time than `PagerDuty` allows.
async fn created_since(
    api: &Api,
    account: &AccountName,
    statuses: &[Status],
    mut since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Observation>, ProviderError> {
    let asked = api.http.asked();
    let read = |row| observed(account, row, asked);
    let mut all = vec![];
    loop {
        let until = since.checked_add(LONGEST_RANGE).unwrap_or(now);
        let mut query = of_status(statuses);
        query.extend([("since", wire::time(since)), ("time_zone", "UTC".to_owned())]);
        if until < now {
            query.push(("until", wire::time(until)));
        }
        let found = api.list_of(&List::all(&["incidents"], "incidents", &query).side_by_side(), &read).await?;
        let newest = newest(&found.rows);
        all.extend(found.rows);
        since = match found.end {
            End::Window => newest.filter(|newest| *newest > since).ok_or_else(too_many)?,
            End::Whole | End::Enough if until < now => until,
            End::Whole | End::Enough => return Ok(all),
        };
    }
}

fn newest(seen: &[Observation]) -> Option<Timestamp> {
    seen.iter().map(|seen| seen.state.created_at).max()
}

fn too_many() -> ProviderError {
    let cause = "more than 10000 incidents of one second, of which PagerDuty shows no more".to_owned();
    ProviderError::Unreadable { cause }
}

pub(super) async fn one(api: &Api, account: &AccountName, id: &IncidentId) -> Result<Observation, ProviderError> {
    let asked = api.http.asked();
    let answer = api.get(&["incidents", id.as_str()], &[]).await?.json;
    unwrapped(account, answer, asked)
}

/// The newest incident with this dedup key. The filter also finds those of which an alert has it.
pub(super) async fn with_dedup_key(
    api: &Api,
    account: &AccountName,
    dedup_key: &str,
) -> Result<Option<Observation>, ProviderError> {
    let query = [("incident_key", dedup_key.to_owned()), ("date_range", "all".to_owned())];
    let asked = api.http.asked();
    let read = |row| observed(account, row, asked);
    let found = api.list_of(&List::all(&["incidents"], "incidents", &query), &read).await?.rows;
    let has_it = |seen: &Observation| seen.state.dedup_key.as_ref().is_some_and(|known| known.as_str() == dedup_key);
    Ok(found.into_iter().filter(has_it).max_by_key(|seen| seen.state.created_at))
}

pub(super) fn unwrapped(
    account: &AccountName,
    mut answer: Value,
    asked: Timestamp,
) -> Result<Observation, ProviderError> {
    let incident = answer.get_mut("incident").map(Value::take).unwrap_or_default();
    observed(account, incident, asked)
}

/// A REST incident. An error names the incident as well as it can be named.
pub(super) fn observed(account: &AccountName, row: Value, asked: Timestamp) -> Result<Observation, ProviderError> {
    let id = row.get("id").map(|id| Shown::line(&id.to_string())).unwrap_or_default();
    read(account, row, asked).map_err(|lack| ProviderError::Unreadable { cause: format!("incident {id} {lack}") })
}

fn read(account: &AccountName, row: Value, asked: Timestamp) -> Result<Observation, &'static str> {
    let wire: wire::Incident = serde_json::from_value(row).map_err(|_| "is not an object")?;
    let id = incident_id(wire.id.as_deref()).ok_or("has no usable id")?;
    let changed = wire.updated_at.or(wire.last_status_change_at).or(wire.created_at).ok_or("has no time")?;
    let told = extra(&wire);
    let state = state(wire, changed)?;
    let extra = Extra { of: state.gist(), ..told };
    let key = IncidentKey { account: account.clone(), id };
    Ok(Observation { key, stamp: Stamp::rest(changed, asked), state, extra: Some(extra) })
}

pub(super) fn incident_id(id: Option<&str>) -> Option<IncidentId> {
    IncidentId::new(id?).ok()
}

/// What webhooks and REST both tell. `latest` stands in for a creation time that is not told: it is no later.
/// An urgency that is not known counts as high: better one call too many.
pub(super) fn state(wire: wire::Incident, latest: Timestamp) -> Result<State, &'static str> {
    let status = match wire.status.as_deref() {
        Some("triggered") => Status::Triggered,
        Some("acknowledged") => Status::Acknowledged,
        Some("resolved") => Status::Resolved,
        Some(_) => return Err("has a status that is not known here"),
        None => return Err("has no status"),
    };
    let title = wire.title.or(wire.summary).unwrap_or_else(|| "(no title)".to_owned());
    let assigned = wire.assignments.into_iter().filter_map(|assignment| assignment.assignee);
    Ok(State {
        status,
        urgency: if wire.urgency.as_deref() == Some("low") { Urgency::Low } else { Urgency::High },
        title: Shown::line(&title),
        number: wire.number.or(wire.pushed_number),
        priority: priority(&wire.priority),
        service: named(wire.service),
        escalation_policy: named(wire.escalation_policy),
        assignees: few(assigned.chain(wire.assignees).filter_map(|user| named(Some(user)))),
        teams: few(wire.teams.into_iter().filter_map(|team| named(Some(team)))),
        created_at: wire.created_at.unwrap_or(latest),
        url: shown_url(wire.html_url.as_deref()),
        dedup_key: wire.dedup_key.as_deref().map(Shown::line),
    })
}

/// Without room to spare: there may be ten thousand incidents, and most have one of each.
fn few<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut few: Vec<T> = items.collect();
    few.shrink_to_fit();
    few
}

fn priority(value: &Value) -> Option<Shown> {
    let name = value.get("summary").or_else(|| value.get("name")).unwrap_or(value);
    name.as_str().map(Shown::line)
}

fn extra(wire: &wire::Incident) -> Extra {
    let label = |one: &wire::Reference| one.summary.as_deref().or(one.name.as_deref()).map(Shown::line);
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let acknowledged = |one: &wire::Acknowledgement| {
        let by = one.acknowledger.as_ref().and_then(label).unwrap_or_else(|| Shown::line("somebody"));
        Some((one.at?, by))
    };
    let pending = |one: &wire::PendingAction| Some(Pending { what: Shown::line(one.kind.as_deref()?), at: one.at? });
    Extra {
        acknowledged: few(wire.acknowledgements.iter().filter_map(acknowledged)),
        pending: few(wire.pending_actions.iter().filter_map(pending)),
        alerts: wire.alert_counts.as_ref().and_then(|count| Some((small(count.all?), small(count.triggered?)))),
        changed_by: wire.last_status_change_by.as_ref().and_then(label),
        assigned_at: wire.assignments.iter().filter_map(|one| one.at).max(),
        via: match wire.assigned_via.as_deref() {
            Some("escalation_policy") => Some(Via::EscalationPolicy),
            Some("direct_assignment") => Some(Via::Direct),
            Some(_) | None => None,
        },
        merged_into: merged_into(&wire.resolve_reason),
        of: 0,
    }
}

/// `{"type": "merge_resolve_reason", "incident": {"id": …}}`, or null.
fn merged_into(reason: &Value) -> Option<IncidentId> {
    let merged = reason.get("type").and_then(Value::as_str) == Some("merge_resolve_reason");
    merged.then(|| incident_id(reason.get("incident")?.get("id")?.as_str()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn account() -> AccountName {
        AccountName::new("prod").expect("name")
    }

    fn row() -> Value {
        json!({
            "id": "P1", "incident_number": "17", "status": "acknowledged", "urgency": "severe", "title": "disk\u{1b}[2J",
            "created_at": "2026-01-02T03:04:05-05:00", "updated_at": "2026-01-02T08:05:00Z", "priority": "P1",
            "html_url": "http://evil.example/", "incident_key": null, "teams": null, "acknowledgements": null,
            "assignments": [{"assignee": {"id": "U1", "summary": "Ann"}}, 7, {"assignee": null}],
            "pending_actions": [{"type": "unacknowledge", "at": "2026-01-02T09:00:00Z"}, {"type": "escalate"}],
            "service": {"id": "S1", "summary": null}, "alert_counts": {"all": 3, "triggered": 1},
            "last_status_change_by": {"id": "U1", "summary": "Ann"},
        })
    }

    #[test]
    fn odd_fields_are_left_out_and_the_rest_is_kept() {
        let seen = observed(&account(), row(), Timestamp::UNIX_EPOCH).expect("readable");

        assert_eq!(seen.stamp, Stamp::rest("2026-01-02T08:05:00Z".parse().expect("time"), Timestamp::UNIX_EPOCH));
        assert_eq!(seen.state.created_at, "2026-01-02T08:04:05Z".parse().expect("time"));
        assert_eq!((seen.state.number, seen.state.urgency, seen.state.url), (Some(17), Urgency::High, None));
        assert_eq!(seen.state.title.as_str(), "disk␛[2J");
        assert_eq!(seen.state.assignees.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Ann"]);
        assert_eq!(seen.state.service.expect("service").name.as_str(), "S1");
        assert_eq!(seen.state.priority.expect("priority").as_str(), "P1");
        let extra = seen.extra.expect("extra");
        assert_eq!((extra.pending.len(), extra.alerts, extra.acknowledged.len()), (1, Some((3, 1)), 0));
    }

    #[test]
    fn an_incident_that_cannot_be_read_is_named() {
        for (field, value, words) in [
            ("status", json!("snoozed"), "\"P1\" has a status that is not known here"),
            ("status", json!(null), "\"P1\" has no status"),
            ("id", json!("a b"), "\"a b\" has no usable id"),
        ] {
            let mut row = row();
            row[field] = value;

            let error = observed(&account(), row, Timestamp::UNIX_EPOCH).expect_err("unreadable");

            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

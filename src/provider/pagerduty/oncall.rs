//! Who is on call, the schedules and their shifts, and to whom something can be handed.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tracing::warn;

use super::{client::Api, naming::named, paging::List, policies, wire};
use crate::{
    core::{
        id::{PolicyId, ScheduleId, TeamId},
        incident::Named,
        oncall::{OnCall, Person, Schedule, Shift},
        text::Shown,
    },
    provider::{Directory, ProviderError, Schedules},
};

/// The stretch of time that shifts are asked for, in whole seconds, as they are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

impl Window {
    pub(super) fn ahead_of(now: Timestamp) -> Self {
        let from = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { from, to: from.checked_add(AHEAD).unwrap_or(from) }
    }

    pub(super) fn query(self) -> [(&'static str, String); 3] {
        [("since", wire::time(self.from)), ("until", wire::time(self.to)), ("time_zone", "UTC".to_owned())]
    }
}

/// How far ahead shifts are fetched.
const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Schedules with their shifts in one page of the list.
const RENDERED_PAGE: usize = 25;
/// Schedules that are asked for one by one, because the list did not hold their shifts.
pub(super) const MOST_SINGLE: usize = 100;
pub(super) const AT_ONCE: usize = 4;

/// Everybody on call now. The list covers layer-based and shift-based schedules alike.
pub(super) async fn on_calls(api: &Api) -> Result<Vec<OnCall>, ProviderError> {
    let utc = [("time_zone", "UTC".to_owned())];
    let rows = api.list(&List::all(&["oncalls"], "oncalls", &utc)).await?.rows;
    let mut all = rows.into_iter().filter_map(|row| on_call(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    all.sort();
    all.dedup();
    Ok(all)
}

/// `None` for a row that names no person: nobody is on call there.
pub(super) fn on_call(row: Value) -> Result<Option<OnCall>, ProviderError> {
    let unreadable = |lack: &str| ProviderError::Unreadable { cause: format!("an on-call entry without {lack}") };
    let wire: wire::OnCall = serde_json::from_value(row).map_err(|_| unreadable("fields"))?;
    let Some(user) = wire.user else { return Ok(None) };
    let level = wire.escalation_level.and_then(|level| u32::try_from(level).ok());
    Ok(Some(OnCall {
        policy: named(wire.escalation_policy).ok_or_else(|| unreadable("an escalation policy"))?,
        level: level.ok_or_else(|| unreadable("a level"))?,
        user: named(Some(user)).ok_or_else(|| unreadable("a person"))?,
        schedule: named(wire.schedule),
        start: wire.start,
        end: wire.end,
    }))
}

/// The schedules with the coming week. The list is asked to bring the shifts along, cut at the ends of the
/// week; where it does not, each schedule is asked for by itself, with its shifts whole.
pub(super) async fn schedules(api: &Api, now: Timestamp) -> Result<Schedules, ProviderError> {
    let window = Window::ahead_of(now);
    let mut query = window.query().to_vec();
    query.extend(["final_schedule", "overrides_subschedule"].map(|part| ("include[]", part.to_owned())));
    let rows = api.list(&List::all(&["schedules"], "schedules", &query).pages_of(RENDERED_PAGE)).await?.rows;
    let (mut done, mut bare) = (vec![], vec![]);
    for row in rows {
        let (name, wire) = schedule(row)?;
        if is_rendered(&wire) { done.push(rendered(name, wire, window)) } else { bare.push(name) }
    }
    let all = done.len() + bare.len();
    let lacks = bare.len().checked_sub(MOST_SINGLE).filter(|over| *over > 0).map(|over| {
        warn!(
            schedules = bare.len(),
            "only the first {MOST_SINGLE} schedules without shifts in the list are asked for"
        );
        Shown::line(&format!("{over} of {all} schedules are not asked for: the list did not bring their shifts"))
    });
    bare.truncate(MOST_SINGLE);
    done.extend(one_by_one(api, bare, window).await?);
    Ok(Schedules { all: done, lacks: lacks.into_iter().collect(), barred: None })
}

async fn one_by_one(api: &Api, names: Vec<Named<ScheduleId>>, window: Window) -> Result<Vec<Schedule>, ProviderError> {
    let within = api.http.limits().list;
    let all = stream::iter(names)
        .map(|name| async move { single(api, name, window).await })
        .buffered(AT_ONCE)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect();
    let late = |_| ProviderError::TimedOut { address: api.http.address(), within };
    tokio::time::timeout(within, all).await.map_err(late)?
}

/// `None` when the schedule was deleted meanwhile.
pub(super) async fn single(
    api: &Api,
    name: Named<ScheduleId>,
    window: Window,
) -> Result<Option<Schedule>, ProviderError> {
    let mut query = window.query().to_vec();
    // Documented here and not for the list: shifts are not cut at the window's ends.
    query.push(("overflow", "true".to_owned()));
    let answer = match api.get(&["schedules", name.id.as_str()], &query).await {
        Ok(reply) => reply.json.get("schedule").cloned().unwrap_or_default(),
        Err(ProviderError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (_, wire) = schedule(answer)?;
    Ok(Some(rendered(name, wire, window)))
}

pub(super) fn schedule(row: Value) -> Result<(Named<ScheduleId>, wire::Schedule), ProviderError> {
    let wire: wire::Schedule = serde_json::from_value(row).unwrap_or_default();
    let reference =
        wire::Reference { id: wire.id.clone(), summary: wire.name.clone(), name: wire.summary.clone(), email: None };
    let lack = || ProviderError::Unreadable { cause: "a schedule without a usable id".to_owned() };
    Ok((named(Some(reference)).ok_or_else(lack)?, wire))
}

/// A schedule that was not rendered looks like one that nobody is on, but for its coverage.
fn is_rendered(wire: &wire::Schedule) -> bool {
    wire.resulting
        .as_ref()
        .is_some_and(|last| !last.rendered_schedule_entries.is_empty() || !last.rendered_coverage_percentage.is_null())
}

pub(super) fn rendered(schedule: Named<ScheduleId>, wire: wire::Schedule, window: Window) -> Schedule {
    let shifts_of = |part: Option<wire::Rendered>| {
        part.into_iter().flat_map(|part| part.rendered_schedule_entries).filter_map(shift).collect::<Vec<_>>()
    };
    let overrides = shifts_of(wire.overrides);
    let mut shifts = shifts_of(wire.resulting);
    for shift in &mut shifts {
        shift.from_override = overrides
            .iter()
            .any(|other| other.user.id == shift.user.id && other.start <= shift.start && shift.end <= other.end);
    }
    shifts.sort();
    let zone = Shown::line(wire.time_zone.as_deref().unwrap_or("UTC"));
    Schedule { schedule, zone, shifts, from: window.from, to: window.to }
}

fn shift(entry: wire::Entry) -> Option<Shift> {
    Some(Shift { start: entry.start?, end: entry.end?, user: named(entry.user)?, from_override: false })
}

pub(super) async fn directory(api: &Api) -> Result<Directory, ProviderError> {
    let users = List::all(&["users"], "users", &[]);
    let policies = List::all(&["escalation_policies"], "escalation_policies", &[]);
    let (users, policies) = tokio::try_join!(api.list(&users), api.list(&policies))?;
    Ok(Directory {
        people: users.rows.into_iter().map(person).collect::<Result<_, _>>()?,
        escalation: policies.rows.iter().filter_map(policies::with_rules).collect(),
        policy_teams: policies.rows.iter().filter_map(teams_of_policy).collect(),
        policies: policies.rows.into_iter().map(policy).collect::<Result<_, _>>()?,
    })
}

pub(super) fn person(row: Value) -> Result<Person, ProviderError> {
    let wire: wire::Reference = serde_json::from_value(row).unwrap_or_default();
    let email = wire.email.as_deref().map(Shown::line);
    let lack = || ProviderError::Unreadable { cause: "a user without a usable id".to_owned() };
    Ok(Person { user: named(Some(wire)).ok_or_else(lack)?, email })
}

fn policy<Id: std::str::FromStr>(row: Value) -> Result<Named<Id>, ProviderError> {
    let lack = || ProviderError::Unreadable { cause: "an escalation policy without a usable id".to_owned() };
    named(serde_json::from_value(row).ok()).ok_or_else(lack)
}

/// `None` where the row does not tell of teams.
fn teams_of_policy(row: &Value) -> Option<(PolicyId, Vec<Named<TeamId>>)> {
    let teams: Vec<wire::Reference> = serde_json::from_value(row.get("teams")?.clone()).ok()?;
    let id = row.get("id")?.as_str()?.parse().ok()?;
    Some((id, teams.into_iter().filter_map(|team| named(Some(team))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(hours: [u32; 2], user: &str) -> Value {
        let at = |hour: u32| format!("2026-01-01T{hour:02}:00:00-05:00");
        json!({ "start": at(hours[0]), "end": at(hours[1]), "user": { "id": user, "summary": user } })
    }

    #[test]
    fn shifts_are_in_order_and_overrides_are_marked() {
        let row = json!({
            "id": "S1", "name": "Daily", "time_zone": "Europe/Oslo",
            "final_schedule": { "rendered_schedule_entries":
                [entry([12, 18], "ann"), entry([0, 8], "ann"), entry([8, 12], "bob")] },
            "overrides_subschedule": { "rendered_schedule_entries": [entry([7, 12], "bob"), entry([13, 14], "ann")] },
        });

        let (name, wire) = schedule(row).expect("readable");
        let schedule = rendered(name, wire, Window::ahead_of(Timestamp::UNIX_EPOCH));

        let told: Vec<_> =
            schedule.shifts.iter().map(|shift| (shift.user.name.as_str(), shift.from_override)).collect();
        assert_eq!(told, [("ann", false), ("bob", true), ("ann", false)]);
        assert_eq!(schedule.shifts[0].start, "2026-01-01T05:00:00Z".parse().expect("time"));
        assert_eq!((schedule.zone.as_str(), schedule.schedule.name.as_str()), ("Europe/Oslo", "Daily"));
    }

    #[test]
    fn the_teams_of_a_policy_are_known_or_not_but_never_guessed() {
        let told = |row: Value| teams_of_policy(&row).map(|(_, teams)| teams.len());

        assert_eq!(told(json!({ "id": "E1", "teams": [{ "id": "T1", "summary": "Payments" }] })), Some(1));
        assert_eq!(told(json!({ "id": "E1", "teams": [] })), Some(0));
        assert_eq!([json!({ "id": "E1" }), json!({ "id": "E1", "teams": null })].map(told), [None, None]);
    }

    #[test]
    fn an_entry_without_a_person_is_nobody_and_one_that_cannot_be_read_is_an_error() {
        let policy = json!({ "id": "E1", "summary": "Default" });

        assert_eq!(on_call(json!({ "user": null, "escalation_policy": policy })), Ok(None));
        assert!(
            on_call(json!({ "user": { "id": "a b" }, "escalation_policy": policy, "escalation_level": 1 })).is_err()
        );
        assert!(on_call(json!({ "user": { "id": "U1" }, "escalation_policy": policy })).is_err());
        assert!(on_call(json!({ "user": { "id": "U1" }, "escalation_level": 1 })).is_err());
        assert!(on_call(json!(7)).is_err());
    }
}

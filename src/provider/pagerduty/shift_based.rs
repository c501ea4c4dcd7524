//! Schedules of the newer system, `/v3/schedules`: they name people by id only, and tell of gaps as an empty member.
//!
//! Their answers hold calendar addresses that are secrets (`http_cal_url`, `web_cal_url`): nothing of that is read.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use super::{
    client::Api,
    lenient,
    naming::named,
    oncall::{AT_ONCE, MOST_SINGLE, Window},
    paging::List,
    wire,
};
use crate::{
    core::{
        id::{ScheduleId, UserId},
        incident::Named,
        oncall::{Schedule, Shift},
        text::Shown,
    },
    provider::{ProviderError, Schedules},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireSchedule {
    #[serde(deserialize_with = "lenient::text")]
    time_zone: Option<String>,
    #[serde(deserialize_with = "lenient::part")]
    final_schedule: Option<WireFinal>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireFinal {
    #[serde(deserialize_with = "lenient::list")]
    computed_shift_assignments: Vec<Assignment>,
}

/// One stretch as it comes out of rotations, overrides and additional shifts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Assignment {
    #[serde(deserialize_with = "lenient::time")]
    pub(super) start_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::time")]
    pub(super) end_time: Option<Timestamp>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) member: Option<Member>,
    #[serde(deserialize_with = "lenient::part")]
    pub(super) source: Option<Origin>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Member {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) user_id: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Origin {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(super) kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) rotation_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) shift_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) override_id: Option<String>,
}

impl Assignment {
    /// Who has it; `None`: nobody.
    pub(super) fn user(&self) -> Option<UserId> {
        self.member.as_ref()?.user_id.as_deref()?.parse().ok()
    }

    fn is_override(&self) -> bool {
        let source = self.source.as_ref();
        source.is_some_and(|source| {
            source.override_id.is_some() || source.kind.as_deref().is_some_and(|kind| kind.contains("override"))
        })
    }
}

/// All schedules of this kind that the key may see. An account without the newer system has none.
pub(super) async fn schedules(api: &Api, window: Window) -> Result<Schedules, ProviderError> {
    let rows = match api.list(&List::all(&["v3", "schedules"], "schedules", &[])).await {
        Ok(rows) => rows.rows,
        Err(ProviderError::NotFound { .. } | ProviderError::Refused { status: 400 | 405 | 410, .. }) => {
            return Ok(Schedules::default());
        }
        Err(error) => return Err(error),
    };
    let listed = rows.len();
    let mut names: Vec<Named<ScheduleId>> =
        rows.into_iter().filter_map(|row| named(serde_json::from_value(row).ok())).collect();
    let mut lacks = vec![];
    if names.len() < listed {
        let nameless = listed - names.len();
        lacks.push(Shown::line(&format!("{nameless} of {listed} shift-based schedules came without a usable id")));
    }
    if names.len() > MOST_SINGLE {
        warn!(schedules = names.len(), "only the first {MOST_SINGLE} shift-based schedules are asked for");
        let over = names.len() - MOST_SINGLE;
        lacks.push(Shown::line(&format!("{over} of {listed} shift-based schedules are not asked for")));
        names.truncate(MOST_SINGLE);
    }
    if names.is_empty() {
        return Ok(Schedules { lacks, ..Schedules::default() });
    }
    let (all, unreadable) = one_by_one(api, names, window).await?;
    lacks.extend(unreadable);
    Ok(Schedules { all, lacks, barred: None })
}

/// Each by itself; and which of them cannot be read.
async fn one_by_one(
    api: &Api,
    names: Vec<Named<ScheduleId>>,
    window: Window,
) -> Result<(Vec<Schedule>, Vec<Shown>), ProviderError> {
    let people = People::fetch(api).await?;
    let within = api.http.limits().list;
    let all = stream::iter(names)
        .map(|name| {
            let people = &people;
            async move { one(api, name, window, people).await }
        })
        .buffered(AT_ONCE)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect();
    let late = |_| ProviderError::TimedOut { address: api.http.address(), within };
    let found: Vec<Result<Schedule, Shown>> = tokio::time::timeout(within, all).await.map_err(late)??;
    let (mut all, mut unreadable) = (vec![], vec![]);
    for one in found {
        match one {
            Ok(schedule) => all.push(schedule),
            Err(why) => unreadable.push(why),
        }
    }
    Ok((all, unreadable))
}

/// One schedule, or that it cannot be read; `None` when it was deleted meanwhile.
async fn one(
    api: &Api,
    schedule: Named<ScheduleId>,
    window: Window,
    people: &People,
) -> Result<Option<Result<Schedule, Shown>>, ProviderError> {
    match fetch(api, &schedule.id, window).await {
        Ok((zone, assignments)) => Ok(Some(Ok(rendered(schedule, zone, &assignments, window, people)))),
        Err(ProviderError::NotFound { .. }) => Ok(None),
        Err(error @ ProviderError::Unreadable { .. }) => {
            warn!(schedule.id = %schedule.id, %error, "a shift-based schedule is left out");
            Ok(Some(Err(Shown::line(&format!("the schedule {} is left out: {error}", schedule.name)))))
        }
        Err(error) => Err(error),
    }
}

/// One schedule by itself.
pub(super) async fn single(api: &Api, schedule: Named<ScheduleId>, window: Window) -> Result<Schedule, ProviderError> {
    let (zone, assignments) = fetch(api, &schedule.id, window).await?;
    let people = People::fetch(api).await?;
    Ok(rendered(schedule, zone, &assignments, window, &people))
}

/// The schedule's zone, and who has it when.
pub(super) async fn fetch(
    api: &Api,
    id: &ScheduleId,
    window: Window,
) -> Result<(Shown, Vec<Assignment>), ProviderError> {
    let mut query = window.query().to_vec();
    query.extend([("overflow", "true".to_owned()), ("include[]", "final_schedule".to_owned())]);
    let mut answer = api.get(&["v3", "schedules", id.as_str()], &query).await?.json;
    let schedule = answer.get_mut("schedule").map(Value::take).unwrap_or_default();
    let wire: WireSchedule = serde_json::from_value(schedule).unwrap_or_default();
    let lack = || ProviderError::Unreadable { cause: format!("the schedule {id} came without its final schedule") };
    let rendered = wire.final_schedule.ok_or_else(lack)?;
    Ok((Shown::line(wire.time_zone.as_deref().unwrap_or("UTC")), rendered.computed_shift_assignments))
}

fn rendered(
    schedule: Named<ScheduleId>,
    zone: Shown,
    assignments: &[Assignment],
    window: Window,
    people: &People,
) -> Schedule {
    let shift = |one: &Assignment| {
        let user = people.named(one.user()?);
        Some(Shift { start: one.start_time?, end: one.end_time?, user, from_override: one.is_override() })
    };
    let mut shifts: Vec<Shift> = assignments.iter().filter_map(shift).collect();
    shifts.sort();
    Schedule { schedule, zone, shifts, from: window.from, to: window.to }
}

/// The names of people by their ids.
pub(super) struct People(Vec<Named<UserId>>);

impl People {
    pub(super) async fn fetch(api: &Api) -> Result<Self, ProviderError> {
        let rows = match api.list(&List::all(&["users"], "users", &[])).await {
            Ok(rows) => rows.rows,
            // Ids are better than nothing.
            Err(ProviderError::Forbidden { .. }) => vec![],
            Err(error) => return Err(error),
        };
        let person = |row| named(serde_json::from_value::<wire::Reference>(row).ok());
        Ok(Self(rows.into_iter().filter_map(person).collect()))
    }

    /// The person, called by the id where the name is not known.
    pub(super) fn named(&self, id: UserId) -> Named<UserId> {
        let known = self.0.iter().find(|one| one.id == id).cloned();
        known.unwrap_or_else(|| Named { name: Shown::line(id.as_str()), id })
    }
}

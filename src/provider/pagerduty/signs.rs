//! Signs that a step was taken which the incident itself does not show.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    actions, choices,
    client::Api,
    detail::{self, objects},
    paging::List,
    wire,
};
use crate::{
    core::{
        action::{Assignee, Edit, Step},
        id::{AlertId, IncidentId},
    },
    provider::ProviderError,
};

/// Newest entries of a timeline that are looked through.
const MOST_ENTRIES: usize = 100;

/// How many there are since; `None`: nothing would show it.
pub(super) async fn count(
    api: &Api,
    id: &IncidentId,
    step: &Step,
    since: Option<Timestamp>,
) -> Result<Option<usize>, ProviderError> {
    let later = |at: Option<Timestamp>| at.zip(since).is_none_or(|(at, since)| at >= since);
    match step {
        Step::Note(text) => {
            let (notes, _) = detail::notes(api, id).await?;
            let same = |note: &&wire::Note| note.content.as_deref().is_some_and(|known| known.trim() == text.trim());
            Ok(Some(notes.iter().filter(same).filter(|note| later(note.created_at)).count()))
        }
        Step::Escalate(_) => {
            let entries = escalations(api, id).await?;
            Ok(Some(entries.iter().filter(|entry| later(entry.created_at)).count()))
        }
        Step::Edit(Edit::Field { field, value }) => {
            let fields = choices::fields(api, id).await?;
            let wanted = actions::field_value(field.kind, value.trim())?;
            let has_it = fields.iter().any(|known| known.id == field.id && choices::is_value(known, &wanted));
            Ok(Some(usize::from(has_it)))
        }
        Step::ResolveAlert(alert) => Ok(Some(usize::from(is_resolved(api, id, alert).await?))),
        Step::AddResponders { to, .. } => responders(api, id, to, since).await,
        _ => Ok(None),
    }
}

async fn escalations(api: &Api, id: &IncidentId) -> Result<Vec<wire::LogEntry>, ProviderError> {
    let path = ["incidents", id.as_str(), "log_entries"];
    let query = [("time_zone", "UTC".to_owned()), ("is_overview", "true".to_owned())];
    let rows = api.list(&List::first(MOST_ENTRIES, &path, "log_entries", &query)).await?.rows;
    let mut entries = objects::<wire::LogEntry>(rows);
    // Those of the policy's own clock are nobody's doing.
    let by_somebody = |entry: &wire::LogEntry| {
        entry.agent.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("user"))
    };
    let escalates = |entry: &wire::LogEntry| entry.kind.as_deref().is_some_and(|kind| kind.starts_with("escalate_"));
    entries.retain(|entry| escalates(entry) && by_somebody(entry));
    Ok(entries)
}

async fn is_resolved(api: &Api, id: &IncidentId, alert: &AlertId) -> Result<bool, ProviderError> {
    let answer = api.get(&["incidents", id.as_str(), "alerts", alert.as_str()], &[]).await?.json;
    Ok(answer.get("alert").and_then(|alert| alert.get("status")).and_then(Value::as_str) == Some("resolved"))
}

/// How often the person named is among those who were asked since. Who stands behind a policy is not told here.
async fn responders(
    api: &Api,
    id: &IncidentId,
    to: &[Assignee],
    since: Option<Timestamp>,
) -> Result<Option<usize>, ProviderError> {
    let [Assignee::User(user)] = to else { return Ok(None) };
    let answer = api.get(&["incidents", id.as_str()], &[]).await?.json;
    let asked = answer.get("incident").and_then(|incident| incident.get("incidents_responders"));
    let asked_since = |row: &Value| {
        let at = row.get("requested_at").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
        at.zip(since).is_none_or(|(at, since)| at >= since)
    };
    let names_them = |row: &&Value| {
        row.get("user").and_then(|known| known.get("id")).and_then(Value::as_str) == Some(user.id.as_str())
    };
    Ok(Some(
        asked.and_then(Value::as_array).into_iter().flatten().filter(names_them).filter(|row| asked_since(row)).count(),
    ))
}

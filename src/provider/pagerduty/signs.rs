//! Signs that a step was taken which the incident itself does not show.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    choices,
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
            let has_it = fields.iter().any(|known| known.id == field.id && known.value.as_str() == value.trim());
            Ok(Some(usize::from(has_it)))
        }
        Step::ResolveAlert(alert) => Ok(Some(usize::from(is_resolved(api, id, alert).await?))),
        Step::AddResponders { to, .. } => responders(api, id, to).await,
        _ => Ok(None),
    }
}

async fn escalations(api: &Api, id: &IncidentId) -> Result<Vec<wire::LogEntry>, ProviderError> {
    let path = ["incidents", id.as_str(), "log_entries"];
    let query = [("time_zone", "UTC".to_owned()), ("is_overview", "true".to_owned())];
    let rows = api.list(&List::first(MOST_ENTRIES, &path, "log_entries", &query)).await?.rows;
    let mut entries = objects::<wire::LogEntry>(rows);
    entries.retain(|entry| entry.kind.as_deref().is_some_and(|kind| kind.starts_with("escalate_")));
    Ok(entries)
}

async fn is_resolved(api: &Api, id: &IncidentId, alert: &AlertId) -> Result<bool, ProviderError> {
    let answer = api.get(&["incidents", id.as_str(), "alerts", alert.as_str()], &[]).await?.json;
    Ok(answer.get("alert").and_then(|alert| alert.get("status")).and_then(Value::as_str) == Some("resolved"))
}

/// How many of the people named are among those who were asked. Who stands behind a policy is not told here.
async fn responders(api: &Api, id: &IncidentId, to: &[Assignee]) -> Result<Option<usize>, ProviderError> {
    let [Assignee::User(user)] = to else { return Ok(None) };
    let answer = api.get(&["incidents", id.as_str()], &[]).await?.json;
    let asked = answer.get("incident").and_then(|incident| incident.get("incidents_responders"));
    let names_them = |row: &&Value| {
        row.get("user").and_then(|known| known.get("id")).and_then(Value::as_str) == Some(user.id.as_str())
    };
    Ok(Some(asked.and_then(Value::as_array).into_iter().flatten().filter(names_them).count()))
}

//! What happened since: the log of the whole account, which is cheaper than all its lists while little happens.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    client::Api,
    incidents::incident_id,
    paging::{End, List},
    wire,
};
use crate::provider::{ProviderError, Touch};

/// With more entries than this the lists are the shorter way.
const MOST: usize = 500;

/// Every entry counts, also what `is_overview` leaves out: a title is changed there. `None`: too many, or not for this key.
pub(super) async fn touched(api: &Api, since: Timestamp) -> Result<Option<Vec<Touch>>, ProviderError> {
    let query = [("since", wire::time(since)), ("time_zone", "UTC".to_owned())];
    let list = List::first(MOST, &["log_entries"], "log_entries", &query);
    match api.list_of(&list, &touch).await {
        Ok(found) if found.end == End::Whole => Ok(Some(found.rows.into_iter().flatten().collect())),
        Ok(_) | Err(ProviderError::Forbidden { .. } | ProviderError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` for an entry that is of no incident. One that cannot be read could be of any.
fn touch(row: Value) -> Result<Option<Touch>, ProviderError> {
    let lack = |lack: &str| ProviderError::Unreadable { cause: format!("a log entry without {lack}") };
    let wire: wire::LogEntry = serde_json::from_value(row).map_err(|_| lack("fields"))?;
    let Some(incident) = wire.incident else { return Ok(None) };
    Ok(Some(Touch {
        at: wire.created_at.ok_or_else(|| lack("a time"))?,
        incident: incident_id(incident.id.as_deref()).ok_or_else(|| lack("a usable incident"))?,
        entry: wire.id.ok_or_else(|| lack("an id"))?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_tells_of_its_incident_and_one_that_cannot_be_read_is_not_passed_over() {
        let entry = json!({ "id": "R1", "created_at": "2026-01-01T00:00:00Z", "incident": { "id": "P1" } });
        let without = |field: &str| {
            let mut entry = entry.clone();
            entry[field] = Value::Null;
            touch(entry)
        };

        let read = touch(entry.clone()).expect("readable").expect("of an incident");

        assert_eq!((read.entry.as_str(), read.incident.as_str()), ("R1", "P1"));
        assert_eq!(without("incident"), Ok(None));
        assert!(without("id").is_err() && without("created_at").is_err());
    }
}

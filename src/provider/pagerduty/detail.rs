//! What is fetched when an incident is opened. Its parts fail one by one, and each that does is named.

use serde_json::Value;

use super::{
    client::Api,
    naming::shown_url,
    paging::{End, List},
    wire,
};
use crate::{
    core::{
        detail::{Alert, Detail, Note, TimelineEntry},
        id::{IncidentId, IncidentKey},
        text::{Shown, ShownBody},
    },
    provider::ProviderError,
};

/// Enough of each list for a person to read.
const MOST_ALERTS: usize = 100;
const MOST_ENTRIES: usize = 500;
/// Lines of one alert's details.
const MOST_LINES: usize = 1000;

/// Notes and timeline newest first.
pub(super) async fn fetch(api: &Api, key: IncidentKey, now: jiff::Timestamp) -> Result<Detail, ProviderError> {
    let (alerts, notes, entries) = tokio::join!(alerts(api, &key.id), notes(api, &key.id), entries(api, &key.id));
    if let (Err(error), Err(_), Err(_)) = (&alerts, &notes, &entries) {
        return Err(error.clone());
    }
    let mut missing = vec![];
    let (alerts, more_alerts) = kept("alerts", alerts, &mut missing);
    let (notes, _) = kept("notes", notes, &mut missing);
    let (entries, more_entries) = kept("timeline", entries, &mut missing);
    if more_alerts {
        missing.push(Shown::line(&format!("alerts: only the first {} are shown", alerts.len())));
    }
    if more_entries {
        missing.push(Shown::line(&format!("timeline: only {} entries are shown", entries.len())));
    }
    Ok(Detail {
        key,
        fetched_at: now,
        description: description(&entries, &alerts),
        alerts: alerts.into_iter().map(alert).collect(),
        notes: in_time("notes", notes, note, |note| note.at, &mut missing),
        timeline: in_time("timeline", entries, entry, |entry| entry.at, &mut missing),
        missing,
    })
}

/// A part's rows and whether there are more, or nothing and a word about it in `missing`.
fn kept<T>(part: &str, fetched: Result<(Vec<T>, bool), ProviderError>, missing: &mut Vec<Shown>) -> (Vec<T>, bool) {
    fetched.unwrap_or_else(|error| {
        missing.push(Shown::line(&format!("{part}: {error}")));
        (vec![], false)
    })
}

async fn alerts(api: &Api, id: &IncidentId) -> Result<(Vec<wire::Alert>, bool), ProviderError> {
    let path = ["incidents", id.as_str(), "alerts"];
    let rows = api.list(&List::first(MOST_ALERTS, &path, "alerts", &[])).await?;
    Ok((objects(rows.rows), rows.end == End::Enough))
}

async fn entries(api: &Api, id: &IncidentId) -> Result<(Vec<wire::LogEntry>, bool), ProviderError> {
    let path = ["incidents", id.as_str(), "log_entries"];
    let query = [("time_zone", "UTC".to_owned()), ("include[]", "channels".to_owned())];
    let rows = api.list(&List::first(MOST_ENTRIES, &path, "log_entries", &query)).await?;
    Ok((objects(rows.rows), rows.end == End::Enough))
}

pub(super) async fn notes(api: &Api, id: &IncidentId) -> Result<(Vec<wire::Note>, bool), ProviderError> {
    let mut answer = api.get(&["incidents", id.as_str(), "notes"], &[]).await?.json;
    let Some(Value::Array(rows)) = answer.get_mut("notes").map(Value::take) else {
        return Err(ProviderError::Unreadable { cause: "the list `notes` is missing in the answer".to_owned() });
    };
    Ok((objects(rows), false))
}

/// Something that is no object becomes an empty one, so that the rows are still counted.
pub(super) fn objects<T: serde::de::DeserializeOwned + Default>(rows: Vec<Value>) -> Vec<T> {
    rows.into_iter().map(|row| serde_json::from_value(row).unwrap_or_default()).collect()
}

/// Reads rows and puts the newest first; those without a time are counted in `missing`.
fn in_time<W, T>(
    part: &str,
    rows: Vec<W>,
    read: impl Fn(W) -> Option<T>,
    at: impl Fn(&T) -> jiff::Timestamp,
    missing: &mut Vec<Shown>,
) -> Vec<T> {
    let all = rows.len();
    let mut read: Vec<T> = rows.into_iter().filter_map(read).collect();
    if read.len() < all {
        missing.push(Shown::line(&format!("{part}: {} could not be read", all - read.len())));
    }
    read.sort_by_key(|one| std::cmp::Reverse(at(one)));
    read
}

pub(super) fn note(wire: wire::Note) -> Option<Note> {
    let author = wire.user.and_then(|user| user.summary.or(user.name));
    Some(Note {
        at: wire.created_at?,
        author: Shown::line(author.as_deref().unwrap_or("unknown")),
        content: ShownBody::new(wire.content.as_deref().unwrap_or_default()),
    })
}

pub(super) fn entry(wire: wire::LogEntry) -> Option<TimelineEntry> {
    let kind = wire.kind.unwrap_or_default();
    let kind = kind.trim_end_matches("_reference").trim_end_matches("_log_entry");
    // One schema spells it otherwise.
    let kind = if kind == "acknowledgement" { "acknowledge" } else { kind };
    Some(TimelineEntry {
        at: wire.created_at?,
        kind: Shown::line(kind),
        summary: Shown::line(wire.summary.as_deref().unwrap_or_default()),
    })
}

pub(super) fn alert(wire: wire::Alert) -> Alert {
    let body = wire.body.unwrap_or_default();
    let severity = wire.severity.or_else(|| Some(body.cef_details.get("severity")?.as_str()?.to_owned()));
    let details = if is_nothing(&body.details) { &body.cef_details } else { &body.details };
    Alert {
        summary: Shown::line(wire.summary.or(wire.id).as_deref().unwrap_or("(no summary)")),
        status: Shown::line(wire.status.as_deref().unwrap_or("unknown")),
        severity: severity.as_deref().map(Shown::line),
        created_at: wire.created_at,
        details: lines(details),
        url: shown_url(wire.html_url.as_deref()),
    }
}

fn is_nothing(details: &Value) -> bool {
    match details {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `path: value` for every leaf, in the sender's order.
fn lines(details: &Value) -> Vec<(Shown, ShownBody)> {
    let mut out = vec![];
    if !is_nothing(details) {
        flatten("", details, &mut out);
    }
    let left_out = out.len().saturating_sub(MOST_LINES);
    if left_out > 0 {
        out.truncate(MOST_LINES);
        out.push((Shown::line("…"), ShownBody::new(&format!("{left_out} more lines are not shown"))));
    }
    out
}

fn flatten(path: &str, value: &Value, out: &mut Vec<(Shown, ShownBody)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, inner) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, inner, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, inner) in items.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), inner, out);
            }
        }
        Value::String(text) => out.push((Shown::line(path), ShownBody::new(text))),
        other => out.push((Shown::line(path), ShownBody::new(&other.to_string()))),
    }
}

/// What the sender said at the start: the oldest trigger's words, else an alert's own.
pub(super) fn description(entries: &[wire::LogEntry], alerts: &[wire::Alert]) -> Option<ShownBody> {
    let is_trigger = |entry: &&wire::LogEntry| entry.kind.as_deref().is_some_and(|kind| kind.starts_with("trigger_"));
    let trigger = entries.iter().filter(is_trigger).min_by_key(|entry| entry.created_at);
    let told = trigger.and_then(|entry| {
        let channel = ["description", "body", "details"].iter().find_map(|key| entry.channel.get(key)?.as_str());
        channel.or_else(|| entry.event_details.as_ref()?.description.as_deref())
    });
    let of_alert = |alert: &'_ wire::Alert| {
        let cef = &alert.body.as_ref()?.cef_details;
        ["description", "message"].iter().find_map(|key| cef.get(key)?.as_str()).map(str::to_owned)
    };
    let told = told.map(str::to_owned).or_else(|| alerts.iter().find_map(of_alert));
    told.filter(|text| !text.trim().is_empty()).map(|text| ShownBody::new(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn flat(body: &Value) -> Vec<String> {
        let alert = alert(serde_json::from_value(json!({ "body": body })).expect("alert"));
        alert.details.iter().map(|(path, value)| format!("{path}: {value}")).collect()
    }

    #[test]
    fn details_become_one_line_for_each_leaf_in_the_senders_order() {
        let nested =
            json!({ "details": { "z": { "b": 1, "a": [true, { "x": "y" }] }, "e": {}, "n": null, "l": "1\n2" } });

        assert_eq!(flat(&nested), ["z.b: 1", "z.a[0]: true", "z.a[1].x: y", "e: {}", "n: null", "l: 1\n2"]);
        assert_eq!(flat(&json!({ "details": "just words" })), [": just words"]);
        assert_eq!(flat(&json!({ "details": {}, "cef_details": { "severity": "error" } })), ["severity: error"]);
        assert_eq!(flat(&json!({ "details": null })), [""; 0]);
    }

    #[test]
    fn details_without_end_are_cut_and_the_cut_is_said() {
        let lines = flat(&json!({ "details": vec![0; 5000] }));
        assert_eq!((lines.len(), lines[MOST_LINES].as_str()), (MOST_LINES + 1, "…: 4000 more lines are not shown"));
    }

    #[test]
    fn the_kinds_of_the_timeline_lose_their_suffix_and_one_its_second_spelling() {
        let kind = |kind: &str| {
            let wire = json!({ "type": kind, "created_at": "2026-01-01T00:00:00Z" });
            entry(serde_json::from_value(wire).expect("entry")).expect("time").kind.to_string()
        };

        assert_eq!(kind("acknowledge_log_entry"), "acknowledge");
        assert_eq!(kind("acknowledgement_log_entry"), "acknowledge");
        assert_eq!(kind("notify_log_entry_reference"), "notify");
        assert_eq!(kind("something_new"), "something_new");
    }

    #[test]
    fn the_description_is_the_oldest_triggers() {
        let entry = |kind: &str, second: u32, words: &str| {
            let wire = json!({ "type": kind, "created_at": format!("2026-01-01T00:00:{second:02}Z"),
                "event_details": { "description": words } });
            serde_json::from_value::<wire::LogEntry>(wire).expect("entry")
        };
        let entries = [
            entry("trigger_log_entry", 9, "again"),
            entry("trigger_log_entry", 1, "first"),
            entry("assign_log_entry", 0, "other"),
        ];

        assert_eq!(description(&entries, &[]).expect("description").as_str(), "first");
        assert_eq!(description(&[], &[]), None);
    }
}

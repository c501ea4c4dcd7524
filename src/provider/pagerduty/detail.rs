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
        detail::{Alert, Bridge, Detail, Gist, Link, LinkKind, Note, TimelineEntry, Tree},
        id::{AlertId, IncidentId, IncidentKey},
        text::{Shown, ShownBody},
    },
    provider::ProviderError,
};

/// Enough of each list for a person to read.
const MOST_ALERTS: usize = 100;
const MOST_ENTRIES: usize = 500;
/// Bytes of all alerts' details together, roughly.
const MOST_SENT: usize = 4 * 1024 * 1024;

/// Notes and timeline newest first.
pub(super) async fn fetch(api: &Api, key: IncidentKey, now: jiff::Timestamp) -> Result<Detail, ProviderError> {
    let (alerts, notes, entries, bridge) =
        tokio::join!(alerts(api, &key.id), notes(api, &key.id), entries(api, &key.id), bridge(api, &key.id));
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
        alerts: if alerts.is_empty() { triggered(&entries) } else { shown(alerts) },
        notes: in_time("notes", notes, note, |note| note.at, &mut missing),
        timeline: in_time("timeline", entries, entry, |entry| entry.at, &mut missing),
        bridge: told("conference bridge", bridge, &mut missing),
        runbooks: vec![],
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

/// A part that there may be, or nothing and a word about it in `missing`, unless it is not for this key.
fn told<T>(part: &str, fetched: Result<Option<T>, ProviderError>, missing: &mut Vec<Shown>) -> Option<T> {
    match fetched {
        Ok(told) => told,
        Err(ProviderError::Forbidden { .. } | ProviderError::NotFound { .. }) => None,
        Err(error) => {
            missing.push(Shown::line(&format!("{part}: {error}")));
            None
        }
    }
}

async fn bridge(api: &Api, id: &IncidentId) -> Result<Option<Bridge>, ProviderError> {
    let query = [("include[]", "conference_bridge".to_owned())];
    let mut answer = api.get(&["incidents", id.as_str()], &query).await?.json;
    let incident = answer.get_mut("incident").map(Value::take).unwrap_or_default();
    let wire: wire::Incident = serde_json::from_value(incident).unwrap_or_default();
    Ok(wire.conference_bridge.and_then(|wire| {
        let number = wire.conference_number.filter(|number| !number.trim().is_empty());
        let bridge =
            Bridge { number: number.as_deref().map(Shown::line), url: shown_url(wire.conference_url.as_deref()) };
        (bridge.number.is_some() || bridge.url.is_some()).then_some(bridge)
    }))
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

/// The alerts with what was sent, until that is too much.
fn shown(wires: Vec<wire::Alert>) -> Vec<Alert> {
    let mut room = MOST_SENT;
    let mut out = vec![];
    for wire in wires {
        let mut alert = alert(wire);
        let size = alert.details.as_ref().map_or(0, Tree::size);
        if size > room {
            alert.details = Some(Tree::text("(not shown: the alerts before it have too much to show)"));
        } else {
            room -= size;
        }
        out.push(alert);
    }
    out
}

pub(super) fn alert(wire: wire::Alert) -> Alert {
    let body = wire.body.unwrap_or_default();
    let severity = wire.severity.or_else(|| Some(body.cef_details.get("severity")?.as_str()?.to_owned()));
    let details = Tree::of(&body.details);
    let details = details.or_else(|| Tree::of(&body.cef_details));
    Alert {
        id: wire.id.as_deref().and_then(|id| AlertId::new(id).ok()),
        summary: Shown::line(wire.summary.or(wire.id).as_deref().unwrap_or("(no summary)")),
        status: Shown::line(wire.status.as_deref().unwrap_or("unknown")),
        severity: severity.as_deref().map(Shown::line),
        created_at: wire.created_at,
        gist: details.as_ref().and_then(Gist::of),
        details,
        links: links(body.contexts),
        url: shown_url(wire.html_url.as_deref()),
    }
}

/// What the first trigger brought, where the service makes no alerts of what it is sent.
fn triggered(entries: &[wire::LogEntry]) -> Vec<Alert> {
    let Some(entry) = first_trigger(entries) else { return vec![] };
    let channel = &entry.channel;
    // An integration of its own kind has its fields in the channel itself.
    let sent = channel.get("details").filter(|details| details.is_object());
    let details = sent.and_then(Tree::of);
    let links = links(entry.contexts.clone());
    if details.is_none() && links.is_empty() {
        return vec![];
    }
    vec![Alert {
        summary: Shown::line(entry.summary.as_deref().unwrap_or("what triggered it")),
        status: Shown::line("sent"),
        created_at: entry.created_at,
        gist: details.as_ref().and_then(Gist::of),
        details,
        links,
        ..Alert::default()
    }]
}

/// An image may be a link too.
pub(super) fn links(wires: Vec<wire::Link>) -> Vec<Link> {
    let mut out = vec![];
    for wire in wires {
        let text = Shown::line(wire.text.or(wire.alt).unwrap_or_default().trim());
        for (kind, address) in [(LinkKind::Image, wire.src), (LinkKind::Page, wire.href)] {
            if let Some(address) = address.filter(|address| !address.trim().is_empty()) {
                out.push(Link { kind, text: text.clone(), url: shown_url(Some(&address)) });
            }
        }
    }
    out
}

fn first_trigger(entries: &[wire::LogEntry]) -> Option<&wire::LogEntry> {
    let is_trigger = |entry: &&wire::LogEntry| entry.kind.as_deref().is_some_and(|kind| kind.starts_with("trigger_"));
    entries.iter().filter(is_trigger).min_by_key(|entry| entry.created_at)
}

/// What the sender said at the start: the oldest trigger's words, else an alert's own.
pub(super) fn description(entries: &[wire::LogEntry], alerts: &[wire::Alert]) -> Option<ShownBody> {
    let told = first_trigger(entries).and_then(|entry| {
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

    fn read(body: &Value) -> Alert {
        alert(serde_json::from_value(json!({ "body": body })).expect("alert"))
    }

    #[test]
    fn details_keep_their_structure_and_events_in_common_format_stand_in_for_them() {
        let host = |alert: &Alert| alert.details.as_ref().and_then(|tree| tree.say("host").map(str::to_owned));
        assert_eq!(
            host(&read(&json!({ "details": { "host": "a" }, "cef_details": { "host": "b" } }))),
            Some("a".into())
        );
        assert_eq!(host(&read(&json!({ "details": {}, "cef_details": { "host": "b" } }))), Some("b".into()));
        assert_eq!(read(&json!({ "details": "just words" })).details, Some(Tree::text("just words")));
        assert_eq!(read(&json!({ "details": null })).details, None);
    }

    #[test]
    fn links_and_images_are_shown_with_addresses_that_are_safe_to_open_only() {
        let contexts = json!([
            { "type": "link", "href": "https://a.example/1", "text": "Graph" },
            { "type": "image", "src": "https://a.example/2.png", "href": "https://a.example/3" },
            { "type": "link", "href": "javascript:alert(1)", "text": "Click\u{1b}[2J" },
            { "type": "link" },
            7,
        ]);

        let links = read(&json!({ "contexts": contexts })).links;

        let words: Vec<String> = links.iter().map(Link::words).collect();
        assert_eq!(
            words,
            [
                "link Graph: https://a.example/1",
                "image: https://a.example/2.png",
                "link: https://a.example/3",
                "link Click␛[2J: (its address is not https, so it is not shown)",
            ]
        );
    }

    #[test]
    fn what_triggered_an_incident_without_alerts_is_shown_in_their_place() {
        let entries = json!([{ "type": "trigger_log_entry", "created_at": "2026-01-01T00:00:00Z", "summary": "Triggered",
            "channel": { "type": "nagios", "details": { "HOSTNAME": "db-3", "HOSTSTATE": "DOWN" } } }]);
        let entries: Vec<wire::LogEntry> = serde_json::from_value(entries).expect("entries");

        let sent = triggered(&entries);

        assert_eq!(sent[0].gist.as_ref().expect("known").sender.as_str(), "Nagios");
    }

    #[test]
    fn a_hundred_huge_alerts_are_told_of_and_the_first_of_them_shown() {
        let huge = json!({ "summary": "x", "body": { "details": { "log": "y".repeat(1024 * 1024) } } });
        let wires = (0..100).map(|_| serde_json::from_value(huge.clone()).expect("alert")).collect();

        let alerts = shown(wires);

        let all: usize = alerts.iter().filter_map(|alert| alert.details.as_ref()).map(Tree::size).sum();
        assert!(alerts.len() == 100 && all < MOST_SENT + 100 * 200, "{all}");
        assert!(alerts[99].details.as_ref().and_then(Tree::as_text).expect("words").starts_with("(not shown"));
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

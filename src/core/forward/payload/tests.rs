//! What targets and templates are told of an incident.

use std::collections::BTreeSet;

use super::*;
use crate::{
    app::fixtures::{account_name, alice, board, delivery, key, time},
    core::{
        board::Change,
        delivery::Verdict,
        id::EventId,
        incident::{Observation, Stamp, State},
        oncall::Person,
    },
};

fn told(kind: &str) -> Told {
    Told {
        id: "01EVENT0007".to_owned(),
        kind: EventType::new(kind).expect("name"),
        at: time("2025-06-10T02:14:10.5Z"),
        delivery: None,
    }
}

/// A board that knows Alice's address and the delivery that told of `Q1DISK`.
fn known() -> Board {
    let mut board = board();
    let known = board.accounts.get_mut(&account_name()).expect("account");
    known.people = vec![Person { user: alice(), email: Some("alice@example.com".into()) }];
    board.apply(&Change::Delivery(Box::new(delivery(41, 190, Verdict::Accepted, "incident.triggered"))));
    let disk = board.incidents.get_mut(&key("Q1DISK")).expect("incident");
    disk.state.teams = vec![Named { id: "PTEAM01".parse().expect("id"), name: "Storage".into() }];
    disk.state.dedup_key = Some("db-3/disk".into());
    board
}

fn event(id: &str, kind: &str) -> Event {
    let board = known();
    Event::new(told(kind), &board.incidents[&key(id)], &board)
}

fn disk() -> Value {
    event("Q1DISK", EventType::CREATED).context(&json!({"event": {}}))
}

#[test]
fn t06_the_default_body_has_type_and_data_and_nothing_else() {
    let body = event("Q1DISK", EventType::CREATED).default_body(false);

    assert_eq!(body.as_object().expect("object").keys().collect::<Vec<_>>(), ["type", "data"]);
    assert_eq!((&body["type"], &body["data"]["id"]), (&json!("incident.created"), &json!("Q1DISK")));
}

#[test]
fn t07_the_body_tells_the_incident_as_it_was_at_the_event() {
    let mut board = known();
    let event = Event::new(told(EventType::CREATED), &board.incidents[&key("Q1DISK")], &board);
    let disk = board.incidents.get_mut(&key("Q1DISK")).expect("incident");
    disk.state.title = "another".into();
    disk.state.status = Status::Resolved;

    let data = &event.default_body(true)["data"];

    assert_eq!((&data["title"], &data["status"]), (&json!("Disk 97 % full on db-3"), &json!("open")));
}

#[test]
fn t08_times_are_whole_seconds_or_iso_8601_in_utc_and_absent_before_they_happen() {
    let of = |id| event(id, EventType::CREATED).default_body(false)["data"].clone();
    let (open, acked, over) = (of("Q1DISK"), of("Q4QUEU"), of("Q6LOGN"));

    assert_eq!(open["created"], json!(time("2025-06-10T02:14:10Z").as_second()));
    assert_eq!(
        (&open["createdAt"], &open["updatedAt"]),
        (&json!("2025-06-10T02:14:10.000Z"), &json!("2025-06-10T02:15:50.000Z"))
    );
    assert_eq!((open.get("acknowledged"), open.get("resolved")), (None, None));
    assert_eq!((acked["acknowledged"].is_i64(), acked.get("resolved")), (true, None));
    assert_eq!(over["resolved"], json!(time("2025-06-10T02:13:30Z").as_second()));
    assert_eq!(over.get("d_user_id"), None);
}

#[test]
fn t10_without_the_switch_the_body_has_none_of_the_linked_objects() {
    let body = event("Q1DISK", EventType::CREATED).default_body(false);

    assert!(LINKED.iter().all(|name| body["data"].get(name).is_none()), "{body}");
    assert_eq!(body["data"]["d_user_id"], "PALICE1");
}

#[test]
fn t11_with_the_switch_the_body_has_all_four_and_they_are_those_of_the_ids() {
    let data = &event("Q1DISK", EventType::CREATED).default_body(true)["data"];

    for name in LINKED {
        assert_eq!(data[name]["id"], data[format!("{name}_id")], "{name}");
        assert!(data[name]["id"].is_string(), "{name}");
    }
    assert_eq!(data["d_user"]["email"], "alice@example.com");
}

#[test]
fn t13_a_template_sees_the_linked_objects_whatever_the_switch_says() {
    let context = disk();

    assert_eq!(context["incident"]["d_user"]["name"], "Alice Moreau");
    assert_eq!(context["alert"], context["incident"]);
}

#[test]
fn t14_what_nobody_knows_is_null() {
    let mut board = known();
    let mut incident = board.incidents[&key("Q1DISK")].clone();
    incident.state = State { service: None, teams: vec![], ..incident.state };
    board.deliveries.clear();
    board.accounts.clear();

    let data = Event::new(told(EventType::CREATED), &incident, &board).default_body(true)["data"].clone();

    assert_eq!((&data["source"], &data["s_log"], &data["d_team"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&data["d_user"]["name"], &data["d_user"]["email"]), (&json!("Alice Moreau"), &Value::Null));
    assert_eq!((data.get("source_id"), data.get("s_log_id"), data.get("d_team_id")), (None, None, None));
}

#[test]
fn the_delivery_that_tells_of_an_incident_first_is_its_log() {
    let mut board = known();
    board.deliveries.clear();
    let told = Told { delivery: Some(DeliveryId(77)), ..told(EventType::CREATED) };

    let data = Event::new(told, &board.incidents[&key("Q1DISK")], &board).default_body(true)["data"].clone();

    assert_eq!((&data["s_log"]["id"], &data["s_log_id"]), (&json!("77"), &json!("77")));
    assert_eq!(data["s_log"]["createdAt"], "2025-06-10T02:14:10.500Z");
}

/// Every path to a value, lists as `name[]`.
fn paths(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (name, value) in object {
                paths(value, &format!("{path}.{name}"), out);
            }
        }
        Value::Array(list) if !list.is_empty() => list.iter().for_each(|item| paths(item, &format!("{path}[]"), out)),
        Value::Array(_) => drop(out.insert(format!("{path}[]"))),
        _ => drop(out.insert(path.to_owned())),
    }
}

/// Contexts that hold every field between them.
fn contexts() -> Vec<Value> {
    let resolved = event("Q6LOGN", EventType::RESOLVED).context(&Value::Null);
    vec![disk(), event("Q4QUEU", EventType::ACKNOWLEDGED).context(&Value::Null), resolved]
}

#[test]
fn the_list_of_fields_is_that_of_the_builder() {
    let mut found = BTreeSet::new();
    for context in contexts() {
        paths(&context["event"], "event", &mut found);
        paths(&context["incident"], "incident", &mut found);
    }
    // Lists and objects that are empty here and full there, and the other way round.
    let inner = |path: &String| found.iter().any(|other| other.starts_with(&format!("{path}.")));
    let whole: BTreeSet<String> = found.iter().filter(|path| !inner(path)).cloned().collect();

    let told: BTreeSet<String> = FIELDS.iter().map(|field| field.path.to_owned()).collect();

    assert_eq!(told, whole);
    assert_eq!(told.len(), FIELDS.len());
}

/// With `UPDATE_HELP=1` the page is written.
#[test]
fn the_help_page_shows_what_the_builder_makes() {
    let page = reference(&contexts());
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/help/template-context.md");
    if std::env::var_os("UPDATE_HELP").is_some() {
        std::fs::write(&path, &page).expect("written");
    }

    assert_eq!(std::fs::read_to_string(path).expect("page"), page);
}

fn decoded(kind: &str, observation: Option<Observation>) -> Decoded {
    Decoded {
        event_id: EventId::new("01EVENT0007").expect("id"),
        event_type: kind.into(),
        occurred_at: Some(time("2025-06-10T02:14:10.5Z")),
        incident: Some(key("Q1DISK")),
        subject: None,
        observation,
    }
}

#[test]
fn a_preview_shows_what_would_be_sent_at_that_delivery() {
    let board = known();
    let disk = &board.incidents[&key("Q1DISK")];
    let seen = |at: Timestamp, title: &str| {
        let state = State { title: title.into(), ..disk.state.clone() };
        decoded(
            "incident.triggered",
            Some(Observation { key: key("Q1DISK"), stamp: Stamp::push(at), state, extra: None }),
        )
    };
    let shown = |decoded: &Decoded| Event::told_by(decoded, None, &board).expect("an event");

    let newest = seen(disk.stamp.at.checked_add(SignedDuration::from_secs(9)).expect("small"), "newest");
    let older = seen(disk.stamp.at.checked_sub(SignedDuration::from_secs(9)).expect("small"), "older");

    assert_eq!(
        (shown(&newest).data["title"].as_str(), shown(&older).data["title"].as_str()),
        (Some("newest"), Some("older"))
    );
    assert_eq!(shown(&newest).kind.as_str(), EventType::CREATED);
    let note = shown(&decoded("incident.annotated", None));
    assert_eq!((note.kind.as_str(), note.title.as_str()), ("incident.annotated", "Disk 97 % full on db-3"));
    assert!(Event::told_by(&Decoded { incident: None, ..decoded("pagey.ping", None) }, None, &board).is_none());
}

//! Webhooks as `PagerDuty` signed them, in any order, and bodies that are none.

use super::*;
use crate::{
    core::{
        delivery::{Decode as _, Decoded},
        incident::{Incident, Status},
    },
    provider::pagerduty::Webhooks,
};

fn decode(body: &str) -> Result<Decoded, String> {
    Webhooks.decode(&account(), body.as_bytes())
}

fn real(name: &str) -> Decoded {
    decode(&fixture(&format!("webhook_real.{name}.json"))).expect(name)
}

#[test]
fn what_pagerduty_itself_sent_is_understood() {
    let triggered = real("triggered");

    assert_eq!(triggered.event_id.as_str(), "01FKZSRAPTMF55RE69G8BQHGC6");
    assert_eq!(triggered.event_type.as_str(), "incident.triggered");
    assert_eq!(triggered.incident.expect("incident").to_string(), "prod/Q2CKYRLH85UNN4");
    assert_eq!(triggered.subject.expect("subject").as_str(), "Test");
    let seen = triggered.observation.expect("state");
    assert_eq!((seen.state.status, seen.state.number, seen.extra), (Status::Triggered, Some(37), None));
    assert_eq!(seen.stamp.at, "2025-04-07T03:47:13.414Z".parse().expect("time"));
    assert_eq!(seen.state.assignees[0].name.as_str(), "Ben");

    let note = real("annotated");
    assert_eq!(note.subject.expect("subject").as_str(), "Resolution Note: I'm resolving it");
    assert_eq!((note.incident.expect("incident").id.as_str(), note.observation), ("Q2CKYRLH85UNN4", None));

    let ping = real("ping");
    assert_eq!((ping.subject.expect("subject").as_str(), ping.incident), ("Hello from your friend Pagey!", None));
}

#[test]
fn every_body_of_the_signature_vectors_is_decoded_or_refused_with_a_reason() {
    for vector in json_fixture("webhook_signature_vectors.json").as_array().expect("a list") {
        let body = vector["body"].as_str().expect("body");
        match decode(body) {
            Ok(decoded) => assert_eq!(decoded.incident.is_some(), body.contains("incident"), "{vector}"),
            Err(reason) => assert_eq!((body, reason.starts_with("the body is not JSON")), ("", true), "{reason}"),
        }
    }
}

#[test]
fn a_late_webhook_does_not_bring_back_what_is_resolved_and_a_reopening_does() {
    let state = |name: &str| real(name).observation.expect("state");
    let mut incident = Incident::first(state("resolved"));

    assert!(!incident.merge(&state("triggered")));
    assert!(!incident.merge(&state("acknowledged")));
    assert_eq!(incident.state.status, Status::Resolved);

    let later = fixture("webhook_real.triggered.json")
        .replace("incident.triggered", "incident.reopened")
        .replace("2025-04-07T03:47:13.414Z", "2025-04-07T04:00:00.000Z");
    assert!(incident.merge(&decode(&later).expect("decoded").observation.expect("state")));
    assert_eq!(incident.state.status, Status::Triggered);
}

#[test]
fn the_incident_is_found_wherever_the_event_names_it() {
    let event =
        |data: Value| json!({ "event": { "id": "E1", "event_type": "incident.new", "data": data } }).to_string();
    let incident = |data: Value| decode(&event(data)).expect("decoded").incident.map(|key| key.id.to_string());

    assert_eq!(incident(json!({ "type": "incident", "id": "P1" })).as_deref(), Some("P1"));
    assert_eq!(
        incident(json!({ "type": "incident_note", "id": "N1", "incident": { "id": "P2" } })).as_deref(),
        Some("P2")
    );
    let roles =
        json!({ "type": "incident_role_assignment", "incident_role_assignments": [{ "incident": { "id": "P3" } }] });
    assert_eq!(incident(roles).as_deref(), Some("P3"));
    assert_eq!(incident(json!({ "type": "service", "id": "S1" })), None);
    assert_eq!(incident(json!({ "type": "something_new", "id": "X1" })), None);
    assert_eq!(incident(json!(null)), None);
}

#[test]
fn an_incident_whose_state_cannot_be_told_is_still_a_delivery() {
    let event = |status: &str, at: &str| {
        let data = json!({ "type": "incident", "id": "P1", "title": "disk", "status": status });
        json!({ "event": { "id": "E1", "event_type": "incident.x", "occurred_at": at, "data": data } }).to_string()
    };
    let decoded = |status, at| decode(&event(status, at)).expect("decoded");

    assert_eq!(decoded("frozen", "2026-01-01T00:00:00Z").observation, None);
    assert_eq!(decoded("triggered", "yesterday").observation, None);
    assert_eq!(decoded("frozen", "yesterday").subject.expect("subject").as_str(), "disk");
    let seen = decoded("triggered", "2026-01-01T00:00:00Z").observation.expect("state");
    assert_eq!(seen.state.created_at, seen.stamp.at);
}

#[test]
fn a_body_that_is_no_event_is_refused_with_a_sentence() {
    for (body, words) in [
        ("", "the body is not JSON"),
        ("{\"event\":", "the body is not JSON"),
        ("[]", "the body has no `event`"),
        ("{\"event\":7}", "the body has no `event`"),
        ("{\"event\":{}}", "the event has no `id`"),
        ("{\"event\":{\"id\":\"a b\"}}", "the event's id: not a usable id"),
    ] {
        let reason = decode(body).expect_err("no event");
        assert!(reason.starts_with(words), "{body}: {reason}");
    }
    assert!(decode(&"[".repeat(100_000)).is_err());
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let twice = r#"{"event":{"id":"E1","id":"E2","event_type":"pagey.ping","data":{"type":"pagey_ping","message":"a","message":"b"}}}"#;

    let decoded = decode(twice).expect("decoded");

    assert_eq!((decoded.event_id.as_str(), decoded.subject.expect("subject").as_str()), ("E2", "b"));
}

proptest::proptest! {
    /// The quick way through a body and the way through a tree of values tell the same.
    #[test]
    fn a_body_means_the_same_however_it_is_read(
        which in 0..3_usize,
        at in 0..4000_usize,
        with in proptest::sample::select(vec!["null", "7", "-1", "1.5", "\"x\"", "true", "[]", "{}", "[{\"id\":\"P\"},3]", ",", "\"id\":\"Q\","]),
    ) {
        let name = ["triggered", "annotated", "ping"][which];
        let mut body = fixture(&format!("webhook_real.{name}.json"));
        // A value of another kind, in place of what stands between two commas or colons.
        let places: Vec<usize> = body.match_indices([',', ':', '{', '[']).map(|(at, _)| at + 1).collect();
        let start = places[at % places.len()];
        let length = body.get(start..).and_then(|rest| rest.find([',', '}', ']']));
        let end = length.map_or(body.len(), |length| start + length);
        body.replace_range(start..end, with);
        let Ok(tree) = serde_json::from_str::<Value>(&body) else { return Ok(()) };

        proptest::prop_assert_eq!(decode(&body), decode(&tree.to_string()), "{}", body);
    }
}

//! What shows that a step was taken, and what does not.

use jiff::Timestamp;
use serde_json::json;
use wiremock::MockServer;

use super::{client_of, incident_id, ok, on};
use crate::{
    core::{
        action::{Assignee, Step},
        incident::Named,
    },
    provider::Provider as _,
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[tokio::test]
async fn an_escalation_of_the_policy_s_clock_is_no_sign_of_one_that_somebody_asked_for() {
    let server = MockServer::start().await;
    let entry = |id: &str, kind: &str, agent: &str, at: &str| json!({ "id": id, "type": kind, "created_at": at, "agent": { "id": "A1", "type": agent } });
    let entries = [
        entry("R1", "escalate_log_entry", "service_reference", "2026-01-01T00:10:00Z"),
        entry("R2", "escalate_log_entry", "user_reference", "2026-01-01T00:09:00Z"),
        entry("R3", "assign_log_entry", "user_reference", "2026-01-01T00:08:00Z"),
        entry("R4", "escalate_log_entry", "user_reference", "2026-01-01T00:01:00Z"),
    ];
    on(&server, "GET", "/incidents/P1/log_entries", ok(json!({ "log_entries": entries, "more": false }))).await;

    let signs =
        client_of(&server).signs(&incident_id("P1"), &Step::Escalate(2), Some(at("2026-01-01T00:05:00Z"))).await;

    assert_eq!(signs, Ok(Some(1)), "R2 alone");
}

#[tokio::test]
async fn a_responder_who_was_asked_before_is_no_sign() {
    let server = MockServer::start().await;
    let row = |user: &str, at: &str| json!({ "state": "pending", "user": { "id": user }, "requested_at": at });
    let rows = [row("U1", "2026-01-01T00:01:00Z"), row("U2", "2026-01-01T00:09:00Z")];
    on(&server, "GET", "/incidents/P1", ok(json!({ "incident": { "id": "P1", "incidents_responders": rows } }))).await;
    let client = client_of(&server);
    let signs = async |user: &str| {
        let to = vec![Assignee::User(Named { id: user.parse().expect("id"), name: user.into() })];
        let step = Step::AddResponders { to, message: "come".to_owned() };
        client.signs(&incident_id("P1"), &step, Some(at("2026-01-01T00:05:00Z"))).await
    };

    assert_eq!(signs("U1").await, Ok(Some(0)));
    assert_eq!(signs("U2").await, Ok(Some(1)));
}

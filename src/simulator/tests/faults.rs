//! Trouble that is ordered comes as ordered, and leaves the simulator's own knobs alone.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, item, options};
use crate::simulator::{Night, Options, Script};

#[tokio::test]
async fn an_ordered_status_is_answered_without_effect_until_it_is_healed() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;

    stage.set_faults(json!({"status": 500})).await;
    let failed = stage.put(&format!("/incidents/{id}"), item(json!({"status": "resolved"}))).await;
    stage.set_faults(json!({})).await;

    assert_eq!((failed.status, failed.code()), (500, 2000));
    assert_eq!(stage.get(&format!("/incidents/{id}")).await.body["incident"]["status"], "triggered");
}

#[tokio::test]
async fn an_ordered_429_says_when_to_come_again() {
    let stage = Stage::empty().await;
    stage.set_faults(json!({"status": 429, "ratelimit_reset": 3})).await;

    let refused = stage.get("/incidents").await;

    assert_eq!((refused.status, refused.code()), (429, 2020));
    assert_eq!((refused.header("ratelimit-reset"), refused.header("ratelimit-remaining")), ("3", "0"));
    stage.set_faults(json!({"status": 401})).await;
    let locked_out = stage.get("/incidents").await;
    assert_eq!((locked_out.status, &locked_out.body), (401, &Value::Null));
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_after_the_change_has_happened() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    stage.set_faults(json!({"truncate": true})).await;

    let request = stage.request(Method::PUT, &format!("/incidents/{id}")).json(&item(json!({"status": "resolved"})));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let length = answer.content_length();
    assert!(answer.bytes().await.is_err());

    assert!(length > Some(500));
    stage.set_faults(json!({})).await;
    assert_eq!(stage.get(&format!("/incidents/{id}")).await.body["incident"]["status"], "resolved");
}

#[tokio::test]
async fn latency_delays_and_percent_spares_the_others() {
    let stage = Stage::empty().await;
    stage.set_faults(json!({"latency_ms": 150})).await;
    let began = Instant::now();
    assert_eq!(stage.get("/abilities").await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(150));

    stage.set_faults(json!({"status": 503, "percent": 50})).await;
    let mut failed = 0;
    for _ in 0..60 {
        failed += u32::from(stage.get("/abilities").await.status == 503);
    }

    assert!((10..50).contains(&failed), "{failed}");
    let wrong = Stage::send(stage.bare(Method::POST, "/_sim/faults").json(&json!({"stauts": 1}))).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn what_was_asked_can_be_read_in_order_and_without_the_token() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    stage.set_faults(json!({"status": 500})).await;
    stage.get("/incidents?statuses[]=triggered").await;
    stage.set_faults(json!({})).await;
    stage.put(&format!("/incidents/{id}"), item(json!({"status": "resolved"}))).await;

    let requests = Stage::send(stage.bare(Method::GET, "/_sim/requests")).await.body["requests"].take();

    let requests = requests.as_array().unwrap();
    assert_eq!(requests.len(), 2);
    assert_eq!((&requests[0]["method"], &requests[0]["status"]), (&json!("GET"), &json!(500)));
    assert_eq!(requests[0]["path"], "/incidents?statuses[]=triggered");
    assert_eq!(requests[1]["body"]["incident"]["status"], "resolved");
    assert_eq!(requests[1]["headers"]["authorization"], "Token token=***");
    assert!(!json!(requests).to_string().contains(&stage.token));
    assert_eq!(stage.simulator.stats().requests, 2);
}

#[tokio::test]
async fn the_ledger_shows_how_incidents_really_stand() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;
    stage.change(&id, json!({"status": "acknowledged"})).await;

    let ledger = Stage::send(stage.bare(Method::GET, "/_sim/incidents")).await.body["incidents"].take();

    assert_eq!((&ledger[0]["id"], &ledger[0]["status"]), (&json!(id), &json!("acknowledged")));
    assert_eq!(ledger[0]["assignees"], json!([stage.user(0)]));
    let wrong =
        Stage::send(stage.bare(Method::POST, "/_sim/incidents").json(&json!({"title": "x", "service": "y"}))).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn a_script_is_played_in_its_order() {
    let script = "0 trigger db \"Primary unreachable\" service=\"Orders Database\" priority=P1\n\
                  0.05 ack db by=\"Sven Brandt\"\n\
                  0.1 note db \"On it\" by=\"Sven Brandt\"\n\
                  0.12 escalate db\n\
                  0.15 delegate db to=\"Platform On-Call\"\n\
                  0.2 reassign db to=\"Wei Zhang\"\n\
                  0.25 resolve db";
    let script = Some(Script::parse(script).unwrap());
    let stage = Stage::with(Options { script, ..options() }).await;

    let got = stage.inbox.first(6).await;

    let kinds: Vec<_> = got.iter().map(super::Delivery::kind).collect();
    assert_eq!(
        kinds,
        [
            "incident.triggered",
            "incident.acknowledged",
            "incident.annotated",
            "incident.delegated",
            "incident.reassigned",
            "incident.resolved"
        ]
    );
    assert_eq!(got[1].event()["agent"]["summary"], "Sven Brandt");
    assert_eq!(got[4].event()["data"]["assignees"][0]["summary"], "Wei Zhang");
}

#[tokio::test]
async fn a_night_goes_on_by_itself_until_it_is_drained() {
    let night = Night::Paced { mean: Duration::from_millis(10) };
    let stage = Stage::with(Options { night, incidents: 10, ..options() }).await;

    stage.inbox.first(30).await;
    stage.simulator.drain(super::PATIENCE).await;

    let stats = stage.simulator.stats();
    assert_eq!((stats.pending, stats.dropped, stats.delivered), (0, 0, stats.signed));
    assert!(stats.signed >= 30);
    assert_eq!(stage.inbox.got.borrow().len() as u64, stats.delivered);
}

#[tokio::test]
async fn a_stopped_simulator_frees_its_port() {
    let stage = Stage::empty().await;
    stage.get("/abilities").await;
    let address = stage.simulator.url().replace("http://", "");

    let began = Instant::now();
    stage.simulator.stop().await;

    assert!(began.elapsed() < Duration::from_millis(1900), "it waited for nothing");
    assert!(stage.client.get(format!("http://{address}/abilities")).send().await.is_err());
    assert!(tokio::net::TcpListener::bind(&address).await.is_ok());
}

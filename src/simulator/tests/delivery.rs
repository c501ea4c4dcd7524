//! Webhooks: signed, in order, retried or dropped as `PagerDuty` does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{SECRET, Stage, ids, options, text};
use crate::simulator::{Options, Webhook, courier::signature, start};

#[test]
fn the_signature_is_the_one_that_pagerduty_would_write() {
    // From the documentation of the algorithm: HMAC-SHA256, RFC 4231, second case.
    let known = "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    assert_eq!(signature(&"Jefe".into(), b"what do ya want for nothing?"), known);
}

#[tokio::test]
async fn a_webhook_is_signed_and_has_the_headers_of_a_real_one() {
    let stage = Stage::empty().await;
    let id = stage.trigger("db").await;

    let got = &stage.inbox.first(1).await[0];

    let header = |name: &str| got.headers.get(name).map_or("", |v| v.to_str().unwrap());
    assert_eq!(header("x-pagerduty-signature"), signature(&SECRET.into(), &got.body));
    assert_eq!(header("user-agent"), "PagerDuty-Webhook/V3.0");
    assert_eq!((header("content-type"), header("accept")), ("application/json", "application/json"));
    assert_eq!((header("x-webhook-id").len(), header("x-webhook-subscription").len()), (36, 7));
    let event = got.event();
    assert_eq!((&event["event_type"], &event["resource_type"]), (&json!("incident.triggered"), &json!("incident")));
    assert_eq!(event["id"].as_str().unwrap().len(), 26);
    assert_eq!((&event["data"]["id"], &event["data"]["number"]), (&json!(id), &json!(1201)));
    assert!(event["data"].get("assignments").is_none() && event["data"].get("updated_at").is_none());
    assert_eq!(text(&event["occurred_at"]).len(), "2026-01-01T00:00:00.000Z".len());
}

#[tokio::test]
async fn trouble_is_retried_with_the_same_bytes_and_later_ones_wait_their_turn() {
    let stage = Stage::empty().await;
    stage.inbox.answer(&[503, 429]);
    let id = stage.trigger("db").await;
    stage.change(&id, json!({"status": "acknowledged"})).await;

    let got = stage.inbox.first(4).await;

    let kinds: Vec<_> = got.iter().map(super::Delivery::kind).collect();
    assert_eq!(kinds, ["incident.triggered", "incident.triggered", "incident.triggered", "incident.acknowledged"]);
    assert!(got[0].body == got[2].body && got[0].headers["x-webhook-id"] == got[2].headers["x-webhook-id"]);
    assert_ne!(got[0].headers["x-webhook-id"], got[3].headers["x-webhook-id"]);
    stage.simulator.drain(super::PATIENCE).await;
    let stats = stage.simulator.stats();
    assert_eq!((stats.signed, stats.delivered, stats.dropped, stats.pending), (2, 2, 0, 0));
}

#[tokio::test]
async fn a_refused_webhook_is_lost_and_three_in_a_row_switch_the_subscription_off() {
    let stage = Stage::empty().await;
    stage.inbox.answer(&[401, 202, 401, 404, 301]);
    for n in 0..5 {
        stage.trigger(&n.to_string()).await;
        stage.inbox.first(n + 1).await;
        stage.simulator.shared.courier.idle().await;
    }

    assert!(stage.simulator.stats().disabled);
    stage.trigger("unheard").await;
    stage.simulator.shared.courier.idle().await;
    let stats = stage.simulator.stats();
    assert_eq!((stats.signed, stats.delivered, stats.dropped, stats.pending), (6, 1, 5, 0));
    assert_eq!(stage.inbox.got.borrow().len(), 5);

    let list = stage.get("/webhook_subscriptions").await.body["webhook_subscriptions"].take();
    assert_eq!(list[0]["delivery_method"]["temporarily_disabled"], true);
    stage.post(&format!("/webhook_subscriptions/{}/enable", ids(&list)[0]), json!({})).await;
    stage.trigger("heard again").await;
    assert_eq!(stage.inbox.first(6).await[5].event()["data"]["title"], "heard again");
}

#[tokio::test]
async fn ordered_drops_duplicates_and_reordering_happen() {
    let stage = Stage::empty().await;
    stage.set_faults(json!({"webhooks": {"duplicate": 100}})).await;
    stage.trigger("twice").await;
    let got = stage.inbox.first(2).await;
    assert!(got[0].body == got[1].body && got[0].headers["x-webhook-id"] == got[1].headers["x-webhook-id"]);
    stage.simulator.shared.courier.idle().await;
    assert_eq!((stage.simulator.stats().delivered, stage.simulator.stats().duplicates), (1, 1));

    stage.set_faults(json!({"webhooks": {"drop": 100}})).await;
    stage.trigger("never").await;
    assert_eq!(stage.simulator.stats().dropped, 1);

    stage.set_faults(json!({"webhooks": {"reorder": 100}})).await;
    let id = stage.trigger("jumbled").await;
    for n in 0..12 {
        stage.post(&format!("/incidents/{id}/notes"), json!({"note": {"content": n.to_string()}})).await;
    }
    let got = stage.inbox.first(15).await;
    let times: Vec<_> = got[2..].iter().map(|d| text(&d.event()["occurred_at"])).collect();
    assert!(!times.is_sorted());
    let ids: BTreeSet<_> = got.iter().map(|d| text(&d.event()["id"])).collect();
    assert_eq!(ids.len(), 14);
    assert!(!stage.simulator.stats().disabled);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let webhook = Webhook { url: format!("http://{address}/hooks"), secret: SECRET.into() };
    let simulator = start(Options { webhook: Some(webhook), incidents: 3, ..options() }).await.unwrap();
    let body = json!({"title": "db"});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(format!("{}/_sim/incidents", simulator.url())).json(&body).send().await.unwrap();
    assert_eq!(simulator.stats().pending, 1);

    let (inbox, late) = {
        let inbox = std::sync::Arc::new(super::Inbox::default());
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let take = |axum::extract::State(inbox): axum::extract::State<std::sync::Arc<super::Inbox>>, headers, body| async move {
            inbox.got.send_modify(|got| got.push(super::Delivery { headers, body }));
        };
        let router = axum::Router::new().fallback(take).with_state(std::sync::Arc::clone(&inbox));
        (inbox, tokio::spawn(async move { axum::serve(listener, router).await }))
    };

    assert_eq!(inbox.first(1).await[0].kind(), "incident.triggered");
    simulator.drain(super::PATIENCE).await;
    assert_eq!(simulator.stats().delivered, 1);
    late.abort();
}

#[tokio::test]
async fn a_subscription_is_made_pinged_changed_and_deleted_and_its_secret_is_told_once() {
    let stage = Stage::empty().await;
    let old = text(&stage.get("/webhook_subscriptions").await.body["webhook_subscriptions"][0]["id"]);
    let url = format!("{}mine", stage.simulator.shared.courier.address().unwrap().url);
    let order = |events: Value| {
        let method = json!({"type": "http_delivery_method", "url": url});
        let filter = json!({"type": "account_reference"});
        json!({"webhook_subscription": {"events": events, "filter": filter, "delivery_method": method}})
    };
    let events = json!(["incident.triggered"]);
    assert_eq!(stage.post("/webhook_subscriptions", order(events.clone())).await.code(), 2019, "one is all there is");
    assert_eq!(stage.delete(&format!("/webhook_subscriptions/{old}")).await.status, 204);
    assert_eq!(stage.post("/webhook_subscriptions", order(json!([]))).await.code(), 2001);

    let made = stage.post("/webhook_subscriptions", order(events)).await.body["webhook_subscription"].take();

    let secret = text(&made["delivery_method"]["secret"]);
    assert_eq!(secret.len(), 64);
    let path = format!("/webhook_subscriptions/{}", text(&made["id"]));
    assert!(stage.get(&path).await.body["webhook_subscription"]["delivery_method"]["secret"].is_null());
    assert_eq!(stage.post(&format!("{path}/ping"), json!({})).await.status, 202);
    let ping = stage.inbox.first(1).await.remove(0);
    assert_eq!(ping.kind(), "pagey.ping");
    assert_eq!(ping.headers["x-pagerduty-signature"], signature(&secret.into(), &ping.body));

    let off = json!({"webhook_subscription": {"active": false}});
    assert_eq!(stage.put(&path, off).await.body["webhook_subscription"]["active"], false);
    stage.trigger("unheard").await;
    assert_eq!(stage.simulator.stats().dropped, 1);
}

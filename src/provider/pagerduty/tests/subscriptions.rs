//! Webhook subscriptions: read, made, switched on, pinged; and every way in which that is refused.

use secrecy::ExposeSecret as _;

use super::*;
use crate::{
    core::{
        id::SubscriptionId,
        subscription::{Filter, NewSubscription, State, Subscription},
    },
    provider::{Provider as _, ProviderError, Subscriptions},
};

/// A subscription in the shape of the API description's example.
fn example(changes: &Value) -> Value {
    let mut row = json!({
        "id": "PY1OL64",
        "type": "webhook_subscription",
        "active": true,
        "description": "To the console",
        "events": ["incident.triggered", "incident.resolved"],
        "filter": { "id": "P393ZNQ", "type": "service_reference" },
        "delivery_method": {
            "id": "PF9KMXH",
            "type": "http_delivery_method",
            "url": "https://example.com/hooks/prod/4b1d",
            "secret": null,
            "temporarily_disabled": false,
            "custom_headers": [{ "name": "x", "value": "-- redacted --" }]
        }
    });
    for (path, value) in changes.as_object().expect("an object") {
        *row.pointer_mut(path).expect("a field") = value.clone();
    }
    row
}

fn one(changes: &Value) -> ResponseTemplate {
    ok(json!({ "webhook_subscription": example(changes) }))
}

fn id() -> SubscriptionId {
    SubscriptionId::new("PY1OL64").expect("id")
}

fn new() -> NewSubscription {
    let url = "https://example.com/hooks/prod/4b1d".into();
    NewSubscription { url, description: "dogwatch".into(), filter: Filter::Account }
}

async fn listed(rows: Value) -> Vec<Subscription> {
    let server = MockServer::start().await;
    on(&server, "GET", "/webhook_subscriptions", ok(json!({ "webhook_subscriptions": rows, "more": false }))).await;
    client_of(&server).list().await.expect("a list")
}

#[tokio::test]
async fn subscriptions_are_read_with_their_state_and_filter_and_others_are_left_out() {
    let rows = listed(json!([
        example(&json!({})),
        example(&json!({"/id": "P2", "/delivery_method/temporarily_disabled": true, "/filter": {"type": "account_reference"}})),
        example(&json!({"/id": "P3", "/active": false, "/filter": {"type": "team_reference", "id": "PT"}})),
        example(&json!({"/id": "P4", "/delivery_method": {"type": "another"}})),
        example(&json!({"/id": "P5", "/filter": {"type": "planet_reference", "id": "P9"}, "/description": "a\u{1b}[2Jb"})),
    ]))
    .await;

    let read: Vec<String> = rows.iter().map(|s| format!("{} {} {}", s.id, s.state.word(), s.filter)).collect();
    let wanted = [
        "PY1OL64 active service:P393ZNQ",
        "P2 disabled account",
        "P3 inactive team:PT",
        "P5 active (planet_reference)",
    ];
    assert_eq!(read, wanted);
    assert_eq!(rows[3].description.as_str(), "a␛[2Jb");
    assert_eq!(rows[0].events.len(), 2);
}

#[tokio::test]
async fn a_list_without_the_field_for_disabled_is_a_list_of_active_ones() {
    let mut row = example(&json!({}));
    row["delivery_method"].as_object_mut().expect("object").remove("temporarily_disabled");

    assert_eq!(listed(json!([row])).await[0].state, State::Active);
}

#[tokio::test]
async fn a_new_subscription_asks_for_every_event_and_tells_its_secret_once() {
    let server = MockServer::start().await;
    on(&server, "POST", "/webhook_subscriptions", one(&json!({"/delivery_method/secret": "s3cret"}))).await;

    let created = client_of(&server).create(&new()).await.expect("created");

    assert_eq!(created.secret.expose_secret(), "s3cret");
    assert!(!format!("{created:?}").contains("s3cret"));
    let requests = requests(&server).await;
    let asked: Value = serde_json::from_slice(&requests[0].body).expect("json");
    let asked = &asked["webhook_subscription"];
    assert_eq!(asked["delivery_method"]["url"], "https://example.com/hooks/prod/4b1d");
    assert_eq!(asked["filter"], json!({"type": "account_reference"}));
    assert!(asked["events"].as_array().expect("events").contains(&json!("incident.reopened")));
    assert_eq!((requests.len(), header(&requests[0], "from")), (1, None), "no `From`, no look at whose key it is");
}

#[tokio::test]
async fn a_creation_that_tells_no_secret_is_an_error_that_says_what_to_do() {
    let server = MockServer::start().await;
    on(&server, "POST", "/webhook_subscriptions", one(&json!({}))).await;

    let error = client_of(&server).create(&new()).await.expect_err("no secret");

    assert!(error.to_string().contains("make another"), "{error}");
}

#[tokio::test]
async fn what_pagerduty_disabled_is_enabled_and_what_somebody_switched_off_is_updated() {
    let server = MockServer::start().await;
    on(&server, "POST", "/webhook_subscriptions/PY1OL64/enable", one(&json!({}))).await;
    on(&server, "PUT", "/webhook_subscriptions/PY1OL64", one(&json!({}))).await;
    let pagerduty = client_of(&server);
    for changes in [json!({"/delivery_method/temporarily_disabled": true}), json!({"/active": false})] {
        let off = listed(json!([example(&changes)])).await.remove(0);
        assert_eq!(pagerduty.enable(&off).await.expect("enabled").state, State::Active);
    }

    assert_eq!(
        asked(&server).await,
        ["POST /webhook_subscriptions/PY1OL64/enable", "PUT /webhook_subscriptions/PY1OL64"]
    );
    assert_eq!(requests(&server).await[1].body, br#"{"webhook_subscription":{"active":true}}"#);
}

#[tokio::test]
async fn a_ping_and_a_deletion_are_done_when_their_answers_are_empty() {
    let server = MockServer::start().await;
    on(&server, "POST", "/webhook_subscriptions/PY1OL64/ping", ResponseTemplate::new(202)).await;
    on(&server, "DELETE", "/webhook_subscriptions/PY1OL64", ResponseTemplate::new(204)).await;
    let pagerduty = client_of(&server);
    let subscriptions = pagerduty.subscriptions().expect("PagerDuty has them");

    subscriptions.ping(&id()).await.expect("pinged");
    subscriptions.delete(&id()).await.expect("deleted");
}

#[tokio::test]
async fn each_refusal_is_told_with_its_reason_and_a_write_is_sent_once() {
    let documented = json!({"error": {"message": "Invalid Input Provided", "code": 2001, "errors": ["Url is bad"]}});
    let limit = json!({"error": {"message": "Limit reached", "code": 2019}});
    let bare = |status: u16| ResponseTemplate::new(status).set_body_raw("", "text/html");
    let json = |status: u16, body: &Value| ResponseTemplate::new(status).set_body_json(body);
    let cases = [
        (json(400, &documented), "refused with 400: Invalid Input Provided; Url is bad"),
        (json(400, &limit), "refused with 400: Limit reached"),
        (json(400, &json!({"error": ["no", "never"]})), "refused with 400: no; never"),
        (json(400, &json!({"error": "plain"})), "refused with 400: plain"),
        (json(403, &json!({"error": {"message": "Access Denied", "code": 2010}})), "not permitted: Access Denied"),
        (bare(401), "the credentials were refused"),
        (bare(404), "not found: webhook_subscriptions"),
        (bare(429), "rate limit reached"),
        (bare(500), "the provider answered 500"),
        (ResponseTemplate::new(200).set_body_raw("<html>", "text/html"), "cannot be read"),
        (ResponseTemplate::new(200), "cannot be read"),
    ];
    for (answer, words) in cases {
        let server = MockServer::start().await;
        Mock::given(matchers::method("POST")).respond_with(answer).mount(&server).await;
        let pagerduty = client_of(&server);

        let error = pagerduty.create(&new()).await.expect_err("refused");

        assert!(error.to_string().contains(words), "{error} has no {words}");
        assert_eq!(requests(&server).await.len(), 1, "{words}");
    }
}

#[tokio::test]
async fn a_key_that_may_not_see_subscriptions_is_told_so() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(403).set_body_json(json!({"error": {"message": "Access Denied", "code": 2010}}));
    on(&server, "GET", "/webhook_subscriptions", answer).await;

    let error = client_of(&server).list().await.expect_err("refused");

    assert_eq!(error, ProviderError::Forbidden { reason: "Access Denied".into() });
}

//! Writes, and in whose name they are made.

use super::*;
use crate::{
    core::{
        action::Assignee,
        id::{PolicyId, UserId},
        incident::{Named, Status},
        text::Shown,
    },
    provider::{Provider as _, ProviderError},
};

async fn answering() -> MockServer {
    let server = MockServer::start().await;
    on(&server, "PUT", "/incidents/P1", ok(json!({ "incident": incident("P1") }))).await;
    on(&server, "POST", "/incidents/P1/notes", ok(json!({ "note": { "id": "N1", "content": "x" } }))).await;
    server
}

async fn last(server: &MockServer) -> Request {
    requests(server).await.pop().expect("a request")
}

fn acting_as(server: &MockServer, from: &str) -> PagerDuty {
    client(Settings { from: Some(from.to_owned()), ..settings(&server.uri()) })
}

#[tokio::test]
async fn a_persons_key_acts_in_that_persons_name_and_asks_for_it_once() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    let pagerduty = acting_as(&server, "other@example.com");

    pagerduty.set_status(&incident_id("P1"), Status::Acknowledged).await.expect("acknowledged");
    pagerduty.set_status(&incident_id("P1"), Status::Resolved).await.expect("resolved");

    let request = last(&server).await;
    assert_eq!(header(&request, "from"), Some("ann@example.com"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(asked(&server).await, ["GET /users/me", "PUT /incidents/P1", "PUT /incidents/P1"]);
}

#[tokio::test]
async fn an_accounts_key_acts_as_from_says_and_without_it_sends_nothing() {
    let server = answering().await;
    on(&server, "GET", "/users/me", account_key()).await;

    acting_as(&server, "bob@example.com").add_note(&incident_id("P1"), "hello").await.expect("a note");
    assert_eq!(header(&last(&server).await, "from"), Some("bob@example.com"));
    let before = requests(&server).await.len();
    let error = client_of(&server).add_note(&incident_id("P1"), "hello").await.expect_err("in whose name?");

    assert!(matches!(&error, ProviderError::Forbidden { reason } if reason.contains("set `from`")), "{error:?}");
    let later = asked(&server).await.split_off(before);
    assert_eq!(later, ["GET /users/me"]);
}

#[tokio::test]
async fn with_the_accounts_key_each_person_acts_in_their_own_name_through_one_connection() {
    let server = answering().await;
    on(&server, "GET", "/users/me", account_key()).await;
    let account = acting_as(&server, "configured@example.com");

    for email in ["ann@example.com", "bob@example.com"] {
        let person = account.acting_as(email).expect("an address");
        person.set_status(&incident_id("P1"), Status::Acknowledged).await.expect("acknowledged");
        assert_eq!(header(&last(&server).await, "from"), Some(email));
    }

    let me = asked(&server).await.iter().filter(|asked| *asked == "GET /users/me").count();
    assert_eq!(me, 1, "whose key it is is asked once for all");
}

#[tokio::test]
async fn with_another_persons_key_nothing_is_sent_in_a_persons_name() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    let account = client_of(&server);

    let bob = account.acting_as("bob@example.com").expect("an address");
    let error = bob.set_status(&incident_id("P1"), Status::Resolved).await.expect_err("not bob's key");
    let note = bob.add_note(&incident_id("P1"), "hello").await.expect_err("not bob's key");

    assert!(matches!(&error, ProviderError::Forbidden { reason } if reason.contains("bob@example.com")), "{error:?}");
    assert!(!note.leaves_doubt(), "{note:?}");
    assert_eq!(asked(&server).await, ["GET /users/me"]);
    let ann = account.acting_as("Ann@example.com").expect("an address");
    ann.set_status(&incident_id("P1"), Status::Resolved).await.expect("her own key");
}

#[tokio::test]
async fn when_it_is_not_known_whose_key_it_is_nobody_acts_with_it() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ResponseTemplate::new(403)).await;
    let account = acting_as(&server, "configured@example.com");

    let ann = account.acting_as("ann@example.com").expect("an address");
    let error = ann.set_status(&incident_id("P1"), Status::Resolved).await.expect_err("not sent");

    assert!(!error.leaves_doubt(), "{error:?}");
    assert!(asked(&server).await.iter().all(|asked| asked == "GET /users/me"));
}

#[tokio::test]
async fn when_the_owner_of_the_key_cannot_be_asked_nothing_is_sent_and_no_doubt_is_left() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ResponseTemplate::new(500)).await;

    let error = client_of(&server).set_status(&incident_id("P1"), Status::Resolved).await.expect_err("not sent");

    assert!(!error.leaves_doubt(), "{error:?}");
    assert!(asked(&server).await.iter().all(|asked| asked == "GET /users/me"));
}

#[tokio::test]
async fn a_write_changes_one_field_and_nothing_else() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    let (pagerduty, id) = (client_of(&server), incident_id("P1"));
    let user = Named { id: UserId::new("U2").expect("id"), name: Shown::line("Bob") };
    let policy = Named { id: PolicyId::new("E1").expect("id"), name: Shown::line("Default") };
    let body = async || serde_json::from_slice::<Value>(&last(&server).await.body).expect("JSON");

    pagerduty.set_status(&id, Status::Acknowledged).await.expect("acknowledged");
    let status = json!({ "incident": { "type": "incident_reference", "status": "acknowledged" } });
    assert_eq!(body().await, status);

    pagerduty.hand_off(&id, &Assignee::User(user)).await.expect("handed off");
    let assignments = json!([{ "assignee": { "id": "U2", "type": "user_reference" } }]);
    assert_eq!(body().await, json!({ "incident": { "type": "incident_reference", "assignments": assignments } }));

    pagerduty.hand_off(&id, &Assignee::EscalationPolicy(policy)).await.expect("handed off");
    let policy = json!({ "id": "E1", "type": "escalation_policy_reference" });
    assert_eq!(body().await, json!({ "incident": { "type": "incident_reference", "escalation_policy": policy } }));

    pagerduty.add_note(&id, "line 1\nline 2").await.expect("a note");
    assert_eq!(body().await, json!({ "note": { "content": "line 1\nline 2" } }));
}

#[tokio::test]
async fn a_write_is_sent_once_whatever_comes_back() {
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(408),
        ResponseTemplate::new(200).set_body_string("{\"incident\":{\"id\""),
        ok(json!({ "incident": { "id": "P1" } })),
        ok(json!({})),
    ] {
        let server = MockServer::start().await;
        on(&server, "GET", "/users/me", ok(person())).await;
        on(&server, "PUT", "/incidents/P1", answer).await;

        let error = client_of(&server).set_status(&incident_id("P1"), Status::Resolved).await.expect_err("unclear");

        assert!(error.leaves_doubt(), "{error:?}");
        assert_eq!(asked(&server).await, ["GET /users/me", "PUT /incidents/P1"]);
    }
}

#[tokio::test]
async fn a_refused_write_leaves_no_doubt() {
    for status in [400, 401, 403, 404, 422, 429, 302] {
        let server = MockServer::start().await;
        on(&server, "GET", "/users/me", ok(person())).await;
        on(&server, "PUT", "/incidents/P1", ResponseTemplate::new(status)).await;

        let error = client_of(&server).set_status(&incident_id("P1"), Status::Resolved).await.expect_err("refused");

        assert!(!error.leaves_doubt(), "{error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_doubt() {
    let server = hanging_up_after("").await;
    let pagerduty = client(Settings { from: Some("bob@example.com".to_owned()), ..settings(&server) });

    let error = pagerduty.set_status(&incident_id("P1"), Status::Resolved).await.expect_err("no answer");

    assert!(matches!(error, ProviderError::Unreachable { maybe_sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_note_counts_as_posted_only_when_the_answer_is_a_note() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "POST", "/incidents/P1/notes", ok(json!({ "hello": "from a proxy" }))).await;

    let error = client_of(&server).add_note(&incident_id("P1"), "x").await.expect_err("not a note");

    assert!(error.leaves_doubt(), "{error:?}");
}

#[tokio::test]
async fn a_persons_key_says_who_it_is() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;

    let identity = client_of(&server).identity().await.expect("identity");

    assert_eq!((identity.name.as_str(), identity.account_key), ("Ann", false));
    assert_eq!(identity.email.expect("email").as_str(), "ann@example.com");
    assert_eq!(identity.user.expect("user").id.as_str(), "U1");
}

#[tokio::test]
async fn an_accounts_key_is_whoever_from_names_exactly() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", account_key()).await;
    let users = json!([
        { "id": "U8", "name": "Bobby", "email": "bob@example.com.evil" },
        { "id": "U9", "name": "Bob", "email": "Bob@Example.com" },
    ]);
    on(&server, "GET", "/users", ok(json!({ "users": users, "more": false }))).await;

    let known = acting_as(&server, "bob@example.com").identity().await.expect("identity");
    let unknown = acting_as(&server, "eve@example.com").identity().await.expect("identity");
    let none = client_of(&server).identity().await.expect("identity");

    assert_eq!((known.name.as_str(), known.account_key), ("Bob", true));
    assert_eq!(known.user.expect("user").id.as_str(), "U9");
    assert_eq!((unknown.name.as_str(), unknown.user), ("eve@example.com", None));
    assert_eq!((none.name.as_str(), none.email), ("account key", None));
}

#[tokio::test]
async fn the_check_tells_abilities_and_how_far_the_clocks_are_apart() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    let abilities = ok(json!({ "abilities": ["teams", "urgencies"] }));
    on(&server, "GET", "/abilities", abilities.insert_header("date", "Tue, 03 Oct 2023 16:46:39 GMT")).await;

    let check = client_of(&server).check("2023-10-03T16:45:39Z".parse().expect("time")).await.expect("check");

    assert_eq!(check.abilities, ["teams", "urgencies"]);
    let skew = check.clock_skew.expect("a date").as_secs_f64();
    assert!(skew > 30.0 && skew <= 60.0, "{skew}");
}

//! Writes, and in whose name they are made.

use super::*;
use crate::{
    core::{
        action::{Assignee, Edit, Field, FieldKind, NewIncident, Step},
        choices::{Choices, ChoicesOf},
        id::{AlertId, FieldId, PolicyId, PriorityId, ServiceId, UserId, WorkflowId},
        incident::{Named, Urgency},
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

    pagerduty.take(&incident_id("P1"), &Step::Acknowledge).await.expect("acknowledged");
    pagerduty.take(&incident_id("P1"), &Step::Resolve).await.expect("resolved");

    let request = last(&server).await;
    assert_eq!(header(&request, "from"), Some("ann@example.com"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    assert_eq!(asked(&server).await, ["GET /users/me", "PUT /incidents/P1", "PUT /incidents/P1"]);
}

#[tokio::test]
async fn a_write_that_was_prepared_asks_nothing_before_it_is_sent() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    let pagerduty = client_of(&server);

    pagerduty.prepare_writes().await.expect("prepared");
    assert_eq!(asked(&server).await, ["GET /users/me"]);
    pagerduty.prepare_writes().await.expect("prepared");
    pagerduty.take(&incident_id("P1"), &Step::Acknowledge).await.expect("acknowledged");

    assert_eq!(asked(&server).await, ["GET /users/me", "PUT /incidents/P1"]);
}

#[tokio::test]
async fn while_whose_key_it_is_cannot_be_told_from_acts_and_it_is_asked_once_a_minute_and_before_no_write() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ResponseTemplate::new(403)).await;
    let pagerduty = acting_as(&server, "bob@example.com");
    let later = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    };

    for seconds in [0, 59, 1] {
        later(seconds).await;
        pagerduty.prepare_writes().await.expect("prepared");
    }
    later(61).await;
    pagerduty.take(&incident_id("P1"), &Step::Acknowledge).await.expect("acknowledged");

    assert_eq!(header(&last(&server).await, "from"), Some("bob@example.com"));
    assert_eq!(asked(&server).await, ["GET /users/me", "GET /users/me", "PUT /incidents/P1"]);
}

#[tokio::test]
async fn an_accounts_key_acts_as_from_says_and_without_it_sends_nothing() {
    let server = answering().await;
    on(&server, "GET", "/users/me", account_key()).await;

    acting_as(&server, "bob@example.com").take(&incident_id("P1"), &Step::Note("hello".into())).await.expect("a note");
    assert_eq!(header(&last(&server).await, "from"), Some("bob@example.com"));
    let before = requests(&server).await.len();
    let error =
        client_of(&server).take(&incident_id("P1"), &Step::Note("hello".into())).await.expect_err("in whose name?");

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
        person.take(&incident_id("P1"), &Step::Acknowledge).await.expect("acknowledged");
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
    let error = bob.take(&incident_id("P1"), &Step::Resolve).await.expect_err("not bob's key");
    let note = bob.take(&incident_id("P1"), &Step::Note("hello".into())).await.expect_err("not bob's key");

    assert!(matches!(&error, ProviderError::Forbidden { reason } if reason.contains("bob@example.com")), "{error:?}");
    assert!(!note.leaves_doubt(), "{note:?}");
    assert_eq!(asked(&server).await, ["GET /users/me"]);
    let ann = account.acting_as("Ann@example.com").expect("an address");
    ann.take(&incident_id("P1"), &Step::Resolve).await.expect("her own key");
}

#[tokio::test]
async fn when_it_is_not_known_whose_key_it_is_nobody_acts_with_it() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ResponseTemplate::new(403)).await;
    let account = acting_as(&server, "configured@example.com");

    let ann = account.acting_as("ann@example.com").expect("an address");
    let error = ann.take(&incident_id("P1"), &Step::Resolve).await.expect_err("not sent");

    assert!(!error.leaves_doubt(), "{error:?}");
    assert!(asked(&server).await.iter().all(|asked| asked == "GET /users/me"));
}

#[tokio::test]
async fn when_the_owner_of_the_key_cannot_be_asked_nothing_is_sent_and_no_doubt_is_left() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ResponseTemplate::new(500)).await;

    let error = client_of(&server).take(&incident_id("P1"), &Step::Resolve).await.expect_err("not sent");

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

    pagerduty.take(&id, &Step::Acknowledge).await.expect("acknowledged");
    let status = json!({ "incident": { "type": "incident_reference", "status": "acknowledged" } });
    assert_eq!(body().await, status);

    pagerduty.take(&id, &Step::Assign(Assignee::User(user))).await.expect("handed off");
    let assignments = json!([{ "assignee": { "id": "U2", "type": "user_reference" } }]);
    assert_eq!(body().await, json!({ "incident": { "type": "incident_reference", "assignments": assignments } }));

    pagerduty.take(&id, &Step::Assign(Assignee::EscalationPolicy(policy))).await.expect("handed off");
    let policy = json!({ "id": "E1", "type": "escalation_policy_reference" });
    assert_eq!(body().await, json!({ "incident": { "type": "incident_reference", "escalation_policy": policy } }));

    pagerduty.take(&id, &Step::Note("line 1\nline 2".into())).await.expect("a note");
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

        let error = client_of(&server).take(&incident_id("P1"), &Step::Resolve).await.expect_err("unclear");

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

        let error = client_of(&server).take(&incident_id("P1"), &Step::Resolve).await.expect_err("refused");

        assert!(!error.leaves_doubt(), "{error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_doubt() {
    let server = hanging_up_after("").await;
    let pagerduty = client(Settings { from: Some("bob@example.com".to_owned()), ..settings(&server) });

    let error = pagerduty.take(&incident_id("P1"), &Step::Resolve).await.expect_err("no answer");

    assert!(matches!(error, ProviderError::Unreachable { maybe_sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn a_note_counts_as_posted_only_when_the_answer_is_a_note() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "POST", "/incidents/P1/notes", ok(json!({ "hello": "from a proxy" }))).await;

    let error = client_of(&server).take(&incident_id("P1"), &Step::Note("x".into())).await.expect_err("not a note");

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
async fn whom_from_names_is_not_known_where_the_key_may_not_look() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", account_key()).await;
    on(&server, "GET", "/users", ResponseTemplate::new(403)).await;

    let known = acting_as(&server, "bob@example.com").identity().await.expect("identity");

    assert_eq!((known.name.as_str(), known.user, known.may_not_look), ("bob@example.com", None, true));
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

fn user(id: &str) -> Assignee {
    Assignee::User(Named { id: UserId::new(id).expect("id"), name: Shown::line("Bob") })
}

fn field(kind: FieldKind) -> Field {
    Field { id: FieldId::new("F1").expect("id"), name: "Region".into(), kind, value: Shown::default() }
}

#[tokio::test]
async fn each_edit_sends_only_what_it_changes() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    let (pagerduty, id) = (client_of(&server), incident_id("P1"));
    let priority = Named { id: PriorityId::new("PP1").expect("id"), name: "P1".into() };
    for (step, expected) in [
        (Step::Escalate(2), json!({ "escalation_level": 2 })),
        (Step::Edit(Edit::Title(" new ".into())), json!({ "title": "new" })),
        (Step::Edit(Edit::Urgency(Urgency::Low)), json!({ "urgency": "low" })),
        (
            Step::Edit(Edit::Priority(Some(priority))),
            json!({ "priority": { "id": "PP1", "type": "priority_reference" } }),
        ),
        (Step::Edit(Edit::Priority(None)), json!({ "priority": null })),
    ] {
        pagerduty.take(&id, &step).await.expect("taken");

        let mut body: Value = serde_json::from_slice(&last(&server).await.body).expect("JSON");
        let incident = body["incident"].as_object_mut().expect("an incident");
        assert_eq!(incident.remove("type"), Some(json!("incident_reference")));
        assert_eq!(body["incident"], expected);
    }
}

#[tokio::test]
async fn many_are_changed_by_one_request_that_names_each() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "PUT", "/incidents", ok(json!({ "incidents": [incident("P1"), { "id": "P2" }] }))).await;

    let ids = [incident_id("P1"), incident_id("P2")];
    let seen = client_of(&server).take_many(&ids, &Step::Acknowledge).await.expect("taken");

    let item = |id: &str| json!({ "id": id, "type": "incident_reference", "status": "acknowledged" });
    let body: Value = serde_json::from_slice(&last(&server).await.body).expect("JSON");
    assert_eq!(body, json!({ "incidents": [item("P1"), item("P2")] }));
    // The second row cannot be read, so nothing is said of it.
    assert_eq!(seen.iter().map(|seen| seen.key.id.as_str()).collect::<Vec<_>>(), ["P1"]);
}

#[tokio::test]
async fn each_step_beside_the_incident_has_its_own_request() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "GET", "/incidents/P1", ok(json!({ "incident": incident("P1") }))).await;
    for (method, path, answer) in [
        ("POST", "/incidents/P1/snooze", json!({ "incident": incident("P1") })),
        ("PUT", "/incidents/P2/merge", json!({ "incident": { "id": "P2", "type": "incident_reference" } })),
        ("POST", "/incidents/P1/responder_requests", json!({ "responder_request": {} })),
        ("POST", "/incidents/P1/status_updates", json!({ "status_update": { "id": "S1" } })),
        ("POST", "/incident_workflows/W1/instances", json!({ "incident_workflow_instance": { "id": "I1" } })),
        ("PUT", "/incidents/P1/alerts/A1", json!({ "alert": { "id": "A1", "status": "resolved" } })),
        ("PUT", "/incidents/P1/custom_fields/values", json!({ "custom_fields": [] })),
    ] {
        on(&server, method, path, ok(answer)).await;
    }
    let (pagerduty, id) = (client_of(&server), incident_id("P1"));
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3600);
    let target = json!({ "responder_request_target": { "id": "U2", "type": "user_reference" } });
    for (step, expected) in [
        (
            Step::MergeInto(incident_id("P2")),
            json!({ "source_incidents": [{ "id": "P1", "type": "incident_reference" }] }),
        ),
        (
            Step::AddResponders { to: vec![user("U2")], message: "help".into() },
            json!({ "requester_id": "U1", "message": "help", "responder_request_targets": [target] }),
        ),
        (Step::StatusUpdate("we know".into()), json!({ "message": "we know" })),
        (
            Step::RunWorkflow(WorkflowId::new("W1").expect("id")),
            json!({ "incident_workflow_instance": { "incident": { "id": "P1", "type": "incident_reference" } } }),
        ),
        (
            Step::ResolveAlert(AlertId::new("A1").expect("id")),
            json!({ "alert": { "type": "alert", "status": "resolved" } }),
        ),
        (
            Step::Edit(Edit::Field { field: field(FieldKind::Integer), value: "7".into() }),
            json!({ "custom_fields": [{ "id": "F1", "value": 7 }] }),
        ),
        (
            Step::Edit(Edit::Field { field: field(FieldKind::List), value: "a, b".into() }),
            json!({ "custom_fields": [{ "id": "F1", "value": ["a", "b"] }] }),
        ),
        (
            Step::Edit(Edit::Field { field: field(FieldKind::Text), value: String::new() }),
            json!({ "custom_fields": [{ "id": "F1", "value": null }] }),
        ),
    ] {
        pagerduty.take(&id, &step).await.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        assert_eq!(written(&server).await, expected, "{step:?}");
    }
    pagerduty.take(&id, &Step::Snooze(until)).await.expect("snoozed");
    let seconds = written(&server).await["duration"].as_i64().expect("a number");
    assert!((3590..=3600).contains(&seconds), "{seconds}");
}

/// The body of the last write.
async fn written(server: &MockServer) -> Value {
    let writes = requests(server).await.into_iter().filter(|request| request.method.as_str() != "GET");
    serde_json::from_slice(&writes.last().expect("a write").body).expect("JSON")
}

#[tokio::test]
async fn an_alert_that_is_not_resolved_by_the_answer_is_not_called_so() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "PUT", "/incidents/P1/alerts/A1", ok(json!({ "alert": { "id": "A1", "status": "triggered" } }))).await;

    let step = Step::ResolveAlert(AlertId::new("A1").expect("id"));
    let error = client_of(&server).take(&incident_id("P1"), &step).await.expect_err("still triggered");

    assert!(error.to_string().contains("triggered all the same"), "{error}");
}

#[tokio::test]
async fn an_incident_made_by_hand_is_known_by_the_key_that_we_gave_it() {
    let server = answering().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    let mut made = incident("P9");
    made["incident_key"] = json!("ours");
    let mut other = incident("P8");
    other["incident_key"] = json!("of an alert");
    on(&server, "POST", "/incidents", ok(json!({ "incident": made }))).await;
    on(&server, "GET", "/incidents", ok(json!({ "incidents": [other, made], "more": false }))).await;
    let new = NewIncident {
        service: Named { id: ServiceId::new("S1").expect("id"), name: "Web".into() },
        title: "by hand".into(),
        urgency: Urgency::High,
        details: Some("words".into()),
        dedup_key: "ours".into(),
    };

    let seen = client_of(&server).create_incident(&new).await.expect("created");
    let body = written(&server).await;
    let found = client_of(&server).created_incident(&new).await.expect("answered").expect("found");

    assert_eq!((&seen.key.id, &found.key.id), (&incident_id("P9"), &incident_id("P9")));
    assert_eq!(body["incident"]["incident_key"], json!("ours"));
    assert_eq!(body["incident"]["body"], json!({ "type": "incident_body", "details": "words" }));
}

#[tokio::test]
async fn what_there_is_to_choose_from_is_what_can_be_chosen() {
    let server = MockServer::start().await;
    let workflows = json!([
        { "id": "W1", "name": "Call the bank", "description": "pages them", "is_enabled": true },
        { "id": "W2", "name": "Off", "is_enabled": false },
    ]);
    on(&server, "GET", "/incident_workflows", ok(json!({ "incident_workflows": workflows, "more": false }))).await;
    let fields = json!([
        { "id": "F1", "name": "region", "display_name": "Region", "data_type": "string", "field_type": "multi_value",
          "value": ["eu", "us"] },
        { "id": "F2", "name": "users", "data_type": "integer", "field_type": "single_value", "value": null },
    ]);
    let path = "/incidents/P1/custom_fields/values";
    on(&server, "GET", path, ok(json!({ "custom_fields": fields }))).await;
    let pagerduty = client_of(&server);

    let Ok(Choices::Workflows(workflows)) = pagerduty.choices(&ChoicesOf::Workflows).await else { panic!() };
    let Ok(Choices::Fields(fields)) = pagerduty.choices(&ChoicesOf::Fields(incident_id("P1"))).await else { panic!() };

    assert_eq!(
        workflows.iter().map(|(one, about)| (one.name.as_str(), about.as_str())).collect::<Vec<_>>(),
        [("Call the bank", "pages them")]
    );
    let told: Vec<_> = fields.iter().map(|one| (one.name.as_str(), one.kind, one.value.as_str())).collect();
    assert_eq!(told, [("Region", FieldKind::List, "eu, us"), ("users", FieldKind::Integer, "")]);
}

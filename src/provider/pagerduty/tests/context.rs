//! What lies around an incident: each part on its own, and none of them at the cost of what matters more.

use super::*;
use crate::{
    core::{
        call::Purpose,
        context::{Context, Part},
        id::{IncidentKey, ServiceId},
        incident::Status,
    },
    provider::{Provider as _, ProviderError},
};

async fn look(server: &MockServer) -> Result<Context, ProviderError> {
    let key = IncidentKey { account: account(), id: incident_id("P1") };
    let service = ServiceId::new("S1").expect("id");
    client_of(server).context(&key, Some(&service), jiff::Timestamp::UNIX_EPOCH).await
}

fn refused(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": { "message": "no", "code": 2014 } }))
}

const PARTS: [&str; 5] =
    ["past_incidents", "related_incidents", "outlier_incident", "related_change_events", "business_services/impacts"];

#[tokio::test]
async fn what_the_plan_does_not_have_is_no_failure_and_the_services_own_changes_stand_in() {
    let server = MockServer::start().await;
    for (part, status) in PARTS.iter().zip([402, 403, 404, 402, 403]) {
        on(&server, "GET", &format!("/incidents/P1/{part}"), refused(status)).await;
    }
    let change = json!({ "summary": "Deployed", "timestamp": "2026-01-01T00:00:00Z" });
    on(&server, "GET", "/services/S1/change_events", ok(json!({ "change_events": [change] }))).await;
    on(&server, "GET", "/services/S1", ok(json!({ "service": { "id": "S1", "name": "Orders", "description": null } })))
        .await;

    let context = look(&server).await.expect("a context");

    assert_eq!((context.past, context.related), (Part::NotOffered, Part::NotOffered));
    assert_eq!((context.outlier, context.impacts), (Part::NotOffered, Part::NotOffered));
    let changes = context.changes.told().expect("changes");
    assert_eq!((changes[0].summary.as_str(), &changes[0].why), ("Deployed", &None));
    assert_eq!(context.service.told().expect("told").as_ref().expect("a service").name.as_str(), "Orders");
}

#[tokio::test]
async fn a_part_that_fails_says_so_and_the_others_are_shown() {
    let server = MockServer::start().await;
    on(&server, "GET", "/incidents/P1/past_incidents", ok(json!({ "past_incidents": [] }))).await;
    on(&server, "GET", "/incidents/P1/related_incidents", ResponseTemplate::new(400)).await;

    let context = look(&server).await.expect("a context");

    assert_eq!(context.past, Part::Told(vec![]));
    let failures = context.failures();
    assert_eq!((failures.len(), failures[0].0), (1, "related incidents"));
}

#[tokio::test]
async fn when_nothing_of_it_can_be_asked_for_it_is_one_failure() {
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(ResponseTemplate::new(401)).mount(&server).await;

    assert!(matches!(look(&server).await, Err(ProviderError::Unauthorised { .. })));
}

#[tokio::test]
async fn past_incidents_come_with_who_resolved_them_and_what_was_noted_the_first_three_only() {
    let server = MockServer::start().await;
    let past = |n: u32| json!({ "incident": { "id": format!("Q{n}"), "title": "disk" }, "score": 9.6 });
    let rows: Vec<Value> = (1..=5).map(past).collect();
    on(&server, "GET", "/incidents/P1/past_incidents", ok(json!({ "past_incidents": rows }))).await;
    let resolved = json!({ "id": "Q1", "status": "resolved", "incident_number": 7, "last_status_change_at": "2026-01-01T01:00:00Z",
        "last_status_change_by": { "id": "U1", "summary": "Ann" } });
    on(&server, "GET", "/incidents/Q1", ok(json!({ "incident": resolved }))).await;
    let note = json!({ "content": "Cleared /tmp", "created_at": "2026-01-01T00:30:00Z", "user": { "summary": "Ann" } });
    on(&server, "GET", "/incidents/Q1/notes", ok(json!({ "notes": [note] }))).await;

    let context = look(&server).await.expect("a context");

    let past = context.past.told().expect("past");
    let course = past[0].course.as_ref().expect("asked for");
    assert_eq!((past.len(), past[0].number, past[0].score), (5, Some(7), Some(10)));
    assert_eq!((course.status, course.by.as_ref().expect("who").as_str()), (Status::Resolved, "Ann"));
    assert_eq!(course.notes[0].content.as_str(), "Cleared /tmp");
    assert!(past[1].course_failed.is_some(), "not found, and said so");
    assert!(past[3].course.is_none() && past[3].course_failed.is_none());
    assert!(!asked(&server).await.iter().any(|request| request.contains("Q4")));
}

#[tokio::test]
async fn it_leaves_a_fifth_of_the_rate_limit_alone_where_polls_leave_a_tenth() {
    let server = MockServer::start().await;
    let left =
        |left: &str| ok(json!({})).insert_header("ratelimit-limit", "100").insert_header("ratelimit-remaining", left);
    Mock::given(matchers::any()).respond_with(left("20")).mount(&server).await;
    let pagerduty = client_of(&server);
    let key = IncidentKey { account: account(), id: incident_id("P1") };
    let _ = pagerduty.for_purpose(Purpose::Poll).incident(&key.id).await;
    let before = requests(&server).await.len();

    let refused = pagerduty.for_purpose(Purpose::Context).context(&key, None, jiff::Timestamp::UNIX_EPOCH).await;

    assert_eq!(requests(&server).await.len(), before);
    let failures = refused.expect("the part that asks nothing").failures().len();
    assert_eq!(failures, 5);
    let _ = pagerduty.for_purpose(Purpose::Poll).incident(&key.id).await;
    assert_eq!(requests(&server).await.len(), before + 1);
}

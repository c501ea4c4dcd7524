//! Schedules, overrides, services and pages on the wire: what is asked, and what is made of the answers.

use jiff::Timestamp;
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate};

use super::{account_key, client, client_of, header, ok, on, person, requests, settings};
use crate::{
    core::{
        arrangement::Cover,
        id::{OverrideId, ScheduleId, ServiceId, UserId, WindowId},
        incident::Named,
        span::Span,
    },
    provider::{Added, Provider as _, ProviderError, Removed, Rota as _},
};

fn time(text: &str) -> Timestamp {
    format!("2026-01-01T{text}:00Z").parse().expect("time")
}

fn span() -> Span {
    Span { from: time("08:00"), to: time("10:00") }
}

fn schedule() -> Named<ScheduleId> {
    Named { id: ScheduleId::new("S1").expect("id"), name: "Primary".into() }
}

fn bob() -> Named<UserId> {
    Named { id: UserId::new("UBOB").expect("id"), name: "Bob".into() }
}

fn cover(from: &str, to: &str) -> Cover {
    Cover { user: bob(), span: Span { from: time(from), to: time(to) }, replaces: vec![] }
}

fn wrong_kind() -> ResponseTemplate {
    let words = "This is a shift-based schedule. Use the /v3/schedules endpoints instead.";
    ResponseTemplate::new(400).set_body_json(json!({ "error": { "message": words, "code": 2001 } }))
}

fn created(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(body)
}

/// A server whose schedule S1 is kept by the newer system: ann until 09:00, then nobody.
async fn with_shifts() -> MockServer {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "GET", "/schedules/S1", wrong_kind()).await;
    on(&server, "GET", "/schedules/S1/overrides", wrong_kind()).await;
    on(
        &server,
        "GET",
        "/users",
        ok(json!({ "users": [{ "id": "UANN", "name": "Ann" }, { "id": "UBOB", "name": "Bob" }] })),
    )
    .await;
    let stretch = |from: &str, to: &str, member: Value| {
        json!({ "start_time": format!("2026-01-01T{from}:00Z"), "end_time": format!("2026-01-01T{to}:00Z"),
            "member": member, "source": { "type": "rotation", "rotation_id": "R1" } })
    };
    let stretches = [
        stretch("06:00", "09:00", json!({ "type": "user_member", "user_id": "UANN" })),
        stretch("09:00", "12:00", json!({ "type": "empty_member" })),
    ];
    let body = json!({ "schedule": { "id": "S1", "type": "schedule_v3", "name": "Primary", "time_zone": "Europe/Oslo",
        "http_cal_url": "https://secret.example/feed", "final_schedule": { "computed_shift_assignments": stretches } } });
    on(&server, "GET", "/v3/schedules/S1", ok(body)).await;
    server
}

fn body_of(requests: &[wiremock::Request], path: &str) -> Value {
    let request = requests.iter().find(|one| one.method.as_str() == "POST" && one.url.path() == path).expect(path);
    serde_json::from_slice(&request.body).expect("json")
}

#[tokio::test]
async fn overrides_of_a_layer_schedule_go_out_in_one_request_and_each_has_its_own_answer() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "GET", "/schedules/S1", ok(json!({ "schedule": { "id": "S1" } }))).await;
    let user = json!({ "id": "UBOB", "type": "user_reference", "summary": "Bob" });
    let answer = json!([
        { "status": 201, "override": { "id": "Q1", "start": time("08:00"), "end": time("09:00"), "user": user } },
        { "status": 400, "errors": ["Override must end after its start"],
          "override": { "start": time("09:00"), "end": time("09:00"), "user": user } },
    ]);
    on(&server, "POST", "/schedules/S1/overrides", created(&answer)).await;

    let covers = [cover("08:00", "09:00"), cover("09:00", "09:00")];
    let added = client_of(&server).add_overrides(&schedule().id, &covers).await.expect("answered");

    assert_eq!(added[0], Added::Made);
    assert_eq!(added[1], Added::Refused { reason: "Override must end after its start".into() });
    let sent = body_of(&requests(&server).await, "/schedules/S1/overrides");
    assert_eq!(
        sent["overrides"][0],
        json!({ "start": "2026-01-01T08:00:00Z", "end": "2026-01-01T09:00:00Z",
            "user": { "id": "UBOB", "type": "user_reference" }, "time_zone": "UTC" })
    );
}

#[tokio::test]
async fn an_answer_with_fewer_overrides_than_asked_for_calls_none_of_them_done() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "GET", "/schedules/S1", ok(json!({ "schedule": { "id": "S1" } }))).await;
    on(&server, "POST", "/schedules/S1/overrides", created(&json!([]))).await;

    let answer = client_of(&server).add_overrides(&schedule().id, &[cover("08:00", "09:00")]).await;

    assert!(matches!(answer, Err(ProviderError::Unreadable { .. })), "{answer:?}");
}

#[tokio::test]
async fn on_a_shift_based_schedule_the_one_who_is_there_is_replaced_and_the_gap_is_filled() {
    let server = with_shifts().await;
    let (over, extra) = (json!({ "overrides": [{ "id": "Q1" }] }), json!({ "custom_shifts": [{ "id": "C1" }] }));
    on(&server, "POST", "/v3/schedules/S1/overrides", created(&over)).await;
    on(&server, "POST", "/v3/schedules/S1/custom_shifts", created(&extra)).await;

    let added = client_of(&server).add_overrides(&schedule().id, &[cover("08:00", "10:00")]).await.expect("answered");

    assert_eq!(added, [Added::Made]);
    let sent = requests(&server).await;
    assert_eq!(
        body_of(&sent, "/v3/schedules/S1/overrides"),
        json!({ "overrides": [{ "type": "override_shift", "start_time": "2026-01-01T08:00:00Z",
            "end_time": "2026-01-01T09:00:00Z", "overridden_member": { "type": "user_member", "user_id": "UANN" },
            "overriding_member": { "type": "user_member", "user_id": "UBOB" }, "rotation_id": "R1" }] })
    );
    assert_eq!(
        body_of(&sent, "/v3/schedules/S1/custom_shifts"),
        json!({ "custom_shifts": [{ "type": "custom_shift", "start_time": "2026-01-01T09:00:00Z",
            "end_time": "2026-01-01T10:00:00Z", "assignments": [{ "type": "shift_assignment",
                "member": { "type": "user_member", "user_id": "UBOB" } }] }] })
    );
}

#[tokio::test]
async fn half_of_a_cover_is_called_half() {
    let server = with_shifts().await;
    on(&server, "POST", "/v3/schedules/S1/overrides", created(&json!({ "overrides": [{ "id": "Q1" }] }))).await;
    let refusal = json!({ "error": { "message": "Forbidden", "code": 2010 } });
    on(&server, "POST", "/v3/schedules/S1/custom_shifts", ResponseTemplate::new(403).set_body_json(refusal)).await;

    let added = client_of(&server).add_overrides(&schedule().id, &[cover("08:00", "10:00")]).await.expect("answered");

    let [Added::Partly { failed }] = added.as_slice() else { panic!("{added:?}") };
    assert!(failed.as_str().contains("not permitted"), "{failed}");
}

#[tokio::test]
async fn a_cover_whose_second_half_got_no_answer_is_in_doubt_and_says_what_was_made() {
    let server = with_shifts().await;
    on(&server, "POST", "/v3/schedules/S1/overrides", created(&json!({ "overrides": [{ "id": "Q1" }] }))).await;
    on(&server, "POST", "/v3/schedules/S1/custom_shifts", ResponseTemplate::new(504)).await;

    let added = client_of(&server).add_overrides(&schedule().id, &[cover("08:00", "10:00")]).await.expect("answered");

    let [Added::InDoubt { given, cause }] = added.as_slice() else { panic!("{added:?}") };
    assert_eq!(given.as_str(), "1 of 2 parts of the time");
    assert!(cause.as_str().contains("504"), "{cause}");
}

#[tokio::test]
async fn a_cover_that_meets_the_rate_limit_at_once_sends_nothing_more() {
    let server = with_shifts().await;
    let limited = ResponseTemplate::new(429).insert_header("ratelimit-reset", "7");
    on(&server, "POST", "/v3/schedules/S1/overrides", limited).await;
    let extra = json!({ "custom_shifts": [{ "id": "C1" }] });
    on(&server, "POST", "/v3/schedules/S1/custom_shifts", created(&extra)).await;

    let added = client_of(&server).add_overrides(&schedule().id, &[cover("08:00", "10:00")]).await;

    assert!(matches!(added, Err(ProviderError::RateLimited { .. })), "{added:?}");
}

#[tokio::test]
async fn shifts_of_either_system_have_names_and_leave_gaps_out() {
    let server = with_shifts().await;

    let found = client_of(&server).shifts(&schedule(), span()).await.expect("found");

    let told: Vec<_> = found.shifts.iter().map(|one| (one.user.name.as_str(), one.start, one.end)).collect();
    assert_eq!(told, [("Ann", time("06:00"), time("09:00"))]);
    assert_eq!(found.zone.as_str(), "Europe/Oslo");
}

#[tokio::test]
async fn what_was_put_beside_the_rotations_is_an_override_to_people_and_is_taken_away_where_it_is_kept() {
    let server = with_shifts().await;
    let extra = json!({ "custom_shifts": [{ "id": "C1", "start_time": time("09:00"), "end_time": time("10:00"),
        "assignments": [{ "member": { "type": "user_member", "user_id": "UBOB" } }] }] });
    on(&server, "GET", "/v3/schedules/S1/overrides", ok(json!({ "overrides": [], "more": false }))).await;
    on(&server, "GET", "/v3/schedules/S1/custom_shifts", ok(extra)).await;
    on(&server, "DELETE", "/v3/schedules/S1/custom_shifts/C1", ResponseTemplate::new(204)).await;
    let client = client_of(&server);

    let found = client.overrides(&schedule().id, span()).await.expect("found");

    assert_eq!(
        found.iter().map(|one| (one.id.as_str(), one.user.name.as_str())).collect::<Vec<_>>(),
        [("custom_shift:C1", "Bob")]
    );
    assert_eq!(client.remove_override(&schedule().id, &found[0].id).await, Ok(Removed::Gone));
}

#[tokio::test]
async fn an_override_that_runs_is_cut_short_and_one_ahead_is_gone() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", ok(person())).await;
    on(&server, "GET", "/schedules/S1", ok(json!({ "schedule": { "id": "S1" } }))).await;
    on(&server, "DELETE", "/schedules/S1/overrides/Q1", ResponseTemplate::new(204)).await;
    on(&server, "DELETE", "/schedules/S1/overrides/Q2", ResponseTemplate::new(200)).await;
    let client = client_of(&server);
    let remove = async |id: &str| client.remove_override(&schedule().id, &OverrideId::new(id).expect("id")).await;

    assert_eq!(remove("Q1").await, Ok(Removed::Gone));
    assert_eq!(remove("Q2").await, Ok(Removed::CutShort));
    assert!(matches!(remove("Q3").await, Err(ProviderError::NotFound { .. })));
}

#[tokio::test]
async fn schedules_of_both_systems_are_listed_and_an_account_without_the_newer_one_has_the_older_ones() {
    let list = json!({ "schedules": [{ "id": "S2", "name": "Layers", "time_zone": "UTC", "final_schedule":
        { "rendered_schedule_entries": [], "rendered_coverage_percentage": 0.0 } }] });
    let names = |found: &[crate::core::oncall::Schedule]| {
        found.iter().map(|one| one.schedule.name.to_string()).collect::<Vec<_>>()
    };
    let server = with_shifts().await;
    on(&server, "GET", "/schedules", ok(list.clone())).await;
    let shifts = json!({ "schedules": [{ "id": "S1", "type": "schedule_v3_reference", "summary": "Shifts" }] });
    on(&server, "GET", "/v3/schedules", ok(shifts)).await;
    assert_eq!(names(&client_of(&server).schedules(time("08:00")).await.expect("listed").all), ["Layers", "Shifts"]);

    let older = MockServer::start().await;
    on(&older, "GET", "/schedules", ok(list)).await;
    assert_eq!(names(&client_of(&older).schedules(time("08:00")).await.expect("listed").all), ["Layers"]);
}

#[tokio::test]
async fn what_is_left_out_of_the_schedules_is_told() {
    let refusal = json!({ "error": { "message": "Forbidden", "code": 2010 } });
    let server = MockServer::start().await;
    on(&server, "GET", "/schedules", ok(json!({ "schedules": [] }))).await;
    on(&server, "GET", "/v3/schedules", ResponseTemplate::new(403).set_body_json(refusal)).await;
    let found = client_of(&server).schedules(time("08:00")).await.expect("listed");
    assert!(found.barred.is_some_and(|why| why.as_str().contains("not permitted")));

    let server = with_shifts().await;
    let bare: Vec<Value> = (0..103).map(|n| json!({ "id": format!("L{n}"), "name": format!("Layers {n}") })).collect();
    on(&server, "GET", "/schedules", ok(json!({ "schedules": bare }))).await;
    let shifts =
        json!([{ "id": "S1", "summary": "Shifts" }, { "id": "S9", "summary": "Odd" }, { "summary": "Nameless" }]);
    on(&server, "GET", "/v3/schedules", ok(json!({ "schedules": shifts }))).await;
    on(&server, "GET", "/v3/schedules/S9", ok(json!({ "schedule": { "id": "S9" } }))).await;

    let found = client_of(&server).schedules(time("08:00")).await.expect("listed");

    assert_eq!(found.all.len(), 1, "those without an answer were deleted meanwhile");
    let lacks: Vec<_> = found.lacks.iter().map(crate::core::text::Shown::as_str).collect();
    assert_eq!(lacks[0], "3 of 103 schedules are not asked for: the list did not bring their shifts");
    assert_eq!(lacks[1], "1 of 3 shift-based schedules came without a usable id");
    assert!(lacks[2].starts_with("the schedule Odd is left out: "), "{lacks:?}");
    assert_eq!(lacks.len(), 3);
}

#[tokio::test]
async fn a_window_is_made_in_somebodys_name_and_one_that_is_over_is_said_to_be() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", account_key()).await;
    let service = json!({ "id": "SVC1", "type": "service_reference", "summary": "Checkout" });
    let made = json!({ "maintenance_window": { "id": "W1", "start_time": time("08:00"), "end_time": time("10:00"),
        "description": "disk swap", "services": [service], "created_by": { "id": "UANN", "summary": "Ann" } } });
    on(&server, "POST", "/maintenance_windows", created(&made)).await;
    let over = json!({ "error": { "message": "past", "code": 5003 } });
    on(&server, "DELETE", "/maintenance_windows/W1", ResponseTemplate::new(405).set_body_json(over)).await;
    let from = Some("ann@example.com".to_owned());
    let client = client(super::Settings { from, ..settings(&server.uri()) });
    let services = [Named { id: ServiceId::new("SVC1").expect("id"), name: "Checkout".into() }];

    let window = client.start_maintenance(&services, span(), "disk swap").await.expect("made");

    assert_eq!((window.id.as_str(), window.services.len()), ("W1", 1));
    assert_eq!(client.end_maintenance(&WindowId::new("W1").expect("id")).await, Ok(Removed::OverAlready));
    let sent = requests(&server).await;
    assert_eq!(
        body_of(&sent, "/maintenance_windows"),
        json!({ "maintenance_window": { "type": "maintenance_window", "start_time": "2026-01-01T08:00:00Z",
            "end_time": "2026-01-01T10:00:00Z", "description": "disk swap",
            "services": [{ "id": "SVC1", "type": "service_reference" }] } })
    );
    let post = sent.iter().find(|one| one.method.as_str() == "POST").expect("sent");
    assert_eq!(header(post, "from"), Some("ann@example.com"));
}

#[tokio::test]
async fn an_account_key_without_a_name_arranges_nothing() {
    let server = MockServer::start().await;
    on(&server, "GET", "/users/me", account_key()).await;
    let services = [Named { id: ServiceId::new("SVC1").expect("id"), name: "Checkout".into() }];

    let refused = client_of(&server).start_maintenance(&services, span(), "x").await.expect_err("refused");

    assert!(refused.to_string().contains("set `from`"), "{refused}");
    assert!(!refused.leaves_doubt());
}

#[tokio::test]
async fn services_come_with_their_policies_and_the_windows_that_are_not_over() {
    let server = MockServer::start().await;
    let policy = json!({ "id": "E1", "summary": "Payments" });
    let list = json!({ "services": [
        { "id": "SVC2", "name": "Web", "status": "disabled", "escalation_policy": policy },
        { "id": "SVC1", "name": "Checkout", "status": "critical", "escalation_policy": null },
    ] });
    on(&server, "GET", "/services", ok(list)).await;
    let window =
        json!({ "id": "W1", "start_time": time("08:00"), "end_time": time("10:00"), "services": [{ "id": "SVC1" }] });
    on(&server, "GET", "/maintenance_windows", ok(json!({ "maintenance_windows": [window, { "id": "W2" }] }))).await;

    let client = client_of(&server);
    let (services, windows) = (client.services().await.expect("found"), client.windows().await.expect("found"));

    let told: Vec<_> =
        services.iter().map(|one| (one.service.name.as_str(), one.disabled, one.policy.is_some())).collect();
    assert_eq!(told, [("Checkout", false, false), ("Web", true, true)]);
    assert_eq!(windows.len(), 1);
    let asked = requests(&server).await;
    let windows = asked.iter().find(|one| one.url.path() == "/maintenance_windows").expect("asked");
    assert!(windows.url.query().is_some_and(|query| query.contains("filter=open")));
}

#[tokio::test]
async fn windows_that_the_key_may_not_see_are_not_called_none() {
    let server = MockServer::start().await;
    on(&server, "GET", "/services", ok(json!({ "services": [{ "id": "SVC1", "name": "Checkout" }] }))).await;
    let refusal = json!({ "error": { "message": "Forbidden", "code": 2010 } });
    on(&server, "GET", "/maintenance_windows", ResponseTemplate::new(403).set_body_json(refusal)).await;
    let client = client_of(&server);

    assert_eq!(client.services().await.expect("found").len(), 1);
    assert!(matches!(client.windows().await, Err(ProviderError::Forbidden { .. })));
}

#[tokio::test]
async fn pages_are_told_without_e_mail_and_with_the_persons_zone() {
    let server = MockServer::start().await;
    let user = json!({ "id": "UANN", "summary": "Ann", "time_zone": "Europe/Oslo" });
    let list = json!({ "notifications": [
        { "id": "N1", "type": "phone_notification", "started_at": "2026-01-01T08:30:00+01:00", "user": user },
        { "id": "N2", "type": "email_notification", "started_at": time("07:30"), "user": user },
        { "id": "N3", "type": "push_notification", "started_at": time("07:31"), "address": null, "user": { "id": "UBOB" } },
        { "id": "N4", "type": "push_notification", "started_at": null, "user": user },
    ] });
    on(&server, "GET", "/notifications", ok(list)).await;

    let pages = client_of(&server).pages(span()).await.expect("found");

    let told: Vec<_> = pages.iter().map(|one| (one.user.name.as_str(), one.at, one.zone.is_some())).collect();
    assert_eq!(told, [("Ann", time("07:30"), true), ("UBOB", time("07:31"), false)]);
}

#[tokio::test]
async fn my_duties_are_asked_for_by_my_id_over_the_whole_time() {
    let server = MockServer::start().await;
    let row = json!({ "escalation_policy": { "id": "E1", "summary": "Payments" }, "escalation_level": 1,
        "user": { "id": "UBOB", "summary": "Bob" }, "schedule": { "id": "S1", "summary": "Primary" },
        "start": time("08:00"), "end": time("09:00") });
    on(&server, "GET", "/oncalls", ok(json!({ "oncalls": [row] }))).await;

    let duties = client_of(&server).duties(&bob().id, span()).await.expect("found");

    assert_eq!(duties.iter().map(|one| (one.level, one.start)).collect::<Vec<_>>(), [(1, Some(time("08:00")))]);
    let asked = requests(&server).await;
    let query = asked[0].url.query().unwrap_or_default();
    assert!(query.contains("user_ids%5B%5D=UBOB") && query.contains("until=2026-01-01T10%3A00%3A00Z"), "{query}");
}

//! Shift-based schedules, maintenance windows and notifications, as a client relies on them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Stage, ids, text};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

async fn shift_based(stage: &Stage) -> String {
    ids(&stage.get("/v3/schedules").await.body["schedules"])[0].clone()
}

/// Who has which time of the schedule, gaps included.
async fn assignments(stage: &Stage, id: &str, since: Timestamp, until: Timestamp) -> Vec<Value> {
    let path = format!("/v3/schedules/{id}?since={since}&until={until}&time_zone=UTC&include[]=final_schedule");
    let body = stage.get(&path).await.body;
    body["schedule"]["final_schedule"]["computed_shift_assignments"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_system_knows_its_own_schedules_only_and_on_calls_know_both() {
    let stage = Stage::empty().await;
    let id = shift_based(&stage).await;
    let layers = ids(&stage.get("/schedules?limit=100").await.body["schedules"]);
    assert!(!layers.contains(&id));

    let wrong = stage.get(&format!("/schedules/{id}")).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.body["error"]["errors"].as_array().is_none());
    assert!(text(&wrong.body["error"]["message"]).contains("/v3/schedules"));
    assert_eq!(stage.get(&format!("/v3/schedules/{}", layers[0])).await.status, 400);

    let until = Timestamp::now() + hours(48);
    let path = format!("/oncalls?schedule_ids[]={id}&until={until}");
    let rows = stage.get(&path).await.body;
    assert_eq!(rows["oncalls"][0]["schedule"]["type"], "schedule_v3_reference");
}

#[tokio::test]
async fn a_gap_is_an_empty_member_and_people_are_named_by_id_only() {
    let stage = Stage::empty().await;
    let id = shift_based(&stage).await;
    let now = Timestamp::now();

    let all = assignments(&stage, &id, now, now + hours(48)).await;

    let kinds: Vec<_> = all.iter().map(|one| text(&one["member"]["type"])).collect();
    assert!(kinds.contains(&"user_member".to_owned()) && kinds.contains(&"empty_member".to_owned()), "{kinds:?}");
    assert!(all.iter().all(|one| one["member"].get("name").is_none()));
}

#[tokio::test]
async fn an_override_names_whom_it_replaces_and_a_gap_takes_a_shift_of_its_own() {
    let stage = Stage::empty().await;
    let id = shift_based(&stage).await;
    let now = Timestamp::now();
    let all = assignments(&stage, &id, now + hours(1), now + hours(49)).await;
    let of_kind = |kind: &str| all.iter().find(|one| one["member"]["type"] == kind).unwrap().clone();
    let (taken, gap) = (of_kind("user_member"), of_kind("empty_member"));
    let member = |n| json!({"type": "user_member", "user_id": stage.user(n)});
    let over = |other: &Value| {
        json!({"overrides": [{"type": "override_shift", "rotation_id": taken["source"]["rotation_id"],
            "start_time": taken["start_time"], "end_time": taken["end_time"], "overridden_member": other,
            "overriding_member": member(0)}]})
    };
    let path = format!("/v3/schedules/{id}");

    assert_eq!(stage.post(&format!("{path}/overrides"), over(&member(1))).await.status, 400);
    let made = stage.post(&format!("{path}/overrides"), over(&taken["member"])).await;
    assert_eq!((made.status, &made.body["overrides"][0]["overriding_member"]), (201, &member(0)));
    let extra = json!({"custom_shifts": [{"type": "custom_shift", "start_time": gap["start_time"],
        "end_time": gap["end_time"], "assignments": [{"type": "shift_assignment", "member": member(1)}]}]});
    assert_eq!(stage.post(&format!("{path}/custom_shifts"), extra).await.status, 201);

    let since = text(&taken["start_time"]).parse::<Timestamp>().unwrap().min(text(&gap["start_time"]).parse().unwrap());
    let after = assignments(&stage, &id, since, now + hours(49)).await;
    let has = |n: usize| after.iter().any(|one| one["member"]["user_id"] == stage.user(n).as_str());
    assert!(has(0) && has(1));
    let over = text(&made.body["overrides"][0]["id"]);
    assert_eq!(stage.delete(&format!("{path}/overrides/{over}")).await.status, 204);
    assert_eq!(stage.delete(&format!("{path}/overrides/{over}")).await.status, 404);
}

#[tokio::test]
async fn a_window_needs_a_name_and_puts_its_services_into_maintenance_until_it_is_ended_once() {
    let mut stage = Stage::empty().await;
    let service = text(&stage.get("/services?query=Payments").await.body["services"][0]["id"]);
    let now = Timestamp::now();
    let window = json!({"maintenance_window": {"type": "maintenance_window", "start_time": now - hours(1),
        "end_time": now + hours(1), "description": "disk swap", "services": [{"id": service, "type": "service_reference"}]}});
    stage.token = "account-key-of-nobody".to_owned();
    assert_eq!(stage.post("/maintenance_windows", window.clone()).await.status, 400);
    stage.from = Some("mira.okafor@example.com".to_owned());

    let made = stage.post("/maintenance_windows", window).await;
    let id = text(&made.body["maintenance_window"]["id"]);
    let status = async || stage.get(&format!("/services/{service}")).await.body["service"]["status"].take();
    assert_eq!(status().await, "maintenance");
    assert_eq!(
        ids(&stage.get("/maintenance_windows?filter=open").await.body["maintenance_windows"]),
        std::slice::from_ref(&id)
    );

    assert_eq!(stage.delete(&format!("/maintenance_windows/{id}")).await.status, 204);
    assert_eq!(status().await, "active");
    assert_eq!(stage.delete(&format!("/maintenance_windows/{id}")).await.status, 405);
    assert_eq!(ids(&stage.get("/maintenance_windows?filter=open").await.body["maintenance_windows"]), [""; 0]);
}

#[tokio::test]
async fn who_was_called_is_told_by_each_way() {
    let stage = Stage::empty().await;
    let now = Timestamp::now();
    stage.trigger("db").await;
    let list = async |more: &str| {
        let window = format!("since={}&until={}", now - hours(1), now + hours(1));
        stage.get(&format!("/notifications?{window}{more}")).await.body["notifications"].as_array().unwrap().clone()
    };

    let all = list("&include[]=users").await;

    let kinds: Vec<_> = all.iter().map(|one| text(&one["type"])).collect();
    assert!(kinds.contains(&"push_notification".into()) && kinds.contains(&"email_notification".into()), "{kinds:?}");
    assert_eq!(all[0]["user"]["time_zone"], "Europe/Berlin");
    assert!(list("&filter=push_notification").await.iter().all(|one| one["type"] == "push_notification"));
    assert_eq!(stage.get("/notifications").await.status, 400);
}

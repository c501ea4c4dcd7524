//! Lists: filters, pages, time windows, who is on call, and the gate before all of it.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use super::{ACCEPT, Stage, ids, options, text};
use crate::simulator::{Options, SimulatorError, start};

async fn all(stage: &Stage, query: &str) -> Vec<Value> {
    let mut out = vec![];
    loop {
        let page = stage.get(&format!("/incidents?{query}&limit=100&offset={}", out.len())).await.body;
        out.extend(page["incidents"].as_array().unwrap().clone());
        if page["more"] == false {
            return out;
        }
    }
}

#[tokio::test]
async fn without_a_date_range_old_open_incidents_are_missing() {
    let stage = Stage::with_incidents(60).await;

    let month = all(&stage, "statuses[]=triggered&statuses[]=acknowledged").await;
    let ever = all(&stage, "statuses[]=triggered&statuses[]=acknowledged&date_range=all").await;

    assert_eq!((month.len(), ever.len()), (55, 60));
    assert_eq!(stage.get("/incidents?since=2020-01-01").await.code(), 2005);
    assert_eq!(stage.get("/incidents?since=yesterday").await.code(), 2004);
}

#[tokio::test]
async fn filters_intersect_and_the_values_of_one_unite() {
    let stage = Stage::with_incidents(60).await;
    let everything = all(&stage, "date_range=all").await;
    let mine =
        text(&everything.iter().find(|i| i["status"] == "acknowledged").unwrap()["assignments"][0]["assignee"]["id"]);
    let service = text(&everything[0]["service"]["id"]);
    let count = |wanted: &dyn Fn(&Value) -> bool| everything.iter().filter(|i| wanted(i)).count();
    let assigned = |i: &Value| super::assignees(i).contains(&mine);

    let low = all(&stage, "date_range=all&urgencies%5B%5D=low").await;
    let narrow = all(&stage, &format!("date_range=all&service_ids[]={service}&statuses[]=resolved")).await;
    let own = all(&stage, &format!("date_range=all&user_ids[]={mine}")).await;
    let by_key = all(&stage, &format!("incident_key={}&date_range=all", text(&everything[5]["incident_key"]))).await;

    assert_eq!(low.len(), count(&|i| i["urgency"] == "low"));
    assert_eq!(narrow.len(), count(&|i| i["service"]["id"] == service.as_str() && i["status"] == "resolved"));
    assert_eq!(own.len(), count(&assigned));
    assert!(!own.is_empty() && own.iter().all(|i| i["status"] != "resolved"));
    assert_eq!(ids(&json!(by_key)), [text(&everything[5]["id"])]);
    assert_eq!(stage.get("/incidents?statuses[]=open").await.code(), 1003);
}

#[tokio::test]
async fn an_incident_is_found_by_id_and_by_number_and_includes_put_full_objects() {
    let stage = Stage::with_incidents(5).await;
    let path = "/incidents?date_range=all&sort_by=incident_number:desc&include[]=services&include[]=assignees";
    let list = stage.get(&format!("{path}&include[]=first_trigger_log_entries")).await.body;
    let first = &list["incidents"][0];

    let by_number = stage.get(&format!("/incidents/{}", first["incident_number"])).await.body;

    assert_eq!(by_number["incident"]["id"], first["id"]);
    assert_eq!(by_number["incident"]["service"]["type"], "service_reference");
    assert_eq!((&first["service"]["type"], first["service"]["integrations"].is_array()), (&json!("service"), true));
    assert_eq!(first["first_trigger_log_entry"]["type"], "trigger_log_entry");
    let open = list["incidents"].as_array().unwrap().iter().find(|i| i["status"] != "resolved").unwrap();
    assert!(text(&open["assignments"][0]["assignee"]["email"]).ends_with("@example.com"));
    let numbers: Vec<_> = list["incidents"].as_array().unwrap().iter().map(|i| i["incident_number"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|a, b| a > b));
    assert_eq!(stage.get("/incidents/QNOTHERE").await.code(), 2100);
}

#[tokio::test]
async fn ten_thousand_incidents_list_quickly() {
    let stage = Stage::with_incidents(10_000).await;

    let began = Instant::now();
    let page = stage
        .get("/incidents?date_range=all&statuses[]=triggered&statuses[]=acknowledged&limit=100&offset=9900&total=true")
        .await;

    assert_eq!((page.body["incidents"].as_array().unwrap().len(), &page.body["total"]), (100, &json!(10_000)));
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn on_calls_name_each_level_and_an_override_counts() {
    let stage = Stage::empty().await;
    let schedule = ids(&stage.get("/schedules?query=primary").await.body["schedules"])[0].clone();
    let policy = stage.policy("Payments").await;
    let now = async |more: &str| stage.get(&format!("/oncalls?escalation_policy_ids[]={policy}&{more}")).await.body;

    let before = now("include[]=users").await;
    let rows = before["oncalls"].as_array().unwrap();
    assert_eq!(rows.iter().map(|r| r["escalation_level"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(rows[0]["user"]["id"], stage.user(0).as_str());
    assert_eq!(rows[0]["user"]["email"], "mira.okafor@example.com");
    assert_eq!((&rows[2]["schedule"], &rows[2]["start"], &rows[2]["end"]), (&Value::Null, &Value::Null, &Value::Null));

    let start = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(1);
    let entry = json!({"start": start, "end": start + jiff::SignedDuration::from_hours(4),
        "user": {"id": stage.user(6), "type": "user_reference"}});
    let made = stage.post(&format!("/schedules/{schedule}/overrides"), json!({"overrides": [entry]})).await;
    assert_eq!(made.body[0]["status"], 201);
    assert_eq!(now("").await["oncalls"][0]["user"]["id"], stage.user(6).as_str());
    assert_eq!(
        super::assignees(&stage.get(&format!("/incidents/{}", stage.trigger("db").await)).await.body["incident"]),
        [stage.user(6)]
    );

    let id = text(&made.body[0]["override"]["id"]);
    let running = stage.delete(&format!("/schedules/{schedule}/overrides/{id}")).await;
    assert_eq!(running.status, 200);
    assert_eq!(now("").await["oncalls"][0]["user"]["id"], stage.user(0).as_str());
}

#[tokio::test]
async fn an_override_ahead_shows_in_the_rendered_schedule_and_can_be_taken_back() {
    let stage = Stage::empty().await;
    let schedule = ids(&stage.get("/schedules").await.body["schedules"])[0].clone();
    let start = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let end = start + jiff::SignedDuration::from_hours(1);
    let user = |n| json!({"id": stage.user(n), "type": "user_reference"});
    let overrides = json!({"overrides": [
        {"start": start, "end": end, "user": user(7)},
        {"start": end, "end": start, "user": user(7)},
        {"start": start, "end": end, "user": {"id": "PNOBODY"}},
    ]});

    let made = stage.post(&format!("/schedules/{schedule}/overrides"), overrides).await;
    assert_eq!(made.status, 201);
    let statuses: Vec<_> = made.body.as_array().unwrap().iter().map(|m| m["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 400, 400]);
    assert_eq!(made.body[1]["errors"], json!(["Override must end after its start"]));

    let rendered = async || {
        let path = format!("/schedules/{schedule}?since={start}&until={end}");
        stage.get(&path).await.body["schedule"]["final_schedule"].take()
    };
    let with_it = rendered().await;
    assert_eq!(with_it["rendered_schedule_entries"].as_array().unwrap().len(), 1);
    assert_eq!(with_it["rendered_schedule_entries"][0]["user"]["id"], stage.user(7).as_str());
    assert_eq!(with_it["rendered_coverage_percentage"], 100.0);
    let id = text(&made.body[0]["override"]["id"]);
    assert_eq!(stage.delete(&format!("/schedules/{schedule}/overrides/{id}")).await.status, 204);
    assert_ne!(rendered().await["rendered_schedule_entries"][0]["user"]["id"], stage.user(7).as_str());
    let bare = stage.get(&format!("/schedules/{schedule}")).await.body;
    assert_eq!(bare["schedule"]["final_schedule"]["rendered_schedule_entries"], json!([]));
    assert_eq!(stage.get(&format!("/schedules/{schedule}/overrides")).await.status, 400);
}

#[tokio::test]
async fn the_next_shift_of_each_is_found_with_earliest() {
    let stage = Stage::empty().await;
    let policy = stage.policy("Data").await;
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 20);
    let path = format!("/oncalls?escalation_policy_ids[]={policy}&until={until}&limit=100&time_zone=Asia/Tokyo");

    let every = stage.get(&path).await.body;
    let first = stage.get(&format!("{path}&earliest=true")).await.body;

    assert!(every["oncalls"].as_array().unwrap().len() > 20);
    let level_one: Vec<_> =
        first["oncalls"].as_array().unwrap().iter().filter(|d| d["escalation_level"] == 1).collect();
    assert_eq!(level_one.len(), 3);
    assert!(text(&level_one[0]["start"]).ends_with("+09:00"));
    assert_eq!(stage.get("/oncalls?until=2020-01-01T00:00:00Z").await.code(), 2005);
}

#[tokio::test]
async fn only_the_exact_header_forms_are_let_in() {
    let stage = Stage::empty().await;
    let with = async |authorization: &str, accept: &str| {
        let request = stage.bare(Method::GET, "/abilities");
        let request = request.header("authorization", authorization).header("accept", accept);
        Stage::send(request).await
    };

    assert_eq!(with("Token token=y_NbAkKc66ryYTWUXYEu", ACCEPT).await.status, 200);
    assert_eq!(with("Bearer pdus+_0XBPWQQ_dfd0e8a6-9d45", ACCEPT).await.status, 200);
    for wrong in
        ["token token=y_NbAkKc66ryYTWUXYEu", "Token y_NbAkKc66ryYTWUXYEu", "Token token=", "Token token=\"abcdefgh\""]
    {
        let refused = with(wrong, ACCEPT).await;
        assert_eq!((refused.status, &refused.body), (401, &Value::Null), "{wrong}");
        assert!(refused.header("content-type").starts_with("text/html"));
    }
    assert_eq!(with("Token token=y_NbAkKc66ryYTWUXYEu", "*/*").await.status, 406);
    let form = stage.request(Method::POST, "/incidents").header("content-type", "text/plain").body("{}");
    assert_eq!(Stage::send(form).await.status, 415);
    let unknown = stage.get("/incident").await;
    assert_eq!((unknown.status, unknown.code()), (404, 2100));
    assert_eq!(stage.delete("/incidents").await.status, 405);
}

#[tokio::test]
async fn with_a_token_given_only_that_one_is_let_in() {
    let mut stage = Stage::with(Options { token: Some("account+secret/key".into()), ..options() }).await;

    assert_eq!(stage.get("/abilities").await.status, 401);
    stage.token = "account+secret/key".to_owned();
    assert_eq!(stage.get("/abilities").await.status, 200);
}

#[tokio::test]
async fn every_answer_says_what_is_left_and_the_961st_of_a_minute_is_refused() {
    let stage = Stage::empty().await;

    let first = stage.get("/abilities").await;
    assert_eq!((first.header("ratelimit-limit"), first.header("ratelimit-remaining")), ("960", "959"));
    assert_eq!(first.header("x-request-id").len(), 36);
    assert!(!first.header("date").is_empty());
    for _ in 0..959 {
        assert_eq!(stage.get("/abilities").await.status, 200);
    }
    let refused = stage.get("/abilities").await;

    assert_eq!((refused.status, refused.code(), refused.header("ratelimit-remaining")), (429, 2020, "0"));
    assert!((1..=60).contains(&refused.header("ratelimit-reset").parse::<u32>().unwrap()));
}

#[tokio::test]
async fn it_serves_only_this_machine_and_says_what_is_wrong_with_its_options() {
    let open = start(Options { listen: "0.0.0.0:0".parse().unwrap(), ..options() }).await;
    assert!(matches!(open, Err(SimulatorError::NotLoopback(_))));

    let script = crate::simulator::Script::parse("0 trigger a \"x\" service=\"No Such\"").unwrap();
    let wrong = start(Options { script: Some(script), ..options() }).await.unwrap_err();
    assert_eq!(wrong.to_string(), "script, line 1: no service No Such");
}

#[tokio::test]
async fn one_schedule_can_be_asked_for_with_its_shifts_whole_and_the_list_cuts_them() {
    let stage = Stage::empty().await;
    // Half past an hour: no shift begins then.
    let day = jiff::Timestamp::now().as_second() / 86_400;
    let now = jiff::Timestamp::from_second(day * 86_400 + 12 * 3600 + 1800).unwrap();
    let window = format!("since={now}&until={}&overflow=true", now + jiff::SignedDuration::from_secs(1));
    let listed = stage.get(&format!("/schedules?include[]=final_schedule&{window}")).await.body;
    let list = listed["schedules"].as_array().unwrap();
    let covered = |s: &&Value| s["final_schedule"]["rendered_schedule_entries"][0].is_object();
    let cut = list.iter().find(covered).expect("somebody is on call");
    let single = stage.get(&format!("/schedules/{}?{window}", text(&cut["id"]))).await.body;

    let start = |schedule: &Value| -> jiff::Timestamp {
        text(&schedule["final_schedule"]["rendered_schedule_entries"][0]["start"]).parse().unwrap()
    };
    assert_eq!(start(cut).as_second(), now.as_second());
    assert!(start(&single["schedule"]) < now - jiff::SignedDuration::from_secs(1));
}

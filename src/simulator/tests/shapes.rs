//! Every answer has every key that `PagerDuty`'s own example has, with a value of the same type.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Stage, ids, item, text};

/// May be null though the examples show a value.
const NULLABLE: &[&str] = &[
    "acknowledgement_timeout",
    "alert_grouping",
    "auto_resolve_timeout",
    "client",
    "conference_bridge",
    "end",
    "filter.id",
    "priority",
    "resolve_reason",
    "resolved_at",
    "schedule",
    "start",
];
/// May be empty though the examples show an element.
const MAY_BE_EMPTY: &[&str] = &[
    "contexts",
    "custom_fields",
    "custom_headers",
    "incidents_responders",
    "rendered_schedule_entries",
    "responder_requests",
    "escalation_policies.services",
    "restrictions",
];
/// Optional: this account has no OAuth client, `reopened_at` is missing from real webhooks too, a refused override has no id.
const MAY_BE_ABSENT: &[&str] = &["oauth_client", "override.id", "reopened_at"];
/// The example has the word `true,`, which its own schema forbids.
const WRONG_IN_EXAMPLE: &[&str] = &["created_via_sso"];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

fn listed(list: &[&str], path: &str) -> bool {
    list.iter().any(|one| path == *one || path.ends_with(&format!(".{one}")))
}

/// Adds to `wrong` each place where `value` does not have the shape.
fn compare(shape: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
    if (value.is_null() && listed(NULLABLE, path)) || listed(WRONG_IN_EXAMPLE, path) {
        return;
    }
    match (shape, value) {
        (Value::String(shape), _) if shape == "null" => {}
        (Value::String(shape), value) => {
            if shape != kind(value) {
                wrong.push(format!("{path} is {}, not {shape}", kind(value)));
            }
        }
        (Value::Array(shape), Value::Array(values)) => {
            if let Some(shape) = shape.first() {
                if values.is_empty() && !listed(MAY_BE_EMPTY, path) {
                    wrong.push(format!("{path} is empty"));
                }
                for value in values {
                    compare(shape, value, path, wrong);
                }
            }
        }
        (Value::Object(shape), Value::Object(value)) => {
            for (key, shape) in shape {
                let path = format!("{path}.{key}");
                match value.get(key) {
                    Some(value) => compare(shape, value, &path, wrong),
                    None if listed(MAY_BE_ABSENT, &path) => {}
                    None => wrong.push(format!("{path} is missing")),
                }
            }
        }
        (shape, value) => wrong.push(format!("{path} is {}, not {}", kind(value), kind(shape))),
    }
}

/// The shapes, each to be compared once.
struct Shapes(BTreeMap<String, Value>);

impl Shapes {
    fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pagerduty/shapes.json");
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    fn check(&mut self, name: &str, value: &Value) {
        let shape = self.0.remove(name).unwrap_or_else(|| panic!("no shape (left) for {name}"));
        let mut wrong = vec![];
        compare(&shape, value, name, &mut wrong);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn get(&mut self, stage: &Stage, name: &str, path: &str) -> Value {
        let reply = stage.get(path).await;
        assert!((200..300).contains(&reply.status), "{name}: {:?}", reply.body);
        self.check(&format!("GET {name}"), &reply.body);
        reply.body
    }
}

#[test]
fn the_comparison_sees_what_is_missing_and_what_is_of_another_type() {
    let shape = json!({"a": [{"b": "string", "c": "number"}], "d": "null"});
    let wrong = |value: Value| {
        let mut wrong = vec![];
        compare(&shape, &value, "x", &mut wrong);
        wrong
    };

    assert_eq!(wrong(json!({"a": [{"b": "", "c": 1, "z": 1}], "d": 7})), [""; 0]);
    assert_eq!(wrong(json!({"a": [{"b": null}]})), ["x.a.b is null, not string", "x.a.c is missing", "x.d is missing"]);
    assert_eq!(wrong(json!({"a": [], "d": 1})), ["x.a is empty"]);
    assert_eq!(wrong(json!({"a": {}, "d": 1})), ["x.a is object, not list"]);
}

async fn account(stage: &Stage, shapes: &mut Shapes) {
    for name in ["/abilities", "/users/me", "/teams", "/priorities", "/log_entries"] {
        shapes.get(stage, name, name).await;
    }
    for (list, key) in [("/users", "users"), ("/services", "services"), ("/escalation_policies", "escalation_policies")]
    {
        let body = shapes.get(stage, list, list).await;
        let id = &ids(&body[key])[0];
        shapes.get(stage, &format!("{list}/{{id}}"), &format!("{list}/{id}")).await;
    }
    let hooks = shapes.get(stage, "/webhook_subscriptions", "/webhook_subscriptions").await;
    let hook = format!("/webhook_subscriptions/{}", ids(&hooks["webhook_subscriptions"])[0]);
    shapes.get(stage, "/webhook_subscriptions/{id}", &hook).await;
    let enabled = stage.post(&format!("{hook}/enable"), json!({})).await;
    shapes.check("POST /webhook_subscriptions/{id}/enable", &enabled.body);
    assert_eq!(stage.post(&format!("{hook}/ping"), json!({})).await.status, 202);
}

async fn schedules(stage: &Stage, shapes: &mut Shapes) {
    shapes.get(stage, "/oncalls", "/oncalls").await;
    let layers = "/schedules?include[]=schedule_layers";
    shapes.get(stage, layers, layers).await;
    let list = shapes.get(stage, "/schedules", "/schedules").await;
    let path = format!("/schedules/{}", ids(&list["schedules"])[0]);
    let now = jiff::Timestamp::now();
    let user = json!({"id": stage.user(2), "type": "user_reference"});
    let (start, end) = (now + jiff::SignedDuration::from_hours(1), now + jiff::SignedDuration::from_hours(9));
    let good = json!({"start": start, "end": end, "user": user});
    let bad = json!({"start": end, "end": start, "user": {"id": stage.user(2), "type": "user_reference",
        "summary": "", "self": "", "html_url": ""}});
    let made = stage.post(&format!("{path}/overrides"), json!({"overrides": [good, bad]})).await;
    assert_eq!(made.status, 201);
    shapes.check("POST /schedules/{id}/overrides", &made.body);
    let window = format!("since={start}&until={end}");
    shapes.get(stage, "/schedules/{id}/overrides", &format!("{path}/overrides?{window}")).await;
    shapes.get(stage, "/schedules/{id}/users", &format!("{path}/users?{window}")).await;
    let next = format!("{path}?{window}&include_next_oncall_for_user={}", stage.user(2));
    shapes.get(stage, "/schedules/{id}", &next).await;
    let shifts = shapes.get(stage, "/v3/schedules", "/v3/schedules").await;
    let path = format!("/v3/schedules/{}", ids(&shifts["schedules"])[0]);
    shapes.get(stage, "/v3/schedules/{id}", &path).await;
}

async fn maintenance(stage: &Stage, shapes: &mut Shapes) {
    let service = text(&stage.get("/services?query=Payments").await.body["services"][0]["id"]);
    let now = jiff::Timestamp::now();
    let window = json!({"type": "maintenance_window", "start_time": now, "end_time": now + jiff::SignedDuration::from_hours(1),
        "description": "disk swap", "services": [{"id": service, "type": "service_reference"}]});
    let made = stage.post("/maintenance_windows", json!({"maintenance_window": window})).await;
    assert_eq!(made.status, 201);
    shapes.check("POST /maintenance_windows", &made.body);
    shapes.get(stage, "/maintenance_windows", "/maintenance_windows").await;
    stage.trigger("db").await;
    let window = format!("since={}&until={}", now, now + jiff::SignedDuration::from_hours(1));
    shapes.get(stage, "/notifications", &format!("/notifications?{window}")).await;
}

async fn incidents(stage: &Stage, shapes: &mut Shapes) {
    let service = text(&stage.get("/services?query=Payments").await.body["services"][0]["id"]);
    let new = json!({"type": "incident", "title": "By hand", "priority": "P2",
        "service": {"id": service, "type": "service_reference"}});
    let created = stage.post("/incidents", json!({"incident": new})).await;
    shapes.check("POST /incidents", &created.body);

    let id = stage.trigger("Disk is full").await;
    let path = format!("/incidents/{id}");
    let fields = json!({"status": "acknowledged", "priority": "P1"});
    shapes.check("PUT /incidents/{id}", &stage.put(&path, item(fields)).await.body);
    let many = json!({"incidents": [{"id": id, "type": "incident_reference"}]});
    shapes.check("PUT /incidents", &stage.put("/incidents", many).await.body);
    let note = json!({"note": {"content": "On it"}});
    shapes.check("POST /incidents/{id}/notes", &stage.post(&format!("{path}/notes"), note).await.body);
    let snoozed = stage.post(&format!("{path}/snooze"), json!({"duration": 3600})).await;
    assert_eq!(snoozed.status, 201);
    shapes.check("POST /incidents/{id}/snooze", &snoozed.body);

    shapes.get(stage, "/incidents", "/incidents").await;
    shapes.get(stage, "/incidents/{id}", &format!("{path}?include[]=custom_fields")).await;
    shapes.get(stage, "/incidents/{id}/notes", &format!("{path}/notes")).await;
    shapes.get(stage, "/incidents/{id}/log_entries", &format!("{path}/log_entries")).await;
    let alerts = shapes.get(stage, "/incidents/{id}/alerts", &format!("{path}/alerts")).await;
    let alert = format!("{path}/alerts/{}", ids(&alerts["alerts"])[0]);
    shapes.get(stage, "/incidents/{id}/alerts/{alert_id}", &alert).await;

    for part in [
        "past_incidents",
        "related_incidents",
        "outlier_incident",
        "related_change_events",
        "business_services/impacts",
    ] {
        shapes.get(stage, &format!("/incidents/{{id}}/{part}"), &format!("{path}/{part}")).await;
    }

    let source = created.body["incident"]["id"].clone();
    let sources = json!({"source_incidents": [{"id": source, "type": "incident_reference"}]});
    shapes.check("PUT /incidents/{id}/merge", &stage.put(&format!("{path}/merge"), sources).await.body);
}

async fn webhooks(stage: &Stage, shapes: &mut Shapes) {
    let id = stage.trigger("Everything about it").await;
    let bridge = json!({"conference_number": "+1 555 0100,,1234#", "conference_url": "https://example.com/bridge"});
    stage.change(&id, json!({"priority": "P1", "conference_bridge": bridge})).await;
    stage.change(&id, json!({"status": "resolved"})).await;
    stage.change(&id, json!({"status": "acknowledged"})).await;
    let is_it = |e: &Value| e["data"]["id"] == id.as_str() && e["event_type"] == "incident.acknowledged";
    let got = stage.inbox.when(|got| got.iter().any(|d| is_it(&d.event()))).await;

    let acknowledged = got.iter().map(super::Delivery::event).find(is_it).unwrap();
    shapes.check("webhook envelope", &json!({"event": acknowledged}));
    shapes.check("webhook incident", &acknowledged["data"]);
    shapes.check("webhook incident_note", &stage.inbox.of_kind("incident.annotated").await["data"]);
    let bridge = stage.inbox.of_kind("incident.conference_bridge.updated").await;
    shapes.check("webhook incident_conference_bridge", &bridge["data"]);
    shapes.check("webhook ping", &json!({"event": stage.inbox.of_kind("pagey.ping").await}));
}

#[tokio::test]
async fn every_answer_has_the_keys_and_types_of_the_official_example() {
    let stage = Stage::with_incidents(20).await;
    let mut shapes = Shapes::load();

    account(&stage, &mut shapes).await;
    schedules(&stage, &mut shapes).await;
    maintenance(&stage, &mut shapes).await;
    incidents(&stage, &mut shapes).await;
    webhooks(&stage, &mut shapes).await;

    assert!(shapes.0.is_empty(), "never compared: {:?}", shapes.0.keys());
}

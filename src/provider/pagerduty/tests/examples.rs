//! Every example of what `PagerDuty` sends, through the code that reads it.
//!
//! The committed ones are facsimiles. `DOGWATCH_PAGERDUTY_EXAMPLES` may name a folder with the originals:
//! files `rest_OPERATION.STATUS*.json`, `webhook_data.*.json`, `webhook_envelope.*.json`, `webhook_real.*.json`.

use super::*;
use crate::{
    core::{
        delivery::Decode as _,
        id::{IncidentKey, ServiceId, UserId},
        incident::{Named, Observation, Status},
        oncall::Person,
        text::Shown,
    },
    provider::{
        Provider as _,
        pagerduty::{Webhooks, detail, incidents, naming, oncall, wire},
    },
};

/// Name without prefix and suffix, and content.
fn examples(kind: &str) -> Vec<(String, Value)> {
    let Ok(folder) = std::env::var("DOGWATCH_PAGERDUTY_EXAMPLES") else {
        let Value::Object(all) = json_fixture(&format!("{kind}_facsimiles.json")) else { panic!("no object") };
        return all.into_iter().collect();
    };
    let files = fs::read_dir(folder).expect("folder").flatten();
    let mut all: Vec<_> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().ok()?;
            let name = name.strip_prefix(&format!("{kind}_"))?.strip_suffix(".json")?.to_owned();
            Some((name, serde_json::from_str(&fs::read_to_string(file.path()).ok()?).ok()?))
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// A client whose server answers everything with `body`.
async fn always(body: Value) -> (MockServer, PagerDuty) {
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(ok(body)).mount(&server).await;
    let pagerduty = client_of(&server);
    (server, pagerduty)
}

fn is_whole(seen: &Observation) -> bool {
    let state = &seen.state;
    state.service.is_some() && state.escalation_policy.is_some() && state.number.is_some() && state.url.is_some()
}

/// Whether the operation is one that the client calls; if so its example was read in full.
async fn understood(operation: &str, body: Value) -> bool {
    let operation = operation.split('.').next().unwrap_or_default();
    let id = incident_id("P1");
    let now = "2015-11-09T00:00:00Z".parse().expect("time");
    let count = |key: &str| body.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    let (_server, pagerduty) = always(body.clone()).await;
    match operation {
        "listIncidents" => {
            let seen = pagerduty.open_incidents().await.expect(operation);
            assert!(seen.len() == count("incidents") && seen.iter().all(is_whole), "{operation}");
        }
        "getIncident" | "updateIncident" | "createIncident" | "createIncidentSnooze" => {
            assert!(is_whole(&pagerduty.incident(&id).await.expect(operation)), "{operation}");
        }
        "updateIncidents" => {
            let rows = body["incidents"].as_array().expect("incidents").clone();
            let seen = rows.into_iter().map(|row| incidents::observed(&account(), row, jiff::Timestamp::UNIX_EPOCH));
            assert!(seen.map(|seen| seen.expect(operation)).all(|seen| is_whole(&seen)), "{operation}");
        }
        "getCurrentUser" => {
            assert!(pagerduty.identity().await.expect(operation).user.is_some());
        }
        "listAbilities" => assert_eq!(pagerduty.abilities().await.expect(operation).0.len(), count("abilities")),
        "listUsers" | "getUser" => people(&body),
        "listEscalationPolicies" | "getEscalationPolicy" => assert!(named_policies(&body) > 0, "{operation}"),
        "listOnCalls" => assert_eq!(pagerduty.on_calls().await.expect(operation).len(), count("oncalls")),
        "getSchedule" => {
            let (name, wire) = oncall::schedule(body["schedule"].clone()).expect(operation);
            assert!(
                !oncall::rendered(name, wire, oncall::Window::ahead_of(jiff::Timestamp::now())).shifts.is_empty(),
                "{operation}"
            );
        }
        "listSchedules" => {
            let rows = body["schedules"].as_array().expect("schedules");
            assert!(rows.iter().all(|row| oncall::schedule(row.clone()).is_ok()), "{operation}");
        }
        "listIncidentNotes" => {
            let (texts, _) = detail::notes(&pagerduty.api, &id).await.expect(operation);
            let notes = pagerduty.detail(&id, now).await.expect(operation).notes;
            assert!(texts.len() == count("notes") && notes.len() == count("notes"), "{operation}");
        }
        "createIncidentNote" | "updateIncidentNote" => {
            let note: wire::Note = serde_json::from_value(body["note"].clone()).expect(operation);
            assert!(detail::note(note).is_some_and(|note| !note.content.is_empty()), "{operation}");
        }
        "listIncidentLogEntries" | "listLogEntries" => {
            let opened = pagerduty.detail(&id, now).await.expect(operation);
            assert_eq!(opened.timeline.len(), count("log_entries"), "{operation}");
            assert!(opened.description.is_some(), "{operation}");
        }
        "getLogEntry" => {
            let entry: wire::LogEntry = serde_json::from_value(body["log_entry"].clone()).expect(operation);
            assert_eq!(detail::entry(entry).expect(operation).kind.as_str(), "trigger");
        }
        "listIncidentAlerts" | "updateIncidentAlerts" => {
            let alerts = pagerduty.detail(&id, now).await.expect(operation).alerts;
            assert_eq!(alerts.len(), count("alerts"), "{operation}");
        }
        "getIncidentAlert" | "updateIncidentAlert" => {
            let alert: wire::Alert = serde_json::from_value(body["alert"].clone()).expect(operation);
            let alert = detail::alert(alert);
            assert_eq!(alert.details.is_none(), body["alert"].get("body").is_none(), "{operation}");
            assert_eq!(alert.status.as_str(), "resolved", "{operation}");
        }
        _ => return around(operation, &body, &pagerduty).await,
    }
    true
}

/// The same for what lies around an incident.
async fn around(operation: &str, body: &Value, pagerduty: &PagerDuty) -> bool {
    let key = IncidentKey { account: account(), id: incident_id("P1") };
    let (service, now) = (ServiceId::new("PT4N8WM").expect("id"), jiff::Timestamp::UNIX_EPOCH);
    let count = |key: &str| body.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    let asked = pagerduty.context(&key, Some(&service), now).await;
    let told = || asked.as_ref().expect(operation);
    match operation {
        "getPastIncidents" => {
            let past = told().past.told().expect(operation);
            assert!(past.len() == count("past_incidents") && past.iter().all(|one| one.score.is_some()), "{operation}");
        }
        "getRelatedIncidents" => {
            let related = told().related.told().expect(operation);
            assert_eq!(related.len(), count("related_incidents"), "{operation}");
            let why: Vec<&str> = related[0].why.iter().map(Shown::as_str).collect();
            assert_eq!(why, ["similar contents", "service dependency"]);
        }
        "getOutlierIncident" => {
            let outlier = told().outlier.told().expect(operation).as_ref().expect(operation);
            assert!(outlier.category.as_str() == "rare" && outlier.count.is_some() && outlier.pattern.is_some());
        }
        "listIncidentRelatedChangeEvents" => {
            let changes = told().changes.told().expect(operation);
            assert_eq!(changes.len(), count("change_events"), "{operation}");
            assert!(changes.iter().all(|one| one.at.is_some() && one.details.is_some() && !one.links.is_empty()));
        }
        "getIncidentImpactedBusinessServices" => {
            assert_eq!(told().impacts.told().expect(operation).len(), count("services"), "{operation}");
        }
        "getService" => {
            let service = told().service.told().expect(operation).as_ref().expect(operation);
            assert!(!service.name.is_empty() && service.url.is_some(), "{operation}");
        }
        _ => return false,
    }
    true
}

fn people(body: &Value) {
    let rows = body.get("users").and_then(Value::as_array).cloned();
    for row in rows.unwrap_or_else(|| vec![body["user"].clone()]) {
        let Person { user, email } = oncall::person(row).expect("a person");
        assert!(email.is_some() && user.name.as_str() != user.id.as_str());
    }
}

fn named_policies(body: &Value) -> usize {
    let rows = body.get("escalation_policies").and_then(Value::as_array).cloned();
    let rows = rows.unwrap_or_else(|| vec![body["escalation_policy"].clone()]);
    let policies: Vec<Option<Named<UserId>>> =
        detail::objects::<wire::Reference>(rows).into_iter().map(|row| naming::named(Some(row))).collect();
    assert!(policies.iter().all(Option::is_some));
    policies.len()
}

#[tokio::test]
async fn every_answer_in_the_examples_is_read() {
    let mut read = 0;
    for (operation, body) in examples("rest") {
        if operation.split('.').nth(1) == Some("request") {
            continue;
        }
        read += usize::from(understood(&operation, body).await);
    }

    println!("{read} answers read");
    assert!(read >= 32, "only {read}");
}

#[test]
fn every_webhook_in_the_examples_is_decoded() {
    let mut read = 0;
    for (name, body) in examples("webhook") {
        let body = match name.split('.').next() {
            Some("data") => {
                let event =
                    json!({ "id": "E1", "event_type": "x", "occurred_at": "2026-01-01T00:00:00Z", "data": body });
                json!({ "event": event })
            }
            Some("envelope" | "real") => body,
            _ => continue,
        };
        let data = &body["event"]["data"];
        let kind = data["type"].as_str().expect("type").to_owned();

        let decoded = Webhooks.decode(&account(), body.to_string().as_bytes()).expect(&name);

        assert_eq!(decoded.observation.is_some(), kind == "incident", "{name}");
        assert_eq!(decoded.incident.is_some(), kind.starts_with("incident"), "{name}");
        if let Some(seen) = decoded.observation {
            assert!(is_whole(&seen) && (seen.state.status == Status::Resolved || !seen.state.assignees.is_empty()));
        }
        read += 1;
    }

    println!("{read} webhooks decoded");
    assert!(read >= 15, "only {read}");
}

//! Actions as requests. Nothing but what changes is sent: a `PUT` that also names the escalation policy would
//! begin it anew at level 1.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{PagerDuty, incidents};
use crate::{
    core::{
        action::{Assignee, Edit, Field, FieldKind, NewIncident, Step},
        id::{IncidentId, UserId},
        incident::{Observation, Urgency},
    },
    provider::{Provider as _, ProviderError},
};

/// `PagerDuty` takes a snooze of 1 second to a week.
const SNOOZE: std::ops::RangeInclusive<i64> = 1..=604_800;

pub(super) async fn take(
    pagerduty: &PagerDuty,
    id: &IncidentId,
    step: &Step,
) -> Result<Option<Observation>, ProviderError> {
    if let Some(change) = change(step) {
        return update(pagerduty, id, change).await.map(Some);
    }
    match step {
        Step::Snooze(until) => snooze(pagerduty, id, *until).await.map(Some),
        Step::MergeInto(into) => merge(pagerduty, id, into).await.map(Some),
        Step::Note(text) => note(pagerduty, id, text).await,
        Step::AddResponders { to, message } => add_responders(pagerduty, id, to, message).await,
        Step::StatusUpdate(message) => status_update(pagerduty, id, message).await,
        Step::RunWorkflow(workflow) => run_workflow(pagerduty, id, workflow.as_str()).await,
        Step::ResolveAlert(alert) => resolve_alert(pagerduty, id, alert.as_str()).await,
        Step::Edit(Edit::Field { field, value }) => set_field(pagerduty, id, field, value).await,
        Step::Acknowledge | Step::Resolve | Step::Assign(_) | Step::Escalate(_) | Step::Edit(_) => Ok(None),
    }
}

/// All or none: one incident that cannot be changed so, and nothing is.
pub(super) async fn take_many(
    pagerduty: &PagerDuty,
    ids: &[IncidentId],
    step: &Step,
) -> Result<Vec<Observation>, ProviderError> {
    let Some(change) = change(step) else {
        return Err(ProviderError::Forbidden { reason: "this is done to one incident at a time".to_owned() });
    };
    let items: Vec<Value> = ids.iter().map(|id| reference(id, &change)).collect();
    let asked = pagerduty.api.http.asked();
    let mut answer = pagerduty.api.put(&["incidents"], json!({ "incidents": items })).await?;
    let Some(Value::Array(rows)) = answer.get_mut("incidents").map(Value::take) else {
        return Err(ProviderError::Unreadable { cause: "the list `incidents` is missing in the answer".to_owned() });
    };
    // A row that cannot be read is one of which is not known how it stands.
    Ok(rows.into_iter().filter_map(|row| incidents::observed(&pagerduty.account, row, asked).ok()).collect())
}

fn reference(id: &IncidentId, change: &Value) -> Value {
    let mut item = change.clone();
    item["id"] = id.as_str().into();
    item
}

/// What is different about the incident, where the step is a change of the incident itself.
fn change(step: &Step) -> Option<Value> {
    let mut change = match step {
        Step::Acknowledge => json!({ "status": "acknowledged" }),
        Step::Resolve => json!({ "status": "resolved" }),
        Step::Assign(Assignee::User(user)) => {
            json!({ "assignments": [{ "assignee": { "id": user.id, "type": "user_reference" } }] })
        }
        Step::Assign(Assignee::EscalationPolicy(policy)) => {
            json!({ "escalation_policy": { "id": policy.id, "type": "escalation_policy_reference" } })
        }
        Step::Escalate(level) => json!({ "escalation_level": level }),
        Step::Edit(Edit::Title(title)) => json!({ "title": title.trim() }),
        Step::Edit(Edit::Urgency(urgency)) => json!({ "urgency": urgency_word(*urgency) }),
        Step::Edit(Edit::Priority(priority)) => {
            let priority = priority.as_ref().map(|one| json!({ "id": one.id, "type": "priority_reference" }));
            json!({ "priority": priority })
        }
        _ => return None,
    };
    change["type"] = "incident_reference".into();
    Some(change)
}

fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::High => "high",
        Urgency::Low => "low",
    }
}

async fn update(pagerduty: &PagerDuty, id: &IncidentId, change: Value) -> Result<Observation, ProviderError> {
    let asked = pagerduty.api.http.asked();
    let answer = pagerduty.api.put(&["incidents", id.as_str()], json!({ "incident": change })).await?;
    incidents::unwrapped(&pagerduty.account, answer, asked)
}

async fn snooze(pagerduty: &PagerDuty, id: &IncidentId, until: Timestamp) -> Result<Observation, ProviderError> {
    let asked = pagerduty.api.http.asked();
    let seconds = until.duration_since(Timestamp::now()).as_secs();
    if !SNOOZE.contains(&seconds) {
        return Err(ProviderError::Forbidden { reason: "a snooze lasts from 1 second to 7 days".to_owned() });
    }
    let answer = pagerduty.api.post(&["incidents", id.as_str(), "snooze"], json!({ "duration": seconds })).await?;
    incidents::unwrapped(&pagerduty.account, answer, asked)
}

/// The answer tells of the incident that stays only, so the one that went into it is looked at.
async fn merge(pagerduty: &PagerDuty, id: &IncidentId, into: &IncidentId) -> Result<Observation, ProviderError> {
    let sources = json!({ "source_incidents": [{ "id": id, "type": "incident_reference" }] });
    pagerduty.api.put(&["incidents", into.as_str(), "merge"], sources).await?;
    let lost = |error| ProviderError::Unreadable { cause: format!("merged, but not seen to be: {error}") };
    incidents::one(&pagerduty.api, &pagerduty.account, id).await.map_err(lost)
}

async fn note(pagerduty: &PagerDuty, id: &IncidentId, text: &str) -> Result<Option<Observation>, ProviderError> {
    let path = ["incidents", id.as_str(), "notes"];
    let answer = pagerduty.api.post(&path, json!({ "note": { "content": text } })).await?;
    has(&answer, "note", "a new note")
}

/// The body is not wrapped, its targets are, twice.
async fn add_responders(
    pagerduty: &PagerDuty,
    id: &IncidentId,
    to: &[Assignee],
    message: &str,
) -> Result<Option<Observation>, ProviderError> {
    let target = |to: &Assignee| {
        let target = match to {
            Assignee::User(user) => json!({ "id": user.id, "type": "user_reference" }),
            Assignee::EscalationPolicy(policy) => {
                json!({ "id": policy.id, "type": "escalation_policy_reference" })
            }
        };
        json!({ "responder_request_target": target })
    };
    let body = json!({
        "requester_id": requester(pagerduty).await?,
        "message": message,
        "responder_request_targets": to.iter().map(target).collect::<Vec<_>>(),
    });
    let answer = pagerduty.api.post(&["incidents", id.as_str(), "responder_requests"], body).await?;
    has(&answer, "responder_request", "a responder request")
}

/// In whose name people are asked to respond: here it goes by the id.
async fn requester(pagerduty: &PagerDuty) -> Result<UserId, ProviderError> {
    let unsent = |error: ProviderError| match error {
        error if !error.leaves_doubt() => error,
        error => ProviderError::Unreachable {
            address: pagerduty.api.http.address(),
            cause: format!("nothing was sent, because it is not known who asks: {error}"),
            maybe_sent: false,
        },
    };
    let identity = pagerduty.identity().await.map_err(unsent)?;
    let nobody = || ProviderError::Forbidden {
        reason: "people can only be asked in somebody's name: set `from` of the account to the e-mail address of a \
                 user"
            .to_owned(),
    };
    identity.user.map(|user| user.id).ok_or_else(nobody)
}

async fn status_update(
    pagerduty: &PagerDuty,
    id: &IncidentId,
    message: &str,
) -> Result<Option<Observation>, ProviderError> {
    let path = ["incidents", id.as_str(), "status_updates"];
    let answer = pagerduty.api.post(&path, json!({ "message": message })).await?;
    has(&answer, "status_update", "a status update")
}

async fn run_workflow(
    pagerduty: &PagerDuty,
    id: &IncidentId,
    workflow: &str,
) -> Result<Option<Observation>, ProviderError> {
    let incident = json!({ "id": id, "type": "incident_reference" });
    let body = json!({ "incident_workflow_instance": { "incident": incident } });
    let answer = pagerduty.api.post(&["incident_workflows", workflow, "instances"], body).await?;
    has(&answer, "incident_workflow_instance", "a workflow to run")
}

async fn resolve_alert(
    pagerduty: &PagerDuty,
    id: &IncidentId,
    alert: &str,
) -> Result<Option<Observation>, ProviderError> {
    let path = ["incidents", id.as_str(), "alerts", alert];
    let answer = pagerduty.api.put(&path, json!({ "alert": { "type": "alert", "status": "resolved" } })).await?;
    has(&answer, "alert", "an alert")?;
    let status = answer["alert"].get("status").and_then(Value::as_str);
    match status {
        Some("resolved") => Ok(None),
        other => Err(ProviderError::Refused {
            status: 200,
            reason: format!("the alert is {} all the same", other.unwrap_or("of no status")),
        }),
    }
}

async fn set_field(
    pagerduty: &PagerDuty,
    id: &IncidentId,
    field: &Field,
    value: &str,
) -> Result<Option<Observation>, ProviderError> {
    let path = ["incidents", id.as_str(), "custom_fields", "values"];
    let body = json!({ "custom_fields": [{ "id": field.id, "value": field_value(field.kind, value.trim())? }] });
    let answer = pagerduty.api.put(&path, body).await?;
    let rows = answer.get("custom_fields").is_some_and(Value::is_array);
    let lack = || ProviderError::Unreadable { cause: "no list `custom_fields` in the answer".to_owned() };
    rows.then_some(None).ok_or_else(lack)
}

/// A typed value as the field takes it; empty is none.
pub(super) fn field_value(kind: FieldKind, text: &str) -> Result<Value, ProviderError> {
    let bad = || ProviderError::Forbidden { reason: format!("the field does not take {text:?}") };
    if text.is_empty() {
        return Ok(Value::Null);
    }
    Ok(match kind {
        FieldKind::Text => text.into(),
        FieldKind::Integer => text.parse::<i64>().map_err(|_| bad())?.into(),
        FieldKind::Number => text.parse::<f64>().map_err(|_| bad())?.into(),
        FieldKind::Boolean => text.parse::<bool>().map_err(|_| bad())?.into(),
        FieldKind::List => text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect(),
    })
}

pub(super) async fn create(pagerduty: &PagerDuty, new: &NewIncident) -> Result<Observation, ProviderError> {
    let mut incident = json!({
        "type": "incident",
        "title": new.title.trim(),
        "service": { "id": new.service.id, "type": "service_reference" },
        "urgency": urgency_word(new.urgency),
        "incident_key": new.dedup_key,
    });
    if let Some(details) = &new.details {
        incident["body"] = json!({ "type": "incident_body", "details": details });
    }
    let asked = pagerduty.api.http.asked();
    let answer = pagerduty.api.post(&["incidents"], json!({ "incident": incident })).await?;
    incidents::unwrapped(&pagerduty.account, answer, asked)
}

/// A success that does not show what was asked for leaves doubt.
fn has(answer: &Value, key: &str, what: &str) -> Result<Option<Observation>, ProviderError> {
    let lack = || ProviderError::Unreadable { cause: format!("the answer to {what} does not show it") };
    answer.get(key).is_some_and(Value::is_object).then_some(None).ok_or_else(lack)
}

//! The coordinated response to an incident: people asked to join, status updates, workflows, custom fields, single alerts.

use serde_json::{Value, json};

use super::{
    super::{
        clock,
        json::Includes,
        world::{IncidentIx, Objection, UserIx, World},
    },
    Answer, Call,
};

type Answered = Result<Answer, Answer>;

/// Id, name, description, and whether it is switched on.
const WORKFLOWS: &[(&str, &str, &str, bool)] = &[
    ("PWFBANK", "Call the bank", "Opens a bridge and asks the payments team to join", true),
    ("PWFSTAT", "Public status page", "Puts the incident on the status page", true),
    ("PWFOLD1", "Old paging tree", "Not in use any more", false),
];
/// Id, name, what it is called on the screen, kind, and whether it holds several values.
const FIELDS: &[(&str, &str, &str, &str, bool)] = &[
    ("PFIELD1", "region", "Region", "string", true),
    ("PFIELD2", "customers_affected", "Customers affected", "integer", false),
    ("PFIELD3", "public", "Public", "boolean", false),
];

/// Everybody whom the targets name is paged and stands as pending.
pub(super) fn add_responders(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let ix = call.incident(world)?;
    let body = call.json()?;
    let requester = body.get("requester_id").and_then(Value::as_str).unwrap_or_default();
    if user(world, requester).is_none() {
        return Err(Objection::RequesterNotFound.into());
    }
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    let targets = body.get("responder_request_targets").and_then(Value::as_array);
    let targets = targets.filter(|list| !list.is_empty());
    let targets = targets.ok_or_else(|| Answer::invalid("responder_request_targets must be a list"))?;
    let mut users = vec![];
    for target in targets {
        let target = target.get("responder_request_target").unwrap_or(&Value::Null);
        users.extend(asked(world, target, call)?);
    }
    for user in users {
        world.ask_to_respond(ix, user, by, &message, call.now);
    }
    let incident = world.incident_json(ix, &Includes::default());
    Ok(Answer::ok(json!({"responder_request": {
        "incident": {"id": incident["id"], "type": "incident_reference"},
        "requester": world.account.user_ref(by),
        "requested_at": clock::rest(call.now),
        "message": message,
        "responder_request_targets": [{"responder_request_target": {
            "type": "user", "incidents_responders": incident["incidents_responders"],
        }}],
    }})))
}

fn user(world: &World, id: &str) -> Option<UserIx> {
    world.account.users.iter().position(|user| user.id == id).map(UserIx)
}

fn asked(world: &World, target: &Value, call: &Call) -> Result<Vec<UserIx>, Answer> {
    let id = target.get("id").and_then(Value::as_str).unwrap_or_default();
    match target.get("type").and_then(Value::as_str) {
        Some("user_reference" | "user") => user(world, id).map(|user| vec![user]).ok_or_else(Answer::not_found),
        Some("escalation_policy_reference" | "escalation_policy") => {
            let policy = world.account.find_policy(id).ok_or(Objection::PolicyNotFound)?;
            Ok(world.account.on_call(policy, 0, call.now))
        }
        _ => Err(Answer::invalid("responder_request_target must be a user or an escalation policy")),
    }
}

pub(super) fn status_update(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let ix = call.incident(world)?;
    let body = call.json()?;
    let message = body.get("message").and_then(Value::as_str).filter(|message| !message.trim().is_empty());
    let message = message.ok_or_else(|| Answer::invalid("message cannot be empty"))?;
    let id = world.publish_status(ix, message, by, call.now);
    Ok(Answer::ok(json!({"status_update": {
        "id": id,
        "message": message,
        "created_at": clock::rest(call.now),
        "sender": world.account.user_ref(by),
    }})))
}

pub(super) fn workflows(_: &mut World, call: &Call) -> Answered {
    let query = call.query.one("query").unwrap_or_default().to_lowercase();
    let found: Vec<_> = WORKFLOWS.iter().filter(|(_, name, ..)| name.to_lowercase().contains(&query)).collect();
    Ok(Answer::ok(call.query.page()?.of("incident_workflows", &found, |(id, name, about, on)| {
        json!({"id": id, "type": "incident_workflow", "name": name, "description": about, "is_enabled": on})
    })))
}

pub(super) fn run_workflow(world: &mut World, call: &Call) -> Answered {
    let found = WORKFLOWS.iter().find(|(id, _, _, on)| *id == call.id(0) && *on);
    let (_, name, ..) = found.ok_or_else(Answer::not_found)?;
    let body = call.json()?;
    let instance = body.get("incident_workflow_instance").cloned().unwrap_or_default();
    let incident = instance.get("incident").and_then(|incident| incident.get("id")).and_then(Value::as_str);
    let ix = incident.and_then(|id| world.find(id)).ok_or_else(Answer::not_found)?;
    let id = world.start_workflow(ix, name, call.now);
    Ok(Answer::created(json!({"incident_workflow_instance": {
        "id": id,
        "type": "incident_workflow_instance",
        "incident": {"id": incident, "type": "incident_reference"},
    }})))
}

pub(super) fn fields(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    Ok(Answer::ok(fields_json(world, ix)))
}

fn fields_json(world: &World, ix: IncidentIx) -> Value {
    let row = |(id, name, shown, kind, several): &(&str, &str, &str, &str, bool)| {
        json!({
            "id": id, "type": "field_value", "name": name, "display_name": shown, "description": null,
            "data_type": kind, "field_type": if *several { "multi_value" } else { "single_value" },
            "value": world.incident(ix).fields.get(*id),
        })
    };
    json!({"custom_fields": FIELDS.iter().map(row).collect::<Vec<_>>()})
}

pub(super) fn set_fields(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    let body = call.json()?;
    let items = body.get("custom_fields").and_then(Value::as_array);
    let items = items.ok_or_else(|| Answer::invalid("custom_fields must be a list"))?;
    let mut changes = vec![];
    for item in items {
        let named = |key: &str| item.get(key).and_then(Value::as_str);
        let found = FIELDS.iter().find(|(id, name, ..)| named("id") == Some(id) || named("name") == Some(name));
        let (id, name, _, kind, several) = found.ok_or_else(|| Answer::invalid("Custom Field Not Found"))?;
        let value = item.get("value").cloned().unwrap_or_default();
        if !value.is_null() && !fits(&value, kind, *several) {
            return Err(Answer::invalid(format!("{name} does not take this value")));
        }
        changes.push((*id, value));
    }
    for (id, value) in changes {
        world.set_field(ix, id, value);
    }
    Ok(Answer::created(fields_json(world, ix)))
}

fn fits(value: &Value, kind: &str, several: bool) -> bool {
    match (several, kind) {
        (true, _) => value.as_array().is_some_and(|items| items.iter().all(|item| fits(item, kind, false))),
        (false, "integer") => value.is_i64(),
        (false, "boolean") => value.is_boolean(),
        (false, _) => value.is_string(),
    }
}

/// One alert; only its status can be changed here.
pub(super) fn update_alert(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let ix = call.incident(world)?;
    let body = call.json()?;
    let status = body.get("alert").and_then(|alert| alert.get("status")).and_then(Value::as_str);
    if status != Some("resolved") {
        return Err(Objection::InvalidStatus.into());
    }
    let id = call.id(1).to_owned();
    if !world.resolve_alert(ix, &id, by, call.now) {
        return Err(Answer::not_found());
    }
    let incident = world.incident(ix);
    let alert = incident.alerts.iter().find(|alert| alert.id == id).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(json!({"alert": world.alert_json(incident, alert, &Includes::default())})))
}

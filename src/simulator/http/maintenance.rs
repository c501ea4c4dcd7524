//! Maintenance windows. One that is over cannot be ended again: 405.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    super::{
        clock,
        json::{API, WEB},
        world::{Account, ServiceIx, World, account::Maintenance, rota},
    },
    Answer, Call,
    account::in_set,
};

type Answered = Result<Answer, Answer>;

fn window_json(account: &Account, one: &Maintenance) -> Value {
    let zone = rota::zone(account.zone);
    let services: Vec<Value> = one.services.iter().map(|ix| account.service_ref(*ix)).collect();
    let mut teams: Vec<_> = one.services.iter().map(|ix| account.service(*ix).team).collect();
    teams.sort_unstable();
    teams.dedup();
    let teams: Vec<Value> = teams.into_iter().map(|team| account.team_ref(team)).collect();
    json!({
        "id": one.id,
        "type": "maintenance_window",
        "summary": one.description,
        "self": format!("{API}/maintenance_windows/{}", one.id),
        "html_url": format!("{WEB}/service-directory/maintenance-windows/{}", one.id),
        "sequence_number": one.number,
        "start_time": clock::zoned(one.start, &zone),
        "end_time": clock::zoned(one.end, &zone),
        "description": one.description,
        "services": services,
        "teams": teams,
        "created_by": account.user_ref(one.by),
    })
}

pub(super) fn list(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let wanted = |one: &&Maintenance| {
        let (begun, over) = (one.start <= call.now, one.end <= call.now);
        let filtered = match call.query.one("filter") {
            Some("past") => over,
            Some("ongoing") => begun && !over,
            Some("future") => !begun,
            Some("open") => !over,
            _ => true,
        };
        filtered && one.services.iter().any(|ix| in_set(call, "service_ids", &account.service(*ix).id))
    };
    let found: Vec<&Maintenance> = account.maintenance.iter().filter(wanted).collect();
    Ok(Answer::ok(call.query.page()?.of("maintenance_windows", &found, |one| window_json(account, one))))
}

pub(super) fn create(world: &mut World, call: &Call) -> Answered {
    let by = call.actor(world)?;
    let body = call.json()?;
    let wanted = body.get("maintenance_window").ok_or_else(|| Answer::invalid("maintenance_window is required"))?;
    let time = |key: &str| wanted.get(key).and_then(Value::as_str).and_then(|text| text.parse().ok());
    let (Some(start), Some(end)) = (time("start_time"), time("end_time")) else {
        return Err(Answer::invalid("Start time and end time must be given"));
    };
    let start = call.now.max(start);
    if end <= start {
        return Err(Answer::invalid("End time must be after start time"));
    }
    let named = wanted.get("services").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let find = |one: &Value| {
        let id = one.get("id").and_then(Value::as_str).unwrap_or_default();
        world.account.services.iter().position(|service| service.id == id).map(ServiceIx)
    };
    let services = named.iter().map(find).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty());
    let services = services.ok_or_else(|| Answer::invalid("Services must exist"))?;
    let description = wanted.get("description").and_then(Value::as_str).unwrap_or("Maintenance").to_owned();
    let (id, number) = (world.dice.short_id(), world.account.maintenance.len() + 1);
    let made = Maintenance { id, number, start, end, description, services, by };
    let json = window_json(&world.account, &made);
    world.account.maintenance.push(made);
    Ok(Answer::created(json!({"maintenance_window": json})))
}

/// One that is to come is taken away, one that runs ends now.
pub(super) fn end(world: &mut World, call: &Call) -> Answered {
    let windows = &mut world.account.maintenance;
    let at = windows.iter().position(|one| one.id == call.id(0)).ok_or_else(Answer::not_found)?;
    if windows[at].end <= call.now {
        return Err(Answer::error(StatusCode::METHOD_NOT_ALLOWED, 5003, "Maintenance window is in the past"));
    }
    if windows[at].start <= call.now {
        windows[at].end = call.now;
    } else {
        windows.remove(at);
    }
    Ok(Answer { status: StatusCode::NO_CONTENT, body: None })
}

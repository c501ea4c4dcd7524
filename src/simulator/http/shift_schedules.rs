//! Schedules of the newer system. They name people by id only, tell of gaps as an empty member, and answer 400 to the
//! ids of the older one.

use axum::http::StatusCode;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    super::{
        clock,
        json::{API, WEB},
        world::{
            Account, ScheduleIx, UserIx, World,
            account::{Kind, Made, Override, Schedule},
            rota::{self, Shift},
        },
    },
    Answer, Call,
};

type Answered = Result<Answer, Answer>;

const FORTNIGHT: i64 = 14 * 86_400;

fn find(account: &Account, call: &Call) -> Result<ScheduleIx, Answer> {
    let ix = account.find_schedule(call.id(0)).ok_or_else(Answer::not_found)?;
    if account.schedule(ix).kind == Kind::Layers {
        return Err(super::bad_request(2001, "This is a layer-based schedule. Use the /schedules endpoints instead."));
    }
    Ok(ix)
}

pub(super) fn list(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let wanted = |ix: &ScheduleIx| account.schedule(*ix).kind == Kind::Shifts;
    let found: Vec<_> = (0..account.schedules.len()).map(ScheduleIx).filter(wanted).collect();
    Ok(Answer::ok(call.query.page()?.of("schedules", &found, |ix| account.schedule_ref(*ix))))
}

pub(super) fn one(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let ix = find(account, call)?;
    let schedule = account.schedule(ix);
    let zone = call.query.zone(schedule.zone)?;
    let since = call.query.time("since", &zone)?.unwrap_or(call.now);
    let until = call.query.time("until", &zone)?.unwrap_or(clock::after(since, FORTNIGHT));
    let address = format!("webcal.pagerduty.com/private/{}/feed", schedule.id);
    let mut body = json!({
        "id": schedule.id,
        "type": "schedule_v3",
        "name": schedule.name,
        "time_zone": schedule.zone,
        "description": schedule.description,
        "teams": [account.team_ref(schedule.team)],
        "rotations": schedule.layers.iter().map(|layer| json!({"id": layer.id, "type": "schedule_rotation"})).collect::<Vec<_>>(),
        // Whoever knows these addresses reads the calendar without a key: they are secrets.
        "http_cal_url": format!("https://{address}"),
        "web_cal_url": format!("webcal://{address}"),
        "self": format!("{API}/v3/schedules/{}", schedule.id),
        "html_url": format!("{WEB}/schedules/{}", schedule.id),
    });
    if call.query.includes().has("final_schedule") {
        let shifts = rota::final_shifts(schedule, since, until);
        let shown = if call.query.flag("overflow") { shifts.clone() } else { rota::cut_to(&shifts, since, until) };
        body["final_schedule"] = json!({
            "type": "final_schedule",
            "rendered_coverage_percentage": rota::coverage(&shifts, since, until),
            "computed_shift_assignments": assignments(account, schedule, &shown, (since, until), &zone),
        });
    }
    Ok(Answer::ok(json!({"schedule": body})))
}

/// The shifts with the gaps between them, each with where it comes from.
fn assignments(
    account: &Account,
    schedule: &Schedule,
    shifts: &[Shift],
    (since, until): (Timestamp, Timestamp),
    zone: &TimeZone,
) -> Vec<Value> {
    let rotation = schedule.layers.first().map(|layer| layer.id.as_str());
    let write = |start, end, member: Value, source: Value| {
        json!({
            "type": "shift_assignment", "start_time": clock::zoned(start, zone), "end_time": clock::zoned(end, zone),
            "member": member, "source": source,
        })
    };
    let by_rotation = json!({"type": "rotation", "rotation_id": rotation});
    let gap = |start, end| write(start, end, json!({"type": "empty_member"}), by_rotation.clone());
    let (mut out, mut reached) = (vec![], since);
    for shift in shifts.iter().flat_map(|shift| cut_at_overrides(schedule, shift)) {
        if shift.start > reached {
            out.push(gap(reached, shift.start));
        }
        reached = reached.max(shift.end);
        let covers = |one: &&Override| one.user == shift.user && one.start <= shift.start && shift.end <= one.end;
        let source = match schedule.overrides.iter().rev().find(covers) {
            None => by_rotation.clone(),
            Some(one) if one.made == Made::Extra => json!({"type": "custom_shift", "shift_id": one.id}),
            Some(one) => json!({"type": "override", "rotation_id": rotation, "override_id": one.id}),
        };
        out.push(write(shift.start, shift.end, member(account, shift.user), source));
    }
    if reached < until {
        out.push(gap(reached, until));
    }
    out
}

/// Neighbours of the same person are joined where they come out of the rota: here each has its own origin.
fn cut_at_overrides(schedule: &Schedule, shift: &Shift) -> Vec<Shift> {
    let mut cuts: Vec<Timestamp> = schedule.overrides.iter().flat_map(|one| [one.start, one.end]).collect();
    cuts.retain(|cut| *cut > shift.start && *cut < shift.end);
    cuts.extend([shift.start, shift.end]);
    cuts.sort();
    cuts.dedup();
    cuts.windows(2).map(|ends| Shift { start: ends[0], end: ends[1], user: shift.user }).collect()
}

fn member(account: &Account, user: UserIx) -> Value {
    json!({"type": "user_member", "user_id": account.user(user).id})
}

fn window(call: &Call, zone: &TimeZone) -> Result<(Timestamp, Timestamp), Answer> {
    let (Some(since), Some(until)) = (call.query.time("since", zone)?, call.query.time("until", zone)?) else {
        return Err(Answer::invalid("since and until are required"));
    };
    Ok((since, until))
}

fn kept(world: &World, call: &Call, name: &str, wanted: impl Fn(&Override) -> bool) -> Answered {
    let account = &world.account;
    let schedule = account.schedule(find(account, call)?);
    let zone = call.query.zone(schedule.zone)?;
    let (since, until) = window(call, &zone)?;
    let found: Vec<&Override> =
        schedule.overrides.iter().filter(|one| wanted(one) && one.start < until && one.end > since).collect();
    Ok(Answer::ok(call.query.page()?.of(name, &found, |one| override_json(account, schedule, one, &zone))))
}

fn override_json(account: &Account, schedule: &Schedule, one: &Override, zone: &TimeZone) -> Value {
    let (start, end) = (clock::zoned(one.start, zone), clock::zoned(one.end, zone));
    let place = |kind: &str| format!("{API}/v3/schedules/{}/{kind}/{}", schedule.id, one.id);
    match one.made {
        Made::Extra => json!({
            "id": one.id, "type": "custom_shift", "start_time": start, "end_time": end,
            "assignments": [{"id": one.id, "type": "shift_assignment", "member": member(account, one.user)}],
            "self": place("custom_shifts"),
        }),
        Made::InPlaceOf(other) => json!({
            "id": one.id, "type": "override_shift", "rotation_id": schedule.layers.first().map(|layer| layer.id.as_str()),
            "start_time": start, "end_time": end, "overridden_member": member(account, other),
            "overriding_member": member(account, one.user), "self": place("overrides"),
        }),
        Made::Over => Value::Null,
    }
}

pub(super) fn overrides(world: &mut World, call: &Call) -> Answered {
    kept(world, call, "overrides", |one| matches!(one.made, Made::InPlaceOf(_)))
}

pub(super) fn custom_shifts(world: &mut World, call: &Call) -> Answered {
    kept(world, call, "custom_shifts", |one| one.made == Made::Extra)
}

fn items<'a>(body: &'a Value, name: &str) -> Result<&'a Vec<Value>, Answer> {
    let items = body.get(name).and_then(Value::as_array).filter(|items| !items.is_empty());
    items.ok_or_else(|| Answer::invalid(format!("{name} must be a list")))
}

fn times(item: &Value, now: Timestamp) -> Result<(Timestamp, Timestamp), Answer> {
    let time = |key: &str| item.get(key).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    match (time("start_time"), time("end_time")) {
        (Some(start), Some(end)) if start < end && end > now => Ok((start.max(now), end)),
        _ => Err(Answer::invalid("start_time must be before end_time, and that not in the past")),
    }
}

fn user(account: &Account, member: Option<&Value>) -> Result<UserIx, Answer> {
    let member = member.filter(|member| member.get("type").and_then(Value::as_str) == Some("user_member"));
    let id = member.and_then(|member| member.get("user_id")).and_then(Value::as_str).unwrap_or_default();
    let at = account.users.iter().position(|user| user.id == id);
    at.map(UserIx).ok_or_else(|| Answer::invalid("member must be an existing user"))
}

/// All or nothing: whom it replaces must have the time.
pub(super) fn create_overrides(world: &mut World, call: &Call) -> Answered {
    let ix = find(&world.account, call)?;
    let body = call.json()?;
    let mut new = vec![];
    for item in items(&body, "overrides")? {
        let (start, end) = times(item, call.now)?;
        let account = &world.account;
        let schedule = account.schedule(ix);
        let rotation = item.get("rotation_id").and_then(Value::as_str);
        let shift = item.get("custom_shift_id").and_then(Value::as_str);
        let known = match (rotation, shift) {
            (Some(id), None) => schedule.layers.iter().any(|layer| layer.id == id),
            (None, Some(id)) => schedule.overrides.iter().any(|one| one.id == id),
            _ => return Err(Answer::invalid("either rotation_id or custom_shift_id must be given")),
        };
        if !known {
            return Err(Answer::not_found());
        }
        let overridden = user(account, item.get("overridden_member"))?;
        let has_it = rota::final_shifts(schedule, start, end).iter().any(|shift| shift.user == overridden);
        if !has_it {
            return Err(Answer::invalid("overridden_member has no shift in this time"));
        }
        let user = user(account, item.get("overriding_member"))?;
        new.push(Override { made: Made::InPlaceOf(overridden), id: String::new(), start, end, user });
    }
    Ok(keep(world, ix, "overrides", new))
}

pub(super) fn create_custom_shifts(world: &mut World, call: &Call) -> Answered {
    let ix = find(&world.account, call)?;
    let body = call.json()?;
    let mut new = vec![];
    for item in items(&body, "custom_shifts")? {
        let (start, end) = times(item, call.now)?;
        let assignments = item.get("assignments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let [assignment] = assignments else {
            return Err(Answer::invalid("assignments must have exactly one element"));
        };
        let user = user(&world.account, assignment.get("member"))?;
        new.push(Override { made: Made::Extra, id: String::new(), start, end, user });
    }
    Ok(keep(world, ix, "custom_shifts", new))
}

fn keep(world: &mut World, ix: ScheduleIx, name: &str, mut new: Vec<Override>) -> Answer {
    for one in &mut new {
        one.id = world.dice.long_id();
    }
    let schedule = world.account.schedule(ix);
    let zone = rota::zone(schedule.zone);
    let made: Vec<Value> = new.iter().map(|one| override_json(&world.account, schedule, one, &zone)).collect();
    world.account.schedules[ix.0].overrides.extend(new);
    let mut body = json!({});
    body[name] = Value::Array(made);
    Answer::created(body)
}

/// One that lies ahead is taken away, one that runs ends now.
pub(super) fn delete(world: &mut World, call: &Call) -> Answered {
    let ix = find(&world.account, call)?;
    let overrides = &mut world.account.schedules[ix.0].overrides;
    let at = overrides.iter().position(|one| one.id == call.id(1)).ok_or_else(Answer::not_found)?;
    if overrides[at].start < call.now {
        overrides[at].end = overrides[at].end.min(call.now);
    } else {
        overrides.remove(at);
    }
    Ok(Answer { status: StatusCode::NO_CONTENT, body: None })
}

//! Schedules, their overrides, and who is on call. Times are written in the zone asked for, else the schedule's or account's.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    super::{
        clock,
        json::{Includes, with},
        world::{
            Account, ScheduleIx, UserIx, World,
            account::{Kind, Made, Override, Schedule},
            rota::{self, Duty, Shift},
        },
    },
    Answer, Call,
    account::in_set,
    query::Window,
};

type Answered = Result<Answer, Answer>;

const DAY: i64 = 86_400;
const FORTNIGHT: i64 = 14 * DAY;
/// How far on-calls are told ahead.
const AHEAD: i64 = 90 * DAY;

pub(super) fn list(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let query = call.query.one("query").map(str::to_lowercase);
    let wanted = |ix: &ScheduleIx| {
        let schedule = account.schedule(*ix);
        if schedule.kind == Kind::Shifts {
            return false;
        }
        let named = query.as_ref().is_none_or(|q| schedule.name.to_lowercase().contains(q));
        named && in_set(call, "team_ids", &account.team(schedule.team).id)
    };
    let found: Vec<_> = (0..account.schedules.len()).map(ScheduleIx).filter(wanted).collect();
    let page = call.query.page()?;
    let includes = call.query.includes();
    let window = window_around(call, &call.query.zone(account.zone)?)?;
    let mut failed = None;
    let list = page.of("schedules", &found, |ix| {
        listed(account, call, *ix, &includes, window).unwrap_or_else(|refusal| {
            failed = Some(refusal);
            Value::Null
        })
    });
    failed.map_or(Ok(Answer::ok(list)), Err)
}

fn listed(
    account: &Account,
    call: &Call,
    ix: ScheduleIx,
    includes: &Includes,
    window: Option<Window>,
) -> Result<Value, Answer> {
    let rendered = rendered(account, call, ix, window, Ends::Cut)?;
    let keys = ["schedule_layers", "overrides_subschedule", "final_schedule"];
    let asked = keys.into_iter().filter(|key| includes.has(key));
    let more: serde_json::Map<String, Value> =
        asked.filter_map(|k| Some((k.to_owned(), rendered.get(k)?.clone()))).collect();
    Ok(with(account.schedule_json(ix), Value::Object(more)))
}

/// `since` and `until`; one alone reaches two weeks from there, none means that nothing is rendered.
fn window_around(call: &Call, zone: &TimeZone) -> Result<Option<Window>, Answer> {
    let window = match (call.query.time("since", zone)?, call.query.time("until", zone)?) {
        (None, None) => return Ok(None),
        (Some(since), None) => (since, clock::after(since, FORTNIGHT)),
        (None, Some(until)) => (clock::after(until, -FORTNIGHT), until),
        (Some(since), Some(until)) => (since, until),
    };
    let seconds = window.1.as_second().saturating_sub(window.0.as_second());
    if !(0..=2 * AHEAD).contains(&seconds) {
        return Err(super::bad_request(2005, "Invalid Query Date Range"));
    }
    Ok(Some(window))
}

/// The schedule of the path, if it is one of this system.
fn layered(account: &Account, call: &Call) -> Result<ScheduleIx, Answer> {
    let ix = account.find_schedule(call.id(0)).ok_or_else(Answer::not_found)?;
    if account.schedule(ix).kind == Kind::Shifts {
        let words = "This is a shift-based schedule. Use the /v3/schedules endpoints instead.";
        return Err(super::bad_request(2001, words));
    }
    Ok(ix)
}

pub(super) fn one(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let ix = layered(account, call)?;
    let zone = call.query.zone(account.schedule(ix).zone)?;
    let window = window_around(call, &zone)?;
    let ends = if call.query.flag("overflow") { Ends::Whole } else { Ends::Cut };
    let mut schedule = with(account.schedule_json(ix), rendered(account, call, ix, window, ends)?);
    if let Some(user) = call.query.one("include_next_oncall_for_user") {
        schedule["next_oncall_for_user"] = next_for(account, ix, user, call.now, &zone);
    }
    Ok(Answer::ok(json!({"schedule": schedule})))
}

/// Shifts that reach over the window's ends: only one schedule by itself can be asked for them whole.
#[derive(Clone, Copy)]
enum Ends {
    Cut,
    Whole,
}

/// The parts of a schedule that depend on the window.
fn rendered(
    account: &Account,
    call: &Call,
    ix: ScheduleIx,
    window: Option<Window>,
    ends: Ends,
) -> Result<Value, Answer> {
    let schedule = account.schedule(ix);
    let zone = call.query.zone(schedule.zone)?;
    let own_zone = rota::zone(schedule.zone);
    let part = |shifts: &dyn Fn(Timestamp, Timestamp) -> Vec<Shift>| {
        let Some((since, until)) = window else {
            return json!({"rendered_schedule_entries": [], "rendered_coverage_percentage": null});
        };
        let shifts = shifts(since, until);
        let shown = match ends {
            Ends::Whole => shifts.clone(),
            Ends::Cut => rota::cut_to(&shifts, since, until),
        };
        let entries: Vec<Value> = shown.iter().map(|s| entry(account, s, &zone)).collect();
        json!({
            "rendered_schedule_entries": entries,
            "rendered_coverage_percentage": rota::coverage(&shifts, since, until)
        })
    };
    let write = |at| clock::zoned(at, &zone);
    let layers: Vec<Value> = schedule
        .layers
        .iter()
        .rev()
        .map(|l| with(account.layer_json(l, &write), part(&|s, u| rota::layer_shifts(l, &own_zone, s, u))))
        .collect();
    Ok(json!({
        "schedule_layers": layers,
        "overrides_subschedule": with(json!({"name": "Overrides"}), part(&|s, u| rota::override_shifts(schedule, s, u))),
        "final_schedule": with(json!({"name": "Final Schedule"}), part(&|s, u| rota::final_shifts(schedule, s, u))),
    }))
}

fn entry(account: &Account, shift: &Shift, zone: &TimeZone) -> Value {
    json!({
        "start": clock::zoned(shift.start, zone),
        "end": clock::zoned(shift.end, zone),
        "user": account.user_ref(shift.user),
    })
}

fn next_for(account: &Account, ix: ScheduleIx, user: &str, now: Timestamp, zone: &TimeZone) -> Value {
    let shifts = rota::final_shifts(account.schedule(ix), now, clock::after(now, AHEAD));
    let next = shifts.iter().find(|s| account.user(s.user).id == user);
    next.map_or(Value::Null, |shift| with(entry(account, shift, zone), json!({"user": [account.user_ref(shift.user)]})))
}

/// Everybody who is on call in the window.
pub(super) fn users(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let ix = layered(account, call)?;
    let zone = call.query.zone(account.schedule(ix).zone)?;
    let (since, until) = window_around(call, &zone)?.unwrap_or((call.now, clock::after(call.now, FORTNIGHT)));
    let mut users: Vec<UserIx> =
        rota::final_shifts(account.schedule(ix), since, until).iter().map(|s| s.user).collect();
    users.sort_unstable();
    users.dedup();
    let users: Vec<Value> = users.into_iter().map(|u| account.user_json(u, &Includes::default())).collect();
    Ok(Answer::ok(json!({"users": users})))
}

fn override_json(account: &Account, one: &Override, zone: &TimeZone) -> Value {
    let shift = Shift { start: one.start, end: one.end, user: one.user };
    with(json!({"id": one.id}), entry(account, &shift, zone))
}

/// Documented to answer 201, and it does.
pub(super) fn overrides(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let ix = layered(account, call)?;
    let zone = call.query.zone(account.schedule(ix).zone)?;
    let (Some(since), Some(until)) = (call.query.time("since", &zone)?, call.query.time("until", &zone)?) else {
        return Err(Answer::invalid("since and until are required"));
    };
    let found = account.schedule(ix).overrides.iter().filter(|o| o.start < until && o.end > since);
    let found: Vec<Value> = found.map(|o| override_json(account, o, &zone)).collect();
    Ok(Answer::created(json!({"overrides": found})))
}

pub(super) fn create_overrides(world: &mut World, call: &Call) -> Answered {
    let ix = layered(&world.account, call)?;
    let body = call.json()?;
    if let Some(item) = body.get("override") {
        // The old form for one, with its old answer.
        let made = create_override(world, call, ix, item)?;
        return Ok(Answer::created(json!({"override": made})));
    }
    let items = body.get("overrides").and_then(Value::as_array);
    let items = items.ok_or_else(|| Answer::invalid("overrides must be a list"))?;
    let each = items.iter().map(|item| match create_override(world, call, ix, item) {
        Ok(made) => json!({"status": 201, "override": made}),
        Err(refusal) => json!({
            "status": 400,
            "errors": refusal.body.as_ref().map(|b| b["error"]["errors"].clone()),
            "override": item
        }),
    });
    Ok(Answer::created(each.collect()))
}

fn create_override(world: &mut World, call: &Call, ix: ScheduleIx, item: &Value) -> Result<Value, Answer> {
    let account = &world.account;
    let zone = call.query.zone(account.schedule(ix).zone)?;
    let time = |key: &str| item.get(key).and_then(Value::as_str).and_then(|t| t.parse::<Timestamp>().ok());
    let (Some(start), Some(end)) = (time("start"), time("end")) else {
        return Err(Answer::invalid("Override must have a start and an end"));
    };
    if end <= start {
        return Err(Answer::invalid("Override must end after its start"));
    }
    let id = item.get("user").and_then(|u| u.get("id")).and_then(Value::as_str).unwrap_or_default();
    let user = account.users.iter().position(|u| u.id == id).map(UserIx);
    let user = user.ok_or_else(|| Answer::invalid("User must exist"))?;
    if end <= call.now {
        return Err(Answer::invalid("Override must not end in the past"));
    }
    let new = Override { made: Made::Over, id: world.dice.long_id(), start: start.max(call.now), end, user };
    let json = override_json(&world.account, &new, &zone);
    world.account.schedules[ix.0].overrides.push(new);
    Ok(json)
}

/// 204 for one that lies ahead, 200 for one that is cut short now; those of the past stay.
pub(super) fn delete_override(world: &mut World, call: &Call) -> Answered {
    let ix = layered(&world.account, call)?;
    let Schedule { overrides, .. } = &mut world.account.schedules[ix.0];
    let at = overrides.iter().position(|o| o.id == call.id(1)).ok_or_else(Answer::not_found)?;
    let running = &mut overrides[at];
    if running.end <= call.now {
        return Err(super::bad_request(4004, "Invalid Override"));
    }
    if running.start < call.now {
        running.end = call.now;
        return Ok(Answer { status: axum::http::StatusCode::OK, body: None });
    }
    overrides.remove(at);
    Ok(Answer { status: axum::http::StatusCode::NO_CONTENT, body: None })
}

pub(super) fn oncalls(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let zone = call.query.zone(account.zone)?;
    let since = call.query.time("since", &zone)?.unwrap_or(call.now);
    let until = call.query.time("until", &zone)?.unwrap_or(since);
    if until < since || until > clock::after(call.now, AHEAD + DAY) {
        return Err(super::bad_request(2005, "Invalid Query Date Range"));
    }
    let mut found = account.duties(since, until.max(clock::after(since, 1)));
    found.retain(|duty| is_wanted(account, call, duty));
    if call.query.flag("earliest") {
        earliest(&mut found);
    }
    let includes = call.query.includes();
    Ok(Answer::ok(call.query.page()?.of("oncalls", &found, |duty| duty_json(account, duty, &includes, &zone))))
}

fn is_wanted(account: &Account, call: &Call, duty: &Duty) -> bool {
    // `null` asks for those who are always on call.
    let schedule = duty.shift.as_ref().map_or("null", |(ix, _)| account.schedule(*ix).id.as_str());
    in_set(call, "user_ids", &account.user(duty.user).id)
        && in_set(call, "escalation_policy_ids", &account.policy(duty.policy).id)
        && in_set(call, "schedule_ids", schedule)
}

/// The first of each policy, level and user.
fn earliest(duties: &mut Vec<Duty>) {
    duties.sort_by_key(|d| (d.policy, d.level, d.user, d.shift.as_ref().map(|(_, s)| s.start)));
    duties.dedup_by_key(|d| (d.policy, d.level, d.user));
}

fn duty_json(account: &Account, duty: &Duty, includes: &Includes, zone: &TimeZone) -> Value {
    let none = Includes::default();
    let (policy, user) = (duty.policy, duty.user);
    let schedule = duty
        .shift
        .as_ref()
        .map(|(ix, _)| if includes.has("schedules") { account.schedule_json(*ix) } else { account.schedule_ref(*ix) });
    let time = |pick: fn(&Shift) -> Timestamp| duty.shift.as_ref().map(|(_, s)| clock::zoned(pick(s), zone));
    json!({
        "escalation_policy": if includes.has("escalation_policies") {
            account.policy_json(policy, &none)
        } else {
            account.policy_ref(policy)
        },
        "escalation_level": duty.level + 1,
        "user": if includes.has("users") { account.user_json(user, &none) } else { account.user_ref(user) },
        "schedule": schedule,
        "start": time(|s| s.start),
        "end": time(|s| s.end),
    })
}

//! Who am I, and the lists of people and things.

use axum::http::StatusCode;
use serde_json::json;

use super::{
    super::{
        json::with,
        world::{PolicyIx, PriorityIx, ServiceIx, TeamIx, UserIx, World, account::Target},
    },
    Answer, Call, Caller,
};

type Answered = Result<Answer, Answer>;

const ABILITIES: &[&str] = &[
    "teams",
    "read_only_users",
    "service_support_hours",
    "urgencies",
    "coordinated_responding",
    "manage_schedules",
    "manage_api_keys",
    "permissions_service",
];

/// Documented to be a plain string here, unlike everywhere else.
const NO_IDENTITY: &str = "Because this request was made using an account-level access token, we were unable to determine \
the user's identity. Please use a user-level token.";

pub(super) fn abilities() -> Answer {
    Answer::ok(json!({"abilities": ABILITIES}))
}

/// 204 without a body for one that the account has.
pub(super) fn ability(_: &mut World, call: &Call) -> Answered {
    if ABILITIES.contains(&call.id(0)) {
        return Ok(Answer { status: StatusCode::NO_CONTENT, body: None });
    }
    Err(Answer::not_found())
}

pub(super) fn me(world: &mut World, call: &Call) -> Answered {
    match call.caller {
        Caller::User(user) => Ok(Answer::ok(json!({"user": world.account.user_json(user, &call.query.includes())}))),
        Caller::Account { .. } => Err(Answer::new(StatusCode::BAD_REQUEST, json!({"error": NO_IDENTITY}))),
    }
}

/// Whether `query` is in one of these texts, in any case.
fn matches(call: &Call, texts: &[&str]) -> bool {
    let Some(query) = call.query.one("query") else { return true };
    let query = query.to_lowercase();
    texts.iter().any(|t| t.to_lowercase().contains(&query))
}

/// Whether the set `name[]` is absent or has this id.
pub(super) fn in_set(call: &Call, name: &str, id: &str) -> bool {
    let set = call.query.set(name);
    set.is_empty() || set.contains(&id)
}

fn of_team(call: &Call, world: &World, team: TeamIx) -> bool {
    in_set(call, "team_ids", &world.account.team(team).id)
}

pub(super) fn users(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let wanted = |ix: &UserIx| {
        let user = account.user(*ix);
        matches(call, &[user.name, &user.email]) && of_team(call, world, user.team)
    };
    let found: Vec<_> = (0..account.users.len()).map(UserIx).filter(wanted).collect();
    let includes = call.query.includes();
    Ok(Answer::ok(call.query.page()?.of("users", &found, |ix| account.user_json(*ix, &includes))))
}

pub(super) fn user(world: &mut World, call: &Call) -> Answered {
    let at = world.account.users.iter().position(|u| u.id == call.id(0)).ok_or_else(Answer::not_found)?;
    let user = world.account.user_json(UserIx(at), &call.query.includes());
    // Whoever knows these addresses reads the calendar without a key: they are secrets.
    let feed = format!("webcal.pagerduty.com/private/{}/feed", world.account.users[at].notification_rule);
    let feeds = json!({"http_cal_url": format!("https://{feed}"), "web_cal_url": format!("webcal://{feed}")});
    Ok(Answer::ok(json!({"user": with(user, feeds)})))
}

pub(super) fn teams(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let found: Vec<_> =
        (0..account.teams.len()).map(TeamIx).filter(|ix| matches(call, &[account.team(*ix).name])).collect();
    Ok(Answer::ok(call.query.page()?.of("teams", &found, |ix| account.team_json(*ix))))
}

pub(super) fn services(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let wanted = |ix: &ServiceIx| {
        let service = account.service(*ix);
        let named = call.query.one("name").is_none_or(|name| name == service.name);
        named && matches(call, &[service.name]) && of_team(call, world, service.team)
    };
    let mut found: Vec<_> = (0..account.services.len()).map(ServiceIx).filter(wanted).collect();
    found.sort_by_key(|ix| account.service(*ix).name);
    let includes = call.query.includes();
    Ok(Answer::ok(call.query.page()?.of("services", &found, |ix| world.service_now(*ix, &includes, call.now))))
}

pub(super) fn service(world: &mut World, call: &Call) -> Answered {
    let at = world.account.services.iter().position(|s| s.id == call.id(0)).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(json!({"service": world.service_now(ServiceIx(at), &call.query.includes(), call.now)})))
}

pub(super) fn policies(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let wanted = |ix: &PolicyIx| {
        let policy = account.policy(*ix);
        let users = call.query.set("user_ids");
        let targeted =
            |target: &Target| matches!(target, Target::User(u) if users.contains(&account.user(*u).id.as_str()));
        let names_them = users.is_empty() || policy.rules.iter().flat_map(|r| &r.targets).any(targeted);
        names_them && matches(call, &[policy.name]) && of_team(call, world, policy.team)
    };
    let found: Vec<_> = (0..account.policies.len()).map(PolicyIx).filter(wanted).collect();
    let includes = call.query.includes();
    Ok(Answer::ok(call.query.page()?.of("escalation_policies", &found, |ix| account.policy_json(*ix, &includes))))
}

pub(super) fn policy(world: &mut World, call: &Call) -> Answered {
    let at = world.account.policies.iter().position(|p| p.id == call.id(0)).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(json!({"escalation_policy": world.account.policy_json(PolicyIx(at), &call.query.includes())})))
}

pub(super) fn priorities(world: &mut World, call: &Call) -> Answered {
    let account = &world.account;
    let all: Vec<_> = (0..account.priorities.len()).map(PriorityIx).collect();
    Ok(Answer::ok(call.query.page()?.of("priorities", &all, |ix| account.priority_json(*ix))))
}

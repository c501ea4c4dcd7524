//! What lies around an incident. An account here has every plan.

use serde_json::json;

use super::{
    super::{json::context::Of, world::World},
    Answer, Call,
};

type Answered = Result<Answer, Answer>;

/// As documented for past incidents.
const USUAL: usize = 5;

fn limit(call: &Call, usual: usize) -> Result<usize, Answer> {
    let Some(text) = call.query.one("limit") else { return Ok(usual) };
    let limit = text.parse().ok().filter(|limit| (1..1000).contains(limit));
    limit.ok_or_else(|| Answer::invalid("limit must be a number from 1 to 999"))
}

pub(super) fn past(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    Ok(Answer::ok(world.past_json(ix, limit(call, USUAL)?)))
}

pub(super) fn related(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    Ok(Answer::ok(world.related_json(ix)))
}

pub(super) fn outlier(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    Ok(Answer::ok(world.outlier_json(ix)))
}

pub(super) fn changes(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    let (service, began) = (world.incident(ix).service, world.incident(ix).created_at);
    let changes = world.changes_json(service, began, limit(call, 25)?, Of::Incident);
    Ok(Answer::ok(json!({"change_events": changes, "limit": null, "offset": null, "total": null, "more": false})))
}

pub(super) fn service_changes(world: &mut World, call: &Call) -> Answered {
    let service = world.account.find_service(call.id(0)).ok_or_else(Answer::not_found)?;
    let before = world.latest_of(service).unwrap_or(call.now);
    let changes = world.changes_json(service, before, limit(call, 25)?, Of::Service);
    Ok(Answer::ok(json!({"change_events": changes, "limit": 25, "offset": 0, "total": null, "more": false})))
}

pub(super) fn impacts(world: &mut World, call: &Call) -> Answered {
    let ix = call.incident(world)?;
    Ok(Answer::ok(world.impacts_json(ix)))
}

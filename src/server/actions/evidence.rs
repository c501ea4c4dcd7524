//! Whether what is seen to be done was done by what was sent: it may have stood so before, or by somebody else's hand.

use jiff::Timestamp;

use super::{Before, send::Work};
use crate::core::{
    action::{Assignee, Edit, Step},
    incident::{Observation, Pending, Status},
    text::Shown,
};

/// Why it cannot be told whose doing it is that the incident stands as asked for.
pub(super) struct Unclear(pub(super) String);

/// What to say of `step`, which the incident, as `seen`, shows as done and whose answer was lost.
pub(super) async fn weigh(
    work: &Work<'_>,
    step: &Step,
    before: &Before,
    seen: &Observation,
) -> Result<&'static str, Unclear> {
    const FOUND: &str = "the answer was lost; read back and found done";
    let was_so = before.seen.as_ref().is_some_and(|before| step.is_done_in(before, work.skew()) == Some(true));
    match step {
        Step::Acknowledge => acknowledged(work, before, seen).await.map(|()| FOUND),
        Step::Assign(to) => assigned(to, was_so, before, seen).map(|()| FOUND),
        Step::Snooze(_) if was_so && pending(before.seen.as_ref()) == pending(Some(seen)) => {
            Err(Unclear("snoozed until then, as it was before".to_owned()))
        }
        // Whoever made it so, it is what was asked for.
        Step::Edit(Edit::Title(_) | Edit::Urgency(_) | Edit::Priority(_)) if was_so => {
            Ok("the answer was lost; it is so, as it was before")
        }
        Step::Snooze(_)
        | Step::Resolve
        | Step::MergeInto(_)
        | Step::Edit(_)
        | Step::Escalate(_)
        | Step::Note(_)
        | Step::AddResponders { .. }
        | Step::StatusUpdate(_)
        | Step::RunWorkflow(_)
        | Step::ResolveAlert(_) => Ok(FOUND),
    }
}

/// Several people can have acknowledged, each with a time.
async fn acknowledged(work: &Work<'_>, before: &Before, seen: &Observation) -> Result<(), Unclear> {
    let acknowledgers = |seen: &Observation| seen.extra.as_ref().map(|extra| extra.acknowledged.clone());
    let now = acknowledgers(seen).unwrap_or_default();
    if now.is_empty() {
        let stood = match &before.seen {
            Some(before) => before.state.status == Status::Acknowledged,
            None => seen.stamp.at < before.changed,
        };
        return if stood { Err(Unclear("acknowledged, as it was before".to_owned())) } else { Ok(()) };
    }
    let known = before.seen.as_ref().and_then(acknowledgers);
    let is_new = |one: &(Timestamp, Shown)| match &known {
        Some(known) => !known.contains(one),
        None => one.0 >= before.changed,
    };
    let names: Vec<&str> = now.iter().map(|(_, by)| by.as_str()).collect();
    let names = names.join(", ");
    let Some(name) = work.name().await else {
        return Err(Unclear(format!("acknowledged by {names}, and it is not known who acts here")));
    };
    if now.iter().any(|one| is_new(one) && one.1 == name) {
        return Ok(());
    }
    Err(Unclear(format!("acknowledged by {names}, and no new acknowledgement by {name} shows")))
}

fn assigned(to: &Assignee, was_so: bool, before: &Before, seen: &Observation) -> Result<(), Unclear> {
    let at = |seen: &Observation| seen.extra.as_ref().and_then(|extra| extra.assigned_at);
    let unclear = || Err(Unclear(format!("with {}, as it was before", to.name())));
    match &before.seen {
        Some(_) if !was_so => Ok(()),
        Some(before) => {
            let moved = match (at(before), at(seen)) {
                (Some(before), Some(now)) => now > before,
                (None, _) | (_, None) => seen.stamp.at > before.stamp.at,
            };
            if moved { Ok(()) } else { unclear() }
        }
        None if at(seen).unwrap_or(seen.stamp.at) >= before.changed => Ok(()),
        None => unclear(),
    }
}

/// What the provider will do by itself.
fn pending(seen: Option<&Observation>) -> Option<&[Pending]> {
    Some(seen?.extra.as_ref()?.pending.as_slice())
}

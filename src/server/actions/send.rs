//! Sending: written down first, then sent once; many by one request where the provider takes many.

use std::sync::Arc;

use super::{
    Before, READ_AT_ONCE, at_once, each,
    look::{self, Ready, knows_better},
    patiently, read_back, record, record_last,
};
use crate::{
    core::{
        action::{Assignee, Outcome, Step, Verb},
        id::{ActionId, IncidentId, IncidentKey},
        incident::Observation,
        text::Shown,
    },
    provider::Provider,
    server::{desk::Desk, people::Acting},
};

/// One account's part of one action.
pub(super) struct Work<'a> {
    pub(super) desk: &'a Desk,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) id: ActionId,
    pub(super) verb: &'a Verb,
    pub(super) acting: &'a Acting,
}

/// Incidents with the same steps.
pub(super) async fn batch(work: &Work<'_>, batch: Vec<Ready>) {
    let sent: Vec<_> = batch.iter().map(|one| (one.target.key.clone(), Outcome::Sent)).collect();
    if let Err(error) = record(work.desk, work.id, &sent).await {
        let reason = Shown::line(&format!("not sent, because it could not be written down: {error}"));
        let failed = sent.into_iter().map(|(key, _)| (key, Outcome::Failed { reason: reason.clone() })).collect();
        return record_last(work.desk, work.id, work.verb, failed).await;
    }
    let together = batch.len() > 1 && batch[0].steps.first().is_some_and(Step::is_for_many);
    let begun = if together { first_of_many(work, &batch).await } else { batch.iter().map(|_| None).collect() };
    let jobs = batch.into_iter().zip(begun).map(|(one, begun)| async move {
        let outcome = all_steps(work, &one, begun).await;
        record_last(work.desk, work.id, work.verb, vec![(one.target.key, outcome)]).await;
    });
    each(jobs.collect()).await;
}

/// The first step on all by one request. `None`: nothing was done of it for this one, it is to be sent alone.
async fn first_of_many(work: &Work<'_>, batch: &[Ready]) -> Vec<Option<Outcome>> {
    let step = &batch[0].steps[0];
    let ids: Vec<IncidentId> = batch.iter().map(|one| one.target.key.id.clone()).collect();
    let (seen, cause) = match patiently(|| work.provider.take_many(&ids, step)).await {
        Ok(seen) => (seen, "the answer does not tell of it".to_owned()),
        Err(error) if error.leaves_doubt() => (vec![], error.to_string()),
        // All or nothing: whatever one of them was refused for, none of them was changed.
        Err(_) => return batch.iter().map(|_| None).collect(),
    };
    work.desk.observe_all(seen.clone()).await;
    let (seen, cause) = (&seen, cause.as_str());
    let judged = batch.iter().map(|one| async move {
        Some(match seen.iter().find(|seen| seen.key == one.target.key) {
            Some(seen) => judge(step, seen),
            None => read_back::until_seen(work, step, &one.target.key, one.before, cause).await,
        })
    });
    at_once(READ_AT_ONCE, judged.collect()).await
}

/// The steps that are left, one after the other, until one is not seen to be done.
async fn all_steps(work: &Work<'_>, one: &Ready, begun: Option<Outcome>) -> Outcome {
    let mut begun = begun;
    let mut outcome = Outcome::Confirmed { notice: None };
    let mut done: Option<&Step> = None;
    for step in &one.steps {
        let taken = match begun.take() {
            Some(outcome) => outcome,
            None => take(work, step, &one.target.key, one.before).await,
        };
        if done.is_none() && matches!(taken, Outcome::Failed { .. }) {
            return overtaken(work, one).await.unwrap_or(taken);
        }
        outcome = together(outcome, done, step, taken);
        if !matches!(outcome, Outcome::Confirmed { .. }) {
            break;
        }
        done = Some(step);
    }
    outcome
}

/// Refused perhaps because somebody was faster by the blink between our look and our request.
async fn overtaken(work: &Work<'_>, one: &Ready) -> Option<Outcome> {
    let now = work.provider.incident(&one.target.key.id).await.ok()?;
    work.desk.observe(&now).await;
    if knows_better(work.desk, &now) { None } else { look::meanwhile(work.verb, &one.target, &now) }
}

/// What became of the steps up to `step`, when those before are `so_far` and the last of them was `done`. A hand-off
/// that was only read back may have stood so before, or by somebody else's hand.
pub(super) fn together(so_far: Outcome, done: Option<&Step>, step: &Step, taken: Outcome) -> Outcome {
    let Some(done) = done else { return taken };
    let (Outcome::Failed { reason } | Outcome::Unknown { reason }) = taken else { return so_far };
    let said = match (done, so_far) {
        (Step::Assign(to), Outcome::Confirmed { notice: Some(_) }) => {
            Shown::line(&format!("it was with {} when read back", Assignee::name(to)))
        }
        _ => done.done().into(),
    };
    Outcome::Partly { done: said, failed: Shown::line(&format!("{}: {reason}", step.thing())) }
}

async fn take(work: &Work<'_>, step: &Step, key: &IncidentKey, before: Before) -> Outcome {
    match patiently(|| work.provider.take(&key.id, step)).await {
        Ok(Some(seen)) => {
            work.desk.observe(&seen).await;
            judge(step, &seen)
        }
        Ok(None) => Outcome::Confirmed { notice: None },
        Err(error) if error.leaves_doubt() => read_back::until_seen(work, step, key, before, &error.to_string()).await,
        Err(error) => Outcome::Failed { reason: error.shown() },
    }
}

/// Whether the incident, as the provider now shows it, is what was asked for.
pub(super) fn judge(step: &Step, seen: &Observation) -> Outcome {
    if step.is_done_in(seen) != Some(false) {
        return Outcome::Confirmed { notice: None };
    }
    let status = seen.state.status.word();
    let reason = format!("the provider took it, but shows the incident {status} and not as asked");
    Outcome::Failed { reason: Shown::line(&reason) }
}

//! Sending: written down first, then sent once; many by one request where the provider takes many.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use super::{
    Before, PATIENCE, READ_AT_ONCE, at_once, each,
    look::{self, Ready, knows_better},
    read_back, record, record_held, record_last,
};
use crate::{
    core::{
        action::{Assignee, Outcome, Step, Verb},
        id::{ActionId, IncidentId, IncidentKey},
        incident::Observation,
        text::Shown,
    },
    provider::{Provider, ProviderError},
    server::{desk::Desk, people::Acting},
};

/// One account's part of one action.
pub(super) struct Work<'a> {
    pub(super) desk: &'a Desk,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) id: ActionId,
    pub(super) verb: &'a Verb,
    pub(super) acting: &'a Acting,
    pub(super) name: Name,
}

/// How the provider calls who acts.
pub(super) enum Name {
    /// The owner of the credentials, who is asked for when it matters.
    Asked,
    Known(Option<Shown>),
}

impl Work<'_> {
    /// The provider's clock minus ours, as far as it is known.
    pub(super) fn skew(&self) -> SignedDuration {
        self.provider.clock_skew().unwrap_or_default()
    }

    /// How the provider calls who acts, where that can be told.
    pub(super) async fn name(&self) -> Option<Shown> {
        match &self.name {
            Name::Known(name) => name.clone(),
            Name::Asked => self.provider.identity().await.ok()?.user.map(|user| user.name),
        }
    }
}

/// What became of one step on one incident.
pub(super) struct Taken {
    pub(super) outcome: Outcome,
    /// The incident as it was seen afterwards, where it was, and when this was known.
    seen: Option<Observation>,
    at: Instant,
}

impl Taken {
    pub(super) fn of(outcome: Outcome, seen: Option<Observation>) -> Self {
        Self { outcome, seen, at: Instant::now() }
    }
}

/// What became of the first step on a batch.
enum First {
    /// Of each.
    Taken(Vec<Taken>),
    /// Nothing was done of it: each is to be sent for alone.
    Apart,
    /// Nothing was done of it, and nothing will be for so long.
    Limited(Duration),
}

/// Incidents with the same steps. Gives back those that are to be sent for alone.
pub(super) async fn batch(work: &Work<'_>, batch: Vec<Ready>) -> Vec<Ready> {
    let (mut batch, mut alone, mut paused) = (batch, vec![], false);
    for patience in (0..=PATIENCE).rev() {
        let (ready, others) = look::again(work, batch, paused).await;
        batch = ready;
        alone.extend(others);
        if batch.is_empty() || !is_written_down(work, &batch).await {
            return alone;
        }
        match first(work, &batch).await {
            First::Taken(taken) => {
                finish(work, batch, taken).await;
                return alone;
            }
            First::Apart => {
                held(work, &batch).await;
                alone.extend(batch);
                return alone;
            }
            First::Limited(wait) if patience > 0 => {
                held(work, &batch).await;
                tracing::info!(action.id = %work.id, "action {} waits {} s for the rate limit", work.id, wait.as_secs());
                sleep(wait).await;
                paused = true;
            }
            First::Limited(wait) => {
                let reason = ProviderError::RateLimited { wait }.shown();
                tell_all(work, &batch, &Outcome::Failed { reason }).await;
                return alone;
            }
        }
    }
    alone
}

/// Whether it is written down that these are sent now; else they are not.
async fn is_written_down(work: &Work<'_>, batch: &[Ready]) -> bool {
    let sent: Vec<_> = batch.iter().map(|one| (one.target.key.clone(), Outcome::Sent)).collect();
    let Err(error) = record(work.desk, work.id, &sent).await else { return true };
    let reason = Shown::line(&format!("not sent, because it could not be written down: {error}"));
    tell_all(work, batch, &Outcome::Failed { reason }).await;
    false
}

async fn tell_all(work: &Work<'_>, batch: &[Ready], outcome: &Outcome) {
    let outcomes = batch.iter().map(|one| (one.target.key.clone(), outcome.clone())).collect();
    record_last(work.desk, work.id, work.verb, outcomes).await;
}

/// Nothing of these is under way any more.
async fn held(work: &Work<'_>, batch: &[Ready]) {
    let keys: Vec<IncidentKey> = batch.iter().map(|one| one.target.key.clone()).collect();
    if let Err(error) = record_held(work.desk, work.id, &keys).await {
        tracing::warn!(action.id = %work.id, %error, "it could not be written down that an action waits");
    }
}

/// The steps that are left of each, and what comes of them.
async fn finish(work: &Work<'_>, batch: Vec<Ready>, taken: Vec<Taken>) {
    let jobs = batch.into_iter().zip(taken).map(|(one, taken)| async move {
        let outcome = all_steps(work, &one, taken).await;
        record_last(work.desk, work.id, work.verb, vec![(one.target.key.clone(), outcome)]).await;
    });
    each(jobs.collect()).await;
}

async fn first(work: &Work<'_>, batch: &[Ready]) -> First {
    match batch {
        [one] => match one.steps.first() {
            Some(step) => match take(work, step, &one.target.key, &one.before).await {
                Ok(taken) => First::Taken(vec![taken]),
                Err(wait) => First::Limited(wait),
            },
            None => First::Taken(vec![Taken::of(Outcome::Confirmed { notice: None }, None)]),
        },
        many => first_of_many(work, many).await,
    }
}

/// The first step on all by one request.
async fn first_of_many(work: &Work<'_>, batch: &[Ready]) -> First {
    let Some(step) = batch.first().and_then(|one| one.steps.first()) else { return First::Apart };
    let ids: Vec<IncidentId> = batch.iter().map(|one| one.target.key.id.clone()).collect();
    let (seen, cause) = match work.provider.take_many(&ids, step).await {
        Ok(seen) => (seen, "the answer does not tell of it".to_owned()),
        Err(error) if error.leaves_doubt() => (vec![], error.to_string()),
        Err(ProviderError::RateLimited { wait }) => return First::Limited(wait),
        // All or nothing: whatever one of them was refused for, none of them was changed.
        Err(_) => return First::Apart,
    };
    work.desk.observe_all(seen.clone()).await;
    let (seen, cause) = (&seen, cause.as_str());
    let judged = batch.iter().map(|one| async move {
        match seen.iter().find(|seen| seen.key == one.target.key) {
            Some(seen) => Taken::of(judge(work, step, seen), Some(seen.clone())),
            None => read_back::until_seen(work, step, &one.target.key, &one.before, cause).await,
        }
    });
    First::Taken(at_once(READ_AT_ONCE, judged.collect()).await)
}

/// What becomes of the first step, which was taken, and of those that are left, one after the other, until one is not
/// seen to be done.
async fn all_steps(work: &Work<'_>, one: &Ready, first: Taken) -> Outcome {
    if matches!(first.outcome, Outcome::Failed { .. }) {
        return overtaken(work, one).await.unwrap_or(first.outcome);
    }
    let (mut outcome, mut last) = (first.outcome.clone(), first);
    for (done, step) in one.steps.iter().zip(one.steps.iter().skip(1)) {
        if !matches!(outcome, Outcome::Confirmed { .. }) {
            break;
        }
        last = later(work, one, step, &last).await;
        outcome = together(outcome, Some(done), step, last.outcome.clone());
    }
    outcome
}

/// A step after the first one, which left it as `last`.
async fn later(work: &Work<'_>, one: &Ready, step: &Step, last: &Taken) -> Taken {
    let seen = last.seen.as_ref().or(one.before.seen.as_ref());
    let changed = seen.map_or(one.before.changed, |seen| seen.stamp.at);
    let before = Before { changed, seen: seen.cloned(), ..one.before.clone() };
    let (mut paused, mut limit) = (false, Duration::ZERO);
    for patience in (0..=PATIENCE).rev() {
        if let Some(outcome) = look::over(work, step, &one.target, (seen, last.at), paused).await {
            return Taken::of(outcome, None);
        }
        match take(work, step, &one.target.key, &before).await {
            Ok(taken) => return taken,
            Err(wait) if patience > 0 => sleep(wait).await,
            Err(wait) => limit = wait,
        }
        paused = true;
    }
    Taken::of(Outcome::Failed { reason: ProviderError::RateLimited { wait: limit }.shown() }, None)
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

/// Sends it once; `Err`: nothing was done of it, and nothing will be for so long.
async fn take(work: &Work<'_>, step: &Step, key: &IncidentKey, before: &Before) -> Result<Taken, Duration> {
    match work.provider.take(&key.id, step).await {
        Ok(Some(seen)) => {
            work.desk.observe(&seen).await;
            Ok(Taken::of(judge(work, step, &seen), Some(seen)))
        }
        Ok(None) => Ok(Taken::of(Outcome::Confirmed { notice: None }, None)),
        Err(error) if error.leaves_doubt() => {
            Ok(read_back::until_seen(work, step, key, before, &error.to_string()).await)
        }
        Err(ProviderError::RateLimited { wait }) => Err(wait),
        Err(error) => Ok(Taken::of(Outcome::Failed { reason: error.shown() }, None)),
    }
}

/// Whether the incident, as the provider now shows it, is what was asked for.
pub(super) fn judge(work: &Work<'_>, step: &Step, seen: &Observation) -> Outcome {
    if step.is_done_in(seen, work.skew()) != Some(false) {
        return Outcome::Confirmed { notice: None };
    }
    let status = seen.state.status.word();
    let reason = format!("the provider took it, but shows the incident {status} and not as asked");
    Outcome::Failed { reason: Shown::line(&reason) }
}

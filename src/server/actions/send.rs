//! Sending: written down first, then sent once; many by one request where the provider takes many.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::{
    Before, PATIENCE, all_at_once,
    look::{self, Ready, knows_better},
    part::{Limited, Part},
    patiently, read_back, record, record_held, record_last,
};
use crate::{
    core::{
        action::{Assignee, Outcome, Step, Verb, WaitsFor},
        id::{ActionId, IncidentId, IncidentKey},
        incident::Observation,
        text::Shown,
    },
    provider::{Provider, ProviderError},
    server::{desk::Desk, people::Acting},
};

/// One account's part of one action, by the settings of one moment.
pub(super) struct Work<'a> {
    pub(super) desk: &'a Desk,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) id: ActionId,
    pub(super) verb: &'a Verb,
    pub(super) acting: Acting,
    pub(super) part: &'a Part<'a>,
    /// A list of the open incidents takes so long that what it tells is old.
    pub(super) lists_are_slow: AtomicBool,
    name: Name,
}

/// How the provider calls who acts: asked for when it matters, and once.
pub(super) struct Name {
    pub(super) known: Arc<OnceCell<Option<Shown>>>,
    pub(super) asks: Asks,
}

/// Whose credentials tell of it.
pub(super) enum Asks {
    /// Those that are acted by.
    Owner,
    Other(Arc<dyn Provider>),
    /// Nobody's: who acted is not in the settings any more.
    Nobody,
}

impl Name {
    pub(super) fn asked() -> Self {
        Self { known: Arc::default(), asks: Asks::Owner }
    }
}

impl<'a> Work<'a> {
    pub(super) fn new(part: &'a Part<'a>, provider: Arc<dyn Provider>, acting: Acting, name: Name) -> Self {
        let lists_are_slow = AtomicBool::new(false);
        Self { desk: part.desk, provider, id: part.id, verb: part.verb, acting, part, lists_are_slow, name }
    }

    /// The provider's clock minus ours, as far as it is known.
    pub(super) fn skew(&self) -> SignedDuration {
        self.provider.clock_skew().unwrap_or_default()
    }

    /// The way to read what became of something: the credentials may have been replaced since it was sent.
    pub(super) async fn to_read(&self) -> Arc<dyn Provider> {
        let way = self.part.way.to_read(self.desk, &self.acting).await;
        way.unwrap_or_else(|| Arc::clone(&self.provider))
    }

    /// How the provider calls who acts, where that can be told.
    pub(super) async fn name(&self) -> Option<Shown> {
        let provider = match &self.name.asks {
            Asks::Owner => &self.provider,
            Asks::Other(provider) => provider,
            Asks::Nobody => return None,
        };
        let ask = || async {
            let identity = patiently(|| provider.identity()).await?;
            Ok::<_, ProviderError>(identity.user.map(|user| user.name))
        };
        self.name.known.get_or_try_init(ask).await.ok()?.clone()
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

/// What was answered to the first step on a batch.
enum First {
    /// Of each.
    Answered(Vec<Reply>),
    /// Nothing was done of it: each is to be sent for alone.
    Apart,
    /// Nothing was done of it, and nothing will be for so long.
    Limited(Duration),
}

/// What was answered to a step on one incident.
enum Reply {
    /// Done, and the incident with it, where it is told.
    Done(Option<Box<Observation>>),
    /// It may have been done; why that is not known.
    Doubt(String),
    /// Not done.
    Refused(ProviderError),
}

/// What a batch leaves over.
#[derive(Default)]
pub(super) struct Rest {
    /// Those that are to be sent for alone.
    pub(super) alone: Vec<Ready>,
    /// Those that were sent for; what becomes of them may take minutes to find out.
    pub(super) answered: Answered,
}

/// What was answered to the first step on each.
#[derive(Default)]
pub(super) struct Answered(Vec<(Ready, Reply)>);

/// Incidents with the same steps, sent for once.
pub(super) async fn batch(work: &Work<'_>, batch: Vec<Ready>) -> Rest {
    let room = &work.part.sending;
    let ((batch, mut alone), slot) = look::in_room(room, look::again(work, batch)).await;
    if batch.is_empty() {
        return Rest { alone, ..Rest::default() };
    }
    let slot = match slot {
        Some(slot) => Some(slot),
        None => room.acquire().await.ok(),
    };
    let (batch, more) = written_down(work, batch).await;
    alone.extend(more);
    let mut rest = Rest { alone, ..Rest::default() };
    if batch.is_empty() {
        return rest;
    }
    // However often they were looked at: of some it may be known by now that nothing is to be sent.
    let (mut stands, mut over) = (vec![], vec![]);
    for one in batch {
        match one.contradicted(work) {
            Some(outcome) => over.push((one, outcome)),
            None => stands.push(one),
        }
    }
    let telling = async move {
        let outcomes = over.iter().map(|(one, outcome)| (one.target.key.clone(), outcome.clone())).collect();
        record_last(work.desk, work.id, work.verb, outcomes).await;
        drop(over);
    };
    let (more, ()) = tokio::join!(go_out(work, stands, slot), telling);
    rest.alone.extend(more.alone);
    Rest { answered: more.answered, ..rest }
}

/// Sends for these at this moment; `slot` is given back when it is answered.
async fn go_out<Slot>(work: &Work<'_>, batch: Vec<Ready>, slot: Slot) -> Rest {
    let mut rest = Rest::default();
    if batch.is_empty() {
        return rest;
    }
    let first = first(work, &batch).await;
    drop(slot);
    match first {
        First::Answered(replies) => rest.answered = Answered(batch.into_iter().zip(replies).collect()),
        First::Apart => {
            held(work, &batch, None).await;
            rest.alone = batch;
        }
        First::Limited(wait) => limited(work, batch, wait).await,
    }
    rest
}

/// Those of `batch` of which it is written down that they are sent now, for what was seen of them a moment ago.
/// The others are to be sent for alone.
async fn written_down(work: &Work<'_>, batch: Vec<Ready>) -> (Vec<Ready>, Vec<Ready>) {
    let (mut batch, mut alone) = (batch, vec![]);
    for round in (0..look::ROUNDS).rev() {
        let (fresh, more) = look::again(work, batch).await;
        alone.extend(more);
        batch = fresh;
        if batch.is_empty() || !is_written_down(work, &batch).await {
            return (vec![], alone);
        }
        if round == 0 || !batch.iter().any(|one| one.is_old(work)) {
            break;
        }
        held(work, &batch, None).await;
    }
    (batch, alone)
}

/// Whether it is written down that these are sent now; else they are not.
async fn is_written_down(work: &Work<'_>, batch: &[Ready]) -> bool {
    if work.part.undo.is_taken_back() {
        return false;
    }
    // Looks may have taken long since the way was found.
    if let Err(reason) = work.part.way.stands(work.desk) {
        tell_all(work, batch, &Outcome::Failed { reason }).await;
        return false;
    }
    if !work.part.undo.goes_out() {
        return false;
    }
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
async fn held(work: &Work<'_>, batch: &[Ready], waits_for: Option<WaitsFor>) {
    let keys: Vec<IncidentKey> = batch.iter().map(|one| one.target.key.clone()).collect();
    record_held(work.desk, work.id, &keys, waits_for).await;
}

/// Those that wait for the rate limit, their turns given back; the others have done so for too long.
async fn limited(work: &Work<'_>, batch: Vec<Ready>, wait: Duration) {
    let until = Instant::now() + wait;
    let (patient, over): (Vec<_>, Vec<_>) = batch.into_iter().partition(|one| work.part.may_wait(&one.target.key));
    let reason = ProviderError::RateLimited { wait }.shown();
    tell_all(work, &over, &Outcome::Failed { reason }).await;
    if !patient.is_empty() {
        held(work, &patient, Some(WaitsFor::RateLimit)).await;
        tracing::info!(action.id = %work.id, "action {} waits {} s for the rate limit", work.id, wait.as_secs());
    }
    work.part.goes_on_later(patient.into_iter().map(|one| Limited { target: one.target, until }));
}

/// What became of each, and of the steps that are left of it. What is known already is told at once and together.
pub(super) async fn finish(work: &Work<'_>, Answered(all): Answered) {
    let (mut known, mut open) = (vec![], vec![]);
    for (one, reply) in all {
        match (&reply, one.steps.get(..1)) {
            (Reply::Done(seen), Some([step]))
                if one.steps.len() == 1 && seen.as_ref().is_none_or(|seen| is_done(work, step, seen)) =>
            {
                known.push(one);
            }
            _ => open.push((one, reply)),
        }
    }
    tell_all(work, &known, &Outcome::Confirmed { notice: None }).await;
    drop(known);
    let jobs = open.into_iter().map(|(one, reply)| async move {
        let outcome = all_steps(work, &one, reply).await;
        record_last(work.desk, work.id, work.verb, vec![(one.target.key.clone(), outcome)]).await;
    });
    all_at_once(jobs.collect()).await;
}

fn is_done(work: &Work<'_>, step: &Step, seen: &Observation) -> bool {
    matches!(judge(work, step, seen), Outcome::Confirmed { .. })
}

async fn first(work: &Work<'_>, batch: &[Ready]) -> First {
    match batch {
        [one] => match one.steps.first() {
            Some(step) => match take(work, step, &one.target.key).await {
                Ok(reply) => First::Answered(vec![reply]),
                Err(wait) => First::Limited(wait),
            },
            None => First::Answered(vec![Reply::Done(None)]),
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
    let reply = |one: &Ready| match seen.iter().find(|seen| seen.key == one.target.key) {
        Some(seen) => Reply::Done(Some(Box::new(seen.clone()))),
        None => Reply::Doubt(cause.clone()),
    };
    First::Answered(batch.iter().map(reply).collect())
}

/// What becomes of the first step, to which this was answered, and of those that are left, one after the other, until one
/// is not seen to be done.
async fn all_steps(work: &Work<'_>, one: &Ready, reply: Reply) -> Outcome {
    let Some(step) = one.steps.first() else { return Outcome::Confirmed { notice: None } };
    let first = told(work, step, &one.target.key, &one.before, reply).await;
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

/// A step after the first one, which left it as `last`. The turn is kept over the pauses of the rate limit: half of it is
/// done.
async fn later(work: &Work<'_>, one: &Ready, step: &Step, last: &Taken) -> Taken {
    let seen = last.seen.as_ref().or(one.before.seen.as_ref());
    let changed = seen.map_or(one.before.changed, |seen| seen.stamp.at);
    let before = Before { changed, seen: seen.cloned(), ..one.before.clone() };
    let (mut paused, mut limit) = (false, Duration::ZERO);
    for patience in (0..=PATIENCE).rev() {
        let look = || look::over(work, step, &one.target, (seen, last.at), paused);
        let (mut over, mut slot) = look::in_room(&work.part.sending, look()).await;
        if over.is_none() && slot.is_none() {
            slot = work.part.sending.acquire().await.ok();
            // Until there was room again, that look may have grown old too.
            over = look().await;
        }
        if let Some(outcome) = over {
            return Taken::of(outcome, None);
        }
        let answer = take(work, step, &one.target.key).await;
        drop(slot);
        match answer {
            Ok(reply) => return told(work, step, &one.target.key, &before, reply).await,
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
async fn take(work: &Work<'_>, step: &Step, key: &IncidentKey) -> Result<Reply, Duration> {
    match work.provider.take(&key.id, step).await {
        Ok(seen) => {
            if let Some(seen) = &seen {
                work.desk.observe(seen).await;
            }
            Ok(Reply::Done(seen.map(Box::new)))
        }
        Err(error) if error.leaves_doubt() => Ok(Reply::Doubt(error.to_string())),
        Err(ProviderError::RateLimited { wait }) => Err(wait),
        Err(error) => Ok(Reply::Refused(error)),
    }
}

/// What became of a step to which this was answered.
async fn told(work: &Work<'_>, step: &Step, key: &IncidentKey, before: &Before, reply: Reply) -> Taken {
    match reply {
        Reply::Done(Some(seen)) => Taken::of(judge(work, step, &seen), Some(*seen)),
        Reply::Done(None) => Taken::of(Outcome::Confirmed { notice: None }, None),
        Reply::Doubt(cause) => {
            let _room = work.part.reading.acquire().await;
            read_back::until_seen(work, step, key, before, &cause).await
        }
        Reply::Refused(error) => Taken::of(Outcome::Failed { reason: error.shown() }, None),
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

//! The look before sending: an action is for what the person saw, and for nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::atomic::Ordering,
    time::Duration,
};

use futures_util::FutureExt as _;
use jiff::SignedDuration;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep, timeout},
};

use super::{
    AT_ONCE, Before, LAG, at_work::Turn, each, part::Limited, patiently, record_held, record_last, send::Work,
};
use crate::{
    core::{
        action::{Outcome, Step, Target, Verb, WaitsFor},
        id::IncidentKey,
        incident::{Incident, Observation, Source, State, Status},
        text::Shown,
    },
    provider::ProviderError,
    server::desk::Desk,
};

/// Rows of an open list that come with one request.
const PAGE: usize = 100;

/// A look that is older than this is taken again before something is sent for what it showed.
const FRESH: Duration = Duration::from_secs(2);
/// So often those whose looks have grown old while others were looked at are looked at again together.
pub(super) const ROUNDS: usize = 3;

/// An incident that stands as the person saw it.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) target: Target,
    pub(super) steps: Vec<Step>,
    pub(super) before: Before,
    /// When it was looked at.
    at: Instant,
    /// Nobody else acts on it meanwhile.
    turn: Turn,
}

/// What a look at an incident tells.
pub(super) enum Looked {
    Ready(Box<Ready>),
    Over(Over),
    /// Nothing is to be done of it now: it was taken back, or waits for the rate limit, which is told.
    Left,
}

/// One for which nothing is to be sent. Nobody else acts on it before that is told.
pub(super) struct Over {
    key: IncidentKey,
    outcome: Outcome,
    _turn: Turn,
}

/// Why nothing is to be sent for an incident now.
enum NotReady {
    Over(Outcome),
    /// It can be looked at from then on.
    Limited(Instant),
}

/// How an incident stands, and when that was told.
type Seen = Result<(Observation, Instant), ProviderError>;

/// The list of the open incidents, and when it was asked for; nothing where looking one by one takes fewer requests.
pub(super) struct Listed {
    seen: BTreeMap<IncidentKey, Observation>,
    asked: Instant,
}

/// Lists the open incidents, where that takes fewer requests than to look at `targets` one by one. What comes later than a
/// look is good for is not waited for.
pub(super) async fn list(work: &Work<'_>, targets: &[&Target]) -> Listed {
    // What is listed is as old as its page, and so at most as old as the question.
    let (mut seen, asked) = (BTreeMap::new(), Instant::now());
    let Some(first) = targets.first() else { return Listed { seen, asked } };
    let open = work.desk.hub.look(|board| {
        let open = |known: &&Incident| known.state.status.is_open();
        board.incidents.values().filter(open).filter(|known| known.key.account == first.key.account).count()
    });
    if targets.len() <= AT_ONCE.max(open / PAGE + 1) {
        return Listed { seen, asked };
    }
    let told = timeout(FRESH, work.part.undo.unless_taken_back(work.provider.open_incidents())).await;
    work.lists_are_slow.store(asked.elapsed() >= FRESH, Ordering::Relaxed);
    if let Ok(Ok(all)) = told {
        work.desk.observe_all(all.clone()).await;
        seen.extend(all.into_iter().map(|seen| (seen.key.clone(), seen)));
    }
    Listed { seen, asked }
}

impl Listed {
    /// Whether it tells all that is asked of an incident before these steps.
    fn tells(&self, work: &Work<'_>, key: &IncidentKey, steps: &[Step]) -> bool {
        let is_told = |seen: &Observation| steps.iter().all(|step| is_seen(step, seen));
        self.seen.get(key).is_some_and(|seen| is_told(seen) && !knows_better(work.desk, seen))
    }
}

/// Whether the incident itself shows that the step is done; of any other its signs are asked for.
fn is_seen(step: &Step, now: &Observation) -> bool {
    step.is_done_in(now, SignedDuration::ZERO).is_some()
}

/// Whether one of the targets stands as the person saw it. None at all of what was taken back meanwhile, which is told by
/// whoever waits for this.
pub(super) async fn one(work: &Work<'_>, listed: &Listed, target: Target, turn: Turn) -> Looked {
    let seen = seen(work, listed, &target.key).await;
    if work.part.undo.is_taken_back() {
        return Looked::Left;
    }
    let judged = ready(work, &target, seen).await;
    if work.part.undo.is_taken_back() {
        return Looked::Left;
    }
    match judged {
        Ok((steps, before, at)) => Looked::Ready(Box::new(Ready { target, steps, before, at, turn })),
        Err(NotReady::Over(outcome)) => Looked::Over(Over { key: target.key, outcome, _turn: turn }),
        Err(NotReady::Limited(until)) => {
            let keys = [target.key.clone()];
            record_held(work.desk, work.id, &keys, Some(WaitsFor::RateLimit)).await;
            drop(turn);
            work.part.goes_on_later([Limited { target, until }]);
            Looked::Left
        }
    }
}

/// The look itself, once nothing else has to be asked before something is sent for what it shows.
async fn seen(work: &Work<'_>, listed: &Listed, key: &IncidentKey) -> Seen {
    work.part.undo.unless_taken_back(work.provider.prepare_writes()).await?;
    match listed.seen.get(key) {
        Some(seen) if !knows_better(work.desk, seen) => Ok((seen.clone(), listed.asked)),
        _ => as_it_stands(work, key).await,
    }
}

/// Looks with at most so many others, and keeps its place for what comes then. One that hangs keeps it from the others for
/// no longer than a look is good for.
pub(super) async fn in_room<T>(room: &Semaphore, look: impl Future<Output = T>) -> (T, Option<SemaphorePermit<'_>>) {
    let place = room.acquire().await.ok();
    let mut look = pin!(look);
    tokio::select! {
        biased;
        done = look.as_mut() => return (done, place),
        () = sleep(FRESH) => drop(place),
    }
    (look.await, None)
}

/// Tells of those for which nothing is to be sent.
pub(super) async fn tell_over(work: &Work<'_>, over: Vec<Over>) {
    if work.part.undo.is_taken_back() {
        return;
    }
    let outcomes = over.iter().map(|one| (one.key.clone(), one.outcome.clone())).collect();
    record_last(work.desk, work.id, work.verb, outcomes).await;
}

/// Those of the targets that stand as the person saw them; the others are told of.
async fn at(work: &Work<'_>, listed: &Listed, targets: Vec<Ready>) -> Vec<Ready> {
    let looks = targets.into_iter().map(|Ready { target, turn, .. }| one(work, listed, target, turn)).collect();
    let (mut all, mut over) = (vec![], vec![]);
    for looked in each(looks).await {
        match looked {
            Looked::Ready(ready) => all.push(*ready),
            Looked::Over(one) => over.push(one),
            Looked::Left => {}
        }
    }
    tell_over(work, over).await;
    all
}

/// What of `batch` can be sent for at this moment, and what only alone: because it takes other steps by now, or because a
/// list does not tell all that is asked of it, and the others wait for no look that may hang. Those that do not stand as the
/// person saw them any more are told of.
pub(super) async fn again(work: &Work<'_>, batch: Vec<Ready>) -> (Vec<Ready>, Vec<Ready>) {
    let (steps, is_one) = (batch.first().map(|one| one.steps.clone()).unwrap_or_default(), batch.len() == 1);
    let (mut batch, mut alone) = (batch, vec![]);
    for round in (0..=ROUNDS).rev() {
        let (old, fresh): (Vec<_>, Vec<_>) = batch.into_iter().partition(|one| one.is_old(work));
        batch = fresh;
        if old.is_empty() || (round == 0 && is_one) {
            batch.extend(old);
            break;
        }
        if round == 0 || (!is_one && work.lists_are_slow.load(Ordering::Relaxed)) {
            alone.extend(old);
            break;
        }
        let targets: Vec<&Target> = old.iter().map(|one| &one.target).collect();
        let listed = list(work, &targets).await;
        let is_told = |one: &Ready| is_one || listed.tells(work, &one.target.key, &one.steps);
        let (told, untold): (Vec<_>, Vec<_>) = old.into_iter().partition(is_told);
        alone.extend(untold);
        let anew = at(work, &listed, told).await;
        let (same, other): (Vec<_>, Vec<_>) = anew.into_iter().partition(|one| is_one || one.steps == steps);
        batch.extend(same);
        alone.extend(other);
    }
    (batch, alone)
}

impl Ready {
    /// Whether the incident has to be looked at again before something is sent for it: the look is old, or webhooks told
    /// of something since.
    pub(super) fn is_old(&self, work: &Work<'_>) -> bool {
        let is_aged = self.at.elapsed() > FRESH && !matches!(minds(work.verb), Minds::Nothing);
        is_aged || self.contradicted(work).is_some()
    }

    /// Why nothing is to be sent for it, by what webhooks told since the look.
    pub(super) fn contradicted(&self, work: &Work<'_>) -> Option<Outcome> {
        let told = told_since(work, self.before.seen.as_ref()?)?;
        meanwhile(work.verb, &self.target, &told)
    }
}

/// The incident as something that is signed and newer than `seen` told of it, where that is different.
fn told_since(work: &Work<'_>, seen: &Observation) -> Option<Observation> {
    work.desk.hub.look(|board| {
        let known = board.incidents.get(&seen.key)?;
        let later = known.stamp > seen.stamp && known.stamp.source != Source::Unsigned;
        let people = |state: &State| state.assignees.iter().map(|user| user.id.clone()).collect::<BTreeSet<_>>();
        let moved = known.state.status != seen.state.status || people(&known.state) != people(&seen.state);
        let (key, stamp, state) = (known.key.clone(), known.stamp, known.state.clone());
        (later && moved).then(|| Observation { key, stamp, state, extra: known.extra().cloned() })
    })
}

/// Why a later step is not to be sent any more, after the one before it left the incident as `seen`, at `at`. `paused`:
/// so much time went by that every look is old.
pub(super) async fn over(
    work: &Work<'_>,
    step: &Step,
    target: &Target,
    (seen, at): (Option<&Observation>, Instant),
    paused: bool,
) -> Option<Outcome> {
    if !matches!(step, Step::Snooze(_)) {
        return None;
    }
    let told = seen.is_some_and(|seen| told_since(work, seen).is_some());
    if !paused && !told && at.elapsed() <= FRESH {
        return None;
    }
    let now = match patiently(|| as_it_stands(work, &target.key)).await {
        Ok((now, _)) => now,
        Err(error) => return Some(unseen(work, target, &error)),
    };
    let target = Target { seen: Status::Acknowledged, ..target.clone() };
    match meanwhile(work.verb, &target, &now) {
        Some(Outcome::Conflict { reason, .. }) => Some(Outcome::Failed { reason }),
        other => other,
    }
}

/// Looks at the incident, and again while the answer is older than what is known of it.
async fn as_it_stands(work: &Work<'_>, key: &IncidentKey) -> Seen {
    let (desk, undo) = (work.desk, work.part.undo);
    for pause in LAG.iter().map(Some).chain([None]) {
        let now = undo.unless_taken_back(work.provider.incident(&key.id)).await?;
        let at = Instant::now();
        desk.observe(&now).await;
        if !knows_better(desk, &now) {
            return Ok((now, at));
        }
        if let Some(pause) = pause {
            undo.unless_taken_back(sleep(*pause).map(Ok)).await?;
        }
    }
    Err(ProviderError::Unreadable { cause: "it is older than what webhooks told; try again in a moment".to_owned() })
}

pub(super) fn knows_better(desk: &Desk, seen: &Observation) -> bool {
    desk.hub.look(|board| board.knows_better(seen))
}

/// The incident could not be looked at, so nothing was sent.
fn unseen(work: &Work<'_>, target: &Target, error: &ProviderError) -> Outcome {
    if let (ProviderError::Unauthorised { .. }, Some(account)) = (error, work.desk.accounts.get(&target.key.account)) {
        account.forget_for(&work.acting);
    }
    Outcome::Failed {
        reason: Shown::line(&format!("not sent, because the incident could not be looked at first: {error}")),
    }
}

/// The steps for an incident that was seen so, how it stood before them, and when that was told; else why there are none.
async fn ready(work: &Work<'_>, target: &Target, seen: Seen) -> Result<(Vec<Step>, Before, Instant), NotReady> {
    let (now, at) = match seen {
        Ok(seen) => seen,
        Err(error) => return Err(not_seen(work, target, error)),
    };
    // What is newer counts alone: the provider may answer from the time before.
    let told = told_since(work, &now);
    let newest = told.as_ref().unwrap_or(&now);
    if let Some(outcome) = meanwhile(work.verb, target, newest) {
        return Err(NotReady::Over(outcome));
    }
    let steps = work.verb.steps(newest.state.status);
    let mut before = Before { changed: now.stamp.at, ..Before::default() };
    for step in steps.iter().filter(|step| !is_seen(step, &now)) {
        match work.part.undo.unless_taken_back(work.provider.signs(&target.key.id, step, None)).await {
            Ok(signs) => before.signs = signs.unwrap_or_default(),
            Err(error) => return Err(not_seen(work, target, error)),
        }
    }
    before.seen = Some(now);
    Ok((steps, before, at))
}

fn not_seen(work: &Work<'_>, target: &Target, error: ProviderError) -> NotReady {
    match error {
        ProviderError::RateLimited { wait } if work.part.may_wait(&target.key) => {
            NotReady::Limited(Instant::now() + wait)
        }
        error => NotReady::Over(unseen(work, target, &error)),
    }
}

/// What an action minds of all that may have happened since the person looked.
enum Minds {
    /// That somebody else took or closed it: what was meant for the incident as it stood is not done to another.
    Everything,
    /// That too, and that it was assigned to others: closing it or handing it on takes it from them.
    Assignees,
    /// Only that it is over.
    Resolution,
    Nothing,
}

fn minds(verb: &Verb) -> Minds {
    match verb {
        Verb::Acknowledge => Minds::Everything,
        Verb::Resolve { .. } | Verb::HandOff { .. } | Verb::Escalate { .. } | Verb::Merge { .. } => Minds::Assignees,
        Verb::Snooze { .. }
        | Verb::AddResponders { .. }
        | Verb::StatusUpdate { .. }
        | Verb::RunWorkflow { .. }
        | Verb::ResolveAlert { .. } => Minds::Resolution,
        Verb::Note { .. } | Verb::Edit(_) | Verb::Create(_) | Verb::Arrange(_) => Minds::Nothing,
    }
}

/// What to do when the incident is not as the person saw it: `None` is "go on".
pub(super) fn meanwhile(verb: &Verb, target: &Target, now: &Observation) -> Option<Outcome> {
    let status = now.state.status;
    let by = now.extra.as_ref().and_then(|extra| extra.changed_by.as_ref());
    let by = by.map(|name| format!(" by {name}")).unwrap_or_default();
    let assignees = || now.state.assignees.iter().map(|user| user.id.clone()).collect();
    let conflict =
        |reason: String| Some(Outcome::Conflict { now: status, assignees: assignees(), reason: Shown::line(&reason) });
    match (minds(verb), status) {
        (Minds::Nothing, _) => None,
        (_, Status::Resolved) if matches!(verb, Verb::Resolve { note: None }) => {
            Some(Outcome::Confirmed { notice: Some(Shown::line(&format!("was resolved already{by}"))) })
        }
        (Minds::Assignees, _) if target.seen == status => others(target, now).and_then(conflict),
        _ if target.seen == status => None,
        (_, Status::Resolved) if matches!(verb, Verb::Acknowledge) => {
            conflict(format!("it was resolved{by} meanwhile; acknowledging would reopen it"))
        }
        (_, Status::Resolved) => conflict(format!("it was resolved{by} meanwhile")),
        (Minds::Resolution, _) => None,
        (_, Status::Acknowledged) => conflict(format!("it was acknowledged{by} meanwhile")),
        (_, Status::Triggered) => conflict("it is triggered again".to_owned()),
    }
}

/// Who has it now, if that is somebody else than the person saw.
fn others(target: &Target, now: &Observation) -> Option<String> {
    let (seen, names) = (&target.assignees, &now.state.assignees);
    let same = seen.len() == names.len() && names.iter().all(|name| seen.contains(&name.id));
    let names: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    (!same).then(|| format!("it was assigned to {} meanwhile", names.join(", ")))
}

//! The look before sending: an action is for what the person saw, and for nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use super::{AT_ONCE, Before, LAG, Turn, each, patiently, record_last, send::Work};
use crate::{
    core::{
        action::{Outcome, Step, Target, Verb},
        id::IncidentKey,
        incident::{Incident, Observation, Source, State, Status},
        text::Shown,
    },
    provider::{Provider, ProviderError},
    server::desk::Desk,
};

/// Rows of an open list that come with one request.
const PAGE: usize = 100;

/// A look that is older than this is taken again before something is sent for what it showed.
const FRESH: Duration = Duration::from_secs(2);
/// So often those whose looks have grown old while others were looked at are looked at again together.
const ROUNDS: usize = 3;

/// An incident that stands as the person saw it.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) target: Target,
    pub(super) steps: Vec<Step>,
    pub(super) before: Before,
    /// When it was looked at.
    at: Instant,
    /// Nobody else acts on it meanwhile.
    turn: Option<Turn>,
}

/// How an incident stands, and when that was told.
type Seen = Result<(Observation, Instant), ProviderError>;

/// Those of the targets that stand as the person saw them; the others are told of.
pub(super) async fn at(work: &Work<'_>, targets: Vec<Target>, turns: BTreeMap<IncidentKey, Turn>) -> Vec<Ready> {
    if targets.is_empty() {
        return vec![];
    }
    let seen = at_all(work, targets).await;
    let judged = seen.into_iter().map(|(target, seen)| async {
        let key = target.key.clone();
        let turn = turns.get(&key).cloned();
        ready(work, target, seen, turn).await.map_err(|outcome| (key, outcome))
    });
    let (mut ready, mut over) = (vec![], vec![]);
    for one in each(judged.collect()).await {
        match one {
            Ok(one) => ready.push(one),
            Err(outcome) => over.push(outcome),
        }
    }
    record_last(work.desk, work.id, work.verb, over).await;
    ready
}

/// What of `batch` can be sent for at this moment, and what only alone, because it takes other steps by now or because
/// looking at all of them takes too long. Those that do not stand as the person saw them any more are told of. `paused`:
/// so much time went by that every look is old.
pub(super) async fn again(work: &Work<'_>, batch: Vec<Ready>, paused: bool) -> (Vec<Ready>, Vec<Ready>) {
    let (steps, is_one) = (batch.first().map(|one| one.steps.clone()).unwrap_or_default(), batch.len() == 1);
    let (mut batch, mut paused, mut alone) = (batch, paused, vec![]);
    for round in 0..=ROUNDS {
        let (old, fresh): (Vec<_>, Vec<_>) = batch.into_iter().partition(|one| paused || one.is_old(work));
        batch = fresh;
        if old.is_empty() || (round == ROUNDS && is_one) {
            batch.extend(old);
            break;
        }
        if round == ROUNDS {
            alone.extend(old);
            break;
        }
        paused = false;
        let turns = old.iter().filter_map(|one| Some((one.target.key.clone(), one.turn.clone()?))).collect();
        let anew = at(work, old.into_iter().map(|one| one.target).collect(), turns).await;
        let (same, other): (Vec<_>, Vec<_>) = anew.into_iter().partition(|one| is_one || one.steps == steps);
        batch.extend(same);
        alone.extend(other);
    }
    (batch, alone)
}

impl Ready {
    /// Whether the incident has to be looked at again before something is sent for it: the look is old, or webhooks told
    /// of something since.
    fn is_old(&self, work: &Work<'_>) -> bool {
        if matches!(minds(work.verb), Minds::Nothing) {
            return false;
        }
        let told = self.before.seen.as_ref().and_then(|seen| told_since(work, seen));
        self.at.elapsed() > FRESH || told.is_some_and(|told| meanwhile(work.verb, &self.target, &told).is_some())
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

/// Why a later step is not to be sent any more, after the one before it left the incident as `seen`, at `at`. `paused` as
/// in [`again`].
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
    let now = match as_it_stands(work.desk, &*work.provider, &target.key).await {
        Ok((now, _)) => now,
        Err(error) => return Some(unseen(work, target, &error).await),
    };
    let target = Target { seen: Status::Acknowledged, ..target.clone() };
    match meanwhile(work.verb, &target, &now) {
        Some(Outcome::Conflict { reason, .. }) => Some(Outcome::Failed { reason }),
        other => other,
    }
}

/// How the targets stand now: one by one, or by the open list where that takes fewer requests.
async fn at_all(work: &Work<'_>, targets: Vec<Target>) -> Vec<(Target, Seen)> {
    let account = &targets[0].key.account;
    let open = work.desk.hub.look(|board| {
        let open = |known: &&Incident| known.state.status.is_open();
        board.incidents.values().filter(open).filter(|known| known.key.account == *account).count()
    });
    let (mut listed, mut listed_at) = (BTreeMap::new(), Instant::now());
    if targets.len() > AT_ONCE.max(open / PAGE + 1)
        && let Ok(all) = work.provider.open_incidents().await
    {
        listed_at = Instant::now();
        work.desk.observe_all(all.clone()).await;
        listed.extend(all.into_iter().map(|seen| (seen.key.clone(), seen)));
    }
    let listed = &listed;
    let looks = targets.into_iter().map(|target| async move {
        let seen = match listed.get(&target.key) {
            Some(seen) if !knows_better(work.desk, seen) => Ok((seen.clone(), listed_at)),
            _ => as_it_stands(work.desk, &*work.provider, &target.key).await,
        };
        (target, seen)
    });
    each(looks.collect()).await
}

/// Looks at the incident, and again while the answer is older than what is known of it.
async fn as_it_stands(desk: &Desk, provider: &dyn Provider, key: &IncidentKey) -> Seen {
    for pause in LAG.iter().map(Some).chain([None]) {
        let now = patiently(|| provider.incident(&key.id)).await?;
        let at = Instant::now();
        desk.observe(&now).await;
        if !knows_better(desk, &now) {
            return Ok((now, at));
        }
        if let Some(pause) = pause {
            sleep(*pause).await;
        }
    }
    Err(ProviderError::Unreadable { cause: "it is older than what webhooks told; try again in a moment".to_owned() })
}

pub(super) fn knows_better(desk: &Desk, seen: &Observation) -> bool {
    desk.hub.look(|board| board.knows_better(seen))
}

/// The incident could not be looked at, so nothing was sent.
async fn unseen(work: &Work<'_>, target: &Target, error: &ProviderError) -> Outcome {
    if let (ProviderError::Unauthorised { .. }, Some(account)) = (error, work.desk.accounts.get(&target.key.account)) {
        account.forget_for(work.acting).await;
    }
    Outcome::Failed {
        reason: Shown::line(&format!("not sent, because the incident could not be looked at first: {error}")),
    }
}

/// What to send for an incident that was seen so; else what is to be said instead.
async fn ready(work: &Work<'_>, target: Target, seen: Seen, turn: Option<Turn>) -> Result<Ready, Outcome> {
    let (now, at) = match seen {
        Ok(seen) => seen,
        Err(error) => return Err(unseen(work, &target, &error).await),
    };
    let told = told_since(work, &now);
    if let Some(outcome) =
        [Some(&now), told.as_ref()].into_iter().flatten().find_map(|now| meanwhile(work.verb, &target, now))
    {
        return Err(outcome);
    }
    let steps = work.verb.steps(now.state.status);
    let mut before = Before { changed: now.stamp.at, ..Before::default() };
    for step in steps.iter().filter(|step| step.is_done_in(&now, SignedDuration::ZERO).is_none()) {
        match patiently(|| work.provider.signs(&target.key.id, step, None)).await {
            Ok(signs) => before.signs = signs.unwrap_or_default(),
            Err(error) => return Err(unseen(work, &target, &error).await),
        }
    }
    before.seen = Some(now);
    Ok(Ready { target, steps, before, at, turn })
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

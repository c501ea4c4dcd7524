//! Carrying out actions: looked at right before, written down before it is sent, sent once, and read back
//! whenever the answer leaves doubt. What is shown as confirmed was seen to be so.

mod at_work;
mod create;
mod evidence;
mod look;
mod part;
mod read_back;
mod send;
mod settle;
pub mod undo;
mod way;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;
use tokio::time::sleep;

pub use self::{
    at_work::AtWork,
    create::{create, placeholder},
    read_back::READ_BACK,
    settle::settle,
    undo::Wait,
    way::Way,
};
use self::{look::Ready, part::Part, undo::Undo};
pub(super) use self::{read_back::not_seen_done, settle::CAUSE};
use super::{desk::Desk, people::Acting};
use crate::{
    core::{
        action::{Action, Outcome, Step, Target, Verb, WaitsFor},
        board::Change,
        id::{ActionId, IncidentKey},
        incident::Observation,
        text::Shown,
    },
    provider::{MANY, Provider, ProviderError},
    store::{StoreError, Write},
};

/// Incidents of one action that are worked on at the same time.
const AT_ONCE: usize = 4;
/// Incidents that are read back at the same time: that is mostly waiting, and as few requests a minute as this makes leave
/// the polls their share.
const READ_AT_ONCE: usize = 32;
/// How often a provider that asks for patience (429) is waited for.
const PATIENCE: usize = 5;

/// How an incident stood before something was sent, to tell "not done" from "done, and changed again since", and both
/// from "so already".
#[derive(Debug, Clone, Default)]
struct Before {
    /// Its last change; after a crash, when the action was asked for.
    changed: Timestamp,
    /// As it was last looked at; not known after a crash.
    seen: Option<Observation>,
    /// [Signs](Provider::signs) of the step that has such, counted from `since`.
    signs: usize,
    since: Option<Timestamp>,
}

/// Carries out `action` on each of `targets`, in the name that goes with it, publishing each outcome as it is
/// known. As long as nothing was sent it can be taken back.
pub async fn carry_out(desk: Arc<Desk>, action: Action, targets: Vec<(Target, Acting)>, wait: Option<Wait>) {
    let keys: Vec<IncidentKey> = targets.iter().map(|(target, _)| target.key.clone()).collect();
    ended_well(&desk, action.id, &action.verb, &keys, all(&desk, &action, targets, wait)).await;
}

async fn all(desk: &Desk, action: &Action, targets: Vec<(Target, Acting)>, wait: Option<Wait>) {
    let (id, verb) = (action.id, &action.verb);
    let undo = Undo::new(desk, id, wait);
    let part = |(acting, targets): (Acting, Vec<Target>)| {
        let way = Way::new(desk, &action.by, targets[0].key.account.clone(), acting);
        (Part::new(desk, id, verb, &undo, way), targets)
    };
    let parts: Vec<_> = parties(targets).into_iter().map(part).collect();
    undo.window().await;
    if !undo.is_taken_back() {
        tokio::select! {
            biased;
            _ = all_at_once(parts.iter().map(|(part, targets)| part.carry_out(targets.clone())).collect()) => {}
            () = part::tell_what_waits(desk, id, verb, &parts) => {}
        }
    }
    if undo.is_taken_back() {
        take_back(desk, id, verb).await;
    }
}

/// Waits for `work` on these incidents. Where that fails through a mistake of ours, it is told of those that are left open.
pub(super) async fn ended_well(
    desk: &Desk,
    id: ActionId,
    verb: &Verb,
    keys: &[IncidentKey],
    work: impl Future<Output = ()>,
) {
    if AssertUnwindSafe(work).catch_unwind().await.is_ok() {
        return;
    }
    let end = |outcome: &Outcome| match outcome {
        Outcome::Sent => {
            Outcome::Unknown { reason: "dogwatch failed while this was on its way: look before asking again".into() }
        }
        _ => Outcome::Failed { reason: "dogwatch failed before this was sent".into() },
    };
    let outcomes = desk.hub.look(|board| {
        let action = board.actions.iter().find(|action| action.id == id)?;
        let open = action.outcomes.iter().filter(|(key, outcome)| keys.contains(key) && !outcome.is_final());
        Some(open.map(|(key, outcome)| (key.clone(), end(outcome))).collect())
    });
    record_last(desk, id, verb, outcomes.unwrap_or_default()).await;
}

/// Whatever nothing is known of yet was taken back.
async fn take_back(desk: &Desk, id: ActionId, verb: &Verb) {
    let outcomes = desk.hub.look(|board| {
        let action = board.actions.iter().find(|action| action.id == id)?;
        let open = action.outcomes.iter().filter(|(_, outcome)| !outcome.is_final());
        Some(open.map(|(key, _)| (key.clone(), Outcome::TakenBack)).collect())
    });
    record_last(desk, id, verb, outcomes.unwrap_or_default()).await;
}

/// The targets by account, which is also by who acts; each incident once.
fn parties(targets: Vec<(Target, Acting)>) -> Vec<(Acting, Vec<Target>)> {
    let mut parties: Vec<(Acting, Vec<Target>)> = vec![];
    let mut seen = BTreeSet::new();
    for (target, acting) in targets.into_iter().filter(|(target, _)| seen.insert(target.key.clone())) {
        match parties.iter_mut().find(|(_, known)| known[0].key.account == target.key.account) {
            Some((_, known)) => known.push(target),
            None => parties.push((acting, vec![target])),
        }
    }
    parties
}

/// What goes out by one request stands together; everything else stands alone.
fn batches(ready: Vec<Ready>) -> Vec<Vec<Ready>> {
    let mut batches: Vec<Vec<Ready>> = vec![];
    for one in ready {
        let many = one.steps.first().is_some_and(Step::is_for_many);
        let fits = |batch: &&mut Vec<Ready>| many && batch[0].steps == one.steps && batch.len() < MANY;
        match batches.iter_mut().find(fits) {
            Some(batch) => batch.push(one),
            None => batches.push(vec![one]),
        }
    }
    batches
}

pub(super) async fn provider_of(desk: &Desk, key: &IncidentKey, acting: &Acting) -> Result<Arc<dyn Provider>, Shown> {
    let account = desk.accounts.get(&key.account).ok_or_else(|| Shown::line("its account is not configured"))?;
    account.provider_for(acting).await.map_err(|e| e.shown())
}

/// Asks again after a 429, which nothing was done of, when the provider says so.
pub(super) async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    for _ in 0..PATIENCE {
        match ask().await {
            Err(ProviderError::RateLimited { wait }) => sleep(wait).await,
            answer => return answer,
        }
    }
    ask().await
}

/// Does all of `jobs`, several at a time, and gives what came of them in order.
async fn each<R, F: Future<Output = R>>(jobs: Vec<F>) -> Vec<R> {
    at_once(AT_ONCE, jobs).await
}

async fn at_once<R, F: Future<Output = R>>(most: usize, jobs: Vec<F>) -> Vec<R> {
    // One that takes long keeps no later one from being begun.
    let jobs = jobs.into_iter().enumerate().map(|(n, job)| async move { (n, job.await) });
    let mut done: Vec<(usize, R)> = stream::iter(jobs.collect::<Vec<_>>()).buffer_unordered(most).collect().await;
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, one)| one).collect()
}

/// The same for jobs that wait for each other's room by themselves.
async fn all_at_once<R, F: Future<Output = R>>(jobs: Vec<F>) -> Vec<R> {
    at_once(jobs.len().max(1), jobs).await
}

/// Shows outcomes and writes them down, all in one. A final outcome is not replaced.
pub(super) async fn record(desk: &Desk, id: ActionId, outcomes: &[(IncidentKey, Outcome)]) -> Result<(), StoreError> {
    change(desk, id, |action| {
        if outcomes.iter().any(|(_, outcome)| *outcome == Outcome::Sent) {
            // What was sent cannot be taken back.
            action.due = None;
        }
        for (key, outcome) in outcomes {
            let known = action.outcomes.iter_mut().filter(|(known, was)| known == key && !was.is_final());
            known.for_each(|(_, was)| *was = outcome.clone());
        }
    })
    .await
}

/// Shows and writes down that these are not under way, and what they wait for.
async fn record_held(desk: &Desk, id: ActionId, keys: &[IncidentKey], waits_for: Option<WaitsFor>) {
    let changed = change(desk, id, |action| {
        let held = action.outcomes.iter_mut().filter(|(key, was)| !was.is_final() && keys.contains(key));
        held.for_each(|(_, was)| *was = Outcome::Pending { waits_for });
    });
    if let Err(error) = changed.await {
        tracing::warn!(action.id = %id, %error, "it could not be written down that an action waits");
    }
}

/// Shows for which action each waits, where that is another one than was said. What `sleeps` goes on to wait for the rate
/// limit. It is not written down: after a crash all that was not sent ends alike.
fn show_waits(
    desk: &Desk,
    id: ActionId,
    whom: impl Fn(&IncidentKey) -> Option<ActionId>,
    sleeps: impl Fn(&IncidentKey) -> bool,
) {
    let anew = |(key, outcome): &(IncidentKey, Outcome)| {
        let Outcome::Pending { waits_for } = outcome else { return None };
        let now = whom(key).map(WaitsFor::Action);
        // What nobody holds up is looked at, and sent or limited again.
        let is_limited = *waits_for == Some(WaitsFor::RateLimit) && (now.is_none() || sleeps(key));
        (now != *waits_for && !is_limited).then_some(now)
    };
    desk.hub.change(|board| {
        let Some(action) = board.actions.iter_mut().find(|action| action.id == id) else { return (vec![], ()) };
        let mut is_said = true;
        for one in &mut action.outcomes {
            if let Some(waits_for) = anew(one) {
                one.1 = Outcome::Pending { waits_for };
                is_said = false;
            }
        }
        let change = (!is_said).then(|| Change::Action(Box::new(action.clone())));
        (change.into_iter().collect(), ())
    });
}

/// Changes what is shown of an action, and writes it down; what cannot be written now is as soon as that works again.
async fn change(desk: &Desk, id: ActionId, change: impl FnOnce(&mut Action)) -> Result<(), StoreError> {
    let _order = desk.order.lock().await;
    let changed = desk.hub.change(|board| {
        let Some(action) = board.actions.iter_mut().find(|a| a.id == id) else { return (vec![], None) };
        change(action);
        let action = Box::new(action.clone());
        (vec![Change::Action(action.clone())], Some(action))
    });
    let Some(action) = changed else { return Ok(()) };
    let write = vec![Write::Action(action)];
    desk.store.save(write.clone()).await.inspect_err(|_| desk.unsaved.add(&write))
}

/// The same for outcomes that are known whether or not they can be written down.
pub(super) async fn record_last(desk: &Desk, id: ActionId, verb: &Verb, outcomes: Vec<(IncidentKey, Outcome)>) {
    if outcomes.is_empty() {
        return;
    }
    // First: an outcome that is kept and not in the audit file would never get there.
    desk.audit(id, &outcomes).await;
    for (key, outcome) in &outcomes {
        told(desk, id, verb, key, outcome);
    }
    if let Err(error) = record(desk, id, &outcomes).await {
        tracing::error!(action.id = %id, %error, "outcomes could not be written down");
    }
}

/// The same for one that may be known under another key than it was asked for: an incident that was made.
async fn record_last_as(
    desk: &Desk,
    id: ActionId,
    verb: &Verb,
    asked_as: &IncidentKey,
    key: IncidentKey,
    outcome: Outcome,
) {
    desk.audit(id, &[(key.clone(), outcome.clone())]).await;
    told(desk, id, verb, &key, &outcome);
    let changed = change(desk, id, |action| {
        let known = action.outcomes.iter_mut().filter(|(known, was)| known == asked_as && !was.is_final());
        known.for_each(|one| *one = (key.clone(), outcome.clone()));
    });
    if let Err(error) = changed.await {
        tracing::error!(action.id = %id, %error, "an outcome could not be written down");
    }
}

fn told(desk: &Desk, id: ActionId, verb: &Verb, key: &IncidentKey, outcome: &Outcome) {
    desk.metrics.acted(verb, outcome);
    desk.details.overtaken(key);
    tracing::info!(action.id = %id, incident.id = %key.id, "action {id}: {}", outcome.word());
}

/// The pauses between looks at an incident whose answers are older than what is known.
const LAG: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

//! One account's part of one action. Each incident is worked on when its turn has come, by the settings as they are then,
//! and none waits for another one's turn.

use std::{
    collections::BTreeMap,
    iter,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};

use super::{
    AT_ONCE, PATIENCE, READ_AT_ONCE, all_at_once,
    at_work::Turn,
    batches, look, record_last,
    send::{self, Rest, Work},
    undo::Undo,
    way::Way,
};
use crate::{
    core::{
        action::{Outcome, Target, Verb},
        id::{ActionId, IncidentKey},
    },
    server::desk::Desk,
};

pub(super) struct Part<'a> {
    pub(super) desk: &'a Desk,
    pub(super) id: ActionId,
    pub(super) verb: &'a Verb,
    pub(super) undo: &'a Undo<'a>,
    way: Way,
    /// Requests that are under way at the same time, and incidents that are read back.
    pub(super) sending: Semaphore,
    pub(super) reading: Semaphore,
    /// How often each was asked to be patient.
    waited: Mutex<BTreeMap<IncidentKey, usize>>,
}

/// One that gave its turn back until the provider takes requests again.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) target: Target,
    until: Instant,
}

impl Limited {
    pub(super) fn new(target: Target, wait: Duration) -> Self {
        Self { target, until: Instant::now() + wait }
    }
}

impl<'a> Part<'a> {
    pub(super) fn new(desk: &'a Desk, id: ActionId, verb: &'a Verb, undo: &'a Undo<'a>, way: Way) -> Self {
        let (sending, reading) = (Semaphore::new(AT_ONCE), Semaphore::new(READ_AT_ONCE));
        Self { desk, id, verb, undo, way, sending, reading, waited: Mutex::default() }
    }

    /// Whether this one may wait for the rate limit once more.
    pub(super) fn may_wait(&self, key: &IncidentKey) -> bool {
        let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let times = waited.entry(key.clone()).or_default();
        *times += 1;
        *times <= PATIENCE
    }

    /// Those that are free go at once and together; each of the others follows when its turn comes, with those whose turn
    /// comes at the same moment.
    pub(super) async fn carry_out(&self, targets: Vec<Target>) {
        let (mut line, mut groups) = (FuturesUnordered::new(), FuturesUnordered::new());
        let (free, busy) = self.free(targets);
        if !free.is_empty() {
            groups.push(self.group(free));
        }
        line.extend(busy.into_iter().map(|target| self.turn(target, None)));
        // Nothing is awaited in here but all of them: one that holds what another needs is always driven on.
        while !(line.is_empty() && groups.is_empty()) {
            tokio::select! {
                biased;
                () = self.undo.taken_back(), if !line.is_empty() => line.clear(),
                Some(limited) = groups.next() => {
                    if !self.undo.is_taken_back() {
                        line.extend(limited.into_iter().map(|one: Limited| self.turn(one.target, Some(one.until))));
                    }
                }
                Some(first) = line.next() => {
                    let more: Vec<_> = iter::from_fn(|| line.next().now_or_never().flatten()).collect();
                    groups.push(self.group([first].into_iter().chain(more).collect()));
                }
            }
        }
    }

    /// Those whose turn is at once, and the others.
    fn free(&self, targets: Vec<Target>) -> (Vec<(Target, Turn)>, Vec<Target>) {
        let keys = targets.iter().map(|target| target.key.clone()).collect();
        let mut turns = self.desk.at_work.take_free(self.id, keys, self.verb.also_changes());
        let (mut free, mut busy) = (vec![], vec![]);
        for target in targets {
            match turns.remove(&target.key) {
                Some(turn) => free.push((target, turn)),
                None => busy.push(target),
            }
        }
        (free, busy)
    }

    /// The turn on one, from some moment on.
    async fn turn(&self, target: Target, from: Option<Instant>) -> (Target, Turn) {
        if let Some(from) = from {
            sleep_until(from).await;
        }
        let turn = self.desk.at_work.take(self.id, &target.key, self.verb.also_changes()).await;
        (target, turn)
    }

    /// Those whose turn has come: those that stand as the person saw them are sent for, the others are told of. Gives back
    /// those that the provider takes only later.
    async fn group(&self, turns: Vec<(Target, Turn)>) -> Vec<Limited> {
        let (acting, provider) = match self.way.now(self.desk).await {
            Ok(way) => way,
            Err(reason) => {
                let failed = |(target, _): (Target, Turn)| (target.key, Outcome::Failed { reason: reason.clone() });
                let outcomes = turns.into_iter().map(failed).collect();
                record_last(self.desk, self.id, self.verb, outcomes).await;
                return vec![];
            }
        };
        let work = Work::new(self, provider, acting, send::Name::asked());
        let (ready, mut limited) = look::at(&work, turns).await;
        let jobs: Vec<_> = batches(ready).into_iter().map(|batch| sent(&work, batch)).collect();
        limited.extend(all_at_once(jobs).await.into_iter().flatten());
        limited
    }
}

/// What goes out together, and then what of it goes out only alone.
async fn sent(work: &Work<'_>, batch: Vec<look::Ready>) -> Vec<Limited> {
    let Rest { alone, mut limited } = send::batch(work, batch).await;
    let jobs: Vec<_> = alone.into_iter().map(|one| send::batch(work, vec![one])).collect();
    limited.extend(all_at_once(jobs).await.into_iter().flat_map(|rest| rest.limited));
    limited
}

/// Says of each that waits for which action it does, for as long as this is driven on.
pub(super) async fn tell_what_waits(desk: &Desk, id: ActionId, verb: &Verb) {
    let mut changed = desk.at_work.watch();
    loop {
        changed.borrow_and_update();
        super::record_waits(desk, id, |key| {
            let also = verb.also_changes().filter(|_| desk.at_work.whose(key).is_none_or(|whose| whose == id));
            desk.at_work.whose(also.unwrap_or(key)).filter(|whose| *whose != id)
        })
        .await;
        if changed.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

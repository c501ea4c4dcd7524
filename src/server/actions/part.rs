//! One account's part of one action. Each incident is worked on when its turn has come, by the settings as they are then,
//! and none waits for another one's turn.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    iter, mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, sleep_until},
};

use super::{
    AT_ONCE, PATIENCE, READ_AT_ONCE, all_at_once,
    at_work::Turn,
    batches,
    look::{self, Looked},
    record_last,
    send::{self, Rest, Work},
    undo::Undo,
    way::Way,
};
use crate::{
    core::{
        action::{Edit, Outcome, Target, Verb},
        id::{ActionId, IncidentKey},
        text::Shown,
    },
    server::desk::Desk,
};

/// For so long those that were looked at wait for others, so that one request takes them all; much less than a look is
/// good for.
const MOMENT: Duration = Duration::from_millis(500);
/// Turns that pass meanwhile are told of once.
const TOLD_EVERY: Duration = Duration::from_millis(200);

pub(super) struct Part<'a> {
    pub(super) desk: &'a Desk,
    pub(super) id: ActionId,
    pub(super) verb: &'a Verb,
    pub(super) undo: &'a Undo<'a>,
    pub(super) way: Way,
    /// Requests that are under way at the same time, and incidents that are read back.
    pub(super) sending: Semaphore,
    pub(super) reading: Semaphore,
    /// How often each was asked to be patient.
    waited: Mutex<BTreeMap<IncidentKey, usize>>,
    /// Those that wait until the provider takes requests again.
    sleeping: Mutex<BTreeSet<IncidentKey>>,
    /// Those that gave their turn back, and are not in line again.
    limited: Mutex<Vec<Limited>>,
    limit_met: Notify,
}

/// One that gave its turn back until the provider takes requests again.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) target: Target,
    /// Counted from the provider's answer, so that those that were told first also go first.
    pub(super) until: Instant,
}

impl<'a> Part<'a> {
    pub(super) fn new(desk: &'a Desk, id: ActionId, verb: &'a Verb, undo: &'a Undo<'a>, way: Way) -> Self {
        let (sending, reading) = (Semaphore::new(AT_ONCE), Semaphore::new(READ_AT_ONCE));
        let (waited, sleeping, limited) = <(Mutex<_>, Mutex<_>, Mutex<_>)>::default();
        Self { desk, id, verb, undo, way, sending, reading, waited, sleeping, limited, limit_met: Notify::new() }
    }

    /// Whether this one may wait for the rate limit once more; if so, it does from now on.
    pub(super) fn may_wait(&self, key: &IncidentKey) -> bool {
        let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let times = waited.entry(key.clone()).or_default();
        *times += 1;
        let may = *times <= PATIENCE;
        if may {
            self.sleeping().insert(key.clone());
        }
        may
    }

    fn sleeping(&self) -> MutexGuard<'_, BTreeSet<IncidentKey>> {
        self.sleeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These wait until the provider takes requests again, without a turn.
    pub(super) fn goes_on_later(&self, limited: impl IntoIterator<Item = Limited>) {
        self.limited.lock().unwrap_or_else(PoisonError::into_inner).extend(limited);
        self.limit_met.notify_one();
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
        loop {
            let limited = mem::take(&mut *self.limited.lock().unwrap_or_else(PoisonError::into_inner));
            if !self.undo.is_taken_back() {
                line.extend(limited.into_iter().map(|one| self.turn(one.target, Some(one.until))));
            }
            if line.is_empty() && groups.is_empty() {
                return;
            }
            tokio::select! {
                biased;
                () = self.undo.taken_back(), if !line.is_empty() => line.clear(),
                () = self.limit_met.notified() => {}
                Some(()) = groups.next() => {}
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
            self.sleeping().remove(&target.key);
            self.desk.at_work.look_again();
        }
        let turn = self.desk.at_work.take(self.id, &target.key, self.verb.also_changes()).await;
        (target, turn)
    }

    /// Those that may still be sent for; of the others it is told that a later action was sent before.
    async fn not_overtaken(&self, turns: Vec<(Target, Turn)>) -> Vec<(Target, Turn)> {
        let (mut rest, mut over) = (vec![], vec![]);
        for (target, turn) in turns {
            match self.overtaken_by(&target.key) {
                Some(by) => over.push((target, turn, by)),
                None => rest.push((target, turn)),
            }
        }
        let failed = |(target, _, by): &(Target, Turn, ActionId)| {
            let reason = Shown::line(&format!("not sent: action {by}, asked for later, was sent before this"));
            (target.key.clone(), Outcome::Failed { reason })
        };
        self.tell(over.iter().map(failed).collect()).await;
        rest
    }

    /// The action that was asked for after this one, and set the same while this one waited: for the end of the time in which
    /// it could be taken back, or for the rate limit.
    fn overtaken_by(&self, key: &IncidentKey) -> Option<ActionId> {
        // Of what is done in part, the step that sets it may be in doubt.
        let was_sent = |outcome: &Outcome| match outcome {
            Outcome::Sent | Outcome::Confirmed { .. } | Outcome::Partly { .. } | Outcome::Unknown { .. } => true,
            Outcome::Pending { .. } | Outcome::TakenBack | Outcome::Failed { .. } | Outcome::Conflict { .. } => false,
        };
        self.desk.hub.look(|board| {
            let mut later = board.actions.iter().filter(|action| action.id > self.id);
            let later = later.find(|action| {
                let mut outcomes = action.outcomes.iter();
                sets_anew(self.verb, &action.verb) && outcomes.any(|(known, was)| known == key && was_sent(was))
            });
            later.map(|action| action.id)
        })
    }

    /// Those whose turn has come: those that stand as the person saw them are sent for, the others are told of. One that
    /// hangs holds up none of the others.
    async fn group(&self, turns: Vec<(Target, Turn)>) {
        let turns = self.not_overtaken(turns).await;
        let way = tokio::select! {
            biased;
            () = self.undo.taken_back() => return,
            way = self.way.now(self.desk) => way,
        };
        let (acting, provider) = match way {
            Ok(way) => way,
            Err(reason) => {
                let failed =
                    |(target, _): &(Target, Turn)| (target.key.clone(), Outcome::Failed { reason: reason.clone() });
                return self.tell(turns.iter().map(failed).collect()).await;
            }
        };
        let work = Work::new(self, provider, acting, send::Name::asked());
        let targets: Vec<&Target> = turns.iter().map(|(target, _)| target).collect();
        let (listed, room) = (look::list(&work, &targets).await, Semaphore::new(AT_ONCE));
        let look =
            |(target, turn)| look::in_room(&room, look::one(&work, &listed, target, turn)).map(|(looked, _)| looked);
        let mut looks: FuturesUnordered<_> = turns.into_iter().map(look).collect();
        let (mut sending, mut together) = (FuturesUnordered::new(), Together::default());
        loop {
            if looks.is_empty() || together.is_due() {
                let (batches, over) = together.take();
                sending.extend(batches.into_iter().map(|batch| sent(&work, batch).boxed()));
                sending.extend((!over.is_empty()).then(|| look::tell_over(&work, over).boxed()));
            }
            // As in `carry_out`.
            tokio::select! {
                biased;
                Some(()) = sending.next() => {}
                Some(looked) = looks.next() => together.add(looked),
                () = together.until_due(), if !together.is_empty() => {}
                else => return,
            }
        }
    }

    /// Tells what became of these, unless it was taken back: that is told by whoever waits for this.
    async fn tell(&self, outcomes: Vec<(IncidentKey, Outcome)>) {
        if !self.undo.is_taken_back() {
            record_last(self.desk, self.id, self.verb, outcomes).await;
        }
    }
}

/// Those that were looked at and go out, or are told of, together with those that are looked at in the next moment.
#[derive(Default)]
struct Together {
    ready: Vec<look::Ready>,
    over: Vec<look::Over>,
    /// Until then the first of them waits.
    due: Option<Instant>,
}

impl Together {
    fn add(&mut self, looked: Looked) {
        match looked {
            Looked::Ready(ready) => self.ready.push(*ready),
            Looked::Over(one) => self.over.push(one),
            Looked::Left => return,
        }
        self.due.get_or_insert_with(|| Instant::now() + MOMENT);
    }

    fn is_empty(&self) -> bool {
        self.due.is_none()
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    async fn until_due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => pending().await,
        }
    }

    fn take(&mut self) -> (Vec<Vec<look::Ready>>, Vec<look::Over>) {
        let Self { ready, over, due: _ } = mem::take(self);
        (batches(ready), over)
    }
}

/// Whether `later` sets anew what `earlier` sets.
fn sets_anew(earlier: &Verb, later: &Verb) -> bool {
    match (earlier, later) {
        (Verb::Edit(Edit::Field { field, .. }), Verb::Edit(Edit::Field { field: other, .. })) => field.id == other.id,
        (Verb::Edit(_) | Verb::Snooze { .. }, _) => earlier.word() == later.word(),
        _ => false,
    }
}

/// What goes out together, and then what of it goes out only alone: that waits for no reading back.
async fn sent(work: &Work<'_>, batch: Vec<look::Ready>) {
    let Rest { alone, answered } = send::batch(work, batch).await;
    let alone = alone.into_iter().map(|one| async move {
        let Rest { answered, .. } = send::batch(work, vec![one]).await;
        send::finish(work, answered).await;
    });
    tokio::join!(send::finish(work, answered), all_at_once(alone.collect()));
}

/// Says of each that waits for which action it does, for as long as this is driven on.
pub(super) async fn tell_what_waits(desk: &Desk, id: ActionId, verb: &Verb, parts: &[(Part<'_>, Vec<Target>)]) {
    loop {
        let changed = desk.at_work.changed();
        let whom = |key: &IncidentKey| {
            let also = verb.also_changes().filter(|_| desk.at_work.whose(key).is_none_or(|whose| whose == id));
            desk.at_work.whose(also.unwrap_or(key)).filter(|whose| *whose != id)
        };
        let sleeps = |key: &IncidentKey| parts.iter().any(|(part, _)| part.sleeping().contains(key));
        super::show_waits(desk, id, whom, sleeps);
        sleep(TOLD_EVERY).await;
        changed.await;
    }
}

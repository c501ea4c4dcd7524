//! Outgoing webhooks: what happened to an incident goes to the targets that want it, rendered by their templates.
//!
//! Events are queued in the transaction that makes them true here, and leave the queue in the one that writes down what
//! came of sending them: whatever is queued is sent at least once, with the same id each time. For each target and
//! incident they are sent in order; targets wait for nobody but themselves.

mod address;
mod attempt;
mod happened;
mod lane;
mod outcome;
mod post;
mod queue;
mod send;
mod sign;
mod target;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use post::Post;
pub use target::{Basic, Signing, Target};

use self::{
    attempt::{Errand, Kind},
    lane::{Lane, Setup},
    send::Sender,
};
use crate::{
    core::{
        board::Change,
        forward::{Event, EventType, TargetSummary, standing::Standing},
        id::{AccountName, DeliveryId, TargetName},
    },
    store::{Store, StoreError},
};

/// Told what consoles are to see.
pub type Tell = Arc<dyn Fn(Change) + Send + Sync>;

/// Between two looks at how all targets stand, when much is going on.
const BREATH: Duration = Duration::from_millis(300);
/// Before what could not be written down is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// A handle to everything that sends; cheap to clone.
#[derive(Clone)]
pub struct Forwarder(Arc<Inner>);

struct Inner {
    store: Store,
    /// The command line of a render worker.
    worker: Vec<OsString>,
    tell: Tell,
    now: fn() -> Timestamp,
    /// Where this dogwatch listens itself.
    door: Mutex<Option<SocketAddr>>,
    /// Since when each account is watched.
    since: Mutex<BTreeMap<AccountName, Timestamp>>,
    /// How targets stood in earlier runs.
    kept: Mutex<BTreeMap<TargetName, Standing>>,
    lanes: RwLock<Arc<BTreeMap<TargetName, Arc<Lane>>>>,
    /// Lanes of targets that are configured no more, and that may still be at an attempt: told when they have ended.
    leaving: Mutex<BTreeMap<TargetName, CancellationToken>>,
    backlog: happened::Backlog,
    sender: Sender,
    changed: Notify,
    tasks: TaskTracker,
    /// Nothing is begun any more but what waits already.
    ending: CancellationToken,
    /// Everything ends where it is.
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Forwarder {
    /// Sends nothing before it has targets. `worker` starts a render worker; `kept` is what
    /// [`Reader::standings`](crate::store::Reader::standings) told at the start.
    pub fn new(
        store: Store,
        worker: Vec<OsString>,
        now: fn() -> Timestamp,
        kept: Vec<(TargetName, String)>,
        tell: Tell,
    ) -> Self {
        let kept = kept.into_iter().map(|(name, json)| {
            let standing = serde_json::from_str(&json).unwrap_or_else(|error| {
                tracing::warn!(target = %name, %error, "how target {name} stood cannot be read; it begins anew");
                Standing::default()
            });
            (name, standing)
        });
        Self(Arc::new(Inner {
            store,
            worker,
            tell,
            now,
            door: Mutex::default(),
            since: Mutex::default(),
            kept: Mutex::new(kept.collect()),
            lanes: RwLock::default(),
            leaving: Mutex::default(),
            backlog: happened::Backlog::default(),
            sender: Sender::default(),
            changed: Notify::new(),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Puts these targets in the place of all others, at the start and whenever settings, secrets or templates are others.
    ///
    /// A summary with [`TargetState::Broken`](crate::core::forward::TargetState::Broken) says that its target cannot be
    /// sent to for now: its events are judged and wait, and nothing is sent. Of such a target only `name`, `events`,
    /// `filter` and `enabled` are looked at, so what cannot be read may be left empty. Of every other summary `state`,
    /// `failing_since`, `last` and `waiting` are filled in here. Must be called within a runtime.
    pub fn set(&self, targets: Vec<(Target, TargetSummary)>) {
        let former = self.lanes();
        let mut lanes = BTreeMap::new();
        for (target, summary) in targets {
            let (name, setup) = (target.name.clone(), Setup { target, summary });
            let lane = match former.get(&name) {
                Some(lane) => Arc::clone(lane),
                None => Lane::new(&name, &self.0),
            };
            lane.set(&self.0, setup);
            lanes.insert(name, lane);
        }
        let lanes = Arc::new(lanes);
        *self.0.lanes.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&lanes);
        for (name, gone) in former.iter().filter(|(name, _)| !lanes.contains_key(*name)) {
            self.0.keep(name, gone.standing());
            self.0.leaving().insert(name.clone(), gone.ended.clone());
            gone.leave.cancel();
        }
        self.clone().let_go_of_strangers();
        self.0.changed.notify_one();
    }

    /// How the targets stand, as consoles are told.
    pub fn summaries(&self) -> Vec<TargetSummary> {
        self.lanes().values().map(|lane| lane.summary()).collect()
    }

    /// Whether any target may want to know of such an event now.
    pub fn wants(&self, event: &EventType) -> bool {
        self.lanes().values().any(|lane| lane.is_open() && lane.setup().target.events.contains(event))
    }

    /// Whether nobody wants to know of anything.
    pub fn is_idle(&self) -> bool {
        self.lanes().values().all(|lane| !lane.is_open())
    }

    /// Switches a target on or off. On, it begins anew, also where it was disabled; off, what waits for it is dropped.
    pub async fn switch(&self, name: &TargetName, on: bool) -> Result<(), String> {
        let lane = self.lane(name)?;
        lane.switch(&self.0, on.into()).await.map_err(|error| error.to_string())?;
        self.0.changed.notify_one();
        Ok(())
    }

    /// Sends the event of an attempt in the log once more, as it was then, with the template of now. It takes its place
    /// in the queue.
    pub async fn resend(&self, delivery: DeliveryId) -> Result<(), String> {
        let found = self.0.store.read(move |reader| reader.delivery(delivery)).await.map_err(in_words)?;
        let line = found.ok_or_else(|| format!("delivery {delivery} is not kept any more"))?.summary;
        let target =
            line.target.ok_or_else(|| format!("delivery {delivery} came in: there is nothing to send again"))?;
        let event = line.event_id.ok_or_else(|| format!("delivery {delivery} is about no event"))?;
        if self.queue_again(vec![(target, event.to_string())]).await? == 0 {
            return Err(format!("delivery {delivery} cannot be sent again: its event is not kept (a test, perhaps)"));
        }
        Ok(())
    }

    /// Sends every event whose last attempt failed once more: of one target, or of all that are on. Says how many.
    pub async fn resend_failed(&self, target: Option<&TargetName>) -> Result<u32, String> {
        let of = target.cloned();
        let mut failed = self.0.store.read(move |reader| reader.unsent(of.as_ref())).await.map_err(in_words)?;
        match target {
            Some(name) => self.must_be_open(name)?,
            None => failed.retain(|(name, _)| self.must_be_open(name).is_ok()),
        }
        self.queue_again(failed).await
    }

    /// Sends `event` to a target at once, past its queue, and also while it is off or disabled. `raw` is what a template
    /// sees as such. The line of the log begins with `test`; it counts neither for nor against the target, nor for the
    /// event: it goes out with an id of its own, which is no other's.
    pub async fn test(&self, name: &TargetName, event: Event, raw: Value) -> Result<DeliveryId, String> {
        let lane = self.lane(name)?;
        if let Some(reason) = lane.broken() {
            return Err(format!("target {name} cannot be sent to: {reason}"));
        }
        let event = Event { id: format!("test_{:032x}", fastrand::u128(..)), ..event };
        let errand = Errand { kind: Kind::Test, event, raw };
        lane.run(&self.0, errand).await.map(|line| line.id).map_err(in_words)
    }

    /// Where this dogwatch listens for webhooks: no target may be there.
    pub fn listens_on(&self, door: Option<SocketAddr>) {
        *self.0.door.lock().unwrap_or_else(PoisonError::into_inner) = door;
    }

    /// Sends what waits and is due, at most `within`, and ends. What is left waits for the next start.
    pub async fn finish(&self, within: Duration) {
        self.0.ending.cancel();
        self.0.tasks.close();
        let _ = timeout(within, self.0.tasks.wait()).await;
        self.0.stop.cancel();
    }

    fn lanes(&self) -> Arc<BTreeMap<TargetName, Arc<Lane>>> {
        Arc::clone(&self.0.lanes.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn lane(&self, name: &TargetName) -> Result<Arc<Lane>, String> {
        self.lanes().get(name).cloned().ok_or_else(|| format!("no target is called {name}"))
    }

    fn must_be_open(&self, name: &TargetName) -> Result<(), String> {
        if self.lane(name)?.is_open() {
            return Ok(());
        }
        Err(format!("target {name} is off: switch it on first (`dogwatch target enable {name}`)"))
    }

    async fn queue_again(&self, events: Vec<(TargetName, String)>) -> Result<u32, String> {
        for (name, _) in &events {
            self.must_be_open(name)?;
        }
        let names: Vec<TargetName> = events.iter().map(|(name, _)| name.clone()).collect();
        let queued = self.0.store.queue_again(events, (self.0.now)()).await.map_err(in_words)?;
        self.knock(&names);
        Ok(queued)
    }

    /// There is something new in the queues of these.
    fn knock(&self, names: &[TargetName]) {
        let lanes = self.lanes();
        for lane in names.iter().filter_map(|name| lanes.get(name)) {
            lane.knock.notify_one();
        }
    }

    /// What waits for targets that are not configured any more will not be sent; the log says so. Attempts under way end,
    /// and are told of like all others.
    fn let_go_of_strangers(self) {
        let inner = Arc::clone(&self.0);
        inner.tasks.clone().spawn(async move {
            let Ok(waited_for) = inner.store.read(crate::store::Reader::waited_for).await else { return };
            let strangers = waited_for.into_iter().filter(|name| !self.lanes().contains_key(name));
            for name in strangers.collect::<Vec<_>>() {
                if !inner.is_leaving(&name)
                    && let Err(error) = lane::tell_unknown(&inner, &name).await
                {
                    tracing::warn!(target = %name, %error, "an attempt could not be written down");
                }
                inner.drop_waiting(&name, "this target is not configured any more").await;
            }
        });
    }
}

impl Inner {
    fn keep(&self, name: &TargetName, standing: Standing) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), standing);
    }

    fn leaving(&self) -> MutexGuard<'_, BTreeMap<TargetName, CancellationToken>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an attempt at a target that is configured no more may still be under way.
    fn is_leaving(&self, name: &TargetName) -> bool {
        self.leaving().get(name).is_some_and(|ended| !ended.is_cancelled())
    }

    /// Empties a queue, and tells of it.
    async fn drop_waiting(&self, name: &TargetName, why: &str) {
        match self.store.drop_waiting(name.clone(), (self.now)(), why).await {
            Ok((_, Some(line))) => (self.tell)(Change::Delivery(Box::new(line))),
            Ok((_, None)) => {}
            Err(error) => tracing::warn!(target = %name, %error, "what waits for {name} could not be dropped: {error}"),
        }
    }

    fn door(&self) -> Option<SocketAddr> {
        *self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells consoles how all targets stand, each time that is new, until the end.
pub async fn announce(forwarder: Forwarder, stop: CancellationToken) {
    let mut told = vec![];
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = forwarder.0.changed.notified() => {}
        }
        let stand = forwarder.summaries();
        if stand != told {
            (forwarder.0.tell)(Change::Targets(stand.clone()));
            told = stand;
        }
        tokio::time::sleep(BREATH).await;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn in_words(error: StoreError) -> String {
    error.to_string()
}

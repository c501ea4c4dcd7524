//! One target at work: its settings, how it stands, and the task that sends what waits for it.
//!
//! What an attempt does to the target is settled one after the other, so that what is written down is what holds.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

use futures_util::FutureExt as _;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{Mutex as Turn, Notify},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    AGAIN, Inner, Target,
    attempt::{self, Errand, Kind, Made},
    queue::Queue,
};
use crate::{
    core::{
        board::Change,
        delivery::{DeliverySummary, Timings, Verdict},
        forward::{
            Event, TargetState, TargetSummary,
            standing::{Consequence, Standing, Switch},
        },
        id::TargetName,
        text::Shown,
    },
    store::{
        Attempt, Begun, Ended, Queued, StoreError, Then, Write,
        crash::{self, Point},
    },
    template::{Limits, Renderer},
};

/// Incidents whose events are sent to one target at the same time.
const SIDE_BY_SIDE: usize = 4;
/// Longer than that no timer waits: clocks on the wall may be set.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(30);

/// A target as it is configured.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) target: Target,
    pub(super) summary: TargetSummary,
}

/// One target.
pub(super) struct Lane {
    pub(super) name: TargetName,
    setup: RwLock<Arc<Setup>>,
    standing: Mutex<Standing>,
    /// Held from a change of `standing` until it is written down.
    turn: Turn<()>,
    /// When the present series of failures began, by a clock that nobody sets; `None`: in an earlier run, or there is none.
    began: Mutex<Option<Instant>>,
    pub(super) waiting: AtomicU32,
    pub(super) knock: Notify,
    pub(super) stop: CancellationToken,
    pub(super) renderer: Renderer,
}

impl Lane {
    /// A target of which nothing is known but what earlier runs kept. Its task begins at once.
    pub(super) fn new(name: &TargetName, inner: &Arc<Inner>) -> Arc<Self> {
        let standing = inner.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(name).unwrap_or_default();
        let limits = Limits { wall: Limits::DELIVERY, cpu: 2, ..Limits::default() };
        let lane = Arc::new(Self {
            name: name.clone(),
            setup: RwLock::new(Arc::new(Setup::none(name))),
            standing: Mutex::new(standing),
            turn: Turn::default(),
            began: Mutex::default(),
            waiting: AtomicU32::new(0),
            knock: Notify::new(),
            stop: inner.stop.child_token(),
            renderer: Renderer::new(inner.worker.clone(), limits),
        });
        inner.tasks.spawn(run(Arc::downgrade(inner), inner.ending.clone(), Arc::clone(&lane)));
        lane
    }

    pub(super) fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn standing(&self) -> Standing {
        self.look(|standing| standing.clone())
    }

    fn look<T>(&self, look: impl FnOnce(&mut Standing) -> T) -> T {
        look(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts new settings into force.
    pub(super) fn set(self: &Arc<Self>, inner: &Arc<Inner>, setup: Setup) {
        let moved = setup.reason().is_none() && self.look(|standing| standing.move_to(setup.address(standing)));
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        let (lane, inner) = (Arc::clone(self), Arc::clone(inner));
        let tasks = inner.tasks.clone();
        tasks.spawn(async move {
            if moved {
                lane.forget_since();
                lane.save(&inner, |_| ()).await.unwrap_or_else(|error| lane.not_kept(&error));
            }
            if !lane.is_open() {
                inner.drop_waiting(&lane.name, lane.closed_words()).await;
            }
            lane.knock.notify_one();
        });
    }

    fn closed_words(&self) -> &'static str {
        if self.look(|standing| standing.disabled.is_some()) { "this target is disabled" } else { "this target is off" }
    }

    fn not_kept(&self, error: &StoreError) {
        tracing::warn!(target = %self.name, %error, "how target {} stands could not be kept: {error}", self.name);
    }

    fn forget_since(&self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn configured(&self) -> Switch {
        self.setup().target.enabled.into()
    }

    /// Why nothing can be sent to it for now.
    pub(super) fn broken(&self) -> Option<Shown> {
        self.setup().reason().cloned()
    }

    /// Whether events are queued for it.
    pub(super) fn is_open(&self) -> bool {
        let configured = self.configured();
        self.look(|standing| standing.is_on(configured) && standing.disabled.is_none())
    }

    fn state(&self, standing: &Standing) -> TargetState {
        if !standing.is_on(self.configured()) {
            return TargetState::Off;
        }
        if let Some(disabled) = &standing.disabled {
            return TargetState::Disabled { at: disabled.at, reason: disabled.reason.clone() };
        }
        self.broken().map_or(TargetState::On, |reason| TargetState::Broken { reason })
    }

    /// How it stands, as consoles are told.
    pub(super) fn summary(&self) -> TargetSummary {
        let standing = self.standing();
        TargetSummary {
            state: self.state(&standing),
            failing_since: standing.failing_since(),
            last: standing.last,
            waiting: self.waiting.load(Ordering::Relaxed),
            ..self.setup().summary.clone()
        }
    }

    /// Changes how it stands and writes that down.
    async fn save<T>(&self, inner: &Inner, change: impl FnOnce(&mut Standing) -> T) -> Result<T, StoreError> {
        let _turn = self.turn.lock().await;
        let (made, json) = self.look(|standing| {
            let made = change(standing);
            (made, as_json(standing))
        });
        inner.store.save(vec![Write::Standing { target: self.name.clone(), json }]).await?;
        Ok(made)
    }

    pub(super) async fn switch(&self, inner: &Inner, to: Switch) -> Result<(), StoreError> {
        let configured = self.configured();
        self.save(inner, |standing| standing.switch(to, configured)).await?;
        if to == Switch::On {
            self.forget_since();
        } else {
            inner.drop_waiting(&self.name, "this target was switched off").await;
        }
        self.knock.notify_one();
        Ok(())
    }

    /// Runs an errand to its end, and writes down what came of it.
    pub(super) async fn run(&self, inner: &Inner, errand: Errand) -> Result<DeliverySummary, StoreError> {
        let setup = self.setup();
        let made = attempt::make(inner, self, &setup.target, &errand).await;
        crash::passing(Point::AfterSend);
        self.settle(inner, &setup.target, &errand, made).await.map(|(line, _)| line)
    }

    /// Writes down what came of an errand, and what follows from it; tried again until it works, as it did happen.
    async fn settle(
        &self,
        inner: &Inner,
        target: &Target,
        errand: &Errand,
        made: Made,
    ) -> Result<(DeliverySummary, Then), StoreError> {
        let _turn = self.turn.lock().await;
        let now = (inner.now)();
        let consequence = self.judge(errand, &made, now);
        let then = match (&errand.kind, consequence) {
            (Kind::Test, _) => Then::Nothing,
            (Kind::FromQueue(waiting), Consequence::Disabled) => Then::LeaveAll(waiting.id),
            // Switched off meanwhile, or disabled: nothing waits any more.
            (Kind::FromQueue(waiting), Consequence::None) if !self.is_open() => Then::Leave(waiting.id),
            (Kind::FromQueue(waiting), Consequence::None) => attempt::then(waiting, target.retries, &made, now),
        };
        let standing = made.counts().then(|| self.look(|standing| as_json(standing)));
        let words = attempt::words(errand, &made, then, target.retries, now);
        let words = match consequence {
            Consequence::Disabled => format!("{words}; {}: DISABLED", self.disabled_words()),
            Consequence::None => words,
        };
        let ended = Ended { attempt: made.line(target, &errand.event, now, &words), then, standing };
        loop {
            match inner.store.end(ended.clone()).await {
                Ok(line) => {
                    crash::passing(Point::AfterRecord);
                    if consequence == Consequence::Disabled {
                        tracing::error!(target = %self.name, "target {} is disabled: {}", self.name, self.disabled_words());
                    }
                    (inner.tell)(Change::Delivery(Box::new(line.clone())));
                    inner.changed.notify_one();
                    return Ok((line, then));
                }
                // Somebody waits for what came of a test.
                Err(error) if matches!(errand.kind, Kind::Test) => return Err(error),
                Err(error @ StoreError::Unstorable { .. }) => return Err(error),
                Err(error) => {
                    tracing::error!(target = %self.name, %error, "an attempt could not be written down: {error}");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// What an attempt does to how the target stands.
    fn judge(&self, errand: &Errand, made: &Made, now: Timestamp) -> Consequence {
        if matches!(errand.kind, Kind::Test) || !made.counts() {
            return Consequence::None;
        }
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(|standing| {
            if made.verdict() == Verdict::Sent {
                *began = None;
                standing.taken(now);
                return Consequence::None;
            }
            let before = standing.failing_since();
            let consequence = standing.failed(now, began.map(|began| began.elapsed()));
            if standing.failing_since() != before {
                *began = Some(Instant::now());
            }
            consequence
        })
    }

    fn disabled_words(&self) -> String {
        self.look(|standing| standing.disabled.as_ref().map(|it| it.reason.to_string())).unwrap_or_default()
    }
}

fn as_json(standing: &Standing) -> String {
    serde_json::to_string(standing).unwrap_or_else(|_| "{}".to_owned())
}

impl Setup {
    /// What a target is before it has settings.
    fn none(name: &TargetName) -> Self {
        let empty = Shown::default();
        Self {
            target: Target {
                name: name.clone(),
                url: String::new().into(),
                basic: None,
                headers: vec![],
                events: vec![],
                filter: None,
                enabled: true,
                linked: false,
                template: None,
                retries: 0,
                signing: None,
                allow_link_local: false,
            },
            summary: TargetSummary {
                name: name.clone(),
                kept: crate::core::forward::Kept::Config,
                address: empty.clone(),
                user: None,
                headers: vec![],
                signed: false,
                events: vec![],
                linked: false,
                template: None,
                filter: None,
                retries: 0,
                allow_link_local: false,
                state: TargetState::Broken { reason: empty },
                failing_since: None,
                last: None,
                waiting: 0,
            },
        }
    }

    /// Why it cannot be sent to.
    fn reason(&self) -> Option<&Shown> {
        match &self.summary.state {
            TargetState::Broken { reason } => Some(reason),
            TargetState::On | TargetState::Off | TargetState::Disabled { .. } => None,
        }
    }

    /// What its address is known by again: salted, so that nobody finds a guess confirmed by it.
    fn address(&self, known: &Standing) -> String {
        let salt = known.address.as_ref().and_then(|address| address.split_once(' '));
        let salt = salt.map_or_else(|| format!("{:032x}", fastrand::u128(..)), |(salt, _)| salt.to_owned());
        let digest = Sha256::digest([salt.as_bytes(), b" ", self.target.url.expose_secret().as_bytes()].concat());
        format!("{salt} {}", hex::encode(digest))
    }
}

/// What is known of an errand from the queue once it is over.
enum Over {
    /// It is through: sent, or given up.
    Through(Queued),
    Again(Queued, Timestamp),
    /// It could not be begun; it still waits.
    Not(Queued),
    /// Nothing waits any more.
    All,
}

/// Sends what waits for a target until it is stopped, or until nothing more is due once the end has come.
async fn run(inner: std::sync::Weak<Inner>, ending: CancellationToken, lane: Arc<Lane>) {
    let (mut queue, mut under_way) = (Queue::default(), JoinSet::new());
    let mut filled = Filled::Not;
    loop {
        let Some(inner) = inner.upgrade() else { return };
        if filled != Filled::Whole {
            filled = fill(&inner, &lane, &mut queue, filled).await;
        }
        if !lane.is_open() {
            queue.clear();
        }
        let may_send = lane.is_open() && lane.broken().is_none();
        while may_send && under_way.len() < SIDE_BY_SIDE {
            let Some(next) = queue.next((inner.now)()) else { break };
            under_way.spawn(carry_safely(Arc::clone(&inner), Arc::clone(&lane), next));
        }
        if ending.is_cancelled() && under_way.is_empty() {
            return;
        }
        let pause = pause(&inner, &queue, filled);
        drop(inner);
        tokio::select! {
            () = lane.stop.cancelled() => return,
            Some(over) = under_way.join_next() => settled(&lane, &mut queue, over),
            () = lane.knock.notified() => filled = filled.partly(),
            () = ending.cancelled(), if !ending.is_cancelled() => {}
            () = sleep_until(Instant::now() + pause) => {}
        }
    }
}

/// How far the queue in memory is that of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// Not at all yet.
    Not,
    /// There may be more.
    Partly,
    Whole,
}

impl Filled {
    fn partly(self) -> Self {
        if self == Self::Not { Self::Not } else { Self::Partly }
    }
}

/// How long to wait when nothing happens.
fn pause(inner: &Inner, queue: &Queue, filled: Filled) -> std::time::Duration {
    if filled != Filled::Whole {
        return AGAIN;
    }
    let until = queue.next_due().map(|due| due.duration_since((inner.now)()).max(SignedDuration::ZERO));
    until.and_then(|until| until.try_into().ok()).unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)
}

/// Takes in what the store has and the queue has not.
async fn fill(inner: &Inner, lane: &Lane, queue: &mut Queue, so_far: Filled) -> Filled {
    let (name, last) = (lane.name.clone(), queue.last());
    let read = inner.store.read(move |reader| reader.waiting(&name, last)).await;
    let Ok(new) = read.inspect_err(|error| tracing::warn!(target = %lane.name, %error, "a queue cannot be read"))
    else {
        return so_far;
    };
    for mut waiting in new {
        if so_far == Filled::Not && waiting.begun.is_some() {
            // Of a run that ended in the middle of it.
            if let Err(error) = unknown(inner, lane, &waiting).await {
                tracing::warn!(target = %lane.name, %error, "an attempt could not be written down");
                return so_far;
            }
            (waiting.begun, waiting.attempts) = (None, waiting.attempts.saturating_sub(1));
        }
        queue.push(waiting);
    }
    lane.waiting.store(u32::try_from(queue.length()).unwrap_or(u32::MAX), Ordering::Relaxed);
    inner.changed.notify_one();
    Filled::Whole
}

/// Says in the log that nobody knows what came of an attempt.
async fn unknown(inner: &Inner, lane: &Lane, waiting: &Queued) -> Result<(), StoreError> {
    let reason = "dogwatch ended while this was sent: not known whether it arrived; it is sent again with the same id";
    told_of(inner, lane, waiting, reason, Then::Anew(waiting.id)).await
}

/// Writes down an attempt of which nothing is known but that it was begun.
async fn told_of(inner: &Inner, lane: &Lane, waiting: &Queued, reason: &str, then: Then) -> Result<(), StoreError> {
    let id = waiting.event.clone();
    let Some((event, _)) = inner.store.read(move |reader| reader.event(&id)).await? else { return Ok(()) };
    let attempt = Attempt {
        at: waiting.begun.unwrap_or_else(inner.now),
        target: lane.name.clone(),
        about: Some((&event).into()),
        verdict: Verdict::Failed,
        reason: Shown::line(reason),
        status: 0,
        peer: lane.setup().summary.address.to_string(),
        headers: vec![],
        body: vec![],
        response: vec![],
        timings: Timings::default(),
    };
    let told = inner.store.end(Ended { attempt, then, standing: None }).await?;
    (inner.tell)(Change::Delivery(Box::new(told)));
    Ok(())
}

/// Carries one event to its target. Should that break off, its incident waits no longer for it than for any other.
async fn carry_safely(inner: Arc<Inner>, lane: Arc<Lane>, waiting: Queued) -> Over {
    let carried = AssertUnwindSafe(carry(Arc::clone(&inner), Arc::clone(&lane), waiting.clone())).catch_unwind().await;
    if let Ok(over) = carried {
        return over;
    }
    tracing::error!(target = %lane.name, "sending event {} broke off", waiting.event);
    let reason = "dogwatch broke off on this event, which may or may not have been sent; its own log says where";
    if let Err(error) = told_of(&inner, &lane, &waiting, reason, Then::Leave(waiting.id)).await {
        tracing::error!(target = %lane.name, %error, "an attempt could not be written down");
    }
    Over::Through(waiting)
}

/// Carries one event to its target.
async fn carry(inner: Arc<Inner>, lane: Arc<Lane>, waiting: Queued) -> Over {
    let id = waiting.event.clone();
    let (event, body): (Event, _) = match inner.store.read(move |reader| reader.event(&id)).await {
        Ok(Some(found)) => found,
        Ok(None) => return Over::Through(waiting),
        Err(error) => return not_begun(&lane, waiting, &error).await,
    };
    match inner.store.begin(waiting.id, (inner.now)()).await {
        Ok(Begun::Yes) => {}
        Ok(Begun::Gone) => return Over::Through(waiting),
        Err(error) => return not_begun(&lane, waiting, &error).await,
    }
    crash::passing(Point::BeforeSend);
    let raw = body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or(Value::Null);
    let errand = Errand { kind: Kind::FromQueue(waiting.clone()), event, raw };
    let setup = lane.setup();
    let made = attempt::make(&inner, &lane, &setup.target, &errand).await;
    crash::passing(Point::AfterSend);
    match lane.settle(&inner, &setup.target, &errand, made).await {
        Ok((_, Then::Again { due, .. })) => Over::Again(waiting, due),
        Ok((_, Then::LeaveAll(_))) => Over::All,
        Ok((_, Then::Nothing | Then::Leave(_) | Then::Anew(_))) => Over::Through(waiting),
        Err(error) => {
            tracing::error!(target = %lane.name, %error, "what came of an event cannot be written down: {error}");
            Over::Through(waiting)
        }
    }
}

async fn not_begun(lane: &Lane, waiting: Queued, error: &StoreError) -> Over {
    tracing::warn!(target = %lane.name, %error, "an event waits: its attempt cannot be written down: {error}");
    sleep(AGAIN).await;
    Over::Not(waiting)
}

fn settled(lane: &Lane, queue: &mut Queue, over: Result<Over, tokio::task::JoinError>) {
    match over {
        Ok(Over::Through(waiting)) => queue.done(&waiting),
        Ok(Over::Again(waiting, due)) => queue.again(&waiting, waiting.attempts.saturating_add(1), due),
        Ok(Over::Not(waiting)) => queue.again(&waiting, waiting.attempts, waiting.due),
        Ok(Over::All) => queue.clear(),
        Err(error) => tracing::error!(target = %lane.name, %error, "sending an event broke off"),
    }
    lane.waiting.store(u32::try_from(queue.length()).unwrap_or(u32::MAX), Ordering::Relaxed);
}

//! One target at work: its settings, and how it stands. [`work`] sends what waits for it.
//!
//! What an attempt does to the target is settled one after the other, so that what is written down is what holds.

mod work;

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicU32, Ordering},
};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{Mutex as Turn, Notify},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

pub(super) use self::work::tell_unknown;
use super::{
    AGAIN, Inner, Target,
    attempt::{self, Errand, Kind, Made},
};
use crate::{
    core::{
        board::Change,
        delivery::{DeliverySummary, Verdict},
        forward::{
            TargetState, TargetSummary,
            standing::{Consequence, Standing, Switch},
        },
        id::TargetName,
        text::Shown,
    },
    store::{
        Ended, StoreError, Then,
        crash::{self, Point},
    },
    template::{Limits, Renderer},
};

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
    /// Held while a change of `standing` is written down.
    turn: Turn<()>,
    /// When the present series of failures began, by a clock that nobody sets; `None`: in an earlier run, or there is none.
    began: Mutex<Option<Instant>>,
    pub(super) waiting: AtomicU32,
    pub(super) knock: Notify,
    /// Its attempts end where they are.
    pub(super) stop: CancellationToken,
    /// It is configured no more: attempts under way come to their end, and nothing else is begun.
    pub(super) leave: CancellationToken,
    /// Nothing is under way any more.
    pub(super) ended: CancellationToken,
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
            leave: CancellationToken::new(),
            ended: CancellationToken::new(),
            renderer: Renderer::new(inner.worker.clone(), limits),
        });
        let former = inner.leaving().remove(name);
        inner.tasks.spawn(work::run(Arc::downgrade(inner), inner.ending.clone(), Arc::clone(&lane), former));
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
        let configured = setup.target.enabled.into();
        let overruled = self.look(|standing| standing.settings_say(configured));
        let moved = setup.reason().is_none() && self.look(|standing| standing.move_to(setup.address(standing)));
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
        let (lane, inner) = (Arc::clone(self), Arc::clone(inner));
        let tasks = inner.tasks.clone();
        tasks.spawn(async move {
            if moved {
                lane.forget_since();
            }
            if moved || overruled {
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

    /// Whether attempts are begun, as far as nothing else is in the way.
    fn goes_on(&self) -> bool {
        self.is_open() && !self.leave.is_cancelled()
    }

    /// How it stands, as consoles are told.
    pub(super) fn summary(&self) -> TargetSummary {
        let standing = self.standing();
        TargetSummary {
            state: standing.state(self.configured(), self.broken()),
            failing_since: standing.failing_since(),
            last: standing.last,
            waiting: self.waiting.load(Ordering::Relaxed),
            ..self.setup().summary.clone()
        }
    }

    /// Changes how it stands, once that is written down.
    async fn save(&self, inner: &Inner, change: impl Fn(&mut Standing)) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let mut changed = self.standing();
        change(&mut changed);
        inner.store.save_standing(self.name.clone(), as_json(&changed)).await?;
        // Settings may have changed something else of it meanwhile.
        self.look(change);
        Ok(())
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

    /// Lets go of what was judged before it was closed and written down after that. Nobody opens it meanwhile.
    async fn drop_if_closed(&self, inner: &Inner) {
        let _turn = self.turn.lock().await;
        if !self.is_open() {
            inner.drop_waiting(&self.name, self.closed_words()).await;
        }
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
            // Switched off meanwhile, disabled or taken away: nothing waits any more.
            (Kind::FromQueue(waiting), Consequence::None) if !self.goes_on() => Then::Leave(waiting.id),
            (Kind::FromQueue(waiting), Consequence::None) => attempt::then(waiting, target.retries, &made, now),
        };
        let standing = Some(self.look(|standing| as_json(standing)));
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
        if matches!(errand.kind, Kind::Test) {
            return Consequence::None;
        }
        if !made.counts() {
            self.look(|standing| standing.not_made(now));
            return Consequence::None;
        }
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(|standing| {
            if made.verdict() == Verdict::Sent {
                *began = None;
                standing.taken(now);
                return Consequence::None;
            }
            let before = standing.streak.map(|streak| streak.since);
            let consequence = standing.failed(now, began.map(|began| began.elapsed()));
            if standing.streak.map(|streak| streak.since) != before {
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

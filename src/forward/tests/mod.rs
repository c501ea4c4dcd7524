//! What the forwarder promises, against targets on loopback.

mod disabling;
mod outcomes;
mod queueing;
mod requests;
pub(super) mod sink;

use std::{
    cell::Cell,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::time::sleep;

use self::sink::Sink;
use super::{Forwarder, Target};
use crate::{
    core::{
        board::{AccountBoard, Board, Change},
        delivery::{DeliverySummary, Direction, Verdict},
        forward::{
            EventType, Kept, TargetState, TargetSummary,
            happening::{Before, Seen},
        },
        freshness::{Account, Freshness, Push},
        id::{DeliveryId, IncidentKey, TargetName},
        incident::{Observation, Stamp, State, Status, Urgency},
        text::Shown,
    },
    store::{NewEvent, Reader, Store, StoredDelivery, Write},
};

const PATIENCE: Duration = Duration::from_secs(20);

thread_local! {
    static AHEAD: Cell<i64> = const { Cell::new(0) };
    static LOOKS: Cell<u32> = const { Cell::new(0) };
}

/// The clock on the wall of a test: each has a thread of its own.
fn now() -> Timestamp {
    LOOKS.set(LOOKS.get() + 1);
    Timestamp::from_second(1_700_000_000 + AHEAD.get()).expect("small")
}

/// How often somebody has looked at the clock.
fn looks() -> u32 {
    LOOKS.get()
}

/// Sets the clock on the wall.
fn set_clock(seconds: i64) {
    AHEAD.set(seconds);
}

async fn until(what: &str, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < PATIENCE, "gave up waiting: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

fn name(text: &str) -> TargetName {
    text.parse().expect("name")
}

fn key(id: &str) -> IncidentKey {
    IncidentKey { account: "prod".parse().expect("id"), id: id.parse().expect("id") }
}

/// A target that wants to know of everything that all providers tell.
pub(super) fn target(target: &str, url: &str) -> Target {
    Target {
        name: name(target),
        url: url.to_owned().into(),
        basic: None,
        headers: vec![],
        events: EventType::SHARED.iter().filter_map(|name| EventType::new(name)).collect(),
        filter: None,
        enabled: true,
        linked: false,
        template: None,
        retries: 0,
        signing: None,
        allow_link_local: false,
    }
}

fn summary(target: &Target) -> TargetSummary {
    TargetSummary {
        name: target.name.clone(),
        kept: Kept::Config,
        address: "http://sink".into(),
        user: None,
        headers: vec![],
        signed: target.signing.is_some(),
        events: target.events.clone(),
        linked: target.linked,
        template: None,
        filter: None,
        retries: target.retries,
        allow_link_local: target.allow_link_local,
        state: TargetState::On,
        failing_since: None,
        last: None,
        waiting: 0,
    }
}

fn observation(id: &str, status: Status, at: i64) -> Observation {
    let at = now().checked_add(SignedDuration::from_secs(at)).expect("small");
    let state = State {
        status,
        urgency: Urgency::High,
        title: "disk full".into(),
        number: Some(7),
        priority: None,
        service: None,
        escalation_policy: None,
        assignees: vec![],
        teams: vec![],
        created_at: now(),
        url: None,
        dedup_key: None,
    };
    Observation { key: key(id), stamp: Stamp::push(at), state, extra: None }
}

fn delivery(id: i64, event_type: &str, key: &IncidentKey) -> DeliverySummary {
    DeliverySummary {
        id: DeliveryId(id),
        at: now(),
        direction: Direction::Incoming,
        account: Some(key.account.clone()),
        verdict: Verdict::Accepted,
        reason: "signed".into(),
        status: 202,
        event_id: format!("E{id}").parse().ok(),
        event_type: Some(Shown::line(event_type)),
        incident: Some(key.clone()),
        subject: None,
        latency_us: None,
        size: 2,
        proof: None,
        altered: false,
        changed: None,
        target: None,
    }
}

fn account() -> Account {
    Account {
        name: "prod".parse().expect("id"),
        provider: "pagerduty".into(),
        identity: None,
        cannot_act: None,
        rest_off: None,
        skew: None,
        left: vec![],
        barred: std::collections::BTreeMap::new(),
        lacks: vec![],
        rest: Freshness::default(),
        on_call: Freshness::default(),
        poll_seconds: 30,
        push: Push::default(),
    }
}

/// A forwarder at work, and a board whose changes it is told.
struct Post {
    dir: TempDir,
    store: Store,
    forwarder: Forwarder,
    told: Arc<Mutex<Vec<Change>>>,
    board: Board,
    deliveries: i64,
}

impl Post {
    fn new() -> Self {
        Self::on(tempfile::tempdir().expect("tempdir"), Board::default())
    }

    /// On what an earlier one left.
    fn on(dir: TempDir, mut board: Board) -> Self {
        let store = Store::open(dir.path()).expect("store");
        let told: Arc<Mutex<Vec<Change>>> = Arc::default();
        let (standings, ears) = (store.reader().expect("reader").standings().expect("standings"), Arc::clone(&told));
        let tell = Arc::new(move |change| ears.lock().unwrap_or_else(PoisonError::into_inner).push(change));
        let forwarder = Forwarder::new(store.clone(), vec!["false".into()], now, standings, tell);
        board.accounts.insert(key("P").account, AccountBoard::of(account()));
        Self { dir, store, forwarder, told, board, deliveries: 0 }
    }

    /// Ends it as a kill would, and starts another one.
    fn again(self) -> Self {
        let Self { dir, store, forwarder, board, .. } = self;
        forwarder.0.stop.cancel();
        drop((forwarder, store));
        Self::on(dir, board)
    }

    fn set(&self, targets: impl IntoIterator<Item = Target>) {
        self.forwarder.set(targets.into_iter().map(|target| (target.clone(), summary(&target))).collect());
    }

    /// Something is told of an incident: what is to be written down of it.
    fn judged(
        &mut self,
        seen: Option<&Observation>,
        key: &IncidentKey,
        event_type: Option<&str>,
    ) -> Vec<Arc<NewEvent>> {
        let before = Before::of(self.board.incidents.get(key));
        if let Some(seen) = seen {
            self.board.observe(seen);
        }
        self.deliveries += 1;
        let line = delivery(self.deliveries, event_type.unwrap_or_default(), key);
        let how = if event_type.is_some() { Seen::Delivered(&line, seen) } else { Seen::Looked };
        self.forwarder.happened(&self.board, &before, key, how)
    }

    async fn write(&self, events: Vec<Arc<NewEvent>>) {
        let saved = self.store.save(events.iter().cloned().map(Write::Event).collect::<Vec<_>>()).await;
        self.forwarder.written(events, saved.as_ref().map(drop));
    }

    async fn told(&mut self, seen: Option<&Observation>, key: &IncidentKey, event_type: Option<&str>) {
        let events = self.judged(seen, key, event_type);
        self.write(events).await;
    }

    /// A delivery comes.
    async fn happens(&mut self, event_type: &str, seen: &Observation) {
        self.told(Some(seen), &seen.key.clone(), Some(event_type)).await;
    }

    /// A new incident is told of.
    async fn triggered(&mut self, id: &str) {
        self.happens("incident.triggered", &observation(id, Status::Triggered, 0)).await;
    }

    async fn acknowledged(&mut self, id: &str) {
        self.happens("incident.acknowledged", &observation(id, Status::Acknowledged, 10)).await;
    }

    async fn resolved(&mut self, id: &str) {
        self.happens("incident.resolved", &observation(id, Status::Resolved, 20)).await;
    }

    fn reader(&self) -> Reader {
        self.store.reader().expect("reader")
    }

    /// The log, oldest first.
    fn log(&self) -> Vec<StoredDelivery> {
        let reader = self.reader();
        let lines = reader.recent(None, 1_000).expect("recent");
        lines.iter().rev().map(|line| reader.delivery(line.id).expect("delivery").expect("there")).collect()
    }

    fn reasons(&self) -> Vec<String> {
        self.log().iter().map(|line| line.summary.reason.to_string()).collect()
    }

    fn waiting(&self, target: &str) -> usize {
        self.reader().waiting(&name(target), crate::store::ForwardId(0)).expect("waiting").len()
    }

    /// Waits until so many attempts are in the log.
    async fn logged(&self, attempts: usize) {
        let reader = self.reader();
        until("attempts in the log", || reader.recent(None, 10_000).expect("recent").len() >= attempts).await;
    }

    /// Waits until nothing waits any more.
    async fn idle(&self, target: &str) {
        let reader = self.reader();
        let waiting = || reader.waiting(&name(target), crate::store::ForwardId(0)).expect("waiting").len();
        until("an empty queue", || waiting() == 0).await;
    }

    /// Waits until a target has read its queue.
    async fn has_read(&self, target: &str) {
        let lane = self.forwarder.lane(&name(target)).expect("there");
        lane.waiting.store(u32::MAX, Ordering::Relaxed);
        lane.knock.notify_one();
        until("its queue is read", || lane.waiting.load(Ordering::Relaxed) != u32::MAX).await;
    }

    fn state(&self, target: &str) -> TargetState {
        let all = self.forwarder.summaries();
        all.into_iter().find(|summary| summary.name == name(target)).expect("known").state
    }

    fn told_lines(&self) -> Vec<DeliverySummary> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |change: &Change| match change {
            Change::Delivery(line) => Some((**line).clone()),
            _ => None,
        };
        told.iter().filter_map(line).collect()
    }
}

/// Everything below `dir` as text, to look for what must not be there.
fn on_disk(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).expect("readable").flatten() {
        if entry.path().is_dir() {
            all.push_str(&on_disk(&entry.path()));
        } else {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path()).expect("readable")));
        }
    }
    all
}

fn kinds(sink: &Sink) -> Vec<String> {
    sink.heard().iter().map(|heard| heard.json()["type"].as_str().expect("type").to_owned()).collect()
}

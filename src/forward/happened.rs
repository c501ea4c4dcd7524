//! From what happened to the queues: who wants to know of it.
//!
//! Called within a change of the board, so nothing here waits. What it returns is written in the same transaction as the
//! change, and [`Forwarder::written`] is told what came of that.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
};

use jiff::Timestamp;
use tokio::time::sleep;

use super::{AGAIN, Forwarder, lane::Lane};
use crate::{
    core::{
        board::Board,
        forward::{
            Event,
            happening::{Before, Happening, Seen, happened},
            payload::Told,
        },
        id::{AccountName, IncidentKey},
        incident::Incident,
        query::{
            Truth,
            incident::{Record, judge},
        },
    },
    store::{NewEvent, StoreError, Write},
};

/// Events that could not be written down, written together: others wait for it.
const TOGETHER: usize = 256;

/// Events that could not be written down yet, in their order.
#[derive(Debug, Default)]
pub(super) struct Backlog(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<NewEvent>>,
    writer: Writer,
}

/// What the task is at that writes them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// There is none.
    #[default]
    None,
    /// It waits before another try.
    Pauses,
    Writes,
}

impl Backlog {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be written with a change that makes `events`: those that wait go in front. While they are being written,
    /// or are too many, `events` wait behind them, and nothing is left to write.
    fn in_front_of(&self, events: Vec<Arc<NewEvent>>) -> Vec<Arc<NewEvent>> {
        let mut waiting = self.waiting();
        if waiting.events.is_empty() || events.is_empty() {
            return events;
        }
        if waiting.writer == Writer::Writes || waiting.events.len() > TOGETHER {
            waiting.events.extend(events);
            return vec![];
        }
        waiting.events.drain(..).chain(events).collect()
    }

    /// Says whether nobody is there yet to write them, which is to begin as `writer`.
    fn add(&self, events: Vec<Arc<NewEvent>>, writer: Writer) -> bool {
        let mut waiting = self.waiting();
        waiting.events.extend(events);
        let unseen = waiting.writer == Writer::None;
        if unseen || writer == Writer::Writes {
            waiting.writer = writer;
        }
        unseen
    }

    /// The first of them, to be written now; none when no more wait, and then nobody writes any more.
    fn begin(&self, most: usize) -> Vec<Arc<NewEvent>> {
        let mut waiting = self.waiting();
        waiting.writer = if waiting.events.is_empty() { Writer::None } else { Writer::Writes };
        waiting.events.iter().take(most).cloned().collect()
    }

    fn pause(&self) {
        self.waiting().writer = Writer::Pauses;
    }

    /// The first of them are through.
    fn through(&self, count: usize) {
        self.waiting().events.drain(..count);
    }
}

/// Events that may wait for one target; of more the log says that they are not sent.
pub(super) const ROOM: u32 = 50_000;

impl Forwarder {
    /// Since when an account is watched: what was created before that is no news. Without a word on it, since it is
    /// first asked about.
    pub fn watches(&self, account: &AccountName, since: Timestamp) {
        self.0.since.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), since);
    }

    /// What is to be written down of what happened to `key`, which stood as `before`. To be asked right after the change
    /// of the board, and not at all where nobody [wants](Self::is_idle) to know. Earlier ones that could not be written
    /// down yet come with it, in front, so all of it has to come to [`written`](Self::written).
    pub fn happened(&self, board: &Board, before: &Before, key: &IncidentKey, seen: Seen<'_>) -> Vec<Arc<NewEvent>> {
        let now = (self.0.now)();
        let since = {
            let mut all = self.0.since.lock().unwrap_or_else(PoisonError::into_inner);
            *all.entry(key.account.clone()).or_insert(now)
        };
        let since = board.provider_time(&key.account, since);
        let all = happened(before, key, board.incidents.get(key), seen, since);
        let events = all.into_iter().filter_map(|happening| self.judge(board, key, happening, now)).collect();
        self.0.backlog.in_front_of(events)
    }

    /// To be told what came of writing these down. What could not be written is tried again until it can, in its order:
    /// as what happened is on the board already, nothing else would tell of it.
    pub fn written(&self, events: Vec<Arc<NewEvent>>, outcome: Result<(), &StoreError>) {
        if events.is_empty() {
            return;
        }
        if outcome.is_ok() {
            self.queued(&events);
            return;
        }
        // With one among them that cannot be stored at all, no other change may fail: they wait until that is let go.
        let writer = match outcome {
            Err(StoreError::Unstorable { .. }) => Writer::Writes,
            _ => Writer::Pauses,
        };
        if self.0.backlog.add(events, writer) {
            self.0.tasks.spawn(self.clone().write_backlog(writer));
        }
    }

    /// Until nothing waits any more.
    async fn write_backlog(self, begun: Writer) {
        let mut together = TOGETHER;
        if begun == Writer::Pauses {
            sleep(AGAIN).await;
        }
        loop {
            let some = self.0.backlog.begin(together);
            if some.is_empty() {
                return;
            }
            let outcome = self.0.store.save(some.iter().cloned().map(Write::Event).collect::<Vec<_>>()).await;
            match outcome {
                Ok(()) => self.queued(&some),
                // What cannot be stored at all is let go; it keeps nothing else from being written.
                Err(StoreError::Unstorable { .. }) if some.len() > 1 => {
                    together = 1;
                    continue;
                }
                Err(error @ StoreError::Unstorable { .. }) => {
                    tracing::error!(%error, "an event is not sent, as it cannot be written down: {error}");
                }
                Err(_) => {
                    self.0.backlog.pause();
                    sleep(AGAIN).await;
                    continue;
                }
            }
            together = TOGETHER;
            self.0.backlog.through(some.len());
        }
    }

    fn queued(&self, events: &[Arc<NewEvent>]) {
        let names: Vec<_> = events.iter().flat_map(|event| event.targets.iter().cloned()).collect();
        self.knock(&names);
        let lanes = self.lanes();
        if names.iter().any(|name| !lanes.contains_key(name)) {
            // Judged before their target was taken away, and written down after that.
            self.clone().let_go_of_strangers();
        }
        let full: Vec<_> = events.iter().filter(|event| !event.full.is_empty()).collect();
        for event in &full {
            tracing::error!(incident.id = %event.event.incident.id, "an event is not sent: too many wait");
        }
        if !full.is_empty() {
            self.show_newest();
        }
        if !names.is_empty() {
            self.0.changed.notify_one();
        }
    }

    fn judge(&self, board: &Board, key: &IncidentKey, happening: Happening, now: Timestamp) -> Option<Arc<NewEvent>> {
        let lanes = self.lanes();
        let interested =
            lanes.values().filter(|lane| lane.is_open() && lane.setup().target.events.contains(&happening.kind));
        let incident = happening.incident.as_deref();
        let interested: Vec<_> = interested.filter(|lane| matches_filter(lane, board, key, incident, now)).collect();
        if interested.is_empty() {
            return None;
        }
        let (mut targets, mut full) = (vec![], vec![]);
        for lane in interested {
            let waiting = lane.waiting.fetch_add(1, Ordering::Relaxed);
            if waiting < ROOM {
                targets.push(lane.name.clone());
            } else {
                lane.waiting.fetch_sub(1, Ordering::Relaxed);
                full.push(lane.name.clone());
            }
        }
        Some(Arc::new(NewEvent { event: event(board, key, happening), at: now, targets, full }))
    }

    /// Shows lines of the log that were written with others.
    fn show_newest(&self) {
        let inner = Arc::clone(&self.0);
        self.0.tasks.spawn(async move {
            let newest = inner.store.read(|reader| reader.recent(None, 50)).await.unwrap_or_default();
            for line in newest.into_iter().rev().filter(|line| line.target.is_some()) {
                (inner.tell)(crate::core::board::Change::Delivery(Box::new(line)));
            }
        });
    }
}

/// Where it cannot be told whether the incident is one of those that are wanted, it is.
fn matches_filter(lane: &Lane, board: &Board, key: &IncidentKey, incident: Option<&Incident>, now: Timestamp) -> bool {
    let setup = lane.setup();
    let (Some(wanted), Some(incident)) = (&setup.target.filter, incident) else { return true };
    let record = Record {
        incident,
        account: board.accounts.get(&key.account),
        now: board.provider_time(&key.account, now),
        me: None,
        marked: false,
        noted: Truth::Perhaps,
    };
    judge(wanted, &record) != Truth::No
}

fn event(board: &Board, key: &IncidentKey, happening: Happening) -> Event {
    let Happening { kind, id, at, delivery, incident } = happening;
    let told = Told { id, kind, at, delivery };
    match &incident {
        Some(incident) => Event::new(told, incident, board),
        None => Event::about(told, key, board),
    }
}

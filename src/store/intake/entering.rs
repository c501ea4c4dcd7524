//! Writing to the log what was taken: a thread of its own, which waits for the store as long as it takes.

use std::{
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::{
    super::{
        Call, Store, StoreError, Transaction, files,
        threads::{self, Worker},
        writes::{self, Entered, Prepared},
    },
    Clerk, Entry, RecordId,
    marker::Marker,
    segments,
};
use crate::core::delivery::DeliverySummary;

/// Deliveries that are entered together at most: a bound on how long other writes wait for them.
const ENTERED: usize = 256;
/// Bytes entered after which it is seen to that they are safe, so that their room can be used again.
const SAFE: u64 = 256 * 1024;
// With less room there might be none left for what would make the rest safe.
const _: () = assert!(SAFE * 2 < segments::LEAST);
/// While deliveries come in one after the other, entering rests so many times as long as it worked: those who wait for an
/// answer go first.
const REST: u32 = 2;
/// Long enough for some to come together, as each transaction writes whole pages.
const SHORTEST_REST: Duration = Duration::from_millis(8);
/// Less than a frame, as the screen is later by it.
const LONGEST_REST: Duration = Duration::from_millis(12);
/// It rests and gives way while no larger part of the room is in use; with more it does not, before there is none left.
const RESTFUL: usize = 3;
/// Nor while so many wait: on a busy machine, giving way could keep them from the log for long.
const FEW: u64 = 512;
/// Deliveries between which it gives way while others wait for the store's writer.
const GIVING_WAY: usize = 64;
/// Before what could not be entered is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// The thread that writes to the log.
pub(super) struct Entering {
    store: Store,
    clerk: Arc<dyn Clerk>,
    /// The last record that is in the log.
    entered: RecordId,
    /// Bytes entered that are not known to be synced.
    unsynced: u64,
    /// Bytes that may wait while it rests and gives way.
    restful: usize,
    goes_on: GoesOn,
    untold: Untold,
    marker: Arc<Marker>,
}

/// Where a log goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoesOn {
    /// Which log it is.
    pub store: u64,
    /// The last record that it says it has.
    pub from: RecordId,
    /// It has all up to this number.
    pub before: u64,
}

/// What an earlier run left, and of which some may be missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Untold {
    /// Entries that are not in the log yet.
    pub left: usize,
    /// The number of the last record of these.
    pub last: u64,
}

/// `None`: it stood there already.
type Lines = Vec<Option<DeliverySummary>>;
/// A delivery on its way into the log.
type Numbered = (RecordId, Arc<Prepared>);

impl Worker for Entering {
    type Queue = mpsc::UnboundedReceiver<Entry>;

    fn begin(&mut self) -> bool {
        self.until_done(Self::make_safe).is_continue()
    }

    fn work(&mut self, entries: &mut Self::Queue) -> bool {
        let mut batch = vec![];
        if entries.blocking_recv_many(&mut batch, ENTERED) == 0 {
            return false;
        }
        let (began, taken) = (Instant::now(), self.store.progress.taken());
        let (size, count) = (batch.iter().map(|entry| entry.size).sum(), batch.len());
        let prepare = |entry| self.prepare(entry);
        let (calls, prepared): (Vec<Call>, Vec<Numbered>) = batch.into_iter().map(prepare).unzip();
        if self.enter(&prepared).is_break() {
            return false;
        }
        drop(calls);
        self.told(count);
        self.store.progress.bytes.fetch_sub(size, Ordering::Relaxed);
        self.rest(began.elapsed(), taken);
        true
    }

    #[cfg(test)]
    fn is_idle(entries: &Self::Queue) -> bool {
        entries.is_empty()
    }
}

impl Entering {
    /// `room` is that of all files, in bytes.
    pub(super) fn new(
        store: Store,
        clerk: Arc<dyn Clerk>,
        goes_on: GoesOn,
        (untold, marker): (Untold, Arc<Marker>),
        room: usize,
    ) -> Self {
        let entered = RecordId { number: goes_on.before, sum: 0 };
        Self { store, clerk, entered, unsynced: 0, restful: room / RESTFUL, goes_on, untold, marker }
    }

    /// So many more are in the log.
    fn told(&mut self, count: usize) {
        let before = self.untold.left;
        self.untold.left = before.saturating_sub(count);
        if before > 0 && self.untold.left == 0 {
            self.marker.told(self.untold.last);
        }
    }

    /// Nobody waits where nothing was taken since.
    fn rest(&self, worked: Duration, taken: u64) {
        if self.is_restful()
            && self.store.progress.taken() > taken
            && !self.store.progress.closing.load(Ordering::Acquire)
        {
            threads::rest((worked * REST).clamp(SHORTEST_REST, LONGEST_REST));
        }
    }

    fn is_restful(&self) -> bool {
        let progress = &self.store.progress;
        progress.unentered() < FEW && progress.bytes.load(Ordering::Relaxed) < self.restful
    }

    /// What to do before the next one of `some`: whoever waits for an answer gets the processor now, and not at the end of
    /// the slice that the scheduler allows this thread.
    fn pause(&self, some: usize) -> fn() {
        if self.is_restful() && some <= GIVING_WAY { thread::yield_now } else { || () }
    }

    fn prepare(&self, Entry { id, mut new, is_left, call, .. }: Entry) -> (Call, Numbered) {
        self.pause(1)();
        self.clerk.read(&mut new);
        self.pause(1)();
        let prepared = if is_left { Prepared::left(new) } else { Prepared::new(new) };
        (call, (id, Arc::new(prepared)))
    }

    /// Tries until it works; gives up only when everything ends.
    fn until_done<T>(&mut self, mut work: impl FnMut(&mut Self) -> Result<T, StoreError>) -> ControlFlow<(), T> {
        loop {
            match work(self) {
                Ok(made) => {
                    self.store.progress.tried(None);
                    return ControlFlow::Continue(made);
                }
                Err(_) if self.store.progress.closing.load(Ordering::Acquire) => return ControlFlow::Break(()),
                Err(error) => {
                    self.store.progress.tried(Some(error.clone()));
                    self.clerk.failed(&error);
                    threads::rest(AGAIN);
                }
            }
        }
    }

    /// Syncs what an earlier run entered: if that was killed, it may be nowhere but in memory.
    fn make_safe(&mut self) -> Result<(), StoreError> {
        let GoesOn { store, from, before } = self.goes_on;
        let begin = move |db: &Connection| writes::follow(db, (store, from), before);
        self.entered = self.store.ask_blocking(0, Transaction::Shared, begin)?.ok_or_else(|| self.exchanged())?;
        self.store.progress.moved_to(self.entered, true);
        Ok(())
    }

    /// One that spoils the others is entered alone, and if it cannot be, as one that was not understood.
    fn enter(&mut self, some: &[Numbered]) -> ControlFlow<()> {
        let outcome = self.until_done(|this| match this.write(some) {
            Err(StoreError::Unstorable { cause }) if some.len() > 1 || has_content(some) => Ok(Err(cause)),
            outcome => outcome.map(Ok),
        })?;
        match (outcome, some) {
            (Ok(None), _) => {
                self.clerk.entered_before();
                ControlFlow::Continue(())
            }
            (Ok(Some(lines)), _) => {
                for (line, (_, prepared)) in lines.into_iter().zip(some) {
                    if let Some(line) = line {
                        self.clerk.entered(line, prepared.delivery());
                    }
                }
                ControlFlow::Continue(())
            }
            (Err(cause), [(id, one)]) => self.enter(&[(*id, Arc::new(one.without_content(&cause)))]),
            (Err(_), _) => some.iter().try_for_each(|one| self.enter(std::slice::from_ref(one))),
        }
    }

    /// The lines of the log. `None`: that it was written before is known only now.
    fn write(&mut self, some: &[Numbered]) -> Result<Option<Lines>, StoreError> {
        let Some((last, _)) = some.last() else { return Ok(Some(vec![])) };
        let size: u64 = some.iter().map(|(_, one)| one.size()).sum();
        let safe = self.unsynced + size >= SAFE;
        let pause = self.pause(some.len());
        let (last, all) = (*last, some.iter().map(|(_, one)| Arc::clone(one)).collect::<Vec<_>>());
        // What tells of missing records has the number of the one before them.
        let (before, last) = (self.entered, if last.number > self.entered.number { last } else { self.entered });
        let transaction = if safe { Transaction::Shared } else { Transaction::Eased };
        let enter = move |db: &Connection| writes::enter(db, &all, (before, last), pause);
        let lines = match self.store.ask_blocking(some.len(), transaction, enter)? {
            Entered::Lines(lines) => Some(lines),
            Entered::Before => None,
            Entered::Elsewhere => return Err(self.exchanged()),
        };
        // Nothing was written now, and so nothing synced.
        let safe = safe && lines.is_some();
        self.entered = last;
        self.unsynced = if safe { 0 } else { self.unsynced + size };
        self.store.progress.moved_to(last, safe);
        self.store.grown.notify_one();
        Ok(lines)
    }

    fn exchanged(&self) -> StoreError {
        StoreError::Exchanged { path: files::path_in(&self.store.dir).display().to_string() }
    }
}

fn has_content(some: &[Numbered]) -> bool {
    some.iter().any(|(_, one)| one.has_content())
}

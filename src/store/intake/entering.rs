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
        writes::{self, Prepared},
    },
    Clerk, Entry, RecordId, segments,
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
}

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
        let size = batch.iter().map(|entry| entry.size).sum();
        let prepare = |entry| self.prepare(entry);
        let (calls, prepared): (Vec<Call>, Vec<Numbered>) = batch.into_iter().map(prepare).unzip();
        if self.enter(&prepared).is_break() {
            return false;
        }
        drop(calls);
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
    /// Into a log that has all up to the number `entered`; `room` is that of all files, in bytes.
    pub(super) fn new(store: Store, clerk: Arc<dyn Clerk>, entered: u64, room: usize) -> Self {
        let entered = RecordId { number: entered, sum: 0 };
        Self { store, clerk, entered, unsynced: 0, restful: room / RESTFUL }
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
                    if matches!(error, StoreError::Exchanged { .. }) {
                        return ControlFlow::Break(());
                    }
                    threads::rest(AGAIN);
                }
            }
        }
    }

    /// Syncs what an earlier run entered: if that was killed, it may be nowhere but in memory.
    fn make_safe(&mut self) -> Result<(), StoreError> {
        let entered = self.entered.number;
        let begin = move |db: &Connection| writes::follow(db, entered).and_then(|()| writes::sync_entered(db));
        self.entered = self.store.ask_blocking(0, Transaction::Shared, begin)?;
        self.store.progress.safe.store(self.entered.number, Ordering::Release);
        Ok(())
    }

    /// One that spoils the others is entered alone, and if it cannot be, as one that was not understood.
    fn enter(&mut self, some: &[Numbered]) -> ControlFlow<()> {
        let outcome = self.until_done(|this| match this.write(some) {
            Err(StoreError::Unstorable { cause }) if some.len() > 1 || has_content(some) => Ok(Err(cause)),
            outcome => outcome.map(Ok),
        })?;
        match (outcome, some) {
            (Ok(lines), _) => {
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

    fn write(&mut self, some: &[Numbered]) -> Result<Vec<Option<DeliverySummary>>, StoreError> {
        let Some((last, _)) = some.last() else { return Ok(vec![]) };
        let size: u64 = some.iter().map(|(_, one)| one.size()).sum();
        let safe = self.unsynced + size >= SAFE;
        let pause = self.pause(some.len());
        let (last, all) = (*last, some.iter().map(|(_, one)| Arc::clone(one)).collect::<Vec<_>>());
        // What tells of missing records has the number of the one before them.
        let (before, last) = (self.entered, if last.number > self.entered.number { last } else { self.entered });
        let transaction = if safe { Transaction::Shared } else { Transaction::Eased };
        let enter = move |db: &Connection| writes::enter(db, &all, (before, last), pause);
        let Some(lines) = self.store.ask_blocking(some.len(), transaction, enter)? else {
            return Err(StoreError::Exchanged { path: files::path_in(&self.store.dir).display().to_string() });
        };
        self.entered = last;
        self.unsynced = if safe { 0 } else { self.unsynced + size };
        self.store.progress.moved_to(last.number, safe);
        self.store.grown.notify_one();
        Ok(lines)
    }
}

fn has_content(some: &[Numbered]) -> bool {
    some.iter().any(|(_, one)| one.has_content())
}

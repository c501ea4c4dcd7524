//! What must survive: deliveries, incidents, actions, and the providers' last answers, in one `SQLite` file, and before
//! it the intake, in which genuine deliveries are safe until they stand there.
//!
//! Ok means synced. One thread writes to the database, and commits what has queued as one transaction.

mod backup;
mod checkpoint;
pub mod crash;
mod damage;
mod error;
mod files;
mod forwards;
mod index;
mod intake;
mod outbox;
mod pack;
mod reader;
mod register;
mod retention;
mod rings;
mod schema;
mod search;
mod threads;
mod words;
mod writer;
mod writes;

#[cfg(test)]
pub(crate) use self::threads::steps;
#[cfg(test)]
mod failures;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{sleep, timeout},
};

pub use self::{
    backup::{Backup, BackupError},
    error::StoreError,
    forwards::{About, Attempt, Begun, Ended, ForwardId, NewEvent, Queued, Then},
    intake::{Clerk, Intake, damage_in},
    outbox::{Kept, Outbox, Outgoing},
    reader::{Beginning, Count, Reader, StoredDelivery, Unapplied},
    retention::{Keep, PrunedFor},
    rings::Fallen,
    search::{Condition, Found, Pattern, Search},
    threads::beside,
};
use self::{
    intake::Progress,
    writer::{Job, Last, Pulse, Task, Transaction, Writer},
    writes::Prepared,
};
use crate::core::{
    action::{Action, By, Verb},
    delivery::{Decoded, DeliverySummary, Proof, Timings, Verdict},
    id::{AccountName, DeliveryId, IncidentKey},
    incident::Incident,
    text::Shown,
};

/// Requests that may wait for the writer; more are refused.
const QUEUE: usize = 1024;
/// How long a request waits for its commit. Senders give up after 5 s.
const COMMIT_WAIT: Duration = Duration::from_secs(4);
/// How long `SQLite` waits for a lock of another process: less than a request waits, which is then told of the lock.
const LOCK_WAIT: Duration = Duration::from_secs(3);
/// How long ago a commit may have been to show that commits work.
const LATELY: Duration = Duration::from_secs(5);
/// How long a delivery waits, where commits work again, until what was taken before it can be entered again.
const MENDED: Duration = Duration::from_secs(1);
/// Between two looks whether that is so.
const LOOK: Duration = Duration::from_millis(20);

/// A delivery as the receiver judged it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewDelivery {
    pub at: Timestamp,
    /// `None` when the path named no account of ours.
    pub account: Option<AccountName>,
    /// What showed that it is genuine.
    pub proof: Option<Proof>,
    /// How long reading and checking took.
    pub timings: Timings,
    /// As judged before looking for the event among the known ones.
    pub verdict: Verdict,
    pub reason: Shown,
    /// What is answered if this is stored.
    pub status: u16,
    /// The incident in it is one of `account`. Not kept in the intake: it is read again from the body.
    #[serde(skip)]
    pub decoded: Option<Decoded>,
    pub peer: String,
    /// Secrets already replaced.
    pub headers: Vec<(String, String)>,
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// What was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// With its number; the verdict is [`Verdict::Duplicate`] when the event was known.
    pub summary: DeliverySummary,
}

/// Something to write. All values are whole: a later one replaces an earlier one.
#[derive(Debug, Clone)]
pub enum Write {
    Incident(Box<Incident>),
    /// Their content has reached the board. Every accepted delivery needs it, also one without observation.
    Applied(Vec<Applied>),
    /// How long the commits of deliveries took that are not applied, in microseconds.
    Committed(Vec<(DeliveryId, u64)>),
    Forget(IncidentKey),
    Action(Box<Action>),
    /// A provider's answer, for a start without network.
    Snapshot {
        account: AccountName,
        kind: &'static str,
        at: Timestamp,
        json: String,
    },
    /// Something happened that targets are to be told of. The same one again changes nothing.
    Event(Arc<NewEvent>),
}

/// An accepted delivery whose content has reached the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub id: DeliveryId,
    /// What it changed, in words.
    pub changed: Option<Shown>,
    /// How long its commit took, in microseconds, if that is known.
    pub commit_us: Option<u64>,
}

/// A handle to the store; the last one to go waits until the writer has finished.
#[derive(Clone)]
pub struct Store {
    dir: PathBuf,
    pulse: Pulse,
    waits: Waits,
    grown: Arc<Notify>,
    progress: Arc<Progress>,
    // The sender stands before the thread: dropped first, it ends the thread that is then waited for.
    queue: mpsc::Sender<Box<dyn Job>>,
    calls: Arc<AtomicUsize>,
    _thread: Arc<WriterThread>,
}

/// How long to be patient.
#[derive(Debug, Clone, Copy)]
struct Waits {
    commit: Duration,
    lock: Duration,
}

/// One call, until it is done, whether or not somebody still waits for it.
struct Call(Arc<AtomicUsize>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct WriterThread(Option<JoinHandle<()>>);

impl Drop for WriterThread {
    fn drop(&mut self) {
        if self.0.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Store {
    /// Opens the store in a state directory, creating and migrating what is needed, and starts its writer.
    /// There is one owner of a directory at a time; that is seen to elsewhere.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Waits { commit: COMMIT_WAIT, lock: LOCK_WAIT })
    }

    fn open_with(dir: &Path, waits: Waits) -> Result<Self, StoreError> {
        let pulse = Pulse::default();
        let writer = Writer::open(dir, waits.lock, Arc::clone(&pulse))?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = threads::start("store", dir, writer, jobs)?;
        Ok(Self {
            dir: dir.to_owned(),
            pulse,
            waits,
            grown: Arc::default(),
            progress: Arc::default(),
            queue,
            calls: Arc::default(),
            _thread: Arc::new(WriterThread(thread)),
        })
    }

    /// Writes a delivery down. When this is given up before it is done, by the deadline or by dropping the
    /// future, the delivery may be stored all the same.
    pub async fn record(&self, new: NewDelivery) -> Result<Recorded, StoreError> {
        self.record_or_notify(new, None).await
    }

    /// Like [`record`](Self::record). `unheard` is notified if the delivery is stored after this was given up,
    /// so that somebody re-reads what nobody was told.
    pub async fn record_or_notify(
        &self,
        new: NewDelivery,
        unheard: Option<Arc<Notify>>,
    ) -> Result<Recorded, StoreError> {
        let room = self.queue.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(()) => StoreError::Closed,
        })?;
        let new = Prepared::new(new);
        let call = self.call();
        let (job, waiting) = job(
            move |db| {
                let _until_done = &call;
                writes::record(db, &new)
            },
            Transaction::Shared,
            unheard,
        );
        room.send(job);
        let summary = waiting.answer(self.waits.commit).await?;
        self.grown.notify_one();
        Ok(Recorded { summary })
    }

    /// Starts to take deliveries in, beginning with what an earlier run left; `clerk` reads them. Once for a store.
    pub fn intake(&self, clerk: Arc<dyn Clerk>) -> Result<Intake, StoreError> {
        Intake::start(self, clerk)
    }

    /// Writes all of it, or nothing. Calls are carried out in the order in which they were made.
    pub async fn save(&self, writes: impl Into<Arc<Vec<Write>>>) -> Result<(), StoreError> {
        let writes = writes.into();
        self.ask(move |db| writes::save(db, &writes)).await
    }

    /// The same for what is worked out again from the deliveries after a loss of power: it is not waited for the disk.
    pub async fn save_eased(&self, writes: impl Into<Arc<Vec<Write>>>) -> Result<(), StoreError> {
        let writes = writes.into();
        self.ask_for(move |db| writes::save(db, &writes), Transaction::Eased).await
    }

    /// Writes a new action down, every outcome pending, and gives it its number. After an error there is no such action.
    pub async fn new_action(
        &self,
        at: Timestamp,
        by: By,
        verb: Verb,
        targets: Vec<IncidentKey>,
    ) -> Result<Action, StoreError> {
        self.ask_surely(move |db| writes::new_action(db, at, &by, &verb, &targets)).await
    }

    /// Whether deliveries can be stored: a commit worked lately, or one tried now works; what was taken can be entered; and
    /// the last one that came could be taken, or one could now.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.commits().await?;
        // Where commits work again, entering is tried again within moments too.
        let until = Instant::now() + MENDED;
        while let Some(failure) = self.progress.failure() {
            if Instant::now() >= until {
                return Err(failure);
            }
            sleep(LOOK).await;
        }
        let within = self.waits.commit;
        timeout(within, self.progress.takes()).await.unwrap_or(Err(StoreError::Late { within }))
    }

    /// Whether a commit worked lately, or one tried now works.
    pub async fn commits(&self) -> Result<(), StoreError> {
        let probe = match self.last() {
            Last::Worked(at) if at.elapsed() < LATELY => return Ok(()),
            Last::Worked(_) | Last::None => writes::probe,
            Last::Failed(_) => writes::probe_with_weight,
        };
        match (self.ask(probe).await, self.last()) {
            // Why it takes so long says more than that it does.
            (Err(StoreError::Late { .. } | StoreError::Busy), Last::Failed(cause)) => Err(cause),
            (outcome, _) => outcome,
        }
    }

    fn last(&self) -> Last {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that wait for the writer.
    pub fn queued(&self) -> usize {
        QUEUE - self.queue.capacity()
    }

    /// Deliveries that were taken and do not stand in the log yet.
    pub fn unentered(&self) -> u64 {
        self.progress.unentered()
    }

    /// The number of the last delivery that was taken; they are counted through.
    pub fn taken(&self) -> u64 {
        self.progress.taken()
    }

    /// How many were taken and do not stand in the log, if one of them is of those up to the number `before`; else 0.
    pub fn overdue(&self, before: u64) -> u64 {
        self.progress.overdue(before)
    }

    /// Told when deliveries were taken, or are left of an earlier run. For one who waits.
    pub fn took(&self) -> Arc<Notify> {
        self.progress.took()
    }

    /// Calls that are not done yet, also those that nobody waits for any more.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn call(&self) -> Call {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Call(Arc::clone(&self.calls))
    }

    /// Notified when a delivery was recorded: there is something to index.
    pub fn grown(&self) -> Arc<Notify> {
        Arc::clone(&self.grown)
    }

    /// Takes some deliveries into the registers and into the index of words that are not there yet, and some out that
    /// are pruned. Says whether there may be more to do. A search finds all of them before that too, only not as fast.
    pub async fn index_some(&self) -> Result<bool, StoreError> {
        let (behind, slice, gone) = self
            .read(|reader| Ok((register::is_behind(reader)?, index::Slice::read(reader)?, index::has_gone(reader)?)))
            .await?;
        if behind {
            self.ask_apart(register::file).await?;
        }
        if gone {
            self.ask_apart(index::clear).await?;
        }
        if !slice.is_empty() {
            self.ask_apart(move |db| index::add(db, &slice)).await?;
        } else if !gone {
            return Ok(behind);
        }
        self.ask_apart(index::merge).await?;
        Ok(true)
    }

    /// Lets go of some deliveries that are not to be kept any more; says whether there may be more of them.
    pub async fn prune_some(&self, keep: Keep, now: Timestamp) -> Result<bool, StoreError> {
        self.ask_apart(move |db| retention::prune(db, &keep, now)).await
    }

    /// Gives some of the room that pruning made back to the disk; says whether there is more to give.
    pub async fn shrink_some(&self) -> Result<bool, StoreError> {
        self.ask_apart(retention::shrink).await
    }

    /// A connection for reading, of its own.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open_with(&self.dir, self.waits.lock)
    }

    /// Reads on a thread that may block, and finds whatever was taken before.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (dir, lock) = (self.dir.clone(), self.waits.lock);
        let (call, progress) = (self.call(), Arc::clone(&self.progress));
        // What cannot be entered is not waited for.
        let failing = matches!(self.last(), Last::Failed(_));
        let done = beside(move || {
            let _until_done = call;
            if !failing {
                progress.settle();
            }
            read(&Reader::open_with(&dir, lock)?)
        })
        .await;
        done.unwrap_or(Err(StoreError::Closed))
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask_for(work, Transaction::Shared).await
    }

    /// For work that no sender may have to wait for, and that may be lost with the power: it is done again then.
    async fn ask_apart<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask_for(work, Transaction::Apart).await
    }

    /// For work of which whoever asked must know whether it is done, as what comes next hangs on it: with a place in the
    /// queue, the answer is waited for as long as it takes, and an error means that it is not done and never will be.
    async fn ask_surely<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.put(work, Transaction::Shared).await?.answer_at_last().await
    }

    /// Waits for a place in the queue too, all within the deadline. What was too late may be done all the same.
    async fn ask_for<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        transaction: Transaction,
    ) -> Result<T, StoreError> {
        self.put(work, transaction).await?.answer(self.waits.commit).await
    }

    /// Gives it a place in the queue, within the deadline.
    async fn put<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        transaction: Transaction,
    ) -> Result<Waiting<T>, StoreError> {
        let call = self.call();
        let (job, waiting) = job(
            move |db| {
                let _until_done = &call;
                work(db)
            },
            transaction,
            None,
        );
        match timeout(self.waits.commit, self.queue.send(job)).await {
            Ok(Ok(())) => Ok(waiting),
            Ok(Err(_)) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Busy),
        }
    }
}

impl Store {
    /// For threads that may block: waits as long as it takes.
    fn ask_blocking<T: Send + 'static>(
        &self,
        weight: usize,
        transaction: Transaction,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, waiting) = oneshot::channel();
        let task = Task { work, transaction, weight, made: None, answer, unheard: None };
        self.queue.blocking_send(Box::new(task)).map_err(|_| StoreError::Closed)?;
        threads::answer(waiting)
    }
}

fn job<T: Send + 'static>(
    work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    transaction: Transaction,
    unheard: Option<Arc<Notify>>,
) -> (Box<dyn Job>, Waiting<T>) {
    let (answer, waiting) = oneshot::channel();
    let task = Task { work, transaction, weight: 1, made: None, answer, unheard: unheard.clone() };
    (Box::new(task), Waiting { answer: waiting, unheard })
}

/// Waits for an answer. Dropped with an answer that nobody took, it says so.
struct Waiting<T> {
    answer: oneshot::Receiver<Result<T, StoreError>>,
    unheard: Option<Arc<Notify>>,
}

impl<T> Waiting<T> {
    async fn answer(mut self, within: Duration) -> Result<T, StoreError> {
        match timeout(within, &mut self.answer).await {
            Ok(answer) => answer.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Late { within }),
        }
    }

    async fn answer_at_last(mut self) -> Result<T, StoreError> {
        (&mut self.answer).await.unwrap_or(Err(StoreError::Closed))
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.answer.close();
        if let (Ok(Ok(_)), Some(unheard)) = (self.answer.try_recv(), &self.unheard) {
            unheard.notify_one();
        }
    }
}

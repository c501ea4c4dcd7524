//! Where genuine deliveries lie until they are in the log.
//!
//! One thread appends all that waits to a file whose room is there already, syncs it once, and answers: the senders go with
//! their 2xx after the least work that keeps the promise. A second one enters what was taken, in the order in which it
//! came: has it read, and writes it to the log, many in one transaction, with number and checksum of the last of them.
//! Whatever a crash left between the two is entered at the next start; so is all that is there when the log's last one is
//! not, as after another log was put beside it, but for what that has.
//!
//! While the store fails nothing is taken, but what was taken stays.

mod record;
mod segments;

#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    ops::ControlFlow,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc as threads,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

pub(super) use self::segments::RecordId;
use self::segments::{Found, Record, Segments};
use super::{Call, NewDelivery, Store, StoreError, Transaction, writer::Last, writes, writes::Prepared};
use crate::core::{delivery::DeliverySummary, repeated::Repeated};

/// What its files are called.
const NAME: &str = "intake";
/// Where in its marker the number stands that an earlier version of dogwatch gave it.
const OWN: u64 = 8;
/// Deliveries that may wait to be appended; more are refused.
const QUEUE: usize = 1024;
/// Deliveries that are appended together at most.
const APPENDED: usize = 256;
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
/// How long a delivery waits for room in the intake.
const ROOM: Duration = Duration::from_secs(2);
/// Before what could not be entered is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// How long a look waits for what was taken before it.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Who knows what a delivery says and who is to be told of it. Called on a thread that may block, not for long.
pub trait Clerk: Send + Sync + 'static {
    /// Fills in what needs no answer: what the body says, and the verdict that follows.
    fn read(&self, taken: &mut NewDelivery);
    /// It stands in the log.
    fn entered(&self, summary: DeliverySummary, taken: &NewDelivery);
    /// What was taken cannot be entered now; it will be tried again.
    fn failed(&self, error: &StoreError);
}

/// How far it is. Numbers of records; 0 before the first.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Synced, so their senders are told.
    taken: AtomicU64,
    /// In the log.
    entered: Mutex<u64>,
    /// In the log, and synced there too.
    safe: AtomicU64,
    /// Bytes of the records that wait to be entered.
    bytes: AtomicUsize,
    moved: Condvar,
    /// Told when something was taken, or is left of an earlier run.
    took: Arc<Notify>,
    /// Why what was taken cannot be entered, as far as the last attempt shows.
    failure: Mutex<Option<StoreError>>,
    /// The same of what comes and cannot be taken.
    refusal: Mutex<Option<StoreError>>,
    /// Where to ask whether it can again.
    queue: Mutex<Option<mpsc::WeakSender<Job>>>,
    running: AtomicBool,
    closing: AtomicBool,
}

impl Progress {
    /// Whether what an earlier run entered is synced is not known.
    fn begin(&self, taken: u64, entered: u64) {
        self.taken.store(taken, Ordering::Release);
        self.safe.store(0, Ordering::Release);
        self.moved_to(entered, false);
        self.closing.store(false, Ordering::Release);
        self.tried(None);
        self.running.store(true, Ordering::Release);
        if taken > entered {
            self.took.notify_one();
        }
    }

    fn moved_to(&self, number: u64, safe: bool) {
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        *entered = number;
        if safe {
            // Nobody who waits may look between this and being told.
            self.safe.store(number, Ordering::Release);
        }
        self.moved.notify_all();
    }

    /// Waits, at most so long, until `done`; says whether it is.
    fn wait_until(&self, within: Duration, done: impl Fn(u64) -> bool) -> bool {
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.moved.wait_timeout_while(entered, within, |entered| !done(*entered));
        waited.is_ok_and(|(_, waited)| !waited.timed_out())
    }

    /// How many were taken and are not entered.
    pub(super) fn unentered(&self) -> u64 {
        let entered = *self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        self.taken.load(Ordering::Acquire).saturating_sub(entered)
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many are not entered, if one is of those up to the number `before`; else 0.
    pub(super) fn overdue(&self, before: u64) -> u64 {
        let entered = *self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        if entered < before { self.taken().saturating_sub(entered) } else { 0 }
    }

    pub(super) fn took(&self) -> Arc<Notify> {
        Arc::clone(&self.took)
    }

    pub(super) fn failure(&self) -> Option<StoreError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tried(&self, failure: Option<StoreError>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    fn appended(&self, refusal: Option<StoreError>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    /// Whether what comes can be taken; where the last one could not, that is tried.
    pub(super) async fn takes(&self) -> Result<(), StoreError> {
        if self.refusal.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Ok(());
        }
        let queue =
            self.queue.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(mpsc::WeakSender::upgrade);
        let Some(queue) = queue else { return Ok(()) };
        let (answer, tried) = oneshot::channel();
        queue.try_send(Job::Try(answer)).map_err(|_| StoreError::Busy)?;
        // The intake may end meanwhile: it waits for all who can still ask.
        drop(queue);
        tried.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits until what was taken up to now can be read in the log. Blocking.
    pub(super) fn settle(&self) {
        if self.running.load(Ordering::Acquire) {
            let taken = self.taken.load(Ordering::Acquire);
            self.wait_until(LOOK, |entered| entered >= taken);
        }
    }
}

/// What the thread that answers is asked for.
enum Job {
    Take(Box<Waiting>),
    /// To say whether it could take something.
    Try(oneshot::Sender<Result<(), StoreError>>),
}

/// One that waits to be appended.
struct Waiting {
    new: NewDelivery,
    /// Of its record.
    head: Vec<u8>,
    since: Instant,
    call: Call,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// One that waits to be entered.
struct Entry {
    id: RecordId,
    /// Bytes of its record.
    size: usize,
    new: NewDelivery,
    /// An earlier run took it.
    is_left: bool,
    /// Until it is entered.
    call: Call,
}

impl Entry {
    /// One that an earlier run took.
    fn left(Found { id, bytes }: Found, store: &Store) -> Self {
        let size = bytes.len();
        let new = record::read(&bytes).unwrap_or_else(|cause| {
            tracing::error!(number = id.number, "a delivery that was taken cannot be read: {cause}");
            record::unreadable(bytes, &cause)
        });
        Self { id, size, new, is_left: true, call: store.call() }
    }
}

/// The intake of a store; when it goes, what was taken is entered and its threads end.
pub struct Intake {
    store: Store,
    // The sender stands before the threads: dropped first, it ends those that are then waited for.
    queue: mpsc::Sender<Job>,
    _threads: Threads,
}

struct Threads {
    progress: Arc<Progress>,
    all: Vec<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.progress.closing.store(true, Ordering::Release);
        for thread in self.all.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the intake panicked");
            }
        }
        self.progress.running.store(false, Ordering::Release);
    }
}

impl Intake {
    /// Starts it on what an earlier run left, which is entered first. Blocking, for a moment.
    pub(super) fn start(store: &Store, clerk: Arc<dyn Clerk>) -> Result<Self, StoreError> {
        let marker = Marker::open(&store.dir)?;
        let reader = store.reader()?;
        let entered = reader.entered_record()?;
        // Of what an earlier version of dogwatch entered only the number is known, and which intake that was of.
        let is_numbered = entered.sum == 0 && marker.own() == reader.intake()?;
        let (mut segments, left) = if is_numbered {
            Segments::open_behind(&store.dir, entered.number)?
        } else {
            Segments::open(&store.dir, entered)?
        };
        segments.prepare();
        let last = left.last().map_or(segments.last(), |last| last.id.number);
        marker.set(last);
        let before = left.first().map_or(last, |first| first.id.number - 1);
        if before < entered.number {
            let (intake, count) = (marker.path.display(), left.len());
            tracing::warn!(
                "the log goes on from no record of {intake}: of the {count} there, it gets those that it does not have"
            );
        }
        let progress = Arc::clone(&store.progress);
        progress.begin(last, before);
        let (entries, waiting) = threads::channel();
        for entry in left.into_iter().map(|found| Entry::left(found, store)) {
            progress.bytes.fetch_add(entry.size, Ordering::Relaxed);
            // It is received below.
            let _ = entries.send(entry);
        }
        let room = segments.whole_room();
        let (queue, jobs) = mpsc::channel(QUEUE);
        progress.appended(None);
        *progress.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue.downgrade());
        let appending =
            Appending { segments, marker, progress, entries: Some(entries), complaints: Repeated::default() };
        let entering = Entering { store: store.clone(), clerk, entered: before, unsynced: 0, restful: room / RESTFUL };
        let run = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let named = thread::Builder::new().name(name.to_owned());
            named.spawn(work).map_err(|error| StoreError::io(&store.dir, &error))
        };
        let all = vec![
            run("intake", Box::new(move || appending.run(jobs)))?,
            run("entry", Box::new(move || entering.run(&waiting)))?,
        ];
        let threads = Threads { progress: Arc::clone(&store.progress), all };
        Ok(Self { store: store.clone(), queue, _threads: threads })
    }

    /// Takes a genuine delivery: `Ok` once it is synced. It stands in the log a moment later. When this is given up
    /// before it is done, by the deadline or by dropping the future, it may be taken all the same.
    pub async fn take(&self, new: NewDelivery) -> Result<(), StoreError> {
        if matches!(self.store.last(), Last::Failed(_)) || self.store.progress.failure().is_some() {
            self.store.ready().await?;
        }
        let room = self.queue.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(()) => StoreError::Closed,
        })?;
        let head = record::head(&new).map_err(|error| StoreError::Unstorable { cause: error.to_string() })?;
        let (answer, waiting) = oneshot::channel();
        room.send(Job::Take(Box::new(Waiting { new, head, since: Instant::now(), call: self.store.call(), answer })));
        let within = self.store.waits.commit;
        match timeout(within, waiting).await {
            Ok(answer) => answer.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Late { within }),
        }
    }
}

/// The thread that answers.
struct Appending {
    segments: Segments,
    marker: Marker,
    progress: Arc<Progress>,
    /// `None` once nobody enters what is sent there.
    entries: Option<threads::Sender<Entry>>,
    complaints: Repeated,
}

impl Appending {
    /// Until the handle is gone and everything queued is answered.
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let (mut jobs, mut batch) = (Vec::with_capacity(APPENDED), Vec::with_capacity(APPENDED));
        while queue.blocking_recv_many(&mut jobs, APPENDED) > 0 {
            for job in jobs.drain(..) {
                match job {
                    Job::Take(waiting) => batch.push(waiting),
                    Job::Try(answer) => drop(answer.send(self.try_out())),
                }
            }
            while !batch.is_empty() {
                let appended = self.append(&batch);
                self.progress.appended(appended.as_ref().err().cloned());
                match appended {
                    Ok(records) => self.taken(&records, batch.drain(..records.len())),
                    Err(error) => self.refuse(batch.drain(..), &error),
                }
            }
        }
    }

    fn try_out(&mut self) -> Result<(), StoreError> {
        let tried = self.segments.try_out(self.progress.safe.load(Ordering::Acquire));
        self.progress.appended(tried.as_ref().err().cloned());
        tried
    }

    fn append(&mut self, batch: &[Box<Waiting>]) -> Result<Vec<RecordId>, StoreError> {
        if self.entries.is_none() {
            return Err(StoreError::Stopped);
        }
        let records: Vec<Record<'_>> = batch.iter().map(|waiting| [&*waiting.head, &*waiting.new.body]).collect();
        let until = Instant::now() + ROOM;
        loop {
            let safe = self.progress.safe.load(Ordering::Acquire);
            if let Some(appended) = self.segments.append(&records, safe)? {
                return Ok(appended);
            }
            let safer = |_| self.progress.safe.load(Ordering::Acquire) > safe;
            if !self.progress.wait_until(until.saturating_duration_since(Instant::now()), safer) {
                return Err(StoreError::Busy);
            }
        }
    }

    fn taken(&mut self, records: &[RecordId], batch: impl Iterator<Item = Box<Waiting>>) {
        let last = self.segments.last();
        self.progress.taken.store(last, Ordering::Release);
        self.marker.set(last);
        for (&id, waiting) in records.iter().zip(batch) {
            let Waiting { mut new, head, since, call, answer } = *waiting;
            new.timings.commit_us = u64::try_from(since.elapsed().as_micros()).ok();
            // Whoever hung up meanwhile sends it again.
            let _ = answer.send(Ok(()));
            let size = head.len() + new.body.len();
            self.progress.bytes.fetch_add(size, Ordering::Relaxed);
            let entry = Entry { id, size, new, is_left: false, call };
            if self.entries.take_if(|entries| entries.send(entry).is_err()).is_some() {
                // It is entered at the next start, and until then no more is taken.
                self.progress.tried(Some(StoreError::Stopped));
            }
        }
        self.progress.took.notify_one();
        self.segments.make_ready(self.progress.safe.load(Ordering::Acquire));
    }

    fn refuse(&mut self, batch: impl Iterator<Item = Box<Waiting>>, error: &StoreError) {
        if let Some(more) = self.complaints.say(&error.to_string(), Instant::now()) {
            tracing::error!(%error, "not taken: {error}{more}");
        }
        for waiting in batch {
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }
}

/// The thread that writes to the log.
struct Entering {
    store: Store,
    clerk: Arc<dyn Clerk>,
    /// The number of the last record that was in the log when it began.
    entered: u64,
    /// Bytes entered that are not known to be synced.
    unsynced: u64,
    /// Bytes that may wait while it rests and gives way.
    restful: usize,
}

/// A delivery on its way into the log.
type Numbered = (RecordId, Arc<Prepared>);

impl Entering {
    fn run(mut self, entries: &threads::Receiver<Entry>) {
        if self.until_done(Self::make_safe).is_break() {
            return;
        }
        while let Ok(first) = entries.recv() {
            let batch: Vec<Entry> = std::iter::once(first).chain(entries.try_iter()).take(ENTERED).collect();
            let (began, taken) = (Instant::now(), self.store.progress.taken());
            let size = batch.iter().map(|entry| entry.size).sum();
            let prepare = |entry| self.prepare(entry);
            let (calls, prepared): (Vec<Call>, Vec<Numbered>) = batch.into_iter().map(prepare).unzip();
            if self.enter(&prepared).is_break() {
                return;
            }
            drop(calls);
            self.store.progress.bytes.fetch_sub(size, Ordering::Relaxed);
            self.rest(began.elapsed(), taken);
        }
    }

    /// Nobody waits where nothing was taken since.
    fn rest(&self, worked: Duration, taken: u64) {
        if self.is_restful()
            && self.store.progress.taken() > taken
            && !self.store.progress.closing.load(Ordering::Acquire)
        {
            thread::sleep((worked * REST).clamp(SHORTEST_REST, LONGEST_REST));
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
                    thread::sleep(AGAIN);
                }
            }
        }
    }

    /// Syncs what an earlier run entered: if that was killed, it may be nowhere but in memory.
    fn make_safe(&mut self) -> Result<(), StoreError> {
        let entered = self.entered;
        let begin = move |db: &Connection| writes::follow(db, entered).and_then(|()| writes::sync_entered(db));
        let entered = self.store.ask_blocking(0, Transaction::Shared, begin)?;
        self.store.progress.safe.store(entered, Ordering::Release);
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
        let transaction = if safe { Transaction::Shared } else { Transaction::Eased };
        let lines = self.store.ask_blocking(all.len(), transaction, move |db| writes::enter(db, &all, last, pause))?;
        self.unsynced = if safe { 0 } else { self.unsynced + size };
        self.store.progress.moved_to(last.number, safe);
        self.store.grown.notify_one();
        Ok(lines)
    }
}

fn has_content(some: &[Numbered]) -> bool {
    some.iter().any(|(_, one)| one.has_content())
}

/// Tells other processes how far it is, so that whoever looks at the log there can wait for what was answered before: the
/// number of its last record.
struct Marker {
    path: PathBuf,
    file: File,
}

impl Marker {
    fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let file = segments::plain().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| segments::unusable(&path, &error))?;
        Ok(Self { path, file })
    }

    /// The number that earlier versions of dogwatch gave an intake, and noted in the log that followed it; 0: none.
    fn own(&self) -> u64 {
        let mut own = [0; 8];
        self.file.read_exact_at(&mut own, OWN).map_or(0, |()| u64::from_le_bytes(own))
    }

    /// When this fails, they do not wait.
    fn set(&self, taken: u64) {
        let _ = self.file.write_all_at(&taken.to_le_bytes(), 0);
    }
}

/// The number of the last record that was taken in a state directory, by whichever process; 0: none, or not known.
pub(super) fn taken_in(dir: &Path) -> u64 {
    let bytes = fs::read(dir.join(NAME)).unwrap_or_default();
    bytes.first_chunk().map_or(0, |taken| u64::from_le_bytes(*taken))
}

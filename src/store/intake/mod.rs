//! Where genuine deliveries lie until they are in the log.
//!
//! One thread appends all that waits to a file whose room is there already, syncs it once, and answers: the senders go with
//! their 2xx after the least work that keeps the promise. A second one enters what was taken, in the order in which it
//! came: has it read, and writes it to the log, many in one transaction, with number and checksum of the last of them.
//! Whatever a crash left between the two is entered at the next start; so is all that is there when the log's last one is
//! not, as after another log was put beside it, but for what that has.
//!
//! While the store fails nothing is taken, but what was taken stays.

mod entering;
mod marker;
mod record;
mod segments;

#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::{self, timeout},
};

use self::{
    entering::{Entering, GoesOn, Untold},
    marker::{Marker, Notes},
    segments::{Found, Known, Left, Lost, Record, Segments},
};
pub(super) use self::{marker::taken_in, segments::RecordId};
use super::{
    Call, NewDelivery, Reader, Store, StoreError, Transaction, beside,
    threads::{self, Worker},
    writer::Last,
    writes,
};
use crate::core::{delivery::DeliverySummary, repeated::Repeated, text::Shown};

/// What its files are called.
const NAME: &str = "intake";
/// Deliveries that may wait to be appended; more are refused.
const QUEUE: usize = 1024;
/// Deliveries that are appended together at most.
const APPENDED: usize = 256;
/// How long a delivery waits for room in the intake.
const ROOM: Duration = Duration::from_secs(2);
/// How long a look waits for what was taken before it.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Who knows what a delivery says and who is to be told of it. Called on a thread that may block, not for long.
pub trait Clerk: Send + Sync + 'static {
    /// Fills in what needs no answer: what the body says, and the verdict that follows.
    fn read(&self, taken: &mut NewDelivery);
    /// It stands in the log.
    fn entered(&self, summary: DeliverySummary, taken: &NewDelivery);
    /// Some of it was entered before, though it was said not to be: what is not known of it is to be looked for in the log.
    fn entered_before(&self);
    /// What was taken cannot be entered now; it will be tried again.
    fn failed(&self, error: &StoreError);
}

/// How far it is. Numbers of records; 0 before the first.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Synced, so their senders are told.
    taken: AtomicU64,
    /// The last one in the log.
    entered: Mutex<RecordId>,
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
        // Its checksum is told when the log is asked.
        self.moved_to(RecordId { number: entered, sum: 0 }, false);
        self.closing.store(false, Ordering::Release);
        self.tried(None);
        self.running.store(true, Ordering::Release);
        if taken > entered {
            self.took.notify_one();
        }
    }

    fn entered(&self) -> RecordId {
        *self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved_to(&self, last: RecordId, safe: bool) {
        let mut entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        *entered = last;
        if safe {
            // Nobody who waits may look between this and being told.
            self.safe.store(last.number, Ordering::Release);
        }
        self.moved.notify_all();
    }

    /// Waits, at most so long, until `done`; says whether it is.
    fn wait_until(&self, within: Duration, done: impl Fn(u64) -> bool) -> bool {
        #[cfg(test)]
        threads::steps::until(|| done(self.entered().number));
        let entered = self.entered.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.moved.wait_timeout_while(entered, within, |entered| !done(entered.number));
        waited.is_ok_and(|(_, waited)| !waited.timed_out())
    }

    /// How many were taken and are not entered.
    pub(super) fn unentered(&self) -> u64 {
        let entered = self.entered().number;
        self.taken.load(Ordering::Acquire).saturating_sub(entered)
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    /// How many are not entered, if one is of those up to the number `before`; else 0.
    pub(super) fn overdue(&self, before: u64) -> u64 {
        let entered = self.entered().number;
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

    /// Nobody enters any more, for the reason that is known, if one is.
    fn stopped(&self) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(StoreError::Stopped);
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
    since: time::Instant,
    call: Call,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

/// One that waits to be entered.
struct Entry {
    id: RecordId,
    /// Bytes of its record.
    size: usize,
    new: NewDelivery,
    /// It may stand in the log already.
    is_left: bool,
    /// Until it is entered.
    call: Call,
}

impl Entry {
    /// Those that an earlier run took, and in their places what tells of the ones that are missing. Those up to `doubted`
    /// may stand in the log already.
    fn left(left: Left, doubted: u64, store: &Store) -> Vec<Self> {
        let Left { found, lost, is_there, before, .. } = left;
        let (mut all, mut lost) = (vec![], lost.into_iter().peekable());
        let mut former = RecordId { number: before, sum: 0 };
        for found in found {
            while let Some(lost) = lost.next_if(|lost| lost.after < found.id.number) {
                all.push(Self::lost(lost, former, store));
            }
            former = found.id;
            all.push(Self::found(found, !is_there || former.number <= doubted, store));
        }
        all.extend(lost.map(|lost| Self::lost(lost, former, store)));
        all
    }

    fn found(Found { id, bytes }: Found, is_left: bool, store: &Store) -> Self {
        let size = bytes.len();
        let new = record::read(&bytes).unwrap_or_else(|cause| {
            tracing::error!(number = id.number, "a delivery that was taken cannot be read: {cause}");
            record::unreadable(bytes, &cause)
        });
        Self { id, size, new, is_left, call: store.call() }
    }

    /// It comes after the record `former`, which stays the last one of the log.
    fn lost(lost: Lost, former: RecordId, store: &Store) -> Self {
        let size = lost.bytes.len();
        Self { id: former, size, new: record::lost(lost), is_left: false, call: store.call() }
    }
}

/// Says in words which files of the intake were damaged, as long as they are kept in a state directory; `None`: none.
/// Fails where nobody can look.
pub fn damage_in(dir: &Path) -> Result<Option<Shown>, StoreError> {
    let damaged = segments::damaged_in(dir).map_err(|error| StoreError::io(dir, &error))?;
    let files: Vec<_> = damaged.iter().map(|path| path.display().to_string()).collect();
    Ok((!files.is_empty()).then(|| {
        let files = files.join(", ");
        Shown::line(&format!(
            "deliveries that were taken could not be read back, the log says how many: look after the disk, and move \
             {files} away"
        ))
    }))
}

impl Store {
    /// The same of its own.
    pub async fn damaged(&self) -> Result<Option<Shown>, StoreError> {
        let dir = self.dir.clone();
        beside(move || damage_in(&dir)).await.unwrap_or(Err(StoreError::Closed))
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
        let (known, notes) = known(&marker, &store.reader()?)?;
        let (mut segments, left) = Segments::open(&store.dir, &known)?;
        segments.prepare();
        let last = left.found.last().map_or(segments.last(), |last| last.id.number);
        let before = left.before.min(last);
        tell(&left, &marker, before < known.entered.number);
        let doubted = if left.is_there { notes.doubted } else { last };
        let follows = known.is_same_log || last == 0 || left.is_there && left.found.is_empty();
        let skipped = segments.skipped().unwrap_or(notes.skipped);
        // Until those that are missing are told, they are not forgotten.
        let taken = if left.lost.is_empty() { last } else { last.max(known.taken) };
        marker.begin(taken, Notes { store: if follows { notes.store } else { 0 }, skipped, doubted, had: known.had });
        let progress = Arc::clone(&store.progress);
        progress.begin(last, before);
        let (entries, waiting) = mpsc::unbounded_channel();
        let goes_on = GoesOn { store: notes.store, from: known.entered, before };
        let left = Entry::left(left, doubted, store);
        let untold = Untold { left: left.len(), last };
        for entry in left {
            progress.bytes.fetch_add(entry.size, Ordering::Relaxed);
            // It is received below.
            let _ = entries.send(entry);
        }
        let room = segments.whole_room();
        let (queue, jobs) = mpsc::channel(QUEUE);
        progress.appended(None);
        *progress.queue.lock().unwrap_or_else(PoisonError::into_inner) = Some(queue.downgrade());
        let (entries, complaints) = (Some(entries), Repeated::default());
        let marker = Arc::new(marker);
        let entering = Entering::new(store.clone(), clerk, goes_on, (untold, Arc::clone(&marker)), room);
        let appending = Appending { store: store.clone(), segments, marker, progress, entries, complaints, wanted: 0 };
        let all = [
            threads::start("intake", &store.dir, appending, jobs)?,
            threads::start("entry", &store.dir, entering, waiting)?,
        ];
        let threads = Threads { progress: Arc::clone(&store.progress), all: all.into_iter().flatten().collect() };
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
        room.send(Job::Take(Box::new(Waiting {
            new,
            head,
            since: time::Instant::now(),
            call: self.store.call(),
            answer,
        })));
        let within = self.store.waits.commit;
        match timeout(within, waiting).await {
            Ok(answer) => answer.unwrap_or(Err(StoreError::Closed)),
            Err(_) => Err(StoreError::Late { within }),
        }
    }
}

/// What is known of the records before they are read, and what is noted of them.
fn known(marker: &Marker, reader: &Reader) -> Result<(Known, Notes), StoreError> {
    let (entered, store, notes) = (reader.entered_record()?, reader.store_id()?.0, marker.notes());
    let is_same_log = notes.store == store;
    let known = Known {
        entered,
        // Of what an earlier version of dogwatch entered only the number is known, and which intake that was of.
        is_numbered: entered.sum == 0 && marker.own() == reader.intake()?,
        is_same_log,
        // It is told from where to go on before it has all again.
        had: if is_same_log { entered.number.max(if entered.sum == 0 { notes.had } else { 0 }) } else { 0 },
        taken: marker.taken(),
        skipped: notes.skipped,
    };
    Ok((known, Notes { store, ..notes }))
}

/// Tells the log of what an earlier run left that is not as it should be.
fn tell(left: &Left, marker: &Marker, is_elsewhere: bool) {
    let (intake, count) = (marker.path.display(), left.found.len());
    if is_elsewhere {
        tracing::warn!(
            "the log goes on from no record of {intake}, as when it was put in the place of another one, or when that \
             record is damaged: of the {count} there, it gets those that it does not have"
        );
    }
    for lost in &left.lost {
        let kept: Vec<_> = left.kept.iter().map(|path| path.display().to_string()).collect();
        let kept =
            if kept.is_empty() { String::new() } else { format!("; the damaged file is kept: {}", kept.join(", ")) };
        if lost.is_taken {
            tracing::error!("{intake}: {}{kept}", lost.words());
        } else {
            tracing::warn!("{intake}: {}", lost.words());
        }
    }
}

/// The thread that answers.
struct Appending {
    store: Store,
    segments: Segments,
    marker: Arc<Marker>,
    progress: Arc<Progress>,
    /// `None` once nobody enters what is sent there.
    entries: Option<mpsc::UnboundedSender<Entry>>,
    complaints: Repeated,
    /// Bytes that found no room.
    wanted: u64,
}

impl Worker for Appending {
    type Queue = mpsc::Receiver<Job>;

    /// Until the handle is gone and everything queued is answered.
    fn work(&mut self, queue: &mut Self::Queue) -> bool {
        let (mut jobs, mut batch) = (Vec::with_capacity(APPENDED), Vec::with_capacity(APPENDED));
        let goes_on = queue.blocking_recv_many(&mut jobs, APPENDED) > 0;
        for job in jobs {
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
        goes_on
    }

    #[cfg(test)]
    fn is_idle(queue: &Self::Queue) -> bool {
        queue.is_empty()
    }
}

impl Appending {
    /// Whether what found no room last would find some.
    fn try_out(&mut self) -> Result<(), StoreError> {
        let wanted = self.wanted;
        let tried = self.with_room(|segments, safe| segments.try_out(wanted, safe));
        let tried = tried.and_then(|tried| tried.ok_or(StoreError::Busy));
        self.progress.appended(tried.as_ref().err().cloned());
        tried
    }

    fn append(&mut self, batch: &[Box<Waiting>]) -> Result<Vec<RecordId>, StoreError> {
        if self.entries.is_none() {
            return Err(StoreError::Stopped);
        }
        let records: Vec<Record<'_>> = batch.iter().map(|waiting| [&*waiting.head, &*waiting.new.body]).collect();
        self.wanted = records.first().map_or(0, segments::framed);
        let until = Instant::now() + ROOM;
        loop {
            let safe = self.progress.safe.load(Ordering::Acquire);
            if let Some(appended) = self.with_room(|segments, safe| segments.append(&records, safe))? {
                self.wanted = 0;
                return Ok(appended);
            }
            let safer = |_| self.progress.safe.load(Ordering::Acquire) > safe;
            if !self.progress.wait_until(until.saturating_duration_since(Instant::now()), safer) {
                return Err(StoreError::Busy);
            }
        }
    }

    /// Where there is no room, what is in the log is made safe, so that its room can be used again, and it is tried once
    /// more.
    fn with_room<T>(
        &mut self,
        mut work: impl FnMut(&mut Segments, u64) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let safe = self.progress.safe.load(Ordering::Acquire);
        let outcome = work(&mut self.segments, safe);
        if matches!(outcome, Ok(None) | Err(StoreError::Full { .. })) && self.make_safe(safe) {
            return work(&mut self.segments, self.progress.safe.load(Ordering::Acquire));
        }
        outcome
    }

    /// Says whether more is safe now.
    fn make_safe(&self, safe: u64) -> bool {
        // Another one may be entered in between, which is known a moment later.
        for _ in 0..2 {
            let entered = self.progress.entered();
            if entered.number <= safe || self.progress.failure().is_some() {
                break;
            }
            let synced = self.store.ask_blocking(0, Transaction::Shared, writes::sync_entered);
            // Of another log that was put in its place nothing is known.
            if synced.is_ok_and(|synced| synced == entered || synced == self.progress.entered()) {
                self.progress.safe.fetch_max(entered.number, Ordering::AcqRel);
                break;
            }
        }
        self.progress.safe.load(Ordering::Acquire) > safe
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
                self.progress.stopped();
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

//! The one thread that writes. It takes all that has queued as one transaction, commits, then answers each.
//!
//! Nobody is told that something is stored before the commit has returned.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{
    StoreError,
    checkpoint::Checkpoints,
    crash::{self, Point},
    damage, files, schema,
    threads::Worker,
};
use crate::core::repeated::Repeated;

/// Jobs in one transaction at most: a bound on how long the first of them waits for the last.
const BATCH: usize = 256;

/// In which transaction something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transaction {
    /// In that of all others that wait. It is synced before anybody is told.
    Shared,
    /// In the same one, but it need not be synced for this: whatever it does is done again after a loss of power.
    Eased,
    /// In one of its own behind it, so that nobody who shares one waits for this too. It is not synced: whatever it does
    /// can be done again.
    Apart,
}

/// Something to do within a transaction, and somebody who waits for it.
pub(super) trait Job: Send {
    fn transaction(&self) -> Transaction;
    /// How many deliveries it writes, about.
    fn weight(&self) -> usize;
    /// May be called again after a rollback.
    fn perform(&mut self, db: &Connection) -> rusqlite::Result<()>;
    /// Called once, after the commit or when it is given up.
    fn settle(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A [`Job`] made of a closure.
pub(super) struct Task<T, W> {
    pub work: W,
    pub transaction: Transaction,
    pub weight: usize,
    pub made: Option<T>,
    pub answer: oneshot::Sender<Result<T, StoreError>>,
    /// Told when it was stored, but the one who asked no longer waits.
    pub unheard: Option<Arc<Notify>>,
}

impl<T: Send, W: FnMut(&Connection) -> rusqlite::Result<T> + Send> Job for Task<T, W> {
    fn transaction(&self) -> Transaction {
        self.transaction
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn perform(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.made = Some((self.work)(db)?);
        Ok(())
    }

    fn settle(mut self: Box<Self>, outcome: Result<(), StoreError>) {
        let outcome = outcome.map(|()| self.made.take().expect("performed before the commit"));
        if let (Err(Ok(_)), Some(unheard)) = (self.answer.send(outcome), &self.unheard) {
            unheard.notify_one();
        }
    }
}

/// How the last commit went.
#[derive(Debug, Clone, Default)]
pub(super) enum Last {
    #[default]
    None,
    Worked(Instant),
    Failed(StoreError),
}

pub(super) type Pulse = Arc<Mutex<Last>>;

pub(super) struct Writer {
    dir: PathBuf,
    path: PathBuf,
    lock_wait: Duration,
    /// `None` after a failure: opened anew for the next batch.
    open: Option<Open>,
    /// The file that was found undamaged: device and inode. `None` when damage was met since.
    sound: Option<(u64, u64)>,
    pulse: Pulse,
    complaints: Repeated,
}

struct Open {
    // Before the writer's own connection, so that it ends first.
    checkpoints: Checkpoints,
    db: Connection,
    /// Whether its commits are synced.
    synced: bool,
    /// Device and inode: `SQLite` does not notice when the file is taken away under it.
    file: (u64, u64),
}

impl Open {
    /// Looks for damage too, unless the file is the one that is known to be `sound`.
    fn new(dir: &Path, lock_wait: Duration, sound: Option<(u64, u64)>) -> Result<(Self, PathBuf), StoreError> {
        let path = files::path_in(dir);
        if sound.is_none() || files::identity(&path).ok() != sound {
            damage::look_quickly(&path, lock_wait)?;
        }
        let (db, path) = schema::open_writer(dir, lock_wait)?;
        let checkpoints = Checkpoints::beside(&path).map_err(|error| StoreError::sqlite(&path, &error))?;
        let file = files::identity(&path).map_err(|error| StoreError::io(&path, &error))?;
        Ok((Self { checkpoints, db, synced: true, file }, path))
    }

    fn sync_commits(&mut self, synced: bool) -> rusqlite::Result<()> {
        if self.synced != synced {
            self.db.pragma_update(None, "synchronous", if synced { "full" } else { "normal" })?;
            self.synced = synced;
        }
        Ok(())
    }
}

impl Worker for Writer {
    type Queue = mpsc::Receiver<Box<dyn Job>>;

    /// Until the last sender is gone and everything queued is settled.
    fn work(&mut self, queue: &mut Self::Queue) -> bool {
        let mut batch = Vec::with_capacity(BATCH);
        queue.blocking_recv_many(&mut batch, BATCH);
        let goes_on = !batch.is_empty();
        let apart: Vec<_> = batch.extract_if(.., |job| job.transaction() == Transaction::Apart).collect();
        if !batch.is_empty() {
            self.commit(batch);
        }
        for job in apart {
            self.commit_apart(job);
        }
        goes_on
    }

    #[cfg(test)]
    fn is_idle(queue: &Self::Queue) -> bool {
        queue.is_empty()
    }
}

impl Writer {
    pub(super) fn open(dir: &Path, lock_wait: Duration, pulse: Pulse) -> Result<Self, StoreError> {
        let (open, path) = Open::new(dir, lock_wait, None)?;
        let sound = Some(open.file);
        let (dir, complaints) = (dir.to_owned(), Repeated::default());
        Ok(Self { dir, path, lock_wait, open: Some(open), sound, pulse, complaints })
    }

    /// What goes wrong here is no sign that deliveries cannot be stored.
    fn commit_apart(&mut self, job: Box<dyn Job>) {
        let mut jobs = [job];
        let outcome = self.transact(&mut jobs);
        for job in jobs {
            job.settle(outcome.clone());
        }
    }

    /// When one row spoils a batch, each job of it gets a transaction of its own.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let outcome = self.transact(&mut jobs);
        if matches!(outcome, Err(StoreError::Unstorable { .. })) && jobs.len() > 1 {
            for job in jobs {
                self.commit(vec![job]);
            }
            return;
        }
        if !matches!(outcome, Err(StoreError::Unstorable { .. })) {
            *self.pulse.lock().unwrap_or_else(PoisonError::into_inner) = match &outcome {
                Ok(()) => Last::Worked(Instant::now()),
                Err(error) => Last::Failed(error.clone()),
            };
        }
        if let Err(error) = &outcome
            && let Some(more) = self.complaints.say(&error.to_string(), Instant::now())
        {
            tracing::error!(%error, jobs = jobs.len(), "not committed: {error}{more}");
        }
        for job in jobs {
            job.settle(outcome.clone());
        }
    }

    fn gone(&self) -> StoreError {
        StoreError::Gone { path: self.path.display().to_string() }
    }

    /// A sound database that was taken away may be put back, so no other one is begun in its place.
    fn open_anew(&mut self) -> Result<Open, StoreError> {
        if self.sound.is_some() && !self.path.exists() {
            return Err(self.gone());
        }
        Open::new(&self.dir, self.lock_wait, self.sound).map(|(open, _)| open).inspect_err(|error| {
            if matches!(error, StoreError::Corrupt { .. }) {
                self.sound = None;
            }
        })
    }

    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_anew()?,
        };
        if files::identity(&self.path).ok() != Some(open.file) {
            return Err(self.gone());
        }
        self.sound = Some(open.file);
        let synced = jobs.iter().any(|job| job.transaction() == Transaction::Shared);
        let outcome = open.sync_commits(synced).and_then(|()| attempt(&mut open.db, jobs));
        let outcome = outcome.map_err(|error| StoreError::sqlite(&self.path, &error));
        if outcome.is_ok() {
            open.checkpoints.committed(jobs);
        }
        if matches!(outcome, Err(StoreError::Corrupt { .. })) {
            self.sound = None;
        }
        if matches!(outcome, Ok(()) | Err(StoreError::Unstorable { .. } | StoreError::Locked { .. })) {
            self.open = Some(open);
        }
        outcome
    }
}

fn attempt(db: &mut Connection, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    crash::passing(Point::BeforeWrite);
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        job.perform(&tx)?;
    }
    crash::passing(Point::BeforeCommit);
    tx.commit()?;
    crash::passing(Point::AfterCommit);
    Ok(())
}

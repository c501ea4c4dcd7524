//! Carrying what was committed from the write-ahead log into the database beside the writer, so that no sender waits for
//! it.
//!
//! The checkpoint that `SQLite` makes within a commit stays as the bound on the log; it finds most of the work done.

use std::{
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, OpenFlags, Result};

use super::writer::{Job, Transaction};

/// Pages of the log (16 KiB) after which they are carried over.
const PAGES: usize = 256;
/// Pages that a commit writes at least: the ends of the log, of the known events, and of what is not applied.
const COMMIT: usize = 3;
/// Deliveries that fit into a page of the log, about.
const PAGE: usize = 8;
/// Pages that a slice of housekeeping writes, about. They are not synced by its commit, so the next one that is waits for
/// them all.
const SLICE: usize = 64;

/// The thread that does it, as long as this is there.
pub(super) struct Checkpoints {
    /// `None` only while it is dropped.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Written since it was woken last, about.
    pages: usize,
}

impl Checkpoints {
    pub(super) fn beside(database: &Path) -> Result<Self> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let db = Connection::open_with_flags(database, flags)?;
        db.pragma_update(None, "synchronous", "full")?;
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(move || carry(&db, &woken));
        // Without the thread, the commits do it.
        Ok(Self { wake: Some(wake), thread: thread.ok(), pages: 0 })
    }

    /// Notes what was committed.
    pub(super) fn committed(&mut self, jobs: &[Box<dyn Job>]) {
        let pages = |job: &dyn Job| match job.transaction() {
            Transaction::Shared | Transaction::Eased => job.weight().div_ceil(PAGE),
            Transaction::Apart => SLICE,
        };
        self.pages += COMMIT + jobs.iter().map(|job| pages(&**job)).sum::<usize>();
        if self.pages >= PAGES {
            self.pages = 0;
            // When it is at it already, it goes on with these.
            let _ = self.wake.as_ref().map(|wake| wake.try_send(()));
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's checkpoints panicked");
        }
    }
}

/// What fails here fails within a commit too, and is told there.
fn carry(db: &Connection, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        if let Err(error) = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::debug!(%error, "not carried over beside the writer: {error}");
        }
    }
}

//! Events that wait to be sent: one file each, written before anything is sent and removed after the provider has
//! taken it. Any program of the user's may add and send; one at a time sends, in the order of writing.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};

use super::{StoreError, files};
use crate::core::event::Event;

/// Files that may wait: a script that runs wild does not fill the disk.
const MOST: usize = 10_000;
const ENDING: &str = "json";

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The name of the `[[integration]]` that it goes to.
    pub integration: String,
    pub event: Event,
    pub since: Timestamp,
}

/// A file, and what is in it; or why it cannot be read.
pub type Kept = (PathBuf, Result<Outgoing, String>);

/// The directory of those that wait.
#[derive(Debug, Clone)]
pub struct Outbox {
    dir: PathBuf,
}

/// Whoever holds it sends; nobody else does.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl Outbox {
    /// In this state directory; made when something is put in.
    pub fn in_state_dir(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("events") }
    }

    /// Writes an event down so that it is there after a power loss; gives its file.
    pub fn put(&self, waiting: &Outgoing) -> Result<PathBuf, StoreError> {
        files::make_dir(&self.dir).map_err(|error| StoreError::io(&self.dir, &error))?;
        let names = self.names()?;
        let count = names.len();
        if count >= MOST {
            let reason = format!("{count} events wait already: see `dogwatch event queue`");
            return Err(StoreError::Unsafe { path: self.dir.display().to_string(), reason });
        }
        // Behind those that wait, also where the clock was set back; two of the same nanosecond differ in the rest.
        let behind = names.iter().filter_map(|path| at(path)).max().map_or(0, |last| last + 1);
        let name = format!("{:020}-{:08x}", waiting.since.as_nanosecond().max(behind), fastrand::u32(..));
        let (path, new) = (self.dir.join(format!("{name}.{ENDING}")), self.dir.join(format!("{name}.new")));
        write(&new, waiting).and_then(|()| fs::rename(&new, &path)).map_err(|e| StoreError::io(&new, &e))?;
        files::sync_dir(&self.dir).map_err(|error| StoreError::io(&self.dir, &error))?;
        Ok(path)
    }

    /// Those that wait, oldest first. A file that cannot be read is told of by its error.
    pub fn all(&self) -> Result<Vec<Kept>, StoreError> {
        let mut names = self.names()?;
        names.sort();
        Ok(names.into_iter().map(|path| (path.clone(), read(&path))).collect())
    }

    fn names(&self) -> Result<Vec<PathBuf>, StoreError> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(|error| StoreError::io(&self.dir, &error))?,
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        Ok(paths.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)).collect())
    }

    /// Takes the turn to send; `None` while somebody else has it.
    pub fn turn(&self) -> Result<Option<Turn>, StoreError> {
        let path = self.dir.join("sending");
        files::make_dir(&self.dir).map_err(|error| StoreError::io(&self.dir, &error))?;
        let mut options = OpenOptions::new();
        options
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let lock = options.open(&path);
        let lock = lock.map_err(|error| StoreError::io(&path, &error))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Turn { _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StoreError::io(&path, &error.into())),
        }
    }

    /// It was taken.
    pub fn done(&self, path: &Path) -> Result<(), StoreError> {
        fs::remove_file(path).map_err(|error| StoreError::io(path, &error))
    }

    /// It will never be taken: it is kept beside the queue for a person to see.
    pub fn refused(&self, path: &Path) -> Result<(), StoreError> {
        fs::rename(path, path.with_extension("refused")).map_err(|error| StoreError::io(path, &error))
    }
}

fn write(path: &Path, outgoing: &Outgoing) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec(outgoing)?)?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Outgoing, String> {
    let text = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The time in the name of a file that waits.
fn at(path: &Path) -> Option<i128> {
    path.file_name()?.to_str()?.split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::core::event::{EventAction, tests::event};

    fn waiting(second: i64) -> Outgoing {
        let since = Timestamp::from_second(1_700_000_000 + second).expect("small");
        Outgoing { integration: "checkout".into(), event: event(EventAction::Trigger), since }
    }

    #[test]
    fn events_wait_in_the_order_of_writing_in_files_of_their_owner_alone() {
        let dir = tempfile::tempdir().expect("tempdir");
        let outbox = Outbox::in_state_dir(dir.path());
        assert!(outbox.all().expect("none").is_empty());
        for second in [2, 1, 3] {
            let path = outbox.put(&waiting(second)).expect("kept");
            assert_eq!(fs::metadata(path).expect("file").permissions().mode() & 0o777, 0o600);
        }

        let all = outbox.all().expect("list");
        let order: Vec<_> = all.iter().map(|(_, one)| one.as_ref().expect("read").since.as_second()).collect();
        assert_eq!(order, [1_700_000_002, 1_700_000_001, 1_700_000_003], "also where the clock was set back");

        outbox.done(&all[0].0).expect("done");
        outbox.refused(&all[1].0).expect("refused");
        assert_eq!(outbox.all().expect("list").len(), 1);
    }

    #[test]
    fn one_at_a_time_sends() {
        let dir = tempfile::tempdir().expect("tempdir");
        let outbox = Outbox::in_state_dir(dir.path());
        let turn = outbox.turn().expect("lock").expect("free");
        assert!(outbox.turn().expect("lock").is_none());
        drop(turn);
        assert!(outbox.turn().expect("lock").is_some());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_hides_no_other() {
        let dir = tempfile::tempdir().expect("tempdir");
        let outbox = Outbox::in_state_dir(dir.path());
        outbox.put(&waiting(1)).expect("kept");
        fs::write(dir.path().join("events/0.json"), "{").expect("written");

        let all = outbox.all().expect("list");
        assert!(all[0].1.as_ref().is_err_and(|reason| reason.contains("0.json")));
        assert_eq!(all[1].1, Ok(waiting(1)));
    }
}

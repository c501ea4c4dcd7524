//! Why the store did not do it, in words that name the file and say what to do.
//!
//! Cloneable, because all requests of a failed commit get the same answer.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use rusqlite::{Error as Sqlite, ErrorCode, ffi};
use rustix::{io::Errno, process::geteuid};

use super::files;

/// Bytes written to find out what is wrong with a disk: more than a commit usually takes.
const TRIAL: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("there is no store at {path}: start dogwatch once, or name another directory with --state-dir")]
    Missing { path: String },
    #[error(
        "{path} was written by a newer dogwatch (schema {found}, this one knows {known}): \
         use that one, or name another directory with --state-dir"
    )]
    Newer { path: String, found: i64, known: i64 },
    #[error(
        "{path} is of an older dogwatch (schema {found}, this one needs {known}): \
         start dogwatch once to bring it up to date"
    )]
    Older { path: String, found: i64, known: i64 },
    #[error("{path}: {reason}")]
    Unsafe { path: String, reason: String },
    #[error("no room left on the disk: free some, and it goes on by itself ({path})")]
    Full { path: String },
    #[error("the store is locked by another program: end that one, and it goes on by itself ({path})")]
    Locked { path: String },
    #[error("the store cannot be written ({cause}): see to the permissions of {path} and its directory")]
    ReadOnly { path: String, cause: String },
    #[error(
        "the store is damaged: end dogwatch, move {path} aside together with its -wal and -shm, then start with a new one, \
         which asks the providers for what is open, or put a copy made by `dogwatch backup` in its place ({cause})"
    )]
    Corrupt { path: String, cause: String },
    #[error("the disk or its file system fails, see the system's log ({path}: {cause})")]
    Disk { path: String, cause: String },
    #[error(
        "{path} was moved or deleted while in use: put it back, or, to begin a new one, move its -wal and -shm away too and \
         restart"
    )]
    Gone { path: String },
    #[error("{path}: {cause}")]
    Other { path: String, cause: String },
    /// What was to be stored is at fault, not the store.
    #[error("cannot be stored: {cause}")]
    Unstorable { cause: String },
    #[error("too much is waiting for the store")]
    Busy,
    #[error("the store did not commit within {} s", within.as_secs_f32())]
    Late { within: Duration },
    #[error("the store is closed")]
    Closed,
    #[error("what was taken is not written to the log any more: restart dogwatch, nothing is lost")]
    Stopped,
    /// What is in the log that was there does not follow from what this one has.
    #[error(
        "{path} does not have what was written to it, as when it is exchanged while in use: put the former one back, or \
         restart dogwatch, which writes to this one what the intake still has of it; all else is in the former one alone"
    )]
    Exchanged { path: String },
}

impl StoreError {
    /// The same for whoever may not know where the store is, and whose.
    pub fn for_strangers(&self) -> String {
        let path = match self {
            Self::Unsafe { .. } => return "the store cannot be used".to_owned(),
            Self::Missing { path }
            | Self::Newer { path, .. }
            | Self::Older { path, .. }
            | Self::Full { path }
            | Self::Locked { path }
            | Self::ReadOnly { path, .. }
            | Self::Corrupt { path, .. }
            | Self::Disk { path, .. }
            | Self::Gone { path }
            | Self::Exchanged { path }
            | Self::Other { path, .. } => Path::new(path),
            Self::Unstorable { .. } | Self::Busy | Self::Late { .. } | Self::Closed | Self::Stopped => {
                return self.to_string();
            }
        };
        // A cause may name another file beside it.
        let places = path.ancestors().take(2).filter_map(Path::to_str).filter(|place| place.len() > 1);
        places.fold(self.to_string(), |text, place| text.replace(place, "…"))
    }

    /// The same for a process that ends over it, and does not go on by itself.
    pub fn at_an_end(&self) -> String {
        match self {
            Self::Full { path } => format!("no room left on the disk: free some, and the next start works ({path})"),
            Self::Locked { path } => {
                format!("the store is locked by another program: end that one, and the next start works ({path})")
            }
            other => other.to_string(),
        }
    }

    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        if let (io::ErrorKind::PermissionDenied, Some(theirs)) = (error.kind(), files::of_another(path, geteuid())) {
            return theirs;
        }
        let (path, cause) = (path.display().to_string(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, cause },
            _ if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Self::Disk { path, cause },
            _ => Self::Other { path, cause },
        }
    }

    pub(super) fn sqlite(path: &Path, error: &Sqlite) -> Self {
        let (path, cause) = (path.display().to_string(), error.to_string());
        if is_of_one_row(error) {
            return Self::Unstorable { cause };
        }
        if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_READONLY_ROLLBACK) {
            let cause = "its first start was broken off: start dogwatch once more, which takes back what was half done";
            return Self::Other { path, cause: cause.to_owned() };
        }
        let code = error.sqlite_error_code();
        if matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied))
            && let Some(theirs) = files::database_of_another(Path::new(&path), geteuid())
        {
            return theirs;
        }
        match code {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path, cause },
            // Without a code it is a row that cannot be read back.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => Self::Corrupt { path, cause },
            Some(ErrorCode::SystemIoFailure) => Self::disk(Path::new(&path), cause),
            Some(_) => Self::Other { path, cause },
        }
    }

    /// `SQLite` says only "disk I/O error" where the system would say what it is: a quota, a file system that was
    /// mounted read-only after an error. Writing something beside the database tells.
    fn disk(path: &Path, cause: String) -> Self {
        let dir = path.parent().unwrap_or(path);
        let tried = tempfile::tempfile_in(dir).and_then(|mut file| {
            file.write_all(&vec![0; TRIAL])?;
            file.sync_all()
        });
        match tried {
            Err(error) => Self::io(path, &error),
            Ok(()) => Self::Disk { path: path.display().to_string(), cause },
        }
    }
}

/// Whether the row is at fault and not the store: others of the same batch can still be stored.
fn is_of_one_row(error: &Sqlite) -> bool {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => true,
        Some(_) => false,
        None => matches!(error, Sqlite::ToSqlConversionFailure(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_learn_what_is_wrong_and_not_where() {
        let path = || "/var/lib/dogwatch/dogwatch.db".to_owned();
        let cause = || "unable to open database file: /var/lib/dogwatch/dogwatch.db-wal".to_owned();
        let reason = "it belongs to alice".to_owned();
        for (error, says) in [
            (StoreError::Full { path: path() }, "no room left on the disk"),
            (StoreError::Other { path: path(), cause: cause() }, "unable to open database file"),
            (StoreError::Unsafe { path: path(), reason }, "the store cannot be used"),
            (StoreError::Busy, "too much is waiting"),
        ] {
            let told = error.for_strangers();
            assert!(told.contains(says) && !told.contains("dogwatch") && !told.contains("alice"), "{told}");
        }
    }
}

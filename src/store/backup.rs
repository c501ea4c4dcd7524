//! A copy of the store, also while it is written to. It has its name only when it is whole, synced and checked.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{Reader, StoreError, schema};

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub bytes: u64,
    pub deliveries: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already: name a file that is not", .0.display())]
    Exists(PathBuf),
    #[error("{}: {cause}", .path.display())]
    Target { path: PathBuf, cause: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the copy is not whole, nothing was kept of it: {0}")]
    NotWhole(String),
}

impl Reader {
    /// Copies everything that is committed now to a new file, mode 0600. Writing goes on meanwhile.
    pub fn backup(&self, to: &Path) -> Result<Backup, BackupError> {
        let failed = |cause: io::Error| BackupError::Target { path: to.to_owned(), cause };
        if fs::symlink_metadata(to).is_ok() {
            return Err(BackupError::Exists(to.to_owned()));
        }
        let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let copy = tempfile::Builder::new().prefix(".dogwatch-backup-").tempfile_in(dir).map_err(failed)?;
        self.copy_to(copy.path())?;
        let deliveries = count_if_whole(copy.path())?;
        renumber(copy.path())?;
        copy.as_file().sync_all().map_err(failed)?;
        let bytes = copy.as_file().metadata().map_err(failed)?.len();
        copy.persist_noclobber(to).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => failed(error.error),
        })?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok(Backup { bytes, deliveries })
    }
}

/// Put in place, a copy counts on from earlier: it is another store, in which the same numbers mean something else.
fn renumber(copy: &Path) -> Result<(), StoreError> {
    let changed = Connection::open(copy).and_then(|db| db.execute(schema::RENUMBER, []));
    changed.map(drop).map_err(|error| StoreError::sqlite(copy, &error))
}

/// What is in a copy that can be read throughout.
fn count_if_whole(copy: &Path) -> Result<u64, BackupError> {
    let reader = Reader::open_file(copy, super::LOCK_WAIT)?;
    reader.check().map_err(BackupError::NotWhole)?;
    Ok(reader.deliveries()?)
}

//! Looking for damage: quickly before the first write, and thoroughly when asked to.
//!
//! What is damaged is never written to, mended or deleted here: it may be all that is left of a night.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::{StoreError, schema};

/// A database up to this size is looked at whole before the first write: some 30 ms.
const SMALL: u64 = 16 * 1024 * 1024;
/// Of a larger one, the tables that the board is made of.
const BOARD: [&str; 4] = ["incident", "action", "snapshot", "probe"];

/// Looks at what can be looked at without delaying the start, and changes nothing. A file that is not there yet, or
/// is no plain file, is for others to judge.
pub(super) fn look_quickly(path: &Path, lock_wait: Duration) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    if size(&journal(path)) > 0 {
        take_back(path, lock_wait).map_err(failed)?;
    }
    let size = size(path);
    if size == 0 {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(lock_wait).map_err(failed)?;
    if schema::is_newer(&db).map_err(failed)? {
        return Ok(());
    }
    let looks = if size <= SMALL {
        vec!["PRAGMA quick_check(1)".to_owned()]
    } else {
        BOARD.map(|table| format!("PRAGMA quick_check('{table}')")).into()
    };
    for look in looks {
        // Of a table that an older version did not have, nothing is said.
        let found: Option<String> = db.query_row(&look, [], |row| row.get(0)).optional().map_err(failed)?;
        if let Some(found) = found.filter(|found| found != "ok") {
            return Err(StoreError::Corrupt { path: path.display().to_string(), cause: in_one_line(&found) });
        }
    }
    Ok(())
}

fn size(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).ok().filter(Metadata::is_file).map_or(0, |file| file.len())
}

/// What a store has beside it before it has a log, while it changes.
fn journal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-journal");
    name.into()
}

/// Takes back what was half done when the very first start was killed. Only who may write can do that, by reading.
fn take_back(path: &Path, lock_wait: Duration) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(lock_wait)?;
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// `SQLite` puts several findings and headings into lines.
fn in_one_line(found: &str) -> String {
    found.lines().map(str::trim).filter(|line| !line.starts_with("***")).collect::<Vec<_>>().join("; ")
}

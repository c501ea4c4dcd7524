//! Looking for damage: quickly before the first write, and thoroughly when asked to.
//!
//! What is damaged is never written to, mended or deleted here: it may be all that is left of a night.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// A database up to this size is looked at whole before the first write: some 50 ms.
const SMALL: u64 = 64 * 1024 * 1024;
/// Of a larger one, the tables that the board is made of.
const BOARD: [&str; 4] = ["incident", "action", "snapshot", "probe"];

/// Looks at what can be looked at without delaying the start.
pub(super) fn look_quickly(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    let size = std::fs::metadata(path).map_err(|error| StoreError::io(path, &error))?.len();
    let looks = if size <= SMALL {
        vec!["PRAGMA quick_check(1)".to_owned()]
    } else {
        BOARD.map(|table| format!("PRAGMA quick_check('{table}')")).into()
    };
    for look in looks {
        let found: String = db.query_row(&look, [], |row| row.get(0)).map_err(failed)?;
        if found != "ok" {
            return Err(StoreError::Corrupt { path: path.display().to_string(), cause: in_one_line(&found) });
        }
    }
    Ok(())
}

/// `SQLite` puts several findings and headings into lines.
fn in_one_line(found: &str) -> String {
    found.lines().map(str::trim).filter(|line| !line.starts_with("***")).collect::<Vec<_>>().join("; ")
}

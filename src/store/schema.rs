//! Tables, their versions, and how a connection is opened.
//!
//! A migration, once released, is never changed: the next one is added below it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{StoreError, files};

/// Applied in order; `user_version` counts those that were.
///
/// - A delivery's number is its rowid. It is never reused because the greatest one is never deleted.
/// - `applied` is 0 until the server has applied an accepted delivery; NULL for those without content.
/// - `event` is what duplicates are known by: an event id, or for an undecodable body `body sha256:…` (with a
///   blank, so that no event id can be equal to it).
/// - `known_event` outlives the deliveries it names. `digest` is the SHA-256 of the body that came first.
/// - `packed` says how `body` is kept, and whether the headers are in it: see `pack`.
/// - `tally` counts the deliveries that are kept; its triggers keep it true. An account or a type that is not there
///   is counted under ''.
/// - `delivery_text` holds the words of the deliveries up to `log.indexed`; `word` all of its words that `words` calls
///   common, to find them by their beginnings. Merging is done in slices, so `SQLite` is kept from doing it at a commit.
/// - Times are nanoseconds since 1970, UTC.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE delivery (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        account TEXT,
        verdict TEXT NOT NULL CHECK (verdict IN ('accepted', 'duplicate', 'undecodable', 'rejected')),
        applied INTEGER,
        reason TEXT NOT NULL,
        status INTEGER NOT NULL,
        event_id TEXT,
        event_type TEXT,
        incident TEXT,
        subject TEXT,
        latency_us INTEGER NOT NULL,
        size INTEGER NOT NULL,
        peer TEXT NOT NULL,
        headers TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX delivery_unapplied ON delivery (id) WHERE applied = 0;
    CREATE INDEX delivery_rejected ON delivery (id) WHERE verdict = 'rejected';
    CREATE INDEX delivery_duplicate ON delivery (id) WHERE verdict = 'duplicate';
    CREATE TABLE event (
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        delivery INTEGER NOT NULL REFERENCES delivery (id),
        PRIMARY KEY (account, event_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE incident (
        account TEXT NOT NULL,
        id TEXT NOT NULL,
        status TEXT NOT NULL,
        at INTEGER NOT NULL,
        incident TEXT NOT NULL,
        PRIMARY KEY (account, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE action (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        verb TEXT NOT NULL,
        outcomes TEXT NOT NULL,
        settled INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX action_unsettled ON action (id) WHERE settled = 0;
    CREATE TABLE snapshot (
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        at INTEGER NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (account, kind)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), commits INTEGER NOT NULL) STRICT;
    INSERT INTO probe VALUES (1, 0);
",
    "
    ALTER TABLE delivery ADD COLUMN scheme TEXT;
    ALTER TABLE delivery ADD COLUMN secret TEXT;
    ALTER TABLE delivery ADD COLUMN altered INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE delivery ADD COLUMN changed TEXT;
    ALTER TABLE delivery ADD COLUMN read_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE delivery ADD COLUMN check_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE delivery ADD COLUMN commit_us INTEGER;
    CREATE TABLE known_event (
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        delivery INTEGER NOT NULL,
        digest BLOB,
        PRIMARY KEY (account, event_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO known_event (account, event_id, delivery) SELECT account, event_id, delivery FROM event;
    DROP TABLE event;
    ALTER TABLE delivery ADD COLUMN packed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX delivery_incident ON delivery (incident, id) WHERE incident IS NOT NULL;
    CREATE INDEX delivery_type ON delivery (event_type, id) WHERE event_type IS NOT NULL;
    CREATE INDEX delivery_undecodable ON delivery (id) WHERE verdict = 'undecodable';
    CREATE TABLE tally (
        account TEXT NOT NULL,
        verdict TEXT NOT NULL,
        event_type TEXT NOT NULL,
        deliveries INTEGER NOT NULL,
        PRIMARY KEY (account, verdict, event_type)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO tally SELECT ifnull(account, ''), verdict, ifnull(event_type, ''), count(*) FROM delivery GROUP BY 1, 2, 3;
    CREATE TRIGGER tally_more AFTER INSERT ON delivery BEGIN
        INSERT INTO tally VALUES (ifnull(NEW.account, ''), NEW.verdict, ifnull(NEW.event_type, ''), 1)
            ON CONFLICT DO UPDATE SET deliveries = deliveries + 1;
    END;
    CREATE TRIGGER tally_less AFTER DELETE ON delivery BEGIN
        UPDATE tally SET deliveries = deliveries - 1 WHERE account = ifnull(OLD.account, '')
            AND verdict = OLD.verdict AND event_type = ifnull(OLD.event_type, '');
    END;
    CREATE TABLE log (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        indexed INTEGER NOT NULL,
        pruned INTEGER NOT NULL,
        pruned_at INTEGER,
        pruned_for TEXT
    ) STRICT;
    INSERT INTO log (id, indexed, pruned) VALUES (1, 0, 0);
    CREATE TABLE word (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE VIRTUAL TABLE delivery_text USING fts5
        (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
    INSERT INTO delivery_text (delivery_text, rank) VALUES ('automerge', 0);
    INSERT INTO delivery_text (delivery_text, rank) VALUES ('crisismerge', 1000);
",
];

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("few migrations")
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Opens the store for writing: creates and migrates it where needed. Returns its path too.
pub(super) fn open_writer(dir: &Path, lock_wait: Duration) -> Result<(Connection, PathBuf), StoreError> {
    let path = files::prepare(dir)?;
    let failed = |error: rusqlite::Error| StoreError::sqlite(&path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut db = Connection::open_with_flags(&path, flags).map_err(failed)?;
    db.busy_timeout(lock_wait).map_err(failed)?;
    let found = version(&db).map_err(failed)?;
    if found > known() {
        return Err(StoreError::Newer { path: path.display().to_string(), found, known: known() });
    }
    configure(&db).and_then(|()| migrate(&mut db)).map_err(failed)?;
    Ok((db, path))
}

/// Opens an existing store for reading only; also while another process writes to it.
pub(super) fn open_reader(path: &Path, lock_wait: Duration) -> Result<Connection, StoreError> {
    let named = || path.display().to_string();
    if !path.exists() {
        return Err(StoreError::Missing { path: named() });
    }
    let failed = |error: rusqlite::Error| StoreError::sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(lock_wait).map_err(failed)?;
    db.pragma_update(None, "temp_store", "memory").map_err(failed)?;
    match version(&db).map_err(failed)? {
        found if found > known() => Err(StoreError::Newer { path: named(), found, known: known() }),
        found if found < known() => Err(StoreError::Older { path: named(), found, known: known() }),
        _ => Ok(db),
    }
}

/// The page size comes first: it cannot be changed once there is a page. Nor can giving back free pages: a store
/// that was made without uses them again, but does not shrink.
///
/// The checkpoint rewrites what an earlier connection left in the log. After a failed sync the kernel may count
/// those pages as written though they are not, and later commits would stand on them.
fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "page_size", 16 * 1024)?;
    db.pragma_update(None, "auto_vacuum", "incremental")?;
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "full")?;
    // 4 MiB of log, then it goes into the database; what a flood left of the log is given back.
    db.pragma_update_and_check(None, "wal_autocheckpoint", 256, |_| Ok(()))?;
    db.pragma_update_and_check(None, "journal_size_limit", 16 * 1024 * 1024, |_| Ok(()))?;
    // Nothing of a delivery may reach a temporary file.
    db.pragma_update(None, "temp_store", "memory")?;
    // Checked by `Reader::check`; enforcing it would search `event` for each delivery that leaves a ring.
    db.pragma_update(None, "foreign_keys", false)?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    if version(db)? == known() {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(version(&tx)?).unwrap_or_default();
    for sql in MIGRATIONS.iter().skip(done) {
        tx.execute_batch(sql)?;
    }
    tx.pragma_update(None, "user_version", known())?;
    tx.commit()
}

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
/// - `incident_register`, `type_register` and `tally` are the registers: they cover the deliveries up to `log.filed`, and
///   forget with its trigger the ones that go. In `tally` an account or a type that is not there is counted under ''.
///   `counted` is `tally` and the deliveries that it does not cover yet, one by one.
/// - `delivery_text` holds the words of the deliveries up to `log.indexed`, and still those of the ones in `gone`;
///   `word` those of its words that `words` calls common, to find them by their beginnings, and `log.looked_at` the
///   one up to which was looked whether they still stand anywhere. Merging is done in slices,
///   so `SQLite` is kept from doing it at a commit. Where the words of a text are others than before, the index is emptied
///   and filled again: what it does not hold is looked at one by one.
/// - `target` is where a delivery was sent to, NULL for those that came in; `response` the first of what was
///   answered, `format` what made its body.
///   The only way to let a CHECK know of more verdicts without writing the table anew is to edit its text.
/// - `event` holds what happened to incidents while a target waits for it or its attempts are in the log, which triggers see
///   to; its `delivery` told of it. `forward` is what waits, an event for a target each, in the order of its numbers, which
///   are never used again: `attempt` counts those begun, `begun` is when the one under way was, `due` when the next may
///   be. `told` are the events that happen once to an incident. `target` is how those stand that were tried.
/// - `log.entered` is the number of the last record of the intake that stands in the log, `log.entered_sum` its checksum; 0
///   where it was never told. `log.intake` is only read, to know which intake a number without a checksum is of.
/// - `log.store` is a random number, by which one store is told from another.
/// - `fallen` counts what fell out of each ring: how many, the newest of them, and when the latest came.
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
    ALTER TABLE action ADD COLUMN uid INTEGER;
    ALTER TABLE action ADD COLUMN name TEXT;
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
        pruned_for TEXT,
        looked_at TEXT NOT NULL DEFAULT ''
    ) STRICT;
    INSERT INTO log (id, indexed, pruned) VALUES (1, 0, 0);
    CREATE TABLE gone (id INTEGER PRIMARY KEY) STRICT;
    CREATE TRIGGER delivery_gone AFTER DELETE ON delivery WHEN OLD.id <= (SELECT indexed FROM log) BEGIN
        INSERT OR IGNORE INTO gone VALUES (OLD.id);
    END;
    CREATE TABLE word (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE VIRTUAL TABLE delivery_text USING fts5
        (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
    INSERT INTO delivery_text (delivery_text, rank) VALUES ('automerge', 0);
    INSERT INTO delivery_text (delivery_text, rank) VALUES ('crisismerge', 1000);
",
    "
    ALTER TABLE delivery DROP COLUMN latency_us;
    DROP INDEX delivery_incident;
    DROP INDEX delivery_type;
    DROP TRIGGER tally_more;
    DROP TRIGGER tally_less;
    ALTER TABLE log ADD COLUMN filed INTEGER NOT NULL DEFAULT 0;
    UPDATE log SET filed = (SELECT ifnull(max(id), 0) FROM delivery);
    CREATE TABLE incident_register (
        about TEXT NOT NULL,
        delivery INTEGER NOT NULL,
        PRIMARY KEY (about, delivery)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO incident_register SELECT incident, id FROM delivery WHERE incident IS NOT NULL ORDER BY 1, 2;
    CREATE TABLE type_register (
        about TEXT NOT NULL,
        delivery INTEGER NOT NULL,
        PRIMARY KEY (about, delivery)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO type_register SELECT event_type, id FROM delivery WHERE event_type IS NOT NULL ORDER BY 1, 2;
    CREATE VIEW counted AS
        SELECT account, verdict, event_type, deliveries FROM tally
        UNION ALL
        SELECT ifnull(account, ''), verdict, ifnull(event_type, ''), 1 FROM delivery
            WHERE id > (SELECT filed FROM log);
    CREATE TRIGGER delivery_filed AFTER DELETE ON delivery WHEN OLD.id <= (SELECT filed FROM log) BEGIN
        DELETE FROM incident_register WHERE about = OLD.incident AND delivery = OLD.id;
        DELETE FROM type_register WHERE about = OLD.event_type AND delivery = OLD.id;
        UPDATE tally SET deliveries = deliveries - 1 WHERE account = ifnull(OLD.account, '')
            AND verdict = OLD.verdict AND event_type = ifnull(OLD.event_type, '');
    END;
",
    "
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, '''rejected'')', '''rejected'', ''sent'', ''failed'')')
        WHERE type = 'table' AND name = 'delivery';
    PRAGMA writable_schema = RESET;
    ALTER TABLE delivery ADD COLUMN target TEXT;
    ALTER TABLE delivery ADD COLUMN response BLOB;
    ALTER TABLE delivery ADD COLUMN format TEXT;
    CREATE INDEX delivery_target ON delivery (target, id) WHERE target IS NOT NULL;
    CREATE INDEX delivery_sent ON delivery (id) WHERE verdict = 'sent';
    CREATE INDEX delivery_failed ON delivery (id) WHERE verdict = 'failed';
    CREATE INDEX delivery_event ON delivery (event_id, target, id) WHERE target IS NOT NULL;
    CREATE TABLE event (
        id TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        account TEXT NOT NULL,
        incident TEXT NOT NULL,
        delivery INTEGER,
        event TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE forward (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        event TEXT NOT NULL REFERENCES event (id),
        target TEXT NOT NULL,
        account TEXT NOT NULL,
        incident TEXT NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        begun INTEGER,
        due INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX forward_target ON forward (target, id);
    CREATE INDEX forward_event ON forward (event);
    CREATE TRIGGER event_sent AFTER DELETE ON forward BEGIN
        DELETE FROM event WHERE id = OLD.event
            AND NOT EXISTS (SELECT 1 FROM forward WHERE event = OLD.event)
            AND NOT EXISTS (SELECT 1 FROM delivery WHERE event_id = OLD.event AND target IS NOT NULL);
    END;
    CREATE TRIGGER event_gone AFTER DELETE ON delivery WHEN OLD.target IS NOT NULL BEGIN
        DELETE FROM event WHERE id = OLD.event_id
            AND NOT EXISTS (SELECT 1 FROM forward WHERE event = OLD.event_id)
            AND NOT EXISTS (SELECT 1 FROM delivery WHERE event_id = OLD.event_id AND target IS NOT NULL);
    END;
    CREATE TABLE told (
        account TEXT NOT NULL,
        incident TEXT NOT NULL,
        event_type TEXT NOT NULL,
        PRIMARY KEY (account, incident, event_type)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE target (
        name TEXT PRIMARY KEY,
        state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    ALTER TABLE log ADD COLUMN entered INTEGER NOT NULL DEFAULT 0;
",
    "
    ALTER TABLE log ADD COLUMN intake INTEGER NOT NULL DEFAULT 0;
",
    "
    ALTER TABLE log ADD COLUMN store INTEGER NOT NULL DEFAULT 0;
    UPDATE log SET store = (random() & 0x7fffffffffffffff) | 1;
",
    "
    CREATE INDEX delivery_rejected_of ON delivery (account, id) WHERE verdict = 'rejected';
    CREATE INDEX delivery_duplicate_of ON delivery (account, id) WHERE verdict = 'duplicate';
    CREATE TABLE fallen (
        account TEXT NOT NULL,
        verdict TEXT NOT NULL,
        deliveries INTEGER NOT NULL,
        last INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (account, verdict)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO delivery_text (delivery_text) VALUES ('delete-all');
    DELETE FROM word;
    DELETE FROM gone;
    UPDATE log SET indexed = 0, looked_at = '';
",
    "
    ALTER TABLE log ADD COLUMN entered_sum INTEGER NOT NULL DEFAULT 0;
",
];

/// Makes it a store of its own.
pub(super) const RENUMBER: &str = "UPDATE log SET store = (random() & 0x7fffffffffffffff) | 1";

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("few migrations")
}

fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether a later version of dogwatch wrote it.
pub(super) fn is_newer(db: &Connection) -> rusqlite::Result<bool> {
    Ok(version(db)? > known())
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
    // On one that exists this would be a write, and it may be damaged.
    if db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))? == 0 {
        db.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "full")?;
    // At 16 MiB of log a commit carries into the database what `checkpoint` has not yet; what a flood left of the log
    // is given back.
    db.pragma_update_and_check(None, "wal_autocheckpoint", 1024, |_| Ok(()))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::{delivery::Verdict, id::DeliveryId},
        store::{Condition, Search, Store, tests::event},
    };

    /// A store as the first release left it: five deliveries, of which the fourth is not applied.
    const FIRST_RELEASE: &str = r#"
        INSERT INTO delivery (id, at, account, verdict, applied, reason, status, event_id, event_type, incident, subject,
            latency_us, size, peer, headers, body) VALUES
        (1, 1000, 'prod', 'accepted', 1, 'signed with env PD_SECRET', 202, 'E1', 'incident.triggered', 'P1', 'disk full',
            900, 18, '192.0.2.1:1', '[["user-agent","PagerDuty-Webhook/V3.0"]]', CAST('{"title":"db-01"} ' AS BLOB)),
        (2, 2000, 'prod', 'duplicate', NULL, 'the same event as delivery 1', 202, 'E1', 'incident.triggered', 'P1', NULL,
            900, 2, '192.0.2.1:1', '[]', x'7b7d'),
        (3, 3000, NULL, 'rejected', NULL, 'the path names no account', 404, NULL, NULL, NULL, NULL,
            900, 3, '198.51.100.1:1', '[]', x'fffe00'),
        (4, 4000, 'prod', 'accepted', 0, 'signed', 202, 'E4', 'incident.resolved', 'P1', NULL,
            900, 2, '192.0.2.1:1', '[]', x'7b7d'),
        (9, 5000, 'lab', 'undecodable', NULL, 'signed, but no JSON', 202, NULL, NULL, NULL, NULL,
            900, 1, '192.0.2.1:1', '[]', x'7b');
        INSERT INTO event VALUES ('prod', 'E1', 1), ('prod', 'E4', 4), ('lab', 'body sha256:00', 9);
        INSERT INTO snapshot VALUES ('prod', 'account', 7, '{}');
        INSERT INTO action VALUES (3, '2026-01-01T00:00:00Z', 'alice', '"acknowledge"', '[]', 1);
    "#;

    fn old_store() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("tempdir");
        let db = Connection::open(files::path_in(dir.path())).expect("create");
        db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).expect("wal");
        db.execute_batch(MIGRATIONS[0]).expect("first schema");
        db.execute_batch(FIRST_RELEASE).expect("rows");
        db.pragma_update(None, "user_version", 1).expect("version");
        dir
    }

    #[tokio::test]
    async fn a_store_of_the_first_release_is_brought_up_to_date_with_all_that_is_in_it() {
        let dir = old_store();

        let store = Store::open(dir.path()).expect("migrated");

        let reader = store.reader().expect("reader");
        let verdicts = |lines: &[crate::core::delivery::DeliverySummary]| -> Vec<(i64, Verdict)> {
            lines.iter().map(|line| (line.id.0, line.verdict)).collect()
        };
        let log = reader.recent(None, 10).expect("recent");
        assert_eq!(
            verdicts(&log),
            [
                (9, Verdict::Undecodable),
                (4, Verdict::Accepted),
                (3, Verdict::Rejected),
                (2, Verdict::Duplicate),
                (1, Verdict::Accepted)
            ]
        );
        let first = reader.delivery(DeliveryId(1)).expect("delivery").expect("there");
        assert_eq!(first.body, br#"{"title":"db-01"} "#);
        assert_eq!(first.headers, [("user-agent".to_owned(), "PagerDuty-Webhook/V3.0".to_owned())]);
        assert_eq!((first.summary.proof, first.summary.altered, first.timings.commit_us), (None, false, None));
        assert_eq!(reader.delivery(DeliveryId(3)).expect("delivery").expect("there").body, [0xff, 0xfe, 0]);
        assert_eq!(reader.unapplied().expect("unapplied").iter().map(|one| one.summary.id.0).collect::<Vec<_>>(), [4]);
        let counts = reader.counts().expect("counts");
        assert_eq!(counts.iter().map(|count| count.deliveries).collect::<Vec<_>>(), [1, 1, 2, 1]);
        assert_eq!(reader.actions(5).expect("actions").len(), 1);
        assert_eq!(reader.check(), Ok(()));

        let text = |words: &str| Search::Is(Condition::Text(words.to_owned()));
        let find = |words: &str| verdicts(&reader.search(&text(words), None, 10).expect("search").deliveries);
        for _ in ["before it is indexed", "and after"] {
            assert_eq!(find("disk full"), [(1, Verdict::Accepted)]);
            assert_eq!(find("db-01"), [(1, Verdict::Accepted)]);
            assert_eq!(find("p1"), [(4, Verdict::Accepted), (2, Verdict::Duplicate), (1, Verdict::Accepted)]);
            while store.index_some().await.expect("indexed") {}
        }

        let again = store.record(event("E1")).await.expect("recorded").summary;
        assert_eq!((again.verdict, again.id, again.altered), (Verdict::Duplicate, DeliveryId(10), false));
        assert_eq!(store.record(event("E5")).await.expect("recorded").summary.verdict, Verdict::Accepted);
        drop(store);
        Store::open(dir.path()).expect("opened again");
    }

    /// What brings a store back to the seventh version, with an index as that filled it.
    const SEVENTH: &str = "
        DROP INDEX delivery_rejected_of;
        DROP INDEX delivery_duplicate_of;
        DROP TABLE fallen;
        ALTER TABLE log DROP COLUMN entered_sum;
        INSERT INTO delivery_text (delivery_text) VALUES ('delete-all');
        INSERT INTO delivery_text (rowid, words) VALUES (1, '夜間バッチ failed t');
        PRAGMA user_version = 7;
    ";

    #[tokio::test]
    async fn an_index_that_holds_other_words_misses_nothing_and_is_filled_again() {
        let dir = tempfile::tempdir().expect("tempdir");
        let body = r#"{"t":"夜間バッチ failed"}"#.as_bytes().to_vec();
        let store = Store::open(dir.path()).expect("store");
        store.record(crate::store::NewDelivery { body, ..event("E1") }).await.expect("recorded");
        while store.index_some().await.expect("indexed") {}
        drop(store);
        Connection::open(files::path_in(dir.path())).expect("open").execute_batch(SEVENTH).expect("as it was");

        let store = Store::open(dir.path()).expect("migrated");

        let reader = store.reader().expect("reader");
        let find = |words: &str| {
            let search = Search::Is(Condition::Text(words.to_owned()));
            reader.search(&search, None, 10).expect("search").deliveries.len()
        };
        for _ in ["before it is filled", "and after"] {
            assert_eq!((find("バッチ"), find("夜間 failed"), find("夜間バッチ fail"), find("夜バ")), (1, 0, 1, 0));
            while store.index_some().await.expect("indexed") {}
        }
    }

    #[tokio::test]
    async fn only_a_new_store_can_give_room_back_and_an_old_one_takes_no_harm_from_being_asked() {
        let setting = |dir: &tempfile::TempDir, name| {
            let db = open_reader(&files::path_in(dir.path()), Duration::from_secs(1)).expect("reader");
            db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).expect("setting")
        };
        let mode = |dir| setting(dir, "auto_vacuum");
        let (old, new) = (old_store(), tempfile::tempdir().expect("tempdir"));
        let stores = [&old, &new].map(|dir| Store::open(dir.path()).expect("open"));

        assert_eq!((mode(&old), mode(&new)), (0, 2));
        assert_eq!(setting(&new, "page_size"), 16 * 1024);
        for store in stores {
            assert_eq!(store.shrink_some().await, Ok(false));
        }
    }
}

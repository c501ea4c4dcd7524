//! What the store does when things break: it says so in plain words, loses nothing, and goes on when the cause is gone.

use std::{fs, os::unix::fs::MetadataExt as _};

use futures_util::future::join_all;
use rusqlite::TransactionBehavior;
use tempfile::TempDir;

use super::{
    tests::{DEADLINE, event, event_ids, incident, mode, other, recorded_at_last, store, verdict},
    *,
};
use crate::core::{id::EventId, incident::Status};

fn path(dir: &TempDir) -> PathBuf {
    files::path_in(dir.path())
}

/// A closed store with so many events and incidents, all of it in the one file.
async fn filled(events: usize) -> TempDir {
    let (dir, store) = store();
    join_all((0..events).map(|n| verdict(&store, event(&format!("E{n}"))))).await;
    let incidents = (0..events / 4).map(|n| Write::Incident(Box::new(incident(&format!("P{n}"), Status::Triggered))));
    store.save(incidents.collect::<Vec<_>>()).await.expect("saved");
    dir
}

#[tokio::test]
async fn a_full_disk_is_named_nothing_is_promised_and_it_goes_on_when_there_is_room() {
    let (dir, store) = store();
    store.record(event("E0")).await.expect("recorded");
    let limit = |pages: u32| store.ask(move |db| db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())));
    limit(1).await.expect("no page more than there are");

    let mut accepted = vec!["E0".to_owned()];
    let refused = loop {
        let id = format!("E{}", accepted.len());
        match store.record(event(&id)).await {
            Ok(_) => accepted.push(id),
            Err(error) => break error,
        }
        assert!(accepted.len() < 10_000, "never full");
    };

    assert!(refused.to_string().starts_with("no room left on the disk: free some"), "{refused}");
    // The limit went with the connection that met it.
    recorded_at_last(&store, "later").await;
    accepted.push("later".to_owned());
    drop(store);
    assert_eq!(event_ids(&Reader::open(dir.path()).expect("reader")), accepted);
}

#[tokio::test]
async fn a_locked_store_says_that_it_is_locked_sooner_than_senders_give_up() {
    assert!(LOCK_WAIT < COMMIT_WAIT && COMMIT_WAIT < Duration::from_secs(5));
    let dir = tempfile::tempdir().expect("tempdir");
    let waits = Waits { commit: DEADLINE, lock: Duration::from_millis(100) };
    let store = Store::open_with(dir.path(), waits).expect("open");
    let mut db = other(&dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Exclusive).expect("lock");

    let refused = [store.record(event("E1")).await.err(), store.ready().await.err()];

    for refused in refused {
        let said = refused.expect("refused").to_string();
        assert!(said.contains("is locked by another program"), "{said}");
    }
    lock.rollback().expect("unlock");
    store.ready().await.expect("ready again");
    assert_eq!(verdict(&store, event("E1")).await, Verdict::Accepted);
}

#[tokio::test]
async fn a_store_that_only_is_late_says_why_if_it_knows() {
    let dir = tempfile::tempdir().expect("tempdir");
    let waits = Waits { commit: Duration::from_millis(300), lock: Duration::from_millis(200) };
    let store = Store::open_with(dir.path(), waits).expect("open");
    let mut db = other(&dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Exclusive).expect("lock");
    assert!(store.record(event("E1")).await.is_err());
    let behind = store.record(event("E2"));

    // Waits behind the other one, and so too long.
    let (_, refused) = tokio::join!(behind, store.ready());

    let refused = refused.expect_err("not ready");
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    lock.rollback().expect("unlock");
}

#[tokio::test]
async fn a_damaged_store_is_refused_at_the_start_and_left_as_it_is() {
    let dir = filled(400).await;
    let whole = fs::read(path(&dir)).expect("read");
    let page = 16 * 1024;
    let garbage = {
        let mut bytes = whole.clone();
        bytes[3 * page..4 * page].fill(0xA5);
        bytes
    };
    let truncated = whole[..whole.len() - page - 100].to_vec();

    for broken in [garbage, truncated, b"not a database at all, but of some length".repeat(500)] {
        fs::write(path(&dir), &broken).expect("write");

        let refused = Store::open(dir.path()).err().expect("refused");

        let said = refused.to_string();
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{said}");
        assert!(said.contains("aside together with its -wal and -shm") && !said.contains('\n'), "{said}");
        assert!(fs::read(path(&dir)).expect("read") == broken, "left as it was");
    }
}

#[tokio::test]
async fn damage_met_while_it_runs_is_refused_until_the_file_is_moved_aside() {
    let (dir, store) = store();
    store.record(event("E1")).await.expect("recorded");
    let bad = vec![b'x'; 64 * 1024];
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", path(&dir).display())).expect("remove");
    }
    fs::write(path(&dir), &bad).expect("write");

    store.record(event("E2")).await.expect_err("another file");
    for _ in 0..3 {
        let refused = store.record(event("E2")).await.expect_err("damaged");
        assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
        assert!(matches!(store.ready().await, Err(StoreError::Corrupt { .. })));
    }
    assert_eq!(fs::read(path(&dir)).expect("read"), bad);
    fs::rename(path(&dir), dir.path().join("aside")).expect("move aside");

    recorded_at_last(&store, "E3").await;
    assert_eq!(event_ids(&store.reader().expect("reader")), ["E3"]);
}

#[tokio::test]
async fn a_store_of_a_newer_dogwatch_is_not_touched() {
    let dir = filled(10).await;
    other(&dir).pragma_update(None, "user_version", 1_000).expect("version");
    let before = fs::read(path(&dir)).expect("read");

    for _ in 0..2 {
        assert!(matches!(Store::open(dir.path()).err(), Some(StoreError::Newer { .. })));
    }

    assert!(fs::read(path(&dir)).expect("read") == before);
}

#[test]
fn where_nothing_can_be_written_it_says_so() {
    // The kernel lets nobody make directories there, nor files.
    let refused = Store::open(Path::new("/sys/kernel/dogwatch")).err().expect("refused");
    let there = Store::open(Path::new("/sys/kernel")).err().expect("refused");

    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused:?}");
    assert!(refused.to_string().contains("see to the permissions"), "{refused}");
    // That it belongs to another is said to all but root.
    assert!(matches!(there, StoreError::ReadOnly { .. } | StoreError::Unsafe { .. }), "{there:?}");
}

#[tokio::test]
async fn with_the_clock_set_back_the_log_keeps_the_order_in_which_it_was_written() {
    let (_dir, store) = store();
    let at = |hour: i64| Timestamp::from_second(1_700_000_000 + hour * 3_600).expect("time");
    for (id, hour) in [("E1", 1), ("E2", 0), ("E3", 1)] {
        store.record(NewDelivery { at: at(hour), ..event(id) }).await.expect("recorded");
    }

    let reader = store.reader().expect("reader");
    let log = reader.recent(None, 10).expect("recent");

    let ids: Vec<_> = log.iter().filter_map(|line| line.event_id.as_ref().map(EventId::as_str)).collect();
    assert_eq!(ids, ["E3", "E2", "E1"]);
    assert_eq!(log.iter().map(|line| line.at).collect::<Vec<_>>(), [at(1), at(0), at(1)]);
    assert_eq!(reader.recent(Some(log[0].id), 10).expect("older"), log[1..]);
    let unapplied: Vec<_> =
        reader.unapplied().expect("unapplied").into_iter().map(|waiting| waiting.summary.id.0).collect();
    assert_eq!(unapplied, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_deliveries_come_in_is_a_whole_store() {
    let (dir, store) = store();
    let before: Vec<String> = (0..50).map(|n| format!("B{n}")).collect();
    for id in &before {
        store.record(event(id)).await.expect("recorded");
    }
    let to = dir.path().join("copy/dogwatch.db");
    fs::create_dir(dir.path().join("copy")).expect("dir");
    let coming = tokio::spawn({
        let store = store.clone();
        async move { join_all((0..400).map(|n| verdict(&store, event(&format!("D{n}"))))).await }
    });

    let made = store
        .read({
            let to = to.clone();
            move |reader| Ok(reader.backup(&to))
        })
        .await
        .expect("read")
        .expect("copied");

    coming.await.expect("recorded");
    let about = fs::metadata(&to).expect("there");
    assert_eq!((mode(&to), about.size()), (0o600, made.bytes));
    assert_eq!(fs::read_dir(to.parent().expect("dir")).expect("dir").count(), 1, "nothing else is left there");
    let restored = Store::open(to.parent().expect("dir")).expect("open");
    let ids = event_ids(&restored.reader().expect("reader"));
    assert_eq!(u64::try_from(ids.len()).expect("small"), made.deliveries);
    assert!(ids.starts_with(&before), "{ids:?}");
    assert_eq!(verdict(&restored, event("B0")).await, Verdict::Duplicate);
    assert_eq!(verdict(&restored, event("new")).await, Verdict::Accepted);
}

#[tokio::test]
async fn a_copy_never_takes_the_place_of_a_file_and_a_damaged_store_is_not_copied_as_good() {
    let dir = filled(400).await;
    let reader = Reader::open(dir.path()).expect("reader");
    let precious = dir.path().join("precious");
    fs::write(&precious, "mine").expect("write");
    assert!(matches!(reader.backup(&precious), Err(BackupError::Exists(_))));
    assert_eq!(fs::read_to_string(&precious).expect("read"), "mine");
    assert!(matches!(reader.backup(&dir.path().join("no/such")), Err(BackupError::Target { .. })));
    drop(reader);
    other(&dir).execute_batch("DELETE FROM known_event").expect("damage");

    let refused = Reader::open(dir.path()).expect("reader").backup(&dir.path().join("copy")).expect_err("not whole");

    assert!(matches!(refused, BackupError::NotWhole(_)), "{refused}");
    assert!(!dir.path().join("copy").exists());
}

/// A store whose first start was killed while it changed the file: what it was before stands in the journal.
fn broken_off() -> tempfile::TempDir {
    let (made, left) = (tempfile::tempdir().expect("tempdir"), tempfile::tempdir().expect("tempdir"));
    let db = rusqlite::Connection::open(made.path().join("dogwatch.db")).expect("create");
    db.execute_batch(
        "PRAGMA page_size = 16384; CREATE TABLE early (x); PRAGMA cache_size = 1; BEGIN;
         INSERT INTO early SELECT zeroblob(200000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8))",
    )
    .expect("begun");
    for name in ["dogwatch.db", "dogwatch.db-journal"] {
        fs::copy(made.path().join(name), left.path().join(name)).expect("copied");
    }
    left
}

#[tokio::test]
async fn a_first_start_that_was_killed_is_taken_back_by_the_next() {
    let dir = broken_off();
    let reader = Reader::open(dir.path()).err().expect("nobody who only reads can take it back");
    assert!(reader.to_string().contains("start dogwatch once more"), "{reader}");

    let store = Store::open(dir.path()).expect("opened");

    assert_eq!(store.record(event("E1")).await.expect("recorded").summary.id.0, 1);
    let left: i64 = other(&dir).query_row("SELECT count(*) FROM early", [], |row| row.get(0)).expect("there");
    assert_eq!(left, 0);
}

#[test]
fn what_the_disk_suffers_from_is_found_out_where_sqlite_does_not_tell() {
    let failure = |code| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
    let io = failure(rusqlite::ffi::SQLITE_IOERR_WRITE);
    let dir = tempfile::tempdir().expect("tempdir");

    let nothing_else = StoreError::sqlite(&dir.path().join("dogwatch.db"), &io);
    let read_only = StoreError::sqlite(Path::new("/sys/kernel/dogwatch.db"), &io);

    assert!(matches!(nothing_else, StoreError::Disk { .. }), "{nothing_else}");
    assert!(matches!(read_only, StoreError::ReadOnly { .. }), "{read_only}");
    assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 0);
}

/// What is in a store, as far as it is checked: the events with their bodies, and how the incidents stand.
type Content = (Vec<(String, Vec<u8>)>, Vec<(IncidentKey, Status)>);

/// Reads all of it; an error is any that was met, also by the check.
fn read_all(path: &Path) -> Result<Content, String> {
    let reader = Reader::open_file(path, LOCK_WAIT).map_err(|error| error.to_string())?;
    reader.check()?;
    let failed = |error: StoreError| error.to_string();
    let mut events = vec![];
    for line in reader.recent(None, 1_000).map_err(failed)? {
        let stored = reader.delivery(line.id).map_err(failed)?.ok_or("gone")?;
        events.push((line.event_id.ok_or("no event")?.to_string(), stored.body));
    }
    let incidents = reader.incidents().map_err(failed)?;
    Ok((events, incidents.into_iter().map(|incident| (incident.key, incident.state.status)).collect()))
}

#[tokio::test]
async fn of_two_hundred_damaged_stores_none_is_read_as_if_it_were_whole() {
    let dir = filled(80).await;
    let path = path(&dir);
    let before = read_all(&path).expect("whole");
    assert_eq!((before.0.len(), before.1.len()), (80, 20));
    let whole = fs::read(&path).expect("read");
    let mut found = 0;

    for seed in 0..200 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut bytes = whole.clone();
        if seed % 5 == 0 {
            bytes.truncate(dice.usize(..bytes.len()));
        } else {
            for _ in 0..=dice.usize(..8) {
                let at = dice.usize(..bytes.len());
                bytes[at] ^= 1 << dice.u8(..8);
            }
        }
        fs::write(&path, &bytes).expect("write");

        match read_all(&path) {
            Ok(read) => assert!(read == before, "seed {seed}: read as whole, but it is not what was written"),
            Err(_) => found += 1,
        }
        // The owner may refuse it, or take it; it must not panic, and what it then promises is there.
        if let Ok(store) = Store::open(dir.path())
            && store.record(event("after")).await.is_ok()
        {
            let seen = store.read(|reader| Ok(event_ids_or_error(reader))).await;
            let seen = seen.and_then(|ids| ids);
            assert!(seen.map_or(true, |ids| ids.contains(&"after".to_owned())), "seed {seed}");
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }

    assert!(found >= 40, "every truncation at least, not {found}");
}

fn event_ids_or_error(reader: &Reader) -> Result<Vec<String>, StoreError> {
    let mut ids = vec![];
    reader.event_ids(|id| {
        ids.push(id.to_string());
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(ids)
}

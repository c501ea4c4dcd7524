//! What the intake promises, on real files: what was taken is entered, once, in order, whatever ends in between.

mod beside;
mod damaged;
mod room;

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _, symlink},
};

use futures_util::future::join_all;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    core::{
        delivery::{Decoded, Verdict},
        id::EventId,
        text::Shown,
    },
    store::{
        Reader,
        tests::{DEADLINE, delivery, event_ids, other, store, until_followed},
    },
};

/// Reads a body as the id of its event, and notes what it hears.
#[derive(Default)]
struct TestClerk {
    entered: Mutex<Vec<(i64, Verdict)>>,
    failures: AtomicU64,
    before: AtomicU64,
}

impl Clerk for TestClerk {
    fn read(&self, taken: &mut NewDelivery) {
        if taken.account.is_none() {
            return;
        }
        let id = String::from_utf8(taken.body.clone()).expect("text");
        taken.decoded = Some(Decoded {
            event_id: EventId::new(&id).expect("id"),
            event_type: Shown::line("incident.triggered"),
            occurred_at: None,
            incident: None,
            subject: None,
            observation: None,
        });
    }

    fn entered(&self, summary: DeliverySummary, _: &NewDelivery) {
        self.entered.lock().expect("lock").push((summary.id.0, summary.verdict));
    }

    fn entered_before(&self) {
        self.before.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, _: &StoreError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// No two come in the same moment.
fn raw(id: &str) -> NewDelivery {
    static MOMENT: AtomicU64 = AtomicU64::new(0);
    let new = delivery(Verdict::Accepted, None, id.as_bytes());
    NewDelivery { at: new.at + Duration::from_nanos(MOMENT.fetch_add(1, Ordering::Relaxed)), ..new }
}

fn intake(store: &Store) -> (Intake, Arc<TestClerk>) {
    let clerk = Arc::<TestClerk>::default();
    (store.intake(Arc::clone(&clerk) as Arc<dyn Clerk>).expect("intake"), clerk)
}

fn ids(dir: &TempDir) -> Vec<String> {
    event_ids(&Reader::open(dir.path()).expect("reader"))
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waited).await.expect(what);
}

#[tokio::test]
async fn what_was_taken_is_found_by_whoever_looks_afterwards() {
    let (dir, store) = store();
    let (intake, clerk) = intake(&store);
    for n in 0..50 {
        let id = format!("E{n}");
        intake.take(raw(&id)).await.expect("taken");
        let here = store.read(|reader| Ok(event_ids(reader))).await.expect("read");
        assert_eq!(here.last(), Some(&id));
        assert_eq!(ids(&dir).last(), Some(&id), "another process");
    }
    intake.take(raw("E7")).await.expect("taken");
    drop(intake);

    let entered = clerk.entered.lock().expect("lock").clone();
    assert_eq!(entered.len(), 51);
    assert_eq!(entered[0], (1, Verdict::Accepted));
    assert_eq!(entered[50], (51, Verdict::Duplicate));
    let line = store.reader().expect("reader").recent(None, 1).expect("recent").remove(0);
    assert!(line.latency_us >= Some(12), "what its sender waited stands beside it: {line:?}");
}

#[tokio::test]
async fn what_comes_together_is_entered_in_the_order_in_which_it_was_taken() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);

    join_all((0..300).map(|n| intake.take(raw(&format!("E{n}"))))).await.into_iter().for_each(|taken| {
        taken.expect("taken");
    });

    until("all is entered", || ids(&dir).len() == 300).await;
    assert_eq!(ids(&dir), (0..300).map(|n| format!("E{n}")).collect::<Vec<_>>());
}

/// A store of which nothing can be entered, as long as the lock is held.
fn locked(dir: &TempDir) -> rusqlite::Connection {
    let db = other(dir);
    db.execute_batch("BEGIN IMMEDIATE").expect("lock");
    db
}

#[tokio::test]
async fn what_could_not_be_entered_any_more_is_entered_at_the_next_start_and_once() {
    let (dir, store) = store();
    let (intake, clerk) = intake(&store);
    intake.take(raw("E0")).await.expect("taken");
    assert_eq!(ids(&dir), ["E0"]);
    let lock = locked(&dir);
    for id in ["E1", "E2", "E0"] {
        intake.take(raw(id)).await.expect("taken");
    }
    // Gives up once everything ends.
    drop((intake, store));
    assert_eq!(clerk.entered.lock().expect("lock").len(), 1);
    assert_eq!(Reader::open(dir.path()).expect("reader").unentered(), Ok(3), "whoever looks meanwhile is told");
    lock.execute_batch("ROLLBACK").expect("unlock");

    for _ in 0..2 {
        let store = Store::open(dir.path()).expect("open");
        let (intake, _) = self::intake(&store);
        assert_eq!(ids(&dir), ["E0", "E1", "E2"]);
        drop(intake);
        let log = store.reader().expect("reader").recent(None, 9).expect("recent");
        assert_eq!(log.len(), 4, "and the duplicate");
        assert_eq!(Reader::open(dir.path()).expect("reader").unentered(), Ok(0));
    }
}

#[tokio::test]
async fn a_store_that_lost_what_it_had_not_synced_gets_it_again() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    for id in ["E0", "E1", "E2"] {
        intake.take(raw(id)).await.expect("taken");
    }
    drop((intake, store));
    // As after a loss of power: the last transactions are not there.
    other(&dir)
        .execute_batch(
            "DELETE FROM delivery WHERE id > 1; DELETE FROM known_event WHERE delivery > 1; UPDATE log SET entered = 1",
        )
        .expect("lost");

    let store = Store::open(dir.path()).expect("open");
    let (_intake, _) = self::intake(&store);

    assert_eq!(ids(&dir), ["E0", "E1", "E2"]);
}

#[tokio::test]
async fn while_the_store_fails_nothing_is_taken_and_what_was_taken_is_entered_when_it_works_again() {
    let (dir, store) = store();
    let (intake, clerk) = intake(&store);
    let db = other(&dir);
    until_followed(&db);
    db.execute_batch("ALTER TABLE delivery RENAME TO d; ALTER TABLE probe RENAME TO p").expect("break");

    intake.take(raw("E1")).await.expect("taken, as nobody knows yet");
    until("it is known", || clerk.failures.load(Ordering::Relaxed) > 0).await;
    let refused = intake.take(raw("E2")).await.expect_err("refused");
    assert!(refused.to_string().contains("no such table"), "{refused}");
    db.execute_batch("ALTER TABLE d RENAME TO delivery; ALTER TABLE p RENAME TO probe").expect("heal");

    until("entering works again", || store.progress.failure().is_none()).await;
    intake.take(raw("E3")).await.expect("taken again");
    until("all is entered", || ids(&dir) == ["E1", "E3"]).await;
}

#[tokio::test]
async fn what_is_in_the_log_though_its_commit_is_said_to_have_failed_is_entered_once_and_told() {
    let (dir, store) = store();
    let (intake, clerk) = intake(&store);
    intake.take(raw("E1")).await.expect("taken");
    until("it is entered", || ids(&dir) == ["E1"]).await;
    let lock = locked(&dir);
    intake.take(raw("E2")).await.expect("taken");
    // As another process would write it, and as SQLite finds it after it could not sync.
    let RecordId { number, sum } = record(dir.path(), 2);
    let written = format!("UPDATE log SET entered = {number}, entered_sum = {sum}; COMMIT");
    lock.execute_batch(&written).expect("written");

    until("it is told", || clerk.before.load(Ordering::Relaxed) == 1).await;
    intake.take(raw("E3")).await.expect("taken");
    until("it goes on", || ids(&dir) == ["E1", "E3"]).await;
    assert_eq!(store.progress.failure(), None);
}

#[tokio::test]
async fn what_an_earlier_run_left_is_told_until_it_is_in_the_log() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    let lock = locked(&dir);
    intake.take(raw("E1")).await.expect("taken");
    store.took().notified().await;
    drop(intake);

    let _intake = self::intake(&store);

    tokio::time::timeout(DEADLINE, store.took().notified()).await.expect("told");
    assert_eq!(store.overdue(store.taken()), 1);
    lock.execute_batch("ROLLBACK").expect("unlock");
    assert_eq!(ids(&dir), ["E1"]);
    until("nothing is left", || store.overdue(store.taken()) == 0).await;
}

#[tokio::test]
async fn one_that_cannot_be_stored_as_it_is_holds_nobody_up_and_is_kept_raw() {
    let (dir, store) = store();
    other(&dir)
        .execute_batch(
            "CREATE TRIGGER no AFTER INSERT ON delivery WHEN NEW.event_id = 'bad'
             BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        )
        .expect("trigger");
    let (intake, _) = intake(&store);

    let taken = join_all(["E1", "bad", "E2"].map(|id| intake.take(raw(id)))).await;

    assert!(taken.iter().all(Result::is_ok));
    let reader = Reader::open(dir.path()).expect("reader");
    let log = reader.recent(None, 9).expect("recent");
    let verdicts: Vec<_> = log.iter().rev().map(|line| line.verdict).collect();
    assert_eq!(verdicts, [Verdict::Accepted, Verdict::Undecodable, Verdict::Accepted]);
    assert!(log[1].reason.as_str().contains("but what it says cannot be stored: not this one"), "{}", log[1].reason);
    assert_eq!(reader.delivery(log[1].id).expect("read").expect("there").body, b"bad");
}

#[tokio::test]
async fn its_files_are_for_the_owner_alone_and_no_link_is_followed() {
    let (dir, store) = store();
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, "not ours").expect("write");
    let (intake, _) = intake(&store);
    intake.take(raw("E1")).await.expect("taken");
    for name in ["intake", "intake-1"] {
        let mode = fs::metadata(dir.path().join(name)).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    drop(intake);
    fs::remove_file(dir.path().join("intake-1")).expect("removed");
    symlink(&elsewhere, dir.path().join("intake-1")).expect("link");

    let refused = store.intake(Arc::<TestClerk>::default()).err().expect("refused");

    assert!(refused.to_string().ends_with("intake-1: is a link: move it away"), "{refused}");
    assert_eq!(fs::read_to_string(elsewhere).expect("read"), "not ours");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_kept_as_it_is() {
    let (dir, store) = store();
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    segments.prepare();
    append(&mut segments, &["of a later dogwatch"], 0);
    drop(segments);

    let (_intake, _) = intake(&store);

    let reader = Reader::open(dir.path()).expect("reader");
    let line = reader.recent(None, 9).expect("recent").remove(0);
    assert_eq!((line.verdict, line.account), (Verdict::Undecodable, None));
    assert!(line.reason.as_str().contains("its record in the intake cannot be read"), "{}", line.reason);
    assert_eq!(reader.delivery(line.id).expect("read").expect("there").body, b"of a later dogwatch");
}

#[tokio::test]
async fn when_nobody_enters_any_more_nothing_is_taken_and_what_was_comes_with_the_next_start() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    // The reader of this test has no other way to fail than to panic.
    let unreadable = delivery(Verdict::Accepted, None, &[0xff]);
    intake.take(unreadable).await.expect("taken");

    let refused = tokio::time::timeout(DEADLINE, async {
        loop {
            if let Err(error) = intake.take(raw("E1")).await {
                return error;
            }
        }
    });
    assert_eq!(refused.await.expect("refused soon"), StoreError::Stopped);
    assert_eq!(store.ready().await, Err(StoreError::Stopped), "and the screen says so");
    drop((intake, store));

    let (_, left) = opened(dir.path(), NONE).expect("open");
    assert!(left.first().is_some_and(|found| found.bytes.ends_with(&[0xff])));
}

#[tokio::test]
async fn no_file_is_used_again_before_what_is_in_it_is_known_to_be_synced() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    intake.take(raw("E1")).await.expect("taken");
    drop(intake);
    let lock = locked(&dir);

    let (intake, clerk) = self::intake(&store);

    until("it tries", || clerk.failures.load(Ordering::Relaxed) > 0).await;
    assert_eq!(store.progress.safe.load(Ordering::Acquire), 0);
    lock.execute_batch("ROLLBACK").expect("unlock");
    intake.take(raw("E2")).await.expect("taken");
    assert_eq!(ids(&dir), ["E1", "E2"]);
    assert_eq!(store.progress.safe.load(Ordering::Acquire), 1);
}

const NONE: RecordId = RecordId { number: 0, sum: 0 };

fn opened(dir: &Path, entered: RecordId) -> Result<(Segments, Vec<Found>), StoreError> {
    let known = Known { entered, ..Known::default() };
    Segments::open(dir, &known).map(|(segments, left)| (segments, left.found))
}

/// The record with a number, as it is there; without one, as it could be elsewhere.
fn record(dir: &Path, number: u64) -> RecordId {
    let (_, found) = opened(dir, NONE).expect("open");
    found.iter().map(|found| found.id).find(|id| id.number == number).unwrap_or(RecordId { number, sum: 1 })
}

fn append(segments: &mut Segments, records: &[&str], safe: u64) -> Option<usize> {
    let records: Vec<Record<'_>> = records.iter().map(|record| [&b""[..], record.as_bytes()]).collect();
    segments.append(&records, safe).expect("written").map(|appended| appended.len())
}

fn texts(found: &[Found]) -> Vec<(u64, &str)> {
    found.iter().map(|found| (found.id.number, std::str::from_utf8(&found.bytes).expect("text"))).collect()
}

#[test]
fn records_are_found_again_behind_those_that_are_entered() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, found) = opened(dir.path(), NONE).expect("open");
    assert_eq!((texts(&found), segments.last()), (vec![], 0));
    assert_eq!(append(&mut segments, &["one", "two"], 0), Some(2));
    assert_eq!(append(&mut segments, &["three"], 0), Some(1));
    drop(segments);

    let (mut segments, found) = opened(dir.path(), record(dir.path(), 1)).expect("open");
    assert_eq!(texts(&found), [(2, "two"), (3, "three")]);
    assert_eq!(append(&mut segments, &["four"], 0), Some(1));
    assert_eq!(texts(&opened(dir.path(), record(dir.path(), 3)).expect("open").1), [(4, "four")]);

    let (mut ahead, found) = opened(dir.path(), record(dir.path(), 90)).expect("open");
    assert_eq!(
        texts(&found),
        [(1, "one"), (2, "two"), (3, "three"), (4, "four")],
        "nothing shows that they are entered"
    );
    assert_eq!(ahead.last(), 90, "numbers never go back");
    assert_eq!(append(&mut ahead, &["91", "92"], 90), Some(2));
    drop(ahead);

    let (mut later, found) = opened(dir.path(), record(dir.path(), 91)).expect("open");
    assert_eq!(texts(&found), [(92, "92")], "and what follows a gap is found again");
    assert_eq!(append(&mut later, &["93"], 91), Some(1));
    assert_eq!(texts(&opened(dir.path(), record(dir.path(), 91)).expect("open").1), [(92, "92"), (93, "93")]);
}

#[test]
fn a_gap_in_the_numbers_costs_nothing_while_nothing_is_safe_either() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    append(&mut segments, &["one"], 0);
    drop(segments);

    let (mut ahead, _) = opened(dir.path(), record(dir.path(), 90)).expect("open");
    assert_eq!(append(&mut ahead, &["91"], 0), Some(1));

    assert_eq!(texts(&opened(dir.path(), NONE).expect("open").1), [(1, "one"), (91, "91")]);
}

#[test]
fn trying_out_whether_records_can_be_appended_makes_none() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    assert_eq!(segments.try_out(0, 0), Ok(Some(())));
    append(&mut segments, &["one"], 0);
    assert_eq!(segments.try_out(0, 0), Ok(Some(())));
    append(&mut segments, &["two"], 0);

    assert_eq!(texts(&opened(dir.path(), NONE).expect("open").1), [(1, "one"), (2, "two")]);
}

#[test]
fn what_was_written_half_ends_it_and_is_written_over() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    append(&mut segments, &["one", "two", "three"], 0);
    drop(segments);
    let path = dir.path().join("intake-1");
    let whole = fs::read(&path).expect("read");
    // A byte of "three", which was never answered.
    let at = whole.windows(3).position(|bytes| bytes == b"thr").expect("there");
    let mut torn = whole;
    torn[at] ^= 1;
    fs::write(&path, torn).expect("write");

    let known = Known { taken: 2, ..Known::default() };
    let (mut segments, left) = Segments::open(dir.path(), &known).expect("open");
    assert_eq!((texts(&left.found), left.lost), (vec![(1, "one"), (2, "two")], vec![]));
    append(&mut segments, &["3rd"], 0);

    assert_eq!(texts(&opened(dir.path(), NONE).expect("open").1), [(1, "one"), (2, "two"), (3, "3rd")]);
}

#[test]
fn files_are_used_again_once_what_is_in_them_is_safe_and_a_flood_s_are_let_go() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files = || fs::read_dir(dir.path()).expect("dir").count();
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    // Two fit into a file.
    let large = "x".repeat(3 * 1024 * 1024);
    let mut taken = 0;
    while let Some(count) = append(&mut segments, &[&large], 0) {
        taken += count;
    }
    assert_eq!((taken, files()), (16, 8), "full, and nothing is written over");

    assert_eq!(append(&mut segments, &[&large, &large, &large], 2), Some(2), "as many as one file holds");
    assert_eq!(append(&mut segments, &[&large], 2), None);
    assert_eq!(append(&mut segments, &[&large], 18), Some(1));
    assert_eq!(files(), 2);

    let (_, found) = opened(dir.path(), record(dir.path(), 18)).expect("open");
    assert_eq!(found.iter().map(|found| found.id.number).collect::<Vec<_>>(), [19]);
}

#[test]
fn a_file_that_somebody_deleted_is_not_filled_once_it_is_let_go() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    let large = "x".repeat(5 * 1024 * 1024);
    while append(&mut segments, &[&large], 0).is_some() {}
    for name in ["intake-3", "intake-4"] {
        fs::remove_file(dir.path().join(name)).expect("removed");
    }

    assert_eq!(append(&mut segments, &[&large], 8), Some(1));
    assert_eq!(append(&mut segments, &[&large], 8), Some(1), "it needs another file");

    let (_, found) = opened(dir.path(), record(dir.path(), 8)).expect("open");
    assert_eq!(found.iter().map(|found| found.id.number).collect::<Vec<_>>(), [9, 10]);
}

#[test]
fn a_record_larger_than_a_file_gets_one_of_its_own() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    let huge = "y".repeat(20 * 1024 * 1024);

    assert_eq!(append(&mut segments, &["small", &huge], 0), Some(1));
    assert_eq!(append(&mut segments, &[&huge], 0), Some(1));

    let (_, found) = opened(dir.path(), record(dir.path(), 1)).expect("open");
    assert_eq!(found.len(), 1);
    assert!(found[0].bytes == huge.as_bytes());
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(body in prop::collection::vec(any::<u8>(), 0..300), header in "\\PC{0,40}") {
        let mut new = raw("E");
        new.body = body;
        new.headers.push(("x-any".to_owned(), header));
        new.timings.commit_us = None;

        let bytes = [record::head(&new).expect("written"), new.body.clone()].concat();

        let read = record::read(&bytes).expect("read");
        prop_assert_eq!(format!("{read:?}"), format!("{new:?}"));
    }

    /// Whatever stands on the disk after a crash: no panic, and nothing that was not written.
    #[test]
    fn damage_makes_no_records(at in 0usize..400, bit in 0u8..8, cut in 0usize..400) {
        let dir = tempfile::tempdir().expect("tempdir");
        let (mut segments, _) = opened(dir.path(), NONE).expect("open");
        let records: Vec<String> = (0..12).map(|n| format!("record {n} {}", "z".repeat(n))).collect();
        append(&mut segments, &records.iter().map(String::as_str).collect::<Vec<_>>(), 0);
        drop(segments);
        let path = dir.path().join("intake-1");
        let mut bytes = fs::read(&path).expect("read");
        bytes[at] ^= 1 << bit;
        bytes[cut..cut + 8].fill(0);
        fs::write(&path, bytes).expect("write");

        let (_, found) = opened(dir.path(), NONE).expect("open");

        for (found, (number, record)) in found.iter().filter_map(|found| {
            let number = usize::try_from(found.id.number).expect("small");
            Some((found, (number, records.get(number - 1)?)))
        }) {
            prop_assert_eq!(&found.bytes[..], record.as_bytes(), "{}", number);
        }
        prop_assert!(found.is_sorted_by_key(|found| found.id.number) && found.len() <= records.len());
    }
}

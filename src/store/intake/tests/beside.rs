//! Another log beside the intake: a restored one, or one of a copy of the state directory. All that was taken here comes
//! into it, and nothing twice.

use super::*;

/// Puts a log in the place of the one that is there.
fn restore(dir: &TempDir, log: &Path) {
    for file in fs::read_dir(dir.path()).expect("read").map(|file| file.expect("file").path()) {
        if file.to_string_lossy().contains("dogwatch.db") {
            fs::remove_file(file).expect("removed");
        }
    }
    fs::copy(log, dir.path().join("dogwatch.db")).expect("copied");
}

/// Takes these in a run of its own.
async fn take(dir: &TempDir, ids: &[&str]) {
    let store = Store::open(dir.path()).expect("open");
    let (intake, _) = intake(&store);
    for id in ids {
        intake.take(raw(id)).await.expect("taken");
    }
    drop((intake, store));
}

/// A state directory in which these were taken, and a copy of it.
async fn copied(ids: &[&str]) -> (TempDir, TempDir) {
    let (dir, copy) = (tempfile::tempdir().expect("tempdir"), tempfile::tempdir().expect("tempdir"));
    take(&dir, ids).await;
    for file in fs::read_dir(dir.path()).expect("read").map(|file| file.expect("file")) {
        fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
    }
    (dir, copy)
}

fn backup(dir: &TempDir) -> (TempDir, std::path::PathBuf) {
    let elsewhere = tempfile::tempdir().expect("tempdir");
    let file = elsewhere.path().join("backup");
    Reader::open(dir.path()).expect("reader").backup(&file).expect("copied");
    (elsewhere, file)
}

/// What stands in the log, the oldest first, duplicates too.
fn lines(dir: &TempDir) -> Vec<(String, Verdict)> {
    let lines = Reader::open(dir.path()).expect("reader").recent(None, 99).expect("recent");
    let id = |line: &DeliverySummary| line.event_id.as_ref().map_or(String::new(), ToString::to_string);
    lines.iter().rev().map(|line| (id(line), line.verdict)).collect()
}

fn accepted(ids: &[&str]) -> Vec<(String, Verdict)> {
    ids.iter().map(|id| ((*id).to_owned(), Verdict::Accepted)).collect()
}

/// Starts it twice: what is entered once stays so.
async fn assert_holds(dir: &TempDir, all: &[&str]) {
    for start in ["first", "second"] {
        take(dir, &[]).await;
        assert_eq!(lines(dir), accepted(all), "{start} start");
        assert_eq!(Reader::open(dir.path()).expect("reader").unentered(), Ok(0), "{start} start");
    }
}

/// What an ordinary start reads again: nothing.
fn assert_is_followed(dir: &TempDir) {
    let entered = Reader::open(dir.path()).expect("reader").entered_record().expect("read");
    assert_eq!(texts(&opened(dir.path(), entered).expect("open").1), []);
}

#[tokio::test]
async fn what_was_taken_comes_into_a_log_that_was_put_in_the_place_of_its_own_and_once() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    let lock = locked(&dir);
    for id in ["E1", "E2"] {
        intake.take(raw(id)).await.expect("taken");
    }
    drop((intake, store));
    drop(lock);
    // It is further than this one, by the numbers of another intake.
    let (elsewhere, store) = self::store();
    let (intake, _) = self::intake(&store);
    for id in ["F1", "F2", "F3"] {
        intake.take(raw(id)).await.expect("taken");
    }
    drop((intake, store));
    restore(&dir, &elsewhere.path().join("dogwatch.db"));

    for _ in 0..2 {
        let store = Store::open(dir.path()).expect("open");
        let (intake, _) = self::intake(&store);
        until("all is entered", || ids(&dir) == ["F1", "F2", "F3", "E1", "E2"]).await;
        drop(intake);
        assert_eq!(store.reader().expect("reader").recent(None, 9).expect("recent").len(), 5, "and no duplicate");
    }
}

#[tokio::test]
async fn what_is_in_a_log_that_does_not_tell_how_far_it_is_is_not_entered_again() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    intake.take(raw("E1")).await.expect("taken");
    drop((intake, store));
    other(&dir).execute_batch("UPDATE log SET entered_sum = 0, intake = 1").expect("not told");

    let store = Store::open(dir.path()).expect("open");
    let (intake, _) = self::intake(&store);
    intake.take(raw("E2")).await.expect("taken");
    drop(intake);

    assert_eq!(ids(&dir), ["E1", "E2"]);
    assert_eq!(store.reader().expect("reader").recent(None, 9).expect("recent").len(), 2, "and no duplicate");
}

#[tokio::test]
async fn what_a_copy_took_comes_into_the_log_of_the_one_that_it_was_copied_from_however_far_each_went() {
    for (there, here) in [(vec!["A1", "A2", "A3", "A4", "A5"], vec!["B1", "B2"]), (vec!["A1"], vec!["B1", "B2", "B3"])]
    {
        let (original, copy) = copied(&["E1"]).await;
        take(&original, &there).await;
        take(&copy, &here).await;
        let (_elsewhere, log) = backup(&original);

        restore(&copy, &log);

        let all = [vec!["E1"], there, here].concat();
        assert_holds(&copy, &all).await;
        take(&copy, &["B9"]).await;
        assert_holds(&copy, &[all, vec!["B9"]].concat()).await;
        assert_is_followed(&copy);
    }
}

#[tokio::test]
async fn a_restored_log_gets_back_what_is_newer_and_reads_nothing_else_again() {
    let (dir, _) = copied(&["E1", "E2", "E1"]).await;
    let (_elsewhere, log) = backup(&dir);
    take(&dir, &["E3", "E2"]).await;
    let newer = lines(&dir);
    restore(&dir, &log);
    let entered = Reader::open(dir.path()).expect("reader").entered_record().expect("read");
    assert_eq!(opened(dir.path(), entered).expect("open").1.len(), 2, "E3, and E2 again");

    take(&dir, &[]).await;

    assert_eq!(lines(&dir), newer);
    assert_is_followed(&dir);
}

#[tokio::test]
async fn dying_on_the_way_into_another_log_enters_nothing_twice() {
    let (original, copy) = copied(&["E1", "E2", "E1"]).await;
    take(&original, &["A1", "A2", "A3"]).await;
    take(&copy, &["B1", "B2", "E2"]).await;
    let (_elsewhere, log) = backup(&original);
    restore(&copy, &log);
    take(&copy, &[]).await;
    let whole = lines(&copy);

    // As it stands right after the log was told, and after each record that was entered.
    for entered in 0..6 {
        let sum = record(copy.path(), entered).sum;
        let told = format!("UPDATE log SET entered = {entered}, entered_sum = {sum}");
        other(&copy).execute_batch(&told).expect("told");
        take(&copy, &[]).await;
        assert_eq!(lines(&copy), whole, "after {entered}");
    }
    assert_eq!(whole.iter().filter(|(_, verdict)| *verdict == Verdict::Duplicate).count(), 2, "{whole:?}");
}

#[tokio::test]
async fn what_is_not_kept_any_more_does_not_come_back_as_a_duplicate() {
    let (dir, _) = copied(&["E1", "E2"]).await;
    let db = other(&dir);
    db.execute_batch("DELETE FROM delivery WHERE id = 1; UPDATE log SET entered_sum = 0, intake = 1")
        .expect("pruned, not told");
    drop(db);

    take(&dir, &[]).await;

    assert_eq!(lines(&dir), accepted(&["E2"]));
}

#[tokio::test]
async fn what_another_start_reads_again_is_nothing_also_where_a_file_is_used_again() {
    let (dir, store) = store();
    take_large(&dir, store).await;

    assert_is_followed(&dir);
}

/// Takes so much that room is used again.
async fn take_large(dir: &TempDir, store: Store) {
    let (intake, _) = intake(&store);
    let large = "x".repeat(3 * 1024 * 1024);
    for n in 0..8 {
        intake.take(NewDelivery { account: None, ..raw(&large) }).await.expect("taken");
        until("it is entered", || lines(dir).len() == n + 1).await;
    }
}

#[tokio::test]
async fn a_number_without_a_checksum_counts_where_it_is_of_this_very_intake() {
    for (own, there) in [(77, vec!["E2"]), (78, vec!["E2", "E1"])] {
        let (dir, _) = copied(&["E1", "E2"]).await;
        let marker = fs::OpenOptions::new().write(true).open(dir.path().join(NAME)).expect("open");
        marker.write_all_at(&u64::to_le_bytes(own), 8).expect("written");
        // As an earlier version left it, with one that is not kept any more.
        let earlier = "UPDATE log SET entered_sum = 0, intake = 77; DELETE FROM delivery WHERE id = 1;
             DELETE FROM known_event WHERE delivery = 1";
        other(&dir).execute_batch(earlier).expect("earlier");

        take(&dir, &[]).await;

        assert_eq!(lines(&dir), accepted(&there), "{own}");
    }
}

/// Knows no account, as after its door was taken away.
struct Doorless;

impl Clerk for Doorless {
    fn read(&self, _: &mut NewDelivery) {}

    fn entered(&self, _: DeliverySummary, _: &NewDelivery) {}

    fn entered_before(&self) {}

    fn failed(&self, _: &StoreError) {}
}

#[tokio::test]
async fn what_nobody_can_read_any_more_stands_there_all_the_same() {
    let (dir, _) = copied(&["E1", "E2", "E1"]).await;
    let whole = lines(&dir);
    other(&dir).execute_batch("UPDATE log SET entered_sum = 0, intake = 1").expect("not told");

    let store = Store::open(dir.path()).expect("open");
    drop(store.intake(Arc::new(Doorless)).expect("intake"));

    assert_eq!(lines(&dir), whole);
}

#[tokio::test]
async fn a_log_that_was_exchanged_while_it_runs_gets_at_the_next_start_what_it_does_not_have() {
    let (dir, store) = store();
    let (intake, clerk) = intake(&store);
    intake.take(raw("E1")).await.expect("taken");
    until("it is entered", || ids(&dir) == ["E1"]).await;
    let (_elsewhere, log) = backup(&dir);
    intake.take(raw("E2")).await.expect("taken");
    until("it is entered", || ids(&dir) == ["E1", "E2"]).await;

    restore(&dir, &log);
    let refused = tokio::time::timeout(DEADLINE, async {
        loop {
            match intake.take(raw("E3")).await {
                Err(error @ StoreError::Exchanged { .. }) => return error,
                Ok(()) | Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    let refused = refused.await.expect("refused soon").to_string();
    assert!(refused.contains("put the former one back, or restart dogwatch"), "{refused}");
    assert!(clerk.failures.load(Ordering::Relaxed) > 0, "and told");
    drop((intake, store));
    assert_eq!(ids(&dir), ["E1"], "nothing is written where it does not belong");

    take(&dir, &["E4"]).await;
    assert_eq!(ids(&dir), ["E1", "E2", "E3", "E4"]);
}

#[tokio::test]
async fn a_new_log_that_could_not_be_written_at_first_misses_nothing() {
    let (dir, store) = store();
    take_large(&dir, store).await;
    let (elsewhere, _) = copied(&[]).await;
    let (_backup, log) = backup(&elsewhere);
    restore(&dir, &log);
    let store = Store::open(dir.path()).expect("open");
    let lock = locked(&dir);
    drop((intake(&store), store));
    drop(lock);

    take(&dir, &["E1"]).await;

    let lines = lines(&dir);
    assert!((2..8).contains(&lines.len()), "what its room was not used again for, and E1: {lines:?}");
    assert!(lines.iter().all(|(_, verdict)| *verdict == Verdict::Accepted), "{lines:?}");
}

#[tokio::test]
async fn a_log_that_is_put_back_goes_on_without_a_restart() {
    let (dir, store) = store();
    let (intake, clerk) = intake(&store);
    intake.take(raw("E1")).await.expect("taken");
    until("it is entered", || ids(&dir) == ["E1"]).await;
    let db = other(&dir);
    let (number, sum): (i64, i64) =
        db.query_row("SELECT entered, entered_sum FROM log", [], |row| Ok((row.get(0)?, row.get(1)?))).expect("told");
    let tell = |number: i64, sum: i64| {
        db.execute("UPDATE log SET entered = ?1, entered_sum = ?2", [number, sum]).expect("written");
    };
    tell(number, sum + 1);
    intake.take(raw("E2")).await.expect("taken, as nobody knows yet");
    until("it is known", || clerk.failures.load(Ordering::Relaxed) > 0).await;
    assert!(matches!(store.ready().await, Err(StoreError::Exchanged { .. })));

    tell(number, sum);

    until("it goes on", || ids(&dir) == ["E1", "E2"]).await;
    until("that is known", || store.progress.failure().is_none()).await;
    intake.take(raw("E3")).await.expect("taken again");
}

#[tokio::test]
async fn a_log_that_is_exchanged_before_it_could_be_told_where_to_go_on_is_told_nothing() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    for id in ["E1", "E2"] {
        intake.take(raw(id)).await.expect("taken");
    }
    until("they are entered", || ids(&dir) == ["E1", "E2"]).await;
    drop(intake);
    let lock = locked(&dir);
    let (intake, clerk) = self::intake(&store);
    until("it tries", || clerk.failures.load(Ordering::Relaxed) > 0).await;
    // As of an earlier backup.
    lock.execute_batch("DELETE FROM delivery; DELETE FROM known_event; UPDATE log SET entered = 0, store = 77; COMMIT")
        .expect("exchanged");
    let is_exchanged = || matches!(store.progress.failure(), Some(StoreError::Exchanged { .. }));
    until("it is known", is_exchanged).await;
    drop((intake, store));

    take(&dir, &["E3"]).await;

    assert_eq!(lines(&dir), accepted(&["E1", "E2", "E3"]));
}

#[tokio::test]
async fn a_new_log_beside_an_intake_with_a_gap_misses_nothing_that_is_not_there() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    for id in ["E1", "E2", "E3"] {
        intake.take(raw(id)).await.expect("taken");
    }
    until("they are entered", || ids(&dir) == ["E1", "E2", "E3"]).await;
    drop((intake, store));
    // Of what went on in another file, an earlier one is used again.
    let db = other(&dir);
    db.execute_batch("UPDATE log SET entered = 7, entered_sum = 1").expect("ahead");
    drop(db);
    take(&dir, &["E8"]).await;
    let (elsewhere, _) = copied(&[]).await;
    let (_backup, log) = backup(&elsewhere);
    restore(&dir, &log);
    let store = Store::open(dir.path()).expect("open");
    let (intake, _) = self::intake(&store);
    until("all is entered", || ids(&dir).len() == 4).await;
    drop((intake, store));
    // It dies when the first two are in the log, and then again.
    let RecordId { number, sum } = record(dir.path(), 2);
    let some = format!(
        "DELETE FROM delivery WHERE id > 2; DELETE FROM known_event WHERE delivery > 2;
         UPDATE log SET entered = {number}, entered_sum = {sum}"
    );
    for _ in 0..2 {
        other(&dir).execute_batch(&some).expect("some");
        let marker = Marker::open(dir.path()).expect("marker");
        let notes = marker.notes();
        marker.begin(marker.taken(), Notes { store: 0, skipped: (0, 0), ..notes });
        let store = Store::open(dir.path()).expect("open");
        let lock = locked(&dir);
        drop(self::intake(&store));
        drop(lock);
    }

    take(&dir, &[]).await;

    assert_eq!(lines(&dir), accepted(&["E1", "E2", "E3", "E8"]));
}

#[tokio::test]
async fn a_number_without_a_checksum_that_is_of_no_record_counts_for_nothing() {
    let (dir, _) = copied(&["E1", "E2"]).await;
    let (elsewhere, _) = copied(&["F1"]).await;
    other(&elsewhere).execute_batch("UPDATE log SET entered = 1000, entered_sum = 0").expect("not told");
    let (_backup, log) = backup(&elsewhere);
    restore(&dir, &log);

    take(&dir, &["E3"]).await;

    assert_eq!(lines(&dir), accepted(&["F1", "E1", "E2", "E3"]));
}

#[tokio::test]
async fn one_that_comes_again_before_a_crash_is_a_duplicate_also_of_what_is_not_kept_any_more() {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    for id in ["E1", "E2"] {
        intake.take(raw(id)).await.expect("taken");
    }
    until("both are entered", || ids(&dir) == ["E1", "E2"]).await;
    other(&dir).execute_batch("DELETE FROM delivery WHERE id = 1").expect("pruned");
    let lock = locked(&dir);
    intake.take(raw("E1")).await.expect("taken");
    drop((intake, store));
    drop(lock);

    take(&dir, &[]).await;

    assert_eq!(lines(&dir), [("E2".to_owned(), Verdict::Accepted), ("E1".to_owned(), Verdict::Duplicate)]);
}

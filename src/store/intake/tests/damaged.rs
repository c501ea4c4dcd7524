//! Files that are not as they were written: what can be read comes into the log, and what is missing is told there.

use std::{
    io::{self, Read as _},
    os::unix::fs::FileExt,
};

use rustix::io::Errno;

use super::*;

/// A state directory in which one delivery stands in the log and others wait for it.
async fn waiting(ids: &[&str]) -> TempDir {
    waiting_raw(ids.iter().map(|id| raw(id)).collect()).await
}

async fn waiting_raw(deliveries: Vec<NewDelivery>) -> TempDir {
    let (dir, store) = store();
    let (intake, _) = intake(&store);
    intake.take(raw("E0")).await.expect("taken");
    assert_eq!(self::ids(&dir), ["E0"]);
    let lock = locked(&dir);
    for new in deliveries {
        intake.take(new).await.expect("taken");
    }
    drop((intake, store));
    drop(lock);
    dir
}

/// As it is when it dies before the answers to those behind this one.
fn answered(dir: &TempDir, number: u64) {
    let marker = fs::OpenOptions::new().write(true).open(dir.path().join(NAME)).expect("open");
    marker.write_all_at(&number.to_le_bytes(), 0).expect("written");
}

/// Changes a bit of the file, so many bytes from where the body `id` begins.
fn damage(dir: &TempDir, id: &str, from_body: isize) {
    let path = dir.path().join("intake-1");
    let mut bytes = fs::read(&path).expect("read");
    let body = format!("\n{id}");
    let at = bytes.windows(body.len()).position(|bytes| bytes == body.as_bytes()).expect("there") + 1;
    bytes[at.strict_add_signed(from_body)] ^= 0x10;
    fs::write(&path, bytes).expect("write");
}

/// How many bytes before its body a record begins.
fn head(dir: &TempDir, number: u64) -> isize {
    let (_, found) = opened(dir.path(), NONE).expect("open");
    let record = found.iter().find(|found| found.id.number == number).expect("there");
    let body = record.bytes.iter().position(|byte| *byte == b'\n').expect("a head") + 1;
    -isize::try_from(body + 16).expect("small")
}

/// Takes one more in a run of its own; gives what is told in the log, the oldest first: ids, and reasons where nothing was
/// understood.
async fn told(dir: &TempDir) -> Vec<String> {
    let store = Store::open(dir.path()).expect("open");
    let (intake, _) = intake(&store);
    intake.take(raw("E9")).await.expect("taken");
    drop((intake, store));
    let reader = Reader::open(dir.path()).expect("reader");
    assert_eq!(reader.unentered(), Ok(0));
    let lines = reader.recent(None, 99).expect("recent");
    let words = |line: &DeliverySummary| line.event_id.as_ref().map_or(line.reason.to_string(), ToString::to_string);
    lines.iter().rev().map(words).collect()
}

fn lost(deliveries: &str) -> String {
    format!("{deliveries} taken cannot be read back: what stands in the intake is damaged")
}

fn kept(dir: &TempDir) -> Vec<String> {
    segments::damaged_in(dir.path())
        .expect("there")
        .iter()
        .map(|path| path.file_name().expect("name").to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn one_damaged_byte_costs_one_delivery_which_is_told_and_the_file_is_kept() {
    // Its body, what was found at the door; its number, its checksum, its length.
    for (at, is_in_head) in [(0, false), (-5, false), (8, true), (4, true), (0, true), (1, true)] {
        let dir = waiting(&["E1", "E2", "E3", "E4"]).await;
        damage(&dir, "E2", if is_in_head { head(&dir, 3) + at } else { at });
        let damaged = fs::read(dir.path().join("intake-1")).expect("read");

        let told = told(&dir).await;

        assert_eq!(told, ["E0", "E1", &lost("1 delivery that was"), "E3", "E4", "E9"], "{at}");
        assert_eq!(kept(&dir), ["intake-damaged-1"]);
        assert!(fs::read(dir.path().join("intake-damaged-1")).expect("read") == damaged, "as it was");
        assert_eq!(self::told(&dir).await[told.len()..], ["E9"], "told once");
        assert_eq!(kept(&dir), ["intake-damaged-1"]);
    }
}

#[tokio::test]
async fn what_stands_in_the_place_of_a_damaged_record_is_kept_in_the_log() {
    let dir = waiting(&["E1", "E2", "E3"]).await;
    damage(&dir, "E2", 1);
    told(&dir).await;

    let reader = Reader::open(dir.path()).expect("reader");
    let line = reader.recent(None, 99).expect("recent").into_iter().find(|line| line.event_id.is_none()).expect("told");

    assert_eq!((line.verdict, line.account), (Verdict::Undecodable, None));
    let body = reader.delivery(line.id).expect("read").expect("there").body;
    assert!(body.ends_with(b"\nE\x22"), "{}", String::from_utf8_lossy(&body));
}

#[tokio::test]
async fn damage_in_the_last_of_what_was_taken_is_told_too() {
    let dir = waiting(&["E1", "E2", "E3"]).await;
    damage(&dir, "E2", 1);
    damage(&dir, "E3", 1);

    assert_eq!(told(&dir).await, ["E0", "E1", "2 deliveries that were taken cannot be read back", "E9"]);
    assert_eq!(kept(&dir), ["intake-damaged-1"]);
}

#[tokio::test]
async fn damage_in_what_stands_in_the_log_costs_nothing_behind_it() {
    let dir = waiting(&["E1", "E2"]).await;
    let head = head(&dir, 1);
    damage(&dir, "E0", head);

    assert_eq!(told(&dir).await, ["E0", "E1", "E2", "E9"]);
}

#[tokio::test]
async fn damage_in_what_stands_in_the_log_is_not_told() {
    let dir = waiting(&["E1", "E2", "E3"]).await;
    assert_eq!(told(&dir).await, ["E0", "E1", "E2", "E3", "E9"]);
    let last = head(&dir, 5);
    damage(&dir, "E1", 0);
    // By its checksum it is known that the log goes on from there.
    damage(&dir, "E9", last + 4);

    assert_eq!(told(&dir).await, ["E0", "E1", "E2", "E3", "E9", "E9"]);
    assert_eq!(kept(&dir), <[&str; 0]>::default());
}

#[tokio::test]
async fn a_record_in_the_body_of_a_damaged_one_is_none() {
    // The one behind it, while its length is known; then those that were never taken.
    for (number, length_is_damaged) in [(4, false), (6, true), (4000, true)] {
        let mut forged = vec![];
        segments::frame(&mut forged, number, &[&record::head(&raw("F")).expect("head"), b"F"]);
        let body = [b"carries\nit", &*forged].concat();
        let carrier = NewDelivery { account: None, ..delivery(Verdict::Accepted, None, &body) };
        let dir = waiting_raw(vec![raw("E1"), carrier, raw("E3")]).await;
        let length = head(&dir, 3) + 8;
        damage(&dir, "carries", if length_is_damaged { length - 8 } else { 0 });

        assert_eq!(told(&dir).await, ["E0", "E1", &lost("1 delivery that was"), "E3", "E9"], "{number}");
    }
}

#[tokio::test]
async fn behind_what_is_damaged_all_is_found_also_where_it_is_not_known_how_much_was_answered() {
    let all = ["E1", "E2", "E3", "E4"];
    // Its body, its number, its length.
    for part in [None, Some(8), Some(9), Some(0), Some(1)] {
        let dir = waiting(&all).await;
        damage(&dir, "E2", part.map_or(0, |part| head(&dir, 3) + part));
        answered(&dir, 1);

        let missing = "1 delivery that was perhaps taken cannot be read back";
        assert_eq!(told(&dir).await, ["E0", "E1", missing, "E3", "E4", "E9"], "{part:?}");
    }
}

#[tokio::test]
async fn where_the_last_one_in_the_log_has_a_wrong_length_all_behind_it_is_found() {
    let dir = waiting(&["E1", "E2"]).await;
    damage(&dir, "E0", head(&dir, 1) + 1);
    answered(&dir, 1);

    assert_eq!(told(&dir).await, ["E0", "E1", "E2", "E9"]);
}

#[test]
fn what_an_earlier_use_of_a_file_left_is_not_searched() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    let mut forged = vec![];
    segments::frame(&mut forged, 9, &[b"", b"forged"]);
    let large = forged.repeat(5 * 1024 * 1024 / forged.len());
    let smaller = vec![b'x'; 4 * 1024 * 1024];
    for (safe, body) in [(0, &*large), (0, &large), (2, &smaller)] {
        segments.append(&[[b"", body]], safe).expect("written").expect("room");
    }
    let used_again = fs::metadata(dir.path().join("intake-3")).is_err();
    assert!(used_again);

    let (_, found) = opened(dir.path(), second(dir.path())).expect("open");
    assert_eq!(found.iter().map(|found| found.id.number).collect::<Vec<_>>(), [3]);
}

/// Which record is the second.
fn second(dir: &Path) -> RecordId {
    let bytes = fs::read(dir.join("intake-2")).expect("read");
    let sum = u32::from_le_bytes(bytes[4..8].try_into().expect("four"));
    RecordId { number: 2, sum }
}

#[test]
fn what_stands_in_two_files_is_found_once() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    append(&mut segments, &["one", "two"], 0);
    drop(segments);
    fs::copy(dir.path().join("intake-1"), dir.path().join("intake-2")).expect("copied");

    assert_eq!(texts(&opened(dir.path(), NONE).expect("open").1), [(1, "one"), (2, "two")]);
}

#[tokio::test]
async fn what_is_missing_at_the_end_is_told_also_when_the_first_start_cannot_write() {
    let dir = waiting(&["E1", "E2"]).await;
    damage(&dir, "E2", 0);
    {
        let store = Store::open(dir.path()).expect("open");
        let lock = locked(&dir);
        drop(intake(&store));
        drop(lock);
    }

    let missing = lost("1 delivery that was");
    let missing = missing.split(':').next().expect("words");
    assert_eq!(told(&dir).await, ["E0", "E1", missing, "E9"]);
    assert_eq!(told(&dir).await.len(), 5, "told once");
}

#[tokio::test]
async fn what_was_in_the_log_before_it_was_told_where_to_go_on_is_not_missing() {
    let dir = waiting(&["E1", "E2", "E3"]).await;
    told(&dir).await;
    let last = head(&dir, 5);
    damage(&dir, "E1", 0);
    damage(&dir, "E9", last + 4);
    // It dies right after the log was told.
    {
        let store = Store::open(dir.path()).expect("open");
        let lock = locked(&dir);
        drop(intake(&store));
        lock.execute_batch("UPDATE log SET entered = 0, entered_sum = 0; COMMIT").expect("told");
    }

    assert_eq!(told(&dir).await, ["E0", "E1", "E2", "E3", "E9", "E9"]);
    assert_eq!(kept(&dir), <[&str; 0]>::default());
}

#[test]
fn what_is_damaged_in_the_marker_is_not_known() {
    let dir = tempfile::tempdir().expect("tempdir");
    let marker = Marker::open(dir.path()).expect("marker");
    marker.set(6);
    assert_eq!((marker.taken(), taken_in(dir.path())), (6, 6));
    for bit in 0..64 {
        let mut bytes = fs::read(dir.path().join(NAME)).expect("read");
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(dir.path().join(NAME), &bytes).expect("write");
        assert_eq!((marker.taken(), taken_in(dir.path())), (0, 0), "{bit}");
        marker.set(6);
    }
    answered(&dir, 7);
    assert_eq!(marker.taken(), 7, "as an earlier version wrote it");
}

#[tokio::test]
async fn where_a_file_cannot_be_written_it_goes_on_in_another_one() {
    let (dir, store) = store();
    let (mut segments, _) = opened(dir.path(), NONE).expect("open");
    segments.prepare();
    append(&mut segments, &["one"], 0);
    segments.spoil_last();

    assert_eq!(append(&mut segments, &["two", "three"], 0), Some(2));
    assert_eq!(append(&mut segments, &["four"], 4), Some(1));
    assert_eq!(segments.try_out(0, 4), Ok(Some(())));

    drop(segments);
    assert_eq!(texts(&opened(dir.path(), NONE).expect("open").1), [(1, "one"), (2, "two"), (3, "three"), (4, "four")]);
    drop(store);
}

#[tokio::test]
async fn an_append_that_was_cut_by_a_loss_of_power_keeps_no_file() {
    let dir = waiting(&["E1", "E2", "E3"]).await;
    damage(&dir, "E2", 0);
    answered(&dir, 2);

    assert_eq!(told(&dir).await, ["E0", "E1", "1 delivery that was perhaps taken cannot be read back", "E3", "E9"]);
    assert_eq!(kept(&dir), <[&str; 0]>::default());
}

/// A disk on which one sector cannot be read.
struct BadDisk(Vec<u8>);

impl FileExt for BadDisk {
    fn read_at(&self, to: &mut [u8], at: u64) -> io::Result<usize> {
        let at = usize::try_from(at).expect("small");
        if at < 8192 && at + to.len() > 4096 {
            return Err(Errno::IO.into());
        }
        (&self.0[at..]).read(to)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        unreachable!("nothing is written")
    }
}

#[test]
fn a_sector_that_cannot_be_read_costs_what_is_in_it() {
    let disk = BadDisk((0..12_000_u32).map(|n| n.to_le_bytes()[0] | 1).collect());
    let mut bytes = vec![7; 9000];

    assert!(!segments::read_at(&disk, &mut bytes, 1000).expect("read"));

    assert_eq!(bytes[..3096], disk.0[1000..4096]);
    assert!(bytes[3096..7192].iter().all(|byte| *byte == 0));
    assert_eq!(bytes[7192..], disk.0[8192..10_000]);
    assert!(segments::read_at(&disk, &mut bytes[..96], 4000).expect("read"));
    let behind = segments::read_at(&disk, &mut bytes, 11_000).expect_err("it ends before");
    assert_eq!(behind.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_file_that_somebody_deleted_is_missed() {
    let dir = waiting(&["E1", "E2"]).await;
    fs::remove_file(dir.path().join("intake-1")).expect("removed");

    assert_eq!(told(&dir).await, ["E0", "2 deliveries that were taken cannot be read back", "E9"]);
    assert_eq!(told(&dir).await.len(), 4, "told once");
}

#[tokio::test]
async fn what_was_never_answered_is_not_missed() {
    let dir = waiting(&["E1", "E2"]).await;
    damage(&dir, "E2", 0);
    answered(&dir, 2);

    assert_eq!(told(&dir).await, ["E0", "E1", "E9"]);
    assert_eq!(kept(&dir), <[&str; 0]>::default());
}

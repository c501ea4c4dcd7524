//! What the running server does when the machine fails it: 503 and the cause in words, never a 2xx for what is not
//! stored, and all is well again by itself when the cause is gone.

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    process::{Command, Output},
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use rustix::process::{Resource, Rlimit, prlimit};
use support::{
    door::{Door, Happening, door, door_on, door_with, life},
    eventually, holds_in_time,
};

mod support;

/// Senders give up after this.
const SENDER: Duration = Duration::from_secs(5);

/// Deliveries, one incident each, the first that is free of those before.
fn happenings(prefix: &str) -> impl Iterator<Item = Happening> {
    (0..).map(move |n| life(&format!("{prefix}{n}")).remove(0))
}

/// Posts until one is refused; the ids of those that were accepted.
fn fill(door: &Door, prefix: &str) -> Vec<String> {
    let mut accepted = vec![];
    for happening in happenings(prefix).take(20_000) {
        match door.post(&happening.body) {
            Some(202) => accepted.push(happening.id),
            Some(503) => return accepted,
            other => panic!("{other:?} for {}\n{}", happening.id, door.log()),
        }
    }
    panic!("never refused");
}

/// That `/readyz`, the doctor and the board's door all name the cause.
fn says(door: &Door, cause: &str) {
    let said = || door.ready().is_some_and(|(status, said)| status == 503 && said.contains(cause));
    assert!(holds_in_time(said), "{cause}: {:?}\n{}", door.ready(), door.log());
    let doctor = door.run(&["doctor"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let line = doctor.lines().find(|line| line.contains("receiver"));
    assert!(line.is_some_and(|line| line.starts_with("WRONG") && line.contains(cause)), "{doctor}");
    assert!(door.log().contains(cause), "{}", door.log());
}

fn accepts_again(door: &Door, id: &str) -> String {
    let happening = life(id).remove(0);
    door.post_until_accepted(&happening.body);
    door.until_ready();
    happening.id
}

fn assert_stored(door: &Door, mut accepted: Vec<String>) {
    let stored = door.stored();
    accepted.sort();
    let lost: Vec<_> = accepted.iter().filter(|id| !stored.contains(id)).collect();
    assert!(lost.is_empty(), "accepted, but not stored: {lost:?}");
    let mut once = stored.clone();
    once.dedup();
    assert_eq!(once, stored, "stored twice");
    assert_eq!(door.run(&["doctor", "--store"]).stdout, b"ok\n");
}

/// Whether this user may make file systems that only its own programs see.
fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

/// A door whose state directory is a file system of its own, of so many bytes, which only the server sees.
/// Without the right to make one there is `None`.
fn on_its_own_disk(size: &str) -> Option<std::sync::Arc<Door>> {
    if !can_mount() {
        return None;
    }
    let dir = tempfile::tempdir().expect("tempdir");
    let state = dir.path().join("state");
    fs::create_dir(&state).expect("dir");
    let door = door_on(dir, state.clone());
    let script = format!("mount -t tmpfs -o mode=0700,size={size} none {} && exec \"$@\"", state.display());
    door.start_by(&["unshare", "-rm", "sh", "-c", &script, "sh"], None);
    door.until_ready();
    Some(door)
}

/// Mounts it anew with other options, as the server sees it.
fn remount(door: &Door, options: &str) {
    let pid = door.pid().as_raw_nonzero().to_string();
    let enter = ["-t", &pid, "-U", "-m", "--preserve-credentials", "mount", "-o"];
    let options = format!("remount,{options}");
    let state = door.state().display().to_string();
    let done: Output = Command::new("nsenter").args(enter).args([&options, &state]).output().expect("nsenter runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_full_disk_is_503_with_the_cause_and_all_is_well_when_there_is_room() {
    let Some(door) = on_its_own_disk("3m") else { return a_file_that_may_not_grow() };
    door.is_apart();
    let mut accepted = vec![];
    // What was refused may make room: the log is carried into the database when nothing else comes.
    let mut round = 0;
    let full = holds_in_time(|| {
        accepted.extend(fill(&door, &format!("QFULL{round}X")));
        round += 1;
        door.ready().is_some_and(|(status, _)| status == 503)
    });
    assert!(full, "room again after each of {round} refusals\n{}", door.log());
    says(&door, "no room left on the disk: free some");

    remount(&door, "size=64m");

    accepted.push(accepts_again(&door, "QROOM"));
    for happening in happenings("QAFTER").take(20) {
        assert_eq!(door.post(&happening.body), Some(202));
        accepted.push(happening.id);
    }
    assert_stored(&door, accepted);
}

/// The same by a limit on the size of files, for where no file system can be mounted.
fn a_file_that_may_not_grow() {
    let door = door();
    door.start_by(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], None);
    door.until_ready();
    let limit = |bytes: Option<u64>| {
        let wanted = Rlimit { current: bytes, maximum: None };
        prlimit(Some(door.pid()), Resource::Fsize, wanted).expect("prlimit");
    };
    let mut accepted = fill_some(&door, 10);
    limit(Some(64 << 10));
    accepted.extend(fill(&door, "QFULL"));
    says(&door, "File too large");

    limit(None);

    accepted.push(accepts_again(&door, "QROOM"));
    assert_stored(&door, accepted);
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let door = door();
    door.start_with_a_full_log();
    let mut accepted = fill_some(&door, 3);
    let mut other = Connection::open(door.state().join("dogwatch.db")).expect("connect");
    let lock = other.transaction_with_behavior(TransactionBehavior::Exclusive).expect("lock");
    let unaware = life("QUNAWARE").remove(0);
    assert_eq!(door.post(&unaware.body), Some(202), "safe before anybody knows of the lock");
    accepted.push(unaware.id);
    eventually("it is known", || door.ready().is_some_and(|(status, _)| status == 503));
    assert_eq!(door.post(&life("QLOCKED").remove(0).body), Some(503));
    lock.rollback().expect("unlock");

    accepted.push(accepts_again(&door, "QLATER"));
    assert_stored(&door, accepted);
}

#[test]
fn a_file_size_limit_is_met_like_a_full_disk() {
    a_file_that_may_not_grow();
}

#[test]
fn on_a_read_only_file_system_the_start_is_refused_in_words() {
    let dir = tempfile::tempdir().expect("tempdir");
    let state = dir.path().join("state");
    fs::create_dir(&state).expect("dir");
    // Without the right to mount, a place that the kernel keeps read-only for everybody.
    let (state, script) = if can_mount() {
        (state.clone(), format!("mount -t tmpfs -o mode=0700,ro none {} && exec \"$@\"", state.display()))
    } else {
        ("/sys/kernel/dogwatch".into(), "exec \"$@\"".to_owned())
    };
    let door = door_on(dir, state);
    let by: &[&str] = if can_mount() { &["unshare", "-rm", "sh", "-c", &script, "sh"] } else { &[] };

    door.start_by(by, None);

    eventually("it ends", || door.ended().is_some_and(|ended| ended.code() == Some(1)));
    let said = door.log();
    assert!(said.contains(&door.state().display().to_string()) && said.contains("written"), "{said}");
}

#[test]
fn a_start_without_room_on_the_disk_ends_and_says_what_the_next_one_needs() {
    if !can_mount() {
        return;
    }
    let door = door();
    fs::create_dir(door.state()).expect("dir");
    let script = format!("mount -t tmpfs -o mode=0700,size=16k none {} && exec \"$@\"", door.state().display());
    let mut ended = None;

    door.start_by(&["unshare", "-rm", "sh", "-c", &script, "sh"], None);
    eventually("it ends", || {
        ended = door.ended();
        ended.is_some()
    });

    assert_eq!(ended.and_then(|ended| ended.code()), Some(1), "{}", door.log());
    let said = door.log();
    assert!(said.contains("no room left on the disk: free some, and the next start works"), "{said}");
}

#[test]
fn an_account_whose_secret_takes_long_keeps_no_other_waiting() {
    let door = door_with(
        r#"
        [[account]]
        name = "slow"
        provider = "pagerduty"
        base_url = "http://127.0.0.1:9"

        [account.webhook]
        url_key = "4b1d"
        secrets = [{ command = ["sleep", "600"] }]
        "#,
    );
    door.start(None);
    door.until_ready();

    assert_eq!(door.post(&life("Q1").remove(0).body), Some(202), "{}", door.log());
}

#[test]
fn a_lock_held_by_another_program_is_503_before_senders_give_up_and_no_trouble_after_it() {
    let door = door();
    door.start(None);
    door.until_ready();
    let mut other = Connection::open(door.state().join("dogwatch.db")).expect("connect");
    let lock = other.transaction_with_behavior(TransactionBehavior::Exclusive).expect("lock");

    let unaware = life("QUNAWARE").remove(0);
    assert_eq!(door.post(&unaware.body), Some(202), "safe before anybody knows of the lock");
    eventually("it is known", || door.ready().is_some_and(|(status, _)| status == 503));
    let waited: Vec<_> = std::thread::scope(|scope| {
        let posting = ["QA", "QB"].map(|id| {
            let door = &door;
            scope.spawn(move || {
                let begun = Instant::now();
                (door.post(&life(id).remove(0).body), begun.elapsed())
            })
        });
        posting.into_iter().map(|posted| posted.join().expect("posted")).collect()
    });
    says(&door, "is locked by another program");
    lock.rollback().expect("unlock");

    for (status, took) in waited {
        assert_eq!(status, Some(503));
        assert!(took < SENDER, "{took:?}");
    }
    let accepted = ["QA", "QB", "QC"].map(|id| accepts_again(&door, id));
    assert_stored(&door, accepted.into_iter().chain([unaware.id]).collect());
}

/// Starts it on what is in the state directory; how it ended and what it said.
fn refused(door: &Door) -> String {
    let done = door.run(&["serve"]);
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[test]
fn a_store_that_cannot_be_used_is_refused_at_the_start_in_words_and_left_as_it_is() {
    let door = door();
    door.start(None);
    let kept = fill_some(&door, 30);
    door.stop();
    let path = door.state().join("dogwatch.db");
    let whole = fs::read(&path).expect("read");
    let version = |number: i64| {
        let db = Connection::open(&path).expect("connect");
        db.pragma_update(None, "user_version", number).expect("version");
        let known: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).expect("version");
        drop(db);
        assert_eq!(known, number);
        fs::read(&path).expect("read")
    };

    let newer = version(1_000);
    assert!(refused(&door).contains("was written by a newer dogwatch (schema 1000"));
    assert!(fs::read(&path).expect("read") == newer, "left as it was");
    for broken in [whole[..whole.len() / 2 + 77].to_vec(), vec![0xA5; 100_000]] {
        fs::write(&path, &broken).expect("write");
        let said = refused(&door);
        assert!(said.contains("is damaged") && said.contains("aside together with its -wal"), "{said}");
        assert!(fs::read(&path).expect("read") == broken, "left as it was");
        let doctor = door.run(&["doctor", "--store"]);
        assert!(!doctor.status.success() && doctor.stdout.is_empty());
    }
    fs::write(&path, &whole).expect("write");

    door.start(None);
    let later = accepts_again(&door, "QLATER");
    assert_stored(&door, kept.into_iter().chain([later]).collect());
}

fn fill_some(door: &Door, how_many: usize) -> Vec<String> {
    let some = happenings("QSOME").take(how_many);
    some.map(|happening| {
        door.post_until_accepted(&happening.body);
        happening.id
    })
    .collect()
}

#[test]
fn a_backup_made_while_deliveries_come_in_is_restored_by_putting_it_in_place() {
    let door = door();
    door.start(None);
    let before = fill_some(&door, 20);
    let copy = door.state().with_file_name("copy.db");
    let named = copy.display().to_string();
    let made = std::thread::scope(|scope| {
        let coming = scope.spawn(|| happenings("QMORE").take(40).for_each(|h| door.post_until_accepted(&h.body)));
        let made = door.run(&["backup", &named]);
        coming.join().expect("accepted");
        made
    });
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(said.starts_with(&named) && said.contains(" deliveries, ") && said.ends_with("checked\n"), "{made:?}");
    assert_eq!(door.run(&["backup", &named]).status.code(), Some(2), "never overwritten");
    door.stop();
    for suffix in ["", "-wal", "-shm"] {
        let named = |name: &str| door.state().join(format!("{name}{suffix}"));
        // The log and its index are gone when the end had the time to write them back.
        let moved = fs::rename(named("dogwatch.db"), named("aside"));
        assert!(moved.is_ok() || !suffix.is_empty(), "{moved:?}");
    }
    fs::copy(&copy, door.state().join("dogwatch.db")).expect("restored");

    door.start(None);
    let later = accepts_again(&door, "QLATER");
    assert_stored(&door, before.into_iter().chain([later]).collect());
}

/// Processor time that the server has used, in ticks of a hundredth of a second (proc(5)).
fn ticks(door: &Door) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", door.pid().as_raw_nonzero())).expect("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("after the name").split_whitespace().collect();
    let number = |at: usize| fields[at].parse::<u64>().expect("a number");
    number(11) + number(12)
}

fn open_files(door: &Door) -> u64 {
    let files = fs::read_dir(format!("/proc/{}/fd", door.pid().as_raw_nonzero())).expect("fds").count();
    u64::try_from(files).expect("small")
}

#[test]
fn without_a_file_left_it_waits_without_spinning_and_serves_again_when_there_are_some() {
    let door = door();
    door.start(None);
    door.until_ready();
    let first = accepts_again(&door, "QFIRST");
    let few = Rlimit { current: Some(open_files(&door) + 3), maximum: Some(4096) };
    let before = prlimit(Some(door.pid()), Resource::Nofile, few).expect("prlimit");
    // They stay half-way in a request, so none of them is idle.
    let crowd: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(door.at).expect("the kernel takes it");
            stream.write_all(b"POST /hooks/prod/x HTTP/1.1\r\nhost: x\r\n").expect("write");
            stream
        })
        .collect();
    eventually("no connection can be taken", || door.log().contains("no connection can be taken"));

    let (used, begun) = (ticks(&door), Instant::now());
    // A delivery that comes now waits for those before it, whose time for a request's head is short.
    let happening = life("QCROWD").remove(0);
    door.post_until_accepted(&happening.body);
    let (used, took) = (ticks(&door) - used, begun.elapsed());

    let allowed = 50 + u64::try_from(took.as_millis()).expect("short") / 50;
    assert!(used < allowed, "{used} hundredths of a second of work in {took:?}");
    drop(crowd);
    let _ = prlimit(Some(door.pid()), Resource::Nofile, before);
    let later = accepts_again(&door, "QLATER");
    assert_stored(&door, vec![first, happening.id, later]);
}

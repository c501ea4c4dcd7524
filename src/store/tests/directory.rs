//! The files themselves: who can read and change them, whatever was there before, and what becomes of those that are
//! taken away.

use std::{fs::Permissions, os::unix::fs::symlink};

use super::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

#[tokio::test]
async fn files_are_for_their_owner_alone_and_lax_permissions_are_tightened() {
    let home = tempfile::tempdir().expect("tempdir");
    let dir = home.path().join("state/dogwatch");
    let store = Store::open(&dir).expect("open");
    store.record(event("E1")).await.expect("recorded");

    assert_eq!((mode(&dir), mode(&home.path().join("state"))), (0o700, 0o700));
    for name in ["dogwatch.db", "dogwatch.db-wal", "dogwatch.db-shm"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }

    drop(store);
    set_mode(&dir, 0o755);
    set_mode(&dir.join("dogwatch.db"), 0o644);
    drop(Store::open(&dir).expect("reopen"));
    assert_eq!((mode(&dir), mode(&dir.join("dogwatch.db"))), (0o700, 0o600));
}

#[test]
fn a_planted_link_and_a_directory_for_all_are_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::write(dir.path().join("victim"), "").expect("write");
    symlink(dir.path().join("victim"), files::path_in(dir.path())).expect("symlink");
    assert!(matches!(Store::open(dir.path()).err(), Some(StoreError::Unsafe { .. })));

    let shared = tempfile::tempdir().expect("tempdir");
    fs::write(shared.path().join("something"), "").expect("write");
    set_mode(shared.path(), 0o777);
    let refused = Store::open(shared.path()).err().expect("refused");
    assert!(refused.to_string().contains("others can write"), "{refused}");
    assert!(!files::path_in(shared.path()).exists());
}

#[test]
fn a_directory_of_several_things_that_others_may_only_read_is_taken_and_left_as_it_is() {
    let home = tempfile::tempdir().expect("tempdir");
    fs::write(home.path().join("something"), "").expect("write");
    set_mode(home.path(), 0o755);

    let store = Store::open(home.path());

    assert_eq!(store.err(), None);
    assert_eq!((mode(home.path()), mode(&files::path_in(home.path()))), (0o755, 0o600));
}

#[test]
fn what_is_for_its_owner_alone_already_keeps_its_permissions() {
    let (dir, store) = store();
    drop(store);
    set_mode(dir.path(), 0o1700);
    set_mode(&files::path_in(dir.path()), 0o400);

    // Whoever is not root is refused.
    drop(Store::open(dir.path()));

    let whole = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o7777;
    assert_eq!((whole(dir.path()), whole(&files::path_in(dir.path()))), (0o1700, 0o400));
}

#[tokio::test]
async fn a_database_taken_away_under_it_is_noticed_before_anything_is_promised() {
    let (dir, store) = store();
    store.record(event("E1")).await.expect("recorded");
    let path = files::path_in(dir.path());
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", path.display())).expect("remove");
    }

    for _ in 0..2 {
        let refused = store.record(event("E2")).await.expect_err("gone");
        assert!(matches!(refused, StoreError::Gone { .. }), "{refused}");
    }
    drop(store);
    let store = Store::open(dir.path()).expect("a new database");
    store.record(event("E3")).await.expect("recorded");
    assert_eq!(event_ids(&Reader::open(dir.path()).expect("reader")), ["E3"]);
}

#[tokio::test]
async fn a_database_that_was_moved_away_is_whole_when_it_is_put_back() {
    let (dir, store) = store();
    let path = files::path_in(dir.path());
    store.record(event("E1")).await.expect("recorded");
    let aside = dir.path().join("aside");
    fs::rename(&path, &aside).expect("moved");
    for _ in 0..2 {
        store.record(event("E2")).await.expect_err("gone");
    }
    assert!(!path.exists(), "no other one is begun");
    fs::rename(&aside, &path).expect("put back");
    store.record(event("E3")).await.expect("recorded");
    assert_eq!(event_ids(&Reader::open(dir.path()).expect("reader")), ["E1", "E3"]);
}

#[tokio::test]
async fn no_new_database_is_begun_beside_the_log_of_one_that_is_not_there() {
    let (dir, store) = store();
    let path = files::path_in(dir.path());
    store.record(event("E1")).await.expect("recorded");
    // The way a machine that lost power leaves it, with the database moved away.
    let saved = dir.path().join("saved");
    fs::create_dir(&saved).expect("dir");
    for suffix in ["", "-wal"] {
        fs::copy(format!("{}{suffix}", path.display()), saved.join(format!("dogwatch.db{suffix}"))).expect("copied");
    }
    let elsewhere = tempfile::tempdir().expect("tempdir");
    fs::copy(saved.join("dogwatch.db-wal"), elsewhere.path().join("dogwatch.db-wal")).expect("copied");

    let refused = Store::open(elsewhere.path()).err().expect("refused").to_string();

    assert!(refused.contains("dogwatch.db-wal: is there without"), "{refused}");
    fs::copy(saved.join("dogwatch.db"), elsewhere.path().join("dogwatch.db")).expect("put back");
    drop(Store::open(elsewhere.path()).expect("open"));
    assert_eq!(event_ids(&Reader::open(elsewhere.path()).expect("reader")), ["E1"]);
}

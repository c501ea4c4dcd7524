//! Who can read and change the files, whatever was there before.

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

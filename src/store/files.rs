//! The files on disk: nobody but their owner can read them, whatever the umask.
//!
//! An existing database file is never opened here: closing a second descriptor would drop `SQLite`'s POSIX
//! locks on it, so only `stat` and `chmod` touch it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::unistd::User;
use rustix::process::Uid;

use super::StoreError;

const NAME: &str = "dogwatch.db";
/// What group and others could do.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

/// Where the database lies in a state directory.
pub(super) fn path_in(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// Makes the directory and an empty database file where they are missing, and tightens permissions.
/// Returns the file's path without symbolic links in it.
pub(super) fn prepare(dir: &Path) -> Result<PathBuf, StoreError> {
    let failed = |error: io::Error| StoreError::io(dir, &error);
    make_dir(dir).map_err(failed)?;
    let dir = dir.canonicalize().map_err(failed)?;
    guard_dir(&dir)?;
    let path = path_in(&dir);
    if is_half_gone(&path) {
        let wal = with_suffix(&path, "-wal").display().to_string();
        let reason = format!("is there without {}: put that back, or move both -wal and -shm away too", path.display());
        return Err(StoreError::Unsafe { path: wal, reason });
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match made {
        Ok(_) => sync_dir(&dir).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::io(&path, &error)),
    }
    for suffix in ["", "-wal", "-shm"] {
        guard_file(&with_suffix(&path, suffix))?;
    }
    Ok(path)
}

/// Whether only the write-ahead log of a database is there. `SQLite` would delete it where it makes a new database, and
/// with it what is committed only there.
fn is_half_gone(path: &Path) -> bool {
    !path.exists() && fs::metadata(with_suffix(path, "-wal")).is_ok_and(|wal| wal.len() > 0)
}

/// Which file this is: device and inode.
pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Creates what is missing of the path, 0700, and makes the new entries durable.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Takes a directory of our own for itself (0700); refuses one in which others could exchange our files.
fn guard_dir(dir: &Path) -> Result<(), StoreError> {
    let refuse = |reason: &str| Err(StoreError::Unsafe { path: dir.display().to_string(), reason: reason.to_owned() });
    let failed = |error: io::Error| StoreError::io(dir, &error);
    let about = fs::metadata(dir).map_err(failed)?;
    if is_of_another(about.uid(), rustix::process::geteuid()) {
        return refuse("belongs to another user: name a directory of your own with --state-dir");
    }
    if about.mode() & OTHERS == 0 {
        return Ok(());
    }
    let ours = path_in(dir).exists() || fs::read_dir(dir).map_err(failed)?.next().is_none();
    if ours {
        return fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed);
    }
    if about.mode() & OTHERS_WRITE != 0 {
        return refuse("others can write to this directory: name one of your own with --state-dir");
    }
    Ok(())
}

/// That a file belongs to another user than `me`, who cannot use it for that: root put a copy in its place, perhaps.
pub(super) fn of_another(path: &Path, me: Uid) -> Option<StoreError> {
    let about = fs::metadata(path).ok().filter(|about| is_of_another(about.uid(), me))?;
    let (owner, me, path) = (login(about.uid()), login(me.as_raw()), path.display().to_string());
    let reason = format!("belongs to {owner}, mode {:03o}: as root, `chown {me} {path}`", about.mode() & 0o777);
    Some(StoreError::Unsafe { path, reason })
}

/// The same for a database and what lies beside it.
pub(super) fn database_of_another(path: &Path, me: Uid) -> Option<StoreError> {
    ["", "-wal", "-shm"].iter().find_map(|suffix| of_another(&with_suffix(path, suffix), me))
}

/// The login name of `uid`, else the number itself.
fn login(uid: u32) -> String {
    let known = User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    known.map_or_else(|| uid.to_string(), |user| user.name)
}

/// Root works for everybody.
fn is_of_another(owner: u32, me: Uid) -> bool {
    owner != me.as_raw() && !me.is_root()
}

fn guard_file(path: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::io(path, &error);
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about.map_err(failed)?,
    };
    if !about.is_file() {
        let reason = "is not a plain file: move it away".to_owned();
        return Err(StoreError::Unsafe { path: path.display().to_string(), reason });
    }
    if about.mode() & OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_may_use_the_directory_of_somebody_else() {
        let (alice, root) = (Uid::from_raw(1000), Uid::ROOT);

        assert!(is_of_another(1001, alice) && is_of_another(0, alice));
        assert!(!is_of_another(1000, alice) && !is_of_another(1000, root) && !is_of_another(0, root));
    }

    #[test]
    fn a_copy_that_another_user_put_in_place_is_named_with_its_owner_and_what_to_do() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = path_in(dir.path());
        let log = with_suffix(&path, "-wal");
        for file in [&path, &log] {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).expect("a file");
        }
        let (owner, other) = (rustix::process::geteuid(), Uid::from_raw(4_000_711));

        let said = database_of_another(&path, other).expect("of another").to_string();

        let (owner_name, path_text) = (login(owner.as_raw()), path.display());
        let told = format!("{path_text}: belongs to {owner_name}, mode 600: as root, `chown 4000711 {path_text}`");
        assert_eq!(said, told);
        fs::remove_file(&path).expect("removed");
        assert!(
            database_of_another(&path, other).is_some_and(|theirs| theirs.to_string().contains("-wal: belongs to"))
        );
        assert_eq!(database_of_another(&path, owner), None);
    }
}

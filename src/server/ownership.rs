//! Finding the owner of a state directory, or becoming it.
//!
//! The lock decides who owns; an answered hello decides whether the owner is alive. Nothing is concluded
//! from a pid or from a file that exists. Lock and socket lie beside the database that they protect:
//! whoever finds the same database finds the same lock, whatever the login's environment says.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::io::Errno;
use tokio::{
    net::{UnixListener, UnixStream},
    time::{Instant, sleep},
};

use super::lease::Lease;

/// What this process is to the state directory.
#[derive(Debug)]
pub enum Role {
    /// This process serves. The socket is bound, and stays ours for as long as the lease is held.
    Owner { lease: Lease, socket: UnixListener },
    /// Another process serves, and this is the line to it.
    Console(UnixStream),
}

#[derive(Debug, thiserror::Error)]
pub enum OwnershipError {
    #[error(
        "another dogwatch holds {} and does not answer: it is starting, or ending and not done yet; end it only if that \
         lasts for a minute", .0.display()
    )]
    Silent(PathBuf),
    #[error("the state directory {}: {reason}", .path.display())]
    Directory { path: PathBuf, reason: String },
    #[error("the control socket {}: {source}", .path.display())]
    Socket { path: PathBuf, source: io::Error },
}

const RETRY: Duration = Duration::from_millis(20);
/// A Unix socket's path has at most 108 bytes on Linux.
const SOCKET_PATH_LIMIT: usize = 107;

/// Where the owner of `dir` listens.
pub fn socket_path(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// Makes `dir` ready: there, ours, and closed to others.
pub fn prepare(dir: &Path) -> Result<(), OwnershipError> {
    let wrong = |reason: String| OwnershipError::Directory { path: dir.to_owned(), reason };
    if !dir.exists() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| wrong(e.to_string()))?;
    }
    let meta = fs::metadata(dir).map_err(|e| wrong(e.to_string()))?;
    let uid = rustix::process::geteuid().as_raw();
    if !meta.is_dir() {
        return Err(wrong("is not a directory".into()));
    }
    if meta.uid() != uid {
        return Err(wrong(format!("belongs to uid {}, not to you (uid {uid})", meta.uid())));
    }
    if meta.mode() & 0o077 != 0 {
        // Somebody's home or project named by mistake keeps its mode.
        if !is_new_or_known(dir) {
            return Err(wrong("others can enter it and it holds other things: name one of its own".into()));
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|e| wrong(e.to_string()))?;
    }
    if socket_path(dir).as_os_str().len() > SOCKET_PATH_LIMIT {
        return Err(wrong("its path is too long for a socket; choose a shorter one".into()));
    }
    Ok(())
}

fn is_new_or_known(dir: &Path) -> bool {
    // In this order: another one that starts now may make the first of these in between.
    let is_new = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    is_new || ["owner.lock", "dogwatch.db", "control.sock"].iter().any(|name| dir.join(name).exists())
}

/// Connects to whoever serves on `path`; `None` when nobody does.
pub async fn dial(path: &Path) -> Result<Option<UnixStream>, OwnershipError> {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    match UnixStream::connect(path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(e) if matches!(e.kind(), NotFound | ConnectionRefused) => Ok(None),
        Err(source) => Err(OwnershipError::Socket { path: path.to_owned(), source }),
    }
}

/// Connects to the owner of `dir`, or becomes it; waits up to `patience` while one is starting or leaving.
pub async fn attach_or_own(dir: &Path, patience: Duration) -> Result<Role, OwnershipError> {
    prepare(dir)?;
    let path = socket_path(dir);
    let failed = |source| OwnershipError::Socket { path: path.clone(), source };
    let give_up = Instant::now() + patience;
    loop {
        if let Some(stream) = dial(&path).await? {
            return Ok(Role::Console(stream));
        }
        let lease = Lease::acquire(&dir.join("owner.lock"))
            .map_err(|error| OwnershipError::Directory { path: dir.to_owned(), reason: no_lock(&error) })?;
        if let Some(lease) = lease {
            // Only the holder of the lease gets here, so a socket that is still there is a dead one.
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
                _ => {}
            }
            let socket = UnixListener::bind(&path).map_err(failed)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
            return Ok(Role::Owner { lease, socket });
        }
        if Instant::now() >= give_up {
            return Err(OwnershipError::Silent(dir.to_owned()));
        }
        sleep(RETRY).await;
    }
}

fn no_lock(error: &io::Error) -> String {
    if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
        return "owner.lock in it is a link: move it away".to_owned();
    }
    format!("no lock can be had in it ({error}): see that it can be written, or name another one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    async fn race(dir: &Arc<PathBuf>, contenders: usize) -> Vec<Role> {
        let tasks: Vec<_> = (0..contenders)
            .map(|_| {
                let dir = Arc::clone(dir);
                tokio::spawn(async move { attach_or_own(&dir, Duration::from_secs(5)).await.expect("a role") })
            })
            .collect();
        let mut roles = vec![];
        for task in tasks {
            roles.push(task.await.expect("join"));
        }
        roles
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn exactly_one_owns_however_many_start_at_once_and_after_the_owner_leaves() {
        let temp = tempfile::tempdir().expect("tempdir");
        let dir = Arc::new(temp.path().to_owned());
        for round in 0..50 {
            let roles = race(&dir, 8).await;
            let owners = roles.iter().filter(|r| matches!(r, Role::Owner { .. })).count();
            assert_eq!(owners, 1, "round {round}");
        }
    }

    #[tokio::test]
    async fn a_holder_that_does_not_listen_is_reported_not_replaced() {
        let dir = tempfile::tempdir().expect("tempdir");
        let _stuck = Lease::acquire(&dir.path().join("owner.lock")).expect("io").expect("free");

        let answer = attach_or_own(dir.path(), Duration::from_millis(100)).await;

        assert!(matches!(answer, Err(OwnershipError::Silent(_))));
    }

    #[tokio::test]
    async fn a_link_in_place_of_the_lock_is_named_and_not_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().expect("tempdir"), tempfile::tempdir().expect("tempdir"));
        let target = elsewhere.path().join("made");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).expect("mode");
        std::os::unix::fs::symlink(&target, dir.path().join("owner.lock")).expect("a link");

        let answer = attach_or_own(dir.path(), Duration::from_secs(1)).await;

        let said = answer.expect_err("refused").to_string();
        assert!(said.ends_with("owner.lock in it is a link: move it away"), "{said}");
        assert!(!target.exists());
    }

    #[test]
    fn a_directory_with_other_things_in_it_keeps_its_mode() {
        let temp = tempfile::tempdir().expect("tempdir");
        fs::write(temp.path().join("thesis.txt"), "…").expect("file");
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).expect("mode");

        assert!(prepare(temp.path()).is_err());
        assert_eq!(fs::metadata(temp.path()).expect("dir").mode() & 0o777, 0o755);
    }

    #[tokio::test]
    async fn the_directory_and_the_socket_are_closed_to_others() {
        let temp = tempfile::tempdir().expect("tempdir");
        let dir = temp.path().join("state");
        fs::create_dir(&dir).expect("dir");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("mode");

        let _role = attach_or_own(&dir, Duration::from_secs(1)).await.expect("role");

        assert_eq!(fs::metadata(&dir).expect("dir").mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(socket_path(&dir)).expect("socket").mode() & 0o777, 0o600);
    }
}

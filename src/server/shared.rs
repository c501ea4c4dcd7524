//! The socket where other users of the host find a shared server.
//!
//! Both sides are careful: the server lets nobody in before mode and group are as they should be, and a console
//! talks to nobody whom root did not put there.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixStream as Blocking,
    },
    path::{Path, PathBuf},
};

use rustix::process::Gid;
use tokio::{
    net::{UnixListener, UnixStream},
    task::spawn_blocking,
};

use super::users;

/// The socket of a server that runs as a system service.
pub const SHARED_SOCKET: &str = "/run/dogwatch/control.sock";

#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    #[error("the shared socket {}: {reason}", .path.display())]
    Unusable { path: PathBuf, reason: String },
    #[error(
        "the shared server at {} lets only the members of the group {group} in, and you ({user}) are none: \
         have yourself put into it, then log in anew",
        .path.display()
    )]
    NoMember { path: PathBuf, user: String, group: String },
    #[error("the server at {} lets nobody but its own user in", .path.display())]
    Private { path: PathBuf },
    #[error("{} is not to be trusted: {reason}", .path.display())]
    Untrusted { path: PathBuf, reason: String },
}

/// A socket of ours that others may use; dropped, it is gone.
#[derive(Debug)]
pub struct Shared {
    path: PathBuf,
    /// Device and number of the file.
    file: (u64, u64),
}

impl Drop for Shared {
    fn drop(&mut self) {
        // A successor may have put its own there.
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path` for the members of `group`, or for our own user alone.
pub fn bind(path: &Path, group: Option<&str>) -> Result<(UnixListener, Shared), SharedError> {
    let unusable = |reason: String| SharedError::Unusable { path: path.to_owned(), reason };
    let failed = |error: io::Error| unusable(error.to_string());
    // Nothing runs yet that would have to wait for a directory of groups.
    let gid = group.map(users::group).transpose().map_err(&unusable)?;
    let dir = path.parent().ok_or_else(|| unusable("it needs a directory".to_owned()))?;
    if !dir.exists() {
        fs::DirBuilder::new().mode(0o755).create(dir).map_err(|e| {
            unusable(format!("its directory cannot be made ({e}): let root make one for {}", users::own_name()))
        })?;
    }
    keeper(dir, PEOPLE).map_err(&unusable)?;
    make_way(path).map_err(&unusable)?;
    // Bound where nobody else can go, and moved to its place when mode and group are right.
    let hidden = tempfile::Builder::new().prefix(".").tempdir_in(dir).map_err(failed)?;
    let first = hidden.path().join("s");
    let listener = UnixListener::bind(&first).map_err(failed)?;
    if let (Some(gid), Some(name)) = (gid, group) {
        let gid = Some(Gid::from_raw(gid));
        rustix::fs::chown(&first, None, gid).map_err(|e| {
            unusable(format!("it cannot be given to the group {name} ({e}): is {} in it?", users::own_name()))
        })?;
    }
    let mode = if group.is_some() { 0o660 } else { 0o600 };
    fs::set_permissions(&first, fs::Permissions::from_mode(mode)).map_err(failed)?;
    let meta = fs::symlink_metadata(&first).map_err(failed)?;
    fs::rename(&first, path).map_err(failed)?;
    Ok((listener, Shared { path: path.to_owned(), file: (meta.dev(), meta.ino()) }))
}

/// A socket that nobody answers at may be replaced; nothing else is.
fn make_way(path: &Path) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e.to_string()),
        Ok(meta) if !meta.file_type().is_socket() => Err("something that is no socket is there already".to_owned()),
        Ok(_) => match Blocking::connect(path) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(e) => Err(e.to_string()),
            Ok(_) => Err("another server listens there".to_owned()),
        },
    }
}

/// Connects to the shared server at `path`, where it is looked for unasked; `None` when there is none.
pub async fn dial(path: &Path) -> Result<Option<UnixStream>, SharedError> {
    reach(path, PEOPLE).await
}

/// The same at a path that somebody named: a person to whom root gave the directory may serve there too.
pub async fn dial_named(path: &Path) -> Result<Option<UnixStream>, SharedError> {
    reach(path, u32::MAX).await
}

async fn reach(path: &Path, below: u32) -> Result<Option<UnixStream>, SharedError> {
    let untrusted = |reason: String| SharedError::Untrusted { path: path.to_owned(), reason };
    let unusable = |error: String| SharedError::Unusable { path: path.to_owned(), reason: error };
    let Some(dir) = path.parent().filter(|dir| dir.exists()).map(Path::to_owned) else { return Ok(None) };
    // It names users, who may have to be asked for.
    let keeper =
        spawn_blocking(move || keeper(&dir, below)).await.map_err(|e| unusable(e.to_string()))?.map_err(untrusted)?;
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(e) => match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => return Ok(None),
            io::ErrorKind::PermissionDenied => {
                return Err(closed(path).await);
            }
            _ => return Err(unusable(e.to_string())),
        },
    };
    // Whoever called `listen`: the server's user, or root's service manager.
    let listens = stream.peer_cred().map_err(|e| unusable(e.to_string()))?.uid();
    if ![0, users::own_uid(), keeper].contains(&listens) {
        let (who, whose) = (users::find_name(listens).await, users::find_name(keeper).await);
        return Err(untrusted(format!("{who} listens there, in a directory of {whose}")));
    }
    Ok(Some(stream))
}

/// Why we may not connect to `path`.
async fn closed(path: &Path) -> SharedError {
    let group = fs::metadata(path).ok().filter(|socket| socket.mode() & 0o060 == 0o060).map(|socket| socket.gid());
    let path = path.to_owned();
    match group {
        Some(gid) => {
            let user = users::find_name(users::own_uid()).await;
            SharedError::NoMember { path, user, group: users::find_group(gid).await }
        }
        None => SharedError::Private { path },
    }
}

/// The user in whose directory `dir` a socket is as good as root's or ours: root or ourselves, or a user `below` this number
/// to whom root gave the directory. Nobody else can have put a file there.
fn keeper(dir: &Path, below: u32) -> Result<u32, String> {
    let dir = fs::canonicalize(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut above = None;
    let mut path = PathBuf::new();
    for part in dir.components() {
        path.push(part);
        let meta = fs::symlink_metadata(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let here = Place { owner: meta.uid(), mode: meta.mode() };
        let last = path == dir;
        if let Some(reason) = here.doubt(above, last, (users::own_uid(), below)) {
            return Err(format!("{} {reason}", path.display()));
        }
        above = Some(here);
    }
    above.map(|place| place.owner).ok_or_else(|| "it needs a directory".to_owned())
}

/// Users below this are the system's: services run as them, and nobody logs in as one (`SYS_UID_MAX`). Whatever root made
/// for another one, a home first of all, is theirs and no service's, unless somebody says so.
const PEOPLE: u32 = 1000;

/// A directory on the way to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    owner: u32,
    mode: u32,
}

impl Place {
    /// Others cannot make or replace anything in it.
    fn is_closed(self) -> bool {
        self.mode & 0o022 == 0
    }

    /// Others can make things in it, but not replace what they did not make.
    fn is_sticky(self) -> bool {
        self.mode & 0o1000 != 0
    }

    /// Why nothing below it is to be trusted, if so; `below`: to whom root can have given it.
    fn doubt(self, above: Option<Self>, last: bool, (us, below): (u32, u32)) -> Option<String> {
        let given_by_root = last && above.is_some_and(|above| above.owner == 0 && above.is_closed());
        if !([0, us].contains(&self.owner) || given_by_root && self.owner < below) {
            let owner = users::name(self.owner);
            return Some(if given_by_root {
                format!("was given to {owner}, a person and no user of the system: --socket takes it all the same")
            } else {
                format!("belongs to {owner}, and not to root, to somebody to whom root gave it, or to you")
            });
        }
        let open = !self.is_closed() && (last || !self.is_sticky());
        open.then(|| format!("can be changed by others (mode {:03o})", self.mode & 0o7777))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::chown;

    const US: u32 = 1000;
    const SERVICE: u32 = 998;
    const MALLORY: u32 = 1005;

    fn place(owner: u32, mode: u32) -> Place {
        Place { owner, mode }
    }

    /// Whether a socket in the last of these directories is trusted unasked.
    fn trusted(way: &[Place]) -> bool {
        trusted_below(PEOPLE, way)
    }

    fn trusted_below(below: u32, way: &[Place]) -> bool {
        let mut above = None;
        way.iter().enumerate().all(|(at, here)| {
            let doubt = here.doubt(above, at + 1 == way.len(), (US, below));
            above = Some(*here);
            doubt.is_none()
        })
    }

    #[test]
    fn only_what_root_or_we_put_there_is_trusted() {
        let (root, run) = (place(0, 0o755), place(0, 0o755));
        let tmp = place(0, 0o1777);
        assert!(trusted(&[root, run, place(0, 0o755)]));
        assert!(trusted(&[root, run, place(SERVICE, 0o755)]), "root gave it to the service");
        assert!(trusted(&[root, tmp, place(US, 0o700)]), "our own");
        for way in [
            [root, tmp, place(MALLORY, 0o755)],
            [root, run, place(MALLORY, 0o755)],
            [root, run, place(SERVICE, 0o775)],
            [root, run, place(0, 0o1777)],
            [root, place(0, 0o777), place(0, 0o755)],
            [root, place(MALLORY, 0o755), place(US, 0o700)],
        ] {
            assert!(!trusted(&way), "{way:?}");
            let given = way[1] == run && way[2] == place(MALLORY, 0o755);
            assert_eq!(trusted_below(u32::MAX, &way), given, "{way:?}, named");
            let words = way[2].doubt(Some(way[1]), true, (US, PEOPLE)).unwrap_or_default();
            assert_eq!(words.contains("--socket takes it"), given, "{way:?}: {words}");
        }
    }

    fn dir(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).expect("mode");
        dir
    }

    #[tokio::test]
    async fn the_socket_is_open_to_its_group_and_to_nobody_else() {
        let dir = dir(0o755);
        let path = dir.path().join("control.sock");
        let own = fs::metadata(dir.path()).expect("dir").gid();
        let table = fs::read_to_string("/etc/group").expect("groups");
        let group = table.lines().find(|line| line.split(':').nth(2) == Some(&own.to_string())).expect("our group");
        let group = group.split(':').next().expect("name");

        let (_listener, shared) = bind(&path, Some(group)).expect("bound");

        let meta = fs::metadata(&path).expect("socket");
        assert_eq!((meta.mode() & 0o777, meta.gid()), (0o660, own));
        assert!(dial(&path).await.expect("trusted").is_some());
        drop(shared);
        assert!(!path.exists());
        assert!(dial(&path).await.expect("nothing to distrust").is_none());
    }

    #[tokio::test]
    async fn without_a_group_only_its_owner_comes_in() {
        let dir = dir(0o755);
        let path = dir.path().join("control.sock");

        let (_listener, _shared) = bind(&path, None).expect("bound");

        assert_eq!(fs::metadata(&path).expect("socket").mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_a_living_one_and_anything_else_is_not() {
        let dir = dir(0o755);
        let path = dir.path().join("control.sock");
        drop(UnixListener::bind(&path).expect("bind"));
        let (_listener, _shared) = bind(&path, None).expect("the dead one makes way");

        let second = bind(&path, None).expect_err("taken").to_string();
        let file = dir.path().join("file");
        fs::write(&file, "mine").expect("write");
        let third = bind(&file, None).expect_err("not ours").to_string();

        assert!(second.contains("another server listens there"), "{second}");
        assert!(third.contains("no socket"), "{third}");
        assert_eq!(fs::read_to_string(&file).expect("still there"), "mine");
    }

    #[tokio::test]
    async fn a_socket_goes_with_its_server_unless_a_successor_has_put_its_own_there() {
        let dir = dir(0o755);
        let path = dir.path().join("control.sock");
        let (listener, first) = bind(&path, None).expect("bound");
        drop(listener);
        let (_listener, _second) = bind(&path, None).expect("the successor");

        drop(first);

        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_directory_that_others_can_write_to_is_no_place_for_it() {
        let dir = dir(0o777);
        let path = dir.path().join("control.sock");

        assert!(bind(&path, None).is_err());
        let _listener = UnixListener::bind(&path).expect("bind");
        assert!(matches!(dial(&path).await, Err(SharedError::Untrusted { .. })));
    }

    #[tokio::test]
    async fn a_socket_in_somebody_elses_directory_is_not_talked_to() {
        let dir = dir(0o755);
        let path = dir.path().join("control.sock");
        let _listener = UnixListener::bind(&path).expect("bind");
        // Only root can give a directory away; for others the rule is tested above.
        if chown(dir.path(), Some(MALLORY), None).is_err() {
            return;
        }

        let refused = dial(&path).await.expect_err("a trap").to_string();

        assert!(refused.contains("is not to be trusted") && refused.contains("belongs to"), "{refused}");
    }
}

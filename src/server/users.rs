//! The users and groups of this host, as it knows them itself or from a directory (LDAP, SSSD) that it is joined to.
//! A directory can take seconds to answer: what others wait for does not wait for it.

use std::sync::LazyLock;

use nix::{
    errno::Errno,
    unistd::{Gid, Group, Uid, User},
};
use tokio::task::spawn_blocking;

/// The login name of `uid`, else the number itself.
pub fn name(uid: u32) -> String {
    let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    known.map_or_else(|| number(uid), |user| user.name)
}

/// The same for where nobody may be held up.
pub async fn find_name(uid: u32) -> String {
    spawn_blocking(move || name(uid)).await.unwrap_or_else(|_| number(uid))
}

/// What a user without a known name is called.
pub fn number(uid: u32) -> String {
    format!("uid {uid}")
}

/// The user this process runs as; only the first call asks for it.
pub fn own_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| name(own_uid()));
    &NAME
}

pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The name of the group `gid`, else the number itself, for where nobody may be held up.
pub async fn find_group(gid: u32) -> String {
    let known = spawn_blocking(move || Group::from_gid(Gid::from_raw(gid)).ok().flatten()).await.ok().flatten();
    known.map_or_else(|| format!("gid {gid}"), |group| group.name)
}

/// The number of the group `name`; else why there is none to be had.
pub fn group(name: &str) -> Result<u32, String> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        // Some directories answer so when they do not know it (getgrnam(3)).
        Ok(None) | Err(Errno::ENOENT | Errno::ESRCH) => Err(format!("there is no group {name}")),
        Err(error) => Err(format!("whether there is a group {name} cannot be found out: {}", error.desc())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_and_who_is_not_is_called_by_number() {
        assert_eq!((name(0).as_str(), group("root")), ("root", Ok(0)));
        assert_eq!(name(4_000_711), "uid 4000711");
        assert_eq!(group("no-such-group-here"), Err("there is no group no-such-group-here".to_owned()));
    }
}

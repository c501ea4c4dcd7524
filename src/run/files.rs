//! Files that the person asked to be written. Nobody else can read them, and none takes the place of another unasked.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::app::handoff::{Replace, Written};

/// Writes `text` to `path`, in which `~/` is the home directory.
pub(super) fn write(path: &str, text: &str, replace: Replace, home: Option<&Path>) -> Written {
    let place = place(path, home);
    let path = place.display().to_string();
    let written = match replace {
        Replace::Never => create(&place, text),
        Replace::Asked => put_in_place(&place, text),
    };
    match written {
        Ok(()) => Written::Done { path },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Written::Exists { path },
        Err(error) => Written::Failed { path, reason: error.to_string() },
    }
}

fn place(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

fn create(place: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(place)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The file is the former one or the new one, also after a crash; what is no file stays.
fn put_in_place(place: &Path, text: &str) -> io::Result<()> {
    if place.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("what is there is no file"));
    }
    let dir = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".dogwatch-").tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(place).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[test]
    fn a_file_is_for_its_owner_alone_and_replaces_another_only_when_asked() {
        let home = tempfile::tempdir().expect("directory");
        let write = |text, replace| write("~/handoff.txt", text, replace, Some(home.path()));
        let path = home.path().join("handoff.txt");
        let name = path.display().to_string();
        let read = || fs::read_to_string(&path).expect("text");

        assert_eq!(write("one", Replace::Never), Written::Done { path: name.clone() });
        assert_eq!(write("two", Replace::Never), Written::Exists { path: name.clone() });
        assert_eq!(read(), "one");
        assert_eq!(write("two", Replace::Asked), Written::Done { path: name });
        assert_eq!(read(), "two");
        assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).expect("directory").count(), 1, "nothing else is left behind");
    }

    #[test]
    fn what_cannot_be_written_is_told_and_what_is_no_file_stays() {
        let home = tempfile::tempdir().expect("directory");
        let to = |path: &str, replace| write(path, "x", replace, Some(home.path()));

        assert!(matches!(to("~/no/such/place", Replace::Never), Written::Failed { .. }));
        let link = home.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).expect("link");
        assert!(matches!(to("~/link", Replace::Never), Written::Exists { .. }));
        assert!(matches!(to("~/link", Replace::Asked), Written::Failed { .. }));
        assert!(link.is_symlink());
    }
}

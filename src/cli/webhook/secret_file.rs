//! The file for a new signing secret: made before the subscription, so that the secret always has a place to go.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::{Exit, Failure};

/// A new file that only its owner can read, still empty.
pub(super) struct SecretFile {
    path: PathBuf,
    file: File,
}

impl SecretFile {
    /// Never takes a file that is there, nor what a link points to.
    pub(super) fn prepare(path: PathBuf) -> Result<Self, Failure> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = made.map_err(|cause| Failure::new(Exit::Failed, format!("{}: {cause}", path.display())))?;
        Ok(Self { path, file })
    }

    /// There is no secret: the file goes.
    pub(super) fn abandon(self) {
        // One that stays is empty, which the server tells of.
        let _ = fs::remove_file(&self.path);
    }

    pub(super) fn fill(mut self, secret: &SecretString) -> Result<PathBuf, Failure> {
        let line = SecretString::from(format!("{}\n", secret.expose_secret()));
        let written = self.file.write_all(line.expose_secret().as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|cause| {
            let path = self.path.display();
            Failure::new(
                Exit::Failed,
                format!("{path}: {cause}: the secret is lost, delete the subscription and make another"),
            )
        })?;
        Ok(self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_secret_file_is_new_and_its_owners_alone_and_gone_when_it_was_for_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("secret");
        assert!(SecretFile::prepare(path.clone()).map(SecretFile::abandon).is_ok());
        assert!(!path.exists());

        let filled = SecretFile::prepare(path.clone()).and_then(|file| file.fill(&"s3cret".into())).ok();

        assert_eq!(filled.as_ref(), Some(&path));
        assert_eq!(fs::read_to_string(&path).expect("text"), "s3cret\n");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert!(SecretFile::prepare(path).is_err(), "it is there already");
        let link = dir.path().join("link");
        symlink(dir.path().join("elsewhere"), &link).expect("link");
        assert!(SecretFile::prepare(link).is_err(), "a link is not followed");
    }
}

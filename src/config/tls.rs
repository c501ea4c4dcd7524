//! `[receiver.tls]`: where certificate and key are, and reading them. Nobody else may be able to read the key.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use secrecy::SecretSlice;

use super::secret::is_exposed;

/// No certificate or key is longer, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The files of the door's certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// With the chain up to, and not necessarily with, the root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How both files look from outside: different when one was written or replaced, or somebody else may read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks([Option<Look>; 2]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Mode, user and group: who may read it.
    access: (u32, u32, u32),
}

impl TlsSettings {
    /// Both files' content. The error names the file and what to do.
    pub fn read(&self) -> Result<(Vec<u8>, SecretSlice<u8>), String> {
        let certificate = read(&self.certificate, |_| None)?;
        let key = read(&self.key, |about| {
            let mode = about.mode() & 0o777;
            let advice = || format!("others can read it (mode {mode:03o}): run `chmod 600 {}`", self.key.display());
            is_exposed(mode, about.uid()).then(advice)
        })?;
        Ok((certificate, SecretSlice::from(key)))
    }

    pub fn looks(&self) -> Looks {
        Looks([&self.certificate, &self.key].map(|path| {
            let about = fs::metadata(path).ok()?;
            let modified = (about.mtime(), about.mtime_nsec());
            let access = (about.mode(), about.uid(), about.gid());
            Some(Look { inode: about.ino(), size: about.size(), modified, access })
        }))
    }
}

fn read(path: &Path, objection: impl Fn(&fs::Metadata) -> Option<String>) -> Result<Vec<u8>, String> {
    let named = |problem: String| format!("{}: {problem}", path.display());
    let say = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => named("no such file".to_owned()),
        _ => named(cause.to_string()),
    };
    // Asked before it is opened: opening a pipe that nobody writes to would wait for ever.
    if !fs::metadata(path).map_err(say)?.is_file() {
        return Err(named("is not a regular file".to_owned()));
    }
    let file = File::open(path).map_err(say)?;
    if let Some(problem) = objection(&file.metadata().map_err(say)?) {
        return Err(named(problem));
    }
    let mut bytes = vec![];
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(say)?;
    if bytes.len() as u64 > LONGEST {
        return Err(named(format!("is longer than {LONGEST} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_that_others_can_read_is_refused_and_what_to_do_is_said() {
        let dir = tempfile::tempdir().expect("dir");
        let tls = TlsSettings { certificate: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        let said = tls.read().map(|_| ()).expect_err("missing");
        assert!(said.contains("c.pem: no such file"), "{said}");
        fs::write(&tls.certificate, "certificate").expect("write");
        fs::write(&tls.key, "hunter2").expect("write");
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o644)).expect("mode");

        let said = tls.read().map(|_| ()).expect_err("refused");

        assert!(said.contains("mode 644") && said.contains("chmod 600") && !said.contains("hunter2"), "{said}");
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o600)).expect("mode");
        assert!(tls.read().is_ok());
    }

    #[test]
    fn a_file_that_is_replaced_or_written_looks_different() {
        let dir = tempfile::tempdir().expect("dir");
        let tls = TlsSettings { certificate: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        let mut seen = vec![tls.looks()];
        for text in ["a", "bb"] {
            let new = dir.path().join("new");
            fs::write(&new, text).expect("write");
            fs::rename(&new, &tls.certificate).expect("rename");
            seen.push(tls.looks());
        }
        fs::write(&tls.key, "k").expect("write");
        seen.push(tls.looks());
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o640)).expect("mode");
        seen.push(tls.looks());

        seen.dedup();

        assert_eq!(seen.len(), 5);
        assert_eq!(tls.looks(), tls.looks());
    }
}

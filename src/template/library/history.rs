//! Former versions of a template: kept by every save, listed, and taken back. Taking one back is a save too, so that
//! nothing is lost by it.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{ENDING, Library, LibraryError, Stored, built_in, file_name, is_name, make_dir, read_whole, write_whole};
use crate::core::{
    template::{TemplateHistory, TemplateVersion, Version},
    text::Shown,
};

/// Former versions kept of each template.
const VERSIONS: usize = 20;
/// Of so many texts it is remembered who saved them.
const WHO: usize = 2 * VERSIONS;
const WHO_ENDING: &str = ".who";

impl Library {
    /// All versions of a template that are kept.
    pub fn history(&self, name: &str) -> Result<TemplateHistory, LibraryError> {
        self.read(name)?;
        let who = self.who(name);
        let present = self.stored(name)?.map(|stored| version(0, &stored, &who));
        let mut former = vec![];
        for (number, path) in self.versions(name)?.into_iter().rev() {
            former.extend(read_whole(&path)?.map(|stored| version(number, &stored, &who)));
        }
        Ok(TemplateHistory { present, former, built_in: built_in(name).is_some() })
    }

    /// The text of a former version.
    pub fn version(&self, name: &str, version: Version) -> Result<String, LibraryError> {
        if !is_name(name) {
            return Err(LibraryError::BadName);
        }
        let missing = || LibraryError::NoVersion { name: name.to_owned(), version };
        match version {
            Version::BuiltIn => built_in(name).map(str::to_owned).ok_or_else(missing),
            Version::Number(number) => {
                let stored = read_whole(&self.history_dir().join(version_name(name, number)))?;
                stored.map(|stored| stored.text).ok_or_else(missing)
            }
        }
    }

    /// Makes a former version the present one again, and keeps the present one as a former. `base` is the text that
    /// is present as far as is known: refused when it is another by now. Gives the text.
    pub fn restore(
        &self,
        by: Option<&Shown>,
        name: &str,
        version: Version,
        base: &str,
    ) -> Result<String, LibraryError> {
        let text = self.version(name, version)?;
        match version {
            Version::Number(_) => self.save_as(by, name, &text, Some(base))?,
            Version::BuiltIn => self.remove(name, base)?,
        }
        Ok(text)
    }

    /// Takes the saved file away, so that the built-in template shows again; it becomes a former version.
    fn remove(&self, name: &str, base: &str) -> Result<(), LibraryError> {
        make_dir(&self.dir)?;
        let _alone = self.lock()?;
        let Some(stored) = self.unchanged_since(name, Some(base))? else { return Ok(()) };
        self.keep(name, &stored)?;
        let path = self.dir.join(file_name(name));
        fs::remove_file(&path).map_err(|cause| LibraryError::Io { path, cause })
    }

    fn history_dir(&self) -> PathBuf {
        self.dir.join("history")
    }

    /// Puts what is replaced into `history/`, with the time it was saved, and drops the oldest.
    pub(super) fn keep(&self, name: &str, former: &Stored) -> Result<(), LibraryError> {
        let dir = self.history_dir();
        make_dir(&dir)?;
        let mut versions = self.versions(name)?;
        let next = versions.last().map_or(1, |(number, _)| number.saturating_add(1));
        write_whole(&dir, &version_name(name, next), &former.text, former.saved_at)?;
        let surplus = (versions.len() + 1).saturating_sub(VERSIONS);
        for (_, path) in versions.drain(..surplus) {
            fs::remove_file(&path).map_err(|cause| LibraryError::Io { path, cause })?;
        }
        Ok(())
    }

    /// The kept versions, oldest first.
    fn versions(&self, name: &str) -> Result<Vec<(u32, PathBuf)>, LibraryError> {
        let dir = self.history_dir();
        match versions_in(&dir, name) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(vec![]),
            listed => listed.map_err(|cause| LibraryError::Io { path: dir, cause }),
        }
    }

    /// Who saved which text: the text's digest, then the name. Found by the text itself, it cannot be of another one,
    /// whatever a crash left undone.
    fn who(&self, name: &str) -> Vec<(String, Shown)> {
        let path = self.history_dir().join(format!("{name}{WHO_ENDING}"));
        let stored = read_whole(&path).ok().flatten().map(|stored| stored.text).unwrap_or_default();
        let line = |line: &str| line.split_once(' ').map(|(digest, by)| (digest.to_owned(), Shown::line(by)));
        stored.lines().filter_map(line).collect()
    }

    pub(super) fn remember_who(&self, name: &str, text: &str, by: Option<&Shown>) -> Result<(), LibraryError> {
        let digest = digest(text);
        let known = self.who(name);
        let mut who: Vec<_> = known.iter().filter(|(other, _)| *other != digest).collect();
        let new = by.map(|by| (digest.clone(), by.clone()));
        who.extend(&new);
        if who.len() == known.len() && new.is_none() {
            return Ok(());
        }
        let mut lines = String::new();
        for (digest, by) in who.iter().skip(who.len().saturating_sub(WHO)) {
            let _ = writeln!(lines, "{digest} {by}");
        }
        make_dir(&self.history_dir())?;
        write_whole(&self.history_dir(), &format!("{name}{WHO_ENDING}"), &lines, None)
    }
}

fn version(number: u32, stored: &Stored, who: &[(String, Shown)]) -> TemplateVersion {
    let digest = digest(&stored.text);
    TemplateVersion {
        number,
        saved_at: stored.saved_at.and_then(timestamp),
        by: who.iter().find(|(of, _)| *of == digest).map(|(_, by)| by.clone()),
        bytes: stored.text.len() as u64,
    }
}

fn timestamp(at: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(at).ok()
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn version_name(name: &str, number: u32) -> String {
    format!("{name}.{number:06}{ENDING}")
}

fn versions_in(dir: &Path, name: &str) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut out = vec![];
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let number =
            file_name.to_str().and_then(|file| file.strip_suffix(ENDING)?.strip_prefix(name)?.strip_prefix('.'));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            out.push((number, entry.path()));
        }
    }
    out.sort_unstable();
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> (tempfile::TempDir, Library) {
        let dir = tempfile::tempdir().expect("dir");
        let library = Library::open(&dir.path().join("state/templates"));
        (dir, library)
    }

    fn numbers(history: &TemplateHistory) -> Vec<u32> {
        history.former.iter().map(|version| version.number).collect()
    }

    #[test]
    fn the_last_twenty_versions_are_kept() {
        let (_dir, library) = library();
        library.save("a", "0", None).expect("saved");
        library.save("a-b", "other", None).expect("saved");
        for n in 1..=30 {
            library.save("a", &n.to_string(), Some(&(n - 1).to_string())).expect("saved");
        }

        let history = library.history("a").expect("history");

        assert_eq!(numbers(&history), (11..=30).rev().collect::<Vec<_>>());
        assert_eq!(library.version("a", Version::Number(11)).expect("kept"), "10");
        assert_eq!(library.version("a", Version::Number(30)).expect("kept"), "29");
        let gone = library.version("a", Version::Number(10)).expect_err("dropped").to_string();
        assert_eq!(gone, "`a` has no version 10: `dogwatch template history a` lists them");
    }

    #[test]
    fn a_version_says_when_it_was_saved_and_by_whom() {
        let (_dir, library) = library();
        let alice = Shown::line("alice");
        library.save_as(Some(&alice), "a", "one", None).expect("saved");
        let first = library.history("a").expect("history").present.expect("saved");
        library.save("a", "two", Some("one")).expect("saved");

        let history = library.history("a").expect("history");

        assert_eq!(history.former, [TemplateVersion { number: 1, ..first.clone() }]);
        assert_eq!((first.by, first.bytes), (Some(alice), 3));
        assert_eq!(history.present.expect("saved").by, None);
        assert!(!history.built_in);
    }

    #[test]
    fn restoring_is_a_save_and_loses_nothing() {
        let (_dir, library) = library();
        library.save("a", "one", None).expect("saved");
        library.save("a", "two", Some("one")).expect("saved");

        let text = library.restore(None, "a", Version::Number(1), "two").expect("restored");

        assert_eq!((text.as_str(), library.read("a").expect("text").as_str()), ("one", "one"));
        assert_eq!(library.version("a", Version::Number(2)).expect("kept"), "two");
        assert!(matches!(library.restore(None, "a", Version::Number(2), "three"), Err(LibraryError::Changed(_))));
    }

    #[test]
    fn a_saved_template_gives_way_to_the_built_in_one_and_is_kept() {
        let (_dir, library) = library();
        let base = library.read("plain").expect("text");
        library.save("plain", "mine", Some(&base)).expect("saved");

        library.restore(None, "plain", Version::BuiltIn, "mine").expect("restored");

        assert_eq!(library.read("plain").expect("text"), base);
        let history = library.history("plain").expect("history");
        assert_eq!((history.present, numbers_of(&history.former), history.built_in), (None, vec![1], true));
        assert_eq!(library.version("plain", Version::Number(1)).expect("kept"), "mine");
        assert!(matches!(library.restore(None, "own", Version::BuiltIn, ""), Err(LibraryError::NoVersion { .. })));
    }

    fn numbers_of(versions: &[TemplateVersion]) -> Vec<u32> {
        versions.iter().map(|version| version.number).collect()
    }

    #[test]
    fn a_template_that_was_never_saved_has_no_history_and_one_that_is_not_there_none_at_all() {
        let (_dir, library) = library();
        let history = library.history("plain").expect("history");
        assert_eq!(history, TemplateHistory { present: None, former: vec![], built_in: true });
        assert!(matches!(library.history("no"), Err(LibraryError::Missing(_))));
    }
}

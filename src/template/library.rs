//! The templates that are kept: built-in ones, overlaid by files in the state directory. A save is whole or
//! not at all, and what it replaces is kept: see `history`.

mod history;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use jiff::Timestamp;
use rustix::fs::OFlags;

use super::check::SOURCE_LIMIT;
use crate::core::{
    template::{TemplateSummary, Version},
    text::Shown,
};

/// What ships with dogwatch.
pub(super) const BUILT_IN: &[(&str, &str)] = &[
    ("digest", include_str!("../../assets/templates/digest.hbs")),
    ("discord", include_str!("../../assets/templates/discord.hbs")),
    ("email", include_str!("../../assets/templates/email.hbs")),
    ("google-chat", include_str!("../../assets/templates/google-chat.hbs")),
    ("handoff", include_str!("../../assets/templates/handoff.hbs")),
    ("jira", include_str!("../../assets/templates/jira.hbs")),
    ("mattermost", include_str!("../../assets/templates/mattermost.hbs")),
    ("pagerduty-events", include_str!("../../assets/templates/pagerduty-events.hbs")),
    ("plain", include_str!("../../assets/templates/plain.hbs")),
    ("servicenow", include_str!("../../assets/templates/servicenow.hbs")),
    ("slack", include_str!("../../assets/templates/slack.hbs")),
    ("teams", include_str!("../../assets/templates/teams.hbs")),
    ("zendesk", include_str!("../../assets/templates/zendesk.hbs")),
];

const ENDING: &str = ".hbs";

/// Why a template was not read or saved.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    #[error("a template's name is 1 to 64 lower-case letters, digits, `-` and `_`")]
    BadName,
    #[error("there is no template `{0}`")]
    Missing(String),
    #[error("there is a template `{0}` already")]
    Exists(String),
    #[error("`{0}` was saved by somebody else meanwhile: open it again, or save under another name")]
    Changed(String),
    #[error("the template has {0} bytes; at most {SOURCE_LIMIT} are kept")]
    TooLong(usize),
    #[error("`{name}` has no version {version}: `dogwatch template history {name}` lists them")]
    NoVersion { name: String, version: Version },
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
}

/// The templates of one state directory.
#[derive(Debug, Clone)]
pub struct Library {
    dir: PathBuf,
}

impl Library {
    /// Templates live in `dir`, for example `<state>/templates`; it is made with the first save.
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// All templates by name. Files with other names than a template can have are passed over.
    pub fn list(&self) -> io::Result<Vec<TemplateSummary>> {
        let built_in = |name: &str| TemplateSummary { name: name.to_owned(), saved_at: None, built_in: true };
        let mut out: Vec<_> = BUILT_IN.iter().map(|(name, _)| built_in(name)).collect();
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(out),
            Err(cause) => return Err(cause),
        };
        for entry in entries {
            let entry = entry?;
            let file_name = entry.file_name();
            let name = file_name.to_str().and_then(|name| name.strip_suffix(ENDING)).filter(|name| is_name(name));
            let (Some(name), Ok(about)) = (name, entry.metadata()) else { continue };
            if about.is_file() {
                out.retain(|known| known.name != name);
                let saved_at = about.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
                out.push(TemplateSummary { name: name.to_owned(), saved_at, built_in: false });
            }
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    /// The text of a template.
    pub fn read(&self, name: &str) -> Result<String, LibraryError> {
        self.current(name)?.ok_or_else(|| LibraryError::Missing(name.to_owned()))
    }

    /// Writes a template. `base` is the text it was edited from, `None` for a new one: refused when what is
    /// stored is something else by now.
    pub fn save(&self, name: &str, text: &str, base: Option<&str>) -> Result<(), LibraryError> {
        self.save_as(None, name, text, base)
    }

    /// The same, by somebody: the history says so.
    pub fn save_as(&self, by: Option<&Shown>, name: &str, text: &str, base: Option<&str>) -> Result<(), LibraryError> {
        if !is_name(name) {
            return Err(LibraryError::BadName);
        }
        if text.len() > SOURCE_LIMIT {
            return Err(LibraryError::TooLong(text.len()));
        }
        make_dir(&self.dir)?;
        let _alone = self.lock()?;
        let stored = self.unchanged_since(name, base)?;
        if let Some(former) = stored {
            self.keep(name, &former)?;
        }
        self.remember_who(name, text, by)?;
        write_whole(&self.dir, &file_name(name), text, None)
    }

    /// The saved file, if what is shown of the template still is `base`.
    fn unchanged_since(&self, name: &str, base: Option<&str>) -> Result<Option<Stored>, LibraryError> {
        let stored = self.stored(name)?;
        let built_in = built_in(name);
        let shown = stored.as_ref().map(|stored| stored.text.as_str()).or(built_in);
        match (shown, base) {
            (Some(_), None) => Err(LibraryError::Exists(name.to_owned())),
            (shown, Some(base)) if shown != Some(base) => Err(LibraryError::Changed(name.to_owned())),
            _ => Ok(stored),
        }
    }

    fn current(&self, name: &str) -> Result<Option<String>, LibraryError> {
        if !is_name(name) {
            return Err(LibraryError::BadName);
        }
        let stored = self.stored(name)?.map(|stored| stored.text);
        Ok(stored.or_else(|| built_in(name).map(str::to_owned)))
    }

    fn stored(&self, name: &str) -> Result<Option<Stored>, LibraryError> {
        read_whole(&self.dir.join(file_name(name)))
    }

    /// One save at a time, among all processes.
    fn lock(&self) -> Result<File, LibraryError> {
        let path = self.dir.join(".lock");
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let open =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(&path);
        let locked = open.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|cause| LibraryError::Io { path, cause })
    }
}

/// A file of the library.
struct Stored {
    text: String,
    saved_at: Option<SystemTime>,
}

/// A template's file. A link is not followed, a pipe not waited for.
fn read_whole(path: &Path) -> Result<Option<Stored>, LibraryError> {
    let failed = |cause| LibraryError::Io { path: path.to_owned(), cause };
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(cause)),
    };
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() {
        return Err(failed(io::Error::other("not a regular file")));
    }
    let mut text = String::new();
    let most = SOURCE_LIMIT as u64 + 1;
    file.take(most).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 == most {
        return Err(LibraryError::TooLong(text.len()));
    }
    Ok(Some(Stored { text, saved_at: about.modified().ok() }))
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

fn file_name(name: &str) -> String {
    format!("{name}{ENDING}")
}

fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn make_dir(dir: &Path) -> Result<(), LibraryError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|cause| LibraryError::Io { path: dir.to_owned(), cause })
}

/// The file is the old one or the new one, also after a crash: written beside, synced, renamed.
fn write_whole(dir: &Path, name: &str, text: &str, at: Option<SystemTime>) -> Result<(), LibraryError> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".saving-").tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        if let Some(at) = at {
            file.as_file().set_modified(at)?;
        }
        file.as_file().sync_all()?;
        file.persist(dir.join(name)).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|cause| LibraryError::Io { path: dir.join(name), cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    fn library() -> (tempfile::TempDir, Library) {
        let dir = tempfile::tempdir().expect("dir");
        let library = Library::open(&dir.path().join("state/templates"));
        (dir, library)
    }

    #[test]
    fn built_in_templates_are_there_before_anything_is_saved() {
        let (_dir, library) = library();
        let list = library.list().expect("list");

        assert!(list.iter().map(|t| t.name.as_str()).eq(BUILT_IN.iter().map(|(name, _)| *name)));
        assert!(list.iter().all(|t| t.built_in && t.saved_at.is_none()));
        assert!(library.read("slack").expect("text").contains("blocks"));
        assert!(matches!(library.read("nothing"), Err(LibraryError::Missing(_))));
    }

    #[test]
    fn a_saved_template_takes_the_place_of_the_built_in_one() {
        let (_dir, library) = library();
        let base = library.read("slack").expect("text");

        library.save("slack", "mine", Some(&base)).expect("saved");
        library.save("own", "new", None).expect("saved");

        assert_eq!(library.read("slack").expect("text"), "mine");
        let list = library.list().expect("list");
        assert_eq!(list.len(), BUILT_IN.len() + 1);
        assert!(list.iter().all(|t| t.built_in == t.saved_at.is_none()));
        assert!(list.iter().all(|t| t.built_in != ["own", "slack"].contains(&t.name.as_str())));
    }

    #[test]
    fn a_save_over_somebody_elses_is_refused() {
        let (_dir, library) = library();
        library.save("a", "one", None).expect("saved");
        library.save("a", "two", Some("one")).expect("saved");

        assert!(matches!(library.save("a", "three", Some("one")), Err(LibraryError::Changed(_))));
        assert!(matches!(library.save("a", "three", None), Err(LibraryError::Exists(_))));
        assert!(matches!(library.save("plain", "three", None), Err(LibraryError::Exists(_))));
        assert!(matches!(library.save("gone", "three", Some("x")), Err(LibraryError::Changed(_))));
        assert_eq!(library.read("a").expect("text"), "two");
    }

    #[test]
    fn files_are_for_their_owner_alone_and_nothing_half_done_stays() {
        let (_dir, library) = library();
        library.save("a", "one", None).expect("saved");
        library.save("a", "two", Some("one")).expect("saved");

        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!((mode(&library.dir), mode(&library.dir.join("history"))), (0o700, 0o700));
        assert_eq!(mode(&library.dir.join("a.hbs")), 0o600);
        let names = fs::read_dir(&library.dir).expect("dir").flatten().map(|e| e.file_name());
        assert!(!names.into_iter().any(|name| name.to_string_lossy().starts_with(".saving")));
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        let (dir, library) = library();
        for name in ["", "../a", "a/b", "A", "a.b", "é", ".lock", "a\0", &"x".repeat(65)] {
            assert!(matches!(library.save(name, "x", None), Err(LibraryError::BadName)), "{name:?}");
            assert!(matches!(library.read(name), Err(LibraryError::BadName)), "{name:?}");
        }
        library.save("a", "x", None).expect("saved");
        let outside = dir.path().join("outside");
        fs::write(&outside, "secret").expect("file");
        symlink(&outside, library.dir.join("link.hbs")).expect("link");

        assert!(matches!(library.read("link"), Err(LibraryError::Io { .. })));
        assert!(matches!(library.save("link", "x", Some("secret")), Err(LibraryError::Io { .. })));
        assert!(library.list().expect("list").iter().all(|t| t.name != "link"));
        assert_eq!(fs::read_to_string(&outside).expect("text"), "secret");
    }

    #[test]
    fn a_template_of_more_than_64_kib_is_not_kept() {
        let (_dir, library) = library();

        let long = "x".repeat(SOURCE_LIMIT + 1);
        assert!(matches!(library.save("a", &long, None), Err(LibraryError::TooLong(_))));
        library.save("a", &"x".repeat(SOURCE_LIMIT), None).expect("saved");
        assert_eq!(library.read("a").expect("text").len(), SOURCE_LIMIT);
    }
}

//! What a console remembers between two starts: the name of its saved view, and where its drafts are. It stands in the state directory of whoever
//! looks, also when the server is another user's.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

/// Longer is no name of a view.
const LONGEST: u64 = 1024;

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct Memory {
    directory: Option<PathBuf>,
}

impl Memory {
    /// In a directory that is there, or else nothing is remembered.
    pub fn in_directory(directory: PathBuf) -> Self {
        Self { directory: Some(directory) }
    }

    /// Nothing is remembered.
    pub fn none() -> Self {
        Self { directory: None }
    }

    /// The directory of texts that were not saved.
    pub(super) fn drafts(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join("drafts"))
    }

    /// The name of the view that was kept last.
    pub(super) fn view(&self) -> Option<String> {
        let file = File::open(self.directory.as_ref()?.join("view")).ok()?;
        let mut name = String::new();
        file.take(LONGEST).read_to_string(&mut name).ok()?;
        Some(name.trim_end_matches('\n').to_owned()).filter(|name| !name.is_empty())
    }

    /// Keeps the name of a view, or forgets it. A crash leaves the former or the new one.
    pub(super) fn keep_view(&self, name: Option<&str>) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let new = directory.join(format!("view.{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{}", name.unwrap_or_default())?;
        fs::rename(&new, directory.join("view"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_view_is_remembered_until_another_is_or_none() {
        let directory = tempfile::tempdir().expect("directory");
        let memory = Memory::in_directory(directory.path().to_owned());
        assert_eq!(memory.view(), None);

        for name in [Some("mine"), Some("nach Mitternacht, laut"), None] {
            memory.keep_view(name).expect("kept");
            assert_eq!(memory.view().as_deref(), name);
        }

        let names: Vec<_> =
            fs::read_dir(directory.path()).expect("readable").flatten().map(|e| e.file_name()).collect();
        assert_eq!(names, ["view"], "nothing else is left behind");
        let mode = fs::metadata(directory.path().join("view")).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn where_nothing_can_be_kept_nothing_is_remembered() {
        assert!(Memory::none().keep_view(Some("mine")).is_ok());
        assert_eq!(Memory::none().view(), None);

        let gone = Memory::in_directory("/nonexistent/dogwatch".into());
        assert!(gone.keep_view(Some("mine")).is_err());
        assert_eq!(gone.view(), None);
    }
}

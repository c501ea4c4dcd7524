//! What can be wrong with a configuration: every message names the file, the place in it, and what to do.

use std::{fmt, io, path::PathBuf};

/// One thing wrong in the file. Line and column count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: no such file; `dogwatch config init` writes a commented one", path.display())]
    Missing { path: PathBuf },
    #[error("{}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{}: not text in UTF-8", path.display())]
    NotText { path: PathBuf },
    #[error("{}", listed(path, findings))]
    Invalid { path: PathBuf, findings: Vec<Finding> },
    #[error("{} holds a secret and others can open it (mode {mode:03o}): run `chmod 600 {}`", path.display(), path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} says where secrets are and whose name is used, and others can change it (mode {mode:03o}): run `chmod go-w {}`", path.display(), path.display())]
    Changeable { path: PathBuf, mode: u32 },
    #[error("{} says where secrets are and whose name is used, and belongs to another user (uid {owner}), who can change it: run this as that user, or `chown` the file so that it is yours or root's and its server can still read it", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    #[error("{} exists already and is left as it is", path.display())]
    Exists { path: PathBuf },
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable { path: PathBuf, cause: io::Error },
    #[error("this user has no home directory: name the place with --config and --state-dir")]
    NoHome,
}

fn listed(path: &std::path::Path, findings: &[Finding]) -> String {
    let lines: Vec<String> =
        findings.iter().map(|f| format!("{}:{}:{}: {}", path.display(), f.line, f.column, f.message)).collect();
    lines.join("\n")
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

//! Where files are, and the first configuration. Nothing that exists is ever overwritten.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use directories::{BaseDirs, ProjectDirs};

use super::{ConfigError, SAMPLE};

/// The configuration file of this user, for example `~/.config/dogwatch/config.toml`.
pub fn default_config_path() -> Result<PathBuf, ConfigError> {
    Ok(project()?.config_dir().join("config.toml"))
}

/// The directory for the database and everything else that is kept, for example `~/.local/state/dogwatch`.
pub fn default_state_dir() -> Result<PathBuf, ConfigError> {
    let project = project()?;
    Ok(project.state_dir().unwrap_or_else(|| project.data_local_dir()).to_owned())
}

fn project() -> Result<ProjectDirs, ConfigError> {
    ProjectDirs::from("", "", "dogwatch").ok_or(ConfigError::NoHome)
}

/// A path from the file: `~/` is the home directory, a relative one starts beside the file.
pub(super) fn resolve(text: &str, config: &Path) -> PathBuf {
    if let Some(rest) = text.strip_prefix("~/")
        && let Some(base) = BaseDirs::new()
    {
        return base.home_dir().join(rest);
    }
    config.parent().unwrap_or_else(|| Path::new("")).join(text)
}

/// Writes the commented sample for its owner only. Fails when there is a file already.
pub fn init(path: &Path) -> Result<(), ConfigError> {
    let unwritable = |cause| ConfigError::Unwritable { path: path.to_owned(), cause };
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unwritable)?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ConfigError::Exists { path: path.to_owned() });
        }
        Err(cause) => return Err(unwritable(cause)),
    };
    file.write_all(SAMPLE.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritable)
}

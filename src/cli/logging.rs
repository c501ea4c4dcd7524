//! Where the log goes: a file under the screen, standard error for the server and the commands.
//!
//! A line that cannot be written, to a full disk for example, is dropped: complaining of it to standard error panics
//! when that is the one that is full.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Mutex,
};

use tracing_subscriber::EnvFilter;

/// A log that has grown beyond this is started anew, the former one kept beside it.
const LIMIT: u64 = 8 * 1024 * 1024;

fn filter() -> EnvFilter {
    EnvFilter::try_from_env("DOGWATCH_LOG").unwrap_or_else(|_| EnvFilter::new("dogwatch=info"))
}

/// Logs to standard error, from `DOGWATCH_LOG`'s level on (default `dogwatch=info`).
pub(super) fn to_stderr() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_writer(io::stderr)
        .with_ansi(false)
        .log_internal_errors(false)
        .try_init();
}

/// Logs to `dogwatch.log` in `dir`, so that nothing is written over the screen.
pub(super) fn to_file(dir: &Path) -> io::Result<()> {
    let path = dir.join("dogwatch.log");
    if fs::metadata(&path).is_ok_and(|meta| meta.len() > LIMIT) {
        fs::rename(&path, dir.join("dogwatch.log.1"))?;
    }
    let file: File = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .log_internal_errors(false)
        .try_init();
    Ok(())
}

//! What the rendering of this process is at: a regular expression cannot be interrupted, and whoever ends it must be able
//! to say which one it was.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Something that may take for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doing {
    /// What is wrong with it if it does.
    pub(super) message: String,
    /// The partial that it stands in.
    pub(super) partial: Option<String>,
    /// At which byte.
    pub(super) at: usize,
}

static DOING: Mutex<Option<(Instant, Doing)>> = Mutex::new(None);

fn set(doing: Option<(Instant, Doing)>) {
    *DOING.lock().unwrap_or_else(PoisonError::into_inner) = doing;
}

/// Notes that it is over, also when it panics.
struct Over;

impl Drop for Over {
    fn drop(&mut self) {
        set(None);
    }
}

/// Runs `run`; meanwhile it can be seen what it is.
pub(super) fn during<T>(doing: Doing, run: impl FnOnce() -> T) -> T {
    set(Some((Instant::now(), doing)));
    let _over = Over;
    run()
}

/// What has gone on for so long by now.
pub(super) fn stuck(least: Duration) -> Option<Doing> {
    let doing = DOING.lock().unwrap_or_else(PoisonError::into_inner);
    doing.as_ref().filter(|(since, _)| since.elapsed() >= least).map(|(_, doing)| doing.clone())
}

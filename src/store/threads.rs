//! The threads of the store: each works through its queue, and may wait for another one.
//!
//! In a simulation there are none: their steps are taken one by one.

#[cfg(test)]
pub(crate) mod steps;

use std::{
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{sync::oneshot, task::spawn_blocking};

use super::StoreError;

/// Who works through a queue, on a thread of its own.
pub(super) trait Worker: Send + 'static {
    type Queue: Send + 'static;

    /// What comes before everything that is queued. Says whether it goes on; so does [`work`](Self::work).
    fn begin(&mut self) -> bool {
        true
    }

    /// Waits until something is queued, and does all of it that can be done together. It does not go on when nothing is
    /// left and nobody is there to queue more.
    fn work(&mut self, queue: &mut Self::Queue) -> bool;

    #[cfg(test)]
    fn is_idle(queue: &Self::Queue) -> bool;
}

/// Has it work for as long as it goes on. `None`: not on a thread.
pub(super) fn start<W: Worker>(
    name: &str,
    dir: &Path,
    mut worker: W,
    mut queue: W::Queue,
) -> Result<Option<JoinHandle<()>>, StoreError> {
    #[cfg(test)]
    if steps::are_taken() {
        steps::add(worker, queue);
        return Ok(None);
    }
    let work = move || {
        if worker.begin() {
            while worker.work(&mut queue) {}
        }
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(Some).map_err(|error| StoreError::io(dir, &error))
}

/// Waits for the answer of another one, as long as it takes.
pub(super) fn answer<T>(waiting: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    #[cfg(test)]
    steps::until(|| !waiting.is_empty() || waiting.is_terminated());
    waiting.blocking_recv().unwrap_or(Err(StoreError::Closed))
}

/// Lets the others work meanwhile.
pub(super) fn rest(time: Duration) {
    #[cfg(test)]
    if steps::are_taken() {
        return steps::some();
    }
    thread::sleep(time);
}

/// Has something done that may block, beside the tasks of the runtime; `None` when it panicked, or everything ends.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    #[cfg(test)]
    if steps::are_taken() {
        return steps::beside(work).await;
    }
    spawn_blocking(work).await.ok()
}

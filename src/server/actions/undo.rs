//! The time in which an action can be taken back: as long as nothing of it was sent.

use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    core::{action::By, id::ActionId},
    provider::ProviderError,
    server::desk::Desk,
};

/// Actions that wait. Whoever takes one out decides what becomes of it: it is sent, or it is taken back.
#[derive(Debug, Default)]
pub struct Waiting {
    window: Mutex<Duration>,
    all: Mutex<BTreeMap<ActionId, Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    uid: Option<u32>,
    taken_back: CancellationToken,
}

impl Waiting {
    pub fn new(window: Duration) -> Self {
        Self { window: Mutex::new(window), all: Mutex::default() }
    }

    /// How long actions wait from now on.
    pub fn set_window(&self, window: Duration) {
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = window;
    }

    pub fn window(&self) -> Duration {
        *self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<ActionId, Waiter>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before the action can be seen by anybody.
    pub fn add(&self, id: ActionId, by: &By, due: Timestamp) -> Wait {
        let taken_back = CancellationToken::new();
        self.all().insert(id, Waiter { uid: by.uid, taken_back: taken_back.clone() });
        Wait { due, taken_back }
    }

    /// Takes an action back for whoever asked for it.
    pub fn take_back(&self, id: ActionId, uid: Option<u32>) -> Result<(), String> {
        let mut all = self.all();
        let too_late = || format!("action {id} cannot be taken back any more: it was sent, or never waited");
        let waiter = all.get(&id).ok_or_else(too_late)?;
        if waiter.uid.is_none() || waiter.uid != uid {
            return Err(format!("action {id} is not yours to take back"));
        }
        let waiter = all.remove(&id).ok_or_else(too_late)?;
        waiter.taken_back.cancel();
        Ok(())
    }
}

/// Until when nothing is sent, and how it is told that the action is taken back.
#[derive(Debug)]
pub struct Wait {
    due: Timestamp,
    taken_back: CancellationToken,
}

/// Whether an action goes out or is taken back: decided once, when the first of it is sent.
pub(super) struct Undo<'a> {
    desk: &'a Desk,
    id: ActionId,
    wait: Option<Wait>,
    goes_out: OnceLock<bool>,
}

impl<'a> Undo<'a> {
    pub(super) fn new(desk: &'a Desk, id: ActionId, wait: Option<Wait>) -> Self {
        Self { desk, id, wait, goes_out: OnceLock::new() }
    }

    /// Waits until its time is over, it is taken back, or the server ends, which sends what waits.
    pub(super) async fn window(&self) {
        let Some(wait) = &self.wait else { return };
        let left = wait.due.duration_since((self.desk.now)());
        tokio::select! {
            biased;
            () = wait.taken_back.cancelled() => {}
            () = self.desk.ending.cancelled() => {}
            () = tokio::time::sleep(left.try_into().unwrap_or_default()) => {}
        }
    }

    /// Whether it is to be sent: from now on it cannot be taken back. Whoever takes it out decides: a moment ago it may have
    /// been taken back.
    pub(super) fn goes_out(&self) -> bool {
        let decide = || self.wait.is_none() || self.desk.waiting.all().remove(&self.id).is_some();
        *self.goes_out.get_or_init(decide)
    }

    pub(super) fn is_taken_back(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.taken_back.is_cancelled())
    }

    /// What the provider tells, and at once an error when it is taken back: nobody waits for the answer any more.
    pub(super) async fn unless_taken_back<T>(
        &self,
        asks: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        tokio::select! {
            biased;
            () = self.taken_back() => Err(ProviderError::Unreadable { cause: "it was taken back".to_owned() }),
            told = asks => told,
        }
    }

    /// Until it is taken back, which may never be.
    pub(super) async fn taken_back(&self) {
        match &self.wait {
            Some(wait) => wait.taken_back.cancelled().await,
            None => std::future::pending().await,
        }
    }
}

/// Nobody takes back what has ended.
impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.goes_out();
    }
}

//! The time in which an action can be taken back: nothing is sent in it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::{
    core::{action::By, id::ActionId},
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
    tell: oneshot::Sender<()>,
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
        let (tell, taken_back) = oneshot::channel();
        self.all().insert(id, Waiter { uid: by.uid, tell });
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
        waiter.tell.send(()).map_err(|()| too_late())
    }
}

/// Until when, and how it is told that the action is taken back.
#[derive(Debug)]
pub struct Wait {
    pub due: Timestamp,
    pub taken_back: oneshot::Receiver<()>,
}

/// Waits as long as it can be taken back, or until the server ends, which sends what waits; `true`: it was taken back.
pub(super) async fn is_taken_back(desk: &Desk, id: ActionId, wait: Option<Wait>) -> bool {
    let Some(Wait { due, mut taken_back }) = wait else { return false };
    let left = due.duration_since((desk.now)());
    tokio::select! {
        biased;
        answer = &mut taken_back => return answer.is_ok(),
        () = desk.ending.cancelled() => {}
        () = tokio::time::sleep(left.try_into().unwrap_or_default()) => {}
    }
    // Whoever takes it out decides: a moment ago it may have been taken back.
    desk.waiting.all().remove(&id).is_none()
}

//! What is done with a delivery after its sender was answered: its body is read, and the server is told of it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::{Notify, mpsc};

use super::{Arrival, Hook, Meter};
use crate::{
    core::{
        delivery::{Decode, DeliverySummary, Verdict},
        id::AccountName,
        repeated::{More, Repeated},
        text::Shown,
    },
    store::{self, NewDelivery, StoreError},
};

/// What was said of late about what was refused: what strangers have said takes no room from the rest.
#[derive(Debug, Default)]
struct Refusals {
    of_accounts: Repeated,
    of_strangers: Repeated,
}

pub(super) struct Clerk {
    /// Of every account that had a door, so that what was taken then can still be read.
    readers: Mutex<HashMap<AccountName, Arc<dyn Decode>>>,
    arrivals: mpsc::Sender<Arrival>,
    complaints: Mutex<Repeated>,
    refusals: Mutex<Refusals>,
    pub missed: Arc<Notify>,
    pub trouble: Arc<Notify>,
    pub meter: Meter,
}

impl Clerk {
    pub(super) fn new(arrivals: mpsc::Sender<Arrival>, missed: Arc<Notify>) -> Self {
        Self {
            readers: Mutex::default(),
            arrivals,
            complaints: Mutex::default(),
            refusals: Mutex::default(),
            missed,
            trouble: Arc::default(),
            meter: Meter::default(),
        }
    }

    pub(super) fn set_readers(&self, hooks: &[Hook]) {
        let readers = hooks.iter().map(|hook| (hook.account.clone(), Arc::clone(&hook.decode)));
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).extend(readers);
    }

    fn reader(&self, account: &AccountName) -> Option<Arc<dyn Decode>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    /// Whether dogwatch's own log is to say that something was refused, and with what: who is refused does not choose how
    /// long that gets.
    pub(super) fn complains(&self, account: Option<&AccountName>, reason: &Shown) -> Option<More> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match account {
            Some(account) => refusals.of_accounts.say(&format!("{account} {reason}"), Instant::now()),
            None => refusals.of_strangers.say(reason.as_str(), Instant::now()),
        }
    }

    pub(super) fn tell(&self, arrival: Arrival) {
        if self.arrivals.try_send(arrival).is_err() {
            self.missed.notify_one();
        }
    }
}

impl store::Clerk for Clerk {
    /// What cannot be understood is kept as it came.
    fn read(&self, taken: &mut NewDelivery) {
        let Some((account, reader)) = taken.account.as_ref().and_then(|name| Some((name, self.reader(name)?))) else {
            return;
        };
        let read = catch_unwind(AssertUnwindSafe(|| reader.decode(account, &taken.body)));
        match read.unwrap_or_else(|_| Err("reading it panicked".to_owned())) {
            Ok(decoded) => taken.decoded = Some(decoded.shown_by(taken.proof.as_ref(), taken.at)),
            Err(cause) => {
                taken.verdict = Verdict::Undecodable;
                taken.reason = format!("{}, but {cause}", taken.reason).as_str().into();
            }
        }
    }

    fn entered(&self, summary: DeliverySummary, taken: &NewDelivery) {
        self.meter.counted(summary.account.as_ref(), summary.verdict);
        if summary.verdict == Verdict::Accepted && taken.decoded.is_none() {
            // Its account has no door any more: whoever reads the store knows what to do with it.
            return self.missed.notify_one();
        }
        let decoded = taken.decoded.as_ref().filter(|_| summary.verdict == Verdict::Accepted);
        let observation = decoded.and_then(|decoded| decoded.observation.clone());
        self.tell(Arrival { summary, observation, commit_us: None });
    }

    fn entered_before(&self) {
        self.missed.notify_one();
    }

    fn failed(&self, error: &StoreError) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = complaints.say(&error.to_string(), Instant::now()) {
            tracing::error!(%error, "deliveries that were taken cannot be written to the log yet: {error}{more}");
        }
        drop(complaints);
        self.trouble.notify_one();
    }
}

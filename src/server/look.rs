//! Looks at single incidents, where only the provider can tell which of two states came last.
//!
//! One look at a time, each incident waiting at most once: a burst of doubts costs a list, not a task each. A doubt
//! that finds no room is left to the next poll.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::core::{call::Purpose, id::IncidentKey};

/// Incidents that may wait for a look.
const ROOM: usize = 256;
/// Looks at one incident when they fail.
const TRIES: u32 = 3;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

/// The incidents that wait for a look, each with the tries it has left.
#[derive(Default)]
pub struct Looks {
    waiting: Mutex<BTreeMap<IncidentKey, u32>>,
    asked: Notify,
}

impl Looks {
    /// Asks for a look at each of `keys`. One that is under way does not count: it may have come too early.
    pub fn ask(&self, keys: impl IntoIterator<Item = IncidentKey>) {
        for key in keys {
            self.wait(key, TRIES);
        }
    }

    fn wait(&self, key: IncidentKey, tries: u32) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < ROOM || waiting.contains_key(&key) {
            waiting.entry(key).or_insert(tries);
            self.asked.notify_one();
        }
    }

    fn next(&self) -> Option<(IncidentKey, u32)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }
}

/// Looks at what is asked for, one after the other, until `stop`.
pub async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let looking = async {
        loop {
            while let Some((key, tries)) = desk.looks.next() {
                look(&desk, key, tries).await;
            }
            desk.looks.asked.notified().await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = looking => {}
    }
}

async fn look(desk: &Desk, key: IncidentKey, tries: u32) {
    let Some(account) = desk.accounts.get(&key.account) else { return };
    let Ok(provider) = account.provider().await else { return };
    let provider = provider.for_purpose(Purpose::Detail);
    let error = match provider.incident(&key.id).await {
        Ok(seen) => return desk.observe(&seen).await,
        Err(error) => error,
    };
    tracing::debug!(incident.id = %key.id, %error, "could not look again");
    if tries > 1 {
        sleep(PAUSE).await;
        desk.looks.wait(key, tries - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::incident::Status,
        provider::ProviderError,
        server::fake::{self, Fake, key},
    };

    #[test]
    fn a_burst_of_doubts_waits_in_a_bounded_list_each_incident_once() {
        let looks = Looks::default();

        looks.ask((0..10 * ROOM).map(|n| key(&format!("P{}", n % (2 * ROOM)))));

        assert_eq!(std::iter::from_fn(|| looks.next()).count(), ROOM);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_fails_is_tried_again_but_not_for_ever() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        fake.put("P1", Status::Resolved, 0);
        let broken = ProviderError::Broken { status: 500, reason: "oops".into() };
        let known = || desk.hub.look(|board| board.incidents.contains_key(&key("P1")));

        for (failures, found) in [(TRIES, false), (TRIES - 1, true)] {
            fake.fail_reads(broken.clone(), usize::try_from(failures).expect("small"));
            desk.looks.ask([key("P1")]);
            while let Some((key, tries)) = desk.looks.next() {
                look(&desk, key, tries).await;
            }
            assert_eq!(known(), found, "{failures} failures");
        }
    }
}

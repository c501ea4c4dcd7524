//! Noticing that this machine slept or its clock was set: the timers know nothing of it, so everybody is asked
//! at once how things stand.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;

/// Between two looks at both clocks.
const TICK: Duration = Duration::from_secs(2);
/// Clocks that differ by less were only corrected.
const JUMP: SignedDuration = SignedDuration::from_secs(5);

/// Wakes every poller when `wall` and the timers' clock disagree about how much time has passed.
pub async fn watch(desk: Arc<Desk>, wall: impl Fn() -> Timestamp, stop: CancellationToken) {
    loop {
        let (told, started) = (wall(), Instant::now());
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(TICK) => {}
        }
        let Some(jump) = jump((told, started), (wall(), Instant::now())) else { continue };
        tracing::info!(seconds = jump.as_secs(), "the clock jumped, or this machine slept: asking how things stand");
        for (name, account) in desk.accounts.all().iter() {
            desk.hub.account(name, |known| known.clock_jumped(jump));
            account.look.notify_one();
            account.doubt.notify_one();
        }
    }
}

/// How much more time passed by the clock on the wall than by that of the timers; `None`: as much.
pub(super) fn jump(from: (Timestamp, Instant), to: (Timestamp, Instant)) -> Option<SignedDuration> {
    let passed = SignedDuration::try_from(to.1.duration_since(from.1)).unwrap_or(SignedDuration::MAX);
    let jump = to.0.duration_since(from.0).saturating_sub(passed);
    (jump.abs() > JUMP).then_some(jump)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::time::timeout;

    use super::*;
    use crate::{
        config::AccountSettings,
        core::{board::Change, incident::Status},
        server::{
            fake::{self, Fake, key},
            poller,
        },
    };

    /// Everything that the feed tells of an incident.
    async fn told(feed: &mut tokio::sync::broadcast::Receiver<Arc<Change>>, id: &str) -> Status {
        loop {
            match &*feed.recv().await.expect("change") {
                Change::Incident(incident) if incident.key == key(id) => return incident.state.status,
                _ => {}
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_night_asleep_everything_is_asked_for_at_once_and_not_at_the_next_poll() {
        for jump in [8 * 3600, -3600] {
            let dir = tempfile::tempdir().expect("tempdir");
            let fake = Fake::default();
            let settings = AccountSettings { poll: Duration::from_hours(1), ..fake::settings() };
            let desk = fake::desk_of(settings, Arc::new(fake.clone()), dir.path());
            let account = desk.accounts.get(&fake::account_name()).expect("known");
            let (stop, slept) = (CancellationToken::new(), Arc::new(AtomicI64::new(0)));
            fake.put("P1", Status::Triggered, 0);
            let (_, mut feed) = desk.hub.subscribe();
            let polling = tokio::spawn(poller::run(Arc::clone(&desk), account, stop.clone()));
            let (begun, offset) = (Instant::now(), Arc::clone(&slept));
            // The wall's clock goes with the timers, but for the sleep.
            let wall = move || {
                let passed = SignedDuration::try_from(begun.elapsed()).expect("small");
                Timestamp::UNIX_EPOCH + passed + SignedDuration::from_secs(offset.load(Ordering::Relaxed) + 100_000)
            };
            let watching = tokio::spawn(watch(Arc::clone(&desk), wall, stop.clone()));
            assert_eq!(told(&mut feed, "P1").await, Status::Triggered);
            sleep(Duration::from_mins(5)).await;
            fake.put("P1", Status::Resolved, 10);
            assert!(timeout(Duration::from_mins(5), told(&mut feed, "P1")).await.is_err(), "it is not time yet");

            slept.store(jump, Ordering::Relaxed);

            let status = timeout(Duration::from_secs(10), told(&mut feed, "P1")).await;
            assert_eq!(status, Ok(Status::Resolved), "{jump}");
            stop.cancel();
            polling.await.expect("ends");
            watching.await.expect("ends");
        }
    }
}

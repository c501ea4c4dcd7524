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
        let passed = SignedDuration::try_from(started.elapsed()).unwrap_or(SignedDuration::MAX);
        let jump = wall().duration_since(told) - passed;
        if jump.abs() <= JUMP {
            continue;
        }
        tracing::info!(seconds = jump.as_secs(), "the clock jumped, or this machine slept: asking how things stand");
        for account in desk.accounts.all().values() {
            account.look.notify_one();
            account.doubt.notify_one();
        }
    }
}

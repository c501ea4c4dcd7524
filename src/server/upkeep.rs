//! What the store needs from time to time: its index filled, what is too old pruned, room given back.
//!
//! All of it in slices with pauses between them, so that deliveries always come first.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use nix::time::{ClockId, clock_gettime};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    config::StoreSettings,
    store::{Keep, Store, StoreError},
};

/// From a delivery until it is indexed: others that come with it go into the same slice.
const GATHER: Duration = Duration::from_millis(500);
/// Between two looks for what is not to be kept any more.
const PRUNE: Duration = Duration::from_mins(10);
/// A clock that moved by more than that against one that nobody sets was set.
const SET: SignedDuration = SignedDuration::from_hours(1);
/// How long such a clock is not believed, nor any after this machine was started: it may be put right by the network.
const DOUBT: Duration = Duration::from_hours(1);
/// Between two notes of both clocks.
const NOTE: Duration = Duration::from_mins(1);
/// Before something that failed is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// A pause lasts so many times as long as the slice before it took, from queue to commit: the busier the writer is,
/// the longer.
const PAUSE: u32 = 2;

/// Looks after the store until `stop`; `clocks` outlives it.
pub async fn run(store: Store, settings: StoreSettings, clocks: Arc<Mutex<Clocks>>, stop: CancellationToken) {
    let keep = Keep { age: settings.keep, deliveries: settings.keep_deliveries, size: settings.keep_size };
    tokio::select! {
        () = stop.cancelled() => {}
        () = indexing(&store) => {}
        () = pruning(&store, keep, &clocks) => {}
    }
}

async fn indexing(store: &Store) {
    let grown = store.grown();
    loop {
        if let Err(error) = in_slices(|| store.index_some()).await {
            tracing::warn!(%error, "deliveries could not be indexed; searches look at them one by one: {error}");
            sleep(AGAIN).await;
        } else {
            grown.notified().await;
            sleep(GATHER).await;
        }
    }
}

/// The clock on the wall beside one that nobody sets, which counts from the start of this machine, sleep included: while
/// the one on the wall was set, nothing is too old by it.
#[derive(Debug, Default)]
pub struct Clocks {
    /// How both stood, oldest first: those of the last hour, and the last one before.
    noted: VecDeque<(Duration, Timestamp)>,
    doubted: bool,
}

impl Clocks {
    /// What is to be kept of the log at `wall`.
    fn keep(&mut self, keep: Keep, steady: Duration, wall: Timestamp) -> Keep {
        let doubted = self.was_set(steady, wall);
        if doubted && !self.doubted {
            tracing::warn!("the clock was set by more than an hour: for an hour no delivery is let go for its age");
        }
        self.doubted = doubted;
        if doubted || steady < DOUBT { Keep { age: Duration::MAX, ..keep } } else { keep }
    }

    /// Whether the clock on the wall was set within the last hour.
    fn was_set(&mut self, steady: Duration, wall: Timestamp) -> bool {
        let is_old = |noted: &(Duration, Timestamp)| steady.saturating_sub(noted.0) > DOUBT;
        while self.noted.get(1).is_some_and(is_old) {
            self.noted.pop_front();
        }
        if self.noted.back().is_none_or(|last| steady.saturating_sub(last.0) >= NOTE) {
            self.noted.push_back((steady, wall));
        }
        self.noted.iter().any(|(then, stood)| {
            let passed = SignedDuration::try_from(steady.saturating_sub(*then)).unwrap_or(SignedDuration::MAX);
            wall.duration_since(*stood).saturating_sub(passed).abs() > SET
        })
    }
}

/// Since this machine was started; 0 where it does not say.
fn steady() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

async fn pruning(store: &Store, keep: Keep, clocks: &Mutex<Clocks>) {
    loop {
        let slice = || {
            let now = Timestamp::now();
            let keep = clocks.lock().unwrap_or_else(PoisonError::into_inner).keep(keep, steady(), now);
            store.prune_some(keep, now)
        };
        let done = match in_slices(slice).await {
            Ok(()) => in_slices(|| store.shrink_some()).await,
            failed => failed,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "old deliveries could not be pruned: {error}");
        }
        // What was pruned leaves the index too.
        store.grown().notify_one();
        sleep(PRUNE).await;
    }
}

/// Until there is no more to do.
async fn in_slices<Slice>(mut slice: impl FnMut() -> Slice) -> Result<(), StoreError>
where
    Slice: Future<Output = Result<bool, StoreError>>,
{
    loop {
        let began = Instant::now();
        if !slice().await? {
            return Ok(());
        }
        sleep(began.elapsed() * PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Keep = Keep { age: Duration::from_hours(24), deliveries: 10, size: 1_000 };

    /// On a machine that has run for a while.
    const BEGAN: Duration = Duration::from_hours(30);

    /// Whether age counts after so many minutes, when the clock on the wall shows so many hours more than it should.
    fn counts(clocks: &mut Clocks, began: Duration, minutes: u32, ahead: i64) -> bool {
        let wall =
            Timestamp::UNIX_EPOCH + SignedDuration::from_mins(i64::from(minutes)) + SignedDuration::from_hours(ahead);
        let kept = clocks.keep(KEEP, began + Duration::from_mins(u64::from(minutes)), wall);
        assert_eq!((kept.deliveries, kept.size), (KEEP.deliveries, KEEP.size), "these count always");
        kept.age == KEEP.age
    }

    #[test]
    fn while_the_clock_was_set_within_the_last_hour_nothing_is_too_old() {
        let (mut clocks, began) = (Clocks::default(), BEGAN);
        for minutes in (0..=120).step_by(10) {
            assert!(counts(&mut clocks, began, minutes, 0), "after {minutes} minutes");
        }

        // Ahead by a year for one look, and right again.
        assert!(!counts(&mut clocks, began, 130, 365 * 24));
        for minutes in (140..=190).step_by(10) {
            assert!(!counts(&mut clocks, began, minutes, 0), "after {minutes} minutes");
        }
        for minutes in (210..=300).step_by(10) {
            assert!(counts(&mut clocks, began, minutes, 0), "after {minutes} minutes");
        }
    }

    #[test]
    fn within_an_hour_of_the_machine_s_start_no_clock_is_believed() {
        let (mut clocks, started) = (Clocks::default(), Duration::ZERO);

        assert!((1..60).step_by(10).all(|minutes| !counts(&mut clocks, started, minutes, 365 * 24)));
        assert!(!counts(&mut clocks, started, 59, 0) && !counts(&mut clocks, started, 110, 0), "put right late");
        assert!(counts(&mut clocks, started, 180, 0));
        assert!(steady() > Duration::ZERO, "this machine says");
    }

    #[test]
    fn a_clock_that_stays_where_it_was_set_is_believed_after_an_hour() {
        let (mut clocks, began) = (Clocks::default(), BEGAN);
        assert!(counts(&mut clocks, began, 0, 0) && counts(&mut clocks, began, 50, 0));

        assert!((60..=110).step_by(10).all(|minutes| !counts(&mut clocks, began, minutes, -48)));
        assert!((130..=200).step_by(10).all(|minutes| counts(&mut clocks, began, minutes, -48)));
    }

    #[test]
    fn a_clock_that_is_put_right_by_minutes_is_believed() {
        let (mut clocks, began) = (Clocks::default(), BEGAN);
        assert!(counts(&mut clocks, began, 0, 0));

        assert!(counts(&mut clocks, began, 10, 1), "an hour is not more than an hour");
    }
}

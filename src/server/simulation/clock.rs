//! The one virtual clock of a simulation. It belongs to the thread that drives it; only the driver moves it.

use std::{cell::Cell, time::Duration};

use jiff::{SignedDuration, Timestamp};

thread_local! {
    static PASSED: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Every simulation begins at the same moment.
pub(super) fn begin() {
    PASSED.set(Some(Duration::ZERO));
}

pub(super) fn pass(time: Duration) {
    PASSED.set(Some(passed() + time));
}

fn passed() -> Duration {
    PASSED.get().expect("no other thread than the driver's asks for the time")
}

/// What the server under test takes for the time.
pub(super) fn now() -> Timestamp {
    let begin = Timestamp::from_second(1_800_000_000).expect("in range");
    let passed = SignedDuration::try_from(passed()).expect("short");
    begin.checked_add(passed).expect("in range")
}

//! The one virtual clock of a simulation. It belongs to the thread that drives it; only the driver moves it.

use std::{cell::Cell, time::Duration};

use jiff::{SignedDuration, Timestamp};

thread_local! {
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Every simulation begins at the same moment.
pub(super) fn begin() {
    PASSED.set(Duration::ZERO);
}

pub(super) fn pass(time: Duration) {
    PASSED.set(PASSED.get() + time);
}

/// What the server under test takes for the time.
pub(super) fn now() -> Timestamp {
    let begin = Timestamp::from_second(1_800_000_000).expect("in range");
    let passed = SignedDuration::try_from(PASSED.get()).expect("short");
    begin.checked_add(passed).expect("in range")
}

//! What the tests of the whole binary share. They wait for conditions with a deadline, never for time to pass.

#![expect(dead_code, reason = "part of several test programs, of which none needs all of it")]

pub(crate) mod commands;
pub(crate) mod console;
pub(crate) mod door;
pub(crate) mod night;
pub(crate) mod simulated;
pub(crate) mod terminal;

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far more than anything takes: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn eventually(what: &str, check: impl FnMut() -> bool) {
    assert!(holds_in_time(check), "gave up waiting: {what}");
}

/// Whether `check` comes to hold before the patience ends.
pub(crate) fn holds_in_time(mut check: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !check() {
        if start.elapsed() >= PATIENCE {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

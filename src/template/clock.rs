//! The time and the zone that a template sees.

use jiff::{Timestamp, tz::TimeZone};

#[derive(Debug, Clone)]
pub struct Clock {
    pub now: Timestamp,
    pub zone: TimeZone,
}

impl Clock {
    /// The host's time, in UTC: what is sent must not depend on who sends it.
    pub fn host() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::UTC }
    }
}

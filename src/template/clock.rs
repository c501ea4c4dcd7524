//! The time and the zone that a template sees.

use jiff::{Timestamp, tz::TimeZone};

#[derive(Debug, Clone)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

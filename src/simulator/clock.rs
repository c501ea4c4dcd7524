//! The simulator's time: one door to the real clock, and the ways `PagerDuty` writes a moment.
//! Nothing else in this room asks for the time; everything gets `now` as an argument.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// The only place where the real clock is read.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// As incidents have it: whole seconds, UTC, `Z`.
pub(crate) fn rest(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As on-calls, notes and schedules have it: whole seconds with the zone's offset (`Z` in UTC).
pub(crate) fn zoned(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    if local.offset().seconds() == 0 { rest(at) } else { local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string() }
}

/// As webhooks have it in `occurred_at`: milliseconds, UTC.
pub(crate) fn millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// As `Date` has it.
pub(crate) fn http(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `at` plus `seconds`, kept inside what a time stamp can hold.
pub(crate) fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_time_is_written_as_pagerduty_writes_it() {
        let at: Timestamp = "2026-03-04T05:06:07.089Z".parse().expect("well formed");
        let lima = TimeZone::fixed(jiff::tz::offset(-5));

        assert_eq!(rest(at), "2026-03-04T05:06:07Z");
        assert_eq!(millis(at), "2026-03-04T05:06:07.089Z");
        assert_eq!(zoned(at, &lima), "2026-03-04T00:06:07-05:00");
        assert_eq!(zoned(at, &TimeZone::UTC), "2026-03-04T05:06:07Z");
        assert_eq!(http(at), "Wed, 04 Mar 2026 05:06:07 GMT");
    }
}

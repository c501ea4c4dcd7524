//! Times in queries: how long ago, or a moment; and what is compared with `<` and `>`.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp, civil};

use super::Clock;

/// `90s`, `2m`, `1h30m`, `7d`, `2w`; `None` when it is no length of time.
pub fn span(text: &str) -> Option<SignedDuration> {
    const UNITS: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    let (mut seconds, mut rest) = (0i64, text);
    while !rest.is_empty() {
        let (number, tail) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (_, each) = UNITS.iter().find(|(unit, _)| tail.starts_with(*unit))?;
        seconds = seconds.checked_add(number.parse::<i64>().ok()?.checked_mul(*each)?)?;
        rest = tail.get(1..)?;
    }
    (!text.is_empty()).then(|| SignedDuration::from_secs(seconds))
}

/// So long ago (`1h`), or a moment: `2025-06-10`, `2025-06-10T04:17`, with `Z` or an offset, else in the clock's zone.
pub fn moment(text: &str, clock: Clock<'_>) -> Option<Timestamp> {
    if let Some(span) = span(text) {
        return clock.now.checked_sub(span).ok();
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let there = match text.parse::<civil::DateTime>() {
        Ok(at) => at,
        Err(_) => text.parse::<civil::Date>().ok()?.at(0, 0, 0, 0),
    };
    there.to_zoned(clock.zone.clone()).ok().map(|at| at.timestamp())
}

/// Numbers that are meant by `7`, `>7`, `>=7`, `<7`, `<=7`, `3..7`, as far as `read` understands them.
#[derive(Debug, Clone, Copy)]
pub struct Spans;

impl Spans {
    pub fn of(text: &str, read: impl Fn(&str) -> Option<u64>) -> Option<RangeInclusive<u64>> {
        if let Some(from) = text.strip_prefix(">=") {
            return Some(read(from)?..=u64::MAX);
        }
        if let Some(from) = text.strip_prefix('>') {
            return Some(read(from)?.checked_add(1)?..=u64::MAX);
        }
        if let Some(to) = text.strip_prefix("<=") {
            return Some(0..=read(to)?);
        }
        if let Some(to) = text.strip_prefix('<') {
            return Some(0..=read(to)?.checked_sub(1)?);
        }
        if let Some((from, to)) = text.split_once("..") {
            return Some(read(from)?..=read(to)?).filter(|range| !range.is_empty());
        }
        read(text).map(|only| only..=only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    #[test]
    fn times_are_spans_before_now_or_moments_in_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").expect("zone");
        let clock = Clock { now: "2025-06-10T02:17:30Z".parse().expect("time"), zone: &zone };
        for (text, at) in [
            ("1h30m", "2025-06-10T00:47:30Z"),
            ("1w", "2025-06-03T02:17:30Z"),
            ("2025-06-10", "2025-06-09T22:00:00Z"),
            ("2025-06-10T04:00", "2025-06-10T02:00:00Z"),
            ("2025-06-10T04:00:00Z", "2025-06-10T04:00:00Z"),
        ] {
            assert_eq!(moment(text, clock), at.parse().ok(), "{text}");
        }
        for bad in ["", "1", "h", "1x", "99999999999999999999h", "9223372036854775807w", "2025-13-01", "yesterday"] {
            assert_eq!(moment(bad, clock), None, "{bad}");
        }
    }

    #[test]
    fn numbers_are_one_or_a_range() {
        let read = |text: &str| text.parse().ok();
        for (text, range) in [("7", 7..=7), (">7", 8..=u64::MAX), ("<=7", 0..=7), ("<7", 0..=6), ("3..7", 3..=7)] {
            assert_eq!(Spans::of(text, read), Some(range), "{text}");
        }
        for bad in ["", ">", "<0", "7..3", "a", "1..", ">18446744073709551615"] {
            assert_eq!(Spans::of(bad, read), None, "{bad}");
        }
    }
}

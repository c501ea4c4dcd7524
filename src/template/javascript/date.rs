//! `Date`: milliseconds since 1970, and their parts in a zone.

mod reading;

use jiff::{Timestamp, civil, tz::TimeZone};

pub(crate) use reading::parse;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// The furthest time from 1970 that a `Date` can be.
const FURTHEST: i64 = 8_640_000_000_000_000;

/// A time in parts. Months count from 0, weekdays from Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millisecond: i64,
    pub(crate) weekday: i64,
}

/// Days since 1970 of a day in the Gregorian calendar; months and days beyond their range carry over.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year + month.div_euclid(12);
    let month = month.rem_euclid(12) + 1;
    // Counted in eras of 400 years that begin in March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468 + day - 1
}

/// The day that is `days` after the first of 1970: year, month from 0, day.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 2, 0) } else { (month - 10, 1) };
    (year + era * 400 + carry, month, day_of_month)
}

pub(crate) fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    days(year, month + 1, 1) - days(year, month, 1)
}

/// A time that a `Date` can be, or none.
pub(crate) fn clip(time: i64) -> Option<i64> {
    (time.abs() <= FURTHEST).then_some(time)
}

/// How far the zone is ahead of UTC at `time`, in milliseconds.
pub(crate) fn offset(time: i64, zone: &TimeZone) -> i64 {
    let at = Timestamp::from_millisecond(time);
    at.map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * SECOND)
}

pub(crate) fn parts(time: i64, zone: &TimeZone) -> Parts {
    let local = time + offset(time, zone);
    let (day_number, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let (year, month, day) = civil(day_number);
    Parts {
        year,
        month,
        day,
        hour: of_day / HOUR,
        minute: of_day % HOUR / MINUTE,
        second: of_day % MINUTE / SECOND,
        millisecond: of_day % SECOND,
        weekday: (day_number + 4).rem_euclid(7),
    }
}

/// The time that the zone's clocks show as `parts`, whose weekday does not matter.
pub(crate) fn time(parts: &Parts, zone: &TimeZone) -> Option<i64> {
    let day = days(parts.year, parts.month, parts.day);
    let local = day.checked_mul(DAY)?.checked_add(parts.hour * HOUR + parts.minute * MINUTE)?;
    let local = local.checked_add(parts.second * SECOND + parts.millisecond)?;
    clip(of_local(local, zone))
}

fn of_local(local: i64, zone: &TimeZone) -> i64 {
    let (day_number, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let (year, month, day) = civil(day_number);
    let small = |number: i64| i8::try_from(number).unwrap_or(0);
    let Ok(year) = i16::try_from(year) else { return local };
    let (hour, minute, second) = (of_day / HOUR, of_day % HOUR / MINUTE, of_day % MINUTE / SECOND);
    let at = civil::DateTime::new(year, small(month + 1), small(day), small(hour), small(minute), small(second), 0);
    let before = |at: civil::DateTime| zone.to_ambiguous_timestamp(at).compatible().ok();
    at.ok().and_then(before).map_or(local, |at| at.as_millisecond() + of_day % SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_reverse() {
        for day in (-800_000..800_000).step_by(97) {
            let (year, month, day_of_month) = civil(day);
            assert_eq!(days(year, month, day_of_month), day);
        }
        assert_eq!((days(2018, 1, 30), days(2018, 14, 1)), (days(2018, 2, 2), days(2019, 2, 1)));
    }
}

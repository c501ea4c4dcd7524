//! A moment: read from a number, a text or parts; written by a pattern or in relation to now.

use std::sync::LazyLock;

use super::{
    format::{Shown, fill, week_offset},
    locale::{Locale, Suffix},
};
use crate::template::{
    clock::Clock,
    javascript::{
        Outcome, Problem, Value,
        date::{self, DAY, Parts},
        number,
    },
};

/// A time in a zone; `None` for an invalid one.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    time: Option<i64>,
    zone: jiff::tz::TimeZone,
}

/// Which of two times a span is told from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Towards {
    /// `in an hour` means that this moment is later than now.
    This,
    Now,
}

const INVALID: &str = "Invalid date";

/// Whole milliseconds, as a `Date` takes a number.
#[expect(clippy::cast_possible_truncation, reason = "within the range of a date, checked just before")]
fn whole(number: f64) -> Option<i64> {
    (number.abs() <= 8.64e15).then_some(number.trunc() as i64)
}

/// `moment(new Date(value))`
pub(super) fn of_date(value: &Value, clock: &Clock) -> Moment {
    let time = match value {
        Value::Undefined => None,
        Value::Null | Value::Bool(_) | Value::Number(_) => whole(value.to_number()),
        other => date::parse(&other.to_text(), &clock.zone),
    };
    Moment::new(time, clock)
}

/// `moment(value)`
pub(super) fn of_value(value: &Value, clock: &Clock) -> Result<Moment, Problem> {
    let time = match value {
        Value::Undefined => return Ok(Moment::now(clock)),
        Value::Number(number) => whole(*number),
        Value::Text(text) => read(text, clock),
        Value::List(list) if list.len() == 0 => return Ok(Moment::now(clock)),
        Value::List(list) => of_numbers(&list.items(), clock),
        value if value.is_object() => return Ok(of_object(value, clock)),
        _ => None,
    };
    Ok(Moment::new(time, clock))
}

/// `parseInt(value, 10)`
fn integer(value: &Value) -> Option<f64> {
    let number = number::parse_int(&value.to_text());
    (!number.is_nan()).then_some(number)
}

/// `{year, month, day, …}`: what is missing before the first given part is that of today.
fn of_object(object: &Value, clock: &Clock) -> Moment {
    const UNITS: [(&[&str], usize); 7] = [
        (&["year", "years", "y"], 0),
        (&["month", "months", "M"], 1),
        (&["day", "days", "date", "dates", "D", "d"], 2),
        (&["hour", "hours", "h"], 3),
        (&["minute", "minutes", "m"], 4),
        (&["second", "seconds", "s"], 5),
        (&["millisecond", "milliseconds", "ms"], 6),
    ];
    let keys = object.keys();
    if keys.is_empty() {
        return Moment::now(clock);
    }
    let mut given = vec![Value::Undefined; 7];
    for (names, at) in UNITS {
        let found = keys.iter().find(|key| names.iter().any(|name| **name == ***key));
        if let (Some(key), Some(slot)) = (found, given.get_mut(at)) {
            *slot = object.get(key);
        }
    }
    Moment::new(of_parts(&given, clock), clock)
}

fn of_numbers(items: &[Value], clock: &Clock) -> Option<i64> {
    let mut given = items.to_vec();
    given.truncate(7);
    given.resize(7, Value::Undefined);
    of_parts(&given, clock)
}

fn of_parts(given: &[Value], clock: &Clock) -> Option<i64> {
    let today = date::parts(clock.now.as_millisecond(), &clock.zone);
    let number =
        |at: usize| given.get(at).filter(|value| value.is_true() || matches!(value, Value::Number(_))).map(integer);
    let (year, month, day) = (number(0), number(1), number(2));
    let known = |given: Option<Option<f64>>, today: i64, usual: i64, later: bool| match given {
        Some(number) => number.and_then(whole),
        None if later => Some(usual),
        None => Some(today),
    };
    let some_year = year.is_some();
    let some_month = month.is_some();
    let parts = Parts {
        year: known(year, today.year, today.year, false)?,
        month: known(month, today.month, 0, some_year)?,
        day: known(day, today.day, 1, some_year || some_month)?,
        hour: known(number(3), 0, 0, true)?,
        minute: known(number(4), 0, 0, true)?,
        second: known(number(5), 0, 0, true)?,
        millisecond: known(number(6), 0, 0, true)?,
        weekday: 0,
    };
    let time = date::time(&parts, &clock.zone)?;
    is_real(&parts).then_some(time)
}

/// Whether no part is beyond its range.
fn is_real(parts: &Parts) -> bool {
    let midnight = parts.hour == 24 && parts.minute == 0 && parts.second == 0 && parts.millisecond == 0;
    (0..12).contains(&parts.month)
        && (1..=date::days_in_month(parts.year, parts.month)).contains(&parts.day)
        && ((0..24).contains(&parts.hour) || midnight)
        && (0..60).contains(&parts.minute)
        && (0..60).contains(&parts.second)
        && (0..1000).contains(&parts.millisecond)
}

/// A text as moment reads it: ISO 8601, else as a `Date`.
fn read(text: &str, clock: &Clock) -> Option<i64> {
    match iso(text, clock) {
        Iso::Time(time) => Some(time),
        Iso::NoSuchTime => None,
        Iso::Other => date::parse(text, &clock.zone).filter(|_| !has_wrong_weekday(text)),
    }
}

/// Whether a date as in mails, `Thu, 21 Jun 2018 16:56:44 +0200`, names another weekday than it falls on.
fn has_wrong_weekday(text: &str) -> bool {
    static MAIL: LazyLock<regress::Regex> = LazyLock::new(|| {
        let zone = r"(?:(UT|GMT|[ECMP][SD]T)|([Zz])|([+-]\d{4}))";
        let day =
            r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s(\d{1,2}\s(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s\d{2,4})";
        regress::Regex::new(&format!(r"^{day}\s\d\d:\d\d(?::\d\d)?\s{zone}$")).expect("an expression of our own")
    });
    let utc = jiff::tz::TimeZone::UTC;
    let Some(found) = MAIL.find(text) else { return false };
    let group = |at: usize| found.group(at).and_then(|range| text.get(range)).unwrap_or_default();
    let day = date::parse(&format!("{} UTC", group(2)), &utc).map(|time| date::parts(time, &utc).weekday);
    day.is_some_and(|day| Locale::ENGLISH.short_weekday(day) != group(1))
}

/// A text as ISO 8601.
enum Iso {
    Time(i64),
    NoSuchTime,
    Other,
}

fn iso(text: &str, clock: &Clock) -> Iso {
    let Some((parts, zone)) = iso_parts(text) else { return Iso::Other };
    let time = match zone {
        _ if !is_real(&parts) => None,
        IsoZone::Local => date::time(&parts, &clock.zone),
        IsoZone::Minutes(minutes) => date::time(&parts, &jiff::tz::TimeZone::UTC).map(|time| time - minutes * 60_000),
    };
    time.map_or(Iso::NoSuchTime, Iso::Time)
}

/// The zone of a text: its own, in minutes ahead of UTC, or that of the clock.
#[derive(Clone, Copy)]
enum IsoZone {
    Local,
    Minutes(i64),
}

/// The parts of a text in ISO 8601, which need not be a real time.
fn iso_parts(text: &str) -> Option<(Parts, IsoZone)> {
    let text = text.trim_start();
    let (day_text, time_text) = match text.find(['T', ' ']).filter(|at| *at > 3) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)),
        None => (text, None),
    };
    let (year, month, day, takes_time) = iso_day(day_text)?;
    let ([hour, minute, second, millisecond], zone) = match time_text {
        Some(time) => iso_time(time)?,
        None => ([0; 4], IsoZone::Local),
    };
    // A month that is none makes the whole invalid.
    let month = if time_text.is_some() && !takes_time { -1 } else { month };
    Some((Parts { year, month, day, hour, minute, second, millisecond, weekday: 0 }, zone))
}

fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Year, month from 0, day; and whether a time may follow.
fn iso_day(text: &str) -> Option<(i64, i64, i64, bool)> {
    let (sign, rest, width) = match text.chars().next()? {
        '+' => (1, text.get(1..)?, 6),
        '-' => (-1, text.get(1..)?, 6),
        _ => (1, text, 4),
    };
    let year = sign * digits(rest.get(..width)?)?;
    let rest = rest.get(width..)?;
    let rest_digits = |range: std::ops::Range<usize>| rest.get(range).and_then(digits);
    let shape: String = rest.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    Some(match shape.as_str() {
        "" if width == 4 => (year, 0, 1, false),
        "-00" if width == 4 => (year, rest_digits(1..3)? - 1, 1, false),
        "00" if width == 4 => (year, rest_digits(0..2)? - 1, 1, false),
        "-00-00" => (year, rest_digits(1..3)? - 1, rest_digits(4..6)?, true),
        "0000" => (year, rest_digits(0..2)? - 1, rest_digits(2..4)?, true),
        "-000" => of_day_number(year, rest_digits(1..4)?),
        "000" => of_day_number(year, rest_digits(0..3)?),
        "-W00-0" => of_week(year, rest_digits(2..4)?, rest_digits(5..6)?, true),
        "W000" => of_week(year, rest_digits(1..3)?, rest_digits(3..4)?, true),
        "-W00" => of_week(year, rest_digits(2..4)?, 1, false),
        "W00" => of_week(year, rest_digits(1..3)?, 1, false),
        _ => return None,
    })
}

fn of_day_number(year: i64, day: i64) -> (i64, i64, i64, bool) {
    let length = if date::is_leap(year) { 366 } else { 365 };
    if !(1..=length).contains(&day) {
        return (year, 12, 1, true);
    }
    of_days(date::days(year, 0, day), true)
}

fn of_week(year: i64, week: i64, weekday: i64, takes_time: bool) -> (i64, i64, i64, bool) {
    if !(1..=53).contains(&week) || !(1..=7).contains(&weekday) {
        return (year, 12, 1, takes_time);
    }
    of_days(date::days(year, 0, 1) + week_offset(year, 1, 4) + (week - 1) * 7 + weekday - 1, takes_time)
}

fn of_days(day_number: i64, takes_time: bool) -> (i64, i64, i64, bool) {
    let parts = date::parts(day_number * DAY, &jiff::tz::TimeZone::UTC);
    (parts.year, parts.month, parts.day, takes_time)
}

/// Hour to millisecond, and the zone in minutes.
fn iso_time(text: &str) -> Option<([i64; 4], IsoZone)> {
    let text = text.trim_end();
    let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let zone = iso_zone(zone)?;
    let (whole, fraction) = clock
        .trim_end()
        .split_once(['.', ','])
        .map_or((clock.trim_end(), None), |(whole, fraction)| (whole, Some(fraction)));
    let numbers: Vec<i64> = if whole.contains(':') {
        whole.split(':').map(|part| digits(part).filter(|_| part.len() == 2)).collect::<Option<_>>()?
    } else {
        let pairs = whole
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2).and_then(digits));
        pairs.collect::<Option<_>>()?
    };
    let millisecond = match fraction {
        None => 0,
        Some(fraction) if numbers.len() == 3 => {
            digits(fraction)?;
            let first: String = fraction.chars().chain("000".chars()).take(3).collect();
            digits(&first)?
        }
        Some(_) => return None,
    };
    let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
    (1..=3).contains(&numbers.len()).then(|| ([number(0), number(1), number(2), millisecond], zone))
}

fn iso_zone(text: &str) -> Option<IsoZone> {
    match text {
        "" => return Some(IsoZone::Local),
        "Z" => return Some(IsoZone::Minutes(0)),
        _ => {}
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let plain = text.get(1..)?.replace(':', "");
    let hours = digits(plain.get(..2)?)?;
    let minutes = if plain.len() == 2 { 0 } else { digits(plain.get(2..4).filter(|_| plain.len() == 4)?)? };
    Some(IsoZone::Minutes(sign * (hours * 60 + minutes)))
}

impl Moment {
    pub(super) fn new(time: Option<i64>, clock: &Clock) -> Self {
        Self { time: time.and_then(date::clip), zone: clock.zone.clone() }
    }

    pub(super) fn now(clock: &Clock) -> Self {
        Self::new(Some(clock.now.as_millisecond()), clock)
    }

    /// `valueOf()`
    #[expect(clippy::cast_precision_loss, reason = "dates are within 2^53")]
    pub(super) fn number(&self) -> f64 {
        self.time.map_or(f64::NAN, |time| time as f64)
    }

    fn parts(&self) -> Option<Parts> {
        self.time.map(|time| date::parts(time, &self.zone))
    }

    pub(super) fn format(&self, pattern: &str, locale: Locale) -> Result<String, Problem> {
        let Some(time) = self.time else { return Ok(INVALID.to_owned()) };
        let shown =
            Shown { parts: date::parts(time, &self.zone), time, offset: date::offset(time, &self.zone) / 60_000 };
        Ok(fill(pattern, &shown, locale))
    }

    /// `toISOString(keepsOffset)`; null for an invalid one.
    pub(super) fn iso(&self, keeps_offset: bool) -> Outcome {
        let Some(time) = self.time else { return Ok(Value::Null) };
        let utc = Self { time: Some(time), zone: jiff::tz::TimeZone::UTC };
        let far = !(0..=9999).contains(&date::parts(time, &utc.zone).year);
        let pattern = format!("{}-MM-DD[T]HH:mm:ss.SSS", if far { "YYYYYY" } else { "YYYY" });
        if keeps_offset {
            return self.format(&format!("{pattern}Z"), Locale::ENGLISH).map(Value::from);
        }
        utc.format(&format!("{pattern}[Z]"), Locale::ENGLISH).map(Value::from)
    }

    pub(super) fn of_month_or_year(&self, name: &str) -> Value {
        match (self.parts(), name) {
            (Some(parts), "daysInMonth") => Value::Number(number::of_count(
                usize::try_from(date::days_in_month(parts.year, parts.month)).unwrap_or(0),
            )),
            (Some(parts), _) => Value::Bool(date::is_leap(parts.year)),
            (None, "daysInMonth") => Value::Number(f64::NAN),
            (None, _) => Value::Bool(false),
        }
    }

    /// `fromNow(bare)` and `toNow(bare)`
    pub(super) fn relative(&self, clock: &Clock, bare: bool, locale: Locale, towards: Towards) -> String {
        let Some(time) = self.time else { return INVALID.to_owned() };
        let now = clock.now.as_millisecond();
        let (from, to) = if towards == Towards::This { (now, time) } else { (time, now) };
        let (months, rest) = difference(from, to, &self.zone);
        let suffix = if bare { Suffix::Without } else { Suffix::With };
        let (number, key) = span(months, rest);
        let words = locale.span(number, key, suffix);
        if bare {
            return words;
        }
        let sum = rest + (months % 12) * 2_592_000_000 + (months / 12) * 31_536_000_000;
        locale.suffixed(&words, sum > 0)
    }

    /// `calendar()`
    #[expect(clippy::cast_precision_loss, reason = "days between dates are few")]
    pub(super) fn calendar(&self, clock: &Clock, locale: Locale) -> Result<String, Problem> {
        let Some(time) = self.time else { return Ok(INVALID.to_owned()) };
        let now = date::parts(clock.now.as_millisecond(), &self.zone);
        let midnight = Parts { hour: 0, minute: 0, second: 0, millisecond: 0, ..now };
        let start = date::time(&midnight, &self.zone).unwrap_or(0);
        let shift = date::offset(time, &self.zone) - date::offset(start, &self.zone);
        let days = (time - start + shift) as f64 / DAY as f64;
        self.format(locale.calendar(days), locale)
    }
}

/// Whole months and the milliseconds beyond them, both negative when `to` is earlier.
fn difference(from: i64, to: i64, zone: &jiff::tz::TimeZone) -> (i64, i64) {
    if to < from {
        let (months, rest) = difference(to, from, zone);
        return (-months, -rest);
    }
    let (start, end) = (date::parts(from, zone), date::parts(to, zone));
    let mut months = end.month - start.month + (end.year - start.year) * 12;
    if add_months(&start, months, zone) > to {
        months -= 1;
    }
    (months, to - add_months(&start, months, zone))
}

fn add_months(parts: &Parts, months: i64, zone: &jiff::tz::TimeZone) -> i64 {
    let all = parts.year * 12 + parts.month + months;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12));
    let day = parts.day.min(date::days_in_month(year, month));
    date::time(&Parts { year, month, day, ..*parts }, zone).unwrap_or(0)
}

/// The unit that tells a span best, by moment's name, with its number.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "spans between dates are far below 2^53"
)]
fn span(months: i64, rest: i64) -> (i64, &'static str) {
    let (months, rest) = (months.abs() as f64, rest.abs() as f64);
    let rounded = |number: f64| number::round(number) as i64;
    let days = rest / DAY as f64 + number::round(months * 146_097.0 / 4800.0);
    let seconds = rounded(days.trunc() * 86_400.0 + (days - days.trunc()) * 86_400.0);
    let (minutes, hours, whole_days) = (rounded(days * 1440.0), rounded(days * 24.0), rounded(days));
    let in_months = months + (rest / DAY as f64) * 4800.0 / 146_097.0;
    let (whole_months, years) = (rounded(in_months), rounded(in_months / 12.0));
    match () {
        () if seconds <= 44 => (seconds, "s"),
        () if minutes <= 1 => (1, "m"),
        () if minutes < 45 => (minutes, "mm"),
        () if hours <= 1 => (1, "h"),
        () if hours < 22 => (hours, "hh"),
        () if whole_days <= 1 => (1, "d"),
        () if whole_days < 26 => (whole_days, "dd"),
        () if whole_months <= 1 => (1, "M"),
        () if whole_months < 11 => (whole_months, "MM"),
        () if years <= 1 => (1, "y"),
        () => (years, "yy"),
    }
}

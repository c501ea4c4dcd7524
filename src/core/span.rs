//! Spans of time as people type them: `30m`, `until 09:00`, `18:00-22:00`, `tue 08:00 for 12h`.
//!
//! Times are those of the viewer's clock. A number without a unit is refused, because it may be anything (the number
//! of an incident), and so is a time that the clock skips or shows twice: nothing here is a guess.

use jiff::{
    SignedDuration, Span as Distance, Timestamp, Zoned,
    civil::{Date, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};
use serde::{Deserialize, Serialize};

use super::query::{Clock, span};

/// From when till when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// More than this is asked about once more.
const LONG: SignedDuration = SignedDuration::from_hours(24);
/// More than this is a slip.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);

impl Span {
    pub fn length(self) -> SignedDuration {
        self.to.duration_since(self.from)
    }

    /// Whether it is so long that it may be a slip.
    pub fn is_long(self) -> bool {
        self.length() > LONG
    }
}

/// Reads a span; one without a beginning begins now.
pub fn read(text: &str, clock: Clock<'_>) -> Result<Span, String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let whole_second = Timestamp::from_second(clock.now.as_second()).unwrap_or(clock.now);
    let clock = Clock { now: whole_second, zone: clock.zone };
    let span = parts(&text, clock)?;
    if span.to <= span.from {
        return Err("it ends before it begins".into());
    }
    if span.to <= clock.now {
        return Err("that is over already".into());
    }
    if span.length() > LONGEST {
        return Err("that is longer than 31 days".into());
    }
    Ok(span)
}

fn parts(text: &str, clock: Clock<'_>) -> Result<Span, String> {
    const EXAMPLES: &str = "write for example 30m, 2h, until 09:00, 18:00-22:00, or tue 08:00 for 12h";
    if text.is_empty() {
        return Err(EXAMPLES.into());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{text} of what? write {text}m for minutes or {text}h for hours"));
    }
    for word in ["until ", "till "] {
        if let Some(end) = text.strip_prefix(word) {
            return Ok(Span { from: clock.now, to: moment(end, clock.now, clock)? });
        }
    }
    if let Some(length) = span(text.strip_prefix("for ").unwrap_or(text)) {
        return Ok(Span { from: clock.now, to: later(clock.now, length)? });
    }
    if let Some((start, length)) = text.split_once(" for ") {
        let from = moment(start, clock.now, clock)?;
        let length = span(length).ok_or_else(|| format!("`{length}` is no length of time: write 30m or 2h"))?;
        return Ok(Span { from, to: later(from, length)? });
    }
    for between in [" until ", " till ", " to ", " - ", " – "] {
        if let Some((start, end)) = text.split_once(between) {
            let from = moment(start, clock.now, clock)?;
            return Ok(Span { from, to: moment(end, from, clock)? });
        }
    }
    if let Some((start, end)) = text.split_once(['-', '–']).filter(|(start, _)| time_of_day(start).is_some()) {
        let from = moment(start, clock.now, clock)?;
        return Ok(Span { from, to: moment(end, from, clock)? });
    }
    Err(format!("`{text}` is no span of time: {EXAMPLES}"))
}

fn later(from: Timestamp, length: SignedDuration) -> Result<Timestamp, String> {
    from.checked_add(length).map_err(|_| "that is too long".into())
}

/// A moment; one without a day is the next one after `after`.
pub fn moment(text: &str, after: Timestamp, clock: Clock<'_>) -> Result<Timestamp, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(clock.now);
    }
    // An offset or a `z` says all that is to say.
    if let Ok(at) = text.to_uppercase().parse::<Timestamp>() {
        return Ok(at);
    }
    let unknown = || format!("`{text}` is no time: write 09:00, tue 08:00, or 2025-06-10 08:00");
    let (day, time) = match text.rsplit_once([' ', 't']) {
        Some((day, time)) if time.contains(':') => (Some(day), time),
        _ => (None, text),
    };
    let time = time_of_day(time).ok_or_else(unknown)?;
    let there = after.to_zoned(clock.zone.clone());
    match day {
        None => next(&there, |_| true, time, clock.zone),
        Some("today") => at(clock.now.to_zoned(clock.zone.clone()).date(), time, clock.zone),
        Some("tomorrow") => {
            let tomorrow = clock.now.to_zoned(clock.zone.clone()).date().tomorrow().map_err(|_| unknown())?;
            at(tomorrow, time, clock.zone)
        }
        Some(day) => match (weekday(day), day.parse::<Date>()) {
            (Some(weekday), _) => next(&there, |date| date.weekday() == weekday, time, clock.zone),
            (None, Ok(date)) => at(date, time, clock.zone),
            (None, Err(_)) => Err(unknown()),
        },
    }
}

/// `09:00`, also as `9:00`.
fn time_of_day(text: &str) -> Option<Time> {
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    padded.parse().ok()
}

/// The first day that is `meant` on which `time` comes after `there`.
fn next(there: &Zoned, meant: impl Fn(Date) -> bool, time: Time, zone: &TimeZone) -> Result<Timestamp, String> {
    let days = there.date().series(Distance::new().days(1)).take(9).filter(|date| meant(*date));
    for date in days {
        let at = at(date, time, zone)?;
        if at > there.timestamp() {
            return Ok(at);
        }
    }
    Err("there is no such time".into())
}

fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let is_meant = |name: &str| text.len() >= 3 && name.starts_with(text);
    NAMES.iter().find(|(name, _)| is_meant(name)).map(|(_, day)| *day)
}

fn at(date: Date, time: Time, zone: &TimeZone) -> Result<Timestamp, String> {
    let there = date.to_datetime(time);
    let ambiguous = zone.to_ambiguous_timestamp(there);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous().map_err(|_| "there is no such time".into()),
        AmbiguousOffset::Gap { .. } => {
            Err(format!("{} does not come on {date}: the clocks go forward", time.strftime("%H:%M")))
        }
        AmbiguousOffset::Fold { before, .. } => {
            let first = ambiguous.earlier().map(|at| at.to_zoned(TimeZone::fixed(before)));
            let example = first.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()).unwrap_or_default();
            let time = time.strftime("%H:%M");
            Err(format!("{time} comes twice on {date}, when the clocks go back: say which, as in {example}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    /// Tuesday, 10 June 2025, 04:17:30 in Berlin.
    const NOW: &str = "2025-06-10T02:17:30Z";

    fn read_at(now: &str, text: &str) -> Result<Span, String> {
        let zone = TimeZone::get("Europe/Berlin").expect("zone");
        read(text, Clock { now: time(now), zone: &zone })
    }

    #[test]
    fn spans_are_read_as_people_say_them() {
        for (text, from, to) in [
            ("30m", NOW, "2025-06-10T02:47:30Z"),
            ("for 1h30m", NOW, "2025-06-10T03:47:30Z"),
            ("until 09:00", NOW, "2025-06-10T07:00:00Z"),
            ("till 04:00", NOW, "2025-06-11T02:00:00Z"),
            ("until Fri 8:00", NOW, "2025-06-13T06:00:00Z"),
            ("18:00-22:00", "2025-06-10T16:00:00Z", "2025-06-10T20:00:00Z"),
            ("22:00 - 06:00", "2025-06-10T20:00:00Z", "2025-06-11T04:00:00Z"),
            ("tue 03:00 for 12h", "2025-06-17T01:00:00Z", "2025-06-17T13:00:00Z"),
            ("tomorrow 08:00 to tomorrow 10:00", "2025-06-11T06:00:00Z", "2025-06-11T08:00:00Z"),
            ("2025-06-12 08:00 until 20:00", "2025-06-12T06:00:00Z", "2025-06-12T18:00:00Z"),
            ("now until 2025-06-10T09:00:00Z", NOW, "2025-06-10T09:00:00Z"),
        ] {
            assert_eq!(read_at(NOW, text), Ok(Span { from: time(from), to: time(to) }), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_never_minutes() {
        assert!(read_at(NOW, "1201").expect_err("refused").contains("1201 of what?"));
        assert!(read_at(NOW, "30").expect_err("refused").contains("30m"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words() {
        for (text, words) in [
            ("", "write for example"),
            ("soon", "no span of time"),
            ("until noon", "no time"),
            ("2025-06-01 08:00 for 1h", "over already"),
            ("2025-06-12 08:00 until 2025-06-11 08:00", "ends before it begins"),
            ("40d", "longer than 31 days"),
            ("99999999999999999999h", "no span of time"),
        ] {
            let why = read_at(NOW, text).expect_err(text);
            assert!(why.contains(words), "{text}: {why}");
        }
    }

    #[test]
    fn more_than_a_day_is_told_from_less() {
        assert!(!read_at(NOW, "24h").expect("span").is_long());
        assert!(read_at(NOW, "25h").expect("span").is_long());
    }

    #[test]
    fn a_day_with_a_change_of_clocks_is_as_long_as_it_is() {
        let forward = read_at("2025-03-29T20:00:00Z", "until 08:00").expect("span");
        let back = read_at("2025-10-25T20:00:00Z", "until 08:00").expect("span");

        assert_eq!([forward, back].map(|span| span.length().as_hours()), [10, 11]);
    }

    #[test]
    fn a_time_that_the_clock_skips_or_shows_twice_is_not_guessed() {
        let skipped = read_at("2025-03-29T20:00:00Z", "until 02:30").expect_err("refused");
        assert!(skipped.contains("does not come on 2025-03-30"), "{skipped}");
        let twice = read_at("2025-10-25T20:00:00Z", "until 02:30").expect_err("refused");
        assert!(twice.contains("as in 2025-10-26T02:30:00+02:00"), "{twice}");
        let said = read_at("2025-10-25T20:00:00Z", "until 2025-10-26T02:30:00+01:00").expect("span");
        assert_eq!(said.to, time("2025-10-26T01:30:00Z"));
    }
}

//! A schedule as a grid: days down, the hours of the viewer's clock across. On the day on which clocks go forward an
//! hour has no cell, on the one on which they go back an hour comes twice and its cell stands for both.

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

use crate::core::{
    id::UserId,
    incident::Named,
    oncall::{Schedule, Shift},
};

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// One person throughout.
    One { who: &'a Named<UserId>, from_override: bool },
    /// Somebody takes over within it, or several have it at once.
    Several,
    /// A part of it at least has nobody.
    Gap,
    /// Outside the days that are known.
    Unknown,
    /// The clocks skip it.
    Skipped,
}

/// One day of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day<'a> {
    pub date: Date,
    pub cells: Vec<Cell<'a>>,
    /// Hours that the day really has: 24, or 23 or 25 when the clocks are changed.
    pub hours: i64,
}

/// `days` days from `first` on, each hour in `parts` cells.
pub fn days<'a>(schedule: &'a Schedule, zone: &TimeZone, first: Date, days: usize, parts: usize) -> Vec<Day<'a>> {
    let dates = first.series(Span::new().days(1)).take(days);
    dates.map(|date| day(schedule, zone, date, parts)).collect()
}

/// One day, each hour in `parts` cells (1, 2 or 4).
pub fn day<'a>(schedule: &'a Schedule, zone: &TimeZone, date: Date, parts: usize) -> Day<'a> {
    let parts = i32::try_from(parts.clamp(1, 4)).unwrap_or(1);
    let minutes = 60 / parts;
    let cells = (0..24 * parts).map(|at| cell(schedule, zone, date, at * minutes, minutes)).collect();
    let (midnight, next) = (wall(zone, date, 0), wall(zone, date, 24 * 60));
    Day { date, cells, hours: next.duration_since(midnight).as_hours() }
}

/// The first moment at which the viewer's clock shows this minute of the day, or a later one where it is skipped.
fn wall(zone: &TimeZone, date: Date, minute: i32) -> Timestamp {
    let midnight = date.at(0, 0, 0, 0);
    let there = midnight.checked_add(Span::new().minutes(minute)).unwrap_or(midnight);
    zone.to_ambiguous_timestamp(there).compatible().unwrap_or(Timestamp::MAX)
}

fn cell<'a>(schedule: &'a Schedule, zone: &TimeZone, date: Date, minute: i32, minutes: i32) -> Cell<'a> {
    let midnight = date.at(0, 0, 0, 0);
    let there = midnight.checked_add(Span::new().minutes(minute)).unwrap_or(midnight);
    let ambiguous = zone.to_ambiguous_timestamp(there);
    let from = wall(zone, date, minute);
    let length = SignedDuration::from_mins(i64::from(minutes));
    let after = |start: Timestamp| start.checked_add(length).unwrap_or(start);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => covered(schedule, from, after(from)),
        AmbiguousOffset::Gap { .. } => Cell::Skipped,
        AmbiguousOffset::Fold { .. } => {
            // The same minutes come again: both times count.
            let again = ambiguous.later().unwrap_or(from);
            both(covered(schedule, from, after(from)), covered(schedule, again, after(again)))
        }
    }
}

fn both<'a>(first: Cell<'a>, second: Cell<'a>) -> Cell<'a> {
    match (first, second) {
        (first, second) if first == second => first,
        (Cell::Gap, _) | (_, Cell::Gap) => Cell::Gap,
        (Cell::Unknown, _) | (_, Cell::Unknown) => Cell::Unknown,
        _ => Cell::Several,
    }
}

/// Who has the time from `from` to `to`.
fn covered(schedule: &Schedule, from: Timestamp, to: Timestamp) -> Cell<'_> {
    // A cell that the known time cuts shows what is known of it.
    let (from, to) = (from.max(schedule.from), to.min(schedule.to));
    if from >= to {
        return Cell::Unknown;
    }
    let mut reached = from;
    let mut here: Vec<&Shift> = vec![];
    for shift in schedule.shifts.iter().filter(|shift| shift.start < to && shift.end > from) {
        if shift.start > reached {
            return Cell::Gap;
        }
        reached = reached.max(shift.end);
        if !here.iter().any(|known| known.user.id == shift.user.id && known.from_override == shift.from_override) {
            here.push(shift);
        }
    }
    match here.as_slice() {
        _ if reached < to => Cell::Gap,
        [one] => Cell::One { who: &one.user, from_override: one.from_override },
        _ => Cell::Several,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::ScheduleId;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("zone")
    }

    fn time(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    fn schedule(from: &str, to: &str, shifts: &[(&str, &str, &str)]) -> Schedule {
        let shift = |(start, end, name): &(&str, &str, &str)| Shift {
            start: time(start),
            end: time(end),
            user: Named { id: UserId::new(*name).expect("id"), name: (*name).into() },
            from_override: *name == "carol",
        };
        Schedule {
            schedule: Named { id: ScheduleId::new("S1").expect("id"), name: "Primary".into() },
            zone: "UTC".into(),
            shifts: shifts.iter().map(shift).collect(),
            from: time(from),
            to: time(to),
        }
    }

    /// A letter for each cell.
    fn drawn(day: &Day<'_>) -> String {
        let letter = |cell: &Cell<'_>| match cell {
            Cell::One { who, .. } => who.name.as_str().chars().next().unwrap_or(' '),
            Cell::Several => '+',
            Cell::Gap => '!',
            Cell::Unknown => '?',
            Cell::Skipped => '_',
        };
        day.cells.iter().map(letter).collect()
    }

    #[test]
    fn each_hour_of_the_viewers_day_shows_who_has_it() {
        let schedule = schedule(
            "2025-06-09T22:00:00Z",
            "2025-06-10T20:00:00Z",
            &[
                ("2025-06-09T20:00:00Z", "2025-06-10T06:00:00Z", "ann"),
                ("2025-06-10T06:00:00Z", "2025-06-10T10:30:00Z", "bob"),
                ("2025-06-10T10:30:00Z", "2025-06-10T14:00:00Z", "carol"),
            ],
        );

        let day = day(&schedule, &berlin(), "2025-06-10".parse().expect("date"), 1);

        // Midnight in Berlin is 22:00 in UTC.
        assert_eq!(drawn(&day), "aaaaaaaabbbb+ccc!!!!!!??");
        assert_eq!(day.hours, 24);
    }

    #[test]
    fn when_clocks_go_forward_an_hour_is_skipped_and_the_rest_stays_in_its_place() {
        // On 30 March 2025 at 02:00 it was 03:00 in Berlin: 01:00 in UTC.
        let schedule = schedule(
            "2025-03-29T00:00:00Z",
            "2025-03-31T23:00:00Z",
            &[
                ("2025-03-29T00:00:00Z", "2025-03-30T06:00:00Z", "ann"),
                ("2025-03-30T06:00:00Z", "2025-03-31T23:00:00Z", "bob"),
            ],
        );

        let days = days(&schedule, &berlin(), "2025-03-29".parse().expect("date"), 3, 1);

        assert_eq!(drawn(&days[1]), "aa_aaaaabbbbbbbbbbbbbbbb");
        assert_eq!(days.iter().map(|day| day.hours).collect::<Vec<_>>(), [24, 23, 24]);
    }

    #[test]
    fn when_clocks_go_back_the_hour_that_comes_twice_stands_for_both() {
        // On 26 October 2025 at 03:00 it was 02:00 again in Berlin: 01:00 in UTC.
        let within = schedule(
            "2025-10-25T00:00:00Z",
            "2025-10-28T00:00:00Z",
            &[
                ("2025-10-25T00:00:00Z", "2025-10-26T01:00:00Z", "ann"),
                ("2025-10-26T01:00:00Z", "2025-10-28T00:00:00Z", "bob"),
            ],
        );
        let date = "2025-10-26".parse().expect("date");

        let day = day(&within, &berlin(), date, 1);

        assert_eq!(drawn(&day), "aa+bbbbbbbbbbbbbbbbbbbbb");
        assert_eq!(day.hours, 25);
        assert_eq!(drawn(&super::day(&within, &berlin(), date, 2)).get(..8), Some("aaaa++bb"));
    }
}

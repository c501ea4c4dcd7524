//! Ages, times and counts as words: one way to say each, so that the same thing reads the same on every screen.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use unicode_segmentation::UnicodeSegmentation as _;

use super::text::columns;

/// How long ago, coarsely: `now` (under 5 s), `10s` (in steps of 5 s), `3m`, `5h`, `12d`.
pub fn age(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match seconds {
        0..5 => "now".into(),
        5..60 => format!("{}s", seconds / 5 * 5),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How much time that is, either way, to the nearest minute or less: `45s`, `10m`.
pub fn about(time: SignedDuration) -> String {
    let time = time.abs();
    let rounding = if time.as_secs() < 60 { 0 } else { 30 };
    age(time.saturating_add(SignedDuration::from_secs(rounding)))
}

/// Like [`age`], as a phrase: `just now`, `3m ago`.
pub fn ago(since: SignedDuration) -> String {
    match age(since).as_str() {
        "now" => "just now".into(),
        age => format!("{age} ago"),
    }
}

/// How much time is left, as a phrase: `in 45 s`, `in 12 min`, `in 4 h 5 min`, `in 3 days`; `any moment` when it is up.
pub fn ahead(left: SignedDuration) -> String {
    let seconds = left.as_secs();
    match (seconds, seconds / 60 % 60) {
        (..1, _) => "any moment".into(),
        (1..60, _) => format!("in {seconds} s"),
        (60..3600, minutes) => format!("in {minutes} min"),
        (3600..172_800, 0) => format!("in {} h", seconds / 3600),
        (3600..172_800, minutes) => format!("in {} h {minutes} min", seconds / 3600),
        _ => format!("in {} days", seconds / 86_400),
    }
}

/// From `at` to `now`; never negative.
pub fn since(at: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(at).max(SignedDuration::ZERO)
}

/// The time of day with seconds, in `zone`: `12:03:04`.
pub fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// A time as short as it can be told apart from `now`: `08:00` on the same day, `Tue 08:00` within six
/// days, else `2025-06-10 08:00`; in `zone`.
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let days = (then.date() - today.date()).get_days().abs();
    let form = match days {
        0 => "%H:%M",
        1..=6 => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    then.strftime(form).to_string()
}

/// Date and time with seconds, in `zone`: `2025-06-10 12:03:04`.
pub fn date_and_clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How `zone` is called at `at`: `CEST`, or `+05:30` where it has no letters.
pub fn zone_name(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Z").to_string()
}

/// A zone's name in the time zone database as people say it: all its names of UTC are `UTC`.
pub fn zone_called(name: &str) -> &str {
    match name {
        "Etc/UTC" | "Etc/UCT" | "Etc/Universal" | "Etc/Zulu" | "UCT" | "Universal" | "Zulu" => "UTC",
        name => name,
    }
}

/// `1 incident`, `2 incidents`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `text` as lines of at most `width` columns, broken at spaces where possible; never empty.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Lines::default();
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        let wide = columns(bare);
        if lines.used + wide > width {
            lines.end();
        }
        if wide <= width {
            lines.push(word, columns(word));
            continue;
        }
        for cluster in bare.graphemes(true) {
            let wide = columns(cluster);
            if lines.used + wide > width {
                lines.end();
            }
            lines.push(cluster, wide);
        }
        lines.push(" ", word.len() - bare.len());
    }
    if lines.done.is_empty() || !lines.line.trim_end().is_empty() {
        lines.done.push(lines.line.trim_end().to_owned());
    }
    lines.done
}

/// Lines being filled, and the columns used of the last one.
#[derive(Default)]
struct Lines {
    done: Vec<String>,
    line: String,
    used: usize,
}

impl Lines {
    fn push(&mut self, text: &str, wide: usize) {
        self.line.push_str(text);
        self.used += wide;
    }

    fn end(&mut self) {
        if self.used > 0 {
            self.done.push(self.line.trim_end().to_owned());
            self.line.clear();
            self.used = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(s: i64) -> SignedDuration {
        SignedDuration::from_secs(s)
    }

    #[test]
    fn ages_are_coarse_and_never_negative() {
        let said: Vec<_> = [-9, 4, 14, 60, 3599, 7200, 172_800].iter().map(|s| age(seconds(*s))).collect();
        assert_eq!(said, ["now", "now", "10s", "1m", "59m", "2h", "2d"]);
        assert_eq!((ago(seconds(1)), ago(seconds(60))), ("just now".into(), "1m ago".into()));
        let left = [0, 45, 3599, 7200, 14_700, 200_000].map(|s| ahead(seconds(s)));
        assert_eq!(left, ["any moment", "in 45 s", "in 59 min", "in 2 h", "in 4 h 5 min", "in 2 days"]);
        assert_eq!([45, -599, 3599].map(|s| about(seconds(s))), ["45s", "10m", "1h"]);
    }

    #[test]
    fn times_are_in_the_viewers_zone_and_name_the_day_when_it_is_another() {
        let zone = TimeZone::get("Europe/Berlin").expect("zone");
        let at = |text: &str| text.parse::<Timestamp>().expect("time");
        let now = at("2025-06-10T02:17:30Z");
        assert_eq!(clock(now, &zone), "04:17:30");
        assert_eq!(moment(at("2025-06-10T06:00:00Z"), now, &zone), "08:00");
        assert_eq!(moment(at("2025-06-09T06:00:00Z"), now, &zone), "Mon 08:00");
        assert_eq!(moment(at("2025-01-01T06:00:00Z"), now, &zone), "2025-01-01 07:00");
        assert_eq!(zone_name(now, &zone), "CEST");
    }

    #[test]
    fn every_name_of_utc_is_said_as_utc_and_no_other() {
        assert_eq!(["Etc/UTC", "Zulu", "UTC"].map(zone_called), ["UTC"; 3]);
        assert_eq!(["Europe/Berlin", "Etc/GMT-2"].map(zone_called), ["Europe/Berlin", "Etc/GMT-2"]);
    }

    #[test]
    fn wrapping_keeps_every_character_and_the_width() {
        assert_eq!(wrap("disk full on db-1", 9), ["disk full", "on db-1"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 3), ["日", "本", "語"]);
        assert_eq!(wrap("日", 1), ["日"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("a  b", 9), ["a  b"]);
        assert_eq!(wrap("ab abcdefgh i", 4), ["ab", "abcd", "efgh", "i"]);
        assert_eq!(wrap(&"x".repeat(300_000), 3).len(), 100_000);
    }
}

//! The patterns of moment: `YYYY-MM-DD`, `LLLL`, `[at] h:mm a`.

use super::locale::Locale;
use crate::template::javascript::date::{Parts, days, is_leap};

/// What a pattern is filled with.
pub(super) struct Shown {
    pub(super) parts: Parts,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    /// Minutes ahead of UTC.
    pub(super) offset: i64,
}

/// Fills `pattern` in. What is no token stays, but for line ends: moment drops those.
pub(super) fn fill(pattern: &str, shown: &Shown, locale: Locale) -> String {
    let pattern = expanded(pattern, locale);
    tokens(&pattern).into_iter().map(|token| shown.token(token, locale).unwrap_or_else(|| literal(token))).collect()
}

/// `[text]` and `\x` without their marks.
fn literal(token: &str) -> String {
    if token.starts_with('[') && token.chars().count() > 1 {
        let inner = token.strip_prefix('[').unwrap_or(token);
        return inner.strip_suffix(']').unwrap_or(inner).to_owned();
    }
    token.replace('\\', "")
}

/// How often a pattern that stands for another is looked for.
const ROUNDS: usize = 6;

/// `L` and its like replaced by what they stand for.
fn expanded(pattern: &str, locale: Locale) -> String {
    let mut pattern = pattern.to_owned();
    for _ in 0..ROUNDS {
        let next: String =
            long_tokens(&pattern).map(|token| locale.pattern(token).unwrap_or_else(|| token.to_owned())).collect();
        if next == pattern {
            break;
        }
        pattern = next;
    }
    pattern
}

/// A bracketed text at the start, brackets included.
fn bracketed(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner.get(end..)?.starts_with(']').then_some(end + 2)
}

/// Cuts before and behind each `LT`, `LTS`, `L` to `LLLL`, `l` to `llll`; brackets keep theirs.
fn long_tokens(pattern: &str) -> impl Iterator<Item = &str> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let run = |of: char| rest.chars().take(4).take_while(|c| *c == of).count();
        let length = match first {
            '[' => bracketed(rest).unwrap_or(1),
            // An escaped one stays.
            '\\' if rest.get(1..).is_some_and(|rest| rest.starts_with(['L', 'l'])) => {
                1 + rest.get(1..).map_or(0, long_length)
            }
            'L' => long_length(rest),
            'l' => run('l'),
            other => other.len_utf8(),
        };
        let (token, left) = rest.split_at(length.min(rest.len()));
        rest = left;
        Some(token)
    })
}

fn long_length(rest: &str) -> usize {
    if rest.starts_with("LTS") {
        return 3;
    }
    if rest.starts_with("LT") {
        return 2;
    }
    let first = rest.chars().next().unwrap_or('L');
    rest.chars().take(4).take_while(|c| *c == first).count()
}

/// The tokens of a pattern, in the order in which moment's expression tries them. Line ends are none.
pub(super) fn tokens(pattern: &str) -> Vec<&str> {
    let mut out = vec![];
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '[' => bracketed(rest).unwrap_or(1),
            '\\' => 1 + rest.get(1..).map_or(0, escaped),
            _ => word(rest).unwrap_or(first.len_utf8()),
        };
        let (token, left) = rest.split_at(length.min(rest.len()));
        if !matches!(first, '\n' | '\r' | '\u{2028}' | '\u{2029}') {
            out.push(token);
        }
        rest = left;
    }
    out
}

/// What a backslash takes with it: a token, or one character.
fn escaped(rest: &str) -> usize {
    let one = || rest.chars().next().filter(|c| !matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}'));
    word(rest).or_else(|| one().map(char::len_utf8)).unwrap_or(0)
}

/// The length of the token at the start.
fn word(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let run = text.chars().take_while(|c| *c == first).count();
    let then = |end: &str| text.get(1..).is_some_and(|rest| rest.starts_with(end));
    let length = match first {
        'H' | 'h' if then("mmss") => 5,
        'H' | 'h' if then("mm") => 3,
        'M' | 'D' | 'Q' | 'd' | 'y' if then("o") && run == 1 => 2,
        'D' if text.starts_with("DDDo") => 4,
        'M' | 'D' | 'd' | 'y' => run.min(4),
        'w' | 'W' if then("o") || then("|") || run > 1 => 2,
        'N' => run.min(5),
        'Y' if run >= 4 => run.min(6),
        'g' | 'G' if run >= 4 => run.min(5),
        'Y' | 'g' | 'G' if run >= 2 => 2,
        'h' | 'H' | 'k' | 'm' | 's' | 'z' | 'Z' => run.min(2),
        'S' => run.min(9),
        'w' | 'W' | 'Q' | 'e' | 'E' | 'a' | 'A' | 'x' | 'X' => 1,
        _ => return None,
    };
    Some(length)
}

fn padded(number: i64, width: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0width$}", number.abs())
}

impl Shown {
    /// What stands for `token`; `None` when it is none.
    fn token(&self, token: &str, locale: Locale) -> Option<String> {
        let parts = &self.parts;
        self.of_day(token, locale).or_else(|| self.of_week(token, locale)).or_else(|| {
            let twelve = if parts.hour % 12 == 0 { 12 } else { parts.hour % 12 };
            let twenty_four = if parts.hour == 0 { 24 } else { parts.hour };
            Some(match token {
                "H" => parts.hour.to_string(),
                "HH" => padded(parts.hour, 2),
                "h" => twelve.to_string(),
                "hh" => padded(twelve, 2),
                "k" => twenty_four.to_string(),
                "kk" => padded(twenty_four, 2),
                "hmm" => format!("{twelve}{:02}", parts.minute),
                "hmmss" => format!("{twelve}{:02}{:02}", parts.minute, parts.second),
                "Hmm" => format!("{}{:02}", parts.hour, parts.minute),
                "Hmmss" => format!("{}{:02}{:02}", parts.hour, parts.minute, parts.second),
                "a" => if parts.hour > 11 { "pm" } else { "am" }.to_owned(),
                "A" => if parts.hour > 11 { "PM" } else { "AM" }.to_owned(),
                "m" => parts.minute.to_string(),
                "mm" => padded(parts.minute, 2),
                "s" => parts.second.to_string(),
                "ss" => padded(parts.second, 2),
                "x" => self.time.to_string(),
                "X" => self.time.div_euclid(1000).to_string(),
                "Z" => self.zone(":"),
                "ZZ" => self.zone(""),
                "z" | "zz" => String::new(),
                _ if token.starts_with('S') => self.fraction(token.len()),
                _ => return None,
            })
        })
    }

    fn fraction(&self, digits: usize) -> String {
        let all = format!("{:03}000000", self.parts.millisecond);
        all.get(..digits.min(9)).unwrap_or_default().to_owned()
    }

    fn zone(&self, separator: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let offset = self.offset.abs();
        format!("{sign}{:02}{separator}{:02}", offset / 60, offset % 60)
    }

    fn of_day(&self, token: &str, locale: Locale) -> Option<String> {
        let Parts { year, month, day, weekday, .. } = self.parts;
        let day_of_year = self.day_of_year();
        Some(match token {
            "M" => (month + 1).to_string(),
            "MM" => padded(month + 1, 2),
            "Mo" => locale.ordinal(month + 1, "M"),
            "MMM" => locale.short_month(month).to_owned(),
            "MMMM" => locale.month(month).to_owned(),
            "Q" => (month / 3 + 1).to_string(),
            "Qo" => locale.ordinal(month / 3 + 1, "Q"),
            "D" => day.to_string(),
            "DD" => padded(day, 2),
            "Do" => locale.ordinal(day, "D"),
            "DDD" => day_of_year.to_string(),
            "DDDD" => padded(day_of_year, 3),
            "DDDo" => locale.ordinal(day_of_year, "DDD"),
            "d" => weekday.to_string(),
            "do" => locale.ordinal(weekday, "d"),
            "dd" => locale.least_weekday(weekday).to_owned(),
            "ddd" => locale.short_weekday(weekday).to_owned(),
            "dddd" => locale.weekday(weekday).to_owned(),
            "e" => ((weekday + 7 - locale.first_weekday()) % 7).to_string(),
            "E" => (if weekday == 0 { 7 } else { weekday }).to_string(),
            "Y" if year <= 9999 => padded(year, 4),
            "Y" => format!("+{year}"),
            "YY" => padded(year % 100, 2),
            "YYYY" => padded(year, 4),
            "YYYYY" => padded(year, 5),
            "YYYYYY" => format!("{}{:06}", if year < 0 { '-' } else { '+' }, year.abs()),
            _ => return self.of_era(token, locale),
        })
    }

    fn of_era(&self, token: &str, locale: Locale) -> Option<String> {
        let year = self.parts.year;
        let (short, name, of_era) =
            if year > 0 { ("AD", "Anno Domini", year) } else { ("BC", "Before Christ", 1 - year) };
        Some(match token {
            "N" | "NN" | "NNN" | "NNNNN" => short.to_owned(),
            "NNNN" => name.to_owned(),
            "y" | "yy" | "yyy" | "yyyy" => padded(of_era, token.len()),
            "yo" => locale.ordinal(of_era, "y"),
            _ => return None,
        })
    }

    fn of_week(&self, token: &str, locale: Locale) -> Option<String> {
        let (year, week) = self.week(locale.first_weekday(), locale.first_week());
        let (iso_year, iso_week) = self.week(1, 4);
        Some(match token {
            "w" => week.to_string(),
            "ww" => padded(week, 2),
            "wo" => locale.ordinal(week, "w"),
            "W" => iso_week.to_string(),
            "WW" => padded(iso_week, 2),
            "Wo" => locale.ordinal(iso_week, "W"),
            "gg" => padded(year % 100, 2),
            "gggg" | "ggggg" => padded(year, token.len()),
            "GG" => padded(iso_year % 100, 2),
            "GGGG" | "GGGGG" => padded(iso_year, token.len()),
            _ => return None,
        })
    }

    fn day_of_year(&self) -> i64 {
        days(self.parts.year, self.parts.month, self.parts.day) - days(self.parts.year, 0, 1) + 1
    }

    /// Year and number of the week.
    fn week(&self, first_weekday: i64, first_week: i64) -> (i64, i64) {
        let year = self.parts.year;
        let week = (self.day_of_year() - week_offset(year, first_weekday, first_week) - 1).div_euclid(7) + 1;
        let weeks = |year: i64| weeks_in_year(year, first_weekday, first_week);
        if week < 1 {
            (year - 1, week + weeks(year - 1))
        } else if week > weeks(year) {
            (year + 1, week - weeks(year))
        } else {
            (year, week)
        }
    }
}

/// The days from the start of the first week to the start of the year.
pub(super) fn week_offset(year: i64, first_weekday: i64, first_week: i64) -> i64 {
    let first = 7 + first_weekday - first_week;
    let weekday = (days(year, 0, first) + 4).rem_euclid(7);
    let into_week = (7 + weekday - first_weekday) % 7;
    first - into_week - 1
}

fn weeks_in_year(year: i64, first_weekday: i64, first_week: i64) -> i64 {
    let length = if is_leap(year) { 366 } else { 365 };
    let offset = |year: i64| week_offset(year, first_weekday, first_week);
    (length - offset(year) + offset(year + 1)) / 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::javascript::date::parts;
    use jiff::tz::TimeZone;

    fn filled(pattern: &str, locale: Locale) -> String {
        let time = 1_529_600_204_730;
        fill(pattern, &Shown { parts: parts(time, &TimeZone::UTC), time, offset: 0 }, locale)
    }

    #[test]
    fn patterns_are_filled_as_moment_fills_them() {
        for (pattern, text) in [
            ("YYYY-MM-DDTHH:mm:ss.SSSZ", "2018-06-21T16:56:44.730+00:00"),
            ("dddd [at] h:mm a", "Thursday at 4:56 pm"),
            ("Do DDDo Qo wo", "21st 172nd 2nd 25th"),
            ("LLLL|l|LT", "Thursday, June 21, 2018 4:56 PM|6/21/2018|4:56 PM"),
            ("YYYY-[W]WW-E gggg", "2018-W25-4 2018"),
            ("YY Y y N X x SS", "18 2018 2018 AD 1529600204 1529600204730 73"),
            ("\\M\n[a", "M[pm"),
        ] {
            assert_eq!(filled(pattern, Locale::ENGLISH), text, "{pattern}");
        }
    }
}

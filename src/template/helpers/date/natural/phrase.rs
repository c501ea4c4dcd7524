//! The second half of `date.js`: a phrase such as `next friday at 3pm` or `5 minutes ago`, from left to right. It
//! looks ahead into a list that it never empties, and sees old words in it; so do we.

use std::sync::LazyLock;

use super::{expression, groups};
use crate::template::{
    clock::Clock,
    javascript::{
        Problem,
        date::{self, Parts, is_leap},
        throw,
    },
};

const SECOND: i64 = 1000;
const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

expression!(MERIDIEM, r"^(\d{1,2})([:.](\d{1,2}))?([:.](\d{1,2}))?\s*([ap]m)");
expression!(HOUR_MINUTE, r"^(\d{1,2})([:.](\d{1,2}))([:.](\d{1,2}))?");
expression!(AT_HOUR, r"^at\s?(\d{1,2})$");
expression!(FIRST_DAY, r"^\b(sun(day)?|mon(day)?|tues(day)?|wed(nesday)?|thur(sday|s)?|fri(day)?|sat(urday)?)s?\b");
expression!(ANY_DAY, r"\b(sun(day)?|mon(day)?|tues(day)?|wed(nesday)?|thur(sday|s)?|fri(day)?|sat(urday)?)s?\b");
expression!(PAST, r"\b(last|yesterday|ago)\b");
expression!(PART_OF_DAY, r"\b(morning|noon|afternoon|night|evening|midnight)\b");
expression!(AGO, r"^(\d*)\s?\b(second|minute|hour|day|week|month|year)[s]?\b\s?ago$");
static MONTH_DAY: LazyLock<regress::Regex> = LazyLock::new(|| {
    let months = MONTHS.join("|");
    let source = format!(r"^((\d{{1,2}})\s*(st|nd|rd|th))\s(day\s)?(of\s)?({months})");
    regress::Regex::with_flags(&source, "i").expect("an expression of our own")
});
/// Words with the expression that starts with them, in the order in which they are tried after the others.
static PLAIN: LazyLock<Vec<(&str, regress::Regex)>> = LazyLock::new(|| {
    [
        ("week", r"^w(k|eek)s?"),
        ("month", r"^mon(th)?(es|s)?\b"),
        ("year", r"^y(r|ear)s?"),
        ("second", r"^s(ec|econd)?s?"),
        ("minute", r"^m(in|inute)?s?"),
        ("hour", r"^h(r|our)s?"),
        ("day", r"^d(ay)?s?"),
    ]
    .into_iter()
    .map(|(name, source)| (name, regress::Regex::new(source).expect("an expression of our own")))
    .collect()
});

/// The time that the phrase means; `None` for an invalid date.
pub(super) fn read(text: &str, clock: &Clock) -> Result<Option<i64>, Problem> {
    let now = clock.now.as_millisecond();
    let mut phrase = Phrase {
        original: text.to_owned(),
        rest: text.to_lowercase(),
        date: Calendar::new(Some(now), clock),
        stash: vec![],
        half: None,
    };
    loop {
        if phrase.advance()? == END {
            break;
        }
    }
    phrase.next_time(now);
    Ok(phrase.date.time)
}

const END: &str = "eos";

/// A date that is moved about.
struct Calendar<'c> {
    time: Option<i64>,
    clock: &'c Clock,
    hours: bool,
    minutes: bool,
    seconds: bool,
}

impl<'c> Calendar<'c> {
    fn new(time: Option<i64>, clock: &'c Clock) -> Self {
        Self { time, clock, hours: false, minutes: false, seconds: false }
    }

    fn change(&mut self, change: impl FnOnce(&mut Parts)) {
        let Some(time) = self.time else { return };
        let mut parts = date::parts(time, &self.clock.zone);
        change(&mut parts);
        self.time = date::time(&parts, &self.clock.zone);
    }

    fn set_time(&mut self, hour: i64, minute: i64, second: i64) {
        self.change(|parts| (parts.hour, parts.minute, parts.second) = (hour, minute, second));
    }

    fn add(&mut self, milliseconds: i64) {
        self.time = self.time.and_then(|time| time.checked_add(milliseconds)).and_then(date::clip);
    }

    /// `this.date[unit](count)`; `None` when it has no such method.
    fn step(&mut self, unit: &str, count: i64) -> Option<()> {
        let times = |length: i64| count.saturating_mul(length);
        match unit {
            "second" => {
                self.add(times(SECOND));
                self.seconds = true;
            }
            "minute" => {
                self.add(times(60 * SECOND));
                self.minutes = true;
            }
            "hour" => {
                self.add(times(3600 * SECOND));
                self.hours = true;
            }
            "day" => self.add(times(date::DAY)),
            "week" => self.add(times(7 * date::DAY)),
            "month" => self.add_months(count),
            "year" => self.change(|parts| parts.year = parts.year.saturating_add(count)),
            day => self.move_to_weekday(DAYS.iter().position(|known| *known == day)?, count),
        }
        Some(())
    }

    /// A month has 28 days here, but for a February that is really one: so it is in `date.js`.
    fn add_months(&mut self, count: i64) {
        self.change(|parts| {
            let month = parts.month.saturating_add(count);
            let all = parts.year.saturating_mul(12).saturating_add(month);
            (parts.year, parts.month) = (all.div_euclid(12), all.rem_euclid(12));
            let most = if month == 1 && is_leap(parts.year) { 29 } else { 28 };
            parts.day = parts.day.min(most);
        });
    }

    fn move_to_weekday(&mut self, day: usize, count: i64) {
        let Some(time) = self.time else { return };
        let weekday = date::parts(time, &self.clock.zone).weekday;
        let count = if count == 0 { 1 } else { count };
        let ahead = (i64::try_from(day).unwrap_or(0) - weekday + 7) % 7;
        let weeks = if count > 0 { count - 1 } else { count };
        self.add((ahead + weeks.saturating_mul(7)).saturating_mul(date::DAY));
    }
}

/// Units and weekdays: what a date can be moved by.
fn is_step(token: &str) -> bool {
    matches!(token, "second" | "minute" | "hour" | "day" | "week" | "month" | "year") || DAYS.contains(&token)
}

struct Phrase<'c> {
    original: String,
    rest: String,
    date: Calendar<'c>,
    stash: Vec<String>,
    /// `am` or `pm`, from a part of the day.
    half: Option<&'static str>,
}

impl Phrase<'_> {
    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default().to_owned();
    }

    /// Takes `word` off if it comes next as a whole.
    fn take_word(&mut self, word: &str) -> bool {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let here = self.rest.strip_prefix(word).is_some_and(ends);
        if here {
            self.skip(word.len());
        }
        here
    }

    /// The word at `at` of the list, which is filled up to it.
    fn peek(&mut self, mut ahead: usize) -> Result<String, Problem> {
        if ahead == self.stash.len() {
            ahead += 1;
        }
        while self.stash.len() < ahead {
            let token = self.advance()?;
            self.stash.push(token);
        }
        Ok(self.stash.get(ahead - 1).cloned().unwrap_or_default())
    }

    /// The next word, acted on.
    fn advance(&mut self) -> Result<String, Problem> {
        loop {
            let spaces = self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len();
            if spaces == 0 {
                break;
            }
            self.skip(spaces);
        }
        if self.rest.is_empty() {
            return Ok(END.to_owned());
        }
        for (word, count) in [("next", 1), ("last", -1)] {
            if self.rest.starts_with(word) {
                self.skip(word.len());
                self.towards(count)?;
                return Ok(word.to_owned());
            }
        }
        if let Some(token) = self.named_day()? {
            return Ok(token);
        }
        if let Some(token) = self.month_and_day().or_else(|| self.ago()) {
            return Ok(token);
        }
        if let Some(token) = self.word() {
            return Ok(token.to_owned());
        }
        if let Some(token) = self.clock_time() {
            return Ok(token.to_owned());
        }
        for (name, regex) in PLAIN.iter() {
            if let Some(found) = regex.find(&self.rest) {
                self.skip(found.end());
                return Ok((*name).to_owned());
            }
        }
        self.number_or_other()
    }

    /// `next` and `last`.
    fn towards(&mut self, count: i64) -> Result<(), Problem> {
        let before = self.date.time;
        let unit = self.peek(1)?;
        if is_step(&unit) {
            self.stash.remove(0);
            self.date = Calendar::new(before, self.date.clock);
            self.date.step(&unit, count);
        } else if PART_OF_DAY.find(&unit).is_some() {
            self.date.step("day", count);
        }
        Ok(())
    }

    fn named_day(&mut self) -> Result<Option<String>, Problem> {
        let Some((range, groups)) = groups(&FIRST_DAY, &self.rest, 0) else { return Ok(None) };
        let day = groups.get(1).cloned().flatten().unwrap_or_default();
        self.skip(range.end);
        match self.date.step(&day, 1) {
            Some(()) => Ok(Some(day)),
            None => throw(format!("`{day}` is no weekday to date.js: write it out")),
        }
    }

    fn month_and_day(&mut self) -> Option<String> {
        let (range, groups) = groups(&MONTH_DAY, &self.rest, 0)?;
        let text = |at: usize| groups.get(at).cloned().flatten().unwrap_or_default();
        let month = MONTHS.iter().position(|month| *month == text(6)).and_then(|month| i64::try_from(month).ok())?;
        let day = text(2).parse().unwrap_or(1);
        // First the month, which may carry into the next, then the day.
        self.date.change(|parts| parts.month = month);
        self.date.change(|parts| parts.day = day);
        self.skip(range.end);
        Some(text(0))
    }

    fn ago(&mut self) -> Option<String> {
        let (range, groups) = groups(&AGO, &self.rest, 0)?;
        let text = |at: usize| groups.get(at).cloned().flatten().unwrap_or_default();
        let count = text(1).parse::<i64>().unwrap_or(0);
        self.date.step(&text(2), count.saturating_neg());
        self.skip(range.end);
        Some("timeAgo".to_owned())
    }

    /// Words that stand for a day or for a part of one.
    fn word(&mut self) -> Option<&'static str> {
        if self.take_word("ago") {
            return Some("ago");
        }
        for (start, whole, count, name) in [("yes", "yesterday", -1, "yesterday"), ("tom", "tomorrow", 1, "tomorrow")] {
            if self.rest.starts_with(start) {
                self.skip(if self.rest.starts_with(whole) { whole.len() } else { start.len() });
                self.date.step("day", count);
                return Some(name);
            }
        }
        let parts = [
            ("noon", None, Some(12)),
            ("midnight", None, Some(0)),
            ("night", Some("pm"), Some(19)),
            ("evening", Some("pm"), Some(17)),
            ("afternoon", Some("pm"), Some(14)),
            ("morning", Some("am"), Some(8)),
            ("tonight", Some("pm"), None),
        ];
        let (name, half, hour) = parts.into_iter().find(|(name, ..)| self.take_word(name))?;
        self.half = half.or(self.half);
        let keeps = matches!(name, "afternoon" | "morning") && self.date.hours;
        if let Some(hour) = hour.filter(|_| !keeps) {
            self.date.set_time(hour, 0, 0);
        }
        Some(name)
    }

    fn clock_time(&mut self) -> Option<&'static str> {
        let forms = [("meridiem", &*MERIDIEM), ("hourminute", &*HOUR_MINUTE), ("athour", &*AT_HOUR)];
        let (name, (range, found)) =
            forms.into_iter().find_map(|(name, regex)| Some((name, groups(regex, &self.rest, 0)?)))?;
        self.skip(range.end);
        let text = |at: usize| found.get(at).cloned().flatten();
        let (minute, second) = if name == "athour" { (None, None) } else { (text(3), text(5)) };
        let half = if name == "meridiem" { text(6) } else { self.half.map(str::to_owned) };
        self.set_clock(&text(1).unwrap_or_default(), minute, second, half.as_deref());
        if name == "athour" {
            self.half = None;
        }
        Some(name)
    }

    /// Sets the time. What is not said stays if it was changed before, and is 0 otherwise.
    fn set_clock(&mut self, hour: &str, minute: Option<String>, second: Option<String>, half: Option<&str>) {
        let mut hour = hour.parse::<i64>().unwrap_or(0);
        match half {
            Some("pm") if hour < 12 => hour += 12,
            Some("am") if hour == 12 => hour = 0,
            _ => {}
        }
        let number = |text: Option<String>| text.and_then(|text| text.parse::<i64>().ok());
        let (minute, second) = (number(minute), number(second));
        let keeps_minute = minute.is_none() && self.date.minutes;
        let keeps_second = second.is_none() && self.date.seconds;
        self.date.change(|parts| {
            parts.hour = hour;
            if !keeps_minute {
                parts.minute = minute.unwrap_or(0);
            }
            if !keeps_second {
                parts.second = second.unwrap_or(0);
            }
        });
        // A zero counts as not changed.
        self.date.hours = hour != 0;
        if !keeps_minute {
            self.date.minutes = minute.unwrap_or(0) != 0;
        }
        if !keeps_second {
            self.date.seconds = second.unwrap_or(0) != 0;
        }
    }

    fn number_or_other(&mut self) -> Result<String, Problem> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let text = self.rest.get(..digits).unwrap_or_default().to_owned();
            self.skip(digits);
            self.number(&text)?;
            return Ok("number".to_owned());
        }
        let word = self.rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        if word > 0 {
            self.skip(word);
            return Ok("string".to_owned());
        }
        let Some(other) = self.rest.chars().next().filter(|c| !matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}'))
        else {
            return throw("a date with a line end in it, which date.js would read for ever");
        };
        self.skip(other.len_utf8());
        Ok("other".to_owned())
    }

    fn number(&mut self, text: &str) -> Result<(), Problem> {
        let unit = self.peek(1)?;
        if is_step(&unit) {
            let count = text.parse::<i64>().unwrap_or(i64::MAX);
            let is_past = self.peek(1)? == "ago";
            self.date.step(&unit, if is_past { count.saturating_neg() } else { count });
        } else if self.half.is_some() || self.original.contains("at") {
            let half = self.half.take();
            self.set_clock(text, None, None, half);
        }
        Ok(())
    }

    /// A time that is over by now means the next one.
    fn next_time(&mut self, now: i64) {
        let Some(time) = self.date.time else { return };
        if now <= time || PAST.find(&self.original).is_some() {
            return;
        }
        if ANY_DAY.find(&self.original).is_some() {
            self.date.step("day", 7);
        } else if now - time > 60 * SECOND && MONTH_DAY.find(&self.original).is_none() {
            self.date.step("day", 1);
        }
    }
}

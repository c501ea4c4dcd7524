//! The texts that V8 reads as a `Date`.

use jiff::tz::TimeZone;

use super::{DAY, HOUR, MINUTE, SECOND, clip, days, of_local};
use crate::template::javascript::text::is_space;

/// `Date.parse(text)`: ISO 8601 first, then the older rules of V8.
pub(crate) fn parse(text: &str, zone: &TimeZone) -> Option<i64> {
    let mut parser =
        Parser { scanner: Scanner::new(text), day: Day::default(), clock: Clock::default(), zone: Zone::default() };
    let rest = parser.iso()?;
    parser.legacy(rest)?;
    let (year, month, day) = parser.day.finish()?;
    let [hour, minute, second, millisecond] = parser.clock.finish()?;
    let offset = parser.zone.offset();
    let local = days(year, month - 1, day) * DAY + hour * HOUR + minute * MINUTE + second * SECOND + millisecond;
    clip(offset.map_or_else(|| of_local(local, zone), |offset| local - offset))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Its value and its digits.
    Number(i64, usize),
    Symbol(char),
    Word(Word),
    Space,
    Unknown,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Month(i64),
    /// The hours to add.
    HalfOfDay(i64),
    /// `UTC`, `EST` and their like, in hours; and whether it is the letter `Z`.
    Zone(i64, bool),
    /// `T`
    Separator,
    Garbage,
}

impl Token {
    fn fixed(self, digits: usize) -> Option<i64> {
        match self {
            Token::Number(number, length) if length == digits => Some(number),
            _ => None,
        }
    }

    fn sign(self) -> Option<i64> {
        match self {
            Token::Symbol('+') => Some(1),
            Token::Symbol('-') => Some(-1),
            _ => None,
        }
    }
}

struct Scanner {
    chars: Vec<char>,
    at: usize,
    next: Token,
}

impl Scanner {
    fn new(text: &str) -> Self {
        let mut scanner = Self { chars: text.chars().collect(), at: 0, next: Token::End };
        scanner.next = scanner.scan();
        scanner
    }

    fn char(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self) -> Token {
        let next = self.next;
        self.next = self.scan();
        next
    }

    fn skip(&mut self, symbol: char) -> bool {
        let here = self.next == Token::Symbol(symbol);
        if here {
            self.take();
        }
        here
    }

    fn scan(&mut self) -> Token {
        let Some(c) = self.char() else { return Token::End };
        match c {
            '0'..='9' => self.number(),
            ':' | '-' | '+' | '.' | ')' => {
                self.at += 1;
                Token::Symbol(c)
            }
            '(' => {
                self.skip_parentheses();
                Token::Unknown
            }
            _ if is_space(c) => {
                while self.char().is_some_and(is_space) {
                    self.at += 1;
                }
                Token::Space
            }
            'A'.. => self.word(),
            _ => {
                self.at += 1;
                Token::Unknown
            }
        }
    }

    /// Of the first nine digits behind leading zeros.
    fn number(&mut self) -> Token {
        let from = self.at;
        let (mut number, mut significant) = (0, 0);
        while let Some(digit) = self.char().and_then(|c| c.to_digit(10)) {
            if significant > 0 || digit > 0 {
                significant += 1;
                if significant <= 9 {
                    number = number * 10 + i64::from(digit);
                }
            }
            self.at += 1;
        }
        Token::Number(number, self.at - from)
    }

    fn word(&mut self) -> Token {
        let from = self.at;
        while self.char().is_some_and(|c| c >= 'A' && !is_space(c)) {
            self.at += 1;
        }
        let word: String =
            self.chars.get(from..self.at).unwrap_or_default().iter().map(char::to_ascii_lowercase).collect();
        Token::Word(meaning(&word))
    }

    fn skip_parentheses(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.char() {
            self.at += 1;
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }
}

fn meaning(word: &str) -> Word {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    // Whatever begins like a month is that month.
    if let Some(month) = (1..).zip(MONTHS).find(|(_, month)| word.starts_with(month)) {
        return Word::Month(month.0);
    }
    match word {
        "am" => Word::HalfOfDay(0),
        "pm" => Word::HalfOfDay(12),
        "z" => Word::Zone(0, true),
        "ut" | "utc" | "gmt" => Word::Zone(0, false),
        "edt" => Word::Zone(-4, false),
        "est" | "cdt" => Word::Zone(-5, false),
        "cst" | "mdt" => Word::Zone(-6, false),
        "mst" | "pdt" => Word::Zone(-7, false),
        "pst" => Word::Zone(-8, false),
        "t" => Word::Separator,
        _ => Word::Garbage,
    }
}

#[derive(Default)]
struct Day {
    numbers: Vec<i64>,
    named_month: Option<i64>,
    is_iso: bool,
}

fn is_month(number: i64) -> bool {
    (1..=12).contains(&number)
}

fn is_day(number: i64) -> bool {
    (1..=31).contains(&number)
}

fn is_sixtieth(number: i64) -> bool {
    (0..60).contains(&number)
}

impl Day {
    fn add(&mut self, number: i64) -> Option<()> {
        (self.numbers.len() < 3).then(|| self.numbers.push(number))
    }

    /// Year, month from 1, day.
    fn finish(&self) -> Option<(i64, i64, i64)> {
        let first = *self.numbers.first()?;
        let second = self.numbers.get(1).copied().unwrap_or(1);
        let third = self.numbers.get(2).copied().unwrap_or(1);
        let (year, month, day) = match self.named_month {
            None if self.is_iso || !is_day(first) => (first, second, third),
            None => (third, first, second),
            Some(month) if !is_day(first) => (first, month, second),
            Some(month) => (second, month, first),
        };
        let century = match year {
            _ if self.is_iso => 0,
            0..=49 => 2000,
            50..=99 => 1900,
            _ => 0,
        };
        (is_month(month) && is_day(day)).then_some((year + century, month, day))
    }
}

#[derive(Default)]
struct Clock {
    numbers: Vec<i64>,
    half: Option<i64>,
}

impl Clock {
    fn add(&mut self, number: i64) -> Option<()> {
        (self.numbers.len() < 4).then(|| self.numbers.push(number))
    }

    fn add_final(&mut self, number: i64) {
        self.numbers.push(number);
        self.numbers.resize(4, 0);
    }

    fn expects(&self, number: i64) -> bool {
        match self.numbers.len() {
            1 | 2 => is_sixtieth(number),
            3 => (0..1000).contains(&number),
            _ => false,
        }
    }

    fn finish(&self) -> Option<[i64; 4]> {
        let number = |at: usize| self.numbers.get(at).copied().unwrap_or(0);
        let [mut hour, minute, second, millisecond] = [number(0), number(1), number(2), number(3)];
        if let Some(half) = self.half {
            if !(0..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + half;
        }
        let is_time =
            (0..24).contains(&hour) && is_sixtieth(minute) && is_sixtieth(second) && (0..1000).contains(&millisecond);
        let is_midnight = hour == 24 && minute == 0 && second == 0 && millisecond == 0;
        (is_time || is_midnight).then_some([hour, minute, second, millisecond])
    }
}

#[derive(Default)]
struct Zone {
    sign: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
}

impl Zone {
    fn set(&mut self, hours: i64) {
        *self = Self { sign: Some(if hours < 0 { -1 } else { 1 }), hour: Some(hours.abs()), minute: Some(0) };
    }

    fn is_utc(&self) -> bool {
        self.hour == Some(0) && self.minute == Some(0)
    }

    fn expects(&self, number: i64) -> bool {
        self.hour.is_some() && self.minute.is_none() && is_sixtieth(number)
    }

    fn offset(&self) -> Option<i64> {
        let sign = self.sign?;
        Some(sign * (self.hour.unwrap_or(0) * HOUR + self.minute.unwrap_or(0) * MINUTE))
    }
}

struct Parser {
    scanner: Scanner,
    day: Day,
    clock: Clock,
    zone: Zone,
}

impl Parser {
    /// Reads as ISO 8601 as far as it goes; gives the first token that is left for the older rules.
    fn iso(&mut self) -> Option<Token> {
        if let Some(sign) = self.scanner.next.sign() {
            let token = self.scanner.take();
            match self.scanner.next.fixed(6) {
                Some(year) if sign > 0 || year != 0 => self.day.add(sign * year)?,
                _ => return Some(token),
            }
            self.scanner.take();
        } else if let Some(year) = self.scanner.next.fixed(4) {
            self.day.add(year)?;
            self.scanner.take();
        } else {
            return Some(self.scanner.take());
        }
        for fits in [is_month, is_day] {
            if !self.scanner.skip('-') {
                break;
            }
            match self.scanner.next.fixed(2).filter(|number| fits(*number)) {
                Some(number) => self.day.add(number)?,
                None => return Some(self.scanner.take()),
            }
            self.scanner.take();
        }
        if self.scanner.next == Token::Word(Word::Separator) {
            self.scanner.take();
            self.iso_time()?;
        } else if self.scanner.next != Token::End {
            return Some(self.scanner.take());
        }
        // A date without a time is in UTC, a time without a zone in the local one.
        if self.zone.hour.is_none() && self.clock.numbers.is_empty() {
            self.zone.set(0);
        }
        self.day.is_iso = true;
        Some(Token::End)
    }

    /// Two digits.
    fn pair(&mut self, fits: impl Fn(i64) -> bool) -> Option<i64> {
        let number = self.scanner.next.fixed(2).filter(|number| fits(*number))?;
        self.scanner.take();
        Some(number)
    }

    fn iso_time(&mut self) -> Option<()> {
        let hour = self.pair(|hour| (0..=24).contains(&hour))?;
        let fits = move |number: i64| is_sixtieth(number) && (hour < 24 || number == 0);
        self.clock.add(hour)?;
        if !self.scanner.skip(':') {
            return None;
        }
        let minute = self.pair(fits)?;
        self.clock.add(minute)?;
        if self.scanner.skip(':') {
            let second = self.pair(fits)?;
            self.clock.add(second)?;
            if self.scanner.skip('.') {
                let Token::Number(number, length) = self.scanner.take() else { return None };
                if hour == 24 && number > 0 {
                    return None;
                }
                self.clock.add(thousandths(number, length))?;
            }
        }
        self.iso_zone()?;
        (self.scanner.next == Token::End).then_some(())
    }

    fn iso_zone(&mut self) -> Option<()> {
        if self.scanner.next == Token::Word(Word::Zone(0, true)) {
            self.scanner.take();
            self.zone.set(0);
            return Some(());
        }
        let Some(sign) = self.scanner.next.sign() else { return Some(()) };
        self.scanner.take();
        self.zone.sign = Some(sign);
        let is_hour = |hour: i64| (0..24).contains(&hour);
        let (hour, minute) = if let Some(both) = self.scanner.next.fixed(4) {
            self.scanner.take();
            (Some(both / 100).filter(|hour| is_hour(*hour))?, Some(both % 100).filter(|minute| is_sixtieth(*minute))?)
        } else {
            let hour = self.pair(is_hour)?;
            if !self.scanner.skip(':') {
                return None;
            }
            (hour, self.pair(is_sixtieth)?)
        };
        self.zone.hour = Some(hour);
        self.zone.minute = Some(minute);
        Some(())
    }

    fn legacy(&mut self, first: Token) -> Option<()> {
        let mut has_number = !self.day.numbers.is_empty();
        let mut token = first;
        while token != Token::End {
            match token {
                Token::Number(number, _) => {
                    has_number = true;
                    self.legacy_number(number)?;
                }
                Token::Word(word) => self.legacy_word(word, has_number)?,
                Token::Symbol(_) => {
                    let after_time = self.zone.is_utc() || !self.clock.numbers.is_empty();
                    match token.sign().filter(|_| after_time) {
                        Some(sign) => {
                            has_number = true;
                            self.legacy_zone(sign)?;
                        }
                        None if has_number && matches!(token, Token::Symbol('+' | '-' | ')')) => return None,
                        None => {}
                    }
                }
                Token::Space | Token::Unknown | Token::End => {}
            }
            token = self.scanner.take();
        }
        Some(())
    }

    fn legacy_number(&mut self, number: i64) -> Option<()> {
        if self.scanner.skip(':') {
            if self.scanner.skip(':') {
                if !self.clock.numbers.is_empty() {
                    return None;
                }
                self.clock.add(number)?;
                return self.clock.add(0);
            }
            self.clock.add(number)?;
            self.scanner.skip('.');
            return Some(());
        }
        if self.scanner.skip('.') && self.clock.expects(number) {
            self.clock.add(number)?;
            let Token::Number(number, length) = self.scanner.take() else { return None };
            self.clock.add_final(thousandths(number, length));
            return Some(());
        }
        if self.zone.expects(number) {
            self.zone.minute = Some(number);
            return Some(());
        }
        if self.clock.expects(number) {
            self.clock.add_final(number);
            let next = self.scanner.next;
            let ends = matches!(next, Token::End | Token::Space | Token::Word(Word::Zone(0, true)));
            return (ends || next.sign().is_some()).then_some(());
        }
        self.day.add(number)?;
        self.scanner.skip('-');
        Some(())
    }

    fn legacy_word(&mut self, word: Word, has_number: bool) -> Option<()> {
        match word {
            Word::HalfOfDay(hours) if !self.clock.numbers.is_empty() => self.clock.half = Some(hours),
            Word::Month(month) => {
                self.day.named_month = Some(month);
                self.scanner.skip('-');
            }
            Word::Zone(hours, _) if has_number => self.zone.set(hours),
            // Words that mean nothing stand only before the first number, and apart from it.
            _ => return (!has_number && !matches!(self.scanner.next, Token::Number(..))).then_some(()),
        }
        Some(())
    }

    fn legacy_zone(&mut self, sign: i64) -> Option<()> {
        self.zone.sign = Some(sign);
        let (mut number, mut length) = (0, 0);
        if let Token::Number(given, digits) = self.scanner.next {
            (number, length) = (given, digits);
            self.scanner.take();
        }
        let (hour, minute) = if self.scanner.next == Token::Symbol(':') {
            (number, None)
        } else {
            match length {
                1 | 2 => (number, Some(0)),
                3 | 4 => (number / 100, Some(number % 100)),
                _ => return None,
            }
        };
        self.zone.hour = Some(hour);
        self.zone.minute = minute;
        Some(())
    }
}

/// The fraction of a second whose digits are `number`.
fn thousandths(number: i64, length: usize) -> i64 {
    match length {
        1 => number * 100,
        2 => number * 10,
        3 => number,
        _ => (3..length.min(9)).fold(number, |number, _| number / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_v8_reads_them() {
        let read = |text: &str| parse(text, &TimeZone::UTC);
        for (text, time) in [
            ("2018-06-21T16:56:44.730Z", 1_529_600_204_730),
            ("2018-06-21", 1_529_539_200_000),
            ("June 21, 2018", 1_529_539_200_000),
            ("Thu, 21 Jun 2018 16:56:44 +0200", 1_529_593_004_000),
            ("06/21/2018 4:56 pm EST", 1_529_618_160_000),
            ("2018-02-30", 1_519_948_800_000),
            ("May 25", 990_748_800_000),
        ] {
            assert_eq!(read(text), Some(time), "{text}");
        }
        for text in ["", "abc", "12:30", "2018-13-01", "21 June 2018 25:00", "2018-06-21T16", "next tuesday at 3pm"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

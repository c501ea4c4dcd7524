//! Judging one delivery.

use super::{Condition, Truth, Wanted};
use crate::core::{delivery::DeliverySummary, text::Shown};

/// A text in which `*` stands for anything, also for nothing. Case does not count; all else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<String>,
}

impl Glob {
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), parts: text.split('*').map(str::to_lowercase).collect() }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let (first, middle, last) = match self.parts.as_slice() {
            [] => return false,
            [only] => return *only == text,
            [first, middle @ .., last] => (first, middle, last),
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}

/// A last word of fewer characters is meant whole.
const BEGINNING: usize = 2;

/// Words that follow each other. Case and what stands between them do not count, and the last one may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    text: String,
    words: Vec<String>,
}

impl Phrase {
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), words: words(text).collect() }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether there is a letter or digit in it: without one it stands everywhere.
    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    pub fn stands_in(&self, text: &str) -> bool {
        let Some((last, before)) = self.words.split_last() else { return true };
        let there: Vec<String> = words(text).collect();
        there.windows(self.words.len()).any(|window| {
            let fits = |end: &String| {
                if last.chars().count() < BEGINNING { end == last } else { end.starts_with(last.as_str()) }
            };
            window.split_last().is_some_and(|(end, start)| fits(end) && start == before)
        })
    }
}

/// As the store splits texts too.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut all: Vec<String> = vec![];
    let mut within = false;
    for c in text.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }) {
        if c != ' ' && (!within || is_word_alone(c)) {
            all.push(String::new());
        }
        if let Some(word) = all.last_mut().filter(|_| c != ' ') {
            word.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
        }
        within = c != ' ' && !is_word_alone(c);
    }
    all.into_iter()
}

/// Whether a character is a word by itself: those of Chinese and Japanese, which put no blanks between their words.
pub fn is_word_alone(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' // marks that repeat, and zero
        | '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' // kana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// A line of the log. The sender's address and the body are not in it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub line: &'a DeliverySummary,
    /// Of its incident, where that is known.
    pub number: Option<u64>,
}

/// Whether the delivery is one of those that are wanted.
pub fn judge(wanted: &Wanted, record: &Record<'_>) -> Truth {
    wanted.truth(|any| any.iter().fold(Truth::No, |so_far, next| so_far.or(|| holds(next, record))))
}

fn holds(condition: &Condition, record: &Record<'_>) -> Truth {
    let line = record.line;
    let is = match condition {
        Condition::Word(word) => stands_in_line(word, record),
        Condition::Text(phrase) => return stands(phrase, record),
        Condition::From(_) => return Truth::Perhaps,
        Condition::Verdict(verdict) => line.verdict == *verdict,
        Condition::EventType(glob) => line.event_type.as_ref().is_some_and(|kind| glob.matches(kind.as_str())),
        Condition::Account(name) => line.account.as_ref() == Some(name),
        Condition::Incident(id) => line.incident.as_ref().is_some_and(|key| key.id == *id),
        Condition::IncidentOf(account, id) => {
            line.incident.as_ref().is_some_and(|key| key.account == *account && key.id == *id)
        }
        Condition::Number(number) => line.incident.is_some() && record.number == Some(*number),
        Condition::EventId(glob) => line.event_id.as_ref().is_some_and(|id| glob.matches(id.as_str())),
        Condition::Status(range) => range.contains(&line.status),
        Condition::Scheme(scheme) => line.proof.as_ref().map(|proof| proof.scheme) == *scheme,
        Condition::Secret(glob) => line.proof.as_ref().is_some_and(|proof| glob.matches(proof.secret.as_str())),
        Condition::Altered => line.altered,
        Condition::Unsigned => line.proof.as_ref().is_some_and(|proof| !proof.scheme.is_signed()),
        Condition::Changed => line.changed_something(),
        Condition::Since(at) => line.at >= *at,
        Condition::Until(at) => line.at < *at,
        Condition::Size(range) => range.contains(&line.size),
        Condition::Direction(direction) => line.direction == *direction,
        Condition::Target(name) => line.target.as_ref() == Some(name),
        Condition::Took(range) => line.latency_us.is_some_and(|waited| range.contains(&waited)),
    };
    is.into()
}

/// Whether `word`, in lower case, stands in what a line of the log shows, or is the number of its incident.
pub fn stands_in_line(word: &str, record: &Record<'_>) -> bool {
    let line = record.line;
    let shown = |text: &Option<Shown>| text.as_ref().is_some_and(|text| contains(text.as_str(), word));
    let number = word.strip_prefix('#').unwrap_or(word).parse().ok();
    line.verdict.word().contains(word)
        || shown(&line.event_type)
        || shown(&line.subject)
        || contains(line.reason.as_str(), word)
        || line.account.as_ref().is_some_and(|name| contains(name.as_str(), word))
        || line.incident.as_ref().is_some_and(|key| contains(key.id.as_str(), word))
        || line.target.as_ref().is_some_and(|name| contains(name.as_str(), word))
        || (number.is_some() && line.incident.is_some() && record.number == number)
}

fn contains(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

fn stands(phrase: &Phrase, record: &Record<'_>) -> Truth {
    let line = record.line;
    let shown = |text: &Option<Shown>| text.as_ref().is_some_and(|text| phrase.stands_in(text.as_str()));
    let in_line = shown(&line.event_type)
        || shown(&line.subject)
        || phrase.stands_in(line.reason.as_str())
        || line.incident.as_ref().is_some_and(|key| phrase.stands_in(key.id.as_str()));
    if in_line { Truth::Yes } else { Truth::Perhaps }
}

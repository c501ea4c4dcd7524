//! What is said again and again: at once when it is new, then once a minute, with how often it was not said.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

/// Between two times that the same words are said.
const PAUSE: Duration = Duration::from_mins(1);
/// Different words that are said between two times of the same; others wait until there is room for them, so that who
/// can choose the words cannot have more said than this.
const WORDS: usize = 32;

/// What was said of late.
#[derive(Debug, Default)]
pub struct Repeated(BTreeMap<String, Said>);

#[derive(Debug)]
struct Said {
    at: Instant,
    /// Times it was to be said since.
    unsaid: u64,
}

/// How often the same was not said since the last time: nothing, or words to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More(u64);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (and once since this was last said)"),
            times => write!(f, " (and {times} times since this was last said)"),
        }
    }
}

impl Repeated {
    /// Whether `words` are to be said at `now`, and with what.
    pub fn say(&mut self, words: &str, now: Instant) -> Option<More> {
        let last = self.0.get_mut(words);
        if let Some(said) = last.filter(|said| now.saturating_duration_since(said.at) < PAUSE) {
            said.unsaid += 1;
            return None;
        }
        if !self.0.contains_key(words) && self.0.len() >= WORDS {
            self.0.retain(|_, said| now.saturating_duration_since(said.at) < PAUSE);
            if self.0.len() >= WORDS {
                return None;
            }
        }
        let last = self.0.insert(words.to_owned(), Said { at: now, unsaid: 0 });
        Some(More(last.map_or(0, |said| said.unsaid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_with_its_count_and_a_change_at_once() {
        let (mut repeated, start) = (Repeated::default(), Instant::now());
        let mut lines = vec![];

        for tick in 0..600_u32 {
            let now = start + Duration::from_millis(200) * tick;
            for words in ["the disk is full"].into_iter().chain((tick == 7).then_some("the disk is locked")) {
                lines.extend(repeated.say(words, now).map(|more| format!("{words}{more}")));
            }
        }

        assert_eq!(
            lines,
            ["the disk is full", "the disk is locked", "the disk is full (and 299 times since this was last said)",]
        );
    }

    #[test]
    fn words_without_end_take_no_room_without_end_and_are_not_all_said() {
        let (mut repeated, start) = (Repeated::default(), Instant::now());
        let mut say = |first: u32, now| {
            let said = (first..first + 1000).filter(|at| repeated.say(&at.to_string(), now).is_some()).count();
            assert!(repeated.0.len() <= WORDS);
            said
        };

        assert_eq!([say(0, start), say(1000, start), say(2000, start + PAUSE)], [WORDS, 0, WORDS]);
    }
}

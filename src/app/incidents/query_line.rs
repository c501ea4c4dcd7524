//! A query being typed. What of it is understood holds, also while what stands there by now is not.

use crate::{
    app::typing::TypedLine,
    core::{
        board::Board,
        keys::Chord,
        query::{
            BadQuery, Clock,
            incident::{Completion, FIELDS, Wanted, before_last_word, complete, read, vocabulary},
        },
    },
};

/// The text, and what it means.
#[derive(Debug, Default)]
pub struct QueryLine {
    line: TypedLine,
    wanted: Wanted,
    wrong: Option<BadQuery>,
}

impl QueryLine {
    pub fn as_str(&self) -> &str {
        self.line.as_str()
    }

    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// What holds.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// What is wrong with what stands there; then something earlier holds.
    pub fn wrong(&self) -> Option<&BadQuery> {
        self.wrong.as_ref()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Puts another text in, as if it had been typed.
    pub(super) fn set(&mut self, text: &str, clock: Clock<'_>) {
        self.clear();
        self.insert(text, clock);
    }

    /// A key; `false`: it is no text.
    pub(super) fn take(&mut self, chord: Chord, clock: Clock<'_>) -> bool {
        let taken = self.line.take(chord);
        if taken {
            self.understand(clock);
        }
        taken
    }

    pub(super) fn insert(&mut self, text: &str, clock: Clock<'_>) {
        self.line.insert(text);
        self.understand(clock);
    }

    /// Takes off the blanks at the ends: the text stands, nothing follows.
    pub(super) fn trim(&mut self, clock: Clock<'_>) {
        let text = self.as_str().trim().to_owned();
        self.set(&text, clock);
    }

    /// What the last word may become.
    pub fn completion(&self, board: &Board) -> Completion {
        complete(self.as_str(), FIELDS, |field| vocabulary(board, field))
    }

    /// Completes the last word as far as it is clear; says whether anything was added.
    pub(super) fn advance(&mut self, board: &Board, clock: Clock<'_>) -> bool {
        let Some(text) = self.completion(board).advance() else { return false };
        self.set(&text, clock);
        true
    }

    /// While the last word is not understood, what stands before it holds: `service:` behind `is:mine` takes nothing
    /// away. Where that is not understood either, what held before goes on to hold.
    fn understand(&mut self, clock: Clock<'_>) {
        match read(self.as_str(), clock) {
            Ok(wanted) => (self.wanted, self.wrong) = (wanted, None),
            Err(wrong) => {
                self.wrong = Some(wrong);
                if let Ok(wanted) = read(before_last_word(self.as_str()), clock) {
                    self.wanted = wanted;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::fixtures, core::query::incident};
    use jiff::tz::TimeZone;

    fn typed(text: &str) -> QueryLine {
        let mut line = QueryLine::default();
        let clock = Clock { now: fixtures::now(), zone: &TimeZone::UTC };
        for c in text.chars() {
            line.insert(c.encode_utf8(&mut [0; 4]), clock);
        }
        line
    }

    #[test]
    fn while_a_query_is_not_understood_the_last_that_was_goes_on_to_hold() {
        for (text, holds) in [
            ("is:mine urgency:", "is:mine"),
            ("is:mine urgency:hgh", "is:mine"),
            ("is:mine \"disk fu", "is:mine"),
            ("urgency:high or", "urgency:high"),
            ("urgency:high,", ""),
        ] {
            let line = typed(text);
            let clock = Clock { now: fixtures::now(), zone: &TimeZone::UTC };
            assert_eq!(Ok(line.wanted()), incident::read(holds, clock).as_ref(), "{text}");
            assert!(line.wrong().is_some(), "{text}");
        }
        assert!(typed("is:mine urgency:high").wrong().is_none());
    }
}

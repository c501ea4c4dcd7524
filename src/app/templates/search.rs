//! Looking for a text in a template: letter for letter, in any case unless a large letter is asked for.

use crate::{
    app::typing::TypedLine,
    core::keys::{Chord, Key},
};

/// A find in the text: line, first character, and the one behind its last.
pub type Hit = (usize, usize, usize);

/// What is looked for.
#[derive(Debug, Default)]
pub struct Search {
    pub line: TypedLine,
    /// The line is being typed.
    pub typing: bool,
    pub hits: Vec<Hit>,
}

/// What became of a key in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    Typed,
    Next,
    Previous,
    Closed,
}

impl Search {
    pub(super) fn take(&mut self, chord: Chord) -> Did {
        match chord.key {
            Key::Esc => Did::Closed,
            Key::Enter | Key::Down => Did::Next,
            Key::Up => Did::Previous,
            Key::Char('f') if chord.ctrl => Did::Next,
            _ => {
                self.line.take(chord);
                Did::Typed
            }
        }
    }

    pub(super) fn look(&mut self, lines: &[String]) {
        self.hits = hits(lines, self.line.as_str());
    }

    /// The find that the cursor stands on, counted from 1.
    pub fn current(&self, (row, column): (usize, usize)) -> Option<usize> {
        self.hits.iter().position(|(line, from, to)| *line == row && (*from..*to).contains(&column)).map(|at| at + 1)
    }

    /// The next find after `cursor`, or at it; from the end it goes on at the start.
    pub(super) fn next(&self, (row, column): (usize, usize), here: Here) -> Option<Hit> {
        let later = |hit: &&Hit| match here {
            Here::Counts => (hit.0, hit.1) >= (row, column),
            Here::DoesNot => (hit.0, hit.1) > (row, column),
        };
        self.hits.iter().find(later).or(self.hits.first()).copied()
    }

    pub(super) fn previous(&self, cursor: (usize, usize)) -> Option<Hit> {
        let earlier = |hit: &&Hit| (hit.0, hit.1) < cursor;
        self.hits.iter().rev().find(earlier).or(self.hits.last()).copied()
    }
}

/// Whether a find at the cursor is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Counts,
    DoesNot,
}

fn hits(lines: &[String], wanted: &str) -> Vec<Hit> {
    if wanted.is_empty() {
        return vec![];
    }
    let exact = wanted.chars().any(char::is_uppercase);
    let plain = |c: char| if exact { c } else { c.to_lowercase().next().unwrap_or(c) };
    let wanted: Vec<char> = wanted.chars().map(plain).collect();
    let mut out = vec![];
    for (row, line) in lines.iter().enumerate() {
        let line: Vec<char> = line.chars().map(plain).collect();
        let mut at = 0;
        while let Some(window) = line.get(at..at + wanted.len()) {
            let found = window == wanted;
            if found {
                out.push((row, at, at + wanted.len()));
            }
            at += if found { wanted.len() } else { 1 };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_any_case_until_a_large_letter_is_asked_for() {
        let lines: Vec<_> = ["Äa äA", "", "xaaa a."].map(str::to_owned).into();
        assert_eq!(hits(&lines, "äa"), [(0, 0, 2), (0, 3, 5)]);
        assert_eq!(hits(&lines, "Äa"), [(0, 0, 2)]);
        assert_eq!(hits(&lines, "aa"), [(2, 1, 3)]);
        assert_eq!(hits(&lines, "a."), [(2, 5, 7)], "nothing in it is a pattern");
        assert_eq!(hits(&lines, ""), []);
    }

    #[test]
    fn the_search_goes_round_at_both_ends() {
        let lines: Vec<_> = ["a b a", "a"].map(str::to_owned).into();
        let mut search = Search::default();
        search.line.insert("a");
        search.look(&lines);

        assert_eq!(search.next((0, 0), Here::Counts), Some((0, 0, 1)));
        assert_eq!(search.next((0, 0), Here::DoesNot), Some((0, 4, 5)));
        assert_eq!(search.next((1, 0), Here::DoesNot), Some((0, 0, 1)));
        assert_eq!(search.previous((0, 0)), Some((1, 0, 1)));
        assert_eq!((search.current((0, 4)), search.current((0, 1))), (Some(2), None));
    }
}

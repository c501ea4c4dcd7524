//! A filter over a list, live while it is typed: a row stays when every word is found somewhere in it.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::core::keys::{Chord, Key};

use super::{Model, geometry, list::Step, typing::TypedLine};

/// The words, and whether they are being typed now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    line: TypedLine,
    typing: bool,
}

/// What a key did while the filter was being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// The words are others, or the line was closed.
    Changed,
    /// Moves in the list below.
    Step(Step),
    /// Nothing, but it was taken.
    Nothing,
}

impl Filter {
    pub fn as_str(&self) -> &str {
        self.line.as_str()
    }

    pub fn is_typing(&self) -> bool {
        self.typing
    }

    /// Whether rows may be hidden by it.
    pub fn is_set(&self) -> bool {
        !self.line.as_str().trim().is_empty()
    }

    /// Whether it takes a line of the screen.
    pub fn is_shown(&self) -> bool {
        self.typing || self.is_set()
    }

    /// Puts other words in, as if they had been typed and kept.
    pub(super) fn set(&mut self, text: &str) {
        *self = Self::default();
        self.line.insert(text);
    }

    pub(super) fn open(&mut self) {
        self.typing = true;
    }

    /// Clears the words; says whether there were any.
    pub(super) fn clear(&mut self) -> bool {
        let was = self.is_shown();
        *self = Self::default();
        was
    }

    /// `None`: nothing is typed here, or the key is none of ours (`ctrl-c`).
    pub(super) fn take(&mut self, chord: Chord) -> Option<Typed> {
        if !self.typing {
            return None;
        }
        let typed = match chord.key {
            Key::Esc => {
                self.clear();
                Typed::Changed
            }
            Key::Enter => {
                self.typing = false;
                Typed::Changed
            }
            Key::Down => Typed::Step(Step::Down),
            Key::Up => Typed::Step(Step::Up),
            Key::PageDown => Typed::Step(Step::PageDown),
            Key::PageUp => Typed::Step(Step::PageUp),
            _ if self.line.take(chord) => Typed::Changed,
            _ if chord.ctrl => return None,
            _ => Typed::Nothing,
        };
        Some(typed)
    }

    /// Pasted text; `false`: nothing is typed here.
    pub(super) fn paste(&mut self, text: &str) -> bool {
        if self.typing {
            self.line.insert(text);
        }
        self.typing
    }

    pub fn words(&self) -> Words {
        Words(self.line.as_str().split_whitespace().map(str::to_lowercase).collect())
    }
}

/// The words of a filter, ready to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each word stands in one of the `fields`, in any case.
    pub fn admit(&self, fields: &[&str]) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let fields: Vec<_> = fields.iter().map(|field| field.to_lowercase()).collect();
        self.0.iter().all(|word| fields.iter().any(|field| field.contains(word)))
    }
}

/// The parts of a view that is a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListAreas {
    /// What the list is, and what to know about it.
    pub title: Rect,
    pub rows: Rect,
    /// Empty while no filter is set.
    pub filter: Rect,
}

/// Cuts the view's part of the screen: `title` lines above, the filter below.
pub fn list_areas(body: Rect, title: u16, filter: &Filter) -> ListAreas {
    let [title, rows, filter] = Layout::vertical([
        Constraint::Length(title),
        Constraint::Fill(1),
        Constraint::Length(u16::from(filter.is_shown())),
    ])
    .areas(body);
    ListAreas { title, rows, filter }
}

/// The view's part of the screen, by the size the terminal has told.
pub(super) fn body(model: &Model) -> Rect {
    let (width, height) = model.size;
    geometry::areas(Rect::new(0, 0, width, height)).body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_in(filter: &mut Filter, keys: &str) {
        for key in keys.split_whitespace() {
            filter.take(key.parse().expect("key"));
        }
    }

    #[test]
    fn all_words_must_be_found_in_any_field_and_any_case() {
        let mut filter = Filter::default();
        filter.open();
        type_in(&mut filter, "D i s k space Q 1");

        assert!(filter.words().admit(&["q12", "the disk"]));
        assert!(!filter.words().admit(&["the disk"]));
        assert!(Filter::default().words().admit(&[]));
    }

    #[test]
    fn enter_keeps_the_words_and_esc_drops_them() {
        let mut filter = Filter::default();
        assert_eq!(filter.take("a".parse().expect("key")), None);
        filter.open();
        type_in(&mut filter, "a enter");
        assert!(filter.is_set() && !filter.is_typing());

        filter.open();
        type_in(&mut filter, "b esc");
        assert!(!filter.is_shown());
    }

    #[test]
    fn quitting_by_ctrl_c_is_not_swallowed() {
        let mut filter = Filter::default();
        filter.open();
        assert_eq!(filter.take("ctrl-c".parse().expect("key")), None);
    }
}

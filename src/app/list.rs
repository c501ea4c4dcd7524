//! A place in a list, held by identity: rows that come and go never move the hand to another row. Until a hand has
//! moved it, the window stays at the top, where what matters most comes in.

use super::keys::Action;

/// What is selected, and how far the list is scrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<K> {
    selected: Option<K>,
    /// Where the selected row was last seen: from here the next step counts when the row is gone.
    index: usize,
    /// First row shown.
    offset: usize,
    /// A hand has chosen the row: the window follows it. What is selected of itself is not followed.
    held: bool,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { selected: None, index: 0, offset: 0, held: false }
    }
}

/// A movement in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Down,
    Up,
    Top,
    Bottom,
    PageDown,
    PageUp,
}

impl Step {
    /// The movement that `action` means, if it is one.
    pub fn of(action: Action) -> Option<Self> {
        match action {
            Action::Down => Some(Self::Down),
            Action::Up => Some(Self::Up),
            Action::Top => Some(Self::Top),
            Action::Bottom => Some(Self::Bottom),
            Action::PageDown => Some(Self::PageDown),
            Action::PageUp => Some(Self::PageUp),
            _ => None,
        }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    pub fn selected(&self) -> Option<&K> {
        self.selected.as_ref()
    }

    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Selects a row; by whose hand stays as it was.
    pub fn select(&mut self, key: Option<K>) {
        self.selected = key;
    }

    /// From now on the selected row is the one that a hand has chosen.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Selects the row `key`, by the same hand as in `other`, where it has another name.
    pub fn select_like<L>(&mut self, other: &Cursor<L>, key: Option<K>) {
        self.selected = key;
        self.held = other.held;
    }

    /// Selects the first row when none is; no hand has chosen it.
    pub fn select_first_if_none(&mut self, rows: &[K]) {
        if self.selected.is_none() {
            *self = Self { selected: rows.first().cloned(), ..Self::default() };
        }
    }

    /// The same where a row is always selected: it stays in sight as if a hand had chosen it.
    pub fn hold_first_if_none(&mut self, rows: &[K]) {
        if self.selected.is_none() {
            self.select_first_if_none(rows);
            self.hold();
        }
    }

    /// To be called whenever rows or height changed: finds the selected row again, or lets go of it when
    /// it is gone (never taking a neighbour in its place), and keeps it in sight. What no hand has chosen is
    /// let go of when it leaves the window: nothing is done to a row that is not seen.
    pub fn settle(&mut self, rows: &[K], height: usize) {
        match self.selected.as_ref().and_then(|key| rows.iter().position(|row| row == key)) {
            Some(at) if !self.held && at >= height.max(1) => *self = Self::default(),
            Some(at) => self.index = at,
            None => self.selected = None,
        }
        self.scroll(rows.len(), height);
    }

    /// Moves by `step`. With nothing selected, the first step takes the row at the place last held.
    pub fn step(&mut self, step: Step, rows: &[K], height: usize) {
        let Some(last) = rows.len().checked_sub(1) else { return };
        let page = height.max(2) - 1;
        let from = self.index.min(last);
        self.index = match step {
            Step::Down | Step::Up if self.selected.is_none() => from,
            Step::Down => (from + 1).min(last),
            Step::Up => from.saturating_sub(1),
            Step::Top => 0,
            Step::Bottom => last,
            Step::PageDown => (from + page).min(last),
            Step::PageUp => from.saturating_sub(page),
        };
        self.selected = rows.get(self.index).cloned();
        self.hold();
        self.scroll(rows.len(), height);
    }

    fn scroll(&mut self, rows: usize, height: usize) {
        let height = height.max(1);
        if !self.held {
            self.offset = 0;
        } else if self.selected.is_some() {
            self.offset = self.offset.clamp((self.index + 1).saturating_sub(height), self.index);
        }
        self.offset = self.offset.min(rows.saturating_sub(height));
    }
}

/// The first line shown of a text of `lines`, after a movement from `offset` in a window of `height`.
pub fn scroll(offset: usize, step: Step, lines: usize, height: usize) -> usize {
    let last = lines.saturating_sub(height.max(1));
    let page = height.max(2) - 1;
    match step {
        Step::Down => (offset + 1).min(last),
        Step::Up => offset.min(last).saturating_sub(1),
        Step::Top => 0,
        Step::Bottom => last,
        Step::PageDown => (offset + page).min(last),
        Step::PageUp => offset.min(last).saturating_sub(page),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_above_do_not_move_the_hand_and_a_vanished_row_is_let_go() {
        let mut cursor = Cursor::default();
        cursor.step(Step::Down, &["db", "web"], 10);
        cursor.step(Step::Down, &["db", "web"], 10);
        assert_eq!(cursor.selected(), Some(&"web"));

        cursor.settle(&["new", "db", "web"], 10);
        assert_eq!(cursor.selected(), Some(&"web"));
        cursor.settle(&["new", "db"], 10);
        assert_eq!(cursor.selected(), None);
        cursor.step(Step::Up, &["new", "db"], 10);
        assert_eq!(cursor.selected(), Some(&"db"));
    }

    #[test]
    fn until_a_hand_moves_it_the_window_stays_at_the_top_and_what_leaves_it_is_let_go() {
        let mut cursor = Cursor::default();
        cursor.select_first_if_none(&["db"]);
        cursor.settle(&["new", "db"], 2);
        assert_eq!((cursor.selected(), cursor.offset()), (Some(&"db"), 0));

        cursor.settle(&["newest", "new", "db"], 2);
        assert_eq!((cursor.selected(), cursor.offset()), (None, 0));

        cursor.step(Step::Down, &["newest", "new", "db"], 2);
        assert_eq!(cursor.selected(), Some(&"newest"));
        cursor.settle(&["a", "b", "newest", "new"], 2);
        assert_eq!((cursor.selected(), cursor.offset()), (Some(&"newest"), 1));
    }

    #[test]
    fn where_a_row_is_always_selected_it_stays_in_sight() {
        let mut cursor = Cursor::default();
        cursor.hold_first_if_none(&["db"]);

        cursor.settle(&["newest", "new", "db"], 2);

        assert_eq!((cursor.selected(), cursor.offset()), (Some(&"db"), 1));
    }

    #[test]
    fn a_text_scrolls_no_further_than_its_last_page() {
        assert_eq!(scroll(0, Step::Up, 30, 10), 0);
        assert_eq!(scroll(0, Step::PageDown, 30, 10), 9);
        assert_eq!(scroll(18, Step::PageDown, 30, 10), 20);
        assert_eq!(scroll(99, Step::Up, 30, 10), 19);
        assert_eq!(scroll(3, Step::Bottom, 5, 10), 0);
    }

    #[test]
    fn the_selected_row_stays_in_sight() {
        let rows: Vec<_> = (0..100).collect();
        let mut cursor = Cursor::default();
        cursor.step(Step::Bottom, &rows, 10);
        assert_eq!((cursor.selected(), cursor.offset()), (Some(&99), 90));
        cursor.step(Step::PageUp, &rows, 10);
        assert_eq!((cursor.selected(), cursor.offset()), (Some(&90), 90));
        cursor.step(Step::Top, &rows, 10);
        assert_eq!(cursor.offset(), 0);
        cursor.step(Step::Down, &[], 0);
    }
}

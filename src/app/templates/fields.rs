//! The fields that a template can name, as a tree beside the text: folded, unfolded, and put into the text.

use std::collections::BTreeSet;

use crate::{
    app::list::{self, Cursor},
    core::{
        field::{Field, Step, path},
        keys::{Chord, Key},
    },
};

/// Unfolded from the start when it has no more than so many fields.
const SMALL: usize = 24;

/// The tree, open.
#[derive(Debug, Default)]
pub struct Tree {
    pub cursor: Cursor<Vec<Step>>,
    unfolded: BTreeSet<Vec<Step>>,
    /// The first unfolding is done.
    begun: bool,
}

/// A line of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub path: Vec<Step>,
    /// Whether what is inside shows; `None`: nothing is inside.
    pub unfolded: Option<bool>,
    pub gist: String,
}

impl Row {
    pub fn depth(&self) -> usize {
        self.path.len().saturating_sub(1)
    }

    /// The last step of its path.
    pub fn name(&self) -> String {
        self.path.last().map(|step| path(std::slice::from_ref(step))).unwrap_or_default()
    }
}

/// What became of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Did {
    Nothing,
    Closed,
    /// This path goes into the text.
    Took(String),
}

impl Tree {
    /// The lines that show.
    pub fn rows(&self, root: &Field) -> Vec<Row> {
        let mut out = vec![];
        self.add(root, &[], &mut out);
        out
    }

    fn add(&self, field: &Field, above: &[Step], out: &mut Vec<Row>) {
        for (step, inner) in field.inside() {
            let mut path = above.to_vec();
            path.push(step);
            let unfolded = (!inner.inside().is_empty()).then(|| self.unfolded.contains(&path));
            out.push(Row { path: path.clone(), unfolded, gist: inner.gist() });
            if unfolded == Some(true) {
                self.add(inner, &path, out);
            }
        }
    }

    pub(super) fn settle(&mut self, root: &Field, height: usize) {
        if !self.begun {
            self.begun = true;
            for (step, inner) in root.inside() {
                if (1..=SMALL).contains(&inner.inside().len()) && matches!(inner, Field::Fields(_)) {
                    self.unfolded.insert(vec![step]);
                }
            }
        }
        let paths: Vec<_> = self.rows(root).into_iter().map(|row| row.path).collect();
        self.cursor.settle(&paths, height);
        self.cursor.hold_first_if_none(&paths);
    }

    /// Another context: what was unfolded stays so where it is there.
    pub(super) fn take(&mut self, root: &Field, chord: Chord, height: usize) -> Did {
        let rows = self.rows(root);
        let held = self.cursor.selected().cloned();
        let row = rows.iter().find(|row| Some(&row.path) == held.as_ref());
        let step = match chord.key {
            Key::Esc => return Did::Closed,
            Key::Enter | Key::Tab => return row.map_or(Did::Nothing, |row| Did::Took(path(&row.path))),
            Key::Right | Key::Char('+' | 'l') => {
                self.fold(row, true);
                None
            }
            Key::Left | Key::Char('-' | 'h') => {
                self.fold_or_leave(row, &rows);
                None
            }
            Key::Char(' ') => {
                self.fold(row, row.is_some_and(|row| row.unfolded == Some(false)));
                None
            }
            Key::Down | Key::Char('j') => Some(list::Step::Down),
            Key::Up | Key::Char('k') => Some(list::Step::Up),
            Key::PageDown => Some(list::Step::PageDown),
            Key::PageUp => Some(list::Step::PageUp),
            Key::Home | Key::Char('g') => Some(list::Step::Top),
            Key::End | Key::Char('G') => Some(list::Step::Bottom),
            _ => None,
        };
        if let Some(step) = step {
            let paths: Vec<_> = rows.into_iter().map(|row| row.path).collect();
            self.cursor.step(step, &paths, height);
        }
        self.settle(root, height);
        Did::Nothing
    }

    fn fold(&mut self, row: Option<&Row>, unfold: bool) {
        match row {
            Some(row) if unfold && row.unfolded.is_some() => {
                self.unfolded.insert(row.path.clone());
            }
            Some(row) => {
                self.unfolded.remove(&row.path);
            }
            None => {}
        }
    }

    /// Folds what is unfolded; from anything else it goes up to what holds it.
    fn fold_or_leave(&mut self, row: Option<&Row>, rows: &[Row]) {
        let Some(row) = row else { return };
        if self.unfolded.remove(&row.path) {
            return;
        }
        let above = row.path.get(..row.path.len().saturating_sub(1)).unwrap_or_default();
        if rows.iter().any(|row| row.path == above) {
            self.cursor.select(Some(above.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn root() -> Field {
        Field::of(&json!({ "event": { "id": 1 }, "raw": { "list": [{ "odd name": "x" }], "empty": {} } }))
    }

    fn press(tree: &mut Tree, keys: &str) -> Did {
        let mut did = Did::Nothing;
        for key in keys.split(' ') {
            did = tree.take(&root(), key.parse().expect("key"), 5);
        }
        did
    }

    fn names(tree: &Tree) -> Vec<String> {
        let sign = |row: &Row| match row.unfolded {
            None => " ",
            Some(true) => "-",
            Some(false) => "+",
        };
        tree.rows(&root()).iter().map(|row| format!("{}{}{}", " ".repeat(row.depth()), sign(row), row.name())).collect()
    }

    #[test]
    fn small_ones_are_unfolded_from_the_start_and_the_rest_by_a_key() {
        let mut tree = Tree::default();
        tree.settle(&root(), 5);
        assert_eq!(names(&tree), ["-event", "  id", "-raw", " +list", "  empty"]);

        press(&mut tree, "down down down right down right");
        assert_eq!(names(&tree)[3..], [" -list", "  -[0]", "    [odd name]", "  empty"]);
        assert_eq!(press(&mut tree, "down enter"), Did::Took("raw.list.[0].[odd name]".into()));

        press(&mut tree, "left left left left");
        assert_eq!(names(&tree)[3..], [" +list", "  empty"]);
        assert_eq!(press(&mut tree, "esc"), Did::Closed);
    }
}

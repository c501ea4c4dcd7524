//! What changes the text of an open template beyond single letters: each change is one step of undo.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tui_textarea::CursorMove;

use super::{
    editor::Editor,
    hidden::{self, Stripped},
};

/// What a step of indentation adds.
const INDENT: &str = "  ";

impl Editor {
    pub(super) fn go_to(&mut self, row: usize, column: usize) {
        let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        self.area.move_cursor(CursorMove::Jump(small(row), small(column)));
    }

    /// Selects from one place (line, character) to another.
    pub(super) fn select(&mut self, from: (usize, usize), to: (usize, usize)) {
        self.area.cancel_selection();
        self.go_to(from.0, from.1);
        self.area.start_selection();
        self.go_to(to.0, to.1);
    }

    /// Puts `text` in the place of what stands between two places. One step of undo.
    pub(super) fn replace(&mut self, from: (usize, usize), to: (usize, usize), text: &str) {
        if from == to {
            self.area.cancel_selection();
            self.go_to(from.0, from.1);
        } else {
            self.select(from, to);
            self.area.delete_char();
            if !text.is_empty() {
                self.halfway.insert(mark(self.area.lines()));
            }
        }
        if !text.is_empty() {
            self.area.insert_str(text);
        }
        self.changed();
    }

    /// Puts another text in the place of all; says how many hidden characters were left out.
    pub(super) fn replace_all(&mut self, text: &str) -> usize {
        let Stripped { text, hidden } = hidden::strip(text);
        if text != self.text() {
            let last = self.area.lines().len().saturating_sub(1);
            let cursor = self.cursor();
            self.replace((0, 0), (last, self.line(last).chars().count()), &text);
            self.go_to(cursor.0, cursor.1);
        }
        hidden
    }

    pub(super) fn undo(&mut self) {
        while self.area.undo() {
            if !self.halfway.contains(&mark(self.area.lines())) {
                break;
            }
        }
        self.changed();
    }

    pub(super) fn redo(&mut self) {
        while self.area.redo() {
            if !self.halfway.contains(&mark(self.area.lines())) {
                break;
            }
        }
        self.changed();
    }

    /// A new line with the indentation of this one, and more behind what opens something.
    pub(super) fn new_line(&mut self) {
        let (row, byte) = self.place_of_cursor();
        let before = self.line(row).get(..byte).unwrap_or_default();
        let spaces = before.len() - before.trim_start_matches([' ', '\t']).len();
        let mut new = String::from("\n");
        new.push_str(before.get(..spaces).unwrap_or_default());
        if opens(before.trim_end()) {
            new.push_str(INDENT);
        }
        self.area.insert_str(new);
        self.changed();
    }

    /// What closes something, alone on its line so far, goes out to what opened it.
    pub(super) fn outdent_closing(&mut self) {
        let (row, column) = self.cursor();
        let line = self.line(row);
        let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let here = indent(line);
        let closes = matches!(line.get(here..), Some("}" | "]" | "{{/"));
        let above = (0..row).rev().map(|row| self.line(row)).find(|line| !line.trim().is_empty());
        if closes && here >= INDENT.len() && above.is_some_and(|above| here >= indent(above)) {
            self.replace((row, 0), (row, INDENT.len()), "");
            self.go_to(row, column.saturating_sub(INDENT.len()));
        }
    }

    /// The lines that are selected, or the one of the cursor; a line of which nothing is selected does not count.
    fn chosen_lines(&self) -> (usize, usize) {
        match self.area.selection_range() {
            Some(((first, _), (last, 0))) if last > first => (first, last - 1),
            Some(((first, _), (last, _))) => (first, last),
            None => (self.cursor().0, self.cursor().0),
        }
    }

    /// Whether more than one line is selected.
    pub(super) fn selects_lines(&self) -> bool {
        self.area.selection_range().is_some_and(|((first, _), (last, _))| last > first)
    }

    /// Moves the chosen lines in or out.
    pub(super) fn shift(&mut self, line: fn(&str) -> String) {
        let (first, last) = self.chosen_lines();
        let selected = self.area.selection_range().is_some();
        let (row, column) = self.cursor();
        let old: Vec<_> = (first..=last).map(|row| self.line(row).to_owned()).collect();
        let new: Vec<_> = old.iter().map(|old| line(old)).collect();
        if new == old {
            return;
        }
        let length = |line: Option<&String>| line.map_or(0, |line| line.chars().count());
        let gained = length(new.get(row - first)).cast_signed() - length(old.get(row - first)).cast_signed();
        self.replace((first, 0), (last, length(old.last())), &new.join("\n"));
        if selected {
            self.select((first, 0), (last, length(new.last())));
        } else {
            self.go_to(row, column.saturating_add_signed(gained));
        }
    }
}

pub(super) fn indented(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("{INDENT}{line}") }
}

pub(super) fn outdented(line: &str) -> String {
    let rest = line.strip_prefix(INDENT).or_else(|| line.strip_prefix(['\t', ' '])).unwrap_or(line);
    rest.to_owned()
}

/// Whether what stands before the end of a line opens a block, an object or a list.
fn opens(before: &str) -> bool {
    let Some(tag) = before.strip_suffix("}}") else {
        return before.ends_with(['{', '[', '(']) && !before.ends_with("{{");
    };
    let inner = tag.rfind("{{").and_then(|at| tag.get(at + 2..)).unwrap_or_default();
    let inner = inner.trim_start_matches('~').trim_end_matches('~').trim();
    inner.starts_with(['#', '^']) || inner == "else" || inner.starts_with("else ")
}

fn mark(lines: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    lines.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::templates::editor::Draft;

    fn editor(text: &str) -> Editor {
        let (draft, hidden) = Draft::of("t", text.to_owned());
        Editor::new("t".into(), draft, hidden)
    }

    #[test]
    fn a_new_line_keeps_the_indentation_and_adds_to_it_behind_what_opens() {
        for (line, expected) in [
            ("  a", "  "),
            ("  {", "    "),
            ("\t[ ", "\t  "),
            ("  {{#if a}}", "    "),
            ("{{~^a~}}", "  "),
            ("{{else}}", "  "),
            ("{{elsewhere}}", ""),
            ("  {{a}}", "  "),
            ("{{", ""),
        ] {
            let mut editor = editor(line);
            editor.area.move_cursor(CursorMove::End);
            editor.new_line();
            assert_eq!(editor.text(), format!("{line}\n{expected}"), "{line}");
        }
    }

    #[test]
    fn lines_are_moved_in_and_out_together_and_one_undo_takes_it_back() {
        let mut editor = editor("a\n\n  b\nc");
        editor.select((0, 0), (3, 0));
        editor.shift(indented);
        assert_eq!(editor.text(), "  a\n\n    b\nc");
        editor.shift(outdented);
        editor.shift(outdented);
        assert_eq!(editor.text(), "a\n\nb\nc");

        editor.undo();
        assert_eq!(editor.text(), "a\n\n  b\nc");
        editor.undo();
        assert_eq!(editor.text(), "  a\n\n    b\nc");
        editor.redo();
        assert_eq!(editor.text(), "a\n\n  b\nc");
    }

    #[test]
    fn what_closes_goes_out_to_what_opened_it() {
        for (text, typed, expected) in [
            ("{\n  \"a\": 1\n  ", "}", "{\n  \"a\": 1\n}"),
            ("  {\n    ", "}", "  {\n  }"),
            ("{{#if a}}\n  x\n  ", "{{/", "{{#if a}}\n  x\n{{/"),
            ("  {\n  ", "}", "  {\n}"),
            ("    a\n  ", "}", "    a\n  }"),
            ("  a ", "}", "  a }"),
        ] {
            let mut editor = editor(text);
            editor.area.move_cursor(CursorMove::Bottom);
            editor.area.move_cursor(CursorMove::End);
            editor.area.insert_str(typed);
            editor.outdent_closing();
            assert_eq!(editor.text(), expected, "{text:?}");
            assert_eq!(editor.cursor().1, expected.rsplit('\n').next().expect("a line").len());
        }
    }

    #[test]
    fn a_whole_text_is_replaced_in_one_step() {
        let mut editor = editor("one\ntwo");
        assert_eq!(editor.replace_all("three\u{202e}\r\n"), 1);
        assert_eq!(editor.text(), "three\n");
        editor.undo();
        assert_eq!(editor.text(), "one\ntwo");
    }
}

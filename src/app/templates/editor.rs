//! One template being edited, with its preview. The text is never lost silently, and what the preview
//! shows is always said to be of the text on the screen, or not yet.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use jiff::Timestamp;
use ratatui::layout::{Constraint, Layout, Rect};
use tui_textarea::{CursorMove, TextArea};
use unicode_width::UnicodeWidthChar as _;

use crate::core::text::ShownBody;

use super::{
    complete::Completion,
    drafts::DraftId,
    fields::Tree,
    hidden::{self, Stripped},
    history::History,
    pairs::{self, Stretch},
    preview::Previewed,
    search::Search,
    source::Pick,
    syntax::{State, states, tokens},
};

/// From this width on, the preview stands beside the text.
const BESIDE: u16 = 100;
/// Steps of undo kept.
const HISTORY: usize = 500;
/// What a step of indentation adds.
const INDENT: &str = "  ";
/// Columns between the stops of tabs.
pub const TAB: usize = 2;

/// A template's text as it was left without saving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub(super) text: String,
    /// The text without changes.
    pub(super) clean: String,
    /// What the server holds, as it sent it; `None`: nothing yet.
    pub(super) base: Option<String>,
    /// Where it is kept on disk.
    pub(super) place: DraftId,
    /// When it was kept, if an earlier console did so.
    pub(super) restored: Option<Timestamp>,
}

impl Draft {
    /// What the server sent, as it can be edited.
    pub(super) fn of(name: &str, base: String) -> (Self, usize) {
        let Stripped { text, hidden } = hidden::strip(&base);
        let place = DraftId(name.to_owned());
        (Self { clean: text.clone(), text, base: Some(base), place, restored: None }, hidden)
    }

    /// A template that does not exist yet.
    pub(super) fn empty(name: &str) -> Self {
        Self { text: String::new(), clean: String::new(), base: None, place: DraftId(name.to_owned()), restored: None }
    }
}

/// An open template.
#[derive(Debug)]
pub struct Editor {
    pub name: String,
    pub area: TextArea<'static>,
    /// How many hidden characters the text has: until they are taken out it is only shown.
    pub locked: Option<usize>,
    pub preview: Previewed,
    /// Lines of the preview scrolled by.
    pub scroll: usize,
    /// The first line shown, and the columns of it scrolled by.
    pub offset: (usize, usize),
    pub pick: Option<Pick>,
    pub search: Option<Search>,
    pub completion: Option<Completion>,
    /// What may stand at the cursor was asked for, and may be more once the fields are known.
    pub(super) suggesting: bool,
    /// The tree of fields, open in the place of the preview.
    pub tree: Option<Tree>,
    pub history: Option<History>,
    /// Leaving with unsaved changes: the person is being asked.
    pub leaving: bool,
    /// It was saved since it was opened.
    pub saved: bool,
    /// When the text was kept by an earlier console from which it comes.
    pub restored: Option<Timestamp>,
    /// In what state each line begins.
    pub states: Vec<State>,
    /// What belongs together at the cursor.
    pub pair: Vec<Stretch>,
    clean: String,
    pub(super) base: Option<String>,
    place: DraftId,
    /// Texts in the middle of one change, which undoing passes over.
    halfway: HashSet<u64>,
}

impl Editor {
    pub(super) fn new(name: String, draft: Draft, hidden: usize) -> Self {
        let locked = (hidden > 0).then_some(hidden);
        let area = match (&draft.base, locked) {
            (Some(base), Some(_)) => area(ShownBody::new(base).as_str()),
            _ => area(&draft.text),
        };
        let states = states(area.lines());
        let Draft { clean, base, place, restored, .. } = draft;
        Self {
            name,
            area,
            locked,
            preview: Previewed { wanted: true, ..Previewed::default() },
            scroll: 0,
            offset: (0, 0),
            pick: None,
            search: None,
            completion: None,
            suggesting: false,
            tree: None,
            history: None,
            leaving: false,
            saved: false,
            restored,
            states,
            pair: vec![],
            clean,
            base,
            place,
            halfway: HashSet::new(),
        }
    }

    /// The text to render and to save: what is on the screen, or what a locked one stands for.
    pub(super) fn text(&self) -> String {
        match (&self.base, self.locked) {
            (Some(base), Some(_)) => base.clone(),
            _ => self.area.lines().join("\n"),
        }
    }

    /// Whether something would be lost by closing it.
    pub fn is_unsaved(&self) -> bool {
        self.locked.is_none() && !is_joined(self.area.lines(), &self.clean)
    }

    /// Whether the server has nothing of it yet.
    pub fn is_new(&self) -> bool {
        self.base.is_none()
    }

    pub(super) fn draft(&self) -> Draft {
        let Self { clean, base, place, restored, .. } = self;
        let (clean, base, place) = (clean.clone(), base.clone(), place.clone());
        Draft { text: self.text(), clean, base, place, restored: *restored }
    }

    /// The server now holds `text`.
    pub(super) fn saved(&mut self, text: &str) {
        (self.saved, self.restored) = (true, None);
        self.base = Some(text.to_owned());
        text.clone_into(&mut self.clean);
        if let Some(compare) = &mut self.preview.compare {
            compare.wanted = true;
        }
    }

    /// Takes the hidden characters out, so that the rest can be edited; says how many they were.
    pub(super) fn unlock(&mut self) -> usize {
        let Some(hidden) = self.locked.take() else { return 0 };
        self.clean = self.base.clone().unwrap_or_default();
        self.area = area(&hidden::strip(&self.clean).text);
        self.changed();
        hidden
    }

    /// Text from the clipboard; says how many hidden characters were left out.
    pub(super) fn paste(&mut self, text: &str) -> usize {
        let Stripped { text, hidden } = hidden::strip(text);
        if self.area.insert_str(text) {
            self.changed();
        }
        hidden
    }

    /// Whether the fields are of use for what may stand at the cursor.
    pub(super) fn suggests(&self) -> bool {
        let (row, byte) = self.place_of_cursor();
        let before = self.line(row).get(..byte).unwrap_or_default();
        let state = self.states.get(row).copied().unwrap_or_default();
        self.suggesting && tokens(state, before, &mut vec![]).tag().is_some()
    }

    /// Line and character of the cursor.
    pub fn cursor(&self) -> (usize, usize) {
        let cursor = self.area.cursor();
        (cursor.0, cursor.1)
    }

    /// The same with the byte in the line.
    pub(super) fn place_of_cursor(&self) -> pairs::Place {
        let (row, column) = self.cursor();
        (row, self.line(row).char_indices().nth(column).map_or(self.line(row).len(), |(at, _)| at))
    }

    pub(super) fn line(&self, row: usize) -> &str {
        self.area.lines().get(row).map_or("", String::as_str)
    }

    /// The text is another.
    pub(super) fn changed(&mut self) {
        self.preview.wanted = true;
        self.states = states(self.area.lines());
        if let Some(search) = &mut self.search {
            search.look(self.area.lines());
        }
    }

    /// What belongs together where the cursor stands now.
    pub(super) fn find_pair(&mut self) {
        self.pair = pairs::pair(self.area.lines(), &self.states, self.place_of_cursor());
    }
}

/// Whether `lines` with line ends between them are `text`.
fn is_joined(lines: &[String], text: &str) -> bool {
    let mut rest = text.split('\n');
    lines.iter().all(|line| rest.next() == Some(line)) && rest.next().is_none()
}

/// Changes.
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

/// An editor for `text`. How it looks is not its business: see `ui`.
fn area(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_max_histories(HISTORY);
    area.set_tab_length(2);
    area.move_cursor(CursorMove::Top);
    area
}

/// The columns that a character takes at `column`.
pub fn width_at(c: char, column: usize) -> usize {
    if c == '\t' { TAB - column % TAB } else { c.width().unwrap_or(0) }
}

/// The column at which the character of this number begins.
pub fn column_of(line: &str, character: usize) -> usize {
    line.chars().take(character).fold(0, |column, c| column + width_at(c, column))
}

/// Columns for the numbers of so many lines, and the space behind them.
pub fn number_width(lines: usize) -> u16 {
    u16::try_from(lines.max(1).ilog10()).unwrap_or(0).saturating_add(2)
}

/// The part of the text where the cursor stays in sight.
pub(super) fn keep_cursor_in_sight(editor: &mut Editor, text: Rect) {
    let (row, character) = editor.cursor();
    let height = usize::from(text.height).max(1);
    let width = usize::from(text.width.saturating_sub(number_width(editor.area.lines().len()))).max(1);
    let column = column_of(editor.line(row), character);
    let (top, left) = editor.offset;
    let last = editor.area.lines().len().saturating_sub(height);
    let top = top.clamp((row + 1).saturating_sub(height), row).min(last.max(row.saturating_sub(height - 1)));
    editor.offset = (top, left.clamp((column + 1).saturating_sub(width), column));
    if column < width {
        editor.offset.1 = 0;
    }
}

/// The parts of the open editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EditorAreas {
    pub title: Rect,
    /// Marks beside the text, one column.
    pub gutter: Rect,
    pub text: Rect,
    /// Between text and preview when they stand side by side; empty otherwise.
    pub divider: Rect,
    pub preview_title: Rect,
    pub preview: Rect,
}

pub fn editor_areas(body: Rect) -> EditorAreas {
    let halves = [Constraint::Fill(1), Constraint::Length(1), Constraint::Fill(1)];
    let (left, divider, right) = if body.width >= BESIDE {
        let [left, divider, right] = Layout::horizontal(halves).areas(body);
        (left, divider, right)
    } else {
        let [above, below] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(body);
        (above, Rect::default(), below)
    };
    let titled = |part| Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas::<2>(part);
    let ([title, rest], [preview_title, preview]) = (titled(left), titled(right));
    let [gutter, text] = Layout::horizontal([Constraint::Length(1), Constraint::Fill(1)]).areas(rest);
    EditorAreas { title, gutter, text, divider, preview_title, preview }
}

/// The parts of a list with what is selected in it below: versions, with the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryAreas {
    pub title: Rect,
    pub list: Rect,
    pub about: Rect,
    pub difference: Rect,
}

pub fn history_areas(body: Rect) -> HistoryAreas {
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1), Constraint::Fill(2)];
    let [title, list, about, difference] = Layout::vertical(rows).areas(body);
    HistoryAreas { title, list, about, difference }
}

/// The list of what may stand at the cursor (`row`, `column` of the screen): below it, or above where there is no
/// room, within `room`.
pub fn popup(room: Rect, (row, column): (u16, u16), lines: usize, width: u16) -> Rect {
    let below = room.bottom().saturating_sub(row + 1);
    let above = row.saturating_sub(room.y);
    let lines = u16::try_from(lines).unwrap_or(u16::MAX).min(8);
    let width = width.min(room.width);
    let x = column.min(room.right().saturating_sub(width)).max(room.x);
    if below >= lines || below >= above {
        Rect { x, y: (row + 1).min(room.bottom()), width, height: lines.min(below) }
    } else {
        let height = lines.min(above);
        Rect { x, y: row - height, width, height }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_cursor_stays_in_sight_and_the_text_fills_its_part() {
        let text = Rect::new(0, 0, 12, 4);
        let mut editor = editor(&format!("{}\n{}", "line\n".repeat(20), "x".repeat(50)));
        for (place, offset) in
            [((10, 0), (7, 0)), ((8, 2), (7, 0)), ((2, 0), (2, 0)), ((21, 50), (18, 42)), ((0, 0), (0, 0))]
        {
            editor.go_to(place.0, place.1);
            keep_cursor_in_sight(&mut editor, text);
            assert_eq!(editor.offset, offset, "{place:?}");
        }
    }

    #[test]
    fn the_list_at_the_cursor_lies_within_the_text() {
        let text = Rect::new(2, 3, 38, 4);
        assert_eq!(popup(text, (3, 5), 20, 30), Rect::new(5, 4, 30, 3));
        assert_eq!(popup(text, (6, 30), 2, 30), Rect::new(10, 4, 30, 2));
    }
}

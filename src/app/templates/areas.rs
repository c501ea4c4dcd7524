//! Where the parts of the editor stand on the screen, and which part of the text is seen.

use ratatui::layout::{Constraint, Layout, Rect};
use unicode_width::UnicodeWidthChar as _;

use super::editor::Editor;
use crate::app::{Model, filter, troubles::troubles};

/// Lines at the top for what is wrong now, where something is.
pub fn trouble_lines(model: &Model) -> u16 {
    u16::from(!troubles(model).is_empty())
}

/// The view's part of the screen, below what is wrong now.
pub(super) fn body(model: &Model) -> Rect {
    below(filter::body(model), trouble_lines(model))
}

/// What is left of `area` below so many lines.
pub fn below(area: Rect, lines: u16) -> Rect {
    let lines = lines.min(area.height);
    Rect { y: area.y + lines, height: area.height - lines, ..area }
}

/// From this width on, the preview stands beside the text.
const BESIDE: u16 = 100;
/// Columns between the stops of tabs.
pub const TAB: usize = 2;

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

/// Where the difference of an unsaved text stands: below two lines that say what is to be chosen.
pub fn differs_area(body: Rect) -> Rect {
    let top = body.height.min(3);
    Rect { y: body.y + top, height: body.height - top, ..body }
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
    use crate::app::templates::editor::Draft;

    fn editor(text: &str) -> Editor {
        let (draft, hidden) = Draft::of("t", text.to_owned());
        Editor::new("t".into(), draft, hidden)
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

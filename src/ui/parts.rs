//! Small pieces that the views share: cells, rows with the mark of the selection, the filter's line, pages.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    symbols,
    text::{Line, Span},
};

use crate::{
    app::{
        Model,
        filter::Filter,
        page::{Page, Tone},
    },
    core::{
        text::{Shown, columns, fit},
        words,
    },
};

use super::theme;

/// Columns before each row, for the mark of the selection.
pub(super) const GUTTER: usize = 2;

pub(super) fn span<'a>(model: &Model, tone: Tone, text: impl Into<String>) -> Span<'a> {
    Span::styled(text.into(), theme::style(model, tone))
}

/// `text` in exactly `width` columns.
pub(super) fn cell(text: &str, width: usize) -> String {
    let mut out = fit(text, width);
    let missing = width.saturating_sub(columns(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// `text` in exactly `width` columns, at their right end.
pub(super) fn right(text: &str, width: usize) -> String {
    let out = fit(text, width);
    format!("{}{out}", " ".repeat(width.saturating_sub(columns(&out))))
}

/// The start of a row: a mark when it is selected.
pub(super) fn gutter<'a>(model: &Model, selected: bool) -> Span<'a> {
    if selected { span(model, Tone::Accent, "▸ ") } else { Span::raw("  ") }
}

/// A selected row is bold as well.
pub(super) fn selected(row: Line<'_>, selected: bool) -> Line<'_> {
    if selected { row.patch_style(Style::new().bold()) } else { row }
}

/// Marks at the right end of the last line of `title` where more lies above or below its list, with how many: of `all`,
/// those before `offset` and those that `height` rows from there do not show. No row gives way to them.
pub(super) fn beyond(model: &Model, frame: &mut Frame<'_>, title: Rect, (offset, height): (usize, u16), all: usize) {
    let Some(row) = title.rows().next_back() else { return };
    let below = all.saturating_sub(offset + usize::from(height));
    let told = [('▲', offset), ('▼', below)].into_iter().filter(|(_, hidden)| *hidden > 0);
    let text = told.map(|(mark, hidden)| format!(" {mark} {hidden}")).collect::<Vec<_>>().concat();
    let width = u16::try_from(columns(&text)).unwrap_or(u16::MAX).min(row.width);
    let end = Rect { x: row.right() - width, width, ..row };
    cut(frame, row, end);
    line(frame, end, Line::from(span(model, Tone::Accent, text)));
}

/// The same for a log, which has no end worth telling.
pub(super) fn above(model: &Model, frame: &mut Frame<'_>, title: Rect, offset: usize) {
    beyond(model, frame, title, (offset, 0), offset);
}

/// Makes room at the `end` of a row: text that reaches into it ends with a mark that it goes on.
fn cut(frame: &mut Frame<'_>, row: Rect, end: Rect) {
    let buffer = frame.buffer_mut();
    let is_free = |at: Rect| matches!(buffer[at.as_position()].symbol(), " " | symbols::line::HORIZONTAL);
    if row.width == end.width || end.columns().all(is_free) {
        return;
    }
    // The second column of a wide character is not written to.
    let before = end.x.saturating_sub(2).max(row.x);
    if columns(buffer[(before, row.y)].symbol()) > 1 {
        buffer[(before, row.y)].set_symbol(" ");
    }
    buffer[(end.x - 1, row.y)].set_symbol("…");
}

pub(super) fn line(frame: &mut Frame<'_>, area: Rect, line: Line<'_>) {
    frame.render_widget(line, area);
}

/// The filter while it is typed or set, with what it leaves of how many.
pub(super) fn filter(model: &Model, frame: &mut Frame<'_>, area: Rect, filter: &Filter, left: &str) {
    if area.height == 0 {
        return;
    }
    let cursor = if filter.is_typing() { "▏" } else { "" };
    let text = Shown::line(filter.as_str());
    let words = vec![
        span(model, Tone::Accent, "/"),
        span(model, Tone::Strong, format!("{text}{cursor}")),
        span(model, Tone::Faint, format!("  {left}")),
    ];
    line(frame, area, Line::from(words));
}

/// Paragraphs in place of a list that is empty, each wrapped, with an empty line above the first.
pub(super) fn remarks(model: &Model, frame: &mut Frame<'_>, area: Rect, paragraphs: &[(Tone, String)]) {
    let mut page = Page::new(usize::from(area.width).saturating_sub(GUTTER));
    for (tone, text) in paragraphs {
        page.blank();
        page.text(GUTTER, *tone, text);
    }
    super::page(model, page.lines, 0, frame, area);
}

/// The viewer's zone by its name, or by its letters where it has no name.
pub(super) fn zone(model: &Model) -> String {
    match model.zone.iana_name() {
        Some(name) => words::zone_called(name).to_owned(),
        None => words::zone_name(model.now, &model.zone),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::app::fixtures::model;

    /// A title of 22 columns with the marks of a list of 9, of which one is seen.
    fn marked(title: &str, offset: usize) -> String {
        let model = model(40, 12);
        let mut terminal = Terminal::new(TestBackend::new(22, 1)).expect("infallible");
        let draw = |frame: &mut Frame<'_>| {
            let area = frame.area();
            line(frame, area, Line::from(title.to_owned()));
            beyond(&model, frame, area, (offset, 1), 9);
        };
        terminal.draw(draw).expect("infallible");
        let (mut out, mut covered) = (String::new(), 0);
        for cell in terminal.backend().buffer().content() {
            if covered == 0 {
                out += cell.symbol();
                covered = columns(cell.symbol());
            }
            covered -= 1;
        }
        out
    }

    #[test]
    fn what_lies_beyond_a_list_of_one_row_is_told_on_both_sides_and_a_title_that_gives_way_says_so() {
        assert_eq!(marked("On call", 3), "On call        ▲ 3 ▼ 5");
        assert_eq!(marked("On call", 0), "On call            ▼ 8");
        assert_eq!(marked("times in Europe/Berlin", 3), "times in Euro… ▲ 3 ▼ 5");
        assert_eq!(marked("日本語日本語日本語日本", 3), "日本語日本語 … ▲ 3 ▼ 5");
        assert_eq!(marked("日本語日本語日", 3), "日本語日本語日 ▲ 3 ▼ 5");
    }
}

//! Small pieces that the views share: cells, rows with the mark of the selection, the filter's line, pages.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
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

/// Marks at the right end of the first and the last row where more lies above or below, with how many: of `all`,
/// from `offset` on.
pub(super) fn beyond(model: &Model, frame: &mut Frame<'_>, rows: Rect, offset: usize, all: usize) {
    let below = all.saturating_sub(offset + usize::from(rows.height));
    let mut lines = rows.rows();
    for (row, mark, hidden) in [(lines.next(), '▲', offset), (lines.next_back(), '▼', below)] {
        let Some(row) = row.filter(|_| hidden > 0) else { continue };
        let text = format!(" {mark} {hidden}");
        let width = u16::try_from(columns(&text)).unwrap_or(u16::MAX).min(row.width);
        line(frame, Rect { x: row.right() - width, width, ..row }, Line::from(span(model, Tone::Accent, text)));
    }
}

/// The same for a log, which has no end worth telling.
pub(super) fn above(model: &Model, frame: &mut Frame<'_>, rows: Rect, offset: usize) {
    beyond(model, frame, rows, offset, offset);
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

//! Drawing: a pure function of the model. Reads `&Model`, writes the frame, touches nothing else.

mod calls;
mod footer;
mod handoff;
mod header;
pub mod incidents;
pub mod oncall;
mod parts;
mod prompt;
pub mod services;
mod source;
pub mod targets;
pub mod templates;
pub mod theme;
pub mod webhooks;

#[cfg(test)]
pub(crate) mod snapshot;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

#[cfg(test)]
pub(crate) use crate::app::fixtures;
pub use crate::core::words;

use crate::app::{Model, View, geometry, page::Piece};

/// Draws the whole screen.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let screen = frame.area();
    if geometry::is_too_small((screen.width, screen.height)) {
        return too_small(frame, screen);
    }
    let at = geometry::areas(screen);
    header::draw(model, frame, at.header);
    if let Some(sheet) = model.sheet {
        let lines = sheet.lines(model, geometry::text(at.body).width.into());
        let last = lines.len().saturating_sub(at.body.height.into());
        scrolled(model, lines, sheet.offset.min(last), frame, at.body);
    } else if let Some(open) = &model.handoff {
        handoff::draw(model, open, frame, at.body);
    } else if let Some(log) = &model.calls {
        calls::draw(model, log, frame, at.body);
    } else {
        body(model, frame, at.body);
    }
    if let Some(open) = &model.prompt {
        prompt::draw(model, open, frame, at.body);
    }
    footer::draw(model, frame, at.footer);
}

fn body(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    match model.view {
        View::Incidents => incidents::draw(model, frame, area),
        View::OnCall => oncall::draw(model, frame, area),
        View::Webhooks => webhooks::draw(model, frame, area),
        View::Templates => templates::draw(model, frame, area),
        View::Services => services::draw(model, frame, area),
        View::Targets => targets::draw(model, frame, area),
    }
}

fn too_small(frame: &mut Frame<'_>, screen: Rect) {
    let (width, height) = geometry::SMALLEST;
    let text = format!("too small: needs {width}x{height}, is {}x{}", screen.width, screen.height);
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), screen);
}

/// A line of a page, in this terminal's style.
fn line(model: &Model, pieces: Vec<Piece>) -> Line<'static> {
    pieces.into_iter().map(|piece| Span::styled(piece.text, theme::style(model, piece.tone))).collect()
}

/// Draws what of `lines` is seen from `offset` on.
fn page(model: &Model, lines: Vec<Vec<Piece>>, offset: usize, frame: &mut Frame<'_>, area: Rect) {
    for (row, pieces) in area.rows().zip(lines.into_iter().skip(offset)) {
        frame.render_widget(line(model, pieces), row);
    }
}

/// The same, with marks in the last column where there is more above or below.
fn scrolled(model: &Model, lines: Vec<Vec<Piece>>, offset: usize, frame: &mut Frame<'_>, area: Rect) {
    let below = lines.len().saturating_sub(offset) > area.height.into();
    page(model, lines, offset, frame, area);
    let column = Rect { x: area.right().saturating_sub(1), width: area.width.min(1), ..area };
    let mut rows = column.rows();
    for (row, mark) in [(rows.next().filter(|_| offset > 0), "▲"), (rows.next_back().filter(|_| below), "▼")] {
        if let Some(row) = row {
            frame.render_widget(Line::styled(mark, theme::style(model, theme::Tone::Accent)), row);
        }
    }
}

#[cfg(test)]
mod tests;

//! Drawing: a pure function of the model. Reads `&Model`, writes the frame, touches nothing else.

mod footer;
mod header;
mod help;
pub mod incidents;
pub mod oncall;
mod prompt;
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
    if let Some(offset) = model.help {
        help::draw(model, offset, frame, at.body);
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

#[cfg(test)]
mod tests;

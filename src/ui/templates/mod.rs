//! The templates view.

use ratatui::{Frame, layout::Rect};

use crate::app::Model;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let _ = (model, frame, area);
}

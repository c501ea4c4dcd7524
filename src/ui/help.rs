//! The help page.

use ratatui::{Frame, layout::Rect};

use crate::app::{Model, geometry, help};

pub(super) fn draw(model: &Model, offset: u16, frame: &mut Frame<'_>, area: Rect) {
    let lines = help::page(model, geometry::text(area).width.into());
    super::scrolled(model, lines, offset.into(), frame, area);
}

//! The help page.

use ratatui::{Frame, layout::Rect};

use crate::app::{Model, help};

pub(super) fn draw(model: &Model, offset: u16, frame: &mut Frame<'_>, area: Rect) {
    super::page(model, help::page(model.view, area.width.into()), offset.into(), frame, area);
}

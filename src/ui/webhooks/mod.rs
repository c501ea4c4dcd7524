//! The webhooks view: the log, or one delivery.

mod list;

use ratatui::{Frame, layout::Rect};

use crate::app::{
    Model,
    page::Tone,
    webhooks::{
        Opened,
        detail::{self, TITLE},
    },
};

use super::parts::{self, span};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    match &model.webhooks.open {
        Some(opened) => delivery(model, frame, area, opened),
        None => list::draw(model, frame, area),
    }
}

fn delivery(model: &Model, frame: &mut Frame<'_>, area: Rect, opened: &Opened) {
    let above = Rect { height: area.height.min(TITLE), ..area };
    let below = Rect { y: area.y + above.height, height: area.height - above.height, ..area };
    let page = detail::page(model, opened, area.width.into());
    let last = page.lines.len().min(opened.scroll + usize::from(below.height));
    let title = vec![
        span(model, Tone::Strong, format!("Delivery {}", opened.summary.id)),
        span(model, Tone::Faint, format!("  lines {}–{last} of {}", opened.scroll + 1, page.lines.len())),
    ];
    parts::two_ends(model, frame, above, title, "esc back");
    parts::page(model, frame, below, &page, opened.scroll);
}

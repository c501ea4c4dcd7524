//! The webhooks view: the log, or one delivery.

mod list;

use ratatui::{Frame, layout::Rect, text::Line};

use crate::app::{
    Model,
    page::Tone,
    webhooks::{
        Opened, Reading,
        detail::{self, TITLE},
    },
};

use super::{footer::Hint, parts::span};

/// What the keys do in an opened delivery.
pub(super) fn hints(model: &Model) -> Option<Vec<Hint>> {
    let opened = model.webhooks.open.as_ref()?;
    let mut hints = vec![("j/k", "scroll"), ("esc", "back")];
    let again = match &opened.reading {
        Reading::Read(_) => false,
        Reading::Asked(wait) => wait.overdue(model.now),
        Reading::Failed(_) => true,
    };
    if again {
        hints.insert(0, ("enter", "ask again"));
    }
    if opened.summary.incident.is_some() {
        hints.insert(hints.len() - 1, ("i", "incident"));
    }
    Some(hints)
}

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
    frame.render_widget(Line::from(title), above);
    super::page(model, page.lines, opened.scroll, frame, below);
}

#[cfg(test)]
mod tests;

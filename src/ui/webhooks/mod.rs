//! The webhooks view: the log, or one delivery.

mod list;

use ratatui::{Frame, layout::Rect, text::Line};

use crate::app::{
    Model, View,
    keys::Action,
    page::Tone,
    webhooks::{
        Opened, Reading,
        detail::{self, Side, TITLE},
    },
};

use super::{
    footer::{Hint, bound},
    parts::span,
};

/// Whether the action of a key is for an opened delivery only.
pub(super) fn is_for_opened(action: Action) -> bool {
    matches!(action, Action::ShowPretty | Action::ShowRaw | Action::ShowHeaders | Action::ShowTiming | Action::Hex)
}

/// What the keys do in an opened delivery.
pub(super) fn hints(model: &Model) -> Option<Vec<Hint>> {
    let opened = model.webhooks.open.as_ref()?;
    let again = match &opened.reading {
        Reading::Read(_) => false,
        Reading::Asked(wait) => wait.overdue(model.now),
        Reading::Failed(_) => true,
    };
    let wanted = |action: Action| match action {
        Action::GoToIncident => opened.summary.incident.is_some(),
        Action::Hex => opened.side == Side::Raw,
        Action::Replay => opened.summary.target.is_none() && opened.summary.cannot_be_replayed().is_none(),
        Action::CopyCurl => true,
        action => is_for_opened(action),
    };
    let mut hints: Vec<Hint> = if again { vec![("enter", "ask again")] } else { vec![] };
    hints.extend(bound(View::Webhooks).filter(|(action, _)| wanted(*action)).map(|(_, hint)| hint));
    if opened.summary.target.is_some() {
        hints.push(("R", "send again"));
    }
    hints.push(("esc", "back"));
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
    let id = opened.summary.id;
    let name = if area.width < 60 { format!("{id} ") } else { format!("Delivery {id}  ") };
    let mut title = vec![span(model, Tone::Strong, name)];
    for side in Side::ALL {
        let (tone, name) = if side == opened.side {
            (Tone::Strong, format!("[{}]", side.name()))
        } else {
            (Tone::Faint, format!(" {} ", side.name()))
        };
        title.push(span(model, tone, name));
    }
    let lines = page.lines.len();
    title.push(span(model, Tone::Faint, format!("  lines {}–{last} of {lines}", opened.scroll + 1)));
    frame.render_widget(Line::from(title), above);
    super::page(model, page.lines, opened.scroll, frame, below);
}

#[cfg(test)]
mod tests;

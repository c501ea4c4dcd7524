//! A list to choose from, with the line that narrows it and the text that goes with the choice.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{border, field, frame_box};
use crate::{
    app::{
        Model, geometry,
        prompt::{Pick, Stage},
    },
    core::text::{columns, fit},
    ui::{
        parts,
        theme::{Tone, style},
    },
};

pub(super) fn draw(model: &Model, pick: &Pick, title: &str, frame: &mut Frame<'_>, body: Rect) {
    let at = geometry::pick(body);
    frame_box(model, title, Tone::Caution, frame, at.frame);
    let here = pick.stage == Stage::Choosing;
    field(model, "find", pick.filter.as_str(), here, frame, at.filter);
    if let Some(name) = pick.text_name() {
        field(model, name, pick.text.as_str(), !here, frame, at.text);
    }
    if pick.listed.is_empty() {
        frame.render_widget(
            Line::styled(fit(&nothing(pick), at.choices.width.into()), style(model, Tone::Caution)),
            at.choices,
        );
    }
    let names = usize::from(at.choices.width * 2 / 5).min(24);
    for (row, choice) in at.choices.rows().zip(pick.listed.iter().skip(pick.cursor.offset())) {
        let mark = if pick.chosen() == Some(choice) { "▸ " } else { "  " };
        let name = fit(&choice.name, names);
        let about = fit(&choice.about, usize::from(row.width).saturating_sub(names + 3));
        let line = Line::from(vec![
            Span::styled(mark, style(model, Tone::Accent)),
            Span::styled(padded(&name, names), style(model, Tone::Plain)),
            Span::styled(format!(" {about}"), style(model, Tone::Faint)),
        ]);
        frame.render_widget(line, row);
    }
    parts::beyond(model, frame, border(at.frame), (pick.cursor.offset(), at.choices.height), pick.listed.len());
}

/// Why there is nothing to choose from.
fn nothing(pick: &Pick) -> String {
    match &pick.missing {
        _ if !pick.waiting.is_empty() => "asking the provider…".to_owned(),
        Some(reason) => reason.clone(),
        None if pick.choices.is_empty() => "nothing known to choose from".to_owned(),
        None => "nothing matches".to_owned(),
    }
}

/// `text` filled up to `width` columns.
fn padded(text: &str, width: usize) -> String {
    let fill = width.saturating_sub(columns(text));
    format!("{text}{:fill$}", "")
}

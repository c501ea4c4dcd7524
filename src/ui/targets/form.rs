//! The form of a target: a line for each thing, what is wrong with it marked, and a remark on the line at hand below.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::Line,
};

use crate::{
    app::{
        Model,
        page::Tone,
        targets::{
            form::Form,
            forms::{AROUND, remark},
        },
    },
    core::{
        text::{Shown, columns, fit},
        words::wrap,
    },
    ui::{
        parts::{self, GUTTER, cell, span},
        prompt::tail,
    },
};

/// Columns of the names of the lines.
const LABEL: usize = 11;

pub(super) fn draw(model: &Model, form: &Form, frame: &mut Frame<'_>, area: Rect) {
    let head = Rect { height: area.height.min(1), ..area };
    let rows = Rect { y: area.y + head.height, height: area.height.saturating_sub(AROUND), ..area };
    let below = Rect { y: rows.bottom(), height: area.bottom().saturating_sub(rows.bottom()), ..area };
    title(model, form, frame, head);
    let fields = form.fields();
    for (row, (at, field)) in rows.rows().zip(fields.iter().enumerate().skip(form.offset)) {
        let here = at == form.at;
        let (mark, tone) = match form.wrong(*field) {
            Some(_) => ("!", Tone::Alarm),
            // Of the events together, one mark is enough.
            None if !Form::label(*field).is_empty() && form.doubt(*field, &model.board).is_some() => {
                ("~", Tone::Caution)
            }
            None => (" ", Tone::Plain),
        };
        let value = Shown::line(&form.value(*field));
        let room = usize::from(area.width).saturating_sub(GUTTER + 2 + LABEL + 2);
        // Of what is typed the end is in sight, of what is chosen the beginning.
        let shown = if here && form.has_text(*field) { tail(value.as_str(), room) } else { fit(value.as_str(), room) };
        let end = GUTTER + 2 + LABEL + 1 + columns(&shown);
        let line = Line::from(vec![
            parts::gutter(model, here),
            span(model, tone, format!("{mark} ")),
            span(
                model,
                if here { Tone::Accent } else { Tone::Faint },
                format!("{} ", cell(Form::label(*field), LABEL)),
            ),
            span(model, Tone::Plain, shown),
        ]);
        parts::line(frame, row, parts::selected(line, here));
        if here && Form::is_typed(*field) && model.prompt.is_none() && model.sheet.is_none() {
            let column = u16::try_from(end).unwrap_or(u16::MAX);
            frame.set_cursor_position(Position::new(row.x.saturating_add(column), row.y));
        }
    }
    let (tone, text) = remark(model, form);
    for (row, line) in below.rows().zip(wrap(&text, area.width.into())) {
        parts::line(frame, row, Line::from(span(model, tone, line)));
    }
}

fn title(model: &Model, form: &Form, frame: &mut Frame<'_>, area: Rect) {
    let name = match &form.former {
        Some(former) => format!("Target {}", former.name),
        None => "A new target".to_owned(),
    };
    let lines = form.fields().len();
    let place = format!("  line {} of {lines}", form.at + 1);
    let line = Line::from(vec![span(model, Tone::Strong, name), span(model, Tone::Faint, place)]);
    parts::line(frame, area, line);
}

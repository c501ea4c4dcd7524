//! The templates view: the list with the name of a new one being typed, or the editor.

mod editor;
mod fields;
mod history;
mod text;

use ratatui::{Frame, layout::Rect, text::Line};

use crate::{
    app::{
        Link, Model, filter,
        keys::{BINDINGS, Scope},
        page::Tone,
        templates::{
            Row, TITLE,
            areas::{below, trouble_lines},
            rows,
        },
        troubles::troubles,
    },
    core::{
        text::{Shown, columns},
        words,
    },
};

use super::{
    footer::Hint,
    incidents::draw_troubles,
    parts::{self, cell, span},
};

/// What the keys do while something is typed here.
pub(super) fn hints(model: &Model) -> Option<Vec<Hint>> {
    if model.templates.naming.is_some() {
        return Some(vec![("enter", "start"), ("esc", "back")]);
    }
    if model.templates.differs.is_some() {
        return Some(vec![("r", "restore"), ("d", "discard"), ("↑↓", "scroll"), ("esc", "later")]);
    }
    let editor = model.templates.editor.as_ref()?;
    Some(if editor.leaving {
        vec![("y", "discard"), ("k", "keep for later"), ("esc", "stay")]
    } else if editor.pick.is_some() {
        vec![("enter", "choose"), ("↑↓", "select"), ("esc", "back")]
    } else if let Some(history) = &editor.history {
        if history.confirming {
            vec![("y", "restore"), ("esc", "stay")]
        } else {
            vec![("r", "restore"), ("enter", "edit"), ("↑↓", "select"), ("pgdn", "scroll"), ("esc", "back")]
        }
    } else if editor.tree.is_some() {
        vec![("enter", "put in"), ("←→", "fold"), ("↑↓", "select"), ("esc", "close")]
    } else if editor.search.as_ref().is_some_and(|search| search.typing) {
        vec![("enter", "next"), ("↑", "previous"), ("esc", "close")]
    } else if editor.completion.is_some() {
        vec![("enter", "take"), ("↑↓", "select"), ("esc", "close")]
    } else if editor.locked.is_some() {
        vec![("c", "take hidden characters out"), ("ctrl-d", "delivery"), ("esc", "back")]
    } else {
        let mut out: Vec<_> = in_editor().collect();
        out.push(("esc", "back"));
        out
    })
}

/// The hints of the table that hold while a template is edited.
fn in_editor() -> impl Iterator<Item = Hint> {
    let shown = BINDINGS.iter().filter(|binding| binding.scope == Scope::Editor && !binding.hint.is_empty());
    shown.map(|binding| (binding.keys[0], binding.hint))
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let lines = trouble_lines(model);
    draw_troubles(model, &troubles(model), frame, Rect { height: lines.min(area.height), ..area });
    let area = below(area, lines);
    match (&model.templates.differs, &model.templates.editor) {
        (Some(differs), _) => history::differs(model, frame, area, differs),
        (None, Some(open)) => editor::draw(model, frame, area, open),
        (None, None) => list(model, frame, area),
    }
}

fn list(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.templates;
    let at = filter::list_areas(area, TITLE, &state.filter);
    title(model, frame, at.title);
    let rows = rows(model);
    if rows.is_empty() {
        parts::remarks(model, frame, at.rows, &[nothing(model)]);
    }
    let names = rows.iter().map(|row| columns(row.name)).max().unwrap_or(0).clamp(8, 32);
    for (row, y) in rows.iter().skip(state.cursor.offset()).zip(at.rows.y..at.rows.bottom()) {
        let selected = state.cursor.selected().is_some_and(|name| name == row.name);
        let line = parts::selected(line(model, row, names, selected), selected);
        parts::line(frame, Rect { y, height: 1, ..at.rows }, line);
    }
    parts::beyond(model, frame, at.title, (state.cursor.offset(), at.rows.height), rows.len());
    let left = format!("{} of {}", rows.len(), model.board.templates.len());
    parts::filter(model, frame, at.filter, &state.filter, &left);
}

fn title(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.templates;
    let mut spans = vec![span(model, Tone::Strong, "Templates")];
    if let Some(name) = &state.naming {
        spans.push(span(model, Tone::Plain, "  name of the new one: "));
        spans.push(span(model, Tone::Strong, format!("{}▏", name.as_str())));
        parts::line(frame, area, Line::from(spans));
        return;
    }
    if let Some(opening) = &state.opening {
        let (tone, words) = if opening.wait.overdue(model.now) {
            (Tone::Caution, format!("  ! no answer about {}; enter asks again", Shown::line(&opening.name)))
        } else {
            (Tone::Faint, format!("  opening {}…", Shown::line(&opening.name)))
        };
        spans.push(span(model, tone, words));
    } else {
        spans.push(span(model, Tone::Faint, format!("  times in {}", parts::zone(model))));
    }
    parts::line(frame, area, Line::from(spans));
}

fn line<'a>(model: &Model, row: &Row<'_>, names: usize, selected: bool) -> Line<'a> {
    let saved = match row.summary {
        None => "new".to_owned(),
        Some(summary) if summary.built_in => "built-in".into(),
        Some(summary) => summary
            .saved_at
            .map_or_else(|| "saved".into(), |at| format!("saved {}", words::moment(at, model.now, &model.zone))),
    };
    let unsaved = match (row.unsaved, row.kept_at, row.elsewhere) {
        (true, ..) => "  * unsaved changes".to_owned(),
        (false, Some(at), _) => format!("  * unsaved text of {}", words::moment(at, model.now, &model.zone)),
        (false, None, true) => "  * unsaved in another console".into(),
        (false, None, false) => String::new(),
    };
    Line::from(vec![
        parts::gutter(model, selected),
        span(model, Tone::Plain, cell(Shown::line(row.name).as_str(), names)),
        span(model, Tone::Faint, format!("  {saved}")),
        span(model, Tone::Caution, unsaved),
    ])
}

fn nothing(model: &Model) -> (Tone, String) {
    if model.templates.filter.is_set() {
        return (Tone::Plain, "No template has these words in its name.".into());
    }
    match &model.link {
        Link::Connecting => (Tone::Faint, "Connecting to the server…".into()),
        Link::Up(_) | Link::Lost { .. } => (Tone::Plain, "There is no template. n starts one.".into()),
    }
}

#[cfg(test)]
mod tests;

//! The tree of fields that a template can name.

use ratatui::{Frame, layout::Rect, text::Line};

use crate::{
    app::{Link, Model, page::Tone, templates::fields::Tree},
    core::text::{columns, fit},
    ui::parts::{self, span},
};

use super::editor::source_words;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, title: Rect, area: Rect, tree: &Tree) {
    let state = &model.templates;
    let source = fit(&source_words(model, &state.source), usize::from(title.width).saturating_sub(11));
    let spans = vec![span(model, Tone::Strong, "Fields"), span(model, Tone::Faint, format!("  on {source}"))];
    parts::line(frame, title, Line::from(spans));
    let root = match (state.context.of(&state.source), &model.link) {
        (Some(Ok(root)), _) => root,
        (Some(Err(cause)), _) => {
            return parts::remarks(model, frame, area, &[(Tone::Alarm, format!("not known: {cause}"))]);
        }
        (None, Link::Up(_)) => return parts::remarks(model, frame, area, &[(Tone::Faint, "asking…".into())]),
        (None, Link::Connecting | Link::Lost { .. }) => {
            return parts::remarks(model, frame, area, &[(Tone::Caution, "! no link to the server".into())]);
        }
    };
    let rows = tree.rows(root);
    for (row, y) in rows.iter().skip(tree.cursor.offset()).zip(area.y..area.bottom()) {
        let selected = tree.cursor.selected() == Some(&row.path);
        let fold = match row.unfolded {
            None => "  ",
            Some(true) => "- ",
            Some(false) => "+ ",
        };
        let name = format!("{}{fold}{}", "  ".repeat(row.depth()), row.name());
        let left = usize::from(area.width).saturating_sub(columns(&name) + 4);
        let spans = vec![
            parts::gutter(model, selected),
            span(model, Tone::Plain, name),
            span(model, Tone::Faint, format!("  {}", fit(&row.gist, left))),
        ];
        parts::line(frame, Rect { y, height: 1, ..area }, parts::selected(Line::from(spans), selected));
    }
    parts::beyond(model, frame, title, (tree.cursor.offset(), area.height), rows.len());
}

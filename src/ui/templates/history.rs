//! The former versions of a template, and how the selected one differs from the present text; and a text that is not
//! saved beside what is stored.

use ratatui::{Frame, layout::Rect, text::Line};

use crate::{
    app::{
        Model,
        page::Tone,
        templates::{
            areas::{differs_area, history_areas},
            drafts::Differs,
            editor::Editor,
            history::{History, Row},
        },
    },
    core::{
        diff,
        text::{Shown, fit},
        words,
    },
    ui::parts::{self, cell, span},
};

use super::editor::lines_at;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor, history: &History) {
    let at = history_areas(area);
    title(model, frame, at.title, editor, history);
    let rows = history.rows();
    for (row, y) in rows.iter().skip(history.cursor.offset()).zip(at.list.y..at.list.bottom()) {
        let selected = history.cursor.selected() == Some(&row.version);
        let line = parts::selected(line(model, row, selected), selected);
        parts::line(frame, Rect { y, height: 1, ..at.list }, line);
    }
    parts::beyond(model, frame, at.title, (history.cursor.offset(), at.list.height), rows.len());
    if let Some((tone, text)) = empty(model, history) {
        parts::remarks(model, frame, at.list, &[(tone, text)]);
    }
    let text = editor.area.lines().join("\n");
    parts::line(frame, at.about, Line::from(about(model, history, &text)));
    let lines = history.lines(&text, at.difference.width.into());
    lines_at(model, frame, at.difference, lines.iter().skip(history.scroll), true);
}

fn title(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor, history: &History) {
    let name = Shown::line(&editor.name);
    if history.confirming {
        let what = history.cursor.selected().map(ToString::to_string).unwrap_or_default();
        let question = format!("Restore {what} of {}? ", fit(name.as_str(), 20));
        let spans = vec![span(model, Tone::Caution, question), span(model, Tone::Strong, "y restore  esc stay")];
        parts::line(frame, area, Line::from(spans));
        return;
    }
    let present = match &history.listed {
        Some(Ok(listed)) => match &listed.present {
            None => "  now: built-in".to_owned(),
            Some(present) => format!("  now: {}", saved_words(model, present.saved_at, present.by.as_ref())),
        },
        _ => String::new(),
    };
    let spans = vec![
        span(model, Tone::Strong, format!("Versions of {name}")),
        span(model, Tone::Faint, fit(&present, usize::from(area.width).saturating_sub(12 + name.as_str().len()))),
    ];
    parts::line(frame, area, Line::from(spans));
}

fn saved_words(model: &Model, at: Option<jiff::Timestamp>, by: Option<&Shown>) -> String {
    let when = at.map_or_else(|| "saved".into(), |at| format!("saved {}", words::moment(at, model.now, &model.zone)));
    by.map_or_else(|| when.clone(), |by| format!("{when} by {by}"))
}

fn line(model: &Model, row: &Row<'_>, selected: bool) -> Line<'static> {
    let mut spans = vec![parts::gutter(model, selected), span(model, Tone::Plain, cell(&row.version.to_string(), 9))];
    if let Some(kept) = row.kept {
        let bytes = words::count(usize::try_from(kept.bytes).unwrap_or(usize::MAX), "byte", "bytes");
        spans.push(span(
            model,
            Tone::Faint,
            format!("{}, {bytes}", saved_words(model, kept.saved_at, kept.by.as_ref())),
        ));
    } else {
        spans.push(span(model, Tone::Faint, "ships with dogwatch"));
    }
    Line::from(spans)
}

fn empty(model: &Model, history: &History) -> Option<(Tone, String)> {
    match &history.listed {
        None if history.is_overdue(model.now) => Some((Tone::Caution, "! no answer from the server".into())),
        None => Some((Tone::Faint, "asking…".into())),
        Some(Err(cause)) => Some((Tone::Alarm, cause.to_string())),
        Some(Ok(_)) if history.rows().is_empty() => Some((Tone::Plain, "There is no former version yet.".into())),
        Some(Ok(_)) => None,
    }
}

/// What the difference below is.
fn about(model: &Model, history: &History, text: &str) -> Vec<ratatui::text::Span<'static>> {
    let Some(version) = history.cursor.selected() else { return vec![] };
    match history.difference(text) {
        None => vec![span(model, Tone::Faint, "reading…")],
        Some(Err(_)) => vec![],
        Some(Ok(lines)) => {
            let (new, gone) = diff::counts(&lines);
            let words = format!("  +{new} -{gone} since then");
            vec![span(model, Tone::Strong, format!("From {version} to the text now")), span(model, Tone::Faint, words)]
        }
    }
}

/// A text that is not saved, and what is stored meanwhile.
pub(super) fn differs(model: &Model, frame: &mut Frame<'_>, area: Rect, differs: &Differs) {
    let name = Shown::line(&differs.name);
    let what = match differs.kept_at {
        Some(at) => format!("Your unsaved text of {}, kept {}", name, words::moment(at, model.now, &model.zone)),
        None => format!("Your text of {name} was not saved"),
    };
    let stored = match (&differs.stored, differs.kept_at) {
        (None, _) => "there is no such template any more",
        (Some(_), Some(_)) => "what is stored is another than when you began",
        (Some(_), None) => "another was saved meanwhile",
    };
    let (new, gone) = diff::counts(&diff::difference(differs.stored.as_deref().unwrap_or_default(), &differs.mine));
    let rows = [
        (Tone::Strong, what),
        (Tone::Caution, format!("! {stored}")),
        (Tone::Faint, format!("from what is stored to your text: +{new} -{gone}")),
    ];
    for ((tone, text), y) in rows.into_iter().zip(area.y..area.bottom()) {
        let text = fit(&text, area.width.into());
        parts::line(frame, Rect { y, height: 1, ..area }, Line::from(span(model, tone, text)));
    }
    let below = differs_area(area);
    let lines = differs.lines(below.width.into());
    lines_at(model, frame, below, lines.iter().skip(differs.scroll), true);
}

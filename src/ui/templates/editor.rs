//! The editor with its preview, and over it the list of deliveries to preview on.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use crate::{
    app::{
        Link, Model,
        page::Tone,
        templates::{
            editor::{Editor, PreviewLine, editor_areas, is_meant_as_json},
            source::{Pick, Source},
        },
        webhooks::incident_words,
    },
    core::{
        delivery::DeliverySummary,
        template::{Fault, Preview},
        text::{Shown, columns, fit},
        words,
    },
};

use crate::ui::parts::{self, cell, span};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor) {
    if let Some(pick) = &editor.pick {
        self::pick(model, frame, area, pick);
        return;
    }
    let at = editor_areas(area);
    title(model, frame, at.title, editor);
    frame.render_widget(&editor.area, at.text);
    if let Some(fault) = editor.preview.fault() {
        mark(model, frame, at.gutter, editor, fault);
    }
    for y in at.divider.top()..at.divider.bottom() {
        parts::line(frame, Rect { y, height: 1, ..at.divider }, Line::from(span(model, Tone::Faint, "│")));
    }
    preview_title(model, frame, at.preview_title, editor);
    preview(model, frame, at.preview, editor);
}

fn title(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor) {
    let name = Shown::line(&editor.name);
    if editor.leaving {
        let question = format!("{} has unsaved changes: ", fit(name.as_str(), 20));
        let spans =
            vec![span(model, Tone::Caution, question), span(model, Tone::Strong, "y discard  k keep  esc stay")];
        let short = vec![span(model, Tone::Strong, "unsaved: y discard  k keep  esc stay")];
        let wide = spans.iter().map(Span::width).sum::<usize>() <= usize::from(area.width);
        parts::line(frame, area, Line::from(if wide { spans } else { short }));
        return;
    }
    let mut spans = vec![span(model, Tone::Strong, name.as_str())];
    spans.push(match editor.locked {
        Some(1) => span(model, Tone::Caution, "  ! 1 hidden character, only shown"),
        Some(n) => span(model, Tone::Caution, format!("  ! {n} hidden characters, only shown")),
        None if model.templates.is_saving(&editor.name) => span(model, Tone::Faint, "  saving…"),
        None if editor.is_unsaved() => span(model, Tone::Caution, "  * unsaved"),
        None if editor.is_new() => span(model, Tone::Faint, "  new"),
        None if !editor.saved && is_built_in(model, &editor.name) => span(model, Tone::Faint, "  built-in"),
        None => span(model, Tone::Faint, "  saved"),
    });
    parts::line(frame, area, Line::from(spans));
}

fn is_built_in(model: &Model, name: &str) -> bool {
    model.board.templates.iter().any(|summary| summary.name == name && summary.built_in)
}

/// The mark beside the line that the fault is in, when that line is in sight.
fn mark(model: &Model, frame: &mut Frame<'_>, gutter: Rect, editor: &Editor, fault: &Fault) {
    let (top, _) = editor.area.scroll_offset();
    let Some(row) = fault.line.checked_sub(1).and_then(|row| row.checked_sub(top.into())) else { return };
    if let Ok(row) = u16::try_from(row)
        && row < gutter.height
    {
        let at = Rect { y: gutter.y + row, height: 1, ..gutter };
        parts::line(frame, at, Line::from(span(model, Tone::Alarm, "!")));
    }
}

/// What the preview is of, and whether it worked.
fn preview_title(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor) {
    let (tone, verdict) = verdict(model, editor);
    let verdict = format!("Preview  {verdict}");
    let room = usize::from(area.width).saturating_sub(columns(&verdict) + 2);
    let source = fit(&format!("on {}", source_words(model, &model.templates.source)), room);
    let (name, verdict) = verdict.split_at("Preview".len());
    let spans = vec![
        span(model, Tone::Strong, name),
        span(model, tone, verdict),
        span(model, Tone::Faint, format!("  {source}")),
    ];
    parts::line(frame, area, Line::from(spans));
}

fn verdict(model: &Model, editor: &Editor) -> (Tone, String) {
    if editor.preview.is_overdue(model.now) {
        return (Tone::Caution, "! no answer from the server".into());
    }
    if !editor.preview.is_current() && !matches!(model.link, Link::Up(_)) {
        return (Tone::Caution, "! no link to the server".into());
    }
    if !editor.preview.is_current() {
        return (Tone::Faint, "rendering…".into());
    }
    match &editor.preview.last {
        None => (Tone::Faint, "rendering…".into()),
        Some(Err(_)) => (Tone::Alarm, "! none".into()),
        Some(Ok(Preview::Broken(_))) => (Tone::Alarm, "! template fault".into()),
        Some(Ok(Preview::Rendered { output, json, bytes, warnings })) => {
            let size = words::count(usize::try_from(*bytes).unwrap_or(usize::MAX), "byte", "bytes");
            let size = match warnings.len() {
                0 => size,
                warned => format!("~ {}, {size}", words::count(warned, "warning", "warnings")),
            };
            match json {
                Ok(()) if !warnings.is_empty() => (Tone::Caution, format!("+ JSON ok, {size}")),
                Ok(()) => (Tone::Calm, format!("+ JSON ok, {size}")),
                Err(_) if is_meant_as_json(output.as_str()) => (Tone::Caution, format!("~ not JSON, {size}")),
                Err(_) => (Tone::Plain, format!("text, not JSON, {size}")),
            }
        }
    }
}

fn source_words(model: &Model, source: &Source) -> String {
    match source {
        Source::Sample => "the built-in sample".into(),
        Source::Delivery(line) => format!(
            "{} of {}",
            line.event_type.as_ref().map_or("a delivery", Shown::as_str),
            words::clock(line.at, &model.zone)
        ),
    }
}

/// An old preview stays in sight, faint, until the new one is there.
fn preview(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor) {
    let current = editor.preview.is_current();
    let tone = |tone| if current { tone } else { Tone::Faint };
    let lines = editor.preview.lines(area.width.into());
    for (line, y) in lines.iter().skip(editor.scroll).zip(area.y..area.bottom()) {
        let spans = match line {
            PreviewLine::Output { text, marked } => vec![
                if *marked { span(model, tone(Tone::Caution), "! ") } else { Span::raw("  ") },
                span(model, tone(Tone::Plain), *text),
            ],
            PreviewLine::Fault(text) => vec![Span::raw("  "), span(model, tone(Tone::Alarm), text.as_str())],
            PreviewLine::Warning(text) => {
                vec![span(model, tone(Tone::Caution), "~ "), span(model, tone(Tone::Caution), text.as_str())]
            }
            PreviewLine::Remark(text) => vec![Span::raw("  "), span(model, Tone::Faint, text.as_str())],
        };
        parts::line(frame, Rect { y, height: 1, ..area }, Line::from(spans));
    }
}

fn pick(model: &Model, frame: &mut Frame<'_>, area: Rect, pick: &Pick) {
    let at = crate::app::filter::list_areas(area, 1, &pick.filter);
    let spans = vec![span(model, Tone::Strong, "Preview on which delivery?")];
    parts::line(frame, at.title, Line::from(spans));
    let rows = pick.rows(model);
    for (source, y) in rows.iter().skip(pick.cursor.offset()).zip(at.rows.y..at.rows.bottom()) {
        let selected = pick.cursor.selected() == Some(&source.id());
        let mut spans = vec![parts::gutter(model, selected)];
        spans.extend(match source {
            Source::Sample => vec![span(model, Tone::Plain, "the built-in sample")],
            Source::Delivery(line) => delivery(model, line, area.width.into()),
        });
        let line = parts::selected(Line::from(spans), selected);
        parts::line(frame, Rect { y, height: 1, ..at.rows }, line);
    }
    if rows.is_empty() {
        parts::remarks(model, frame, at.rows, &[(Tone::Plain, "No accepted delivery has these words.".into())]);
    }
    let left = words::count(rows.len(), "choice", "choices");
    parts::filter(model, frame, at.filter, &pick.filter, &left);
}

fn delivery<'a>(model: &Model, line: &DeliverySummary, width: usize) -> Vec<Span<'a>> {
    let incident = line.incident.as_ref().map(|key| incident_words(model, key)).unwrap_or_default();
    let subject = line.subject.as_ref().map_or("", Shown::as_str);
    let room = width.saturating_sub(13 + 29);
    let moment = words::moment(line.at, model.now, &model.zone);
    vec![
        span(model, Tone::Plain, format!("{} ", cell(&moment, 10))),
        span(model, Tone::Plain, format!("{} ", cell(line.event_type.as_ref().map_or("", Shown::as_str), 20))),
        span(model, Tone::Accent, format!("{} ", cell(&incident, 7))),
        span(model, Tone::Plain, fit(subject, room)),
    ]
}

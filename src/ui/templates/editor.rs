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
        source::Source,
        templates::{
            areas::editor_areas,
            editor::Editor,
            preview::{PreviewLine, Standing, is_meant_as_json},
            search::Search,
            syntax::{State, Token, tokens},
        },
    },
    core::{
        diff,
        template::{Fault, Preview},
        text::{Shown, ShownBody, columns, fit},
        words,
    },
};

use crate::ui::{
    parts::{self, span},
    source, theme,
};

use super::{fields, history, text};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor) {
    if let Some(pick) = &editor.pick {
        source::draw(model, pick, "Preview on which delivery?", None, frame, area);
        return;
    }
    if let Some(open) = &editor.history {
        history::draw(model, frame, area, editor, open);
        return;
    }
    let at = editor_areas(area);
    match editor.search.as_ref().filter(|search| search.typing && !editor.leaving) {
        Some(search) => find(model, frame, at.title, editor, search),
        None => title(model, frame, at.title, editor),
    }
    text::draw(model, frame, at.text, editor);
    for warning in editor.preview.warnings() {
        mark(model, frame, at.gutter, editor, warning, (Tone::Caution, "~"));
    }
    if let Some(fault) = editor.preview.fault() {
        mark(model, frame, at.gutter, editor, fault, (Tone::Alarm, "!"));
    }
    for y in at.divider.top()..at.divider.bottom() {
        parts::line(frame, Rect { y, height: 1, ..at.divider }, Line::from(span(model, Tone::Faint, "│")));
    }
    if let Some(tree) = &editor.tree {
        fields::draw(model, frame, at.preview_title, at.preview, tree);
    } else {
        preview_title(model, frame, at.preview_title, editor);
        preview(model, frame, at.preview, editor);
    }
    let room = Rect { height: area.bottom().saturating_sub(at.text.y), ..at.text };
    text::suggestions(model, frame, at.text, room, editor);
}

/// What is looked for, and how often it is there.
fn find(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor, search: &Search) {
    let hits = search.hits.len();
    let found = match search.current(editor.cursor()) {
        _ if search.line.is_empty() => String::new(),
        Some(number) => format!("{number} of {hits}"),
        None if hits == 0 => "not found".into(),
        None => words::count(hits, "find", "finds"),
    };
    let tone = if hits == 0 { Tone::Caution } else { Tone::Faint };
    let spans = vec![
        span(model, Tone::Accent, "find "),
        span(model, Tone::Strong, format!("{}▏", Shown::line(search.line.as_str()))),
        span(model, tone, format!("  {found}")),
    ];
    parts::line(frame, area, Line::from(spans));
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
        None if editor.is_unsaved() => span(model, Tone::Caution, unsaved(model, editor)),
        None if editor.is_new() => span(model, Tone::Faint, "  new"),
        None if !editor.saved && is_built_in(model, &editor.name) => span(model, Tone::Faint, "  built-in"),
        None => span(model, Tone::Faint, "  saved"),
    });
    if model.watching().is_some() && matches!(model.link, Link::Up(_)) {
        spans.push(span(model, Tone::Caution, "  look only"));
    }
    parts::line(frame, area, Line::from(spans));
}

/// Text that is not saved, and from when it is if an earlier console kept it.
fn unsaved(model: &Model, editor: &Editor) -> String {
    match editor.restored {
        Some(at) => format!("  * unsaved, restored from {}", words::moment(at, model.now, &model.zone)),
        None => "  * unsaved".into(),
    }
}

fn is_built_in(model: &Model, name: &str) -> bool {
    model.board.templates.iter().any(|summary| summary.name == name && summary.built_in)
}

/// The mark beside the line that a fault or a warning is in, when that line is in sight.
fn mark(
    model: &Model,
    frame: &mut Frame<'_>,
    gutter: Rect,
    editor: &Editor,
    fault: &Fault,
    (tone, sign): (Tone, &'static str),
) {
    let line = usize::try_from(fault.line).ok();
    let Some(row) = line.and_then(|line| line.checked_sub(editor.offset.0 + 1)) else { return };
    if let Ok(row) = u16::try_from(row)
        && row < gutter.height
    {
        let at = Rect { y: gutter.y + row, height: 1, ..gutter };
        parts::line(frame, at, Line::from(span(model, tone, sign)));
    }
}

/// What the preview is of, and whether it worked.
fn preview_title(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor) {
    let (tone, verdict) = verdict(model, editor);
    let standing = match editor.preview.standing() {
        None | Some(Standing::Nothing) => String::new(),
        Some(Standing::Asking) => ", comparing…".into(),
        Some(Standing::Same) => ", = saved".into(),
        Some(Standing::Different { new, gone }) => format!(", +{new} -{gone} to saved"),
    };
    let verdict = format!("  {verdict}{standing}");
    let used = "Preview".len() + columns(&verdict) + 2;
    let room = usize::from(area.width).saturating_sub(used);
    let source = fit(&format!("on {}", source_words(model, &model.templates.source)), room);
    let spans = vec![
        span(model, Tone::Strong, "Preview"),
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

pub(super) fn source_words(model: &Model, source: &Source) -> String {
    match source {
        Source::Sample(event_type) => format!("the sample {event_type}"),
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
    let lines = editor.preview.lines(area.width.into());
    lines_at(model, frame, area, lines.iter().skip(editor.scroll), current);
}

/// Lines of an output or a difference; faint when they are not of what is there now.
pub(super) fn lines_at<'a>(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    lines: impl Iterator<Item = &'a PreviewLine<'a>>,
    current: bool,
) {
    let tone = |tone| if current { tone } else { Tone::Faint };
    let mut json = Json::default();
    for (line, y) in lines.zip(area.y..area.bottom()) {
        let spans = match line {
            PreviewLine::Output { line, from, to, marked } => {
                let mut spans = vec![if *marked { span(model, tone(Tone::Caution), "! ") } else { Span::raw("  ") }];
                if current {
                    spans.extend(json.spans(model, line, *from, *to));
                } else {
                    spans.push(span(model, Tone::Faint, line.get(*from..*to).unwrap_or_default()));
                }
                spans
            }
            PreviewLine::Compared(line) => compared(model, *line, &tone),
            PreviewLine::Fault(text) => vec![Span::raw("  "), span(model, tone(Tone::Alarm), text.as_str())],
            PreviewLine::Warning(text) => {
                vec![span(model, tone(Tone::Caution), "~ "), span(model, tone(Tone::Caution), text.as_str())]
            }
            PreviewLine::Remark(text) => vec![Span::raw("  "), span(model, Tone::Faint, text.as_str())],
        };
        parts::line(frame, Rect { y, height: 1, ..area }, Line::from(spans));
    }
}

fn compared(model: &Model, line: diff::Line<'_>, tone: &dyn Fn(Tone) -> Tone) -> Vec<Span<'static>> {
    let (shade, text) = match line {
        diff::Line::Same(text) => (Tone::Faint, text.to_owned()),
        diff::Line::Gone(text) => (Tone::Alarm, text.to_owned()),
        diff::Line::New(text) => (Tone::Calm, text.to_owned()),
        diff::Line::Skipped(lines) => (Tone::Faint, words::count(lines, "equal line", "equal lines")),
    };
    // The text of a template is not cleaned, as it has to come back as it was.
    vec![span(model, tone(shade), format!("{} {}", line.sign(), ShownBody::new(&text)))]
}

/// The colours of JSON, a line of which may be drawn in several pieces.
#[derive(Default)]
struct Json<'a> {
    line: Option<&'a str>,
    tokens: Vec<Token>,
}

impl<'a> Json<'a> {
    fn spans(&mut self, model: &Model, line: &'a str, from: usize, to: usize) -> Vec<Span<'static>> {
        if !self.line.is_some_and(|known| std::ptr::eq(known, line)) {
            self.tokens.clear();
            tokens(State::json(), line, &mut self.tokens);
            self.line = Some(line);
        }
        let (mut out, mut at) = (vec![], from);
        let text = |from: usize, to: usize| line.get(from..to).unwrap_or_default().to_owned();
        let first = self.tokens.partition_point(|token| token.end <= from);
        for token in self.tokens.iter().skip(first).take_while(|token| token.start < to) {
            let (start, end) = (token.start.max(from), token.end.min(to));
            out.push(Span::raw(text(at, start)));
            out.push(Span::styled(text(start, end), theme::syntax(model, token.kind)));
            at = end;
        }
        out.push(Span::raw(text(at, to)));
        out
    }
}

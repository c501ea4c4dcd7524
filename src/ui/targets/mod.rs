//! The targets view: a row for each, one opened, the form, or what a test may send.

mod form;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    footer::Hint,
    parts::{self, GUTTER, cell, right, span},
    source,
};
use crate::{
    app::{
        Model, filter,
        page::Tone,
        targets::{
            Opened, TITLE, at_hand,
            detail::{self, standing},
            form::Form,
            nothing, rows,
            trial::Trial,
        },
    },
    core::{
        forward::{TargetState, TargetSummary},
        words::{self, age, ago, since},
    },
};

/// Below this width only name, state and the last attempt are shown.
const NARROW: u16 = 64;
/// From this width on, template and filter have columns.
const ROOMY: u16 = 110;

/// What the keys do while something is open here.
pub(super) fn hints(model: &Model) -> Option<Vec<Hint>> {
    let state = &model.targets;
    if let Some(form) = &state.form {
        let here = if Form::is_typed(form.field()) { ("ctrl-u", "empty") } else { ("space", "change") };
        return Some(vec![("ctrl-s", "save"), ("tab", "next"), here, ("esc", "leave")]);
    }
    if state.trial.is_some() {
        return Some(vec![("enter", "send"), ("↑↓", "select"), ("esc", "leave it")]);
    }
    state.open.as_ref()?;
    Some(vec![
        ("x", "on/off"),
        ("t", "test"),
        ("e", "edit"),
        ("r", "resend"),
        ("w", "log"),
        ("D", "remove"),
        ("esc", "back"),
    ])
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.targets;
    if let Some(open) = &state.form {
        return form::draw(model, open, frame, area);
    }
    if let Some(open) = &state.trial {
        return choices(model, open, frame, area);
    }
    match (&state.open, at_hand(model)) {
        (Some(open), Some(target)) => opened(model, open, target, frame, area),
        _ => list(model, frame, area),
    }
}

fn opened(model: &Model, open: &Opened, target: &TargetSummary, frame: &mut Frame<'_>, area: Rect) {
    let head = Rect { height: area.height.min(1), ..area };
    let body = Rect { y: area.y + head.height, height: area.height - head.height, ..area };
    let (mark, word, tone) = standing(target);
    let title = vec![
        span(model, Tone::Strong, format!("Target {}  ", target.name)),
        span(model, tone, format!("{mark} {word}")),
        span(model, Tone::Faint, format!("  times in {}", words::zone_name(model.now, &model.zone))),
    ];
    parts::line(frame, head, Line::from(title));
    let lines = detail::page(model, target, crate::app::geometry::text(area).width.into()).lines;
    super::scrolled(model, lines, open.scroll, frame, body);
}

fn list(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.targets;
    let at = filter::list_areas(area, TITLE, &state.filter);
    let rows = rows(model);
    title(model, &rows, frame, at.title);
    if rows.is_empty() {
        parts::remarks(model, frame, at.rows, &[(Tone::Plain, nothing(model))]);
    }
    let widths = Widths::of(model);
    for (y, row) in (at.rows.y..at.rows.bottom()).zip(rows.iter().skip(state.cursor.offset())) {
        let selected = state.cursor.selected() == Some(&row.name);
        let mut spans = vec![parts::gutter(model, selected)];
        spans.extend(cells(model, row, &widths));
        parts::line(frame, Rect { y, height: 1, ..at.rows }, parts::selected(Line::from(spans), selected));
    }
    parts::beyond(model, frame, at.title, (state.cursor.offset(), at.rows.height), rows.len());
    let left = format!("{} of {}", rows.len(), model.board.targets.len());
    parts::filter(model, frame, at.filter, &state.filter, &left);
}

/// How many there are, how many of them are disabled, and the headings.
fn title(model: &Model, rows: &[&TargetSummary], frame: &mut Frame<'_>, area: Rect) {
    let mut lines = area.rows();
    let disabled = rows.iter().filter(|target| matches!(target.state, TargetState::Disabled { .. })).count();
    if let Some(row) = lines.next() {
        let mut spans = vec![span(model, Tone::Strong, words::count(rows.len(), "target", "targets"))];
        if disabled > 0 {
            spans.push(span(model, Tone::Alarm, format!("  {disabled} DISABLED: x switches on")));
        }
        parts::line(frame, row, Line::from(spans));
    }
    if let Some(row) = lines.next().filter(|_| !rows.is_empty()) {
        let widths = Widths::of(model);
        let mut text = " ".repeat(GUTTER);
        for (name, width) in [
            ("state", widths.state),
            ("target", widths.name),
            ("address", widths.address),
            ("template", widths.template),
            ("for", widths.filter),
            ("last attempt", widths.last),
        ] {
            if width > 0 {
                text.push_str(&cell(name, width));
                text.push(' ');
            }
        }
        if widths.events > 0 {
            text += &[right("events", widths.events), right("waiting", widths.waiting)].join(" ");
        }
        parts::line(frame, row, Line::from(span(model, Tone::Faint, text)));
    }
}

/// The columns; 0 when left out.
struct Widths {
    state: usize,
    name: usize,
    address: usize,
    template: usize,
    filter: usize,
    last: usize,
    events: usize,
    waiting: usize,
}

impl Widths {
    fn of(model: &Model) -> Self {
        let room = usize::from(model.size.0).saturating_sub(GUTTER);
        let none = Self { state: 11, name: 14, address: 0, template: 0, filter: 0, last: 14, events: 0, waiting: 0 };
        match model.size.0 {
            ..NARROW => Self { name: room.saturating_sub(11 + 14 + 3), ..none },
            NARROW..ROOMY => Self { address: room.saturating_sub(57), events: 6, waiting: 7, ..none },
            _ => {
                let rest = room.saturating_sub(79);
                let filter = rest / 2;
                Self { name: 18, template: 16, filter, address: rest - filter, events: 6, waiting: 7, ..none }
            }
        }
    }
}

fn cells<'a>(model: &Model, target: &TargetSummary, widths: &Widths) -> Vec<Span<'a>> {
    let (mark, word, tone) = standing(target);
    let (last_tone, last) = last(model, target);
    let mut spans = vec![
        span(model, tone, format!("{} ", cell(&format!("{mark} {word}"), widths.state))),
        span(model, Tone::Plain, format!("{} ", cell(target.name.as_str(), widths.name))),
    ];
    let template = target.template.as_deref().unwrap_or("-");
    let filter = target.filter.as_deref().unwrap_or("all");
    for (text, width) in
        [(target.address.as_str(), widths.address), (template, widths.template), (filter, widths.filter)]
    {
        if width > 0 {
            spans.push(span(model, Tone::Faint, format!("{} ", cell(text, width))));
        }
    }
    spans.push(span(model, last_tone, format!("{} ", cell(&last, widths.last))));
    if widths.events > 0 {
        let events = if target.events.is_empty() { Tone::Caution } else { Tone::Plain };
        let waiting = if target.waiting > 0 { Tone::Caution } else { Tone::Faint };
        spans.push(span(model, events, format!("{} ", right(&target.events.len().to_string(), widths.events))));
        spans.push(span(model, waiting, right(&target.waiting.to_string(), widths.waiting)));
    }
    spans
}

/// What became of the last attempt; where all fail, since when.
fn last(model: &Model, target: &TargetSummary) -> (Tone, String) {
    match (target.failing_since, target.last) {
        (Some(at), _) => (Tone::Alarm, format!("failing {}", age(since(at, model.now)))),
        (None, Some((at, true))) => (Tone::Plain, format!("sent {}", ago(since(at, model.now)))),
        (None, Some((at, false))) => (Tone::Alarm, format!("failed {}", ago(since(at, model.now)))),
        (None, None) => (Tone::Faint, "none yet".to_owned()),
    }
}

/// What a test may send.
fn choices(model: &Model, open: &Trial, frame: &mut Frame<'_>, area: Rect) {
    let title = format!("Test target {}: send what?", open.target);
    let more = "It is sent at once, as it would be now, and stands in the log.";
    source::draw(model, &open.pick, &title, Some(more), frame, area);
}

#[cfg(test)]
mod tests;

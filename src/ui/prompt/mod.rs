//! The open prompt, in a box over the body. It names what it will touch, and says who else will notice.

mod arrange;
mod pick;
mod words;

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
    widgets::{Block, BorderType, Clear},
};
use tui_textarea::TextArea;

use super::{
    theme::{Tone, style},
    words::count,
};
use crate::{
    app::{
        Model,
        geometry::{self, inside},
        incidents::{doubt, status_mark},
        page::{Page, Piece},
        prompt::{Aim, Ask, Prompt, Stage, consequence},
    },
    core::{
        action::Verb,
        incident::Incident,
        text::{Shown, fit},
    },
};

/// Incidents named in a box; more are counted.
const NAMED: usize = 6;

pub(super) fn draw(model: &Model, prompt: &Prompt, frame: &mut Frame<'_>, body: Rect) {
    let title = words::title(prompt);
    match &prompt.ask {
        Ask::Acknowledge | Ask::Resolve { .. } | Ask::Conflict { .. } | Ask::Replay(_) | Ask::Forward(_) => {
            question(model, prompt, &title, frame, body);
        }
        Ask::Text(_, editor) => note(model, prompt, editor, &title, frame, body),
        Ask::Pick(pick) if pick.stage == Stage::Confirming => question(model, prompt, &title, frame, body),
        Ask::Pick(pick) => pick::draw(model, pick, &title, frame, body),
        Ask::Arrange(arranging) => arrange::draw(model, prompt, arranging, &title, frame, body),
    }
}

/// An empty box with a title; gives its inside.
pub(super) fn frame_box(model: &Model, title: &str, tone: Tone, frame: &mut Frame<'_>, area: Rect) -> Rect {
    frame.render_widget(Clear, area);
    let title = fit(&format!(" {title} "), usize::from(area.width.saturating_sub(2)));
    let block = Block::bordered()
        .border_type(BorderType::Plain)
        .border_style(style(model, tone))
        .title(Span::styled(title, style(model, Tone::Strong)));
    frame.render_widget(block, area);
    inside(area)
}

/// The lower border of a box, up to its corner.
fn border(area: Rect) -> Rect {
    Rect { y: area.bottom().saturating_sub(1), width: area.width.saturating_sub(2), height: area.height.min(1), ..area }
}

/// A box with text and a question that one key answers.
fn question(model: &Model, prompt: &Prompt, title: &str, frame: &mut Frame<'_>, body: Rect) {
    let width = usize::from(inside(geometry::prompt(body, 1)).width);
    let room = usize::from(body.height.saturating_sub(2));
    // At most as many incidents are named as leave room for the rest of the text.
    let text = (0..=NAMED).rev().map(|named| lines(model, prompt, width, named)).find(|text| text.len() <= room);
    let text = text.unwrap_or_else(|| lines(model, prompt, width, 0));
    let tone = if matches!(prompt.ask, Ask::Conflict { .. }) { Tone::Alarm } else { Tone::Caution };
    let area = frame_box(model, title, tone, frame, geometry::prompt(body, text.len()));
    // Where even that does not fit, the keys must still be seen.
    let hidden = text.len().saturating_sub(area.height.into());
    super::page(model, text, hidden, frame, area);
}

fn lines(model: &Model, prompt: &Prompt, width: usize, named: usize) -> Vec<Vec<Piece>> {
    let mut page = Page::new(width);
    for (at, aim) in prompt.aims.iter().enumerate().take(named) {
        name(&mut page, aim, width);
        if let Ask::Conflict { verb, reasons } = &prompt.ask {
            conflict(&mut page, model, aim, verb, reasons.get(at));
        } else {
            news(&mut page, model, aim);
        }
        doubts(&mut page, model, aim);
    }
    let unnamed = prompt.aims.len().saturating_sub(named);
    if unnamed > 0 {
        let text = if named == 0 { count(unnamed, "incident", "incidents") } else { format!("and {unnamed} more") };
        page.text(2, Tone::Plain, &text);
        let doubtful = prompt.aims.iter().skip(named).filter(|aim| doubt(model, &aim.target.key).is_some()).count();
        if doubtful > 0 {
            page.text(2, Tone::Alarm, &format!("{doubtful} asked already, outcome not known"));
        }
    }
    for reason in prompt.left_out.iter().take(2) {
        page.text(0, Tone::Faint, &fit(&format!("left out: {reason}"), width));
    }
    if prompt.left_out.len() > 2 {
        page.text(0, Tone::Faint, &format!("left out: {} more", prompt.left_out.len() - 2));
    }
    page.text(0, Tone::Plain, &words::noticed(model, prompt));
    if let Ask::Resolve { note, typing } = &prompt.ask
        && (*typing || !note.is_empty())
    {
        resolution(&mut page, note.as_str(), *typing, width);
    }
    keys(&mut page, prompt);
    page.lines
}

/// `! #1201 disk full (Q1DISK)` on one line; without a number the id stands in its place.
fn name(page: &mut Page, aim: &Aim, width: usize) {
    let id = aim.number.map(|_| format!(" ({})", aim.target.key.id)).unwrap_or_default();
    let start = format!("{} {} ", status_mark(aim.target.seen), aim.name());
    let title = fit(aim.title.as_str(), width.saturating_sub(start.chars().count() + id.len()));
    page.line(vec![Piece::new(Tone::Strong, format!("{start}{title}")), Piece::new(Tone::Faint, id)]);
}

/// What is another than the box says: it changed since it opened, or since the server looked.
fn news(page: &mut Page, model: &Model, aim: &Aim) {
    let Some(incident) = model.board.incidents.get(&aim.target.key) else {
        return page.text(2, Tone::Alarm, "it is no longer known");
    };
    let status = incident.state.status;
    if status != aim.target.seen {
        page.text(2, Tone::Alarm, &format!("it is {} by now", status.word()));
    }
    if is_others(aim, incident) {
        page.text(2, Tone::Alarm, &format!("it is assigned to {} by now", whose(incident)));
    }
}

/// Whether it is assigned to others than the box says, while that means something.
fn is_others(aim: &Aim, incident: &Incident) -> bool {
    let (seen, now) = (&aim.target.assignees, &incident.state.assignees);
    let is_same = seen.len() == now.len() && now.iter().all(|user| seen.contains(&user.id));
    incident.state.status.is_open() && !is_same
}

fn whose(incident: &Incident) -> String {
    let names: Vec<_> = incident.state.assignees.iter().map(|user| user.name.as_str()).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// What was asked for before, and may be done.
fn doubts(page: &mut Page, model: &Model, aim: &Aim) {
    if let Some(doubt) = doubt(model, &aim.target.key) {
        page.text(2, Tone::Alarm, &doubt);
    }
}

/// Why nothing was sent; where the incident stands otherwise again by now, how that is.
fn conflict(page: &mut Page, model: &Model, aim: &Aim, verb: &Verb, reason: Option<&Shown>) {
    let Some(incident) = model.board.incidents.get(&aim.target.key) else { return news(page, model, aim) };
    let now = incident.state.status;
    let text = if is_others(aim, incident) || now != aim.target.seen {
        let assigned = if now.is_open() { format!(", assigned to {}", whose(incident)) } else { String::new() };
        format!("is {} by now{assigned}: {}", now.word(), consequence(verb, now))
    } else {
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("is {} now{reason}: {}", now.word(), consequence(verb, now))
    };
    page.text(2, Tone::Alarm, &text);
}

/// The note that goes with a resolve, with its end in sight while it is typed.
fn resolution(page: &mut Page, note: &str, typing: bool, width: usize) {
    let tone = if typing { Tone::Accent } else { Tone::Faint };
    let end = if typing { "_" } else { "" };
    let text = tail(Shown::line(note).as_str(), width.saturating_sub(8));
    page.line(vec![Piece::new(tone, "note: "), Piece::new(Tone::Plain, format!("{}{end}", text.trim_start()))]);
}

fn keys(page: &mut Page, prompt: &Prompt) {
    let mut line = vec![];
    for (key, word) in prompt.hints() {
        line.push(Piece::new(Tone::Accent, key));
        line.push(Piece::new(Tone::Plain, format!(" {word}   ")));
    }
    page.line(line);
}

fn note(model: &Model, prompt: &Prompt, editor: &TextArea<'_>, title: &str, frame: &mut Frame<'_>, body: Rect) {
    let area = frame_box(model, title, Tone::Caution, frame, geometry::prompt(body, 12));
    let mut page = Page::new(area.width.into());
    for aim in prompt.aims.iter().take(if area.height > 8 { NAMED } else { 1 }) {
        name(&mut page, aim, area.width.into());
        doubts(&mut page, model, aim);
    }
    let named = page.lines.len();
    super::page(model, page.lines, 0, frame, area);
    let used = u16::try_from(named).unwrap_or(area.height).saturating_add(1).min(area.height);
    let rest = Rect { y: area.y + used, height: area.height - used, ..area };
    frame.render_widget(editor, rest);
}

/// A line that is typed in; the cursor stands at its end.
fn field(model: &Model, name: &str, text: &str, focus: bool, frame: &mut Frame<'_>, area: Rect) {
    let shown = Shown::line(text);
    let room = usize::from(area.width).saturating_sub(name.len() + 3);
    let tail = tail(shown.as_str(), room);
    let end = crate::core::text::columns(&tail);
    let tone = if focus { Tone::Accent } else { Tone::Faint };
    let line = Line::from(vec![Span::styled(format!("{name}: "), style(model, tone)), Span::raw(tail)]);
    frame.render_widget(line, area);
    if focus {
        let column = u16::try_from(name.len() + 2 + end).unwrap_or(u16::MAX);
        frame.set_cursor_position(Position::new(area.x.saturating_add(column), area.y));
    }
}

/// The end of `text` that fits.
pub(super) fn tail(text: &str, width: usize) -> String {
    let mut out = text;
    while crate::core::text::columns(out) > width {
        let mut chars = out.chars();
        chars.next();
        out = chars.as_str();
    }
    out.to_owned()
}

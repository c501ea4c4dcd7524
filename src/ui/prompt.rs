//! The open prompt, in a box over the body. It names what it will touch, and says who else will notice.

mod arrange;

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
        prompt::{Aim, Ask, HandOff, Prompt, Stage, consequence},
    },
    core::{
        action::{Assignee, Verb},
        delivery::DeliverySummary,
        text::{Shown, fit},
    },
};

/// Incidents named in a box; more are counted.
const NAMED: usize = 6;

pub(super) fn draw(model: &Model, prompt: &Prompt, frame: &mut Frame<'_>, body: Rect) {
    let title = title(prompt);
    match &prompt.ask {
        Ask::Acknowledge | Ask::Resolve | Ask::Conflict { .. } | Ask::Replay(_) => {
            question(model, prompt, &title, frame, body);
        }
        Ask::Note(editor) => note(model, prompt, editor, &title, frame, body),
        Ask::HandOff(hand_off) if hand_off.stage == Stage::Confirming => question(model, prompt, &title, frame, body),
        Ask::HandOff(hand_off) => choice(model, hand_off, &title, frame, body),
        Ask::Arrange(arranging) => arrange::draw(model, prompt, arranging, &title, frame, body),
    }
}

fn title(prompt: &Prompt) -> String {
    let what = match prompt.aims.as_slice() {
        [one] => one.name(),
        many => count(many.len(), "incident", "incidents"),
    };
    match &prompt.ask {
        Ask::Acknowledge => format!("Acknowledge {what}?"),
        Ask::Resolve => format!("Resolve {what}?"),
        Ask::HandOff(hand_off) if hand_off.stage == Stage::Confirming => format!("Hand off {what}?"),
        Ask::HandOff(_) => format!("Hand off {what} to whom?"),
        Ask::Note(_) => format!("Note on {what}"),
        Ask::Replay(delivery) => format!("Replay delivery {}?", delivery.id),
        Ask::Arrange(arranging) => arranging.title(),
        Ask::Conflict { verb, .. } => format!("{} {what} all the same?", capital(verb.word())),
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// An empty box with a title; gives its inside.
fn frame_box(model: &Model, title: &str, tone: Tone, frame: &mut Frame<'_>, area: Rect) -> Rect {
    frame.render_widget(Clear, area);
    let title = fit(&format!(" {title} "), usize::from(area.width.saturating_sub(2)));
    let block = Block::bordered()
        .border_type(BorderType::Plain)
        .border_style(style(model, tone))
        .title(Span::styled(title, style(model, Tone::Strong)));
    frame.render_widget(block, area);
    inside(area)
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
            conflict(&mut page, aim, verb, reasons.get(at));
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
    page.text(0, Tone::Plain, &noticed(prompt));
    keys(&mut page, prompt);
    page.lines
}

/// `! #1201 disk full (Q1DISK)` on one line.
fn name(page: &mut Page, aim: &Aim, width: usize) {
    let id = format!(" ({})", aim.target.key.id);
    let start = format!("{} {} ", status_mark(aim.target.seen), aim.name());
    let title = fit(aim.title.as_str(), width.saturating_sub(start.chars().count() + id.len()));
    let mut line = vec![Piece::new(Tone::Strong, format!("{start}{title}"))];
    if aim.number.is_some() {
        line.push(Piece::new(Tone::Faint, id));
    }
    page.line(line);
}

/// What has changed since the box opened.
fn news(page: &mut Page, model: &Model, aim: &Aim) {
    let now = model.board.incidents.get(&aim.target.key).map(|incident| incident.state.status);
    match now {
        Some(now) if now != aim.target.seen => page.text(2, Tone::Alarm, &format!("it is {} by now", now.word())),
        Some(_) => {}
        None => page.text(2, Tone::Alarm, "it is no longer known"),
    }
}

/// What was asked for before, and may be done.
fn doubts(page: &mut Page, model: &Model, aim: &Aim) {
    if let Some(doubt) = doubt(model, &aim.target.key) {
        page.text(2, Tone::Alarm, &doubt);
    }
}

fn conflict(page: &mut Page, aim: &Aim, verb: &Verb, reason: Option<&Shown>) {
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let now = aim.target.seen;
    page.text(2, Tone::Alarm, &format!("is {} now{reason}: {}", now.word(), consequence(verb, now)));
}

/// Who else will notice.
fn noticed(prompt: &Prompt) -> String {
    let mut names: Vec<&str> = vec![];
    for name in prompt.aims.iter().flat_map(|aim| &aim.assignees) {
        if !names.contains(&name.as_str()) {
            names.push(name.as_str());
        }
    }
    let assigned =
        if names.is_empty() { "nobody is assigned".into() } else { format!("assigned: {}", names.join(", ")) };
    match &prompt.ask {
        Ask::Acknowledge => format!("Stops the paging; others see that you have it ({assigned})."),
        Ask::Resolve => format!("Closes it for everybody ({assigned})."),
        Ask::HandOff(hand_off) => handing(hand_off, &assigned),
        Ask::Conflict { .. } => "Nothing was sent.".into(),
        Ask::Replay(delivery) => replaying(delivery),
        Ask::Note(_) => "Everybody who can see the incident can read the note.".into(),
        Ask::Arrange(_) => String::new(),
    }
}

fn replaying(delivery: &DeliverySummary) -> String {
    let kind = delivery.event_type.as_ref().map_or("an unknown event", Shown::as_str);
    format!(
        "{kind} is applied once more, by the ordinary rules: where a newer state is known, nothing changes. Nobody is \
         told."
    )
}

fn handing(hand_off: &HandOff, assigned: &str) -> String {
    let to = match hand_off.chosen() {
        Some(Assignee::User(user)) => format!("To {}, who is paged", user.name),
        Some(Assignee::EscalationPolicy(policy)) => format!("To the policy {}, whose level 1 is paged", policy.name),
        None => "To nobody yet".into(),
    };
    let note = hand_off.note.as_str().trim();
    let note = if note.is_empty() { String::new() } else { format!(" Note: {}", Shown::line(note)) };
    format!("{to} ({assigned} until now).{note}")
}

fn keys(page: &mut Page, prompt: &Prompt) {
    let mut line = vec![];
    for (key, word) in prompt.hints() {
        line.push(Piece::new(Tone::Accent, *key));
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

/// The list of people and policies.
fn choice(model: &Model, hand_off: &HandOff, title: &str, frame: &mut Frame<'_>, body: Rect) {
    let at = geometry::hand_off(body);
    frame_box(model, title, Tone::Caution, frame, at.frame);
    let here = hand_off.stage == Stage::Choosing;
    field(model, "find", hand_off.filter.as_str(), here, frame, at.filter);
    field(model, "note", hand_off.note.as_str(), !here, frame, at.note);
    if hand_off.listed.is_empty() {
        let text = if hand_off.choices.is_empty() { "no people known yet" } else { "nobody matches" };
        frame.render_widget(Line::styled(text, style(model, Tone::Caution)), at.choices);
    }
    let names = usize::from(at.choices.width * 2 / 5).min(24);
    for (row, to) in at.choices.rows().zip(hand_off.listed.iter().skip(hand_off.cursor.offset())) {
        let about = hand_off.choices.iter().find(|choice| choice.to == *to).map_or("", |c| c.about.as_str());
        let mark = if hand_off.chosen() == Some(to) { "▸ " } else { "  " };
        let name = fit(to.name().as_str(), names);
        let line = Line::from(vec![
            Span::styled(mark, style(model, Tone::Accent)),
            Span::styled(padded(&name, names), style(model, Tone::Plain)),
            Span::styled(format!(" {about}"), style(model, Tone::Faint)),
        ]);
        frame.render_widget(line, row);
    }
}

/// `text` filled up to `width` columns.
fn padded(text: &str, width: usize) -> String {
    let fill = width.saturating_sub(crate::core::text::columns(text));
    format!("{text}{:fill$}", "")
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

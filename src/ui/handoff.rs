//! The hand-off of a shift over the body: what it tells of, its text, and what is asked before something is done with it.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
};

use super::{
    prompt::{frame_box, tail},
    theme::{Tone, style},
    words::{count, moment},
};
use crate::{
    app::{
        Model, geometry,
        handoff::{Hand, Note, Passing, Sending, Stage, State, TITLE, hints, page, title},
        incidents::status_mark,
        page::{Page, Piece},
        prompt::Aim,
    },
    core::text::{Shown, columns, fit},
};

/// Incidents named in a box; more are counted.
const NAMED: usize = 6;

pub(super) fn draw(model: &Model, state: &State, frame: &mut Frame<'_>, area: Rect) {
    let head = Rect { height: area.height.min(TITLE), ..area };
    let body = Rect { y: area.y + head.height, height: area.height - head.height, ..area };
    let width = usize::from(area.width);
    frame.render_widget(Line::styled(fit(&title(model, state), width), style(model, Tone::Strong)), head);
    let lines = page(model, geometry::text(area).width.into());
    super::scrolled(model, lines, state.offset, frame, body);
    match &state.stage {
        Stage::Reading => {}
        Stage::Since(line) => typed(model, "since, for example 8h, 20:00 or fri 08:00: ", line.as_str(), frame, head),
        Stage::Path(line) => typed(model, "write to: ", line.as_str(), frame, head),
        Stage::Replacing(path) => {
            let text = format!("{} is there already. Replace it?", Shown::line(path));
            boxed(model, state, "write the hand-off", |page, _| page.text(0, Tone::Alarm, &text), frame, body);
        }
        Stage::Posting(aims) => posting(model, state, aims, frame, body),
        Stage::Passing(passing) => pass(model, state, passing, frame, body),
        Stage::Sending(sending) => send(model, state, sending, frame, body),
    }
}

/// A line being typed in place of the title; the cursor stands at its end.
fn typed(model: &Model, label: &str, text: &str, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    let label = if columns(label) + 12 > width { "> " } else { label };
    let shown = tail(Shown::line(text).as_str(), width.saturating_sub(columns(label) + 1));
    let column = u16::try_from(columns(label) + columns(&shown)).unwrap_or(u16::MAX);
    let line = Line::from(vec![
        Span::styled(label.to_owned(), style(model, Tone::Accent)),
        Span::raw(format!("{shown:<width$}")),
    ]);
    frame.render_widget(line, area);
    frame.set_cursor_position(Position::new(area.x.saturating_add(column), area.y));
}

/// A box with what `fill` writes, naming at most so many incidents as there is room for, and the keys.
fn boxed(
    model: &Model,
    state: &State,
    title: &str,
    fill: impl Fn(&mut Page, usize),
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let width = usize::from(geometry::inside(geometry::prompt(body, 1)).width);
    let room = usize::from(body.height.saturating_sub(2));
    let made = |named| {
        let mut page = Page::new(width);
        fill(&mut page, named);
        page.line(keys(state));
        page.lines
    };
    let fitting = (0..=NAMED).rev().map(made).find(|lines| lines.len() <= room);
    let lines = fitting.unwrap_or_else(|| made(0));
    let area = frame_box(model, title, Tone::Caution, frame, geometry::prompt(body, lines.len()));
    // Where even that does not fit, the keys must still be seen.
    let hidden = lines.len().saturating_sub(area.height.into());
    super::page(model, lines, hidden, frame, area);
}

fn keys(state: &State) -> Vec<Piece> {
    let pieces = hints(state)
        .into_iter()
        .flat_map(|(key, word)| [Piece::new(Tone::Accent, key), Piece::new(Tone::Plain, format!(" {word}  "))]);
    pieces.collect()
}

fn posting(model: &Model, state: &State, aims: &[Aim], frame: &mut Frame<'_>, body: Rect) {
    let fill = |page: &mut Page, named| {
        names(page, aims, named);
        page.text(0, Tone::Plain, "The whole text is added to each as a note, in your name.");
    };
    boxed(model, state, &format!("post on {}", count(aims.len(), "incident", "incidents")), fill, frame, body);
}

fn send(model: &Model, state: &State, sending: &Sending, frame: &mut Frame<'_>, body: Rect) {
    let fill = |page: &mut Page, named: usize| {
        let first = (sending.at + 1).saturating_sub(named.max(1));
        for (at, name) in sending.targets.iter().enumerate().skip(first).take(named.max(1)) {
            let (mark, tone) = if at == sending.at { ("▸", Tone::Strong) } else { (" ", Tone::Plain) };
            page.line(vec![Piece::new(tone, format!("{mark} {name}"))]);
        }
        page.text(0, Tone::Plain, "It is sent at once, made anew; whoever reads there can read it.");
    };
    boxed(model, state, "send the hand-off to", fill, frame, body);
}

fn pass(model: &Model, state: &State, passing: &Passing, frame: &mut Frame<'_>, body: Rect) {
    let title = format!("hand over {}", count(passing.count(), "incident", "incidents"));
    let fill = |page: &mut Page, named: usize| {
        for hand in &passing.hands {
            page.text(0, Tone::Strong, &to(model, hand));
            names(page, &hand.aims, named);
        }
        if !passing.left_out.is_empty() {
            let left = count(passing.left_out.len(), "more is yours", "more are yours");
            page.text(0, Tone::Caution, &format!("{left}; nobody is known to come next there"));
        }
        let note = match passing.note {
            Note::With => "The text goes along as a note.",
            Note::Without => "No note (tab: the text).",
        };
        page.text(0, Tone::Plain, &format!("This pages {}. {note}", paged(passing)));
    };
    boxed(model, state, &title, fill, frame, body);
}

/// `3 to Bob Okafor, on call from 08:00`.
fn to(model: &Model, hand: &Hand) -> String {
    let when = match hand.to.from {
        None => "on call now".to_owned(),
        Some(from) => format!("on call from {}", moment(from, model.now, &model.zone)),
    };
    format!("{} to {}, {when}", hand.aims.len(), hand.to.user.name)
}

fn paged(passing: &Passing) -> String {
    let names: Vec<_> = passing.hands.iter().map(|hand| hand.to.user.name.as_str()).collect();
    names.join(" and ")
}

/// The incidents, by number and title; more are counted.
fn names(page: &mut Page, aims: &[Aim], named: usize) {
    for aim in aims.iter().take(named) {
        // Whoever else has it loses it.
        let owners: Vec<_> = aim.assignees.iter().map(Shown::as_str).collect();
        let others = if owners.len() > 1 { format!(" (now with {})", owners.join(", ")) } else { String::new() };
        page.entry(2, Tone::Plain, &format!("{} {} {}{others}", status_mark(aim.target.seen), aim.name(), aim.title));
    }
    let unnamed = aims.len().saturating_sub(named);
    if unnamed > 0 && named > 0 {
        page.text(2, Tone::Plain, &format!("and {unnamed} more"));
    }
}

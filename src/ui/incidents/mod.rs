//! The incidents view: what is wrong with the sources, how many are listed, and the visible rows. Only
//! those rows are formatted.

mod beyond;
mod emptiness;
mod groups;
mod looking;

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

pub(super) use looking::completions;

use beyond::Beyond;

use super::{
    theme::{Tone, style},
    words::{age, since},
};
use crate::{
    app::{
        Model,
        attention::Novelty,
        geometry::{self, IncidentList},
        incidents::{
            acknowledged_at, doubt, judged, last_action, next_paged_short, outcome_mark, page, status_mark,
            status_tone, urgency_word,
        },
        page::Piece,
        troubles::{Trouble, troubles},
    },
    core::{
        board::Board,
        id::IncidentKey,
        incident::{Incident, Status, Urgency},
        text::{Shown, columns, fit},
    },
};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if let Some(opened) = &model.incidents.opened {
        let lines = page(model, opened, geometry::text(area).width.into());
        super::scrolled(model, lines, opened.offset, frame, area);
        return;
    }
    let troubles = troubles(model);
    let at = geometry::incident_list(area, troubles.len());
    draw_troubles(model, &troubles, frame, at.troubles);
    looking::summary(model, frame, at.summary);
    let complains = looking::complaint(model, frame, at.columns);
    if let Some(picked) = &model.incidents.picking {
        looking::views(model, picked, frame, at.columns.union(at.rows));
    } else if model.incidents.rows.keys().is_empty() {
        emptiness::draw(model, frame, if complains { at.rows } else { at.columns.union(at.rows) });
    } else {
        rows(model, complains, frame, &at);
    }
}

/// Columns before what is wrong.
const MARK: usize = 2;

/// A line each; what is cut off there is read on the sheet that `!` opens.
pub(super) fn draw_troubles(model: &Model, troubles: &[Trouble], frame: &mut Frame<'_>, area: Rect) {
    let (shown, width) = (usize::from(area.height), usize::from(area.width));
    let hidden = troubles.len().saturating_sub(shown);
    let is_cut = troubles.iter().take(shown).any(|trouble| columns(&trouble.text) + MARK > width);
    let more = match hidden {
        0 if is_cut => " (all: !)".to_owned(),
        0 => String::new(),
        _ => format!(" (+{hidden} more: !)"),
    };
    for (at, (row, trouble)) in area.rows().zip(troubles).enumerate() {
        let more = if at + 1 == shown { more.as_str() } else { "" };
        let text = fit(&format!("! {}", trouble.text), width.saturating_sub(more.len()));
        frame.render_widget(Line::styled(format!("{text}{more}"), style(model, trouble.tone)), row);
    }
}

/// The columns that fit: their widths, 0 when left out. The title takes the rest.
#[derive(Debug, Clone, Copy)]
struct Columns {
    account: usize,
    status: usize,
    number: usize,
    urgency: usize,
    priority: usize,
    age: usize,
    service: usize,
    assignee: usize,
    /// Who is paged next, and when.
    next: usize,
    title: usize,
}

/// Selection, mark, action and status marks, and a space.
const GUTTER: usize = 5;

impl Columns {
    fn for_width(width: usize, board: &Board) -> Self {
        let narrow = Self {
            account: 0,
            status: 9,
            number: 0,
            urgency: 0,
            priority: 0,
            age: 4,
            service: 0,
            assignee: 0,
            next: 0,
            title: 0,
        };
        let mut columns = match width {
            0..60 => narrow,
            60..80 => Self { number: 6, priority: 4, assignee: 10, ..narrow },
            80..110 => Self { number: 6, urgency: 4, priority: 4, service: 11, assignee: 8, ..narrow },
            110..120 => Self { status: 12, number: 7, urgency: 4, priority: 4, service: 20, assignee: 20, ..narrow },
            _ => Self { status: 12, number: 7, urgency: 4, priority: 4, service: 16, assignee: 16, next: 17, ..narrow },
        };
        if board.accounts.len() > 1 {
            columns.account = if width < 60 { 4 } else { 8 };
        }
        if board.incidents.values().all(|incident| incident.state.priority.is_none()) {
            columns.priority = 0;
        }
        let fixed: usize = columns.fixed().iter().filter(|w| **w > 0).map(|w| w + 1).sum();
        columns.title = width.saturating_sub(GUTTER + fixed);
        columns
    }

    fn fixed(&self) -> [usize; 9] {
        let Self { account, status, number, urgency, priority, age, service, assignee, next, title: _ } = *self;
        [account, status, number, urgency, priority, age, service, assignee, next]
    }
}

/// The names of the columns, unless their line is taken, and the rows.
fn rows(model: &Model, headless: bool, frame: &mut Frame<'_>, at: &IncidentList) {
    let widths = Columns::for_width(at.rows.width.into(), &model.board);
    if !headless {
        headings(model, &names(&widths), frame, at);
    }
    let state = &model.incidents;
    if let Some(grouped) = &state.groups {
        return groups::rows(model, grouped, &widths, frame, at.rows);
    }
    for (area, key) in at.rows.rows().zip(state.rows.keys().iter().skip(state.cursor.offset())) {
        if let Some(incident) = model.board.incidents.get(key) {
            frame.render_widget(row(model, incident, &widths), area);
        }
    }
}

/// The names of the columns, and how much lies beyond the window, for which the name of the last column gives way.
fn headings(model: &Model, names: &str, frame: &mut Frame<'_>, at: &IncidentList) {
    let width = usize::from(at.columns.width);
    let fixed = names.trim_end_matches(TITLE).trim_end();
    let beyond = Beyond::of(model, at.rows.height).pieces(width.saturating_sub(columns(fixed)));
    let taken: usize = beyond.iter().map(|piece| columns(&piece.text)).sum();
    let names = if columns(names) + taken <= width { names } else { fixed };
    let gap = " ".repeat(width.saturating_sub(columns(names) + taken));
    let mut line = vec![Piece::new(Tone::Faint, format!("{names}{gap}"))];
    line.extend(beyond);
    frame.render_widget(super::line(model, line), at.columns);
}

/// The name of the last column.
const TITLE: &str = "title";

fn names(widths: &Columns) -> String {
    let mut line = " ".repeat(GUTTER);
    let names = ["account", "status", "number", "urg", "prio", " age", "service", "assignee", "next paged"];
    for (name, width) in names.iter().zip(widths.fixed()).filter(|(_, width)| *width > 0) {
        push(&mut line, name, width);
    }
    line.push_str(TITLE);
    line
}

fn push(line: &mut String, text: &str, width: usize) {
    let text = fit(text, width);
    line.push_str(&text);
    line.push_str(&" ".repeat((width + 1).saturating_sub(columns(&text))));
}

fn row(model: &Model, incident: &Incident, widths: &Columns) -> Line<'static> {
    let state = &incident.state;
    let tone = status_tone(state.status);
    let rest = if state.status == Status::Resolved { Tone::Faint } else { Tone::Plain };
    let mut line = gutter(model, &incident.key);
    let mut status = String::new();
    status.push(status_mark(state.status));
    let mut before = String::new();
    if widths.account > 0 {
        push(&mut before, incident.key.account.as_str(), widths.account);
    }
    line.push_span(Span::styled(before, style(model, Tone::Faint)));
    line.push_span(Span::styled(status, style(model, tone)));
    line.push_span(novelty(model, &incident.key, tone));
    let (word, tone) = status_words(model, incident, widths.status, tone);
    let mut status = String::new();
    push(&mut status, &word, widths.status);
    line.push_span(Span::styled(status, style(model, tone)));
    if widths.urgency > 0 {
        let tone = if state.urgency == Urgency::High { rest } else { Tone::Faint };
        let mut text = String::new();
        if widths.number > 0 {
            push(&mut text, &state.number.map(|n| format!("#{n}")).unwrap_or_default(), widths.number);
        }
        push(&mut text, urgency_word(state.urgency), widths.urgency);
        line.push_span(Span::styled(text, style(model, tone)));
    }
    line.push_span(Span::styled(facts(model, incident, widths), style(model, rest)));
    line
}

/// Priority, age, service, assignee, who is next, and title.
fn facts(model: &Model, incident: &Incident, widths: &Columns) -> String {
    let state = &incident.state;
    let mut text = String::new();
    if widths.priority > 0 {
        push(&mut text, state.priority.as_ref().map_or("", Shown::as_str), widths.priority);
    }
    let age = age(since(state.created_at, model.board.provider_time(&incident.key.account, model.now)));
    push(&mut text, &format!("{age:>width$}", width = widths.age), widths.age);
    if widths.service > 0 {
        push(&mut text, state.service.as_ref().map_or("", |service| service.name.as_str()), widths.service);
    }
    if widths.assignee > 0 {
        push(&mut text, &assignee(incident, widths.assignee), widths.assignee);
    }
    if widths.next > 0 {
        push(&mut text, &next_paged_short(model, incident), widths.next);
    }
    text.push_str(&fit(&incident.headline(), widths.title));
    text
}

/// The first of the assignees, and how many more there are.
fn assignee(incident: &Incident, width: usize) -> String {
    match incident.state.assignees.as_slice() {
        [] => String::new(),
        [one] => one.name.to_string(),
        [first, others @ ..] => {
            let more = format!(" +{}", others.len());
            format!("{}{more}", fit(first.name.as_str(), width.saturating_sub(more.len())))
        }
    }
}

/// Whether the row is selected, marked, and how the last action on it stands.
fn gutter(model: &Model, key: &IncidentKey) -> Line<'static> {
    let state = &model.incidents;
    let selected = if state.cursor.selected() == Some(key) { "▸" } else { " " };
    let marked = if state.marked.contains(key) { "*" } else { " " };
    let mark = match doubt(model, key) {
        Some(_) => Some(('?', Tone::Caution)),
        None => last_action(&model.board, key).and_then(|(_, outcome)| outcome_mark(outcome)),
    };
    let (mark, tone) = mark.unwrap_or((' ', Tone::Plain));
    Line::from(vec![
        Span::styled(format!("{selected}{marked}"), style(model, Tone::Accent)),
        Span::styled(mark.to_string(), style(model, tone)),
    ])
}

/// The mark of what is new since somebody looked; `tone` is that of its neighbours.
fn novelty(model: &Model, key: &IncidentKey, tone: Tone) -> Span<'static> {
    let (mark, tone) = match model.attention.news.of(key) {
        Some(Novelty::New) => ("+", Tone::Accent),
        Some(Novelty::Changed) => ("•", Tone::Accent),
        None => (" ", tone),
    };
    Span::styled(mark, style(model, tone))
}

/// How it stands; of one that somebody took, for how long.
fn status_words(model: &Model, incident: &Incident, width: usize, tone: Tone) -> (String, Tone) {
    let word = status_word(incident.state.status, width);
    let (Some(at), Some(extra)) = (acknowledged_at(incident), incident.extra()) else { return (word.to_owned(), tone) };
    let long = since(at, model.board.provider_time(&incident.key.account, model.now));
    let judged = judged(long, extra).0;
    (format!("acked {}", age(long)), if judged == Tone::Plain { tone } else { judged })
}

fn status_word(status: Status, width: usize) -> &'static str {
    match status {
        Status::Acknowledged if width < 12 => "acked",
        Status::Triggered | Status::Acknowledged | Status::Resolved => status.word(),
    }
}

//! The services view: a row for each service, the worst first.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::parts::{self, cell, span};
use crate::{
    app::{
        Link, Model, filter,
        page::Tone,
        services::{First, Row, TITLE, rows},
    },
    core::{
        freshness::{Sight, Standing},
        service::Condition,
        text::fit,
        words::{self, moment},
    },
};

/// Below this width only what matters most is shown.
const NARROW: u16 = 64;
/// From this width on the policy has a column.
const ROOMY: u16 = 110;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.services;
    let at = filter::list_areas(area, TITLE, &state.filter);
    let rows = rows(model);
    title(model, rows.len(), frame, at.title);
    if rows.is_empty() {
        parts::remarks(model, frame, at.rows, &nothing(model));
    }
    let widths = Widths::of(model);
    for (y, row) in (at.rows.y..at.rows.bottom()).zip(rows.iter().skip(state.cursor.offset())) {
        let selected = state.cursor.selected() == Some(&row.place());
        let mut spans = vec![parts::gutter(model, selected)];
        spans.extend(cells(model, row, &widths));
        let area = Rect { y, height: 1, ..at.rows };
        parts::line(frame, area, parts::selected(Line::from(spans), selected));
    }
    parts::beyond(model, frame, at.title, (state.cursor.offset(), at.rows.height), rows.len());
    parts::filter(model, frame, at.filter, &state.filter, &format!("{} listed", rows.len()));
}

/// How many there are, how old that is, and the headings.
fn title(model: &Model, listed: usize, frame: &mut Frame<'_>, area: Rect) {
    let mut lines = area.rows();
    let asked = model.board.accounts.values().filter(|board| board.account.rest_off.is_none());
    let oldest = asked.map(|board| board.services.as_of).min();
    let mut standings = model.board.accounts.values().map(|board| board.account.on_call_standing(model.now));
    let is_old = standings.any(|standing| matches!(standing, Standing::Stale { .. }));
    let (tone, as_of) = match oldest {
        Some(Some(at)) => {
            let (tone, mark) = if is_old { (Tone::Caution, "! ") } else { (Tone::Faint, "") };
            (tone, format!("  {mark}told {}", words::ago(words::since(at, model.now))))
        }
        Some(None) => (Tone::Caution, "  not told by every account yet".to_owned()),
        None => (Tone::Caution, "  no account is asked over REST".to_owned()),
    };
    let barred = barred(model).map(|what| format!("  ! {what} may not be seen")).unwrap_or_default();
    let is_narrow = model.size.0 < NARROW;
    let zone = if is_narrow { String::new() } else { format!(", times in {}", parts::zone(model)) };
    let as_of = if is_narrow && !barred.is_empty() { String::new() } else { as_of };
    if let Some(row) = lines.next() {
        let count = words::count(listed, "service", "services");
        let spans = [(Tone::Strong, count), (Tone::Caution, barred), (tone, as_of), (Tone::Faint, zone)];
        let spans: Vec<_> = spans.into_iter().map(|(tone, text)| span(model, tone, text)).collect();
        parts::line(frame, row, Line::from(spans));
    }
    if let Some(row) = lines.next() {
        let widths = Widths::of(model);
        let mut text = format!(
            "  {} {}{}",
            cell("stands", widths.condition),
            cell("open", widths.open),
            cell("service", widths.name)
        );
        for (name, width) in [("on call", widths.on_call), ("policy", widths.policy), ("maintenance", widths.window)] {
            if width > 0 {
                text.push(' ');
                text.push_str(&cell(name, width));
            }
        }
        parts::line(frame, row, Line::from(span(model, Tone::Faint, text)));
    }
}

/// What of it a key may not see: what is shown of that is as it was, or nothing.
fn barred(model: &Model) -> Option<&'static str> {
    let may_not = |sight| model.board.accounts.values().any(|board| board.account.barred.contains_key(&sight));
    match (may_not(Sight::Services), may_not(Sight::Windows)) {
        (true, true) => Some("services, windows"),
        (true, false) => Some("services"),
        (false, true) => Some("windows"),
        (false, false) => None,
    }
}

fn nothing(model: &Model) -> Vec<(Tone, String)> {
    if model.services.filter.is_set() {
        return vec![(Tone::Plain, "No service has these words.".into())];
    }
    let standing = |board: &crate::core::board::AccountBoard| match board.account.on_call_standing(model.now) {
        _ if board.account.rest_off.is_some() => {
            (Tone::Caution, "! no token, so services are not asked for".to_owned())
        }
        Standing::Waiting => (Tone::Faint, "waiting for the first answer…".to_owned()),
        Standing::Fresh { .. } if board.account.barred.contains_key(&Sight::Services) => {
            let cause = board.account.barred_words(Sight::Services).unwrap_or_default();
            (Tone::Caution, format!("! not known: {cause}"))
        }
        Standing::Fresh { .. } => (Tone::Plain, "no services, says the provider".to_owned()),
        Standing::Stale { cause, .. } | Standing::Down { cause } => (Tone::Alarm, format!("! not known: {cause}")),
    };
    let each = |board: &crate::core::board::AccountBoard| {
        let (tone, words) = standing(board);
        (tone, format!("{}: {words}", board.account.name))
    };
    match &model.link {
        Link::Connecting => vec![(Tone::Faint, "Connecting to the server…".into())],
        _ if model.board.accounts.is_empty() => vec![(Tone::Plain, "No account is configured.".into())],
        Link::Lost { .. } | Link::Up(_) => model.board.accounts.values().map(each).collect(),
    }
}

/// The columns; 0 when left out.
struct Widths {
    condition: usize,
    open: usize,
    name: usize,
    on_call: usize,
    policy: usize,
    window: usize,
}

impl Widths {
    fn of(model: &Model) -> Self {
        let width = model.size.0;
        let room = usize::from(width).saturating_sub(parts::GUTTER);
        match width {
            ..NARROW => {
                Self { condition: 13, open: 6, name: room.saturating_sub(20), on_call: 0, policy: 0, window: 0 }
            }
            NARROW..ROOMY => {
                Self { condition: 13, open: 8, name: 20, on_call: 16, policy: 0, window: room.saturating_sub(60) }
            }
            _ => Self { condition: 13, open: 8, name: 26, on_call: 22, policy: 18, window: room.saturating_sub(91) },
        }
    }
}

fn cells<'a>(model: &Model, row: &Row<'_>, widths: &Widths) -> Vec<Span<'a>> {
    let (mark, tone) = look(row.condition);
    let (triggered, acknowledged) = row.open;
    let open = match (triggered, acknowledged) {
        (0, 0) => "-".to_owned(),
        (triggered, acknowledged) => format!("{triggered}! {acknowledged}~"),
    };
    let several = model.board.accounts.len() > 1;
    let account = if several { format!("{}/", row.account) } else { String::new() };
    let name = format!("{account}{}", row.service.service.name);
    let mut spans = vec![
        span(model, tone, format!("{} ", cell(&format!("{mark} {}", row.condition.word()), widths.condition))),
        span(model, if triggered > 0 { Tone::Alarm } else { Tone::Plain }, cell(&open, widths.open)),
        span(model, Tone::Plain, cell(&name, widths.name)),
    ];
    if widths.on_call > 0 {
        let (tone, words) = on_call(row);
        spans.push(span(model, tone, format!(" {}", cell(&words, widths.on_call))));
    }
    if widths.policy > 0 {
        let policy = row.service.policy.as_ref().map_or("", |policy| policy.name.as_str());
        spans.push(span(model, Tone::Faint, format!(" {}", cell(policy, widths.policy))));
    }
    if widths.window > 0 {
        spans.push(span(model, Tone::Caution, format!(" {}", fit(&window(model, row), widths.window))));
    }
    spans
}

fn look(condition: Condition) -> (char, Tone) {
    match condition {
        Condition::Critical => ('!', Tone::Alarm),
        Condition::Warning => ('~', Tone::Caution),
        Condition::Maintenance => ('m', Tone::Caution),
        Condition::Active => (' ', Tone::Calm),
        Condition::Disabled => ('x', Tone::Faint),
    }
}

fn on_call(row: &Row<'_>) -> (Tone, String) {
    let First { names, lacks_some } = &row.on_call;
    let more = lacks_some.then_some("?");
    match names.as_slice() {
        [] if *lacks_some => (Tone::Faint, "?".into()),
        [] if row.condition == Condition::Disabled => (Tone::Faint, "nobody".into()),
        [] => (Tone::Alarm, "! nobody".into()),
        names => (Tone::Plain, names.iter().map(|name| name.as_str()).chain(more).collect::<Vec<_>>().join(", ")),
    }
}

/// The window that runs, else the next one.
fn window(model: &Model, row: &Row<'_>) -> String {
    let now = model.board.provider_time(row.account, model.now);
    let Some(window) = row.windows.first() else { return String::new() };
    let at = |at| moment(at, model.now, &model.zone);
    let more = if row.windows.len() > 1 { format!(" +{}", row.windows.len() - 1) } else { String::new() };
    if window.runs(now) { format!("till {}{more}", at(window.end)) } else { format!("from {}{more}", at(window.start)) }
}

#[cfg(test)]
mod tests;

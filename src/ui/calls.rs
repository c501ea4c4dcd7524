//! The API log as a table: as many columns as the width has room for, the end of a call always with its word. All of
//! the selected call stands below.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    parts::{self, GUTTER, cell, right, span},
    words,
};
use crate::{
    app::{
        Link, Model,
        calls::{Calls, areas},
        page::{Page, Piece, Tone},
    },
    core::{
        call::{ApiCall, End},
        text::{Shown, pieces},
    },
};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Time,
    Account,
    Purpose,
    Method,
    Path,
    End,
    Took,
    Left,
    RequestId,
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Time => "TIME",
            Self::Account => "ACCOUNT",
            Self::Purpose => "FOR",
            Self::Method => "CALL",
            Self::Path => "",
            Self::End => "END",
            Self::Took => "MS",
            Self::Left => "LEFT",
            Self::RequestId => "REQUEST ID",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Took | Self::Left)
    }
}

/// The columns for a width, with their widths; one of them takes what is left.
fn columns(model: &Model, width: usize) -> Vec<(Column, usize)> {
    use Column::{Account, End, Left, Method, Path, Purpose, RequestId, Took};
    let mut columns = vec![(Column::Time, 8)];
    match width {
        ..60 => columns.extend([(Method, 4), (Path, 0), (End, 6)]),
        60..120 => columns.extend([(Purpose, 6), (Method, 4), (Path, 0), (End, 6), (Took, 6), (Left, 5)]),
        _ => columns.extend([(Purpose, 6), (Method, 4), (Path, 0), (End, 6), (Took, 6), (Left, 5), (RequestId, 36)]),
    }
    if width >= 80 && model.board.accounts.len() > 1 {
        columns.insert(1, (Account, 10));
    }
    let used: usize = GUTTER + columns.iter().map(|(_, wide)| wide + 1).sum::<usize>();
    for (_, wide) in columns.iter_mut().filter(|(_, wide)| *wide == 0) {
        *wide = (width + 1).saturating_sub(used);
    }
    columns
}

pub(super) fn draw(model: &Model, calls: &Calls, frame: &mut Frame<'_>, area: Rect) {
    let at = areas(calls, area);
    parts::line(frame, at.title, title(model, calls));
    for (row, line) in at.budgets.rows().zip(budgets(model, calls)) {
        parts::line(frame, row, line);
    }
    if calls.lines().is_empty() {
        return parts::remarks(model, frame, at.rows, &[nothing(model, calls)]);
    }
    let columns = columns(model, area.width.into());
    parts::line(frame, at.heading, heading(model, &columns));
    let shown = calls.lines().iter().skip(calls.cursor.offset());
    for (row, call) in at.rows.rows().zip(shown) {
        let selected = calls.cursor.selected() == Some(&call.number);
        parts::line(frame, row, parts::selected(cells(model, &columns, call, selected), selected));
    }
    parts::above(model, frame, at.rows, calls.cursor.offset());
    if let Some(call) = calls.selected() {
        super::page(model, whole(model, call, area.width.into()), 0, frame, at.whole);
    }
}

fn title<'a>(model: &Model, calls: &Calls) -> Line<'a> {
    let mut line = Line::from(span(model, Tone::Strong, "API log"));
    let held = calls.cursor.selected().is_some();
    let words = match (&calls.failure, held) {
        (Some(why), _) => (Tone::Alarm, format!("  ! cannot be had: {why}")),
        (None, true) => (Tone::Caution, format!("  held, {} new; g follows", calls.news())),
        (None, false) => (Tone::Faint, format!("  newest first, times in {}", parts::zone(model))),
    };
    line.push_span(span(model, words.0, words.1));
    line
}

/// What each account's provider still takes.
fn budgets<'a>(model: &Model, calls: &Calls) -> Vec<Line<'a>> {
    let line = |(account, budget): &(crate::core::id::AccountName, crate::core::call::Budget)| {
        let limit = budget.limit.map(|limit| format!("/{limit}")).unwrap_or_default();
        let text = format!(
            "{account}: {}{limit} left, full in {} s, {} kept for actions",
            budget.left, budget.resets_in, budget.reserve
        );
        let (tone, mark) = if budget.left <= budget.reserve { (Tone::Alarm, "! ") } else { (Tone::Plain, "") };
        Line::from(span(model, tone, format!("{mark}{text}")))
    };
    calls.budgets.iter().map(line).collect()
}

fn nothing(model: &Model, calls: &Calls) -> (Tone, String) {
    match (&model.link, calls.is_known()) {
        (Link::Lost { .. } | Link::Connecting, _) => (Tone::Caution, "no link to the server".into()),
        (Link::Up(_), false) => (Tone::Caution, "asking…".into()),
        (Link::Up(_), true) => (Tone::Plain, "nothing was asked of a provider yet".into()),
    }
}

fn heading<'a>(model: &Model, columns: &[(Column, usize)]) -> Line<'a> {
    let mut line = Line::from(Span::raw(" ".repeat(GUTTER)));
    for (column, width) in columns {
        let text = column.heading();
        let text = if column.is_number() { right(text, *width) } else { cell(text, *width) };
        line.push_span(span(model, Tone::Faint, format!("{text} ")));
    }
    line
}

fn cells<'a>(model: &Model, columns: &[(Column, usize)], call: &ApiCall, selected: bool) -> Line<'a> {
    let mut line = Line::from(parts::gutter(model, selected));
    for (column, width) in columns {
        let number = |n: Option<u64>| right(&n.map_or_else(|| "-".to_owned(), |n| n.to_string()), *width);
        let (tone, text) = match column {
            Column::Time => (Tone::Faint, cell(&words::clock(call.at, &model.zone), *width)),
            Column::Account => (Tone::Plain, cell(call.account.as_str(), *width)),
            Column::Purpose => (Tone::Plain, cell(call.purpose.word(), *width)),
            Column::Method => (Tone::Plain, cell(call.method.as_str(), *width)),
            Column::Path => (Tone::Plain, cell(call.path.as_str(), *width)),
            Column::End => (tone(&call.end), cell(&end(&call.end), *width)),
            Column::Took => (Tone::Plain, number(Some(call.took))),
            Column::Left => (Tone::Plain, number(call.left)),
            Column::RequestId => (Tone::Faint, cell(call.request_id.as_ref().map_or("-", Shown::as_str), *width)),
        };
        line.push_span(span(model, tone, format!("{text} ")));
    }
    line
}

fn end(end: &End) -> String {
    match end {
        End::Status(status) if end.is_good() => status.to_string(),
        End::Status(status) => format!("! {status}"),
        End::Failed(_) => "! none".into(),
    }
}

fn tone(end: &End) -> Tone {
    if end.is_good() { Tone::Calm } else { Tone::Alarm }
}

/// All of a call.
fn whole(model: &Model, call: &ApiCall, width: usize) -> Vec<Vec<Piece>> {
    let mut page = Page::new(width);
    let end = match &call.end {
        End::Status(status) => format!("status {status}"),
        End::Failed(why) => format!("no answer: {why}"),
    };
    let left = call.left.map(|left| format!(", {left} left")).unwrap_or_default();
    let id = call.request_id.as_ref().map_or("no request id", Shown::as_str);
    let at = words::moment(call.at, model.now, &model.zone);
    page.text(
        0,
        tone(&call.end),
        &format!("{end} in {} ms{left}; {}, {}, {at}", call.took, call.account, call.purpose.word()),
    );
    page.text(0, Tone::Accent, id);
    // An address has no words to break at.
    for piece in pieces(&format!("{} {}", call.method, call.path), width) {
        page.line(vec![Piece::new(Tone::Plain, piece)]);
    }
    page.lines
}

//! The list from which a delivery or a sample is chosen, to preview on or to send as a test.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::parts::{self, cell, span};
use crate::{
    app::{
        Model, filter,
        page::Tone,
        source::{Pick, Source},
        webhooks::incident_words,
    },
    core::{
        delivery::DeliverySummary,
        text::{Shown, fit},
        words,
    },
};

/// Below `title`, and `more` if there is more to say.
pub(super) fn draw(model: &Model, pick: &Pick, title: &str, more: Option<&str>, frame: &mut Frame<'_>, area: Rect) {
    let at = filter::list_areas(area, if more.is_some() { 2 } else { 1 }, &pick.filter);
    let first = Line::from(vec![span(model, Tone::Strong, title.to_owned()), remark(model, pick)]);
    let more = more.map(|text| Line::from(span(model, Tone::Faint, fit(text, area.width.into()))));
    for (line, row) in std::iter::once(first).chain(more).zip(at.title.rows()) {
        parts::line(frame, row, line);
    }
    let rows = pick.rows(model);
    for (source, y) in rows.iter().skip(pick.cursor.offset()).zip(at.rows.y..at.rows.bottom()) {
        let selected = pick.cursor.selected() == Some(&source.subject());
        let mut spans = vec![parts::gutter(model, selected)];
        spans.extend(match source {
            Source::Sample(event_type) => {
                vec![span(model, Tone::Faint, cell("sample", 11)), span(model, Tone::Plain, *event_type)]
            }
            Source::Delivery(line) => delivery(model, line, area.width.into()),
        });
        let line = parts::selected(Line::from(spans), selected);
        parts::line(frame, Rect { y, height: 1, ..at.rows }, line);
    }
    parts::beyond(model, frame, at.title, (pick.cursor.offset(), at.rows.height), rows.len());
    if rows.is_empty() && !pick.is_searching() {
        let text = "No accepted delivery is found by this, and no sample.".into();
        parts::remarks(model, frame, at.rows, &[(Tone::Plain, text)]);
    }
    let left = words::count(rows.len(), "choice", "choices");
    parts::filter(model, frame, at.filter, &pick.filter, &left);
}

/// What is wrong with the query, or whether the whole log is searched by now.
fn remark(model: &Model, pick: &Pick) -> Span<'static> {
    if let Some(wrong) = &pick.wrong {
        return span(model, Tone::Caution, format!("  ! {}", Shown::line(&wrong.to_string())));
    }
    if let Some(cause) = &pick.failed {
        return span(model, Tone::Caution, format!("  ! only the loaded ones: {cause}"));
    }
    let words = match (pick.filter.is_set(), pick.is_searching()) {
        (false, _) => "  type to search the log",
        (true, true) => "  searching the log…",
        (true, false) => "",
    };
    span(model, Tone::Faint, words)
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

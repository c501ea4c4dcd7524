//! One delivery as text: what it was, what was made of it and why, its headers, its body. Nothing is left
//! out: long lines go on below.

use crate::{
    app::{
        Model,
        page::{Page, Piece, Tone},
    },
    core::{
        delivery::{DeliverySummary, DeliveryView, Direction, Verdict},
        text::{Shown, pieces},
    },
};

use super::{Opened, Reading, incident_words};

/// Lines above the text: which delivery it is.
pub const TITLE: u16 = 1;

/// How a verdict is marked and toned, in the list and here.
pub fn mark(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Accepted => ("+", Tone::Calm),
        Verdict::Duplicate => ("=", Tone::Faint),
        Verdict::Undecodable => ("?", Tone::Caution),
        Verdict::Rejected => ("!", Tone::Alarm),
    }
}

/// The text of `opened` for a screen of `width` columns.
pub fn page(model: &Model, opened: &Opened, width: usize) -> Page {
    let mut page = Page::new(width);
    match &opened.reading {
        Reading::Read(view) => {
            facts(&mut page, model, &view.summary, Some(view));
            headers(&mut page, view);
            body(&mut page, view, width);
        }
        Reading::Asked(wait) => {
            if wait.overdue(model.now) {
                page.text(0, Tone::Alarm, "! no answer from the server; enter asks again");
            } else {
                page.text(0, Tone::Faint, "reading headers and body…");
            }
            page.blank();
            facts(&mut page, model, &opened.summary, None);
        }
        Reading::Failed(cause) => {
            page.text(0, Tone::Alarm, &format!("! headers and body were not read: {cause}; enter asks again"));
            page.blank();
            facts(&mut page, model, &opened.summary, None);
        }
    }
    page
}

fn facts(page: &mut Page, model: &Model, line: &DeliverySummary, view: Option<&DeliveryView>) {
    let (mark, tone) = mark(line.verdict);
    let at = line.at.to_zoned(model.zone.clone());
    page.field("verdict", tone, &format!("{mark} {}", line.verdict.word()));
    page.field("reason", Tone::Plain, line.reason.as_str());
    page.field("time", Tone::Plain, &at.strftime("%Y-%m-%d %H:%M:%S%.3f %Z").to_string());
    page.field("direction", Tone::Plain, &direction(line.direction, view));
    page.field("account", Tone::Plain, line.account.as_ref().map_or("none of ours", |name| name.as_str()));
    page.field("answered", Tone::Plain, &answered(line));
    page.field("event type", Tone::Plain, line.event_type.as_ref().map_or("not known", Shown::as_str));
    if let Some(id) = &line.event_id {
        page.field("event id", Tone::Accent, id.as_str());
    }
    if let Some(key) = &line.incident {
        page.field("incident", Tone::Accent, &format!("{} ({})", incident_words(model, key), key));
    }
    if let Some(subject) = &line.subject {
        page.field("subject", Tone::Plain, subject.as_str());
    }
}

fn headers(page: &mut Page, view: &DeliveryView) {
    page.heading("Headers");
    if view.headers.is_empty() {
        page.text(0, Tone::Faint, "none");
    }
    for (name, value) in &view.headers {
        page.entry(0, Tone::Plain, &format!("{name}: {value}"));
    }
}

fn body(page: &mut Page, view: &DeliveryView, width: usize) {
    page.heading(if view.body_is_json { "Body (JSON, indented)" } else { "Body (not JSON, as it came)" });
    if view.body.is_empty() {
        page.text(0, Tone::Faint, "empty");
    }
    for piece in view.body.lines().flat_map(|line| pieces(line, width)) {
        page.line(vec![Piece::new(Tone::Plain, piece)]);
    }
}

fn direction(direction: Direction, view: Option<&DeliveryView>) -> String {
    let peer = view.map_or("", |view| view.peer.as_str());
    match (direction, peer) {
        (Direction::Incoming, "") => "← incoming".into(),
        (Direction::Incoming, peer) => format!("← incoming, from {peer}"),
        (Direction::Outgoing, "") => "→ outgoing".into(),
        (Direction::Outgoing, peer) => format!("→ outgoing, to {peer}"),
    }
}

fn answered(line: &DeliverySummary) -> String {
    format!("{} after {} ms, body of {} bytes", line.status, milliseconds(line.latency_us), line.size)
}

/// Microseconds as milliseconds: `0.4`, `12.0`, from ten seconds on `10000`.
pub fn milliseconds(microseconds: u64) -> String {
    match microseconds {
        ..10_000_000 => format!("{}.{}", microseconds / 1000, microseconds % 1000 / 100),
        _ => (microseconds / 1000).to_string(),
    }
}

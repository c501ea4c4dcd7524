//! One delivery as text, from four sides: what it was and says, its bytes, its headers, its times. Nothing is left
//! out: long lines go on below.

use std::fmt::Write as _;

use crate::{
    app::{
        Model,
        page::{Page, Piece, Tone},
    },
    core::{
        delivery::{DeliverySummary, DeliveryView, Direction, Format, Verdict},
        text::{Shown, ShownBody, pieces},
    },
};

use super::{Opened, Reading, incident_words};

/// Lines above the text: which delivery it is.
pub const TITLE: u16 = 1;

/// What is shown of an opened delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// What was made of it, and its body, indented where it is JSON.
    #[default]
    Pretty,
    /// The body as it came.
    Raw,
    Headers,
    /// Where its time went, what it changed, what proved it genuine.
    Timing,
}

impl Side {
    pub const ALL: [Self; 4] = [Self::Pretty, Self::Raw, Self::Headers, Self::Timing];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Raw => "raw",
            Self::Headers => "headers",
            Self::Timing => "timing",
        }
    }
}

/// How a verdict is marked and toned, in the list and here.
pub fn mark(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Accepted => ("+", Tone::Calm),
        Verdict::Duplicate => ("=", Tone::Faint),
        Verdict::Undecodable => ("?", Tone::Caution),
        Verdict::Rejected | Verdict::Failed => ("!", Tone::Alarm),
        Verdict::Sent => (">", Tone::Calm),
    }
}

/// The text of `opened` for a screen of `width` columns.
pub fn page(model: &Model, opened: &Opened, width: usize) -> Page {
    let mut page = Page::new(width);
    match &opened.reading {
        Reading::Read(view) => match opened.side {
            Side::Pretty => {
                facts(&mut page, model, &view.summary, Some(view));
                body(&mut page, view, width);
            }
            Side::Raw => raw(&mut page, view, width, opened.in_hex()),
            Side::Headers => headers(&mut page, view),
            Side::Timing => timing(&mut page, view),
        },
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
    page.field("direction", Tone::Plain, &direction(line, view));
    match (&line.account, &line.target) {
        (Some(name), _) => page.field("account", Tone::Plain, name.as_str()),
        (None, None) => page.field("account", Tone::Plain, "none of ours"),
        // What is about no incident belongs to none.
        (None, Some(_)) => {}
    }
    page.field(if line.target.is_some() { "answer" } else { "answered" }, Tone::Plain, &answered(line));
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
    if let Some(changed) = &line.changed {
        page.field("changed", Tone::Plain, changed.as_str());
    }
    if line.altered {
        page.field("altered", Tone::Alarm, "! another content than the first delivery of this event");
    }
}

fn headers(page: &mut Page, view: &DeliveryView) {
    if view.headers.is_empty() {
        page.text(0, Tone::Faint, "none");
    }
    for (name, value) in &view.headers {
        page.entry(0, Tone::Plain, &format!("{name}: {value}"));
    }
}

fn body(page: &mut Page, view: &DeliveryView, width: usize) {
    page.heading(match (view.summary.direction, view.body_is_json) {
        (Direction::Outgoing, true) if view.format == Some(Format::Default) => "Default body (JSON, indented)",
        (Direction::Incoming, true) => "Body (JSON, indented)",
        (Direction::Incoming, false) => "Body (not JSON, as it came)",
        (Direction::Outgoing, true) => "Rendered body (JSON, indented)",
        (Direction::Outgoing, false) => "Rendered body (not JSON)",
    });
    if view.body.is_empty() {
        page.text(0, Tone::Faint, "empty");
    }
    cut(page, view);
    for piece in view.body.lines().flat_map(|line| pieces(line, width)) {
        page.line(vec![Piece::new(Tone::Plain, piece)]);
    }
    response(page, view, width);
}

/// What a target said to it, as far as that is kept.
fn response(page: &mut Page, view: &DeliveryView, width: usize) {
    let Some(said) = &view.response else { return };
    page.heading("Response (its first KiB)");
    if said.is_empty() {
        page.text(0, Tone::Faint, "empty");
    }
    for piece in said.lines().flat_map(|line| pieces(line, width)) {
        page.line(vec![Piece::new(Tone::Plain, piece)]);
    }
}

/// Says when not all of the body is there.
fn cut(page: &mut Page, view: &DeliveryView) {
    let here = view.raw.0.len();
    if u64::try_from(here).is_ok_and(|here| here < view.summary.size) {
        page.text(0, Tone::Caution, &format!("the first {here} of {} bytes", view.summary.size));
    }
}

/// The bytes exactly; what would act on the terminal is shown by its picture, or byte by byte.
fn raw(page: &mut Page, view: &DeliveryView, width: usize, hex: bool) {
    let bytes = &view.raw.0;
    if bytes.is_empty() {
        page.text(0, Tone::Faint, "empty");
    }
    cut(page, view);
    if hex {
        return in_hex(page, bytes, width);
    }
    let text = ShownBody::new(&String::from_utf8_lossy(bytes));
    for piece in text.lines().flat_map(|line| pieces(line, width)) {
        page.line(vec![Piece::new(Tone::Plain, piece)]);
    }
}

/// Place, bytes, and their characters where they are plain.
fn in_hex(page: &mut Page, bytes: &[u8], width: usize) {
    let each = [16, 8, 4].into_iter().find(|each| 13 + 4 * each <= width).unwrap_or(4);
    for (at, line) in bytes.chunks(each).enumerate() {
        let (mut hex, mut text) = (String::new(), String::new());
        for byte in line {
            let _ = write!(hex, "{byte:02x} ");
            text.push(if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' });
        }
        page.line(vec![
            Piece::new(Tone::Faint, format!("{:08x}  ", at * each)),
            Piece::new(Tone::Plain, format!("{hex:<wide$}", wide = 3 * each)),
            Piece::new(Tone::Accent, format!(" |{text}|")),
        ]);
    }
}

fn timing(page: &mut Page, view: &DeliveryView) {
    let (line, times) = (&view.summary, &view.timings);
    let took = |microseconds: u64| match microseconds {
        ..1000 => format!("{microseconds} µs"),
        _ => format!("{} ms", milliseconds(microseconds)),
    };
    if let Some(target) = &line.target {
        page.field("render", Tone::Plain, &took(times.check_us));
        page.field("sent", Tone::Plain, &format!("{} bytes to {target}", line.size));
        return page.field("answer", Tone::Plain, &answered(line));
    }
    page.field(
        "read",
        Tone::Plain,
        &format!("{}, from its head to the last of {} bytes", took(times.read_us), line.size),
    );
    page.field("check", Tone::Plain, &format!("{}, for checking and understanding it", took(times.check_us)));
    match times.commit_us {
        Some(commit) => page.field("commit", Tone::Plain, &format!("{}, until it was on the disk", took(commit))),
        None => page.field("commit", Tone::Faint, "not known: dogwatch ended before it was noted"),
    }
    let answered = match times.answered_us() {
        Some(all) => format!("{} after {}", line.status, took(all)),
        None => format!("{}, perhaps", line.status),
    };
    page.field("answer", Tone::Plain, &answered);
    page.blank();
    match &line.changed {
        Some(changed) => page.field("changed", Tone::Plain, changed.as_str()),
        None if line.verdict == Verdict::Accepted => page.field("changed", Tone::Caution, "not applied yet"),
        None => page.field("changed", Tone::Faint, "nothing: only accepted ones are applied"),
    }
    match &line.proof {
        Some(proof) => {
            let signed = if proof.scheme.is_signed() { "" } else { "; the content is not signed" };
            page.field("proof", Tone::Plain, &format!("{} with {}{signed}", proof.scheme.word(), proof.secret));
        }
        None if line.verdict == Verdict::Rejected => page.field("proof", Tone::Alarm, "none"),
        None => page.field("proof", Tone::Faint, "not kept: it came before proofs were kept"),
    }
    if line.altered {
        page.field("altered", Tone::Alarm, "! another content than the first delivery of this event");
    } else {
        page.field("altered", Tone::Plain, "no");
    }
}

fn direction(line: &DeliverySummary, view: Option<&DeliveryView>) -> String {
    let peer = view.map_or("", |view| view.peer.as_str());
    if let Some(target) = &line.target {
        return format!("→ outgoing, to target {target}");
    }
    match (line.direction, peer) {
        (Direction::Incoming, "") => "← incoming".into(),
        (Direction::Incoming, peer) => format!("← incoming, from {peer}"),
        (Direction::Outgoing, "") => "→ outgoing".into(),
        (Direction::Outgoing, peer) => format!("→ outgoing, to {peer}"),
    }
}

fn answered(line: &DeliverySummary) -> String {
    let after = line.latency_us.map(|waited| format!(" after {} ms", milliseconds(waited))).unwrap_or_default();
    let status = if line.status == 0 { "none".to_owned() } else { line.status.to_string() };
    format!("{status}{after}, body of {} bytes", line.size)
}

/// Microseconds as milliseconds: `0.4`, `12.0`, from one second on `1000`.
pub fn milliseconds(microseconds: u64) -> String {
    match microseconds {
        ..1_000_000 => format!("{}.{}", microseconds / 1000, microseconds % 1000 / 100),
        _ => (microseconds / 1000).to_string(),
    }
}

//! One delivery as lines: what it was, what was made of it and why, its headers, its body. Nothing is left
//! out: long lines are continued on the next.

use std::borrow::Cow;

use crate::{
    app::Model,
    core::{
        delivery::{DeliverySummary, DeliveryView, Direction, Verdict},
        text::{columns, pieces},
    },
};

use super::{Opened, Reading};

/// Lines above the text: which delivery it is.
pub const TITLE: u16 = 1;

/// Columns of the names before the facts.
const NAMES: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    Blank,
    Heading(&'static str),
    /// A fact, or the name of one (`""`: the fact goes on).
    Fact {
        name: &'static str,
        text: Cow<'a, str>,
    },
    /// The verdict, to be marked as in the list.
    Verdict(Verdict),
    /// A header; the name is empty where the value goes on.
    Header {
        name: Cow<'a, str>,
        value: Cow<'a, str>,
    },
    Body(&'a str),
    /// What is not known, and why.
    Remark(Cow<'a, str>),
}

/// The lines of `opened` on a screen of `width` columns.
pub fn lines<'a>(model: &Model, opened: &'a Opened, width: usize) -> Vec<Line<'a>> {
    let mut text = Text { width: width.max(NAMES + 2), out: vec![] };
    match &opened.reading {
        Reading::Read(view) => {
            text.facts(model, &view.summary, Some(view));
            text.headers(view);
            text.body(view);
        }
        Reading::Asked(wait) => {
            text.facts(model, &opened.summary, None);
            let overdue = wait.overdue(model.now);
            text.remark(if overdue { "no answer from the server; enter asks again" } else { "reading…" });
        }
        Reading::Failed(cause) => {
            text.facts(model, &opened.summary, None);
            text.remark(format!("not read: {cause}; enter asks again"));
        }
    }
    text.out
}

struct Text<'a> {
    width: usize,
    out: Vec<Line<'a>>,
}

impl<'a> Text<'a> {
    fn fact(&mut self, name: &'static str, text: impl Into<Cow<'a, str>>) {
        let names = [name].into_iter().chain(std::iter::repeat(""));
        for (name, text) in names.zip(split(text.into(), self.width - NAMES)) {
            self.out.push(Line::Fact { name, text });
        }
    }

    fn remark(&mut self, text: impl Into<Cow<'a, str>>) {
        self.out.push(Line::Blank);
        self.out.extend(split(text.into(), self.width).into_iter().map(Line::Remark));
    }

    fn facts(&mut self, model: &Model, line: &'a DeliverySummary, view: Option<&'a DeliveryView>) {
        let at = line.at.to_zoned(model.zone.clone());
        self.out.push(Line::Verdict(line.verdict));
        self.fact("reason", line.reason.as_str());
        self.fact("time", at.strftime("%Y-%m-%d %H:%M:%S%.3f %Z").to_string());
        self.fact("direction", direction(line.direction, view));
        self.fact("account", line.account.as_ref().map_or("none of ours", |name| name.as_str()));
        self.fact("answered", answered(line));
        self.fact("event", line.event_type.as_ref().map_or("not known", |kind| kind.as_str()));
        if let Some(id) = &line.event_id {
            self.fact("event id", id.as_str());
        }
        if let Some(key) = &line.incident {
            let number = model.board.incidents.get(key).and_then(|incident| incident.state.number);
            self.fact("incident", number.map_or_else(|| key.id.to_string(), |n| format!("#{n} ({})", key.id)));
        }
        if let Some(subject) = &line.subject {
            self.fact("subject", subject.as_str());
        }
    }

    fn headers(&mut self, view: &'a DeliveryView) {
        self.out.extend([Line::Blank, Line::Heading("Headers")]);
        if view.headers.is_empty() {
            self.out.push(Line::Remark("none kept".into()));
        }
        for (name, value) in &view.headers {
            let (name, value) = (name.as_str(), value.as_str());
            if columns(name) + 2 + columns(value) <= self.width {
                self.out.push(Line::Header { name: name.into(), value: value.into() });
                continue;
            }
            for name in split(name.into(), self.width - 1) {
                self.out.push(Line::Header { name, value: "".into() });
            }
            for value in split(value.into(), self.width - 2) {
                self.out.push(Line::Header { name: "".into(), value });
            }
        }
    }

    fn body(&mut self, view: &'a DeliveryView) {
        self.out.extend([
            Line::Blank,
            Line::Heading(if view.body_is_json { "Body (JSON, indented)" } else { "Body (not JSON, as it came)" }),
        ]);
        if view.body.is_empty() {
            self.out.push(Line::Remark("empty".into()));
        }
        let width = self.width;
        self.out.extend(view.body.lines().flat_map(|line| pieces(line, width)).map(Line::Body));
    }
}

fn split(text: Cow<'_, str>, width: usize) -> Vec<Cow<'_, str>> {
    match text {
        Cow::Borrowed(text) => pieces(text, width).into_iter().map(Cow::Borrowed).collect(),
        Cow::Owned(text) => pieces(&text, width).into_iter().map(|piece| Cow::Owned(piece.to_owned())).collect(),
    }
}

fn direction(direction: Direction, view: Option<&DeliveryView>) -> String {
    let peer = view.map_or("", |view| view.peer.as_str());
    match (direction, peer) {
        (Direction::Incoming, "") => "incoming".into(),
        (Direction::Incoming, peer) => format!("incoming, from {peer}"),
        (Direction::Outgoing, "") => "outgoing".into(),
        (Direction::Outgoing, peer) => format!("outgoing, to {peer}"),
    }
}

fn answered(line: &DeliverySummary) -> String {
    let (whole, part) = (line.latency_us / 1000, line.latency_us % 1000 / 100);
    format!("{} after {whole}.{part} ms, {} bytes", line.status, line.size)
}

//! Text that is read by scrolling, as lines already broken to a width. Made here, not while drawing,
//! because the update that scrolls has to know how long it is.

use crate::core::{text::ShownBody, words::wrap};

/// What a piece of the screen means. How that looks is the theme's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Headings, the view that is open.
    Strong,
    /// Hints, what is not important now.
    Faint,
    /// Triggered, failed, rejected.
    Alarm,
    /// Acknowledged, pending, stale.
    Caution,
    /// Resolved, confirmed, fresh.
    Calm,
    /// Keys, links, ids.
    Accent,
}

/// A stretch of a line in one tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub tone: Tone,
    pub text: String,
}

impl Piece {
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

/// Columns of the names in [`Page::field`].
const NAMES: usize = 13;

/// Lines for a width.
#[derive(Debug)]
pub struct Page {
    width: usize,
    pub lines: Vec<Vec<Piece>>,
}

impl Page {
    pub fn new(width: usize) -> Self {
        Self { width, lines: vec![] }
    }

    pub fn line(&mut self, pieces: Vec<Piece>) {
        self.lines.push(pieces);
    }

    pub fn blank(&mut self) {
        self.lines.push(vec![]);
    }

    /// A heading after an empty line.
    pub fn heading(&mut self, text: &str) {
        self.blank();
        self.text(0, Tone::Strong, text);
    }

    /// One paragraph, each of its lines indented.
    pub fn text(&mut self, indent: usize, tone: Tone, text: &str) {
        for line in wrap(text, self.width.saturating_sub(indent)) {
            self.lines.push(vec![Piece::new(tone, format!("{:indent$}{line}", ""))]);
        }
    }

    /// Several paragraphs.
    pub fn body(&mut self, indent: usize, tone: Tone, body: &ShownBody) {
        for line in body.lines() {
            self.text(indent, tone, line);
        }
    }

    /// A name and its value beside it; the value's further lines stand below its first.
    pub fn field(&mut self, name: &str, tone: Tone, value: &str) {
        let room = self.width.saturating_sub(NAMES);
        for (at, line) in wrap(value, room).into_iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            self.lines.push(vec![Piece::new(Tone::Faint, format!("{name:<NAMES$}")), Piece::new(tone, line)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_stays_in_its_column() {
        let mut page = Page::new(20);
        page.field("title", Tone::Plain, "disk full");
        let lines: Vec<String> = page.lines.iter().map(|l| l.iter().map(|p| p.text.as_str()).collect()).collect();
        assert_eq!(lines, ["title        disk", "             full"]);
    }
}

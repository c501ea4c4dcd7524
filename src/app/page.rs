//! Text that is read by scrolling, as lines already broken to a width. Made here, not while drawing,
//! because the update that scrolls has to know how long it is.

use crate::core::{detail::Tree, text::ShownBody, words::wrap};

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
/// Columns by which an entry's further lines stand in.
const HANG: usize = 4;

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

    /// A line of outside text among others. Its further lines stand in, so that none of them can pass for
    /// a line of its own.
    pub fn entry(&mut self, indent: usize, tone: Tone, text: &str) {
        let text = text.trim_start();
        let first = wrap(text, self.width.saturating_sub(indent)).swap_remove(0);
        let rest = text.get(first.len()..).unwrap_or_default().trim_start();
        self.lines.push(vec![Piece::new(tone, format!("{:indent$}{first}", ""))]);
        if !rest.is_empty() {
            self.text(indent + HANG, tone, rest);
        }
    }

    /// Several paragraphs.
    pub fn body(&mut self, indent: usize, tone: Tone, body: &ShownBody) {
        for line in body.lines() {
            self.text(indent, tone, line);
        }
    }

    /// What a sender attached, in its own structure.
    pub fn tree(&mut self, indent: usize, tree: &Tree) {
        for line in tree.lines(self.width.saturating_sub(indent)) {
            let name = Piece::new(Tone::Faint, format!("{:indent$}{}", "", line.name));
            self.lines.push(vec![name, Piece::new(Tone::Plain, line.text)]);
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

    fn lines(page: &Page) -> Vec<String> {
        page.lines.iter().map(|line| line.iter().map(|piece| piece.text.as_str()).collect()).collect()
    }

    #[test]
    fn a_long_value_stays_in_its_column() {
        let mut page = Page::new(20);
        page.field("title", Tone::Plain, "disk full");
        assert_eq!(lines(&page), ["title        disk", "             full"]);
    }

    #[test]
    fn an_entry_cannot_pass_for_two() {
        let mut page = Page::new(24);
        page.entry(0, Tone::Plain, &format!("disk full{:15}urgency      low, priority P5", ""));
        page.entry(2, Tone::Plain, "disk full");
        assert_eq!(lines(&page), ["disk full", "    urgency      low,", "    priority P5", "  disk full"]);
    }
}

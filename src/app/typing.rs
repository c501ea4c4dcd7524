//! Text being typed: one line (filters, choices), and the way a key goes into a text editor.

use tui_textarea::{Input, Key as EditorKey};

use super::{Model, View};
use crate::core::keys::{Chord, Key};

/// Whether the next key is text, or belongs to what is open over the view: it means none of the actions of the table.
pub fn takes_keys(model: &Model) -> bool {
    if model.prompt.is_some() || model.sheet.is_some() {
        return true;
    }
    match &model.handoff {
        Some(handoff) => handoff.is_typing(),
        None => model.calls.is_none() && (model.command.line.is_some() || is_typed_in(model)),
    }
}

fn is_typed_in(model: &Model) -> bool {
    let Model { incidents, oncall, webhooks, templates, services, targets, .. } = model;
    match model.view {
        View::Incidents => incidents.typing.is_some() || incidents.picking.is_some(),
        View::OnCall => oncall.filter.is_typing(),
        View::Webhooks => webhooks.filter.is_typing(),
        View::Templates => templates.takes_keys(),
        View::Services => services.filter.is_typing(),
        View::Targets => targets.form.is_some() || targets.trial.is_some() || targets.filter.is_typing(),
    }
}

/// The longest line that can usually be typed, in bytes.
const LIMIT: usize = 256;

/// One line being typed. The cursor is always at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedLine {
    text: String,
    limit: usize,
}

impl Default for TypedLine {
    fn default() -> Self {
        Self::of_at_most(LIMIT)
    }
}

impl TypedLine {
    /// A line that takes so many bytes.
    pub(super) fn of_at_most(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn clear(&mut self) {
        self.text.clear();
    }

    /// Takes a character, backspace, `ctrl-h`, `ctrl-w` (a word) or `ctrl-u` (all); `false`: the key is no text.
    pub fn take(&mut self, chord: Chord) -> bool {
        match (chord.ctrl, chord.alt, chord.key) {
            (false, false, Key::Char(c)) => self.insert(c.encode_utf8(&mut [0; 4])),
            (false, false, Key::Backspace) | (true, false, Key::Char('h')) => drop(self.text.pop()),
            (true, false, Key::Char('u')) => self.text.clear(),
            (true, false, Key::Char('w')) => {
                let kept = self.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(kept);
            }
            _ => return false,
        }
        true
    }

    /// Adds typed or pasted text; line breaks become spaces, other controls are dropped.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }) {
            if !c.is_control() && self.text.len() + c.len_utf8() <= self.limit {
                self.text.push(c);
            }
        }
    }
}

/// The longest text that can be pasted at once, in characters.
const PASTE_LIMIT: usize = 20_000;

/// Pasted text of several lines, without what could drive a terminal.
pub(super) fn pasted_text(text: &str) -> String {
    let hostile =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
    text.chars().filter(|c| !hostile(*c)).take(PASTE_LIMIT).collect()
}

/// `chord` as the text editor takes it.
pub(super) fn editor_input(chord: Chord) -> Input {
    let key = match chord.key {
        Key::Char(c) => EditorKey::Char(c),
        Key::Enter => EditorKey::Enter,
        Key::Esc => EditorKey::Esc,
        Key::Tab => EditorKey::Tab,
        Key::Backspace => EditorKey::Backspace,
        Key::Delete => EditorKey::Delete,
        Key::Up => EditorKey::Up,
        Key::Down => EditorKey::Down,
        Key::Left => EditorKey::Left,
        Key::Right => EditorKey::Right,
        Key::Home => EditorKey::Home,
        Key::End => EditorKey::End,
        Key::PageUp => EditorKey::PageUp,
        Key::PageDown => EditorKey::PageDown,
        Key::Function(n) => EditorKey::F(n),
    };
    Input { key, ctrl: chord.ctrl, alt: chord.alt, shift: chord.shift }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_text_and_gives_it_back_word_by_word() {
        let mut line = TypedLine::default();
        line.insert("disk\nfull\u{1b}");
        assert_eq!(line.as_str(), "disk full");
        assert!(line.take("ctrl-w".parse().expect("chord")));
        assert_eq!(line.as_str(), "disk ");
        assert!(line.take("backspace".parse().expect("chord")));
        assert!(!line.take("enter".parse().expect("chord")));
        assert!(!line.take("ctrl-x".parse().expect("chord")));
        assert_eq!(line.as_str(), "disk");
        assert_eq!(pasted_text("a\r\n\tb\u{1b}[2J\u{202e}"), "a\n    b[2J");
        line.insert(&"x".repeat(1000));
        assert_eq!(line.as_str().len(), LIMIT);
    }
}

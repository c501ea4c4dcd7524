//! Keys as they are pressed, without a terminal library.

use std::{fmt, str::FromStr};

/// A key with its modifiers. Shift is part of a character (`R`), and only kept for other keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chord {
    pub ctrl: bool,
    pub alt: bool,
    pub shift: bool,
    pub key: Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Function(u8),
}

const NAMED: &[(&str, Key)] = &[
    ("enter", Key::Enter),
    ("esc", Key::Esc),
    ("tab", Key::Tab),
    ("backspace", Key::Backspace),
    ("delete", Key::Delete),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("home", Key::Home),
    ("end", Key::End),
    ("pgup", Key::PageUp),
    ("pgdn", Key::PageDown),
    ("space", Key::Char(' ')),
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown key `{0}` (examples: `j`, `R`, `ctrl-c`, `shift-down`, `f1`, `enter`)")]
pub struct BadChord(String);

impl FromStr for Chord {
    type Err = BadChord;

    fn from_str(text: &str) -> Result<Self, BadChord> {
        let mut chord = Self { ctrl: false, alt: false, shift: false, key: Key::Esc };
        let mut rest = text;
        loop {
            let (flag, after) = match rest.split_once('-') {
                Some(("ctrl", after)) => (&mut chord.ctrl, after),
                Some(("alt", after)) => (&mut chord.alt, after),
                Some(("shift", after)) => (&mut chord.shift, after),
                _ => break,
            };
            *flag = true;
            rest = after;
        }
        chord.key = key(rest).ok_or_else(|| BadChord(text.to_owned()))?;
        Ok(chord)
    }
}

fn key(name: &str) -> Option<Key> {
    if let Some((_, key)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Some(*key);
    }
    if let Some(number) = name.strip_prefix('f').and_then(|n| n.parse().ok()) {
        return Some(Key::Function(number));
    }
    let mut chars = name.chars();
    chars.next().filter(|_| chars.next().is_none()).map(Key::Char)
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if set {
                f.write_str(name)?;
            }
        }
        match (NAMED.iter().find(|(_, key)| *key == self.key), self.key) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Key::Char(c)) => write!(f, "{c}"),
            (None, Key::Function(n)) => write!(f, "f{n}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chords_read_back_as_they_are_written() {
        for text in ["j", "R", "ctrl-c", "shift-down", "f1", "enter", "space", "-", "pgdn"] {
            assert_eq!(text.parse::<Chord>().expect(text).to_string(), text);
        }
        assert!("hyper-x".parse::<Chord>().is_err());
    }
}

//! Lines of the form that may hold a secret: how much is typed is shown, never what.

use crate::{
    app::typing::TypedLine,
    core::{
        forward::{
            checks,
            form::{Hidden, Secret},
        },
        keys::{Chord, Key},
        text::Shown,
    },
};

/// Bytes of a secret that is typed.
pub(super) const LONGEST_SECRET: usize = 4096;

/// A secret being typed over one that is perhaps kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SecretLine {
    pub(super) typed: TypedLine,
    /// The server has one, and it stays if nothing is typed.
    pub(super) kept: bool,
    /// The server had one when the form opened.
    pub(super) was_kept: bool,
}

impl SecretLine {
    pub(super) fn new(kept: bool) -> Self {
        Self { typed: TypedLine::of_at_most(LONGEST_SECRET), kept, was_kept: kept }
    }

    pub(super) fn take(&mut self, chord: Chord) -> bool {
        let clears = chord.ctrl && chord.key == Key::Char('u');
        if clears && self.typed.is_empty() {
            self.kept = !self.kept && self.was_kept;
            return true;
        }
        self.typed.take(chord)
    }

    /// Whether there is one, typed or kept.
    pub(super) fn is_there(&self) -> bool {
        self.kept || !self.typed.is_empty()
    }

    pub(super) fn secret(&self) -> Secret {
        if !self.typed.is_empty() {
            return Secret::Typed(Hidden::new(self.typed.as_str()));
        }
        if self.kept || !self.was_kept { Secret::Kept } else { Secret::None }
    }

    /// What the screen shows of it: how much is typed, never what; where it is, when that is what was typed.
    pub(super) fn shown(&self) -> String {
        let typed = self.typed.as_str();
        match typed {
            "" if self.kept => "(as it is)".to_owned(),
            "" if self.was_kept => "(is taken away)".to_owned(),
            _ if is_reference(typed) => typed.to_owned(),
            _ => "•".repeat(typed.chars().count()),
        }
    }
}

/// Whether this says where a secret is: that may be seen.
pub(super) fn is_reference(text: &str) -> bool {
    text.starts_with('{')
}

/// A header: its name, and its value, typed as `Name: value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderLine {
    pub(super) typed: TypedLine,
    /// The name of one that the server has.
    kept: Option<String>,
}

impl HeaderLine {
    pub(super) fn new(kept: Option<&Shown>) -> Self {
        let mut typed = TypedLine::of_at_most(LONGEST_SECRET);
        if let Some(name) = kept {
            typed.insert(&format!("{name}: "));
        }
        Self { typed, kept: kept.map(ToString::to_string) }
    }

    pub(super) fn parts(&self) -> (&str, &str) {
        let (name, value) = self.typed.as_str().split_once(':').unwrap_or((self.typed.as_str(), ""));
        (name.trim(), value.trim())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.typed.as_str().trim().is_empty()
    }

    fn keeps(&self) -> bool {
        let (name, value) = self.parts();
        value.is_empty() && self.kept.as_ref().is_some_and(|kept| kept.eq_ignore_ascii_case(name))
    }

    pub(super) fn header(&self) -> (String, Secret) {
        let (name, value) = self.parts();
        let value = if self.keeps() { Secret::Kept } else { Secret::Typed(Hidden::new(value)) };
        (name.to_owned(), value)
    }

    pub(super) fn shown(&self) -> String {
        let (name, value) = self.parts();
        match value {
            _ if self.is_empty() => String::new(),
            _ if self.keeps() => format!("{name}: (as it is)"),
            _ if !self.typed.as_str().contains(':') => name.to_owned(),
            _ if is_reference(value) => format!("{name}: {value}"),
            _ => format!("{name}: {}", "•".repeat(value.chars().count())),
        }
    }

    pub(super) fn wrong(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let (name, value) = self.parts();
        if !self.typed.as_str().contains(':') {
            return Some("a header is typed as Name: value".to_owned());
        }
        let valued = || match value {
            "" if self.keeps() => Ok(()),
            "" => Err(format!("the header {name} has no value")),
            _ if is_reference(value) => Ok(()),
            _ => checks::header_value(value),
        };
        checks::header_name(name).and_then(|()| valued()).err()
    }
}

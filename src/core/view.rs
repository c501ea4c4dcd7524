//! Saved views: queries for incidents that have a name and a key, from the settings of whoever looks.

use super::{keys::Chord, text::Shown};

/// A query under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    pub name: Shown,
    /// As it is typed; it was read once, so it is understood.
    pub query: String,
    /// `None`: only the list of views leads to it.
    pub key: Option<Chord>,
}

/// All of them, in the order of the settings. Names and keys are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedViews {
    pub all: Vec<SavedView>,
    /// Which one a console starts with, unless another one is remembered.
    pub first: Option<Shown>,
}

impl SavedViews {
    pub fn named(&self, name: &str) -> Option<&SavedView> {
        self.all.iter().find(|view| view.name.as_str() == name)
    }

    pub fn on_key(&self, chord: Chord) -> Option<&SavedView> {
        self.all.iter().find(|view| view.key == Some(chord))
    }

    /// The one that asks just this.
    pub fn asking(&self, query: &str) -> Option<&SavedView> {
        self.all.iter().find(|view| view.query == query)
    }
}

//! Saved views of the incidents: a name, a query, and a key each.

use jiff::{Timestamp, tz::TimeZone};

use super::{fields::Section, file::Reading};
use crate::core::{
    keys::{Chord, Key},
    query::{Clock, incident},
    text::Shown,
    view::{SavedView, SavedViews},
};

/// Columns of a name: it stands before the list.
const NAME: usize = 24;
/// Bytes of a query: as many as can be typed.
const QUERY: usize = 256;
/// The keys that views get in the order of the file, as far as nobody says otherwise.
const USUAL: std::ops::RangeInclusive<char> = '1'..='9';

impl Reading<'_, '_> {
    pub(super) fn views(&mut self, root: &Section<'_>) -> SavedViews {
        let mut views = SavedViews::default();
        for section in self.sections(root, "view") {
            let is_first = section.flag("default", self.to) == Some(true);
            let Some(view) = self.view(&section) else { continue };
            if views.named(view.name.as_str()).is_some() {
                self.to.add(section.at.clone(), format!("a second [[view]] named \"{}\"", view.name));
            }
            if let Some(key) = view.key.filter(|key| views.on_key(*key).is_some()) {
                self.to.add(section.at.clone(), format!("a second [[view]] on the key {key}"));
            }
            if is_first && views.first.replace(view.name.clone()).is_some() {
                self.to.add(section.at.clone(), "a second [[view]] with `default`: a console starts with one");
            }
            views.all.push(view);
        }
        give_keys(&mut views);
        views
    }

    fn view(&mut self, section: &Section<'_>) -> Option<SavedView> {
        section.need("name", self.to);
        section.need("query", self.to);
        let name = self.value(section, "name", name);
        let query = self.value(section, "query", query);
        let key = self.value(section, "key", key);
        Some(SavedView { name: name?, query: query?, key })
    }
}

/// Views without a key get the first of `alt-1` to `alt-9` that is free, in order.
fn give_keys(views: &mut SavedViews) {
    let mut free: Vec<Chord> = USUAL.map(alt).filter(|key| views.on_key(*key).is_none()).rev().collect();
    for view in views.all.iter_mut().filter(|view| view.key.is_none()) {
        view.key = free.pop();
    }
}

fn alt(c: char) -> Chord {
    Chord { ctrl: false, alt: true, shift: false, key: Key::Char(c) }
}

fn name(text: &str) -> Result<Shown, String> {
    let name = Shown::line(text);
    if text.trim().is_empty() || name.as_str() != text || crate::core::text::columns(text) > NAME {
        return Err(format!("`name` must be 1 to {NAME} columns of visible text"));
    }
    Ok(name)
}

fn query(text: &str) -> Result<String, String> {
    // A time in it is one of whoever looks; whether it is one does not depend on the moment.
    let clock = Clock { now: Timestamp::UNIX_EPOCH, zone: &TimeZone::UTC };
    if text.trim().is_empty() || text.len() > QUERY || text.contains(char::is_control) {
        return Err(format!("`query` must be 1 to {QUERY} bytes of text on one line"));
    }
    match incident::read(text, clock) {
        Ok(_) => Ok(text.to_owned()),
        Err(wrong) => Err(format!("`query`: {wrong}")),
    }
}

/// Keys that mean nothing else: with `alt`, a digit or a letter; or a function key.
fn key(text: &str) -> Result<Chord, String> {
    let wrong = || "`key` must be alt with a digit or a letter, as \"alt-1\", or \"f2\" to \"f12\"".to_owned();
    let chord: Chord = text.parse().map_err(|_| wrong())?;
    match chord {
        Chord { ctrl: false, alt: true, shift: false, key: Key::Char(c) } if c.is_ascii_alphanumeric() => Ok(chord),
        Chord { ctrl: false, alt: false, shift: false, key: Key::Function(2..=12) } => Ok(chord),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{ConfigError, parse};

    fn views(text: &str) -> Result<SavedViews, String> {
        match parse(text, Path::new("/etc/dogwatch.toml")) {
            Ok(settings) => Ok(settings.views),
            Err(ConfigError::Invalid { findings, .. }) => {
                Err(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            Err(other) => Err(other.to_string()),
        }
    }

    #[test]
    fn views_have_the_key_they_ask_for_or_the_next_that_is_free() {
        let read = views(
            "[[view]]\nname = \"mine\"\nquery = \"is:mine\"\ndefault = true\n\
             [[view]]\nname = \"loud\"\nquery = \"urgency:high age:>1h\"\nkey = \"alt-1\"\n\
             [[view]]\nname = \"pay\"\nquery = \"service:\\\"Payments API\\\"\"\nkey = \"f5\"\n\
             [[view]]\nname = \"week\"\nquery = \"since:7d\"\n",
        )
        .expect("views");

        let keys: Vec<_> =
            read.all.iter().map(|view| (view.name.as_str(), view.key.map(|key| key.to_string()))).collect();
        let said = |key: &str| Some(key.to_owned());
        assert_eq!(
            keys,
            [("mine", said("alt-2")), ("loud", said("alt-1")), ("pay", said("f5")), ("week", said("alt-3"))]
        );
        assert_eq!(read.first, Some("mine".into()));
    }

    #[test]
    fn what_is_wrong_with_a_view_is_told_with_its_place_and_its_column() {
        let one = "[[view]]\nname = \"mine\"\nquery = \"is:mine\"\n";
        for (text, said) in [
            (
                "[[view]]\nname = \"x\"\nquery = \"status:opn\"\n".to_owned(),
                "line 3, column 9: `query`: column 8: status: `opn` is not known, perhaps `open`",
            ),
            (
                format!("{one}key = \"q\"\n"),
                "line 4, column 7: `key` must be alt with a digit or a letter, as \"alt-1\", or \"f2\" to \"f12\"",
            ),
            (format!("{one}{one}"), "line 4, column 1: a second [[view]] named \"mine\""),
            (
                format!("{one}key = \"f2\"\n[[view]]\nname = \"b\"\nquery = \"b\"\nkey = \"f2\"\n"),
                "line 5, column 1: a second [[view]] on the key f2",
            ),
            (
                format!("{one}default = true\n[[view]]\nname = \"b\"\nquery = \"b\"\ndefault = true\n"),
                "line 5, column 1: a second [[view]] with `default`: a console starts with one",
            ),
            ("[[view]]\nname = \"x\"\n".to_owned(), "line 1, column 1: [[view]] needs `query`"),
            (
                "[[view]]\nname = \"\\u001b[2J\"\nquery = \"x\"\n".to_owned(),
                "line 2, column 8: `name` must be 1 to 24 columns of visible text",
            ),
            (
                "[[view]]\nname = \"x\"\nquery = \"\"\n".to_owned(),
                "line 3, column 9: `query` must be 1 to 256 bytes of text on one line",
            ),
        ] {
            assert_eq!(views(&text), Err(said.to_owned()), "{text}");
        }
    }
}

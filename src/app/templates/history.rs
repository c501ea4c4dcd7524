//! The former versions of an open template: what they said, and how that differs from what is there now.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    app::{
        Effect, Model, NoticeKind,
        list::{Cursor, Step},
        wait::Wait,
    },
    core::{
        diff::{Line, difference},
        keys::{Chord, Key},
        template::{TemplateHistory, TemplateVersion, Version},
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

use super::{
    editor::Editor,
    preview::{PreviewLine, compared},
    tell, why,
};

/// The list of versions, open over the editor.
#[derive(Debug, Default)]
pub struct History {
    asked: Option<Wait>,
    pub listed: Option<Result<TemplateHistory, Shown>>,
    pub cursor: Cursor<Version>,
    /// Texts that were looked at.
    texts: BTreeMap<Version, Result<String, Shown>>,
    reading: Option<(Wait, Version)>,
    restoring: Option<(Wait, Version)>,
    /// Restoring was asked for, and the person is being asked.
    pub confirming: bool,
    /// Lines of the difference scrolled by.
    pub scroll: usize,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    pub version: Version,
    /// `None`: the built-in one.
    pub kept: Option<&'a TemplateVersion>,
}

impl History {
    /// The former versions, newest first, and at the end the built-in one where there is one.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let Some(Ok(history)) = &self.listed else { return vec![] };
        let former = history.former.iter().map(|kept| Row { version: Version::Number(kept.number), kept: Some(kept) });
        let built_in = history.built_in.then_some(Row { version: Version::BuiltIn, kept: None });
        former.chain(built_in).collect()
    }

    fn versions(&self) -> Vec<Version> {
        self.rows().iter().map(|row| row.version).collect()
    }

    /// The text of the selected version, as far as it is known.
    pub fn text(&self) -> Option<&Result<String, Shown>> {
        self.texts.get(self.cursor.selected()?)
    }

    /// How the selected version differs from `present`: what is gone since, and what is new. `None`: not known yet.
    pub fn difference<'a>(&'a self, present: &'a str) -> Option<Result<Vec<Line<'a>>, &'a Shown>> {
        Some(self.text()?.as_ref().map(|former| difference(former, present)))
    }

    /// The same as lines of at most `width` columns.
    pub fn lines<'a>(&'a self, present: &'a str, width: usize) -> Vec<PreviewLine<'a>> {
        let inner = width.saturating_sub(2);
        match self.difference(present) {
            None => vec![],
            Some(Err(cause)) => vec![PreviewLine::Fault(cause.to_string())],
            Some(Ok(lines)) if lines.is_empty() => vec![PreviewLine::Remark("the same as the present text".into())],
            Some(Ok(lines)) => compared(&lines, inner),
        }
    }

    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.asked.is_some_and(|wait| wait.overdue(now))
    }

    /// What was asked will not be answered.
    pub(super) fn detached(&mut self) {
        (self.asked, self.reading) = (None, None);
    }
}

/// Asks for what is to be shown and not known.
pub(super) fn ask(model: &mut Model, name: &str, history: &mut History) -> Vec<Effect> {
    let mut effects = vec![];
    let now = model.now;
    history.asked.take_if(|wait| wait.overdue(now));
    history.reading.take_if(|(wait, _)| wait.overdue(now));
    if history.listed.is_none() && history.asked.is_none() {
        let asked = Wait::ask(model, Request::TemplateHistory { name: name.to_owned() });
        effects.extend(asked.map(|(wait, effect)| {
            history.asked = Some(wait);
            effect
        }));
    }
    if let (Some(version), None) = (history.cursor.selected().copied(), &history.reading)
        && !history.texts.contains_key(&version)
    {
        let asked = Wait::ask(model, Request::TemplateVersion { name: name.to_owned(), version });
        effects.extend(asked.map(|(wait, effect)| {
            history.reading = Some((wait, version));
            effect
        }));
    }
    effects
}

pub(super) fn settle(history: &mut History, lines: usize, (list, page): (usize, usize)) {
    let versions = history.versions();
    history.cursor.settle(&versions, list);
    history.cursor.hold_first_if_none(&versions);
    history.scroll = history.scroll.min(lines.saturating_sub(page));
}

/// What an answer was to; `None`: none that is waited for here.
pub(super) enum Took {
    Shown,
    /// This version is the present one now.
    Restored(Version, String),
    Refused(String),
}

pub(super) fn take(history: &mut History, id: RequestId, answer: &Result<Answer, String>) -> Option<Took> {
    if history.asked.take_if(|wait| wait.is(id)).is_some() {
        history.listed = Some(match answer {
            Ok(Answer::TemplateHistory { history, .. }) => Ok(history.clone()),
            other => Err(Shown::line(why(other))),
        });
        return Some(Took::Shown);
    }
    if let Some((_, version)) = history.reading.take_if(|(wait, _)| wait.is(id)) {
        let text = match answer {
            Ok(Answer::TemplateVersion { text, .. }) => Ok(text.clone()),
            other => Err(Shown::line(why(other))),
        };
        history.texts.insert(version, text);
        return Some(Took::Shown);
    }
    let (_, version) = history.restoring.take_if(|(wait, _)| wait.is(id))?;
    Some(match (answer, history.texts.get(&version)) {
        (Ok(Answer::Saved { .. }), Some(Ok(text))) => {
            let text = text.clone();
            // The list is another now.
            (history.listed, history.confirming) = (None, false);
            history.cursor = Cursor::default();
            Took::Restored(version, text)
        }
        (other, _) => Took::Refused(why(other).to_owned()),
    })
}

/// What a key led to.
pub(super) enum Did {
    Nothing,
    Closed,
    /// This text goes into the editor, unsaved.
    Took(String),
    Ask(Effect),
}

pub(super) fn press(model: &mut Model, editor: &Editor, history: &mut History, chord: Chord, height: usize) -> Did {
    if history.confirming {
        return confirm(model, editor, history, chord);
    }
    let step = match chord.key {
        Key::Esc | Key::Char('q') => return Did::Closed,
        Key::Enter => {
            return match history.text() {
                Some(Ok(text)) => Did::Took(text.clone()),
                Some(Err(_)) | None => Did::Nothing,
            };
        }
        Key::Char('r') => {
            want_restore(model, editor, history);
            return Did::Nothing;
        }
        Key::Down if chord.alt => return scrolled(history, 1),
        Key::Up if chord.alt => return scrolled(history, -1),
        Key::PageDown | Key::Char(' ') => return scrolled(history, 5),
        Key::PageUp => return scrolled(history, -5),
        Key::Down | Key::Char('j') => Step::Down,
        Key::Up | Key::Char('k') => Step::Up,
        Key::Home | Key::Char('g') => Step::Top,
        Key::End | Key::Char('G') => Step::Bottom,
        _ => return Did::Nothing,
    };
    history.scroll = 0;
    let versions = history.versions();
    history.cursor.step(step, &versions, height);
    Did::Nothing
}

fn scrolled(history: &mut History, by: isize) -> Did {
    history.scroll = history.scroll.saturating_add_signed(by);
    Did::Nothing
}

fn want_restore(model: &mut Model, editor: &Editor, history: &mut History) {
    if editor.is_unsaved() {
        let text = "there is unsaved text: enter puts the version into the editor instead, ctrl-u takes that back";
        tell(model, NoticeKind::Bad, text);
    } else if let Some(watching) = model.watching().map(str::to_owned) {
        tell(model, NoticeKind::Bad, &format!("you may look, not save: {watching}"));
    } else if matches!(history.text(), Some(Ok(_))) && history.restoring.is_none() {
        history.confirming = true;
    }
}

fn confirm(model: &mut Model, editor: &Editor, history: &mut History, chord: Chord) -> Did {
    match chord.key {
        Key::Char('y') | Key::Enter => {}
        Key::Esc | Key::Char('n') => {
            history.confirming = false;
            return Did::Nothing;
        }
        _ => return Did::Nothing,
    }
    history.confirming = false;
    let Some(version) = history.cursor.selected().copied() else { return Did::Nothing };
    let (name, base) = (editor.name.clone(), editor.base.clone().unwrap_or_default());
    match Wait::ask_aloud(model, Request::RestoreTemplate { name, version, base }) {
        Some((wait, effect)) => {
            history.restoring = Some((wait, version));
            Did::Ask(effect)
        }
        None => Did::Nothing,
    }
}

//! How a text goes to the server, and what is said of it then.

use crate::{
    app::{Effect, Model, NoticeKind, wait::Wait},
    core::template::Version,
    proto::{Answer, Request},
};

use super::{
    editor::{Draft, Editor},
    history::History,
    opening::{Opening, Then},
    tell, why,
};

#[derive(Debug)]
pub(super) struct Saving {
    pub(super) wait: Wait,
    pub(super) name: String,
    pub(super) text: String,
}

pub(super) fn save(model: &mut Model, editor: &Editor) -> Vec<Effect> {
    let now = model.now;
    if editor.locked.is_some() {
        tell(model, NoticeKind::Bad, "it has hidden characters and is only shown: c takes them out");
        return vec![];
    }
    if !editor.is_unsaved() && !editor.is_new() {
        tell(model, NoticeKind::Good, &format!("{}: nothing to save", editor.name));
        return vec![];
    }
    if model.templates.saving.as_ref().is_some_and(|saving| !saving.wait.overdue(now)) {
        return vec![];
    }
    let (name, text) = (editor.name.clone(), editor.text());
    let request = Request::SaveTemplate { name: name.clone(), text: text.clone(), base: editor.base.clone() };
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    tell(model, NoticeKind::Working, &format!("saving {name}…"));
    model.templates.saving = Some(Saving { wait, name, text });
    vec![effect]
}

pub(super) fn saved_words(name: &str) -> String {
    format!("{name} is saved")
}

/// The server holds `text` now. A broken one is saved too, as one may want to go on tomorrow, but not in silence.
pub(super) fn tell_saved(model: &mut Model, name: &str, text: &str) {
    let editor = model.templates.editor.as_ref().filter(|editor| editor.name == name && editor.text() == text);
    match editor.and_then(|editor| editor.preview.wrong()) {
        Some(wrong) => tell(model, NoticeKind::Bad, &format!("{}, but {wrong}", saved_words(name))),
        None => tell(model, NoticeKind::Good, &saved_words(name)),
    }
}

pub(super) fn saved(model: &mut Model, saving: Saving, answer: &Result<Answer, String>) -> Vec<Effect> {
    let Saving { name, text, .. } = saving;
    let Ok(Answer::Saved { .. }) = answer else {
        tell(model, NoticeKind::Bad, &format!("{name} was not saved: {}", why(answer)));
        return compare_with_stored(model, name);
    };
    tell_saved(model, &name, &text);
    if let Some(editor) = model.templates.editor.as_mut().filter(|editor| editor.name == name) {
        editor.saved(&text);
    }
    if let Some(draft) = model.templates.drafts.get_mut(&name) {
        draft.base = Some(text.clone());
        draft.clean.clone_from(&text);
    }
    model.templates.drafts.retain(|_, draft| draft.text != draft.clean);
    vec![]
}

/// Asks what is stored, in case that is why a save was refused.
pub(super) fn compare_with_stored(model: &mut Model, name: String) -> Vec<Effect> {
    if model.templates.editor.as_ref().is_none_or(|editor| editor.name != name) {
        return vec![];
    }
    let Some((wait, effect)) = Wait::ask(model, Request::Template { name: name.clone() }) else { return vec![] };
    model.templates.opening = Some(Opening { wait, name, then: Then::Compare });
    vec![effect]
}

/// A former version is what the server holds now.
pub(super) fn restored_version(model: &mut Model, version: Version, text: &str) {
    let Some(editor) = model.templates.editor.as_mut() else { return };
    let (draft, hidden) = Draft::of(&editor.name, text.to_owned());
    let mut new = Editor::new(editor.name.clone(), draft, hidden);
    new.history = Some(History::default());
    new.saved = version != Version::BuiltIn;
    let name = editor.name.clone();
    *editor = new;
    let what = match version {
        Version::BuiltIn => format!("{name} is the built-in one again"),
        Version::Number(number) => format!("version {number} of {name} is the present one again"),
    };
    tell(model, NoticeKind::Good, &format!("{what}; what it took the place of is kept"));
}

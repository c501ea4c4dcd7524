//! How a template comes into the editor: from the server, from what was left unsaved, or as a new one.

use crate::{
    app::{Effect, Link, Model, NoticeKind, wait::Wait},
    core::words,
    proto::{Answer, Request},
};

use super::{
    drafts::{Differs, DraftId},
    editor::{Draft, Editor},
    hidden,
    history::History,
    hush, settle, tell, why,
};

#[derive(Debug)]
pub struct Opening {
    pub wait: Wait,
    pub name: String,
    pub(super) then: Then,
}

/// What a template's text was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Then {
    Edit,
    ShowVersions,
    /// A draft that was found goes on from it.
    Restore(DraftId),
    /// The text in the editor was refused when it was to be saved.
    Compare,
}

pub(super) fn open_selected(model: &mut Model, then: Then) -> Vec<Effect> {
    match model.templates.cursor.selected().cloned() {
        Some(name) => open_for(model, name, then),
        None => vec![],
    }
}

pub(super) fn open(model: &mut Model, name: String) -> Vec<Effect> {
    open_for(model, name, Then::Edit)
}

/// Opens what was left unsaved, or asks the server for the text.
pub(super) fn open_for(model: &mut Model, name: String, then: Then) -> Vec<Effect> {
    if let Some(draft) = model.templates.drafts.get(&name).cloned() {
        model.templates.opening = None;
        let mut editor = Editor::new(name, draft, 0);
        editor.history = (then == Then::ShowVersions).then(History::default);
        model.templates.editor = Some(editor);
        return settle(model);
    }
    let found = model.templates.found.iter().find(|(_, draft)| draft.name == name);
    let found = found.map(|(id, draft)| (id.clone(), draft.base.clone()));
    let is_stored = model.board.templates.iter().any(|summary| summary.name == name);
    match (found.clone(), &model.link) {
        (Some((id, _)), Link::Up(_)) if !is_stored => {
            go_on_from(model, &id, None);
            return settle(model);
        }
        // One's own text can be had without a server; whether another was saved is asked when it is to be saved.
        (Some((id, base)), Link::Connecting | Link::Lost { .. }) => {
            go_on_from(model, &id, base);
            return settle(model);
        }
        _ => {}
    }
    let waiting =
        |opening: &Opening| opening.name == name && opening.then != Then::Compare && !opening.wait.overdue(model.now);
    if model.templates.opening.as_ref().is_some_and(waiting) {
        return vec![];
    }
    ask_for_text(model, name, found.map_or(then, |(id, _)| Then::Restore(id)))
}

pub(super) fn ask_for_text(model: &mut Model, name: String, then: Then) -> Vec<Effect> {
    let request = Request::Template { name: name.clone() };
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    model.templates.opening = Some(Opening { wait, name, then });
    vec![effect]
}

pub(super) fn opened(model: &mut Model, opening: Opening, answer: &Result<Answer, String>) {
    let Opening { name, then, .. } = opening;
    let Ok(Answer::Template { text, .. }) = answer else {
        if then == Then::Compare {
            return;
        }
        return tell(model, NoticeKind::Bad, &format!("{name} was not opened: {}", why(answer)));
    };
    match then {
        Then::Edit | Then::ShowVersions => {
            let (draft, hidden) = Draft::of(&name, text.clone());
            let elsewhere = model.templates.elsewhere.contains(&name);
            if elsewhere {
                let text = format!("another console of yours had unsaved text of {name} when this one was started");
                tell(model, NoticeKind::Bad, &text);
            }
            let mut editor = Editor::new(name, draft, hidden);
            editor.history = (then == Then::ShowVersions).then(History::default);
            model.templates.editor = Some(editor);
        }
        Then::Restore(id) => go_on_from(model, &id, Some(text.clone())),
        Then::Compare => {
            let other = |editor: &mut Editor| editor.name == name && editor.base.as_ref() != Some(text);
            let Some(editor) = model.templates.editor.take_if(other) else { return };
            // The screen says it now, and below it what can be done.
            hush(model);
            model.templates.differs = Some(Differs::refused(&editor, Some(text.clone())));
        }
    }
}

/// Goes on from a draft that was found, when it stands to what is stored as it did; else the person is to choose.
pub(super) fn go_on_from(model: &mut Model, id: &DraftId, stored: Option<String>) {
    let Some(at) = model.templates.found.iter().position(|(known, _)| known == id) else { return };
    let (id, draft) = model.templates.found.remove(at);
    model.templates.disk.hold(&id);
    if stored.as_ref().is_some_and(|stored| hidden::strip(stored).text == draft.text) {
        let text = format!("the unsaved text of {} is what is saved by now", draft.name);
        let (fresh, hidden) = Draft::of(&draft.name, stored.unwrap_or_default());
        model.templates.editor = Some(Editor::new(draft.name, fresh, hidden));
        return tell(model, NoticeKind::Good, &text);
    }
    let changed = draft.base != stored;
    let differs = Differs::restored(id, draft, stored);
    if changed {
        model.templates.differs = Some(differs);
    } else {
        restore(model, differs);
    }
}

/// Goes on with the text that is not saved, knowing what is stored.
pub(super) fn restore(model: &mut Model, differs: Differs) {
    let Differs { name, place, mine, stored, kept_at, .. } = differs;
    let clean = stored.as_deref().map(|stored| hidden::strip(stored).text).unwrap_or_default();
    let mine = hidden::strip(&mine).text;
    let draft = Draft { text: mine, clean, base: stored, place, restored: kept_at };
    model.templates.editor = Some(Editor::new(name.clone(), draft, 0));
    if let Some(at) = kept_at {
        let when = words::moment(at, model.now, &model.zone);
        tell(model, NoticeKind::Good, &format!("{name}: your unsaved text of {when} is restored; ctrl-s saves it"));
    }
}

/// Goes on with what is stored.
pub(super) fn discard(model: &mut Model, differs: &Differs) {
    let name = differs.name.clone();
    let (draft, hidden) = match differs.stored.clone() {
        Some(stored) => Draft::of(&name, stored),
        None => (Draft::empty(&name), 0),
    };
    model.templates.drafts.remove(&name);
    tell(model, NoticeKind::Good, &format!("{name}: the unsaved text is discarded"));
    if differs.stored.is_some() {
        model.templates.editor = Some(Editor::new(name, draft, hidden));
    }
}

/// Not now: the text stays unsaved, and is kept.
pub(super) fn put_back(model: &mut Model, differs: Differs) {
    let name = differs.name.clone();
    let draft = differs.into_draft();
    model.templates.drafts.insert(name, draft);
}

/// Starts a template that does not exist yet.
pub(super) fn create(model: &mut Model, name: String) {
    model.templates.opening = None;
    let draft = Draft::empty(&name);
    model.templates.editor = Some(Editor::new(name, draft, 0));
}

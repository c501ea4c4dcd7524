//! Keys while something is typed in the templates view: a name, a filter, a template. Everything goes
//! into the text but what leaves it or quits.

use crate::{
    app::{
        Effect, Model, NoticeKind, View,
        filter::{self, Typed},
        keys::{Action, resolve},
        typing::{TypedLine, editor_input},
    },
    core::keys::{Chord, Key},
};

use super::{
    create,
    editor::Editor,
    hidden::is_hidden,
    hush, open, save,
    source::{Pick, Picked},
    step, tell,
};

/// The longest name of a template.
const NAME_LIMIT: usize = 64;
const NAME_RULE: &str = "a name has lower-case letters, digits, - and _ only";
/// The longest text that is pasted at once, in bytes.
const PASTE_LIMIT: usize = 256 * 1024;

pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    if chord.ctrl && matches!(chord.key, Key::Char('c' | 'z')) {
        return None;
    }
    if !name_was_refused(model) || matches!(chord.key, Key::Enter | Key::Esc) {
        hush(model);
    }
    if let Some(name) = model.templates.naming.take() {
        return Some(name_key(model, name, chord));
    }
    if let Some(editor) = model.templates.editor.take() {
        return Some(editor_key(model, editor, chord));
    }
    if let Typed::Step(by) = model.templates.filter.take(chord)? {
        step(model, by);
    }
    Some(vec![])
}

pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let state = &mut model.templates;
    if let Some(name) = &mut state.naming {
        name.insert(&text.chars().filter(|c| belongs_in_a_name(*c)).collect::<String>());
        if !text.chars().all(belongs_in_a_name) {
            tell(model, NoticeKind::Bad, &format!("some of it is left out: {NAME_RULE}"));
        }
        return true;
    }
    let Some(editor) = &mut state.editor else { return state.filter.paste(text) };
    if let Some(pick) = &mut editor.pick {
        return pick.filter.paste(text);
    }
    if editor.leaving || editor.locked.is_some() {
        return true;
    }
    if text.len() > PASTE_LIMIT {
        tell(model, NoticeKind::Bad, "too long to paste: more than 256 KiB");
        return true;
    }
    let hidden = editor.paste(text);
    if hidden > 0 {
        tell(model, NoticeKind::Bad, &format!("pasted without {}", hidden_words(hidden)));
    }
    true
}

fn hidden_words(hidden: usize) -> String {
    format!("{hidden} hidden {}", if hidden == 1 { "character" } else { "characters" })
}

/// Whether a character of the name being typed was left out. That is said until the name is given: what is
/// typed next is not to hide it.
fn name_was_refused(model: &Model) -> bool {
    let state = &model.templates;
    state.naming.is_some() && state.said.as_ref().is_some_and(|said| said.as_str().ends_with(NAME_RULE))
}

fn belongs_in_a_name(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')
}

fn name_key(model: &mut Model, mut name: TypedLine, chord: Chord) -> Vec<Effect> {
    match chord.key {
        Key::Esc => return vec![],
        Key::Enter => return name_given(model, name),
        Key::Char(c) if !chord.ctrl && !chord.alt && !belongs_in_a_name(c) => {
            tell(model, NoticeKind::Bad, &format!("`{c}` is left out: {NAME_RULE}"));
        }
        _ => {
            name.take(chord);
        }
    }
    model.templates.naming = Some(name);
    vec![]
}

fn name_given(model: &mut Model, name: TypedLine) -> Vec<Effect> {
    let text = name.as_str().to_owned();
    if text.is_empty() || text.len() > NAME_LIMIT {
        tell(model, NoticeKind::Bad, &format!("a name has 1 to {NAME_LIMIT} characters"));
        model.templates.naming = Some(name);
        return vec![];
    }
    let known = model.board.templates.iter().any(|summary| summary.name == text);
    if known || model.templates.drafts.contains_key(&text) {
        tell(model, NoticeKind::Good, &format!("{text} exists: opened"));
        return open(model, text);
    }
    create(model, text);
    vec![]
}

fn editor_key(model: &mut Model, mut editor: Editor, chord: Chord) -> Vec<Effect> {
    if editor.leaving {
        leaving_key(model, editor, chord);
        return vec![];
    }
    if let Some(pick) = editor.pick.take() {
        pick_key(model, &mut editor, pick, chord);
        model.templates.editor = Some(editor);
        return vec![];
    }
    let mut effects = vec![];
    match resolve(chord, View::Templates) {
        Some(Action::Save) => effects = save(model, &editor),
        Some(Action::PickDelivery) => editor.pick = Some(Pick::at(&model.templates.source)),
        Some(Action::PreviewDown) => editor.scroll += 1,
        Some(Action::PreviewUp) => editor.scroll = editor.scroll.saturating_sub(1),
        _ if chord.key == Key::Esc => {
            if !editor.is_unsaved() {
                model.templates.drafts.remove(&editor.name);
                return vec![];
            }
            editor.leaving = true;
        }
        _ => text_key(model, &mut editor, chord),
    }
    model.templates.editor = Some(editor);
    effects
}

/// A key for the text itself.
fn text_key(model: &mut Model, editor: &mut Editor, chord: Chord) {
    let moves = matches!(
        chord.key,
        Key::Up | Key::Down | Key::Left | Key::Right | Key::Home | Key::End | Key::PageUp | Key::PageDown
    );
    match chord.key {
        _ if editor.locked.is_some() && chord.key == Key::Char('c') => {
            let hidden = editor.unlock();
            tell(model, NoticeKind::Good, &format!("{} taken out: not saved yet", hidden_words(hidden)));
        }
        _ if editor.locked.is_some() && !moves => {
            tell(model, NoticeKind::Bad, "it has hidden characters and is only shown: c takes them out");
        }
        // Back-tab: the editor would indent.
        Key::Tab if chord.shift => {}
        Key::Char(c) if !chord.ctrl && is_hidden(c, true) => {
            tell(model, NoticeKind::Bad, "a hidden character: left out");
        }
        _ => editor.preview.wanted |= editor.area.input(editor_input(chord)),
    }
}

/// Unsaved changes: discard them, keep them for later, or stay.
fn leaving_key(model: &mut Model, mut editor: Editor, chord: Chord) {
    match chord.key {
        Key::Enter | Key::Char('y') => {
            model.templates.drafts.remove(&editor.name);
            tell(model, NoticeKind::Good, &format!("{}: changes discarded", editor.name));
        }
        Key::Char('k') => {
            tell(model, NoticeKind::Good, &format!("{}: kept, not saved", editor.name));
            model.templates.drafts.insert(editor.name.clone(), editor.draft());
        }
        key => {
            editor.leaving = key != Key::Esc;
            model.templates.editor = Some(editor);
        }
    }
}

fn pick_key(model: &mut Model, editor: &mut Editor, mut pick: Pick, chord: Chord) {
    match pick.take(model, chord, pick_height(model)) {
        Picked::Open => editor.pick = Some(pick),
        Picked::Closed => {}
        Picked::Source(source) => {
            model.templates.source = source;
            editor.preview.wanted = true;
        }
    }
}

/// Lines of the list of sources: one is its title, one what is typed.
pub(super) fn pick_height(model: &Model) -> usize {
    filter::body(model).height.saturating_sub(2).into()
}

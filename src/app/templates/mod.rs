//! The templates view: the list, and one template open in an editor with a live preview. Unsaved text
//! is kept by the template's name until the person saves or discards it.

pub mod editor;
mod hidden;
mod keys;
pub mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::{
    core::{keys::Chord, template::TemplateSummary, text::Shown},
    proto::{Answer, Request, RequestId},
};

use super::{
    Effect, Model, NoticeKind,
    filter::{self, Filter},
    keys::Action,
    list::{Cursor, Step},
    typing::TypedLine,
    wait::Wait,
};
use editor::{Draft, Editor};
use source::Source;

/// Lines above the list: what it is.
pub const TITLE: u16 = 1;

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) cursor: Cursor<String>,
    pub(crate) filter: Filter,
    /// The name of a new template, being typed.
    pub(crate) naming: Option<TypedLine>,
    /// The template whose text was asked for.
    pub(crate) opening: Option<Opening>,
    pub(crate) editor: Option<Editor>,
    /// What the next preview is rendered on.
    pub(crate) source: Source,
    drafts: BTreeMap<String, Draft>,
    /// The last thing this view said: gone with the next key, while other news stay.
    said: Option<Shown>,
    saving: Option<Saving>,
}

#[derive(Debug)]
pub struct Opening {
    pub wait: Wait,
    pub name: String,
}

#[derive(Debug)]
struct Saving {
    wait: Wait,
    name: String,
    text: String,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    pub name: &'a str,
    /// `None`: not saved yet.
    pub summary: Option<&'a TemplateSummary>,
    pub unsaved: bool,
}

impl State {
    /// The templates with text that is not saved, by name.
    pub fn unsaved(&self) -> Vec<&str> {
        let open = self.editor.as_ref().filter(|editor| editor.is_unsaved()).map(|editor| editor.name.as_str());
        let mut names: Vec<_> = self.drafts.keys().map(String::as_str).chain(open).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether text typed here is on its way to the server.
    pub fn is_saving(&self, name: &str) -> bool {
        self.saving.as_ref().is_some_and(|saving| saving.name == name)
    }
}

/// The lines of the list: the server's templates, and new ones that were never saved.
pub(crate) fn rows(model: &Model) -> Vec<Row<'_>> {
    let state = &model.templates;
    let words = state.filter.words();
    let known = model.board.templates.iter().map(|summary| Row {
        name: &summary.name,
        summary: Some(summary),
        unsaved: state.drafts.contains_key(&summary.name),
    });
    let is_new = |name: &&String| model.board.templates.iter().all(|summary| summary.name != **name);
    let new = state.drafts.keys().filter(is_new).map(|name| Row { name, summary: None, unsaved: true });
    known.chain(new).filter(|row| words.admit(&[row.name])).collect()
}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Filter => model.templates.filter.open(),
        Action::NewTemplate => model.templates.naming = Some(TypedLine::default()),
        Action::Open => return open_selected(model),
        Action::Back => back(model),
        _ => {
            if let Some(by) = Step::of(action) {
                step(model, by);
            }
        }
    }
    settle(model)
}

fn back(model: &mut Model) {
    if model.templates.opening.take().is_none() {
        model.templates.filter.clear();
    }
}

/// A key while text is being typed in this view (a filter line, the editor); `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let mut effects = keys::typed(model, chord)?;
    effects.extend(settle(model));
    Some(effects)
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    keys::pasted(model, text)
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let state = &mut model.templates;
    if let Some(opening) = state.opening.take_if(|opening| opening.wait.is(id)) {
        opened(model, opening.name, answer);
    } else if let Some(saving) = state.saving.take_if(|saving| saving.wait.is(id)) {
        saved(model, saving, answer);
    } else {
        let editor = state.editor.as_mut()?;
        editor.preview.asked.take_if(|wait| wait.is(id))?;
        editor.preview.last = Some(match answer {
            Ok(Answer::Preview { preview }) => Ok(preview.clone()),
            other => Err(Shown::line(why(other))),
        });
        let (name, text) = (editor.name.clone(), editor.base.clone());
        if state.said.as_ref().is_some_and(|said| said.as_str() == saved_words(&name)) {
            tell_saved(model, &name, text.as_deref().unwrap_or_default());
        }
    }
    Some(settle(model))
}

/// A request went out and no answer came; `None`: not asked here. What only reads is told like a refusal,
/// elsewhere.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> Option<Vec<Effect>> {
    let state = &mut model.templates;
    if let Some(saving) = state.saving.take_if(|saving| saving.wait.is(id)) {
        let text = format!("whether {} was saved is not known: {why}", saving.name);
        tell(model, NoticeKind::Bad, &text);
        return Some(vec![]);
    }
    let preview = &mut state.editor.as_mut()?.preview;
    preview.asked.take_if(|wait| wait.is(id))?;
    preview.last = Some(Err(Shown::line(why)));
    preview.wanted = true;
    Some(vec![])
}

/// The link stands anew: what could not be asked is asked now.
pub(super) fn attached(model: &mut Model) {
    if let Some(preview) = model.templates.editor.as_mut().map(|editor| &mut editor.preview) {
        preview.wanted |= matches!(preview.last, Some(Err(_)));
    }
}

/// The cause of a refusal; also of an answer to another question, which no server of this protocol gives.
fn why(answer: &Result<Answer, String>) -> &str {
    match answer {
        Ok(_) => "the server's answer does not belong to the question",
        Err(cause) => cause,
    }
}

/// The link broke: what was asked will not be answered.
pub(super) fn detached(model: &mut Model) {
    let state = &mut model.templates;
    if let Some(preview) = state.editor.as_mut().map(|editor| &mut editor.preview) {
        preview.wanted |= preview.asked.take().is_some();
    }
    let opening = state.opening.take();
    if let Some(saving) = state.saving.take() {
        let text = format!("the link to the server broke: whether {} was saved is not known", saving.name);
        tell(model, NoticeKind::Bad, &text);
    } else if let Some(opening) = opening {
        tell(model, NoticeKind::Bad, &format!("{} was not opened: the link to the server broke", opening.name));
    }
}

/// Says something about what is typed here.
fn tell(model: &mut Model, kind: NoticeKind, text: &str) {
    model.say(kind, text);
    model.templates.said = Some(Shown::line(text));
}

/// Takes back what [`tell`] said last, if it still stands there.
fn hush(model: &mut Model) {
    if let Some(said) = model.templates.said.take() {
        model.notice.take_if(|notice| notice.kind != NoticeKind::Working && notice.text == said);
    }
}

/// Rows or sizes changed, or the text did.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    let names: Vec<_> = rows(model).iter().map(|row| row.name.to_owned()).collect();
    let height = list_height(model);
    model.templates.cursor.settle(&names, height);
    model.templates.cursor.select_first_if_none(&names);
    let Some(mut editor) = model.templates.editor.take() else { return vec![] };
    if let Some(pick) = &mut editor.pick {
        pick.settle(model, keys::pick_height(model));
    }
    let effects = render(model, &mut editor);
    keep_in_sight(model, &mut editor);
    model.templates.editor = Some(editor);
    effects
}

/// Asks for the preview when the text is another and no answer is waited for: of the texts in between, only
/// the newest is rendered.
fn render(model: &mut Model, editor: &mut Editor) -> Vec<Effect> {
    let now = model.now;
    let lost = editor.preview.asked.take_if(|wait| wait.overdue(now)).is_some();
    if editor.preview.asked.is_some() || !(editor.preview.wanted || lost) {
        return vec![];
    }
    let request = Request::Render { text: editor.text(), delivery: model.templates.source.delivery() };
    editor.preview.wanted = true;
    let Some((wait, effect)) = Wait::ask(model, request) else { return vec![] };
    editor.preview.asked = Some(wait);
    editor.preview.wanted = false;
    vec![effect]
}

fn keep_in_sight(model: &Model, editor: &mut Editor) {
    let area = editor::editor_areas(filter::body(model)).preview;
    let lines = editor.preview.lines(area.width.into()).len();
    editor.scroll = editor.scroll.min(lines.saturating_sub(area.height.into()));
}

fn list_height(model: &Model) -> usize {
    filter::list_areas(filter::body(model), TITLE, &model.templates.filter).rows.height.into()
}

fn step(model: &mut Model, by: Step) {
    let names: Vec<_> = rows(model).iter().map(|row| row.name.to_owned()).collect();
    let height = list_height(model);
    model.templates.cursor.step(by, &names, height);
}

fn open_selected(model: &mut Model) -> Vec<Effect> {
    match model.templates.cursor.selected().cloned() {
        Some(name) => open(model, name),
        None => vec![],
    }
}

/// Opens what was left unsaved, or asks the server for the text.
fn open(model: &mut Model, name: String) -> Vec<Effect> {
    if let Some(draft) = model.templates.drafts.get(&name).cloned() {
        model.templates.opening = None;
        model.templates.editor = Some(Editor::new(name, draft, 0));
        return settle(model);
    }
    let waiting = |opening: &Opening| opening.name == name && !opening.wait.overdue(model.now);
    if model.templates.opening.as_ref().is_some_and(waiting) {
        return vec![];
    }
    let request = Request::Template { name: name.clone() };
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    model.templates.opening = Some(Opening { wait, name });
    vec![effect]
}

fn opened(model: &mut Model, name: String, answer: &Result<Answer, String>) {
    match answer {
        Ok(Answer::Template { text, .. }) => {
            let (draft, hidden) = Draft::of(text.clone());
            model.templates.editor = Some(Editor::new(name, draft, hidden));
        }
        other => tell(model, NoticeKind::Bad, &format!("{name} was not opened: {}", why(other))),
    }
}

/// Starts a template that does not exist yet.
fn create(model: &mut Model, name: String) {
    model.templates.opening = None;
    model.templates.editor = Some(Editor::new(name, Draft::empty(), 0));
}

fn save(model: &mut Model, editor: &Editor) -> Vec<Effect> {
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

fn saved_words(name: &str) -> String {
    format!("{name} is saved")
}

/// The server holds `text` now. A broken one is saved too, as one may want to go on tomorrow, but not in silence.
fn tell_saved(model: &mut Model, name: &str, text: &str) {
    let editor = model.templates.editor.as_ref().filter(|editor| editor.name == name && editor.text() == text);
    match editor.and_then(|editor| editor.preview.wrong()) {
        Some(wrong) => tell(model, NoticeKind::Bad, &format!("{}, but {wrong}", saved_words(name))),
        None => tell(model, NoticeKind::Good, &saved_words(name)),
    }
}

fn saved(model: &mut Model, saving: Saving, answer: &Result<Answer, String>) {
    let Saving { name, text, .. } = saving;
    let Ok(Answer::Saved { .. }) = answer else {
        tell(model, NoticeKind::Bad, &format!("{name} was not saved: {}", why(answer)));
        return;
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
}

//! The templates view: the list, and one template open in an editor with a live preview. Unsaved text
//! is kept by the template's name until the person saves or discards it.

pub mod complete;
pub mod context;
pub mod drafts;
pub mod editor;
pub mod fields;
mod hidden;
pub mod history;
mod keys;
pub mod pairs;
pub mod preview;
pub mod search;
pub mod source;
pub mod syntax;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ratatui::layout::Rect;

use crate::{
    core::{
        keys::Chord,
        template::{TemplateSummary, Version},
        text::Shown,
        words,
    },
    proto::{Answer, Request, RequestId},
};

use super::{
    Effect, Link, Model, NoticeKind,
    filter::{self, Filter},
    keys::Action,
    list::{Cursor, Step},
    typing::TypedLine,
    wait::Wait,
};
use complete::Asked;
use context::Context;
use drafts::{Differs, Disk, DraftId, FoundDrafts, KeptDraft, When, flush};
use editor::{Draft, Editor};
use history::{History, Took};
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
    /// What a template can name there.
    pub(crate) context: Context,
    /// Unsaved text and what is stored meanwhile, when the person is to choose.
    pub(crate) differs: Option<Differs>,
    drafts: BTreeMap<String, Draft>,
    /// What earlier consoles left unsaved, the newest first.
    found: Vec<(DraftId, KeptDraft)>,
    /// Templates that are edited in other consoles of this person.
    elsewhere: BTreeSet<String>,
    disk: Disk,
    /// The last thing this view said: gone with the next key, while other news stay.
    said: Option<Shown>,
    saving: Option<Saving>,
}

#[derive(Debug)]
pub struct Opening {
    pub wait: Wait,
    pub name: String,
    then: Then,
}

/// What a template's text was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Then {
    Edit,
    ShowVersions,
    /// A draft that was found goes on from it.
    Restore(DraftId),
    /// The text in the editor was refused when it was to be saved.
    Compare,
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
    /// When an earlier console kept unsaved text of it.
    pub kept_at: Option<Timestamp>,
    /// Another console of this person has unsaved text of it.
    pub elsewhere: bool,
}

impl State {
    /// The templates with text that is not saved, by name.
    pub fn unsaved(&self) -> Vec<&str> {
        let open = self.editor.as_ref().filter(|editor| editor.is_unsaved()).map(|editor| editor.name.as_str());
        let differs = self.differs.as_ref().map(|differs| differs.name.as_str());
        let mut names: Vec<_> = self.drafts.keys().map(String::as_str).chain(open).chain(differs).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether unsaved text is on disk, or will be before the end.
    pub fn keeps_drafts(&self) -> bool {
        self.disk.works
    }

    /// Whether something was typed that is not on disk yet.
    pub fn is_behind(&self) -> bool {
        self.disk.is_behind()
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
    let row = |name, summary| Row {
        name,
        summary,
        unsaved: state.drafts.contains_key(name),
        kept_at: state.found.iter().find(|(_, draft)| draft.name == *name).map(|(_, draft)| draft.at),
        elsewhere: state.elsewhere.contains(name),
    };
    let known = model.board.templates.iter().map(|summary| row(&summary.name, Some(summary)));
    let is_new = |name: &&String| model.board.templates.iter().all(|summary| summary.name != **name);
    let left: BTreeSet<_> = state.drafts.keys().chain(state.found.iter().map(|(_, draft)| &draft.name)).collect();
    let new = left.into_iter().filter(is_new).map(|name| row(name, None));
    known.chain(new).filter(|row| words.admit(&[row.name])).collect()
}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Filter => model.templates.filter.open(),
        Action::NewTemplate => model.templates.naming = Some(TypedLine::default()),
        Action::Open => return open_selected(model, Then::Edit),
        Action::ShowVersions => return open_selected(model, Then::ShowVersions),
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

/// Time went on.
pub(super) fn ticked(model: &mut Model) -> Vec<Effect> {
    flush(model, When::Due)
}

/// The console ends: what is typed goes to disk now.
pub(super) fn ended(model: &mut Model) -> Vec<Effect> {
    flush(model, When::Now)
}

/// What earlier consoles left behind.
pub(super) fn found(model: &mut Model, found: FoundDrafts) -> Vec<Effect> {
    drafts::found(model, found);
    settle(model)
}

/// What became of an [`Effect::KeepDraft`].
pub(super) fn kept(model: &mut Model, id: &DraftId, result: Result<(), String>) {
    drafts::written(model, id, result);
}

/// The person's own editor is done with the text of a template.
pub(super) fn edited(model: &mut Model, name: &str, edited: Result<String, Shown>) -> Vec<Effect> {
    model.templates.disk.returned();
    let Some(editor) = model.templates.editor.as_mut().filter(|editor| editor.name == name) else { return vec![] };
    match edited {
        Ok(text) => {
            let hidden = editor.replace_all(&text);
            if hidden > 0 {
                let text = format!("taken over without {}", keys::hidden_words(hidden));
                tell(model, NoticeKind::Bad, &text);
            }
        }
        Err(cause) => tell(model, NoticeKind::Bad, &format!("nothing was changed: {cause}")),
    }
    let mut effects = settle(model);
    effects.extend(flush(model, When::Now));
    effects
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    keys::pasted(model, text)
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let state = &mut model.templates;
    if let Some(opening) = state.opening.take_if(|opening| opening.wait.is(id)) {
        opened(model, opening, answer);
    } else if let Some(saving) = state.saving.take_if(|saving| saving.wait.is(id)) {
        let effects = saved(model, saving, answer);
        return Some([effects, settle(model)].concat());
    } else if state.context.take(id, answer) {
        suggest_again(model);
    } else {
        answered_editor(model, id, answer)?;
    }
    Some(settle(model))
}

fn answered_editor(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<()> {
    let editor = model.templates.editor.as_mut()?;
    if editor.pick.as_mut().is_some_and(|pick| pick.answered(id, answer)) {
        return Some(());
    }
    if let Some(took) = editor.history.as_mut().and_then(|history| history::take(history, id, answer)) {
        match took {
            Took::Shown => {}
            Took::Restored(version, text) => restored_version(model, version, &text),
            Took::Refused(cause) => tell(model, NoticeKind::Bad, &format!("nothing was restored: {cause}")),
        }
        return Some(());
    }
    if !editor.preview.take(id, answer) {
        return None;
    }
    let (name, text) = (editor.name.clone(), editor.base.clone());
    let said = &model.templates.said;
    if said.as_ref().is_some_and(|said| said.as_str() == saved_words(&name)) {
        tell_saved(model, &name, text.as_deref().unwrap_or_default());
    }
    Some(())
}

/// The fields are known now: suggestions that were made without them are made again.
fn suggest_again(model: &mut Model) {
    let Some(mut editor) = model.templates.editor.take() else { return };
    if editor.suggesting {
        keys::complete(model, &mut editor, Asked::ByTyping);
    }
    model.templates.editor = Some(editor);
}

/// A former version is what the server holds now.
fn restored_version(model: &mut Model, version: Version, text: &str) {
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
    if let Some(editor) = &mut model.templates.editor {
        editor.preview.again();
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
    state.context.detached();
    if let Some(editor) = &mut state.editor {
        editor.preview.again();
        editor.pick.iter_mut().for_each(source::Pick::detached);
        editor.history.iter_mut().for_each(History::detached);
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
    let mut effects = settle_editor(model);
    settle_differs(model);
    effects.extend(flush(model, When::Due));
    effects
}

fn settle_editor(model: &mut Model) -> Vec<Effect> {
    let Some(mut editor) = model.templates.editor.take() else { return vec![] };
    let mut effects = vec![];
    if let Some(pick) = &mut editor.pick {
        effects.extend(pick.settle(model, keys::pick_height(model)));
    }
    if let Some(mut history) = editor.history.take() {
        settle_history(model, &editor, &mut history);
        effects.extend(history::ask(model, &editor.name, &mut history));
        editor.history = Some(history);
    }
    effects.extend(preview(model, &mut editor));
    if editor.tree.is_some() || editor.suggests() {
        effects.extend(context::ask(model));
    }
    if let (Some(tree), Some(root)) = (&mut editor.tree, model.templates.context.field(&model.templates.source)) {
        tree.settle(root, keys::tree_height(model));
    }
    editor.find_pair();
    keep_in_sight(model, &mut editor);
    model.templates.editor = Some(editor);
    effects
}

fn preview(model: &mut Model, editor: &mut Editor) -> Vec<Effect> {
    let mut preview = std::mem::take(&mut editor.preview);
    let effects = preview.ask(model, || editor.text(), editor.base.as_deref());
    editor.preview = preview;
    effects
}

fn settle_history(model: &Model, editor: &Editor, history: &mut History) {
    let at = editor::history_areas(filter::body(model));
    let lines = history.lines(&editor.text(), at.difference.width.into()).len();
    history::settle(history, lines, (at.list.height.into(), at.difference.height.into()));
}

fn settle_differs(model: &mut Model) {
    let page = usize::from(differs_area(filter::body(model)).height);
    let Some(differs) = &mut model.templates.differs else { return };
    let lines = differs.lines(usize::from(model.size.0)).len();
    differs.scroll = differs.scroll.min(lines.saturating_sub(page));
}

/// Where the difference of an unsaved text stands: below two lines that say what is to be chosen.
pub fn differs_area(body: Rect) -> Rect {
    let top = body.height.min(3);
    Rect { y: body.y + top, height: body.height - top, ..body }
}

fn text_area(model: &Model) -> Rect {
    editor::editor_areas(filter::body(model)).text
}

fn keep_in_sight(model: &Model, editor: &mut Editor) {
    let at = editor::editor_areas(filter::body(model));
    let lines = editor.preview.lines(at.preview.width.into()).len();
    editor.scroll = editor.scroll.min(lines.saturating_sub(at.preview.height.into()));
    editor::keep_cursor_in_sight(editor, at.text);
}

fn list_height(model: &Model) -> usize {
    filter::list_areas(filter::body(model), TITLE, &model.templates.filter).rows.height.into()
}

fn step(model: &mut Model, by: Step) {
    let names: Vec<_> = rows(model).iter().map(|row| row.name.to_owned()).collect();
    let height = list_height(model);
    model.templates.cursor.step(by, &names, height);
}

fn open_selected(model: &mut Model, then: Then) -> Vec<Effect> {
    match model.templates.cursor.selected().cloned() {
        Some(name) => open_for(model, name, then),
        None => vec![],
    }
}

fn open(model: &mut Model, name: String) -> Vec<Effect> {
    open_for(model, name, Then::Edit)
}

/// Opens what was left unsaved, or asks the server for the text.
fn open_for(model: &mut Model, name: String, then: Then) -> Vec<Effect> {
    if let Some(draft) = model.templates.drafts.get(&name).cloned() {
        model.templates.opening = None;
        let mut editor = Editor::new(name, draft, 0);
        editor.history = (then == Then::ShowVersions).then(History::default);
        model.templates.editor = Some(editor);
        return settle(model);
    }
    let found = model.templates.found.iter().find(|(_, draft)| draft.name == name).map(|(id, _)| id.clone());
    if let Some(id) = found.clone()
        && model.board.templates.iter().all(|summary| summary.name != name)
        && matches!(model.link, Link::Up(_))
    {
        go_on_from(model, &id, None);
        return settle(model);
    }
    let waiting = |opening: &Opening| opening.name == name && !opening.wait.overdue(model.now);
    if model.templates.opening.as_ref().is_some_and(waiting) {
        return vec![];
    }
    ask_for_text(model, name, found.map_or(then, Then::Restore))
}

fn ask_for_text(model: &mut Model, name: String, then: Then) -> Vec<Effect> {
    let request = Request::Template { name: name.clone() };
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    model.templates.opening = Some(Opening { wait, name, then });
    vec![effect]
}

fn opened(model: &mut Model, opening: Opening, answer: &Result<Answer, String>) {
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
fn go_on_from(model: &mut Model, id: &DraftId, stored: Option<String>) {
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
fn restore(model: &mut Model, differs: Differs) {
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
fn discard(model: &mut Model, differs: &Differs) {
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
fn put_back(model: &mut Model, differs: Differs) {
    let name = differs.name.clone();
    let draft = differs.into_draft();
    model.templates.drafts.insert(name, draft);
}

/// Starts a template that does not exist yet.
fn create(model: &mut Model, name: String) {
    model.templates.opening = None;
    let draft = Draft::empty(&name);
    model.templates.editor = Some(Editor::new(name, draft, 0));
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

fn saved(model: &mut Model, saving: Saving, answer: &Result<Answer, String>) -> Vec<Effect> {
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
fn compare_with_stored(model: &mut Model, name: String) -> Vec<Effect> {
    if model.templates.editor.as_ref().is_none_or(|editor| editor.name != name) {
        return vec![];
    }
    let Some((wait, effect)) = Wait::ask(model, Request::Template { name: name.clone() }) else { return vec![] };
    model.templates.opening = Some(Opening { wait, name, then: Then::Compare });
    vec![effect]
}

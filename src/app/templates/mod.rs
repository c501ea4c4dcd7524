//! The templates view: the list, and one template open in an editor with a live preview. Unsaved text
//! is kept by the template's name until the person saves or discards it.

pub mod areas;
mod changes;
pub mod complete;
pub mod context;
pub mod drafts;
pub mod editor;
pub mod fields;
mod hidden;
pub mod history;
mod keys;
pub mod opening;
pub mod pairs;
pub mod preview;
mod saving;
pub mod search;
pub mod syntax;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ratatui::layout::Rect;

use crate::{
    core::{keys::Chord, template::TemplateSummary, text::Shown},
    proto::{Answer, RequestId},
};

use super::{
    Effect, Link, Model, NoticeKind,
    filter::{self, Filter},
    keys::Action,
    list::{Cursor, Step},
    person::look_only,
    source::{Pick, Source},
    typing::TypedLine,
};
use complete::Asked;
use context::Context;
use drafts::{Differs, Disk, DraftId, FoundDrafts, KeptDraft, When, flush};
use editor::{Draft, Editor};
use history::{History, Took};
use opening::{Opening, Then, create, discard, open, open_selected, opened, put_back, restore};
use saving::{Saving, restored_version, save, saved, saved_words, tell_saved};

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
    /// Whether something is typed or asked in this view.
    pub(super) fn takes_keys(&self) -> bool {
        self.naming.is_some() || self.differs.is_some() || self.editor.is_some() || self.filter.is_typing()
    }

    /// The templates with text that is not saved, by name.
    pub fn unsaved(&self) -> Vec<&str> {
        let open = self.editor.as_ref().filter(|editor| editor.is_unsaved()).map(|editor| editor.name.as_str());
        let differs = self.differs.as_ref().map(|differs| differs.name.as_str());
        let mut names: Vec<_> = self.drafts.keys().map(String::as_str).chain(open).chain(differs).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether there is text of it that is not saved, also from an earlier console.
    pub(super) fn has_draft(&self, name: &str) -> bool {
        self.drafts.contains_key(name) || self.found.iter().any(|(_, draft)| draft.name == name)
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
        Action::NewTemplate => begin_naming(model),
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

/// Asks for the name of a new template; whoever may only look is told before anything is typed.
fn begin_naming(model: &mut Model) {
    let refused = model.watching().filter(|_| model.link != Link::Connecting).map(look_only);
    match refused {
        Some(reason) => model.say(NoticeKind::Bad, &reason),
        None => model.templates.naming = Some(TypedLine::default()),
    }
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
    // What is wrong now takes a line of the screen, and comes and goes with time.
    if let Some(mut editor) = model.templates.editor.take() {
        keep_in_sight(model, &mut editor);
        model.templates.editor = Some(editor);
    }
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

/// Another server answers, with another log: the preview is on none of the earlier one's deliveries.
pub(super) fn parted(model: &mut Model) {
    let state = &mut model.templates;
    if matches!(state.source, Source::Delivery(_)) {
        state.source = Source::default();
    }
    state.context = Context::default();
    if let Some(pick) = state.editor.as_mut().and_then(|editor| editor.pick.as_mut()) {
        *pick = Pick::at(&state.source);
    }
}

/// The link stands anew: what could not be asked is asked now.
pub(super) fn attached(model: &mut Model) {
    if let Some(editor) = &mut model.templates.editor {
        editor.preview.again();
    }
}

/// The cause of a refusal; also of an answer to another question, which no server of this protocol gives.
pub(super) fn why(answer: &Result<Answer, String>) -> &str {
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
        editor.pick.iter_mut().for_each(Pick::detached);
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
    model.templates.cursor.hold_first_if_none(&names);
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
    let at = areas::history_areas(areas::body(model));
    let lines = history.lines(&editor.text(), at.difference.width.into()).len();
    history::settle(history, lines, (at.list.height.into(), at.difference.height.into()));
}

fn settle_differs(model: &mut Model) {
    let page = usize::from(areas::differs_area(areas::body(model)).height);
    let Some(differs) = &mut model.templates.differs else { return };
    let lines = differs.lines(usize::from(model.size.0)).len();
    differs.scroll = differs.scroll.min(lines.saturating_sub(page));
}

fn text_area(model: &Model) -> Rect {
    areas::editor_areas(areas::body(model)).text
}

fn keep_in_sight(model: &Model, editor: &mut Editor) {
    let at = areas::editor_areas(areas::body(model));
    let lines = editor.preview.lines(at.preview.width.into()).len();
    editor.scroll = editor.scroll.min(lines.saturating_sub(at.preview.height.into()));
    areas::keep_cursor_in_sight(editor, at.text);
}

fn list_height(model: &Model) -> usize {
    filter::list_areas(areas::body(model), TITLE, &model.templates.filter).rows.height.into()
}

fn step(model: &mut Model, by: Step) {
    let names: Vec<_> = rows(model).iter().map(|row| row.name.to_owned()).collect();
    let height = list_height(model);
    model.templates.cursor.step(by, &names, height);
}

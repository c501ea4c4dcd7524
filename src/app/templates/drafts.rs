//! Text that is not saved, kept on the disk of whoever types it: after a second without a key, and at once when it is
//! left. What an earlier console left behind is found again at the start.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    app::{Effect, Model, NoticeKind},
    core::diff::difference,
};

use super::{
    editor::{Draft, Editor},
    hidden::strip,
    preview::{PreviewLine, compared},
};

/// How long typed text may be in memory only.
const PAUSE: SignedDuration = SignedDuration::from_millis(900);

/// A draft, by what its file is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DraftId(pub String);

/// A draft as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDraft {
    /// Of which template.
    pub name: String,
    pub text: String,
    /// What the server held when it was begun; `None`: nothing.
    pub base: Option<String>,
    pub at: Timestamp,
}

/// What was found on disk at the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundDrafts {
    /// Left behind by consoles that are gone.
    pub drafts: Vec<(DraftId, KeptDraft)>,
    /// Templates with drafts in other consoles of this user that run.
    pub elsewhere: Vec<String>,
}

/// What is known of the disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Something can be kept.
    pub(super) works: bool,
    /// What was last sent there of each draft.
    held: BTreeMap<DraftId, u64>,
    /// The draft that another program is editing.
    lent: Option<DraftId>,
    /// Since when something was typed that is not there.
    behind_since: Option<Timestamp>,
    /// It was said that it does not work.
    told: bool,
}

/// When to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// After a pause.
    Due,
    Now,
}

impl Disk {
    /// A draft that was found is there.
    pub(super) fn hold(&mut self, id: &DraftId) {
        self.held.insert(id.clone(), 0);
    }

    /// The other program is done.
    pub(super) fn returned(&mut self) {
        self.lent = None;
    }

    /// Whether typed text is in memory only.
    pub(super) fn is_behind(&self) -> bool {
        self.behind_since.is_some()
    }
}

/// Brings the disk up to what is typed.
pub(super) fn flush(model: &mut Model, when: When) -> Vec<Effect> {
    if !model.templates.disk.works {
        return vec![];
    }
    let wanted = wanted(model);
    let state = &mut model.templates;
    let is_there = |id: &DraftId| wanted.iter().any(|(known, _)| known == id);
    let is_lent = |id: &DraftId| state.disk.lent.as_ref() == Some(id);
    let gone: Vec<_> = state.disk.held.keys().filter(|id| !is_there(id) && !is_lent(id)).cloned().collect();
    let mut effects: Vec<_> = gone.into_iter().map(|id| drop_draft(&mut state.disk, id)).collect();
    let mut behind = false;
    let due = state.disk.behind_since.is_some_and(|since| model.now.duration_since(since).abs() >= PAUSE);
    for (id, draft) in wanted {
        let mark = mark(&draft);
        if state.disk.held.get(&id) == Some(&mark) {
            continue;
        }
        if due || when == When::Now {
            state.disk.held.insert(id.clone(), mark);
            effects.push(Effect::KeepDraft { id, draft: Box::new(draft) });
        } else {
            behind = true;
        }
    }
    let disk = &mut state.disk;
    disk.behind_since = behind.then(|| disk.behind_since.unwrap_or(model.now));
    effects
}

/// Keeps the text of the editor, changed or not, while another program has it; the next [`flush`] after that puts
/// the disk in order.
pub(super) fn lend(model: &mut Model, editor: &Editor) -> Vec<Effect> {
    let now = model.now;
    let disk = &mut model.templates.disk;
    if !disk.works {
        return vec![];
    }
    let (id, draft) = kept(&editor.name, editor.draft(), now);
    disk.held.insert(id.clone(), mark(&draft));
    disk.lent = Some(id.clone());
    vec![Effect::KeepDraft { id, draft: Box::new(draft) }]
}

fn drop_draft(disk: &mut Disk, id: DraftId) -> Effect {
    disk.held.remove(&id);
    Effect::DropDraft { id }
}

fn kept(name: &str, draft: Draft, at: Timestamp) -> (DraftId, KeptDraft) {
    let Draft { text, base, place, .. } = draft;
    (place, KeptDraft { name: name.to_owned(), text, base, at })
}

/// Everything that is not saved, in this console.
fn wanted(model: &Model) -> Vec<(DraftId, KeptDraft)> {
    let state = &model.templates;
    let kept = |name: &str, draft: Draft| kept(name, draft, model.now);
    let open = state.editor.as_ref().filter(|editor| editor.is_unsaved());
    let of_editor = open.map(|editor| kept(&editor.name, editor.draft()));
    let is_open = |name: &str| state.editor.as_ref().is_some_and(|editor| editor.name == name);
    let left = state.drafts.iter().filter(|(name, _)| !is_open(name));
    let mut out: Vec<_> = left.map(|(name, draft)| kept(name, draft.clone())).chain(of_editor).collect();
    out.extend(state.differs.as_ref().map(|differs| (differs.place.clone(), differs.kept(model.now))));
    out
}

/// What of a draft must be on disk; when it was written does not count.
fn mark(draft: &KeptDraft) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&draft.name, &draft.text, &draft.base).hash(&mut hasher);
    hasher.finish()
}

/// The disk was looked at.
pub(super) fn found(model: &mut Model, found: FoundDrafts) {
    let FoundDrafts { mut drafts, elsewhere } = found;
    drafts.sort_by_key(|(_, draft)| std::cmp::Reverse(draft.at));
    let state = &mut model.templates;
    state.disk.works = true;
    state.elsewhere = elsewhere.into_iter().collect();
    state.found = drafts;
    if state.found.is_empty() {
        return;
    }
    let names: Vec<_> = state.found.iter().map(|(_, draft)| draft.name.as_str()).collect();
    let text = format!("unsaved text was kept of {}: enter in the templates view restores it", names.join(", "));
    // What went wrong at the start is the greater news; the list has the marks.
    if model.notice.as_ref().is_none_or(|notice| notice.kind != NoticeKind::Bad) {
        model.say(NoticeKind::Good, &text);
    }
}

/// What became of a write.
pub(super) fn written(model: &mut Model, id: &DraftId, result: Result<(), String>) {
    let disk = &mut model.templates.disk;
    match result {
        Ok(()) => disk.told = false,
        Err(cause) => {
            // Tried again with the next pause.
            disk.held.remove(id);
            disk.behind_since.get_or_insert(model.now);
            if !std::mem::replace(&mut disk.told, true) {
                model.say(NoticeKind::Bad, &format!("unsaved text is not kept on disk: {cause}"));
            }
        }
    }
}

/// A text that is not saved, and what is stored meanwhile: which of the two is to be gone on with?
#[derive(Debug)]
pub struct Differs {
    pub name: String,
    pub(super) place: DraftId,
    /// The text that is not saved.
    pub mine: String,
    base: Option<String>,
    /// What is stored by now; `None`: nothing.
    pub stored: Option<String>,
    /// When mine was kept; `None`: it was refused when it was to be saved.
    pub kept_at: Option<Timestamp>,
    /// Lines scrolled by.
    pub scroll: usize,
}

impl Differs {
    pub(super) fn restored(id: DraftId, draft: KeptDraft, stored: Option<String>) -> Self {
        let KeptDraft { name, text, base, at } = draft;
        Self { name, place: id, mine: text, base, stored, kept_at: Some(at), scroll: 0 }
    }

    pub(super) fn refused(editor: &Editor, stored: Option<String>) -> Self {
        let Draft { text, base, place, .. } = editor.draft();
        Self { name: editor.name.clone(), place, mine: text, base, stored, kept_at: None, scroll: 0 }
    }

    /// How the text differs from what is stored, as lines of at most `width` columns.
    pub fn lines(&self, width: usize) -> Vec<PreviewLine<'_>> {
        let lines = difference(self.stored.as_deref().unwrap_or_default(), &self.mine);
        compared(&lines, width.saturating_sub(2))
    }

    pub(super) fn into_draft(self) -> Draft {
        let Self { place, mine, base, kept_at, .. } = self;
        let clean = base.as_deref().map(|base| strip(base).text).unwrap_or_default();
        Draft { text: mine, clean, base, place, restored: kept_at }
    }

    fn kept(&self, now: Timestamp) -> KeptDraft {
        let at = self.kept_at.unwrap_or(now);
        KeptDraft { name: self.name.clone(), text: self.mine.clone(), base: self.base.clone(), at }
    }
}

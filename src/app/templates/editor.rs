//! One template being edited, with its preview. The text is never lost silently, and what the preview
//! shows is always said to be of the text on the screen, or not yet.

use std::collections::HashSet;

use jiff::Timestamp;
use tui_textarea::{CursorMove, TextArea};

use crate::{app::source::Pick, core::text::ShownBody};

use super::{
    complete::Completion,
    drafts::DraftId,
    fields::Tree,
    hidden::{self, Stripped},
    history::History,
    pairs::{self, Stretch},
    preview::Previewed,
    search::Search,
    syntax::{State, states, tokens},
};

/// Steps of undo kept.
const HISTORY: usize = 500;

/// A template's text as it was left without saving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub(super) text: String,
    /// The text without changes.
    pub(super) clean: String,
    /// What the server holds, as it sent it; `None`: nothing yet.
    pub(super) base: Option<String>,
    /// Where it is kept on disk.
    pub(super) place: DraftId,
    /// When it was kept, if an earlier console did so.
    pub(super) restored: Option<Timestamp>,
}

impl Draft {
    /// What the server sent, as it can be edited.
    pub(super) fn of(name: &str, base: String) -> (Self, usize) {
        let Stripped { text, hidden } = hidden::strip(&base);
        let place = DraftId(name.to_owned());
        (Self { clean: text.clone(), text, base: Some(base), place, restored: None }, hidden)
    }

    /// A template that does not exist yet.
    pub(super) fn empty(name: &str) -> Self {
        Self { text: String::new(), clean: String::new(), base: None, place: DraftId(name.to_owned()), restored: None }
    }
}

/// An open template.
#[derive(Debug)]
pub struct Editor {
    pub name: String,
    pub area: TextArea<'static>,
    /// How many hidden characters the text has: until they are taken out it is only shown.
    pub locked: Option<usize>,
    pub preview: Previewed,
    /// Lines of the preview scrolled by.
    pub scroll: usize,
    /// The first line shown, and the columns of it scrolled by.
    pub offset: (usize, usize),
    pub pick: Option<Pick>,
    pub search: Option<Search>,
    pub completion: Option<Completion>,
    /// What may stand at the cursor was asked for, and may be more once the fields are known.
    pub(super) suggesting: bool,
    /// The tree of fields, open in the place of the preview.
    pub tree: Option<Tree>,
    pub history: Option<History>,
    /// Leaving with unsaved changes: the person is being asked.
    pub leaving: bool,
    /// It was saved since it was opened.
    pub saved: bool,
    /// When the text was kept by an earlier console from which it comes.
    pub restored: Option<Timestamp>,
    /// In what state each line begins.
    pub states: Vec<State>,
    /// What belongs together at the cursor.
    pub pair: Vec<Stretch>,
    clean: String,
    pub(super) base: Option<String>,
    place: DraftId,
    /// Texts in the middle of one change, which undoing passes over.
    pub(super) halfway: HashSet<u64>,
}

impl Editor {
    pub(super) fn new(name: String, draft: Draft, hidden: usize) -> Self {
        let locked = (hidden > 0).then_some(hidden);
        let area = match (&draft.base, locked) {
            (Some(base), Some(_)) => area(ShownBody::new(base).as_str()),
            _ => area(&draft.text),
        };
        let states = states(area.lines());
        let Draft { clean, base, place, restored, .. } = draft;
        Self {
            name,
            area,
            locked,
            preview: Previewed { wanted: true, ..Previewed::default() },
            scroll: 0,
            offset: (0, 0),
            pick: None,
            search: None,
            completion: None,
            suggesting: false,
            tree: None,
            history: None,
            leaving: false,
            saved: false,
            restored,
            states,
            pair: vec![],
            clean,
            base,
            place,
            halfway: HashSet::new(),
        }
    }

    /// The text to render and to save: what is on the screen, or what a locked one stands for.
    pub(super) fn text(&self) -> String {
        match (&self.base, self.locked) {
            (Some(base), Some(_)) => base.clone(),
            _ => self.area.lines().join("\n"),
        }
    }

    /// Whether something would be lost by closing it.
    pub fn is_unsaved(&self) -> bool {
        self.locked.is_none() && !is_joined(self.area.lines(), &self.clean)
    }

    /// Whether the server has nothing of it yet.
    pub fn is_new(&self) -> bool {
        self.base.is_none()
    }

    pub(super) fn draft(&self) -> Draft {
        let Self { clean, base, place, restored, .. } = self;
        let (clean, base, place) = (clean.clone(), base.clone(), place.clone());
        Draft { text: self.text(), clean, base, place, restored: *restored }
    }

    /// The server now holds `text`.
    pub(super) fn saved(&mut self, text: &str) {
        (self.saved, self.restored) = (true, None);
        self.base = Some(text.to_owned());
        text.clone_into(&mut self.clean);
        if let Some(compare) = &mut self.preview.compare {
            compare.wanted = true;
        }
    }

    /// Takes the hidden characters out, so that the rest can be edited; says how many they were.
    pub(super) fn unlock(&mut self) -> usize {
        let Some(hidden) = self.locked.take() else { return 0 };
        self.clean = self.base.clone().unwrap_or_default();
        self.area = area(&hidden::strip(&self.clean).text);
        self.changed();
        hidden
    }

    /// Text from the clipboard; says how many hidden characters were left out.
    pub(super) fn paste(&mut self, text: &str) -> usize {
        let Stripped { text, hidden } = hidden::strip(text);
        if self.area.insert_str(text) {
            self.changed();
        }
        hidden
    }

    /// Whether the fields are of use for what may stand at the cursor.
    pub(super) fn suggests(&self) -> bool {
        let (row, byte) = self.place_of_cursor();
        let before = self.line(row).get(..byte).unwrap_or_default();
        let state = self.states.get(row).copied().unwrap_or_default();
        self.suggesting && tokens(state, before, &mut vec![]).tag().is_some()
    }

    /// Line and character of the cursor.
    pub fn cursor(&self) -> (usize, usize) {
        let cursor = self.area.cursor();
        (cursor.0, cursor.1)
    }

    /// The same with the byte in the line.
    pub(super) fn place_of_cursor(&self) -> pairs::Place {
        let (row, column) = self.cursor();
        (row, self.line(row).char_indices().nth(column).map_or(self.line(row).len(), |(at, _)| at))
    }

    pub(super) fn line(&self, row: usize) -> &str {
        self.area.lines().get(row).map_or("", String::as_str)
    }

    /// The text is another.
    pub(super) fn changed(&mut self) {
        self.preview.wanted = true;
        self.states = states(self.area.lines());
        if let Some(search) = &mut self.search {
            search.look(self.area.lines());
        }
    }

    /// What belongs together where the cursor stands now.
    pub(super) fn find_pair(&mut self) {
        self.pair = pairs::pair(self.area.lines(), &self.states, self.place_of_cursor());
    }
}

/// Whether `lines` with line ends between them are `text`.
fn is_joined(lines: &[String], text: &str) -> bool {
    let mut rest = text.split('\n');
    lines.iter().all(|line| rest.next() == Some(line)) && rest.next().is_none()
}

/// An editor for `text`. How it looks is not its business: see `ui`.
fn area(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_max_histories(HISTORY);
    area.set_tab_length(2);
    area.move_cursor(CursorMove::Top);
    area
}

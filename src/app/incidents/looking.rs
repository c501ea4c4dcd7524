//! Looking for incidents: the filter, saved views, and marking by a query. A filter lists; it never acts.

use std::collections::BTreeMap;

use super::{QueryLine, State, act, groups, marks_changed, rebuild, views};
use crate::{
    app::{Effect, Model, NoticeKind, keys::Action},
    core::{
        board::Board,
        id::{AccountName, IncidentKey, UserId},
        keys::{Chord, Key},
        query::{Clock, Truth, incident::judge},
        text::Shown,
        view::{SavedView, SavedViews},
        words,
    },
};

/// What the query that is being typed is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    Filter,
    Mark,
}

impl State {
    /// The saved view that is in force.
    pub fn view(&self) -> Option<&SavedView> {
        self.views.asking(self.filter.as_str()).filter(|_| self.typing != Some(Typing::Filter))
    }
}

impl Model {
    /// The saved views, and the one that this console had last time; else the one that the settings begin with.
    pub fn set_views(&mut self, views: SavedViews, last: Option<&str>) {
        let named = |name: &str| views.named(name).map(|view| view.query.clone());
        let first = last.and_then(named).or_else(|| views.first.as_ref().and_then(|name| named(name.as_str())));
        self.incidents.views = views;
        self.incidents.remembered = last.map(Shown::line);
        if let Some(query) = first {
            set_filter(self, &query);
        }
    }
}

/// Who the person here is at each account, where that is known.
pub(super) fn me(model: &Model) -> BTreeMap<AccountName, UserId> {
    let accounts = model.board.accounts.iter();
    accounts.filter_map(|(name, known)| Some((name.clone(), model.me(known)?.id.clone()))).collect()
}

/// Lifts the filter.
pub(super) fn lift(model: &mut Model) -> Vec<Effect> {
    model.incidents.typing = None;
    model.incidents.filter.clear();
    refilter(model);
    remember(model)
}

/// Lists what a saved view asks for.
pub(super) fn show_view(model: &mut Model, name: &str) -> Vec<Effect> {
    let Some(query) = model.incidents.views.named(name).map(|view| view.query.clone()) else { return vec![] };
    (model.incidents.typing, model.incidents.opened) = (None, None);
    set_filter(model, &query);
    remember(model)
}

/// Lists what `query` asks for.
pub(super) fn ask_for(model: &mut Model, query: &str) -> Vec<Effect> {
    model.incidents.typing = None;
    set_filter(model, query);
    remember(model)
}

fn set_filter(model: &mut Model, query: &str) {
    let clock = Clock { now: model.now, zone: &model.zone };
    model.incidents.filter.set(query, clock);
    refilter(model);
}

/// The person changed what is listed, so the hand may go to the first row when its own is not there.
fn refilter(model: &mut Model) {
    rebuild(model);
    groups::select_first_if_none(&mut model.incidents, &model.board);
}

/// Has the view that is in force by now kept for the next start, if it is another than before.
fn remember(model: &mut Model) -> Vec<Effect> {
    let view = model.incidents.view().map(|view| view.name.clone());
    if view == model.incidents.remembered {
        return vec![];
    }
    model.incidents.remembered.clone_from(&view);
    vec![Effect::RememberView(view)]
}

/// Opens the line for the query to mark by, empty.
pub(super) fn begin_marking(model: &mut Model) {
    model.incidents.marking.clear();
    model.incidents.typing = Some(Typing::Mark);
}

/// The listed incidents that the query to mark by finds; none while it asks for nothing.
pub fn matching(model: &Model) -> Vec<&IncidentKey> {
    let state = &model.incidents;
    let (wanted, choice) = (state.marking.wanted(), state.choice());
    if wanted.is_empty() {
        return vec![];
    }
    let known = state.rows.keys().iter().filter_map(|key| model.board.incidents.get(key));
    let found = known.filter(|incident| judge(wanted, &choice.record(incident, &model.board, model.now)) == Truth::Yes);
    found.map(|incident| &incident.key).collect()
}

/// What the last word of the query that is being typed may become; none while no word has begun.
pub fn candidates(model: &Model) -> Vec<String> {
    let line = model.incidents.typing.map(|typing| line(model, typing));
    let begun = line.filter(|line| !line.as_str().is_empty() && !line.as_str().ends_with(' '));
    begun.map(|line| line.completion(&model.board).candidates).unwrap_or_default()
}

/// A key while a query is being typed in this view, or one of a saved view; `None`: it is neither.
pub(in crate::app) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    if let Some(view) = model.incidents.views.on_key(chord) {
        let name = view.name.to_string();
        model.incidents.picking = None;
        return Some(show_view(model, &name));
    }
    if let Some(effects) = views::press(model, chord) {
        return Some(effects);
    }
    let typing = model.incidents.typing?;
    match (chord.key, typing) {
        (Key::Esc, Typing::Filter) => return Some(lift(model)),
        (Key::Esc, Typing::Mark) => model.incidents.typing = None,
        (Key::Enter, _) => return Some(enter(model, typing)),
        (Key::Tab, _) => change(model, typing, QueryLine::advance),
        (Key::Down, _) => return Some(act(model, Action::Down)),
        (Key::Up, _) => return Some(act(model, Action::Up)),
        _ => change(model, typing, |line, _, clock| line.take(chord, clock)),
    }
    Some(vec![])
}

/// Pasted text; `false`: nothing is being typed here.
pub(in crate::app) fn pasted(model: &mut Model, text: &str) -> bool {
    let Some(typing) = model.incidents.typing else { return false };
    change(model, typing, |line, _, clock| {
        line.insert(text, clock);
        true
    });
    true
}

fn line(model: &Model, typing: Typing) -> &QueryLine {
    match typing {
        Typing::Filter => &model.incidents.filter,
        Typing::Mark => &model.incidents.marking,
    }
}

/// Changes the line that is being typed; `edit` says whether it did.
fn change(model: &mut Model, typing: Typing, edit: impl FnOnce(&mut QueryLine, &Board, Clock<'_>) -> bool) {
    let said = line(model, typing).wrong().map(|wrong| Shown::line(&wrong.to_string()));
    let clock = Clock { now: model.now, zone: &model.zone };
    let line = match typing {
        Typing::Filter => &mut model.incidents.filter,
        Typing::Mark => &mut model.incidents.marking,
    };
    if edit(line, &model.board, clock) {
        model.notice.take_if(|notice| Some(&notice.text) == said.as_ref());
        if typing == Typing::Filter {
            refilter(model);
        }
    }
}

/// Keeps the filter, or marks what the query finds. What is not understood cannot be kept: what holds would then not be
/// what stands there.
fn enter(model: &mut Model, typing: Typing) -> Vec<Effect> {
    if let Some(wrong) = line(model, typing).wrong() {
        let text = wrong.to_string();
        model.say(NoticeKind::Bad, &text);
        return vec![];
    }
    change(model, typing, |line, _, clock| {
        line.trim(clock);
        false
    });
    model.incidents.typing = None;
    if typing == Typing::Mark {
        mark_matching(model);
    }
    remember(model)
}

fn mark_matching(model: &mut Model) {
    if model.incidents.marking.wanted().is_empty() {
        return;
    }
    let found: Vec<_> = matching(model).into_iter().cloned().collect();
    let query = Shown::line(model.incidents.marking.as_str());
    match found.len() {
        0 => model.say(NoticeKind::Bad, &format!("nothing that is listed matches “{query}”: nothing was marked")),
        n => model.say(NoticeKind::Good, &format!("{} marked by “{query}”", words::count(n, "incident", "incidents"))),
    }
    model.incidents.marked.extend(found);
    marks_changed(model);
}

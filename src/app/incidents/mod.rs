//! The incidents view: the list, its filter and marks, and one incident opened. Selection and marks are
//! identities; what is acted on is named by the prompt and does not change while it is open.

mod acting;
mod detail;
mod doubts;
mod next;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ratatui::layout::Rect;

pub use acting::{last_action, outcome_mark};
pub(super) use acting::{may_act, open_conflict, outcome_words, send};
pub use detail::{Opened, page, status_mark, status_tone, urgency_word};
pub use doubts::doubt;
pub use next::{next_paged, next_paged_short};
pub use rows::Rows;

use super::{
    Effect, Model, NoticeKind, View, geometry,
    keys::Action,
    list::{Cursor, Step},
    prompt::Wish,
    troubles::troubles,
    typing::TypedLine,
    webhooks,
};
use crate::{
    core::{
        board::Change,
        freshness::{Account, Freshness},
        id::IncidentKey,
        keys::{Chord, Key},
        text::Shown,
    },
    proto::{Answer, RequestId},
};

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {
    pub rows: Rows,
    pub cursor: Cursor<IncidentKey>,
    pub marked: BTreeSet<IncidentKey>,
    pub filter: TypedLine,
    /// The filter is being typed.
    pub filtering: bool,
    /// Resolved incidents are listed however old.
    pub all_resolved: bool,
    pub opened: Option<Opened>,
    /// Notes that did not arrive, by the incidents they were for.
    drafts: BTreeMap<BTreeSet<IncidentKey>, String>,
    tracking: acting::Tracking,
    /// The first list is there, or a key was pressed; from then on the hand is moved by keys alone.
    started: bool,
    /// Rows of the list when it was last drawn up.
    height: usize,
}

impl State {
    fn choice(&self) -> rows::Choice {
        let words = self.filter.as_str().to_lowercase().split_whitespace().map(str::to_owned).collect();
        rows::Choice { words, all_resolved: self.all_resolved }
    }

    /// Marked incidents that the list does not show now.
    pub fn marked_unlisted(&self) -> usize {
        self.marked.iter().filter(|key| !self.rows.lists(key)).count()
    }
}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    model.incidents.started |= model.incidents.cursor.selected().is_some();
    match action {
        Action::Acknowledge => acting::begin(model, Wish::Acknowledge),
        Action::Resolve => acting::begin(model, Wish::Resolve),
        Action::HandOff => acting::begin(model, Wish::HandOff),
        Action::Note => acting::begin(model, Wish::Note),
        Action::Link => return link(model),
        Action::GoToDeliveries => return deliveries(model),
        Action::Back => back(model),
        _ if model.incidents.opened.is_some() => detail::step(model, Step::of(action)),
        Action::Open => return open(model),
        Action::Filter => model.incidents.filtering = true,
        Action::ShowResolved => {
            model.incidents.all_resolved = !model.incidents.all_resolved;
            rebuild(model);
        }
        Action::Mark => mark(model, None),
        Action::MarkDown => mark(model, Some(Step::Down)),
        Action::MarkUp => mark(model, Some(Step::Up)),
        _ => {
            if let Some(step) = Step::of(action) {
                let state = &mut model.incidents;
                state.cursor.step(step, state.rows.keys(), state.height);
            }
        }
    }
    vec![]
}

/// The incident that a key without marks means.
fn at_hand(model: &Model) -> Option<IncidentKey> {
    let state = &model.incidents;
    state.opened.as_ref().map(|opened| opened.key.clone()).or_else(|| state.cursor.selected().cloned())
}

fn open(model: &mut Model) -> Vec<Effect> {
    let Some(key) = model.incidents.cursor.selected().cloned() else {
        model.say(NoticeKind::Bad, "no incident is selected: j and k select");
        return vec![];
    };
    detail::open(model, key)
}

/// Opens the incident from another view.
pub(super) fn show(model: &mut Model, key: IncidentKey) -> Vec<Effect> {
    model.view = View::Incidents;
    model.incidents.cursor.select(Some(key.clone()));
    find_place(model);
    detail::open(model, key)
}

/// Lists the incidents of a service.
pub(super) fn show_service(model: &mut Model, service: &Shown) {
    model.view = View::Incidents;
    model.incidents.opened = None;
    model.incidents.filter.clear();
    model.incidents.filter.insert(service.as_str());
    refilter(model);
}

/// Closes the detail, else lifts the filter, else takes off the marks.
fn back(model: &mut Model) {
    if model.incidents.opened.take().is_some() {
        return;
    }
    if model.incidents.filter.is_empty() {
        model.incidents.marked.clear();
    } else {
        model.incidents.filter.clear();
        rebuild(model);
    }
}

/// Toggles the mark of the selected row; on the way to another row only sets it.
fn mark(model: &mut Model, then: Option<Step>) {
    let state = &mut model.incidents;
    if let Some(key) = state.cursor.selected().cloned() {
        let had_it = then.is_none() && state.marked.remove(&key);
        if !had_it {
            state.marked.insert(key);
        }
    }
    if let Some(step) = then {
        state.cursor.step(step, state.rows.keys(), state.height);
    }
}

fn link(model: &mut Model) -> Vec<Effect> {
    let incident = at_hand(model).and_then(|key| model.board.incidents.get(&key));
    let url = incident.map(|incident| incident.state.url.clone());
    match url {
        None => model.say(NoticeKind::Bad, "no incident is selected: j and k select"),
        Some(None) => model.say(NoticeKind::Bad, "the provider told no link for this incident"),
        Some(Some(url)) => {
            model.say(NoticeKind::Good, &format!("link: {url} (copied, if the terminal allows it)"));
            return vec![Effect::Copy(url.as_str().to_owned())];
        }
    }
    vec![]
}

/// To the webhooks of the incident at hand.
fn deliveries(model: &mut Model) -> Vec<Effect> {
    if let Some(key) = at_hand(model) {
        return webhooks::show_of(model, key);
    }
    model.say(NoticeKind::Bad, "no incident is selected: j and k select");
    vec![]
}

/// A key while text is being typed in this view (the filter line); `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    if !model.incidents.filtering {
        return None;
    }
    match chord.key {
        Key::Esc => {
            model.incidents.filtering = false;
            model.incidents.filter.clear();
            rebuild(model);
        }
        Key::Enter => model.incidents.filtering = false,
        Key::Down => return Some(act(model, Action::Down)),
        Key::Up => return Some(act(model, Action::Up)),
        _ => {
            if model.incidents.filter.take(chord) {
                refilter(model);
            }
        }
    }
    Some(vec![])
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    if model.incidents.filtering {
        model.incidents.filter.insert(text);
        refilter(model);
    }
    model.incidents.filtering
}

/// The person changed what is listed, so the hand may go to the first row when its own is not there.
fn refilter(model: &mut Model) {
    rebuild(model);
    let state = &mut model.incidents;
    state.cursor.select_first_if_none(state.rows.keys());
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    acting::answered(model, id, answer).or_else(|| detail::answered(model, id, answer))
}

/// A request went out and no answer came; `None`: not asked here.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> Option<Vec<Effect>> {
    acting::unanswered(model, id, why)
}

/// Keeps a note that was typed and did not arrive, below another one for the same incidents.
pub(super) fn keep_draft(model: &mut Model, keys: &[IncidentKey], text: &str) {
    let draft = model.incidents.drafts.entry(keys.iter().cloned().collect()).or_default();
    if !draft.is_empty() {
        draft.push('\n');
    }
    draft.push_str(text);
}

/// Takes out what was typed for these incidents.
pub(super) fn take_draft(model: &mut Model, keys: &[IncidentKey]) -> Option<String> {
    model.incidents.drafts.remove(&keys.iter().cloned().collect())
}

/// This note arrived.
fn drop_draft(model: &mut Model, keys: &[IncidentKey], text: &str) {
    let same = model.incidents.drafts.get(&keys.iter().cloned().collect()).is_some_and(|draft| draft == text);
    if same {
        take_draft(model, keys);
    }
}

/// A whole new board has come.
pub(super) fn attached(model: &mut Model) -> Vec<Effect> {
    acting::attached(model);
    rebuild(model);
    let mut effects = detail::attached(model);
    effects.extend(acting::open_conflict(model));
    effects
}

/// The providers are being asked; so is the server about the opened incident.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    detail::ask_again(model)
}

pub(super) fn detached(model: &mut Model) {
    acting::detached(model);
}

/// One thing on the board has changed.
pub(super) fn changed(model: &mut Model, change: &Change) -> Vec<Effect> {
    match change {
        Change::Incident(incident) => row_changed(model, &incident.key),
        Change::Forgotten(key) => {
            model.incidents.marked.remove(key);
            row_changed(model, key)
        }
        Change::Action(action) => acting::changed(model, action),
        Change::Unwatched(_) => {
            rebuild(model);
            settle(model)
        }
        Change::Account(_) | Change::Door(_) | Change::Upkeep(_) => settle(model),
        Change::OnCalls { .. }
        | Change::Schedules { .. }
        | Change::Directory { .. }
        | Change::Delivery(_)
        | Change::Escalation { .. }
        | Change::Services { .. }
        | Change::Templates(_) => vec![],
    }
}

fn row_changed(model: &mut Model, key: &IncidentKey) -> Vec<Effect> {
    let state = &mut model.incidents;
    let choice = state.choice();
    state.rows.changed(&model.board, key, &choice, model.now);
    find_place(model);
    if detail::shows(model, key) { detail::settle(model) } else { vec![] }
}

/// Time has passed: resolved incidents leave the list, and sources that fall silent take a line of it.
pub(super) fn ticked(model: &mut Model, now: Timestamp) {
    if model.incidents.rows.has_expired(&model.board, now) {
        rebuild(model);
    } else if list_height(model) != model.incidents.height {
        find_place(model);
    }
}

/// Sizes changed.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    find_place(model);
    detail::settle(model)
}

fn rebuild(model: &mut Model) {
    let choice = model.incidents.choice();
    model.incidents.rows.rebuild(&model.board, &choice, model.now);
    let known = &model.board.incidents;
    model.incidents.marked.retain(|key| known.contains_key(key));
    find_place(model);
}

/// Whether the account's first list is still to come.
fn is_awaited(account: &Account) -> bool {
    account.rest_off.is_none() && account.rest == Freshness::default()
}

fn find_place(model: &mut Model) {
    let height = list_height(model);
    let state = &mut model.incidents;
    state.height = height;
    state.cursor.settle(state.rows.keys(), height);
    if !state.started {
        // The first list comes in row by row; which came first means nothing.
        state.cursor.select(None);
        state.cursor.select_first_if_none(state.rows.keys());
        let waiting = model.board.accounts.values().any(|known| is_awaited(&known.account));
        state.started = !waiting && state.cursor.selected().is_some();
    }
}

fn body(model: &Model) -> Rect {
    geometry::areas(Rect::new(0, 0, model.size.0, model.size.1)).body
}

fn list_height(model: &Model) -> usize {
    usize::from(geometry::incident_list(body(model), troubles(model).len()).rows.height)
}

/// Columns and lines of the opened incident.
fn page_size(model: &Model) -> (usize, usize) {
    let body = body(model);
    (usize::from(geometry::text(body).width), usize::from(body.height))
}

/// Nothing is being asked or typed, and the list or detail is in sight: a question may come up.
fn is_idle(model: &Model) -> bool {
    model.prompt.is_none() && model.help.is_none() && model.view == View::Incidents && !model.incidents.filtering
}

#[cfg(test)]
mod tests;

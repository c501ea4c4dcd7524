//! The incidents view: the list, its filter and marks, and one incident opened. Selection and marks are
//! identities; what is acted on is named by the prompt and does not change while it is open.

mod acting;
mod detail;
mod doubts;
mod groups;
mod looking;
mod next;
mod query_line;
mod rows;
mod undo;
mod views;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ratatui::layout::Rect;

pub use acting::last_action;
pub(super) use acting::{begin_with, may_act, open_conflict, parted, send, send_together};
pub use detail::{Opened, acknowledged_at, judged, page, status_mark, status_tone, urgency_word};
pub use doubts::doubt;
pub use groups::{Cause, Group, GroupKey, Groups, Line};
pub(super) use groups::{freshen, storm_began, storm_ended};
pub use looking::{Typing, candidates, matching};
pub(super) use looking::{pasted, typed};
pub use next::{next_paged, next_paged_short};
pub use query_line::QueryLine;
pub use rows::Rows;
pub(super) use undo::take_back;
pub use undo::{can_be_taken_back, next_to_take_back};
pub use words::outcome_mark;
pub(super) use words::outcome_words;

use super::{
    Effect, Model, NoticeKind, View, attention, geometry,
    keys::Action,
    list::{Cursor, Step},
    prompt::Wish,
    troubles::troubles,
    webhooks,
};
use crate::{
    core::{
        board::Change,
        freshness::{Account, Freshness},
        id::{AccountName, IncidentKey, ServiceId, UserId},
        incident::Named,
        query::{
            incident::{Condition, Noted, asks},
            written,
        },
        text::Shown,
        view::SavedViews,
    },
    proto::{Answer, RequestId},
};

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {
    pub rows: Rows,
    /// On an incident; while the list is grouped, the hand may be on a group instead.
    pub cursor: Cursor<IncidentKey>,
    /// The list grouped by service.
    pub groups: Option<Groups>,
    pub marked: BTreeSet<IncidentKey>,
    pub filter: QueryLine,
    /// The query by which incidents are being marked.
    pub marking: QueryLine,
    /// Which of the two is being typed.
    pub typing: Option<Typing>,
    pub views: SavedViews,
    /// The list of views is open, with the hand on this one.
    pub picking: Option<Shown>,
    /// The view whose name was kept for the next start.
    remembered: Option<Shown>,
    /// Resolved incidents are listed however old.
    pub all_resolved: bool,
    pub opened: Option<Opened>,
    /// On which incidents notes are known to be.
    noted: Noted,
    /// Who the person here is at each account, where that is known.
    me: BTreeMap<AccountName, UserId>,
    /// Notes that did not arrive, by the incidents they were for.
    drafts: BTreeMap<BTreeSet<IncidentKey>, String>,
    tracking: acting::Tracking,
    /// The first list is there, or a key was pressed; from then on the hand is moved by keys alone.
    started: bool,
    /// Rows of the list when it was last drawn up.
    height: usize,
}

impl State {
    /// What is listed, and what by.
    fn listing(&mut self) -> (&mut Rows, rows::Choice<'_>) {
        let Self { rows, filter, all_resolved, marked, noted, me, .. } = self;
        (rows, rows::Choice { wanted: filter.wanted(), all_resolved: *all_resolved, marked, noted, me })
    }

    fn choice(&self) -> rows::Choice<'_> {
        let Self { filter, all_resolved, marked, noted, me, .. } = self;
        rows::Choice { wanted: filter.wanted(), all_resolved: *all_resolved, marked, noted, me }
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
        Action::Acknowledge => return acting::begin(model, Wish::Acknowledge),
        Action::Resolve => return acting::begin(model, Wish::Resolve),
        Action::HandOff => return acting::begin(model, Wish::HandOff),
        Action::Note => return acting::begin(model, Wish::Note),
        Action::Snooze => return acting::begin(model, Wish::Snooze),
        Action::Escalate => return acting::begin(model, Wish::Escalate),
        Action::Merge => return acting::begin(model, Wish::Merge),
        Action::EditIncident => return acting::begin(model, Wish::Edit),
        Action::AddResponders => return acting::begin(model, Wish::AddResponders),
        Action::StatusUpdate => return acting::begin(model, Wish::StatusUpdate),
        Action::RunWorkflow => return acting::begin(model, Wish::RunWorkflow),
        Action::ResolveAlert => return acting::begin(model, Wish::ResolveAlert),
        Action::CreateIncident => return acting::begin(model, Wish::Create),
        Action::Link => return link(model),
        Action::Runbook => return runbook(model),
        Action::GoToDeliveries => return deliveries(model),
        Action::Back => return back(model),
        Action::Open if model.incidents.opened.is_some() => return detail::go_around(model),
        _ if model.incidents.opened.is_some() => return detail::step(model, Step::of(action)),
        Action::Open => return open(model),
        Action::Filter => model.incidents.typing = Some(Typing::Filter),
        Action::MarkMatching => looking::begin_marking(model),
        Action::MarkAll => mark_all(model),
        Action::PickView => views::begin(model),
        Action::GroupByService => groups::toggle(model),
        Action::AllSeen => attention::all_seen(model),
        Action::ShowResolved => {
            model.incidents.all_resolved = !model.incidents.all_resolved;
            rebuild(model);
        }
        Action::Mark => mark(model, None),
        Action::MarkDown => mark(model, Some(Step::Down)),
        Action::MarkUp => mark(model, Some(Step::Up)),
        _ => {
            if let Some(by) = Step::of(action) {
                step(model, by);
            }
        }
    }
    vec![]
}

/// Moves the hand in the list.
fn step(model: &mut Model, by: Step) {
    if !groups::step(model, by) {
        let state = &mut model.incidents;
        state.cursor.step(by, state.rows.keys(), state.height);
    }
}

/// The incident that a key without marks means.
pub(super) fn at_hand(model: &Model) -> Option<IncidentKey> {
    let state = &model.incidents;
    state.opened.as_ref().map(|opened| opened.key.clone()).or_else(|| state.cursor.selected().cloned())
}

fn open(model: &mut Model) -> Vec<Effect> {
    if groups::fold(model) {
        return vec![];
    }
    let Some(key) = model.incidents.cursor.selected().cloned() else {
        model.say(NoticeKind::Bad, "no incident is selected: j and k select");
        return vec![];
    };
    model.incidents.cursor.hold();
    detail::open(model, key)
}

/// Opens the incident from another view.
pub(super) fn show(model: &mut Model, key: IncidentKey) -> Vec<Effect> {
    model.view = View::Incidents;
    groups::select(model, &key);
    find_place(model);
    detail::open(model, key)
}

/// Lists the incidents of a service. By its id: its name may stand in that of another one.
pub(super) fn show_service(model: &mut Model, account: &AccountName, service: &Named<ServiceId>) -> Vec<Effect> {
    model.view = View::Incidents;
    model.incidents.opened = None;
    let several = model.board.accounts.len() > 1;
    let of = if several { format!(" account:{}", written(account.as_str())) } else { String::new() };
    model.say(NoticeKind::Good, &format!("listed: the incidents of {}", service.name));
    looking::ask_for(model, &format!("service:{}{of}", written(service.id.as_str())))
}

/// Closes the detail, else lifts the filter, else takes off the marks, else lets go: the list is at its top again.
fn back(model: &mut Model) -> Vec<Effect> {
    if model.incidents.opened.take().is_some() {
        return vec![];
    }
    if !model.incidents.filter.is_empty() {
        return looking::lift(model);
    }
    if model.incidents.marked.is_empty() {
        groups::let_go(&mut model.incidents);
        return vec![];
    }
    model.incidents.marked.clear();
    marks_changed(model);
    vec![]
}

/// Toggles the mark of the selected row, or of all in the selected group; on the way to another row only sets it.
fn mark(model: &mut Model, then: Option<Step>) {
    let state = &mut model.incidents;
    let keys = state.cursor.selected().cloned().map_or_else(|| groups::members(state), |key| vec![key]);
    let had_all = then.is_none() && keys.iter().all(|key| state.marked.contains(key));
    for key in keys {
        if had_all {
            state.marked.remove(&key);
        } else {
            state.marked.insert(key);
        }
    }
    if let Some(by) = then {
        step(model, by);
    }
    marks_changed(model);
}

/// Marks all that is listed; takes these marks off when it is all marked already.
fn mark_all(model: &mut Model) {
    let State { rows, marked, .. } = &mut model.incidents;
    if rows.keys().iter().all(|key| marked.contains(key)) {
        marked.retain(|key| !rows.lists(key));
    } else {
        marked.extend(rows.keys().iter().cloned());
    }
    marks_changed(model);
}

/// Marks are others now: what is listed may depend on that.
fn marks_changed(model: &mut Model) {
    if asks(model.incidents.filter.wanted(), &Condition::Marked) {
        rebuild(model);
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

/// The runbook of the incident at hand; what names it belongs to its detail, which is opened for that.
fn runbook(model: &mut Model) -> Vec<Effect> {
    let mut effects = if model.incidents.opened.is_none() { open(model) } else { vec![] };
    effects.extend(detail::runbook(model));
    effects
}

/// To the webhooks of the incident at hand.
fn deliveries(model: &mut Model) -> Vec<Effect> {
    if let Some(key) = at_hand(model) {
        return webhooks::show_of(model, key);
    }
    model.say(NoticeKind::Bad, "no incident is selected: j and k select");
    vec![]
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    acting::answered(model, id, answer).or_else(|| {
        let effects = detail::answered(model, id, answer)?;
        if let Ok(Answer::Detail { detail }) = answer
            && model.incidents.noted.take_detail(detail)
        {
            noted(model, &detail.key);
        }
        Some(effects)
    })
}

/// More is known of the notes on an incident.
fn noted(model: &mut Model, key: &IncidentKey) {
    if asks(model.incidents.filter.wanted(), &Condition::Noted) {
        row_changed(model, key);
    }
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
    model.incidents.noted.take_board(&model.board);
    model.incidents.me = looking::me(model);
    rebuild(model);
    let mut effects = detail::attached(model);
    effects.extend(acting::open_conflict(model));
    effects
}

/// What this console may do, and as whom, is another.
pub(super) fn allowed(model: &mut Model) {
    model.incidents.me = looking::me(model);
    rebuild(model);
}

/// The providers are being asked; so is the server about the opened incident.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    detail::ask_anew(model)
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
        Change::Action(action) => {
            for key in model.incidents.noted.take_action(action) {
                noted(model, &key);
            }
            acting::changed(model, action)
        }
        Change::Delivery(delivery) => {
            if let Some(key) = delivery.incident.as_ref().filter(|_| model.incidents.noted.take_delivery(delivery)) {
                noted(model, key);
            }
            match &delivery.incident {
                Some(key) if delivery.tells() && detail::shows(model, key) => detail::ask_again(model),
                _ => vec![],
            }
        }
        Change::Unwatched(_) => {
            rebuild(model);
            settle(model)
        }
        Change::Account(_) | Change::Directory { .. } | Change::Services { .. } => {
            directory_changed(model, change);
            settle(model)
        }
        Change::Door(_) | Change::Upkeep(_) | Change::Unshown(_) | Change::Push { .. } => settle(model),
        Change::Targets(_)
        | Change::OnCalls { .. }
        | Change::Schedules { .. }
        | Change::Escalation { .. }
        | Change::Templates(_) => vec![],
    }
}

fn row_changed(model: &mut Model, key: &IncidentKey) -> Vec<Effect> {
    let (rows, choice) = model.incidents.listing();
    rows.changed(&model.board, key, choice, model.now);
    find_place(model);
    if detail::shows(model, key) { detail::settle(model) } else { vec![] }
}

/// Whom `assignee:` means may be another, the person here or somebody's address; and what is the id of a service.
fn directory_changed(model: &mut Model, change: &Change) {
    let me = looking::me(model);
    let names = matches!(change, Change::Directory { .. } | Change::Services { .. });
    if (names && !model.incidents.filter.is_empty()) || me != model.incidents.me {
        model.incidents.me = me;
        rebuild(model);
    }
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
    let known = &model.board.incidents;
    model.incidents.marked.retain(|key| known.contains_key(key));
    let (rows, choice) = model.incidents.listing();
    rows.rebuild(&model.board, choice, model.now);
    find_place(model);
}

/// Whether the account's first list is still to come.
pub(super) fn is_awaited(account: &Account) -> bool {
    account.rest_off.is_none() && account.rest == Freshness::default()
}

fn find_place(model: &mut Model) {
    let height = list_height(model);
    let state = &mut model.incidents;
    state.height = height;
    state.cursor.settle(state.rows.keys(), height);
    groups::outdate(state);
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

/// Whether all that is listed can be seen at once, one by one.
pub(super) fn fit_the_screen(model: &Model) -> bool {
    model.incidents.rows.keys().len() <= model.incidents.height
}

/// Columns and lines of the opened incident.
fn page_size(model: &Model) -> (usize, usize) {
    let body = body(model);
    (usize::from(geometry::text(body).width), usize::from(body.height))
}

/// Nothing is being asked or typed, and the list or detail is in sight: a question may come up.
fn is_idle(model: &Model) -> bool {
    let asked = model.prompt.is_some() || model.command.line.is_some() || model.handoff.is_some();
    let busy = model.incidents.typing.is_some() || model.incidents.picking.is_some();
    !asked && model.sheet.is_none() && model.view == View::Incidents && !busy
}

#[cfg(test)]
mod tests;

//! Whether somebody looks; what is new since; and how they are called when they do not look.
//!
//! Nobody is taken to be looking without a sign of it: while the terminal says that it is in the background, or when
//! no key was pressed for as long as the settings say.

mod calling;
mod news;
mod storm;
mod title;

use jiff::Timestamp;

use super::{Effect, Model, View, geometry, incidents};
use crate::core::{
    board::{Board, Change},
    incident::{Incident, Status},
    notify::Notify,
};

pub use news::{News, Novelty};
pub use storm::Storm;

/// What the terminal says of its focus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Focus {
    /// Nothing so far: perhaps it never does.
    #[default]
    NotTold,
    Front,
    Background,
}

/// Whether somebody was taken to be looking at the last event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Here,
    Away,
}

/// What is remembered of it.
#[derive(Debug)]
pub struct State {
    settings: Notify,
    focus: Focus,
    /// The last key, or when the terminal came to the front or left it.
    last_sign: Timestamp,
    presence: Presence,
    pub news: News,
    pub storm: Storm,
    calling: calling::Calling,
    /// The title that the window was given.
    title: Option<String>,
}

impl State {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            settings: Notify::default(),
            focus: Focus::default(),
            last_sign: now,
            presence: Presence::default(),
            news: News::default(),
            storm: Storm::default(),
            calling: calling::Calling::default(),
            title: None,
        }
    }

    /// Whether nobody is taken to be looking.
    fn is_unseen(&self, now: Timestamp) -> bool {
        self.focus == Focus::Background || now.duration_since(self.last_sign).abs() >= self.settings.away_after
    }
}

impl Model {
    /// How whoever looks wants to be called.
    pub fn set_notify(&mut self, settings: Notify) {
        self.attention.settings = settings;
    }
}

/// A key was pressed, whatever it meant: somebody looks, and has seen what came into the list while they looked at it.
pub(super) fn pressed(model: &mut Model) {
    let in_sight = shows_list(model);
    let state = &mut model.attention;
    if state.presence == Presence::Here && !state.is_unseen(model.now) {
        if in_sight { state.news.seen_live() } else { state.news.keep() }
    }
    // A terminal that gets keys is in front, whatever it said before.
    if state.focus == Focus::Background {
        state.focus = Focus::Front;
    }
    come_back(model);
}

/// Whether something else is drawn in the place of the view.
fn is_covered(model: &Model) -> bool {
    model.sheet.is_some() || model.handoff.is_some() || model.calls.is_some()
}

/// Whether the list of incidents was in sight, with nothing before it.
fn shows_list(model: &Model) -> bool {
    let state = &model.incidents;
    let before = model.prompt.is_some() || state.opened.is_some() || state.picking.is_some();
    model.view == View::Incidents && !before && !is_covered(model) && !geometry::is_too_small(model.size)
}

/// The key was worked: what the hand is on, or what is open, is looked at.
pub(super) fn looked(model: &mut Model) {
    if model.view != View::Incidents || is_covered(model) {
        return;
    }
    if let Some(key) = incidents::at_hand(model) {
        model.attention.news.looked_at(&key);
    }
}

/// The terminal came to the front.
pub(super) fn focused(model: &mut Model) {
    model.attention.focus = Focus::Front;
    come_back(model);
}

/// The terminal left the front.
pub(super) fn unfocused(model: &mut Model) {
    model.attention.focus = Focus::Background;
    model.attention.last_sign = model.now;
    notice_absence(model);
}

fn come_back(model: &mut Model) {
    model.attention.last_sign = model.now;
    model.attention.presence = Presence::Here;
    model.attention.calling.answered();
}

fn notice_absence(model: &mut Model) {
    let state = &mut model.attention;
    if state.presence == Presence::Here && state.is_unseen(model.now) {
        state.presence = Presence::Away;
        state.news.keep();
    }
}

/// Everything new was looked at.
pub(super) fn all_seen(model: &mut Model) {
    model.attention.news = News::default();
}

/// Time has passed.
pub(super) fn ticked(model: &mut Model) -> Vec<Effect> {
    notice_absence(model);
    let was_on = model.attention.storm.is_on();
    model.attention.storm.ticked(model.now);
    if incidents::fit_the_screen(model) {
        model.attention.storm.can_be_read();
    }
    follow_storm(model, was_on);
    let mut effects = calling::ticked(model);
    effects.extend(title::changed(model));
    effects
}

/// A change is about to be applied to the board.
pub(super) fn hear(model: &mut Model, change: &Change) -> Vec<Effect> {
    match change {
        Change::Incident(incident) => heard_of(model, incident),
        Change::Forgotten(key) => {
            model.attention.news.forget(key);
            vec![]
        }
        Change::Unwatched(account) => {
            model.attention.news.retain(|key| key.account != *account);
            vec![]
        }
        Change::Account(_)
        | Change::OnCalls { .. }
        | Change::Schedules { .. }
        | Change::Directory { .. }
        | Change::Delivery(_)
        | Change::Action(_)
        | Change::Templates(_)
        | Change::Door(_)
        | Change::Upkeep(_)
        | Change::Escalation { .. }
        | Change::Services { .. }
        | Change::Targets(_)
        | Change::Unshown(_)
        | Change::Push { .. } => vec![],
    }
}

/// A whole new board is about to take the place of the one that is shown.
pub(super) fn hear_all(model: &mut Model, board: &Board) -> Vec<Effect> {
    model.attention.news.retain(|key| board.incidents.contains_key(key));
    let mut effects = vec![];
    for (key, incident) in &board.incidents {
        // A server that came after another may know less.
        if model.board.incidents.get(key).is_none_or(|known| known.stamp <= incident.stamp) {
            effects.extend(heard_of(model, incident));
        }
    }
    effects
}

fn heard_of(model: &mut Model, incident: &Incident) -> Vec<Effect> {
    let account = model.board.accounts.get(&incident.key.account).map(|known| &known.account);
    // What the first list brings was there before; it is not news.
    if account.is_none_or(incidents::is_awaited) {
        return vec![];
    }
    let known = model.board.incidents.get(&incident.key);
    let Some(novelty) = news::novelty(known, incident) else { return vec![] };
    let calls =
        incident.state.status == Status::Triggered && known.is_none_or(|known| known.state.status != Status::Triggered);
    notice_absence(model);
    let state = &mut model.attention;
    let looked = state.last_sign;
    state.news.mark(&incident.key, novelty, looked);
    if state.presence == Presence::Away {
        state.news.keep();
    }
    if calls { call(model, incident) } else { vec![] }
}

/// An incident calls for somebody: it is new, or triggered again.
fn call(model: &mut Model, incident: &Incident) -> Vec<Effect> {
    let was_on = model.attention.storm.is_on();
    let State { storm, settings, .. } = &mut model.attention;
    storm.arrived(incident, settings.storm, model.now);
    follow_storm(model, was_on);
    if model.attention.presence == Presence::Here { vec![] } else { calling::call(model, incident) }
}

/// The list is grouped while a storm lasts.
fn follow_storm(model: &mut Model, was_on: bool) {
    match (was_on, model.attention.storm.is_on()) {
        (false, true) => incidents::storm_began(model),
        (true, false) => incidents::storm_ended(model),
        (true, true) | (false, false) => {}
    }
}

#[cfg(test)]
mod tests;

//! The list grouped by service: by hand, or while a storm lasts. Nothing is hidden by it: a folded group says how many
//! it holds, and the incident under the hand stays in sight.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{State, find_place};
use crate::{
    app::{
        Model, NoticeKind,
        list::{Cursor, Step},
    },
    core::{
        board::Board,
        id::{AccountName, IncidentKey, ServiceId},
        incident::{Incident, Status},
        text::Shown,
    },
};

/// The service of an account that a group is for; `None`: incidents without one.
pub type GroupKey = (AccountName, Option<ServiceId>);

/// A line of the grouped list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Group(GroupKey),
    Incident(IncidentKey),
}

/// Why the list is grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    Storm,
    Hand,
}

/// The listed incidents of one service.
#[derive(Debug, Clone)]
pub struct Group {
    pub service: Shown,
    pub members: Vec<IncidentKey>,
    pub triggered: usize,
    pub acknowledged: usize,
    pub resolved: usize,
    /// Those that are triggered with high urgency.
    pub urgent: usize,
    /// The newest of them: when it was created, and what it is called.
    pub newest: (Timestamp, String),
}

impl Group {
    fn new(incident: &Incident) -> Self {
        let service = incident.state.service.as_ref();
        Self {
            service: service.map_or_else(|| Shown::line("no service"), |service| service.name.clone()),
            members: vec![],
            triggered: 0,
            acknowledged: 0,
            resolved: 0,
            urgent: 0,
            newest: (Timestamp::MIN, String::new()),
        }
    }

    fn add(&mut self, incident: &Incident) {
        match incident.state.status {
            Status::Triggered => self.triggered += 1,
            Status::Acknowledged => self.acknowledged += 1,
            Status::Resolved => self.resolved += 1,
        }
        self.urgent += usize::from(incident.is_urgent());
        if incident.state.created_at > self.newest.0 {
            self.newest = (incident.state.created_at, incident.headline());
        }
        self.members.push(incident.key.clone());
    }
}

/// The list while it is grouped.
#[derive(Debug)]
pub struct Groups {
    pub cause: Cause,
    pub lines: Vec<Line>,
    pub cursor: Cursor<Line>,
    by_service: BTreeMap<GroupKey, Group>,
    unfolded: BTreeSet<GroupKey>,
    /// The rows are others than those that were grouped.
    stale: bool,
}

impl Groups {
    fn new(cause: Cause, hand: &Cursor<IncidentKey>) -> Self {
        let mut cursor = Cursor::default();
        cursor.select_like(hand, hand.selected().cloned().map(Line::Incident));
        Self { cause, lines: vec![], cursor, by_service: BTreeMap::new(), unfolded: BTreeSet::new(), stale: true }
    }

    pub fn group(&self, key: &GroupKey) -> Option<&Group> {
        self.by_service.get(key)
    }

    pub fn is_unfolded(&self, key: &GroupKey) -> bool {
        self.unfolded.contains(key)
    }

    /// The group that the hand is on.
    pub fn at_hand(&self) -> Option<(&GroupKey, &Group)> {
        let Some(Line::Group(key)) = self.cursor.selected() else { return None };
        self.by_service.get_key_value(key)
    }

    fn incident_at_hand(&self) -> Option<&IncidentKey> {
        if let Some(Line::Incident(key)) = self.cursor.selected() { Some(key) } else { None }
    }

    /// Groups stand in the order of their first incidents; within one the order is that of the list.
    fn rebuild(&mut self, rows: &[IncidentKey], board: &Board) {
        self.by_service.clear();
        let mut order = vec![];
        for incident in rows.iter().filter_map(|key| board.incidents.get(key)) {
            let service = incident.state.service.as_ref().map(|service| service.id.clone());
            let key = (incident.key.account.clone(), service);
            let group = self.by_service.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                Group::new(incident)
            });
            group.add(incident);
        }
        self.unfolded.retain(|key| self.by_service.contains_key(key));
        let held = self.incident_at_hand().cloned();
        self.lines.clear();
        for key in order {
            let all = self.unfolded.contains(&key);
            let members = self.by_service.get(&key).map_or(&[][..], |group| &group.members);
            let shown = members.iter().filter(|member| all || held.as_ref() == Some(*member));
            let shown: Vec<_> = shown.cloned().map(Line::Incident).collect();
            self.lines.push(Line::Group(key));
            self.lines.extend(shown);
        }
    }
}

/// The rows or sizes changed. In a rush of changes the list is grouped once, before it is seen or worked.
pub(super) fn outdate(state: &mut State) {
    if let Some(groups) = &mut state.groups {
        groups.stale = true;
    }
}

/// Groups the list anew if that is due.
pub(in crate::app) fn freshen(model: &mut Model) {
    if model.incidents.groups.as_ref().is_some_and(|groups| groups.stale) {
        settle(&mut model.incidents, &model.board);
    }
}

/// Groups the list anew; the hand finds its place.
fn settle(state: &mut State, board: &Board) {
    let Some(groups) = &mut state.groups else { return };
    groups.stale = false;
    groups.rebuild(state.rows.keys(), board);
    groups.cursor.settle(&groups.lines, state.height);
    state.cursor.select_like(&groups.cursor, groups.incident_at_hand().cloned());
}

/// Moves the hand; `false`: the list is not grouped.
pub(super) fn step(model: &mut Model, step: Step) -> bool {
    let state = &mut model.incidents;
    let Some(groups) = &mut state.groups else { return false };
    groups.cursor.step(step, &groups.lines, state.height);
    settle(state, &model.board);
    true
}

/// Puts the hand on an incident, which a folded group then shows.
pub(super) fn select(model: &mut Model, key: &IncidentKey) {
    let state = &mut model.incidents;
    state.cursor.select(Some(key.clone()));
    state.cursor.hold();
    if let Some(groups) = &mut state.groups {
        groups.cursor.select_like(&state.cursor, Some(Line::Incident(key.clone())));
    }
}

/// Puts the hand on the first line when it is on none.
pub(super) fn select_first_if_none(state: &mut State, board: &Board) {
    settle(state, board);
    if let Some(groups) = &mut state.groups {
        groups.cursor.select_first_if_none(&groups.lines);
        settle(state, board);
    } else {
        state.cursor.select_first_if_none(state.rows.keys());
    }
}

/// Nothing is selected any more, and the window is at the top.
pub(super) fn let_go(state: &mut State) {
    state.cursor = Cursor::default();
    if let Some(groups) = &mut state.groups {
        groups.cursor = Cursor::default();
    }
    outdate(state);
}

/// Unfolds or folds the group that the hand is on; `false`: it is on none.
pub(super) fn fold(model: &mut Model) -> bool {
    let state = &mut model.incidents;
    let Some(groups) = &mut state.groups else { return false };
    let Some((key, _)) = groups.at_hand() else { return false };
    let key = key.clone();
    if !groups.unfolded.remove(&key) {
        groups.unfolded.insert(key);
    }
    settle(state, &model.board);
    true
}

/// The incidents of the group that the hand is on.
pub(super) fn members(state: &State) -> Vec<IncidentKey> {
    let at_hand = state.groups.as_ref().and_then(Groups::at_hand);
    at_hand.map(|(_, group)| group.members.clone()).unwrap_or_default()
}

/// Groups the list, or lists the incidents one by one again.
pub(super) fn toggle(model: &mut Model) {
    if model.incidents.groups.is_some() {
        ungroup(model);
        if model.attention.storm.is_on() {
            model.say(NoticeKind::Good, "one by one, also while the storm lasts; S groups by service again");
        }
    } else {
        let storm = model.attention.storm.is_on();
        group(model, if storm { Cause::Storm } else { Cause::Hand });
        select_first_if_none(&mut model.incidents, &model.board);
    }
}

/// More came than can be read one by one. No key did this: a hand that is on nothing is put on no whole group.
pub(in crate::app) fn storm_began(model: &mut Model) {
    if model.incidents.groups.is_none() {
        group(model, Cause::Storm);
    }
}

/// It is over: what it grouped is listed one by one again. No key did this: a hand that was on a group is on nothing, as
/// the next key means the whole group or nothing.
pub(in crate::app) fn storm_ended(model: &mut Model) {
    if model.incidents.groups.take_if(|groups| groups.cause == Cause::Storm).is_some() {
        find_place(model);
    }
}

fn group(model: &mut Model, cause: Cause) {
    model.incidents.started = true;
    model.incidents.groups = Some(Groups::new(cause, &model.incidents.cursor));
    find_place(model);
    settle(&mut model.incidents, &model.board);
}

/// The hand stays on its incident; from a group it goes to the first of it.
fn ungroup(model: &mut Model) {
    let first = members(&model.incidents).into_iter().next();
    model.incidents.groups = None;
    if first.is_some() {
        model.incidents.cursor.select(first);
    }
    find_place(model);
}

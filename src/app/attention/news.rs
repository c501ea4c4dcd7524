//! What came or changed since somebody looked, incident by incident.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::core::{id::IncidentKey, incident::Incident};

/// What is new about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    New,
    Changed,
}

/// What `after` tells that was not known; `None`: nothing that a person would call news.
pub(super) fn novelty(known: Option<&Incident>, after: &Incident) -> Option<Novelty> {
    let Some(known) = known else {
        return after.state.status.is_open().then_some(Novelty::New);
    };
    let (old, new) = (&known.state, &after.state);
    let differs = old.status != new.status
        || old.urgency != new.urgency
        || old.title != new.title
        || old.priority != new.priority
        || old.assignees != new.assignees;
    differs.then_some(Novelty::Changed)
}

/// The marks, each until it was looked at.
#[derive(Debug, Default)]
pub struct News {
    marks: BTreeMap<IncidentKey, Novelty>,
    /// Those that came while somebody looked: the next key takes them off, if the list is in sight then.
    live: BTreeSet<IncidentKey>,
    /// When somebody looked last before the oldest of them.
    since: Option<Timestamp>,
}

impl News {
    pub fn of(&self, key: &IncidentKey) -> Option<Novelty> {
        self.marks.get(key).copied()
    }

    /// How many are new, and how many changed.
    pub fn counts(&self) -> (usize, usize) {
        let new = self.marks.values().filter(|novelty| **novelty == Novelty::New).count();
        (new, self.marks.len() - new)
    }

    /// Since when all this is news; `None`: there is none.
    pub fn since(&self) -> Option<Timestamp> {
        self.since.filter(|_| !self.marks.is_empty())
    }

    /// What is new stays new when it changes.
    pub(super) fn mark(&mut self, key: &IncidentKey, novelty: Novelty, looked: Timestamp) {
        if self.marks.is_empty() {
            self.since = Some(looked);
        }
        if !self.marks.contains_key(key) {
            self.marks.insert(key.clone(), novelty);
            self.live.insert(key.clone());
        }
    }

    /// Nobody looks any more, or at something else: the marks stay until they are looked at.
    pub(super) fn keep(&mut self) {
        self.live.clear();
    }

    /// Somebody was looking at the list when these came.
    pub(super) fn seen_live(&mut self) {
        for key in std::mem::take(&mut self.live) {
            self.marks.remove(&key);
        }
    }

    pub(super) fn looked_at(&mut self, key: &IncidentKey) {
        self.forget(key);
    }

    pub(super) fn forget(&mut self, key: &IncidentKey) {
        self.marks.remove(key);
        self.live.remove(key);
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&IncidentKey) -> bool) {
        self.marks.retain(|key, _| stays(key));
        self.live.retain(stays);
    }
}

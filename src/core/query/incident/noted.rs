//! On which incidents a note is known to be. The provider does not tell of notes in its lists, so that is known of an
//! incident only when a webhook told, when it was opened, or when the note was left here.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::core::{
    action::{Action, Outcome, Verb},
    board::Board,
    delivery::{DeliverySummary, Verdict},
    detail::Detail,
    id::IncidentKey,
    query::Truth,
};

/// What the provider calls it.
const ANNOTATED: &str = "incident.annotated";

/// What is known of notes, and as of when by the clock of the server's host: what is older tells nothing any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted(BTreeMap<IncidentKey, (Timestamp, Truth)>);

impl Noted {
    /// What the board tells: its part of the webhook log, and its actions.
    pub fn of(board: &Board) -> Self {
        let mut noted = Self::default();
        noted.take_board(board);
        noted
    }

    /// The same, beside what is known already.
    pub fn take_board(&mut self, board: &Board) {
        for delivery in &board.deliveries {
            self.take_delivery(delivery);
        }
        for action in &board.actions {
            self.take_action(action);
        }
    }

    pub fn truth(&self, key: &IncidentKey) -> Truth {
        self.0.get(key).map_or(Truth::Perhaps, |(_, truth)| *truth)
    }

    /// Says whether it tells anything new of its incident. One that nobody signed tells nothing.
    pub fn take_delivery(&mut self, delivery: &DeliverySummary) -> bool {
        let signed = delivery.proof.as_ref().is_some_and(|proof| proof.scheme.is_signed());
        let genuine = signed && matches!(delivery.verdict, Verdict::Accepted | Verdict::Duplicate);
        let annotated = delivery.event_type.as_ref().is_some_and(|kind| kind.as_str() == ANNOTATED);
        match &delivery.incident {
            Some(key) if genuine && annotated => self.know(key, delivery.at, Truth::Yes),
            _ => false,
        }
    }

    /// The incidents on which it left a note.
    pub fn take_action(&mut self, action: &Action) -> Vec<IncidentKey> {
        let leaves_note = match &action.verb {
            Verb::Note { .. } => true,
            Verb::Resolve { note } | Verb::HandOff { note, .. } => note.is_some(),
            Verb::Acknowledge
            | Verb::Snooze { .. }
            | Verb::Escalate { .. }
            | Verb::Merge { .. }
            | Verb::Edit(_)
            | Verb::AddResponders { .. }
            | Verb::StatusUpdate { .. }
            | Verb::RunWorkflow { .. }
            | Verb::ResolveAlert { .. }
            | Verb::Create(_)
            | Verb::Arrange(_) => false,
        };
        let done = action.outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Confirmed { .. }));
        let keys: Vec<_> = done.map(|(key, _)| key.clone()).filter(|_| leaves_note).collect();
        // It was left at some time since it was asked for: what was read meanwhile does not tell.
        let since = |known: Option<&(Timestamp, Truth)>| known.map_or(action.at, |(at, _)| action.at.max(*at));
        keys.into_iter().filter(|key| self.know(key, since(self.0.get(key)), Truth::Yes)).collect()
    }

    /// An incident was read whole, or as far as could be. Says whether that tells anything new.
    pub fn take_detail(&mut self, detail: &Detail) -> bool {
        match (detail.notes.is_empty(), detail.lacks("notes").is_none()) {
            (false, _) => self.know(&detail.key, detail.fetched_at, Truth::Yes),
            (true, true) => self.know(&detail.key, detail.fetched_at, Truth::No),
            (true, false) => false,
        }
    }

    /// Of two that are told as of the same moment, that there is one counts.
    fn know(&mut self, key: &IncidentKey, at: Timestamp, truth: Truth) -> bool {
        let rank = |(at, truth): (Timestamp, Truth)| (at, truth == Truth::Yes);
        let known = self.0.get(key).copied();
        if known.is_some_and(|known| rank(known) >= rank((at, truth))) {
            return false;
        }
        self.0.insert(key.clone(), (at, truth));
        known.is_none_or(|(_, known)| known != truth)
    }
}

//! On which incidents a note is known to be. The provider does not tell of notes in its lists, so that is known of an
//! incident only when a webhook told, when it was opened, or when the note was left here.

use std::collections::BTreeMap;

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

/// What is known of notes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted(BTreeMap<IncidentKey, Truth>);

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
        self.0.get(key).copied().unwrap_or(Truth::Perhaps)
    }

    /// Says whether it tells anything new of its incident. One that nobody signed tells nothing.
    pub fn take_delivery(&mut self, delivery: &DeliverySummary) -> bool {
        let signed = delivery.proof.as_ref().is_some_and(|proof| proof.scheme.is_signed());
        let genuine = signed && matches!(delivery.verdict, Verdict::Accepted | Verdict::Duplicate);
        let annotated = delivery.event_type.as_ref().is_some_and(|kind| kind.as_str() == ANNOTATED);
        match &delivery.incident {
            Some(key) if genuine && annotated => self.know(key, Truth::Yes),
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
        keys.into_iter().filter(|key| self.know(key, Truth::Yes)).collect()
    }

    /// An incident was read whole, or as far as could be. Says whether that tells anything new.
    pub fn take_detail(&mut self, detail: &Detail) -> bool {
        let whole = !detail.missing.iter().any(|part| part.as_str().starts_with("notes"));
        match (detail.notes.is_empty(), whole) {
            (false, _) => self.know(&detail.key, Truth::Yes),
            (true, true) => self.know(&detail.key, Truth::No),
            (true, false) => false,
        }
    }

    fn know(&mut self, key: &IncidentKey, truth: Truth) -> bool {
        self.0.insert(key.clone(), truth) != Some(truth)
    }
}

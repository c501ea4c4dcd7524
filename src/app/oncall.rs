//! The on-call view.

use crate::proto::{Answer, RequestId};

use super::{Effect, Model, keys::Action};
use crate::core::keys::Chord;

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let _ = (model, action);
    vec![]
}

/// A key while text is being typed in this view (a filter line, the editor); `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let _ = (model, chord);
    None
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let _ = (model, text);
    false
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let _ = (model, id, answer);
    None
}

/// Rows or sizes changed.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    let _ = model;
    vec![]
}

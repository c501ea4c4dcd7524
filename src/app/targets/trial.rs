//! Choosing what a test sends: a delivery of the log, or a sample, as the editor of templates offers them.

use crate::{
    app::{
        Effect, Model, filter,
        source::{Pick, Picked},
    },
    core::{id::TargetName, keys::Chord},
};

use super::asking::{self, Wish};

/// Lines above the choices.
pub const TITLE: u16 = 2;

/// The open list of what can be sent.
#[derive(Debug)]
pub struct Trial {
    pub target: TargetName,
    pub pick: Pick,
}

/// Opens the list.
pub(super) fn open(model: &mut Model, target: TargetName) {
    model.targets.trial = Some(Trial { target, pick: Pick::for_a_test() });
}

/// A key while it is open.
pub(super) fn press(model: &mut Model, mut trial: Trial, chord: Chord) -> Vec<Effect> {
    match trial.pick.take(model, chord, height(model, &trial.pick)) {
        Picked::Closed => vec![],
        Picked::Source(source) => asking::send(model, Wish::Test { target: trial.target, on: source.subject() }),
        Picked::Open => {
            model.targets.trial = Some(trial);
            settle(model)
        }
    }
}

/// Keeps the hand where it is, and has the log searched for what is typed.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    let Some(mut trial) = model.targets.trial.take() else { return vec![] };
    let height = height(model, &trial.pick);
    let effects = trial.pick.settle(model, height);
    model.targets.trial = Some(trial);
    effects
}

fn height(model: &Model, pick: &Pick) -> usize {
    filter::list_areas(filter::body(model), TITLE, &pick.filter).rows.height.into()
}

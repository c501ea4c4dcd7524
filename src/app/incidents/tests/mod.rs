//! Stories about the incidents view.

mod around;
mod asking;
mod detail;
mod doubts;
mod list;
mod looking;
mod outcomes;
mod undo;

use crate::{
    app::{
        Effect, Model,
        fixtures::{action, answer, change, press, requests, target},
    },
    core::{
        action::{Outcome, Target, Verb},
        board::Change,
        id::ActionId,
        incident::Status,
    },
    proto::{Answer, Request},
};

fn selected(model: &Model) -> Option<&str> {
    model.incidents.cursor.selected().map(|key| key.id.as_str())
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

fn acts(effects: &[Effect]) -> Vec<Request> {
    let requests = requests(effects).into_iter().map(|(_, request)| request);
    requests.filter(|request| matches!(request, Request::Act { .. })).collect()
}

fn act(targets: &[(&str, Status)], verb: Verb) -> Request {
    let targets = targets.iter().map(|(id, seen)| Target { seen: *seen, ..target(id) }).collect();
    Request::Act { targets, verb, undoable: true }
}

/// Presses keys that end in an action, and has the server accept it under this number.
fn accepted(model: &mut Model, keys: &str, id: i64) {
    let effects = press(model, keys);
    answer(model, &effects, Ok(Answer::Accepted { action: ActionId(id) }));
}

fn outcome(model: &mut Model, id: i64, verb: Verb, outcomes: &[(&str, Outcome)]) -> Vec<Effect> {
    change(model, Change::Action(Box::new(action(id, verb, outcomes))))
}

const DONE: Outcome = Outcome::Confirmed { notice: None };

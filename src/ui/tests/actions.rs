//! Actions under way, failed, and without an answer.

use super::{both, keys};
use crate::{
    app::{
        Event, Model,
        fixtures::{self, change, model, press, shown},
        update,
    },
    core::{
        action::{Outcome, Verb},
        board::Change,
    },
    proto::Answer,
};

#[test]
fn actions_under_way_and_failed() {
    both("action_marks", |width, height| {
        let mut model = model(width, height);
        let outcomes = [
            ("Q1DISK", Outcome::Sent),
            ("Q2LATE", Outcome::Failed { reason: shown("not permitted") }),
            ("Q3CERT", Outcome::Unknown { reason: shown("no answer in 10 s") }),
        ];
        change(&mut model, Change::Action(Box::new(fixtures::action(2, Verb::Acknowledge, &outcomes))));
        model
    });
}

#[test]
fn a_failed_action_says_why() {
    both("action_failed", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "space shift-down space a enter");
        fixtures::answer(&mut model, &effects, Ok(Answer::Accepted { action: crate::core::id::ActionId(9) }));
        let reason = shown("refused with 400: Incident Already Resolved, and the requester may not act on this team");
        let outcomes = [("Q1DISK", Outcome::Confirmed { notice: None }), ("Q2LATE", Outcome::Failed { reason })];
        change(&mut model, Change::Action(Box::new(fixtures::action(9, Verb::Acknowledge, &outcomes))));
        model
    });
}

#[test]
fn an_action_under_way() {
    keys("action_sent", "a enter");
}

/// Acknowledging and a note went out, and no answer came.
fn in_doubt(width: u16, height: u16) -> Model {
    let mut model = model(width, height);
    press(&mut model, "n x");
    for keys in ["ctrl-s", "a enter"] {
        let effects = press(&mut model, keys);
        let (id, _) = fixtures::requests(&effects)[0];
        let reason = "the connection broke before the answer came".into();
        update(&mut model, Event::Unanswered { id, reason });
    }
    model
}

#[test]
fn an_action_without_an_answer() {
    both("in_doubt", in_doubt);
}

#[test]
fn asking_again_for_what_may_be_done() {
    for (name, keys) in [("in_doubt_again", "esc a"), ("in_doubt_note", "esc n"), ("in_doubt_detail", "esc enter")] {
        both(name, |width, height| {
            let mut model = in_doubt(width, height);
            press(&mut model, keys);
            model
        });
    }
}

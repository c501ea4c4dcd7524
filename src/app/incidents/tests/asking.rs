//! What is asked before anything is done, and by whom it may be done.

use super::{act, acts, notice, outcome};
use crate::{
    app::{
        Event, Role,
        fixtures::{answer, attached, board, board_with, change, incident, model, press, shown, type_text},
        update,
    },
    core::{
        action::{Outcome, Verb},
        board::Change,
        id::ActionId,
        incident::Status,
    },
    proto::{Access, Answer},
};

#[test]
fn acknowledging_asks_first_and_runs_once() {
    let mut model = model(80, 24);
    assert_eq!(press(&mut model, "a"), []);
    assert!(model.prompt.is_some());

    let effects = press(&mut model, "enter enter enter");

    assert_eq!(acts(&effects), [act(&[("Q1DISK", Status::Triggered)], Verb::Acknowledge)]);
}

#[test]
fn what_is_under_way_is_not_asked_for_again() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "a enter");
    press(&mut model, "a");
    assert!(model.prompt.is_none() && notice(&model).contains("still under way"));

    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(9) }));
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", Outcome::Sent)]);
    press(&mut model, "a");
    assert!(model.prompt.is_none() && notice(&model).contains("still under way"));
    press(&mut model, "R");
    assert!(model.prompt.is_some(), "something else may be done meanwhile");
}

#[test]
fn a_prompt_keeps_its_target_and_the_status_that_was_seen() {
    let mut model = model(80, 24);
    press(&mut model, "a");

    change(&mut model, Change::Incident(Box::new(incident("Q1DISK", 1201, Status::Resolved, "Disk", 1))));
    change(&mut model, Change::Incident(Box::new(incident("QNEW", 1300, Status::Triggered, "new", 1))));
    let effects = press(&mut model, "enter");

    assert_eq!(acts(&effects), [act(&[("Q1DISK", Status::Triggered)], Verb::Acknowledge)]);
}

#[test]
fn marks_come_before_the_selection_and_go_when_sent() {
    let mut model = model(80, 24);
    press(&mut model, "shift-down j space k");
    assert_eq!(model.incidents.marked.len(), 2);

    let effects = press(&mut model, "R enter");

    let targets = [("Q1DISK", Status::Triggered), ("Q3CERT", Status::Triggered)];
    assert_eq!(acts(&effects), [act(&targets, Verb::Resolve { note: None })]);
    assert!(model.incidents.marked.is_empty());
}

#[test]
fn the_open_incident_is_meant_even_when_others_are_marked() {
    let mut model = model(80, 24);
    press(&mut model, "space j enter");

    let effects = press(&mut model, "a enter");

    assert_eq!(acts(&effects), [act(&[("Q2LATE", Status::Triggered)], Verb::Acknowledge)]);
}

#[test]
fn resolved_ones_among_the_marked_are_left_out_and_named() {
    let mut model = model(80, 24);
    press(&mut model, "space G space a");
    let prompt = model.prompt.as_ref().expect("prompt");
    assert_eq!(
        (prompt.aims.len(), prompt.left_out.as_slice()),
        (1, &["#1187 is resolved: nothing to acknowledge".to_owned()][..])
    );

    press(&mut model, "esc esc G R");
    assert!(model.prompt.is_none() && notice(&model).contains("#1187 is resolved"));
}

#[test]
fn who_may_not_act_is_told_why() {
    let cases = vec![
        attached(board_with(|account| account.cannot_act = Some(shown("from is not set"))), 80, 24),
        {
            let mut model = model(80, 24);
            let access = Access::Watch { reason: "uid 1005 is not mapped".into() };
            update(&mut model, Event::Attached { board: Box::new(board()), access, role: Role::Attached });
            model
        },
        {
            let mut model = model(80, 24);
            update(&mut model, Event::Detached { reason: "closed".into() });
            model
        },
    ];
    for (mut model, why) in cases.into_iter().zip(["from is not set", "uid 1005 is not mapped", "closed"]) {
        for wish in ["a", "R", "h", "n"] {
            assert_eq!(press(&mut model, wish), []);
            assert!(model.prompt.is_none() && notice(&model).contains(why), "{}", notice(&model));
        }
    }
}

#[test]
fn a_link_lost_while_a_note_is_typed_keeps_the_note() {
    let mut model = model(80, 24);
    press(&mut model, "n");
    type_text(&mut model, "on it");
    update(&mut model, Event::Detached { reason: "closed".into() });

    assert_eq!(press(&mut model, "ctrl-s"), []);
    assert!(notice(&model).contains("nothing can be sent"));

    let access = Access::Act { actor: "alice".into() };
    update(&mut model, Event::Attached { board: Box::new(board()), access, role: Role::Owner });
    let effects = press(&mut model, "ctrl-s");
    assert_eq!(acts(&effects), [act(&[("Q1DISK", Status::Triggered)], Verb::Note { text: "on it".into() })]);
}

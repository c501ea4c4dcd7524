//! Stories about what is asked before anything is done.

use super::{Ask, Stage};
use crate::{
    app::{
        Event, Model,
        fixtures::{bob, change, incident, model, policy, press, requests, type_text},
        update,
    },
    core::{
        action::{Assignee, Verb},
        board::Change,
        incident::Status,
    },
    proto::Request,
};

/// The verb that these keys send.
fn sent(model: &mut Model, keys: &str) -> Option<Verb> {
    let effects = press(model, keys);
    requests(&effects).into_iter().find_map(|(_, request)| match request {
        Request::Act { verb, .. } => Some(verb),
        _ => None,
    })
}

fn names(model: &Model) -> Vec<&str> {
    match &model.prompt.as_ref().expect("prompt").ask {
        Ask::HandOff(hand_off) => hand_off.listed.iter().map(|to| to.name().as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn people_on_call_come_first_by_level_then_everybody_then_policies() {
    let mut model = model(80, 24);
    let board = model.board.accounts.values_mut().next().expect("account");
    board.oncalls.retain(|on| on.level > 1);
    press(&mut model, "h");

    assert_eq!(names(&model), ["Bob Okafor", "Carol Lindqvist", "Alice Moreau", "Payments", "Databases"]);
}

#[test]
fn handing_off_names_the_person_before_it_is_done() {
    let mut model = model(80, 24);
    press(&mut model, "h");
    type_text(&mut model, "okafor");
    assert_eq!(sent(&mut model, "enter"), None);

    let verb = sent(&mut model, "enter enter");

    assert_eq!(verb, Some(Verb::HandOff { to: Assignee::User(bob()), note: None }));
}

#[test]
fn a_note_goes_with_the_hand_off_and_escape_goes_back_one_step() {
    let mut model = model(80, 24);
    press(&mut model, "h tab");
    type_text(&mut model, "q runs hot ");
    press(&mut model, "tab down down down enter esc");
    let stage = |model: &Model| match &model.prompt.as_ref().expect("prompt").ask {
        Ask::HandOff(hand_off) => hand_off.stage,
        other => panic!("{other:?}"),
    };
    assert_eq!(stage(&model), Stage::Choosing);

    let verb = sent(&mut model, "enter enter");

    let note = Some("q runs hot".to_owned());
    assert_eq!(verb, Some(Verb::HandOff { to: Assignee::EscalationPolicy(policy()), note }));
}

#[test]
fn people_who_come_in_while_choosing_do_not_move_the_choice() {
    let mut model = model(80, 24);
    press(&mut model, "h down");
    let account = crate::app::fixtures::account_name();
    change(&mut model, Change::OnCalls { account, oncalls: vec![] });

    let verb = sent(&mut model, "enter enter");

    assert_eq!(verb, Some(Verb::HandOff { to: Assignee::User(bob()), note: None }));
}

#[test]
fn a_hand_off_to_nobody_is_not_sent() {
    let mut model = model(80, 24);
    press(&mut model, "h");
    type_text(&mut model, "nonsense");
    assert_eq!(sent(&mut model, "enter enter enter"), None);
    press(&mut model, "esc");
    assert_eq!(names(&model).len(), 5, "escape clears the filter first");
    press(&mut model, "esc");
    assert!(model.prompt.is_none());
}

#[test]
fn a_note_takes_lines_and_pasted_text_and_is_sent_with_ctrl_s() {
    let mut model = model(80, 24);
    press(&mut model, "n");
    type_text(&mut model, "first q?");
    press(&mut model, "enter");
    update(&mut model, Event::Pasted("second\r\n\u{1b}[2Jthird\u{202e}".into()));

    let verb = sent(&mut model, "ctrl-s ctrl-s");

    assert_eq!(verb, Some(Verb::Note { text: "first q?\nsecond\n[2Jthird".into() }));
}

#[test]
fn alt_enter_sends_a_note_too_and_an_empty_one_is_not_sent() {
    let mut model = model(80, 24);
    assert_eq!(sent(&mut model, "n space alt-enter"), None);
    assert!(model.prompt.is_some());
    assert_eq!(sent(&mut model, "x alt-enter"), Some(Verb::Note { text: "x".into() }));
}

#[test]
fn a_note_left_unsent_comes_back_for_the_same_incident_only() {
    let mut model = model(80, 24);
    press(&mut model, "n");
    type_text(&mut model, "half");
    press(&mut model, "esc j n");
    assert_eq!(sent(&mut model, "ctrl-s"), None, "another incident gets no text of this one");
    press(&mut model, "esc k");

    let verb = sent(&mut model, "n ctrl-s");

    assert_eq!(verb, Some(Verb::Note { text: "half".into() }));
}

#[test]
fn escape_leaves_and_other_keys_do_nothing() {
    for wish in ["a", "R"] {
        let mut model = model(80, 24);
        assert_eq!(sent(&mut model, &format!("{wish} x y j space tab 2")), None);
        assert!(model.prompt.is_some());
        assert_eq!(sent(&mut model, "esc enter esc"), None);
    }
}

#[test]
fn incidents_of_two_accounts_are_not_handed_off_together() {
    let mut model = model(80, 24);
    let mut other = incident("QOTHER", 1, Status::Triggered, "other", 1);
    other.key.account = "eu".parse().expect("name");
    change(&mut model, Change::Incident(Box::new(other)));
    press(&mut model, "g space j space h");
    assert!(model.prompt.is_none());
    assert!(model.notice.as_ref().expect("notice").text.as_str().contains("several accounts"));
}

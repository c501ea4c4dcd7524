//! How actions end, and what is said of it.

use super::{DONE, accepted, act, acts, notice, outcome};
use crate::{
    app::{
        Event, Model, NoticeKind, Role,
        fixtures::{action, answer, board, bob, carol, change, incident, key, model, press, shown, target},
        prompt::Ask,
        update,
    },
    core::{
        action::{Assignee, Outcome, Target, Verb},
        board::Change,
        id::ActionId,
        incident::Status,
    },
    proto::{Access, Answer, Request},
};

#[test]
fn nothing_is_called_done_before_it_is_confirmed() {
    let mut model = model(80, 24);
    accepted(&mut model, "a enter", 9);
    assert_eq!(model.notice.as_ref().expect("notice").kind, NoticeKind::Working);
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", Outcome::Sent)]);
    assert_eq!(model.notice.as_ref().expect("notice").kind, NoticeKind::Working);
    assert!(!notice(&model).contains("acknowledged"));

    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", DONE)]);

    assert_eq!(model.notice.as_ref().expect("notice").kind, NoticeKind::Good);
    assert!(notice(&model).starts_with("acknowledged #1201"));
}

#[test]
fn the_end_is_told_even_when_it_comes_before_the_acceptance() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "a enter");
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", DONE)]);
    assert_eq!(model.notice.as_ref().expect("notice").kind, NoticeKind::Working);

    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(9) }));

    assert_eq!(model.notice.as_ref().expect("notice").kind, NoticeKind::Good);
}

#[test]
fn each_part_of_a_mixed_end_is_told_and_good_news_do_not_paint_over_it() {
    let mut model = model(80, 24);
    accepted(&mut model, "space j space a enter", 9);
    accepted(&mut model, "j R enter", 10);
    let failed = Outcome::Failed { reason: shown("not found") };

    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", DONE), ("Q2LATE", failed)]);
    outcome(&mut model, 10, Verb::Resolve { note: None }, &[("Q3CERT", DONE)]);

    assert_eq!(notice(&model), "acknowledge 2 incidents: 1 confirmed, 1 failed: not found");
}

#[test]
fn other_peoples_actions_make_no_notice() {
    let mut model = model(80, 24);
    outcome(&mut model, 7, Verb::Resolve { note: None }, &[("Q1DISK", Outcome::Failed { reason: shown("no") })]);
    assert!(model.notice.is_none());
}

#[test]
fn a_refused_action_says_so() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "a enter");
    answer(&mut model, &effects, Err("the store cannot commit".into()));
    assert_eq!(notice(&model), "acknowledge #1201 Disk 97 % full on db-3: not done: the store cannot commit");
}

#[test]
fn the_end_of_an_action_is_told_after_the_link_came_back() {
    let mut model = model(80, 24);
    accepted(&mut model, "a enter", 9);
    update(&mut model, Event::Detached { reason: "closed".into() });
    let mut later = board();
    later.actions.push_front(action(9, Verb::Acknowledge, &[("Q1DISK", DONE)]));

    let access = Access::Act { actor: "alice".into() };
    update(&mut model, Event::Attached { board: Box::new(later), access, role: Role::Owner });

    assert!(notice(&model).starts_with("acknowledged #1201"));
}

fn conflict() -> Outcome {
    Outcome::Conflict {
        now: Status::Resolved,
        assignees: target("Q1DISK").assignees,
        reason: shown("resolved by Bob Okafor"),
    }
}

#[test]
fn a_conflict_asks_again_and_goes_on_with_the_status_that_is_now() {
    let mut model = model(80, 24);
    accepted(&mut model, "a enter", 9);
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", conflict())]);
    assert!(matches!(model.prompt.as_ref().expect("prompt").ask, Ask::Conflict { .. }));
    assert_eq!(press(&mut model, "enter"), [], "it came up by itself, so a stray enter must not agree");

    let effects = press(&mut model, "y");

    assert_eq!(acts(&effects), [act(&[("Q1DISK", Status::Resolved)], Verb::Acknowledge)]);
}

#[test]
fn a_hand_off_that_met_a_conflict_goes_on_with_those_of_whom_it_told_and_not_with_later_ones() {
    let mut model = model(80, 24);
    accepted(&mut model, "h down enter enter", 9);
    let mut taken = incident("Q1DISK", 1201, Status::Triggered, "Disk", 100);
    taken.state.assignees = vec![carol()];
    change(&mut model, Change::Incident(Box::new(taken)));
    let verb = Verb::HandOff { to: Assignee::User(bob()), note: None };
    let reason = shown("it was assigned to Carol Lindqvist meanwhile");
    let outcome = Outcome::Conflict { now: Status::Acknowledged, assignees: vec![carol().id], reason };
    press(&mut model, "3");
    change(&mut model, Change::Action(Box::new(action(9, verb.clone(), &[("Q1DISK", outcome)]))));
    let mut taken = incident("Q1DISK", 1201, Status::Triggered, "Disk", 101);
    taken.state.assignees = vec![bob()];
    change(&mut model, Change::Incident(Box::new(taken)));
    press(&mut model, "1");

    let effects = press(&mut model, "y");

    let seen = Target { key: key("Q1DISK"), seen: Status::Acknowledged, assignees: vec![carol().id] };
    assert_eq!(acts(&effects), [Request::Act { targets: vec![seen], verb, undoable: true }]);
}

#[test]
fn a_conflict_waits_until_what_is_being_typed_is_done() {
    for typing in ["n", "h", "/"] {
        let mut model = model(80, 24);
        accepted(&mut model, "a enter", 9);
        press(&mut model, typing);
        outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", conflict())]);
        let asks = |model: &Model| model.prompt.as_ref().is_some_and(|p| matches!(p.ask, Ask::Conflict { .. }));
        assert!(!asks(&model), "{typing}");

        press(&mut model, "esc");

        assert!(asks(&model), "{typing}");
        assert_eq!(press(&mut model, "esc"), []);
        assert!(model.prompt.is_none());
    }
}

//! Actions that were not answered: nothing is called done or not done that is not known.

use super::{DONE, accepted, act, acts, notice, outcome};
use crate::{
    app::{
        Event, Model, NoticeKind, Role,
        fixtures::{action, answer, board, change, incident, key, model, press, requests, shown, type_text},
        incidents::doubt,
        update,
    },
    core::{
        action::{Outcome, Verb},
        board::{Board, Change},
        id::{ActionId, StoreId},
        incident::Status,
    },
    proto::{Access, Answer, Request},
};

#[test]
fn a_link_that_breaks_before_the_answer_leaves_doubt_and_says_so() {
    let mut model = model(80, 24);
    press(&mut model, "a enter");
    update(&mut model, Event::Detached { reason: "closed".into() });
    assert!(notice(&model).contains("not known whether it is done: the link to the server broke"));
}

/// Presses keys that end in an action whose request goes out and is not answered.
fn unanswered(model: &mut Model, keys: &str) -> u64 {
    let effects = press(model, keys);
    let (id, _) = requests(&effects).last().cloned().expect("a request");
    update(model, Event::Unanswered { id, reason: "the connection broke".into() });
    id
}

fn attach(model: &mut Model, board: Board) {
    let access = Access::Act { actor: "alice".into() };
    update(model, Event::Attached { board: Box::new(board), access, role: Role::Owner });
}

#[test]
fn an_action_without_an_answer_is_never_called_not_done() {
    let mut model = model(80, 24);
    unanswered(&mut model, "a enter");
    update(&mut model, Event::Detached { reason: "closed".into() });

    let told = "acknowledge #1201 Disk 97 % full on db-3: not known whether it is done: the connection broke";
    assert_eq!(notice(&model), told);
    press(&mut model, "j k");
    assert_eq!(notice(&model), told, "it stays until it was looked at");
}

#[test]
fn several_actions_without_an_answer_are_all_told() {
    let mut model = model(80, 24);
    let first = requests(&press(&mut model, "a enter")).last().expect("a request").0;
    let second = requests(&press(&mut model, "j a enter")).last().expect("a request").0;
    for id in [first, second] {
        update(&mut model, Event::Unanswered { id, reason: "the connection broke".into() });
    }

    assert!(notice(&model).starts_with("2 actions: not known whether they are done"), "{}", notice(&model));
}

#[test]
fn asking_again_after_no_answer_says_that_the_first_attempt_may_be_done() {
    let mut model = model(80, 24);
    unanswered(&mut model, "a enter");
    let told = doubt(&model, &key("Q1DISK"));
    let words = "asked already, outcome not known: acknowledge at 04:17:30";
    assert_eq!(told.as_deref(), Some(words));

    let effects = press(&mut model, "a enter");
    assert_eq!(acts(&effects), [act(&[("Q1DISK", Status::Triggered)], Verb::Acknowledge)]);
    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(9) }));
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", Outcome::Failed { reason: shown("no") })]);

    assert_eq!(doubt(&model, &key("Q1DISK")), None, "the second attempt has an end");
}

#[test]
fn an_action_that_was_written_down_without_an_answer_is_ours_when_the_link_stands_again() {
    let mut model = model(80, 24);
    unanswered(&mut model, "a enter");
    update(&mut model, Event::Detached { reason: "closed".into() });
    let mut later = board();
    later.actions.push_front(action(9, Verb::Acknowledge, &[("Q1DISK", Outcome::Sent)]));

    attach(&mut model, later);
    assert_eq!(doubt(&model, &key("Q1DISK")), None);
    assert_eq!(model.notice.as_ref().expect("notice").kind, NoticeKind::Working);
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", DONE)]);

    assert!(notice(&model).starts_with("acknowledged #1201"), "{}", notice(&model));
}

#[test]
fn an_action_that_was_told_before_its_answer_was_given_up_is_not_in_doubt() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "a enter");
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", DONE)]);
    let (id, _) = requests(&effects)[0].clone();
    update(&mut model, Event::Unanswered { id, reason: "no answer within a minute".into() });

    assert!(notice(&model).starts_with("acknowledged #1201"), "{}", notice(&model));
    assert_eq!(doubt(&model, &key("Q1DISK")), None);
}

#[test]
fn an_action_of_somebody_else_or_before_or_on_others_does_not_resolve_the_doubt() {
    let mut model = model(80, 24);
    outcome(&mut model, 8, Verb::Acknowledge, &[("Q1DISK", Outcome::Failed { reason: shown("no") })]);
    unanswered(&mut model, "a enter");
    let mut bobs = action(10, Verb::Acknowledge, &[("Q1DISK", DONE)]);
    bobs.by.actor = shown("bob");
    change(&mut model, Change::Action(Box::new(bobs)));
    outcome(&mut model, 11, Verb::Acknowledge, &[("Q2LATE", DONE)]);
    outcome(&mut model, 12, Verb::Resolve { note: None }, &[("Q1DISK", Outcome::Sent)]);

    assert!(doubt(&model, &key("Q1DISK")).is_some());
    assert!(notice(&model).contains("not known whether"), "{}", notice(&model));
}

#[test]
fn an_incident_that_stands_where_it_was_to_be_brought_has_no_mark_of_doubt() {
    let mut model = model(80, 24);
    unanswered(&mut model, "a enter");
    change(&mut model, Change::Incident(Box::new(incident("Q1DISK", 1201, Status::Acknowledged, "Disk", 100))));
    assert_eq!(doubt(&model, &key("Q1DISK")), None);
}

#[test]
fn a_note_that_was_refused_or_not_answered_comes_back_until_it_is_known_to_have_arrived() {
    let mut model = model(80, 24);
    press(&mut model, "n");
    type_text(&mut model, "WAL");
    let effects = press(&mut model, "ctrl-s");
    answer(&mut model, &effects, Err("the store cannot commit".into()));
    assert!(notice(&model).ends_with("not done: the store cannot commit; n brings the text back"));

    let note = Verb::Note { text: "WAL".into() };
    let id = unanswered(&mut model, "n ctrl-s");
    assert!(doubt(&model, &key("Q1DISK")).expect("a doubt").contains("not known: note at"));
    let effects = press(&mut model, "n ctrl-s");
    assert_eq!(acts(&effects), [act(&[("Q1DISK", Status::Triggered)], note)]);
    press(&mut model, "n");
    assert_eq!(press(&mut model, "ctrl-s"), [], "what is under way has no draft");
    press(&mut model, "esc");
    let (second, _) = requests(&effects)[0].clone();
    update(&mut model, Event::Unanswered { id: second, reason: "the connection broke".into() });

    update(&mut model, Event::Answered { id, answer: Ok(Answer::Accepted { action: ActionId(9) }) });
    assert_eq!(press(&mut model, "n ctrl-s"), [], "it arrived");
}

/// The board of another server, which has a store of its own.
fn of_another_store() -> Board {
    Board { store: StoreId(2), ..board() }
}

#[test]
fn an_action_of_another_server_with_the_same_number_is_not_taken_for_ours() {
    let mut model = model(80, 24);
    accepted(&mut model, "a enter", 9);
    update(&mut model, Event::Detached { reason: "closed".into() });
    let mut theirs = of_another_store();
    let conflict =
        Outcome::Conflict { now: Status::Resolved, assignees: vec![], reason: shown("it was resolved meanwhile") };
    theirs.actions = [action(9, Verb::Resolve { note: None }, &[("Q2LATE", conflict)])].into();

    attach(&mut model, theirs);

    assert!(model.prompt.is_none(), "nothing was asked for on Q2LATE here");
    let told = "acknowledge #1201 Disk 97 % full on db-3: not known whether it is done: another server answers now, which \
                knows nothing of it";
    assert_eq!(notice(&model), told);
    assert!(doubt(&model, &key("Q1DISK")).is_some());
}

#[test]
fn an_action_that_another_server_took_has_its_end_told_when_that_one_is_back() {
    let mut model = model(80, 24);
    accepted(&mut model, "a enter", 9);
    update(&mut model, Event::Detached { reason: "closed".into() });
    attach(&mut model, Board { incidents: [].into(), ..of_another_store() });
    update(&mut model, Event::Detached { reason: "closed".into() });
    let mut back = board();
    back.actions.push_front(action(9, Verb::Acknowledge, &[("Q1DISK", DONE)]));

    attach(&mut model, back);

    assert!(notice(&model).starts_with("acknowledged #1201"), "{}", notice(&model));
}

#[test]
fn an_action_that_the_server_does_not_know_any_more_is_in_doubt() {
    let mut model = model(80, 24);
    accepted(&mut model, "a enter", 9);
    update(&mut model, Event::Detached { reason: "closed".into() });

    attach(&mut model, board());

    assert!(notice(&model).contains("not known whether it is done"), "{}", notice(&model));
    assert!(doubt(&model, &key("Q1DISK")).is_some());
}

#[test]
fn a_question_about_a_delivery_is_not_put_to_another_server() {
    for keys in ["3 j R", "3 j enter R"] {
        let mut model = model(80, 24);
        press(&mut model, keys);
        assert!(model.prompt.is_some(), "{keys}");

        attach(&mut model, of_another_store());

        assert!(model.prompt.is_none(), "{keys}");
        assert!(notice(&model).contains("another server answers now"), "{}", notice(&model));
        assert!(
            requests(&press(&mut model, "enter")).iter().all(|(_, asked)| !matches!(asked, Request::Replay { .. }))
        );
    }
}

#[test]
fn what_is_typed_stays_when_another_server_answers() {
    let mut model = model(80, 24);
    press(&mut model, "n");
    type_text(&mut model, "looking");

    attach(&mut model, of_another_store());

    let effects = press(&mut model, "ctrl-s");
    assert_eq!(acts(&effects), [act(&[("Q1DISK", Status::Triggered)], Verb::Note { text: "looking".into() })]);
}

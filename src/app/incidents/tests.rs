//! Stories about the incidents view.

use crate::{
    app::{
        Effect, Event, Model, NoticeKind, Role,
        fixtures::{
            action, ago, answer, attached, board, board_with, bob, carol, change, detail, incident, key, model, press,
            requests, shown, target, type_text,
        },
        incidents::doubt,
        prompt::Ask,
        update,
    },
    core::{
        action::{Assignee, Outcome, Target, Verb},
        board::{Board, Change},
        freshness::Freshness,
        id::ActionId,
        incident::Status,
    },
    proto::{Access, Answer, Request},
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
    Request::Act { targets, verb }
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
fn a_row_that_comes_in_above_does_not_move_the_hand() {
    let mut model = model(80, 24);
    press(&mut model, "j");
    assert_eq!(selected(&model), Some("Q2LATE"));

    let new = incident("QNEW", 1300, Status::Triggered, "new", 1);
    change(&mut model, Change::Incident(Box::new(new)));
    let effects = press(&mut model, "a enter");

    assert_eq!(acts(&effects), [act(&[("Q2LATE", Status::Triggered)], Verb::Acknowledge)]);
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
fn a_selected_row_that_goes_takes_the_selection_with_it() {
    let mut model = model(80, 24);
    change(&mut model, Change::Forgotten(key("Q1DISK")));
    assert_eq!(selected(&model), None);

    assert_eq!(press(&mut model, "a enter"), []);
    assert!(model.prompt.is_none() && notice(&model).contains("no incident is selected"));
}

#[test]
fn marks_come_before_the_selection_and_go_when_sent() {
    let mut model = model(80, 24);
    press(&mut model, "shift-down j space k");
    assert_eq!(model.incidents.marked.len(), 2);

    let effects = press(&mut model, "R enter");

    let targets = [("Q1DISK", Status::Triggered), ("Q3CERT", Status::Triggered)];
    assert_eq!(acts(&effects), [act(&targets, Verb::Resolve)]);
    assert!(model.incidents.marked.is_empty());
}

#[test]
fn space_marks_and_unmarks_and_marks_follow_the_incident() {
    let mut model = model(80, 24);
    press(&mut model, "space space j space");
    change(&mut model, Change::Incident(Box::new(incident("Q2LATE", 1200, Status::Acknowledged, "p99", 700))));
    assert_eq!(model.incidents.marked.iter().collect::<Vec<_>>(), [&key("Q2LATE")]);

    change(&mut model, Change::Forgotten(key("Q2LATE")));
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
    let cases = [
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
    outcome(&mut model, 10, Verb::Resolve, &[("Q3CERT", DONE)]);

    assert_eq!(notice(&model), "acknowledge 2 incidents: 1 confirmed, 1 failed: not found");
}

#[test]
fn other_peoples_actions_make_no_notice() {
    let mut model = model(80, 24);
    outcome(&mut model, 7, Verb::Resolve, &[("Q1DISK", Outcome::Failed { reason: shown("no") })]);
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
    outcome(&mut model, 12, Verb::Resolve, &[("Q1DISK", Outcome::Sent)]);

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
    Outcome::Conflict { now: Status::Resolved, reason: shown("resolved by Bob Okafor") }
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
fn a_hand_off_that_met_a_conflict_goes_on_with_those_who_are_assigned_now() {
    let mut model = model(80, 24);
    accepted(&mut model, "h down enter enter", 9);
    let mut taken = incident("Q1DISK", 1201, Status::Triggered, "Disk", 100);
    taken.state.assignees = vec![carol()];
    change(&mut model, Change::Incident(Box::new(taken)));
    let verb = Verb::HandOff { to: Assignee::User(bob()), note: None };
    let outcome = Outcome::Conflict { now: Status::Acknowledged, reason: shown("assigned to Carol Lindqvist") };
    change(&mut model, Change::Action(Box::new(action(9, verb.clone(), &[("Q1DISK", outcome)]))));

    let effects = press(&mut model, "y");

    let seen = Target { key: key("Q1DISK"), seen: Status::Acknowledged, assignees: vec![carol().id] };
    assert_eq!(acts(&effects), [Request::Act { targets: vec![seen], verb }]);
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

#[test]
fn every_printable_key_reaches_the_filter_and_the_list_follows() {
    let mut model = model(80, 24);
    press(&mut model, "/");
    type_text(&mut model, "q?ngaRhv 1");
    assert_eq!(model.incidents.filter.as_str(), "q?ngaRhv 1");
    press(&mut model, "ctrl-u");
    type_text(&mut model, "db");
    assert_eq!(model.incidents.rows.keys(), [key("Q1DISK"), key("Q5BACK")]);

    press(&mut model, "enter");
    assert_eq!(model.incidents.filter.as_str(), "db");
    press(&mut model, "/ esc");
    assert_eq!(model.incidents.rows.keys().len(), 6);
}

#[test]
fn pasting_goes_into_the_filter_and_nowhere_else() {
    let mut model = model(80, 24);
    update(&mut model, Event::Pasted("aR\n".into()));
    assert!(model.prompt.is_none());
    press(&mut model, "/");
    update(&mut model, Event::Pasted("disk\n".into()));
    assert_eq!(model.incidents.rows.keys(), [key("Q1DISK")]);
}

#[test]
fn old_resolved_ones_are_hidden_but_counted_until_asked_for() {
    let mut model = model(80, 24);
    assert_eq!((model.incidents.rows.keys().len(), model.incidents.rows.hidden_resolved()), (6, 1));
    press(&mut model, "v");
    assert_eq!((model.incidents.rows.keys().len(), model.incidents.rows.hidden_resolved()), (7, 0));
    press(&mut model, "v");

    update(&mut model, Event::Ticked(ago(-600)));

    assert_eq!((model.incidents.rows.keys().len(), model.incidents.rows.hidden_resolved()), (5, 2));
}

#[test]
fn opening_asks_for_the_detail_once_and_a_late_answer_of_another_is_dropped() {
    let mut model = model(80, 24);
    let first = press(&mut model, "enter");
    assert_eq!(requests(&first)[0].1, Request::Detail { key: key("Q1DISK") });
    press(&mut model, "esc j");
    let second = press(&mut model, "enter");
    assert_eq!(requests(&second)[0].1, Request::Detail { key: key("Q2LATE") });

    answer(&mut model, &first, Ok(Answer::Detail { detail: Box::new(detail()) }));

    let page = page_text(&model);
    assert!(page.contains("asking for description") && !page.contains("db-3"), "{page}");
}

fn page_text(model: &Model) -> String {
    let opened = model.incidents.opened.as_ref().expect("open");
    let lines = super::page(model, opened, 80);
    lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect()
}

#[test]
fn the_detail_is_asked_for_again_when_the_incident_changes_or_an_action_on_it_ends() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "enter");
    let acknowledged = incident("Q1DISK", 1201, Status::Acknowledged, "Disk", 100);
    let while_waiting = change(&mut model, Change::Incident(Box::new(acknowledged.clone())));
    assert_eq!(while_waiting, [], "one question at a time");

    let again = answer(&mut model, &effects, Ok(Answer::Detail { detail: Box::new(detail()) }));
    assert_eq!(requests(&again)[0].1, Request::Detail { key: key("Q1DISK") });
    answer(&mut model, &again, Ok(Answer::Detail { detail: Box::new(detail()) }));

    assert_eq!(change(&mut model, Change::Incident(Box::new(acknowledged))), [], "nothing new");
    let other = incident("Q2LATE", 1200, Status::Acknowledged, "p99", 100);
    assert_eq!(change(&mut model, Change::Incident(Box::new(other))), [], "not this one");
    let ended = outcome(&mut model, 5, Verb::Note { text: "x".into() }, &[("Q1DISK", DONE)]);
    assert_eq!(requests(&ended)[0].1, Request::Detail { key: key("Q1DISK") });
}

#[test]
fn the_detail_is_asked_for_again_over_a_new_link() {
    let mut model = model(80, 24);
    press(&mut model, "enter");
    update(&mut model, Event::Detached { reason: "closed".into() });

    let access = Access::Act { actor: "alice".into() };
    let effects = update(&mut model, Event::Attached { board: Box::new(board()), access, role: Role::Owner });

    assert_eq!(requests(&effects)[0].1, Request::Detail { key: key("Q1DISK") });
}

#[test]
fn an_outcome_stands_in_the_detail_with_name_and_reason() {
    let mut model = model(80, 24);
    press(&mut model, "enter");
    outcome(&mut model, 5, Verb::Resolve, &[("Q1DISK", Outcome::Failed { reason: shown("not permitted") })]);
    let page = page_text(&model);
    assert!(page.contains("resolve by alice at 04:16:30: failed: not permitted"), "{page}");
}

#[test]
fn an_opened_incident_that_is_forgotten_is_not_called_resolved() {
    let mut model = model(80, 24);
    press(&mut model, "enter");
    change(&mut model, Change::Forgotten(key("Q1DISK")));
    assert!(page_text(&model).contains("no longer kept here"));
    press(&mut model, "a");
    assert!(model.prompt.is_none());
}

#[test]
fn the_link_is_copied_and_its_absence_is_said() {
    let mut model = model(80, 24);
    assert_eq!(press(&mut model, "o"), [Effect::Copy("https://acme.pagerduty.com/incidents/Q1DISK".into())]);
    assert_eq!(press(&mut model, "j j o"), []);
    assert!(notice(&model).contains("no link"));
}

#[test]
fn keys_cost_the_same_with_ten_thousand_incidents() {
    let mut model = model(80, 24);
    for number in 0..10_000 {
        let new = incident(&format!("QMANY{number}"), 2000 + number, Status::Triggered, "many", 500);
        change(&mut model, Change::Incident(Box::new(new)));
    }
    assert_eq!(model.incidents.rows.keys().len(), 10_006);
    press(&mut model, "G");
    assert_eq!(selected(&model), Some("Q6LOGN"));
    assert_eq!(model.incidents.cursor.offset(), 10_006 - 19);
}

#[test]
fn while_the_first_list_comes_in_the_hand_is_on_its_first_row_and_then_stays() {
    let mut board = board_with(|account| account.rest = Freshness::default());
    board.incidents.clear();
    let mut model = attached(board, 80, 24);
    let seen = |id: &str, age| Change::Incident(Box::new(incident(id, 1, Status::Triggered, "t", age)));
    change(&mut model, seen("QOLD", 900));
    change(&mut model, seen("QNEW", 60));
    assert_eq!(selected(&model), Some("QNEW"));

    let mut account = model.board.accounts.values().next().expect("account").account.clone();
    account.rest.succeeded(ago(0));
    change(&mut model, Change::Account(Box::new(account)));
    change(&mut model, seen("QNEWER", 1));

    assert_eq!(selected(&model), Some("QNEW"));
}

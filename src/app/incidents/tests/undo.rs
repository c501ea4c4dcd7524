//! Taking back, while the server may or may not have sent it.

use jiff::SignedDuration;

use super::{DONE, accepted, acts, notice, outcome};
use crate::{
    app::{
        Effect, Event, Model, NoticeKind, Role,
        fixtures::{self, action, answer, board, board_of_two, change, model, now, press, requests, shown},
        incidents::{can_be_taken_back, next_to_take_back},
        update,
    },
    core::{
        action::{Action, Outcome, Verb, WaitsFor},
        board::Change,
        id::ActionId,
    },
    proto::{Access, Answer, Request},
};

/// An acknowledgement that the server keeps for four seconds.
fn waiting() -> Model {
    let mut model = model(80, 24);
    let effects = press(&mut model, "a enter");
    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(9) }));
    change(&mut model, Change::Action(Box::new(kept())));
    model
}

fn kept() -> Action {
    let due = Some(now() + SignedDuration::from_secs(4));
    Action { due, ..action(9, Verb::Acknowledge, &[("Q1DISK", Outcome::PENDING)]) }
}

fn asks_back(effects: &[Effect]) -> bool {
    requests(effects).iter().any(|(_, request)| *request == Request::TakeBack { action: ActionId(9) })
}

fn later(model: &mut Model, seconds: i64) {
    update(model, Event::Ticked(model.now + SignedDuration::from_secs(seconds)));
}

fn kind(model: &Model) -> NoticeKind {
    model.notice.as_ref().expect("a notice").kind
}

#[test]
fn without_a_link_it_is_not_called_sent_and_its_end_is_told_when_the_link_is_back() {
    let mut model = waiting();
    update(&mut model, Event::Detached { reason: "closed".into() });
    later(&mut model, 9);

    assert_eq!(press(&mut model, "u"), []);
    let words = "acknowledge #1201 Disk 97 % full on db-3: no link to the server: not known whether it was sent; it \
                 may still be";
    assert_eq!(notice(&model), words);
    let mut later = board();
    later.actions.push_front(action(9, Verb::Acknowledge, &[("Q1DISK", Outcome::Sent)]));
    let access = Access::Act { actor: "alice".into() };
    update(&mut model, Event::Attached { board: Box::new(later), access, role: Role::Attached });
    assert_eq!(notice(&model), words, "its end is not known yet");

    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", DONE)]);

    assert_eq!(kind(&model), NoticeKind::Good);
    assert!(notice(&model).starts_with("acknowledged #1201"), "{}", notice(&model));
}

#[test]
fn whether_its_time_is_over_is_for_the_server_to_say() {
    let mut model = waiting();
    later(&mut model, 9);

    assert!(asks_back(&press(&mut model, "u")));
}

#[test]
fn the_key_is_answered_at_once_and_asks_once() {
    let mut model = waiting();

    assert!(asks_back(&press(&mut model, "u")));

    assert_eq!(notice(&model), "taking back: acknowledge #1201 Disk 97 % full on db-3 …");
    let told = model.notice.as_ref().expect("notice");
    assert!(can_be_taken_back(&model, told).is_none(), "the seconds are not counted any more");
    assert_eq!(press(&mut model, "u"), []);
    assert!(notice(&model).starts_with("taking back"), "{}", notice(&model));
}

#[test]
fn no_answer_leaves_it_open_and_the_end_of_the_action_takes_the_place_of_that() {
    let mut model = waiting();
    let (id, _) = requests(&press(&mut model, "u"))[0].clone();
    update(&mut model, Event::Unanswered { id, reason: "the connection broke before the answer came".into() });
    assert!(notice(&model).contains("not known whether it is taken back, it may still be sent"), "{}", notice(&model));
    assert_eq!(kind(&model), NoticeKind::Bad);

    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", DONE)]);

    assert!(notice(&model).starts_with("acknowledged #1201"), "{}", notice(&model));
}

#[test]
fn the_end_of_another_action_does_not_paint_over_it() {
    let mut model = waiting();
    let effects = press(&mut model, "j a enter");
    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(10) }));
    assert_eq!(acts(&effects).len(), 1);
    let effects = press(&mut model, "u");
    answer(&mut model, &effects, Err("it cannot be taken back any more".into()));
    assert_eq!(
        notice(&model),
        "acknowledge #1201 Disk 97 % full on db-3: not taken back: it cannot be taken back any more"
    );

    outcome(&mut model, 10, Verb::Acknowledge, &[("Q2LATE", DONE)]);
    assert!(notice(&model).contains("not taken back"), "{}", notice(&model));

    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", Outcome::Failed { reason: shown("no") })]);
    assert!(notice(&model).ends_with("failed: no"), "{}", notice(&model));
}

#[test]
fn what_is_on_its_way_is_called_sent() {
    let mut model = waiting();
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", Outcome::Sent)]);

    assert_eq!(press(&mut model, "u"), []);

    assert!(notice(&model).ends_with("sent already, what was sent stays sent"), "{}", notice(&model));
}

#[test]
fn what_waits_for_the_rate_limit_after_it_was_tried_is_not_called_sent() {
    let mut model = waiting();
    let waits_for = Some(WaitsFor::RateLimit);
    outcome(&mut model, 9, Verb::Acknowledge, &[("Q1DISK", Outcome::Pending { waits_for })]);

    assert_eq!(press(&mut model, "u"), []);

    let words = "acknowledge #1201 Disk 97 % full on db-3: cannot be taken back any more, and was not sent yet: waits \
                 for the rate limit of the provider";
    assert_eq!(notice(&model), words);
}

/// Two acknowledgements that wait, of which the one of `Q2LATE` is the newer.
fn two_waiting() -> Model {
    let mut model = waiting();
    accepted(&mut model, "j a enter", 10);
    change(&mut model, Change::Action(Box::new(fixtures::waiting(10, Verb::Acknowledge, &["Q2LATE"]))));
    model
}

#[test]
fn a_second_key_takes_back_the_action_before_though_the_first_is_not_answered_yet() {
    let mut model = two_waiting();

    let asked: Vec<_> = requests(&press(&mut model, "u u")).into_iter().map(|(_, request)| request).collect();

    assert_eq!(asked, [10, 9].map(|id| Request::TakeBack { action: ActionId(id) }));
    assert_eq!(notice(&model), "taking back: acknowledge #1201 Disk 97 % full on db-3 …");
    assert_eq!(press(&mut model, "u"), [], "each is asked for once");
}

#[test]
fn a_second_key_takes_back_the_action_before_though_the_end_of_the_first_is_not_told_yet() {
    let mut model = two_waiting();
    let effects = press(&mut model, "u");
    answer(&mut model, &effects, Ok(Answer::TakenBack { action: ActionId(10) }));

    assert!(asks_back(&press(&mut model, "u")));

    assert_eq!(press(&mut model, "u"), [], "each is asked for once");
}

#[test]
fn after_one_was_taken_back_it_is_told_which_the_next_is() {
    let mut model = two_waiting();
    press(&mut model, "u");
    let next = |model: &Model| next_to_take_back(model, model.notice.as_ref().expect("a notice"));
    assert_eq!(next(&model), None, "it is not known yet whether it is taken back");

    outcome(&mut model, 10, Verb::Acknowledge, &[("Q2LATE", Outcome::TakenBack)]);

    assert!(notice(&model).ends_with("taken back, nothing was sent"), "{}", notice(&model));
    assert_eq!(next(&model), Some(("#1201".to_owned(), SignedDuration::from_secs(4))));
    later(&mut model, 9);
    assert_eq!(next(&model), None, "nothing is said of what may be sent by now");
}

#[test]
fn of_several_accounts_what_is_taken_back_is_named_with_its_own() {
    let mut model = two_waiting();
    let eu =
        board_of_two().accounts.into_values().map(|known| known.account).find(|account| account.name.as_str() == "eu");
    change(&mut model, Change::Account(Box::new(eu.expect("the other"))));

    press(&mut model, "u");

    assert_eq!(notice(&model), "taking back: acknowledge prod #1200 p99 latency above 2 s at checkout …");
    outcome(&mut model, 10, Verb::Acknowledge, &[("Q2LATE", Outcome::TakenBack)]);
    let next = next_to_take_back(&model, model.notice.as_ref().expect("a notice"));
    assert_eq!(next.map(|(name, _)| name), Some("prod #1201".to_owned()));
}

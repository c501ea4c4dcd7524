//! What the services view promises.

use super::*;
use crate::{
    app::{
        View,
        fixtures::{
            answer, attached, board_of_two, change, incident, key, model, now, press, requests, service_name, type_text,
        },
        prompt::{Ask, Prompt},
    },
    core::{
        action::{Action, By, Outcome, Verb},
        arrangement::Arrangement,
        board::Change,
        id::ActionId,
        incident::Status,
    },
    proto::{Answer, Request},
};

fn listed(model: &Model) -> Vec<String> {
    model.incidents.rows.keys().iter().map(ToString::to_string).collect()
}

fn names(model: &Model) -> Vec<(String, &'static str)> {
    rows(model).iter().map(|row| (row.service.service.name.to_string(), row.condition.word())).collect()
}

#[test]
fn the_worst_service_is_first_and_stands_as_the_board_says_now() {
    let mut model = model(80, 24);
    press(&mut model, "5");
    assert_eq!(model.view, View::Services);

    assert_eq!(
        names(&model),
        [
            ("Payments API".to_owned(), "critical"),
            ("Batch".to_owned(), "maintenance"),
            ("Edge".to_owned(), "active"),
            ("Old shop".to_owned(), "disabled"),
        ]
    );
    // Told when it was polled, an incident that is gone since does not count any more.
    model.board.incidents.clear();
    assert_eq!(names(&model)[2].1, "active");
    assert!(names(&model).iter().all(|(_, word)| *word != "critical"));
}

#[test]
fn enter_goes_to_the_incidents_of_the_service() {
    let mut model = model(80, 24);
    press(&mut model, "5 j enter");

    assert_eq!(model.view, View::Incidents);
    assert_eq!(model.incidents.filter.as_str(), "service:PSVCPAY");
    assert!(model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("Payments API")));
    assert_eq!(listed(&model), ["prod/Q2LATE", "prod/Q4QUEU"]);
}

#[test]
fn a_service_whose_id_stands_in_the_name_of_another_has_its_own_incidents_alone() {
    let mut model = model(80, 24);
    let board = model.board.accounts.values_mut().next().expect("an account");
    let services = std::mem::take(&mut board.services);
    let account = board.account.name.clone();
    let mut other = model.board.incidents[&key("Q3CERT")].clone();
    other.state.service = Some(service_name("PSVCNEW", "Payments v2, was PSVCPAY"));
    change(&mut model, Change::Incident(Box::new(other)));
    press(&mut model, "1");
    press(&mut model, "/");
    type_text(&mut model, "service:PSVCPAY");
    press(&mut model, "enter");
    assert_eq!(listed(&model), ["prod/Q2LATE", "prod/Q3CERT", "prod/Q4QUEU"], "nobody knows what it is");

    change(&mut model, Change::Services { account, services });
    press(&mut model, "5 j enter");

    assert_eq!(model.incidents.filter.as_str(), "service:PSVCPAY");
    assert_eq!(listed(&model), ["prod/Q2LATE", "prod/Q4QUEU"]);
    press(&mut model, "ctrl-a");
    assert_eq!(model.incidents.marked.len(), 2);
}

#[test]
fn a_service_whose_name_stands_in_that_of_another_has_its_own_incidents_and_no_other_accounts() {
    let mut board = board_of_two();
    let gateway = board.incidents.get_mut(&key("Q3CERT")).expect("known");
    gateway.state.service = Some(service_name("PSVCGAT", "Payments API gateway"));
    let mut abroad = incident("Q8EU00", 1201, Status::Triggered, "p99 latency above 2 s at checkout", 60);
    abroad.key.account = "eu".parse().expect("name");
    board.incidents.insert(abroad.key.clone(), abroad);
    let mut model = attached(board, 80, 24);

    press(&mut model, "5 j enter");

    assert_eq!(model.incidents.filter.as_str(), "service:PSVCPAY account:prod");
    assert_eq!(listed(&model), ["prod/Q2LATE", "prod/Q4QUEU"]);
    press(&mut model, "ctrl-a");
    assert_eq!(model.incidents.marked.len(), 2);
}

#[test]
fn maintenance_asks_for_how_long_and_what_for_and_sends_only_what_was_confirmed() {
    let mut model = model(80, 24);
    press(&mut model, "5 j");
    press(&mut model, "m");
    type_text(&mut model, "1201");
    assert_eq!(press(&mut model, "enter"), []);
    press(&mut model, "ctrl-u");
    type_text(&mut model, "90m");
    press(&mut model, "enter");
    type_text(&mut model, "disk swap");
    assert_eq!(press(&mut model, "enter"), []);

    let effects = press(&mut model, "enter");

    let Some((_, Request::Arrange { what, .. })) = requests(&effects).pop() else { panic!("not asked") };
    let Arrangement::StartMaintenance { services, span, description } = *what else { panic!("something else") };
    assert_eq!(services, [service_name("PSVCPAY", "Payments API")]);
    assert_eq!((span.length().as_mins(), span.from, description.as_str()), (90, now(), "disk swap"));
    assert!(model.prompt.is_none());
}

#[test]
fn what_became_of_it_is_said_by_the_servers_outcome_and_not_before() {
    let mut model = model(80, 24);
    press(&mut model, "5 j m 1 h enter enter");
    let effects = press(&mut model, "enter");
    let said = |model: &Model| model.notice.clone().expect("a notice");
    assert_eq!(said(&model).kind, NoticeKind::Working);
    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(9) }));
    assert_eq!(said(&model).kind, NoticeKind::Working);

    let Some((_, Request::Arrange { account, what })) = requests(&effects).into_iter().next() else { panic!("no") };
    let by = By { actor: "alice".into(), uid: None, name: None };
    let keys = what.keys(&account);
    let action = |outcome: Outcome| Action {
        id: ActionId(9),
        at: now(),
        by: by.clone(),
        verb: Verb::Arrange(what.clone()),
        due: None,
        outcomes: keys.iter().map(|key| (key.clone(), outcome.clone())).collect(),
    };
    crate::app::fixtures::change(&mut model, Change::Action(Box::new(action(Outcome::Sent))));
    assert_eq!(said(&model).kind, NoticeKind::Working);
    let refused = Outcome::Failed { reason: "not permitted".into() };
    crate::app::fixtures::change(&mut model, Change::Action(Box::new(action(refused))));

    assert_eq!(said(&model).kind, NoticeKind::Bad);
    assert!(said(&model).text.as_str().contains("not permitted"), "{}", said(&model).text);
}

#[test]
fn the_only_window_is_ended_after_a_question_and_a_service_without_one_says_so() {
    let mut model = model(80, 24);
    press(&mut model, "5 j D");
    assert!(model.prompt.is_none());
    assert!(model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("no maintenance window")));

    press(&mut model, "esc j D");
    assert!(matches!(&model.prompt, Some(Prompt { ask: Ask::Arrange(_), .. })));
    let effects = press(&mut model, "enter");

    let Some((_, Request::Arrange { what, .. })) = requests(&effects).pop() else { panic!("not asked") };
    let Arrangement::EndMaintenance { windows } = *what else { panic!("something else") };
    assert_eq!(windows.iter().map(|window| window.id.as_str()).collect::<Vec<_>>(), ["PWIN001"]);
}

#[test]
fn who_may_only_look_opens_no_prompt() {
    let mut model = model(80, 24);
    press(&mut model, "5 j");
    model.access = crate::proto::Access::Watch { reason: "read only".into() };

    assert_eq!(press(&mut model, "m"), []);

    assert!(model.prompt.is_none());
    assert!(model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("read only")));
}

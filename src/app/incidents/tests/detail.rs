//! An incident opened.

use super::{DONE, notice, outcome};
use crate::{
    app::{
        Effect, Event, Model, Role,
        fixtures::{answer, board, change, delivery, detail, incident, key, model, press, requests, shown},
        update,
    },
    core::{
        action::{Outcome, Verb},
        board::Change,
        delivery::Verdict,
        incident::Status,
    },
    proto::{Access, Answer, Request},
};

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
    let lines = crate::app::incidents::page(model, opened, 80);
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
fn a_webhook_of_the_opened_incident_asks_again_and_ctrl_r_asks_the_provider_itself() {
    let mut model = model(80, 24);
    let asked = press(&mut model, "enter");
    answer(&mut model, &asked, Ok(Answer::Detail { detail: Box::new(detail()) }));
    let webhook = |id: i64, incident: &str, verdict: Verdict| {
        let mut line = delivery(id, 0, verdict, "incident.annotated");
        line.incident = Some(key(incident));
        Change::Delivery(Box::new(line))
    };
    assert_eq!(change(&mut model, webhook(91, "Q2LATE", Verdict::Accepted)), [], "of another one");
    assert_eq!(change(&mut model, webhook(92, "Q1DISK", Verdict::Rejected)), [], "a forgery");

    let asked = change(&mut model, webhook(93, "Q1DISK", Verdict::Accepted));
    assert_eq!(requests(&asked)[0].1, Request::Detail { key: key("Q1DISK") });
    assert_eq!(requests(&press(&mut model, "ctrl-r")).len(), 1, "one question at a time");
    let anew = answer(&mut model, &asked, Ok(Answer::Detail { detail: Box::new(detail()) }));

    assert_eq!(requests(&anew)[0].1, Request::DetailAnew { key: key("Q1DISK") });
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
    outcome(
        &mut model,
        5,
        Verb::Resolve { note: None },
        &[("Q1DISK", Outcome::Failed { reason: shown("not permitted") })],
    );
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

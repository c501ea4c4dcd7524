//! Stories about what is asked before anything is done.

use super::{Ask, Stage};
use crate::{
    app::{
        Effect, Event, Model,
        fixtures::{self, account_name, answer, bob, change, incident, key, model, policy, press, requests, type_text},
        update,
    },
    core::{
        action::{Assignee, Edit, Field, FieldKind, Verb},
        board::Change,
        choices::{Choices, ChoicesOf},
        id::{ActionId, FieldId, PriorityId, ServiceId, WorkflowId},
        incident::{Named, Status, Urgency},
    },
    proto::{Answer, Request},
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
        Ask::Pick(pick) => pick.listed.iter().map(|choice| choice.name.as_str()).collect(),
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
        Ask::Pick(pick) => pick.stage,
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
    for keys in ["a x y j space tab 2", "R x y j space 2"] {
        let mut model = model(80, 24);
        assert_eq!(sent(&mut model, keys), None);
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

/// Answers the request for these choices, if one was sent.
fn tell(model: &mut Model, effects: &[Effect], of: ChoicesOf, choices: Choices) {
    let asked = requests(effects)
        .into_iter()
        .find(|(_, request)| matches!(request, Request::Choices { of: o, .. } if *o == of));
    let (id, _) = asked.expect("asked for");
    let answer = Ok(Answer::Choices { account: account_name(), of, choices });
    update(model, Event::Answered { id, answer });
}

#[test]
fn a_resolve_takes_a_note_and_goes_without_one() {
    let mut model = model(80, 24);
    press(&mut model, "R tab");
    type_text(&mut model, "disk replaced ");
    let with = sent(&mut model, "enter");
    let without = sent(&mut model, "j R enter");

    assert_eq!(with, Some(Verb::Resolve { note: Some("disk replaced".into()) }));
    assert_eq!(without, Some(Verb::Resolve { note: None }));
}

#[test]
fn a_snooze_is_chosen_or_typed_and_ends_when_it_says() {
    let mut model = model(80, 24);
    press(&mut model, "s");
    type_text(&mut model, "45m");
    assert_eq!(names(&model)[0], "45m");
    let typed = sent(&mut model, "enter enter");
    let chosen = sent(&mut model, "j s down enter enter");

    let minutes = |minutes| fixtures::now() + jiff::SignedDuration::from_mins(minutes);
    assert_eq!(typed, Some(Verb::Snooze { until: minutes(45) }));
    assert_eq!(chosen, Some(Verb::Snooze { until: minutes(30) }));
}

#[test]
fn what_is_no_length_of_time_snoozes_nothing() {
    let mut model = model(80, 24);
    press(&mut model, "s");
    type_text(&mut model, "1201");

    assert_eq!(sent(&mut model, "enter enter enter"), None);
}

#[test]
fn an_escalation_names_whom_its_level_pages() {
    let mut model = model(80, 24);
    press(&mut model, "x");
    let Ask::Pick(pick) = &model.prompt.as_ref().expect("a prompt").ask else { panic!("no choice") };
    let levels: Vec<_> = pick.listed.iter().map(|choice| (choice.name.as_str(), choice.about.as_str())).collect();
    assert_eq!(levels[1], ("level 2", "pages Bob Okafor"));

    assert_eq!(sent(&mut model, "down enter enter"), Some(Verb::Escalate { level: 2 }));
}

#[test]
fn a_merge_goes_into_another_open_incident_of_the_same_account() {
    let mut model = model(80, 24);
    press(&mut model, "m");
    assert!(!names(&model).contains(&"#1201"), "not into itself");
    type_text(&mut model, "queue");

    let Some(Verb::Merge { into, name }) = sent(&mut model, "enter enter") else { panic!("no merge") };

    assert_eq!((into, name.as_str()), (key("Q4QUEU"), "#1195"));
}

#[test]
fn an_edit_offers_what_the_provider_has_and_starts_from_what_is_there() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "e");
    let p1 = Named { id: PriorityId::new("PP1").expect("id"), name: "P1".into() };
    tell(&mut model, &effects, ChoicesOf::Priorities, Choices::Priorities(vec![p1.clone()]));
    let region = Field {
        id: FieldId::new("PF1").expect("id"),
        name: "Region".into(),
        kind: FieldKind::Text,
        value: "eu-west".into(),
    };
    tell(&mut model, &effects, ChoicesOf::Fields(key("Q1DISK").id), Choices::Fields(vec![region.clone()]));
    assert_eq!(names(&model), ["title", "high", "low", "P1", "no priority", "Region"]);

    let priority = sent(&mut model, "down down down enter enter");
    assert_eq!(priority, Some(Verb::Edit(Edit::Priority(Some(p1)))));
    assert_eq!(sent(&mut model, "e down down enter enter"), Some(Verb::Edit(Edit::Urgency(Urgency::Low))));
    press(&mut model, "e enter");
    type_text(&mut model, "!");
    let title = sent(&mut model, "enter enter");
    assert_eq!(title, Some(Verb::Edit(Edit::Title("Disk 97 % full on db-3!".into()))));

    let effects = press(&mut model, "e");
    tell(&mut model, &effects, ChoicesOf::Fields(key("Q1DISK").id), Choices::Fields(vec![region.clone()]));
    press(&mut model, "end enter ctrl-u");
    type_text(&mut model, "us");
    let field = sent(&mut model, "enter enter");
    assert_eq!(field, Some(Verb::Edit(Edit::Field { field: region, value: "us".into() })));
}

#[test]
fn choices_that_do_not_come_are_told_of() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "W");
    answer(&mut model, &effects, Err("the provider answered 402".into()));

    let Ask::Pick(pick) = &model.prompt.as_ref().expect("a prompt").ask else { panic!("no choice") };
    assert_eq!(pick.missing.as_deref(), Some("the provider answered 402"));
    assert_eq!(sent(&mut model, "enter enter"), None);
}

#[test]
fn a_workflow_is_named_before_it_runs() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "W");
    let workflow = Named { id: WorkflowId::new("W1").expect("id"), name: "Call the bank".into() };
    tell(&mut model, &effects, ChoicesOf::Workflows, Choices::Workflows(vec![(workflow.clone(), "pages".into())]));

    assert_eq!(sent(&mut model, "enter enter"), Some(Verb::RunWorkflow { workflow }));
}

#[test]
fn an_incident_is_made_on_a_service_with_a_title_and_not_without() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "N");
    let service = Named { id: ServiceId::new("S1").expect("id"), name: "Web".into() };
    tell(&mut model, &effects, ChoicesOf::Services, Choices::Services(vec![service.clone()]));
    press(&mut model, "enter enter enter");
    assert!(model.prompt.is_some(), "no title yet");
    type_text(&mut model, "checkout is down");

    let effects = press(&mut model, "enter enter");

    let Some((_, Request::Create { account, new, undoable: true })) = requests(&effects).pop() else {
        panic!("not created")
    };
    assert_eq!((account, new.service, new.title.as_str()), (account_name(), service, "checkout is down"));
}

#[test]
fn what_waits_is_taken_back_with_u_and_what_was_sent_is_not() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "a enter");
    answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(9) }));
    let mut action = fixtures::waiting(9, Verb::Acknowledge, &["Q1DISK"]);
    change(&mut model, Change::Action(Box::new(action.clone())));

    let asked: Vec<_> = requests(&press(&mut model, "u")).into_iter().map(|(_, request)| request).collect();
    assert_eq!(asked, [Request::TakeBack { action: ActionId(9) }]);
    action.outcomes[0].1 = crate::core::action::Outcome::TakenBack;
    change(&mut model, Change::Action(Box::new(action)));
    assert!(model.notice.as_ref().expect("notice").text.as_str().contains("taken back, nothing was sent"));

    assert_eq!(press(&mut model, "u"), vec![]);
    assert!(model.notice.as_ref().expect("notice").text.as_str().contains("nothing can be taken back"));
}

#[test]
fn u_takes_back_in_every_view_and_over_the_api_log() {
    for keys in ["1", "2", "3", "4", "5", "6", "L", "3 enter", "enter"] {
        let mut model = model(80, 24);
        let effects = press(&mut model, "a enter");
        answer(&mut model, &effects, Ok(Answer::Accepted { action: ActionId(9) }));
        change(&mut model, Change::Action(Box::new(fixtures::waiting(9, Verb::Acknowledge, &["Q1DISK"]))));
        press(&mut model, keys);

        let asked: Vec<_> = requests(&press(&mut model, "u")).into_iter().map(|(_, request)| request).collect();

        assert_eq!(asked, [Request::TakeBack { action: ActionId(9) }], "{keys}");
    }
}

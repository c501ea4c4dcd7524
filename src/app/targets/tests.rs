//! What the targets view promises.

use super::{
    form::{Field, Form},
    *,
};
use crate::{
    app::{
        Event, Role,
        fixtures::{
            answer, attached, board, board_with_targets, change, delivery, forward_target, press, requests, type_text,
        },
        source::Source,
        update,
    },
    core::{
        board::{Board, Change},
        delivery::Verdict,
        forward::{
            EventType,
            form::{Hidden, Making, Secret, TargetForm},
        },
        id::{DeliveryId, StoreId},
        template::Subject,
    },
    proto::Access,
};

fn view() -> Model {
    let mut model = attached(board_with_targets(), 80, 24);
    press(&mut model, "6");
    model
}

fn select(model: &mut Model, name: &str) {
    model.targets.cursor.select(Some(name.parse().expect("name")));
}

fn said(model: &Model) -> String {
    model.notice.as_ref().map(|notice| notice.text.to_string()).unwrap_or_default()
}

fn form(model: &Model) -> &Form {
    model.targets.form.as_ref().expect("a form")
}

/// Goes to a line of the form.
fn go(model: &mut Model, field: Field) {
    while form(model).field() != field {
        press(model, "tab");
    }
}

fn fill(model: &mut Model, field: Field, text: &str) {
    go(model, field);
    type_text(model, text);
}

fn saved(effects: &[Effect]) -> (TargetForm, Making) {
    match requests(effects).pop() {
        Some((_, Request::SaveTarget { form, making, base })) => {
            assert_eq!(base.is_some(), making == Making::Changed, "what it was changed from goes with it");
            (*form, making)
        }
        other => panic!("not asked: {other:?}"),
    }
}

fn typed(text: &str) -> Secret {
    Secret::Typed(Hidden::new(text))
}

fn kept(name: &str) -> Answer {
    Answer::TargetKept { name: name.parse().expect("name"), advice: vec![] }
}

#[test]
fn those_that_need_a_look_come_first_and_the_hand_stays_on_its_target() {
    let mut model = view();
    let names = |model: &Model| rows(model).iter().map(|target| target.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&model), ["mail", "chat", "jira", "log"]);
    assert_eq!(model.targets.cursor.selected().map(ToString::to_string).as_deref(), Some("mail"));

    select(&mut model, "chat");
    change(&mut model, Change::Targets(vec![forward_target("aaa"), forward_target("chat")]));
    assert_eq!(model.targets.cursor.selected().map(ToString::to_string).as_deref(), Some("chat"));
    press(&mut model, "/");
    type_text(&mut model, "aa");
    assert_eq!(names(&model), ["aaa"]);
}

#[test]
fn a_new_target_is_typed_line_by_line_and_nothing_shows_its_secrets() {
    let mut model = view();
    press(&mut model, "n");
    type_text(&mut model, "ops");
    fill(&mut model, Field::Url, "https://hooks.example.com/T0/hunter2");
    go(&mut model, Field::Event(0));
    press(&mut model, "space");
    fill(&mut model, Field::OtherEvents, "incident.annotated");
    go(&mut model, Field::Template);
    press(&mut model, "n");
    fill(&mut model, Field::Filter, "urgency:high");
    fill(&mut model, Field::User, "dog");
    fill(&mut model, Field::Password, "hunter2");
    fill(&mut model, Field::Header(0), "X-Token: hunter2");
    fill(&mut model, Field::Header(1), "X-Ref: { env = \"CHAT\" }");
    go(&mut model, Field::Retries);
    press(&mut model, "ctrl-u");
    type_text(&mut model, "3");
    go(&mut model, Field::On);
    press(&mut model, "n");
    let shown = form(&model).fields().into_iter().map(|field| form(&model).value(field)).collect::<Vec<_>>().join("\n");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("https://hooks.example.com•••") && shown.contains("X-Ref: { env = \"CHAT\" }"), "{shown}");

    let effects = press(&mut model, "ctrl-s");

    let (made, making) = saved(&effects);
    let event = |name: &str| EventType::new(name).expect("name");
    assert_eq!(making, Making::New { on: false });
    assert_eq!(
        made,
        TargetForm {
            url: typed("https://hooks.example.com/T0/hunter2"),
            user: Some("dog".into()),
            password: typed("hunter2"),
            headers: vec![("X-Token".into(), typed("hunter2")), ("X-Ref".into(), typed("{ env = \"CHAT\" }"))],
            events: vec![event("incident.created"), event("incident.annotated")],
            template: Some("night-mail".into()),
            filter: Some("urgency:high".into()),
            retries: 3,
            ..TargetForm::new("ops".parse().expect("name"))
        }
    );
    assert!(!format!("{effects:?}").contains("hunter2"));
    assert!(press(&mut model, "ctrl-s").is_empty(), "asked twice");
    answer(&mut model, &effects, Ok(kept("ops")));
    assert!(model.targets.form.is_none());
    assert!(said(&model).contains("ops is saved"), "{}", said(&model));
}

#[test]
fn what_is_wrong_is_said_while_it_is_typed_and_nothing_wrong_is_sent() {
    let mut model = view();
    press(&mut model, "n");
    for (field, text, words) in [
        (Field::Name, "a b", "letters, digits"),
        (Field::Url, "ftp://x", "must begin with https://"),
        (Field::OtherEvents, "incident.*", "name each event"),
        (Field::Filter, "urgency:loud", "column 9"),
        (Field::User, "a:b", "must not hold `:`"),
        (Field::Header(0), "Content-Type: x", "dogwatch's own"),
        (Field::Retries, "1", "a number from 0 to 10"),
        (Field::Secret, "hunter2", "whsec_"),
    ] {
        fill(&mut model, field, text);
        let (_, remark) = forms::remark(&model, form(&model));
        // A zero stands there already.
        let is_wrong = form(&model).wrong(field).is_some() || field == Field::Retries;
        assert!(is_wrong && (remark.contains(words) || field == Field::Retries), "{field:?}: {remark}");
        assert!(!remark.contains("hunter2"), "{remark}");
    }
    assert!(press(&mut model, "ctrl-s").is_empty());
    assert_eq!(form(&model).field(), Field::Name);
    assert!(said(&model).starts_with("not saved: name:"), "{}", said(&model));
}

#[test]
fn what_is_probably_not_meant_is_said_too() {
    let mut model = view();
    press(&mut model, "n");
    let remark = |model: &Model| forms::remark(model, form(model)).1;
    type_text(&mut model, "chat");
    assert_eq!(remark(&model), "~ there is a target of this name already");
    fill(&mut model, Field::Url, "http://chat.internal/x");
    assert!(remark(&model).contains("plain http"));
    go(&mut model, Field::Event(3));
    assert!(remark(&model).contains("no event is chosen"));
    fill(&mut model, Field::OtherEvents, "incident.triggered");
    assert!(remark(&model).contains("told as `incident.created`"));
}

#[test]
fn what_is_not_typed_anew_stays_as_it_is_and_what_is_emptied_goes() {
    let mut model = view();
    select(&mut model, "chat");
    press(&mut model, "e");
    let (unchanged, making) = saved(&press(&mut model, "ctrl-s"));
    assert_eq!(making, Making::Changed);
    let expected = TargetForm {
        user: Some("dog".into()),
        headers: vec![("X-Token".into(), Secret::Kept)],
        events: forward_target("chat").events,
        template: Some("chat".into()),
        ..TargetForm::new("chat".parse().expect("name"))
    };
    assert_eq!(unchanged, expected);

    let mut model = view();
    select(&mut model, "chat");
    press(&mut model, "e");
    go(&mut model, Field::Password);
    press(&mut model, "ctrl-u");
    go(&mut model, Field::Secret);
    press(&mut model, "ctrl-u");
    go(&mut model, Field::Header(0));
    press(&mut model, "ctrl-u");
    go(&mut model, Field::Template);
    press(&mut model, "backspace");
    let (emptied, _) = saved(&press(&mut model, "ctrl-s"));
    assert_eq!((emptied.password, emptied.secret, emptied.url), (Secret::None, Secret::None, Secret::Kept));
    assert!(emptied.headers.is_empty() && emptied.template.is_none());
}

#[test]
fn a_form_is_not_lost_by_one_key_nor_by_a_broken_link_nor_by_a_refusal() {
    let mut model = view();
    press(&mut model, "n");
    type_text(&mut model, "ops");
    fill(&mut model, Field::Url, "https://hooks.example.com/x");
    press(&mut model, "esc");
    assert!(said(&model).contains("esc again"), "{}", said(&model));
    assert!(press(&mut model, "tab q 6").is_empty() && model.targets.form.is_some());
    assert!(press(&mut model, "ctrl-c").is_empty(), "{}", said(&model));
    assert!(said(&model).contains("not saved: target ops"), "{}", said(&model));

    let effects = press(&mut model, "ctrl-s");
    answer(&mut model, &effects, Err("the disk is full".into()));
    assert!(said(&model).contains("not saved: the disk is full") && model.targets.form.is_some());
    let effects = press(&mut model, "ctrl-s");
    assert_eq!(requests(&effects).len(), 1);
    update(&mut model, Event::Detached { reason: "gone".into() });
    assert!(said(&model).contains("not known whether it is saved") && model.targets.form.is_some());
    press(&mut model, "esc esc");
    assert!(model.targets.form.is_none());
}

#[test]
fn what_was_changed_of_a_target_is_not_saved_over_that_of_another_server() {
    let attach = |model: &mut Model, store: u64| {
        let board = Box::new(Board { store: StoreId(store), ..board_with_targets() });
        let access = Access::Act { actor: "alice".into() };
        update(model, Event::Attached { board, access, role: Role::Attached });
    };
    let mut model = view();
    select(&mut model, "chat");
    press(&mut model, "e");
    fill(&mut model, Field::Url, "https://hooks.example.com/x");

    attach(&mut model, 2);

    assert!(model.targets.form.is_none());
    assert!(said(&model).contains("another server answers now: what was open"), "{}", said(&model));
    press(&mut model, "n");
    type_text(&mut model, "ops");
    attach(&mut model, 3);
    assert_eq!(form(&model).value(Field::Name), "ops", "what is new is nobody's yet");
}

#[test]
fn pasted_text_goes_where_typing_goes() {
    let mut model = view();
    press(&mut model, "n tab");
    update(&mut model, Event::Pasted(" https://hooks.example.com/T0/hunter2\n".into()));
    let long = format!("https://hooks.example.com/{}", "x".repeat(500));
    assert_eq!(form(&model).wrong(Field::Url), None);
    press(&mut model, "ctrl-u");
    update(&mut model, Event::Pasted(long.clone()));

    fill(&mut model, Field::Name, "ops");
    assert_eq!(saved(&press(&mut model, "ctrl-s")).0.url, typed(&long));
}

#[test]
fn switching_asks_first_and_says_what_the_server_made_of_it() {
    let mut model = view();
    select(&mut model, "chat");
    assert!(press(&mut model, "x").is_empty());
    assert!(press(&mut model, "esc").is_empty() && model.prompt.is_none());
    press(&mut model, "space");
    let effects = press(&mut model, "enter");
    assert_eq!(requests(&effects)[0].1, Request::SwitchTarget { name: "chat".parse().expect("name"), on: false });
    answer(&mut model, &effects, Ok(kept("chat")));
    assert!(said(&model).contains("chat is off"), "{}", said(&model));

    select(&mut model, "mail");
    let effects = press(&mut model, "x enter");
    assert_eq!(requests(&effects)[0].1, Request::SwitchTarget { name: "mail".parse().expect("name"), on: true });
    update(&mut model, Event::Unanswered { id: requests(&effects)[0].0, reason: "gone".into() });
    assert!(said(&model).contains("not known whether it is done"), "{}", said(&model));
}

#[test]
fn a_target_that_cannot_be_sent_to_can_be_switched_off_but_not_tested() {
    let mut model = view();
    let broken = TargetSummary {
        state: TargetState::Broken { reason: "env CHAT_URL: is not set".into() },
        ..forward_target("chat")
    };
    change(&mut model, Change::Targets(vec![broken]));

    press(&mut model, "t");
    assert!(said(&model).contains("env CHAT_URL") && model.targets.trial.is_none(), "{}", said(&model));
    let effects = press(&mut model, "x enter");
    assert!(matches!(requests(&effects)[0].1, Request::SwitchTarget { on: false, .. }));
}

#[test]
fn what_stands_in_the_configuration_is_not_changed_here_and_says_so() {
    let mut model = view();
    select(&mut model, "log");
    for key in ["e", "D"] {
        assert!(press(&mut model, key).is_empty() && model.prompt.is_none() && model.targets.form.is_none());
        assert!(said(&model).contains("log stands in the configuration file"), "{key}: {}", said(&model));
    }
    let effects = press(&mut model, "x enter");
    assert!(matches!(requests(&effects)[0].1, Request::SwitchTarget { on: true, .. }));
}

#[test]
fn a_test_sends_what_was_chosen_and_tells_what_became_of_it() {
    let mut model = view();
    select(&mut model, "chat");
    press(&mut model, "t down");
    change(&mut model, Change::Delivery(Box::new(delivery(9, 1, Verdict::Accepted, "incident.annotated"))));
    let effects = press(&mut model, "enter");
    assert_eq!(tested(&effects), Subject::Delivery(DeliveryId(6)), "what came in meanwhile does not move the hand");
    let failed = delivery(12, 0, Verdict::Failed, "incident.created");
    answer(&mut model, &effects, Ok(Answer::Attempted { delivery: Box::new(failed) }));
    assert!(said(&model).contains("chat did not take it: 500"), "{}", said(&model));

    let effects = press(&mut model, "t enter");
    assert_eq!(tested(&effects), Subject::default(), "nobody real is told of without a choice");
    let sent = delivery(13, 0, Verdict::Sent, "incident.created");
    answer(&mut model, &effects, Ok(Answer::Attempted { delivery: Box::new(sent) }));
    assert!(said(&model).contains("chat took it: 200 OK"), "{}", said(&model));
}

/// On what a test was asked for.
fn tested(effects: &[Effect]) -> Subject {
    match requests(effects).pop() {
        Some((_, Request::TestTarget { name, on })) if name.as_str() == "chat" => on,
        other => panic!("not asked: {other:?}"),
    }
}

#[test]
fn a_test_sends_what_the_whole_log_is_searched_for_or_any_sample_about_an_incident() {
    let mut model = view();
    select(&mut model, "chat");
    press(&mut model, "t");
    let effects = type_text(&mut model, "id:3");
    let asked = requests(&effects).into_iter().any(|(_, it)| matches!(it, Request::SearchDeliveries { .. }));
    assert!(asked, "{effects:?}");
    press(&mut model, "ctrl-u");
    update(&mut model, Event::Pasted("annotated".into()));
    let rows = model.targets.trial.as_ref().expect("open").pick.rows(&model);
    assert!(rows.contains(&Source::Sample("incident.annotated")), "{rows:?}");
    assert_eq!(tested(&press(&mut model, "end enter")), Subject::Sample("incident.annotated".into()));

    press(&mut model, "t");
    type_text(&mut model, "service.");
    let rows = model.targets.trial.as_ref().expect("open").pick.rows(&model);
    assert!(!rows.contains(&Source::Sample("service.created")), "{rows:?}");
    press(&mut model, "esc");
    assert!(model.targets.trial.is_none());
}

#[test]
fn removing_and_sending_again_ask_first() {
    let mut model = view();
    select(&mut model, "jira");
    assert!(press(&mut model, "D").is_empty());
    let effects = press(&mut model, "enter");
    assert_eq!(requests(&effects)[0].1, Request::RemoveTarget { name: "jira".parse().expect("name") });

    assert!(press(&mut model, "r").is_empty());
    let effects = press(&mut model, "enter");
    assert_eq!(requests(&effects)[0].1, Request::ResendFailed { target: Some("jira".parse().expect("name")) });
    answer(&mut model, &effects, Ok(Answer::Resent { count: 2 }));
    assert!(said(&model).contains("2 events wait to be sent again"), "{}", said(&model));
}

#[test]
fn an_opened_target_reads_its_attempts_and_leads_to_them_in_the_log() {
    let mut model = view();
    select(&mut model, "chat");
    let effects = press(&mut model, "enter");
    let Request::SearchDeliveries { query, .. } = &requests(&effects)[0].1 else { panic!("not asked") };
    assert_eq!(query, "target:chat");
    let old = delivery(3, 9_000, Verdict::Sent, "incident.created");
    answer(&mut model, &effects, Ok(Answer::Found { deliveries: vec![old], next: None, let_go: None }));
    let target = at_hand(&model).expect("target");
    assert_eq!(detail::attempts(&model, target).iter().map(|line| line.id.0).collect::<Vec<_>>(), [8, 7, 3]);

    press(&mut model, "enter");
    assert_eq!((model.view, model.webhooks.filter.as_str()), (View::Webhooks, "target:chat"));
    assert_eq!(webhooks::rows(&model).iter().map(|row| row.id.0).collect::<Vec<_>>(), [8, 7]);
}

#[test]
fn whoever_may_only_look_is_told_why_and_nothing_is_asked() {
    let mut model = view();
    model.access = Access::Watch { reason: "mallory is no [[person]]".into() };
    select(&mut model, "chat");
    for key in ["n", "e", "x", "t", "D", "r"] {
        assert!(requests(&press(&mut model, key)).is_empty(), "{key}");
        assert!(model.prompt.is_none() && model.targets.form.is_none() && model.targets.trial.is_none(), "{key}");
        assert!(said(&model).contains("you may look, not act: mallory"), "{key}: {}", said(&model));
    }
}

#[test]
fn an_outgoing_delivery_is_sent_again_by_the_key_that_replays_one_that_came_in() {
    let mut model = view();
    press(&mut model, "3 j");
    assert!(press(&mut model, "R").is_empty());
    let effects = press(&mut model, "enter");
    assert_eq!(requests(&effects)[0].1, Request::ResendDelivery { id: DeliveryId(8) });

    let effects = press(&mut model, "F enter");
    assert_eq!(requests(&effects)[0].1, Request::ResendFailed { target: None });
}

#[test]
fn a_disabled_target_is_told_of_everywhere() {
    let model = attached(board_with_targets(), 80, 24);
    let said: Vec<_> = crate::app::troubles::troubles(&model).into_iter().map(|trouble| trouble.text).collect();

    let disabled = "target mail DISABLED since Mon 22:44 CEST: every attempt failed for more than 3 days";
    assert!(said.iter().any(|text| text.starts_with(disabled)), "{said:?}");
    assert!(said.iter().any(|text| text.starts_with("target jira takes nothing since 02:15")), "{said:?}");
    assert!(!said.iter().any(|text| text.contains("target log") || text.contains("target chat")), "{said:?}");
}

#[test]
fn t42_a_target_that_is_disabled_is_told_of_when_it_happens_and_marked_from_then_on() {
    let mut model = attached(board_with_targets(), 80, 24);
    let mut targets = model.board.targets.clone();
    change(&mut model, Change::Targets(targets.clone()));
    assert!(model.notice.is_none(), "that it was disabled before is no news");
    targets[1].state =
        TargetState::Disabled { at: model.now, reason: "every attempt failed for more than 3 days".into() };

    change(&mut model, Change::Targets(targets));

    assert!(said(&model).starts_with("target jira is DISABLED: every attempt failed"), "{}", said(&model));
    press(&mut model, "6 /");
    type_text(&mut model, "jira");
    assert_eq!(detail::standing(rows(&model)[0]).1, "DISABLED");
}

#[test]
fn without_a_target_the_view_says_how_one_is_made() {
    let mut model = attached(board(), 80, 24);
    press(&mut model, "6");

    assert!(nothing(&model).contains("n makes one"));
    for key in ["e", "x", "t", "D", "w", "enter"] {
        press(&mut model, key);
        assert!(said(&model).contains("there is no target yet"), "{key}: {}", said(&model));
    }
}

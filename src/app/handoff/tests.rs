//! Stories of the end of a shift.

use std::collections::BTreeMap;

use super::{Hand, Note, Passing, Replace, Stage, Written};
use crate::{
    app::{
        Effect, Event, Model,
        fixtures::{
            account_name, alice, answer, board, bob, carol, change, key, model, now, press, requests, type_text,
            waiting, zone,
        },
        prompt::Aim,
        update,
    },
    core::{
        action::{Assignee, Verb},
        board::Change,
        handoff::{At, Handoff, Next, gather},
        id::{ActionId, UserId},
        template::{Fault, TemplateSummary},
        text::ShownBody,
    },
    proto::{Access, Answer, Request},
};

/// The server's answer on the fixture's night.
pub(crate) fn handed(text: Result<&str, &str>) -> Answer {
    let zone = zone();
    let at = At { from: "2025-06-09T06:00:00Z".parse().expect("time"), now: now(), zone: &zone };
    let facts = gather(&board(), &BTreeMap::new(), vec![], at);
    let text = match text {
        Ok(text) => Ok(ShownBody::new(text)),
        Err(message) => Err(Fault { message: message.into(), line: 3, column: 7 }),
    };
    Answer::Handoff { handoff: Box::new(Handoff { template: "handoff".into(), text, facts }) }
}

/// Opened, with its text.
fn opened() -> Model {
    let mut model = model(80, 24);
    let effects = press(&mut model, "H");
    answer(&mut model, &effects, Ok(handed(Ok("HAND-OFF\n- #1201 disk full\n"))));
    model
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |notice| notice.text.as_str())
}

fn stage(model: &Model) -> &Stage {
    &model.handoff.as_ref().expect("open").stage
}

fn acts(effects: &[Effect]) -> Vec<(Vec<String>, Verb)> {
    let act = |(_, request)| match request {
        Request::Act { targets, verb, undoable: true } => {
            Some((targets.iter().map(|target| target.key.id.to_string()).collect(), verb))
        }
        _ => None,
    };
    requests(effects).into_iter().filter_map(act).collect()
}

#[test]
fn it_begins_with_my_shift_and_without_one_with_the_last_twelve_hours() {
    let mut model = model(80, 24);
    let asked = |effects: &[Effect]| match requests(effects).pop() {
        Some((_, Request::Handoff { template, from, zone })) => (template, from.to_string(), zone),
        other => panic!("{other:?}"),
    };
    let (template, from, zone) = asked(&press(&mut model, "H"));
    assert_eq!((template.as_str(), from.as_str(), zone.as_str()), ("handoff", "2025-06-09T06:00:00Z", "Europe/Berlin"));

    press(&mut model, "esc");
    assert!(model.handoff.is_none());
    model.board.accounts.get_mut(&account_name()).expect("account").oncalls.retain(|on| on.user != alice());
    assert_eq!(asked(&press(&mut model, "H")).1, "2025-06-09T14:17:30Z");

    press(&mut model, "s");
    type_text(&mut model, "20:00");
    assert_eq!(asked(&press(&mut model, "enter")).1, "2025-06-09T18:00:00Z");
}

#[test]
fn a_beginning_that_cannot_be_is_told_and_stays_to_be_mended() {
    let mut model = opened();
    press(&mut model, "s");
    type_text(&mut model, "soon");

    assert_eq!(press(&mut model, "enter"), []);

    assert!(notice(&model).contains("no time"), "{}", notice(&model));
    assert!(matches!(stage(&model), Stage::Since(line) if line.as_str() == "soon"));
}

#[test]
fn the_text_is_copied_or_written_to_a_file_that_is_not_replaced_unasked() {
    let mut model = opened();
    let text = "HAND-OFF\n- #1201 disk full";
    assert_eq!(press(&mut model, "c"), [Effect::Copy(text.into())]);

    press(&mut model, "w ctrl-u");
    type_text(&mut model, "~/night.txt");
    let write = |path: &str, replace| Effect::Write { path: path.into(), text: format!("{text}\n"), replace };
    assert_eq!(press(&mut model, "enter"), [write("~/night.txt", Replace::Never)]);
    update(&mut model, Event::Written(Written::Exists { path: "/home/a/night.txt".into() }));
    assert_eq!(press(&mut model, "enter j w"), [], "only y replaces it");
    assert_eq!(press(&mut model, "y"), [write("/home/a/night.txt", Replace::Asked)]);
    update(&mut model, Event::Written(Written::Done { path: "/home/a/night.txt".into() }));
    assert!(notice(&model).contains("written to /home/a/night.txt"), "{}", notice(&model));
}

#[test]
fn a_text_that_is_not_there_is_not_copied_written_or_posted() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "H");
    assert_eq!(press(&mut model, "c w n"), []);
    answer(&mut model, &effects, Ok(handed(Err("each: no such thing"))));

    for keys in ["c", "w", "n"] {
        assert_eq!(press(&mut model, keys), [], "{keys}");
        assert!(matches!(stage(&model), Stage::Reading) && notice(&model).contains("no text"), "{keys}");
    }
}

#[test]
fn too_much_for_a_clipboard_is_not_said_to_be_copied() {
    let mut model = model(80, 24);
    let effects = press(&mut model, "H");
    answer(&mut model, &effects, Ok(handed(Ok(&"x".repeat(80_000)))));

    assert_eq!(press(&mut model, "c"), []);
    assert!(notice(&model).contains("too long"), "{}", notice(&model));
}

#[test]
fn it_is_posted_as_a_note_on_the_open_incidents_it_speaks_of() {
    let mut model = opened();
    let mut over = board().incidents[&key("Q5BACK")].clone();
    over.state.status = crate::core::incident::Status::Resolved;
    change(&mut model, Change::Incident(Box::new(over)));
    assert_eq!(press(&mut model, "n"), []);

    let effects = press(&mut model, "enter");

    let keys: Vec<String> = ["Q1DISK", "Q2LATE", "Q3CERT", "Q4QUEU"].map(str::to_owned).into();
    let text = "HAND-OFF\n- #1201 disk full".to_owned();
    assert_eq!(acts(&effects), [(keys, Verb::Note { text })]);
}

#[test]
fn all_that_is_mine_goes_to_who_comes_next_in_one_step() {
    let mut model = opened();
    assert_eq!(press(&mut model, "p"), []);
    let Stage::Passing(passing) = stage(&model) else { panic!("no prompt") };
    assert_eq!((passing.count(), passing.hands.len(), passing.note), (4, 1, Note::Without));

    let effects = press(&mut model, "enter");

    let keys: Vec<String> = ["Q1DISK", "Q2LATE", "Q3CERT", "Q4QUEU"].map(str::to_owned).into();
    assert_eq!(acts(&effects), [(keys, Verb::HandOff { to: Assignee::User(bob()), note: None })]);
    assert!(matches!(stage(&model), Stage::Reading));
    assert_eq!(acts(&press(&mut model, "enter")), [], "a second enter is harmless");
}

#[test]
fn the_text_goes_along_as_a_note_when_that_is_asked_for() {
    let mut model = opened();

    let effects = press(&mut model, "p tab enter");

    let Verb::HandOff { note, .. } = &acts(&effects)[0].1 else { panic!("no hand-off") };
    assert_eq!(note.as_deref(), Some("HAND-OFF\n- #1201 disk full"));
}

#[test]
fn each_person_gets_their_own_and_what_nobody_takes_is_named() {
    let mut model = opened();
    let known = model.board.accounts.get_mut(&account_name()).expect("account");
    known.schedules.clear();
    let mut of_bob = known.oncalls[1].clone();
    of_bob.policy.id = "PPOLDB1".parse().expect("id");
    (of_bob.level, of_bob.user) = (1, carol());
    known.oncalls.push(of_bob);
    let set = |model: &mut Model, id: &str, policy: &str| {
        let incident = model.board.incidents.get_mut(&key(id)).expect("incident");
        incident.state.escalation_policy.as_mut().expect("policy").id = policy.parse().expect("id");
    };
    set(&mut model, "Q1DISK", "PPOLDB1");
    set(&mut model, "Q3CERT", "PNOBODY");

    press(&mut model, "p");

    let Stage::Passing(passing) = stage(&model) else { panic!("no prompt") };
    let hands: Vec<(UserId, usize)> =
        passing.hands.iter().map(|hand| (hand.to.user.id.clone(), hand.aims.len())).collect();
    assert_eq!(hands, [(carol().id, 1), (bob().id, 2)]);
    assert_eq!(passing.left_out.len(), 1);
}

#[test]
fn u_takes_back_what_was_handed_to_each_person_while_the_hand_off_is_open() {
    let mut model = opened();
    let hand = |to, id| {
        let aim = Aim::at(&board(), &board().incidents[&key(id)]);
        Hand { to: Next { user: to, from: None }, aims: vec![aim] }
    };
    let hands = vec![hand(bob(), "Q1DISK"), hand(carol(), "Q2LATE")];
    let passing = Passing { hands, left_out: vec![], note: Note::Without };
    model.handoff.as_mut().expect("open").stage = Stage::Passing(passing);
    let asked = requests(&press(&mut model, "enter"));
    for (action, ((id, request), incident)) in (9..).zip(asked.into_iter().zip(["Q1DISK", "Q2LATE"])) {
        let Request::Act { verb, .. } = request else { panic!("not handed over") };
        change(&mut model, Change::Action(Box::new(waiting(action, verb, &[incident]))));
        update(&mut model, Event::Answered { id, answer: Ok(Answer::Accepted { action: ActionId(action) }) });
    }

    let taken = requests(&press(&mut model, "u"));

    let taken: Vec<_> = taken.into_iter().map(|(_, request)| request).collect();
    assert_eq!(taken, [10, 9].map(|action| Request::TakeBack { action: ActionId(action) }));
}

#[test]
fn who_only_looks_hands_nothing_over() {
    let mut model = opened();
    model.access = Access::Watch { reason: "not you".into() };

    assert_eq!(press(&mut model, "p n enter"), []);

    assert!(matches!(stage(&model), Stage::Reading));
    assert!(!notice(&model).is_empty());
}

#[test]
fn t_takes_the_next_template_that_is_for_hand_offs() {
    let mut model = opened();
    let own = |name: &str| TemplateSummary { name: name.into(), saved_at: Some(now()), built_in: false };
    change(&mut model, Change::Templates(vec![own("handoff-short"), own("chat")]));

    let asked: Vec<_> = press(&mut model, "t t")
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { request: Request::Handoff { template, .. }, .. } => Some(template.clone()),
            _ => None,
        })
        .collect();

    assert_eq!(asked, ["handoff-short", "handoff"]);
}

#[test]
fn an_answer_to_an_older_question_changes_nothing() {
    let mut model = model(80, 24);
    let first = press(&mut model, "H");
    press(&mut model, "ctrl-r");

    answer(&mut model, &first, Ok(handed(Ok("old"))));

    assert!(model.handoff.as_ref().expect("open").answer.is_none());
}

#[test]
fn no_key_reaches_the_list_below() {
    let mut model = opened();

    assert_eq!(press(&mut model, "a R x :"), []);

    assert!(model.prompt.is_none() && model.command.line.is_none());
}

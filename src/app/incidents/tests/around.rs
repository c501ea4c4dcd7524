//! What lies around an opened incident, and its runbook.

use std::time::{Duration, Instant};

use super::notice;
use crate::{
    app::{
        Effect, Event, Model, Role,
        fixtures::{ago, answer, board, context, detail, key, model, press, requests, shown},
        update,
    },
    core::{
        context::{Context, Part},
        detail::{Alert, Detail, TimelineEntry, Tree},
        incident::Pending,
        runbook::Runbook,
        text::columns,
    },
    proto::{Access, Answer, Request},
};

/// Opened, with this detail.
fn opened(width: u16, height: u16, detail: Detail) -> (Model, Vec<Effect>) {
    let mut model = model(width, height);
    let asked = press(&mut model, "enter");
    let effects = answer(&mut model, &asked, Ok(Answer::Detail { detail: Box::new(detail) }));
    (model, effects)
}

fn text(model: &Model) -> String {
    let opened = model.incidents.opened.as_ref().expect("open");
    let lines = crate::app::incidents::page(model, opened, usize::from(model.size.0) - 2);
    lines.iter().map(|line| line.iter().map(|p| p.text.as_str()).collect::<String>() + "\n").collect()
}

fn asks() -> Request {
    Request::Context { key: key("Q1DISK") }
}

fn told(context: Context) -> Answer {
    Answer::Context { context: Box::new(context) }
}

#[test]
fn what_lies_around_an_incident_is_asked_for_when_it_comes_in_sight_and_once() {
    let (mut model, effects) = opened(80, 24, detail());
    assert_eq!(effects, [], "not in sight yet");
    assert_eq!(press(&mut model, "g j"), []);

    let asked = press(&mut model, "enter");
    assert_eq!(requests(&asked)[0].1, asks());
    assert_eq!(press(&mut model, "g enter j k"), [], "one question at a time");
    answer(&mut model, &asked, Ok(told(context())));

    assert_eq!(press(&mut model, "g enter G"), [], "it is known");
    assert!(text(&model).contains("resolved by Carol Lindqvist"), "{}", text(&model));
    let anew: Vec<Request> = requests(&press(&mut model, "ctrl-r")).into_iter().map(|(_, request)| request).collect();
    assert!(anew.contains(&Request::ContextAnew { key: key("Q1DISK") }), "{anew:?}");
}

#[test]
fn on_a_screen_that_shows_all_of_it_it_is_asked_for_at_once() {
    let (_, effects) = opened(120, 70, detail());
    assert_eq!(requests(&effects)[0].1, asks());
}

#[test]
fn a_failure_is_said_with_its_cause_and_asked_again_only_by_hand_and_a_new_link_asks_again() {
    let (mut model, _) = opened(80, 24, detail());
    let asked = press(&mut model, "enter");
    answer(&mut model, &asked, Err("not reachable".into()));
    assert!(text(&model).contains("could not be asked for: not reachable"));
    assert_eq!(press(&mut model, "g enter"), []);

    let asked = press(&mut model, "ctrl-r");
    assert!(requests(&asked).iter().any(|(_, request)| matches!(request, Request::ContextAnew { .. })));
    update(&mut model, Event::Detached { reason: "closed".into() });
    let access = Access::Act { actor: "alice".into() };
    let effects = update(&mut model, Event::Attached { board: Box::new(board()), access, role: Role::Owner });

    assert!(requests(&effects).iter().any(|(_, request)| *request == asks()));
}

#[test]
fn an_answer_about_another_incident_is_dropped() {
    let (mut model, _) = opened(80, 24, detail());
    let first = press(&mut model, "enter");
    press(&mut model, "esc j enter");

    answer(&mut model, &first, Ok(told(context())));

    assert!(!text(&model).contains("Carol"));
}

#[test]
fn the_runbook_of_the_alert_is_shown_and_copied() {
    let (mut model, _) = opened(80, 24, detail());
    assert_eq!(press(&mut model, "b"), [Effect::Copy("https://wiki.example.com/disk".into())]);
    assert!(notice(&model).starts_with("runbook: https://wiki.example.com/disk (`runbook` of the alert"));
}

#[test]
fn from_the_list_the_runbook_opens_the_incident_and_waits_for_its_detail() {
    let mut model = model(80, 24);
    let asked = press(&mut model, "b");
    assert_eq!(requests(&asked)[0].1, Request::Detail { key: key("Q1DISK") });
    assert!(notice(&model).contains("looking for the runbook"));

    let effects = answer(&mut model, &asked, Ok(Answer::Detail { detail: Box::new(detail()) }));

    assert_eq!(effects, [Effect::Copy("https://wiki.example.com/disk".into())]);
}

#[test]
fn a_runbook_that_the_alert_does_not_name_is_looked_for_in_the_services_description() {
    let (mut model, _) = opened(80, 24, Detail { runbooks: vec![], ..detail() });
    let asked = press(&mut model, "b");
    assert_eq!(requests(&asked)[0].1, asks());

    let runbook = Runbook { url: shown("https://wiki.example.com/db"), from: shown("the service's description") };
    let effects = answer(&mut model, &asked, Ok(told(Context { runbooks: vec![runbook], ..context() })));

    assert_eq!(effects, [Effect::Copy("https://wiki.example.com/db".into())]);
}

#[test]
fn when_nobody_names_a_runbook_that_is_said_and_when_not_everybody_was_asked_that_is_too() {
    for (service, doubt) in [(Part::Told(None), false), (Part::Failed(shown("oops")), true)] {
        let (mut model, _) = opened(80, 24, Detail { runbooks: vec![], ..detail() });
        let asked = press(&mut model, "b");

        answer(&mut model, &asked, Ok(told(Context { service, ..context() })));

        assert!(notice(&model).starts_with("no runbook"), "{}", notice(&model));
        assert_eq!(notice(&model).contains("not all of it could be asked for"), doubt);
        assert_eq!(press(&mut model, "b"), [], "nobody is left to ask");
    }
}

#[test]
fn a_snooze_is_told_from_an_acknowledgement_by_what_was_done_last() {
    let entry = |kind: &str, seconds| TimelineEntry { at: ago(seconds), kind: shown(kind), summary: shown(kind) };
    let page = |timeline: Vec<TimelineEntry>| {
        let mut board = board();
        let queue = board.incidents.get_mut(&key("Q4QUEU")).expect("there");
        queue.extra.as_mut().expect("told").1.pending =
            vec![Pending { what: shown("unacknowledge"), at: ago(-17_000) }];
        let mut model = crate::app::fixtures::attached(board, 80, 24);
        let asked = press(&mut model, "j j j enter");
        let detail = Detail { timeline, fetched_at: ago(0), ..Detail::of(key("Q4QUEU")) };
        answer(&mut model, &asked, Ok(Answer::Detail { detail: Box::new(detail) }));
        text(&model)
    };

    let snoozed = page(vec![entry("annotate", 5), entry("snooze", 10), entry("acknowledge", 20)]);
    assert!(snoozed.contains("snoozed      until 09:00: back to triggered in 4 h 43 min"), "{snoozed}");
    let acknowledged = page(vec![entry("acknowledge", 5), entry("snooze", 10)]);
    assert!(acknowledged.contains("will         go back to triggered in 4 h 43 min (at 09:00)"), "{acknowledged}");
}

#[test]
fn details_without_measure_are_laid_out_soon_and_fit_the_screen() {
    let mut deep = serde_json::json!("x");
    for _ in 0..100 {
        deep = serde_json::json!({ "down\u{1b}[2J": [deep] });
    }
    let sent = serde_json::json!({ "deep": deep, "wide": vec![vec![0; 100]; 100], "long": "日本 ".repeat(100_000) });
    let alert = || Alert { details: Tree::of(&sent), ..Alert::default() };
    let began = Instant::now();

    let (model, _) = opened(40, 12, Detail { alerts: (0..10).map(|_| alert()).collect(), ..detail() });

    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(text(&model).lines().all(|line| columns(line) <= 38));
}

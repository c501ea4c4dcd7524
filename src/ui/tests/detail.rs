//! An incident opened.

use serde_json::{Value, json};

use super::{both, keys};
use crate::{
    app::{
        Model,
        fixtures::{self, ago, attached, board, key, model, press, shown},
    },
    core::{
        context::{Context, Part},
        detail::{Alert, Detail, Gist, Tree},
        incident::Pending,
    },
    proto::Answer,
};

#[test]
fn the_detail_while_it_is_asked_for() {
    keys("detail_asking", "enter");
}

#[test]
fn of_a_merged_one_it_is_told_into_which() {
    both("detail_merged", |width, height| {
        let mut board = board();
        let merged = board.incidents.get_mut(&key("Q6LOGN")).expect("known");
        merged.extra.as_mut().expect("told by REST").1.merged_into = Some("Q1DISK".parse().expect("id"));
        let mut model = attached(board, width, height);
        press(&mut model, "v G k enter");
        model
    });
}

fn detailed(width: u16, height: u16) -> Model {
    let mut model = model(width, height);
    let effects = press(&mut model, "enter");
    fixtures::answer(&mut model, &effects, Ok(Answer::Detail { detail: Box::new(fixtures::detail()) }));
    model
}

#[test]
fn the_detail() {
    both("detail", detailed);
}

#[test]
fn the_detail_scrolled_to_its_end() {
    both("detail_end", |width, height| {
        let mut model = detailed(width, height);
        press(&mut model, "G");
        model
    });
}

#[test]
fn the_detail_that_could_not_be_fetched() {
    both("detail_failed", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "j j j enter");
        fixtures::answer(&mut model, &effects, Err("api.pagerduty.com did not answer within 10 s".into()));
        model
    });
}

#[test]
fn the_detail_with_parts_missing() {
    both("detail_missing", |width, height| {
        let mut model = model(width, height);
        let effects = press(&mut model, "enter");
        let mut detail = fixtures::detail();
        detail.alerts.clear();
        detail.missing = vec![shown("alerts: the provider answered 500: oops")];
        fixtures::answer(&mut model, &effects, Ok(Answer::Detail { detail: Box::new(detail) }));
        model
    });
}

#[test]
fn the_link_is_copied() {
    keys("link", "o");
}

fn around(width: u16, height: u16, context: Context) -> Model {
    let mut model = detailed(width, height);
    let effects = press(&mut model, "enter");
    fixtures::answer(&mut model, &effects, Ok(Answer::Context { context: Box::new(context) }));
    press(&mut model, "enter");
    model
}

#[test]
fn what_lies_around_it() {
    both("around", |width, height| around(width, height, fixtures::context()));
}

#[test]
fn what_is_not_offered_is_left_out_and_what_failed_is_said() {
    both("around_partly", |width, height| {
        let context = fixtures::context();
        let related = Part::Failed(shown("rate limit reached, next request in 40 s"));
        around(width, height, Context { past: Part::NotOffered, outlier: Part::NotOffered, related, ..context })
    });
}

fn with_details(width: u16, height: u16, details: &Value) -> Model {
    let mut model = model(width, height);
    let effects = press(&mut model, "enter");
    let details = Tree::of(details).expect("details");
    let alert = Alert { gist: Gist::of(&details), details: Some(details), ..fixtures::detail().alerts.remove(0) };
    let detail = Detail { alerts: vec![alert], description: None, bridge: None, ..fixtures::detail() };
    fixtures::answer(&mut model, &effects, Ok(Answer::Detail { detail: Box::new(detail) }));
    press(&mut model, &"j ".repeat(if width < 80 { 25 } else { 12 }));
    model
}

#[test]
fn an_alarm_of_cloudwatch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/senders/cloudwatch_sns.json");
    let details: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("details")).expect("JSON");
    both("detail_cloudwatch", |width, height| with_details(width, height, &details));
}

#[test]
fn details_that_mean_harm_stay_readable() {
    let mut deep = json!("bottom\u{1b}[2J\u{202e}");
    for _ in 0..40 {
        deep = json!({ "a\r\nNotes: 7": deep });
    }
    let details = json!({ "deep": deep, "wide": vec![0; 2000], "long": "x".repeat(3000), "nl": "\n".repeat(9) });
    both("detail_hostile", |width, height| with_details(width, height, &details));
}

#[test]
fn an_acknowledgement_that_grew_old_and_a_snooze() {
    both("detail_snoozed", |width, height| {
        let mut board = board();
        let queue = board.incidents.get_mut(&key("Q4QUEU")).expect("there");
        let extra = &mut queue.extra.as_mut().expect("told").1;
        extra.acknowledged[0].0 = ago(9000);
        extra.pending = vec![Pending { what: shown("resolve"), at: ago(-7200) }];
        let mut model = attached(board, width, height);
        press(&mut model, "j j j enter");
        model
    });
}

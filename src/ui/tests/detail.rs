//! An incident opened.

use super::{both, keys};
use crate::{
    app::{
        Model,
        fixtures::{self, model, press, shown},
    },
    proto::Answer,
};

#[test]
fn the_detail_while_it_is_asked_for() {
    keys("detail_asking", "enter");
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

//! The API log: what was asked of the providers, over whatever view is open.

use super::both;
use crate::{
    app::{
        Model,
        fixtures::{account_name, answer, call, model, press, shown},
    },
    core::call::{ApiCall, Budget, End, Purpose},
    proto::Answer,
};

fn opened(width: u16, height: u16, keys: &str, left: u64) -> Model {
    let mut model = model(width, height);
    let asked = press(&mut model, "L");
    let failed = ApiCall {
        purpose: Purpose::Action,
        method: shown("PUT"),
        path: shown("/incidents/Q1DISK"),
        end: End::Failed(shown("api.pagerduty.com did not answer within 15 s")),
        took: 15_000,
        request_id: None,
        left: None,
        ..call(30)
    };
    let refused = ApiCall { end: End::Status(429), purpose: Purpose::Detail, left: Some(0), ..call(29) };
    let calls = [failed, refused].into_iter().chain((1..=28).rev().map(call)).collect();
    let budgets = vec![(account_name(), Budget { limit: Some(960), left, reserve: 96, resets_in: 23 })];
    answer(&mut model, &asked, Ok(Answer::ApiLog { calls, budgets }));
    press(&mut model, keys);
    model
}

#[test]
fn the_api_log() {
    both("api_log", |width, height| opened(width, height, "", 931));
}

#[test]
fn a_call_that_failed_says_why_and_the_log_stands_still() {
    both("api_log_selected", |width, height| opened(width, height, "j", 90));
}

#[test]
fn the_api_log_before_an_answer() {
    both("api_log_asking", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "L");
        model
    });
}

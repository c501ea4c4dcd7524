//! Nothing to show, and why: each reason looks different.

use super::{both, quiet, rest_failing};
use crate::{
    app::{
        Model,
        fixtures::{self, account_name, attached, board_with, shown},
    },
    core::board::Board,
    ui::snapshot::screen,
};

#[test]
fn nothing_open() {
    both("empty_fresh", |width, height| attached(quiet(|_| {}), width, height));
}

#[test]
fn nothing_known_yet() {
    both("empty_waiting", |width, height| {
        let mut board = quiet(|board| board.incidents.clear());
        board.accounts.get_mut(&account_name()).expect("account").account.rest.last_success = None;
        attached(board, width, height)
    });
}

#[test]
fn nothing_open_when_last_heard_of() {
    both("empty_stale", |width, height| {
        let board = quiet(|board| rest_failing(board, Some(400), "the provider answered 500: oops", false));
        attached(board, width, height)
    });
}

#[test]
fn never_an_answer() {
    both("empty_down", |width, height| {
        let board = quiet(|board| rest_failing(board, None, "api.pagerduty.com cannot be reached: refused", false));
        attached(board, width, height)
    });
}

#[test]
fn the_key_is_refused() {
    both("empty_refused", |width, height| {
        let board = quiet(|board| rest_failing(board, None, "401, is it an Events key?", true));
        attached(board, width, height)
    });
}

#[test]
fn webhooks_only() {
    both("empty_no_token", |width, height| {
        let mut board = board_with(|account| {
            account.rest_off = Some(shown("no token"));
            account.cannot_act = Some(shown("no token"));
            account.identity = None;
            account.rest.last_success = None;
        });
        board.incidents.clear();
        attached(board, width, height)
    });
}

#[test]
fn no_account() {
    both("empty_no_account", |width, height| attached(Board::default(), width, height));
}

#[test]
fn before_the_server_answers() {
    both("connecting", |width, height| Model::new(fixtures::now(), fixtures::zone(), (width, height)));
}

#[test]
fn nothing_is_ever_said_to_be_open_to_nobody_by_a_source_that_does_not_answer() {
    let causes = [(Some(400), false), (Some(5), true), (None, false), (None, true)];
    for (success, unauthorised) in causes {
        let board = quiet(|board| rest_failing(board, success, "429", unauthorised));
        let screen = screen(&attached(board, 80, 24), 80, 24);
        assert!(screen.contains("not known"), "{screen}");
        assert!(!screen.contains("nothing open"), "{screen}");
    }
}

//! Screens, as a person sees them: each state at 80x24 and at the smallest size.

mod actions;
mod attention;
mod calls;
mod detail;
mod emptiness;
mod handoff;
mod list;
mod looking;
mod prompt;
mod troubles;
mod whole;

use crate::{
    app::{
        Model,
        fixtures::{account_name, ago, board, key, model, press, shown},
    },
    core::{board::Board, freshness::Failure},
    ui::snapshot::screen,
};

/// Snapshots `setup` at both sizes.
fn both(name: &str, setup: impl Fn(u16, u16) -> Model) {
    for (width, height) in [(80, 24), (40, 12)] {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&setup(width, height), width, height));
    }
}

/// Snapshots the fixture's night after these keys.
fn keys(name: &str, names: &str) {
    both(name, |width, height| {
        let mut model = model(width, height);
        press(&mut model, names);
        model
    });
}

/// A board on which nothing is open.
fn quiet(with: impl FnOnce(&mut Board)) -> Board {
    let mut board = board();
    board.incidents.retain(|_, incident| incident.key == key("Q7OLD0"));
    with(&mut board);
    board
}

fn failure(cause: &str, unauthorised: bool) -> Failure {
    Failure { at: ago(10), cause: shown(cause), unauthorised }
}

fn rest_failing(board: &mut Board, success: Option<i64>, cause: &str, unauthorised: bool) {
    let rest = &mut board.accounts.get_mut(&account_name()).expect("account").account.rest;
    rest.last_success = success.map(ago);
    rest.failure = Some(failure(cause, unauthorised));
}

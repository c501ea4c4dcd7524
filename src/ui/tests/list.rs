//! The list of incidents.

use super::{both, keys, rest_failing};
use crate::{
    app::{
        Model,
        fixtures::{self, account_name, ago, attached, board, change, key, model, press, shown, type_text},
    },
    core::{
        board::Change,
        incident::{Observation, Stamp, Status},
        notify::Notify,
    },
    ui::snapshot::screen,
};

#[test]
fn the_list() {
    keys("list", "");
}

#[test]
fn the_list_on_a_wide_screen() {
    insta::assert_snapshot!(screen(&model(140, 24), 140, 24));
}

#[test]
fn the_list_at_sixty_columns() {
    insta::assert_snapshot!(screen(&model(60, 16), 60, 16));
}

#[test]
fn the_list_without_colour() {
    let mut model = model(80, 24);
    model.colour = false;
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn the_list_of_two_accounts() {
    both("two_accounts", |width, height| {
        let mut board = board();
        let mut other = board.accounts[&account_name()].clone();
        other.account.name = "eu".parse().expect("name");
        rest_failing(&mut board, Some(200), "the provider answered 500: Internal Server Error", false);
        board.accounts.insert(other.account.name.clone(), other);
        attached(board, width, height)
    });
}

#[test]
fn marks_and_resolved_ones_shown() {
    keys("marked", "v space shift-down shift-down");
}

#[test]
fn the_filter_while_typing() {
    both("filter_typing", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "space /");
        type_text(&mut model, "moreau p2");
        model
    });
}

#[test]
fn the_filter_kept() {
    both("filter_kept", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "/");
        type_text(&mut model, "db");
        press(&mut model, "enter");
        model
    });
}

#[test]
fn the_filter_that_nothing_matches() {
    both("filter_none", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "/");
        type_text(&mut model, "nonsense");
        model
    });
}

#[test]
fn a_priority_that_no_incident_has_takes_no_column() {
    both("list_without_priorities", |width, height| {
        let mut board = board();
        board.incidents.values_mut().for_each(|incident| incident.state.priority = None);
        attached(board, width, height)
    });
}

#[test]
fn wide_and_combining_characters_stay_in_their_columns() {
    let mut model = model(80, 24);
    let mut incident = fixtures::incident("QWIDE", 1300, Status::Triggered, "日本語テスト".repeat(9).as_str(), 60);
    incident.state.service.as_mut().expect("service").name = shown("サービス監視基盤です");
    incident.state.assignees[0].name = shown("e\u{301}\u{301}e\u{301} Zoë");
    change(&mut model, Change::Incident(Box::new(incident)));
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn what_nobody_signed_has_a_word_in_the_list_and_in_the_incident() {
    let told = || {
        let mut board = board();
        let known = board.incidents.get_mut(&key("Q1DISK")).expect("incident");
        let seen =
            Observation { key: known.key.clone(), stamp: Stamp::push(ago(1)), state: known.state.clone(), extra: None };
        assert!(known.merge(&seen.unsigned(ago(1))));
        board
    };
    both("unsigned_list", |width, height| attached(told(), width, height));
    both("unsigned_incident", |width, height| {
        let mut model = attached(told(), width, height);
        press(&mut model, "enter");
        model
    });
}

/// A night with so many more that the list does not fit.
fn long(width: u16, height: u16) -> Model {
    let mut model = model(width, height);
    model.set_notify(Notify { storm: None, ..Notify::default() });
    for number in 0..25 {
        let age = 190 - i64::try_from(number).expect("small");
        let status = if number % 4 == 0 { Status::Acknowledged } else { Status::Triggered };
        let new = fixtures::incident(&format!("QN{number}"), 1300 + number, status, "Disk full", age);
        change(&mut model, Change::Incident(Box::new(new)));
    }
    model
}

#[test]
fn a_list_that_nobody_touched_shows_its_top() {
    both("untouched", long);
}

#[test]
fn what_is_above_the_window_is_told() {
    both("rows_above", |width, height| {
        let mut model = long(width, height);
        press(&mut model, "G k");
        model
    });
}

//! The services view, as a person sees it.

use crate::{
    core::board::Board,
    ui::{
        fixtures::{account_name, ago, attached, board, board_of_two, press, service_name, type_text},
        snapshot::screen,
    },
};

fn both(name: &str, board: &Board, keys: &str) {
    for (width, height) in [(80, 24), (40, 12)] {
        let mut model = attached(board.clone(), width, height);
        press(&mut model, "5");
        press(&mut model, keys);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&model, width, height));
    }
}

#[test]
fn services_stand_as_their_incidents_and_windows_say() {
    both("services", &board(), "j");
}

#[test]
fn the_incidents_of_a_service_are_listed_by_its_id_and_it_is_told_which_it_is() {
    both("service_incidents", &board_of_two(), "j enter");
}

#[test]
fn how_many_rows_lie_above_and_below_is_told() {
    let mut board = board();
    let services = &mut board.accounts.get_mut(&account_name()).expect("account").services.services;
    for number in 0..40 {
        let mut more = services[2].clone();
        more.service = service_name(&format!("PSVC{number}"), &format!("Shop {number:02}"));
        services.push(more);
    }
    both("services_many", &board, "pgdn pgdn");
}

#[test]
fn on_a_wide_screen_the_policy_is_named() {
    let mut model = attached(board(), 130, 24);
    press(&mut model, "5");
    insta::assert_snapshot!(screen(&model, 130, 24));
}

#[test]
fn nothing_told_is_not_no_services() {
    let mut board = board();
    let account = board.accounts.get_mut(&account_name()).expect("account");
    account.services = crate::core::service::Services::default();
    account.account.on_call = crate::core::freshness::Freshness::default();
    both("services_waiting", &board, "");
}

#[test]
fn old_news_of_services_and_of_who_is_on_call_are_no_plain_claim() {
    let mut board = board();
    let account = board.accounts.get_mut(&account_name()).expect("account");
    account.services.as_of = Some(ago(20_000));
    account.account.on_call.last_success = Some(ago(20_000));
    account.oncalls[0].end = Some(ago(600));
    both("services_old", &board, "");
}

#[test]
fn what_the_key_may_not_see_is_not_no_services() {
    let mut board = board();
    let account = board.accounts.get_mut(&account_name()).expect("account");
    account.services = crate::core::service::Services::default();
    let cause = crate::core::text::Shown::line("not permitted: Access Denied");
    account.account.barred.insert(crate::core::freshness::Sight::Services, cause);
    both("services_barred", &board, "");
}

#[test]
fn windows_that_the_key_may_not_see_are_not_none() {
    let mut board = board();
    let account = board.accounts.get_mut(&account_name()).expect("account");
    let cause = crate::core::text::Shown::line("not permitted: Access Denied");
    account.account.barred.insert(crate::core::freshness::Sight::Windows, cause);
    both("services_windows_barred", &board, "");
}

#[test]
fn a_window_is_asked_for_step_by_step() {
    for (width, height) in [(80, 24), (40, 12)] {
        let mut model = attached(board(), width, height);
        press(&mut model, "5 j m");
        type_text(&mut model, "30");
        press(&mut model, "enter");
        insta::assert_snapshot!(format!("maintenance_refused_{width}x{height}"), screen(&model, width, height));
        press(&mut model, "ctrl-u");
        type_text(&mut model, "2d");
        press(&mut model, "enter");
        type_text(&mut model, "disk swap");
        press(&mut model, "enter");
        insta::assert_snapshot!(format!("maintenance_confirm_{width}x{height}"), screen(&model, width, height));
    }
}

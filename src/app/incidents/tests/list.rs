//! The list: selection, marks, filter.

use super::{act, acts, notice, selected};
use crate::{
    app::{
        Event, Model,
        fixtures::{ago, attached, board_with, change, incident, key, model, press, type_text},
        update,
    },
    core::{
        action::Verb,
        board::Change,
        freshness::Freshness,
        id::ServiceId,
        incident::{Named, Status},
        notify::Notify,
    },
};

#[test]
fn a_row_that_comes_in_above_does_not_move_the_hand() {
    let mut model = model(80, 24);
    press(&mut model, "j");
    assert_eq!(selected(&model), Some("Q2LATE"));

    let new = incident("QNEW", 1300, Status::Triggered, "new", 1);
    change(&mut model, Change::Incident(Box::new(new)));
    let effects = press(&mut model, "a enter");

    assert_eq!(acts(&effects), [act(&[("Q2LATE", Status::Triggered)], Verb::Acknowledge)]);
}

#[test]
fn a_selected_row_that_goes_takes_the_selection_with_it() {
    let mut model = model(80, 24);
    change(&mut model, Change::Forgotten(key("Q1DISK")));
    assert_eq!(selected(&model), None);

    assert_eq!(press(&mut model, "a enter"), []);
    assert!(model.prompt.is_none() && notice(&model).contains("no incident is selected"));
}

#[test]
fn space_marks_and_unmarks_and_marks_follow_the_incident() {
    let mut model = model(80, 24);
    press(&mut model, "space space j space");
    change(&mut model, Change::Incident(Box::new(incident("Q2LATE", 1200, Status::Acknowledged, "p99", 700))));
    assert_eq!(model.incidents.marked.iter().collect::<Vec<_>>(), [&key("Q2LATE")]);

    change(&mut model, Change::Forgotten(key("Q2LATE")));
    assert!(model.incidents.marked.is_empty());
}

#[test]
fn every_printable_key_reaches_the_filter_and_the_list_follows() {
    let mut model = model(80, 24);
    press(&mut model, "/");
    type_text(&mut model, "q?ngaRhv 1");
    assert_eq!(model.incidents.filter.as_str(), "q?ngaRhv 1");
    press(&mut model, "ctrl-u");
    type_text(&mut model, "db");
    assert_eq!(model.incidents.rows.keys(), [key("Q1DISK"), key("Q5BACK")]);

    press(&mut model, "enter");
    assert_eq!(model.incidents.filter.as_str(), "db");
    press(&mut model, "/ esc");
    assert_eq!(model.incidents.rows.keys().len(), 6);
}

#[test]
fn pasting_goes_into_the_filter_and_nowhere_else() {
    let mut model = model(80, 24);
    update(&mut model, Event::Pasted("aR\n".into()));
    assert!(model.prompt.is_none());
    press(&mut model, "/");
    update(&mut model, Event::Pasted("disk\n".into()));
    assert_eq!(model.incidents.rows.keys(), [key("Q1DISK")]);
}

#[test]
fn old_resolved_ones_are_hidden_but_counted_until_asked_for() {
    let mut model = model(80, 24);
    assert_eq!((model.incidents.rows.keys().len(), model.incidents.rows.hidden_resolved()), (6, 1));
    press(&mut model, "v");
    assert_eq!((model.incidents.rows.keys().len(), model.incidents.rows.hidden_resolved()), (7, 0));
    press(&mut model, "v");

    update(&mut model, Event::Ticked(ago(-600)));

    assert_eq!((model.incidents.rows.keys().len(), model.incidents.rows.hidden_resolved()), (5, 2));
}

#[test]
fn keys_cost_the_same_with_ten_thousand_incidents() {
    let mut model = model(80, 24);
    model.set_notify(Notify { storm: None, ..Notify::default() });
    for number in 0..10_000 {
        let new = incident(&format!("QMANY{number}"), 2000 + number, Status::Triggered, "many", 500);
        change(&mut model, Change::Incident(Box::new(new)));
    }
    assert_eq!(model.incidents.rows.keys().len(), 10_006);
    press(&mut model, "G");
    assert_eq!(selected(&model), Some("Q6LOGN"));
    assert_eq!(model.incidents.cursor.offset(), 10_006 - 19);
}

#[test]
fn while_the_first_list_comes_in_the_hand_is_on_its_first_row_and_then_stays() {
    let mut board = board_with(|account| account.rest = Freshness::default());
    board.incidents.clear();
    let mut model = attached(board, 80, 24);
    let seen = |id: &str, age| Change::Incident(Box::new(incident(id, 1, Status::Triggered, "t", age)));
    change(&mut model, seen("QOLD", 900));
    change(&mut model, seen("QNEW", 60));
    assert_eq!(selected(&model), Some("QNEW"));

    let mut account = model.board.accounts.values().next().expect("account").account.clone();
    account.rest.succeeded(ago(0));
    change(&mut model, Change::Account(Box::new(account)));
    change(&mut model, seen("QNEWER", 1));

    assert_eq!(selected(&model), Some("QNEW"));
}

/// So many triggered incidents, each newer than the one before.
fn arrivals(model: &mut Model, count: u64) {
    model.set_notify(Notify { storm: None, ..Notify::default() });
    for number in 0..count {
        let age = 190 - i64::try_from(number).expect("small");
        let new = incident(&format!("QN{number}"), 1300 + number, Status::Triggered, "new", age);
        change(model, Change::Incident(Box::new(new)));
    }
}

#[test]
fn an_untouched_list_stays_at_its_top_and_no_key_does_anything_to_what_left_it() {
    let mut model = model(40, 12);
    assert_eq!(selected(&model), Some("Q1DISK"));

    arrivals(&mut model, 7);

    assert_eq!((selected(&model), model.incidents.cursor.offset()), (None, 0));
    assert_eq!(press(&mut model, "a enter"), []);
    assert!(model.prompt.is_none() && notice(&model).contains("no incident is selected"));
    let effects = press(&mut model, "j a enter");
    assert_eq!(acts(&effects).len(), 1);
    assert_eq!(selected(&model), Some("QN6"));
}

#[test]
fn a_hand_stays_on_its_incident_until_it_lets_go() {
    let mut model = model(40, 12);
    press(&mut model, "j k");
    arrivals(&mut model, 7);
    assert_eq!((selected(&model), model.incidents.cursor.offset()), (Some("Q1DISK"), 1));

    press(&mut model, "esc");

    assert_eq!((selected(&model), model.incidents.cursor.offset()), (None, 0));
}

#[test]
fn an_incident_that_was_opened_is_under_the_hand_afterwards() {
    let mut model = model(40, 12);
    press(&mut model, "enter");
    arrivals(&mut model, 7);

    press(&mut model, "esc");

    assert_eq!(selected(&model), Some("Q1DISK"));
}

#[test]
fn a_grouped_list_that_no_hand_moved_stays_at_its_top_too() {
    let mut model = model(40, 12);
    press(&mut model, "S");
    for number in 0..12 {
        let mut new = incident(&format!("QN{number}"), 1300 + number, Status::Triggered, "new", 1);
        let service = format!("S{number}");
        new.state.service =
            Some(Named { id: ServiceId::new(&service).expect("id"), name: crate::core::text::Shown::line(&service) });
        change(&mut model, Change::Incident(Box::new(new)));
    }
    update(&mut model, Event::Ticked(ago(0)));

    let groups = model.incidents.groups.as_ref().expect("grouped");
    assert_eq!((groups.cursor.offset(), selected(&model)), (0, None));
}

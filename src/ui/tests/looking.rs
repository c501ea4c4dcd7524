//! The filter line, what it hides, what it says of mistakes, and saved views.

use super::both;
use crate::{
    app::{
        Model,
        fixtures::{change, incident, model, press, type_text},
    },
    core::{
        board::Change,
        incident::Status,
        view::{SavedView, SavedViews},
    },
    ui::snapshot::screen,
};

fn typing(name: &str, text: &str, keys: &str) {
    both(name, |width, height| {
        let mut model = model(width, height);
        press(&mut model, "/");
        type_text(&mut model, text);
        press(&mut model, keys);
        model
    });
}

fn with_views(width: u16, height: u16) -> Model {
    let view = |name: &str, query: &str, key: Option<&str>| SavedView {
        name: name.into(),
        query: query.to_owned(),
        key: key.map(|key| key.parse().expect("key")),
    };
    let all = vec![
        view("mine", "is:mine", Some("alt-1")),
        view("payments", "service:payments is:open", Some("alt-2")),
        view("loud and old", "urgency:high age:>2h", None),
    ];
    let mut model = model(width, height);
    model.set_views(SavedViews { all, first: None }, Some("payments"));
    model
}

#[test]
fn a_mistake_in_the_filter() {
    typing("filter_wrong", "urgency:low sevice:edge", "");
}

#[test]
fn a_filter_that_is_not_understood_and_entered() {
    typing("filter_wrong_entered", "urgency:loud", "enter");
}

#[test]
fn what_the_last_word_may_become() {
    typing("filter_completing", "service:", "");
    typing("filter_completing_field", "is:open s", "");
}

#[test]
fn what_nobody_knows_is_counted_apart() {
    typing("filter_unknown", "!has:note urgency:low", "enter");
}

#[test]
fn marking_by_a_query() {
    both("marking", |width, height| {
        let mut model = model(width, height);
        press(&mut model, "space V");
        type_text(&mut model, "service:payments");
        model
    });
}

#[test]
fn a_saved_view_in_force() {
    both("view", with_views);
}

#[test]
fn the_saved_views() {
    both("views", |width, height| {
        let mut model = with_views(width, height);
        press(&mut model, "f j");
        model
    });
}

#[test]
fn an_open_incident_is_never_hidden_without_a_count_that_can_be_seen() {
    for (width, height) in [(80, 24), (60, 16), (40, 12)] {
        let mut model = with_views(width, height);
        let old = incident("QOLD", 7, Status::Acknowledged, "forgotten", 500 * 24 * 3600);
        change(&mut model, Change::Incident(Box::new(old)));
        let mut more = |text: &str| {
            press(&mut model, "/ ctrl-u");
            type_text(&mut model, text);
            press(&mut model, "enter");
            let rows = &model.incidents.rows;
            let (out, unknown, old) = (rows.filtered_out(), rows.unknown(), rows.hidden_resolved());
            let line = screen(&model, width, height).lines().nth(2).unwrap_or_default().to_owned();
            assert!(line.contains(&format!("{out} out")) || line.contains(&format!("{out} filtered out")), "{line}");
            let unknown_said = line.contains(&format!("{unknown}?")) || line.contains(&format!("{unknown} not known"));
            assert!(unknown == 0 || unknown_said, "{line}");
            assert!(
                line.contains(&format!("{old} old (v)")) || line.contains(&format!("{old} resolved hidden")),
                "{line}"
            );
        };
        for text in ["age:<7d", "has:note", "is:mine a-rather-long-word-that-takes-all-the-room-there-is", "is:open"] {
            more(text);
        }
    }
}

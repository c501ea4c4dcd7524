//! The filter line, what it hides, what it says of mistakes, and saved views.

use super::both;
use crate::{
    app::{
        Event, Model,
        fixtures::{change, incident, model, press, type_text},
        update,
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

#[test]
fn what_is_typed_completed_or_named_never_drives_the_terminal() {
    let hostile = "\u{1b}[2J\u{202e}\u{200b}x\u{9b}31m\u{7}";
    let mut model = model(80, 24);
    let mut new = incident("QEVIL", 7, Status::Triggered, hostile, 60);
    new.state.service.as_mut().expect("service").name = crate::core::text::Shown::line(&format!("evil {hostile}"));
    change(&mut model, Change::Incident(Box::new(new)));
    let query = format!("service:\"{hostile}");
    let all = vec![SavedView { name: crate::core::text::Shown::line(hostile), query: query.clone(), key: None }];
    model.set_views(SavedViews { all, first: None }, None);

    press(&mut model, "/");
    update(&mut model, Event::Pasted(query));
    let typed = screen(&model, 80, 24);
    press(&mut model, "ctrl-u");
    type_text(&mut model, "service:evil");
    let completed = screen(&model, 80, 24);
    press(&mut model, "tab enter f");
    let listed = screen(&model, 80, 24);

    for screen in [typed, completed, listed] {
        assert!(!screen.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\u{9b}', '\u{7}']), "{screen}");
    }
    assert_eq!(model.incidents.rows.keys(), [crate::app::fixtures::key("QEVIL")], "it can be asked for all the same");
}

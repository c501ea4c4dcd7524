//! What the webhooks view promises.

use super::*;
use crate::{
    app::{
        Event, View,
        fixtures::{answer, attached, board, change, delivery, key, model, press, requests, type_text},
        update,
    },
    core::{
        board::Change,
        delivery::{Timings, Verdict},
        text::ShownBody,
    },
};

fn webhooks() -> Model {
    let mut model = model(80, 24);
    press(&mut model, "3");
    model
}

fn arrives(model: &mut Model, id: i64) {
    change(model, Change::Delivery(Box::new(delivery(id, 1, Verdict::Accepted, "incident.triggered"))));
}

fn selected(model: &Model) -> Option<i64> {
    model.webhooks.cursor.selected().map(|id| id.0)
}

fn shown(model: &Model) -> Vec<i64> {
    rows(model).iter().map(|row| row.id.0).collect()
}

fn view(id: i64, body: &str) -> Box<DeliveryView> {
    Box::new(DeliveryView {
        summary: delivery(id, 5, Verdict::Accepted, "incident.triggered"),
        peer: Shown::line("203.0.113.7"),
        headers: vec![],
        body: ShownBody::new(body),
        body_is_json: true,
        timings: Timings::default(),
    })
}

fn page(ids: impl Iterator<Item = i64>) -> Answer {
    Answer::Deliveries { deliveries: ids.map(|id| delivery(id, 9999, Verdict::Accepted, "pagey.ping")).collect() }
}

#[test]
fn nothing_selected_follows_the_top_and_a_selection_never_moves() {
    let mut model = webhooks();
    arrives(&mut model, 7);
    assert_eq!((selected(&model), model.webhooks.cursor.offset()), (None, 0));

    press(&mut model, "j j");
    arrives(&mut model, 8);
    assert_eq!(selected(&model), Some(6));
}

#[test]
fn what_comes_in_above_a_scrolled_list_is_counted_until_the_top_is_seen() {
    let mut model = webhooks();
    (7..60).for_each(|id| arrives(&mut model, id));
    press(&mut model, "G");
    (60..63).for_each(|id| arrives(&mut model, id));

    assert_eq!(model.webhooks.new_above(&rows(&model)), 3);
    press(&mut model, "esc");
    assert_eq!((model.webhooks.new_above(&rows(&model)), selected(&model)), (0, None));
}

#[test]
fn at_the_end_older_lines_are_asked_for_once_and_join() {
    let mut model = webhooks();
    let effects = press(&mut model, "G");
    assert_eq!(requests(&effects)[0].1, Request::Deliveries { before: DeliveryId(1), limit: PAGE });
    assert_eq!(press(&mut model, "j j"), vec![]);

    answer(&mut model, &effects, Ok(page([1, 0, -1].into_iter())));
    assert_eq!(shown(&model), [6, 5, 4, 3, 2, 1, 0, -1]);
    assert_eq!(selected(&model), Some(1));

    let effects = press(&mut model, "G");
    answer(&mut model, &effects, Ok(page([].into_iter())));
    assert_eq!(model.webhooks.older, Older::None);
    assert_eq!(press(&mut model, "G j"), vec![]);
}

#[test]
fn a_refused_page_says_why_and_can_be_asked_again() {
    let mut model = webhooks();
    let effects = press(&mut model, "G");
    answer(&mut model, &effects, Err("the store is busy".into()));

    assert_eq!(model.webhooks.older, Older::Failed(Shown::line("the store is busy")));
    assert_eq!(requests(&press(&mut model, "j")).len(), 1);
}

#[test]
fn an_answer_that_never_comes_is_asked_for_again() {
    let mut model = webhooks();
    press(&mut model, "G");
    let later = model.now + jiff::SignedDuration::from_secs(11);
    update(&mut model, Event::Ticked(later));

    assert_eq!(requests(&press(&mut model, "j")).len(), 1);
}

#[test]
fn the_filter_is_live_over_verdict_type_incident_and_subject() {
    for (text, left) in [("reject", vec![5]), ("ANNOTATED", vec![2]), ("#1201 dupl", vec![4]), ("97 %", vec![6, 4, 2])]
    {
        let mut model = webhooks();
        press(&mut model, "/");
        type_text(&mut model, text);
        assert_eq!(shown(&model), left, "{text}");
    }
}

#[test]
fn a_filter_with_no_match_looks_further_back_on_demand() {
    let mut model = webhooks();
    press(&mut model, "/ x y z enter");
    assert_eq!(shown(&model), Vec::<i64>::new());
    assert_eq!(requests(&press(&mut model, "j")).len(), 1);
}

#[test]
fn enter_reads_the_selected_delivery_and_esc_goes_back_to_it() {
    let mut model = webhooks();
    let effects = press(&mut model, "j j enter");
    assert_eq!(requests(&effects)[0].1, Request::Delivery { id: DeliveryId(5) });
    assert_eq!(press(&mut model, "enter"), vec![], "asked once");

    answer(&mut model, &effects, Ok(Answer::Delivery { delivery: view(5, "{}") }));
    assert!(matches!(&model.webhooks.open, Some(Opened { reading: Reading::Read(_), .. })));
    press(&mut model, "esc");
    assert!(model.webhooks.open.is_none());
    assert_eq!(selected(&model), Some(5));
}

#[test]
fn with_nothing_selected_enter_opens_the_newest_line_that_the_filter_leaves() {
    let mut model = webhooks();
    let effects = press(&mut model, "enter");
    assert_eq!(requests(&effects)[0].1, Request::Delivery { id: DeliveryId(6) });
    assert_eq!(selected(&model), Some(6));

    let mut model = webhooks();
    let effects = press(&mut model, "/ r e j e c t enter enter");
    assert_eq!(requests(&effects)[0].1, Request::Delivery { id: DeliveryId(5) });

    let mut model = webhooks();
    press(&mut model, "/ x y z enter");
    assert_eq!(press(&mut model, "enter i"), vec![]);
}

#[test]
fn from_the_incident_of_a_delivery_esc_leads_back_to_the_delivery() {
    let mut model = webhooks();
    press(&mut model, "enter i");
    assert_eq!(model.view, View::Incidents);
    press(&mut model, "esc");
    assert_eq!(model.view, View::Webhooks);
    assert_eq!(model.webhooks.open.as_ref().map(|opened| opened.summary.id), Some(DeliveryId(6)));
    assert!(model.incidents.opened.is_none());

    press(&mut model, "esc 1 enter");
    assert!(model.incidents.opened.is_some());
    press(&mut model, "esc");
    assert_eq!(model.view, View::Incidents, "opened from the list, back to the list");
}

#[test]
fn a_late_answer_does_not_open_or_replace_anything() {
    let mut model = webhooks();
    let first = press(&mut model, "j enter");
    press(&mut model, "esc");
    answer(&mut model, &first, Ok(Answer::Delivery { delivery: view(6, "first") }));
    assert!(model.webhooks.open.is_none());

    press(&mut model, "j enter");
    answer(&mut model, &first, Ok(Answer::Delivery { delivery: view(6, "first") }));
    assert!(matches!(&model.webhooks.open, Some(Opened { reading: Reading::Asked(_), .. })));
}

#[test]
fn a_delivery_that_cannot_be_read_says_why_and_enter_asks_again() {
    let mut model = webhooks();
    let effects = press(&mut model, "j enter");
    answer(&mut model, &effects, Err("no such delivery".into()));

    assert!(matches!(&model.webhooks.open, Some(Opened { reading: Reading::Failed(_), .. })));
    assert_eq!(requests(&press(&mut model, "enter")).len(), 1);
}

#[test]
fn a_long_body_scrolls_to_its_end_and_no_further() {
    let mut model = webhooks();
    let effects = press(&mut model, "j enter");
    let body = "line\n".repeat(100);
    answer(&mut model, &effects, Ok(Answer::Delivery { delivery: view(6, &body) }));
    press(&mut model, "G j j");
    let end = model.webhooks.open.as_ref().expect("open").scroll;

    press(&mut model, "k");
    assert_eq!(model.webhooks.open.as_ref().expect("open").scroll, end - 1);
    update(&mut model, Event::Resized { width: 80, height: 200 });
    assert_eq!(model.webhooks.open.as_ref().expect("open").scroll, 0);
}

#[test]
fn an_empty_log_asks_for_nothing() {
    let mut board = board();
    board.deliveries.clear();
    let mut model = attached(board, 80, 24);
    model.view = View::Webhooks;
    assert_eq!(press(&mut model, "j G enter pgdn"), vec![]);
}

#[test]
fn from_a_delivery_to_its_incident_and_only_if_it_has_one() {
    let mut model = webhooks();
    press(&mut model, "j j i");
    assert_eq!(model.view, View::Webhooks, "a rejected delivery belongs to none");

    let effects = press(&mut model, "k i");
    assert_eq!(model.view, View::Incidents);
    assert_eq!(requests(&effects)[0].1, Request::Detail { key: key("Q1DISK") });

    let mut other = delivery(7, 1, Verdict::Accepted, "incident.triggered");
    other.incident = Some(key("QGONE00"));
    change(&mut model, Change::Delivery(Box::new(other)));
    assert_eq!(press(&mut model, "3 g i"), vec![]);
    assert_eq!(model.view, View::Webhooks);
}

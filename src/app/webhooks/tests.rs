//! What the webhooks view promises.

use super::*;
use crate::{
    app::{
        Event, Role, View,
        fixtures::{answer, attached, board, change, delivery, key, model, press, requests, type_text},
        update,
    },
    core::{
        board::Change,
        delivery::{Bytes, DeliveryView, Timings, Verdict},
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
    let size = body.len().try_into().expect("small");
    let summary = DeliverySummary { size, ..delivery(id, 5, Verdict::Accepted, "incident.triggered") };
    Box::new(DeliveryView {
        summary,
        peer: Shown::line("203.0.113.7"),
        headers: vec![],
        body: ShownBody::new(body),
        body_is_json: true,
        raw: Bytes(body.as_bytes().to_vec()),
        timings: Timings::default(),
        response: None,
        format: None,
    })
}

fn page(ids: impl Iterator<Item = i64>) -> Answer {
    Answer::Deliveries {
        deliveries: ids.map(|id| delivery(id, 9999, Verdict::Accepted, "pagey.ping")).collect(),
        let_go: None,
    }
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
fn what_comes_in_while_the_log_is_paused_is_counted_until_it_is_followed_again() {
    let mut model = webhooks();
    (7..60).for_each(|id| arrives(&mut model, id));
    press(&mut model, "G");
    (60..63).for_each(|id| arrives(&mut model, id));

    assert_eq!(model.webhooks.news(&rows(&model)), 3);
    press(&mut model, "f");
    assert_eq!((model.webhooks.news(&rows(&model)), selected(&model)), (0, None));
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
    assert_eq!(model.webhooks.older, Older::None { let_go: None });
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
fn while_another_view_is_looked_at_no_line_is_judged_and_the_place_is_found_again() {
    let mut model = webhooks();
    press(&mut model, "/");
    type_text(&mut model, "annotated");
    press(&mut model, "enter j");
    assert_eq!(selected(&model), Some(2));

    press(&mut model, "1");
    change(&mut model, Change::Delivery(Box::new(delivery(2, 2400, Verdict::Accepted, "incident.resolved"))));
    assert_eq!(selected(&model), Some(2));

    press(&mut model, "3");
    assert_eq!(selected(&model), None);
}

fn found(ids: impl Iterator<Item = i64>, next: Option<i64>) -> Answer {
    let deliveries = ids.map(|id| delivery(id, 9999, Verdict::Rejected, "")).collect();
    Answer::Found { deliveries, next: next.map(DeliveryId), let_go: None }
}

fn look_for(model: &mut Model, query: &str) -> Vec<Effect> {
    press(model, "/");
    type_text(model, query);
    press(model, "enter")
}

fn asked(effects: &[Effect]) -> Vec<(String, Option<i64>)> {
    let search = |(_, request)| match request {
        Request::SearchDeliveries { query, before, .. } => (query, before.map(|id| id.0)),
        other => panic!("{other:?}"),
    };
    requests(effects).into_iter().map(search).collect()
}

#[test]
fn a_query_is_judged_here_while_typed_and_by_the_server_when_entered() {
    let mut model = webhooks();
    press(&mut model, "/");
    assert_eq!(type_text(&mut model, "verdict:rejected since:1h"), vec![], "nothing is asked while typing");
    assert_eq!(shown(&model), [5]);

    let effects = press(&mut model, "enter");
    assert_eq!(asked(&effects), [("verdict:rejected since:2025-06-10T01:17:30Z".into(), None)]);
    answer(&mut model, &effects, Ok(found([5, -4].into_iter(), None)));
    assert_eq!(shown(&model), [5], "what is older than an hour does not become younger by being found");
}

#[test]
fn a_search_goes_on_by_itself_until_the_screen_is_full_and_then_on_demand() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "verdict:rejected");
    let on = answer(&mut model, &effects, Ok(found([].into_iter(), Some(-100))));
    assert_eq!(asked(&on), [("verdict:rejected".into(), Some(-100))]);

    let effects = answer(&mut model, &on, Ok(found((-200..-150).rev(), Some(-200))));
    assert_eq!(effects, vec![], "the screen is full");
    let on = press(&mut model, "G");
    assert_eq!((selected(&model), asked(&on)), (Some(-200), vec![("verdict:rejected".into(), Some(-200))]));
    answer(&mut model, &on, Ok(found([-300].into_iter(), None)));
    assert_eq!(model.webhooks.hunt.reach, Reach::Whole);
    assert_eq!(press(&mut model, "G j"), vec![], "nothing is older");

    let effects = press(&mut model, "enter");
    assert_eq!(requests(&effects)[0].1, Request::Delivery { id: DeliveryId(-300) }, "what was found can be opened");
    press(&mut model, "esc esc");
    assert_eq!(shown(&model), [6, 5, 4, 3, 2, 1], "without a query, the log as it is");
}

#[test]
fn a_refused_search_says_why_and_can_be_asked_again() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "xyz");
    answer(&mut model, &effects, Err("the store is busy".into()));
    assert_eq!(model.webhooks.hunt.reach, Reach::Failed(Shown::line("the store is busy")));
    assert_eq!(shown(&model), Vec::<i64>::new());

    assert_eq!(asked(&press(&mut model, "j")).len(), 1);
    update(&mut model, Event::Detached { reason: "gone".into() });
    assert!(matches!(model.webhooks.hunt.reach, Reach::Failed(_)));
}

#[test]
fn what_cannot_be_understood_is_told_and_hides_nothing_more() {
    let mut model = webhooks();
    press(&mut model, "/");
    type_text(&mut model, "verdict:rejected ");
    let before = shown(&model);
    type_text(&mut model, "fro");
    assert_ne!(shown(&model), before, "a word that stands nowhere");
    type_text(&mut model, "m:");

    assert_eq!(model.webhooks.hunt.wrong.as_ref().map(|wrong| wrong.column), Some(18));
    assert_eq!(shown(&model), before);
    assert_eq!(press(&mut model, "enter"), vec![], "it is not sent");
    assert!(model.notice.as_ref().is_some_and(|notice| notice.text.as_str().starts_with("column 18")));
}

#[test]
fn a_field_that_is_none_hides_nothing() {
    let mut model = webhooks();
    let all = shown(&model);
    press(&mut model, "/");
    type_text(&mut model, "vredict:rejected");
    assert!(model.webhooks.hunt.wrong.is_some());
    assert_eq!(shown(&model), all);
}

#[test]
fn what_only_the_server_can_judge_shows_once_it_has() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "from:203.0.113.7");
    assert_eq!(shown(&model), Vec::<i64>::new());
    answer(&mut model, &effects, Ok(found([5].into_iter(), None)));
    assert_eq!(shown(&model), [5]);

    arrives(&mut model, 7);
    assert_eq!(shown(&model), [5], "nobody has judged it");
    let later = model.now + jiff::SignedDuration::from_secs(3);
    let effects = update(&mut model, Event::Ticked(later));
    assert_eq!(asked(&effects), [("from:203.0.113.7".into(), None)]);
    assert_eq!(update(&mut model, Event::Ticked(later)), vec![], "asked once");
    answer(&mut model, &effects, Ok(found([7, 5].into_iter(), None)));
    assert_eq!(shown(&model), [7, 5]);
}

/// Attached again, to a server whose newest deliveries are `ids`.
fn attaches_again(model: &mut Model, ids: impl Iterator<Item = i64>) -> Vec<Effect> {
    update(model, Event::Detached { reason: "gone".into() });
    let mut board = board();
    board.deliveries = ids.map(|id| delivery(id, 1, Verdict::Accepted, "incident.triggered")).collect();
    update(model, Event::Attached { board: Box::new(board), access: model.access.clone(), role: Role::Attached })
}

#[test]
fn after_an_absence_a_search_begins_again_and_shows_nothing_across_the_hole() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "verdict:accepted");
    answer(&mut model, &effects, Ok(found([-4].into_iter(), None)));
    assert_eq!(model.webhooks.hunt.reach, Reach::Whole);

    let effects = attaches_again(&mut model, (9_501..=10_000).rev());

    assert_eq!(asked(&effects), [("verdict:accepted".into(), None)]);
    assert_eq!(shown(&model), (9_501..=10_000).rev().collect::<Vec<_>>());
    assert!(matches!(model.webhooks.hunt.reach, Reach::Asked(_)));
    let deliveries = [9_501, 7_000, -4].map(|id| delivery(id, 9999, Verdict::Accepted, "")).to_vec();
    answer(&mut model, &effects, Ok(Answer::Found { deliveries, next: None, let_go: None }));
    assert_eq!(shown(&model)[499..], [9_501, 7_000, -4]);
}

#[test]
fn a_search_begins_again_once_lines_are_gone_that_came_in_after_it() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "verdict:rejected");
    answer(&mut model, &effects, Ok(found([5, -4].into_iter(), None)));

    assert_eq!(asked(&attaches_again(&mut model, (6..=5_005).rev())), []);
    assert_eq!(shown(&model), [5, -4]);
    assert_eq!(asked(&attaches_again(&mut model, (6..=5_006).rev())), [("verdict:rejected".into(), None)]);
    assert_eq!(shown(&model), Vec::<i64>::new());
}

#[test]
fn a_flood_that_only_the_server_can_judge_is_asked_about_to_its_end() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "from:203.0.113.7");
    answer(&mut model, &effects, Ok(found([5].into_iter(), None)));
    (7..=12).for_each(|id| arrives(&mut model, id));
    let later = model.now + jiff::SignedDuration::from_secs(3);

    let effects = update(&mut model, Event::Ticked(later));
    let on = answer(&mut model, &effects, Ok(found([12, 11].into_iter(), Some(10))));
    assert_eq!(asked(&on), [("from:203.0.113.7".into(), Some(10))]);
    let on = answer(&mut model, &on, Ok(found([8, 5].into_iter(), Some(5))));

    assert_eq!(asked(&on), []);
    assert_eq!(shown(&model), [12, 11, 8, 5]);
    let later = later + jiff::SignedDuration::from_secs(30);
    assert_eq!(update(&mut model, Event::Ticked(later)), vec![], "all are judged");
}

#[test]
fn what_the_server_could_not_judge_is_asked_about_again() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "from:203.0.113.7");
    answer(&mut model, &effects, Ok(found([5].into_iter(), None)));
    arrives(&mut model, 7);
    let at = |model: &Model, seconds| model.now + jiff::SignedDuration::from_secs(seconds);

    let later = at(&model, 3);
    let effects = update(&mut model, Event::Ticked(later));
    assert_eq!(answer(&mut model, &effects, Err("the store is busy".into())), vec![]);
    assert!(model.webhooks.hunt.lacks_news());
    let later = at(&model, 11);
    let effects = update(&mut model, Event::Ticked(later));
    assert_eq!(asked(&effects), [("from:203.0.113.7".into(), None)]);
    update(&mut model, Event::Detached { reason: "gone".into() });
    let later = at(&model, 3);
    update(&mut model, Event::Ticked(later));

    let effects = attaches_again(&mut model, (1..=7).rev());
    assert_eq!(asked(&effects), [("from:203.0.113.7".into(), None)]);
    answer(&mut model, &effects, Ok(found([7].into_iter(), None)));
    assert!(!model.webhooks.hunt.lacks_news());
    assert_eq!(shown(&model), [7, 5]);
}

#[test]
fn what_came_into_an_empty_log_is_judged_too() {
    let mut board = board();
    board.deliveries.clear();
    let mut model = attached(board, 80, 24);
    model.view = View::Webhooks;
    let effects = look_for(&mut model, "from:203.0.113.7");
    answer(&mut model, &effects, Ok(found([].into_iter(), None)));

    let line = Box::new(delivery(1, 1, Verdict::Accepted, "incident.triggered"));
    let effects = update(&mut model, Event::Changed(Change::Delivery(line)));

    assert_eq!(asked(&effects), [("from:203.0.113.7".into(), None)]);
}

#[test]
fn so_many_found_that_older_ones_are_not_kept_are_not_called_all() {
    let mut model = webhooks();
    let effects = look_for(&mut model, "verdict:rejected");
    answer(&mut model, &effects, Ok(found(-4_999..=0, Some(-5_000))));
    assert_eq!(model.webhooks.hunt.reach, Reach::Part, "there is room for all so far");

    let effects = press(&mut model, "G");
    answer(&mut model, &effects, Ok(found(-5_001..=-5_000, None)));

    assert_eq!(model.webhooks.hunt.reach, Reach::Full);
    assert_eq!(press(&mut model, "G j"), vec![]);
}

#[test]
fn a_log_that_let_go_of_its_oldest_lines_does_not_begin_here() {
    let mut model = webhooks();
    attaches_again(&mut model, (1..=5_000).rev());
    model.webhooks.older = Older::None { let_go: None };

    arrives(&mut model, 5_001);

    assert_eq!(model.webhooks.older, Older::Perhaps);
    assert_eq!(press(&mut model, "G j"), vec![], "there is no room for older ones");
}

#[test]
fn from_an_incident_to_its_deliveries_and_back() {
    let mut model = webhooks();
    press(&mut model, "1 g enter");
    let incident = model.incidents.opened.as_ref().expect("open").key.clone();

    let effects = press(&mut model, "w");
    assert_eq!((model.view, asked(&effects)), (View::Webhooks, vec![(format!("incident:{incident}"), None)]));
    assert_eq!(shown(&model), [6, 4, 2]);
    press(&mut model, "enter esc esc");
    assert_eq!(model.view, View::Incidents);
    assert_eq!(model.incidents.opened.as_ref().map(|opened| &opened.key), Some(&incident), "as it was left");
    press(&mut model, "3");
    assert_eq!(shown(&model).len(), 6, "the query is gone with it");
}

fn reads(model: &mut Model, keys: &str, body: &str) {
    let effects = press(model, keys);
    answer(model, &effects, Ok(Answer::Delivery { delivery: view(6, body) }));
}

#[test]
fn an_opened_delivery_turns_its_sides_and_starts_each_at_its_top() {
    let mut model = webhooks();
    reads(&mut model, "enter", &"line\n".repeat(100));
    press(&mut model, "G r");

    let opened = model.webhooks.open.as_ref().expect("open");
    assert_eq!((opened.side, opened.scroll, opened.in_hex()), (Side::Raw, 0, false));
    press(&mut model, "x");
    assert!(model.webhooks.open.as_ref().expect("open").in_hex());
    press(&mut model, "h t p");
    assert_eq!(model.webhooks.open.as_ref().expect("open").side, Side::Pretty);
}

#[test]
fn bytes_that_are_no_text_are_shown_one_by_one_unless_wished_otherwise() {
    let mut model = webhooks();
    let effects = press(&mut model, "r");
    let mut binary = view(6, "");
    binary.raw = Bytes(vec![0xff, 0, 0x1b]);
    answer(&mut model, &effects, Ok(Answer::Delivery { delivery: binary }));
    assert!(model.webhooks.open.as_ref().expect("open").in_hex());

    press(&mut model, "x");
    assert!(!model.webhooks.open.as_ref().expect("open").in_hex());
}

#[test]
fn a_replay_asks_first_runs_once_and_says_what_it_changed() {
    let mut model = webhooks();
    assert_eq!(press(&mut model, "R esc"), vec![]);
    let effects = press(&mut model, "R enter enter");
    assert_eq!(requests(&effects)[0].1, Request::Replay { id: DeliveryId(6) });
    assert_eq!(requests(&effects).iter().filter(|(_, r)| matches!(r, Request::Replay { .. })).count(), 1);

    let (id, _) = requests(&effects)[0].clone();
    let changed = Shown::line("nothing: this was known already");
    update(&mut model, Event::Answered { id, answer: Ok(Answer::Replayed { id: DeliveryId(6), changed }) });
    let said = model.notice.as_ref().expect("notice").text.to_string();
    assert_eq!(said, "delivery 6 applied again: nothing: this was known already");
}

#[test]
fn what_was_rejected_or_may_not_be_done_is_not_replayed() {
    let mut model = webhooks();
    assert_eq!(press(&mut model, "j j R"), vec![]);
    assert!(model.prompt.is_none());

    let mut model = webhooks();
    model.access = crate::proto::Access::Watch { reason: "not yours".into() };
    press(&mut model, "R");
    assert!(model.prompt.is_none());
    assert!(model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("not yours")));
}

#[test]
fn the_curl_command_is_copied_as_soon_as_the_delivery_is_read() {
    let mut model = webhooks();
    let effects = press(&mut model, "c");
    let copied = answer(&mut model, &effects, Ok(Answer::Delivery { delivery: view(6, "{}") }));
    assert!(matches!(copied.as_slice(), [Effect::Copy(text)] if text.contains("curl")), "no size, all is there");

    let mut cut = view(6, "{}");
    cut.summary.size = 99;
    let mut model = webhooks();
    let effects = press(&mut model, "c");
    assert_eq!(answer(&mut model, &effects, Ok(Answer::Delivery { delivery: cut })), vec![]);
    assert!(model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("only 2 of its 99 bytes")));
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
    assert_eq!(requests(&effects)[1].1, Request::Delivery { id: DeliveryId(5) });

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

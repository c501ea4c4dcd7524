//! The webhooks view, as a person sees it.

use crate::{
    app::{Event, Model, update},
    core::{
        board::{Board, Change},
        delivery::{Bytes, DeliveryView, Direction, Proof, Scheme, Timings, Verdict},
        freshness::Door,
        id::IncidentKey,
        text::ShownBody,
    },
    proto::Answer,
    ui::{
        fixtures::{
            account_name, answer, attached, board, board_of_two, change, delivery, key, now, press, shown, type_text,
            zone,
        },
        snapshot::screen,
    },
};

/// Snapshots what `steps` make of the webhooks view of `board`, at both sizes.
fn both(name: &str, board: &Board, steps: impl Fn(&mut Model)) {
    for (width, height) in [(80, 24), (40, 12)] {
        let mut model = attached(board.clone(), width, height);
        press(&mut model, "3");
        steps(&mut model);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&model, width, height));
    }
}

fn keys(name: &str, board: &Board, keys: &str) {
    both(name, board, |model| drop(press(model, keys)));
}

fn empty(door: Door) -> Board {
    let mut board = board();
    board.deliveries.clear();
    board.door = door;
    board
}

fn address() -> String {
    "127.0.0.1:8484".into()
}

fn busy() -> Board {
    let mut board = board();
    board.deliveries = (7..90).rev().map(|id| delivery(id, 95 - id, Verdict::Accepted, "incident.annotated")).collect();
    board
}

fn view(verdict: Verdict, body: &str, body_is_json: bool) -> DeliveryView {
    let long =
        "t=1749521845,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,v1=6ffbb59b2300aae63f27240";
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "PagerDuty-Webhook/V3.0"),
        ("x-pagerduty-signature", long),
    ];
    DeliveryView {
        summary: delivery(6, 5, verdict, "incident.triggered"),
        peer: shown("203.0.113.7:50112"),
        headers: headers.map(|(name, value)| (shown(name), shown(value))).to_vec(),
        body: ShownBody::new(body),
        raw: Bytes(body.as_bytes().to_vec()),
        response: None,
        format: None,
        timings: Timings { read_us: 400, check_us: 60, commit_us: Some(1300) },
        body_is_json,
    }
}

fn opened(name: &str, view: &DeliveryView, then: &str) {
    both(name, &board(), |model| {
        let effects = press(model, "j enter");
        answer(model, &effects, Ok(Answer::Delivery { delivery: Box::new(view.clone()) }));
        press(model, then);
    });
}

const BODY: &str = r#"{
  "event": {
    "id": "01EVENT0006",
    "event_type": "incident.triggered",
    "occurred_at": "2025-06-10T02:17:24.871Z",
    "data": {
      "title": "Disk 97 % full on db-3 and a title that goes on and on and on until it does not fit on a line any more"
    }
  }
}"#;

#[test]
fn the_log() {
    keys("log", &board(), "");
    keys("log_selected", &board(), "j j");
}

#[test]
fn the_log_on_wider_screens() {
    let mut board = board();
    let mut out = delivery(7, 90_000, Verdict::Accepted, "incident.status_update_published");
    out.direction = Direction::Outgoing;
    out.subject = Some(shown("夜間バッチ failed on batch-2"));
    out.latency_us = Some(1_234_567);
    board.deliveries.push_front(out);
    for width in [64, 120, 160] {
        let mut model = attached(board.clone(), width, 14);
        press(&mut model, "3");
        insta::assert_snapshot!(format!("log_{width}x14"), screen(&model, width, 14));
    }
}

#[test]
fn the_log_of_two_accounts_says_of_each_line_whose_it_is() {
    let mut board = Board { deliveries: board().deliveries, ..board_of_two() };
    let mut foreign = delivery(7, 2, Verdict::Accepted, "incident.acknowledged");
    foreign.account = Some("eu".parse().expect("name"));
    foreign.incident = Some(IncidentKey { account: "eu".parse().expect("name"), ..key("Q9EU00") });
    board.deliveries.push_front(foreign);
    keys("log_of_two", &board, "");
    let mut model = attached(board, 100, 14);
    press(&mut model, "3");
    insta::assert_snapshot!("log_of_two_100x14", screen(&model, 100, 14));
}

#[test]
fn news_above_a_scrolled_log() {
    both("log_new_above", &busy(), |model| {
        press(model, "G");
        for id in 90..93 {
            change(model, Change::Delivery(Box::new(delivery(id, 1, Verdict::Rejected, ""))));
        }
    });
}

#[test]
fn the_row_at_hand_is_seen_whole_when_more_lies_above_it() {
    both("log_stepped_up", &busy(), |model| {
        press(model, &format!("G {}", "k ".repeat(20)));
        let (width, height) = model.size;
        let screen = screen(model, width, height);
        let row = screen.lines().find(|line| line.starts_with('▸')).expect("a row at hand");
        assert!(row.ends_with(if width < 80 { "annota…" } else { "1.8" }) && screen.contains('▲'), "{screen}");
    });
}

#[test]
fn the_end_of_the_log() {
    both("log_older_failed", &board(), |model| {
        let effects = press(model, "G");
        answer(model, &effects, Err("the store is busy".into()));
    });
    both("log_begins", &board(), |model| {
        let effects = press(model, "G");
        answer(model, &effects, Ok(Answer::Deliveries { deliveries: vec![], let_go: None }));
    });
    both("log_begins_later", &board(), |model| {
        let effects = press(model, "G");
        let let_go = Some("41 older let go: too old".into());
        answer(model, &effects, Ok(Answer::Deliveries { deliveries: vec![], let_go }));
    });
}

#[test]
fn a_filter_that_finds_and_one_that_does_not() {
    both("log_filter", &board(), |model| {
        press(model, "/");
        type_text(model, "dupl trigg");
    });
    both("log_filter_none", &board(), |model| {
        press(model, "/");
        type_text(model, "nothing has this");
        press(model, "enter");
    });
}

#[test]
fn an_empty_log_says_where_to_point_webhooks_or_why_none_can_come() {
    keys("log_empty", &empty(Door::Open { address: address() }), "");
    keys("log_closed", &empty(Door::Closed), "");
    keys("log_taken", &empty(Door::Taken { address: address(), by: shown("dogwatch of bob (pid 4711)") }), "");
    let cause = shown("Permission denied (os error 13)");
    keys("log_refused", &empty(Door::Refused { address: "127.0.0.1:443".into(), cause }), "");
    keys("log_failing", &empty(Door::Failing { address: address(), cause: shown("the disk is full") }), "");
    let mut off = empty(Door::Open { address: address() });
    off.accounts.get_mut(&account_name()).expect("account").account.push.off =
        Some(shown("[account.webhook] has no secret"));
    keys("log_push_off", &off, "");
}

#[test]
fn a_log_whose_door_fails_says_so_above() {
    let mut board = board();
    board.door = Door::Failing { address: address(), cause: shown("the disk is full") };
    keys("log_door_failing", &board, "");
}

#[test]
fn a_log_that_lacks_what_was_taken_says_so_above() {
    let mut board = board();
    board.unshown = 1_204;
    keys("log_unshown", &board, "");
}

#[test]
fn the_zone_is_never_cut() {
    let mut board = board();
    board.door = Door::Failing { address: address(), cause: shown("the disk is full") };
    for (name, letters) in [("Etc/UTC", "UTC"), ("America/Argentina/Buenos_Aires", "-03")] {
        for width in 40..120 {
            let mut model = attached(board.clone(), width, 24);
            model.zone = jiff::tz::TimeZone::get(name).expect("zone");
            let effects = press(&mut model, "3 G");
            answer(&mut model, &effects, Err("the store is busy".into()));

            let text = screen(&model, width, 24);
            let title = text.lines().nth(2).expect("a title");
            let told = [name, letters].iter().any(|zone| title.ends_with(zone));
            assert!(told, "{width}: {title}");
        }
    }
}

#[test]
fn before_the_first_answer() {
    let mut model = Model::new(now(), zone(), (80, 24));
    press(&mut model, "3");
    insta::assert_snapshot!("log_connecting_80x24", screen(&model, 80, 24));
}

#[test]
fn a_delivery_opened() {
    opened("delivery", &view(Verdict::Accepted, BODY, true), "");
    opened("delivery_end", &view(Verdict::Accepted, BODY, true), "G");
}

#[test]
fn the_sides_of_a_delivery() {
    let mut told = view(Verdict::Accepted, BODY, true);
    told.summary.changed = Some(shown("triggered -> acknowledged, title \"Disk 97 % full on db-3\""));
    let raw = "{\"title\":\"a\u{1b}[2J\u{202e}b\"}";
    told.raw = Bytes(raw.as_bytes().to_vec());
    told.summary.size = told.raw.0.len() as u64;
    opened("delivery_raw", &told, "r");
    opened("delivery_hex", &told, "x");
    opened("delivery_headers", &told, "h");
    opened("delivery_timing", &told, "t");
    let mut altered = view(Verdict::Duplicate, BODY, true);
    altered.summary.altered = true;
    altered.timings.commit_us = None;
    altered.raw.0.truncate(40);
    opened("delivery_altered_timing", &altered, "t");
    opened("delivery_altered_raw", &altered, "r");
}

#[test]
fn a_replay_is_asked_about() {
    keys("replay", &board(), "R");
}

#[test]
fn a_query_that_cannot_be_understood() {
    for (name, query) in [("wrong_field", "rejected verdct:x"), ("wrong_value", "scheme:hmca")] {
        both(&format!("log_{name}"), &board(), |model| {
            press(model, "/");
            type_text(model, query);
        });
    }
}

#[test]
fn how_far_was_searched() {
    let search = |model: &mut Model| {
        press(model, "/");
        type_text(model, "verdict:rejected");
        press(model, "enter")
    };
    let found = |next: Option<i64>| {
        let deliveries = vec![delivery(-7, 90_000, Verdict::Rejected, "")];
        Ok(Answer::Found { deliveries, next: next.map(crate::core::id::DeliveryId), let_go: None })
    };
    both("log_searching", &board(), |model| drop(search(model)));
    both("log_searched_part", &board(), |model| {
        let effects = search(model);
        answer(model, &effects, found(Some(-40)));
    });
    both("log_searched_whole", &board(), |model| {
        let effects = search(model);
        answer(model, &effects, found(None));
    });
    both("log_searched_what_is_kept", &board(), |model| {
        let effects = search(model);
        let Ok(Answer::Found { deliveries, next, .. }) = found(None) else { unreachable!("as it was made") };
        let let_go = Some("100 rejected ones before are not kept any more".into());
        answer(model, &effects, Ok(Answer::Found { deliveries, next, let_go }));
    });
    both("log_search_failed", &board(), |model| {
        let effects = search(model);
        answer(model, &effects, Err("the store is busy".into()));
    });
}

#[test]
fn what_came_in_and_was_not_searched_is_not_part_of_the_whole() {
    both("log_news_not_searched", &board(), |model| {
        press(model, "/");
        type_text(model, "from:203.0.113.7");
        let effects = press(model, "enter");
        let deliveries = vec![delivery(5, 190, Verdict::Rejected, "")];
        answer(model, &effects, Ok(Answer::Found { deliveries, next: None, let_go: None }));
        change(model, Change::Delivery(Box::new(delivery(7, 1, Verdict::Accepted, "incident.triggered"))));
        let effects = update(model, Event::Ticked(now() + jiff::SignedDuration::from_secs(3)));
        answer(model, &effects, Err("the store is busy".into()));
    });
}

#[test]
fn more_than_is_kept() {
    let mut long = board();
    long.deliveries = (1..=5_001).rev().map(|id| delivery(id, 5, Verdict::Accepted, "incident.annotated")).collect();
    keys("log_full", &long, "G");
    both("log_searched_full", &board(), |model| {
        press(model, "/");
        type_text(model, "verdict:rejected");
        let effects = press(model, "enter");
        let deliveries = (-5_000..=0).map(|id| delivery(id, 90_000, Verdict::Rejected, "")).collect();
        answer(model, &effects, Ok(Answer::Found { deliveries, next: None, let_go: None }));
    });
}

#[test]
fn what_was_refused_or_not_understood_is_shown_as_it_is() {
    let mut rejected = view(Verdict::Rejected, "POST me\u{1b}[2J\u{202e}!", false);
    rejected.summary.account = None;
    rejected.summary.event_type = None;
    rejected.summary.incident = None;
    rejected.summary.subject = None;
    rejected.headers.clear();
    opened("delivery_rejected", &rejected, "");
    let mut undecodable = view(Verdict::Undecodable, "", false);
    undecodable.summary.event_type = None;
    opened("delivery_undecodable", &undecodable, "");
}

#[test]
fn a_delivery_being_read_or_not_readable() {
    keys("delivery_asked", &board(), "j enter");
    both("delivery_failed", &board(), |model| {
        let effects = press(model, "j enter");
        answer(model, &effects, Err("this delivery was dropped from the ring of rejected ones".into()));
    });
    both("delivery_link_lost", &board(), |model| {
        press(model, "j enter");
        update(model, Event::Detached { reason: "the server went away".into() });
    });
}

#[test]
fn without_colour_every_verdict_is_a_word_and_a_mark() {
    let mut model = attached(board(), 80, 24);
    model.colour = false;
    press(&mut model, "3 j");
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn a_body_of_one_endless_line_is_drawn_at_once() {
    let mut model = attached(board(), 80, 24);
    let effects = press(&mut model, "3 j enter");
    let view = view(Verdict::Undecodable, &"é".repeat(200_000), false);
    answer(&mut model, &effects, Ok(Answer::Delivery { delivery: Box::new(view) }));
    press(&mut model, "G");

    assert!(screen(&model, 80, 24).contains("éééé"));
}

#[test]
fn what_nobody_signed_and_what_was_altered_have_a_word_before_the_subject() {
    let mut board = board();
    let mut unsigned = delivery(9, 2, Verdict::Accepted, "incident.triggered");
    unsigned.proof = unsigned.proof.map(|proof| Proof { scheme: Scheme::Basic, ..proof });
    let mut altered = delivery(8, 3, Verdict::Duplicate, "incident.triggered");
    altered.altered = true;
    board.deliveries = [unsigned, altered].into_iter().chain(board.deliveries).collect();
    keys("caution", &board, "");
}

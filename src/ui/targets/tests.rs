//! The targets view, as a person sees it.

use crate::{
    app::{Model, handoff::tests::handed},
    core::{
        board::Board,
        delivery::{Bytes, DeliveryView, Format, Timings, Verdict},
        text::ShownBody,
    },
    proto::{Access, Answer},
    ui::{
        fixtures::{answer, attached, board, board_with_targets, delivery, press, shown, type_text},
        snapshot::screen,
    },
};

/// Snapshots what `steps` make of the targets view of `board`, at both sizes.
fn both(name: &str, board: &Board, steps: impl Fn(&mut Model)) {
    for (width, height) in [(80, 24), (40, 12)] {
        let mut model = attached(board.clone(), width, height);
        press(&mut model, "6");
        steps(&mut model);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), screen(&model, width, height));
    }
}

#[test]
fn each_target_has_a_row_and_the_disabled_one_is_loud() {
    both("targets", &board_with_targets(), |model| drop(press(model, "j")));
}

#[test]
fn on_a_wide_screen_template_and_filter_are_named() {
    let mut model = attached(board_with_targets(), 160, 40);
    press(&mut model, "6");
    insta::assert_snapshot!(screen(&model, 160, 40));
}

#[test]
fn an_opened_target_tells_its_settings_and_its_attempts() {
    both("opened", &board_with_targets(), |model| drop(press(model, "j enter")));
}

#[test]
fn no_target_says_how_one_is_made() {
    both("none", &board(), |_| {});
    both("none_watching", &board(), |model| {
        model.access = Access::Watch { reason: "mallory is no [[person]]".into() };
    });
}

#[test]
fn a_form_shows_what_is_typed_but_no_secret() {
    both("form", &board_with_targets(), |model| {
        press(model, "n");
        type_text(model, "ops");
        press(model, "tab");
        type_text(model, "https://hooks.example.com/T0/hunter2");
    });
    both("form_wrong", &board_with_targets(), |model| {
        press(model, "n");
        press(model, "tab tab tab tab tab tab tab tab tab tab tab");
        type_text(model, "urgency:loud");
    });
    both("form_changed", &board_with_targets(), |model| drop(press(model, "j e")));
}

#[test]
fn a_test_chooses_what_to_send() {
    both("trial", &board_with_targets(), |model| drop(press(model, "j t down")));
}

#[test]
fn what_others_notice_is_asked_first() {
    both("remove", &board_with_targets(), |model| drop(press(model, "j D")));
    both("off", &board_with_targets(), |model| drop(press(model, "j x")));
}

fn attempt() -> Box<DeliveryView> {
    let body = "{\"text\":\"Disk 97 % full\"}";
    let mut summary = delivery(8, 3, Verdict::Failed, "incident.created");
    (summary.status, summary.reason) = (503, shown("503 Service Unavailable"));
    Box::new(DeliveryView {
        summary,
        peer: shown(""),
        headers: vec![
            (shown("content-type"), shown("application/json")),
            (shown("authorization"), shown("•••")),
            (shown("webhook-id"), shown("ev_1")),
        ],
        body: ShownBody::new("{\n  \"text\": \"Disk 97 % full\"\n}"),
        body_is_json: true,
        raw: Bytes(body.as_bytes().to_vec()),
        timings: Timings::default(),
        response: Some(ShownBody::new("\u{1b}[2Jno such\u{7} channel\r\n\u{202e}evil")),
        format: Some(Format::Custom),
    })
}

#[test]
fn the_log_has_what_went_out_beside_what_came_in() {
    both("log", &board_with_targets(), |model| drop(press(model, "3")));
    both("log_opened", &board_with_targets(), |model| {
        let effects = press(model, "3 j enter");
        answer(model, &effects, Ok(Answer::Delivery { delivery: attempt() }));
        press(model, "G");
    });
}

#[test]
fn a_body_that_no_template_made_is_called_the_default_one() {
    let mut model = attached(board_with_targets(), 80, 40);
    let effects = press(&mut model, "3 j enter");
    let delivery = Box::new(DeliveryView { format: Some(Format::Default), ..*attempt() });
    answer(&mut model, &effects, Ok(Answer::Delivery { delivery }));

    assert!(screen(&model, 80, 40).contains("Default body (JSON"));
}

#[test]
fn t35_an_attempt_tells_when_where_what_about_which_incident_and_what_came_of_it() {
    let mut model = attached(board_with_targets(), 80, 40);
    press(&mut model, "3");
    let list = screen(&model, 80, 40);
    assert!(list.contains("04:17:27 → ! failed      created            #1201    chat: no answer"), "{list}");
    let effects = press(&mut model, "j enter");
    answer(&mut model, &effects, Ok(Answer::Delivery { delivery: attempt() }));

    let opened = screen(&model, 80, 40);

    for part in [
        "verdict      ! failed",
        "reason       503 Service Unavailable",
        "time         2025-06-10 04:17:27.000 CEST",
        "direction    → outgoing, to target chat",
        "answer       503 after 1.8 ms",
        "event type   incident.created",
        "incident     #1201 (prod/Q1DISK)",
        "Rendered body (JSON",
        "\"text\": \"Disk 97 % full\"",
        "no such",
    ] {
        assert!(opened.contains(part), "{part}: {opened}");
    }
}

#[test]
fn t36_control_and_escape_bytes_of_a_response_never_reach_the_terminal() {
    let mut model = attached(board_with_targets(), 80, 40);
    let effects = press(&mut model, "3 j enter");
    answer(&mut model, &effects, Ok(Answer::Delivery { delivery: attempt() }));

    let drawn = screen(&model, 80, 40);

    assert!(drawn.contains("no such"), "{drawn}");
    let hostile =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!drawn.contains(hostile), "{drawn:?}");
}

#[test]
fn a_hand_off_can_go_to_a_target() {
    both("handoff_to", &board_with_targets(), |model| {
        let effects = press(model, "H");
        answer(model, &effects, Ok(handed(Ok("Two are open."))));
        press(model, "o j");
    });
}

#[test]
fn no_size_breaks_it() {
    for (width, height) in [(1, 1), (40, 12), (41, 13), (63, 12), (64, 13), (110, 12), (500, 200)] {
        for keys in ["", "j", "j enter", "n", "j e", "j t", "j D", "3 j enter"] {
            let mut model = attached(board_with_targets(), width, height);
            press(&mut model, "6");
            press(&mut model, keys);
            screen(&model, width, height);
        }
    }
}

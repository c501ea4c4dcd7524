//! The templates that ship with dogwatch: what each makes of every kind of event, and that nothing breaks it.

use std::fmt::Write as _;

use jiff::{SignedDuration, tz::TimeZone};
use serde_json::{Value, json};

use super::super::{library::BUILT_IN, render::check_json, *};
use crate::{
    app::fixtures::{self, account_name, alice, board, key, now},
    core::{
        board::Board,
        forward::{Event, EventType, payload::Told},
        handoff::{At, gather},
        incident::Status,
        oncall::Person,
    },
    provider::pagerduty::Webhooks,
};

/// Those that make text for people, not JSON for a target.
const TEXTS: [&str; 4] = ["digest", "email", "handoff", "plain"];

/// Each event with the incident that it happened to.
const EVENTS: [(&str, &str); 8] = [
    (EventType::CREATED, "Q1DISK"),
    (EventType::ACKNOWLEDGED, "Q4QUEU"),
    (EventType::REJECTED, "Q2LATE"),
    (EventType::TIMEOUT, "Q2LATE"),
    (EventType::RESOLVED, "Q6LOGN"),
    (EventType::DROPPED, "Q7OLD0"),
    (EventType::HANDOFF, "Q5BACK"),
    ("incident.annotated", "Q1DISK"),
];

fn known() -> Board {
    let mut board = board();
    let account = board.accounts.get_mut(&account_name()).expect("account");
    account.people = vec![Person { user: alice(), email: Some("alice@example.com".into()) }];
    board
}

fn event(kind: &str, id: &str) -> Event {
    let board = known();
    let incident = &board.incidents[&key(id)];
    let kind = EventType::new(kind).expect("name");
    Event::new(Told { id: "01EVENT0007".to_owned(), kind, at: incident.stamp.at, delivery: None }, incident, &board)
}

/// What the template sees: the event with its delivery, and the facts of a hand-off.
fn seen(kind: &str, id: &str) -> Value {
    let raw = match kind {
        "incident.annotated" => json!({"event": {"data": {"content": "Rebooted it.\nStill \"slow\"."}}}),
        _ => Value::Null,
    };
    let mut context = event(kind, id).context(&raw);
    let zone = fixtures::zone();
    let at = At { from: now() - SignedDuration::from_hours(12), now: now(), zone: &zone };
    let facts = gather(&known(), &std::collections::BTreeMap::new(), vec![], at);
    let facts = serde_json::to_value(facts).expect("facts");
    context.as_object_mut().expect("object").extend(facts.as_object().cloned().expect("object"));
    context
}

fn made(name: &str, text: &str, context: &Value) -> String {
    render_within(&Job::new(text, context), &Limits::default(), &TimeZone::UTC)
        .unwrap_or_else(|fault| panic!("{name}: {fault:?}"))
        .output
}

#[test]
fn every_built_in_template_makes_of_every_event_what_is_on_file() {
    for (name, text) in BUILT_IN {
        let mut page = String::new();
        // Those of hand-offs do not look at the event.
        let events = if ["digest", "handoff"].contains(name) { &EVENTS[..1] } else { &EVENTS[..] };
        for (kind, id) in events {
            let output = made(name, text, &seen(kind, id));
            let _ = writeln!(page, "=== {kind}\n{output}");
        }
        insta::assert_snapshot!(format!("built_in_{name}"), page);
    }
}

/// Titles that break templates, JSON, and what reads it.
fn nasty() -> Vec<String> {
    let long = "\u{1f692} \"é\" ".repeat(500);
    let mut titles = vec![long];
    let short = [
        "a \"quoted\" 'title'",
        "C:\\new\\t",
        "two\nlines\r\n\tand a tab",
        "<!channel> & @everyone",
        "",
        "\u{202e}\u{0}\u{1b}[2J",
        "{{incident.id}} }}}",
        "\u{1f469}\u{200d}\u{1f469} e\u{301}",
    ];
    titles.extend(short.map(str::to_owned));
    titles
}

/// The text at each of these pointers has so many UTF-16 units at most.
const LENGTHS: &[(&str, &str, usize)] = &[
    ("slack", "/blocks/0/text/text", 150),
    ("slack", "/text", 40_000),
    ("slack", "/blocks/2/text/text", 3000),
    ("teams", "/attachments/0/content/body/0/inlines/0/text", 1000),
    ("discord", "/embeds/0/title", 256),
    ("discord", "/embeds/0/description", 4096),
    ("mattermost", "/attachments/0/text", 4000),
    ("google-chat", "/cardsV2/0/card/header/title", 500),
    ("jira", "/fields/summary", 255),
    ("servicenow", "/short_description", 160),
    ("zendesk", "/ticket/subject", 150),
    ("pagerduty-events", "/payload/summary", 1024),
    ("pagerduty-events", "/dedup_key", 255),
];

#[test]
fn every_built_in_template_makes_json_of_any_title_and_keeps_to_the_lengths_its_reader_takes() {
    for ((kind, id), title) in EVENTS.iter().flat_map(|event| nasty().into_iter().map(move |title| (event, title))) {
        let mut context = seen(kind, id);
        for name in ["incident", "alert"] {
            context[name]["title"] = json!(title);
            context[name]["service"] = json!(title);
            context[name]["assignees"] = json!([{"id": "P1", "name": title}, {"id": "P2", "name": "B"}]);
        }
        context["raw"] = json!({"event": {"data": {"content": title}}});
        for (name, text) in BUILT_IN.iter().filter(|(name, _)| !TEXTS.contains(name)) {
            let output = made(name, text, &context);
            assert_eq!(check_json(&output), Ok(()), "{name}, {title:?}: {output}");
            assert!(output.len() < 28 * 1024, "{name} has {} bytes: Teams takes 28 KiB", output.len());
            let json: Value = serde_json::from_str(&output).expect("JSON");
            for (_, pointer, most) in LENGTHS.iter().filter(|(of, ..)| of == name) {
                let length =
                    json.pointer(pointer).and_then(Value::as_str).map_or(0, |text| text.encode_utf16().count());
                assert!(length <= *most, "{name} {pointer}: {length}");
            }
        }
    }
}

#[test]
fn nobody_is_mentioned_by_a_title() {
    let mut context = seen(EventType::CREATED, "Q1DISK");
    context["incident"]["title"] = json!("<!channel> <@U1>");

    let slack = made("slack", BUILT_IN.iter().find(|(name, _)| *name == "slack").expect("there").1, &context);

    let json: Value = serde_json::from_str(&slack).expect("JSON");
    assert_eq!(json["text"], "[created] &lt;!channel&gt; &lt;@U1&gt;");
}

const REAL: &[&str] = &[
    include_str!("../../../tests/fixtures/pagerduty/webhook_real.acknowledged.json"),
    include_str!("../../../tests/fixtures/pagerduty/webhook_real.annotated.json"),
    include_str!("../../../tests/fixtures/pagerduty/webhook_real.ping.json"),
    include_str!("../../../tests/fixtures/pagerduty/webhook_real.resolved.json"),
    include_str!("../../../tests/fixtures/pagerduty/webhook_real.triggered.json"),
    SAMPLE_BODY,
    "{}",
    "not JSON",
];

fn on(body: &str) -> Value {
    let account = account_name();
    context(&Delivered { account: &account, id: None, body: body.as_bytes() }, &Webhooks, &Board::default())
}

#[test]
fn the_built_in_templates_render_every_kind_of_delivery() {
    for body in REAL {
        let context = on(body);
        for (name, text) in BUILT_IN {
            let output = made(name, text, &context);
            assert!(!output.trim().is_empty(), "{name}");
            if !TEXTS.contains(name) {
                assert_eq!(check_json(&output), Ok(()), "{name}: {output}");
            }
        }
    }
}

#[test]
fn a_template_sees_what_the_delivery_says() {
    let account = account_name();
    let sample = sample_context(&account, &Webhooks, &Board::default());
    assert_eq!((&sample["event"]["type"], &sample["event"]["account"]), (&json!("incident.created"), &json!("prod")));
    assert_eq!((&sample["incident"]["number"], &sample["incident"]["service"]), (&json!(4217), &json!("Checkout")));
    assert_eq!(sample["incident"]["d_user"]["name"], "Alice Example");
    assert_eq!(sample["raw"]["event"]["event_type"], "incident.triggered");

    let over = on(REAL[3]);
    assert_eq!(over["incident"]["status"], "resolved");
    assert!(over["incident"]["resolved"].is_i64());

    let ping = on(REAL[2]);
    assert_eq!((&ping["incident"], &ping["event"]["type"]), (&Value::Null, &json!("pagey.ping")));
    assert_eq!(on("not JSON")["raw"], "not JSON");
}

#[test]
fn a_note_on_an_incident_that_is_known_shows_the_incident() {
    let mut board = Board::default();
    let account = account_name();
    let annotated: Value = serde_json::from_str(REAL[1]).expect("JSON");
    let id = annotated["event"]["data"]["incident"]["id"].as_str().expect("id");
    let mut incident = fixtures::incident(id, 7, Status::Triggered, "Test", 60);
    incident.key.account = account.clone();
    board.incidents.insert(incident.key.clone(), incident);

    let seen = context(&Delivered { account: &account, id: None, body: REAL[1].as_bytes() }, &Webhooks, &board);

    assert_eq!((&seen["incident"]["title"], &seen["event"]["type"]), (&json!("Test"), &json!("incident.annotated")));
}

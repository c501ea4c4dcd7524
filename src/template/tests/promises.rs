//! What is promised of the templates of targets, by the numbers of the promises.

use std::fs;

use serde_json::{Map, Value, json};

use super::super::{render::check_json, *};
use crate::{
    app::fixtures::{board, key, now},
    core::{
        forward::{Event, EventType, payload::Told},
        template::Fault,
    },
};

const VECTORS: &str = include_str!("../../../tests/fixtures/pagertree/template_vectors.json");
const PLAIN: &str = include_str!("../../../tests/fixtures/pagertree/incident_resolved.json");
const LINKED: &str = include_str!("../../../tests/fixtures/pagertree/incident_resolved_linked.json");

/// The context of a vector: a payload, with other values for some of its fields.
fn context_of(vector: &Value) -> Value {
    let name = vector["context"].as_str().expect("context");
    let payload: Value = serde_json::from_str(if name == "plain" { PLAIN } else { LINKED }).expect("payload");
    let kind = name.split_once("event ").map_or_else(|| payload["type"].clone(), |(_, kind)| json!(kind));
    let mut incident = payload["data"].as_object().cloned().expect("incident");
    incident.extend(vector["overrides"].as_object().cloned().unwrap_or_else(Map::new));
    json!({ "event": { "type": kind }, "incident": incident })
}

/// Renders all vectors whose names `wanted` takes; says how many they were.
fn vectors(wanted: impl Fn(&str) -> bool) -> usize {
    let all: Value = serde_json::from_str(VECTORS).expect("vectors");
    let mut count = 0;
    for vector in all["cases"].as_array().expect("cases") {
        let (name, text) = (vector["name"].as_str().expect("name"), vector["template"].as_str().expect("template"));
        if !wanted(name) {
            continue;
        }
        count += 1;
        match (vector["output"].as_str(), render_here(text, &context_of(vector))) {
            (Some(output), Ok(made)) => {
                assert_eq!(made, output, "{name}");
                assert_eq!(check_json(&made).is_ok(), vector["valid_json"] == true, "{name}");
            }
            (None, Err(_)) => {}
            (wanted, got) => panic!("{name}: wanted {wanted:?}, got {got:?}"),
        }
    }
    count
}

fn seen() -> Value {
    let board = board();
    let told = Told {
        id: "01EVENT0007".to_owned(),
        kind: EventType::new(EventType::CREATED).expect("name"),
        at: now(),
        delivery: None,
    };
    Event::new(told, &board.incidents[&key("Q1DISK")], &board).context(&Value::Null)
}

fn place(fault: &Fault) -> (u32, u32) {
    (fault.line, fault.column)
}

#[test]
fn t15_the_templates_of_pagertrees_documentation_render_as_there() {
    assert_eq!(vectors(|name| name.starts_with("pagertree_")), 3);
    assert_eq!(vectors(|_| true), 77);
}

#[test]
fn t16_two_braces_escape_and_three_do_not() {
    let mut context = seen();
    context["incident"]["title"] = json!("<b> & 'x' \"y\" `z` =");

    let made = render_here("{{incident.title}}|{{{incident.title}}}", &context).expect("rendered");

    assert_eq!(made, "&lt;b&gt; &amp; &#x27;x&#x27; &quot;y&quot; &#x60;z&#x60; &#x3D;|<b> & 'x' \"y\" `z` =");
}

#[test]
fn t17_what_is_missing_prints_nothing() {
    let text = "[{{nothing}}{{incident.nothing.at.all}}{{incident.d_team.name}}{{raw.event.id}}]";

    assert_eq!(render_here(text, &seen()).as_deref(), Ok("[]"));
}

#[test]
fn t18_output_that_is_no_json_says_where_it_stops_to_be() {
    let made = render_here("{\n  \"title\": {{incident.title}}\n}", &seen()).expect("rendered");

    assert_eq!(check_json(&made).map_err(|fault| place(&fault)), Err((2, 12)));
}

#[test]
fn t19_a_helper_that_there_is_none_of_and_a_broken_template_say_where() {
    let fault = |text: &str| place(&render_here(text, &seen()).expect_err("a fault"));

    assert_eq!(fault("a\n {{nope incident.id}}"), (2, 2));
    assert_eq!(fault("a\n {{#if incident.id}}"), (2, 2));
}

#[test]
fn t22_what_is_sent_is_byte_for_byte_what_the_template_makes() {
    let text = "{ \"a\" : {{{JSONstringify incident.title}}},\n\t\"a\": 1.0 }\n\n";

    let made = render_here(text, &seen()).expect("rendered");

    assert_eq!(made, "{ \"a\" : \"Disk 97 % full on db-3\",\n\t\"a\": 1.0 }\n\n");
}

#[test]
fn t23_any_json_is_json_and_what_is_no_object_is_said() {
    for text in ["[1]", "\"x\"", "3", "null", "{}"] {
        assert_eq!(check_json(text), Ok(()), "{text}");
        assert_eq!(render::is_odd(text), text != "{}", "{text}");
    }
    assert!(!render::is_odd("HAND-OFF"));
}

#[test]
fn t24_what_is_too_large_too_deep_or_recurses_is_an_error() {
    let nested = format!("{}{}", "{{#if 1}}".repeat(101), "{{/if}}".repeat(101));
    for text in ["x".repeat(64 * 1024 + 1), nested, "{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}".to_owned()] {
        assert!(super::result(&text, seen()).is_err());
    }
}

#[test]
fn t25_saving_a_broken_template_is_warned_of_and_the_last_good_one_is_kept() {
    let dir = tempfile::tempdir().expect("dir");
    let library = Library::open(dir.path());
    library.save("mine", "{{event.id}}", None).expect("saved");

    library.save("mine", "{{#if event.id}}", Some("{{event.id}}")).expect("saved");

    assert_eq!(check(&library.read("mine").expect("text")).faults.len(), 1);
    let kept = fs::read_dir(dir.path().join("history")).expect("history").flatten();
    let kept: Vec<_> = kept.map(|entry| fs::read_to_string(entry.path()).expect("text")).collect();
    assert_eq!(kept, ["{{event.id}}"]);
}

//! PagerDuty's webhooks: any body is decoded or refused, and what it says changes a board once, and drives no terminal.

#![no_main]

use dogwatch::{
    core::{
        board::Board,
        delivery::{Decode as _, Decoded},
        id::AccountName,
        text::ShownBody,
    },
    provider::pagerduty::Webhooks,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn is_plain(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.chars().any(char::is_control),
        Value::Array(all) => all.iter().all(is_plain),
        Value::Object(all) => all.iter().all(|(name, value)| !name.chars().any(char::is_control) && is_plain(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn merged(decoded: &Decoded) {
    let Some(seen) = &decoded.observation else { return };
    let mut board = Board::default();
    assert!(board.observe(seen).is_some(), "a new incident is a change");
    assert_eq!(board.observe(seen), None, "the second time it is none");
    assert!(is_plain(&serde_json::to_value(&board).expect("JSON")), "{board:?}");
}

fuzz_target!(|body: &[u8]| {
    let account = AccountName::new("prod").expect("a name");
    let shown = ShownBody::new(&String::from_utf8_lossy(body));
    assert!(!shown.as_str().chars().any(|c| c.is_control() && c != '\n'));
    if let Ok(decoded) = Webhooks.decode(&account, body) {
        assert!(!decoded.event_type.as_str().chars().any(char::is_control));
        merged(&decoded);
    }
});

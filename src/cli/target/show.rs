//! Targets as text.

use serde::Serialize;

use crate::{
    cli::{Exit, Failure, Outcome, client::Client, output},
    core::{
        delivery::DeliverySummary,
        forward::{EventType, Kept, TargetState, TargetSummary},
        id::TargetName,
        text::Shown,
    },
    proto::{Answer, Request},
};

pub(super) const HEADINGS: [&str; 8] =
    ["TARGET", "STATE", "ADDRESS", "TEMPLATE", "EVENTS", "WAITING", "LAST (UTC)", "FOR"];
/// The attempts that are shown.
const ATTEMPTS: u32 = 10;

/// A line of the list.
pub(super) fn row(target: &TargetSummary) -> Vec<String> {
    vec![
        target.name.to_string(),
        word(target).to_owned(),
        target.address.to_string(),
        target.template.clone().unwrap_or_else(|| "-".to_owned()),
        target.events.len().to_string(),
        target.waiting.to_string(),
        target.last.map_or_else(|| "-".to_owned(), |(at, taken)| format!("{at:.0} {}", attempt_word(taken))),
        target.filter.clone().unwrap_or_else(|| "all".to_owned()),
    ]
}

fn attempt_word(taken: bool) -> &'static str {
    if taken { "sent" } else { "failed" }
}

fn word(target: &TargetSummary) -> &'static str {
    match &target.state {
        TargetState::On if target.failing_since.is_some() => "failing",
        TargetState::On => "on",
        TargetState::Off => "off",
        TargetState::Disabled { .. } => "DISABLED",
        TargetState::Broken { .. } => "broken",
    }
}

/// The newest attempts at a target, newest first.
pub(super) async fn attempts(client: &mut Client, name: &TargetName) -> Result<Vec<DeliverySummary>, Failure> {
    let request = Request::SearchDeliveries { query: format!("target:{name}"), before: None, limit: ATTEMPTS };
    match client.ask(request).await? {
        Answer::Found { deliveries, .. } => Ok(deliveries),
        _ => Err(super::another()),
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    target: &'a TargetSummary,
    attempts: &'a [DeliverySummary],
}

pub(super) fn print(target: &TargetSummary, attempts: &[DeliverySummary], json: bool) -> Outcome {
    if json {
        output::json(&Whole { target, attempts })?;
        return Ok(Exit::Done);
    }
    for (name, value) in lines(target) {
        output::line(&format!("{name:<11}{value}"));
    }
    if !attempts.is_empty() {
        output::line("");
    }
    for line in attempts {
        let kind = line.event_type.as_ref().map_or("", Shown::as_str);
        output::line(&format!("{}  {:.0}  {}  {kind}  {}", line.id, line.at, line.verdict.word(), line.reason));
    }
    Ok(Exit::Done)
}

fn lines(target: &TargetSummary) -> Vec<(&'static str, String)> {
    let why = match &target.state {
        TargetState::Disabled { at, reason } => format!(" since {at:.0}: {reason}"),
        TargetState::Broken { reason } => format!(": {reason}"),
        TargetState::On | TargetState::Off => String::new(),
    };
    let events: Vec<&str> = target.events.iter().map(EventType::as_str).collect();
    let headers: Vec<&str> = target.headers.iter().map(Shown::as_str).collect();
    let none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let mut out = vec![
        ("target", target.name.to_string()),
        ("state", format!("{}{why}", word(target))),
        ("address", format!("{}/…", target.address)),
        ("kept", if target.kept == Kept::Config { "in the configuration file" } else { "here" }.to_owned()),
        ("events", none(events.join(", "))),
        ("for", target.filter.clone().unwrap_or_else(|| "all incidents".to_owned())),
        ("template", target.template.clone().unwrap_or_else(|| default_body(target))),
        ("user", none(target.user.as_ref().map(ToString::to_string).unwrap_or_default())),
        ("headers", none(headers.join(", "))),
        ("signed", if target.signed { "yes" } else { "no" }.to_owned()),
        ("retries", target.retries.to_string()),
        ("waiting", target.waiting.to_string()),
    ];
    if let Some(at) = target.failing_since {
        out.push(("failing", format!("every attempt since {at:.0}")));
    }
    if target.allow_link_local {
        out.push(("link-local", "allowed".to_owned()));
    }
    out
}

fn default_body(target: &TargetSummary) -> String {
    let linked = if target.linked { ", with linked data" } else { "" };
    format!("none: {{type, data}}{linked}")
}

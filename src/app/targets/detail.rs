//! One target as text: how it stands, what it is set to, and its latest attempts.

use crate::{
    app::{
        Model,
        page::{Page, Piece, Tone},
        webhooks::detail::{mark, milliseconds},
    },
    core::{
        delivery::DeliverySummary,
        forward::{EventType, Kept, TargetState, TargetSummary},
        text::Shown,
        words::{self, ago, moment, since, zone_name},
    },
};

/// The attempts that are shown.
const ATTEMPTS: usize = 20;

/// How a target stands, in a word, with the mark that goes before it.
pub fn standing(target: &TargetSummary) -> (&'static str, &'static str, Tone) {
    match &target.state {
        TargetState::Disabled { .. } => ("!", "DISABLED", Tone::Alarm),
        TargetState::Broken { .. } => ("?", "broken", Tone::Alarm),
        TargetState::Off => ("-", "off", Tone::Faint),
        TargetState::On if target.failing_since.is_some() => ("~", "failing", Tone::Caution),
        TargetState::On if target.events.is_empty() => ("~", "no events", Tone::Caution),
        TargetState::On => ("+", "on", Tone::Calm),
    }
}

/// The text for a target.
pub fn page(model: &Model, target: &TargetSummary, width: usize) -> Page {
    let mut page = Page::new(width);
    state(&mut page, model, target);
    settings(&mut page, model, target);
    page.heading("Latest attempts");
    let attempts = attempts(model, target);
    if attempts.is_empty() {
        let words = if model.targets.asked_for_attempts() { "reading the log…" } else { "none is in the log" };
        page.text(0, Tone::Faint, words);
    }
    for attempt in attempts {
        attempt_line(&mut page, model, attempt);
    }
    page
}

fn state(page: &mut Page, model: &Model, target: &TargetSummary) {
    let (mark, word, tone) = standing(target);
    let when = |at| format!("{} {}", moment(at, model.now, &model.zone), zone_name(at, &model.zone));
    let more = match &target.state {
        TargetState::Disabled { at, reason } => format!(" since {}: {reason}; x switches it on", when(*at)),
        TargetState::Broken { reason } => format!(": {reason}"),
        TargetState::Off => ": nothing is sent; x switches it on".to_owned(),
        TargetState::On if target.events.is_empty() => ": nothing is sent; e chooses some".to_owned(),
        TargetState::On => String::new(),
    };
    page.field("state", tone, &format!("{mark} {word}{more}"));
    if let Some(at) = target.failing_since {
        page.field(
            "failing",
            Tone::Alarm,
            &format!("every attempt since {} ({})", when(at), ago(since(at, model.now))),
        );
    }
    if let Some((at, taken)) = target.last {
        let (tone, word) = if taken { (Tone::Calm, "taken") } else { (Tone::Alarm, "failed") };
        page.field("last attempt", tone, &format!("{word}, {} ({})", when(at), ago(since(at, model.now))));
    }
    let waiting = words::count(target.waiting as usize, "event", "events");
    page.field("waiting", if target.waiting > 0 { Tone::Caution } else { Tone::Plain }, &waiting);
}

fn settings(page: &mut Page, model: &Model, target: &TargetSummary) {
    page.blank();
    page.field("address", Tone::Plain, &format!("{}/…", target.address));
    let kept = match target.kept {
        Kept::Config => "in the configuration file: only there it can be changed",
        Kept::Here => "here: e changes it, D removes it",
    };
    page.field("kept", Tone::Plain, kept);
    let events: Vec<_> = target.events.iter().map(EventType::as_str).collect();
    let events = if events.is_empty() { "none".to_owned() } else { events.join(", ") };
    page.field("events", Tone::Plain, &events);
    page.field("for", Tone::Plain, target.filter.as_deref().map_or("all incidents", |filter| filter));
    match &target.template {
        Some(name) if model.board.templates.iter().all(|known| known.name != *name) => {
            page.field("template", Tone::Alarm, &format!("{name}, which is not there"));
        }
        Some(name) => page.field("template", Tone::Plain, name),
        None if target.linked => page.field("template", Tone::Plain, "none: {type, data} with linked data"),
        None => page.field("template", Tone::Plain, "none: {type, data}"),
    }
    if let Some(user) = &target.user {
        page.field("user", Tone::Plain, user.as_str());
    }
    if !target.headers.is_empty() {
        let names: Vec<_> = target.headers.iter().map(Shown::as_str).collect();
        page.field("headers", Tone::Plain, &names.join(", "));
    }
    page.field("signed", Tone::Plain, if target.signed { "yes: webhook-signature" } else { "no" });
    let retries = match target.retries {
        0 => "none: what fails once is not sent again by itself".to_owned(),
        times => words::count(times as usize, "more time", "more times"),
    };
    page.field("retries", Tone::Plain, &retries);
    if target.allow_link_local {
        page.field("link-local", Tone::Caution, "allowed: metadata addresses too");
    }
}

/// The newest attempts that are known, newest first.
pub fn attempts<'m>(model: &'m Model, target: &TargetSummary) -> Vec<&'m DeliverySummary> {
    let is_ours = |line: &&DeliverySummary| line.target.as_ref() == Some(&target.name);
    let mut lines: Vec<_> = model.board.deliveries.iter().chain(&model.targets.read).filter(is_ours).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.id));
    lines.dedup_by_key(|line| line.id);
    lines.truncate(ATTEMPTS);
    lines
}

fn attempt_line(page: &mut Page, model: &Model, line: &DeliverySummary) {
    let (mark, tone) = mark(line.verdict);
    let kind = line.event_type.as_ref().map_or("", Shown::as_str);
    let incident = line.incident.as_ref().map(|key| format!(" {}", model.board.name_of(key))).unwrap_or_default();
    let took = line.latency_us.map(|took| format!(", {} ms", milliseconds(took))).unwrap_or_default();
    let at = moment(line.at, model.now, &model.zone);
    page.line(vec![
        Piece::new(Tone::Plain, format!("{at} ")),
        Piece::new(tone, format!("{mark} {} ", line.verdict.word())),
        Piece::new(Tone::Plain, format!("{kind}{incident}")),
    ]);
    page.entry(2, Tone::Faint, &format!("{}{took}", line.reason));
}

//! The opened incident as lines: what the board knows, then what was asked for.

use crate::{
    app::{
        Model,
        page::{Page, Piece, Tone},
    },
    core::{
        action::Action,
        detail::{Alert, Detail, Tree},
        incident::{Incident, Status, Urgency},
        words::{ago, clock, date_and_clock, moment, since, zone_name},
    },
};

use super::{
    super::{
        acting::last_action,
        doubts::{doubt, left},
        next::next_paged,
        words::{outcome_mark, outcome_words},
    },
    Opened, around, runbook, timing,
};

/// The detail, broken to a width.
pub(super) struct LaidOut {
    pub(super) lines: Vec<Vec<Piece>>,
    /// The line from which on it is about what lies around the incident, once that can be asked for.
    pub(super) around: Option<usize>,
}

/// The whole detail as lines of `width`.
pub fn page(model: &Model, opened: &Opened, width: usize) -> Vec<Vec<Piece>> {
    laid_out(model, opened, width).lines
}

pub(super) fn laid_out(model: &Model, opened: &Opened, width: usize) -> LaidOut {
    let mut page = Page::new(width);
    if let Some(incident) = model.board.incidents.get(&opened.key) {
        known(&mut page, model, opened, incident);
    } else {
        let gone = left(model, &opened.key);
        let gone = gone.as_deref().unwrap_or("no longer kept here: resolved long ago, or gone at the provider");
        page.text(0, Tone::Caution, gone);
        page.field("id", Tone::Plain, opened.key.id.as_str());
    }
    if let Some((action, outcome)) = last_action(&model.board, &opened.key) {
        let tone = outcome_mark(outcome).map_or(Tone::Calm, |(_, tone)| tone);
        page.field("last action", tone, &format!("{}: {}", action_words(model, action), outcome_words(outcome)));
    }
    if let Some(doubt) = doubt(model, &opened.key).filter(|_| model.board.incidents.contains_key(&opened.key)) {
        page.field("in doubt", Tone::Caution, &doubt);
    }
    for (at, one) in runbook::known(opened).into_iter().enumerate() {
        let key = if at == 0 { "; b copies it" } else { "" };
        page.field("runbook", Tone::Accent, &format!("{} ({}{key})", one.url, one.from));
    }
    standing(&mut page, model, opened);
    let mut around = None;
    if let Some(detail) = &opened.detail {
        asked_for(&mut page, model, detail);
        around = Some(page.lines.len() + 1);
        around::draw(&mut page, model, &opened.around);
        timeline(&mut page, model, detail);
    }
    LaidOut { lines: page.lines, around }
}

fn action_words(model: &Model, action: &Action) -> String {
    format!("{} by {} at {}", action.verb.word(), action.by.words(), clock(action.at, &model.zone))
}

/// What the board knows.
fn known(page: &mut Page, model: &Model, opened: &Opened, incident: &Incident) {
    let state = &incident.state;
    let number = state.number.map(|n| format!("#{n}  ")).unwrap_or_default();
    page.line(vec![
        Piece::new(status_tone(state.status), format!("{} {}", status_mark(state.status), state.status.word())),
        Piece::new(Tone::Strong, format!("  {number}")),
        Piece::new(Tone::Faint, incident.key.to_string()),
    ]);
    page.entry(0, Tone::Strong, state.title.as_str());
    if incident.is_unconfirmed() {
        page.field("unsigned", Tone::Caution, "nobody signed this; the provider is asked before anything is done");
    }
    let priority = state.priority.as_ref().map(|p| format!(", priority {p}")).unwrap_or_default();
    page.field("urgency", Tone::Plain, &format!("{}{priority}", urgency_word(state.urgency)));
    let names = |names: Vec<&str>| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    page.field("service", Tone::Plain, state.service.as_ref().map_or("not told", |s| s.name.as_str()));
    page.field("policy", Tone::Plain, state.escalation_policy.as_ref().map_or("not told", |p| p.name.as_str()));
    page.field("assigned", Tone::Plain, &names(state.assignees.iter().map(|user| user.name.as_str()).collect()));
    if let Some((tone, words)) = next_paged(model, incident) {
        page.field("next paged", tone, &words);
    }
    if !state.teams.is_empty() {
        page.field("teams", Tone::Plain, &names(state.teams.iter().map(|team| team.name.as_str()).collect()));
    }
    let zone = zone_name(state.created_at, &model.zone);
    let created = date_and_clock(state.created_at, &model.zone);
    let age = ago(since(state.created_at, model.board.provider_time(&incident.key.account, model.now)));
    page.field("created", Tone::Plain, &format!("{created} {zone}, {age}"));
    told_by_rest(page, model, opened, incident);
    bridge(page, opened);
    match &state.url {
        Some(url) => page.field("link", Tone::Accent, url.as_str()),
        None => page.field("link", Tone::Faint, "none"),
    }
}

fn told_by_rest(page: &mut Page, model: &Model, opened: &Opened, incident: &Incident) {
    let Some(extra) = incident.extra() else {
        return page.field("not known", Tone::Faint, "who acknowledged, what is pending: webhooks do not tell");
    };
    if let Some(into) = model.board.merged_into(incident) {
        page.field("merged", Tone::Plain, &format!("into {into}"));
    }
    timing::draw(page, model, opened, incident, extra);
    if let Some(who) = &extra.changed_by {
        page.field("changed by", Tone::Plain, who.as_str());
    }
    if let Some((all, triggered)) = extra.alerts {
        page.field("alerts", Tone::Plain, &format!("{all}, {triggered} of them still triggered"));
    }
}

/// Where people meet about it.
fn bridge(page: &mut Page, opened: &Opened) {
    let Some(bridge) = opened.detail.as_ref().and_then(|detail| detail.bridge.as_ref()) else { return };
    if let Some(number) = &bridge.number {
        page.field("bridge", Tone::Accent, number.as_str());
    }
    if let Some(url) = &bridge.url {
        page.field("bridge", Tone::Accent, url.as_str());
    }
}

/// How old the asked-for part is, or why it is not there.
fn standing(page: &mut Page, model: &Model, opened: &Opened) {
    let as_of = opened.detail.as_ref().map(|detail| {
        let age = ago(since(detail.fetched_at, model.now));
        format!("as of {} {}, {age}", clock(detail.fetched_at, &model.zone), zone_name(detail.fetched_at, &model.zone))
    });
    let asking = opened.waiting.is_some();
    match (as_of, &opened.failure) {
        (Some(as_of), _) if asking => page.field("detail", Tone::Faint, &format!("{as_of}; asking again…")),
        (None, _) if asking => {
            page.field("detail", Tone::Caution, "asking for description, alerts, notes and timeline…");
        }
        (Some(as_of), Some(failure)) => page.field("detail", Tone::Alarm, &format!("STALE, {as_of}: {failure}")),
        (None, Some(failure)) => page.field("detail", Tone::Alarm, &format!("could not be fetched: {failure}")),
        (Some(as_of), None) => page.field("detail", Tone::Faint, &as_of),
        (None, None) => {}
    }
}

fn asked_for(page: &mut Page, model: &Model, detail: &Detail) {
    for missing in &detail.missing {
        page.field("missing", Tone::Alarm, missing.as_str());
    }
    if let Some(description) = &detail.description {
        page.heading("Description");
        page.body(2, Tone::Plain, description);
    }
    page.heading(&format!("Alerts: {}", count(detail, detail.alerts.len())));
    for each in &detail.alerts {
        alert(page, model, each);
    }
    page.heading(&format!("Notes: {}", count(detail, detail.notes.len())));
    for note in &detail.notes {
        let at = moment(note.at, model.now, &model.zone);
        page.entry(2, Tone::Accent, &format!("{at} {}", note.author));
        page.body(4, Tone::Plain, &note.content);
    }
}

/// An empty list means "none" only when nothing is missing.
fn count(detail: &Detail, n: usize) -> String {
    if n == 0 && !detail.missing.is_empty() { "none fetched".into() } else { n.to_string() }
}

fn timeline(page: &mut Page, model: &Model, detail: &Detail) {
    page.heading(&format!("Timeline, newest first: {}", count(detail, detail.timeline.len())));
    for entry in &detail.timeline {
        let at = moment(entry.at, model.now, &model.zone);
        page.entry(2, Tone::Plain, &format!("{at} {}: {}", entry.kind, entry.summary));
    }
}

fn alert(page: &mut Page, model: &Model, alert: &Alert) {
    let severity = alert.severity.as_ref().map(|severity| format!(" {severity}")).unwrap_or_default();
    let at = alert.created_at.map(|at| format!(" {}", moment(at, model.now, &model.zone))).unwrap_or_default();
    page.entry(2, Tone::Accent, &format!("{}{severity}{at}: {}", alert.status, alert.summary));
    if let Some(gist) = &alert.gist {
        let facts = gist.facts.iter().map(|(name, text)| (name.clone(), Tree::Text(text.clone())));
        page.tree(4, &Tree::Fields(facts.collect()));
    }
    for link in &alert.links {
        page.text(4, if link.url.is_some() { Tone::Accent } else { Tone::Faint }, &link.words());
    }
    if let Some(url) = &alert.url {
        page.text(4, Tone::Accent, &format!("alert: {url}"));
    }
    let Some(details) = &alert.details else { return };
    if let Some(gist) = &alert.gist {
        page.text(4, Tone::Strong, &format!("All that {} sent", gist.sender));
        page.tree(6, details);
    } else {
        page.tree(4, details);
    }
}

pub fn urgency_word(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::High => "high",
        Urgency::Low => "low",
    }
}

pub fn status_mark(status: Status) -> char {
    match status {
        Status::Triggered => '!',
        Status::Acknowledged => '~',
        Status::Resolved => '-',
    }
}

pub fn status_tone(status: Status) -> Tone {
    match status {
        Status::Triggered => Tone::Alarm,
        Status::Acknowledged => Tone::Caution,
        Status::Resolved => Tone::Calm,
    }
}

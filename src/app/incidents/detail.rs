//! One incident, opened. What the board knows is shown at once; the rest is asked for, and asked for
//! again when the incident changes. An answer about another incident is dropped.

use crate::{
    app::{
        Effect, Link, Model,
        list::{Step, scroll},
        page::{Page, Piece, Tone},
    },
    core::{
        action::Action,
        detail::{Alert, Detail},
        id::IncidentKey,
        incident::{Incident, Status, Urgency},
        text::Shown,
        words::{ago, clock, date_and_clock, moment, since, zone_name},
    },
    proto::{Answer, Request, RequestId},
};

use super::{
    acting::last_action,
    doubts::doubt,
    next::next_paged,
    words::{outcome_mark, outcome_words},
};

/// The open incident, and what was heard about it.
#[derive(Debug)]
pub struct Opened {
    pub key: IncidentKey,
    /// First line shown.
    pub offset: usize,
    detail: Option<Box<Detail>>,
    /// Why the last question was not answered.
    failure: Option<Shown>,
    waiting: Option<RequestId>,
    /// It changed while an answer was under way: that answer may be old.
    stale: bool,
    /// The person wants it asked of the provider, whatever the server keeps.
    anew: bool,
    /// The incident as it was when last asked about.
    asked_about: Option<Incident>,
}

impl Opened {
    fn new(key: IncidentKey) -> Self {
        Self {
            key,
            offset: 0,
            detail: None,
            failure: None,
            waiting: None,
            stale: false,
            anew: false,
            asked_about: None,
        }
    }
}

pub(super) fn open(model: &mut Model, key: IncidentKey) -> Vec<Effect> {
    model.incidents.opened = Some(Opened::new(key));
    ask(model)
}

pub(super) fn shows(model: &Model, key: &IncidentKey) -> bool {
    model.incidents.opened.as_ref().is_some_and(|opened| opened.key == *key)
}

fn ask(model: &mut Model) -> Vec<Effect> {
    let Some(key) = model.incidents.opened.as_ref().map(|opened| opened.key.clone()) else { return vec![] };
    let asked_about = model.board.incidents.get(&key).cloned();
    let anew = model.incidents.opened.as_mut().is_some_and(|opened| std::mem::take(&mut opened.anew));
    let request = if anew { Request::DetailAnew { key } } else { Request::Detail { key } };
    let asked = matches!(model.link, Link::Up(_)).then(|| model.ask(request));
    let Some(opened) = &mut model.incidents.opened else { return vec![] };
    opened.asked_about = asked_about;
    opened.stale = false;
    opened.waiting = asked.as_ref().map(|(id, _)| *id);
    if asked.is_none() {
        opened.failure = Some(Shown::line("no link to the server"));
    }
    asked.map(|(_, effect)| effect).into_iter().collect()
}

/// Asks again, at once or when the answer under way has come.
pub(super) fn ask_again(model: &mut Model) -> Vec<Effect> {
    match &mut model.incidents.opened {
        Some(opened) if opened.waiting.is_some() => {
            opened.stale = true;
            vec![]
        }
        Some(_) => ask(model),
        None => vec![],
    }
}

/// The same, of the provider itself.
pub(super) fn ask_anew(model: &mut Model) -> Vec<Effect> {
    if let Some(opened) = &mut model.incidents.opened {
        opened.anew = true;
    }
    ask_again(model)
}

/// The link stands anew: what was under way will not be answered.
pub(super) fn attached(model: &mut Model) -> Vec<Effect> {
    ask(model)
}

/// The incident may have changed.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &model.incidents.opened else { return vec![] };
    let known = model.board.incidents.get(&opened.key);
    let changed = known.is_some() && known != opened.asked_about.as_ref();
    let effects = if changed && matches!(model.link, Link::Up(_)) { refresh(model) } else { vec![] };
    step(model, None);
    effects
}

fn refresh(model: &mut Model) -> Vec<Effect> {
    let known = model.incidents.opened.as_ref().and_then(|opened| model.board.incidents.get(&opened.key).cloned());
    if let Some(opened) = &mut model.incidents.opened {
        opened.asked_about = known;
    }
    ask_again(model)
}

pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let opened = model.incidents.opened.as_mut().filter(|opened| opened.waiting == Some(id))?;
    opened.waiting = None;
    match answer {
        Ok(Answer::Detail { detail }) if detail.key == opened.key => {
            opened.failure = None;
            opened.detail = Some(detail.clone());
        }
        Ok(_) => opened.failure = Some(Shown::line("the server answered something else")),
        Err(reason) => opened.failure = Some(Shown::line(reason)),
    }
    let again = opened.stale;
    step(model, None);
    Some(if again { ask(model) } else { vec![] })
}

/// Scrolls, or with `None` only keeps the place valid.
pub(super) fn step(model: &mut Model, step: Option<Step>) {
    let (width, height) = super::page_size(model);
    let Some(opened) = &model.incidents.opened else { return };
    let lines = page(model, opened, width).len();
    let offset = match step {
        Some(step) => scroll(opened.offset, step, lines, height),
        None => opened.offset.min(lines.saturating_sub(height.max(1))),
    };
    if let Some(opened) = &mut model.incidents.opened {
        opened.offset = offset;
    }
}

/// The whole detail as lines of `width`.
pub fn page(model: &Model, opened: &Opened, width: usize) -> Vec<Vec<Piece>> {
    let mut page = Page::new(width);
    if let Some(incident) = model.board.incidents.get(&opened.key) {
        known(&mut page, model, incident);
    } else {
        page.text(0, Tone::Caution, "no longer kept here: resolved long ago, or gone at the provider");
        page.field("id", Tone::Plain, opened.key.id.as_str());
    }
    if let Some((action, outcome)) = last_action(&model.board, &opened.key) {
        let tone = outcome_mark(outcome).map_or(Tone::Calm, |(_, tone)| tone);
        page.field("last action", tone, &format!("{}: {}", action_words(model, action), outcome_words(outcome)));
    }
    if let Some(doubt) = doubt(model, &opened.key) {
        page.field("in doubt", Tone::Caution, &doubt);
    }
    standing(&mut page, model, opened);
    if let Some(detail) = &opened.detail {
        asked_for(&mut page, model, detail);
    }
    page.lines
}

fn action_words(model: &Model, action: &Action) -> String {
    format!("{} by {} at {}", action.verb.word(), action.by.words(), clock(action.at, &model.zone))
}

/// What the board knows.
fn known(page: &mut Page, model: &Model, incident: &Incident) {
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
    told_by_rest(page, model, incident);
    match &state.url {
        Some(url) => page.field("link", Tone::Accent, url.as_str()),
        None => page.field("link", Tone::Faint, "none"),
    }
}

fn told_by_rest(page: &mut Page, model: &Model, incident: &Incident) {
    let Some(extra) = incident.extra() else {
        return page.field("not known", Tone::Faint, "who acknowledged, what is pending: webhooks do not tell");
    };
    for (at, who) in &extra.acknowledged {
        page.field("acked by", Tone::Plain, &format!("{who} at {}", moment(*at, model.now, &model.zone)));
    }
    for pending in &extra.pending {
        let at = moment(pending.at, model.now, &model.zone);
        page.field("will", Tone::Caution, &format!("{} by itself at {at}", pending.what));
    }
    if let Some(who) = &extra.changed_by {
        page.field("changed by", Tone::Plain, who.as_str());
    }
    if let Some((all, triggered)) = extra.alerts {
        page.field("alerts", Tone::Plain, &format!("{all}, {triggered} of them still triggered"));
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
    // An empty list means "none" only when nothing is missing.
    let count = |n: usize| if n == 0 && !detail.missing.is_empty() { "none fetched".into() } else { n.to_string() };
    page.heading(&format!("Alerts: {}", count(detail.alerts.len())));
    for each in &detail.alerts {
        alert(page, model, each);
    }
    page.heading(&format!("Notes: {}", count(detail.notes.len())));
    for note in &detail.notes {
        let at = moment(note.at, model.now, &model.zone);
        page.entry(2, Tone::Accent, &format!("{at} {}", note.author));
        page.body(4, Tone::Plain, &note.content);
    }
    page.heading(&format!("Timeline, newest first: {}", count(detail.timeline.len())));
    for entry in &detail.timeline {
        let at = moment(entry.at, model.now, &model.zone);
        page.entry(2, Tone::Plain, &format!("{at} {}: {}", entry.kind, entry.summary));
    }
}

fn alert(page: &mut Page, model: &Model, alert: &Alert) {
    let severity = alert.severity.as_ref().map(|severity| format!(" {severity}")).unwrap_or_default();
    let at = alert.created_at.map(|at| format!(" {}", moment(at, model.now, &model.zone))).unwrap_or_default();
    page.entry(2, Tone::Accent, &format!("{}{severity}{at}: {}", alert.status, alert.summary));
    for (path, value) in &alert.details {
        let text = if path.is_empty() { value.to_string() } else { format!("{path}: {value}") };
        for line in text.lines() {
            page.text(4, Tone::Plain, line);
        }
    }
    if let Some(url) = &alert.url {
        page.text(4, Tone::Accent, url.as_str());
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

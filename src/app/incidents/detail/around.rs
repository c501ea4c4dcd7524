//! What lies around the opened incident. It costs many requests, so it is asked for when it comes in sight, once.

use crate::{
    app::{
        Effect, Link, Model,
        page::{Page, Tone},
    },
    core::{
        context::{ChangeEvent, Context, Impact, Outlier, Part, Similar},
        detail::Note,
        incident::Status,
        text::Shown,
        words::{ago, clock, count, moment, since, zone_name},
    },
    proto::{Answer, Request, RequestId},
};

/// Lines of a note on another incident.
const NOTE_LINES: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) told: Option<Box<Context>>,
    /// Why the last question was not answered.
    failure: Option<Shown>,
    waiting: Option<RequestId>,
}

impl Around {
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// It was asked for and answered, one way or the other.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_none() && (self.told.is_some() || self.failure.is_some())
    }
}

/// It is in sight: asks for it, unless that was done.
pub(super) fn look(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &model.incidents.opened else { return vec![] };
    let around = &opened.around;
    if around.is_waiting() || around.is_settled() {
        return vec![];
    }
    let request = Request::Context { key: opened.key.clone() };
    ask(model, request)
}

fn ask(model: &mut Model, request: Request) -> Vec<Effect> {
    if !matches!(model.link, Link::Up(_)) {
        return vec![];
    }
    let (id, effect) = model.ask(request);
    if let Some(opened) = &mut model.incidents.opened {
        opened.around.waiting = Some(id);
    }
    vec![effect]
}

/// Asks the provider once more, if it was asked before.
pub(super) fn ask_anew(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &model.incidents.opened else { return vec![] };
    if !opened.around.is_settled() {
        return vec![];
    }
    let request = Request::ContextAnew { key: opened.key.clone() };
    ask(model, request)
}

/// The link stands anew: what was under way will not be answered.
pub(super) fn attached(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &mut model.incidents.opened else { return vec![] };
    if opened.around.waiting.take().is_none() {
        return vec![];
    }
    let request = Request::Context { key: opened.key.clone() };
    ask(model, request)
}

pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let opened = model.incidents.opened.as_mut().filter(|opened| opened.around.waiting == Some(id))?;
    let around = &mut opened.around;
    around.waiting = None;
    match answer {
        Ok(Answer::Context { context }) if context.key == opened.key => {
            around.failure = None;
            around.told = Some(context.clone());
        }
        Ok(_) => around.failure = Some(Shown::line("the server answered something else")),
        Err(reason) => around.failure = Some(Shown::line(reason)),
    }
    Some(vec![])
}

pub(super) fn draw(page: &mut Page, model: &Model, around: &Around) {
    page.heading("Around it: changes, impact, related and past incidents");
    let as_of = around.told.as_ref().map(|context| {
        let at = context.fetched_at;
        format!("as of {} {}, {}", clock(at, &model.zone), zone_name(at, &model.zone), ago(since(at, model.now)))
    });
    match (as_of, &around.failure) {
        (None, _) if around.is_waiting() => page.text(2, Tone::Caution, "asking…"),
        (Some(as_of), _) if around.is_waiting() => page.text(2, Tone::Faint, &format!("{as_of}; asking again…")),
        (None, Some(failure)) => page.text(2, Tone::Alarm, &format!("could not be asked for: {failure}")),
        (Some(as_of), Some(failure)) => page.text(2, Tone::Alarm, &format!("STALE, {as_of}: {failure}")),
        (Some(as_of), None) => page.text(2, Tone::Faint, &as_of),
        (None, None) => page.text(2, Tone::Faint, "asked for when it is looked at"),
    }
    if let Some(context) = &around.told {
        parts(page, model, context);
    }
}

/// What the account's plan does not have is left out.
fn parts(page: &mut Page, model: &Model, context: &Context) {
    for (part, why) in context.failures() {
        page.text(2, Tone::Alarm, &format!("{part}: {why}"));
    }
    if let Part::Told(Some(found)) = &context.outlier {
        outlier(page, model, found);
    }
    if let Part::Told(changes) = &context.changes {
        page.text(2, Tone::Strong, &listed("Changes before it", changes.len()));
        for one in changes {
            change(page, model, one);
        }
    }
    if let Part::Told(impacts) = &context.impacts {
        impact(page, impacts);
    }
    if let Part::Told(related) = &context.related {
        page.text(2, Tone::Strong, &listed("Related incidents", related.len()));
        for one in related {
            similar(page, model, one);
        }
    }
    if let Part::Told(past) = &context.past {
        page.text(2, Tone::Strong, &listed("Past incidents like it", past.len()));
        for one in past {
            similar(page, model, one);
        }
    }
    if context == &Context::nothing(context.key.clone(), context.fetched_at) {
        page.text(2, Tone::Faint, "nothing of this is offered for this account");
    }
}

fn listed(name: &str, n: usize) -> String {
    format!("{name}: {}", if n == 0 { "none".to_owned() } else { n.to_string() })
}

fn outlier(page: &mut Page, model: &Model, found: &Outlier) {
    let (tone, words) = match found.category.as_str() {
        "rare" => (Tone::Caution, "rare, it seldom happens".to_owned()),
        "anomaly" => (Tone::Caution, "an anomaly, nothing like it is known".to_owned()),
        "frequent" => (Tone::Calm, "frequent, it happens often".to_owned()),
        other => (Tone::Plain, other.to_owned()),
    };
    let often = match (found.count, found.since) {
        (Some(n), Some(since)) => {
            let times = count(usize::try_from(n).unwrap_or(usize::MAX), "time", "times");
            format!(", {times} since {}", moment(since, model.now, &model.zone))
        }
        (Some(n), None) => format!(", {}", count(usize::try_from(n).unwrap_or(usize::MAX), "time", "times")),
        (None, _) => String::new(),
    };
    page.entry(2, tone, &format!("How usual: {words}{often}"));
    if let Some(pattern) = &found.pattern {
        page.entry(4, Tone::Faint, &format!("like: {pattern}"));
    }
}

fn change(page: &mut Page, model: &Model, change: &ChangeEvent) {
    let at = change.at.map(|at| {
        let ago = ago(since(at, model.now));
        format!("{} ({ago}) ", moment(at, model.now, &model.zone))
    });
    let source = change.source.as_ref().map(|source| format!(" [{source}]")).unwrap_or_default();
    let why = change.why.as_ref().map(|why| format!(", {why}")).unwrap_or_default();
    page.entry(4, Tone::Accent, &format!("{}{}{source}{why}", at.unwrap_or_default(), change.summary));
    if let Some(details) = &change.details {
        page.tree(6, details);
    }
    for link in &change.links {
        page.text(6, Tone::Accent, &link.words());
    }
}

fn impact(page: &mut Page, impacts: &[Impact]) {
    page.text(2, Tone::Strong, &listed("Business services", impacts.len()));
    for one in impacts {
        let tone = if one.status.as_str() == "impacted" { Tone::Alarm } else { Tone::Calm };
        page.entry(4, tone, &format!("{}: {}", one.name, one.status.as_str().replace('_', " ")));
    }
}

fn similar(page: &mut Page, model: &Model, one: &Similar) {
    let number = one.number.map_or_else(|| one.id.to_string(), |number| format!("#{number}"));
    let began = one.created_at.map(|at| format!("{} ", moment(at, model.now, &model.zone))).unwrap_or_default();
    let mut why: Vec<String> = one.why.iter().map(ToString::to_string).collect();
    why.extend(one.score.map(|score| format!("likeness {score}")));
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
    page.entry(4, Tone::Accent, &format!("{began}{number} {}{why}", one.title));
    if let Some(course) = &one.course {
        let by = course.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let at = course.at.map(|at| format!(" at {}", moment(at, model.now, &model.zone))).unwrap_or_default();
        let tone = if course.status == Status::Resolved { Tone::Calm } else { Tone::Caution };
        page.text(6, tone, &format!("{}{by}{at}", course.status.word()));
        for one in &course.notes {
            note(page, model, one);
        }
    }
    if let Some(failed) = &one.course_failed {
        page.text(6, Tone::Faint, &format!("how it went could not be asked for: {failed}"));
    }
    if let Some(url) = &one.url {
        page.text(6, Tone::Faint, url.as_str());
    }
}

fn note(page: &mut Page, model: &Model, note: &Note) {
    page.entry(6, Tone::Plain, &format!("{} {}:", moment(note.at, model.now, &model.zone), note.author));
    for line in note.content.lines().take(NOTE_LINES) {
        page.text(8, Tone::Plain, line);
    }
    if note.content.lines().count() > NOTE_LINES {
        page.text(8, Tone::Faint, "…");
    }
}

//! One incident, opened. What the board knows is shown at once; the rest is asked for, and asked for
//! again when the incident changes. An answer about another incident is dropped.

mod around;
mod page;
mod runbook;
mod timing;

use crate::{
    app::{
        Effect, Link, Model,
        list::{Step, scroll},
    },
    core::{detail::Detail, id::IncidentKey, incident::Incident, text::Shown},
    proto::{Answer, Request, RequestId},
};

use around::Around;
pub use page::{page, status_mark, status_tone, urgency_word};
pub(super) use runbook::show as runbook;
pub use timing::{acknowledged_at, judged};

/// Lines of the heading of what lies around it, with how that stands.
const HEADING: usize = 2;

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
    around: Around,
    /// The runbook was asked for before it was known.
    wants_runbook: bool,
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
            around: Around::default(),
            wants_runbook: false,
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
    let mut effects = ask_again(model);
    effects.extend(around::ask_anew(model));
    effects
}

/// The link stands anew: what was under way will not be answered.
pub(super) fn attached(model: &mut Model) -> Vec<Effect> {
    let mut effects = ask(model);
    effects.extend(around::attached(model));
    effects
}

/// The incident may have changed.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &model.incidents.opened else { return vec![] };
    let known = model.board.incidents.get(&opened.key);
    let changed = known.is_some() && known != opened.asked_about.as_ref();
    let mut effects = if changed && matches!(model.link, Link::Up(_)) { refresh(model) } else { vec![] };
    effects.extend(step(model, None));
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
    let mut effects = around::answered(model, id, answer).or_else(|| told(model, id, answer))?;
    effects.extend(step(model, None));
    effects.extend(runbook::go_on(model));
    Some(effects)
}

fn told(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
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
    Some(if again { ask(model) } else { vec![] })
}

/// Scrolls, or with `None` only keeps the place valid. What comes in sight may have to be asked for.
pub(super) fn step(model: &mut Model, step: Option<Step>) -> Vec<Effect> {
    let (width, height) = super::page_size(model);
    let Some(opened) = &model.incidents.opened else { return vec![] };
    let page = page::laid_out(model, opened, width);
    let lines = page.lines.len();
    let offset = match step {
        Some(step) => scroll(opened.offset, step, lines, height),
        None => opened.offset.min(lines.saturating_sub(height.max(1))),
    };
    let in_sight = page.around.is_some_and(|line| line < offset + height && line + HEADING > offset);
    if let Some(opened) = &mut model.incidents.opened {
        opened.offset = offset;
    }
    if in_sight { around::look(model) } else { vec![] }
}

/// To what lies around the incident.
pub(super) fn go_around(model: &mut Model) -> Vec<Effect> {
    let (width, _) = super::page_size(model);
    let Some(opened) = &model.incidents.opened else { return vec![] };
    if let Some(line) = page::laid_out(model, opened, width).around
        && let Some(opened) = &mut model.incidents.opened
    {
        opened.offset = line;
    }
    step(model, None)
}

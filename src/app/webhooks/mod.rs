//! The webhooks view: the log, newest first, and one delivery opened. While nothing is selected the top is
//! followed; a selection stays on its delivery whatever comes in above.

pub mod detail;
pub mod log;
#[cfg(test)]
mod tests;

use crate::{
    core::{
        delivery::{DeliverySummary, DeliveryView},
        id::{DeliveryId, IncidentKey},
        keys::Chord,
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

use super::{
    Effect, Model, NoticeKind, View,
    filter::{self, Filter, Typed},
    incidents,
    keys::Action,
    list::{self, Cursor, Step},
    wait::Wait,
};
use log::Log;

/// Lines asked for at a time.
const PAGE: u32 = 200;

/// Lines above the list: what it is, and the headings.
pub const TITLE: u16 = 2;

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) log: Log,
    pub(crate) cursor: Cursor<DeliveryId>,
    pub(crate) filter: Filter,
    pub(crate) older: Older,
    pub(crate) open: Option<Opened>,
    /// The newest line when the top was last in sight.
    seen: Option<DeliveryId>,
    /// The incident to which one went from here: one step back from it leads here again.
    left_for: Option<IncidentKey>,
}

/// What is known about lines older than the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Older {
    /// There may be some.
    #[default]
    Perhaps,
    Asked {
        wait: Wait,
        before: DeliveryId,
    },
    /// The log begins here.
    None,
    Failed(Shown),
}

/// A delivery that was opened.
#[derive(Debug)]
pub struct Opened {
    pub summary: DeliverySummary,
    pub reading: Reading,
    /// Lines scrolled by.
    pub scroll: usize,
    /// The width for which the lines were counted, and how many they are.
    measured: Option<(usize, usize)>,
}

#[derive(Debug)]
pub enum Reading {
    Asked(Wait),
    Read(Box<DeliveryView>),
    Failed(Shown),
}

impl State {
    /// How many of `rows` came in above since the top was last in sight.
    pub(crate) fn new_above(&self, rows: &[&DeliverySummary]) -> usize {
        match self.seen {
            Some(seen) if self.cursor.offset() > 0 => rows.iter().take_while(|row| row.id > seen).count(),
            _ => 0,
        }
    }
}

/// The lines that the filter leaves, newest first.
pub(crate) fn rows(model: &Model) -> Vec<&DeliverySummary> {
    let words = model.webhooks.filter.words();
    model.webhooks.log.lines().iter().filter(|line| admits(model, &words, line)).collect()
}

fn admits(model: &Model, words: &filter::Words, line: &DeliverySummary) -> bool {
    if words.is_empty() {
        return true;
    }
    let number = line.incident.as_ref().map(|key| incident_words(model, key)).unwrap_or_default();
    words.admit(&[
        line.verdict.word(),
        line.event_type.as_ref().map_or("", Shown::as_str),
        line.subject.as_ref().map_or("", Shown::as_str),
        line.account.as_ref().map_or("", |name| name.as_str()),
        line.incident.as_ref().map_or("", |key| key.id.as_str()),
        &number,
    ])
}

/// The incident as people call it: its number where it is known, else its id.
pub fn incident_words(model: &Model, key: &IncidentKey) -> String {
    let number = model.board.incidents.get(key).and_then(|incident| incident.state.number);
    number.map_or_else(|| key.id.to_string(), |number| format!("#{number}"))
}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Open => return open(model),
        Action::GoToIncident => return go_to_incident(model),
        Action::Filter if model.webhooks.open.is_none() => model.webhooks.filter.open(),
        Action::Back => back(&mut model.webhooks),
        _ => {}
    }
    let Some(by) = Step::of(action) else { return settle(model) };
    if model.webhooks.open.is_some() {
        scroll(model, Some(by));
        return vec![];
    }
    step(model, by)
}

/// One step back: out of the delivery, out of the filter, to the top.
fn back(state: &mut State) {
    if state.open.take().is_none() && !state.filter.clear() {
        state.cursor = Cursor::default();
    }
}

/// A key while text is being typed in this view (a filter line, the editor); `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    match model.webhooks.filter.take(chord)? {
        Typed::Step(by) => Some(step(model, by)),
        Typed::Changed | Typed::Nothing => Some(settle(model)),
    }
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let taken = model.webhooks.filter.paste(text);
    settle(model);
    taken
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let state = &mut model.webhooks;
    if let Older::Asked { wait, before } = &state.older
        && wait.is(id)
    {
        let before = *before;
        state.older = match answer {
            Ok(Answer::Deliveries { deliveries }) => {
                state.log.append(before, deliveries);
                if deliveries.is_empty() { Older::None } else { Older::Perhaps }
            }
            other => Older::Failed(why(other)),
        };
        return Some(settle(model));
    }
    let opened = state.open.as_mut().filter(|open| matches!(&open.reading, Reading::Asked(wait) if wait.is(id)))?;
    opened.measured = None;
    opened.reading = match answer {
        Ok(Answer::Delivery { delivery }) => Reading::Read(delivery.clone()),
        other => Reading::Failed(why(other)),
    };
    Some(settle(model))
}

/// The cause of a refusal; also of an answer to another question, which no server of this protocol gives.
fn why(answer: &Result<Answer, String>) -> Shown {
    match answer {
        Ok(_) => Shown::line("the server's answer does not belong to the question"),
        Err(cause) => Shown::line(cause),
    }
}

/// The link broke: what was asked will not be answered.
pub(super) fn detached(model: &mut Model) {
    let state = &mut model.webhooks;
    if matches!(state.older, Older::Asked { .. }) {
        state.older = Older::Perhaps;
    }
    if let Some(opened) = state.open.as_mut().filter(|opened| matches!(opened.reading, Reading::Asked(_))) {
        opened.reading = Reading::Failed(Shown::line("the link to the server broke"));
        opened.measured = None;
    }
}

/// Rows or sizes changed.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    if model.webhooks.log.follow(&model.board.deliveries) {
        model.webhooks.older = Older::Perhaps;
    }
    let (rows, height) = (ids(model), height(model));
    let state = &mut model.webhooks;
    let held = state.cursor.selected().is_some();
    state.cursor.settle(&rows, height);
    if held && state.cursor.selected().is_none() {
        state.cursor = Cursor::default();
    }
    if state.cursor.offset() == 0 {
        state.seen = state.log.lines().front().map(|line| line.id);
    }
    scroll(model, None);
    vec![]
}

fn ids(model: &Model) -> Vec<DeliveryId> {
    rows(model).into_iter().map(|row| row.id).collect()
}

fn height(model: &Model) -> usize {
    filter::list_areas(filter::body(model), TITLE, &model.webhooks.filter).rows.height.into()
}

/// One step in the list. At its end, older lines are asked for.
fn step(model: &mut Model, by: Step) -> Vec<Effect> {
    let (rows, height) = (ids(model), height(model));
    model.webhooks.cursor.step(by, &rows, height);
    settle(model);
    let at_end = model.webhooks.cursor.selected() == rows.last();
    let down = matches!(by, Step::Down | Step::PageDown | Step::Bottom);
    if at_end && down { ask_older(model) } else { vec![] }
}

fn ask_older(model: &mut Model) -> Vec<Effect> {
    let waiting = match &model.webhooks.older {
        Older::Asked { wait, .. } => !wait.overdue(model.now),
        Older::None => true,
        Older::Perhaps | Older::Failed(_) => false,
    };
    let Some(before) = model.webhooks.log.oldest().filter(|_| !waiting) else { return vec![] };
    let Some((wait, effect)) = Wait::ask_aloud(model, Request::Deliveries { before, limit: PAGE }) else {
        return vec![];
    };
    model.webhooks.older = Older::Asked { wait, before };
    vec![effect]
}

/// Opens the selected delivery; on an opened one that could not be read, asks again.
fn open(model: &mut Model) -> Vec<Effect> {
    let summary = if let Some(opened) = &model.webhooks.open {
        match &opened.reading {
            Reading::Asked(wait) if !wait.overdue(model.now) => None,
            Reading::Read(_) => None,
            Reading::Asked(_) | Reading::Failed(_) => Some(opened.summary.clone()),
        }
    } else {
        select_newest(model);
        at_hand(model).cloned()
    };
    summary.map(|summary| read(model, summary)).unwrap_or_default()
}

/// With nothing selected, a key that needs a line means the newest.
fn select_newest(model: &mut Model) {
    let rows = ids(model);
    model.webhooks.cursor.select_first_if_none(&rows);
    settle(model);
}

/// The opened or selected delivery.
fn at_hand(model: &Model) -> Option<&DeliverySummary> {
    let state = &model.webhooks;
    let selected = state.cursor.selected().and_then(|id| state.log.get(*id));
    state.open.as_ref().map(|opened| &opened.summary).or(selected)
}

/// From the opened or selected delivery to its incident.
fn go_to_incident(model: &mut Model) -> Vec<Effect> {
    select_newest(model);
    let Some(delivery) = at_hand(model) else {
        model.say(NoticeKind::Bad, "there is no delivery to go from");
        return vec![];
    };
    match delivery.incident.clone() {
        Some(key) if model.board.incidents.contains_key(&key) => {
            model.webhooks.left_for = Some(key.clone());
            return incidents::show(model, key);
        }
        Some(key) => model.say(NoticeKind::Bad, &format!("{key} is not kept any more, or was never told to us")),
        None => model.say(NoticeKind::Bad, "this delivery belongs to no incident"),
    }
    vec![]
}

/// One step back from an incident to which one went from here; `false`: it was not such a step.
pub(super) fn returns(model: &mut Model) -> bool {
    let left_for = model.webhooks.left_for.take();
    let shown = model.incidents.opened.as_ref().map(|opened| &opened.key);
    if model.view != View::Incidents || left_for.is_none() || shown != left_for.as_ref() {
        return false;
    }
    model.incidents.opened = None;
    model.view = View::Webhooks;
    true
}

fn read(model: &mut Model, summary: DeliverySummary) -> Vec<Effect> {
    let Some((wait, effect)) = Wait::ask_aloud(model, Request::Delivery { id: summary.id }) else { return vec![] };
    model.webhooks.open = Some(Opened { summary, reading: Reading::Asked(wait), scroll: 0, measured: None });
    settle(model);
    vec![effect]
}

/// Moves within the opened delivery, and keeps the place within its text.
fn scroll(model: &mut Model, by: Option<Step>) {
    let body = filter::body(model);
    let (width, height) = (usize::from(body.width), usize::from(body.height.saturating_sub(detail::TITLE)));
    let Some(opened) = &model.webhooks.open else { return };
    let lines = match opened.measured {
        Some((at, lines)) if at == width => lines,
        _ => detail::page(model, opened, width).lines.len(),
    };
    if let Some(opened) = &mut model.webhooks.open {
        opened.measured = Some((width, lines));
        opened.scroll = match by {
            Some(by) => list::scroll(opened.scroll, by, lines, height),
            None => opened.scroll.min(lines.saturating_sub(height)),
        };
    }
}

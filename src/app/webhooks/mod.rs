//! The webhooks view: the log, newest first, and one delivery opened. While nothing is selected the top is
//! followed; a selection stays on its delivery whatever comes in above.

pub mod detail;
pub mod hunt;
pub mod log;
mod opened;
#[cfg(test)]
mod tests;

use crate::{
    core::{
        board::Change,
        delivery::DeliverySummary,
        id::{DeliveryId, IncidentKey},
        incident::Incident,
        keys::Chord,
        query::{Kind, Value},
        text::Shown,
    },
    proto::{Answer, Request, RequestId},
};

use super::{
    Effect, Model, NoticeKind, View,
    filter::{self, Filter, Typed},
    incidents,
    keys::Action,
    list::{Cursor, Step},
    targets::{self, asking::Wish},
    wait::Wait,
};
use detail::Side;
use hunt::{Hunt, Reach};
use log::Log;
pub(super) use opened::replay;
pub use opened::{Opened, Reading};

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
    pub(crate) hunt: Hunt,
    pub(crate) older: Older,
    pub(crate) open: Option<Opened>,
    /// The newest line when it was last followed.
    seen: Option<DeliveryId>,
    /// The incident to which one went from here: one step back from it leads here again.
    left_for: Option<IncidentKey>,
    /// The incident from which one came to see its deliveries: one step back leads there again.
    came_from: Option<IncidentKey>,
    /// The delivery that the server is applying again.
    replaying: Option<(Wait, DeliveryId)>,
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
    /// The log begins here; what was before is not kept any more, if there was anything.
    None {
        let_go: Option<Shown>,
    },
    Failed(Shown),
}

impl State {
    /// Whether the newest lines are kept in sight as they come in.
    pub(crate) fn follows(&self) -> bool {
        self.cursor.selected().is_none() && self.cursor.offset() == 0
    }

    /// How many of `rows` came in since the log was last followed.
    pub(crate) fn news(&self, rows: &[&DeliverySummary]) -> usize {
        match self.seen {
            Some(seen) if !self.follows() => rows.iter().take_while(|row| row.id > seen).count(),
            _ => 0,
        }
    }
}

/// The lines that are wanted, newest first: what is loaded, and what the server found beyond.
pub(crate) fn rows(model: &Model) -> Vec<&DeliverySummary> {
    let State { log, hunt, .. } = &model.webhooks;
    if hunt.is_empty() {
        return log.lines().iter().collect();
    }
    let admitted = |line: &&DeliverySummary| hunt.admits(line, number(model, line));
    log.lines().iter().filter(admitted).chain(hunt.older(log.oldest()).filter(admitted)).collect()
}

/// The number of a delivery's incident, where it is known.
pub fn number(model: &Model, line: &DeliverySummary) -> Option<u64> {
    model.board.incidents.get(line.incident.as_ref()?)?.state.number
}

/// The incident as people call it: its number where it is known, else its id.
pub fn incident_words(model: &Model, key: &IncidentKey) -> String {
    model.board.incidents.get(key).map_or_else(|| key.id.to_string(), Incident::name)
}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Open => return opened::open(model),
        Action::GoToIncident => return go_to_incident(model),
        Action::ShowPretty => return opened::turn(model, Side::Pretty),
        Action::ShowRaw => return opened::turn(model, Side::Raw),
        Action::ShowHeaders => return opened::turn(model, Side::Headers),
        Action::ShowTiming => return opened::turn(model, Side::Timing),
        Action::Hex => return opened::toggle_hex(model),
        Action::CopyCurl => return opened::copy(model),
        Action::Replay => opened::begin_replay(model),
        Action::ResendFailed => return targets::ask(model, Wish::ResendFailed(None)),
        Action::Follow => {
            model.webhooks.open = None;
            model.webhooks.cursor = Cursor::default();
        }
        Action::Filter if model.webhooks.open.is_none() => model.webhooks.filter.open(),
        Action::Back => back(model),
        _ => {}
    }
    let Some(by) = Step::of(action) else { return settle(model) };
    if model.webhooks.open.is_some() {
        opened::scroll(model, Some(by));
        return vec![];
    }
    step(model, by)
}

/// One step back: out of the delivery, to the incident one came from, out of the query, to the top.
fn back(model: &mut Model) {
    let state = &mut model.webhooks;
    if state.open.take().is_some() {
        return;
    }
    let cleared = state.filter.clear();
    if state.came_from.take().is_some() && cleared {
        state.cursor = Cursor::default();
        model.view = View::Incidents;
    } else if !cleared {
        state.cursor = Cursor::default();
    }
}

/// Shows the deliveries of an incident.
pub(super) fn show_of(model: &mut Model, key: IncidentKey) -> Vec<Effect> {
    let value = Value { column: 1, text: key.to_string() };
    let query = Kind::Field { name: "incident".into(), values: vec![value] };
    show_from(model, &query.to_string(), Some(key))
}

/// Shows what a query finds.
pub(super) fn show(model: &mut Model, query: &str) -> Vec<Effect> {
    show_from(model, query, None)
}

fn show_from(model: &mut Model, query: &str, came_from: Option<IncidentKey>) -> Vec<Effect> {
    model.view = View::Webhooks;
    let state = &mut model.webhooks;
    (state.open, state.left_for, state.cursor) = (None, None, Cursor::default());
    state.filter.set(query);
    state.came_from = came_from;
    let mut effects = settle(model);
    effects.extend(hunt::further(model));
    effects
}

/// A key while text is being typed in this view (a filter line, the editor); `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    match model.webhooks.filter.take(chord)? {
        Typed::Step(by) => Some(step(model, by)),
        Typed::Changed => {
            model.webhooks.came_from = None;
            let mut effects = settle(model);
            if !model.webhooks.filter.is_typing() {
                effects.extend(entered(model));
            }
            Some(effects)
        }
        Typed::Nothing => Some(settle(model)),
    }
}

/// The query stands: the server is asked for what is not loaded.
fn entered(model: &mut Model) -> Vec<Effect> {
    if let Some(wrong) = model.webhooks.hunt.wrong.clone() {
        model.say(NoticeKind::Bad, &wrong.to_string());
        return vec![];
    }
    if model.webhooks.hunt.reach == Reach::Nowhere { hunt::further(model) } else { vec![] }
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
            Ok(Answer::Deliveries { deliveries, let_go }) => {
                state.log.append(before, deliveries);
                if deliveries.is_empty() { Older::None { let_go: let_go.clone() } } else { Older::Perhaps }
            }
            other => Older::Failed(why(other)),
        };
        return Some(settle(model));
    }
    if hunt::answered(&mut model.webhooks.hunt, id, answer) {
        let mut effects = settle(model);
        effects.extend(fill(model));
        return Some(effects);
    }
    opened::answered(model, id, answer)
}

/// A search that ended early goes on until the screen is full.
fn fill(model: &mut Model) -> Vec<Effect> {
    let wanting = rows(model).len() < height(model);
    if wanting && model.webhooks.hunt.reach == Reach::Part { hunt::further(model) } else { vec![] }
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
    state.hunt.detached();
    opened::detached(model);
}

/// Another server answers, with another log. `true`: a delivery was open, and is not any more.
pub(super) fn parted(model: &mut Model) -> bool {
    let State { filter, mut hunt, open, .. } = std::mem::take(&mut model.webhooks);
    hunt.start_over();
    model.webhooks = State { filter, hunt, ..State::default() };
    open.is_some()
}

/// Time has passed: what is meant by `since:1h` is something else now.
pub(super) fn ticked(model: &mut Model) -> Vec<Effect> {
    if model.webhooks.hunt.is_empty() { vec![] } else { settle(model) }
}

/// Rows or sizes changed, or the view was entered.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    if model.webhooks.log.follow(&model.board.deliveries) {
        model.webhooks.older = Older::Perhaps;
    }
    find_place(model)
}

/// After a single change, of which there may be thousands a second: the log takes one line, not all that the board holds.
pub(super) fn changed(model: &mut Model, change: &Change) -> Vec<Effect> {
    if let Change::Delivery(line) = change
        && model.webhooks.log.take(line, &model.board.deliveries)
    {
        model.webhooks.older = Older::Perhaps;
    }
    find_place(model)
}

/// While the view is not looked at, no line is judged.
fn find_place(model: &mut Model) -> Vec<Effect> {
    if model.view != View::Webhooks {
        return vec![];
    }
    read_query(model);
    let mut effects = hunt::rejoin(model);
    let (rows, height) = (ids(model), height(model));
    let state = &mut model.webhooks;
    let held = state.cursor.selected().is_some();
    state.cursor.settle(&rows, height);
    if held && state.cursor.selected().is_none() {
        state.cursor = Cursor::default();
    }
    if state.follows() {
        state.seen = state.log.newest();
    }
    opened::refresh(model);
    opened::scroll(model, None);
    effects.extend(hunt::news(model));
    effects
}

fn read_query(model: &mut Model) {
    let mut hunt = std::mem::take(&mut model.webhooks.hunt);
    hunt.read(model.webhooks.filter.as_str(), hunt::clock(model));
    model.webhooks.hunt = hunt;
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
    let mut effects = settle(model);
    let at_end = model.webhooks.cursor.selected() == rows.last();
    let down = matches!(by, Step::Down | Step::PageDown | Step::Bottom);
    if at_end && down {
        effects.extend(if model.webhooks.hunt.is_empty() { ask_older(model) } else { hunt::further(model) });
    }
    effects
}

fn ask_older(model: &mut Model) -> Vec<Effect> {
    let waiting = match &model.webhooks.older {
        Older::Asked { wait, .. } => !wait.overdue(model.now),
        Older::None { .. } => true,
        Older::Perhaps | Older::Failed(_) if model.webhooks.log.is_full() => true,
        Older::Perhaps | Older::Failed(_) => false,
    };
    let Some(before) = model.webhooks.log.oldest().filter(|_| !waiting) else { return vec![] };
    let Some((wait, effect)) = Wait::ask_aloud(model, Request::Deliveries { before, limit: PAGE }) else {
        return vec![];
    };
    model.webhooks.older = Older::Asked { wait, before };
    vec![effect]
}

/// With nothing selected, a key that needs a line means the newest.
fn select_newest(model: &mut Model) {
    let rows = ids(model);
    model.webhooks.cursor.hold_first_if_none(&rows);
    settle(model);
}

/// The opened or selected delivery.
fn at_hand(model: &Model) -> Option<&DeliverySummary> {
    let state = &model.webhooks;
    let selected = state.cursor.selected().and_then(|id| state.log.get(*id).or_else(|| state.hunt.found(*id)));
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

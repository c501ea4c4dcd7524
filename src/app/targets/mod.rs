//! The targets view: where outgoing webhooks go, how each stands, and one of them opened, made or changed. Whatever is
//! changed is changed by the server; what is typed stays until it says so.

pub mod asking;
pub mod detail;
pub mod form;
pub mod forms;
#[cfg(test)]
mod tests;
pub mod trial;

use crate::{
    core::{
        board::Change,
        delivery::DeliverySummary,
        forward::{Kept, TargetState, TargetSummary},
        id::TargetName,
        keys::{Chord, Key},
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
    list::{self, Cursor, Step},
    prompt::{Ask, Prompt},
    source::Pick,
    wait::Wait,
    webhooks,
};
use asking::Wish;
use form::Form;
use trial::Trial;

/// Lines above the list: what it is, and the headings.
pub const TITLE: u16 = 2;
/// Lines of the log that are asked for when a target is opened.
const PAGE: u32 = 20;

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) cursor: Cursor<TargetName>,
    pub(crate) filter: Filter,
    pub(crate) open: Option<Opened>,
    pub(crate) form: Option<Box<Form>>,
    pub(crate) trial: Option<Trial>,
    /// What was asked for, and is not answered.
    asked: Vec<(Wait, Wish)>,
    /// Attempts that were read from the log.
    read: Vec<DeliverySummary>,
    reading: Option<Wait>,
}

/// A target that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub name: TargetName,
    pub scroll: usize,
}

impl State {
    /// The target whose settings are typed and not saved; `new` when it has no name yet.
    pub(super) fn unsaved(&self) -> Option<String> {
        let form = self.form.as_ref().filter(|form| form.is_touched())?;
        let name = form.value(form::Field::Name);
        Some(if name.is_empty() { "the new target".to_owned() } else { format!("target {name}") })
    }

    fn asked_for_attempts(&self) -> bool {
        self.reading.is_some()
    }
}

/// The targets that the filter leaves, by name; those that need a look first.
pub fn rows(model: &Model) -> Vec<&TargetSummary> {
    let words = model.targets.filter.words();
    let admitted = |target: &&TargetSummary| {
        let (_, standing, _) = detail::standing(target);
        let template = target.template.as_deref().unwrap_or_default();
        words.admit(&[target.name.as_str(), target.address.as_str(), standing, template])
    };
    let mut rows: Vec<_> = model.board.targets.iter().filter(admitted).collect();
    rows.sort_by_key(|target| (rank(&target.state), &target.name));
    rows
}

fn rank(state: &TargetState) -> u8 {
    match state {
        TargetState::Disabled { .. } => 0,
        TargetState::Broken { .. } => 1,
        TargetState::On => 2,
        TargetState::Off => 3,
    }
}

/// The opened target, else the selected one.
pub fn at_hand(model: &Model) -> Option<&TargetSummary> {
    let state = &model.targets;
    let name = state.open.as_ref().map(|open| &open.name).or(state.cursor.selected())?;
    model.board.targets.iter().find(|target| target.name == *name)
}

/// The same, or says that there is none.
fn needed(model: &mut Model) -> Option<TargetSummary> {
    let target = at_hand(model).cloned();
    if target.is_none() {
        let words = if model.board.targets.is_empty() {
            "there is no target yet: n makes one"
        } else {
            "no target is selected: j and k select"
        };
        model.say(NoticeKind::Bad, words);
    }
    target
}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let effects = match action {
        Action::Open => return open(model),
        Action::NewTarget => forms::make(model),
        Action::EditTarget => forms::change(model),
        Action::SwitchTarget => switch(model),
        Action::TestTarget => test(model),
        Action::RemoveTarget => remove(model),
        Action::ResendFailed => {
            let target = at_hand(model).map(|target| target.name.clone());
            ask(model, Wish::ResendFailed(target))
        }
        Action::GoToDeliveries => return show_attempts(model),
        Action::Filter if model.targets.open.is_none() => {
            model.targets.filter.open();
            vec![]
        }
        Action::Back => {
            back(model);
            vec![]
        }
        _ => {
            if let Some(by) = Step::of(action) {
                step(model, by);
            }
            vec![]
        }
    };
    [effects, settle(model)].concat()
}

fn back(model: &mut Model) {
    let state = &mut model.targets;
    if state.open.take().is_none() && !state.filter.clear() {
        state.cursor = Cursor::default();
    }
}

/// Opens the selected target; of an opened one, its attempts in the log.
fn open(model: &mut Model) -> Vec<Effect> {
    if model.targets.open.is_some() {
        return show_attempts(model);
    }
    let Some(target) = needed(model) else { return vec![] };
    let query = of_target(&target.name);
    let asked = Wait::ask(model, Request::SearchDeliveries { query, before: None, limit: PAGE });
    let state = &mut model.targets;
    state.open = Some(Opened { name: target.name, scroll: 0 });
    state.reading = asked.as_ref().map(|(wait, _)| *wait);
    place(model);
    asked.map(|(_, effect)| effect).into_iter().collect()
}

/// The query that finds what was sent to a target.
fn of_target(name: &TargetName) -> String {
    let value = Value { column: 1, text: name.to_string() };
    Kind::Field { name: "target".into(), values: vec![value] }.to_string()
}

fn show_attempts(model: &mut Model) -> Vec<Effect> {
    let Some(target) = needed(model) else { return vec![] };
    webhooks::show(model, &of_target(&target.name))
}

/// Why this console cannot do anything to targets, said aloud.
fn may_act(model: &mut Model) -> bool {
    match incidents::may_act(model, &[], None) {
        Ok(()) => true,
        Err(reason) => {
            model.say(NoticeKind::Bad, &reason);
            false
        }
    }
}

/// Asks before it is done.
pub(super) fn ask(model: &mut Model, wish: Wish) -> Vec<Effect> {
    if may_act(model) {
        model.prompt = Some(Prompt { aims: vec![], left_out: vec![], ask: Ask::Forward(wish) });
    }
    vec![]
}

fn switch(model: &mut Model) -> Vec<Effect> {
    let Some(target) = needed(model) else { return vec![] };
    match target.state {
        // What is broken is on all the same: its events wait.
        TargetState::On | TargetState::Broken { .. } => ask(model, Wish::Off(target.name)),
        TargetState::Off | TargetState::Disabled { .. } => ask(model, Wish::On(target.name)),
    }
}

fn test(model: &mut Model) -> Vec<Effect> {
    let Some(target) = needed(model) else { return vec![] };
    if let TargetState::Broken { reason } = &target.state {
        model.say(NoticeKind::Bad, &format!("{} cannot be sent to: {reason}", target.name));
    } else if may_act(model) {
        trial::open(model, target.name);
    }
    vec![]
}

fn remove(model: &mut Model) -> Vec<Effect> {
    let Some(target) = needed(model) else { return vec![] };
    match target.kept {
        Kept::Here => ask(model, Wish::Remove(target.name)),
        Kept::Config => {
            let words = format!("{} stands in the configuration file: take it out there, then reload", target.name);
            model.say(NoticeKind::Bad, &words);
            vec![]
        }
    }
}

/// A key while text is being typed in this view; `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    if let Some(form) = model.targets.form.take() {
        let effects = forms::press(model, form, chord);
        place(model);
        return Some(effects);
    }
    if chord.ctrl && matches!(chord.key, Key::Char('c' | 'z')) && model.targets.trial.is_some() {
        return None;
    }
    if let Some(trial) = model.targets.trial.take() {
        return Some(trial::press(model, trial, chord));
    }
    if let Typed::Step(by) = model.targets.filter.take(chord)? {
        step(model, by);
    }
    place(model);
    Some(vec![])
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    if let Some(form) = &mut model.targets.form {
        form.paste(text);
        place(model);
        return true;
    }
    if let Some(trial) = &mut model.targets.trial {
        return trial.pick.filter.paste(text);
    }
    let taken = model.targets.filter.paste(text);
    place(model);
    taken
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    if model.targets.reading.take_if(|wait| wait.is(id)).is_some() {
        match answer {
            Ok(Answer::Found { deliveries, .. }) => model.targets.read.clone_from(deliveries),
            Ok(_) => {}
            Err(reason) => model.say(NoticeKind::Bad, &format!("the log was not read: {reason}")),
        }
        place(model);
        return Some(vec![]);
    }
    if model.targets.trial.as_mut().is_some_and(|trial| trial.pick.answered(id, answer)) {
        return Some(settle(model));
    }
    let effects = forms::answered(model, id, answer).or_else(|| asking::answered(model, id, answer));
    place(model);
    effects
}

/// A request went out and no answer came; `None`: not one of these. What only reads is told like a refusal, elsewhere.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> Option<Vec<Effect>> {
    forms::unanswered(model, id, why).or_else(|| asking::unanswered(model, id, why))
}

/// Another server answers, with another log: a test is chosen among its deliveries. What was changed of a target of the
/// earlier one is let go of, as a target here may have the same name. `true`: a form was closed.
pub(super) fn parted(model: &mut Model) -> bool {
    let state = &mut model.targets;
    state.trial.iter_mut().for_each(|trial| trial.pick = Pick::for_a_test());
    state.read.clear();
    state.form.take_if(|form| form.former.is_some()).is_some()
}

/// The link broke: what was asked will not be answered.
pub(super) fn detached(model: &mut Model) {
    model.targets.reading = None;
    model.targets.trial.iter_mut().for_each(|trial| trial.pick.detached());
    forms::detached(model);
    asking::detached(model);
}

/// Something is about to change: a target that is disabled by it is told of, wherever one looks.
pub(super) fn hear(model: &mut Model, change: &Change) {
    let Change::Targets(targets) = change else { return };
    let disabled = |target: &TargetSummary| matches!(target.state, TargetState::Disabled { .. });
    let was = |name: &TargetName| model.board.targets.iter().any(|known| known.name == *name && disabled(known));
    let new = targets.iter().find(|target| disabled(target) && !was(&target.name));
    if let Some(TargetSummary { name, state: TargetState::Disabled { reason, .. }, .. }) = new {
        model.say(NoticeKind::Bad, &format!("target {name} is DISABLED: {reason}; 6 and x switch it on"));
    }
}

/// Rows or sizes changed, or the view was entered.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    place(model);
    trial::settle(model)
}

/// Everything finds its place again.
fn place(model: &mut Model) {
    let (names, height) = (names(model), height(model));
    model.targets.cursor.settle(&names, height);
    if model.view == View::Targets {
        model.targets.cursor.hold_first_if_none(&names);
    }
    let known = |name: &TargetName| model.board.targets.iter().any(|target| target.name == *name);
    if model.targets.open.as_ref().is_some_and(|open| !known(&open.name)) {
        model.targets.open = None;
    }
    if model.targets.trial.as_ref().is_some_and(|trial| !known(&trial.target)) {
        model.targets.trial = None;
    }
    scroll(model, None);
    forms::settle(model);
}

fn step(model: &mut Model, by: Step) {
    if model.targets.open.is_some() {
        return scroll(model, Some(by));
    }
    let (names, height) = (names(model), height(model));
    model.targets.cursor.step(by, &names, height);
}

/// Moves within the opened target, and keeps the place within its text.
fn scroll(model: &mut Model, by: Option<Step>) {
    let Some(open) = model.targets.open.clone() else { return };
    let body = filter::body(model);
    let (width, height) = (super::geometry::text(body).width, usize::from(body.height.saturating_sub(1)));
    let Some(target) = at_hand(model) else { return };
    let lines = detail::page(model, target, width.into()).lines.len();
    let scroll = match by {
        Some(by) => list::scroll(open.scroll, by, lines, height),
        None => open.scroll.min(lines.saturating_sub(height.max(1))),
    };
    model.targets.open = Some(Opened { scroll, ..open });
}

fn names(model: &Model) -> Vec<TargetName> {
    rows(model).iter().map(|target| target.name.clone()).collect()
}

fn height(model: &Model) -> usize {
    filter::list_areas(filter::body(model), TITLE, &model.targets.filter).rows.height.into()
}

/// The targets that can be sent to now, by name.
pub(super) fn ready(model: &Model) -> Vec<TargetName> {
    let can = |target: &&TargetSummary| matches!(target.state, TargetState::On);
    model.board.targets.iter().filter(can).map(|target| target.name.clone()).collect()
}

/// What the list says when there is nothing in it.
pub fn nothing(model: &Model) -> String {
    if model.targets.filter.is_set() {
        return "No target has these words.".to_owned();
    }
    match model.watching() {
        Some(reason) => format!("No target yet, and none can be made here: {}", Shown::line(reason)),
        None => "No target yet: nothing is sent anywhere. n makes one; so does [[target]] in the configuration file."
            .to_owned(),
    }
}

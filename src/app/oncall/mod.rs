//! The on-call view: whether I have the pager and when next, who is on call now and who follows, level by level, and
//! the schedules' next shifts. The place in it is held by identity.

#[cfg(test)]
mod arranging_tests;
pub mod grid;
#[cfg(test)]
mod hand_over_tests;
pub mod lines;
pub mod mine;
#[cfg(test)]
mod tests;

use crate::{
    core::{action::Verb, board::Change, keys::Chord, oncall::OnCall},
    proto::{Answer, RequestId},
};

use super::{
    Effect, Model, NoticeKind, View,
    filter::{self, Filter, Typed},
    keys::Action,
    list::{Cursor, Step},
    prompt,
};
use grid::Extent;
use lines::Place;

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) cursor: Cursor<Place>,
    pub(crate) filter: Filter,
    pub(crate) mine: mine::Mine,
    pub grid: Option<grid::Grid>,
}

/// Lines above the list: what it is, and the zone.
pub const TITLE: u16 = 1;

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::TakePager => return prompt::arrange::take(model),
        Action::NewOverride => return prompt::arrange::new_override(model),
        Action::RemoveOverride => return prompt::arrange::remove_override(model),
        _ => {}
    }
    if model.oncall.grid.is_some() {
        return grid::act(model, action).unwrap_or_default();
    }
    match action {
        Action::DayGrid => return grid::open(model, Extent::Day),
        Action::WeekGrid => return grid::open(model, Extent::Week),
        Action::Open => go_to_schedule(model),
        Action::Filter => model.oncall.filter.open(),
        Action::Back => {
            if !model.oncall.filter.clear() {
                model.oncall.cursor = Cursor::default();
            }
        }
        _ => {
            if let Some(by) = Step::of(action) {
                step(model, by);
            }
        }
    }
    settle(model)
}

/// A key while text is being typed in this view (a filter line, the editor); `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    if let Typed::Step(by) = model.oncall.filter.take(chord)? {
        step(model, by);
    }
    Some(settle(model))
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let taken = model.oncall.filter.paste(text);
    settle(model);
    taken
}

/// An answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let mut effects = mine::answered(model, id, answer).or_else(|| grid::answered(model, id, answer))?;
    effects.extend(settle(model));
    Some(effects)
}

/// Time has passed: what is asked for here may be due.
pub(super) fn ticked(model: &mut Model) -> Vec<Effect> {
    mine::ask(model)
}

/// The providers are being asked.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    mine::forget(model);
    [mine::ask(model), grid::ask_again(model)].concat()
}

/// After a change. Where it may be one of the schedules, the grid asks for its week again.
pub(super) fn changed(model: &mut Model, change: &Change) -> Vec<Effect> {
    let account = match change {
        Change::Schedules { account, .. } => Some(account),
        Change::Action(action) if action.is_final() && matches!(action.verb, Verb::Arrange(_)) => {
            action.outcomes.first().map(|(key, _)| &key.account)
        }
        _ => None,
    };
    let again = account.is_some() && model.oncall.grid.as_ref().map(grid::Grid::account) == account;
    let mut effects = if again { grid::ask_again(model) } else { vec![] };
    effects.extend(settle(model));
    effects
}

pub(super) fn detached(model: &mut Model) {
    mine::detached(model);
    grid::detached(model);
}

/// Rows or sizes changed, or the view was entered. While it is not looked at, nothing is worked out.
pub(super) fn settle(model: &mut Model) -> Vec<Effect> {
    if model.view != View::OnCall {
        return vec![];
    }
    let (places, height) = (places(model), height(model));
    model.oncall.cursor.settle(&places, height);
    [mine::ask(model), grid::fetch_outdated(model)].concat()
}

fn places(model: &Model) -> Vec<Place> {
    lines::lines(model).into_iter().map(|line| line.place).collect()
}

fn height(model: &Model) -> usize {
    filter::list_areas(filter::body(model), TITLE, &model.oncall.filter).rows.height.into()
}

/// One step, and on over lines that only belong to their neighbours.
fn step(model: &mut Model, by: Step) {
    let (places, height) = (places(model), height(model));
    let cursor = &mut model.oncall.cursor;
    cursor.step(by, &places, height);
    let on = if matches!(by, Step::Up | Step::Top | Step::PageUp) { Step::Up } else { Step::Down };
    for _ in 0..places.len() {
        if !cursor.selected().is_some_and(Place::is_between) {
            return;
        }
        cursor.step(on, &places, height);
    }
}

/// From a person to the schedule that put them there.
fn go_to_schedule(model: &mut Model) {
    match opens(model) {
        Some(place) => model.oncall.cursor.select(Some(place)),
        None => {
            model.say(NoticeKind::Bad, "nothing to open here: enter goes from a person to the schedule they come from");
        }
    }
}

/// The schedule that put the selected person there, when it is in the list.
pub(crate) fn opens(model: &Model) -> Option<Place> {
    let Place::Person { account, policy, level, user } = model.oncall.cursor.selected()? else { return None };
    let board = model.board.accounts.get(account)?;
    let same = |on: &&OnCall| on.policy.id == *policy && on.level == *level && on.user.id == *user;
    let listed = places(model);
    let schedules = board.oncalls.iter().filter(same).filter_map(|on| on.schedule.as_ref());
    let mut places = schedules.map(|schedule| Place::Schedule { account: account.clone(), id: schedule.id.clone() });
    places.find(|place| listed.contains(place))
}

//! The services view: how each service stands by its open incidents, who is on call for it, and its maintenance
//! windows. Selection is an identity; enter goes to the service's incidents.

use jiff::Timestamp;

use super::{
    Effect, Model, NoticeKind, View,
    filter::{self, Filter, Typed},
    incidents,
    keys::Action,
    list::{Cursor, Step},
    prompt,
};
use crate::core::{
    board::AccountBoard,
    id::{AccountName, ServiceId},
    keys::Chord,
    oncall::OnCall,
    rota::has_turned,
    service::{Condition, Service, Window, condition, open},
    text::Shown,
};

/// Which service.
pub type Place = (AccountName, ServiceId);

/// Lines above the list: what it is, and the headings.
pub const TITLE: u16 = 2;

/// What this view remembers.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) cursor: Cursor<Place>,
    pub(crate) filter: Filter,
}

/// A service as its row shows it.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    pub account: &'a AccountName,
    pub service: &'a Service,
    pub condition: Condition,
    /// Triggered, acknowledged.
    pub open: (usize, usize),
    pub on_call: First<'a>,
    /// Those that are not over, the first first.
    pub windows: Vec<&'a Window>,
}

/// Who is on call at level 1 of a service's policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct First<'a> {
    pub names: Vec<&'a Shown>,
    /// There may be others, or who it is is not known at all.
    pub lacks_some: bool,
}

impl Row<'_> {
    pub fn place(&self) -> Place {
        (self.account.clone(), self.service.service.id.clone())
    }
}

/// All services that the filter leaves: the worst first, then by name.
pub fn rows(model: &Model) -> Vec<Row<'_>> {
    let words = model.services.filter.words();
    let mut rows: Vec<Row<'_>> = model.board.accounts.values().flat_map(|board| of_account(model, board)).collect();
    rows.retain(|row| {
        let policy = row.service.policy.as_ref().map_or("", |policy| policy.name.as_str());
        let mut fields = vec![row.service.service.name.as_str(), policy, row.condition.word(), row.account.as_str()];
        fields.extend(row.on_call.names.iter().map(|name| name.as_str()));
        words.admit(&fields)
    });
    rows.sort_by(|a, b| {
        let key = |row: &Row<'_>| (row.condition, std::cmp::Reverse(row.open));
        (key(a), &a.service.service.name, a.place()).cmp(&(key(b), &b.service.service.name, b.place()))
    });
    rows
}

fn of_account<'a>(model: &'a Model, board: &'a AccountBoard) -> Vec<Row<'a>> {
    let now = board.account.provider_time(model.now);
    let name = &board.account.name;
    let open = open(&model.board, name);
    let row = |service: &'a Service| {
        let open = open.get(&service.service.id).copied().unwrap_or_default();
        let windows = board.services.windows_of(&service.service.id, now);
        let condition = condition(service, open, &windows, now);
        Row { account: name, service, condition, open, on_call: on_call(board, service, now), windows }
    };
    board.services.services.iter().map(row).collect()
}

/// Who is paged first for a service. Not known when its policy is not, or nobody has told who is on call; nor who came
/// after somebody whose time is over.
fn on_call<'a>(board: &'a AccountBoard, service: &Service, now: Timestamp) -> First<'a> {
    let Some(policy) = service.policy.as_ref().filter(|_| board.account.on_call.last_success.is_some()) else {
        return First { names: vec![], lacks_some: true };
    };
    let first = |on: &&OnCall| on.policy.id == policy.id && on.level == 1;
    let running = board.oncalls.iter().filter(first).filter(|on| !on.has_ended(now));
    let mut names: Vec<&Shown> = running.map(|on| &on.user.name).collect();
    names.dedup();
    First { names, lacks_some: has_turned(&board.oncalls, &policy.id, 1, now) }
}

/// The service at hand.
pub fn selected(model: &Model) -> Option<Row<'_>> {
    let place = model.services.cursor.selected()?;
    rows(model).into_iter().find(|row| row.place() == *place)
}

/// A key of the table, pressed in this view.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Open => return go_to_incidents(model),
        Action::StartMaintenance => return prompt::arrange::start_maintenance(model),
        Action::EndMaintenance => return prompt::arrange::end_maintenance(model),
        Action::Filter => model.services.filter.open(),
        Action::Back => {
            if !model.services.filter.clear() {
                model.services.cursor = Cursor::default();
            }
        }
        _ => {
            if let Some(by) = Step::of(action) {
                step(model, by);
            }
        }
    }
    settle(model);
    vec![]
}

/// A key while text is being typed in this view; `None`: it is not.
pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    if let Typed::Step(by) = model.services.filter.take(chord)? {
        step(model, by);
    }
    settle(model);
    Some(vec![])
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let taken = model.services.filter.paste(text);
    settle(model);
    taken
}

/// Rows or sizes changed, or the view was entered. While it is not looked at, nothing is worked out.
pub(super) fn settle(model: &mut Model) {
    if model.view != View::Services {
        return;
    }
    let (places, height) = (places(model), height(model));
    model.services.cursor.settle(&places, height);
}

fn step(model: &mut Model, by: Step) {
    let (places, height) = (places(model), height(model));
    model.services.cursor.step(by, &places, height);
}

fn places(model: &Model) -> Vec<Place> {
    rows(model).iter().map(Row::place).collect()
}

fn height(model: &Model) -> usize {
    filter::list_areas(filter::body(model), TITLE, &model.services.filter).rows.height.into()
}

fn go_to_incidents(model: &mut Model) -> Vec<Effect> {
    if let Some((account, service)) = selected(model).map(|row| (row.account.clone(), row.service.service.clone())) {
        return incidents::show_service(model, &account, &service);
    }
    model.say(NoticeKind::Bad, "no service is selected: j and k select");
    vec![]
}

#[cfg(test)]
mod tests;

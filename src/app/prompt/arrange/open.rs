//! Opening these prompts: on what is at hand, else on what is chosen first.

use jiff::SignedDuration;

use super::{Arranging, Choice, Stage, Thing, Wish, ask, height, open, refuse, words::span_words};
use crate::{
    app::{Effect, Model, arranging, oncall, prompt::choices::last_seen, services},
    core::{
        id::{AccountName, ScheduleId, ServiceId},
        incident::Named,
        rota::Override,
        service::Window,
        span::Span,
        text::Shown,
    },
    proto::Request,
};

/// How far ahead overrides are looked for.
const AHEAD: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Opens the prompt to put oneself on the schedule at hand, or on one that is chosen first.
pub(in crate::app) fn take(model: &mut Model) -> Vec<Effect> {
    begin(model, Wish::Take)
}

pub(in crate::app) fn new_override(model: &mut Model) -> Vec<Effect> {
    begin(model, Wish::Override)
}

pub(in crate::app) fn remove_override(model: &mut Model) -> Vec<Effect> {
    begin(model, Wish::RemoveOverride)
}

fn begin(model: &mut Model, wish: Wish) -> Vec<Effect> {
    if let Some((account, schedule)) = oncall::grid::at_hand(model) {
        return on_schedule(model, Arranging::new(wish, account.clone()), account, schedule);
    }
    let Some(first) = model.board.accounts.keys().next().cloned() else {
        return refuse(model, "no account is configured");
    };
    let mut accounts = model.board.accounts.keys();
    if accounts.all(|account| arranging::may_arrange(model, account).is_err())
        && let Err(reason) = arranging::may_arrange(model, &first)
    {
        return refuse(model, &reason);
    }
    let choices: Vec<Choice> = schedules(model);
    if choices.is_empty() {
        return refuse(model, "no schedule is known yet");
    }
    let height = height(model);
    let mut arranging = Arranging::new(wish, first);
    arranging.choose_among(Stage::Schedule, choices, height);
    open(model, arranging);
    vec![]
}

/// All schedules, with who has them now.
fn schedules(model: &Model) -> Vec<Choice> {
    let several = model.board.accounts.len() > 1;
    let mut out = vec![];
    for board in model.board.accounts.values() {
        let now = board.account.provider_time(model.now);
        for known in &board.schedules {
            let has_it = known.shifts.iter().find(|shift| shift.start <= now && now < shift.end);
            let who = has_it.map_or("nobody".into(), |shift| shift.user.name.to_string());
            let account = if several { format!("{}: ", board.account.name) } else { String::new() };
            out.push(Choice {
                thing: Thing::Schedule(board.account.name.clone(), known.schedule.clone()),
                name: known.schedule.name.to_string(),
                about: format!("{account}{who} now"),
            });
        }
    }
    out
}

/// The schedule is known: what comes next.
pub(super) fn on_schedule(
    model: &mut Model,
    mut arranging: Arranging,
    account: AccountName,
    schedule: Named<ScheduleId>,
) -> Vec<Effect> {
    if let Err(reason) = arranging::may_arrange(model, &account) {
        model.prompt = None;
        return refuse(model, &reason);
    }
    let height = height(model);
    arranging.account = account.clone();
    arranging.schedule = Some(schedule.clone());
    let Some(board) = model.board.accounts.get(&account) else { return vec![] };
    match arranging.wish {
        Wish::Take => {
            let Some(me) = model.me(board).cloned() else {
                let why = format!("at {account} it is not known who you are: O puts somebody on the schedule by name");
                return refuse(model, &why);
            };
            arranging.user = Some(me);
            arranging.stage = Stage::When;
        }
        Wish::Override => {
            let choices = people(model, &account);
            arranging.choose_among(Stage::Person, choices, height);
        }
        Wish::RemoveOverride => {
            let from = board.account.provider_time(model.now);
            let span = Span { from, to: from.checked_add(AHEAD).unwrap_or(from) };
            return ask(model, arranging, Request::Overrides { account, schedule: schedule.id, span });
        }
        Wish::StartMaintenance | Wish::EndMaintenance => {}
    }
    open(model, arranging);
    vec![]
}

fn people(model: &Model, account: &AccountName) -> Vec<Choice> {
    let Some(board) = model.board.accounts.get(account) else { return vec![] };
    let seen = last_seen(board);
    let mut people: Vec<_> = board.people.iter().collect();
    people.sort_by(|a, b| a.user.name.cmp(&b.user.name));
    let choice = |person: &&crate::core::oncall::Person| Choice {
        thing: Thing::Person(person.user.clone()),
        name: person.user.name.to_string(),
        about: format!("{seen}{}", person.email.as_ref().map_or_else(String::new, ToString::to_string)),
    };
    people.iter().map(choice).collect()
}

/// Opens the prompt for a maintenance window of the service at hand.
pub(in crate::app) fn start_maintenance(model: &mut Model) -> Vec<Effect> {
    let Some((account, service)) = service_at_hand(model) else {
        return refuse(model, "no service is selected: j and k select");
    };
    if let Err(reason) = arranging::may_arrange(model, &account) {
        return refuse(model, &reason);
    }
    let mut arranging = Arranging::new(Wish::StartMaintenance, account);
    arranging.service = Some(service);
    open(model, arranging);
    vec![]
}

fn service_at_hand(model: &Model) -> Option<(AccountName, Named<ServiceId>)> {
    services::selected(model).map(|row| (row.account.clone(), row.service.service.clone()))
}

/// Opens the prompt to end a window of the service at hand.
pub(in crate::app) fn end_maintenance(model: &mut Model) -> Vec<Effect> {
    let Some((account, service)) = service_at_hand(model) else {
        return refuse(model, "no service is selected: j and k select");
    };
    if let Err(reason) = arranging::may_arrange(model, &account) {
        return refuse(model, &reason);
    }
    let windows = services::selected(model).map(|row| row.windows.into_iter().cloned().collect::<Vec<Window>>());
    let windows = windows.unwrap_or_default();
    let choices: Vec<Choice> = windows.iter().map(|window| window_choice(model, window)).collect();
    let mut arranging = Arranging::new(Wish::EndMaintenance, account);
    arranging.service = Some(service);
    match choices.as_slice() {
        [] => return refuse(model, "this service has no maintenance window that runs or is to come"),
        [only] => {
            arranging.chosen = Some(only.thing.clone());
            arranging.stage = Stage::Confirming;
        }
        _ => {
            let height = height(model);
            arranging.choose_among(Stage::Window, choices, height);
        }
    }
    open(model, arranging);
    vec![]
}

fn window_choice(model: &Model, window: &Window) -> Choice {
    let about = span_words(model, Span { from: window.start, to: window.end });
    let others = window.services.len().saturating_sub(1);
    let more = if others > 0 { format!(", {others} services more") } else { String::new() };
    let words = if window.description.is_empty() { "maintenance" } else { window.description.as_str() };
    let name = Shown::line(&format!("{words} {about}{more}"));
    Choice {
        thing: Thing::Window(Named { id: window.id.clone(), name }),
        name: words.to_owned(),
        about: format!("{about}{more}"),
    }
}

pub(super) fn override_choice(model: &Model, known: &Override) -> Choice {
    let about = span_words(model, Span { from: known.start, to: known.end });
    Choice { thing: Thing::Override(known.clone()), name: known.user.name.to_string(), about }
}

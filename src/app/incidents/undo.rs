//! Taking back what waits. Only the server knows whether something was sent, so nothing is said of that which it
//! has not told.

use jiff::SignedDuration;

use crate::{
    app::{About, Effect, Link, Model, Notice, NoticeKind},
    core::{
        action::{Action, Outcome},
        id::ActionId,
    },
    proto::{Answer, Request, RequestId},
};

use super::words;

/// For how much longer the action of which the notice tells is the one that is taken back next; `None` while there is no
/// link, or when it is being taken back.
pub fn can_be_taken_back(model: &Model, notice: &Notice) -> Option<SignedDuration> {
    let About::Action(about) = notice.about else { return None };
    time_left(model, waiting(model).into_iter().find(|action| action.id == about)?)
}

/// Where the notice tells that an action was taken back: what is taken back next, in short, and for how much longer.
pub fn next_to_take_back(model: &Model, notice: &Notice) -> Option<(String, SignedDuration)> {
    let About::Action(about) = notice.about else { return None };
    let told = model.board.actions.iter().find(|action| action.id == about)?;
    let is_back = told.outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::TakenBack));
    let next = waiting(model).into_iter().next().filter(|_| is_back)?;
    Some((words::in_short(&model.board, next), time_left(model, next)?))
}

/// For how much longer what waits can be taken back.
fn time_left(model: &Model, action: &Action) -> Option<SignedDuration> {
    let left = action.due?.duration_since(model.now);
    (is_linked(model) && left > SignedDuration::ZERO).then_some(left)
}

/// Ours that are not final, newest first, each with the first request of the key that asked for it.
fn unfinished(model: &Model) -> impl Iterator<Item = (&Action, RequestId)> {
    let ours = &model.incidents.tracking.ours;
    let open = model.board.actions.iter().filter(|action| !action.is_final());
    open.filter_map(|action| Some((action, ours.get(&action.id)?.1.with)))
}

/// The newest that waits and is not being taken back, with all that the same key asked for.
fn waiting(model: &Model) -> Vec<&Action> {
    let waits = |action: &Action| action.waits() && !is_taken_back(model, action.id);
    let mut waiting = unfinished(model).filter(|(action, _)| waits(action)).peekable();
    let newest = waiting.peek().map(|(_, with)| *with);
    waiting.filter(|(_, with)| Some(*with) == newest).map(|(action, _)| action).collect()
}

/// Those that are being taken back, or were and are not final yet.
fn going_back(model: &Model) -> Vec<&Action> {
    unfinished(model).map(|(action, _)| action).filter(|action| is_taken_back(model, action.id)).collect()
}

fn is_linked(model: &Model) -> bool {
    matches!(model.link, Link::Up(_))
}

fn is_taken_back(model: &Model, action: ActionId) -> bool {
    let tracking = &model.incidents.tracking;
    tracking.taken_back.contains(&action) || tracking.taking_back.values().any(|asked| *asked == action)
}

/// Asks for the newest of our actions that waits to be taken back, with all that was asked for by the same key; whether
/// their time is over is for the server to say.
pub(in crate::app) fn take_back(model: &mut Model) -> Vec<Effect> {
    let mut waiting = waiting(model);
    if waiting.is_empty() {
        waiting = going_back(model);
    }
    let sent = unfinished(model).next().map(|(action, _)| action).filter(|_| waiting.is_empty());
    let called = |action: &Action| words::called(&model.board, action);
    let all = waiting.iter().copied().chain(sent).map(called).collect::<Vec<_>>().join("; ");
    let Some(newest) = waiting.first().copied().or(sent).map(|action| action.id) else {
        let words = model.no_link().unwrap_or_else(|| nothing(model).to_owned());
        model.say(NoticeKind::Bad, &words);
        return vec![];
    };
    let ids: Vec<ActionId> = waiting.iter().map(|action| action.id).collect();
    let about = About::Action(newest);
    if !is_linked(model) {
        let text = format!("{all}: no link to the server: not known whether it was sent; it may still be");
        model.say_of(NoticeKind::Bad, &text, about);
        return vec![];
    }
    if ids.is_empty() {
        let why = sent.map(too_late).unwrap_or_default();
        model.say_of(NoticeKind::Bad, &format!("{all}: {why}"), about);
        return vec![];
    }
    model.say_of(NoticeKind::Working, &format!("taking back: {all} …"), about);
    let ask = |action: ActionId| {
        (!is_taken_back(model, action)).then(|| {
            let (request, effect) = model.ask(Request::TakeBack { action });
            model.incidents.tracking.taking_back.insert(request, action);
            effect
        })
    };
    ids.into_iter().filter_map(ask).collect()
}

/// Why this one cannot be taken back any more: it was sent, or tried.
fn too_late(action: &Action) -> String {
    let is_pending = |(_, outcome): &(_, Outcome)| matches!(outcome, Outcome::Pending { .. });
    if !action.outcomes.iter().all(is_pending) {
        return "sent already, what was sent stays sent".to_owned();
    }
    let waits = action.outcomes.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Pending { waits_for } => waits_for.map(|what| format!(": {}", what.words())),
        _ => None,
    });
    format!("cannot be taken back any more, and was not sent yet{}", waits.unwrap_or_default())
}

/// Why there is nothing to take back.
fn nothing(model: &Model) -> &'static str {
    if model.incidents.tracking.asked.is_empty() {
        "nothing can be taken back: none of your actions waits"
    } else {
        "the server has not answered yet: u again when it has"
    }
}

/// The server's answer; `false`: to something else. What became of the action itself is told by its outcomes.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> bool {
    let Some(action) = model.incidents.tracking.taking_back.remove(&id) else { return false };
    match answer {
        Err(reason) => say(model, action, &format!("not taken back: {reason}")),
        Ok(_) if model.incidents.tracking.ours.contains_key(&action) => {
            model.incidents.tracking.taken_back.insert(action);
        }
        Ok(_) => {}
    }
    true
}

/// No answer came; `false`: to something else.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> bool {
    let Some(action) = model.incidents.tracking.taking_back.remove(&id) else { return false };
    say(model, action, &format!("not known whether it is taken back, it may still be sent: {why}"));
    true
}

/// Says why it may not be taken back, unless what became of the action is known by now.
fn say(model: &mut Model, id: ActionId, what: &str) {
    let known = unfinished(model).find(|(action, _)| action.id == id);
    let Some(called) = known.map(|(action, _)| words::called(&model.board, action)) else { return };
    model.say_of(NoticeKind::Bad, &format!("{called}: {what}"), About::Action(id));
}

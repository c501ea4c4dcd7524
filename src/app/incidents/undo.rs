//! Taking back what waits. Only the server knows whether something was sent, so nothing is said of that which it
//! has not told.

use jiff::SignedDuration;

use crate::{
    app::{About, Effect, Link, Model, NoticeKind},
    core::{action::Action, id::ActionId},
    proto::{Answer, Request, RequestId},
};

use super::words;

/// The open request to take an action back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TakingBack {
    id: RequestId,
    action: ActionId,
}

/// The newest of our actions that can still be taken back, and for how much longer; none while there is no link, or
/// when it is being taken back.
pub fn undoable(model: &Model) -> Option<(&Action, SignedDuration)> {
    let action = unfinished(model).find(|action| action.waits())?;
    let left = action.due?.duration_since(model.now);
    let asked = is_taken_back(model, action.id);
    (is_linked(model) && !asked && left > SignedDuration::ZERO).then_some((action, left))
}

/// Ours that are not final, newest first.
fn unfinished(model: &Model) -> impl Iterator<Item = &Action> {
    let ours = |action: &&Action| model.incidents.tracking.ours.contains(&action.id) && !action.is_final();
    model.board.actions.iter().filter(ours)
}

fn is_linked(model: &Model) -> bool {
    matches!(model.link, Link::Up(_))
}

fn is_taken_back(model: &Model, action: ActionId) -> bool {
    model.incidents.tracking.taking_back.is_some_and(|open| open.action == action)
}

/// Asks for the newest of our actions that waits to be taken back; whether its time is over is for the server to say.
pub(super) fn take_back(model: &mut Model) -> Vec<Effect> {
    let waiting = unfinished(model).find(|action| action.waits());
    let Some(action) = waiting.or_else(|| unfinished(model).next()).cloned() else {
        let words = model.no_link().unwrap_or_else(|| nothing(model).to_owned());
        model.say(NoticeKind::Bad, &words);
        return vec![];
    };
    let (id, called) = (action.id, words::called(&model.board, &action));
    if !is_linked(model) {
        let text = format!("{called}: no link to the server: not known whether it was sent; it may still be");
        model.say_of(NoticeKind::Bad, &text, About::Action(id));
        return vec![];
    }
    if !action.waits() {
        model.say_of(NoticeKind::Bad, &format!("{called}: sent already, what was sent stays sent"), About::Action(id));
        return vec![];
    }
    model.say_of(NoticeKind::Working, &format!("taking back: {called} …"), About::Action(id));
    if is_taken_back(model, id) {
        return vec![];
    }
    let (request, effect) = model.ask(Request::TakeBack { action: id });
    model.incidents.tracking.taking_back = Some(TakingBack { id: request, action: id });
    vec![effect]
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
    let Some(open) = take(model, id) else { return false };
    if let Err(reason) = answer {
        say(model, open, &format!("not taken back: {reason}"));
    }
    true
}

/// No answer came; `false`: to something else.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> bool {
    let Some(open) = take(model, id) else { return false };
    say(model, open, &format!("not known whether it is taken back, it may still be sent: {why}"));
    true
}

fn take(model: &mut Model, id: RequestId) -> Option<TakingBack> {
    model.incidents.tracking.taking_back.take_if(|open| open.id == id)
}

/// Says why it may not be taken back, unless what became of the action is known by now.
fn say(model: &mut Model, open: TakingBack, what: &str) {
    let known = unfinished(model).find(|action| action.id == open.action);
    let Some(called) = known.map(|action| words::called(&model.board, action)) else { return };
    model.say_of(NoticeKind::Bad, &format!("{called}: {what}"), About::Action(open.action));
}

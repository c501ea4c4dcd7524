//! Overrides and maintenance windows that this console asked for, and what became of them. Nothing is called done
//! before the server says `confirmed`.

use std::collections::BTreeMap;

use super::{Effect, Model, NoticeKind, incidents, parting::ANOTHER};
use crate::{
    core::{
        action::{Action, Outcome, Verb},
        arrangement::Arrangement,
        id::{AccountName, ActionId},
    },
    proto::{Answer, Request, RequestId},
};

/// What is under way.
#[derive(Debug, Default)]
pub struct State {
    /// Sent to the server, not yet written down there.
    asked: BTreeMap<RequestId, Arrangement>,
    /// Written down, not final.
    ours: BTreeMap<ActionId, Arrangement>,
}

/// Whether this console can arrange anything at `account`; else why not.
pub(super) fn may_arrange(model: &Model, account: &AccountName) -> Result<(), String> {
    if let Some(reason) = model.no_link() {
        return Err(reason);
    }
    let board = model.board.accounts.get(account).ok_or_else(|| format!("{account} is not configured any more"))?;
    match model.cannot_act(&board.account) {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// Sends it to the server, once.
pub(super) fn send(model: &mut Model, account: AccountName, what: Arrangement) -> Vec<Effect> {
    model.say(NoticeKind::Working, &format!("{} …", phrase(&what)));
    let (id, effect) = model.ask(Request::Arrange { account, what: Box::new(what.clone()) });
    model.arranging.asked.insert(id, what);
    vec![effect]
}

/// `override Primary: Bob Okafor`.
fn phrase(what: &Arrangement) -> String {
    match what.parts() {
        1 => format!("{} {}", what.word(), what.subject(0)),
        parts => format!("{} {} and {} more", what.word(), what.subject(0), parts - 1),
    }
}

/// An answer; `None`: not to one of ours.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let what = model.arranging.asked.remove(&id)?;
    match answer {
        Ok(Answer::Accepted { action }) => {
            model.arranging.ours.insert(*action, what);
            report(model, *action);
        }
        Ok(_) => doubt(model, &what, "the server answered something else"),
        Err(reason) => model.say(NoticeKind::Bad, &format!("{}: not done: {reason}", phrase(&what))),
    }
    Some(vec![])
}

/// A request went out and no answer came; `None`: not one of ours.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> Option<Vec<Effect>> {
    let what = model.arranging.asked.remove(&id)?;
    doubt(model, &what, why);
    Some(vec![])
}

fn doubt(model: &mut Model, what: &Arrangement, why: &str) {
    let text = format!("{}: not known whether it is done: {why}; ctrl-r, then look", phrase(what));
    model.say(NoticeKind::Bad, &text);
}

/// The link broke: what the server had not written down by then may or may not be done.
pub(super) fn detached(model: &mut Model) {
    for what in std::mem::take(&mut model.arranging.asked).into_values() {
        doubt(model, &what, "the link to the server broke");
    }
}

/// A whole new board: hears what became of ours meanwhile. One that is not there any more is in doubt.
pub(super) fn attached(model: &mut Model) {
    for (id, what) in std::mem::take(&mut model.arranging.ours) {
        if model.board.actions.iter().any(|action| action.id == id) {
            model.arranging.ours.insert(id, what);
            report(model, id);
        } else {
            doubt(model, &what, "the server does not tell of it any more");
        }
    }
}

/// Another server answers, with another store: its actions are not ours, whatever their numbers.
pub(super) fn parted(model: &mut Model) {
    for what in std::mem::take(&mut model.arranging.ours).into_values() {
        doubt(model, &what, ANOTHER);
    }
}

/// An action on the board changed.
pub(super) fn changed(model: &mut Model, action: &Action) {
    if model.arranging.ours.contains_key(&action.id) {
        report(model, action.id);
    }
}

/// Says how one of ours stands; lets go of it once it is final.
fn report(model: &mut Model, id: ActionId) {
    let Some(action) = model.board.actions.iter().find(|action| action.id == id).cloned() else { return };
    let Verb::Arrange(what) = &action.verb else { return };
    let ended_badly = |o: &Outcome| o.is_final() && !matches!(o, Outcome::Confirmed { .. });
    let kind = if action.outcomes.iter().any(|(_, outcome)| ended_badly(outcome)) {
        NoticeKind::Bad
    } else if action.is_final() {
        NoticeKind::Good
    } else {
        NoticeKind::Working
    };
    // Bad news stays until it was seen.
    if kind == NoticeKind::Bad || model.notice.as_ref().is_none_or(|notice| notice.kind != NoticeKind::Bad) {
        model.say(kind, &summary(what, &action));
    }
    if action.is_final() {
        model.arranging.ours.remove(&id);
    }
}

/// Each part with its own outcome.
pub(super) fn summary(what: &Arrangement, action: &Action) -> String {
    let parts = action.outcomes.iter().enumerate().map(|(at, (_, outcome))| {
        let words = match outcome {
            Outcome::Pending { .. } | Outcome::Sent => "…".to_owned(),
            Outcome::Confirmed { notice: None } => "done".to_owned(),
            outcome => incidents::outcome_words(outcome),
        };
        format!("{}: {words}", what.subject(at))
    });
    format!("{} {}", what.word(), parts.collect::<Vec<_>>().join("; "))
}

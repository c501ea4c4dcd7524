//! Acting on incidents: on which ones, whether one may, and what became of it. Nothing is called done
//! before the server says `confirmed`, and nothing is asked for twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    app::{
        Effect, Link, Model, NoticeKind,
        page::Tone,
        prompt::{Aim, Prompt, Wish},
    },
    core::{
        action::{Action, Outcome, Verb},
        board::Board,
        id::{ActionId, IncidentKey},
        incident::Status,
    },
    proto::{Answer, Request, RequestId},
};

use super::{
    detail,
    doubts::{self, Asked, Doubts},
};

/// What this console asked for and has not heard the end of.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    /// Sent to the server, not yet written down there.
    asked: BTreeMap<RequestId, Asked>,
    /// Written down, not final.
    ours: BTreeSet<ActionId>,
    /// Met another status than was seen; waiting to be asked about.
    conflicts: VecDeque<Action>,
    /// Sent to the server, and not known whether it was written down there.
    pub(super) doubts: Doubts,
}

/// Opens the prompt for `wish` on the open incident, else the marked ones, else the selected one; or says
/// why not.
pub(super) fn begin(model: &mut Model, wish: Wish) {
    let keys = chosen(model);
    match aims(model, wish, &keys) {
        Ok((aims, left_out)) => Prompt::open(model, wish, aims, left_out),
        Err(reason) => model.say(NoticeKind::Bad, &reason),
    }
}

fn chosen(model: &Model) -> Vec<IncidentKey> {
    let state = &model.incidents;
    if let Some(opened) = &state.opened {
        return vec![opened.key.clone()];
    }
    if state.marked.is_empty() {
        return state.cursor.selected().cloned().into_iter().collect();
    }
    let listed = state.rows.keys().iter().filter(|key| state.marked.contains(*key));
    let unlisted = state.marked.iter().filter(|key| !state.rows.lists(key));
    listed.chain(unlisted).cloned().collect()
}

/// What `wish` can be done to, and why not to the others; fails when nothing is left.
fn aims(model: &Model, wish: Wish, keys: &[IncidentKey]) -> Result<(Vec<Aim>, Vec<String>), String> {
    if keys.is_empty() {
        return Err("no incident is selected: j and k select, space marks".into());
    }
    may_act(model, keys)?;
    let (mut aims, mut left_out) = (vec![], vec![]);
    for key in keys {
        match aim(model, wish, key) {
            Ok(aim) => aims.push(aim),
            Err(reason) => left_out.push(reason),
        }
    }
    if aims.is_empty() {
        return Err(left_out.join("; "));
    }
    if wish == Wish::HandOff && aims.iter().any(|aim| aim.target.key.account != keys[0].account) {
        return Err("the marked incidents belong to several accounts: hand off one account's at a time".into());
    }
    Ok((aims, left_out))
}

fn aim(model: &Model, wish: Wish, key: &IncidentKey) -> Result<Aim, String> {
    let incident = model.board.incidents.get(key).ok_or_else(|| format!("{} is no longer known", key.id))?;
    let aim = Aim::at(incident);
    if let Some(verb) = under_way(model, wish, key) {
        return Err(format!("{}: {verb} is still under way", aim.name()));
    }
    if incident.state.status == Status::Resolved && wish != Wish::Note {
        return Err(format!("{} is resolved: nothing to {}", aim.name(), wish.word()));
    }
    Ok(aim)
}

/// Whether the same was asked for already. A second note is not the same note.
fn under_way(model: &Model, wish: Wish, key: &IncidentKey) -> Option<&'static str> {
    let tracking = &model.incidents.tracking;
    let asked = tracking.asked.values().any(|asked| wish.is(&asked.verb) && asked.keys.contains(key));
    let open = |action: &&Action| wish.is(&action.verb) && tracking.ours.contains(&action.id);
    let waits = |action: &Action| action.outcomes.iter().any(|(known, o)| known == key && !o.is_final());
    let running = wish != Wish::Note && (asked || model.board.actions.iter().filter(open).any(waits));
    running.then(|| wish.word())
}

/// Whether this console can act on these at all; else why not.
pub(in crate::app) fn may_act(model: &Model, keys: &[IncidentKey]) -> Result<(), String> {
    match &model.link {
        Link::Connecting => return Err("not connected to the server yet".into()),
        Link::Lost { reason, .. } => return Err(format!("no link to the server, nothing can be sent: {reason}")),
        Link::Up(_) => {}
    }
    if let Some(reason) = model.watching() {
        return Err(format!("you may look, not act: {reason}"));
    }
    for key in keys {
        let account = model.board.accounts.get(&key.account);
        if let Some(reason) = account.and_then(|board| model.cannot_act(&board.account)) {
            return Err(reason);
        }
    }
    Ok(())
}

/// Sends the action to the server, once.
pub(in crate::app) fn send(model: &mut Model, aims: &[Aim], verb: Verb) -> Vec<Effect> {
    let targets: Vec<_> = aims.iter().map(|aim| aim.target.clone()).collect();
    let keys: Vec<_> = targets.iter().map(|target| target.key.clone()).collect();
    let subject = subject(aims);
    model.say(NoticeKind::Working, &format!("{} {subject} …", doing(&verb)));
    let (id, effect) = model.ask(Request::Act { targets, verb: verb.clone() });
    for key in &keys {
        model.incidents.marked.remove(key);
    }
    let after = model.board.actions.front().map(|action| action.id);
    let asked = Asked { verb, subject, keys, at: model.now, after };
    model.incidents.tracking.asked.insert(id, asked);
    vec![effect]
}

/// `#12 disk full`, or `3 incidents`.
fn subject(aims: &[Aim]) -> String {
    match aims {
        [one] => format!("{} {}", one.name(), one.title),
        many => format!("{} incidents", many.len()),
    }
}

fn doing(verb: &Verb) -> &'static str {
    match verb {
        Verb::Acknowledge => "acknowledging",
        Verb::Resolve => "resolving",
        Verb::HandOff { .. } => "handing off",
        Verb::Note { .. } => "adding a note to",
        Verb::Arrange(_) => "arranging",
    }
}

fn done(verb: &Verb) -> String {
    match verb {
        Verb::Acknowledge => "acknowledged".into(),
        Verb::Resolve => "resolved".into(),
        Verb::HandOff { to, .. } => format!("handed off to {}:", to.name()),
        Verb::Note { .. } => "note added to".into(),
        Verb::Arrange(what) => format!("{} done:", what.word()),
    }
}

/// The server's answer to an action; `None`: not one of ours.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let asked = take(model, id)?;
    match answer {
        Ok(Answer::Accepted { action }) => {
            own(model, *action, &asked);
            report(model, *action);
        }
        Ok(_) => leave_in_doubt(model, id, asked, "the server answered something else"),
        Err(reason) => {
            let again = keep_note(model, &asked);
            let text = format!("{} {}: not done: {reason}{again}", asked.verb.word(), asked.subject);
            model.say(NoticeKind::Bad, &text);
        }
    }
    Some(open_conflict(model))
}

/// An action went out, and no answer came; `None`: not one of ours.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> Option<Vec<Effect>> {
    let asked = take(model, id)?;
    leave_in_doubt(model, id, asked, why);
    Some(open_conflict(model))
}

fn take(model: &mut Model, id: RequestId) -> Option<Asked> {
    let tracking = &mut model.incidents.tracking;
    tracking.asked.remove(&id).or_else(|| tracking.doubts.remove(id))
}

/// The board may show it already; else nobody here knows.
fn leave_in_doubt(model: &mut Model, id: RequestId, asked: Asked, why: &str) {
    let again = keep_note(model, &asked);
    doubts::add(model, id, asked, &format!("{why}{again}"));
    for action in settle_doubts(model) {
        report(model, action);
    }
}

/// The action is what came of `asked`.
fn own(model: &mut Model, action: ActionId, asked: &Asked) {
    doubts::unsay(model);
    if let Verb::Note { text } = &asked.verb {
        super::drop_draft(model, &asked.keys, text);
    }
    model.incidents.tracking.ours.insert(action);
}

/// Makes the actions ours of which it was not known whether they were written down, and which now show.
fn settle_doubts(model: &mut Model) -> Vec<ActionId> {
    let found = doubts::settle(model);
    for (action, asked) in &found {
        own(model, *action, asked);
    }
    found.into_iter().map(|(action, _)| action).collect()
}

/// A note that may not have arrived can be sent again; says how.
fn keep_note(model: &mut Model, asked: &Asked) -> &'static str {
    let Verb::Note { text } = &asked.verb else { return "" };
    super::drop_draft(model, &asked.keys, text);
    super::keep_draft(model, &asked.keys, text);
    "; n brings the text back"
}

/// The link broke: what the server had not written down by then may or may not be done.
pub(super) fn detached(model: &mut Model) {
    for (id, asked) in std::mem::take(&mut model.incidents.tracking.asked) {
        leave_in_doubt(model, id, asked, "the link to the server broke");
    }
}

/// A whole new board: hears what became of our actions meanwhile.
pub(super) fn attached(model: &mut Model) {
    settle_doubts(model);
    for id in std::mem::take(&mut model.incidents.tracking.ours) {
        if model.board.actions.iter().any(|action| action.id == id) {
            model.incidents.tracking.ours.insert(id);
            report(model, id);
        }
    }
}

/// An action on the board changed.
pub(super) fn changed(model: &mut Model, action: &Action) -> Vec<Effect> {
    settle_doubts(model);
    report(model, action.id);
    let mut effects = vec![];
    if action.is_final() && action.outcomes.iter().any(|(key, _)| detail::shows(model, key)) {
        effects.extend(detail::ask_again(model));
    }
    effects.extend(open_conflict(model));
    effects
}

/// Says how one of our actions stands; lets go of it once it is final.
fn report(model: &mut Model, id: ActionId) {
    if !model.incidents.tracking.ours.contains(&id) {
        return;
    }
    let Some(action) = model.board.actions.iter().find(|action| action.id == id).cloned() else { return };
    let kind = standing(&action);
    let text = summary(&model.board, &action);
    // Bad news stays until it was seen; good news of another action must not paint it over.
    if kind == NoticeKind::Bad || model.notice.as_ref().is_none_or(|notice| notice.kind != NoticeKind::Bad) {
        model.say(kind, &text);
    }
    if action.is_final() {
        model.incidents.tracking.ours.remove(&id);
        if action.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Conflict { .. })) {
            model.incidents.tracking.conflicts.push_back(action);
        }
    }
}

fn standing(action: &Action) -> NoticeKind {
    let ended_badly = |o: &Outcome| o.is_final() && !matches!(o, Outcome::Confirmed { .. });
    if action.outcomes.iter().any(|(_, outcome)| ended_badly(outcome)) {
        NoticeKind::Bad
    } else if action.is_final() {
        NoticeKind::Good
    } else {
        NoticeKind::Working
    }
}

fn summary(board: &Board, action: &Action) -> String {
    let named = |key: &IncidentKey| match board.incidents.get(key) {
        Some(incident) => format!("{} {}", Aim::at(incident).name(), incident.state.title),
        None => key.id.to_string(),
    };
    match action.outcomes.as_slice() {
        [(key, Outcome::Confirmed { notice })] => {
            let notice = notice.as_ref().map(|notice| format!(" ({notice})")).unwrap_or_default();
            format!("{} {}{notice}", done(&action.verb), named(key))
        }
        [(key, outcome)] if outcome.is_final() => {
            format!("{} {}: {}", action.verb.word(), named(key), outcome_words(outcome))
        }
        [(key, _)] => format!("{} {} …", doing(&action.verb), named(key)),
        many => {
            let start = if action.is_final() { action.verb.word() } else { doing(&action.verb) };
            format!("{start} {} incidents: {}", many.len(), tally(many))
        }
    }
}

/// `2 confirmed, 1 failed: not found`.
fn tally(outcomes: &[(IncidentKey, Outcome)]) -> String {
    let mut counts: Vec<(&'static str, usize)> = vec![];
    for (_, outcome) in outcomes {
        match counts.iter_mut().find(|(word, _)| *word == outcome.word()) {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome.word(), 1)),
        }
    }
    let counts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let reason = outcomes.iter().find_map(|(_, outcome)| reason(outcome));
    match reason {
        Some(reason) => format!("{}: {reason}", counts.join(", ")),
        None => counts.join(", "),
    }
}

fn reason(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Pending | Outcome::Sent | Outcome::Confirmed { .. } => None,
        Outcome::Partly { failed: reason, .. }
        | Outcome::Failed { reason }
        | Outcome::Conflict { reason, .. }
        | Outcome::Unknown { reason } => Some(reason.as_str()),
    }
}

/// An outcome with all that is known about it.
pub(in crate::app) fn outcome_words(outcome: &Outcome) -> String {
    let word = outcome.word();
    match outcome {
        Outcome::Pending | Outcome::Sent | Outcome::Confirmed { notice: None } => word.into(),
        Outcome::Confirmed { notice: Some(notice) } => format!("{word} ({notice})"),
        Outcome::Partly { done, failed } => format!("{word}: {done}, but {failed}"),
        Outcome::Failed { reason } => format!("{word}: {reason}"),
        Outcome::Conflict { now, reason } => format!("not sent, it is {} now: {reason}", now.word()),
        Outcome::Unknown { reason } => format!("not known whether it is done: {reason}"),
    }
}

/// The mark for an outcome in a row, and its tone; none for what went well.
pub fn outcome_mark(outcome: &Outcome) -> Option<(char, Tone)> {
    match outcome {
        Outcome::Pending | Outcome::Sent => Some(('…', Tone::Caution)),
        Outcome::Confirmed { .. } => None,
        Outcome::Partly { .. } | Outcome::Failed { .. } => Some(('x', Tone::Alarm)),
        Outcome::Conflict { .. } | Outcome::Unknown { .. } => Some(('?', Tone::Caution)),
    }
}

/// The newest action on an incident, by whomever.
pub fn last_action<'a>(board: &'a Board, key: &IncidentKey) -> Option<(&'a Action, &'a Outcome)> {
    board.actions.iter().find_map(|action| {
        let mut outcomes = action.outcomes.iter();
        outcomes.find(|(known, _)| known == key).map(|(_, outcome)| (action, outcome))
    })
}

/// Asks about the next conflict, when nothing else is being asked or typed.
pub(in crate::app) fn open_conflict(model: &mut Model) -> Vec<Effect> {
    if !super::is_idle(model) {
        return vec![];
    }
    while let Some(action) = model.incidents.tracking.conflicts.pop_front() {
        if Prompt::open_conflict(model, &action) {
            break;
        }
    }
    vec![]
}

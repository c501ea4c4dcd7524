//! Acting on incidents: on which ones, whether one may, and what became of it. Nothing is called done
//! before the server says `confirmed`, and nothing is asked for twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    app::{
        About, Effect, Model, Notice, NoticeKind,
        parting::ANOTHER,
        person::look_only,
        prompt::{Aim, Preset, Prompt, Wish},
    },
    core::{
        action::{Action, Outcome, Verb},
        board::Board,
        id::{AccountName, ActionId, IncidentKey},
        incident::Status,
    },
    proto::{Answer, Request, RequestId},
};

use super::{
    detail,
    doubts::{self, Asked, Doubts},
    groups, undo, words,
};

/// What this console asked for and has not heard the end of.
#[derive(Debug, Default)]
pub(super) struct Tracking {
    /// Sent to the server, not yet written down there.
    pub(super) asked: BTreeMap<RequestId, Asked>,
    /// Written down, not final.
    pub(super) ours: BTreeMap<ActionId, (RequestId, Asked)>,
    /// Met another status than was seen; waiting to be asked about.
    conflicts: VecDeque<Action>,
    /// Sent to the server, and not known whether it was written down there.
    pub(super) doubts: Doubts,
    /// The open requests to take something back.
    pub(super) taking_back: BTreeMap<RequestId, ActionId>,
    /// Taken back, as the server answered; their outcomes are not final yet.
    pub(super) taken_back: BTreeSet<ActionId>,
}

/// Opens the prompt for `wish` on the open incident, else the marked ones, else the selected one; or says
/// why not.
pub(super) fn begin(model: &mut Model, wish: Wish) -> Vec<Effect> {
    begin_with(model, wish, &Preset::default())
}

/// The same with words that are typed already.
pub(in crate::app) fn begin_with(model: &mut Model, wish: Wish, preset: &Preset<'_>) -> Vec<Effect> {
    let keys = chosen(model);
    let found = if wish == Wish::Create { place(model, &keys) } else { aims(model, wish, &keys) };
    match found {
        Ok((account, aims)) => Prompt::open(model, wish, account, aims, preset),
        Err(reason) => {
            model.say(NoticeKind::Bad, &reason);
            vec![]
        }
    }
}

/// Where an action belongs, what it aims at, and what is left out of it.
type Aims = (AccountName, (Vec<Aim>, Vec<String>));

/// The account of a new incident: that of the incident at hand, else the first.
fn place(model: &Model, keys: &[IncidentKey]) -> Result<Aims, String> {
    let first = keys.first().map(|key| &key.account).or_else(|| model.board.accounts.keys().next());
    let account = first.cloned().ok_or("no account is configured")?;
    may_act(model, &[], Some(&account))?;
    Ok((account, (vec![], vec![])))
}

fn chosen(model: &Model) -> Vec<IncidentKey> {
    let state = &model.incidents;
    if let Some(opened) = &state.opened {
        return vec![opened.key.clone()];
    }
    if state.marked.is_empty() {
        return state.cursor.selected().cloned().map_or_else(|| groups::members(state), |key| vec![key]);
    }
    let listed = state.rows.keys().iter().filter(|key| state.marked.contains(*key));
    let unlisted = state.marked.iter().filter(|key| !state.rows.lists(key));
    listed.chain(unlisted).cloned().collect()
}

/// What `wish` can be done to, and why not to the others; fails when nothing is left.
fn aims(model: &Model, wish: Wish, keys: &[IncidentKey]) -> Result<Aims, String> {
    if keys.is_empty() {
        return Err("no incident is selected: j and k select, space marks".into());
    }
    may_act(model, keys, None)?;
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
    let account = keys[0].account.clone();
    if wish.is_for_one_account() && aims.iter().any(|aim| aim.target.key.account != account) {
        return Err(format!(
            "the marked incidents belong to several accounts: {} one account's at a time",
            wish.word()
        ));
    }
    if wish.is_for_one() && aims.len() > 1 {
        return Err(format!("{} takes one incident at a time", wish.word()));
    }
    Ok((account, (aims, left_out)))
}

fn aim(model: &Model, wish: Wish, key: &IncidentKey) -> Result<Aim, String> {
    let incident = model.board.incidents.get(key).ok_or_else(|| format!("{} is no longer known", key.id))?;
    let aim = Aim::at(&model.board, incident);
    if let Some(verb) = under_way(model, wish, key) {
        return Err(format!("{}: {verb} is still under way", aim.name()));
    }
    if incident.state.status == Status::Resolved && !wish.is_for_resolved() {
        return Err(format!("{} is resolved: nothing to {}", aim.name(), wish.word()));
    }
    Ok(aim)
}

/// Whether the same was asked for already.
fn under_way(model: &Model, wish: Wish, key: &IncidentKey) -> Option<&'static str> {
    let tracking = &model.incidents.tracking;
    let asked = tracking.asked.values().any(|asked| wish.is(&asked.verb) && asked.keys.contains(key));
    let open = |action: &&Action| wish.is(&action.verb) && tracking.ours.contains_key(&action.id);
    let waits = |action: &Action| action.outcomes.iter().any(|(known, o)| known == key && !o.is_final());
    let running = !wish.repeats() && (asked || model.board.actions.iter().filter(open).any(waits));
    running.then(|| wish.word())
}

/// Whether this console can act on these, and at this account, at all; else why not.
pub(in crate::app) fn may_act(
    model: &Model,
    keys: &[IncidentKey],
    account: Option<&AccountName>,
) -> Result<(), String> {
    if let Some(reason) = model.no_link().or_else(|| model.watching().map(look_only)) {
        return Err(reason);
    }
    for account in keys.iter().map(|key| &key.account).chain(account) {
        let account = model.board.accounts.get(account);
        if let Some(reason) = account.and_then(|board| model.cannot_act(&board.account)) {
            return Err(reason);
        }
    }
    Ok(())
}

/// Sends the action to the server, once. `account`: where something new is made.
pub(in crate::app) fn send(model: &mut Model, account: Option<AccountName>, aims: &[Aim], verb: Verb) -> Vec<Effect> {
    let (_, effect) = send_one(model, account, aims, verb);
    vec![effect]
}

/// Sends several that one key asked for, and that one key takes back.
pub(in crate::app) fn send_together(model: &mut Model, parts: Vec<(Vec<Aim>, Verb)>) -> Vec<Effect> {
    let sent = parts.into_iter().map(|(aims, verb)| send_one(model, None, &aims, verb));
    let (ids, effects): (Vec<_>, Vec<_>) = sent.unzip();
    for id in &ids {
        if let Some(asked) = model.incidents.tracking.asked.get_mut(id) {
            asked.with = ids[0];
        }
    }
    effects
}

fn send_one(model: &mut Model, account: Option<AccountName>, aims: &[Aim], verb: Verb) -> (RequestId, Effect) {
    let targets: Vec<_> = aims.iter().map(|aim| aim.target.clone()).collect();
    let keys: Vec<_> = targets.iter().map(|target| target.key.clone()).collect();
    let subject = words::subject(aims, &verb);
    model.say(NoticeKind::Working, &format!("{} {subject} …", words::doing(&verb)));
    let request = match (&verb, account) {
        (Verb::Create(new), Some(account)) => Request::Create { account, new: new.clone(), undoable: true },
        _ => Request::Act { targets, verb: verb.clone(), undoable: true },
    };
    let (id, effect) = model.ask(request);
    for key in &keys {
        model.incidents.marked.remove(key);
    }
    super::marks_changed(model);
    let after = model.board.actions.front().map(|action| action.id);
    let asked = Asked { verb, subject, keys, with: id, at: model.now, store: model.board.store, after };
    model.incidents.tracking.asked.insert(id, asked);
    (id, effect)
}

/// The server's answer to an action; `None`: not one of ours.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    if undo::answered(model, id, answer) {
        return Some(vec![]);
    }
    let asked = take(model, id)?;
    match answer {
        Ok(Answer::Accepted { action }) => {
            own(model, *action, id, asked);
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
    if undo::unanswered(model, id, why) {
        return Some(vec![]);
    }
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

/// The action is what came of `asked`, which was request `id`.
fn own(model: &mut Model, action: ActionId, id: RequestId, asked: Asked) {
    doubts::unsay(model);
    if let Verb::Note { text } = &asked.verb {
        super::drop_draft(model, &asked.keys, text);
    }
    model.incidents.tracking.ours.insert(action, (id, asked));
}

/// Makes the actions ours of which it was not known whether they were written down, and which now show.
fn settle_doubts(model: &mut Model) -> Vec<ActionId> {
    let mut found = vec![];
    for (action, (id, asked)) in doubts::settle(model) {
        own(model, action, id, asked);
        found.push(action);
    }
    found
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

/// A whole new board: hears what became of our actions meanwhile. One that is not there any more is in doubt.
pub(super) fn attached(model: &mut Model) {
    settle_doubts(model);
    for (action, (id, asked)) in std::mem::take(&mut model.incidents.tracking.ours) {
        if model.board.actions.iter().any(|known| known.id == action) {
            model.incidents.tracking.ours.insert(action, (id, asked));
            report(model, action);
        } else {
            leave_in_doubt(model, id, asked, "the server does not tell of it any more");
        }
    }
}

/// Another server answers, with another store: its actions are not ours, whatever their numbers.
pub(in crate::app) fn parted(model: &mut Model) {
    let tracking = &mut model.incidents.tracking;
    tracking.conflicts.clear();
    tracking.taking_back.clear();
    tracking.taken_back.clear();
    for (_, (id, asked)) in std::mem::take(&mut tracking.ours) {
        leave_in_doubt(model, id, asked, ANOTHER);
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
    if !model.incidents.tracking.ours.contains_key(&id) {
        return;
    }
    let Some(action) = model.board.actions.iter().find(|action| action.id == id).cloned() else { return };
    let kind = words::standing(&action);
    let text = words::summary(&model.board, &action);
    let about = About::Action(id);
    // Bad news stays until it was seen: only the end of the same action may take its place, not good news of another.
    let gives_way = |notice: &Notice| notice.kind != NoticeKind::Bad || action.is_final() && notice.about == about;
    if kind == NoticeKind::Bad || model.notice.as_ref().is_none_or(gives_way) {
        model.say_of(kind, &text, about);
    }
    if action.is_final() {
        model.incidents.tracking.ours.remove(&id);
        model.incidents.tracking.taken_back.remove(&id);
        if action.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Conflict { .. })) {
            model.incidents.tracking.conflicts.push_back(action);
        }
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

//! Handing all that is mine to whoever comes next: one prompt that names them, one action for each person.

use super::{Stage, State, keys_of, stay};
use crate::{
    app::{Effect, Model, NoticeKind, incidents, prompt::Aim},
    core::{
        action::{Assignee, Verb},
        handoff::{Next, next},
        incident::Incident,
        keys::{Chord, Key},
    },
};

/// Whether the text of the hand-off goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    With,
    Without,
}

/// What one person gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    pub to: Next,
    pub aims: Vec<Aim>,
}

/// What is to be handed over. Made when the prompt opens; it does not change while it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passing {
    pub hands: Vec<Hand>,
    /// Mine too, but nobody is known to hand them to.
    pub left_out: Vec<Aim>,
    pub note: Note,
}

impl Passing {
    pub fn count(&self) -> usize {
        self.hands.iter().map(|hand| hand.aims.len()).sum()
    }
}

/// Opens the prompt on my open incidents, or says why not.
pub(super) fn begin(model: &mut Model) -> Vec<Effect> {
    match gather(model) {
        Ok(passing) => stay(model, Stage::Passing(passing)),
        Err(reason) => {
            model.say(NoticeKind::Bad, &reason);
            vec![]
        }
    }
}

fn gather(model: &Model) -> Result<Passing, String> {
    let known = |account| model.board.accounts.get(account).and_then(|board| model.me(board));
    if model.board.accounts.keys().all(|account| known(account).is_none()) {
        return Err("who you are is not known, so neither is what is yours".into());
    }
    let mut passing = Passing { hands: vec![], left_out: vec![], note: Note::Without };
    for incident in mine(model) {
        let Some(board) = model.board.accounts.get(&incident.key.account) else { continue };
        let theirs = board.account.provider_time(model.now);
        let next = model.me(board).and_then(|me| next(board, &me.id, incident, theirs));
        let aim = Aim::at(&model.board, incident);
        match next {
            None => passing.left_out.push(aim),
            // The ids of persons are those of one account.
            Some(to) => match passing.hands.iter_mut().find(|hand| goes_to(hand, &to, &aim)) {
                Some(hand) => hand.aims.push(aim),
                None => passing.hands.push(Hand { to, aims: vec![aim] }),
            },
        }
    }
    if passing.hands.is_empty() && passing.left_out.is_empty() {
        return Err("nothing that is open is assigned to you".into());
    }
    if passing.hands.is_empty() {
        return Err("nobody is known to come after you: h hands off to anybody".into());
    }
    let keys: Vec<_> = passing.hands.iter().flat_map(|hand| keys_of(&hand.aims)).collect();
    incidents::may_act(model, &keys, None)?;
    Ok(passing)
}

fn goes_to(hand: &Hand, to: &Next, aim: &Aim) -> bool {
    let account = hand.aims.first().map(|first| &first.target.key.account);
    hand.to == *to && account == Some(&aim.target.key.account)
}

/// My open incidents, triggered ones and high urgency first.
fn mine(model: &Model) -> Vec<&Incident> {
    let is_mine = |incident: &&Incident| {
        let me = model.board.accounts.get(&incident.key.account).and_then(|board| model.me(board));
        let is_theirs = me.is_some_and(|me| incident.state.assignees.iter().any(|user| user.id == me.id));
        incident.state.status.is_open() && is_theirs
    };
    let mut mine: Vec<_> = model.board.incidents.values().filter(is_mine).collect();
    mine.sort_by_key(|incident| {
        let state = &incident.state;
        (state.status, std::cmp::Reverse(state.urgency), std::cmp::Reverse(state.created_at))
    });
    mine
}

pub(super) fn press(model: &mut Model, mut passing: Passing, chord: Chord) -> Vec<Effect> {
    match chord.key {
        Key::Esc => return vec![],
        Key::Enter => return pass(model, passing),
        Key::Tab => {
            passing.note = if passing.note == Note::With { Note::Without } else { Note::With };
            if passing.note == Note::With && model.handoff.as_deref().and_then(State::text).is_none() {
                model.say(NoticeKind::Bad, "there is no text yet that could go with it");
                passing.note = Note::Without;
            }
        }
        _ => {}
    }
    stay(model, Stage::Passing(passing))
}

/// Sends one action for each person; each incident gets an outcome of its own.
fn pass(model: &mut Model, passing: Passing) -> Vec<Effect> {
    let keys: Vec<_> = passing.hands.iter().flat_map(|hand| keys_of(&hand.aims)).collect();
    if let Err(reason) = incidents::may_act(model, &keys, None) {
        model.say(NoticeKind::Bad, &reason);
        return stay(model, Stage::Passing(passing));
    }
    let text = model.handoff.as_deref().and_then(State::text).map(|text| text.as_str().trim_end().to_owned());
    let note = text.filter(|text| passing.note == Note::With && !text.is_empty());
    let hand_over = |hand: Hand| {
        let verb = Verb::HandOff { to: Assignee::User(hand.to.user), note: note.clone() };
        (hand.aims, verb)
    };
    incidents::send_together(model, passing.hands.into_iter().map(hand_over).collect())
}

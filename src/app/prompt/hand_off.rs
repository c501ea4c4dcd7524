//! Handing off: to whom, with which note, and the question whether to. People on call now come first.

use ratatui::layout::Rect;

use super::{Aim, Step};
use crate::{
    app::{
        Model, geometry,
        list::{Cursor, Step as Move},
        typing::TypedLine,
    },
    core::{
        action::{Assignee, Verb},
        board::AccountBoard,
        freshness::Standing,
        keys::{Chord, Key},
        words::{ago, moment},
    },
};

/// One to whom it can be handed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub to: Assignee,
    /// On call where and until when, or what else is to be known.
    pub about: String,
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Choosing,
    Noting,
    Confirming,
}

/// The state of the prompt. The choices are those known when it opened.
#[derive(Debug)]
pub struct HandOff {
    pub choices: Vec<Choice>,
    /// Those that match the filter, in order.
    pub listed: Vec<Assignee>,
    pub cursor: Cursor<Assignee>,
    pub filter: TypedLine,
    pub note: TypedLine,
    pub stage: Stage,
}

impl HandOff {
    pub(super) fn new(model: &Model, aims: &[Aim]) -> Self {
        let account = aims.first().and_then(|aim| model.board.accounts.get(&aim.target.key.account));
        let mut hand_off = Self {
            choices: account.map(|board| choices(model, board)).unwrap_or_default(),
            listed: vec![],
            cursor: Cursor::default(),
            filter: TypedLine::default(),
            note: TypedLine::default(),
            stage: Stage::Choosing,
        };
        hand_off.refilter(height(model));
        hand_off
    }

    /// The one the hand is on.
    pub fn chosen(&self) -> Option<&Assignee> {
        self.cursor.selected()
    }

    pub(super) fn hints(&self) -> &'static [(&'static str, &'static str)] {
        match self.stage {
            Stage::Choosing => &[("enter", "choose"), ("tab", "note"), ("up/down", "select"), ("esc", "back")],
            Stage::Noting => &[("enter", "go on"), ("tab", "to whom"), ("esc", "back")],
            Stage::Confirming => &[("enter", "hand off"), ("esc", "back")],
        }
    }

    pub(super) fn pasted(&mut self, text: &str) {
        match self.stage {
            Stage::Choosing => {
                self.filter.insert(text);
                self.refilter(1);
            }
            Stage::Noting => self.note.insert(text),
            Stage::Confirming => {}
        }
    }

    pub(super) fn settle(&mut self, height: usize) {
        self.cursor.settle(&self.listed, height);
    }

    fn refilter(&mut self, height: usize) {
        let wanted = self.filter.as_str().to_lowercase();
        let matches = |choice: &&Choice| {
            let text = format!("{} {}", choice.to.name(), choice.about).to_lowercase();
            wanted.split_whitespace().all(|word| text.contains(word))
        };
        self.listed = self.choices.iter().filter(matches).map(|choice| choice.to.clone()).collect();
        self.settle(height);
        self.cursor.select_first_if_none(&self.listed);
        self.settle(height);
    }

    fn verb(&self) -> Option<Verb> {
        let note = Some(self.note.as_str().trim().to_owned()).filter(|note| !note.is_empty());
        Some(Verb::HandOff { to: self.chosen()?.clone(), note })
    }
}

/// Rows that the list of choices has on this screen.
pub(super) fn height(model: &Model) -> usize {
    let body = geometry::areas(Rect::new(0, 0, model.size.0, model.size.1)).body;
    usize::from(geometry::hand_off(body).choices.height)
}

/// How certain it is who is on call: what to say before it; `None`: it is not known at all.
fn as_of(model: &Model, board: &AccountBoard) -> Option<String> {
    match board.account.on_call_standing(model.now) {
        Standing::Fresh { .. } => Some(String::new()),
        Standing::Stale { age, .. } => Some(format!("{}: ", ago(age))),
        Standing::Waiting | Standing::Down { .. } => None,
    }
}

/// People on call now by level, then everybody else by name, then the escalation policies.
fn choices(model: &Model, board: &AccountBoard) -> Vec<Choice> {
    let mut out: Vec<Choice> = vec![];
    let as_of = as_of(model, board);
    let theirs = board.account.provider_time(model.now);
    let known = board.oncalls.iter().filter(|on| as_of.is_some() && on.end.is_none_or(|end| end > theirs));
    let mut on_call: Vec<_> = known.collect();
    let as_of_words = as_of.as_deref().unwrap_or_default();
    let off = if as_of.is_some() { format!("{as_of_words}not on call") } else { "on call: not known".into() };
    on_call.sort_by(|a, b| (a.level, &a.user.name, &a.policy.name).cmp(&(b.level, &b.user.name, &b.policy.name)));
    for on in on_call {
        let to = Assignee::User(on.user.clone());
        let until = on.end.map(|end| format!(" until {}", moment(end, model.now, &model.zone))).unwrap_or_default();
        let about = format!("{as_of_words}on call L{} {}{until}", on.level, on.policy.name);
        match out.iter_mut().find(|choice| choice.to == to) {
            Some(known) => known.about = format!("{}, L{} {}", known.about, on.level, on.policy.name),
            None => out.push(Choice { to, about }),
        }
    }
    let mut people: Vec<_> = board.people.iter().collect();
    people.sort_by(|a, b| a.user.name.cmp(&b.user.name));
    for person in people {
        let to = Assignee::User(person.user.clone());
        let is_new = !out.iter().any(|known| matches!(&known.to, Assignee::User(user) if user.id == person.user.id));
        if is_new {
            let email = person.email.as_ref().map(|email| format!(", {email}")).unwrap_or_default();
            out.push(Choice { to, about: format!("{off}{email}") });
        }
    }
    for policy in &board.policies {
        let about = "escalation policy, starts at level 1".into();
        out.push(Choice { to: Assignee::EscalationPolicy(policy.clone()), about });
    }
    out
}

pub(super) fn press(model: &Model, hand_off: &mut HandOff, chord: Chord) -> Step {
    match (hand_off.stage, chord.key) {
        (Stage::Choosing, Key::Esc) if hand_off.filter.is_empty() => return Step::Leave,
        (Stage::Choosing, Key::Esc) => {
            hand_off.filter.clear();
            hand_off.refilter(height(model));
        }
        (Stage::Choosing, Key::Tab) => hand_off.stage = Stage::Noting,
        (Stage::Choosing | Stage::Noting, Key::Enter) if hand_off.chosen().is_some() => {
            hand_off.stage = Stage::Confirming;
        }
        (Stage::Choosing, _) => choose(model, hand_off, chord),
        (Stage::Noting, Key::Tab) | (Stage::Noting | Stage::Confirming, Key::Esc) => hand_off.stage = Stage::Choosing,
        (Stage::Noting, _) => drop(hand_off.note.take(chord)),
        (Stage::Confirming, Key::Enter) => return hand_off.verb().map_or(Step::Stay, Step::Do),
        (Stage::Confirming, _) => {}
    }
    Step::Stay
}

fn choose(model: &Model, hand_off: &mut HandOff, chord: Chord) {
    let step = match chord.key {
        Key::Down => Move::Down,
        Key::Up => Move::Up,
        Key::PageDown => Move::PageDown,
        Key::PageUp => Move::PageUp,
        Key::Home => Move::Top,
        Key::End => Move::Bottom,
        _ => {
            if hand_off.filter.take(chord) {
                hand_off.refilter(height(model));
            }
            return;
        }
    };
    hand_off.cursor.step(step, &hand_off.listed, height(model));
}

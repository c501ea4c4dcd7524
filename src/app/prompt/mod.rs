//! Prompts: what is asked before anything is done that other people notice. A prompt names what it will
//! touch; that list is made when it opens and never changes while it is open.

pub mod arrange;
mod hand_off;

use tui_textarea::{TextArea, WrapMode};

pub use hand_off::{Choice, HandOff, Stage};

use super::{
    Effect, Model, NoticeKind, incidents,
    typing::{editor_input, pasted_text},
    webhooks,
};
use crate::core::{
    action::{Action, Outcome, Target, Verb},
    delivery::DeliverySummary,
    id::IncidentKey,
    incident::{Incident, Status},
    keys::{Chord, Key},
    text::Shown,
};

/// What a person wants done, before the particulars are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Acknowledge,
    Resolve,
    HandOff,
    Note,
}

impl Wish {
    pub fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
            Self::HandOff => "hand off",
            Self::Note => "note",
        }
    }

    /// Whether `verb` is this wish with its particulars.
    pub fn is(self, verb: &Verb) -> bool {
        self.word() == verb.word()
    }
}

/// One incident that a prompt is about, as it was when the prompt opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    pub target: Target,
    pub number: Option<u64>,
    pub title: Shown,
    pub assignees: Vec<Shown>,
}

impl Aim {
    pub fn at(incident: &Incident) -> Self {
        let state = &incident.state;
        Self {
            target: Target::at(incident),
            number: state.number,
            title: state.title.clone(),
            assignees: state.assignees.iter().map(|user| user.name.clone()).collect(),
        }
    }

    /// `#1201`, or the id when it has no number.
    pub fn name(&self) -> String {
        match self.number {
            Some(number) => format!("#{number}"),
            None => self.target.key.id.to_string(),
        }
    }
}

/// An open prompt.
#[derive(Debug)]
pub struct Prompt {
    /// Empty only where it is not about incidents.
    pub aims: Vec<Aim>,
    /// Marked too, but not touched, and why.
    pub left_out: Vec<String>,
    pub ask: Ask,
}

/// What is asked.
#[derive(Debug)]
pub enum Ask {
    Acknowledge,
    Resolve,
    HandOff(Box<HandOff>),
    Note(Box<TextArea<'static>>),
    /// An action met another status than was seen; one reason for each incident.
    Conflict {
        verb: Verb,
        reasons: Vec<Shown>,
    },
    /// Whether to apply a delivery once more. It aims at no incident.
    Replay(Box<DeliverySummary>),
    /// An override or a maintenance window. It aims at no incident.
    Arrange(Box<arrange::Arranging>),
}

impl Prompt {
    pub(super) fn open(model: &mut Model, wish: Wish, aims: Vec<Aim>, left_out: Vec<String>) {
        let keys: Vec<_> = aims.iter().map(|aim| aim.target.key.clone()).collect();
        let ask = match wish {
            Wish::Acknowledge => Ask::Acknowledge,
            Wish::Resolve => Ask::Resolve,
            Wish::HandOff => Ask::HandOff(Box::new(HandOff::new(model, &aims))),
            Wish::Note => Ask::Note(Box::new(editor(incidents::take_draft(model, &keys).unwrap_or_default()))),
        };
        model.prompt = Some(Self { aims, left_out, ask });
    }

    /// Asks whether to go on although the status is another; `false` when there is nothing left to ask.
    pub(super) fn open_conflict(model: &mut Model, action: &Action) -> bool {
        let (mut aims, mut reasons) = (vec![], vec![]);
        for (key, outcome) in &action.outcomes {
            let Outcome::Conflict { now, reason } = outcome else { continue };
            let Some(incident) = model.board.incidents.get(key) else { continue };
            let mut aim = Aim::at(incident);
            aim.target.seen = *now;
            aims.push(aim);
            reasons.push(reason.clone());
        }
        if aims.is_empty() {
            return false;
        }
        // The question says all that the notice says, unless there is bad news beside the conflict.
        let only_conflicts = |o: &Outcome| matches!(o, Outcome::Conflict { .. } | Outcome::Confirmed { .. });
        if action.outcomes.iter().all(|(_, outcome)| only_conflicts(outcome)) {
            model.notice = None;
        }
        let ask = Ask::Conflict { verb: action.verb.clone(), reasons };
        model.prompt = Some(Self { aims, left_out: vec![], ask });
        true
    }

    fn keys(&self) -> Vec<IncidentKey> {
        self.aims.iter().map(|aim| aim.target.key.clone()).collect()
    }

    /// Keys and what they do, for the footer.
    pub fn hints(&self) -> &'static [(&'static str, &'static str)] {
        match &self.ask {
            Ask::Acknowledge => &[("enter", "acknowledge"), ("esc", "leave it")],
            Ask::Resolve => &[("enter", "resolve"), ("esc", "leave it")],
            Ask::Note(_) => &[("ctrl-s", "send"), ("enter", "line"), ("esc", "leave it")],
            Ask::Conflict { .. } => &[("y", "do it anyway"), ("esc", "leave it")],
            Ask::Replay(_) => &[("enter", "replay"), ("esc", "leave it")],
            Ask::HandOff(hand_off) => hand_off.hints(),
            Ask::Arrange(arranging) => arranging.hints(),
        }
    }
}

/// What going on with `verb` means for an incident that is `now` in this status.
pub fn consequence(verb: &Verb, now: Status) -> &'static str {
    match (verb, now) {
        (Verb::Acknowledge, Status::Resolved) => "acknowledging reopens it",
        (Verb::Acknowledge, Status::Triggered | Status::Acknowledged) => "acknowledging puts your name on it",
        (Verb::Resolve, Status::Resolved) => "there is nothing left to resolve",
        (Verb::Resolve, Status::Triggered | Status::Acknowledged) => "resolving closes it for everybody",
        (Verb::HandOff { .. }, Status::Resolved) => "handing it off may reopen it",
        (Verb::HandOff { .. }, Status::Triggered | Status::Acknowledged) => "handing it off pages the new assignee",
        (Verb::Note { .. }, _) => "the note is added",
        (Verb::Arrange(_), _) => "it is arranged",
    }
}

fn editor(text: String) -> TextArea<'static> {
    let mut editor = TextArea::default();
    editor.set_cursor_line_style(ratatui::style::Style::new());
    editor.set_wrap_mode(WrapMode::WordOrGlyph);
    editor.insert_str(text);
    editor
}

/// A key while a prompt is open. All keys belong to the prompt.
pub(super) fn press(model: &mut Model, prompt: Prompt, chord: Chord) -> Vec<Effect> {
    let mut prompt = match prompt {
        Prompt { ask: Ask::Arrange(arranging), .. } => return arrange::press(model, arranging, chord),
        prompt => prompt,
    };
    let step = match &mut prompt.ask {
        Ask::Acknowledge => confirm(chord, Key::Enter, &Verb::Acknowledge),
        Ask::Resolve => confirm(chord, Key::Enter, &Verb::Resolve),
        // It came up by itself, so the key is one that nobody presses by the way.
        Ask::Conflict { verb, .. } => confirm(chord, Key::Char('y'), verb),
        Ask::Note(editor) => note(model, editor, chord),
        Ask::HandOff(hand_off) => hand_off::press(model, hand_off, chord),
        // Taken care of above.
        Ask::Arrange(_) => Step::Stay,
        Ask::Replay(delivery) => match chord.key {
            Key::Enter => return webhooks::replay(model, delivery.id),
            Key::Esc => Step::Leave,
            _ => Step::Stay,
        },
    };
    match step {
        Step::Stay => model.prompt = Some(prompt),
        Step::Leave => leave(model, &prompt),
        Step::Do(verb) => return carry_out(model, prompt, verb),
    }
    vec![]
}

/// What a key led to.
enum Step {
    Stay,
    Leave,
    Do(Verb),
}

fn confirm(chord: Chord, yes: Key, verb: &Verb) -> Step {
    match chord.key {
        key if key == yes => Step::Do(verb.clone()),
        Key::Esc => Step::Leave,
        _ => Step::Stay,
    }
}

fn note(model: &mut Model, editor: &mut TextArea<'static>, chord: Chord) -> Step {
    let send = (chord.ctrl && chord.key == Key::Char('s')) || (chord.alt && chord.key == Key::Enter);
    if chord.key == Key::Esc {
        return Step::Leave;
    }
    if !send {
        editor.input(editor_input(chord));
        return Step::Stay;
    }
    let text = editor.lines().join("\n").trim().to_owned();
    if text.is_empty() {
        model.say(NoticeKind::Bad, "the note is empty");
        return Step::Stay;
    }
    Step::Do(Verb::Note { text })
}

/// Sends it; when that is not possible now, says so and keeps what was typed.
fn carry_out(model: &mut Model, prompt: Prompt, verb: Verb) -> Vec<Effect> {
    if let Err(reason) = incidents::may_act(model, &prompt.keys()) {
        model.say(NoticeKind::Bad, &reason);
        model.prompt = Some(prompt);
        return vec![];
    }
    incidents::send(model, &prompt.aims, verb)
}

fn leave(model: &mut Model, prompt: &Prompt) {
    if let Ask::Note(editor) = &prompt.ask {
        let text = editor.lines().join("\n");
        if !text.trim().is_empty() {
            incidents::keep_draft(model, &prompt.keys(), &text);
            model.say(NoticeKind::Good, "not sent; n on the same incident brings the text back");
        }
    }
}

/// Pasted text goes where typing goes.
pub(super) fn pasted(prompt: &mut Prompt, text: &str) {
    match &mut prompt.ask {
        Ask::Note(editor) => drop(editor.insert_str(pasted_text(text))),
        Ask::HandOff(hand_off) => hand_off.pasted(text),
        Ask::Arrange(arranging) => arranging.pasted(text),
        Ask::Acknowledge | Ask::Resolve | Ask::Conflict { .. } | Ask::Replay(_) => {}
    }
}

/// The screen has another size.
pub(super) fn settle(model: &mut Model) {
    arrange::settle(model);
    let height = hand_off::height(model);
    if let Some(Prompt { ask: Ask::HandOff(hand_off), .. }) = &mut model.prompt {
        hand_off.settle(height);
    }
}

#[cfg(test)]
mod tests;

//! Prompts: what is asked before anything is done that other people notice. A prompt names what it will
//! touch; that list is made when it opens and never changes while it is open.

pub mod arrange;
mod choices;
mod pick;
mod wish;

use tui_textarea::{TextArea, WrapMode};

pub use choices::{Choice, Means, Words};
pub use pick::{Pick, Stage};
pub use wish::Wish;

use super::{
    Effect, Model, NoticeKind, incidents,
    targets::asking::{self, Wish as Forwarding},
    typing::{TypedLine, editor_input, pasted_text},
    webhooks,
};
use crate::{
    core::{
        action::{Action, Outcome, Target, Verb},
        board::Board,
        delivery::DeliverySummary,
        id::{AccountName, IncidentKey},
        incident::{Incident, Status},
        keys::{Chord, Key},
        text::Shown,
    },
    proto::{Answer, RequestId},
};

/// One incident that a prompt is about, as it was when the prompt opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    pub target: Target,
    pub number: Option<u64>,
    name: String,
    pub title: Shown,
    pub assignees: Vec<Shown>,
}

impl Aim {
    pub fn at(board: &Board, incident: &Incident) -> Self {
        let state = &incident.state;
        Self {
            target: Target::at(incident),
            number: state.number,
            name: board.name(incident),
            title: state.title.clone(),
            assignees: state.assignees.iter().map(|user| user.name.clone()).collect(),
        }
    }

    /// `#1201`, or the id when it has no number; with its account where there are several.
    pub fn name(&self) -> &str {
        &self.name
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
    /// With a note, if one is typed.
    Resolve {
        note: TypedLine,
        typing: bool,
    },
    Pick(Box<Pick>),
    /// A text of several lines: a note or a status update.
    Text(Wish, Box<TextArea<'static>>),
    /// An action met another status than was seen; one reason for each incident.
    Conflict {
        verb: Verb,
        reasons: Vec<Shown>,
    },
    /// Whether to apply a delivery once more. It aims at no incident.
    Replay(Box<DeliverySummary>),
    /// An override or a maintenance window. It aims at no incident.
    Arrange(Box<arrange::Arranging>),
    /// Whether to do this to a target, or to send again. It aims at no incident.
    Forward(Forwarding),
}

/// Words that a prompt begins with: those of a command line.
#[derive(Debug, Default)]
pub(super) struct Preset<'a> {
    /// What to choose.
    pub(super) choice: &'a str,
    /// The text that goes with it.
    pub(super) text: &'a str,
}

impl Prompt {
    /// `account`: where the choices come from.
    pub(super) fn open(
        model: &mut Model,
        wish: Wish,
        account: AccountName,
        (aims, left_out): (Vec<Aim>, Vec<String>),
        preset: &Preset<'_>,
    ) -> Vec<Effect> {
        let keys: Vec<_> = aims.iter().map(|aim| aim.target.key.clone()).collect();
        let mut effects = vec![];
        let ask = match wish {
            Wish::Acknowledge => Ask::Acknowledge,
            Wish::Resolve => {
                let mut note = TypedLine::default();
                note.insert(preset.text);
                Ask::Resolve { note, typing: false }
            }
            Wish::Note | Wish::StatusUpdate => {
                let draft = if wish == Wish::Note { incidents::take_draft(model, &keys) } else { None };
                let text = [draft.unwrap_or_default().as_str(), preset.text].concat();
                Ask::Text(wish, Box::new(editor(text)))
            }
            _ => {
                let (mut pick, asked) = Pick::open(model, wish, account, &aims);
                pick.preset(model, preset.choice, preset.text);
                effects = asked;
                Ask::Pick(Box::new(pick))
            }
        };
        model.prompt = Some(Self { aims, left_out, ask });
        effects
    }

    /// Asks whether to go on although the status is another; `false` when there is nothing left to ask.
    pub(super) fn open_conflict(model: &mut Model, action: &Action) -> bool {
        let (mut aims, mut reasons) = (vec![], vec![]);
        for (key, outcome) in &action.outcomes {
            let Outcome::Conflict { now, assignees, reason } = outcome else { continue };
            let Some(incident) = model.board.incidents.get(key) else { continue };
            // What is told here, and not what came after it: whoever agrees agrees to no more than that.
            let target = Target { key: key.clone(), seen: *now, assignees: assignees.clone() };
            aims.push(Aim { target, ..Aim::at(&model.board, incident) });
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

    /// The account that something is chosen at, where it is not that of the incidents.
    fn account(&self) -> Option<&AccountName> {
        if let Ask::Pick(pick) = &self.ask { Some(&pick.account) } else { None }
    }

    fn keys(&self) -> Vec<IncidentKey> {
        self.aims.iter().map(|aim| aim.target.key.clone()).collect()
    }

    /// Keys and what they do, for the footer.
    pub fn hints(&self) -> Vec<(&'static str, &'static str)> {
        match &self.ask {
            Ask::Acknowledge => vec![("enter", "acknowledge"), ("esc", "leave it")],
            Ask::Resolve { typing: false, .. } => vec![("enter", "resolve"), ("tab", "note"), ("esc", "leave it")],
            Ask::Resolve { typing: true, .. } => vec![("enter", "resolve"), ("esc", "back")],
            Ask::Text(..) => vec![("ctrl-s", "send"), ("enter", "line"), ("esc", "leave it")],
            Ask::Conflict { .. } => vec![("y", "do it anyway"), ("esc", "leave it")],
            Ask::Replay(_) => vec![("enter", "replay"), ("esc", "leave it")],
            Ask::Forward(wish) => vec![("enter", wish.word()), ("esc", "leave it")],
            Ask::Pick(pick) => pick.hints(),
            Ask::Arrange(arranging) => arranging.hints().to_vec(),
        }
    }
}

/// What going on with `verb` means for an incident that is `now` in this status.
pub fn consequence(verb: &Verb, now: Status) -> &'static str {
    match (verb, now) {
        (Verb::Acknowledge, Status::Resolved) => "acknowledging reopens it",
        (Verb::Acknowledge, Status::Triggered | Status::Acknowledged) => "acknowledging puts your name on it",
        (Verb::Resolve { note: None }, Status::Resolved) | (Verb::ResolveAlert { .. }, _) => {
            "there is nothing left to resolve"
        }
        (Verb::Resolve { note: Some(_) }, Status::Resolved) | (Verb::Note { .. }, _) => "the note is added",
        (Verb::Resolve { .. }, _) => "resolving closes it for everybody",
        (Verb::HandOff { .. }, Status::Resolved) => "handing it off may reopen it",
        (Verb::HandOff { .. }, _) => "handing it off pages the new assignee",
        (Verb::Snooze { .. }, _) => "only what is open can be snoozed",
        (Verb::Escalate { .. }, Status::Resolved) => "only what is open can be escalated",
        (Verb::Escalate { .. }, _) => "escalating pages the next level",
        (Verb::Merge { .. }, Status::Resolved) => "what is resolved can hardly be merged",
        (Verb::Merge { .. }, _) => "merging closes it for everybody",
        (Verb::AddResponders { .. }, _) => "they are asked to join something that is over",
        (Verb::StatusUpdate { .. }, _) => "the update is sent by e-mail",
        (Verb::RunWorkflow { .. }, _) => "the workflow runs",
        (Verb::Edit(_) | Verb::Create(_) | Verb::Arrange(_), _) => "it is done",
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
        Ask::Resolve { note, typing } => resolve(note, typing, chord),
        // It came up by itself, so the key is one that nobody presses by the way.
        Ask::Conflict { verb, .. } => confirm(chord, Key::Char('y'), verb),
        Ask::Text(wish, editor) => text(*wish, editor, chord),
        Ask::Pick(pick) => pick::press(model, pick, chord),
        // Taken care of above.
        Ask::Arrange(_) => Step::Stay,
        Ask::Forward(wish) => match chord.key {
            Key::Enter => return asking::send(model, wish.clone()),
            Key::Esc => Step::Leave,
            _ => Step::Stay,
        },
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

fn resolve(note: &mut TypedLine, typing: &mut bool, chord: Chord) -> Step {
    match chord.key {
        Key::Enter => {
            let note = Some(note.as_str().trim().to_owned()).filter(|note| !note.is_empty());
            return Step::Do(Verb::Resolve { note });
        }
        Key::Esc if !*typing => return Step::Leave,
        Key::Esc | Key::Tab => *typing = !*typing && chord.key == Key::Tab,
        _ if *typing => drop(note.take(chord)),
        _ => {}
    }
    Step::Stay
}

fn text(wish: Wish, editor: &mut TextArea<'static>, chord: Chord) -> Step {
    let send = (chord.ctrl && chord.key == Key::Char('s')) || (chord.alt && chord.key == Key::Enter);
    if chord.key == Key::Esc {
        return Step::Leave;
    }
    if !send {
        editor.input(editor_input(chord));
        return Step::Stay;
    }
    let text = editor.lines().join("\n").trim().to_owned();
    Step::Do(if wish == Wish::Note { Verb::Note { text } } else { Verb::StatusUpdate { message: text } })
}

/// Sends it; when that is not possible now, says so and keeps what was typed.
fn carry_out(model: &mut Model, prompt: Prompt, verb: Verb) -> Vec<Effect> {
    let objection = verb.objection(model.now).map_or(Ok(()), Err);
    let account = prompt.account();
    if let Err(reason) = objection.and_then(|()| incidents::may_act(model, &prompt.keys(), account)) {
        model.say(NoticeKind::Bad, &reason);
        model.prompt = Some(prompt);
        return vec![];
    }
    let account = account.cloned();
    incidents::send(model, account, &prompt.aims, verb)
}

fn leave(model: &mut Model, prompt: &Prompt) {
    if let Ask::Text(Wish::Note, editor) = &prompt.ask {
        let text = editor.lines().join("\n");
        if !text.trim().is_empty() {
            incidents::keep_draft(model, &prompt.keys(), &text);
            model.say(NoticeKind::Good, "not sent; n on the same incident brings the text back");
        }
    }
}

/// Pasted text goes where typing goes.
pub(super) fn pasted(model: &mut Model, text: &str) {
    let Some(mut prompt) = model.prompt.take() else { return };
    match &mut prompt.ask {
        Ask::Text(_, editor) => drop(editor.insert_str(pasted_text(text))),
        Ask::Pick(pick) => pick.pasted(model, text),
        Ask::Arrange(arranging) => arranging.pasted(text),
        Ask::Resolve { note, typing: true } => note.insert(text),
        Ask::Acknowledge | Ask::Resolve { .. } | Ask::Conflict { .. } | Ask::Replay(_) | Ask::Forward(_) => {}
    }
    model.prompt = Some(prompt);
}

/// An answer to what the open prompt asked for; `None`: it did not.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let mut prompt = model.prompt.take()?;
    let choices = match answer {
        Ok(Answer::Choices { choices, .. }) => Ok(choices.clone()),
        Ok(_) => Err("the server answered something else".to_owned()),
        Err(reason) => Err(reason.clone()),
    };
    let ours = if let Ask::Pick(pick) = &mut prompt.ask { pick.told(model, id, choices) } else { false };
    model.prompt = Some(prompt);
    ours.then(Vec::new)
}

/// Another server answers, with another store: a question about what the earlier one knew by its number or name is closed.
/// What is typed stays. `true`: it was closed.
pub(super) fn parted(model: &mut Model) -> bool {
    let is_theirs = |prompt: &mut Prompt| matches!(prompt.ask, Ask::Conflict { .. } | Ask::Replay(_) | Ask::Forward(_));
    model.prompt.take_if(is_theirs).is_some()
}

/// The screen has another size.
pub(super) fn settle(model: &mut Model) {
    arrange::settle(model);
    let height = pick::height(model);
    if let Some(Prompt { ask: Ask::Pick(pick), .. }) = &mut model.prompt {
        pick.settle(height);
    }
}

#[cfg(test)]
mod tests;

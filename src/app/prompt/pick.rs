//! Choosing: from a list that is narrowed by typing, with a text where one goes with it, and the question whether to.

use ratatui::layout::Rect;

use super::{
    Aim, Choice, Step, Wish,
    choices::{self, Words},
};
use crate::{
    app::{
        Effect, Model, geometry,
        list::{Cursor, Step as Move},
        typing::TypedLine,
    },
    core::{
        action::Verb,
        choices::Choices,
        freshness::Sight,
        id::AccountName,
        keys::{Chord, Key},
    },
    proto::{Request, RequestId},
};

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Choosing,
    /// The text that goes with the choice.
    Writing,
    Confirming,
}

/// The state of the prompt. The choices are those known when it opened, and what the provider has told since.
#[derive(Debug)]
pub struct Pick {
    pub wish: Wish,
    pub account: AccountName,
    pub choices: Vec<Choice>,
    /// Those that match the filter, in order; before them what the filter says by itself.
    pub listed: Vec<Choice>,
    pub cursor: Cursor<Choice>,
    pub filter: TypedLine,
    pub text: TypedLine,
    pub stage: Stage,
    /// What was asked for and has not come yet.
    pub waiting: Vec<RequestId>,
    /// What cannot be chosen from, and why.
    pub missing: Option<String>,
}

impl Pick {
    pub(super) fn open(model: &mut Model, wish: Wish, account: AccountName, aims: &[Aim]) -> (Self, Vec<Effect>) {
        let known = model.board.accounts.get(&account).map(|board| choices::of(model, wish, aims, board));
        let (choices, asked) = known.unwrap_or_default();
        let among_people = matches!(wish, Wish::HandOff | Wish::AddResponders);
        let barred = model.board.accounts.get(&account).and_then(|board| board.account.barred_words(Sight::People));
        let ask = |of| model.ask(Request::Choices { account: account.clone(), of });
        let (waiting, effects) = asked.into_iter().map(ask).unzip();
        let mut pick = Self {
            wish,
            account,
            choices,
            listed: vec![],
            cursor: Cursor::default(),
            filter: TypedLine::default(),
            text: TypedLine::default(),
            stage: Stage::Choosing,
            waiting,
            missing: barred.filter(|_| among_people),
        };
        pick.refilter(model);
        (pick, effects)
    }

    /// The one the hand is on.
    pub fn chosen(&self) -> Option<&Choice> {
        self.cursor.selected()
    }

    /// The name of the text that goes with the choice, where one does.
    pub fn text_name(&self) -> Option<&'static str> {
        match self.chosen()?.means.words() {
            Words::None => None,
            Words::May(name) | Words::Must(name) => Some(name),
        }
    }

    pub(super) fn hints(&self) -> Vec<(&'static str, &'static str)> {
        match (self.stage, self.text_name()) {
            (Stage::Choosing, Some(name)) => {
                vec![("enter", "choose"), ("tab", name), ("up/down", "select"), ("esc", "back")]
            }
            (Stage::Choosing, None) => vec![("enter", "choose"), ("up/down", "select"), ("esc", "back")],
            (Stage::Writing, _) => vec![("enter", "go on"), ("tab", "choose"), ("esc", "back")],
            (Stage::Confirming, _) => vec![("enter", self.wish.word()), ("esc", "back")],
        }
    }

    /// What was asked for has come, or not; `false`: it was not asked for here.
    pub(super) fn told(&mut self, model: &Model, id: RequestId, choices: Result<Choices, String>) -> bool {
        let Some(at) = self.waiting.iter().position(|waiting| *waiting == id) else { return false };
        self.waiting.remove(at);
        match choices {
            Ok(choices) => self.choices.extend(choices::told(choices)),
            Err(reason) => self.missing = Some(reason),
        }
        self.refilter(model);
        true
    }

    pub(super) fn pasted(&mut self, model: &Model, text: &str) {
        match self.stage {
            Stage::Choosing => {
                self.filter.insert(text);
                self.refilter(model);
            }
            Stage::Writing => self.text.insert(text),
            Stage::Confirming => {}
        }
    }

    pub(super) fn settle(&mut self, height: usize) {
        self.cursor.settle(&self.listed, height);
    }

    /// Narrows the list to `words` and goes on when that leaves one; `text` goes with it.
    pub(super) fn preset(&mut self, model: &Model, words: &str, text: &str) {
        self.filter.insert(words);
        self.refilter(model);
        self.text.insert(text);
        let exact = self.listed.iter().find(|choice| choice.name.eq_ignore_ascii_case(words.trim())).cloned();
        let only = exact.or_else(|| if let [one] = self.listed.as_slice() { Some(one.clone()) } else { None });
        if let Some(only) = only.filter(|_| !words.trim().is_empty()) {
            self.cursor.select(Some(only));
            self.settle(height(model));
            self.go_on();
        }
    }

    fn refilter(&mut self, model: &Model) {
        let wanted = self.filter.as_str().to_lowercase();
        let matches = |choice: &&Choice| {
            let text = format!("{} {}", choice.name, choice.about).to_lowercase();
            wanted.split_whitespace().all(|word| text.contains(word))
        };
        let typed = choices::typed(model, self.wish, &wanted);
        let known = |choice: &Choice| typed.as_ref().is_some_and(|typed| typed.means == choice.means);
        let matching = self.choices.iter().filter(matches).filter(|choice| !known(choice)).cloned();
        self.listed = typed.iter().cloned().chain(matching).collect();
        self.settle(height(model));
        self.cursor.hold_first_if_none(&self.listed);
        self.settle(height(model));
    }

    fn verb(&self) -> Option<Verb> {
        let chosen = self.chosen()?;
        Some(chosen.means.verb(&chosen.name, self.text.as_str()))
    }

    /// The text of an edit is that of what is edited; a note goes with whatever is chosen.
    fn forget_text(&mut self) {
        if self.wish == Wish::Edit {
            self.text.clear();
        }
    }

    /// A choice was made: a text that it must have is asked for before the question whether to.
    fn go_on(&mut self) {
        let Some(chosen) = self.chosen() else { return };
        let (words, first) = (chosen.means.words(), chosen.means.first_words().to_owned());
        self.stage = match words {
            Words::Must(_) if self.text.is_empty() => Stage::Writing,
            Words::May("value") if self.stage == Stage::Choosing => Stage::Writing,
            _ => Stage::Confirming,
        };
        if self.stage == Stage::Writing && self.text.is_empty() {
            self.text.insert(&first);
        }
    }
}

/// Rows that the list of choices has on this screen.
pub(super) fn height(model: &Model) -> usize {
    let body = geometry::areas(Rect::new(0, 0, model.size.0, model.size.1)).body;
    usize::from(geometry::pick(body).choices.height)
}

pub(super) fn press(model: &Model, pick: &mut Pick, chord: Chord) -> Step {
    match (pick.stage, chord.key) {
        (Stage::Choosing, Key::Esc) if pick.filter.is_empty() => return Step::Leave,
        (Stage::Choosing, Key::Esc) => {
            pick.filter.clear();
            pick.refilter(model);
        }
        (Stage::Choosing, Key::Tab) if pick.text_name().is_some() => pick.stage = Stage::Writing,
        (Stage::Choosing | Stage::Writing, Key::Enter) if pick.chosen().is_some() => pick.go_on(),
        (Stage::Choosing, _) => choose(model, pick, chord),
        (Stage::Writing, Key::Tab) | (Stage::Writing | Stage::Confirming, Key::Esc) => pick.stage = Stage::Choosing,
        (Stage::Writing, _) => drop(pick.text.take(chord)),
        (Stage::Confirming, Key::Enter) => return pick.verb().map_or(Step::Stay, Step::Do),
        (Stage::Confirming, _) => {}
    }
    Step::Stay
}

fn choose(model: &Model, pick: &mut Pick, chord: Chord) {
    let step = match chord.key {
        Key::Down => Move::Down,
        Key::Up => Move::Up,
        Key::PageDown => Move::PageDown,
        Key::PageUp => Move::PageUp,
        Key::Home => Move::Top,
        Key::End => Move::Bottom,
        _ => {
            if pick.filter.take(chord) {
                pick.refilter(model);
                pick.forget_text();
            }
            return;
        }
    };
    pick.cursor.step(step, &pick.listed, height(model));
    pick.forget_text();
}

//! The prompts for overrides and maintenance windows. Each asks for what is missing, one thing after the other, then
//! says whose shift is replaced, from when till when on the viewer's clock, and does nothing before that is confirmed.

mod open;
mod words;

use ratatui::layout::Rect;

pub(in crate::app) use self::open::{end_maintenance, new_override, remove_override, start_maintenance, take};
use self::open::{on_schedule, override_choice};
use super::{Ask, Prompt};
use crate::{
    app::{
        Effect, Model, NoticeKind, arranging, geometry,
        list::{Cursor, Step as Move},
        typing::TypedLine,
        wait::Wait,
    },
    core::{
        arrangement::{Arrangement, Cover},
        id::{AccountName, ScheduleId, ServiceId, UserId, WindowId},
        incident::Named,
        keys::{Chord, Key},
        oncall::Schedule,
        query::Clock,
        rota::{Override, replaced},
        span::{self, Span},
    },
    proto::{Answer, Request, RequestId},
};

/// What is to be arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Take,
    Override,
    RemoveOverride,
    StartMaintenance,
    EndMaintenance,
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Schedule,
    Person,
    /// The span is typed.
    When,
    /// The description is typed.
    Words,
    /// The server is asked for what must be known before going on.
    Asking,
    Override,
    Window,
    Confirming,
}

/// One thing to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub thing: Thing,
    pub name: String,
    pub about: String,
}

/// What is chosen, by identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    Schedule(AccountName, Named<ScheduleId>),
    Person(Named<UserId>),
    Override(Override),
    Window(Named<WindowId>),
}

/// The state of such a prompt.
#[derive(Debug)]
pub struct Arranging {
    pub wish: Wish,
    pub stage: Stage,
    pub account: AccountName,
    pub choices: Vec<Choice>,
    pub listed: Vec<Thing>,
    pub cursor: Cursor<Thing>,
    pub filter: TypedLine,
    pub when: TypedLine,
    pub words: TypedLine,
    /// What is wrong with what was typed, or with an answer.
    pub wrong: Option<String>,
    schedule: Option<Named<ScheduleId>>,
    user: Option<Named<UserId>>,
    span: Option<Span>,
    service: Option<Named<ServiceId>>,
    chosen: Option<Thing>,
    /// The schedule's shifts in that span, when the board does not hold them.
    shifts: Option<Schedule>,
    waiting: Option<Wait>,
}

impl Arranging {
    fn new(wish: Wish, account: AccountName) -> Self {
        Self {
            wish,
            stage: Stage::When,
            account,
            choices: vec![],
            listed: vec![],
            cursor: Cursor::default(),
            filter: TypedLine::default(),
            when: TypedLine::default(),
            words: TypedLine::default(),
            wrong: None,
            schedule: None,
            user: None,
            span: None,
            service: None,
            chosen: None,
            shifts: None,
            waiting: None,
        }
    }

    pub(super) fn hints(&self) -> &'static [(&'static str, &'static str)] {
        match self.stage {
            Stage::Schedule | Stage::Person | Stage::Override | Stage::Window => {
                &[("enter", "choose"), ("up/down", "select"), ("esc", "leave it")]
            }
            Stage::When | Stage::Words => &[("enter", "go on"), ("esc", "leave it")],
            Stage::Asking => &[("esc", "leave it")],
            Stage::Confirming if self.is_long() => &[("y", "do it all the same"), ("esc", "leave it")],
            Stage::Confirming => &[("enter", "do it"), ("esc", "leave it")],
        }
    }

    /// Whether it is so long that one key more is asked for.
    fn is_long(&self) -> bool {
        self.span.is_some_and(Span::is_long)
    }

    fn choose_among(&mut self, stage: Stage, choices: Vec<Choice>, height: usize) {
        self.stage = stage;
        self.choices = choices;
        self.filter.clear();
        self.cursor = Cursor::default();
        self.refilter(height);
    }

    fn refilter(&mut self, height: usize) {
        let wanted = self.filter.as_str().to_lowercase();
        let matches = |choice: &&Choice| {
            let text = format!("{} {}", choice.name, choice.about).to_lowercase();
            wanted.split_whitespace().all(|word| text.contains(word))
        };
        self.listed = self.choices.iter().filter(matches).map(|choice| choice.thing.clone()).collect();
        self.settle(height);
        self.cursor.hold_first_if_none(&self.listed);
        self.settle(height);
    }

    pub(super) fn settle(&mut self, height: usize) {
        self.cursor.settle(&self.listed, height);
    }

    pub(super) fn pasted(&mut self, text: &str) {
        match self.stage {
            Stage::Schedule | Stage::Person | Stage::Override | Stage::Window => {
                self.filter.insert(text);
                self.refilter(1);
            }
            Stage::When => self.when.insert(text),
            Stage::Words => self.words.insert(text),
            Stage::Asking | Stage::Confirming => {}
        }
    }

    /// What is asked for, once all is known.
    fn arrangement(&self, model: &Model) -> Option<Arrangement> {
        match self.wish {
            Wish::Take | Wish::Override => {
                let (schedule, user, span) = (self.schedule.clone()?, self.user.clone()?, self.span?);
                let (replaces, _) = replaced(self.known_shifts(model)?, span.from, span.to);
                Some(Arrangement::AddOverrides { schedule, covers: vec![Cover { user, span, replaces }] })
            }
            Wish::RemoveOverride => match self.chosen.clone()? {
                Thing::Override(known) => {
                    Some(Arrangement::RemoveOverrides { schedule: self.schedule.clone()?, overrides: vec![known] })
                }
                _ => None,
            },
            Wish::StartMaintenance => {
                let description = self.words.as_str().trim().to_owned();
                let services = vec![self.service.clone()?];
                Some(Arrangement::StartMaintenance { services, span: self.span?, description })
            }
            Wish::EndMaintenance => match self.chosen.clone()? {
                Thing::Window(window) => Some(Arrangement::EndMaintenance { windows: vec![window] }),
                _ => None,
            },
        }
    }

    /// The shifts of the schedule, if they are known over the whole span.
    fn known_shifts<'a>(&'a self, model: &'a Model) -> Option<&'a Schedule> {
        let (schedule, span) = (self.schedule.as_ref()?, self.span?);
        let holds = |known: &&Schedule| {
            // What lies before the board's window is over by now.
            let from = span.from.max(model.board.provider_time(&self.account, model.now).min(known.from));
            known.schedule.id == schedule.id && from <= span.from.max(known.from) && span.to <= known.to
        };
        let board = model.board.accounts.get(&self.account)?;
        self.shifts.as_ref().filter(holds).or_else(|| board.schedules.iter().find(holds))
    }
}

fn height(model: &Model) -> usize {
    let body = geometry::areas(Rect::new(0, 0, model.size.0, model.size.1)).body;
    usize::from(geometry::pick(body).choices.height)
}

fn open(model: &mut Model, arranging: Arranging) {
    let ask = Ask::Arrange(Box::new(arranging));
    model.prompt = Some(Prompt { aims: vec![], left_out: vec![], ask });
}

fn refuse(model: &mut Model, reason: &str) -> Vec<Effect> {
    model.say(NoticeKind::Bad, reason);
    vec![]
}

/// Asks the server, and goes on with its answer.
fn ask(model: &mut Model, mut arranging: Arranging, request: Request) -> Vec<Effect> {
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    arranging.stage = Stage::Asking;
    arranging.waiting = Some(wait);
    open(model, arranging);
    vec![effect]
}

/// An answer that the open prompt waits for; `None`: none of its.
pub(in crate::app) fn answered(
    model: &mut Model,
    id: RequestId,
    answer: &Result<Answer, String>,
) -> Option<Vec<Effect>> {
    let height = height(model);
    let Some(Prompt { ask: Ask::Arrange(arranging), .. }) = &mut model.prompt else { return None };
    arranging.waiting.take_if(|wait| wait.is(id))?;
    let failed = |model: &mut Model, reason: &str| {
        model.prompt = None;
        refuse(model, reason)
    };
    match answer {
        Ok(Answer::Shifts { schedule }) => {
            arranging.shifts = Some((**schedule).clone());
            arranging.stage = Stage::Confirming;
        }
        Ok(Answer::Overrides { overrides }) if overrides.is_empty() => {
            return Some(failed(model, "this schedule has no override in the coming sixty days"));
        }
        Ok(Answer::Overrides { overrides }) => {
            let overrides = overrides.clone();
            let choices = overrides.iter().map(|known| override_choice(model, known)).collect();
            if let Some(Prompt { ask: Ask::Arrange(arranging), .. }) = &mut model.prompt {
                arranging.choose_among(Stage::Override, choices, height);
            }
        }
        Ok(_) => return Some(failed(model, "nothing was sent: the server answered something else")),
        Err(reason) => return Some(failed(model, &format!("nothing was sent: {reason}"))),
    }
    Some(vec![])
}

/// A key while such a prompt is open.
pub(super) fn press(model: &mut Model, mut arranging: Box<Arranging>, chord: Chord) -> Vec<Effect> {
    if chord.key == Key::Esc {
        return vec![];
    }
    arranging.wrong = None;
    match arranging.stage {
        Stage::Asking => {}
        Stage::Confirming => {
            let yes = if arranging.is_long() { Key::Char('y') } else { Key::Enter };
            if chord.key == yes {
                return confirm(model, *arranging);
            }
        }
        Stage::When if chord.key == Key::Enter => return read_when(model, *arranging),
        Stage::When => drop(arranging.when.take(chord)),
        Stage::Words if chord.key == Key::Enter => arranging.stage = Stage::Confirming,
        Stage::Words => drop(arranging.words.take(chord)),
        Stage::Schedule | Stage::Person | Stage::Override | Stage::Window => {
            if chord.key == Key::Enter {
                return chosen(model, *arranging);
            }
            move_or_filter(model, &mut arranging, chord);
        }
    }
    open(model, *arranging);
    vec![]
}

fn move_or_filter(model: &Model, arranging: &mut Arranging, chord: Chord) {
    let step = match chord.key {
        Key::Down => Move::Down,
        Key::Up => Move::Up,
        Key::PageDown => Move::PageDown,
        Key::PageUp => Move::PageUp,
        Key::Home => Move::Top,
        Key::End => Move::Bottom,
        _ => {
            if arranging.filter.take(chord) {
                arranging.refilter(height(model));
            }
            return;
        }
    };
    arranging.cursor.step(step, &arranging.listed, height(model));
}

fn chosen(model: &mut Model, mut arranging: Arranging) -> Vec<Effect> {
    match arranging.cursor.selected().cloned() {
        None => {}
        Some(Thing::Schedule(account, schedule)) => return on_schedule(model, arranging, account, schedule),
        Some(Thing::Person(user)) => {
            arranging.user = Some(user);
            arranging.stage = Stage::When;
        }
        Some(thing @ (Thing::Override(_) | Thing::Window(_))) => {
            arranging.chosen = Some(thing);
            arranging.stage = Stage::Confirming;
        }
    }
    open(model, arranging);
    vec![]
}

/// Reads the span that was typed; goes on when it can be one.
fn read_when(model: &mut Model, mut arranging: Arranging) -> Vec<Effect> {
    let now = model.board.provider_time(&arranging.account, model.now);
    let span = match span::read(arranging.when.as_str(), Clock { now, zone: &model.zone }) {
        Ok(span) => span,
        Err(why) => {
            arranging.wrong = Some(why);
            open(model, arranging);
            return vec![];
        }
    };
    arranging.span = Some(span);
    if arranging.wish == Wish::StartMaintenance {
        arranging.stage = Stage::Words;
    } else if arranging.known_shifts(model).is_some() {
        arranging.stage = Stage::Confirming;
    } else if let Some(schedule) = arranging.schedule.clone() {
        let account = arranging.account.clone();
        return ask(model, arranging, Request::Shifts { account, schedule, span });
    }
    open(model, arranging);
    vec![]
}

/// Sends it; when that is not possible now, says so and keeps the prompt.
fn confirm(model: &mut Model, arranging: Arranging) -> Vec<Effect> {
    let account = arranging.account.clone();
    let ready = arranging::may_arrange(model, &account).and_then(|()| {
        arranging.arrangement(model).ok_or_else(|| "not all is known that is needed: nothing was sent".to_owned())
    });
    match ready {
        Ok(what) => arranging::send(model, account, what),
        Err(reason) => {
            open(model, arranging);
            refuse(model, &reason)
        }
    }
}

/// The screen has another size.
pub(super) fn settle(model: &mut Model) {
    let height = height(model);
    if let Some(Prompt { ask: Ask::Arrange(arranging), .. }) = &mut model.prompt {
        arranging.settle(height);
    }
}

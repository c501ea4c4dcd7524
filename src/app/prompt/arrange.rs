//! The prompts for overrides and maintenance windows. Each asks for what is missing, one thing after the other, then
//! says whose shift is replaced, from when till when on the viewer's clock, and does nothing before that is confirmed.

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

use super::{Ask, Prompt};
use crate::{
    app::{
        Effect, Model, NoticeKind, arranging, geometry,
        list::{Cursor, Step as Move},
        oncall,
        page::Tone,
        services,
        typing::TypedLine,
        wait::Wait,
    },
    core::{
        arrangement::{Arrangement, Cover},
        escalation::in_time,
        id::{AccountName, ScheduleId, ServiceId, UserId, WindowId},
        incident::Named,
        keys::{Chord, Key},
        oncall::Schedule,
        query::Clock,
        rota::{Override, replaced},
        service::Window,
        span::{self, Span},
        text::Shown,
        words::{moment, zone_name},
    },
    proto::{Answer, Request, RequestId},
};

/// How far ahead overrides are looked for.
const AHEAD: SignedDuration = SignedDuration::from_hours(60 * 24);

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

    pub fn title(&self) -> String {
        let on = self.schedule.as_ref().map(|schedule| format!(": {}", schedule.name)).unwrap_or_default();
        let service = self.service.as_ref().map_or("", |service| service.name.as_str());
        match (self.wish, self.stage) {
            (_, Stage::Schedule) => "Which schedule?".into(),
            (_, Stage::Person) => format!("Who{on}?"),
            (Wish::Take, Stage::When) => format!("Take the pager{on}, for how long?"),
            (Wish::Take, _) => format!("Take the pager{on}?"),
            (Wish::Override, Stage::When) => format!("Override{on}, from when till when?"),
            (Wish::Override, _) => format!("Override{on}?"),
            (Wish::RemoveOverride, Stage::Confirming) => format!("Remove this override{on}?"),
            (Wish::RemoveOverride, _) => format!("Remove which override{on}?"),
            (Wish::StartMaintenance, Stage::When) => format!("Maintenance of {service}, for how long?"),
            (Wish::StartMaintenance, Stage::Words) => format!("Maintenance of {service}: what for?"),
            (Wish::StartMaintenance, _) => format!("Put {service} into maintenance?"),
            (Wish::EndMaintenance, Stage::Confirming) => format!("End this maintenance of {service}?"),
            (Wish::EndMaintenance, _) => format!("End which maintenance of {service}?"),
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
        self.cursor.select_first_if_none(&self.listed);
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

    /// What is confirmed, in lines.
    pub fn question(&self, model: &Model) -> Vec<(Tone, String)> {
        let mut lines = vec![];
        match self.wish {
            Wish::Take | Wish::Override => {
                let who = self.user.as_ref().map_or("", |user| user.name.as_str());
                let you = if self.wish == Wish::Take { " (you)" } else { "" };
                lines.push((Tone::Strong, format!("{who}{you} has the pager")));
                lines.extend(self.span_lines(model));
                lines.extend(self.replaced_lines(model));
            }
            Wish::RemoveOverride => {
                if let Some(Thing::Override(known)) = &self.chosen {
                    let span = Span { from: known.start, to: known.end };
                    lines.push((Tone::Strong, format!("{} is taken off", known.user.name)));
                    lines.push((Tone::Plain, span_words(model, span)));
                    let runs = known.start <= model.board.provider_time(&self.account, model.now);
                    let words = if runs { "It runs now, and ends at once." } else { "It has not begun." };
                    lines.push((Tone::Plain, words.into()));
                    lines.push((Tone::Plain, "Whoever the schedule names has the pager then.".into()));
                }
            }
            Wish::StartMaintenance => {
                lines.push((Tone::Strong, "Nobody is called for new incidents of this service".into()));
                lines.extend(self.span_lines(model));
                let words = self.words.as_str().trim();
                let words = if words.is_empty() { "no description".into() } else { Shown::line(words).to_string() };
                lines.push((Tone::Plain, format!("what for: {words}")));
            }
            Wish::EndMaintenance => {
                if let Some(Thing::Window(window)) = &self.chosen {
                    lines.push((Tone::Strong, format!("{} ends now", window.name)));
                    lines.push((Tone::Plain, "New incidents call people again.".into()));
                }
            }
        }
        lines
    }

    fn span_lines(&self, model: &Model) -> Vec<(Tone, String)> {
        let Some(span) = self.span else { return vec![] };
        let mut lines = vec![(Tone::Plain, format!("{} ({})", span_words(model, span), in_time(span.length())))];
        if span.is_long() {
            lines.push((Tone::Alarm, format!("! that is {}: y confirms", in_time(span.length()))));
        }
        lines
    }

    fn replaced_lines(&self, model: &Model) -> Vec<(Tone, String)> {
        let (Some(span), Some(shifts)) = (self.span, self.known_shifts(model)) else {
            return vec![(Tone::Alarm, "! whose shift that is, is not known".into())];
        };
        let (people, gap) = replaced(shifts, span.from, span.to);
        let others = people.iter().filter(|one| self.user.as_ref().is_none_or(|user| user.id != one.id));
        let names: Vec<&str> = others.map(|one| one.name.as_str()).collect();
        let mut lines = vec![];
        match names.as_slice() {
            [] if people.is_empty() => lines.push((Tone::Plain, "in nobody's place: nobody has that time".into())),
            [] => lines.push((Tone::Caution, "who has that time already, at least in part".into())),
            names => lines.push((Tone::Caution, format!("in place of {}", names.join(", ")))),
        }
        if gap && !people.is_empty() {
            lines.push((Tone::Caution, "a part of that time has nobody now".into()));
        }
        lines
    }
}

/// `from 04:17 till 05:17 CEST`; both zones where the clocks are changed in between.
fn span_words(model: &Model, span: Span) -> String {
    let at = |at: Timestamp| moment(at, model.now, &model.zone);
    let (first, last) = (zone_name(span.from, &model.zone), zone_name(span.to, &model.zone));
    let first = if first == last { String::new() } else { format!(" {first}") };
    format!("from {}{first} till {} {last}", at(span.from), at(span.to))
}

fn height(model: &Model) -> usize {
    let body = geometry::areas(Rect::new(0, 0, model.size.0, model.size.1)).body;
    usize::from(geometry::hand_off(body).choices.height)
}

fn open(model: &mut Model, arranging: Arranging) {
    let ask = Ask::Arrange(Box::new(arranging));
    model.prompt = Some(Prompt { aims: vec![], left_out: vec![], ask });
}

fn refuse(model: &mut Model, reason: &str) -> Vec<Effect> {
    model.say(NoticeKind::Bad, reason);
    vec![]
}

/// Opens the prompt to put oneself on the schedule at hand, or on one that is chosen first.
pub(in crate::app) fn take(model: &mut Model) -> Vec<Effect> {
    begin(model, Wish::Take)
}

pub(in crate::app) fn new_override(model: &mut Model) -> Vec<Effect> {
    begin(model, Wish::Override)
}

pub(in crate::app) fn remove_override(model: &mut Model) -> Vec<Effect> {
    begin(model, Wish::RemoveOverride)
}

fn begin(model: &mut Model, wish: Wish) -> Vec<Effect> {
    if let Some((account, schedule)) = oncall::grid::at_hand(model) {
        return on_schedule(model, Arranging::new(wish, account.clone()), account, schedule);
    }
    let Some(first) = model.board.accounts.keys().next().cloned() else {
        return refuse(model, "no account is configured");
    };
    let choices: Vec<Choice> = schedules(model);
    if choices.is_empty() {
        return refuse(model, "no schedule is known yet");
    }
    let height = height(model);
    let mut arranging = Arranging::new(wish, first);
    arranging.choose_among(Stage::Schedule, choices, height);
    open(model, arranging);
    vec![]
}

/// All schedules, with who has them now.
fn schedules(model: &Model) -> Vec<Choice> {
    let several = model.board.accounts.len() > 1;
    let mut out = vec![];
    for board in model.board.accounts.values() {
        let now = board.account.provider_time(model.now);
        for known in &board.schedules {
            let has_it = known.shifts.iter().find(|shift| shift.start <= now && now < shift.end);
            let who = has_it.map_or("nobody".into(), |shift| shift.user.name.to_string());
            let account = if several { format!("{}: ", board.account.name) } else { String::new() };
            out.push(Choice {
                thing: Thing::Schedule(board.account.name.clone(), known.schedule.clone()),
                name: known.schedule.name.to_string(),
                about: format!("{account}{who} now"),
            });
        }
    }
    out
}

/// The schedule is known: what comes next.
fn on_schedule(
    model: &mut Model,
    mut arranging: Arranging,
    account: AccountName,
    schedule: Named<ScheduleId>,
) -> Vec<Effect> {
    if let Err(reason) = arranging::may_arrange(model, &account) {
        model.prompt = None;
        return refuse(model, &reason);
    }
    let height = height(model);
    arranging.account = account.clone();
    arranging.schedule = Some(schedule.clone());
    let Some(board) = model.board.accounts.get(&account) else { return vec![] };
    match arranging.wish {
        Wish::Take => {
            let Some(me) = model.me(board).cloned() else {
                let why = format!("at {account} it is not known who you are: O puts somebody on the schedule by name");
                return refuse(model, &why);
            };
            arranging.user = Some(me);
            arranging.stage = Stage::When;
        }
        Wish::Override => {
            let choices = people(model, &account);
            arranging.choose_among(Stage::Person, choices, height);
        }
        Wish::RemoveOverride => {
            let from = board.account.provider_time(model.now);
            let span = Span { from, to: from.checked_add(AHEAD).unwrap_or(from) };
            return ask(model, arranging, Request::Overrides { account, schedule: schedule.id, span });
        }
        Wish::StartMaintenance | Wish::EndMaintenance => {}
    }
    open(model, arranging);
    vec![]
}

fn people(model: &Model, account: &AccountName) -> Vec<Choice> {
    let Some(board) = model.board.accounts.get(account) else { return vec![] };
    let mut people: Vec<_> = board.people.iter().collect();
    people.sort_by(|a, b| a.user.name.cmp(&b.user.name));
    let choice = |person: &&crate::core::oncall::Person| Choice {
        thing: Thing::Person(person.user.clone()),
        name: person.user.name.to_string(),
        about: person.email.as_ref().map_or_else(String::new, ToString::to_string),
    };
    people.iter().map(choice).collect()
}

/// Asks the server, and goes on with its answer.
fn ask(model: &mut Model, mut arranging: Arranging, request: Request) -> Vec<Effect> {
    let Some((wait, effect)) = Wait::ask_aloud(model, request) else { return vec![] };
    arranging.stage = Stage::Asking;
    arranging.waiting = Some(wait);
    open(model, arranging);
    vec![effect]
}

/// Opens the prompt for a maintenance window of the service at hand.
pub(in crate::app) fn start_maintenance(model: &mut Model) -> Vec<Effect> {
    let Some((account, service)) = service_at_hand(model) else {
        return refuse(model, "no service is selected: j and k select");
    };
    if let Err(reason) = arranging::may_arrange(model, &account) {
        return refuse(model, &reason);
    }
    let mut arranging = Arranging::new(Wish::StartMaintenance, account);
    arranging.service = Some(service);
    open(model, arranging);
    vec![]
}

fn service_at_hand(model: &Model) -> Option<(AccountName, Named<ServiceId>)> {
    services::selected(model).map(|row| (row.account.clone(), row.service.service.clone()))
}

/// Opens the prompt to end a window of the service at hand.
pub(in crate::app) fn end_maintenance(model: &mut Model) -> Vec<Effect> {
    let Some((account, service)) = service_at_hand(model) else {
        return refuse(model, "no service is selected: j and k select");
    };
    if let Err(reason) = arranging::may_arrange(model, &account) {
        return refuse(model, &reason);
    }
    let windows = services::selected(model).map(|row| row.windows.into_iter().cloned().collect::<Vec<Window>>());
    let windows = windows.unwrap_or_default();
    let choices: Vec<Choice> = windows.iter().map(|window| window_choice(model, window)).collect();
    let mut arranging = Arranging::new(Wish::EndMaintenance, account);
    arranging.service = Some(service);
    match choices.as_slice() {
        [] => return refuse(model, "this service has no maintenance window that runs or is to come"),
        [only] => {
            arranging.chosen = Some(only.thing.clone());
            arranging.stage = Stage::Confirming;
        }
        _ => {
            let height = height(model);
            arranging.choose_among(Stage::Window, choices, height);
        }
    }
    open(model, arranging);
    vec![]
}

fn window_choice(model: &Model, window: &Window) -> Choice {
    let about = span_words(model, Span { from: window.start, to: window.end });
    let others = window.services.len().saturating_sub(1);
    let more = if others > 0 { format!(", {others} services more") } else { String::new() };
    let words = if window.description.is_empty() { "maintenance" } else { window.description.as_str() };
    let name = Shown::line(&format!("{words} {about}{more}"));
    Choice {
        thing: Thing::Window(Named { id: window.id.clone(), name }),
        name: words.to_owned(),
        about: format!("{about}{more}"),
    }
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

fn override_choice(model: &Model, known: &Override) -> Choice {
    let about = span_words(model, Span { from: known.start, to: known.end });
    Choice { thing: Thing::Override(known.clone()), name: known.user.name.to_string(), about }
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

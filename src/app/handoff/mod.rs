//! The hand-off of a shift: read on the screen, then copied, written to a file, posted as notes; and all that is mine
//! handed to whoever comes next. While it is open, all keys are its own.

mod passing;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Effect, Link, Model, NoticeKind,
    duty::{Duty, duty},
    geometry, incidents,
    keys::{self, Action},
    list::{Step, scroll},
    page::{Page, Piece, Tone},
    prompt::Aim,
    targets::{
        self,
        asking::{self, Wish},
    },
    typing::TypedLine,
};
use crate::{
    core::{
        action::Verb,
        handoff::{Handoff, LONGEST, TEMPLATE, USUAL, begun, zone_text},
        id::TargetName,
        keys::{Chord, Key},
        query::Clock,
        text::{Shown, ShownBody},
        words::{age, clock, moment, since, zone_name},
    },
    proto::{Answer, Request, RequestId},
};

pub use passing::{Hand, Note, Passing};

/// What a terminal's clipboard takes, in bytes.
const COPIED: usize = 74_000;
/// Lines above the text.
pub const TITLE: u16 = 1;

/// How the beginning of the shift is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// I am on call since then.
    OnCall,
    /// Nothing tells: the last 12 hours.
    Usual,
    Chosen,
}

/// Whether a file may take the place of one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    Never,
    Asked,
}

/// What became of writing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Done {
        path: String,
    },
    /// There is a file of this name; it was left as it is.
    Exists {
        path: String,
    },
    Failed {
        path: String,
        reason: String,
    },
}

/// Where the keys go.
#[derive(Debug)]
pub enum Stage {
    Reading,
    /// When the shift began is typed.
    Since(TypedLine),
    /// Where to write it is typed.
    Path(TypedLine),
    /// Whether the file of this name is to be replaced.
    Replacing(String),
    /// Whether to post it on these.
    Posting(Vec<Aim>),
    /// Whether to hand these over.
    Passing(Passing),
    /// Which target to send it to.
    Sending(Sending),
}

/// The targets that it can be sent to, and the one at hand, by its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    pub targets: Vec<TargetName>,
    pub at: usize,
}

/// The open hand-off.
#[derive(Debug)]
pub struct State {
    from: Timestamp,
    begun: Begun,
    template: String,
    answer: Option<Result<Box<Handoff>, Shown>>,
    waiting: Option<RequestId>,
    /// First line shown.
    pub offset: usize,
    pub stage: Stage,
}

impl State {
    /// Whether a key is text now.
    pub(super) fn is_typing(&self) -> bool {
        matches!(self.stage, Stage::Since(_) | Stage::Path(_))
    }

    /// The text, once it is there.
    fn text(&self) -> Option<&ShownBody> {
        self.answer.as_ref()?.as_ref().ok()?.text.as_ref().ok()
    }
}

/// Opens it on the shift that I am in, else on the last 12 hours.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let (from, begun) = match duty(&model.board, &model.access, model.now) {
        Duty::On { since: Some(at), .. } if at < model.now && model.now.duration_since(at) <= LONGEST => {
            (at, Begun::OnCall)
        }
        _ => (model.now.checked_sub(USUAL).unwrap_or(model.now), Begun::Usual),
    };
    let template = TEMPLATE.to_owned();
    let state = State { from, begun, template, answer: None, waiting: None, offset: 0, stage: Stage::Reading };
    model.handoff = Some(Box::new(state));
    ask(model)
}

fn ask(model: &mut Model) -> Vec<Effect> {
    let Some(state) = &model.handoff else { return vec![] };
    let request = Request::Handoff { template: state.template.clone(), from: state.from, zone: zone_text(&model.zone) };
    let asked = matches!(model.link, Link::Up(_)).then(|| model.ask(request));
    let Some(state) = &mut model.handoff else { return vec![] };
    state.waiting = asked.as_ref().map(|(id, _)| *id);
    if asked.is_none() {
        state.answer = Some(Err(Shown::line("no link to the server: nothing can be asked")));
    }
    asked.map(|(_, effect)| effect).into_iter().collect()
}

/// The answer; `None`: not asked here, or no longer waited for.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    let state = model.handoff.as_mut().filter(|state| state.waiting == Some(id))?;
    state.waiting = None;
    state.answer = Some(match answer {
        Ok(Answer::Handoff { handoff }) => Ok(handoff.clone()),
        Ok(_) => Err(Shown::line("the server answered something else")),
        Err(reason) => Err(Shown::line(reason)),
    });
    settle(model);
    Some(vec![])
}

/// The link stands anew: what was under way will not be answered.
pub(super) fn attached(model: &mut Model) -> Vec<Effect> {
    if model.handoff.as_ref().is_some_and(|state| state.waiting.is_some()) { ask(model) } else { vec![] }
}

/// Another server answers, with another store: what is asked about its incidents and targets is closed. `true`: it was.
pub(super) fn parted(model: &mut Model) -> bool {
    let Some(state) = &mut model.handoff else { return false };
    let is_theirs = matches!(state.stage, Stage::Posting(_) | Stage::Passing(_) | Stage::Sending(_));
    if is_theirs {
        state.stage = Stage::Reading;
    }
    is_theirs
}

/// What it tells of is asked for anew.
pub(super) fn ask_anew(model: &mut Model) -> Vec<Effect> {
    if let Some(state) = &mut model.handoff {
        state.answer = None;
    }
    ask(model)
}

/// A file was written, or not.
pub(super) fn written(model: &mut Model, written: Written) {
    match written {
        Written::Done { path } => model.say(NoticeKind::Good, &format!("written to {path}, for you alone to read")),
        Written::Failed { path, reason } => model.say(NoticeKind::Bad, &format!("{path}: not written: {reason}")),
        Written::Exists { path } => match &mut model.handoff {
            Some(state) if matches!(state.stage, Stage::Reading) => state.stage = Stage::Replacing(path),
            _ => model.say(NoticeKind::Bad, &format!("{path} is there already, and was left as it is")),
        },
    }
}

/// Sizes or the text changed.
pub(super) fn settle(model: &mut Model) {
    scroll_by(model, None);
}

fn scroll_by(model: &mut Model, step: Option<Step>) {
    let area = geometry::areas(ratatui::layout::Rect::new(0, 0, model.size.0, model.size.1)).body;
    let height = usize::from(area.height.saturating_sub(TITLE));
    let lines = page(model, geometry::text(area).width.into()).len();
    let Some(state) = &mut model.handoff else { return };
    state.offset = match step {
        Some(step) => scroll(state.offset, step, lines, height),
        None => state.offset.min(lines.saturating_sub(height.max(1))),
    };
}

/// Pasted text; `false`: nothing is being typed here.
pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let Some(state) = &mut model.handoff else { return false };
    if let Stage::Since(line) | Stage::Path(line) = &mut state.stage {
        line.insert(text);
    }
    true
}

/// A key while it is open.
pub(super) fn press(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let takes_back = keys::resolve(chord, model.view) == Some(Action::TakeBack);
    let Some(state) = &mut model.handoff else { return vec![] };
    if takes_back && !state.is_typing() {
        return incidents::take_back(model);
    }
    match std::mem::replace(&mut state.stage, Stage::Reading) {
        Stage::Reading => read(model, chord),
        Stage::Since(line) => typed(model, chord, line, Stage::Since, since_typed),
        Stage::Path(line) => typed(model, chord, line, Stage::Path, path_typed),
        Stage::Replacing(path) => match chord.key {
            Key::Char('y') => write(model, path, Replace::Asked),
            Key::Esc => vec![],
            _ => stay(model, Stage::Replacing(path)),
        },
        Stage::Posting(aims) => match chord.key {
            Key::Enter => post(model, aims),
            Key::Esc => vec![],
            _ => stay(model, Stage::Posting(aims)),
        },
        Stage::Passing(passing) => passing::press(model, passing, chord),
        Stage::Sending(sending) => choose(model, sending, chord),
    }
}

/// Offers the targets that can be sent to, or says why there is none.
fn begin_sending(model: &mut Model) -> Vec<Effect> {
    if text_of(model).is_none() {
        return vec![];
    }
    let targets = targets::ready(model);
    let refused = incidents::may_act(model, &[], None).err();
    let refused = refused.or_else(|| targets.is_empty().then(|| "no target is on that it could be sent to".to_owned()));
    match refused {
        Some(reason) => {
            model.say(NoticeKind::Bad, &reason);
            vec![]
        }
        None => stay(model, Stage::Sending(Sending { targets, at: 0 })),
    }
}

fn choose(model: &mut Model, mut sending: Sending, chord: Chord) -> Vec<Effect> {
    let last = sending.targets.len().saturating_sub(1);
    match chord.key {
        Key::Esc => return vec![],
        Key::Enter => {
            let name = sending.targets.get(sending.at).cloned();
            return name.map(|name| asking::send(model, Wish::SendHandoff(name))).unwrap_or_default();
        }
        Key::Down | Key::Char('j') => sending.at = (sending.at + 1).min(last),
        Key::Up | Key::Char('k') => sending.at = sending.at.saturating_sub(1),
        _ => {}
    }
    stay(model, Stage::Sending(sending))
}

/// What asks the server to send the open hand-off.
pub(super) fn request_to_send(model: &Model, target: TargetName) -> Option<Request> {
    let state = model.handoff.as_ref()?;
    let (template, from) = (state.template.clone(), state.from);
    Some(Request::SendHandoff { target, template, from, zone: zone_text(&model.zone) })
}

fn stay(model: &mut Model, stage: Stage) -> Vec<Effect> {
    if let Some(state) = &mut model.handoff {
        state.stage = stage;
    }
    vec![]
}

/// A key while the text is read.
fn read(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let action = keys::resolve(chord, model.view);
    if let Some(step) = action.and_then(Step::of) {
        scroll_by(model, Some(step));
        return vec![];
    }
    let is_plain = !chord.ctrl && !chord.alt;
    match (chord.key, action) {
        (Key::Char('c'), _) if is_plain => copy(model),
        (Key::Char('w'), _) if is_plain => begin_path(model),
        (Key::Char('n'), _) if is_plain => begin_posting(model),
        (Key::Char('p'), _) if is_plain => passing::begin(model),
        (Key::Char('s'), _) if is_plain => stay(model, Stage::Since(TypedLine::default())),
        (Key::Char('t'), _) if is_plain => next_template(model),
        (Key::Char('o'), _) if is_plain => begin_sending(model),
        (_, Some(Action::Refresh)) => ask(model),
        (_, Some(Action::Back | Action::Quit | Action::HandOffShift)) => {
            model.handoff = None;
            vec![]
        }
        _ => vec![],
    }
}

/// A key while a line is typed; `done` takes the whole line.
fn typed(
    model: &mut Model,
    chord: Chord,
    mut line: TypedLine,
    stage: fn(TypedLine) -> Stage,
    done: fn(&mut Model, TypedLine) -> Vec<Effect>,
) -> Vec<Effect> {
    match chord.key {
        Key::Esc => vec![],
        Key::Enter => done(model, line),
        _ => {
            line.take(chord);
            stay(model, stage(line))
        }
    }
}

fn since_typed(model: &mut Model, line: TypedLine) -> Vec<Effect> {
    let clock = Clock { now: model.now, zone: &model.zone };
    match begun(line.as_str(), clock) {
        Ok(from) => {
            if let Some(state) = &mut model.handoff {
                (state.from, state.begun) = (from, Begun::Chosen);
            }
            ask(model)
        }
        Err(why) => {
            model.say(NoticeKind::Bad, &why);
            stay(model, Stage::Since(line))
        }
    }
}

fn path_typed(model: &mut Model, line: TypedLine) -> Vec<Effect> {
    let path = line.as_str().trim().to_owned();
    if path.is_empty() { stay(model, Stage::Path(line)) } else { write(model, path, Replace::Never) }
}

/// The text, or why there is none to do something with.
fn text_of(model: &mut Model) -> Option<String> {
    let text = model.handoff.as_deref().and_then(State::text).map(|text| text.as_str().trim_end().to_owned());
    let text = text.filter(|text| !text.is_empty());
    if text.is_none() {
        model.say(NoticeKind::Bad, "there is no text yet");
    }
    text
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let Some(text) = text_of(model) else { return vec![] };
    if text.len() > COPIED {
        model.say(NoticeKind::Bad, "too long for a clipboard over the terminal: w writes it to a file");
        return vec![];
    }
    model.say(NoticeKind::Good, "copied, if the terminal allows it; w writes it to a file");
    vec![Effect::Copy(text)]
}

fn begin_path(model: &mut Model) -> Vec<Effect> {
    if text_of(model).is_none() {
        return vec![];
    }
    let day = model.now.to_zoned(model.zone.clone()).strftime("%Y-%m-%d-%H%M").to_string();
    let mut line = TypedLine::default();
    line.insert(&format!("~/handoff-{day}.txt"));
    stay(model, Stage::Path(line))
}

fn write(model: &mut Model, path: String, replace: Replace) -> Vec<Effect> {
    let Some(text) = text_of(model) else { return vec![] };
    vec![Effect::Write { path, text: format!("{text}\n"), replace }]
}

/// The open incidents that it speaks of are asked about as they are now.
fn begin_posting(model: &mut Model) -> Vec<Effect> {
    if text_of(model).is_none() {
        return vec![];
    }
    let Some(Some(Ok(handoff))) = model.handoff.as_ref().map(|state| &state.answer) else { return vec![] };
    let open = handoff.facts.open.iter().filter_map(|entry| model.board.incidents.get(&entry.key));
    let open = open.filter(|incident| incident.state.status.is_open());
    let aims: Vec<_> = open.map(|incident| Aim::at(&model.board, incident)).collect();
    if aims.is_empty() {
        model.say(NoticeKind::Bad, "it speaks of nothing that is open: there is nothing to post it on");
        return vec![];
    }
    match incidents::may_act(model, &keys_of(&aims), None) {
        Ok(()) => stay(model, Stage::Posting(aims)),
        Err(reason) => {
            model.say(NoticeKind::Bad, &reason);
            vec![]
        }
    }
}

fn keys_of(aims: &[Aim]) -> Vec<crate::core::id::IncidentKey> {
    aims.iter().map(|aim| aim.target.key.clone()).collect()
}

fn post(model: &mut Model, aims: Vec<Aim>) -> Vec<Effect> {
    let Some(text) = text_of(model) else { return vec![] };
    if let Err(reason) = incidents::may_act(model, &keys_of(&aims), None) {
        model.say(NoticeKind::Bad, &reason);
        return stay(model, Stage::Posting(aims));
    }
    incidents::send(model, None, &aims, Verb::Note { text })
}

/// The next of the templates whose names say that they are for hand-offs.
fn next_template(model: &mut Model) -> Vec<Effect> {
    let mut names: BTreeSet<&str> = model.board.templates.iter().map(|template| template.name.as_str()).collect();
    names.insert(TEMPLATE);
    names.retain(|name| name.starts_with(TEMPLATE));
    let Some(state) = &model.handoff else { return vec![] };
    let after = names.iter().find(|name| **name > state.template.as_str()).or_else(|| names.first());
    let name = after.map_or(TEMPLATE.to_owned(), |name| (*name).to_owned());
    if name == state.template {
        model.say(NoticeKind::Good, "there is no other: templates whose names begin with `handoff` are offered here");
        return vec![];
    }
    if let Some(state) = &mut model.handoff {
        state.template = name;
    }
    ask(model)
}

/// Keys and what they do, for the footer.
pub fn hints(state: &State) -> Vec<(&'static str, &'static str)> {
    match &state.stage {
        Stage::Reading => vec![
            ("p", "pass mine on"),
            ("c", "copy"),
            ("w", "write"),
            ("n", "notes"),
            ("s", "since"),
            ("t", "template"),
            ("o", "send"),
            ("j/k", "scroll"),
            ("esc", "back"),
        ],
        Stage::Since(_) => vec![("enter", "from then on"), ("esc", "back")],
        Stage::Path(_) => vec![("enter", "write"), ("esc", "back")],
        Stage::Replacing(_) => vec![("y", "replace it"), ("esc", "leave it")],
        Stage::Posting(_) => vec![("enter", "post"), ("esc", "leave it")],
        Stage::Passing(_) => vec![("enter", "hand over"), ("tab", "note"), ("esc", "back")],
        Stage::Sending(_) => vec![("enter", "send"), ("j/k", "choose"), ("esc", "back")],
    }
}

/// What it tells of, as of when, and in whose words.
pub fn title(model: &Model, state: &State) -> String {
    let from = moment(state.from, model.now, &model.zone);
    let why = match state.begun {
        Begun::OnCall => "on call",
        Begun::Usual => "the usual",
        Begun::Chosen => "as asked",
    };
    let as_of = match &state.answer {
        _ if state.waiting.is_some() => "asking…".to_owned(),
        Some(Ok(handoff)) => format!("as of {}", clock(handoff.facts.shift.to, &model.zone)),
        Some(Err(_)) | None => "not made".to_owned(),
    };
    let length = age(since(state.from, model.now));
    let zone = zone_name(model.now, &model.zone);
    format!("Hand-off since {from} {zone} ({length}, {why}), {as_of}, template {}", state.template)
}

/// The text as lines of `width`.
pub fn page(model: &Model, width: usize) -> Vec<Vec<Piece>> {
    let mut page = Page::new(width);
    let Some(state) = &model.handoff else { return page.lines };
    match &state.answer {
        None => page.text(0, Tone::Caution, "asking for what is known, and for notes…"),
        Some(Err(why)) => page.text(0, Tone::Alarm, &format!("it could not be made: {why}")),
        Some(Ok(handoff)) => match &handoff.text {
            Ok(text) => page.body(0, Tone::Plain, text),
            Err(fault) => {
                let place = format!("template {}, line {}, column {}", handoff.template, fault.line, fault.column);
                page.text(0, Tone::Alarm, &format!("{place}: {}", fault.message));
                page.text(0, Tone::Plain, "t takes another template; the templates view (4) edits it");
            }
        },
    }
    page.lines
}

#[cfg(test)]
pub(crate) mod tests;

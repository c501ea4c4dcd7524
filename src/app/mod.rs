//! The console's state machine: facts come in as [`Event`]s, wishes go out as [`Effect`]s, and nothing
//! else happens. No clock, no I/O: the same events always give the same model and effects.

pub mod arranging;
pub mod attention;
pub mod calls;
pub mod command;
pub mod duty;
pub mod filter;
pub mod geometry;
pub mod handoff;
pub mod help;
pub mod incidents;
pub mod keys;
mod keystroke;
mod leaving;
pub mod list;
pub mod oncall;
pub mod page;
mod parting;
pub mod person;
pub mod prompt;
pub mod services;
pub mod sheet;
pub mod source;
pub mod targets;
pub mod templates;
pub mod troubles;
pub mod typing;
pub mod wait;
pub mod webhooks;

#[cfg(test)]
pub(crate) mod fixtures;

use jiff::{Timestamp, tz::TimeZone};

use command::CommandLine;
use keystroke::{act, paste, press};
use leaving::{Leaving, ending};
use prompt::Prompt;

use crate::{
    core::{
        board::{Board, Change},
        id::{ActionId, StoreId},
        keys::Chord,
        text::Shown,
        words,
    },
    proto::{Access, Answer, Request, RequestId},
};

/// The six screens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    #[default]
    Incidents,
    OnCall,
    Webhooks,
    Templates,
    Services,
    Targets,
}

impl View {
    pub const ALL: [Self; 6] =
        [Self::Incidents, Self::OnCall, Self::Webhooks, Self::Templates, Self::Services, Self::Targets];

    pub fn name(self) -> &'static str {
        match self {
            Self::Incidents => "Incidents",
            Self::OnCall => "On-call",
            Self::Webhooks => "Webhooks",
            Self::Templates => "Templates",
            Self::Services => "Services",
            Self::Targets => "Targets",
        }
    }

    /// The view so many places further round.
    fn after(self, steps: usize) -> Self {
        let at = Self::ALL.iter().position(|view| *view == self).unwrap_or_default();
        Self::ALL[(at + steps) % Self::ALL.len()]
    }
}

/// Whatever happened: the only way anything enters the model.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Key(Chord),
    /// Bracketed paste.
    Pasted(String),
    Resized {
        width: u16,
        height: u16,
    },
    /// The terminal came to the front, where it tells.
    FocusGained,
    FocusLost,
    /// What became of an [`Effect::Write`].
    Written(handoff::Written),
    /// What earlier consoles left unsaved on disk; nothing is kept there before this came.
    FoundDrafts(templates::drafts::FoundDrafts),
    /// What became of an [`Effect::KeepDraft`].
    KeptDraft {
        id: templates::drafts::DraftId,
        result: Result<(), String>,
    },
    /// What became of an [`Effect::EditExternally`]: the text, or why there is none.
    Edited {
        name: String,
        text: Result<String, Shown>,
    },
    /// The clock, at least when something on the screen ages.
    Ticked(Timestamp),
    /// The link to the server stands (again): everything known before is replaced.
    Attached {
        board: Box<Board>,
        access: Access,
        role: Role,
    },
    Changed(Change),
    /// What this console may do is not what it was.
    Allowed(Access),
    /// An answer to a request of ours. One that nobody waits for any more is dropped.
    Answered {
        id: RequestId,
        answer: Result<Answer, String>,
    },
    /// The request went out, and no answer will come: whether it was done is not known. What certainly was
    /// not done is [`Event::Answered`] with an error.
    Unanswered {
        id: RequestId,
        reason: String,
    },
    /// The link to the server is gone; it is being looked for, or this process is taking over.
    Detached {
        reason: String,
    },
    /// A background task died. Shown, not hidden.
    Broke {
        what: String,
    },
    /// SIGTERM, SIGHUP, or the terminal is gone.
    Ended,
}

/// Whatever should happen next; the runner does it, and results come back as events.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the server; answered with [`Event::Answered`] or [`Event::Unanswered`] of the same id.
    Send {
        id: RequestId,
        request: Request,
    },
    /// Put the text on the clipboard of the terminal (OSC 52). Cleaned already.
    Copy(String),
    Suspend,
    Quit,
    /// Keep the name of the saved view for the next start; `None`: none is in force.
    RememberView(Option<Shown>),
    /// The terminal's bell.
    Ring,
    /// Have the desktop show a notification, where the terminal knows how.
    Notify(Shown),
    /// Give the window this title.
    Title(Shown),
    /// Write a file that only its owner can read; answered with [`Event::Written`].
    Write {
        path: String,
        text: String,
        replace: handoff::Replace,
    },
    /// Keep text that is not saved on disk, in the place of an earlier one of this id; answered with
    /// [`Event::KeptDraft`].
    KeepDraft {
        id: templates::drafts::DraftId,
        draft: Box<templates::drafts::KeptDraft>,
    },
    /// The text was saved or discarded.
    DropDraft {
        id: templates::drafts::DraftId,
    },
    /// Give the terminal to the person's own editor on this text; answered with [`Event::Edited`].
    EditExternally {
        id: templates::drafts::DraftId,
        name: String,
        text: String,
    },
}

/// How this console got its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// This process owns the store and the port.
    Owner,
    /// Another process of this user does.
    Attached,
}

/// How the link to the server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not yet attached.
    Connecting,
    Up(Role),
    /// Everything on the screen is as of `since`.
    Lost {
        reason: String,
        since: Timestamp,
    },
}

/// A line for the person: what became of something they did, or what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub text: Shown,
    pub kind: NoticeKind,
    pub about: About,
    /// When it was said.
    pub at: Timestamp,
}

/// What a notice is about, by which it is known when it holds no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// That nothing can be sent or asked, for want of a link.
    Link,
    /// That the person here may not do it.
    Right,
    Action(ActionId),
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    Good,
    Working,
    Bad,
}

/// Everything the screen shows.
#[derive(Debug)]
pub struct Model {
    pub board: Board,
    pub now: Timestamp,
    /// The viewer's zone; named wherever a time is shown.
    pub zone: TimeZone,
    /// Columns and rows.
    pub size: (u16, u16),
    /// False under `NO_COLOR`.
    pub colour: bool,
    pub view: View,
    pub link: Link,
    pub access: Access,
    pub notice: Option<Notice>,
    /// Text over the view, when it is open.
    pub sheet: Option<sheet::Sheet>,
    /// The API log is open, over the view.
    pub calls: Option<calls::Calls>,
    pub prompt: Option<Prompt>,
    pub command: CommandLine,
    pub incidents: incidents::State,
    pub oncall: oncall::State,
    pub webhooks: webhooks::State,
    pub templates: templates::State,
    pub attention: attention::State,
    /// The hand-off of a shift, when it is open.
    pub handoff: Option<Box<handoff::State>>,
    pub services: services::State,
    pub targets: targets::State,
    arranging: arranging::State,
    /// Leaving was asked for once although something would be lost, and what was said to that.
    leaving: Option<(Leaving, Shown)>,
    last_request: RequestId,
    /// The open question to the server to ask the providers now.
    refreshing: Option<RequestId>,
}

impl Model {
    pub fn new(now: Timestamp, zone: TimeZone, size: (u16, u16)) -> Self {
        Self {
            board: Board::default(),
            now,
            zone,
            size,
            colour: true,
            view: View::default(),
            link: Link::Connecting,
            access: Access::Watch { reason: "not connected yet".into() },
            notice: None,
            sheet: None,
            calls: None,
            prompt: None,
            command: CommandLine::default(),
            incidents: incidents::State::default(),
            oncall: oncall::State::default(),
            webhooks: webhooks::State::default(),
            templates: templates::State::default(),
            attention: attention::State::new(now),
            handoff: None,
            services: services::State::default(),
            targets: targets::State::default(),
            arranging: arranging::State::default(),
            leaving: None,
            last_request: 0,
            refreshing: None,
        }
    }

    /// A request with a fresh number. Remember the number: an answer that nobody waits for is dropped.
    pub fn ask(&mut self, request: Request) -> (RequestId, Effect) {
        self.last_request += 1;
        let id = self.last_request;
        (id, Effect::Send { id, request })
    }

    pub fn say(&mut self, kind: NoticeKind, text: &str) {
        let about = if self.no_link().as_deref() == Some(text) {
            About::Link
        } else if self.refusals().any(|refusal| refusal == text) {
            About::Right
        } else {
            About::Other
        };
        self.say_of(kind, text, about);
    }

    fn say_of(&mut self, kind: NoticeKind, text: &str, about: About) {
        self.notice = Some(Notice { text: Shown::line(text), kind, about, at: self.now });
    }

    /// Why nothing can be sent to the server now, if so.
    pub fn no_link(&self) -> Option<String> {
        match &self.link {
            Link::Connecting => Some("not connected to the server yet".into()),
            Link::Lost { reason, .. } => Some(format!("no link to the server, nothing can be sent: {reason}")),
            Link::Up(_) => None,
        }
    }

    /// Why this console may only look, if so.
    pub fn watching(&self) -> Option<&str> {
        match &self.access {
            Access::Act { .. } | Access::ActAs { .. } => None,
            Access::Watch { reason } => Some(reason),
        }
    }
}

/// Takes in one fact; says what should happen next. The same model and event always give the same result.
pub fn update(model: &mut Model, event: Event) -> Vec<Effect> {
    let is_change = matches!(event, Event::Changed(_));
    if !is_change {
        incidents::freshen(model);
    }
    let effects = take(model, event);
    if !is_change {
        incidents::freshen(model);
    }
    effects
}

fn take(model: &mut Model, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(chord) => {
            attention::pressed(model);
            let effects = press(model, chord);
            attention::looked(model);
            effects
        }
        Event::Pasted(text) => {
            attention::pressed(model);
            paste(model, &text)
        }
        Event::FocusGained => {
            attention::focused(model);
            vec![]
        }
        Event::FocusLost => {
            attention::unfocused(model);
            vec![]
        }
        Event::Written(written) => {
            handoff::written(model, written);
            vec![]
        }
        Event::FoundDrafts(found) => templates::found(model, found),
        Event::KeptDraft { id, result } => {
            templates::kept(model, &id, result);
            vec![]
        }
        Event::Edited { name, text } => templates::edited(model, &name, text),
        Event::Resized { width, height } => {
            model.size = (width, height);
            settle(model)
        }
        Event::Ticked(now) => {
            model.now = now;
            incidents::ticked(model, now);
            let mut effects = attention::ticked(model);
            effects.extend(webhooks::ticked(model));
            effects.extend(calls::ticked(model));
            effects.extend(oncall::ticked(model));
            effects.extend(templates::ticked(model));
            effects
        }
        Event::Attached { board, access, role } => attach(model, *board, access, role),
        Event::Changed(change) => changed(model, &change),
        Event::Allowed(access) => {
            allow(model, access);
            incidents::allowed(model);
            settle(model)
        }
        Event::Answered { id, answer } => answered(model, id, answer),
        Event::Unanswered { id, reason } => unanswered(model, id, reason),
        Event::Detached { reason } => {
            // Every further try that fails says so too; the screen is as old as the first loss.
            let since = if let Link::Lost { since, .. } = model.link { since } else { model.now };
            model.link = Link::Lost { reason, since };
            incidents::detached(model);
            webhooks::detached(model);
            templates::detached(model);
            oncall::detached(model);
            arranging::detached(model);
            targets::detached(model);
            model.refreshing = None;
            vec![]
        }
        Event::Broke { what } => {
            model.say(NoticeKind::Bad, &format!("a part of dogwatch broke: {what}"));
            vec![]
        }
        Event::Ended => ending(model, Effect::Quit),
    }
}

fn attach(model: &mut Model, board: Board, access: Access, role: Role) -> Vec<Effect> {
    let mut effects = attention::hear_all(model, &board);
    let store = std::mem::replace(&mut model.board, board).store;
    model.link = Link::Up(role);
    model.notice.take_if(|notice| notice.about == About::Link);
    allow(model, access);
    if ![StoreId::default(), model.board.store].contains(&store) {
        effects.extend(parting::parted(model));
    }
    effects.extend(incidents::attached(model));
    effects.extend(handoff::attached(model));
    templates::attached(model);
    effects.extend(calls::attached(model));
    arranging::attached(model);
    effects.extend(settle_others(model));
    effects
}

/// What this console may do: a refusal by what it was before says nothing any more.
fn allow(model: &mut Model, access: Access) {
    if model.access != access {
        model.notice.take_if(|notice| notice.about == About::Right);
    }
    model.access = access;
}

fn changed(model: &mut Model, change: &Change) -> Vec<Effect> {
    if let Change::Unwatched(account) = change {
        let left = model.board.incidents.keys().filter(|key| key.account == *account).count();
        let left = words::count(left, "incident", "incidents");
        model.say(NoticeKind::Bad, &format!("{account} is not configured any more: its {left} left the list"));
    }
    let mut effects = attention::hear(model, change);
    targets::hear(model, change);
    model.board.apply(change);
    effects.extend(incidents::changed(model, change));
    if let Change::Action(action) = change {
        arranging::changed(model, action);
    }
    effects.extend(oncall::changed(model, change));
    services::settle(model);
    effects.extend(targets::settle(model));
    effects.extend(webhooks::changed(model, change));
    effects.extend(templates::settle(model));
    effects
}

/// After anything that changes sizes: every view finds its place again.
fn settle(model: &mut Model) -> Vec<Effect> {
    prompt::settle(model);
    handoff::settle(model);
    calls::settle(model);
    let mut effects = incidents::settle(model);
    effects.extend(settle_others(model));
    effects
}

/// The views other than that of the incidents.
fn settle_others(model: &mut Model) -> Vec<Effect> {
    let mut effects = oncall::settle(model);
    services::settle(model);
    effects.extend(targets::settle(model));
    effects.extend(webhooks::settle(model));
    effects.extend(templates::settle(model));
    effects
}

fn answered(model: &mut Model, id: RequestId, answer: Result<Answer, String>) -> Vec<Effect> {
    if model.refreshing.take_if(|asked| *asked == id).is_some() {
        match answer {
            Ok(_) => model.say(NoticeKind::Good, "the providers are being asked"),
            Err(reason) => model.say(NoticeKind::Bad, &format!("the providers cannot be asked now: {reason}")),
        }
        return vec![];
    }
    // Each part knows the requests it still waits for; the first one that does takes the answer.
    prompt::answered(model, id, &answer)
        .or_else(|| incidents::answered(model, id, &answer))
        .or_else(|| oncall::answered(model, id, &answer))
        .or_else(|| webhooks::answered(model, id, &answer))
        .or_else(|| templates::answered(model, id, &answer))
        .or_else(|| handoff::answered(model, id, &answer))
        .or_else(|| calls::answered(model, id, &answer))
        .or_else(|| arranging::answered(model, id, &answer))
        .or_else(|| prompt::arrange::answered(model, id, &answer))
        .or_else(|| targets::answered(model, id, &answer))
        .unwrap_or_default()
}

/// What only reads counts as refused, and may be asked again; what does something is in doubt.
fn unanswered(model: &mut Model, id: RequestId, reason: String) -> Vec<Effect> {
    incidents::unanswered(model, id, &reason)
        .or_else(|| templates::unanswered(model, id, &reason))
        .or_else(|| arranging::unanswered(model, id, &reason))
        .or_else(|| targets::unanswered(model, id, &reason))
        .unwrap_or_else(|| answered(model, id, Err(reason)))
}

fn refresh(model: &mut Model) -> Vec<Effect> {
    if !matches!(model.link, Link::Up(_)) {
        model.say_of(NoticeKind::Bad, "no link to the server: nothing can be asked", About::Link);
        return vec![];
    }
    let (id, effect) = model.ask(Request::Refresh);
    model.refreshing = Some(id);
    model.say(NoticeKind::Working, "asking…");
    let mut effects = vec![effect];
    effects.extend(incidents::refresh(model));
    effects.extend(oncall::refresh(model));
    effects
}

#[cfg(test)]
mod tests;

//! The console's state machine: facts come in as [`Event`]s, wishes go out as [`Effect`]s, and nothing
//! else happens. No clock, no I/O: the same events always give the same model and effects.

pub mod filter;
pub mod geometry;
pub mod incidents;
pub mod keys;
pub mod list;
pub mod oncall;
pub mod page;
pub mod prompt;
pub mod templates;
pub mod typing;
pub mod wait;
pub mod webhooks;

#[cfg(test)]
pub(crate) mod fixtures;

use jiff::{Timestamp, tz::TimeZone};

use prompt::Prompt;

use crate::{
    core::{
        board::{Board, Change},
        keys::Chord,
        text::Shown,
    },
    proto::{Access, Answer, Request, RequestId},
};

/// The four screens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    #[default]
    Incidents,
    OnCall,
    Webhooks,
    Templates,
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
    /// The clock, at least when something on the screen ages.
    Ticked(Timestamp),
    /// The link to the server stands (again): everything known before is replaced.
    Attached {
        board: Box<Board>,
        access: Access,
        role: Role,
    },
    Changed(Change),
    /// An answer to a request of ours. One that nobody waits for any more is dropped.
    Answered {
        id: RequestId,
        answer: Result<Answer, String>,
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
    /// Ask the server; answered with [`Event::Answered`] of the same id.
    Send {
        id: RequestId,
        request: Request,
    },
    /// Put the text on the clipboard of the terminal (OSC 52). Cleaned already.
    Copy(String),
    Suspend,
    Quit,
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
    /// The help page is open, scrolled by so many lines.
    pub help: Option<u16>,
    pub prompt: Option<Prompt>,
    pub incidents: incidents::State,
    pub oncall: oncall::State,
    pub webhooks: webhooks::State,
    pub templates: templates::State,
    last_request: RequestId,
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
            help: None,
            prompt: None,
            incidents: incidents::State::default(),
            oncall: oncall::State::default(),
            webhooks: webhooks::State::default(),
            templates: templates::State::default(),
            last_request: 0,
        }
    }

    /// A request with a fresh number. Remember the number: an answer that nobody waits for is dropped.
    pub fn ask(&mut self, request: Request) -> (RequestId, Effect) {
        self.last_request += 1;
        let id = self.last_request;
        (id, Effect::Send { id, request })
    }

    pub fn say(&mut self, kind: NoticeKind, text: &str) {
        self.notice = Some(Notice { text: Shown::line(text), kind });
    }
}

/// Takes in one fact; says what should happen next. The same model and event always give the same result.
pub fn update(model: &mut Model, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(chord) => press(model, chord),
        Event::Pasted(text) => paste(model, &text),
        Event::Resized { width, height } => {
            model.size = (width, height);
            settle(model)
        }
        Event::Ticked(now) => {
            model.now = now;
            vec![]
        }
        Event::Attached { board, access, role } => {
            model.board = *board;
            model.access = access;
            model.link = Link::Up(role);
            settle(model)
        }
        Event::Changed(change) => {
            model.board.apply(&change);
            settle(model)
        }
        Event::Answered { id, answer } => answered(model, id, answer),
        Event::Detached { reason } => {
            model.link = Link::Lost { reason, since: model.now };
            vec![]
        }
        Event::Broke { what } => {
            model.say(NoticeKind::Bad, &format!("a part of dogwatch broke: {what}"));
            vec![]
        }
        Event::Ended => vec![Effect::Quit],
    }
}

/// After anything that changes rows or sizes: every view finds its place again.
fn settle(model: &mut Model) -> Vec<Effect> {
    let mut effects = incidents::settle(model);
    effects.extend(oncall::settle(model));
    effects.extend(webhooks::settle(model));
    effects.extend(templates::settle(model));
    effects
}

fn answered(model: &mut Model, id: RequestId, answer: Result<Answer, String>) -> Vec<Effect> {
    // Each view knows the requests it still waits for; the first one that does takes the answer.
    incidents::answered(model, id, &answer)
        .or_else(|| webhooks::answered(model, id, &answer))
        .or_else(|| templates::answered(model, id, &answer))
        .unwrap_or_default()
}

fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    let _ = (model, text);
    vec![]
}

fn press(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let _ = (model, chord);
    vec![]
}

//! The screen as a program: events in, [`app::update`](crate::app::update), effects out, frames drawn.
//!
//! The screen runs on the thread that calls [`screen()`] and awaits nothing but its next event; the link to
//! the server, the keyboard and the signals live elsewhere. A terminal that nobody reads holds up the
//! screen, and only the screen.

mod drafts;
mod external;
mod files;
mod link;
mod memory;
mod pace;
mod screen;

use std::time::Duration;

pub use drafts::write_new;
pub use external::editor_command;
pub use memory::Memory;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

use crate::{
    app::{Event, Role},
    core::{notify::Notify, view::SavedViews},
    term::{self, Terminal, Unfit},
};

/// Events that wait for the screen. A screen that does not keep up holds up the link, not the server:
/// that one starts again with a snapshot.
const INBOX: usize = 1024;
/// Keys that wait for the screen; more stay in the terminal.
const KEYS: usize = 256;
/// Requests that wait for the link; more are refused.
const REQUESTS: usize = 64;
/// How long the link may take to notice that it is not wanted any more.
const LAST: Duration = Duration::from_secs(1);
/// Signals that wait.
const URGENT: usize = 16;

/// How the screen gets a server, at the start and whenever it lost it: by attaching to one, or by becoming
/// the owner and serving itself over an in-memory pipe.
#[async_trait]
pub trait Connect: Send + 'static {
    /// One attempt, with a deadline of its own. Fails with a sentence for the person at the screen. May be
    /// dropped half-way when the screen ends.
    async fn connect(&mut self) -> Result<Connection, String>;
}

/// A server at the other end, not greeted yet.
pub struct Connection {
    pub io: Box<dyn Io>,
    pub role: Role,
}

/// A stream of bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// What the screen is told by settings and environment.
#[derive(Debug, Clone)]
pub struct Options {
    /// The viewer's.
    pub zone: TimeZone,
    /// See [`term::colour_wanted`].
    pub colour: bool,
    pub views: SavedViews,
    pub notify: Notify,
    pub memory: Memory,
    /// What is to be said first: a wrong setting of whoever looks.
    pub warning: Option<String>,
    /// Variables of the environment that hold secrets: no editor gets them.
    pub secret_variables: Vec<String>,
}

/// How the screen ended: what the process should end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}

impl ScreenError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unfit(unfit) => unfit.exit_code(),
            Self::Terminal(_) => 1,
        }
    }
}

/// Shows the screen until the person quits, a signal ends it, or the terminal goes; the terminal is given
/// back by then. To be awaited on the main thread, directly under `block_on` of a runtime with workers.
///
/// Afterwards the process should end soon: the thread that reads the keyboard and the handlers of the
/// signals stay.
pub async fn screen(connect: impl Connect, options: Options) -> Result<Exit, ScreenError> {
    term::check()?;
    let (urgent_tx, urgent) = mpsc::channel(URGENT);
    let (keys_tx, keys) = mpsc::channel(KEYS);
    let (events, inbox) = mpsc::channel(INBOX);
    let (requests, asked) = mpsc::channel(REQUESTS);
    term::watch_signals(&urgent_tx)?;
    let broke = events.clone();
    let terminal = Terminal::enter(options.colour, move |what| {
        // Full: the screen has other worries, and the log has it.
        let _ = broke.try_send(Event::Broke { what });
    })?;
    term::watch_hangup(urgent_tx)?;
    let keyboard = term::read(keys_tx)?;

    // Boxed: all that it knows would else be a part of every future that waits for it.
    let mut screen = Box::new(screen::Screen::new(terminal, keyboard, requests, events.clone(), options));
    // The first frame comes before anything that connecting may cost.
    screen.draw()?;
    let link = tokio::spawn(link::Link::new(connect, asked, events).run());
    let ended = screen.run(screen::Sources { urgent, inbox, keys }).await;
    link.abort();
    // A server that it was about to start is started or not, but not later on behind the caller's back.
    let _ = tokio::time::timeout(LAST, link).await;
    ended
}

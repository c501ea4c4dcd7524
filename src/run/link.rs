//! The link to the server: found, greeted, kept, and found again. Every request gets exactly one answer,
//! from the server or from here. Reading goes on while something is written: a server that writes just then waits to be
//! read.

use std::{collections::VecDeque, future::Future, panic::AssertUnwindSafe, pin::pin, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncWriteExt as _, WriteHalf},
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

use tokio_util::codec::LinesCodecError;

use super::{Connect, Io};
use crate::{
    app::{Event, Role},
    core::{board::Board, text::Shown},
    proto::{
        Access, FromConsole, FromServer, HEARTBEAT_SECONDS, PROTOCOL, Request, RequestId,
        wire::{self, Ear, WireError},
    },
};

/// A server that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);
/// A request that is not answered after so long is given up; the server's own deadlines are shorter.
const ANSWER: Duration = Duration::from_mins(1);
/// Between attempts, in milliseconds: an owner that died is replaced within two seconds, and not by all at once.
const RETRY: std::ops::Range<u64> = 100..250;
/// A server that refused will do so again; its successor may not, and is found within two seconds all the same.
const RETRY_REFUSED: Duration = Duration::from_secs(1);
/// A link that held for so long is looked for again at once.
const HELD: Duration = Duration::from_secs(1);

/// With so many bytes on their way to the server, the next request waits for those before it.
const UNSENT: usize = 64 * 1024;

const NOT_CONNECTED: &str = "not connected to the server; nothing was sent";
const UNANSWERED: &str = "the connection broke before the answer came";
const LATE: &str = "no answer within a minute";

/// Why a link came to its end.
#[derive(Debug)]
enum End {
    /// Lost, or never there.
    Lost(String),
    Refused(String),
    /// The screen ended.
    Unwanted,
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Lost(clean(&error.to_string()))
    }
}

/// What is known of the server that answers now.
struct Known {
    access: Access,
    role: Role,
    /// A snapshot that is not up to date yet. The screen does not get it before it is.
    snapshot: Option<Box<Board>>,
}

pub(super) struct Link<C> {
    connect: C,
    requests: mpsc::Receiver<(RequestId, Request)>,
    events: mpsc::Sender<Event>,
    /// Sent and not answered, the oldest first.
    open: VecDeque<(RequestId, Instant)>,
    /// The last reason told for there being no server; a repetition is no news.
    told: Option<String>,
}

impl<C: Connect> Link<C> {
    pub(super) fn new(connect: C, requests: mpsc::Receiver<(RequestId, Request)>, events: mpsc::Sender<Event>) -> Self {
        Self { connect, requests, events, open: VecDeque::new(), told: None }
    }

    /// Until the screen ends.
    pub(super) async fn run(mut self) {
        loop {
            let started = Instant::now();
            let end = AssertUnwindSafe(self.hold()).catch_unwind().await;
            let end = end.unwrap_or_else(|_| End::Lost("a part of dogwatch broke".into()));
            let pause = match &end {
                End::Lost(_) if self.told.is_none() && started.elapsed() >= HELD => Duration::ZERO,
                End::Lost(_) => Duration::from_millis(fastrand::u64(RETRY)),
                End::Refused(_) => RETRY_REFUSED,
                End::Unwanted => return,
            };
            if self.tell(end).await.is_err() || self.refusing(|_| sleep(pause)).await.is_err() {
                return;
            }
        }
    }

    /// One link, from its beginning to its end.
    async fn hold(&mut self) -> End {
        match self.converse().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn converse(&mut self) -> Result<std::convert::Infallible, End> {
        let connection = self.refusing(Connect::connect).await?.map_err(|why| End::Lost(clean(&why)))?;
        let (mut incoming, mut outgoing) = wire::halves(connection.io);
        let greeted = self.refusing(|_| timeout(SILENCE, greet(&mut incoming, &mut outgoing))).await?;
        let access = greeted.map_err(|_| silent())??;
        let mut known = Known { access, role: connection.role, snapshot: None };
        let (mut heard, mut unsent) = (Instant::now(), VecDeque::new());
        loop {
            let overdue = self.open.front().map_or(heard + SILENCE, |(_, until)| *until);
            tokio::select! {
                // Requests are few, messages may be many; and what has been said counts before any deadline.
                biased;
                asked = self.requests.recv(), if unsent.len() < UNSENT => {
                    self.ask(&mut unsent, asked.ok_or(End::Unwanted)?).await?;
                }
                // Dropped half-way, it has written nothing.
                written = outgoing.write_buf(&mut unsent), if !unsent.is_empty() => {
                    if written.map_err(LinesCodecError::Io).map_err(WireError::from)? == 0 {
                        return Err(WireError::Closed.into());
                    }
                }
                message = wire::hear(&mut incoming) => {
                    self.take(message?, &mut known).await?;
                    // Counted after the screen took it: its being slow is not the server's silence.
                    heard = Instant::now();
                }
                () = sleep_until(heard + SILENCE) => return Err(silent()),
                () = sleep_until(overdue), if !self.open.is_empty() => self.give_up_oldest(LATE).await?,
            }
        }
    }

    async fn take(&mut self, message: FromServer, known: &mut Known) -> Result<(), End> {
        match message {
            FromServer::Snapshot { board } => {
                known.snapshot = Some(board);
                Ok(())
            }
            FromServer::Changed { change } => match &mut known.snapshot {
                Some(board) => {
                    board.apply(&change);
                    Ok(())
                }
                None => self.send(Event::Changed(change)).await,
            },
            FromServer::UpToDate => {
                let Some(board) = known.snapshot.take() else { return Ok(()) };
                self.told = None;
                self.send(Event::Attached { board, access: known.access.clone(), role: known.role.clone() }).await
            }
            FromServer::Answer { id, answer } => {
                self.open.retain(|(open, _)| *open != id);
                self.send(Event::Answered { id, answer: answer.map_err(|why| clean(&why)) }).await
            }
            FromServer::Access { you } => {
                known.access = cleaned(you);
                self.send(Event::Allowed(known.access.clone())).await
            }
            FromServer::Heartbeat => Ok(()),
            // A server that takes its leave: the next one may be there already.
            FromServer::Refused { reason } => Err(End::Lost(clean(&reason))),
            FromServer::Hello { .. } => Err(End::Lost("the server greeted twice".into())),
        }
    }

    /// Puts a request among what is to be written; one that no server takes is refused here.
    async fn ask(&mut self, unsent: &mut VecDeque<u8>, (id, request): (RequestId, Request)) -> Result<(), End> {
        match wire::request_text(&FromConsole::Request { id, request }) {
            Ok(text) => unsent.extend(text.into_bytes()),
            Err(error @ WireError::TooLong { .. }) => {
                return self.send(Event::Answered { id, answer: Err(error.to_string()) }).await;
            }
            Err(error) => return Err(error.into()),
        }
        self.open.push_back((id, Instant::now() + ANSWER));
        Ok(())
    }

    /// Tells that there is no server, and gives up what was left open.
    async fn tell(&mut self, end: End) -> Result<(), End> {
        while !self.open.is_empty() {
            self.give_up_oldest(UNANSWERED).await?;
        }
        let (End::Lost(reason) | End::Refused(reason)) = end else { return Ok(()) };
        if self.told.as_ref() == Some(&reason) {
            return Ok(());
        }
        tracing::warn!("no server: {reason}");
        self.told = Some(reason.clone());
        self.send(Event::Detached { reason }).await
    }

    /// It went out, so it may be done all the same.
    async fn give_up_oldest(&mut self, why: &str) -> Result<(), End> {
        match self.open.pop_front() {
            Some((id, _)) => self.send(Event::Unanswered { id, reason: why.to_owned() }).await,
            None => Ok(()),
        }
    }

    async fn send(&mut self, event: Event) -> Result<(), End> {
        self.events.send(event).await.map_err(|_| End::Unwanted)
    }

    /// Does `work`, answering meanwhile that there is no server.
    async fn refusing<'a, F: Future>(&'a mut self, work: impl FnOnce(&'a mut C) -> F) -> Result<F::Output, End> {
        let mut work = pin!(work(&mut self.connect));
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                asked = self.requests.recv() => {
                    let (id, _) = asked.ok_or(End::Unwanted)?;
                    let answer = Event::Answered { id, answer: Err(NOT_CONNECTED.to_owned()) };
                    self.events.send(answer).await.map_err(|_| End::Unwanted)?;
                }
            }
        }
    }
}

/// Says hello and hears it.
async fn greet(incoming: &mut Ear<Box<dyn Io>>, outgoing: &mut WriteHalf<Box<dyn Io>>) -> Result<Access, End> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let hello = wire::text(&FromConsole::Hello { protocol: PROTOCOL, version })?;
    outgoing.write_all(hello.as_bytes()).await.map_err(LinesCodecError::Io).map_err(WireError::from)?;
    match wire::hear(incoming).await? {
        FromServer::Hello { protocol: PROTOCOL, you, .. } => Ok(cleaned(you)),
        FromServer::Hello { protocol, version, .. } => Err(End::Refused(clean(&format!(
            "the server is dogwatch {version} and speaks protocol {protocol}, this one {PROTOCOL}; restart the older one"
        )))),
        FromServer::Refused { reason } => Err(End::Refused(clean(&reason))),
        _ => Err(End::Lost("the server did not greet".into())),
    }
}

fn silent() -> End {
    End::Lost(format!("no sign of life from the server for {} s", SILENCE.as_secs()))
}

fn clean(text: &str) -> String {
    Shown::line(text).to_string()
}

fn cleaned(access: Access) -> Access {
    match access {
        Access::Act { actor } => Access::Act { actor: clean(&actor) },
        Access::ActAs { actor, names } => {
            let names = names.into_iter().map(|(account, name)| (account, clean(&name))).collect();
            Access::ActAs { actor: clean(&actor), names }
        }
        Access::Watch { reason } => Access::Watch { reason: clean(&reason) },
    }
}

#[cfg(test)]
mod tests;

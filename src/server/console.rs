//! One console's conversation: hello, a snapshot, every later change, a heartbeat; its requests answered.
//!
//! A console that falls behind gets a fresh snapshot, one that does not read for long is cut off:
//! it never slows the server or the others, and what it can make the server hold is bounded.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{
        broadcast::{
            Receiver,
            error::{RecvError, TryRecvError},
        },
        mpsc::{self, OwnedPermit},
        watch,
    },
    time::{Instant, Interval, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::{codec::LinesCodecError, task::AbortOnDropHandle};

use super::{
    desk::{self, Desk, Need, need},
    guests::{Open, Room, Seat},
    hub::{Attached, News},
    people::Caller,
};
use crate::proto::{
    Access, Answer, FromConsole, FromServer, HEARTBEAT_SECONDS, PROTOCOL, Request, RequestId,
    wire::{self, Ear, Mouth, WireError},
};

/// Requests of one console that are answered at the same time; more wait in its socket.
const OPEN_REQUESTS: usize = 16;
/// How long a hello may take.
const HELLO: Duration = Duration::from_secs(5);
/// How long one message may take to be read by the other side.
const STALL: Duration = Duration::from_secs(30);
/// How long one who has a snapshot, or waits for one, may read nothing at all: there are few at the same time.
const UNTOUCHED: Duration = Duration::from_secs(5);
/// The longest request, in bytes.
const REQUEST: usize = wire::REQUEST_LIMIT;
/// Answers of so few bytes have room in any case; there are no more of them than open requests.
const SMALL: usize = 16 * 1024;
/// Changes that are ready together go out together, up to this many bytes.
const BATCH: usize = 64 * 1024;

/// An answer that is ready to be written, with what its user holds of the server until it is.
struct Answered {
    text: String,
    _held: Option<(Open, Option<Room>)>,
}

/// Who is at the other end, and the place they take.
#[derive(Debug)]
pub struct Guest {
    pub caller: Caller,
    pub seat: Seat,
}

/// Serves one console until it leaves. What it says is heard also while it is written to: one that speaks before it reads
/// is not cut off for it.
pub async fn serve<Io>(io: Io, desk: Arc<Desk>, guest: Guest) -> Result<(), WireError>
where
    Io: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut ear, mut mouth) = wire::halves_of_at_most(REQUEST, io);
    let people = desk.people.watch();
    let access = desk.access(&guest.caller);
    if !greet(&mut ear, &mut mouth, &access).await? {
        return Ok(());
    }
    let _attached = desk.metrics.attached();
    let guest = Arc::new(guest);
    let (answers, answered) = mpsc::channel::<Answered>(OPEN_REQUESTS);
    let listening = listen(ear, Arc::clone(&desk), Arc::clone(&guest), answers);
    let heard_last = AbortOnDropHandle::new(tokio::spawn(listening));
    let each = Duration::from_secs(HEARTBEAT_SECONDS);
    let mut beat = interval_at(Instant::now() + each, each);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut aside = Aside { desk: Arc::clone(&desk), guest, answered, people, access, beat, heard_last };
    match tell(&mut mouth, &desk, &mut aside).await {
        Err(End::Left(WireError::Closed)) => Ok(()),
        Err(End::Left(broken)) => part(&mut mouth, broken).await,
        Err(End::Unread(why)) => Err(why),
        Ok(never) => match never {},
    }
}

/// Why a conversation ends.
enum End {
    /// The console is heard no more.
    Left(WireError),
    /// It cannot be told more.
    Unread(WireError),
}

impl From<WireError> for End {
    fn from(why: WireError) -> Self {
        Self::Unread(why)
    }
}

/// Tells the board, and everything after it.
async fn tell<Io: AsyncWrite>(mouth: &mut Mouth<Io>, desk: &Desk, aside: &mut Aside) -> Result<Infallible, End> {
    let mut from = None;
    'snapshot: loop {
        let mut attaching = pin!(desk.hub.attach(from));
        let Attached { snapshot, since, mut news } = loop {
            let told = tokio::select! {
                biased;
                attached = &mut attaching => break attached?,
                told = aside.next() => told?,
            };
            put_steadily(mouth, &told.text).await?;
        };
        match snapshot.text() {
            Ok(text) => put_steadily(mouth, text).await?,
            Err(broken) => {
                refuse(mouth, cut_off(broken)).await?;
                return Err(End::Left(WireError::Closed));
            }
        }
        drop(snapshot);
        put_all(mouth, &since).await?;
        drop(since);
        // Also what it was answered meanwhile stands on that board.
        let Some(meanwhile) = more(String::new(), usize::MAX, &mut news) else {
            from = Some(Instant::now());
            continue 'snapshot;
        };
        put(mouth, &meanwhile).await?;
        put(mouth, &wire::text(&FromServer::UpToDate)?).await?;
        loop {
            let told = tokio::select! {
                biased;
                told = aside.next() => told?,
                // Of these there may be no end.
                first = news.recv() => match first.map(|first| batch(&first, &mut news)) {
                    Ok(Some(text)) => text.into(),
                    Ok(None) | Err(RecvError::Lagged(_)) => {
                        from = Some(Instant::now());
                        continue 'snapshot;
                    }
                    Err(RecvError::Closed) => return Err(End::Left(WireError::Closed)),
                },
            };
            put(mouth, &told.text).await?;
        }
    }
}

/// What a console is told beside the board.
struct Aside {
    desk: Arc<Desk>,
    guest: Arc<Guest>,
    answered: mpsc::Receiver<Answered>,
    people: watch::Receiver<()>,
    access: Access,
    beat: Interval,
    heard_last: AbortOnDropHandle<WireError>,
}

impl Aside {
    /// The next of it; not asked again once the console has left. Safe to drop half-way.
    async fn next(&mut self) -> Result<Answered, End> {
        loop {
            tokio::select! {
                biased;
                Ok(()) = self.people.changed() => {
                    let now = self.desk.access(&self.guest.caller);
                    if now != self.access {
                        self.access = now;
                        return Ok(wire::text(&FromServer::Access { you: self.access.clone() })?.into());
                    }
                }
                _ = self.beat.tick() => return Ok(wire::text(&FromServer::Heartbeat)?.into()),
                // No more of them than were asked for.
                Some(answer) = self.answered.recv() => return Ok(answer),
                why = &mut self.heard_last => return Err(End::Left(why.unwrap_or(WireError::Closed))),
            }
        }
    }
}

impl From<String> for Answered {
    /// Something that was not asked for.
    fn from(text: String) -> Self {
        Self { text, _held: None }
    }
}

/// Hears the hello of a console that there is no place for, and says so.
pub async fn turn_away<Io>(io: Io, reason: String) -> Result<(), WireError>
where
    Io: AsyncRead + AsyncWrite,
{
    let (mut ear, mut mouth) = wire::halves_of_at_most(REQUEST, io);
    let _: FromConsole = timeout(HELLO, wire::hear(&mut ear)).await.map_err(|_| WireError::Closed)??;
    refuse(&mut mouth, reason).await
}

async fn greet<Io>(ear: &mut Ear<Io>, mouth: &mut Mouth<Io>, access: &Access) -> Result<bool, WireError>
where
    Io: AsyncRead + AsyncWrite,
{
    let hello = timeout(HELLO, wire::hear(ear)).await.map_err(|_| WireError::Closed)??;
    let version = env!("CARGO_PKG_VERSION");
    match hello {
        FromConsole::Hello { protocol: PROTOCOL, .. } => {
            let hello = FromServer::Hello { protocol: PROTOCOL, version: version.to_owned(), you: access.clone() };
            put(mouth, &wire::text(&hello)?).await?;
            Ok(true)
        }
        FromConsole::Hello { protocol, version: theirs } => {
            let reason = format!(
                "the running dogwatch is version {version} (protocol {PROTOCOL}), this console is {theirs} (protocol \
                 {protocol}): end the older one"
            );
            refuse(mouth, reason).await.map(|()| false)
        }
        FromConsole::Request { .. } => refuse(mouth, "a request before the hello".to_owned()).await.map(|()| false),
    }
}

async fn refuse<Io: AsyncWrite>(mouth: &mut Mouth<Io>, reason: String) -> Result<(), WireError> {
    put(mouth, &wire::text(&FromServer::Refused { reason })?).await
}

/// Says why a console is cut off, if it can be told.
async fn part<Io: AsyncWrite>(mouth: &mut Mouth<Io>, broken: WireError) -> Result<(), WireError> {
    refuse(mouth, cut_off(&broken)).await?;
    Err(broken)
}

fn cut_off(broken: &WireError) -> String {
    format!("this console is cut off: {broken}")
}

/// The lines of `first` and of what is ready after it; `None` when the console has fallen behind, or for another reason
/// needs a fresh snapshot.
fn batch(first: &News, news: &mut Receiver<Arc<News>>) -> Option<String> {
    more(first.text()?.to_owned(), BATCH, news)
}

/// Behind `text` what is there of the news, up to about so many bytes in all; `None` as above.
fn more(mut text: String, most: usize, news: &mut Receiver<Arc<News>>) -> Option<String> {
    while text.len() < most {
        match news.try_recv() {
            Ok(next) => text.push_str(next.text()?),
            Err(TryRecvError::Lagged(_)) => return None,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Some(text)
}

async fn put<Io: AsyncWrite>(mouth: &mut Mouth<Io>, text: &str) -> Result<(), WireError> {
    timeout(STALL, wire::say_text(mouth, text)).await.map_err(|_| WireError::Closed)?
}

/// Writes to one who takes some of it again and again.
async fn put_steadily<Io: AsyncWrite>(mouth: &mut Mouth<Io>, text: &str) -> Result<(), WireError> {
    let taken = async {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let written = timeout(UNTOUCHED, mouth.write_buf(&mut rest)).await.map_err(|_| WireError::Closed)?;
            if written.map_err(LinesCodecError::Io)? == 0 {
                return Err(WireError::Closed);
            }
        }
        Ok(())
    };
    timeout(STALL, taken).await.map_err(|_| WireError::Closed)?
}

/// Writes what was told after a snapshot, of which nothing tells less than each change.
async fn put_all<Io: AsyncWrite>(mouth: &mut Mouth<Io>, since: &[Arc<News>]) -> Result<(), WireError> {
    let mut text = String::new();
    for news in since {
        text.push_str(news.text().unwrap_or_default());
        if text.len() >= BATCH {
            put(mouth, &text).await?;
            text.clear();
        }
    }
    put(mouth, &text).await
}

/// Has what the console asks answered, and says why it hears no more of it. With all places for answers taken, the next
/// request waits in the console's socket.
async fn listen<Io>(mut ear: Ear<Io>, desk: Arc<Desk>, guest: Arc<Guest>, answers: mpsc::Sender<Answered>) -> WireError
where
    Io: AsyncRead,
{
    loop {
        let Ok(place) = answers.clone().reserve_owned().await else { return WireError::Closed };
        match wire::hear(&mut ear).await {
            Ok(FromConsole::Request { id, request }) => ask(&desk, &guest, id, request, place),
            Ok(FromConsole::Hello { .. }) => {}
            Err(why) => return why,
        }
    }
}

fn ask(desk: &Arc<Desk>, guest: &Guest, id: RequestId, request: Request, place: OwnedPermit<Answered>) {
    let open = match admit(&guest.seat, &request) {
        Ok(open) => open,
        Err(reason) => {
            place.send(refusal(id, reason));
            return;
        }
    };
    let (desk, caller, need) = (Arc::clone(desk), guest.caller.clone(), need(&request));
    tokio::spawn(async move {
        let answer = desk.answer(&caller, request).await;
        place.send(answered(id, answer, need, open));
    });
}

/// A place for a request among those of its user; else why it is not taken.
fn admit(seat: &Seat, request: &Request) -> Result<Open, String> {
    let open = seat.request()?;
    if desk::asks_a_provider(request) {
        seat.question()?;
    }
    if desk::is_act(request) {
        seat.act()?;
    }
    Ok(open)
}

/// An answer as it will be written, if there is room for it. For what was done there always is: nobody may be told that it
/// was not.
fn answered(id: RequestId, answer: Result<Answer, String>, need: Need, open: Open) -> Answered {
    let text = match wire::text(&FromServer::Answer { id, answer: Box::new(answer) }) {
        Ok(text) if text.len() <= wire::LINE_LIMIT => text,
        Ok(text) => return refusal(id, WireError::NoLine { bytes: text.len() }.to_string()),
        Err(broken) => return refusal(id, broken.to_string()),
    };
    let room = open.room(text.len());
    match room {
        Ok(room) => Answered { text, _held: Some((open, Some(room))) },
        Err(_) if need == Need::Act || text.len() <= SMALL => Answered { text, _held: Some((open, None)) },
        Err(reason) => refusal(id, reason),
    }
}

fn refusal(id: RequestId, reason: String) -> Answered {
    wire::text(&FromServer::Answer { id, answer: Box::new(Err(reason)) }).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;

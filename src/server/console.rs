//! One console's conversation: hello, a snapshot, every later change, a heartbeat; its requests answered.
//!
//! A console that falls behind gets a fresh snapshot, one that does not read for long is cut off:
//! it never slows the server or the others.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{broadcast::error::RecvError, mpsc},
    time::{MissedTickBehavior, interval, timeout},
};

use super::desk::Desk;
use crate::proto::{
    Access, Answer, FromConsole, FromServer, HEARTBEAT_SECONDS, PROTOCOL, RequestId,
    wire::{self, Line, WireError},
};

/// Requests of one console that are answered at the same time; more wait in its socket.
const OPEN_REQUESTS: usize = 16;
/// How long a hello may take.
const HELLO: Duration = Duration::from_secs(5);
/// How long one message may take to be read by the other side.
const STALL: Duration = Duration::from_secs(30);

type Answered = (RequestId, Result<Answer, String>);

/// Serves one console until it leaves.
pub async fn serve<Io>(io: Io, desk: Arc<Desk>, access: Access) -> Result<(), WireError>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = wire::line(io);
    if !greet(&mut line, &access).await? {
        return Ok(());
    }
    let (answers, mut answered) = mpsc::channel::<Answered>(OPEN_REQUESTS);
    let mut beat = interval(Duration::from_secs(HEARTBEAT_SECONDS));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    'snapshot: loop {
        let (board, mut changes) = desk.hub.subscribe();
        put(&mut line, &FromServer::Snapshot { board: Box::new(board) }).await?;
        loop {
            let message = tokio::select! {
                change = changes.recv() => match change {
                    Ok(change) => FromServer::Changed { change: (*change).clone() },
                    Err(RecvError::Lagged(_)) => continue 'snapshot,
                    Err(RecvError::Closed) => return Ok(()),
                },
                Some((id, answer)) = answered.recv() => FromServer::Answer { id, answer: Box::new(answer) },
                _ = beat.tick() => FromServer::Heartbeat,
                // With all places taken the console's next request waits in its socket.
                said = wire::receive::<Io, FromConsole>(&mut line), if answers.capacity() > 0 => {
                    match said {
                        Ok(FromConsole::Request { id, request }) => ask(&desk, &access, id, request, &answers),
                        Ok(FromConsole::Hello { .. }) => {}
                        Err(WireError::Closed) => return Ok(()),
                        Err(broken) => return Err(broken),
                    }
                    continue;
                }
            };
            put(&mut line, &message).await?;
        }
    }
}

async fn greet<Io>(line: &mut Line<Io>, access: &Access) -> Result<bool, WireError>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let hello = timeout(HELLO, wire::receive(line)).await.map_err(|_| WireError::Closed)??;
    let version = env!("CARGO_PKG_VERSION");
    match hello {
        FromConsole::Hello { protocol: PROTOCOL, .. } => {
            let hello =
                FromServer::Hello { protocol: PROTOCOL, version: version.to_owned(), you: access.clone() };
            put(line, &hello).await?;
            Ok(true)
        }
        FromConsole::Hello { protocol, version: theirs } => {
            let reason = format!(
                "the running dogwatch is version {version} (protocol {PROTOCOL}), this console is {theirs} (protocol \
                 {protocol}): end the older one"
            );
            put(line, &FromServer::Refused { reason }).await?;
            Ok(false)
        }
        FromConsole::Request { .. } => {
            put(line, &FromServer::Refused { reason: "a request before the hello".to_owned() }).await?;
            Ok(false)
        }
    }
}

async fn put<Io: AsyncWrite + Unpin>(line: &mut Line<Io>, message: &FromServer) -> Result<(), WireError> {
    timeout(STALL, wire::send(line, message)).await.map_err(|_| WireError::Closed)?
}

fn ask(
    desk: &Arc<Desk>,
    access: &Access,
    id: RequestId,
    request: crate::proto::Request,
    answers: &mpsc::Sender<Answered>,
) {
    let Ok(place) = answers.clone().try_reserve_owned() else { return };
    let (desk, access) = (Arc::clone(desk), access.clone());
    tokio::spawn(async move {
        let answer = desk.answer(&access, request).await;
        place.send((id, answer));
    });
}

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
            let hello = FromServer::Hello { protocol: PROTOCOL, version: version.to_owned(), you: access.clone() };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::{
            board::{Board, Change},
            incident::Status,
        },
        proto::Request,
        server::fake::{self, Fake, key},
    };
    use tokio::io::{DuplexStream, duplex};

    struct Setup {
        fake: Fake,
        desk: Arc<Desk>,
        _dir: tempfile::TempDir,
    }

    fn setup() -> Setup {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        Setup { fake, desk, _dir: dir }
    }

    fn attach(desk: &Arc<Desk>, pipe: usize) -> Line<DuplexStream> {
        let (ours, theirs) = duplex(pipe);
        tokio::spawn(serve(theirs, Arc::clone(desk), Access::Act { actor: "alice".into() }));
        wire::line(ours)
    }

    async fn hello(line: &mut Line<DuplexStream>) -> Board {
        let hello = FromConsole::Hello { protocol: PROTOCOL, version: "0".into() };
        wire::send(line, &hello).await.expect("send");
        assert!(matches!(wire::receive(line).await.expect("hello"), FromServer::Hello { .. }));
        let FromServer::Snapshot { board } = wire::receive(line).await.expect("snapshot") else {
            panic!("no snapshot")
        };
        *board
    }

    #[tokio::test]
    async fn a_console_gets_the_snapshot_and_then_the_changes() {
        let Setup { fake, desk, _dir } = setup();
        let mut line = attach(&desk, 1 << 16);
        let mut mine = hello(&mut line).await;

        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        while !mine.incidents.contains_key(&key("P1")) {
            if let FromServer::Changed { change } = wire::receive(&mut line).await.expect("message") {
                mine.apply(&change);
            }
        }

        assert_eq!(mine, desk.hub.look(Board::clone));
    }

    #[tokio::test]
    async fn a_console_that_falls_behind_gets_a_fresh_snapshot() {
        let Setup { fake, desk, _dir } = setup();
        let mut line = attach(&desk, 512);
        let mut mine = hello(&mut line).await;
        for n in 0..6000 {
            let seen = fake.put(&format!("P{n}"), Status::Triggered, n);
            desk.hub.change(|board| (board.observe(&seen).into_iter().collect(), ()));
        }

        let mut snapshots = 0;
        while mine.incidents.len() < 6000 {
            match wire::receive(&mut line).await.expect("message") {
                FromServer::Snapshot { board } => (mine, snapshots) = (*board, snapshots + 1),
                FromServer::Changed { change } => mine.apply(&change),
                _ => {}
            }
        }

        assert!(snapshots > 0);
        assert_eq!(mine, desk.hub.look(Board::clone));
    }

    #[tokio::test]
    async fn another_protocol_is_refused_in_words() {
        let Setup { desk, _dir, .. } = setup();
        let mut line = attach(&desk, 1 << 16);
        wire::send(&mut line, &FromConsole::Hello { protocol: 99, version: "9.9".into() }).await.expect("send");

        let FromServer::Refused { reason } = wire::receive(&mut line).await.expect("answer") else { panic!("let in") };

        assert!(reason.contains("protocol 99"), "{reason}");
    }

    #[tokio::test]
    async fn an_answer_carries_the_number_of_its_request() {
        let Setup { desk, _dir, .. } = setup();
        let mut line = attach(&desk, 1 << 16);
        hello(&mut line).await;
        wire::send(&mut line, &FromConsole::Request { id: 41, request: Request::Refresh }).await.expect("send");

        loop {
            if let FromServer::Answer { id, answer } = wire::receive(&mut line).await.expect("message") {
                assert_eq!((id, *answer), (41, Ok(Answer::Refreshing)));
                return;
            }
        }
    }

    #[tokio::test]
    async fn the_change_feed_carries_whole_values() {
        let Setup { fake, desk, _dir } = setup();
        let (_, mut feed) = desk.hub.subscribe();

        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;

        assert!(matches!(&*feed.recv().await.expect("change"), Change::Incident(i) if i.key == key("P1")));
    }
}

//! One console's conversation: hello, a snapshot, every later change, a heartbeat; its requests answered.
//!
//! A console that falls behind gets a fresh snapshot, one that does not read for long is cut off:
//! it never slows the server or the others, and what it can make the server hold is bounded.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{
        broadcast::{
            Receiver,
            error::{RecvError, TryRecvError},
        },
        mpsc,
    },
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    desk::{self, Desk},
    guests::Seat,
    hub::News,
    people::Caller,
};
use crate::proto::{
    Access, Answer, FromConsole, FromServer, HEARTBEAT_SECONDS, PROTOCOL, Request, RequestId,
    wire::{self, Line, WireError},
};

/// Requests of one console that are answered at the same time; more wait in its socket.
const OPEN_REQUESTS: usize = 16;
/// How long a hello may take.
const HELLO: Duration = Duration::from_secs(5);
/// How long one message may take to be read by the other side.
const STALL: Duration = Duration::from_secs(30);
/// The longest request, in bytes.
const REQUEST: usize = wire::REQUEST_LIMIT;
/// Changes that are ready together go out together, up to this many bytes.
const BATCH: usize = 64 * 1024;

type Answered = (RequestId, Result<Answer, String>);

/// Who is at the other end, and the place they take.
#[derive(Debug)]
pub struct Guest {
    pub caller: Caller,
    pub seat: Seat,
}

/// Serves one console until it leaves.
pub async fn serve<Io>(io: Io, desk: Arc<Desk>, guest: Guest) -> Result<(), WireError>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = wire::line_of_at_most(REQUEST, io);
    let mut people = desk.people.watch();
    let mut access = desk.access(&guest.caller);
    if !greet(&mut line, &access).await? {
        return Ok(());
    }
    let _attached = desk.metrics.attached();
    let (answers, mut answered) = mpsc::channel::<Answered>(OPEN_REQUESTS);
    let mut beat = interval(Duration::from_secs(HEARTBEAT_SECONDS));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    'snapshot: loop {
        let (snapshot, mut news) = desk.hub.attach();
        put(&mut line, &snapshot?).await?;
        loop {
            let text = tokio::select! {
                first = news.recv() => match first.map(|first| batch(&first, &mut news)) {
                    Ok(Some(text)) => text,
                    Ok(None) | Err(RecvError::Lagged(_)) => continue 'snapshot,
                    Err(RecvError::Closed) => return Ok(()),
                },
                Some((id, answer)) = answered.recv() => wire::text(&FromServer::Answer { id, answer: Box::new(answer) })?,
                Ok(()) = people.changed() => {
                    let now = desk.access(&guest.caller);
                    if now == access {
                        continue;
                    }
                    access = now;
                    wire::text(&FromServer::Access { you: access.clone() })?
                }
                _ = beat.tick() => wire::text(&FromServer::Heartbeat)?,
                // With all places taken the console's next request waits in its socket.
                said = wire::receive::<Io, FromConsole>(&mut line), if answers.capacity() > 0 => {
                    match said {
                        Ok(FromConsole::Request { id, request }) => ask(&desk, &guest, id, request, &answers),
                        Ok(FromConsole::Hello { .. }) => {}
                        Err(WireError::Closed) => return Ok(()),
                        Err(broken) => return part(&mut line, broken).await,
                    }
                    continue;
                }
            };
            put(&mut line, &text).await?;
        }
    }
}

/// Hears the hello of a console that there is no place for, and says so.
pub async fn turn_away<Io>(io: Io, reason: String) -> Result<(), WireError>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut line = wire::line_of_at_most(REQUEST, io);
    let _: FromConsole = timeout(HELLO, wire::receive(&mut line)).await.map_err(|_| WireError::Closed)??;
    refuse(&mut line, reason).await
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
            put(line, &wire::text(&hello)?).await?;
            Ok(true)
        }
        FromConsole::Hello { protocol, version: theirs } => {
            let reason = format!(
                "the running dogwatch is version {version} (protocol {PROTOCOL}), this console is {theirs} (protocol \
                 {protocol}): end the older one"
            );
            refuse(line, reason).await.map(|()| false)
        }
        FromConsole::Request { .. } => refuse(line, "a request before the hello".to_owned()).await.map(|()| false),
    }
}

async fn refuse<Io: AsyncWrite + Unpin>(line: &mut Line<Io>, reason: String) -> Result<(), WireError> {
    put(line, &wire::text(&FromServer::Refused { reason })?).await
}

/// Says why a console is cut off, if it can be told.
async fn part<Io: AsyncWrite + Unpin>(line: &mut Line<Io>, broken: WireError) -> Result<(), WireError> {
    refuse(line, format!("this console is cut off: {broken}")).await?;
    Err(broken)
}

/// The lines of `first` and of what is ready after it; `None` when the console has fallen behind, or for another reason
/// needs a fresh snapshot.
fn batch(first: &News, news: &mut Receiver<Arc<News>>) -> Option<String> {
    let mut text = first.text()?.to_owned();
    while text.len() < BATCH {
        match news.try_recv() {
            Ok(next) => text.push_str(next.text()?),
            Err(TryRecvError::Lagged(_)) => return None,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Some(text)
}

async fn put<Io: AsyncWrite + Unpin>(line: &mut Line<Io>, text: &str) -> Result<(), WireError> {
    timeout(STALL, wire::send_text(line, text)).await.map_err(|_| WireError::Closed)?
}

fn ask(desk: &Arc<Desk>, guest: &Guest, id: RequestId, request: Request, answers: &mpsc::Sender<Answered>) {
    let Ok(place) = answers.clone().try_reserve_owned() else { return };
    let question = if desk::asks_a_provider(&request) { guest.seat.question() } else { Ok(()) };
    let permit = match question.and_then(|()| guest.seat.request()) {
        Ok(permit) => permit,
        Err(reason) => {
            place.send((id, Err(reason)));
            return;
        }
    };
    let (desk, caller) = (Arc::clone(desk), guest.caller.clone());
    tokio::spawn(async move {
        let answer = desk.answer(&caller, request).await;
        drop(permit);
        place.send((id, answer));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Acts, PersonSettings, User},
        core::{
            board::{Board, Change},
            incident::Status,
        },
        proto::Request,
        server::{
            fake::{self, Fake, key},
            hub::Telling,
        },
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
        tokio::spawn(serve(theirs, Arc::clone(desk), Guest { caller: Caller::ourselves(), seat: Seat::own() }));
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
    async fn a_console_that_changes_do_not_tell_all_gets_a_fresh_snapshot_and_goes_on_from_there() {
        let Setup { fake, desk, _dir } = setup();
        let mut line = attach(&desk, 1 << 16);
        hello(&mut line).await;

        desk.hub.tell(|board| {
            let change = board.observe(&fake.put("P1", Status::Triggered, 0));
            (change.into_iter().collect(), Telling::Snapshot, ())
        });
        desk.observe(&fake.put("P2", Status::Triggered, 0)).await;

        let mut mine = None::<Board>;
        while mine.as_ref().is_none_or(|board| !board.incidents.contains_key(&key("P2"))) {
            match wire::receive(&mut line).await.expect("message") {
                FromServer::Snapshot { board } => mine = Some(*board),
                FromServer::Changed { change } => mine.as_mut().expect("a snapshot first").apply(&change),
                _ => {}
            }
        }
        assert_eq!(mine, Some(desk.hub.look(Board::clone)));
    }

    #[tokio::test]
    async fn a_request_without_end_is_cut_off_in_words() {
        let Setup { desk, _dir, .. } = setup();
        let mut line = attach(&desk, 1 << 16);
        hello(&mut line).await;
        let endless = vec![b'x'; REQUEST + 1];
        wire::send_text(&mut line, std::str::from_utf8(&endless).expect("text")).await.expect("send");

        let last_word = timeout(STALL, async {
            loop {
                if let FromServer::Refused { reason } = wire::receive(&mut line).await.expect("a last word") {
                    return reason;
                }
            }
        });
        let reason = last_word.await.expect("cut off");
        assert!(reason.contains("cut off"), "{reason}");
        let after = wire::receive::<_, FromServer>(&mut line).await;
        assert!(after.is_err(), "still served: {after:?}");
    }

    #[tokio::test]
    async fn a_console_that_may_only_look_is_told_so_and_refused_on_each_request() {
        let Setup { fake, desk, _dir } = setup();
        fake.put("P1", Status::Triggered, 0);
        let (ours, theirs) = duplex(1 << 16);
        let caller = Caller { uid: Some(4_000_001), login: "mallory".into() };
        tokio::spawn(serve(theirs, Arc::clone(&desk), Guest { caller, seat: Seat::own() }));
        let mut line = wire::line(ours);
        wire::send(&mut line, &FromConsole::Hello { protocol: PROTOCOL, version: "0".into() }).await.expect("send");
        let FromServer::Hello { you: Access::Watch { reason }, .. } = wire::receive(&mut line).await.expect("hello")
        else {
            panic!("may act")
        };
        let request = Request::SaveTemplate { name: "x".into(), text: "x".into(), base: None };
        wire::send(&mut line, &FromConsole::Request { id: 1, request }).await.expect("send");

        let answer = loop {
            if let FromServer::Answer { answer, .. } = wire::receive(&mut line).await.expect("message") {
                break *answer;
            }
        };

        assert_eq!(answer, Err(format!("you may look, not act: {reason}")));
    }

    #[tokio::test]
    async fn who_becomes_a_person_while_attached_is_told_so() {
        let Setup { desk, _dir, .. } = setup();
        let (ours, theirs) = duplex(1 << 16);
        let caller = Caller { uid: Some(4_000_001), login: "alice".into() };
        tokio::spawn(serve(theirs, Arc::clone(&desk), Guest { caller, seat: Seat::own() }));
        let mut line = wire::line(ours);
        hello(&mut line).await;

        desk.people.set(&[]);
        let alice = Acts::As { email: "alice@example.com".into() };
        desk.people.set(&[PersonSettings { user: User::Uid(4_000_001), account: None, acts: alice }]);

        let told = timeout(STALL, async {
            loop {
                if let FromServer::Access { you } = wire::receive(&mut line).await.expect("message") {
                    return you;
                }
            }
        });
        let you = told.await.expect("told");
        assert!(matches!(&you, Access::ActAs { actor, names } if actor == "alice" && names.len() == 1), "{you:?}");
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

//! The link against a server made of a pipe, with tokio's clock paused: waiting costs nothing.

use async_trait::async_trait;
use tokio::{
    io::{DuplexStream, duplex},
    task::JoinHandle,
    time::advance,
};

use super::{super::Connection, *};
use crate::{
    core::{
        board::{Board, Change},
        freshness::Door,
    },
    proto::{Answer, wire::Line},
};

/// Where the ends of pipes wait for whoever connects; empty: there is no server.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

#[async_trait]
impl Connect for Pipes {
    async fn connect(&mut self) -> Result<Connection, String> {
        match self.0.try_recv() {
            Ok(io) => Ok(Connection { io: Box::new(io), role: Role::Attached }),
            Err(_) => Err("nobody\u{7} there".into()),
        }
    }
}

struct Fixture {
    pipes: mpsc::UnboundedSender<DuplexStream>,
    requests: mpsc::Sender<(RequestId, Request)>,
    events: mpsc::Receiver<Event>,
    link: JoinHandle<()>,
}

fn link() -> Fixture {
    let (pipes, ends) = mpsc::unbounded_channel();
    let (requests, asked) = mpsc::channel(8);
    let (to, events) = mpsc::channel(8);
    let link = tokio::spawn(Link::new(Pipes(ends), asked, to).run());
    Fixture { pipes, requests, events, link }
}

/// A server for whoever connects next.
struct Server(Line<DuplexStream>);

impl Server {
    fn start(fixture: &Fixture) -> Self {
        let (ours, theirs) = duplex(64 * 1024);
        fixture.pipes.send(theirs).expect("the link lives");
        Self(wire::line(ours))
    }

    /// Greets, and gives an empty board.
    async fn welcome(fixture: &Fixture) -> Self {
        let mut server = Self::start(fixture);
        server.greet(PROTOCOL).await;
        server.give(Board::default()).await;
        server
    }

    async fn give(&mut self, board: Board) {
        self.say(FromServer::Snapshot { board: Box::new(board) }).await;
        self.say(FromServer::UpToDate).await;
    }

    async fn greet(&mut self, protocol: u16) {
        assert!(matches!(self.hear().await, FromConsole::Hello { protocol: PROTOCOL, .. }));
        let you = Access::Act { actor: "al\u{1b}ice".into() };
        self.say(FromServer::Hello { protocol, version: "9".into(), you }).await;
    }

    async fn say(&mut self, message: FromServer) {
        wire::send(&mut self.0, &message).await.expect("the link listens");
    }

    async fn hear(&mut self) -> FromConsole {
        wire::receive(&mut self.0).await.expect("the link speaks")
    }
}

impl Fixture {
    async fn next(&mut self) -> Event {
        timeout(Duration::from_hours(1), self.events.recv()).await.expect("an event").expect("the link lives")
    }

    async fn detached(&mut self) -> String {
        match self.next().await {
            Event::Detached { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    async fn attached(&mut self) -> (Board, Access, Role) {
        match self.next().await {
            Event::Attached { board, access, role } => (*board, access, role),
            other => panic!("{other:?}"),
        }
    }

    async fn unanswered(&mut self) -> (RequestId, String) {
        match self.next().await {
            Event::Unanswered { id, reason } => (id, reason),
            other => panic!("{other:?}"),
        }
    }

    async fn answer(&mut self) -> (RequestId, Result<Answer, String>) {
        match self.next().await {
            Event::Answered { id, answer } => (id, answer),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hello_and_snapshot_attach_and_changes_follow() {
    let mut fixture = link();
    let mut server = Server::welcome(&fixture).await;
    let (board, access, role) = fixture.attached().await;
    assert_eq!(board, Board::default());
    assert_eq!(access, Access::Act { actor: "al␛ice".into() });
    assert_eq!(role, Role::Attached);

    let change = Change::Templates(vec![]);
    server.say(FromServer::Changed { change: change.clone() }).await;
    assert_eq!(fixture.next().await, Event::Changed(change));
    server.give(Board::default()).await;
    fixture.attached().await;
}

#[tokio::test(start_paused = true)]
async fn the_screen_gets_no_board_that_is_older_than_what_was_answered_before_it_came() {
    let mut fixture = link();
    let mut server = Server::start(&fixture);
    server.greet(PROTOCOL).await;
    server.say(FromServer::Snapshot { board: Box::default() }).await;
    server.say(FromServer::Changed { change: Change::Unshown(7) }).await;
    server.say(FromServer::UpToDate).await;

    assert_eq!(fixture.attached().await.0.unshown, 7);
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_by_the_server_or_refused_or_given_up_here_but_always() {
    let mut fixture = link();
    assert_eq!(fixture.detached().await, "nobody␇ there");
    fixture.requests.send((1, Request::Refresh)).await.expect("sent");
    assert_eq!(fixture.answer().await, (1, Err(NOT_CONNECTED.into())));

    let mut server = Server::welcome(&fixture).await;
    fixture.attached().await;
    fixture.requests.send((2, Request::Refresh)).await.expect("sent");
    fixture.requests.send((3, Request::Refresh)).await.expect("sent");
    assert_eq!(server.hear().await, FromConsole::Request { id: 2, request: Request::Refresh });
    server.say(FromServer::Answer { id: 2, answer: Box::new(Ok(Answer::Refreshing)) }).await;
    assert_eq!(fixture.answer().await, (2, Ok(Answer::Refreshing)));

    drop(server);
    assert_eq!(
        fixture.unanswered().await,
        (3, UNANSWERED.into()),
        "it went out, so nobody may say that it is not done"
    );
    fixture.detached().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_server_forgets_is_given_up() {
    let mut fixture = link();
    let mut server = Server::welcome(&fixture).await;
    fixture.attached().await;
    fixture.requests.send((7, Request::Refresh)).await.expect("sent");
    server.hear().await;

    let started = Instant::now();
    for _ in 0..31 {
        advance(Duration::from_secs(2)).await;
        server.say(FromServer::Heartbeat).await;
    }

    assert_eq!(fixture.unanswered().await, (7, LATE.into()));
    assert!(started.elapsed() >= ANSWER);
}

#[tokio::test(start_paused = true)]
async fn a_lost_server_is_told_once_and_its_successor_is_found_within_a_second() {
    let mut fixture = link();
    let server = Server::welcome(&fixture).await;
    fixture.attached().await;
    advance(Duration::from_secs(5)).await;

    drop(server);
    assert_eq!(fixture.detached().await, "the other side closed the connection");
    assert_eq!(fixture.detached().await, "nobody␇ there");
    let more = timeout(Duration::from_millis(900), fixture.events.recv()).await;
    assert!(more.is_err(), "the same reason again is no news: {more:?}");

    let started = Instant::now();
    let _server = Server::welcome(&fixture).await;
    fixture.attached().await;
    assert!(started.elapsed() <= Duration::from_millis(RETRY.end), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_given_up_after_three_heartbeats() {
    let mut fixture = link();
    let mut server = Server::welcome(&fixture).await;
    fixture.attached().await;
    advance(Duration::from_secs(5)).await;
    server.say(FromServer::Heartbeat).await;
    advance(Duration::from_millis(1)).await;

    let started = Instant::now();
    let reason = fixture.detached().await;

    assert_eq!(reason, "no sign of life from the server for 6 s");
    assert!((5..=6).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_greets_is_given_up() {
    let mut fixture = link();
    let mut server = Server::start(&fixture);
    server.hear().await;

    assert_eq!(fixture.detached().await, "no sign of life from the server for 6 s");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_with_its_reason_and_tried_again_slowly() {
    let mut fixture = link();
    let mut server = Server::start(&fixture);
    server.hear().await;
    server.say(FromServer::Refused { reason: "full\u{202e}".into() }).await;
    assert_eq!(fixture.detached().await, "full·");

    let started = Instant::now();
    let _server = Server::welcome(&fixture).await;
    fixture.attached().await;
    assert!(started.elapsed() >= RETRY_REFUSED, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_refused_with_both_versions() {
    let mut fixture = link();
    let mut server = Server::start(&fixture);
    server.greet(PROTOCOL + 1).await;

    let reason = fixture.detached().await;
    let both = [format!("protocol {}", PROTOCOL + 1), format!("this one {PROTOCOL}")];
    assert!(both.iter().all(|words| reason.contains(words)), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_screen_that_does_not_keep_up_is_not_taken_for_a_silent_server() {
    let mut fixture = link();
    let mut server = Server::welcome(&fixture).await;
    for _ in 0..20 {
        server.say(FromServer::Changed { change: crate::core::board::Change::Templates(vec![]) }).await;
    }
    advance(Duration::from_mins(1)).await;

    fixture.attached().await;
    for _ in 0..20 {
        assert!(matches!(fixture.next().await, Event::Changed(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_that_panics_is_tried_again() {
    struct Fragile(u8);
    #[async_trait]
    impl Connect for Fragile {
        async fn connect(&mut self) -> Result<Connection, String> {
            self.0 += 1;
            assert!(self.0 > 1, "the first time");
            Err("the second time".into())
        }
    }
    let (_requests, asked) = mpsc::channel(1);
    let (to, mut events) = mpsc::channel(8);
    tokio::spawn(Link::new(Fragile(0), asked, to).run());

    for reason in ["a part of dogwatch broke", "the second time"] {
        assert_eq!(events.recv().await, Some(Event::Detached { reason: reason.into() }));
    }
}

#[tokio::test(start_paused = true)]
async fn the_link_ends_with_the_screen() {
    let mut fixture = link();
    let _server = Server::welcome(&fixture).await;
    fixture.attached().await;

    drop((fixture.requests, fixture.events));

    timeout(Duration::from_secs(1), fixture.link).await.expect("ended").expect("no panic");
}

/// A request of so many bytes and a few.
fn long(bytes: usize) -> Request {
    Request::SaveTemplate { name: "long".into(), text: "x".repeat(bytes), base: None }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_writes_while_the_link_does_is_read_meanwhile() {
    const PIPE: usize = 4096;
    let mut fixture = link();
    let (ours, theirs) = duplex(PIPE);
    fixture.pipes.send(theirs).expect("the link lives");
    let mut server = Server(wire::line(ours));
    server.greet(PROTOCOL).await;
    server.give(Board::default()).await;
    fixture.attached().await;
    fixture.requests.send((1, long(10 * PIPE))).await.expect("sent");

    // It reads nothing before all of this is written.
    let board = Board {
        unshown: 7,
        door: Door::Refused { address: "y".repeat(10 * PIPE), cause: "x".into() },
        ..Board::default()
    };
    let said = tokio::spawn(async move {
        server.give(board).await;
        server
    });

    assert_eq!(fixture.attached().await.0.unshown, 7);
    let mut server = said.await.expect("said");
    assert_eq!(server.hear().await, FromConsole::Request { id: 1, request: long(10 * PIPE) });
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_long_for_the_server_is_refused_in_words_and_the_link_holds() {
    let mut fixture = link();
    let mut server = Server::welcome(&fixture).await;
    fixture.attached().await;

    fixture.requests.send((1, long(wire::REQUEST_LIMIT))).await.expect("sent");
    fixture.requests.send((2, Request::Refresh)).await.expect("sent");

    let (id, answer) = fixture.answer().await;
    assert_eq!(id, 1);
    assert!(answer.expect_err("refused").contains("1025 KiB, where the server takes 1024 KiB"));
    assert_eq!(server.hear().await, FromConsole::Request { id: 2, request: Request::Refresh });
}

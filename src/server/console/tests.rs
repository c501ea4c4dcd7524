//! One console's conversation, over a pipe.

use super::*;
use crate::{
    config::{Acts, PersonSettings, User},
    core::{
        action::Verb,
        board::{Board, Change},
        id::ActionId,
        incident::Status,
    },
    proto::{Request, wire::Line},
    server::{
        fake::{self, Fake, key},
        guests::{Guests, Limits},
        hub::Telling,
        rate::Rate,
    },
};
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};

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
    let FromServer::Snapshot { board } = wire::receive(line).await.expect("snapshot") else { panic!("no snapshot") };
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
async fn a_console_that_shares_the_snapshot_of_another_is_told_of_all_that_came_since() {
    let Setup { fake, desk, _dir } = setup();
    let _held = desk.hub.attach(None).await.expect("attached");
    for n in 0..200 {
        let seen = fake.put(&format!("P{n}"), Status::Triggered, n);
        desk.hub.change(|board| (board.observe(&seen).into_iter().collect(), ()));
    }
    let mut line = attach(&desk, 512);
    let mut mine = hello(&mut line).await;
    assert_eq!(mine.incidents.len(), 0, "the other's snapshot");
    let seen = fake.put("P200", Status::Triggered, 200);
    desk.hub.change(|board| (board.observe(&seen).into_iter().collect(), ()));

    loop {
        match wire::receive(&mut line).await.expect("message") {
            FromServer::Changed { change } => mine.apply(&change),
            FromServer::UpToDate => break,
            other => panic!("before it is up to date: {other:?}"),
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
async fn a_console_that_waits_for_its_snapshot_is_told_that_the_server_is_there() {
    let Setup { fake, desk, _dir } = setup();
    let mut unread = vec![];
    for _ in 0..3 {
        unread.push(desk.hub.attach(Some(Instant::now())).await.expect("attached"));
    }
    desk.hub.tell(|board| {
        board.observe(&fake.put("P1", Status::Triggered, 0));
        (vec![], Telling::Snapshot, ())
    });
    let mut line = attach(&desk, 1 << 16);
    let hello = FromConsole::Hello { protocol: PROTOCOL, version: "0".into() };
    wire::send(&mut line, &hello).await.expect("send");
    assert!(matches!(wire::receive(&mut line).await.expect("hello"), FromServer::Hello { .. }));

    let there = timeout(STALL, wire::receive(&mut line)).await.expect("told").expect("message");
    assert!(matches!(there, FromServer::Heartbeat), "{there:?}");

    unread.clear();
    let board = loop {
        if let FromServer::Snapshot { board } = wire::receive(&mut line).await.expect("message") {
            break board;
        }
    };
    assert_eq!(*board, desk.hub.look(Board::clone));
}

/// Writes a snapshot to one who reads a byte of it each time; how long that took, and whether it went well.
async fn snapshot_taken(bytes: usize, every: Duration) -> (Duration, bool) {
    let ((ours, mut theirs), began) = (duplex(1), Instant::now());
    let (_ear, mut mouth) = wire::halves(ours);
    let reading = async {
        for _ in 0..bytes {
            tokio::time::sleep(every).await;
            theirs.read_u8().await.expect("read");
        }
        std::future::pending::<()>().await;
    };
    let snapshot = "x".repeat(bytes + 1);
    let is_taken = tokio::select! {
        put = put_steadily(&mut mouth, &snapshot) => put.is_ok(),
        () = reading => false,
    };
    (began.elapsed(), is_taken)
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_of_a_snapshot_is_cut_off_long_before_one_who_takes_it_slowly() {
    let seconds = Duration::from_secs;
    assert_eq!(snapshot_taken(5, 2 * UNTOUCHED).await, (UNTOUCHED, false));
    assert_eq!(snapshot_taken(100, seconds(4)).await, (STALL, false));
    assert_eq!(snapshot_taken(5, seconds(4)).await, (seconds(20), true));
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
    let FromServer::Hello { you: Access::Watch { reason }, .. } = wire::receive(&mut line).await.expect("hello") else {
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

/// A user that no test runs as, with these limits.
struct Alice(Arc<Guests>);

impl Alice {
    const UID: u32 = 4_000_001;

    fn seat(&self) -> Seat {
        Guests::admit(&self.0, Some(Self::UID)).expect("a seat")
    }

    /// One of their consoles, with the snapshot read.
    async fn attach(&self, desk: &Arc<Desk>) -> Line<DuplexStream> {
        let (ours, theirs) = duplex(1024);
        let caller = Caller { uid: Some(Self::UID), login: "alice".into() };
        tokio::spawn(serve(theirs, Arc::clone(desk), Guest { caller, seat: self.seat() }));
        let mut line = wire::line(ours);
        hello(&mut line).await;
        line
    }
}

async fn ask_for_template(line: &mut Line<DuplexStream>, id: RequestId) {
    let request = Request::Template { name: "long".into() };
    wire::send(line, &FromConsole::Request { id, request }).await.expect("send");
}

async fn next_answer(line: &mut Line<DuplexStream>) -> (RequestId, Result<Answer, String>) {
    loop {
        if let FromServer::Answer { id, answer } = wire::receive(line).await.expect("message") {
            return (id, *answer);
        }
    }
}

/// A template whose text takes more than any pipe here.
fn save_long_template(desk: &Desk) {
    desk.library.save_as(None, "long", &"y".repeat(50_000), None).expect("saved");
}

#[tokio::test]
async fn an_answer_that_was_not_read_yet_counts_as_an_open_request_over_all_consoles_of_a_user() {
    let Setup { desk, _dir, .. } = setup();
    save_long_template(&desk);
    let alice = Alice(Guests::new(Limits { requests_each: 2, ..Limits::default() }));
    let (mut first, mut second) = (alice.attach(&desk).await, alice.attach(&desk).await);
    let seat = alice.seat();
    ask_for_template(&mut first, 1).await;
    ask_for_template(&mut first, 2).await;

    let taken = async {
        while seat.request().is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(STALL, taken).await.expect("both are held");

    ask_for_template(&mut second, 1).await;
    let (_, refused) = next_answer(&mut second).await;
    assert!(refused.expect_err("refused").contains("too many of your requests"));
    for id in [1, 2] {
        assert!(matches!(next_answer(&mut first).await, (answered, Ok(_)) if answered == id));
    }
    ask_for_template(&mut second, 2).await;
    assert!(next_answer(&mut second).await.1.is_ok());
}

#[tokio::test]
async fn answers_that_would_take_too_much_room_before_they_are_read_are_refused_in_words() {
    let Setup { desk, _dir, .. } = setup();
    save_long_template(&desk);
    let alice = Alice(Guests::new(Limits { unread_each: 120_000, ..Limits::default() }));
    let mut line = alice.attach(&desk).await;
    for id in 1..=4 {
        ask_for_template(&mut line, id).await;
    }
    // Until all are answered, none is read: these are written in a moment, and the pipe takes less than one.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }

    let mut answers = vec![];
    for _ in 1..=4 {
        answers.push(next_answer(&mut line).await.1.map(drop));
    }

    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2, "{answers:?}");
    let refused = answers.into_iter().find_map(Result::err).expect("refused");
    assert!(refused.contains("have not read"), "{refused}");
    ask_for_template(&mut line, 5).await;
    assert!(next_answer(&mut line).await.1.is_ok(), "what was read takes no room");
}

#[tokio::test]
async fn what_was_done_is_told_also_where_other_answers_were_not_read() {
    let Setup { desk, _dir, .. } = setup();
    save_long_template(&desk);
    let acts = Acts::As { email: "alice@example.com".into() };
    desk.people.set(&[PersonSettings { user: User::Uid(Alice::UID), account: None, acts }]);
    let alice = Alice(Guests::new(Limits { unread_each: 1000, ..Limits::default() }));
    let (mut deaf, mut line) = (alice.attach(&desk).await, alice.attach(&desk).await);
    let seat = alice.seat();
    ask_for_template(&mut deaf, 1).await;
    let held = async {
        while seat.request().expect("free").room(1).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(STALL, held).await.expect("not read");

    let request = Request::SaveTemplate { name: "x".into(), text: "x".into(), base: None };
    wire::send(&mut line, &FromConsole::Request { id: 2, request }).await.expect("send");
    let (_, saved) = next_answer(&mut line).await;
    ask_for_template(&mut line, 3).await;
    let (_, looked) = next_answer(&mut line).await;

    assert_eq!(saved, Ok(Answer::Saved { name: "x".into() }));
    assert!(looked.expect_err("refused").contains("have not read"));
    let changes = vec!["x".repeat(SMALL)];
    let text = |need| {
        let answer = Ok(Answer::Reloaded { changes: changes.clone() });
        answered(4, answer, need, seat.request().expect("free")).text
    };
    assert!(text(Need::Act).contains("xxx") && text(Need::Look).contains("have not read"));
    let small = answered(5, Ok(Answer::Refreshing), Need::Look, seat.request().expect("free")).text;
    assert!(!small.contains("have not read"), "{small}");
}

#[tokio::test]
async fn who_acts_too_often_is_told_so_and_may_still_take_back_what_waits() {
    let Setup { desk, _dir, .. } = setup();
    let acts = Rate { burst: 2, every: Duration::from_mins(1) };
    let alice = Alice(Guests::new(Limits { acts, ..Limits::default() }));
    let mut line = alice.attach(&desk).await;
    for (id, said) in [(1, "may look"), (2, "may look"), (3, "too much in a short time")] {
        let act = Request::Act { targets: vec![], verb: Verb::Acknowledge, undoable: false };
        wire::send(&mut line, &FromConsole::Request { id, request: act }).await.expect("send");
        let refused = next_answer(&mut line).await.1.expect_err("refused");
        assert!(refused.contains(said), "{refused}");
    }

    let request = Request::TakeBack { action: ActionId(1) };
    wire::send(&mut line, &FromConsole::Request { id: 4, request }).await.expect("send");

    let refused = next_answer(&mut line).await.1.expect_err("refused");
    assert!(refused.contains("may look"), "{refused}");
}

#[tokio::test]
async fn a_console_is_heard_while_it_is_written_to() {
    let Setup { fake, desk, _dir } = setup();
    for n in 0..100 {
        desk.observe(&fake.put(&format!("P{n}"), Status::Triggered, n)).await;
    }
    let mut line = attach(&desk, 512);
    wire::send(&mut line, &FromConsole::Hello { protocol: PROTOCOL, version: "0".into() }).await.expect("send");
    let request = Request::Template { name: "x".repeat(50_000) };

    let request = FromConsole::Request { id: 1, request };
    timeout(STALL / 3, wire::send(&mut line, &request))
        .await
        .expect("heard before the snapshot is read")
        .expect("sent");

    let (id, answer) = next_answer(&mut line).await;
    assert!(id == 1 && answer.is_err());
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

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
        mpsc::{self, OwnedPermit},
    },
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::task::AbortOnDropHandle;

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
    let mut people = desk.people.watch();
    let mut access = desk.access(&guest.caller);
    if !greet(&mut ear, &mut mouth, &access).await? {
        return Ok(());
    }
    let _attached = desk.metrics.attached();
    let guest = Arc::new(guest);
    let (answers, mut answered) = mpsc::channel::<Answered>(OPEN_REQUESTS);
    let listening = listen(ear, Arc::clone(&desk), Arc::clone(&guest), answers);
    let mut heard_last = AbortOnDropHandle::new(tokio::spawn(listening));
    let mut beat = interval(Duration::from_secs(HEARTBEAT_SECONDS));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    'snapshot: loop {
        let Attached { snapshot, since, mut news } = desk.hub.attach().await?;
        match snapshot.text() {
            Ok(text) => put(&mut mouth, text).await?,
            Err(broken) => return refuse(&mut mouth, cut_off(broken)).await,
        }
        drop(snapshot);
        put_all(&mut mouth, &since).await?;
        loop {
            let told = tokio::select! {
                first = news.recv() => match first.map(|first| batch(&first, &mut news)) {
                    Ok(Some(text)) => text.into(),
                    Ok(None) | Err(RecvError::Lagged(_)) => continue 'snapshot,
                    Err(RecvError::Closed) => return Ok(()),
                },
                Some(answer) = answered.recv() => answer,
                Ok(()) = people.changed() => {
                    let now = desk.access(&guest.caller);
                    if now == access {
                        continue;
                    }
                    access = now;
                    wire::text(&FromServer::Access { you: access.clone() })?.into()
                }
                _ = beat.tick() => wire::text(&FromServer::Heartbeat)?.into(),
                why = &mut heard_last => return match why.unwrap_or(WireError::Closed) {
                    WireError::Closed => Ok(()),
                    broken => part(&mut mouth, broken).await,
                },
            };
            put(&mut mouth, &told.text).await?;
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

async fn put<Io: AsyncWrite>(mouth: &mut Mouth<Io>, text: &str) -> Result<(), WireError> {
    timeout(STALL, wire::say_text(mouth, text)).await.map_err(|_| WireError::Closed)?
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
mod tests {
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
}

//! An owner with a runtime of its own, so that dropping the runtime is its death: every task ends where it waits.
//!
//! The clock of the runtime is paused, and a blocking task that never ends keeps it from advancing by itself: time
//! passes only in [`Owner::pass`], and only when nothing is under way. The store has no threads here: their steps are taken
//! between the turns of the tasks, by a seed, so that a death comes between any two of them.

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc as threads},
    task::{Poll, Waker},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request as HttpRequest, StatusCode},
};
use fastrand::Rng;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::{
    io::duplex,
    runtime::{Builder, Runtime},
    sync::{Notify, mpsc},
    task::{JoinHandle, yield_now},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{clock, provider::Simulated};
use crate::{
    config::AccountSettings,
    core::{
        action::{Target, Verb},
        board::{Board, Change},
        delivery::Decode,
        id::{AccountName, ActionId},
        sender::Demand,
    },
    proto::{Answer, FromConsole, FromServer, PROTOCOL, Request, wire},
    provider::pagerduty::world::Push,
    receiver::{self, Hook, NamedSecret, Networks, Receiver},
    server::{
        account::{Account, Accounts},
        actions,
        console::{self, Guest},
        desk::Desk,
        fake, first_look,
        guests::Seat,
        hub::Hub,
        ingest, look,
        people::Caller,
        poller, restore,
    },
    store::{Store, steps},
};

const SECRET: &str = "a signing secret";
const URL_KEY: &str = "0123456789abcdef0123456789abcdef";
/// Arrivals that wait to be applied: so few that some find no room.
const ARRIVALS: usize = 3;
/// Changes that a console may lie behind: so few that the slow one needs snapshots.
const FEED: usize = 8;
/// For how long an action can be taken back.
const WINDOW: Duration = Duration::from_secs(5);
/// No timer is late by more than this.
const GRAIN: Duration = Duration::from_millis(500);
/// Turns of tasks between two steps of the store's, at most.
const TURNS: usize = 12;

/// Somebody who waits until there is nothing to do.
type Parked = Arc<Mutex<Option<Waker>>>;

/// What a console shows.
pub(super) type Screen = Arc<Mutex<Option<Board>>>;

/// All that happens, in its order.
pub(super) type Story = Arc<Mutex<Vec<String>>>;

/// Actions of which somebody was told that they are taken back.
pub(super) type TakenBack = Arc<Mutex<BTreeSet<ActionId>>>;

/// Whether an action waits for somebody who might take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    None,
    Waits,
    TakesBackAfter(Duration),
}

/// One life of the server.
pub(super) struct Owner {
    /// What the store has still to do goes first.
    _steps: steps::Guard,
    machine: Machine,
    pub(super) desk: Arc<Desk>,
    router: Router,
    pub(super) screens: Vec<Screen>,
    /// What must not end before the owner does.
    tasks: Vec<JoinHandle<()>>,
}

/// What its tasks run on.
struct Machine {
    /// While this is there, time stands still. It goes before the runtime, which waits for its threads.
    _still: threads::Sender<()>,
    runtime: Runtime,
    parked: Parked,
}

/// The parts that are made within the runtime.
struct Parts {
    desk: Arc<Desk>,
    router: Router,
    screens: Vec<Screen>,
    tasks: Vec<JoinHandle<()>>,
}

impl Owner {
    /// Opens the store and starts as a server does; `None` when it dies within `life` turns.
    pub(super) fn start(
        dir: &Path,
        provider: &Simulated,
        story: &Story,
        life: Option<usize>,
        rng: &mut Rng,
    ) -> Option<Self> {
        let steps = steps::begin(rng.u64(..));
        let machine = Machine::new();
        let starting =
            machine.runtime.spawn(start(dir.to_owned(), provider.clone(), Arc::clone(story), rng.u64(1..400)));
        match life {
            None => machine.quiet(),
            Some(turns) => machine.turns(turns),
        }
        let started = starting.is_finished().then(|| machine.runtime.block_on(starting).expect("no panic"));
        let Parts { desk, router, screens, tasks } = started?;
        Some(Self { _steps: steps, machine, desk, router, screens, tasks })
    }

    /// Lets some turns pass, in the middle of whatever is under way.
    pub(super) fn turns(&self, turns: usize) {
        self.machine.turns(turns);
    }

    /// Lets time pass, and everything happen that is due in it.
    pub(super) fn pass(&self, time: Duration) {
        let mut left = time;
        self.machine.quiet();
        while !left.is_zero() {
            let step = left.min(GRAIN);
            left -= step;
            clock::pass(step);
            self.machine.runtime.block_on(tokio::time::advance(step));
            self.machine.quiet();
        }
        let ended = self.tasks.iter().position(JoinHandle::is_finished);
        assert_eq!(ended, None, "a task of the server ended by itself");
    }

    /// Sends a webhook as the provider would; the status comes when it is answered.
    pub(super) fn deliver(&self, push: &Push) -> JoinHandle<StatusCode> {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("hmac takes keys of any length");
        mac.update(&push.body);
        let request = HttpRequest::post(format!("/hooks/{}/{URL_KEY}", fake::account_name()))
            .header("x-pagerduty-signature", format!("v1={}", hex::encode(mac.finalize().into_bytes())))
            .body(Body::from(push.body.clone()))
            .expect("a request");
        let router = self.router.clone();
        self.machine.runtime.spawn(async move { router.oneshot(request).await.expect("infallible").status() })
    }

    /// The status of a delivery that has ended; `None` when its sender hung up.
    pub(super) fn answer(&self, ended: JoinHandle<StatusCode>) -> Option<StatusCode> {
        match self.machine.runtime.block_on(ended) {
            Ok(status) => Some(status),
            Err(error) if error.is_cancelled() => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Asks for an action as a console would; whether it is accepted shows on the board.
    pub(super) fn act(&self, targets: Vec<Target>, verb: Verb, patience: Patience, taken_back: &TakenBack) {
        let (desk, taken_back) = (Arc::clone(&self.desk), Arc::clone(taken_back));
        self.machine.runtime.spawn(async move {
            let caller = Caller::ourselves();
            let request = Request::Act { targets, verb, undoable: patience != Patience::None };
            let accepted = desk.answer(&caller, request).await;
            if let (Ok(Answer::Accepted { action }), Patience::TakesBackAfter(time)) = (accepted, patience) {
                tokio::time::sleep(time).await;
                if desk.answer(&caller, Request::TakeBack { action }).await.is_ok() {
                    taken_back.lock().expect("lock").insert(action);
                }
            }
        });
    }

    /// Reads the store as the next owner would find it.
    pub(super) fn kept<T: Send + 'static>(&self, read: impl FnOnce(&crate::store::Reader) -> T + Send + 'static) -> T {
        let store = self.desk.store.clone();
        let reading = self.machine.runtime.spawn(async move { store.read(move |reader| Ok(read(reader))).await });
        self.machine.quiet();
        self.machine.runtime.block_on(reading).expect("no panic").expect("readable")
    }
}

impl Machine {
    fn new() -> Self {
        let parked = Parked::default();
        let runtime = runtime(&parked);
        let (still, end) = threads::channel::<()>();
        runtime.spawn_blocking(move || end.recv().is_err());
        Self { _still: still, runtime, parked }
    }

    /// Lets the tasks have so many turns, and takes steps of the store's among them.
    fn turns(&self, turns: usize) {
        let mut left = turns;
        while left > 0 {
            let some = left.min(1 + steps::draw(TURNS));
            left -= some;
            self.runtime.block_on(turns_of(some));
            self.step();
        }
    }

    /// Works until there is nothing to do at this moment.
    fn quiet(&self) {
        let mut idle_for = 0;
        // A timer that is due can wake somebody only after the runtime has been idle.
        while idle_for < 2 {
            self.turns(1 + steps::draw(TURNS));
            self.runtime.block_on(idle(&self.parked));
            idle_for = if self.step() { 0 } else { idle_for + 1 };
        }
    }

    /// A step of the store's, if one can be taken.
    fn step(&self) -> bool {
        let _context = self.runtime.enter();
        steps::take()
    }
}

fn runtime(parked: &Parked) -> Runtime {
    let waiting = Arc::clone(parked);
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // A turn is one task: a death can come between any two.
        .event_interval(1)
        // It keeps the clock still.
        .max_blocking_threads(1)
        .on_thread_park(move || {
            if let Some(waker) = waiting.lock().expect("lock").take() {
                waker.wake();
            }
        })
        .build()
        .expect("a runtime")
}

async fn turns_of(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// Until no task can go on by itself.
fn idle(parked: &Parked) -> impl Future<Output = ()> + use<'_> {
    let mut asked = false;
    poll_fn(move |cx| {
        let mut slot = parked.lock().expect("lock");
        if asked && slot.is_none() {
            return Poll::Ready(());
        }
        asked = true;
        *slot = Some(cx.waker().clone());
        Poll::Pending
    })
}

async fn start(dir: PathBuf, provider: Simulated, lines: Story, slow: u64) -> Parts {
    let store = Store::open(&dir).expect("store");
    let settings = AccountSettings { poll: Duration::from_secs(10), ..fake::settings() };
    let mut board = Board::default();
    board.apply(&Change::Account(Box::new(first_look(&settings))));
    let now = clock::now();
    let (board, unsettled, _) = store.read(move |reader| restore(reader, board, now)).await.expect("restored");
    let accounts = Accounts::new([Account::with_provider(settings, Arc::new(provider))]);
    let account = accounts.get(&fake::account_name()).expect("known");
    let parts = fake::parts(Hub::with_feed(board, FEED), store, accounts, &dir, clock::now);
    let desk = Arc::new(Desk { read_back: actions::READ_BACK, ..parts });
    desk.forwarder.watches(&fake::account_name(), jiff::Timestamp::UNIX_EPOCH);
    desk.waiting.set_window(WINDOW);
    fake::want_everything(&desk);
    ingest::catch_up(&desk).await.expect("caught up");
    let (arrived, arrivals) = mpsc::channel(ARRIVALS);
    let missed = Arc::new(Notify::new());
    let told = Arc::clone(&missed);
    let hooks = vec![hook(fake::account_name(), account.decode())];
    let receiver = Receiver::new(hooks, Networks::new(None, vec![]), desk.store.clone(), arrived, told, clock::now)
        .expect("an intake");
    let stop = CancellationToken::new();
    let tasks = vec![
        tokio::spawn(ingest::run(Arc::clone(&desk), arrivals, missed, stop.clone())),
        tokio::spawn(poller::run(Arc::clone(&desk), account, stop.clone())),
        tokio::spawn(look::run(Arc::clone(&desk), stop)),
    ];
    tokio::spawn(actions::settle(Arc::clone(&desk), unsettled));
    let screens =
        vec![attach(&desk, &lines, 1 << 16, Duration::ZERO), attach(&desk, &lines, 256, Duration::from_millis(slow))];
    Parts { desk, router: receiver::router(receiver), screens, tasks }
}

fn hook(account: AccountName, decode: Arc<dyn Decode>) -> Hook {
    let secrets = vec![NamedSecret { name: "secret".into(), value: SECRET.into() }];
    Hook { account, url_key: Some(URL_KEY.into()), demand: Demand::default(), secrets, unread: 0, allow: None, decode }
}

/// A console that reads a message each `pause`, over a pipe of `room` bytes.
fn attach(desk: &Arc<Desk>, story: &Story, room: usize, pause: Duration) -> Screen {
    let (ours, theirs) = duplex(room);
    let guest = Guest { caller: Caller::ourselves(), seat: Seat::own() };
    tokio::spawn(console::serve(theirs, Arc::clone(desk), guest));
    let screen = Screen::default();
    let (shown, story) = (Arc::clone(&screen), Arc::clone(story));
    tokio::spawn(async move {
        let mut line = wire::line(ours);
        let hello = FromConsole::Hello { protocol: PROTOCOL, version: "0".into() };
        wire::send(&mut line, &hello).await.expect("sent");
        while let Ok(message) = wire::receive(&mut line).await {
            story.lock().expect("lock").push(format!("to {room}: {message:?}"));
            match message {
                FromServer::Snapshot { board } => *shown.lock().expect("lock") = Some(*board),
                FromServer::Changed { change } => {
                    shown.lock().expect("lock").as_mut().expect("a snapshot first").apply(&change);
                }
                _ => continue,
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    });
    screen
}

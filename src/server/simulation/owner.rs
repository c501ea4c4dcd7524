//! An owner with a runtime of its own, so that dropping the runtime is its death: every task ends where it waits.
//!
//! The clock of the runtime is paused, and a blocking task that never ends keeps it from advancing by itself: time
//! passes only in [`Owner::pass`], and only when nothing is under way, in the runtime, the store's writer or a reader.

use std::{
    future::{Future, poll_fn},
    path::Path,
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
        id::AccountName,
        sender::Demand,
    },
    proto::{FromConsole, FromServer, PROTOCOL, Request, wire},
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
    store::Store,
};

const SECRET: &str = "a signing secret";
const URL_KEY: &str = "0123456789abcdef0123456789abcdef";
/// Arrivals that wait to be applied: so few that some find no room.
const ARRIVALS: usize = 3;
/// Changes that a console may lie behind: so few that the slow one needs snapshots.
const FEED: usize = 8;
/// No timer is late by more than this.
const GRAIN: Duration = Duration::from_millis(500);

/// Somebody who waits until there is nothing to do.
type Parked = Arc<Mutex<Option<Waker>>>;

/// What a console shows.
pub(super) type Screen = Arc<Mutex<Option<Board>>>;

/// One life of the server.
pub(super) struct Owner {
    /// While this is there, time stands still. It goes before the runtime, which waits for its threads.
    _still: threads::Sender<()>,
    runtime: Runtime,
    parked: Parked,
    pub(super) desk: Arc<Desk>,
    router: Router,
    pub(super) screens: Vec<Screen>,
    /// What must not end before the owner does.
    tasks: Vec<JoinHandle<()>>,
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
    pub(super) fn start(dir: &Path, provider: &Simulated, life: Option<usize>, rng: &mut Rng) -> Option<Self> {
        let parked = Parked::default();
        let runtime = runtime(&parked);
        let (still, end) = threads::channel::<()>();
        runtime.spawn_blocking(move || end.recv().is_err());
        let slow = rng.u64(1..400);
        let started = runtime.block_on(async {
            let start = start(dir, provider, slow);
            match life {
                None => Some(start.await),
                Some(turns) => tokio::select! { biased; parts = start => Some(parts), () = turns_of(turns) => None },
            }
        });
        let Parts { desk, router, screens, tasks } = started?;
        Some(Self { runtime, parked, desk, router, screens, tasks, _still: still })
    }

    /// Lets some turns pass, in the middle of whatever is under way.
    pub(super) fn turns(&self, turns: usize) {
        self.runtime.block_on(turns_of(turns));
    }

    /// Works until there is nothing to do at this moment.
    async fn quiet(&self) {
        loop {
            let was_done = self.is_done();
            // A read counts as done a moment before its answer is there; the one thread for reads takes this after it.
            tokio::task::spawn_blocking(|| ()).await.expect("no panic");
            idle(&self.parked).await;
            if was_done && self.is_done() {
                return;
            }
            // The writer takes one after the other: what is under way is done before this is.
            self.desk.store.save(vec![]).await.expect("the store works");
        }
    }

    /// Whether nothing is under way outside the runtime.
    fn is_done(&self) -> bool {
        self.desk.store.calls() == 0 && self.desk.audit.is_idle()
    }

    /// Lets time pass, and everything happen that is due in it.
    pub(super) fn pass(&self, time: Duration) {
        self.runtime.block_on(async {
            let mut left = time;
            while !left.is_zero() {
                self.quiet().await;
                let step = left.min(GRAIN);
                left -= step;
                clock::pass(step);
                tokio::time::advance(step).await;
            }
            self.quiet().await;
        });
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
        self.runtime.spawn(async move { router.oneshot(request).await.expect("infallible").status() })
    }

    /// The status of a delivery that has ended; `None` when its sender hung up.
    pub(super) fn answer(&self, ended: JoinHandle<StatusCode>) -> Option<StatusCode> {
        match self.runtime.block_on(ended) {
            Ok(status) => Some(status),
            Err(error) if error.is_cancelled() => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Asks for an action as a console would; whether it is accepted shows on the board.
    pub(super) fn act(&self, targets: Vec<Target>, verb: Verb) {
        let desk = Arc::clone(&self.desk);
        self.runtime.spawn(async move {
            let request = Request::Act { targets, verb, undoable: false };
            let _ = desk.answer(&Caller::ourselves(), request).await;
        });
    }

    /// Reads the store as the next owner would find it.
    pub(super) fn kept<T: Send + 'static>(&self, read: impl FnOnce(&crate::store::Reader) -> T + Send + 'static) -> T {
        self.runtime.block_on(self.desk.store.read(move |reader| Ok(read(reader)))).expect("readable")
    }
}

fn runtime(parked: &Parked) -> Runtime {
    let waiting = Arc::clone(parked);
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // A turn is one task: a death can come between any two.
        .event_interval(1)
        // One keeps the clock still; the other reads, one after the other.
        .max_blocking_threads(2)
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

async fn start(dir: &Path, provider: &Simulated, slow: u64) -> Parts {
    let store = Store::open(dir).expect("store");
    let settings = AccountSettings { poll: Duration::from_secs(10), ..fake::settings() };
    let mut board = Board::default();
    board.apply(&Change::Account(Box::new(first_look(&settings))));
    let now = clock::now();
    let (board, unsettled, _) = store.read(move |reader| restore(reader, board, now)).await.expect("restored");
    let accounts = Accounts::new([Account::with_provider(settings, Arc::new(provider.clone()))]);
    let account = accounts.get(&fake::account_name()).expect("known");
    let parts = fake::parts(Hub::with_feed(board, FEED), store, accounts, dir, clock::now);
    let desk = Arc::new(Desk { read_back: actions::READ_BACK, ..parts });
    desk.forwarder.watches(&fake::account_name(), jiff::Timestamp::UNIX_EPOCH);
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
    let screens = vec![attach(&desk, 1 << 16, Duration::ZERO), attach(&desk, 256, Duration::from_millis(slow))];
    Parts { desk, router: receiver::router(receiver), screens, tasks }
}

fn hook(account: AccountName, decode: Arc<dyn Decode>) -> Hook {
    let secrets = vec![NamedSecret { name: "secret".into(), value: SECRET.into() }];
    Hook { account, url_key: Some(URL_KEY.into()), demand: Demand::default(), secrets, unread: 0, allow: None, decode }
}

/// A console that reads a message each `pause`, over a pipe of `room` bytes.
fn attach(desk: &Arc<Desk>, room: usize, pause: Duration) -> Screen {
    let (ours, theirs) = duplex(room);
    let guest = Guest { caller: Caller::ourselves(), seat: Seat::own() };
    tokio::spawn(console::serve(theirs, Arc::clone(desk), guest));
    let screen = Screen::default();
    let shown = Arc::clone(&screen);
    tokio::spawn(async move {
        let mut line = wire::line(ours);
        let hello = FromConsole::Hello { protocol: PROTOCOL, version: "0".into() };
        wire::send(&mut line, &hello).await.expect("sent");
        while let Ok(message) = wire::receive(&mut line).await {
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

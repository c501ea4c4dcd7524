//! The half that owns: store, port, credentials. It receives, polls, acts, and serves consoles over [`crate::proto`].

pub mod account;
mod acting;
pub mod actions;
mod arrange;
pub mod audit;
pub mod calls;
pub mod certificate;
pub mod console;
pub mod contexts;
pub mod desk;
pub mod details;
pub mod door;
pub mod guests;
mod handoff;
pub mod hooks;
pub mod hub;
pub mod ingest;
pub mod keeper;
mod kept;
pub mod lease;
pub mod log;
pub mod look;
pub mod metrics;
mod names;
pub mod outbox;
pub mod ownership;
pub mod people;
pub mod poller;
pub mod push;
pub mod rate;
mod rota;
pub mod scope;
pub mod search;
mod secrets;
pub mod shared;
pub mod snapshot;
pub mod targets;
mod templates;
pub mod tidy;
pub mod turns;
pub mod unsaved;
pub mod upkeep;
pub mod users;
pub mod wake;
mod whole;

#[cfg(test)]
mod ending_tests;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod forwards_tests;
#[cfg(test)]
mod simulation;

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    sync::{Mutex, Notify, Semaphore, mpsc},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use kept::kept;

use account::{Account, Accounts};
use actions::{AtWork, undo::Waiting};
use audit::Audit;
use calls::Calls;
use console::Guest;
use contexts::{Contexts, Runbooks};
use desk::Desk;
use details::Details;
use guests::{Guests, Seat};
use hub::Hub;
use keeper::{Keeper, Load};
use lease::Lease;
use look::Looks;
use metrics::Metrics;
use outbox::Integrations;
use people::{Caller, People};
use targets::Targets;
use unsaved::Unsaved;

use crate::{
    config::{AccountSettings, ProviderKind, Settings},
    core::{
        action::Action,
        board::{AccountBoard, Board, Change},
        freshness::{self, Door, Freshness, Push},
        id::{AccountName, TargetName},
        text::Shown,
    },
    forward::{self, Forwarder},
    proto::wire::WireError,
    receiver::{self, Receiver},
    store::{Outbox, Reader, Store, StoreError},
    template::{Library, Limits, Renderer},
};

/// Arrivals that wait to be applied; more stay in the store until there is room.
const ARRIVALS: usize = 4096;
/// How long the end waits for actions; what is not settled by then is settled at the next start.
const ACTIONS: Duration = Duration::from_secs(30);
/// How long the end sends what waits for targets; the rest waits for the next start.
const FORWARDS: Duration = Duration::from_secs(5);
/// How long the end of everything else may take.
const DRAIN: Duration = Duration::from_secs(3);

/// A pause between two runs that is no longer than this is bridged: what happened in it is told to targets.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// Consoles that are told at the same time why there is no place for them.
const TURNED_AWAY: usize = 16;

/// What a server is made of.
pub struct Options {
    pub settings: Settings,
    /// Where they come from, for when they are to be read again.
    pub load: Load,
    pub state_dir: PathBuf,
    /// Whether to listen for webhooks; commands that run for a moment do not.
    pub receive: bool,
    /// The command line of the render worker.
    pub worker: Vec<OsString>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the templates: {0}")]
    Templates(std::io::Error),
}

impl ServerError {
    /// In the words of a process that ends over it.
    pub fn at_an_end(&self) -> String {
        match self {
            Self::Store(error) => error.at_an_end(),
            Self::Templates(_) => self.to_string(),
        }
    }
}

/// A running server. It ends with [`Server::stop`]; dropping it stops it without waiting.
pub struct Server {
    desk: Arc<Desk>,
    tasks: TaskTracker,
    stop: CancellationToken,
    guests: Arc<Guests>,
    /// Held until all that it writes has ended.
    lease: Option<Lease>,
}

/// Sockets that a service manager listens on for us, before we run and while we are restarted.
#[derive(Debug, Default)]
pub struct Given {
    /// For webhooks, in place of the configured address.
    pub door: Option<TcpListener>,
    /// For consoles of other users.
    pub control: Vec<UnixListener>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    /// Opens the store, rebuilds the board, and starts everything.
    pub async fn start(options: Options, lease: Lease, socket: UnixListener) -> Result<Self, ServerError> {
        Self::start_with(options, lease, socket, Given::default()).await
    }

    /// The same with sockets that somebody else holds.
    pub async fn start_with(
        options: Options,
        lease: Lease,
        socket: UnixListener,
        given: Given,
    ) -> Result<Self, ServerError> {
        // Known by the time that a refusal names it, and nothing waits for it.
        drop(tokio::task::spawn_blocking(users::own_name));
        let store = Store::open(&options.state_dir)?;
        let library = Library::open(&options.state_dir.join("templates"));
        let mut board = Board { templates: library.list().map_err(ServerError::Templates)?, ..Board::default() };
        for account in &options.settings.accounts {
            board.apply(&Change::Account(Box::new(first_look(account))));
        }
        let now = Timestamp::now();
        let (board, unsettled, standings) = store.read(move |reader| restore(reader, board, now)).await?;
        let calls = Calls::default();
        let accounts = options.settings.accounts.iter().map(|one| Account::new(one.clone(), &calls));
        let accounts = Accounts::new(accounts);
        let renderer = Renderer::new(options.worker.clone(), Limits::default());
        let (reload, orders) = mpsc::channel(1);
        let watched = watched(&board, now);
        let hub = Hub::new(board);
        let desk = Arc::new(Desk {
            forwarder: forwarder(&hub, &store, options.worker.clone(), standings),
            hub,
            store,
            accounts,
            renderer,
            rendering: desk::rendering(),
            seeing: desk::seeing(),
            library,
            under_way: TaskTracker::new(),
            waiting: Waiting::new(options.settings.actions.undo_window),
            at_work: AtWork::default(),
            ending: CancellationToken::new(),
            integrations: Integrations::new(&options.settings.integrations),
            order: Mutex::default(),
            unsaved: Unsaved::default(),
            looks: Looks::default(),
            now: Timestamp::now,
            read_back: actions::READ_BACK,
            people: People::new(&options.settings.people),
            reload,
            metrics: Metrics::default(),
            calls,
            details: Details::default(),
            contexts: Contexts::default(),
            runbooks: Runbooks::new(options.settings.runbooks.clone()),
            audit: Audit::in_dir(&options.state_dir),
            targets: Targets::open(&options.state_dir, options.settings.targets.clone()),
        });
        let guests = Guests::new(guests::Limits::default());
        let server =
            Self { desk, tasks: TaskTracker::new(), stop: CancellationToken::new(), guests, lease: Some(lease) };
        let (tasks, stop) = (server.tasks.clone(), server.stop.clone());
        for (account, since) in &watched {
            server.desk.forwarder.watches(account, *since);
        }
        server.tasks.spawn(forward::announce(server.desk.forwarder.clone(), server.stop.clone()));
        let mut keeper = Keeper::new(Arc::clone(&server.desk), options.settings, options.load, tasks, stop);
        server.desk.begin_targets().await;
        ingest::catch_up(&server.desk).await?;
        if options.receive {
            server.open_the_door(&mut keeper, given.door).await?;
        }
        keeper.look_after_the_store();
        keeper.serve_metrics().await;
        for account in server.desk.accounts.all().values() {
            keeper.poll(account);
        }
        server.tasks.spawn(keeper.run(orders));
        server.work(Outbox::in_state_dir(&options.state_dir));
        server.settle(unsettled);
        for socket in given.control.into_iter().chain([socket]) {
            server.let_in(socket);
        }
        Ok(server)
    }

    /// Finds out what became of what an earlier owner left open. What is not told by the end, the next start tells.
    fn settle(&self, open: Vec<Action>) {
        let settled = actions::settle(Arc::clone(&self.desk), open);
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(settled));
    }

    /// Begins what goes on by itself for as long as the server runs.
    fn work(&self, outbox: Outbox) {
        let (desk, stop) = (|| Arc::clone(&self.desk), || self.stop.clone());
        self.tasks.spawn(look::run(desk(), stop()));
        self.tasks.spawn(unsaved::run(desk(), stop()));
        self.tasks.spawn(wake::watch(desk(), self.desk.now, stop()));
        self.tasks.spawn(outbox::run(desk(), outbox, stop()));
        self.tasks.spawn(targets::run(desk(), stop()));
        self.tasks.spawn(tidy::run(desk(), stop()));
    }

    /// Serves the consoles that come through `socket`.
    pub fn let_in(&self, socket: UnixListener) {
        let accept = Entrance { desk: Arc::clone(&self.desk), guests: Arc::clone(&self.guests) };
        self.tasks.spawn(accept.run(socket, self.stop.clone()));
    }

    /// One line on how it stands, for whoever runs the service.
    pub fn status(&self) -> String {
        let door = self.desk.hub.look(|board| match &board.door {
            Door::Closed => "not listening for webhooks".to_owned(),
            Door::Open { address } => format!("listening for webhooks on {address}"),
            Door::Taken { address, by } => format!("{address} for webhooks is taken by {by}"),
            Door::Refused { address, cause } => format!("cannot listen for webhooks on {address}: {cause}"),
            Door::Failing { cause, .. } => format!("webhooks are answered 503: {cause}"),
        });
        let consoles = self.guests.consoles();
        format!("{door}; {} accounts, {consoles} consoles", self.desk.accounts.all().len())
    }

    /// Lets webhooks in, through `given` if somebody holds the port for us.
    async fn open_the_door(&self, keeper: &mut Keeper, given: Option<TcpListener>) -> Result<(), StoreError> {
        let hooks = keeper.first_hooks().await;
        let (arrived, arrivals) = mpsc::channel(ARRIVALS);
        let missed = Arc::new(Notify::new());
        let networks = keeper.networks.clone();
        let (store, told) = (self.desk.store.clone(), Arc::clone(&missed));
        let receiver = Receiver::new(hooks, networks, store, arrived, told, self.desk.now)?;
        let router = receiver::router(receiver.clone());
        let (hub, store) = (self.desk.hub.clone(), self.desk.store.clone());
        self.tasks.spawn(door::watch_unshown(hub.clone(), store.clone(), self.stop.clone()));
        self.tasks.spawn(door::watch_store(hub, store, receiver.trouble(), self.stop.clone()));
        self.tasks.spawn(ingest::run(Arc::clone(&self.desk), arrivals, missed, self.stop.clone()));
        keeper.open_the_door(receiver, router, given).await;
        Ok(())
    }

    /// Reads settings and secrets again. `Ok`: what is different now; `Err`: why nothing is. The log and the board
    /// say so too.
    pub async fn reload(&self) -> Result<Vec<String>, String> {
        self.desk.reload().await
    }

    /// Serves the console at the other end of `io`, which is of this process.
    pub fn serve_own_console<Io>(&self, io: Io)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let seated = serve(io, Arc::clone(&self.desk), Some(users::own_uid()), Seat::own());
        self.tasks.spawn(talk(seated, self.stop.clone()));
    }

    /// The board, for commands in the same process.
    pub fn hub(&self) -> &Hub {
        &self.desk.hub
    }

    /// Sends what could still be taken back, and waits for the actions under way, at most `within`; says whether all
    /// are settled.
    pub async fn finish_actions(&self, within: Duration) -> bool {
        self.desk.ending.cancel();
        self.desk.under_way.close();
        timeout(within, self.desk.under_way.wait()).await.is_ok()
    }

    /// Stops everything, and waits until what was begun is done: actions for at most half a minute, what waits for
    /// targets for five seconds, the rest for three. Nobody can take over before that, so until the actions and the
    /// targets have their end, webhooks are taken and consoles served as ever; only new actions are refused.
    pub async fn stop(mut self) {
        let all_ended = self.finish_actions(ACTIONS).await;
        self.desk.forwarder.finish(FORWARDS).await;
        self.stop.cancel();
        self.tasks.close();
        if timeout(DRAIN, self.tasks.wait()).await.is_err() || !all_ended {
            // Somebody still writes, a disk that hangs perhaps, or sends what waited for a rate limit: nobody else may begin
            // before this process has ended.
            std::mem::forget(self.lease.take());
        }
    }
}

/// The board, the actions that are not settled, and how targets stood.
type Restored = (Board, Vec<Action>, Vec<(TargetName, String)>);

/// Everything that earlier runs left.
fn restore(reader: &Reader, mut board: Board, now: Timestamp) -> Result<Restored, StoreError> {
    board.store = reader.store_id()?;
    for incident in reader.incidents()? {
        // An account that is not configured any more has nobody to tell what became of its incidents.
        if board.accounts.contains_key(&incident.key.account) {
            // A copy has no room to spare; what was read has.
            board.incidents.insert(incident.key.clone(), incident.clone());
        }
    }
    let limit = u32::try_from(crate::core::board::LOG_LENGTH).unwrap_or(u32::MAX);
    for delivery in reader.recent(None, limit)? {
        board.apply(&Change::Delivery(Box::new(delivery)));
    }
    let unsettled = reader.unsettled_actions()?;
    for action in reader.actions(100)?.into_iter().chain(unsettled.iter().cloned()) {
        board.apply(&Change::Action(Box::new(action)));
    }
    for known in board.accounts.values_mut() {
        snapshot::restore(reader, known, now)?;
    }
    ingest::last_push(&mut board);
    Ok((board, unsettled, reader.standings()?))
}

/// Since when each account is watched: since now, or since the provider was last asked if that is not long ago, as
/// what began in between is news.
fn watched(board: &Board, now: Timestamp) -> Vec<(AccountName, Timestamp)> {
    let lately = now.checked_sub(LATELY).unwrap_or(now);
    let since = |known: &AccountBoard| known.account.rest.last_success.filter(|last| (lately..now).contains(last));
    board.accounts.iter().map(|(name, known)| (name.clone(), since(known).unwrap_or(now))).collect()
}

fn forwarder(hub: &Hub, store: &Store, worker: Vec<OsString>, standings: Vec<(TargetName, String)>) -> Forwarder {
    let hub = hub.clone();
    Forwarder::new(store.clone(), worker, Timestamp::now, standings, Arc::new(move |change| hub.publish(change)))
}

fn first_look(settings: &AccountSettings) -> freshness::Account {
    let provider = match settings.provider {
        ProviderKind::PagerDuty => "pagerduty",
    };
    let no_token = settings.token.is_none().then(|| Shown::line("no token is configured: webhooks only"));
    let no_webhook = settings.webhook.is_none().then(|| Shown::line("no webhook is configured"));
    freshness::Account {
        name: settings.name.clone(),
        provider: provider.into(),
        identity: None,
        cannot_act: no_token.clone(),
        rest_off: no_token,
        skew: None,
        left: vec![],
        barred: std::collections::BTreeMap::new(),
        lacks: vec![],
        rest: Freshness::default(),
        on_call: Freshness::default(),
        poll_seconds: u32::try_from(settings.poll.as_secs()).unwrap_or(u32::MAX),
        push: Push { off: no_webhook, ..Push::default() },
    }
}

/// Where consoles of other processes come in. The kernel says whose they are.
#[derive(Clone)]
struct Entrance {
    desk: Arc<Desk>,
    guests: Arc<Guests>,
}

impl Entrance {
    async fn run(self, socket: UnixListener, stop: CancellationToken) {
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match stream {
                Ok((stream, _)) => self.receive(stream, &turned_away, &stop),
                Err(error) => {
                    tracing::warn!(%error, "a console could not be let in");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn receive(&self, stream: UnixStream, turned_away: &Arc<Semaphore>, stop: &CancellationToken) {
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        match Guests::admit(&self.guests, uid) {
            Ok(seat) => {
                tokio::spawn(talk(serve(stream, Arc::clone(&self.desk), uid, seat), stop.clone()));
            }
            Err(reason) => {
                if let Some(more) = self.guests.complains(uid, &reason) {
                    tracing::warn!(uid, "a console was turned away: {reason}{more}");
                }
                // With too many of them, the next one sees the line close.
                let Ok(permit) = Arc::clone(turned_away).try_acquire_owned() else { return };
                let stop = stop.clone();
                tokio::spawn(async move {
                    talk(console::turn_away(stream, reason), stop).await;
                    drop(permit);
                });
            }
        }
    }
}

/// Asks who is there, and serves them.
async fn serve<Io>(io: Io, desk: Arc<Desk>, uid: Option<u32>, seat: Seat) -> Result<(), WireError>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let caller = Caller::find(uid).await;
    console::serve(io, desk, Guest { caller, seat }).await
}

async fn talk(conversation: impl Future<Output = Result<(), WireError>>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        ended = conversation => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a console left");
            }
        }
    }
}

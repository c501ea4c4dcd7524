//! Keeping the port for webhooks: taken when it is free, waited for when somebody else has it.

use std::{fs, io, net::SocketAddr, sync::Arc, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::TcpListener,
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{hub::Hub, users};
use crate::{
    core::{board::Change, freshness::Door, text::Shown},
    receiver::http::{self, Front, Limits},
    store::{Store, StoreError},
};

/// How often a taken port is tried again: a console that takes over must have it within two seconds.
const RETRY: Duration = Duration::from_millis(250);
/// What macOS allows at most, though it names no limit (`OPEN_MAX`).
const OPEN_MAX: u64 = 10_240;

/// Between two looks whether a store that failed works again.
const LOOK: Duration = Duration::from_secs(1);
/// The same while something is to be seen that should soon be over.
const SOON: Duration = Duration::from_millis(200);

/// Listens on `address` as soon as it is free, and serves `router` behind `front` until `stop`.
pub async fn keep(hub: Hub, address: SocketAddr, router: axum::Router, front: Front, stop: CancellationToken) {
    let listener = tokio::select! {
        () = stop.cancelled() => return,
        listener = bind(&hub, address) => listener,
    };
    open(hub, listener, router, front, stop).await;
}

/// The same with a port that is ours already.
pub async fn open(hub: Hub, listener: TcpListener, router: axum::Router, front: Front, stop: CancellationToken) {
    let open = listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string());
    tracing::info!(address = %open, "listening for webhooks");
    hub.publish(Change::Door(Door::Open { address: open }));
    http::serve(listener, router, limits(open_files()), front, stop).await;
}

/// Connections leave a quarter of the open files to the store, consoles and render workers; those that wait take a
/// quarter of that at most.
fn limits(open_files: usize) -> Limits {
    let most = Limits::default();
    let connections = most.connections.min(three_quarters(open_files)).max(2);
    let per_peer = most.per_peer.min(three_quarters(connections));
    Limits { connections, per_peer, waiting: per_peer.min(open_files.saturating_sub(connections) / 4), ..most }
}

fn three_quarters(of: usize) -> usize {
    of - of / 4
}

/// How many files this process may have open, after asking for as many as it may ask for: a login often
/// starts with 256 or 1024.
fn open_files() -> usize {
    let found = getrlimit(Resource::Nofile);
    let allowed = |wanted: &Option<u64>| setrlimit(Resource::Nofile, Rlimit { current: *wanted, ..found }).is_ok();
    let now = [found.maximum, Some(OPEN_MAX)].into_iter().find(allowed).unwrap_or(found.current);
    now.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// Says on the board that the store cannot commit, from when a delivery met it until it can again.
pub async fn watch_store(hub: Hub, store: Store, trouble: Arc<Notify>, stop: CancellationToken) {
    let watch = async {
        loop {
            trouble.notified().await;
            while let Err(error) = store.ready().await {
                show(&hub, Some(&error));
                sleep(LOOK).await;
            }
            show(&hub, None);
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watch => {}
    }
}

/// Says on the board how many deliveries were answered and can be seen nowhere yet, once they wait for long.
pub async fn watch_unshown(hub: Hub, store: Store, stop: CancellationToken) {
    let took = store.took();
    let watch = async {
        loop {
            took.notified().await;
            let (mut taken, mut wait) = (store.taken(), LOOK);
            loop {
                sleep(wait).await;
                let unshown = store.overdue(taken);
                if hub.look(|board| board.unshown != unshown) {
                    hub.publish(Change::Unshown(unshown));
                }
                if unshown == 0 {
                    break;
                }
                (taken, wait) = (store.taken(), SOON);
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = watch => {}
    }
}

fn show(hub: &Hub, failure: Option<&StoreError>) {
    hub.change(|board| {
        let door = match (&board.door, failure) {
            (Door::Open { address }, Some(error)) => {
                tracing::error!(%error, "webhooks are answered 503");
                Door::Failing { address: address.clone(), cause: Shown::line(&error.to_string()) }
            }
            (Door::Failing { address, .. }, None) => Door::Open { address: address.clone() },
            _ => return (vec![], ()),
        };
        let change = Change::Door(door);
        board.apply(&change);
        (vec![change], ())
    });
}

async fn bind(hub: &Hub, address: SocketAddr) -> TcpListener {
    let mut holder = Holder::default();
    loop {
        let error = match http::listen(address) {
            Ok(listener) => return listener,
            Err(error) => error,
        };
        let door = not_had(address, &error, &mut holder).await;
        if hub.look(|board| board.door != door) {
            if let Door::Taken { by, .. } = &door {
                tracing::warn!(%address, %error, "the port for webhooks cannot be had, it is taken by {by}");
            } else {
                tracing::error!(%address, %error, "the port for webhooks cannot be had: {error}");
            }
            hub.publish(Change::Door(door));
        }
        sleep(RETRY).await;
    }
}

async fn not_had(address: SocketAddr, error: &io::Error, holder: &mut Holder) -> Door {
    let (port, address) = (address.port(), address.to_string());
    match error.kind() {
        io::ErrorKind::AddrInUse => Door::Taken { address, by: holder.of(port).await },
        _ => Door::Refused { address, cause: Shown::line(&error.to_string()) },
    }
}

/// Another user who had the port when it was last tried, and what they are called: nobody is asked for a name at each
/// try.
#[derive(Default)]
struct Holder(Option<(u32, Shown)>);

impl Holder {
    async fn of(&mut self, port: u16) -> Shown {
        let Some(uid) = listening_uid(port) else { return "another program".into() };
        if uid == users::own_uid() {
            return "another program of yours".into();
        }
        if let Some((_, by)) = self.0.as_ref().filter(|(known, _)| *known == uid) {
            return by.clone();
        }
        // The port may be free again before a directory of users has answered.
        let name = timeout(LOOK, users::find_name(uid)).await.unwrap_or_else(|_| users::number(uid));
        let by = Shown::line(&format!("a program of {name}"));
        self.0 = Some((uid, by.clone()));
        by
    }
}

/// The user whose program listens on `port` of this host, as the kernel's tables tell (proc(5), /proc/net/tcp).
fn listening_uid(port: u16) -> Option<u32> {
    const LISTEN: &str = "0A";
    let table = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    table.iter().flat_map(|text| text.lines().skip(1)).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, uid) = (fields.get(1)?, fields.get(3)?, fields.get(7)?);
        let here = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        (here == port && *state == LISTEN).then(|| uid.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast;

    use super::*;
    use crate::{
        core::{board::Board, delivery::DeliverySummary},
        store::{
            Clerk, NewDelivery,
            tests::{event, other, store},
        },
    };

    /// Tells nobody but the one who waits for trouble.
    struct Quiet(Arc<Notify>);

    impl Clerk for Quiet {
        fn read(&self, _: &mut NewDelivery) {}
        fn entered(&self, _: DeliverySummary, _: &NewDelivery) {}
        fn entered_before(&self) {}
        fn failed(&self, _: &StoreError) {
            self.0.notify_one();
        }
    }

    async fn told(feed: &mut broadcast::Receiver<Arc<Change>>) -> Change {
        let change = tokio::time::timeout(Duration::from_secs(20), feed.recv()).await;
        (*change.expect("in time").expect("a change")).clone()
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        for (open_files, connections, per_peer) in [(64, 48, 36), (256, 192, 144), (1024, 512, 256)] {
            let limits = limits(open_files);
            assert_eq!((limits.connections, limits.per_peer), (connections, per_peer), "{open_files}");
        }
        assert_eq!([limits(64).waiting, limits(1024).waiting, limits(65_536).waiting], [4, 128, 256]);
        assert_eq!(limits(usize::MAX).connections, Limits::default().connections);
        assert_eq!(limits(0).connections, 2);
    }

    #[test]
    fn as_many_files_as_the_system_allows_may_be_open() {
        let allowed = open_files();

        let found = getrlimit(Resource::Nofile);
        assert_eq!(found.current, found.maximum);
        assert_eq!(found.current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX)), allowed);
    }

    #[tokio::test]
    async fn a_taken_port_is_named_and_had_as_soon_as_it_is_free() {
        let other = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = other.local_addr().expect("address");
        let (hub, stop) = (Hub::new(Board::default()), CancellationToken::new());
        let (_, mut feed) = hub.subscribe();
        let front = Front::plain(crate::receiver::Networks::default());
        let kept = tokio::spawn(keep(hub.clone(), address, axum::Router::new(), front, stop.clone()));

        let Change::Door(Door::Taken { by, .. }) = &*feed.recv().await.expect("change") else { panic!("not taken") };
        assert_eq!(by.as_str(), "another program of yours");
        drop(other);
        let Change::Door(Door::Open { address: open }) = &*feed.recv().await.expect("change") else { panic!("shut") };
        assert_eq!(open, &address.to_string());

        stop.cancel();
        kept.await.expect("ends");
    }

    #[tokio::test]
    async fn a_port_that_nobody_has_but_we_may_not_have_is_not_called_taken() {
        // Set aside for documentation: no host has it.
        let address: SocketAddr = "192.0.2.1:8484".parse().expect("address");
        let (hub, stop) = (Hub::new(Board::default()), CancellationToken::new());
        let (_, mut feed) = hub.subscribe();
        let front = Front::plain(crate::receiver::Networks::default());
        let kept = tokio::spawn(keep(hub.clone(), address, axum::Router::new(), front, stop.clone()));

        let Change::Door(Door::Refused { cause, .. }) = told(&mut feed).await else { panic!("not refused") };

        assert!(cause.as_str().to_lowercase().contains("assign requested address"), "{cause}");
        stop.cancel();
        kept.await.expect("ends");
    }

    #[tokio::test]
    async fn what_was_taken_and_cannot_be_entered_is_told_until_it_is() {
        let ((dir, store), trouble, stop) = (store(), Arc::<Notify>::default(), CancellationToken::new());
        let open = Door::Open { address: "127.0.0.1:1".to_owned() };
        let hub = Hub::new(Board { door: open.clone(), ..Board::default() });
        let (_, mut feed) = hub.subscribe();
        let intake = store.intake(Arc::new(Quiet(Arc::clone(&trouble)))).expect("intake");
        let unshown = tokio::spawn(watch_unshown(hub.clone(), store.clone(), stop.clone()));
        // A probe works all the same.
        let refuse = "CREATE TRIGGER no BEFORE INSERT ON delivery BEGIN SELECT no_such_function(); END";
        other(&dir).execute_batch(refuse).expect("a trigger");

        intake.take(event("E1")).await.expect("taken");
        assert_eq!(told(&mut feed).await, Change::Unshown(1));
        let door = tokio::spawn(watch_store(hub.clone(), store.clone(), trouble, stop.clone()));
        assert!(matches!(told(&mut feed).await, Change::Door(Door::Failing { .. })));
        assert!(intake.take(event("E2")).await.is_err(), "as the screen says");
        other(&dir).execute_batch("DROP TRIGGER no").expect("mended");
        while hub.look(|board| (board.unshown, board.door.clone())) != (0, open.clone()) {
            told(&mut feed).await;
        }

        stop.cancel();
        unshown.await.expect("ends");
        door.await.expect("ends");
    }
}

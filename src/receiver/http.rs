//! Serving the routes to strangers: no connection, however slow or silent, keeps an honest one out.
//!
//! `axum::serve` has no deadline for a request's head (axum#2741) and no cap on connections. Here, when all places are
//! taken, the connection that has been silent longest makes room for the new one; those that brought a genuine
//! delivery go last.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{Networks, tls::Entrance};

/// Before another try when no connection can be taken.
const WITHOUT_FILES: Duration = Duration::from_millis(50);

/// What one client, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// Of these, from one address. A trusted proxy stands for many, and may have all.
    pub per_peer: usize,
    /// Until a request's head is complete; also for the first byte of the next one, and for the handshake of TLS
    /// before the first.
    pub head: Duration,
    /// From the head to the answer, the body included.
    pub request: Duration,
    /// After this a connection takes no further request.
    pub lifetime: Duration,
    /// For the requests in progress, when the end comes.
    pub drain: Duration,
    /// Bytes of a request's head; at least 8 KiB.
    pub head_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_peer: 256,
            head: Duration::from_secs(5),
            request: Duration::from_secs(10),
            lifetime: Duration::from_mins(5),
            drain: Duration::from_secs(3),
            head_size: 32 * 1024,
        }
    }
}

/// What strangers meet first.
#[derive(Clone)]
pub struct Front {
    pub entrance: watch::Receiver<Entrance>,
    /// How many are connected.
    pub connections: Gauge,
    pub networks: Networks,
}

impl Front {
    /// Plain HTTP, and nobody counts.
    pub fn plain(networks: Networks) -> Self {
        Self { entrance: watch::channel(Entrance::Plain).1, connections: Gauge::default(), networks }
    }
}

/// Serves until `stop`, then finishes the requests in progress, for at most `limits.drain`. A connection begins as
/// `front.entrance` says when it comes, and stays so.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, front: Front, stop: CancellationToken) {
    let places = Arc::new(Places::new(limits, &front));
    let open = TaskTracker::new();
    loop {
        let (tcp, peer) = tokio::select! {
            () = stop.cancelled() => break,
            next = accept(&listener, &places) => next,
        };
        let place = Places::take(&places, peer.ip().to_canonical());
        // Answers are one small packet; when this fails they only come a little later.
        let _ = tcp.set_nodelay(true);
        let talk = Talk { peer, app: app.clone(), limits, place, stop: stop.clone() };
        match front.entrance.borrow().clone() {
            Entrance::Plain => drop(open.spawn(talk.converse(tcp))),
            Entrance::Tls(config) => drop(open.spawn(talk.converse_in_tls(tcp, config))),
            Entrance::Shut => {}
        }
    }
    drop(listener);
    open.close();
    if timeout(limits.drain, open.wait()).await.is_err() {
        places.clear();
        open.wait().await;
    }
}

/// The next connection. When there are no files left for it, those that are silent longest give up theirs, one at a
/// time; that it was so is logged once, and not for each.
async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, SocketAddr) {
    let mut said = false;
    loop {
        let error = match listener.accept().await {
            Ok(next) => return next,
            Err(error) => error,
        };
        if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            if !said {
                tracing::warn!(%error, "no connection can be taken, the longest silent make room: {error}");
            }
            said = true;
            places.lock().drop_longest_silent(|_| true);
            sleep(WITHOUT_FILES).await;
        }
    }
}

/// One connection, from its first byte to its end.
struct Talk {
    peer: SocketAddr,
    app: Router,
    limits: Limits,
    place: Place,
    stop: CancellationToken,
}

impl Talk {
    /// A handshake that does not come to its end in time, or speaks something else, ends the connection.
    async fn converse_in_tls(self, tcp: TcpStream, config: Arc<ServerConfig>) {
        let shaken = tokio::select! {
            shaken = timeout(self.limits.head, TlsAcceptor::from(config).accept(tcp)) => shaken,
            () = self.place.lost.cancelled() => return,
            () = self.stop.cancelled() => return,
        };
        match shaken {
            Ok(Ok(tls)) => self.converse(tls).await,
            Ok(Err(error)) => tracing::debug!(%error, "no handshake: {error}"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn converse(self, io: impl AsyncRead + AsyncWrite + Unpin) {
        let Self { peer, app, limits, place, stop } = self;
        let service = service_fn(|request| answer(app.clone(), request, peer, limits.request, &place));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(limits.head_size)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = place.lost.cancelled() => return,
            () = async { tokio::select! { () = stop.cancelled() => {}, () = sleep(limits.lifetime) => {} } } => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = place.lost.cancelled() => return,
                    () = sleep(limits.request) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended: {error}");
        }
    }
}

async fn answer(
    app: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    within: Duration,
    place: &Place,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    let answered = timeout(within, app.oneshot(request)).await;
    let Ok(response) = answered.unwrap_or_else(|_| Ok(too_slow()));
    place.spoke(response.status());
    Ok(response)
}

fn too_slow() -> Response {
    let close = (header::CONNECTION, HeaderValue::from_static("close"));
    (StatusCode::SERVICE_UNAVAILABLE, [close], "not complete in time\n").into_response()
}

/// Who is connected.
struct Places {
    limits: Limits,
    connections: Gauge,
    networks: Networks,
    since: Instant,
    seated: Mutex<Seated>,
}

#[derive(Default)]
struct Seated {
    next: u64,
    places: HashMap<u64, Entry>,
}

struct Entry {
    peer: IpAddr,
    /// When it was last answered, or opened: milliseconds since the start.
    spoke: Arc<AtomicU64>,
    /// It brought a genuine delivery: only those get a 202.
    proven: Arc<AtomicBool>,
    lost: CancellationToken,
}

/// One connection's place, given back on drop.
struct Place {
    number: u64,
    places: Arc<Places>,
    spoke: Arc<AtomicU64>,
    proven: Arc<AtomicBool>,
    /// Cancelled when another one gets the place.
    lost: CancellationToken,
}

impl Places {
    fn new(limits: Limits, front: &Front) -> Self {
        let (connections, networks) = (front.connections.clone(), front.networks.clone());
        Self { limits, connections, networks, since: Instant::now(), seated: Mutex::default() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer; if need be, that of the longest silent one.
    fn take(this: &Arc<Self>, peer: IpAddr) -> Place {
        let alone = !this.networks.is_proxy(peer);
        let mut seated = this.lock();
        if alone && seated.places.values().filter(|entry| entry.peer == peer).count() >= this.limits.per_peer {
            seated.drop_longest_silent(|entry| entry.peer == peer);
        } else if seated.places.len() >= this.limits.connections {
            seated.drop_longest_silent(|_| true);
        }
        let number = seated.next;
        seated.next += 1;
        let (spoke, proven) = (Arc::new(AtomicU64::new(this.now())), Arc::default());
        let place = Place { number, places: Arc::clone(this), spoke, proven, lost: CancellationToken::new() };
        seated.places.insert(number, place.entry(peer));
        this.connections.inc();
        place
    }

    fn clear(&self) {
        for (_, entry) in self.lock().places.drain() {
            entry.lost.cancel();
        }
    }
}

impl Seated {
    fn drop_longest_silent(&mut self, of: impl Fn(&Entry) -> bool) {
        let all = self.places.iter().filter(|(_, entry)| of(entry));
        let silent = all.min_by_key(|(number, entry)| (entry.rank(), **number));
        if let Some(number) = silent.map(|(number, _)| *number)
            && let Some(entry) = self.places.remove(&number)
        {
            entry.lost.cancel();
        }
    }
}

impl Entry {
    /// The least makes room first.
    fn rank(&self) -> (bool, u64) {
        (self.proven.load(Ordering::Relaxed), self.spoke.load(Ordering::Relaxed))
    }
}

impl Place {
    fn entry(&self, peer: IpAddr) -> Entry {
        let (spoke, proven) = (Arc::clone(&self.spoke), Arc::clone(&self.proven));
        Entry { peer, spoke, proven, lost: self.lost.clone() }
    }

    /// A request was answered.
    fn spoke(&self, status: StatusCode) {
        self.spoke.store(self.places.now(), Ordering::Relaxed);
        self.proven.fetch_or(status == StatusCode::ACCEPTED, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.connections.dec();
        self.places.lock().places.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::Notify,
        task::JoinHandle,
    };

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    fn short() -> Limits {
        Limits { head: Duration::from_millis(300), request: Duration::from_millis(300), ..Limits::default() }
    }

    struct Served {
        at: SocketAddr,
        stop: CancellationToken,
        ended: JoinHandle<()>,
        /// Lets `/held` answer.
        release: Arc<Notify>,
        /// `/held` was reached.
        reached: Arc<Notify>,
    }

    async fn served(limits: Limits) -> Served {
        served_behind(limits, "192.0.2.1/32").await
    }

    async fn served_behind(limits: Limits, proxy: &str) -> Served {
        let proxy = proxy.parse().expect("network");
        let (release, reached) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let held = {
            let (release, reached) = (Arc::clone(&release), Arc::clone(&reached));
            move || async move {
                reached.notify_one();
                release.notified().await;
                "released"
            }
        };
        let app = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/body", post(|body: String| async move { body }))
            .route("/genuine", get(|| async { StatusCode::ACCEPTED }))
            .route("/held", get(held));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let (at, stop) = (listener.local_addr().expect("address"), CancellationToken::new());
        let front = Front::plain(Networks::new(None, vec![proxy]));
        let ended = tokio::spawn(serve(listener, app, limits, front, stop.clone()));
        Served { at, stop, ended, release, reached }
    }

    async fn connected(at: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut tcp = TcpStream::connect(at).await.expect("connect");
        tcp.write_all(bytes).await.expect("write");
        tcp
    }

    /// What comes until the server hangs up.
    async fn rest(mut tcp: TcpStream) -> String {
        let mut bytes = vec![];
        // A reset is an end too.
        let _ = timeout(DEADLINE, tcp.read_to_end(&mut bytes)).await.expect("the server hangs up");
        String::from_utf8(bytes).expect("text")
    }

    async fn hello(at: SocketAddr) -> TcpStream {
        let mut tcp = connected(at, REQUEST).await;
        let mut head = [0; 15];
        timeout(DEADLINE, tcp.read_exact(&mut head)).await.expect("in time").expect("answered");
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        tcp
    }

    #[tokio::test]
    async fn a_client_that_is_silent_or_slow_with_its_head_is_dropped() {
        let server = served(short()).await;

        for bytes in [&b""[..], b"GET / HTTP/1.1\r\nhost:"] {
            assert!(!rest(connected(server.at, bytes).await).await.contains(" 200 "));
        }
        rest(hello(server.at).await).await;
    }

    #[tokio::test]
    async fn a_client_that_is_slow_with_its_body_is_dropped_and_may_try_again() {
        let server = served(short()).await;

        let slow = connected(server.at, b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await;

        assert!(rest(slow).await.starts_with("HTTP/1.1 503 "));
    }

    #[tokio::test]
    async fn when_all_places_are_taken_the_longest_silent_makes_room() {
        let limits = Limits { connections: 3, head: DEADLINE * 2, ..Limits::default() };
        let server = served(limits).await;
        let silent = connected(server.at, b"GET / HTTP/1.1\r\n").await;
        let kept = [hello(server.at).await, hello(server.at).await];

        hello(server.at).await;

        assert_eq!(rest(silent).await, "");
        for mut tcp in kept {
            tcp.write_all(REQUEST).await.expect("still open");
        }
    }

    #[tokio::test]
    async fn who_brought_a_genuine_delivery_keeps_its_place_though_it_is_silent() {
        let limits = Limits { connections: 3, head: DEADLINE * 2, ..Limits::default() };
        let server = served(limits).await;
        let mut proven = connected(server.at, b"GET /genuine HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut answer = [0; 12];
        proven.read_exact(&mut answer).await.expect("answered");
        assert_eq!(&answer, b"HTTP/1.1 202");

        let mut others = vec![];
        for _ in 0..10 {
            others.push(hello(server.at).await);
        }

        proven.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("write");
        assert!(rest(proven).await.contains("hello"));
    }

    #[tokio::test]
    async fn one_address_gets_its_share_only() {
        let limits = Limits { per_peer: 2, head: DEADLINE * 2, ..Limits::default() };
        let server = served(limits).await;
        let first = connected(server.at, b"").await;
        // Until it is counted.
        hello(server.at).await;

        let _second = hello(server.at).await;
        let _third = hello(server.at).await;

        assert_eq!(rest(first).await, "");
    }

    #[tokio::test]
    async fn a_trusted_proxy_is_not_held_to_the_share_of_one_address() {
        let limits = Limits { per_peer: 2, head: DEADLINE * 2, ..Limits::default() };
        let server = served_behind(limits, "127.0.0.0/8").await;
        let mut first = hello(server.at).await;
        let mut others = vec![];
        for _ in 0..10 {
            others.push(hello(server.at).await);
        }

        first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("write");

        assert!(rest(first).await.contains("hello"));
    }

    #[tokio::test]
    async fn a_flood_of_half_requests_keeps_no_honest_one_out() {
        let limits = Limits { connections: 20, per_peer: 10, head: DEADLINE * 2, ..Limits::default() };
        let server = served(limits).await;
        let mut flood = vec![];

        for _ in 0..30 {
            for _ in 0..5 {
                flood.push(connected(server.at, b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nh").await);
            }
            hello(server.at).await;
        }
    }

    #[tokio::test]
    async fn the_end_waits_for_a_request_in_progress_and_for_no_idle_connection() {
        let server = served(Limits::default()).await;
        let _idle = hello(server.at).await;
        let held = connected(server.at, b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
        timeout(DEADLINE, server.reached.notified()).await.expect("reached");

        server.stop.cancel();
        // The port is free when the end has begun.
        let gone = async { while TcpStream::connect(server.at).await.is_ok() {} };
        timeout(DEADLINE, gone).await.expect("the port is given back");
        server.release.notify_one();

        assert!(rest(held).await.ends_with("released"));
        timeout(Duration::from_secs(2), server.ended).await.expect("ended before the drain is over").expect("join");
    }

    #[tokio::test]
    async fn the_end_does_not_wait_longer_than_the_drain() {
        let server = served(Limits { drain: Duration::from_millis(100), ..Limits::default() }).await;
        let held = connected(server.at, b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
        timeout(DEADLINE, server.reached.notified()).await.expect("reached");

        server.stop.cancel();

        timeout(Duration::from_secs(2), server.ended).await.expect("ended").expect("join");
        assert_eq!(rest(held).await, "");
    }

    #[tokio::test]
    async fn a_connection_does_not_live_for_ever() {
        let server = served(Limits { lifetime: Duration::from_millis(200), ..Limits::default() }).await;

        rest(hello(server.at).await).await;
    }
}

//! Serving the routes to strangers: no connection, however slow or silent, keeps an honest one out.
//!
//! `axum::serve` has no deadline for a request's head (axum#2741) and no cap on connections. Here, when all places are
//! taken, the connection that has been silent longest makes room for the new one; those that brought a genuine
//! delivery go last. That a request names the right key is no reason to keep its connection: a flood of slow bodies may name
//! it too. Nobody who has just come, was not heard yet, or is owed an answer, makes room: then the new one waits. Who waits
//! because its own address keeps all of its share busy does so beside the door, so that others get in meanwhile.

mod places;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, watch},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use self::places::{Place, Places};
use super::{Networks, NoRequest, Receiver, coming::Deadline, request::HEAD_LIMIT, tls::Entrance, too_slow};

/// Before another try when no connection can be taken.
const WITHOUT_FILES: Duration = Duration::from_millis(50);

/// Connections that wait to be let in; the kernel may hold it to fewer (`net.core.somaxconn`).
const WAITING: u32 = 4096;

/// What one client, and all together, may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// Of these, from one address, or one network of IPv6 (/64). A trusted proxy stands for many, and may have all.
    pub per_peer: usize,
    /// Connections that may wait until there is room in the share of their address, all together; more are closed.
    pub waiting: usize,
    /// Nobody makes room for another one before it has been silent for so long.
    pub grace: Duration,
    /// Until a request's head is complete; also for the first byte of the next one, and for the handshake of TLS
    /// before the first.
    pub head: Duration,
    /// From the head to the end of the body.
    pub request: Duration,
    /// From there to the answer; longer than the store takes to say that it cannot commit.
    pub answer: Duration,
    /// After this a connection takes no further request.
    pub lifetime: Duration,
    /// For the requests in progress, when the end of all comes; where only this address is left, they have their time.
    pub drain: Duration,
    /// Bytes of a request's head as it is read, about; at least 8 KiB.
    pub head_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_peer: 256,
            waiting: 256,
            grace: Duration::from_millis(100),
            head: Duration::from_secs(5),
            request: Duration::from_secs(10),
            answer: Duration::from_secs(5),
            lifetime: Duration::from_mins(5),
            drain: Duration::from_secs(3),
            // What stands between names and values is read too, and not counted.
            head_size: HEAD_LIMIT + 1024,
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
    /// Told of connections on which no request came to be.
    pub receiver: Option<Receiver>,
    /// Cancelled when all ends, where that is more than that this address is left.
    pub end: Option<CancellationToken>,
}

impl Front {
    /// Plain HTTP, and nobody counts.
    pub fn plain(networks: Networks) -> Self {
        let entrance = watch::channel(Entrance::Plain).1;
        Self { entrance, connections: Gauge::default(), networks, receiver: None, end: None }
    }
}

/// Takes the port. When more come at once than can be let in, they wait before the door rather than being turned away
/// by the kernel, after which they would try again only seconds later.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Serves until `stop`, then finishes the requests in progress: for at most `limits.drain` from when `front.end` comes, and
/// for as long as a request and its answer may take. A connection begins as `front.entrance` says when it comes, and stays
/// so.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, front: Front, stop: CancellationToken) {
    let places = Arc::new(Places::new(limits, &front));
    let open = TaskTracker::new();
    loop {
        let (tcp, peer) = tokio::select! {
            () = stop.cancelled() => break,
            next = accept(&listener, &places) => next,
        };
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Places::take(&places, peer.ip().to_canonical()) => place,
        };
        let entrance = front.entrance.clone();
        let (app, receiver) = (app.clone(), front.receiver.clone());
        let comer = Comer { tcp, peer, app, receiver, limits, entrance, stop: stop.clone() };
        if let Some(place) = place {
            open.spawn(comer.enter(place));
        } else if let Some(turn) = places.queue() {
            open.spawn(comer.wait(Arc::clone(&places), turn));
        } else {
            tracing::debug!(%peer, "a connection is closed: too many wait for the share of their address");
        }
    }
    drop(listener);
    open.close();
    let end = front.end.unwrap_or(stop);
    tokio::select! {
        () = open.wait() => {}
        () = async { end.cancelled().await; sleep(limits.drain).await } => {
            places.clear();
            open.wait().await;
        }
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
            places.make_room();
            sleep(WITHOUT_FILES).await;
        }
    }
}

/// A connection that was taken and has no place yet.
struct Comer {
    tcp: TcpStream,
    peer: SocketAddr,
    app: Router,
    receiver: Option<Receiver>,
    limits: Limits,
    entrance: watch::Receiver<Entrance>,
    stop: CancellationToken,
}

impl Comer {
    /// Waits for a place beside the door.
    async fn wait(self, places: Arc<Places>, turn: OwnedSemaphorePermit) {
        let place = tokio::select! {
            // The end frees places: it comes before them.
            biased;
            () = self.stop.cancelled() => return,
            place = Places::take_in_turn(&places, self.peer.ip().to_canonical(), turn) => place,
        };
        self.enter(place).await;
    }

    async fn enter(self, place: Place) {
        let Self { tcp, peer, app, receiver, limits, entrance, stop } = self;
        // Answers are one small packet; when this fails they only come a little later.
        let _ = tcp.set_nodelay(true);
        place.begins();
        let talk = Talk { peer, app, limits, place, stop };
        let entrance = entrance.borrow().clone();
        let no_request = match entrance {
            Entrance::Plain => talk.converse(tcp).await,
            Entrance::Tls(config) => talk.converse_in_tls(tcp, config).await,
            Entrance::Shut => None,
        };
        if let (Some(why), Some(receiver)) = (no_request, receiver) {
            receiver.no_request(peer, why).await;
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
    /// A handshake that does not come to its end in time, or speaks something else, ends the connection. Says why no
    /// request came to be, if that was not the other end's will.
    async fn converse_in_tls(self, tcp: TcpStream, config: Arc<ServerConfig>) -> Option<NoRequest> {
        let shaken = tokio::select! {
            shaken = timeout(self.limits.head, TlsAcceptor::from(config).accept(tcp)) => shaken,
            () = self.place.lost() => return None,
            () = self.stop.cancelled() => return None,
        };
        match shaken {
            Ok(Ok(tls)) => return self.converse(tls).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no handshake: {error}");
                if hung_up(&error) {
                    return None;
                }
            }
            Err(_) => tracing::debug!("a handshake took too long"),
        }
        Some(NoRequest::Handshake)
    }

    async fn converse(self, io: impl AsyncRead + AsyncWrite + Unpin) -> Option<NoRequest> {
        let Self { peer, app, limits, place, stop } = self;
        let service = service_fn(|request| answer(app.clone(), request, peer, limits, &place));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(limits.head_size)
            .serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = place.lost() => return None,
            () = async { tokio::select! { () = stop.cancelled() => {}, () = sleep(limits.lifetime) => {} } } => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = place.lost() => return None,
                    () = sleep(limits.request + limits.answer) => return None,
                }
            }
        };
        let error = ended.err()?;
        tracing::debug!(%error, "connection ended: {error}");
        no_request(&error, &place)
    }
}

/// Whether the other end went, as one does that only looks whether somebody listens.
fn hung_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

/// What an end tells of heads. That none came after an answer is how a connection that is kept usually ends.
fn no_request(error: &hyper::Error, place: &Place) -> Option<NoRequest> {
    if error.is_parse_too_large() {
        return Some(NoRequest::TooLarge);
    }
    if error.is_parse_version_h2() {
        return Some(NoRequest::Http2);
    }
    if error.is_parse() {
        return Some(NoRequest::Malformed);
    }
    (error.is_timeout() && !place.has_answered()).then_some(NoRequest::Late)
}

async fn answer(
    app: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    limits: Limits,
    place: &Place,
) -> Result<Response, Infallible> {
    let mut request = request.map(|body| Body::new(place.watch(body)));
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(Deadline { at: Instant::now() + limits.request, after: limits.request });
    let answered = timeout(limits.request + limits.answer, app.oneshot(request)).await;
    let Ok(response) = answered.unwrap_or_else(|_| Ok(too_slow()));
    place.spoke(response.status());
    Ok(response)
}

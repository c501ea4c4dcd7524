//! The webhook door: who may come in, and what becomes of each delivery.
//!
//! 2xx is answered when the delivery is synced in the intake, never before. A 4xx makes senders drop a delivery for good, so it is only for
//! what is wrong with the delivery; trouble of our own is 503.

mod clerk;
mod coming;
pub mod http;
mod meter;
mod network;
pub mod pinned;
mod request;
mod scheme;
pub mod tls;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::{
    sync::{Mutex, Notify, Semaphore, mpsc},
    time::Instant,
};
use tower_http::catch_panic::CatchPanicLayer;

use self::{
    clerk::Clerk,
    coming::{Coming, Deadline},
    network::{Client, Known},
    request::Taken,
    scheme::{Gate, Presented, Refused, UrlKey},
};
pub use self::{
    meter::{Meter, NoRequest},
    network::Networks,
    scheme::{Draft, NamedSecret, Showing, sign, unusable, unusable_key},
};
use crate::{
    core::{
        delivery::{Decode, DeliverySummary, Proof, Timings, Verdict, wrong_key},
        id::AccountName,
        incident::Observation,
        sender::Demand,
        text::Shown,
    },
    store::{
        self, Intake, NewDelivery, Store, StoreError,
        crash::{self, Point},
    },
};

/// Seconds after which a sender may try again, where the trouble is ours.
const RETRY_AFTER: &str = "5";
/// Rejected deliveries being written down at the same time. A flood of more is answered, but not logged, so
/// that it cannot crowd out the genuine ones.
const REJECTIONS: usize = 64;
/// For how long `/readyz` tells of a failure without looking again.
const SEEN: Duration = Duration::from_secs(1);
/// Bytes kept of a body that came to no door of ours.
const STRAY_BODY: usize = 64 * 1024;

const NO_ACCOUNT: &str = "the path names no account configured here";
const NO_DOOR: &str = "the path is not /hooks/<account>/<url_key>: what stands before it is for the proxy to take away";

/// One account's door, `POST /hooks/<account>/<url key>`.
pub struct Hook {
    pub account: AccountName,
    /// `None`: not read yet, and every sender is asked to retry.
    pub url_key: Option<SecretString>,
    /// What senders must show.
    pub demand: Demand,
    /// Any of them may have been used. Empty: not read yet, and senders are asked to retry. With
    /// [`Demand::SecretUrl`] the key of the path under its name.
    pub secrets: Vec<NamedSecret>,
    /// Configured secrets that could not be read. While there are any, a signature that fits none of
    /// `secrets` may be by one of those: its sender is asked to retry, not refused.
    pub unread: usize,
    /// Who may deliver, in place of the general list; `None` leaves it to that one.
    pub allow: Option<Vec<IpNet>>,
    pub decode: Arc<dyn Decode>,
}

/// What the server is told of each recorded delivery, also of rejected ones and duplicates.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub summary: DeliverySummary,
    /// Only of accepted ones.
    pub observation: Option<Observation>,
    /// How long the store took to commit it, in microseconds, where that is not noted yet.
    pub commit_us: Option<u64>,
}

/// The state behind the routes; cheap to clone.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

type Doors = HashMap<AccountName, Door>;

struct Inner {
    doors: RwLock<Arc<Doors>>,
    nobody: UrlKey,
    /// What is checked where there is no account, so that this takes as long.
    nothing: Gate,
    networks: Networks,
    store: Store,
    intake: Intake,
    clerk: Arc<Clerk>,
    now: fn() -> Timestamp,
    rejections: Semaphore,
    /// When it was last seen that nothing can be stored, and why.
    seen_failing: Mutex<Option<(Instant, String)>>,
}

struct Door {
    account: AccountName,
    key: Option<UrlKey>,
    gate: Gate,
    unread: usize,
    allow: Option<Vec<IpNet>>,
}

impl From<Hook> for Door {
    fn from(hook: Hook) -> Self {
        let Hook { account, url_key, demand, secrets, unread, allow, .. } = hook;
        let unread = unread + secrets.iter().filter(|secret| unusable(&demand, secret).is_some()).count();
        Self { account, key: url_key.as_ref().map(UrlKey::new), gate: Gate::new(&demand, &secrets), unread, allow }
    }
}

impl Receiver {
    /// Every recorded delivery goes to `arrivals`, also what an earlier run took and did not come to record. When that is
    /// full, or a rejected delivery is stored after its sender has gone, `missed` is notified instead: whoever listens then
    /// reads the store again.
    pub fn new(
        hooks: Vec<Hook>,
        networks: Networks,
        store: Store,
        arrivals: mpsc::Sender<Arrival>,
        missed: Arc<Notify>,
        now: fn() -> Timestamp,
    ) -> Result<Self, StoreError> {
        let clerk = Arc::new(Clerk::new(arrivals, missed));
        clerk.set_readers(&hooks);
        let intake = store.intake(Arc::clone(&clerk) as Arc<dyn store::Clerk>)?;
        let doors = RwLock::new(Arc::new(doors(hooks)));
        let (nobody, rejections) = (UrlKey::of_nobody(), Semaphore::new(REJECTIONS));
        let nothing = Gate::new(&Demand::PagerdutyV3, &[scheme::decoy()]);
        let seen_failing = Mutex::default();
        Ok(Self(Arc::new(Inner {
            doors,
            nobody,
            nothing,
            networks,
            store,
            intake,
            clerk,
            now,
            rejections,
            seen_failing,
        })))
    }

    /// Notified whenever a genuine delivery could not be stored.
    pub fn trouble(&self) -> Arc<Notify> {
        Arc::clone(&self.0.clerk.trouble)
    }

    /// What is counted at the door.
    pub fn meter(&self) -> Meter {
        self.0.clerk.meter.clone()
    }

    /// Takes other hooks from the next delivery on.
    pub fn set_hooks(&self, hooks: Vec<Hook>) {
        self.0.clerk.set_readers(&hooks);
        *self.0.doors.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(doors(hooks));
    }
}

fn doors(hooks: Vec<Hook>) -> Doors {
    hooks.into_iter().map(|hook| (hook.account.clone(), Door::from(hook))).collect()
}

/// The routes: the hooks, `GET /healthz` (it runs) and `GET /readyz` (it can store).
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/hooks/{account}/{key}", any(hook))
        .route("/hooks/{account}/{key}/", any(hook))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(astray)
        .with_state(receiver)
        .layer(CatchPanicLayer::new())
}

async fn ready(State(receiver): State<Receiver>) -> Response {
    // One at a time: while something fails each look is a write.
    let mut seen = receiver.0.seen_failing.lock().await;
    if let Some((_, words)) = seen.as_ref().filter(|(at, _)| at.elapsed() < SEEN) {
        return unavailable(words);
    }
    let failure = receiver.0.store.ready().await.err();
    *seen = failure.map(|error| (Instant::now(), error.for_strangers()));
    match &*seen {
        None => "ok\n".into_response(),
        Some((_, words)) => unavailable(words),
    }
}

async fn hook(
    State(receiver): State<Receiver>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path((account, key))) = path else { return astray(State(receiver), request).await };
    receive(receiver, Some((&account, &key)), request).await
}

/// What is not for the path of any door: a delivery among it was meant for one, and whoever set up the proxy before the
/// door has to see that.
async fn astray(State(receiver): State<Receiver>, request: Request) -> Response {
    match *request.method() {
        Method::POST => receive(receiver, None, request).await,
        _ => not_found(),
    }
}

/// Takes a delivery, or refuses it. The path names an account and a key, or it is none of a door's.
async fn receive(receiver: Receiver, path: Option<(&str, &str)>, request: Request) -> Response {
    let started = Instant::now();
    let inner = &*receiver.0;
    let doors = Arc::clone(&inner.doors.read().unwrap_or_else(PoisonError::into_inner));
    let networks = inner.networks.now();
    let (head, body) = request.into_parts();
    let client = networks.client(peer(&head.extensions), &head.headers);
    let place = match path {
        Some((account, key)) => inner.place(&doors, account, key).or_barred(&networks, &client),
        None => Place::Nowhere(NO_DOOR),
    };
    let (peer, headers) = (client.words(), request::loggable(&head.headers, place.known().map(|door| &door.gate)));
    let account = place.opened().map(|door| door.account.clone());
    if let Some(refused) = refused_by_head(&head) {
        let new = inner.of_head(&refused, account, peer, headers);
        return inner.reject(new, refused.status).await;
    }
    let opens = place.door().is_some();
    let keep = if opens { usize::try_from(request::LIMIT).unwrap_or(usize::MAX) } else { STRAY_BODY };
    let (receiver, deadline) = (receiver.clone(), head.extensions.get::<Deadline>().copied());
    let mut coming = Coming { receiver, account, peer, headers, started, taken: Taken::default(), over: false };
    if let Err(cut) = coming.read(body, keep, deadline).await {
        return coming.reject(cut).await;
    }
    let read = Instant::now();
    let at = (inner.now)();
    let (taken, account, peer, headers) = coming.came();
    crash::passing(Point::BeforeVerify);
    let presented = Presented { method: &head.method, uri: &head.uri, headers: &head.headers, body: &taken.bytes };
    let judged = inner.judge(&place, &client, &presented, &taken, at);
    crash::passing(Point::AfterVerify);
    let (read_us, check_us) = (microseconds(read.duration_since(started)), microseconds(read.elapsed()));
    let timings = Timings { read_us, check_us, commit_us: None };
    let status = judged.status;
    let new = NewDelivery {
        at,
        account,
        verdict: judged.verdict,
        reason: Shown::line(&judged.reason),
        status: status.as_u16(),
        proof: judged.proof,
        timings,
        decoded: None,
        peer,
        headers,
        body: taken.bytes,
    };
    match judged.verdict {
        Verdict::Rejected => inner.reject(new, status).await,
        // What goes out is never judged here.
        Verdict::Accepted | Verdict::Undecodable | Verdict::Duplicate | Verdict::Sent | Verdict::Failed => {
            inner.accept(new, status).await
        }
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn peer(extensions: &axum::http::Extensions) -> Option<SocketAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0)
}

impl Inner {
    /// Takes as long for an unknown account as for a wrong key.
    fn place<'a>(&self, doors: &'a Doors, account: &str, key: &str) -> Place<'a> {
        let door = doors.get(account);
        let opens = door.and_then(|door| door.key.as_ref()).unwrap_or(&self.nobody).is(key.as_bytes());
        match door {
            Some(door) if door.key.is_none() => Place::NotReady(door),
            Some(door) if opens => Place::Door(door),
            Some(door) => Place::WrongKey(door),
            None => Place::Nowhere(NO_ACCOUNT),
        }
    }

    /// Answers as soon as it is safe; what it says is read after that.
    async fn accept(&self, new: NewDelivery, status: StatusCode) -> Response {
        let (account, handed) = (new.account.clone(), Instant::now());
        if self.intake.take(new).await.is_err() {
            self.clerk.meter.turned_away(account.as_ref());
            self.clerk.trouble.notify_one();
            return unavailable(&"it cannot be stored now");
        }
        self.clerk.meter.committed(handed.elapsed());
        crash::passing(Point::BeforeAnswer);
        status.into_response()
    }

    /// A line about what is refused for its head alone, or for having none.
    fn of_head(
        &self,
        refused: &Judged,
        account: Option<AccountName>,
        peer: String,
        headers: Vec<(String, String)>,
    ) -> NewDelivery {
        NewDelivery {
            at: (self.now)(),
            account,
            verdict: refused.verdict,
            reason: Shown::line(&refused.reason),
            status: refused.status.as_u16(),
            proof: None,
            timings: Timings { read_us: 0, check_us: 0, commit_us: None },
            decoded: None,
            peer,
            headers,
            body: vec![],
        }
    }

    /// The answer does not depend on whether it could be written down.
    async fn reject(&self, new: NewDelivery, status: StatusCode) -> Response {
        self.write_down(new).await;
        match status {
            StatusCode::NOT_FOUND => not_found(),
            StatusCode::SERVICE_UNAVAILABLE => unavailable(&"it cannot be checked now"),
            StatusCode::METHOD_NOT_ALLOWED => (status, [(header::ALLOW, "POST")]).into_response(),
            // Why a signature is wrong is told to the owner in the log, not to the sender.
            _ => status.into_response(),
        }
    }

    /// Counts a delivery that is refused, and writes it down.
    async fn write_down(&self, new: NewDelivery) {
        let (account, reason, status) = (new.account.clone(), new.reason.clone(), new.status);
        self.clerk.meter.counted(account.as_ref(), Verdict::Rejected);
        if self.log(new).await
            && let Some(more) = self.clerk.complains(account.as_ref(), &reason)
        {
            let account = account.as_ref().map_or("none", AccountName::as_str);
            tracing::warn!(account, status, "refused a delivery: {reason}{more}");
        }
    }

    /// Puts a line into the log, unless there is a flood of them; says whether it is there.
    async fn log(&self, new: NewDelivery) -> bool {
        let Ok(_turn) = self.rejections.try_acquire() else { return false };
        let (timings, handed) = (new.timings, Instant::now());
        // Between the commit and `tell` there is no await: it is told, or `missed` is notified.
        let recorded = self.store.record_or_notify(new, Some(Arc::clone(&self.clerk.missed))).await;
        let Ok(recorded) = recorded else { return false };
        let commit_us = Some(microseconds(handed.elapsed()));
        let latency_us = Timings { commit_us, ..timings }.answered_us();
        let summary = DeliverySummary { latency_us, ..recorded.summary };
        self.clerk.tell(Arrival { summary, observation: None, commit_us });
        true
    }
}

impl Receiver {
    /// Counts a connection on which no request came to be; what was answered stands in the log too. It is no delivery.
    async fn no_request(&self, peer: SocketAddr, why: NoRequest) {
        let inner = &*self.0;
        inner.clerk.meter.no_request(why);
        let Some(status) = why.answered() else { return };
        let client = inner.networks.now().client(Some(peer), &HeaderMap::new());
        let refused = rejected(status, format!("no request: {}", why.words()));
        let new = inner.of_head(&refused, None, client.words(), vec![]);
        let reason = new.reason.clone();
        if inner.log(new).await
            && let Some(more) = inner.clerk.complains(None, &reason)
        {
            tracing::info!(status = status.as_u16(), "{reason}{more}");
        }
    }
}

/// What is refused before its body is read, if it is.
fn refused_by_head(head: &Parts) -> Option<Judged> {
    if head.method != Method::POST {
        let method: String = head.method.as_str().chars().take(16).collect();
        return Some(rejected(StatusCode::METHOD_NOT_ALLOWED, format!("{method}, and only POST delivers")));
    }
    let size = request::head_size(head);
    (size > request::HEAD_LIMIT).then(|| {
        let reason = format!("the head is larger than {} bytes: {size}", request::HEAD_LIMIT);
        rejected(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
    })
}

fn too_slow() -> Response {
    let headers = [(header::CONNECTION, "close"), (header::RETRY_AFTER, RETRY_AFTER)];
    (StatusCode::SERVICE_UNAVAILABLE, headers, "not complete in time\n").into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

fn unavailable(cause: &impl std::fmt::Display) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER)], format!("{cause}\n")).into_response()
}

/// Where a path leads.
enum Place<'a> {
    Door(&'a Door),
    /// The account's key is not read yet.
    NotReady(&'a Door),
    WrongKey(&'a Door),
    /// The right key, from an address that may not deliver. Who does not know the key is not told of the list.
    Barred(&'a Door),
    /// Why, in words.
    Nowhere(&'static str),
}

impl<'a> Place<'a> {
    fn or_barred(self, networks: &Known, client: &Client) -> Self {
        match self {
            Self::Door(door) if !networks.allows(door.allow.as_deref(), client) => Self::Barred(door),
            other => other,
        }
    }

    fn door(&self) -> Option<&'a Door> {
        match self {
            Self::Door(door) => Some(door),
            Self::NotReady(_) | Self::WrongKey(_) | Self::Barred(_) | Self::Nowhere(_) => None,
        }
    }

    /// The door to which the path has the right key. What came without it is a stranger's, and of no account.
    fn opened(&self) -> Option<&'a Door> {
        match self {
            Self::Door(door) | Self::Barred(door) => Some(door),
            Self::NotReady(_) | Self::WrongKey(_) | Self::Nowhere(_) => None,
        }
    }

    /// The door of the account that the path names, open or not.
    fn known(&self) -> Option<&'a Door> {
        match self {
            Self::Door(door) | Self::NotReady(door) | Self::WrongKey(door) | Self::Barred(door) => Some(door),
            Self::Nowhere(_) => None,
        }
    }
}

/// What is made of a delivery before its body is read.
struct Judged {
    verdict: Verdict,
    status: StatusCode,
    reason: String,
    proof: Option<Proof>,
}

fn rejected(status: StatusCode, reason: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::Rejected, status, reason: reason.into(), proof: None }
}

/// What cannot be checked yet: a 4xx would lose it for good.
fn unchecked(why: &str) -> Judged {
    let reason = format!("{why}, so it cannot be checked; the sender will try again");
    rejected(StatusCode::SERVICE_UNAVAILABLE, reason)
}

impl Inner {
    fn judge(
        &self,
        place: &Place<'_>,
        client: &Client,
        presented: &Presented<'_>,
        taken: &Taken,
        now: Timestamp,
    ) -> Judged {
        let door = match place {
            Place::Door(door) => door,
            Place::NotReady(door) => {
                return unchecked(&format!("the key of account {} is not read yet", door.account));
            }
            // Checked for nothing, so that the time tells nothing.
            Place::WrongKey(door) => {
                let _ = self.nothing.check(presented, now);
                return rejected(StatusCode::NOT_FOUND, wrong_key(&door.account));
            }
            Place::Nowhere(why) => {
                let _ = self.nothing.check(presented, now);
                return rejected(StatusCode::NOT_FOUND, *why);
            }
            // A 4xx loses the delivery for good. That is what a list of who may deliver is for.
            Place::Barred(_) => {
                let reason = format!("{} is not among the addresses that `allow` names", client.name());
                return rejected(StatusCode::FORBIDDEN, reason);
            }
        };
        if request::is_encoded(presented.headers) {
            return rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has a content encoding");
        }
        if taken.is_too_large() {
            let reason = format!("the body is larger than {} bytes: {} at least", request::LIMIT, taken.size);
            return rejected(StatusCode::PAYLOAD_TOO_LARGE, reason);
        }
        if !door.gate.is_loaded() {
            return unchecked("no secret is loaded");
        }
        match door.gate.check(presented, now) {
            Ok(proof) => genuine(proof),
            Err(Refused::WrongSignature(_) | Refused::WrongSecret(_)) if door.unread > 0 => {
                unchecked("no secret that is loaded fits, and not all that are configured are loaded")
            }
            // Genuine, so perhaps it is our clock: a sender that signs each try anew comes through once that is right.
            Err(untimely @ Refused::Untimely { .. }) => rejected(StatusCode::SERVICE_UNAVAILABLE, untimely.to_string()),
            Err(refused) => rejected(StatusCode::UNAUTHORIZED, refused.to_string()),
        }
    }
}

/// A genuine delivery is taken whatever is in it: a 4xx would lose it for good.
fn genuine(proof: Proof) -> Judged {
    Judged { verdict: Verdict::Accepted, status: StatusCode::ACCEPTED, reason: proof.words(), proof: Some(proof) }
}

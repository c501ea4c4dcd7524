//! The webhook door: who may come in, and what becomes of each delivery.
//!
//! 2xx is answered after the commit, never before. A 4xx makes senders drop a delivery for good, so it is only for
//! what is wrong with the delivery; trouble of our own is 503.

pub mod http;
mod meter;
mod request;
mod signature;
pub mod tls;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::{
    collections::HashMap,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{ConnectInfo, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Notify, Semaphore, mpsc};
use tower_http::catch_panic::CatchPanicLayer;

pub use self::{meter::Meter, signature::NamedSecret};
use self::{request::Taken, signature::UrlKey};
use crate::{
    core::{
        delivery::{Decode, Decoded, DeliverySummary, Proof, Scheme, Timings, Verdict},
        id::AccountName,
        incident::Observation,
        text::Shown,
    },
    store::{NewDelivery, Store},
};

/// Seconds after which a sender may try again, where the trouble is ours.
const RETRY_AFTER: &str = "5";
/// Rejected deliveries being written down at the same time. A flood of more is answered, but not logged, so
/// that it cannot crowd out the genuine ones.
const REJECTIONS: usize = 64;
/// Bytes kept of a body that came to no door of ours.
const STRAY_BODY: usize = 64 * 1024;

/// One account's door, `POST /hooks/<account>/<url key>`.
pub struct Hook {
    pub account: AccountName,
    /// `None`: not read yet, and every sender is asked to retry.
    pub url_key: Option<SecretString>,
    /// Any of them may have signed. Empty: not read yet, and senders are asked to retry.
    pub secrets: Vec<NamedSecret>,
    /// Configured secrets that could not be read. While there are any, a signature that fits none of
    /// `secrets` may be by one of those: its sender is asked to retry, not refused.
    pub unread: usize,
    pub decode: Arc<dyn Decode>,
}

/// What the server is told of each recorded delivery, also of rejected ones and duplicates.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub summary: DeliverySummary,
    /// Only of accepted ones.
    pub observation: Option<Observation>,
}

/// The state behind the routes; cheap to clone.
#[derive(Clone)]
pub struct Receiver(Arc<Inner>);

type Doors = HashMap<AccountName, Door>;

struct Inner {
    doors: RwLock<Arc<Doors>>,
    nobody: UrlKey,
    store: Store,
    arrivals: mpsc::Sender<Arrival>,
    missed: Arc<Notify>,
    trouble: Arc<Notify>,
    now: fn() -> Timestamp,
    rejections: Semaphore,
    meter: Meter,
}

struct Door {
    account: AccountName,
    key: Option<UrlKey>,
    secrets: Vec<NamedSecret>,
    unread: usize,
    decode: Arc<dyn Decode>,
}

impl From<Hook> for Door {
    fn from(hook: Hook) -> Self {
        let Hook { account, url_key, mut secrets, unread, decode } = hook;
        // With an empty secret anybody could sign.
        secrets.retain(|secret| !secret.value.expose_secret().is_empty());
        Self { account, key: url_key.as_ref().map(UrlKey::new), secrets, unread, decode }
    }
}

impl Receiver {
    /// Every recorded delivery goes to `arrivals`. When that is full, or a delivery is stored after its sender has
    /// gone, `missed` is notified instead: whoever listens then reads the store again.
    pub fn new(
        hooks: Vec<Hook>,
        store: Store,
        arrivals: mpsc::Sender<Arrival>,
        missed: Arc<Notify>,
        now: fn() -> Timestamp,
    ) -> Self {
        let doors = RwLock::new(Arc::new(doors(hooks)));
        let (nobody, rejections) = (UrlKey::of_nobody(), Semaphore::new(REJECTIONS));
        let (trouble, meter) = (Arc::default(), Meter::default());
        Self(Arc::new(Inner { doors, nobody, store, arrivals, missed, trouble, now, rejections, meter }))
    }

    /// Notified whenever a genuine delivery could not be stored.
    pub fn trouble(&self) -> Arc<Notify> {
        Arc::clone(&self.0.trouble)
    }

    /// What is counted at the door.
    pub fn meter(&self) -> Meter {
        self.0.meter.clone()
    }

    /// Takes other hooks from the next delivery on.
    pub fn set_hooks(&self, hooks: Vec<Hook>) {
        *self.0.doors.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(doors(hooks));
    }
}

fn doors(hooks: Vec<Hook>) -> Doors {
    hooks.into_iter().map(|hook| (hook.account.clone(), Door::from(hook))).collect()
}

/// The routes: the hooks, `GET /healthz` (it runs) and `GET /readyz` (it can store).
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/hooks/{account}/{key}", post(hook))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .fallback(|| async { not_found() })
        .with_state(receiver)
        .layer(CatchPanicLayer::new())
}

async fn ready(State(receiver): State<Receiver>) -> Response {
    match receiver.0.store.ready().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn hook(
    State(receiver): State<Receiver>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let Ok(Path((account, key))) = path else { return not_found() };
    let inner = &*receiver.0;
    let doors = Arc::clone(&inner.doors.read().unwrap_or_else(PoisonError::into_inner));
    let place = inner.place(&doors, &account, &key);
    let (head, body) = request.into_parts();
    let keep = place.door().map_or(STRAY_BODY, |_| usize::try_from(request::LIMIT).unwrap_or(usize::MAX));
    let Ok(taken) = request::take(body, keep).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the body broke off\n").into_response();
    };
    let read = Instant::now();
    let judged = judge(&place, &head.headers, &taken);
    let (read_us, check_us) = (microseconds(read.duration_since(started)), microseconds(read.elapsed()));
    let timings = Timings { read_us, check_us, commit_us: None };
    let observation = judged.decoded.as_ref().and_then(|decoded| decoded.observation.clone());
    let status = judged.status;
    let new = NewDelivery {
        at: (inner.now)(),
        started,
        account: place.account().cloned(),
        verdict: judged.verdict,
        reason: Shown::line(&judged.reason),
        status: status.as_u16(),
        proof: judged.proof,
        timings,
        decoded: judged.decoded,
        peer: peer(&head.extensions),
        headers: request::loggable(&head.headers),
        body: taken.bytes,
    };
    match judged.verdict {
        Verdict::Rejected => inner.reject(new, status).await,
        Verdict::Accepted | Verdict::Undecodable | Verdict::Duplicate => inner.accept(new, status, observation).await,
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn peer(extensions: &axum::http::Extensions) -> String {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.to_string()).unwrap_or_default()
}

impl Inner {
    /// Takes as long for an unknown account as for a wrong key.
    fn place<'a>(&self, doors: &'a Doors, account: &str, key: &str) -> Place<'a> {
        let door = doors.get(account);
        let opens = door.and_then(|door| door.key.as_ref()).unwrap_or(&self.nobody).is(key);
        match door {
            Some(door) if door.key.is_none() => Place::NotReady(&door.account),
            Some(door) if opens => Place::Door(door),
            Some(door) => Place::WrongKey(&door.account),
            None => Place::Nowhere,
        }
    }

    async fn accept(&self, new: NewDelivery, status: StatusCode, observation: Option<Observation>) -> Response {
        // From here to `tell` there is no await but this one: what was committed is told, or `missed` is notified.
        let (account, asked) = (new.account.clone(), Instant::now());
        let Ok(recorded) = self.store.record_or_notify(new, Some(Arc::clone(&self.missed))).await else {
            self.meter.turned_away(account.as_ref());
            self.trouble.notify_one();
            return unavailable(&"it cannot be stored now");
        };
        self.meter.committed(account.as_ref(), recorded.summary.verdict, asked.elapsed());
        let fresh = recorded.summary.verdict == Verdict::Accepted;
        self.tell(Arrival { summary: recorded.summary, observation: observation.filter(|_| fresh) });
        status.into_response()
    }

    /// The answer does not depend on whether it could be written down.
    async fn reject(&self, new: NewDelivery, status: StatusCode) -> Response {
        let reason = new.reason.clone();
        self.meter.rejected(new.account.as_ref());
        if let Ok(_turn) = self.rejections.try_acquire() {
            let account = new.account.clone();
            if let Ok(recorded) = self.store.record_or_notify(new, Some(Arc::clone(&self.missed))).await {
                if let Some(account) = account {
                    tracing::warn!(%account, status = status.as_u16(), "refused a delivery: {reason}");
                }
                self.tell(Arrival { summary: recorded.summary, observation: None });
            }
        }
        match status {
            StatusCode::NOT_FOUND => not_found(),
            StatusCode::SERVICE_UNAVAILABLE => unavailable(&"it cannot be checked now"),
            // Why a signature is wrong is told to the owner in the log, not to the sender.
            _ => status.into_response(),
        }
    }

    fn tell(&self, arrival: Arrival) {
        if self.arrivals.try_send(arrival).is_err() {
            self.missed.notify_one();
        }
    }
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
    NotReady(&'a AccountName),
    WrongKey(&'a AccountName),
    Nowhere,
}

impl<'a> Place<'a> {
    fn door(&self) -> Option<&'a Door> {
        match self {
            Self::Door(door) => Some(door),
            Self::NotReady(_) | Self::WrongKey(_) | Self::Nowhere => None,
        }
    }

    fn account(&self) -> Option<&'a AccountName> {
        match self {
            Self::Door(door) => Some(&door.account),
            Self::NotReady(account) | Self::WrongKey(account) => Some(account),
            Self::Nowhere => None,
        }
    }
}

/// What is made of a delivery before looking whether its event is known.
struct Judged {
    verdict: Verdict,
    status: StatusCode,
    reason: String,
    proof: Option<Proof>,
    decoded: Option<Decoded>,
}

fn rejected(status: StatusCode, reason: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::Rejected, status, reason: reason.into(), proof: None, decoded: None }
}

/// What cannot be checked yet: a 4xx would lose it for good.
fn unchecked(why: &str) -> Judged {
    let reason = format!("{why}, so it cannot be checked; the sender will try again");
    rejected(StatusCode::SERVICE_UNAVAILABLE, reason)
}

fn judge(place: &Place<'_>, headers: &HeaderMap, taken: &Taken) -> Judged {
    let door = match place {
        Place::Door(door) => door,
        Place::NotReady(_) => return unchecked("the key of the path is not read yet"),
        Place::WrongKey(_) => return rejected(StatusCode::NOT_FOUND, "wrong key in the path"),
        Place::Nowhere => return rejected(StatusCode::NOT_FOUND, "the path names no account configured here"),
    };
    if request::is_encoded(headers) {
        return rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body has a content encoding");
    }
    if taken.is_too_large() {
        let reason = format!("the body is larger than {} bytes", request::LIMIT);
        return rejected(StatusCode::PAYLOAD_TOO_LARGE, reason);
    }
    if door.secrets.is_empty() {
        return unchecked("no signing secret is loaded");
    }
    match signature::signer(&door.secrets, headers, &taken.bytes) {
        Ok(name) => decoded(door, name, &taken.bytes),
        Err(signature::Refused::Wrong) if door.unread > 0 => {
            unchecked("no secret that is loaded signed it, and not all that are configured are")
        }
        Err(refused) => rejected(StatusCode::UNAUTHORIZED, refused.to_string()),
    }
}

/// A genuine delivery is taken whatever is in it: a 4xx would lose it for good.
fn decoded(door: &Door, signer: &str, body: &[u8]) -> Judged {
    let read = catch_unwind(AssertUnwindSafe(|| door.decode.decode(&door.account, body)))
        .unwrap_or_else(|_| Err("reading it panicked".to_owned()));
    let (verdict, reason, decoded) = match read {
        Ok(decoded) => (Verdict::Accepted, format!("signed with {signer}"), Some(decoded)),
        Err(cause) => (Verdict::Undecodable, format!("signed with {signer}, but {cause}"), None),
    };
    let proof = Some(Proof { scheme: Scheme::PagerdutyV3, secret: Shown::line(signer) });
    Judged { verdict, status: StatusCode::ACCEPTED, reason, proof, decoded }
}

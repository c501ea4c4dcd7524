//! Who may be connected at the same time, and who makes room for whom.

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use axum::{body::Bytes, http::StatusCode};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{super::Networks, Front, Limits};

/// Who is connected.
pub(super) struct Places {
    limits: Limits,
    connections: Gauge,
    networks: Networks,
    since: Instant,
    seated: Mutex<Seated>,
    /// A place was given back, or could be taken from somebody who was answered.
    freed: Notify,
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
    /// It sent a whole request that is not answered yet.
    owed: Arc<AtomicBool>,
    lost: CancellationToken,
}

/// One connection's place, given back on drop.
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
    spoke: Arc<AtomicU64>,
    proven: Arc<AtomicBool>,
    owed: Arc<AtomicBool>,
    /// Cancelled when another one gets the place.
    pub(super) lost: CancellationToken,
}

impl Places {
    pub(super) fn new(limits: Limits, front: &Front) -> Self {
        let (connections, networks) = (front.connections.clone(), front.networks.clone());
        Self { limits, connections, networks, since: Instant::now(), seated: Mutex::default(), freed: Notify::new() }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer; if need be, that of the longest silent one. Waits while all who could make room have just
    /// come, or are owed an answer: those come within seconds.
    pub(super) async fn take(this: &Arc<Self>, peer: IpAddr) -> Place {
        loop {
            if let Some(place) = Self::take_now(this, peer) {
                return place;
            }
            let _ = timeout(this.limits.grace / 4, this.freed.notified()).await;
        }
    }

    fn take_now(this: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let grace = u64::try_from(this.limits.grace.as_millis()).unwrap_or(u64::MAX);
        let silent = |entry: &Entry| entry.spoke.load(Ordering::Relaxed) + grace <= this.now();
        let alone = !this.networks.is_proxy(peer);
        let mut seated = this.lock();
        let of_peer = seated.places.values().filter(|entry| entry.peer == peer).count();
        let has_room = if alone && of_peer >= this.limits.per_peer {
            seated.drop_longest_silent(|entry| entry.peer == peer, silent)
        } else {
            seated.places.len() < this.limits.connections || seated.drop_longest_silent(|_| true, silent)
        };
        has_room.then(|| {
            let place = Place::new(this, seated.next);
            seated.next += 1;
            seated.places.insert(place.number, place.entry(peer));
            this.connections.inc();
            place
        })
    }

    /// Lets the longest silent one go, if there is one.
    pub(super) fn make_room(&self) {
        self.lock().drop_longest_silent(|_| true, |_| true);
    }

    pub(super) fn clear(&self) {
        for (_, entry) in self.lock().places.drain() {
            entry.lost.cancel();
        }
    }
}

impl Seated {
    /// Of those that are not owed an answer, the first to go does, if it is `silent`. Says whether it went.
    fn drop_longest_silent(&mut self, of: impl Fn(&Entry) -> bool, silent: impl Fn(&Entry) -> bool) -> bool {
        let all = self.places.iter().filter(|(_, entry)| of(entry) && !entry.owed.load(Ordering::Relaxed));
        let first = all.min_by_key(|(number, entry)| (entry.rank(), **number)).filter(|(_, entry)| silent(entry));
        let number = first.map(|(number, _)| *number);
        let Some(entry) = number.and_then(|number| self.places.remove(&number)) else { return false };
        entry.lost.cancel();
        true
    }
}

impl Entry {
    /// The least makes room first.
    fn rank(&self) -> (bool, u64) {
        (self.proven.load(Ordering::Relaxed), self.spoke.load(Ordering::Relaxed))
    }
}

impl Place {
    fn new(places: &Arc<Places>, number: u64) -> Self {
        Self {
            number,
            places: Arc::clone(places),
            spoke: Arc::new(AtomicU64::new(places.now())),
            proven: Arc::default(),
            owed: Arc::default(),
            lost: CancellationToken::new(),
        }
    }

    fn entry(&self, peer: IpAddr) -> Entry {
        let (spoke, proven, owed) = (Arc::clone(&self.spoke), Arc::clone(&self.proven), Arc::clone(&self.owed));
        Entry { peer, spoke, proven, owed, lost: self.lost.clone() }
    }

    /// The body of a request of this connection. Once it has come to its end, an answer is owed.
    pub(super) fn watch(&self, body: Incoming) -> Watched {
        let watched = Watched { body, owed: Arc::clone(&self.owed) };
        watched.note();
        watched
    }

    /// A request was answered.
    pub(super) fn spoke(&self, status: StatusCode) {
        self.spoke.store(self.places.now(), Ordering::Relaxed);
        self.proven.fetch_or(status == StatusCode::ACCEPTED, Ordering::Relaxed);
        self.owed.store(false, Ordering::Relaxed);
        self.places.freed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.connections.dec();
        self.places.lock().places.remove(&self.number);
        self.places.freed.notify_one();
    }
}

/// A body that says when all of it is there.
pub(super) struct Watched {
    body: Incoming,
    owed: Arc<AtomicBool>,
}

impl Watched {
    fn note(&self) {
        if self.body.is_end_stream() {
            self.owed.store(true, Ordering::Relaxed);
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.owed.store(true, Ordering::Relaxed),
            Poll::Ready(Some(_)) => self.note(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

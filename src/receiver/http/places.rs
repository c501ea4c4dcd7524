//! Who may be connected at the same time, and who makes room for whom.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
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
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{super::Networks, Front, Limits};

/// The part of an address of IPv6 that names the network.
const NETWORK: u128 = !0 << 64;

/// Who is connected.
pub(super) struct Places {
    limits: Limits,
    connections: Gauge,
    networks: Networks,
    since: Instant,
    seated: Mutex<Seated>,
    /// A place was given back, or could be taken from somebody who was answered: for the one at the door, and for those
    /// whose address has its share.
    freed: Notify,
    freed_for_queue: Notify,
    /// Of those whose address has its share, as many as may wait.
    queue: Arc<Semaphore>,
}

#[derive(Default)]
struct Seated {
    next: u64,
    places: HashMap<u64, Arc<Seat>>,
    /// How many each share has of them.
    shares: HashMap<Share, usize>,
    /// Before then nobody has been silent for long enough to make room, as whoever comes or speaks later is silent later.
    none_before: u64,
}

/// What is known of a connection.
struct Seat {
    share: Option<Share>,
    /// When it was last answered, or begun: milliseconds since the start.
    spoke: AtomicU64,
    /// It is listened to: before, that nothing is heard is not its silence.
    begun: AtomicBool,
    answered: AtomicBool,
    /// It brought a genuine delivery: only those get a 202.
    proven: AtomicBool,
    /// It sent a whole request that is not answered yet.
    owed: AtomicBool,
    /// Cancelled when another one gets the place.
    lost: CancellationToken,
}

/// Whose share of the places a connection takes: one address of IPv4; of IPv6, of which a single host has 2^64, those
/// that one network has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Share(IpAddr);

impl Share {
    fn of(peer: IpAddr) -> Self {
        match peer {
            IpAddr::V4(_) => Self(peer),
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & NETWORK).into()),
        }
    }
}

/// One connection's place, given back on drop.
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
    seat: Arc<Seat>,
}

/// Why there is no place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Full {
    /// There will be one in a moment.
    Now,
    /// The newcomer's address has its share, and is busy with all of it, perhaps for long.
    Share,
}

impl Places {
    pub(super) fn new(limits: Limits, front: &Front) -> Self {
        Self {
            limits,
            connections: front.connections.clone(),
            networks: front.networks.clone(),
            since: Instant::now(),
            seated: Mutex::default(),
            freed: Notify::new(),
            freed_for_queue: Notify::new(),
            queue: Arc::new(Semaphore::new(limits.waiting)),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a newcomer; if need be, that of the longest silent one. Waits while all who could make room have just
    /// come, or are owed an answer: those come within seconds. `None`: its address keeps all of its share busy, so it has
    /// to [`Self::queue`], and holds up nobody else.
    pub(super) async fn take(this: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        loop {
            match Self::take_now(this, peer) {
                Ok(place) => return Some(place),
                Err(Full::Share) => return None,
                Err(Full::Now) => drop(timeout(this.limits.grace / 4, this.freed.notified()).await),
            }
        }
    }

    /// Leave to wait until there is room in the share of one's address; `None` when too many do.
    pub(super) fn queue(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.queue).try_acquire_owned().ok()
    }

    /// A place for one of the queue.
    pub(super) async fn take_in_turn(this: &Arc<Self>, peer: IpAddr, turn: OwnedSemaphorePermit) -> Place {
        loop {
            if let Ok(place) = Self::take_now(this, peer) {
                drop(turn);
                return place;
            }
            drop(timeout(this.limits.grace, this.freed_for_queue.notified()).await);
        }
    }

    fn take_now(this: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let grace = u64::try_from(this.limits.grace.as_millis()).unwrap_or(u64::MAX);
        let now = this.now();
        let silent = |seat: &Seat| seat.is_silent(now, grace);
        let share = (!this.networks.is_proxy(peer)).then(|| Share::of(peer));
        let is_theirs = |seat: &Seat| share.is_some() && seat.share == share;
        let mut seated = this.lock();
        let theirs = share.and_then(|share| seated.shares.get(&share).copied()).unwrap_or_default();
        if theirs >= this.limits.per_peer {
            if !seated.drop_longest_silent(is_theirs, silent) {
                let mut theirs = seated.places.values().filter(|seat| is_theirs(seat));
                return Err(if theirs.all(|seat| seat.is_busy()) { Full::Share } else { Full::Now });
            }
        } else if seated.places.len() >= this.limits.connections && !seated.make_room(now, grace) {
            return Err(Full::Now);
        }
        let seat = Arc::new(Seat::new(share, now));
        let number = seated.add(Arc::clone(&seat));
        let place = Place { number, places: Arc::clone(this), seat };
        this.connections.inc();
        Ok(place)
    }

    fn freed(&self) {
        self.freed.notify_one();
        self.freed_for_queue.notify_one();
    }

    /// Lets the longest silent one go, if there is one.
    pub(super) fn make_room(&self) {
        self.lock().drop_longest_silent(|_| true, |_| true);
    }

    pub(super) fn clear(&self) {
        let mut seated = self.lock();
        seated.shares.clear();
        for (_, seat) in seated.places.drain() {
            seat.lost.cancel();
        }
    }
}

impl Seated {
    fn add(&mut self, seat: Arc<Seat>) -> u64 {
        let number = self.next;
        self.next += 1;
        if let Some(share) = seat.share {
            *self.shares.entry(share).or_default() += 1;
        }
        self.places.insert(number, seat);
        number
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Seat>> {
        let seat = self.places.remove(&number)?;
        if let Some(share) = seat.share
            && let Entry::Occupied(mut theirs) = self.shares.entry(share)
        {
            *theirs.get_mut() -= 1;
            if *theirs.get() == 0 {
                theirs.remove();
            }
        }
        Some(seat)
    }

    /// The first to go does, if it has been silent for `grace`. Says whether it went.
    fn make_room(&mut self, now: u64, grace: u64) -> bool {
        if now < self.none_before {
            return false;
        }
        let went = self.drop_longest_silent(|_| true, |seat| seat.is_silent(now, grace));
        if !went {
            let can_go = self.places.values().filter(|seat| seat.can_go());
            let first = can_go.map(|seat| seat.spoke.load(Ordering::Relaxed)).min();
            self.none_before = first.unwrap_or(now) + grace;
        }
        went
    }

    /// Of those that can go, the first does, if it is `silent`. Says whether it went.
    fn drop_longest_silent(&mut self, of: impl Fn(&Seat) -> bool, silent: impl Fn(&Seat) -> bool) -> bool {
        let all = self.places.iter().filter(|(_, seat)| of(seat) && seat.can_go());
        let first = all.min_by_key(|(number, seat)| (seat.rank(), **number)).filter(|(_, seat)| silent(seat));
        let number = first.map(|(number, _)| *number);
        let Some(seat) = number.and_then(|number| self.remove(number)) else { return false };
        seat.lost.cancel();
        true
    }
}

impl Seat {
    fn new(share: Option<Share>, now: u64) -> Self {
        Self {
            share,
            spoke: AtomicU64::new(now),
            begun: AtomicBool::default(),
            answered: AtomicBool::default(),
            proven: AtomicBool::default(),
            owed: AtomicBool::default(),
            lost: CancellationToken::new(),
        }
    }

    /// It is not owed an answer.
    fn can_go(&self) -> bool {
        !self.owed.load(Ordering::Relaxed)
    }

    fn is_silent(&self, now: u64, grace: u64) -> bool {
        self.begun.load(Ordering::Relaxed) && self.spoke.load(Ordering::Relaxed) + grace <= now
    }

    /// The least makes room first.
    fn rank(&self) -> (bool, u64) {
        (self.proven.load(Ordering::Relaxed), self.spoke.load(Ordering::Relaxed))
    }

    /// It has not only just come, from which it would show soon whether it is silent.
    fn is_busy(&self) -> bool {
        self.answered.load(Ordering::Relaxed) || self.owed.load(Ordering::Relaxed)
    }
}

impl Place {
    /// From now on it is listened to.
    pub(super) fn begins(&self) {
        self.seat.spoke.store(self.places.now(), Ordering::Relaxed);
        self.seat.begun.store(true, Ordering::Relaxed);
    }

    /// Until another one gets the place.
    pub(super) async fn lost(&self) {
        self.seat.lost.cancelled().await;
    }

    /// Whether a request of this connection was answered.
    pub(super) fn has_answered(&self) -> bool {
        self.seat.answered.load(Ordering::Relaxed)
    }

    /// The body of a request of this connection. Once it has come to its end, an answer is owed.
    pub(super) fn watch(&self, body: Incoming) -> Watched {
        let watched = Watched { body, seat: Arc::clone(&self.seat) };
        watched.note();
        watched
    }

    /// A request was answered.
    pub(super) fn spoke(&self, status: StatusCode) {
        self.seat.spoke.store(self.places.now(), Ordering::Relaxed);
        self.seat.answered.store(true, Ordering::Relaxed);
        self.seat.proven.fetch_or(status == StatusCode::ACCEPTED, Ordering::Relaxed);
        self.seat.owed.store(false, Ordering::Relaxed);
        self.places.freed();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.connections.dec();
        drop(self.places.lock().remove(self.number));
        self.places.freed();
    }
}

/// A body that says when all of it is there.
pub(super) struct Watched {
    body: Incoming,
    seat: Arc<Seat>,
}

impl Watched {
    fn note(&self) {
        if self.body.is_end_stream() {
            self.seat.owed.store(true, Ordering::Relaxed);
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.seat.owed.store(true, Ordering::Relaxed),
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

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    const GRACE: Duration = Duration::from_millis(100);

    fn places(connections: usize, per_peer: usize) -> Arc<Places> {
        let limits = Limits { connections, per_peer, grace: GRACE, ..Limits::default() };
        Arc::new(Places::new(limits, &Front::plain(Networks::default())))
    }

    fn peer(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn take(places: &Arc<Places>, last: u8) -> Option<Place> {
        Places::take_now(places, peer(last)).ok()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_listened_to_yet_makes_no_room_however_long_that_takes() {
        let places = places(2, 2);
        let (first, second) = (take(&places, 1).expect("room"), take(&places, 2).expect("room"));
        tokio::time::advance(GRACE * 10).await;
        assert!(take(&places, 3).is_none(), "nobody was heard yet");

        first.begins();
        assert!(take(&places, 3).is_none(), "the first has only just begun");
        tokio::time::advance(GRACE).await;
        second.begins();
        let third = take(&places, 3).expect("the room of the first");

        assert_eq!((first.seat.lost.is_cancelled(), second.seat.lost.is_cancelled()), (true, false));
        assert!(take(&places, 4).is_none(), "nobody else is silent");
        drop((first, second, third));
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_is_given_back_with_each_place_once() {
        let places = places(8, 2);
        for _ in 0..3 {
            let mut held: Vec<Place> = (0..2).filter_map(|_| take(&places, 1)).collect();
            held.iter().for_each(Place::begins);
            assert!(held.len() == 2 && take(&places, 1).is_none(), "the share is full");
            assert!(take(&places, 2).is_some(), "others have theirs");
            tokio::time::advance(GRACE).await;
            held.extend(take(&places, 1));
            assert_eq!((held.len(), places.lock().places.len()), (3, 2), "one of the two made room");
        }
        assert!(places.lock().places.is_empty() && places.lock().shares.is_empty());
    }
}

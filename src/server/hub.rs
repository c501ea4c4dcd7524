//! The board, and the feed of its changes. Locked only for the length of one change, never across an await.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::whole;
use crate::{
    core::{
        board::{Board, Change},
        freshness::Account,
        id::AccountName,
    },
    proto::{
        FromServer,
        wire::{self, WireError},
    },
    store,
};

/// Changes that a console, or a snapshot that is shared, may lie behind before there is a fresh one instead.
const FEED: usize = 4096;
/// A snapshot is shared for so long, also when nobody reads it any more: it costs a copy of the board.
const SHARED: Duration = Duration::from_secs(2);
/// The same for one that no console takes: those that try again and again need no other.
const SHARED_BROKEN: Duration = Duration::from_secs(10);
/// Snapshots that are there at the same time: each is a whole board, and there until the last that attached has read it.
const SNAPSHOTS: usize = 3;
/// Of these, for consoles that need a fresh one: who attaches takes an older one instead.
const KEPT: usize = 1;

/// A handle to the one board of this server.
#[derive(Clone)]
pub struct Hub {
    inside: Arc<Mutex<Inside>>,
    feed: broadcast::Sender<Arc<Change>>,
    news: broadcast::Sender<Arc<News>>,
    /// Changes that one may lie behind.
    behind: usize,
    /// Held while a snapshot is made: one at a time.
    making: Arc<Semaphore>,
    /// Places for snapshots.
    places: Arc<Semaphore>,
}

struct Inside {
    board: Board,
    shared: Option<Shared>,
}

/// The newest snapshot, while somebody has it and its changes are not too many.
struct Shared {
    snapshot: Weak<Snapshot>,
    /// The moment of which it tells.
    of: Instant,
    /// What was told after it, all of it.
    since: Vec<Arc<News>>,
}

/// The board of one moment as a message, put into words once for all who attach before it is too old.
pub struct Snapshot {
    text: OnceLock<Result<String, WireError>>,
    /// Since when it is there.
    since: OnceLock<Instant>,
    /// The text is there, or never will be.
    is_made: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Snapshot {
    fn new(place: OwnedSemaphorePermit) -> Self {
        Self { text: OnceLock::new(), since: OnceLock::new(), is_made: CancellationToken::new(), _place: place }
    }

    /// The message, as a line.
    pub fn text(&self) -> Result<&str, &WireError> {
        match self.text.get() {
            Some(Ok(text)) => Ok(text),
            Some(Err(broken)) => Err(broken),
            None => Err(&WireError::Closed),
        }
    }

    /// For how long it is shared once it is there.
    fn lasts(&self) -> Duration {
        if self.text().is_ok() { SHARED } else { SHARED_BROKEN }
    }

    fn is_young(&self) -> bool {
        self.since.get().is_none_or(|since| since.elapsed() <= self.lasts())
    }
}

/// What a console gets: the board of one moment, then every change after it in its order.
pub struct Attached {
    pub snapshot: Arc<Snapshot>,
    /// What was told after the snapshot and before `news`.
    pub since: Vec<Arc<News>>,
    pub news: broadcast::Receiver<Arc<News>>,
}

/// How consoles learn what is different on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    EachChange,
    /// The changes alone do not tell all: every console gets a fresh snapshot.
    Snapshot,
}

/// What consoles are told: put into words once, however many there are.
pub struct News {
    /// `None`: that they need a fresh snapshot.
    change: Option<Arc<Change>>,
    text: OnceLock<String>,
}

impl News {
    fn new(change: Option<Arc<Change>>) -> Arc<Self> {
        Arc::new(Self { change, text: OnceLock::new() })
    }

    /// The message, as a line. Empty for what cannot be told; `None` where only a fresh snapshot tells it.
    pub fn text(&self) -> Option<&str> {
        let change = self.change.as_ref()?;
        Some(self.text.get_or_init(|| {
            let message = FromServer::Changed { change: Change::clone(change) };
            wire::text(&message).unwrap_or_default()
        }))
    }
}

impl Hub {
    pub fn new(board: Board) -> Self {
        Self::with_feed(board, FEED)
    }

    /// A console that lies `changes` behind gets a fresh snapshot.
    pub(super) fn with_feed(board: Board, changes: usize) -> Self {
        let (feed, news) = (broadcast::Sender::new(changes), broadcast::Sender::new(changes));
        let inside = Arc::new(Mutex::new(Inside { board, shared: None }));
        let (making, places) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(SNAPSHOTS)));
        Self { inside, feed, news, behind: changes, making, places }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Every change is a whole value put in place, so a panic elsewhere leaves nothing half-done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the board. Keep it short: everything else waits.
    pub fn look<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.lock().board)
    }

    /// Applies a change and tells every console.
    pub fn publish(&self, change: Change) {
        self.change(|board| {
            board.apply(&change);
            (vec![change], ())
        });
    }

    /// Changes the board by `make` and tells every console what it returned as changed.
    pub fn change<T>(&self, make: impl FnOnce(&mut Board) -> (Vec<Change>, T)) -> T {
        self.tell(|board| {
            let (changes, result) = make(board);
            (changes, Telling::EachChange, result)
        })
    }

    /// The same, where `make` also says how consoles are told.
    pub fn tell<T>(&self, make: impl FnOnce(&mut Board) -> (Vec<Change>, Telling, T)) -> T {
        let mut inside = self.lock();
        let (changes, telling, result) = make(&mut inside.board);
        // Sent under the lock, so that a snapshot and the feed never miss or repeat a change.
        for change in changes {
            let change = Arc::new(change);
            let _ = self.feed.send(Arc::clone(&change));
            if telling == Telling::EachChange {
                self.send(&mut inside, &News::new(Some(change)));
            }
        }
        if telling == Telling::Snapshot {
            self.send(&mut inside, &News::new(None));
        }
        result
    }

    fn send(&self, inside: &mut Inside, news: &Arc<News>) {
        let _ = self.news.send(Arc::clone(news));
        let is_shared = |shared: &Shared| {
            let goes_on = news.change.is_some() && shared.since.len() < self.behind;
            // Also of an old one: it is what is left when there is no place for another.
            goes_on && shared.snapshot.strong_count() > 0
        };
        match inside.shared.as_mut().filter(|shared| is_shared(shared)) {
            Some(shared) => shared.since.push(Arc::clone(news)),
            None => inside.shared = None,
        }
    }

    /// Changes what is known of an account; nothing happens when it is as it was.
    pub fn account(&self, name: &AccountName, change: impl FnOnce(&mut Account)) {
        self.change(|board| {
            let Some(known) = board.accounts.get_mut(name) else { return (vec![], ()) };
            let before = known.account.clone();
            change(&mut known.account);
            if known.account == before {
                return (vec![], ());
            }
            (vec![Change::Account(Box::new(known.account.clone()))], ())
        });
    }

    /// The board as a message, and every change after it. Whoever attaches while there is a snapshot that is not too old,
    /// or no place for one more, gets the same; else a fresh one is made, beside the runtime's workers. It tells of `from`
    /// or later: a console that was told something by then finds it there, and waits for a place until it may.
    pub async fn attach(&self, from: Option<Instant>) -> Result<Attached, WireError> {
        if let Some(attached) = self.join(from) {
            attached.snapshot.is_made.cancelled().await;
            return Ok(attached);
        }
        // On a task: those who wait for it do not wait for this console.
        let hub = self.clone();
        let fresh = AbortOnDropHandle::new(tokio::spawn(async move { hub.fresh(from).await }));
        fresh.await.map_err(|_| WireError::Closed)?
    }

    async fn fresh(&self, from: Option<Instant>) -> Result<Attached, WireError> {
        let one_at_a_time = Arc::clone(&self.making).acquire_owned().await.map_err(|_| WireError::Closed)?;
        // The one before may be young enough.
        if let Some(attached) = self.join(from) {
            return Ok(attached);
        }
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| WireError::Closed)?;
        let hub = self.clone();
        let attached = store::beside(move || hub.make(one_at_a_time, place)).await.ok_or(WireError::Closed)?;
        let held = Arc::clone(&attached.snapshot);
        tokio::spawn(async move {
            sleep(held.lasts()).await;
            drop(held);
        });
        Ok(attached)
    }

    /// The newest snapshot, which may not be made yet, if there is none better to be had.
    fn join(&self, from: Option<Instant>) -> Option<Attached> {
        let inside = self.lock();
        let shared = inside.shared.as_ref().filter(|shared| from.is_none_or(|from| shared.of >= from))?;
        let is_taken = |snapshot: &Arc<Snapshot>| snapshot.is_young() || self.places.available_permits() <= KEPT;
        let snapshot = shared.snapshot.upgrade().filter(is_taken)?;
        Some(Attached { snapshot, since: shared.since.clone(), news: self.news.subscribe() })
    }

    /// A fresh snapshot, which is shared from now on.
    fn make(&self, _one_at_a_time: OwnedSemaphorePermit, place: OwnedSemaphorePermit) -> Attached {
        let snapshot = Arc::new(Snapshot::new(place));
        let _is_made = snapshot.is_made.clone().drop_guard();
        let (board, news) = {
            let inside = &mut *self.lock();
            let snapshot = Arc::downgrade(&snapshot);
            inside.shared = Some(Shared { snapshot, of: Instant::now(), since: vec![] });
            (inside.board.clone(), self.news.subscribe())
        };
        let _ = snapshot.text.set(whole::message(board, wire::LINE_LIMIT));
        let _ = snapshot.since.set(Instant::now());
        Attached { snapshot, since: vec![], news }
    }

    /// Every change from now on.
    pub fn feed(&self) -> broadcast::Receiver<Arc<Change>> {
        self.feed.subscribe()
    }

    /// The board as it is, and every change after it.
    pub fn subscribe(&self) -> (Board, broadcast::Receiver<Arc<Change>>) {
        let inside = self.lock();
        (inside.board.clone(), self.feed.subscribe())
    }
}

#[cfg(test)]
mod tests;

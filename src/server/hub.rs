//! The board, and the feed of its changes. Locked only for the length of one change, never across an await.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::broadcast;

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
};

/// Changes a console may lie behind before it gets a fresh snapshot instead.
const FEED: usize = 4096;

/// A handle to the one board of this server.
#[derive(Clone)]
pub struct Hub {
    board: Arc<Mutex<Board>>,
    feed: broadcast::Sender<Arc<Change>>,
    news: broadcast::Sender<Arc<News>>,
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
        Self { board: Arc::new(Mutex::new(board)), feed, news }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Every change is a whole value put in place, so a panic elsewhere leaves nothing half-done.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the board. Keep it short: everything else waits.
    pub fn look<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.lock())
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
        let mut board = self.lock();
        let (changes, telling, result) = make(&mut board);
        // Sent under the lock, so that a snapshot and the feed never miss or repeat a change.
        for change in changes {
            let change = Arc::new(change);
            let _ = self.feed.send(Arc::clone(&change));
            if telling == Telling::EachChange {
                let _ = self.news.send(News::new(Some(change)));
            }
        }
        if telling == Telling::Snapshot {
            let _ = self.news.send(News::new(None));
        }
        result
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

    /// The board as it is, as a message, and every change after it.
    pub fn attach(&self) -> (Result<String, WireError>, broadcast::Receiver<Arc<News>>) {
        let (board, news) = {
            let board = self.lock();
            (board.clone(), self.news.subscribe())
        };
        (whole::message(board, wire::LINE_LIMIT), news)
    }

    /// Every change from now on.
    pub fn feed(&self) -> broadcast::Receiver<Arc<Change>> {
        self.feed.subscribe()
    }

    /// The board as it is, and every change after it.
    pub fn subscribe(&self) -> (Board, broadcast::Receiver<Arc<Change>>) {
        let board = self.lock();
        (board.clone(), self.feed.subscribe())
    }
}

//! Actions on one incident are carried out one after the other, in the order in which they were asked for: what one has
//! looked at is not changed by another before it is sent. Nobody holds the turn on one incident while waiting for another.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{Notify, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, futures::Notified};

use crate::core::id::{ActionId, IncidentKey};

/// The incidents on which somebody works or waits to.
#[derive(Debug, Default)]
pub struct AtWork(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    all: Mutex<BTreeMap<IncidentKey, Line>>,
    /// Told when it is another one's turn somewhere.
    changed: Notify,
}

/// Who wants to work on one incident.
#[derive(Debug)]
struct Line {
    lock: Weak<RwLock<()>>,
    /// Whose turn it is.
    whose: Option<ActionId>,
}

/// As long as this is held, no other action is carried out on these.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    _held: Vec<Arc<Held<OwnedRwLockWriteGuard<()>>>>,
}

/// The same for one that only reads what became of it: several can be held at the same time.
pub(super) type Reading = Arc<Held<OwnedRwLockReadGuard<()>>>;

/// The mark goes first: the next one makes its own.
#[derive(Debug)]
pub(super) struct Held<Guard> {
    _mark: Mark,
    _guard: Guard,
}

/// Says whose turn it is.
#[derive(Debug)]
struct Mark(Arc<Inside>, IncidentKey);

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.set(&self.1, None);
    }
}

impl AtWork {
    /// Waits until nobody else works on `key`, and on `also` where that is wanted too.
    pub(super) async fn take(&self, action: ActionId, key: &IncidentKey, also: Option<&IncidentKey>) -> Turn {
        let (mut first, mut second) = (key, also);
        loop {
            let guard = self.0.of(first).write_owned().await;
            let mut held = vec![self.held(action, first, guard)];
            let Some(other) = second else { return Turn { _held: held } };
            if let Some(one) = self.try_one(action, other) {
                held.push(one);
                return Turn { _held: held };
            }
            (first, second) = (other, Some(first));
        }
    }

    /// The turn on each of `keys` that nobody works on or waits for at this moment, with that on `also`: none at all
    /// without it.
    pub(super) fn take_free(
        &self,
        action: ActionId,
        keys: Vec<IncidentKey>,
        also: Option<&IncidentKey>,
    ) -> BTreeMap<IncidentKey, Turn> {
        let shared = match also.map(|also| self.try_one(action, also)) {
            Some(None) => return BTreeMap::new(),
            Some(Some(one)) => Some(one),
            None => None,
        };
        let turn = |key: IncidentKey| {
            let one = self.try_one(action, &key)?;
            Some((key, Turn { _held: [Some(one), shared.clone()].into_iter().flatten().collect() }))
        };
        keys.into_iter().filter_map(turn).collect()
    }

    /// The same for reading, by these actions, and waiting for all of them: always in the same order.
    pub(super) async fn read(&self, keys: BTreeMap<IncidentKey, ActionId>) -> BTreeMap<IncidentKey, Reading> {
        let mut readings = BTreeMap::new();
        for (key, action) in keys {
            let guard = self.0.of(&key).read_owned().await;
            let reading = self.held(action, &key, guard);
            readings.insert(key, reading);
        }
        readings
    }

    /// Whose turn it is on this one.
    pub(super) fn whose(&self, key: &IncidentKey) -> Option<ActionId> {
        self.0.all().get(key)?.whose
    }

    /// Until it is another one's turn somewhere, from the call on.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.0.changed.notified()
    }

    /// Tells those who watch, though nobody's turn began or ended.
    pub(super) fn look_again(&self) {
        self.0.changed.notify_waiters();
    }

    fn try_one(&self, action: ActionId, key: &IncidentKey) -> Option<Arc<Held<OwnedRwLockWriteGuard<()>>>> {
        let guard = self.0.of(key).try_write_owned().ok()?;
        Some(self.held(action, key, guard))
    }

    fn held<Guard>(&self, action: ActionId, key: &IncidentKey, guard: Guard) -> Arc<Held<Guard>> {
        self.0.set(key, Some(action));
        Arc::new(Held { _mark: Mark(Arc::clone(&self.0), key.clone()), _guard: guard })
    }
}

impl Inside {
    fn of(&self, key: &IncidentKey) -> Arc<RwLock<()>> {
        let mut all = self.all();
        if let Some(known) = all.get(key).and_then(|line| line.lock.upgrade()) {
            return known;
        }
        all.retain(|_, line| line.lock.strong_count() > 0);
        let new = Arc::new(RwLock::new(()));
        all.insert(key.clone(), Line { lock: Arc::downgrade(&new), whose: None });
        new
    }

    fn set(&self, key: &IncidentKey, whose: Option<ActionId>) {
        if let Some(line) = self.all().get_mut(key) {
            line.whose = whose;
        }
        self.changed.notify_waiters();
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<IncidentKey, Line>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

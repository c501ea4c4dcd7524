//! Actions on one incident are carried out one after the other, whoever asked for them: what one has looked at is not
//! changed by another before it is sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::core::id::IncidentKey;

/// The incidents on which somebody works or waits to.
#[derive(Debug, Default)]
pub struct AtWork(Mutex<BTreeMap<IncidentKey, Weak<RwLock<()>>>>);

/// As long as this is held, no other action is carried out on the incident.
pub(super) type Turn = Arc<OwnedRwLockWriteGuard<()>>;

/// The same for one that only reads what became of it: several can be held at the same time.
pub(super) type Reading = Arc<OwnedRwLockReadGuard<()>>;

impl AtWork {
    /// Waits until nobody else works on any of these. Always in the same order, so that no two wait for each other.
    pub(super) async fn take(&self, keys: BTreeSet<IncidentKey>) -> BTreeMap<IncidentKey, Turn> {
        let mut turns = BTreeMap::new();
        for key in keys {
            let turn = self.of(&key).write_owned().await;
            turns.insert(key, Arc::new(turn));
        }
        turns
    }

    /// The same for reading, in the same order.
    pub(super) async fn read(&self, keys: BTreeSet<IncidentKey>) -> BTreeMap<IncidentKey, Reading> {
        let mut readings = BTreeMap::new();
        for key in keys {
            let reading = self.of(&key).read_owned().await;
            readings.insert(key, Arc::new(reading));
        }
        readings
    }

    fn of(&self, key: &IncidentKey) -> Arc<RwLock<()>> {
        let mut all = self.all();
        if let Some(known) = all.get(key).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(RwLock::new(()));
        all.insert(key.clone(), Arc::downgrade(&new));
        new
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<IncidentKey, Weak<RwLock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

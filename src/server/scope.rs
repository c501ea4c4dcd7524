//! Of which incidents push tells, as far as the provider's subscriptions to the door are known.

use std::sync::{Mutex, PoisonError};

use crate::core::{incident::State, subscription::Filter};

/// The filters of the subscriptions that lead to an account's door.
#[derive(Debug, Default)]
pub struct Scope(Mutex<Option<Vec<Filter>>>);

impl Scope {
    pub fn set(&self, filters: Vec<Filter>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(filters);
    }

    /// Whether push was to tell of this incident. While nothing is known, it was.
    pub fn covers(&self, incident: &State) -> bool {
        let filters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        filters.as_ref().is_none_or(|filters| filters.iter().any(|filter| filter.covers(incident)))
    }
}

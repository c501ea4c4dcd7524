//! An answer that is waited for: by its number, so that a late one is known as late, and not for ever.

use jiff::{SignedDuration, Timestamp};

use crate::proto::{Request, RequestId};

use super::{Effect, Model};

/// How long an answer may take before it is asked for again.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    id: RequestId,
    since: Timestamp,
}

impl Wait {
    /// Asks, and gives what to wait for.
    pub(super) fn ask(model: &mut Model, request: Request) -> (Self, Effect) {
        let (id, effect) = model.ask(request);
        (Self { id, since: model.now }, effect)
    }

    /// Whether this is the answer to it.
    pub(super) fn is(self, id: RequestId) -> bool {
        self.id == id
    }

    /// Whether the answer is not to be expected any more (the link broke meanwhile).
    pub fn overdue(self, now: Timestamp) -> bool {
        now.duration_since(self.since) > PATIENCE
    }
}

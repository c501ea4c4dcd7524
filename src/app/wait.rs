//! An answer that is waited for: by its number, so that a late one is known as late, and not for ever.

use jiff::{SignedDuration, Timestamp};

use crate::proto::{Request, RequestId};

use super::{About, Effect, Link, Model, NoticeKind};

/// How long an answer may take before it is asked for again.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    id: RequestId,
    since: Timestamp,
}

impl Wait {
    /// Asks, and gives what to wait for; `None` while there is no link to the server.
    pub(super) fn ask(model: &mut Model, request: Request) -> Option<(Self, Effect)> {
        if !matches!(model.link, Link::Up(_)) {
            return None;
        }
        let (id, effect) = model.ask(request);
        Some((Self { id, since: model.now }, effect))
    }

    /// Like [`Wait::ask`] for what the person asked for: says why nothing is asked.
    pub(super) fn ask_aloud(model: &mut Model, request: Request) -> Option<(Self, Effect)> {
        let asked = Self::ask(model, request);
        if asked.is_none() {
            model.say_of(NoticeKind::Bad, "no link to the server: nothing can be asked", About::Link);
        }
        asked
    }

    /// Whether this is the answer to it.
    pub(super) fn is(self, id: RequestId) -> bool {
        self.id == id
    }

    /// Whether the answer is not to be expected any more (the link broke meanwhile, or the clock was set).
    pub fn overdue(self, now: Timestamp) -> bool {
        now.duration_since(self.since).abs() > PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::{model, now};

    #[test]
    fn an_answer_is_not_waited_for_an_hour_longer_because_the_clock_was_set_back() {
        let (wait, _) = Wait::ask(&mut model(80, 24), Request::Refresh).expect("asked");

        assert!(!wait.overdue(now() + PATIENCE));
        assert!(wait.overdue(now() - SignedDuration::from_hours(1)));
    }
}

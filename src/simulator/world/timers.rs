//! What the account does by itself when time passes: escalate, take an acknowledgement back, resolve.

use jiff::Timestamp;

use super::{
    Agent, IncidentIx, World,
    incident::{Entry, Timer},
};
use crate::core::incident::Status;

impl World {
    /// Lets everything happen that is due by `now`, each at the time it was due.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        let due: Vec<IncidentIx> = self.open().filter(|ix| self.incident(*ix).timers.due(now).is_some()).collect();
        for ix in due {
            while let Some((at, timer)) = self.incident(ix).timers.due(now) {
                self.run_out(ix, timer, at);
            }
        }
    }

    fn run_out(&mut self, ix: IncidentIx, timer: Timer, at: Timestamp) {
        match timer {
            Timer::Escalate => self.climb(ix, at),
            Timer::Unacknowledge => self.unacknowledge(ix, Agent::Timeout, at),
            Timer::Resolve => self.resolve(ix, Agent::Timeout, None, at),
        }
    }

    /// Nobody answered at this level: the next one, the path again, or its end.
    pub(crate) fn climb(&mut self, ix: IncidentIx, at: Timestamp) {
        let incident = self.incident(ix);
        let policy = self.account.policy(incident.policy);
        let (next, walked) = (incident.level + 1, incident.walked);
        if next < policy.rules.len() {
            self.escalate(ix, next, Agent::Timeout, at);
        } else if walked < policy.loops {
            self.incident_mut(ix).walked += 1;
            self.log(ix, Entry::RepeatPath, Agent::Timeout, "Escalation path repeats.".to_owned(), at);
            self.escalate(ix, 0, Agent::Timeout, at);
        } else {
            self.incident_mut(ix).timers.escalate = None;
            self.log(ix, Entry::ExhaustPath, Agent::Timeout, "Escalation path is at its end.".to_owned(), at);
        }
    }

    /// Makes the next escalation of a triggered incident happen now; whether there was one to come.
    pub(super) fn hurry(&mut self, ix: IncidentIx, now: Timestamp) -> bool {
        let incident = self.incident(ix);
        let waits = incident.status == Status::Triggered && incident.timers.escalate.is_some();
        if waits {
            self.climb(ix, now);
        }
        waits
    }
}

//! What happened before the simulator was started: open incidents in every state, some older than a month, and some that
//! are over. It is lived through with the ordinary changes, so that timelines and states agree.

use jiff::Timestamp;

use super::{super::clock, Agent, IncidentIx, ServiceIx, Trigger, UserIx, World, alarm, incident::Timers};
use crate::core::incident::Status;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// One in this many open incidents is older than the month that a plain list shows.
const ANCIENT: usize = 12;
/// More than these do not make it more real.
const MOST_RESOLVED: usize = 400;

/// Things that people write at night.
pub(super) const NOTES: &[&str] = &[
    "Looking at it.",
    "Restarted the worker, error rate is falling. Watching for ten minutes.",
    "Same as last week: the replica fell behind after the nightly job.",
    "Failed over to the standby; the old primary stays up for the post mortem.",
    "Customer support has been told. Status page updated.",
    "Rolled back the release from 22:40.",
];

enum Fate {
    Open,
    Over,
}

impl World {
    pub(super) fn live_through(&mut self, open: usize, now: Timestamp) {
        let over = (open / 2).min(MOST_RESOLVED);
        let mut past: Vec<(Timestamp, Fate)> = (0..open).map(|n| (self.past(n, now), Fate::Open)).collect();
        past.extend((0..over).map(|_| (clock::after(now, -self.dice.between(2 * HOUR, 25 * DAY)), Fate::Over)));
        past.sort_by_key(|(at, _)| *at);
        for (at, fate) in past {
            let ix = self.alarm_at(at);
            match fate {
                Fate::Open => self.leave_open(ix, at, now),
                Fate::Over => self.see_through(ix, at),
            }
        }
    }

    /// When the `n`th open incident began: most in the last hours, some long ago.
    fn past(&mut self, n: usize, now: Timestamp) -> Timestamp {
        let ago = if n % ANCIENT == ANCIENT - 1 {
            self.dice.between(35 * DAY, 80 * DAY)
        } else if n.is_multiple_of(4) {
            self.dice.between(8 * HOUR, 6 * DAY)
        } else {
            self.dice.between(120, 8 * HOUR)
        };
        clock::after(now, -ago)
    }

    /// A random service complains.
    pub(super) fn alarm_at(&mut self, at: Timestamp) -> IncidentIx {
        let ix = ServiceIx(usize::try_from(self.dice.between(0, 7)).unwrap_or(0) % self.account.services.len());
        let service = self.account.service(ix);
        let alarm = alarm(&mut self.dice, service.feed, service.name, at);
        let priority = if self.dice.percent(35) { Some(self.dice.between(1, 3)) } else { None };
        let priority = priority.and_then(|p| self.account.find_priority(&format!("P{p}")));
        let new = Trigger {
            title: alarm.title,
            service: ix,
            urgency: alarm.urgency,
            agent: Agent::Service(ix),
            priority,
            key: None,
            alert: Some((alarm.severity, alarm.details, alarm.contexts)),
            policy: None,
            assignee: None,
            kind: None,
        };
        self.trigger(new, at)
    }

    /// One of those it is assigned to, or anybody.
    fn somebody(&mut self, ix: IncidentIx) -> UserIx {
        let assignees = self.assignees(ix);
        self.dice.choose(assignees).unwrap_or(UserIx(0))
    }

    fn leave_open(&mut self, ix: IncidentIx, began: Timestamp, now: Timestamp) {
        let lived = now.as_second().saturating_sub(began.as_second());
        if self.dice.percent(25) {
            self.hurry(ix, clock::after(began, lived / 4));
        }
        if self.dice.percent(50) {
            let by = self.somebody(ix);
            self.acknowledge(ix, by, clock::after(began, lived / 3));
            if self.dice.percent(50) {
                let note = *self.dice.pick(NOTES);
                self.annotate(ix, by, note, clock::after(began, lived / 2));
            }
            if self.dice.percent(15) {
                let ahead = self.dice.between(HOUR, DAY);
                self.snooze(ix, lived / 3 + ahead, by, clock::after(began, 2 * lived / 3));
            }
        }
        self.rewind(ix, now);
    }

    /// Time-outs that would have run out meanwhile are ahead again: nothing happens at the very start.
    fn rewind(&mut self, ix: IncidentIx, now: Timestamp) {
        let mut ahead = |at: Option<Timestamp>, low, high| {
            let later = clock::after(now, self.dice.between(low, high));
            at.map(|at| if at <= clock::after(now, low) { later } else { at })
        };
        let was = self.incidents[ix.0].timers;
        let timers = Timers {
            escalate: ahead(was.escalate, 120, 1800),
            unacknowledge: ahead(was.unacknowledge, 300, 1800),
            resolve: ahead(was.resolve, HOUR, 4 * HOUR),
            snoozed: was.snoozed,
        };
        self.incident_mut(ix).timers = timers;
    }

    fn see_through(&mut self, ix: IncidentIx, began: Timestamp) {
        if self.dice.percent(20) {
            self.resolve(ix, Agent::Service(self.incident(ix).service), None, clock::after(began, 600));
            return;
        }
        let by = self.somebody(ix);
        let taken = clock::after(began, self.dice.between(20, 300));
        self.acknowledge(ix, by, taken);
        let note = *self.dice.pick(NOTES);
        self.annotate(ix, by, note, clock::after(began, 900));
        let end = clock::after(began, self.dice.between(1200, 7000));
        if self.incident(ix).status != Status::Resolved {
            self.resolve(ix, Agent::User(by), Some(note.to_owned()), end);
        }
    }
}

//! One thing that happens by itself in a random night, done by anybody but the person at the console.

use jiff::Timestamp;

use super::{Agent, IncidentIx, UserIx, World, history::NOTES};
use crate::core::incident::Status;

/// With more open than this, alarms become rare and people get on with it.
const BUSY: usize = 40;

impl World {
    /// Lets one random thing happen.
    pub(crate) fn night_step(&mut self, now: Timestamp) {
        let alarms: i64 = if self.open.len() > BUSY { 10 } else { 40 };
        let throw = self.dice.between(0, 99);
        let step = match throw {
            t if t < alarms => None,
            t if t < alarms + 14 => self.other_acknowledges(now),
            t if t < alarms + 26 => self.other_writes(now),
            t if t < alarms + 36 => self.nobody_answers(now),
            t if t < alarms + 41 => self.other_hands_over(now),
            t if t < alarms + 50 => self.alarm_ends(now),
            _ => self.other_resolves(now),
        };
        if step.is_none() {
            self.alarm_at(now);
        }
    }

    fn one_of(&mut self, wanted: impl Fn(&Self, IncidentIx) -> bool) -> Option<IncidentIx> {
        let found: Vec<_> = self.open().filter(|ix| wanted(self, *ix)).collect();
        self.dice.choose(found)
    }

    /// Anybody but the first user, who sits at the console.
    fn other(&mut self) -> UserIx {
        let last = i64::try_from(self.account.users.len()).unwrap_or(2) - 1;
        UserIx(usize::try_from(self.dice.between(1, last)).unwrap_or(1))
    }

    fn other_acknowledges(&mut self, now: Timestamp) -> Option<IncidentIx> {
        let ix = self.one_of(|w, ix| w.incident(ix).status == Status::Triggered)?;
        let by = self.other();
        self.acknowledge(ix, by, now);
        Some(ix)
    }

    fn other_writes(&mut self, now: Timestamp) -> Option<IncidentIx> {
        let ix = self.one_of(|_, _| true)?;
        let (by, note) = (self.other(), *self.dice.pick(NOTES));
        self.annotate(ix, by, note, now);
        Some(ix)
    }

    fn nobody_answers(&mut self, now: Timestamp) -> Option<IncidentIx> {
        let ix = self.one_of(|w, ix| w.incident(ix).timers.escalate.is_some())?;
        self.hurry(ix, now).then_some(ix)
    }

    fn other_hands_over(&mut self, now: Timestamp) -> Option<IncidentIx> {
        let ix = self.one_of(|w, ix| w.incident(ix).status == Status::Acknowledged)?;
        let (from, to) = (self.other(), self.other());
        self.reassign(ix, &[to], Agent::User(from), now);
        Some(ix)
    }

    /// The monitoring says that all is well again.
    fn alarm_ends(&mut self, now: Timestamp) -> Option<IncidentIx> {
        let ix = self.one_of(|_, _| true)?;
        self.resolve(ix, Agent::Service(self.incident(ix).service), None, now);
        Some(ix)
    }

    fn other_resolves(&mut self, now: Timestamp) -> Option<IncidentIx> {
        let ix = self.one_of(|w, ix| w.incident(ix).status == Status::Acknowledged)?;
        let by = self.other();
        self.resolve(ix, Agent::User(by), None, now);
        Some(ix)
    }
}

//! The state of the simulated account and everything that can happen to it. No I/O and no clock: each change is told
//! when it happens, leaves a line in the timeline, and puts the webhook it causes into `outbox`.

pub(crate) mod account;
mod alarms;
mod cast;
mod change;
mod history;
pub(crate) mod incident;
mod night;
mod objection;
mod response;
pub(crate) mod rota;
mod timers;
pub(crate) mod update;

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

pub(crate) use self::{
    account::{Account, IncidentIx, PolicyIx, PriorityIx, ScheduleIx, ServiceIx, TeamIx, UserIx},
    alarms::{alarm, slug},
    change::Trigger,
    incident::{Agent, Incident},
    objection::Objection,
};
use super::{dice::Dice, json::event::Event};

/// Whether somebody has subscribed to webhooks; without, none are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Nobody,
    Subscribed,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) dice: Dice,
    /// Webhooks not yet handed to the courier, oldest first.
    pub(crate) outbox: Vec<Event>,
    incidents: Vec<Incident>,
    by_id: HashMap<String, IncidentIx>,
    open: BTreeSet<IncidentIx>,
    audience: Audience,
}

impl World {
    /// An account with `open` incidents that began before `now`, and some that are over.
    pub(crate) fn new(seed: u64, open: usize, now: Timestamp, audience: Audience) -> Self {
        let mut dice = Dice::new(seed);
        let account = Account::new(&mut dice, now);
        let mut world = Self {
            account,
            dice,
            outbox: vec![],
            incidents: vec![],
            by_id: HashMap::new(),
            open: BTreeSet::new(),
            audience: Audience::Nobody,
        };
        world.live_through(open, now);
        world.audience = audience;
        world
    }

    pub(crate) fn set_audience(&mut self, audience: Audience) {
        self.audience = audience;
    }

    pub(crate) fn incident(&self, ix: IncidentIx) -> &Incident {
        &self.incidents[ix.0]
    }

    fn incident_mut(&mut self, ix: IncidentIx) -> &mut Incident {
        &mut self.incidents[ix.0]
    }

    /// All incidents, oldest first.
    pub(crate) fn incidents(&self) -> impl Iterator<Item = (IncidentIx, &Incident)> {
        self.incidents.iter().enumerate().map(|(at, incident)| (IncidentIx(at), incident))
    }

    /// Those that are not resolved, oldest first.
    pub(crate) fn open(&self) -> impl Iterator<Item = IncidentIx> {
        self.open.iter().copied()
    }

    /// When the latest incident of a service began.
    pub(crate) fn latest_of(&self, service: ServiceIx) -> Option<Timestamp> {
        self.incidents.iter().rev().find(|i| i.service == service).map(|i| i.created_at)
    }

    /// By id, or by number as `GET /incidents/{id}` allows.
    pub(crate) fn find(&self, word: &str) -> Option<IncidentIx> {
        let by_number = || {
            let number: u64 = word.parse().ok()?;
            self.incidents.iter().position(|i| i.number == number).map(IncidentIx)
        };
        self.by_id.get(word).copied().or_else(by_number)
    }
}

//! The account: people, teams, services, policies and schedules. All of it is invented; the names are always the same,
//! only ids come from the seed. Nothing is ever removed, so an index into these lists stays true.

use jiff::{Timestamp, civil::Time};

use super::super::dice::Dice;

macro_rules! indices {
    ($($name:ident)*) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) usize);
    )*};
}

indices! { UserIx TeamIx ServiceIx PolicyIx ScheduleIx PriorityIx IncidentIx }

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) email: String,
    pub(crate) zone: &'static str,
    pub(crate) color: &'static str,
    pub(crate) role: &'static str,
    pub(crate) job_title: &'static str,
    pub(crate) team: TeamIx,
    pub(crate) contact_method: String,
    pub(crate) notification_rule: String,
}

#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
}

/// Which monitoring feeds a service; decides what its alerts look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    CloudWatch,
    Prometheus,
    Datadog,
    Email,
    Nagios,
    NewRelic,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) policy: PolicyIx,
    pub(crate) team: TeamIx,
    pub(crate) created_at: Timestamp,
    /// Seconds until an acknowledgement is forgotten.
    pub(crate) acknowledgement_timeout: Option<i64>,
    /// Seconds until an open incident is resolved by itself.
    pub(crate) auto_resolve_timeout: Option<i64>,
    pub(crate) feed: Feed,
    pub(crate) integration: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    User(UserIx),
    Schedule(ScheduleIx),
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) delay_minutes: i64,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) rules: Vec<Rule>,
    /// How often the whole path is walked again after its end.
    pub(crate) loops: u32,
    pub(crate) team: TeamIx,
}

/// A layer that is only in force at some hours of the day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Daily {
    pub(crate) from: Time,
    pub(crate) seconds: i64,
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) start: Timestamp,
    pub(crate) turn_seconds: i64,
    pub(crate) users: Vec<UserIx>,
    pub(crate) daily: Option<Daily>,
}

/// Which of the two systems keeps a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Layers,
    /// `/v3/schedules`: each layer is a rotation.
    Shifts,
}

/// How an override came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Over,
    /// In place of somebody, as shift-based schedules want it named.
    InPlaceOf(UserIx),
    /// Beside the rotations.
    Extra,
}

/// A time in which services call nobody.
#[derive(Debug, Clone)]
pub(crate) struct Maintenance {
    pub(crate) id: String,
    pub(crate) number: usize,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) description: String,
    pub(crate) services: Vec<ServiceIx>,
    pub(crate) by: UserIx,
}

#[derive(Debug, Clone)]
pub(crate) struct Override {
    pub(crate) made: Made,
    pub(crate) id: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) user: UserIx,
}

#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) zone: &'static str,
    /// Later layers win over earlier ones.
    pub(crate) layers: Vec<Layer>,
    /// The last created wins.
    pub(crate) overrides: Vec<Override>,
    pub(crate) team: TeamIx,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) struct Priority {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
}

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) zone: &'static str,
    pub(crate) users: Vec<User>,
    pub(crate) teams: Vec<Team>,
    pub(crate) services: Vec<Service>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) schedules: Vec<Schedule>,
    /// Most severe first.
    pub(crate) priorities: Vec<Priority>,
    pub(crate) subscription: String,
    pub(crate) maintenance: Vec<Maintenance>,
}

impl Account {
    pub(crate) fn new(dice: &mut Dice, now: Timestamp) -> Self {
        super::cast::account(dice, now)
    }

    pub(crate) fn user(&self, ix: UserIx) -> &User {
        &self.users[ix.0]
    }

    pub(crate) fn team(&self, ix: TeamIx) -> &Team {
        &self.teams[ix.0]
    }

    pub(crate) fn service(&self, ix: ServiceIx) -> &Service {
        &self.services[ix.0]
    }

    pub(crate) fn policy(&self, ix: PolicyIx) -> &Policy {
        &self.policies[ix.0]
    }

    pub(crate) fn schedule(&self, ix: ScheduleIx) -> &Schedule {
        &self.schedules[ix.0]
    }

    pub(crate) fn priority(&self, ix: PriorityIx) -> &Priority {
        &self.priorities[ix.0]
    }

    /// By id, e-mail (in any case) or full name.
    pub(crate) fn find_user(&self, word: &str) -> Option<UserIx> {
        self.users.iter().position(|u| u.id == word || u.email.eq_ignore_ascii_case(word) || u.name == word).map(UserIx)
    }

    /// By id or name.
    pub(crate) fn find_service(&self, word: &str) -> Option<ServiceIx> {
        self.services.iter().position(|s| s.id == word || s.name == word).map(ServiceIx)
    }

    /// By id or name.
    pub(crate) fn find_policy(&self, word: &str) -> Option<PolicyIx> {
        self.policies.iter().position(|p| p.id == word || p.name == word).map(PolicyIx)
    }

    pub(crate) fn find_schedule(&self, id: &str) -> Option<ScheduleIx> {
        self.schedules.iter().position(|s| s.id == id).map(ScheduleIx)
    }

    /// By id or name; among equal names the most severe.
    pub(crate) fn find_priority(&self, word: &str) -> Option<PriorityIx> {
        self.priorities.iter().position(|p| p.id == word || p.name == word).map(PriorityIx)
    }
}

//! Who is on call: by escalation level, and by schedule.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::{PolicyId, ScheduleId, UserId},
    incident::Named,
    text::Shown,
};

/// One person on call at one level of one escalation policy, now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OnCall {
    pub policy: Named<PolicyId>,
    /// 1 is paged first.
    pub level: u32,
    pub user: Named<UserId>,
    /// `None`: named directly by the policy, not through a schedule.
    pub schedule: Option<Named<ScheduleId>>,
    /// `None`: always on call.
    pub start: Option<Timestamp>,
    /// `None`: never ends.
    pub end: Option<Timestamp>,
}

impl OnCall {
    /// Whether it was over by then: who has it since is not told by it.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

/// One stretch of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shift {
    pub start: Timestamp,
    pub end: Timestamp,
    pub user: Named<UserId>,
    /// Whether an override put this person there.
    pub from_override: bool,
}

/// A schedule with its shifts for the coming days, in order of time, gaps left out. What a board has was asked for at
/// `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub schedule: Named<ScheduleId>,
    /// The schedule's own zone, as the provider names it.
    pub zone: Shown,
    pub shifts: Vec<Shift>,
    /// The window that was asked for: providers cut shifts at its ends.
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Schedule {
    /// Who has it at a moment within the window.
    pub fn on_duty(&self, at: Timestamp) -> impl Iterator<Item = &Shift> {
        self.shifts.iter().filter(move |shift| shift.start <= at && at < shift.end)
    }

    /// Whether `shift` may have begun earlier than it says: what starts before the window was not cut.
    pub fn cuts_start_of(&self, shift: &Shift) -> bool {
        shift.start == self.from
    }

    /// Whether `shift` may end later than it says: what ends behind the window was not cut.
    pub fn cuts_end_of(&self, shift: &Shift) -> bool {
        shift.end == self.to
    }
}

/// A person who can be handed an incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    pub user: Named<UserId>,
    pub email: Option<Shown>,
}

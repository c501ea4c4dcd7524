//! What the simulator knows about one incident, its alerts, notes and timeline. Plain state: the rules are in `change`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::account::{IncidentIx, PolicyIx, PriorityIx, ServiceIx, UserIx};
use crate::core::incident::{Status, Urgency};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agent {
    User(UserIx),
    Service(ServiceIx),
    /// A time-out of the account; `null` in webhooks.
    Timeout,
}

/// How the assignees came to it. After a direct assignment nothing escalates any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Policy,
    Direct,
}

#[derive(Debug)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) key: String,
    pub(crate) created_at: Timestamp,
    pub(crate) resolved_at: Option<Timestamp>,
    pub(crate) severity: &'static str,
    /// An object or plain text, as the monitoring sent it.
    pub(crate) details: Value,
    pub(crate) contexts: Vec<Value>,
    pub(crate) service: ServiceIx,
    pub(crate) trigger_entry: String,
}

#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) user: UserIx,
    pub(crate) content: String,
    pub(crate) at: Timestamp,
}

/// Somebody who was asked to join.
#[derive(Debug)]
pub(crate) struct Responder {
    pub(crate) user: UserIx,
    pub(crate) by: UserIx,
    pub(crate) message: String,
    pub(crate) at: Timestamp,
}

/// What a line of the timeline is about, with what only this kind of line has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Trigger,
    Assign(Vec<UserIx>),
    Notify(UserIx),
    Acknowledge(Option<i64>),
    Unacknowledge,
    Escalate(Vec<UserIx>),
    RepeatPath,
    ExhaustPath,
    Delegate(Vec<UserIx>),
    Snooze(Timestamp),
    Annotate(String),
    Resolve(Option<String>),
    Reopen,
    UrgencyChange,
    FieldChange,
}

impl Entry {
    /// The `type` of the log entry.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Trigger => "trigger_log_entry",
            Self::Assign(_) => "assign_log_entry",
            Self::Notify(_) => "notify_log_entry",
            Self::Acknowledge(_) => "acknowledge_log_entry",
            Self::Unacknowledge => "unacknowledge_log_entry",
            Self::Escalate(_) => "escalate_log_entry",
            Self::RepeatPath => "repeat_escalation_path_log_entry",
            Self::ExhaustPath => "exhaust_escalation_path_log_entry",
            Self::Delegate(_) => "delegate_log_entry",
            Self::Snooze(_) => "snooze_log_entry",
            Self::Annotate(_) => "annotate_log_entry",
            Self::Resolve(_) => "resolve_log_entry",
            Self::Reopen => "reopen_log_entry",
            Self::UrgencyChange => "urgency_change_log_entry",
            Self::FieldChange => "field_value_change_log_entry",
        }
    }

    /// Whether `is_overview=true` leaves it in.
    pub(crate) fn is_overview(&self) -> bool {
        !matches!(self, Self::Notify(_) | Self::FieldChange)
    }
}

#[derive(Debug)]
pub(crate) struct LogEntry {
    pub(crate) id: String,
    pub(crate) entry: Entry,
    pub(crate) at: Timestamp,
    pub(crate) agent: Agent,
    pub(crate) summary: String,
}

/// What will happen by itself, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Escalate,
    Unacknowledge,
    Resolve,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Timers {
    pub(crate) escalate: Option<Timestamp>,
    pub(crate) unacknowledge: Option<Timestamp>,
    pub(crate) resolve: Option<Timestamp>,
    /// Snoozed: `unacknowledge` is the end of the snooze, and nothing resolves by itself.
    pub(crate) snoozed: bool,
}

impl Timers {
    /// The timers that run, in no order.
    pub(crate) fn running(&self) -> impl Iterator<Item = (Timestamp, Timer)> {
        let resolve = if self.snoozed { None } else { self.resolve };
        let all =
            [(self.escalate, Timer::Escalate), (self.unacknowledge, Timer::Unacknowledge), (resolve, Timer::Resolve)];
        all.into_iter().filter_map(|(at, timer)| Some((at?, timer)))
    }

    /// The one that runs out first, if that is by `now`.
    pub(crate) fn due(&self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        self.running().filter(|(at, _)| *at <= now).min()
    }
}

#[derive(Debug)]
pub(crate) struct Incident {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) key: String,
    pub(crate) service: ServiceIx,
    pub(crate) urgency: Urgency,
    pub(crate) status: Status,
    pub(crate) priority: Option<PriorityIx>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) status_at: Timestamp,
    pub(crate) status_by: Agent,
    pub(crate) resolved_at: Option<Timestamp>,
    pub(crate) reopened_at: Option<Timestamp>,
    pub(crate) policy: PolicyIx,
    /// Counted from 0.
    pub(crate) level: usize,
    /// How often the policy was walked to its end.
    pub(crate) walked: u32,
    pub(crate) assignments: Vec<(Timestamp, UserIx)>,
    pub(crate) via: Via,
    pub(crate) acknowledgements: Vec<(Timestamp, UserIx)>,
    pub(crate) timers: Timers,
    pub(crate) merged_into: Option<IncidentIx>,
    /// `incident_default` unless somebody changed it.
    pub(crate) kind: String,
    pub(crate) bridge: Option<Value>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) notes: Vec<Note>,
    pub(crate) log: Vec<LogEntry>,
    pub(crate) responders: Vec<Responder>,
    /// Custom fields that were set, by id.
    pub(crate) fields: BTreeMap<&'static str, Value>,
    /// The id of the line that began it.
    pub(crate) trigger_entry: String,
    /// When its latest webhook says it happened: the next one is later, always.
    pub(crate) told_at: Timestamp,
}

impl Incident {
    /// All alerts, and those still triggered.
    pub(crate) fn alert_counts(&self) -> (usize, usize) {
        (self.alerts.len(), self.alerts.iter().filter(|a| a.resolved_at.is_none()).count())
    }
}

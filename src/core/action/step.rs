//! The steps of an action: each is one request to the provider, is sent once, and is seen to be done or not.

use jiff::{SignedDuration, Timestamp};

use super::{Assignee, Edit};
use crate::core::{
    id::{AlertId, IncidentId, WorkflowId},
    incident::{Observation, Status},
    text::Shown,
};

/// A snooze is given to the provider as a length, so its end may lie off by the time the request takes.
const SNOOZE_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// One request's worth of an action on one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Acknowledge,
    Resolve,
    Assign(Assignee),
    Escalate(u32),
    Edit(Edit),
    Snooze(Timestamp),
    MergeInto(IncidentId),
    Note(String),
    AddResponders { to: Vec<Assignee>, message: String },
    StatusUpdate(String),
    RunWorkflow(WorkflowId),
    ResolveAlert(AlertId),
}

impl Step {
    /// What stands in the outcome of an action of which only this was done.
    pub fn done(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledged",
            Self::Resolve => "resolved",
            Self::Assign(_) => "handed off",
            Self::Escalate(_) => "escalated",
            Self::Edit(_) => "changed",
            Self::Snooze(_) => "snoozed",
            Self::MergeInto(_) => "merged",
            Self::Note(_) => "note added",
            Self::AddResponders { .. } => "responders asked",
            Self::StatusUpdate(_) => "status update sent",
            Self::RunWorkflow(_) => "workflow started",
            Self::ResolveAlert(_) => "alert resolved",
        }
    }

    /// The thing that failed, in an outcome of which the steps before were done.
    pub fn thing(&self) -> &'static str {
        match self {
            Self::Note(_) => "the note",
            Self::Snooze(_) => "the snooze",
            other => other.done(),
        }
    }

    /// Whether many incidents can be brought there by one request.
    pub fn is_for_many(&self) -> bool {
        match self {
            Self::Acknowledge | Self::Resolve | Self::Assign(_) | Self::Escalate(_) => true,
            Self::Edit(edit) => !matches!(edit, Edit::Field { .. }),
            _ => false,
        }
    }

    /// Whether the incident itself, as `seen`, is what this step makes of it; `None`: it does not tell. `skew`: the
    /// provider's clock minus ours.
    pub fn is_done_in(&self, seen: &Observation, skew: SignedDuration) -> Option<bool> {
        let state = &seen.state;
        Some(match self {
            Self::Acknowledge => state.status == Status::Acknowledged,
            Self::Resolve => state.status == Status::Resolved,
            // With nobody else beside: whom it is taken from has it no more.
            Self::Assign(Assignee::User(user)) => {
                !state.assignees.is_empty() && state.assignees.iter().all(|assignee| assignee.id == user.id)
            }
            Self::Assign(Assignee::EscalationPolicy(policy)) => {
                state.escalation_policy.as_ref().is_some_and(|known| known.id == policy.id)
            }
            Self::Edit(Edit::Title(title)) => state.title == Shown::line(title.trim()),
            Self::Edit(Edit::Urgency(urgency)) => state.urgency == *urgency,
            Self::Edit(Edit::Priority(priority)) => {
                state.priority.as_ref() == priority.as_ref().map(|priority| &priority.name)
            }
            Self::Snooze(until) => seen.extra.as_ref()?.pending.iter().any(|pending| {
                let apart = pending.at.duration_since(*until).saturating_sub(skew).abs();
                pending.what.as_str() == "unacknowledge" && apart <= SNOOZE_SLACK
            }),
            Self::MergeInto(into) => seen.extra.as_ref()?.merged_into.as_ref() == Some(into),
            Self::Escalate(_)
            | Self::Edit(Edit::Field { .. })
            | Self::Note(_)
            | Self::AddResponders { .. }
            | Self::StatusUpdate(_)
            | Self::RunWorkflow(_)
            | Self::ResolveAlert(_) => return None,
        })
    }
}

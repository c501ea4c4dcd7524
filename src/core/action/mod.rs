//! Actions: what a person asked for, on which incidents, and what became of it on each.

mod step;
mod verb;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::{ActionId, IncidentKey, PolicyId, UserId},
    incident::{Incident, Named, Status},
    text::Shown,
};

pub use step::Step;
pub use verb::{Edit, Field, FieldKind, LONGEST_SNOOZE, LONGEST_TEXT, NewIncident, Verb};

/// To whom incidents are handed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignee {
    User(Named<UserId>),
    EscalationPolicy(Named<PolicyId>),
}

impl Assignee {
    pub fn name(&self) -> &Shown {
        match self {
            Self::User(user) => &user.name,
            Self::EscalationPolicy(policy) => &policy.name,
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::User(user) => user.id.as_str(),
            Self::EscalationPolicy(policy) => policy.id.as_str(),
        }
    }
}

/// One incident an action is meant for, as the person saw it. When it stands otherwise by the time of acting,
/// nothing is sent and the outcome is a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub key: IncidentKey,
    pub seen: Status,
    /// To whom it was assigned: what somebody else took meanwhile is not handed on unasked. In any order.
    pub assignees: Vec<UserId>,
}

impl Target {
    /// The incident as it is known now.
    pub fn at(incident: &Incident) -> Self {
        let assignees = incident.state.assignees.iter().map(|user| user.id.clone()).collect();
        Self { key: incident.key.clone(), seen: incident.state.status, assignees }
    }
}

/// What something that was not sent yet waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// The end of this action, which was asked for earlier on the same incident.
    Action(ActionId),
    /// The time after which the provider takes requests again.
    RateLimit,
}

impl WaitsFor {
    pub fn words(self) -> String {
        match self {
            Self::Action(id) => format!("waits for action {id}"),
            Self::RateLimit => "waits for the rate limit of the provider".to_owned(),
        }
    }
}

/// What became of an action on one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// Written down, not sent yet.
    Pending {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<WaitsFor>,
    },
    /// Taken back by whoever had asked for it, before anything was sent.
    TakenBack,
    /// On its way; after a crash settled by reading the incident, never by sending again.
    Sent,
    /// The provider's answer shows it done. `notice` holds what else to know ("was acknowledged already").
    Confirmed { notice: Option<Shown> },
    /// A part was done and a part was not, for example handed off without the note.
    Partly { done: Shown, failed: Shown },
    /// Not done, and why.
    Failed { reason: Shown },
    /// Not sent: the incident stood elsewhere than the person had seen. Asking again with `now` as the seen status and
    /// these assignees does it.
    Conflict {
        now: Status,
        #[serde(default)]
        assignees: Vec<UserId>,
        reason: Shown,
    },
    /// Sent, and no answer came that tells whether it was done.
    Unknown { reason: Shown },
}

impl Outcome {
    /// Not sent yet, and nothing holds it up.
    pub const PENDING: Self = Self::Pending { waits_for: None };

    /// Whether nothing more will happen by itself.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Pending { .. } | Self::Sent)
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::TakenBack => "taken back",
            Self::Sent => "sent",
            Self::Confirmed { .. } => "confirmed",
            Self::Partly { .. } => "partly done",
            Self::Failed { .. } => "failed",
            Self::Conflict { .. } => "conflict",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The word, and what it waits for.
    pub fn words(&self) -> String {
        match self {
            Self::Pending { waits_for: Some(what) } => format!("{}: {}", self.word(), what.words()),
            other => other.word().to_owned(),
        }
    }
}

/// Who asked for an action: a local user, as the kernel tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The login, at that time.
    pub actor: Shown,
    /// `None`: of an action from before uids were kept.
    pub uid: Option<u32>,
    /// In whose name it went out, when not in the account's own.
    pub name: Option<Shown>,
}

impl By {
    /// For the log: who, and in whose name.
    pub fn words(&self) -> String {
        match &self.name {
            Some(name) => format!("{} as {name}", self.actor),
            None => self.actor.to_string(),
        }
    }
}

/// An action as it is kept: who, when, what, and one outcome for each incident, in the order asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub id: ActionId,
    pub at: Timestamp,
    /// Who asked.
    #[serde(flatten)]
    pub by: By,
    pub verb: Verb,
    pub outcomes: Vec<(IncidentKey, Outcome)>,
    /// Until when nothing is sent, so that it can be taken back; later too, as long as nothing was. `None`: not any more. Not
    /// kept over a restart, which sends nothing either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

impl Action {
    pub fn is_final(&self) -> bool {
        self.outcomes.iter().all(|(_, outcome)| outcome.is_final())
    }

    /// Whether it can still be taken back, as far as is known.
    pub fn waits(&self) -> bool {
        self.due.is_some() && self.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Pending { .. }))
    }
}

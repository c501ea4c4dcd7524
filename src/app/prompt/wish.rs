//! What a person wants done, before the particulars are known.

use crate::core::action::{Edit, Verb};

/// One for each prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Acknowledge,
    Resolve,
    HandOff,
    Note,
    Snooze,
    Escalate,
    Merge,
    /// Title, urgency, priority, or a custom field.
    Edit,
    AddResponders,
    StatusUpdate,
    RunWorkflow,
    ResolveAlert,
    Create,
    /// An override or a maintenance window.
    Arrange,
}

impl Wish {
    /// The word for it, also on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
            Self::HandOff => "hand off",
            Self::Note => "note",
            Self::Snooze => "snooze",
            Self::Escalate => "escalate",
            Self::Merge => "merge",
            Self::Edit => "edit",
            Self::AddResponders => "add responders",
            Self::StatusUpdate => "status update",
            Self::RunWorkflow => "run workflow",
            Self::ResolveAlert => "resolve alert",
            Self::Create => "create",
            Self::Arrange => "arrange",
        }
    }

    /// Whether `verb` is this wish with its particulars.
    pub fn is(self, verb: &Verb) -> bool {
        self == Self::of(verb)
    }

    pub fn of(verb: &Verb) -> Self {
        match verb {
            Verb::Acknowledge => Self::Acknowledge,
            Verb::Resolve { .. } => Self::Resolve,
            Verb::HandOff { .. } => Self::HandOff,
            Verb::Note { .. } => Self::Note,
            Verb::Snooze { .. } => Self::Snooze,
            Verb::Escalate { .. } => Self::Escalate,
            Verb::Merge { .. } => Self::Merge,
            Verb::Edit(Edit::Title(_) | Edit::Urgency(_) | Edit::Priority(_) | Edit::Field { .. }) => Self::Edit,
            Verb::AddResponders { .. } => Self::AddResponders,
            Verb::StatusUpdate { .. } => Self::StatusUpdate,
            Verb::RunWorkflow { .. } => Self::RunWorkflow,
            Verb::ResolveAlert { .. } => Self::ResolveAlert,
            Verb::Create(_) => Self::Create,
            Verb::Arrange(_) => Self::Arrange,
        }
    }

    /// Whether it can be wished for an incident that is resolved.
    pub(in crate::app) fn is_for_resolved(self) -> bool {
        matches!(self, Self::Note | Self::Edit)
    }

    /// Whether what can be chosen differs from incident to incident.
    pub(in crate::app) fn is_for_one(self) -> bool {
        matches!(self, Self::ResolveAlert)
    }

    /// Whether its choices are those of one account.
    pub(in crate::app) fn is_for_one_account(self) -> bool {
        !matches!(self, Self::Acknowledge | Self::Resolve | Self::Note | Self::Snooze | Self::StatusUpdate)
    }

    /// Whether asking twice for it is twice what was meant: a second note is not the same note.
    pub(in crate::app) fn repeats(self) -> bool {
        matches!(
            self,
            Self::Note | Self::Edit | Self::AddResponders | Self::StatusUpdate | Self::Create | Self::Arrange
        )
    }
}

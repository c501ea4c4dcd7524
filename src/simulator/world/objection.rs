//! Why the account refuses a change, with the code that `PagerDuty` documents for it.

/// The message is the documented one; the code goes with it into the error body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Objection {
    #[error("Incident Already Resolved")]
    AlreadyResolved,
    #[error("Invalid Status Provided")]
    InvalidStatus,
    #[error("Cannot Escalate")]
    CannotEscalate,
    #[error("Assigned To User Not Found")]
    AssigneeNotFound,
    #[error("Requester User Not Found")]
    RequesterNotFound,
    #[error("Cannot process reassign action")]
    CannotReassign,
    #[error("Incident is not Acknowledged")]
    NotAcknowledged,
    #[error("Snooze Duration is Invalid")]
    InvalidSnooze,
    #[error("Escalation Policy Not Found")]
    PolicyNotFound,
    #[error("Escalation Policy Has No User On Call")]
    NobodyOnCall,
    #[error("Incident Already Merged")]
    AlreadyMerged,
    #[error("Invalid Priority")]
    InvalidPriority,
    /// The list says what exactly.
    #[error("Invalid Input Provided")]
    Invalid(Vec<String>),
    #[error("Not Found")]
    NotFound,
}

impl Objection {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(vec![what.into()])
    }

    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::AlreadyResolved => 1001,
            Self::InvalidStatus => 1003,
            Self::CannotEscalate => 1006,
            Self::AssigneeNotFound => 1007,
            Self::RequesterNotFound => 1008,
            Self::CannotReassign => 1011,
            Self::NotAcknowledged => 1012,
            Self::InvalidSnooze => 1013,
            Self::PolicyNotFound => 1014,
            Self::NobodyOnCall => 1015,
            Self::AlreadyMerged => 1019,
            Self::InvalidPriority => 1020,
            Self::Invalid(_) => 2001,
            Self::NotFound => 2100,
        }
    }
}

//! Templates of outgoing webhooks, and what rendering one gives.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::DeliveryId,
    text::{Shown, ShownBody},
};

/// The event types of which there is a sample delivery, by name.
pub const SAMPLES: &[&str] = &[
    "incident.acknowledged",
    "incident.action_invocation.created",
    "incident.action_invocation.terminated",
    "incident.action_invocation.updated",
    "incident.annotated",
    "incident.conference_bridge.updated",
    "incident.custom_field_values.updated",
    "incident.delegated",
    "incident.escalated",
    "incident.incident_type.changed",
    "incident.priority_updated",
    "incident.reassigned",
    "incident.reopened",
    "incident.resolved",
    "incident.responder.added",
    "incident.responder.replied",
    "incident.role.assigned",
    "incident.service_updated",
    "incident.status_update_published",
    "incident.task.completed",
    "incident.task.created",
    "incident.task.updated",
    "incident.triggered",
    "incident.unacknowledged",
    "incident.workflow.completed",
    "incident.workflow.started",
    "pagey.ping",
    "service.created",
    "service.custom_field_values.updated",
    "service.deleted",
    "service.updated",
];

/// What a template is rendered on when nothing was chosen.
pub const USUAL_SAMPLE: &str = "incident.triggered";

/// On what a template is rendered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The sample of this event type, one of [`SAMPLES`].
    Sample(String),
    /// A delivery of the log.
    Delivery(DeliveryId),
}

impl Default for Subject {
    fn default() -> Self {
        Self::Sample(USUAL_SAMPLE.to_owned())
    }
}

/// A version of a template that was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateVersion {
    /// Counted from 1, never used again; 0: the present one.
    pub number: u32,
    pub saved_at: Option<Timestamp>,
    /// Who saved it, where that is known.
    pub by: Option<Shown>,
    pub bytes: u64,
}

/// A former version, by what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// What ships with dogwatch.
    BuiltIn,
    Number(u32),
}

const BUILT_IN: &str = "built-in";

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str(BUILT_IN),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version: a number from the history, or `built-in`")]
pub struct BadVersion(String);

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        if text == BUILT_IN {
            return Ok(Self::BuiltIn);
        }
        text.parse().map(Self::Number).map_err(|_| BadVersion(text.to_owned()))
    }
}

/// All versions of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateHistory {
    /// `None`: it was not saved, and is the built-in one.
    pub present: Option<TemplateVersion>,
    /// The newest first.
    pub former: Vec<TemplateVersion>,
    /// A template of this name ships with dogwatch.
    pub built_in: bool,
}

/// A template in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSummary {
    /// The file's name without its ending: lower-case letters, digits, `-` and `_`.
    pub name: String,
    pub saved_at: Option<Timestamp>,
    /// Ships with dogwatch and was not changed.
    pub built_in: bool,
}

/// What is wrong with a template or its output, and where (counted from 1; 0 when unknown).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub message: Shown,
    pub line: u32,
    pub column: u32,
}

/// The result of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preview {
    /// Rendered. `json` says whether the output is JSON, and where it stops being so; `warnings` what the template does
    /// that is perhaps not meant.
    Rendered {
        output: ShownBody,
        json: Result<(), Fault>,
        bytes: u64,
        #[serde(default)]
        warnings: Vec<Fault>,
    },
    /// Not rendered.
    Broken(Fault),
}

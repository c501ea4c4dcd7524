//! What there is to choose from when something is asked for, where only the provider knows.

use serde::{Deserialize, Serialize};

use super::{
    action::Field,
    id::{AlertId, IncidentId, PriorityId, ServiceId, WorkflowId},
    incident::Named,
    text::Shown,
};

/// Of what the choices are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoicesOf {
    Priorities,
    /// The incident workflows that are switched on.
    Workflows,
    /// The services that incidents can be made on.
    Services,
    /// The custom fields of an incident, with their values.
    Fields(IncidentId),
    /// The alerts of an incident that are not resolved.
    Alerts(IncidentId),
}

/// What there is, in the provider's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choices {
    /// The most severe first.
    Priorities(Vec<Named<PriorityId>>),
    /// Each with its description.
    Workflows(Vec<(Named<WorkflowId>, Shown)>),
    Services(Vec<Named<ServiceId>>),
    Fields(Vec<Field>),
    Alerts(Vec<Named<AlertId>>),
}

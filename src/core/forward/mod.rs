//! Outgoing webhooks: events of incidents, and the targets that they are sent to.

pub mod checks;
pub mod form;
pub mod happening;
pub mod names;
pub mod payload;
pub mod standing;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    id::{AccountName, DeliveryId, IncidentKey, TargetName},
    text::Shown,
};

/// What happened, by name: `incident.created`, `incident.acknowledged` … An open set: what a provider calls its own
/// events stands beside the names that all providers share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventType(String);

impl EventType {
    pub const CREATED: &str = "incident.created";
    pub const ACKNOWLEDGED: &str = "incident.acknowledged";
    pub const REJECTED: &str = "incident.input.rejected";
    pub const TIMEOUT: &str = "incident.timeout";
    pub const RESOLVED: &str = "incident.resolved";
    pub const DROPPED: &str = "incident.dropped";
    pub const HANDOFF: &str = "incident.handoff";

    /// The names that every provider's events are told by, in the order of an incident's life.
    pub const SHARED: [&str; 7] = [
        Self::CREATED,
        Self::ACKNOWLEDGED,
        Self::REJECTED,
        Self::TIMEOUT,
        Self::RESOLVED,
        Self::DROPPED,
        Self::HANDOFF,
    ];

    /// At most 128 visible characters of ASCII, as `incident.created`.
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it happens to an incident once at most, however often it is heard of.
    pub fn is_once(&self) -> bool {
        [Self::CREATED, Self::ACKNOWLEDGED, Self::RESOLVED, Self::DROPPED].contains(&self.0.as_str())
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Something that happened to an incident, as targets are told of it: the incident as it stood then, whatever became
/// of it since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Of this event alone: what a target knows repetitions by.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: EventType,
    pub at: Timestamp,
    pub account: AccountName,
    /// The provider's name, as `pagerduty`.
    pub provider: String,
    pub incident: IncidentKey,
    /// The incident's title.
    pub title: Shown,
    /// The incident, see [`payload::data`].
    pub data: Value,
    /// What the incident refers to, see [`payload::linked`].
    pub linked: Value,
    /// The delivery that told of it; `None`: polling found it.
    pub delivery: Option<DeliveryId>,
}

/// Why nothing is sent to a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TargetState {
    On,
    /// Somebody turned it off, here or in the configuration.
    Off,
    /// It failed for too long.
    Disabled {
        at: Timestamp,
        reason: Shown,
    },
    /// It cannot be sent to: a secret or the template cannot be read.
    Broken {
        reason: Shown,
    },
}

/// Where a target is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// In the configuration file: only the file changes it.
    Config,
    /// Beside it, by whoever made it in the console or with a command.
    Here,
}

/// A target, without its secrets: what consoles are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSummary {
    pub name: TargetName,
    pub kept: Kept,
    /// Scheme and host only: the rest of the address may be a secret.
    pub address: Shown,
    /// The user of Basic authentication.
    pub user: Option<Shown>,
    /// Names of the headers that are added.
    pub headers: Vec<Shown>,
    /// Whether a `webhook-signature` goes with it.
    pub signed: bool,
    /// Empty: none, so nothing is sent.
    pub events: Vec<EventType>,
    /// Whether the default body holds what the incident refers to; means nothing with a template.
    pub linked: bool,
    /// The template's name; `None`: the default body.
    pub template: Option<String>,
    /// Of incidents, in the query language.
    pub filter: Option<String>,
    /// How often a failed attempt is made again.
    pub retries: u32,
    /// Whether link-local and metadata addresses may be sent to.
    #[serde(default)]
    pub allow_link_local: bool,
    pub state: TargetState,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// The last attempt, and whether it was taken.
    pub last: Option<(Timestamp, bool)>,
    /// Events that wait to be sent.
    pub waiting: u32,
}

impl TargetSummary {
    /// Whether it should be sent to and nothing arrives: it is disabled, cannot be sent to, or takes nothing.
    pub fn is_down(&self) -> bool {
        match self.state {
            TargetState::Disabled { .. } | TargetState::Broken { .. } => true,
            TargetState::On => self.failing_since.is_some(),
            TargetState::Off => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_events_are_an_open_set() {
        assert!(EventType::SHARED.iter().all(|name| EventType::new(name).is_some()));
        assert!(EventType::new("service.custom_field_value.updated").is_some());
        assert!(["", "two words", "\u{1b}[2J", &"x".repeat(129)].iter().all(|name| EventType::new(name).is_none()));
    }
}

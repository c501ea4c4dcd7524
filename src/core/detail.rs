//! What is fetched when an incident is opened: its alerts, notes and timeline.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::IncidentKey,
    text::{Shown, ShownBody},
};

/// One alert of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub summary: Shown,
    /// `triggered` or `resolved` at `PagerDuty`.
    pub status: Shown,
    /// `critical`, `error`, `warning` or `info`, where the sender said so.
    pub severity: Option<Shown>,
    pub created_at: Option<Timestamp>,
    /// The alert's custom details as lines `path: value`, in the sender's order; one entry without a
    /// path when the details are plain text.
    pub details: Vec<(Shown, ShownBody)>,
    pub url: Option<Shown>,
}

/// A note that a person (or a bot) left on the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub at: Timestamp,
    pub author: Shown,
    pub content: ShownBody,
}

/// One line of the incident's history, newest first in [`Detail::timeline`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    pub at: Timestamp,
    /// The kind without its suffix: `acknowledge`, `assign`, `notify` …
    pub kind: Shown,
    pub summary: Shown,
}

/// Everything known about one incident beyond its row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    pub key: IncidentKey,
    /// When it was asked for, by our clock.
    pub fetched_at: Timestamp,
    pub description: Option<ShownBody>,
    pub alerts: Vec<Alert>,
    pub notes: Vec<Note>,
    pub timeline: Vec<TimelineEntry>,
    /// Parts that could not be fetched, each with its cause: an empty list above means "none" only when
    /// the part is not named here.
    pub missing: Vec<Shown>,
}

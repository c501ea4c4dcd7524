//! What is fetched when an incident is opened: its alerts, notes and timeline.

mod gist;
mod layout;
mod tree;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use gist::Gist;
pub use layout::Line;
pub use tree::Tree;

use super::{
    id::{AlertId, IncidentKey},
    runbook::Runbook,
    text::{Shown, ShownBody},
};

/// One alert of an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `None`: what the provider made no alert of.
    #[serde(default)]
    pub id: Option<AlertId>,
    pub summary: Shown,
    /// `triggered` or `resolved` at `PagerDuty`.
    pub status: Shown,
    /// `critical`, `error`, `warning` or `info`, where the sender said so.
    pub severity: Option<Shown>,
    pub created_at: Option<Timestamp>,
    /// What a person needs first, where the sender's way of writing is known. All of it stands in `details` too.
    pub gist: Option<Gist>,
    /// The alert's custom details, as they were sent.
    pub details: Option<Tree>,
    pub links: Vec<Link>,
    pub url: Option<Shown>,
}

/// What a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkKind {
    Page,
    Image,
}

/// A link that somebody attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub kind: LinkKind,
    /// Empty where there is only an address.
    pub text: Shown,
    /// `None`: it was none that is safe to open.
    pub url: Option<Shown>,
}

impl Link {
    /// What it is called, and where it leads or why nowhere.
    pub fn words(&self) -> String {
        let kind = match self.kind {
            LinkKind::Page => "link",
            LinkKind::Image => "image",
        };
        let name = if self.text.is_empty() { String::new() } else { format!(" {}", self.text) };
        match &self.url {
            Some(url) => format!("{kind}{name}: {url}"),
            None => format!("{kind}{name}: (its address is not https, so it is not shown)"),
        }
    }
}

/// A conference that was opened for the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// To be called, with what has to be dialled then.
    pub number: Option<Shown>,
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
    /// Where people meet about it, if that is told.
    #[serde(default)]
    pub bridge: Option<Bridge>,
    /// What to do about it is written there; the likeliest first.
    #[serde(default)]
    pub runbooks: Vec<Runbook>,
    /// Parts that could not be fetched, each with its cause: an empty list above means "none" only when
    /// the part is not named here.
    pub missing: Vec<Shown>,
}

/// What an old detail lacks, as nothing newer could be fetched.
pub const NEWER: &str = "anything newer";

impl Detail {
    /// Why this list of it (`notes`, `timeline` …) may lack something, if so: it was not fetched whole, or is old.
    pub fn lacks(&self, part: &str) -> Option<&Shown> {
        self.missing.iter().find(|missing| [part, NEWER].iter().any(|lost| missing.as_str().starts_with(lost)))
    }

    /// One of which nothing is known yet.
    pub fn of(key: IncidentKey) -> Self {
        Self {
            key,
            fetched_at: Timestamp::UNIX_EPOCH,
            description: None,
            alerts: vec![],
            notes: vec![],
            timeline: vec![],
            bridge: None,
            runbooks: vec![],
            missing: vec![],
        }
    }
}

//! What lies around an incident: others like it and what was done about them, what was changed before, whom it hurts.
//! It is asked for only when somebody looks at it, and each part may be missing on its own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    detail::{Link, Note, Tree},
    id::{IncidentId, IncidentKey},
    incident::Status,
    runbook::Runbook,
    text::{Shown, ShownBody},
};

/// One part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part<T> {
    Told(T),
    /// The account's plan does not have it, or this key may not see it: nothing is wrong.
    NotOffered,
    Failed(Shown),
}

impl<T> Part<T> {
    pub fn told(&self) -> Option<&T> {
        match self {
            Self::Told(part) => Some(part),
            Self::NotOffered | Self::Failed(_) => None,
        }
    }
}

/// How another incident ended, or stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    pub status: Status,
    /// Who brought it there.
    pub by: Option<Shown>,
    pub at: Option<Timestamp>,
    /// Newest first.
    pub notes: Vec<Note>,
}

/// Another incident that is like this one, or has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Similar {
    pub id: IncidentId,
    pub number: Option<u64>,
    pub title: Shown,
    pub created_at: Option<Timestamp>,
    /// The provider's own measure of likeness, where it has one: more is liker.
    pub score: Option<i64>,
    /// Why the provider thinks that they belong together.
    pub why: Vec<Shown>,
    pub url: Option<Shown>,
    /// Asked for of the first few only.
    pub course: Option<Course>,
    /// Why that could not be asked for.
    pub course_failed: Option<Shown>,
}

/// How often the like of it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlier {
    /// `rare`, `frequent` or `anomaly` at `PagerDuty`.
    pub category: Shown,
    pub count: Option<u64>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// What their titles have in common.
    pub pattern: Option<Shown>,
}

/// A deployment, a change of settings, or the like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEvent {
    pub at: Option<Timestamp>,
    pub summary: Shown,
    pub source: Option<Shown>,
    /// Why the provider thinks that it has to do with the incident; `None`: it only is of the same service.
    pub why: Option<Shown>,
    pub details: Option<Tree>,
    pub links: Vec<Link>,
}

/// A business service that this incident may hurt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    pub name: Shown,
    /// `impacted` or `not_impacted` at `PagerDuty`.
    pub status: Shown,
}

/// The incident's service, in its owners' words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub name: Shown,
    pub description: ShownBody,
    pub url: Option<Shown>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub key: IncidentKey,
    /// When it was asked for, by our clock.
    pub fetched_at: Timestamp,
    pub outlier: Part<Option<Outlier>>,
    pub changes: Part<Vec<ChangeEvent>>,
    pub impacts: Part<Vec<Impact>>,
    pub related: Part<Vec<Similar>>,
    pub past: Part<Vec<Similar>>,
    pub service: Part<Option<Service>>,
    /// What to do about it is written there; those of the detail, and those that the service tells of.
    #[serde(default)]
    pub runbooks: Vec<Runbook>,
}

impl Context {
    /// That of an incident at a provider who tells nothing of the kind.
    pub fn nothing(key: IncidentKey, now: Timestamp) -> Self {
        Self {
            key,
            fetched_at: now,
            outlier: Part::NotOffered,
            changes: Part::NotOffered,
            impacts: Part::NotOffered,
            related: Part::NotOffered,
            past: Part::NotOffered,
            service: Part::NotOffered,
            runbooks: vec![],
        }
    }

    /// The parts that failed, by name, and why.
    pub fn failures(&self) -> Vec<(&'static str, &Shown)> {
        fn failed<T>(part: &Part<T>) -> Option<&Shown> {
            match part {
                Part::Failed(why) => Some(why),
                Part::Told(_) | Part::NotOffered => None,
            }
        }
        let parts = [
            ("outlier", failed(&self.outlier)),
            ("changes", failed(&self.changes)),
            ("impact", failed(&self.impacts)),
            ("related incidents", failed(&self.related)),
            ("past incidents", failed(&self.past)),
            ("service", failed(&self.service)),
        ];
        parts.into_iter().filter_map(|(name, why)| Some((name, why?))).collect()
    }
}

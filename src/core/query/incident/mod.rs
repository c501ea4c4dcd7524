//! What incidents can be asked for: by the filter of the list, by saved views and by commands.
//!
//! What is not known of an incident is neither so nor not so ([`Truth::Perhaps`]): it is not listed, and counted.
//! Times that are told as "so long ago" stay so, and are judged by the provider's clock.

mod complete;
mod fields;
mod judge;
mod name;
mod noted;
mod time;
mod vocabulary;

use std::ops::RangeInclusive;

pub use complete::{Completion, before_last_word, complete};
pub use fields::{FIELDS, LANGUAGE, check, read};
pub(super) use judge::is_user;
pub use judge::{Record, asks, judge, names_resolved, next_turn};
pub use name::IncidentName;
pub use noted::Noted;
pub use time::{Time, When};
pub use vocabulary::vocabulary;

use super::{Query, Truth, part::Part};
use crate::core::{
    id::AccountName,
    incident::{Status, Urgency},
};

/// A query for incidents: of each of its terms any condition must hold.
pub type Wanted = Query<Vec<Condition>>;

/// What an incident can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// In lower case: stands in what the row shows, or is like a word of the title or the service.
    Word(String),
    /// In lower case: stands so in what the row shows.
    Text(String),
    Status(Status),
    /// Triggered or acknowledged.
    Open,
    Urgency(Urgency),
    /// `None`: it has none.
    Priority(Option<Part>),
    Service(Part),
    Team(Part),
    /// By name, id or e-mail address; `None`: nobody.
    Assignee(Option<Part>),
    /// Assigned to whoever asks.
    Mine,
    Policy(Part),
    Number(RangeInclusive<u64>),
    Account(AccountName),
    Created(Time),
    /// Acknowledged, the last time then.
    Acknowledged(Time),
    Marked,
    /// Nobody signed what it shows.
    Unsigned,
    /// Acknowledged, and due to come back by itself: a snooze, or an acknowledgement that runs out.
    Snoozed,
    /// Somebody left a note on it.
    Noted,
}

#[cfg(test)]
mod tests;

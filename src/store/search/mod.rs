//! Which deliveries somebody looks for, and finding them: newest first, from any place in the log.
//!
//! A search misses nothing that is committed, indexed or not: the index only ever says where to look.

mod plan;
mod run;

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use jiff::Timestamp;

use crate::core::{
    delivery::{DeliverySummary, Scheme, Verdict},
    id::{AccountName, DeliveryId, IncidentId, TargetName},
};

/// Conditions, joined. [`Search::default`] finds everything.
#[derive(Debug, Clone, PartialEq)]
pub enum Search {
    Is(Condition),
    Not(Box<Search>),
    /// All of them; true when there is none.
    All(Vec<Search>),
    /// At least one of them; false when there is none.
    Any(Vec<Search>),
}

impl Default for Search {
    fn default() -> Self {
        Self::All(vec![])
    }
}

/// What a delivery can be asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Verdict(Verdict),
    EventType(Pattern),
    Account(AccountName),
    /// Of any account: join it with [`Account`](Self::Account) to mean one.
    Incident(IncidentId),
    EventId(Pattern),
    /// What was answered, for example `200..=299`.
    Status(RangeInclusive<u16>),
    /// The sender's address and port.
    Peer(Pattern),
    /// How it proved genuine; `None`: not at all.
    Scheme(Option<Scheme>),
    /// The name of the secret that matched.
    Secret(Pattern),
    /// A duplicate with other content than the first delivery of its event.
    Altered,
    /// It changed something on the board.
    Changed,
    /// This text, in small letters, stands somewhere in what its line in the log shows.
    Line(String),
    /// At that time or later.
    Since(Timestamp),
    /// Before that time.
    Until(Timestamp),
    /// Bytes of the body as it came.
    Size(RangeInclusive<u64>),
    /// From the head to the answer, in microseconds.
    Latency(RangeInclusive<u64>),
    /// Where it was sent to.
    Target(TargetName),
    /// These words stand one after the other in event type, subject, reason, incident or body. Case and punctuation
    /// do not count, and the last word may go on: `disk fu` finds "Disk: full". Without a letter or digit it finds
    /// everything.
    Text(String),
}

/// A text in which `*` stands for anything, also for nothing; case does not count. All else stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

impl Pattern {
    pub fn new(text: &str) -> Self {
        Self(text.split('*').map(str::to_lowercase).collect())
    }

    /// Anything in which this text stands.
    pub fn containing(text: &str) -> Self {
        Self(vec![String::new(), text.to_lowercase(), String::new()])
    }

    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let (first, middle, last) = match self.0.as_slice() {
            [] => return false,
            [only] => return *only == text,
            [first, middle @ .., last] => (first, middle, last),
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
            rest = after;
        }
        rest.ends_with(last.as_str())
    }
}

/// What was found, and how far was looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Newest first.
    pub deliveries: Vec<DeliverySummary>,
    /// Where to go on: as `before` of the next call. `None`: the log has no older ones that fit. A call that has looked
    /// for long without finding enough ends early, perhaps with nothing, and says here how far it came.
    pub next: Option<DeliveryId>,
}

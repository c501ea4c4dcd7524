//! What deliveries can be asked for. A word is looked for in what a line of the log shows; what stands in quotes, in
//! all that is kept of a delivery.
//!
//! Judged here, of one delivery, and by the store, of all: both say the same, except that here some of it may not be
//! at hand, and then nothing is said ([`Truth::Perhaps`]).

mod fields;
mod judge;

use std::ops::RangeInclusive;

use jiff::Timestamp;

pub use fields::{FIELDS, check, fixed, read};
pub use judge::{Glob, Phrase, Record, is_word_alone, judge, stands_in_line};

use super::{Query, Truth};
use crate::core::{
    delivery::{Direction, Scheme, Verdict},
    id::{AccountName, IncidentId, TargetName},
};

/// A query for deliveries: of each of its terms any condition must hold.
pub type Wanted = Query<Vec<Condition>>;

/// What a delivery can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// In lower case; it stands somewhere in the line, or is the number of its incident.
    Word(String),
    /// These words stand one after the other in the line or in the body.
    Text(Phrase),
    Verdict(Verdict),
    EventType(Glob),
    Account(AccountName),
    Incident(IncidentId),
    /// The incident with this number, in whatever account.
    Number(u64),
    /// An incident of this account only.
    IncidentOf(AccountName, IncidentId),
    EventId(Glob),
    /// What was answered.
    Status(RangeInclusive<u16>),
    /// The sender's address, with or without port.
    From(Glob),
    /// How it proved genuine; `None`: not at all.
    Scheme(Option<Scheme>),
    Secret(Glob),
    /// A duplicate with other content than the first delivery of its event.
    Altered,
    /// Genuine, but its content is not signed.
    Unsigned,
    /// It changed something on the board.
    Changed,
    Since(Timestamp),
    Until(Timestamp),
    /// Bytes of the body.
    Size(RangeInclusive<u64>),
    /// Microseconds until the answer.
    Took(RangeInclusive<u64>),
    Direction(Direction),
    /// Where it was sent to.
    Target(TargetName),
}

#[cfg(test)]
mod tests;

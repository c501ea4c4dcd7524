//! Webhook deliveries: what came in (or went out), what was made of it, and what it says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::{AccountName, DeliveryId, EventId, IncidentKey},
    incident::Observation,
    text::{Shown, ShownBody},
};

/// Which way a delivery went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Incoming,
    Outgoing,
}

/// What was made of a delivery. Every delivery has one, with a reason beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Genuine and new; kept for good.
    Accepted,
    /// Genuine, but its event id is known already.
    Duplicate,
    /// Genuine, but its body could not be understood; kept as it came.
    Undecodable,
    /// Not taken: wrong or missing signature, too large, encoded …
    Rejected,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Undecodable => "undecodable",
            Self::Rejected => "rejected",
        }
    }
}

/// A line of the webhook log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverySummary {
    pub id: DeliveryId,
    pub at: Timestamp,
    pub direction: Direction,
    /// `None` when the path named no account of ours.
    pub account: Option<AccountName>,
    pub verdict: Verdict,
    /// Why, in words: which secret matched, what was wrong.
    pub reason: Shown,
    /// What was answered, for example 202.
    pub status: u16,
    pub event_id: Option<EventId>,
    pub event_type: Option<Shown>,
    pub incident: Option<IncidentKey>,
    /// The incident's title or the note's text, where the body has one.
    pub subject: Option<Shown>,
    /// From the first byte of the body to the answer, in microseconds.
    pub latency_us: u64,
    /// Bytes of the body.
    pub size: u64,
}

/// A delivery opened: everything, cleaned for the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    pub summary: DeliverySummary,
    /// Sender's address.
    pub peer: Shown,
    /// In the order received; secrets replaced.
    pub headers: Vec<(Shown, Shown)>,
    /// Indented when it is JSON, else as it came.
    pub body: ShownBody,
    pub body_is_json: bool,
}

/// What a body says, as far as its provider's decoder understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub event_id: EventId,
    pub event_type: Shown,
    pub occurred_at: Option<Timestamp>,
    pub incident: Option<IncidentKey>,
    pub subject: Option<Shown>,
    /// `None` for events that carry no incident state (notes, pings, unknown types).
    pub observation: Option<Observation>,
}

/// Reads bodies of one provider. Called after the signature was found right, on the raw bytes.
pub trait Decode: Send + Sync {
    /// Fails with a sentence that says what could not be understood.
    fn decode(&self, account: &AccountName, body: &[u8]) -> Result<Decoded, String>;
}

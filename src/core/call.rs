//! Calls to a provider, as the API log shows them, and what its rate limit leaves. Nothing in here is secret: no key, no
//! header, and of a query only what is known to name nobody.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{id::AccountName, text::Shown};

/// What a call is made for: when requests run short, some go before others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Somebody acts. Never waits for anything but the provider's own refusal.
    Action,
    /// Somebody looks at an incident.
    Detail,
    Poll,
    /// Who the key belongs to, and whether webhooks are still subscribed to.
    Upkeep,
    /// Somebody looks at what lies around an incident: this comes last.
    Context,
}

impl Purpose {
    pub fn word(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Detail => "detail",
            Self::Poll => "poll",
            Self::Upkeep => "upkeep",
            Self::Context => "context",
        }
    }
}

/// What is left of a provider's rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Requests in a whole window, where the provider says so.
    pub limit: Option<u64>,
    /// Requests left in this window.
    pub left: u64,
    /// Of those, so many are kept for actions.
    pub reserve: u64,
    /// Seconds until the window is over.
    pub resets_in: u64,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// With this HTTP status.
    Status(u16),
    /// Without an answer, or with one that broke off.
    Failed(Shown),
}

impl End {
    /// Whether the provider did what it was asked.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Status(200..=299))
    }
}

/// One request, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiCall {
    /// Counted from the start of the server.
    pub number: u64,
    /// When it was sent, by the server's clock.
    pub at: Timestamp,
    pub account: AccountName,
    pub purpose: Purpose,
    pub method: Shown,
    /// Path and query.
    pub path: Shown,
    pub end: End,
    /// Milliseconds from the first byte sent to the last received.
    pub took: u64,
    /// By this the provider's support finds it.
    pub request_id: Option<Shown>,
    /// Requests left after it, where the answer said so.
    pub left: Option<u64>,
}

//! What is counted at the door. Labels are configured names and our own words, never anything a sender wrote.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::core::{delivery::Verdict, id::AccountName};

/// The account of what came to no door of ours; no account can be called so.
const NOBODY: &str = "-";
/// The verdict on what could not be stored: its sender was asked to try again.
const TURNED_AWAY: &str = "turned away";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    account: String,
    verdict: &'static str,
}

/// Why a connection ended without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoRequest {
    /// What came is no head of HTTP/1.
    Malformed,
    /// It speaks HTTP/2, to which nothing is answered that it would understand.
    Http2,
    /// The head is longer than any that is read, or has too many headers.
    TooLarge,
    /// The head was not complete in time.
    Late,
    /// TLS was not agreed on, or not in time.
    Handshake,
}

impl NoRequest {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Malformed => "malformed head",
            Self::Http2 => "HTTP/2",
            Self::TooLarge => "head too large",
            Self::Late => "head not complete in time",
            Self::Handshake => "no handshake of TLS",
        }
    }

    /// With what it was answered, if it was.
    pub(super) fn answered(self) -> Option<StatusCode> {
        match self {
            Self::Malformed => Some(StatusCode::BAD_REQUEST),
            Self::TooLarge => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::Http2 | Self::Late | Self::Handshake => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Counters of one receiver; a clone counts into the same.
#[derive(Debug, Clone)]
pub struct Meter {
    deliveries: Family<Kind, Counter>,
    no_requests: Family<Reason, Counter>,
    commits: Histogram,
}

impl Default for Meter {
    fn default() -> Self {
        // From a quarter of a millisecond to eight seconds: senders give up after five.
        let commits = Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        Self { deliveries: Family::default(), no_requests: Family::default(), commits }
    }
}

impl Meter {
    /// Lets `registry` show what is counted here.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("deliveries", "Webhook deliveries by account and verdict", self.deliveries.clone());
        let help = "Connections of the door that ended before there was a request, by reason";
        registry.register("no_requests", help, self.no_requests.clone());
        let help = "From asking for a delivery's commit to having it";
        registry.register_with_unit("commit", help, Unit::Seconds, self.commits.clone());
    }

    fn count(&self, account: Option<&AccountName>, verdict: &'static str) {
        let account = account.map_or_else(|| NOBODY.to_owned(), ToString::to_string);
        self.deliveries.get_or_create(&Kind { account, verdict }).inc();
    }

    /// A delivery with its verdict; of rejected ones also those of a flood, which are not written down.
    pub(super) fn counted(&self, account: Option<&AccountName>, verdict: Verdict) {
        self.count(account, verdict.word());
    }

    /// How long a sender waited until its delivery was safe.
    pub(super) fn committed(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    pub(super) fn no_request(&self, why: NoRequest) {
        self.no_requests.get_or_create(&Reason { reason: why.words() }).inc();
    }

    pub(super) fn turned_away(&self, account: Option<&AccountName>) {
        self.count(account, TURNED_AWAY);
    }
}

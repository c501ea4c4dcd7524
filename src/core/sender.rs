//! What is asked of a sender before it is believed: the configured form of a [`Scheme`], without its secrets.

use std::time::Duration;

use super::delivery::Scheme;

/// How far a signed time may lie from ours, either way, where nothing else is configured.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// How the senders of one account prove who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Demand {
    #[default]
    PagerdutyV3,
    StandardWebhooks {
        tolerance: Duration,
    },
    SlackV0 {
        tolerance: Duration,
    },
    Hmac(HmacDemand),
    /// `url` is what stands before the path in the address as typed at Splunk On-Call: it is signed too.
    SplunkOncall {
        url: String,
    },
    Basic {
        user: String,
    },
    Bearer,
    Header {
        /// In lower case.
        name: String,
        /// What stands before the secret.
        prefix: String,
    },
    SecretUrl,
}

/// An HMAC whose parts are told by the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacDemand {
    /// The header with the signature, in lower case.
    pub header: String,
    /// What stands before each signature, as in `sha256=`.
    pub prefix: String,
    pub algorithm: Algorithm,
    pub encoding: Encoding,
    /// What is signed, one after the other with nothing in between.
    pub signed: Vec<Part>,
    /// The header that tells when it was signed, in seconds since 1970, and how far that may lie from our time.
    pub timestamp: Option<(String, Duration)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Hex,
    Base64,
}

/// A part of what an HMAC is made over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Body,
    /// The value of the timestamp header, as it came.
    Timestamp,
    Method,
    /// Path and query, as they came.
    Path,
    /// The value of another header; its name in lower case.
    Header(String),
    /// This very text.
    Text(String),
}

impl Demand {
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::PagerdutyV3 => Scheme::PagerdutyV3,
            Self::StandardWebhooks { .. } => Scheme::StandardWebhooks,
            Self::SlackV0 { .. } => Scheme::SlackV0,
            Self::Hmac(_) => Scheme::Hmac,
            Self::SplunkOncall { .. } => Scheme::SplunkOncall,
            Self::Basic { .. } => Scheme::Basic,
            Self::Bearer => Scheme::Bearer,
            Self::Header { .. } => Scheme::Header,
            Self::SecretUrl => Scheme::SecretUrl,
        }
    }
}

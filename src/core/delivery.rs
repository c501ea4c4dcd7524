//! Webhook deliveries: what came in (or went out), what was made of it, and what it says.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    id::{AccountName, DeliveryId, EventId, IncidentKey, TargetName},
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
    /// Went out, and its target took it.
    Sent,
    /// Went out, or was to, and its target did not take it as far as we know.
    Failed,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Undecodable => "undecodable",
            Self::Rejected => "rejected",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// Every verdict: first those of what comes in, then those of what goes out.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Duplicate, Self::Undecodable, Self::Rejected, Self::Sent, Self::Failed];
}

/// How a sender proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// `PagerDuty`'s webhooks v3: HMAC-SHA256 of the body in `X-PagerDuty-Signature`.
    PagerdutyV3,
    /// Standard Webhooks 1.0: HMAC-SHA256 of id, time and body.
    StandardWebhooks,
    /// Slack's way: HMAC-SHA256 of `v0`, time and body.
    SlackV0,
    /// An HMAC whose parts are told by the configuration.
    Hmac,
    /// Splunk On-Call: HMAC-SHA1 of the address and the sorted fields.
    SplunkOncall,
    /// User and password.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// A header with a fixed secret.
    Header,
    /// Nothing but the secret part of the path.
    SecretUrl,
}

impl Scheme {
    /// Every scheme, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::PagerdutyV3,
        Self::StandardWebhooks,
        Self::SlackV0,
        Self::Hmac,
        Self::SplunkOncall,
        Self::Basic,
        Self::Bearer,
        Self::Header,
        Self::SecretUrl,
    ];

    /// Its name in configuration, log and help.
    pub fn word(self) -> &'static str {
        match self {
            Self::PagerdutyV3 => "pagerduty-v3",
            Self::StandardWebhooks => "standard-webhooks",
            Self::SlackV0 => "slack-v0",
            Self::Hmac => "hmac",
            Self::SplunkOncall => "splunk-oncall",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Header => "header",
            Self::SecretUrl => "secret-url",
        }
    }

    /// Whether the content itself is signed; if not, whoever learns the secret can say anything.
    pub fn is_signed(self) -> bool {
        match self {
            Self::PagerdutyV3 | Self::StandardWebhooks | Self::SlackV0 | Self::Hmac | Self::SplunkOncall => true,
            Self::Basic | Self::Bearer | Self::Header | Self::SecretUrl => false,
        }
    }
}

/// What showed that a delivery is genuine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub scheme: Scheme,
    /// The name of the secret that matched: where it comes from, never its value.
    pub secret: Shown,
}

impl Proof {
    /// How it was shown, for the reason of a verdict.
    pub fn words(&self) -> String {
        if self.scheme.is_signed() {
            return format!("signed with {}", self.secret);
        }
        format!("unsigned, let in by {} ({})", self.secret, self.scheme.word())
    }
}

/// Where the time of a delivery went, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// From the head of the request to the last byte of its body.
    pub read_us: u64,
    /// For checking and understanding it.
    pub check_us: u64,
    /// From there until it was committed, waiting for the writer included. `None`: not known, because dogwatch ended
    /// before that could be noted.
    pub commit_us: Option<u64>,
}

impl Timings {
    /// From the head of the request until it could be answered, in microseconds.
    pub fn answered_us(&self) -> Option<u64> {
        Some(self.read_us.saturating_add(self.check_us).saturating_add(self.commit_us?))
    }
}

/// A line of the webhook log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverySummary {
    pub id: DeliveryId,
    pub at: Timestamp,
    pub direction: Direction,
    /// `None` when it came without the key of an account.
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
    /// What its sender waited: from the head of the request until it was committed and could be answered, in
    /// microseconds. `None`: not known, because dogwatch ended before that could be noted.
    pub latency_us: Option<u64>,
    /// Bytes of the body.
    pub size: u64,
    /// What showed that it is genuine; `None` of rejected ones.
    pub proof: Option<Proof>,
    /// A duplicate whose body is not that of the first delivery of its event.
    pub altered: bool,
    /// What it changed, in words, once it was applied.
    pub changed: Option<Shown>,
    /// Where it was sent to; `None` of those that came in.
    #[serde(default)]
    pub target: Option<TargetName>,
}

/// What [`DeliverySummary::changed`] begins with when nothing was changed.
pub const NOTHING: &str = "nothing";

/// Why a delivery is rejected whose path names `account` with a key that is not its own.
pub fn wrong_key(account: &AccountName) -> String {
    format!("wrong key in the path of account {account}")
}

impl DeliverySummary {
    /// Whether the owner of `account` has to know of it: it is of that account, or came to it with a wrong key, as from
    /// a subscription that still leads to an old one.
    pub fn concerns(&self, account: &AccountName) -> bool {
        let named = || self.status == 404 && self.reason.as_str() == wrong_key(account);
        self.account.as_ref().map_or_else(named, |own| own == account)
    }

    /// Why it cannot be applied again, as far as its line tells.
    pub fn cannot_be_replayed(&self) -> Option<&'static str> {
        match (self.verdict, self.direction) {
            (_, Direction::Outgoing) => Some("it went out, there is nothing to apply"),
            (Verdict::Rejected, Direction::Incoming) => Some("it was rejected, so nobody knows whether it is genuine"),
            _ if self.altered => Some("its content is not that of the first delivery of its event"),
            (Verdict::Sent | Verdict::Failed, Direction::Incoming) => Some("it went out, there is nothing to apply"),
            (Verdict::Accepted | Verdict::Duplicate | Verdict::Undecodable, Direction::Incoming) => None,
        }
    }

    /// Whether it came from a provider that is known to be it.
    pub fn tells(&self) -> bool {
        match self.verdict {
            Verdict::Accepted | Verdict::Duplicate | Verdict::Undecodable => self.direction == Direction::Incoming,
            Verdict::Rejected | Verdict::Sent | Verdict::Failed => false,
        }
    }

    /// Whether it changed anything on the board.
    pub fn changed_something(&self) -> bool {
        self.changed.as_ref().is_some_and(|changed| !changed.as_str().starts_with(NOTHING))
    }

    /// A word of caution about what it says, where it was let in all the same.
    pub fn caution(&self) -> Option<&'static str> {
        let unsigned = self.proof.as_ref().is_some_and(|proof| !proof.scheme.is_signed());
        if self.altered {
            return Some("altered");
        }
        unsigned.then_some("unsigned")
    }
}

/// What made the body of a delivery that went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Nothing but the event: `{type, data}`.
    Default,
    /// The template of its target.
    Custom,
}

impl Format {
    pub const ALL: [Self; 2] = [Self::Default, Self::Custom];

    pub fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Custom => "custom",
        }
    }
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
    /// The first bytes of the body as they came.
    pub raw: Bytes,
    pub timings: Timings,
    /// The first KiB of what its target answered; `None` of those that came in, and where nothing was answered.
    #[serde(default)]
    pub response: Option<ShownBody>,
    /// `None` of those that came in, and of what is no event's.
    #[serde(default)]
    pub format: Option<Format>,
}

/// The most bytes of a body that are shown as they came.
pub const RAW_LIMIT: usize = 256 * 1024;

/// Bytes as they came; base64 on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
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

impl Decoded {
    /// The same, as far as its `proof` goes: what nobody signed is only a hint, received at `received`.
    #[must_use]
    pub fn shown_by(mut self, proof: Option<&Proof>, received: Timestamp) -> Self {
        if proof.is_some_and(|proof| !proof.scheme.is_signed()) {
            self.observation = self.observation.map(|seen| seen.unsigned(received));
        }
        self
    }
}

/// Reads bodies of one provider. Called after the signature was found right, on the raw bytes.
pub trait Decode: Send + Sync {
    /// Fails with a sentence that says what could not be understood.
    fn decode(&self, account: &AccountName, body: &[u8]) -> Result<Decoded, String>;
}

//! Providers of incidents behind one trait. A provider asks and acts; it keeps nothing and never touches the store.

pub mod http;
pub mod pagerduty;
mod rota;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::core::{
    action::{NewIncident, Step},
    call::{ApiCall, Budget, Purpose},
    choices::{Choices, ChoicesOf},
    context::Context,
    detail::Detail,
    escalation::Policy,
    freshness::Identity,
    id::{IncidentId, IncidentKey, PolicyId, ServiceId, SubscriptionId, TeamId},
    incident::{Named, Observation},
    oncall::{OnCall, Person, Schedule},
    subscription::{Created, NewSubscription, Subscription},
    text::Shown,
};

pub use rota::{Added, Removed, Rota};

/// Why a provider did not do what it was asked, as far as a caller has to tell the cases apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No usable answer: nothing connected, or the connection broke. `maybe_sent` is false when the request
    /// certainly never left, for example because nothing listens there.
    #[error("{address} cannot be reached: {cause}")]
    Unreachable { address: String, cause: String, maybe_sent: bool },
    /// An answer that did not come in time. A write may have been carried out.
    #[error("{address} did not answer within {} s", within.as_secs())]
    TimedOut { address: String, within: Duration },
    /// 401.
    #[error("the credentials were refused: {advice}")]
    Unauthorised { advice: String },
    /// 402 and 403.
    #[error("not permitted: {reason}")]
    Forbidden { reason: String },
    /// 404.
    #[error("not found: {what}")]
    NotFound { what: String },
    /// 429: no request before this long.
    #[error("rate limit reached, next request in {} s", wait.as_secs())]
    RateLimited { wait: Duration },
    /// Any other 4xx, and redirects: the request itself is refused, trying again will not help.
    #[error("refused with {status}: {reason}")]
    Refused { status: u16, reason: String },
    /// 5xx, and 408.
    #[error("the provider answered {status}: {reason}")]
    Broken { status: u16, reason: String },
    /// The answer cannot be understood or was cut short. A write may have been carried out.
    #[error("an answer that cannot be read: {cause}")]
    Unreadable { cause: String },
}

impl ProviderError {
    /// Whether a write that ended so may have been carried out all the same.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Unreadable { .. } | Self::Broken { .. } => true,
            Self::Unreachable { maybe_sent, .. } => *maybe_sent,
            Self::Unauthorised { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::RateLimited { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// The message, cleaned for the screen.
    pub fn shown(&self) -> Shown {
        Shown::line(&self.to_string())
    }
}

/// The most incidents in one request of [`Provider::take_many`]: what `PagerDuty`'s own scripts send at a time.
pub const MANY: usize = 100;

/// What [`Provider::check`] found out: one line each for `dogwatch doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub identity: Identity,
    pub abilities: Vec<String>,
    /// Provider's clock minus ours, where it tells its time.
    pub clock_skew: Option<jiff::SignedDuration>,
}

/// People, policies: to whom something can be handed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    pub people: Vec<Person>,
    pub policies: Vec<Named<PolicyId>>,
    /// The same with their rules.
    pub escalation: Vec<Policy>,
    /// Of each policy, as far as they are told.
    pub policy_teams: BTreeMap<PolicyId, Vec<Named<TeamId>>>,
}

/// The schedules, and what is known to be missing among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedules {
    pub all: Vec<Schedule>,
    /// What is left out, in words.
    pub lacks: Vec<Shown>,
    /// Why the key may not see those of the provider's newer system. An account that has none is told the same.
    pub barred: Option<Shown>,
}

/// Told of every call to a provider when it has ended.
pub type Heard = Arc<dyn Fn(ApiCall) + Send + Sync>;

/// Something that happened to an incident, as the provider's own log has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touch {
    pub at: Timestamp,
    pub incident: IncidentId,
    /// By this it is known when it is told again.
    pub entry: String,
}

/// One account at one provider. Reads are retried within their deadline; writes are sent once.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What is left of the provider's rate limit, as far as it has told.
    fn budget(&self) -> Option<Budget> {
        None
    }
    /// What was asked so far through this handle, in requests; what had to be asked again counts once.
    fn requests(&self) -> u64 {
        0
    }
    /// The same connection, whose calls are made for `purpose`; a handle of its own.
    fn for_purpose(&self, purpose: Purpose) -> Arc<dyn Provider>;
    /// The provider's clock minus ours, as far as its answers have told.
    fn clock_skew(&self) -> Option<jiff::SignedDuration> {
        None
    }
    /// Who the credentials belong to, and whether `from` names somebody.
    async fn identity(&self) -> Result<Identity, ProviderError>;
    /// Identity, abilities and clock, for `doctor`.
    async fn check(&self, now: Timestamp) -> Result<Check, ProviderError>;
    /// Every open incident, however old.
    async fn open_incidents(&self) -> Result<Vec<Observation>, ProviderError>;
    /// Resolved incidents of the time since `since`; by which of their times is the provider's choice (`PagerDuty`
    /// goes by creation, and no further back than six months). An older one that was just resolved may be missing.
    async fn resolved_incidents(&self, since: Timestamp) -> Result<Vec<Observation>, ProviderError>;
    async fn incident(&self, id: &IncidentId) -> Result<Observation, ProviderError>;
    /// What happened to incidents since `since`, by the provider's clock. `None`: it does not tell, or so much that the
    /// lists are the shorter way.
    async fn touched_since(&self, _since: Timestamp) -> Result<Option<Vec<Touch>>, ProviderError> {
        Ok(None)
    }
    /// Alerts, notes and timeline. Fails only when nothing of it came; else names what is missing.
    async fn detail(&self, id: &IncidentId, now: Timestamp) -> Result<Detail, ProviderError>;
    /// What lies around an incident of this service. A part that fails says so; fails only when nothing of it came.
    async fn context(
        &self,
        key: &IncidentKey,
        _service: Option<&ServiceId>,
        now: Timestamp,
    ) -> Result<Context, ProviderError> {
        Ok(Context::nothing(key.clone(), now))
    }
    async fn on_calls(&self) -> Result<Vec<OnCall>, ProviderError>;
    /// The schedules with their shifts from `now` for the coming seven days.
    async fn schedules(&self, now: Timestamp) -> Result<Schedules, ProviderError>;
    async fn directory(&self) -> Result<Directory, ProviderError>;

    /// Finds out what has to be known before something is written, so that a write that follows asks nothing more before
    /// it is sent. An error: nothing can be written now.
    async fn prepare_writes(&self) -> Result<(), ProviderError> {
        Ok(())
    }
    /// Takes one step on one incident. Answered with the incident as it then stands, where the provider shows it.
    async fn take(&self, id: &IncidentId, step: &Step) -> Result<Option<Observation>, ProviderError>;
    /// Takes a step that [is for many](Step::is_for_many) on all of these at once, or on none of them. At most
    /// [`MANY`]. The answer may lack some, of which is not known then how they stand.
    async fn take_many(&self, ids: &[IncidentId], step: &Step) -> Result<Vec<Observation>, ProviderError>;
    /// How many signs of such a step there are that the incident itself does not show, for example notes of the same
    /// text: one more than before the step was sent means that it was taken. `None`: nothing shows it.
    /// `since`: only signs from then or later, or of which that cannot be told.
    async fn signs(
        &self,
        id: &IncidentId,
        step: &Step,
        since: Option<Timestamp>,
    ) -> Result<Option<usize>, ProviderError>;
    /// Makes an incident.
    async fn create_incident(&self, new: &NewIncident) -> Result<Observation, ProviderError>;
    /// The incident that was made with this dedup key, if there is one.
    async fn created_incident(&self, new: &NewIncident) -> Result<Option<Observation>, ProviderError>;
    /// What there is to choose from for an action on `id`.
    async fn choices(&self, of: &ChoicesOf) -> Result<Choices, ProviderError>;

    /// The subscriptions to its webhooks; nothing where they can only be looked after by hand.
    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        None
    }

    /// Schedules, their overrides, and services; nothing where they cannot be read or changed.
    fn rota(&self) -> Option<&dyn Rota> {
        None
    }

    /// The same connection, whose writes are made in the name of `email` or not at all.
    fn acting_as(&self, email: &str) -> Result<Arc<dyn Provider>, ProviderError>;
}

/// Where a provider sends its webhooks.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// The event types that a subscription to the door should have.
    fn needed_events(&self) -> &'static [&'static str];
    /// Every subscription that the key may see, also those of others.
    async fn list(&self) -> Result<Vec<Subscription>, ProviderError>;
    /// Makes a subscription; it sends from then on.
    async fn create(&self, new: &NewSubscription) -> Result<Created, ProviderError>;
    /// Switches it on again, whoever switched it off. What happened meanwhile is not sent.
    async fn enable(&self, subscription: &Subscription) -> Result<Subscription, ProviderError>;
    async fn delete(&self, id: &SubscriptionId) -> Result<(), ProviderError>;
    /// Asks for a test delivery, which follows soon if the subscription sends at all.
    async fn ping(&self, id: &SubscriptionId) -> Result<(), ProviderError>;
}

//! `PagerDuty`: its REST API behind the trait [`Provider`], and its webhooks.
//! Nothing of what it sends leaves this folder unread: core types only.

mod actions;
mod changes;
mod choices;
mod client;
mod context;
mod detail;
mod errors;
mod events;
mod incidents;
mod lenient;
mod naming;
mod oncall;
mod overrides;
mod paging;
mod policies;
mod rota;
mod services;
mod shift_based;
mod signs;
mod subscriptions;
mod webhooks;
mod wire;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod world;

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use self::{
    client::{Api, Owner},
    naming::named,
    oncall::Window,
    paging::List,
};
use super::{
    Check, Directory, Heard, Provider, ProviderError, Rota, Schedules, Subscriptions, Touch,
    http::{BadAddress, BaseUrl, Http, Limits},
};
use crate::core::{
    action::{NewIncident, Step},
    call::{Budget, Purpose},
    choices::{Choices, ChoicesOf},
    context::Context,
    detail::Detail,
    freshness::Identity,
    id::{AccountName, IncidentId, IncidentKey, ServiceId},
    incident::Observation,
    oncall::{OnCall, Person},
    text::Shown,
};

pub use events::Events;
pub use webhooks::Webhooks;

/// What an account needs.
#[derive(Debug, Clone)]
pub struct Settings {
    pub account: AccountName,
    /// `https://api.pagerduty.com`, `https://api.eu.pagerduty.com`, or another; plain `http` on this machine only.
    pub base_url: String,
    /// A REST API key of a person or of the account, or an OAuth token.
    pub token: SecretString,
    /// The e-mail address that acts when the key belongs to no person.
    pub from: Option<String>,
}

/// Why an account's settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error("the key is empty or has characters that no key has")]
    BadToken,
    #[error("`from` must be an e-mail address, not {:?}", .0.as_str())]
    BadFrom(Shown),
}

/// One account.
#[derive(Debug)]
pub struct PagerDuty {
    account: AccountName,
    api: Api,
}

impl PagerDuty {
    /// Checks the settings; sends nothing and loads nothing yet.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        Self::with_limits(settings, Limits::default())
    }

    fn with_limits(settings: Settings, limits: Limits) -> Result<Self, SetupError> {
        let http = Http::new(BaseUrl::parse(&settings.base_url)?, limits);
        let api = Api::new(http, &settings.token, settings.from)?;
        Ok(Self { account: settings.account, api })
    }

    /// The same, with every call told to `heard`.
    #[must_use]
    pub fn heard_by(self, heard: Heard) -> Self {
        self.api.http.listen(self.account.clone(), heard);
        self
    }

    fn named(&self, email: &str) -> Result<Self, SetupError> {
        Ok(Self { account: self.account.clone(), api: self.api.acting_as(email)? })
    }

    /// The person whom the configured address names.
    async fn acting_person(&self, from: &str) -> Result<Option<Person>, ProviderError> {
        let query = [("query", from.to_owned())];
        let rows = self.api.list(&List::all(&["users"], "users", &query)).await?.rows;
        let is_meant = |row: &&Value| {
            row.get("email").and_then(Value::as_str).is_some_and(|email| email.eq_ignore_ascii_case(from))
        };
        rows.iter().find(is_meant).cloned().map(oncall::person).transpose()
    }

    async fn account_identity(&self) -> Result<Identity, ProviderError> {
        let from = self.api.from();
        let (person, may_not_look) = match from {
            Some(from) => match self.acting_person(from).await {
                Err(ProviderError::Forbidden { .. }) => (None, true),
                person => (person?, false),
            },
            None => (None, false),
        };
        let user = person.map(|person| person.user);
        let name = user.as_ref().map_or_else(|| Shown::line(from.unwrap_or("account key")), |user| user.name.clone());
        Ok(Identity { name, email: from.map(Shown::line), user, account_key: true, may_not_look })
    }

    /// Names of what the account can do, and the provider's clock. A key that may not ask gets an empty list.
    async fn abilities(&self) -> Result<(Vec<String>, Option<Timestamp>), ProviderError> {
        let reply = match self.api.get(&["abilities"], &[]).await {
            Ok(reply) => reply,
            Err(ProviderError::Forbidden { .. } | ProviderError::NotFound { .. }) => return Ok((vec![], None)),
            Err(error) => return Err(error),
        };
        let names = reply.json.get("abilities").and_then(Value::as_array).into_iter().flatten();
        Ok((names.filter_map(Value::as_str).map(|name| Shown::line(name).to_string()).collect(), reply.date))
    }
}

#[async_trait]
impl Provider for PagerDuty {
    fn budget(&self) -> Option<Budget> {
        self.api.http.budget()
    }

    fn requests(&self) -> u64 {
        self.api.asked.load(Ordering::Relaxed)
    }

    fn for_purpose(&self, purpose: Purpose) -> Arc<dyn Provider> {
        Arc::new(Self { account: self.account.clone(), api: self.api.for_purpose(purpose) })
    }

    fn clock_skew(&self) -> Option<SignedDuration> {
        self.api.http.skew()
    }

    async fn identity(&self) -> Result<Identity, ProviderError> {
        match self.api.owner().await? {
            Owner::Person(person) => {
                let email = person.email.as_deref().map(Shown::line);
                let user = named(Some(person));
                let name = user.as_ref().map(|user| user.name.clone()).unwrap_or_default();
                Ok(Identity { name, email, user, account_key: false, may_not_look: false })
            }
            Owner::Account => self.account_identity().await,
        }
    }

    async fn check(&self, now: Timestamp) -> Result<Check, ProviderError> {
        let started = Instant::now();
        let identity = self.identity().await?;
        let (abilities, theirs) = self.abilities().await?;
        let ours = now.checked_add(started.elapsed()).unwrap_or(now);
        Ok(Check { identity, abilities, clock_skew: theirs.map(|theirs| theirs.duration_since(ours)) })
    }

    async fn open_incidents(&self) -> Result<Vec<Observation>, ProviderError> {
        incidents::open(&self.api, &self.account, Timestamp::now()).await
    }

    async fn resolved_incidents(&self, since: Timestamp) -> Result<Vec<Observation>, ProviderError> {
        incidents::resolved(&self.api, &self.account, since, Timestamp::now()).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Observation, ProviderError> {
        incidents::one(&self.api, &self.account, id).await
    }

    async fn touched_since(&self, since: Timestamp) -> Result<Option<Vec<Touch>>, ProviderError> {
        changes::touched(&self.api, since).await
    }

    async fn detail(&self, id: &IncidentId, now: Timestamp) -> Result<Detail, ProviderError> {
        let key = IncidentKey { account: self.account.clone(), id: id.clone() };
        detail::fetch(&self.api, key, now).await
    }

    async fn context(
        &self,
        key: &IncidentKey,
        service: Option<&ServiceId>,
        now: Timestamp,
    ) -> Result<Context, ProviderError> {
        context::fetch(&self.api, key.clone(), service, now).await
    }

    async fn on_calls(&self) -> Result<Vec<OnCall>, ProviderError> {
        oncall::on_calls(&self.api).await
    }

    async fn schedules(&self, now: Timestamp) -> Result<Schedules, ProviderError> {
        let mut found = oncall::schedules(&self.api, now).await?;
        match shift_based::schedules(&self.api, Window::ahead_of(now)).await {
            Ok(newer) => {
                found.all.extend(newer.all);
                found.lacks.extend(newer.lacks);
            }
            Err(error @ ProviderError::Forbidden { .. }) => found.barred = Some(error.shown()),
            Err(error) => return Err(error),
        }
        found.all.sort_by(|a, b| a.schedule.name.cmp(&b.schedule.name));
        Ok(found)
    }

    async fn directory(&self) -> Result<Directory, ProviderError> {
        oncall::directory(&self.api).await
    }

    async fn prepare_writes(&self) -> Result<(), ProviderError> {
        self.api.prepare_writes().await
    }

    async fn take(&self, id: &IncidentId, step: &Step) -> Result<Option<Observation>, ProviderError> {
        actions::take(self, id, step).await
    }

    async fn take_many(&self, ids: &[IncidentId], step: &Step) -> Result<Vec<Observation>, ProviderError> {
        actions::take_many(self, ids, step).await
    }

    async fn signs(
        &self,
        id: &IncidentId,
        step: &Step,
        since: Option<Timestamp>,
    ) -> Result<Option<usize>, ProviderError> {
        signs::count(&self.api, id, step, since).await
    }

    async fn create_incident(&self, new: &NewIncident) -> Result<Observation, ProviderError> {
        actions::create(self, new).await
    }

    async fn created_incident(&self, new: &NewIncident) -> Result<Option<Observation>, ProviderError> {
        incidents::with_dedup_key(&self.api, &self.account, &new.dedup_key).await
    }

    async fn choices(&self, of: &ChoicesOf) -> Result<Choices, ProviderError> {
        choices::fetch(&self.api, of).await
    }

    fn subscriptions(&self) -> Option<&dyn Subscriptions> {
        Some(self)
    }

    fn rota(&self) -> Option<&dyn Rota> {
        Some(self)
    }

    fn acting_as(&self, email: &str) -> Result<Arc<dyn Provider>, ProviderError> {
        match self.named(email) {
            Ok(named) => Ok(Arc::new(named)),
            Err(error) => Err(ProviderError::Forbidden { reason: error.to_string() }),
        }
    }
}

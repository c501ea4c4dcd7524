//! One account's way of webhooks: its subscriptions at the provider on one end, the log here on the other.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::{Instant, sleep};

use crate::{
    cli::{Exit, Failure, Places},
    config::{AccountSettings, WebhookSettings},
    core::{
        delivery::{DeliverySummary, Verdict},
        id::{AccountName, DeliveryId, SubscriptionId},
        push::PING,
        subscription::{Created, NewSubscription, Subscription},
        text::Shown,
    },
    provider::{Provider, ProviderError, Subscriptions},
    receiver::{self, NamedSecret},
    server::{account::Account, calls::Calls},
    store::Reader,
};

/// How long a test delivery is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks into the log.
const LOOK: Duration = Duration::from_millis(100);
/// Lines of the log that may come between two looks.
const LINES: u32 = 500;

/// What became of a test delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Arrival {
    Genuine {
        after: Duration,
    },
    /// Something came for this account, and was not taken.
    Refused {
        reason: Shown,
    },
    Nothing {
        within: Duration,
    },
}

/// What can be asked about an account's webhooks.
pub(in crate::cli) struct Way {
    settings: AccountSettings,
    url_key: Option<SecretString>,
    provider: Arc<dyn Provider>,
    places: Places,
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let exit = match error {
            ProviderError::Unreachable { .. }
            | ProviderError::TimedOut { .. }
            | ProviderError::RateLimited { .. }
            | ProviderError::Broken { .. }
            | ProviderError::Unreadable { .. } => Exit::Stale,
            ProviderError::Unauthorised { .. }
            | ProviderError::Forbidden { .. }
            | ProviderError::NotFound { .. }
            | ProviderError::Refused { .. } => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

impl Way {
    /// Reads the secrets that are needed for it; asks nobody yet.
    pub(in crate::cli) async fn open(places: &Places, settings: AccountSettings) -> Result<Self, Failure> {
        let usage = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, error);
        let provider =
            Account::new(settings.clone(), &Calls::default()).provider().await.map_err(|error| usage(&error))?;
        let url_key = match &settings.webhook {
            Some(webhook) => Some(webhook.url_key.read().await.map_err(|error| usage(&error))?),
            None => None,
        };
        Ok(Self { settings, url_key, provider, places: places.clone() })
    }

    pub(in crate::cli) fn account(&self) -> &AccountName {
        &self.settings.name
    }

    /// The door here, if one is configured and its key can stand in an address.
    pub(super) fn door(&self) -> Result<(&WebhookSettings, &SecretString), Failure> {
        let door = self.settings.webhook.as_ref().zip(self.url_key.as_ref());
        let lack = || format!("account {} has no [account.webhook]: there is no door to lead to", self.account());
        let (webhook, key) = door.ok_or_else(|| Failure::new(Exit::Usage, lack()))?;
        let named = NamedSecret { name: webhook.url_key.name(), value: key.clone() };
        match receiver::unusable_key(&webhook.demand, &named) {
            Some(why) => Err(Failure::new(Exit::Usage, why)),
            None => Ok((webhook, key)),
        }
    }

    fn subscriptions(&self) -> Result<&dyn Subscriptions, Failure> {
        let lack =
            || format!("the provider of account {} has no subscriptions that could be asked for", self.account());
        self.provider.subscriptions().ok_or_else(|| Failure::new(Exit::Failed, lack()))
    }

    pub(in crate::cli) async fn list(&self) -> Result<Vec<Subscription>, Failure> {
        Ok(self.subscriptions()?.list().await?)
    }

    pub(in crate::cli) fn is_ours(&self, subscription: &Subscription) -> bool {
        self.url_key.as_ref().is_some_and(|key| subscription.leads_to(self.account(), key))
    }

    /// Those of the needed event types that it does not send.
    pub(in crate::cli) fn lacks(&self, subscription: &Subscription) -> Vec<&'static str> {
        self.provider.subscriptions().map(|all| subscription.lacks(all.needed_events())).unwrap_or_default()
    }

    pub(super) async fn named_or_ours(&self, id: Option<SubscriptionId>) -> Result<Subscription, Failure> {
        let all = self.list().await?;
        let none = |text: String| Failure::new(Exit::Failed, text);
        if let Some(id) = id {
            return all.into_iter().find(|one| one.id == id).ok_or_else(|| none(format!("no subscription {id}")));
        }
        let ours = all.into_iter().find(|one| self.is_ours(one));
        ours.ok_or_else(|| none("no subscription leads here: `dogwatch webhook create`".to_owned()))
    }

    pub(super) async fn create(&self, new: &NewSubscription) -> Result<Created, Failure> {
        Ok(self.subscriptions()?.create(new).await?)
    }

    pub(super) async fn enable(&self, subscription: &Subscription) -> Result<Subscription, Failure> {
        Ok(self.subscriptions()?.enable(subscription).await?)
    }

    pub(super) async fn delete(&self, id: &SubscriptionId) -> Result<(), Failure> {
        Ok(self.subscriptions()?.delete(id).await?)
    }

    /// Asks for a test delivery, and looks into the log until it is there.
    pub(super) async fn ping(&self, id: &SubscriptionId) -> Result<Arrival, Failure> {
        let reader = Reader::open(&self.places.own_store("whether a test arrives is read").await?)?;
        let newest = reader.recent(None, 1)?.first().map_or(DeliveryId(0), |delivery| delivery.id);
        let (asked, give_up) = (Timestamp::now(), Instant::now() + PATIENCE);
        self.subscriptions()?.ping(id).await?;
        loop {
            let news = reader.recent(None, LINES)?.into_iter().filter(|delivery| delivery.id > newest);
            if let Some(arrival) = self.arrival(news, asked) {
                return Ok(arrival);
            }
            if Instant::now() >= give_up {
                return Ok(Arrival::Nothing { within: PATIENCE });
            }
            sleep(LOOK).await;
        }
    }

    /// A refused one counts only where no ping came: it may have been somebody else's.
    fn arrival(&self, news: impl Iterator<Item = DeliverySummary>, asked: Timestamp) -> Option<Arrival> {
        let mut refused = None;
        for delivery in news.filter(|delivery| delivery.account.as_ref() == Some(self.account())) {
            let is_ping = delivery.event_type.as_ref().is_some_and(|kind| kind.as_str() == PING);
            match delivery.verdict {
                Verdict::Accepted | Verdict::Duplicate | Verdict::Undecodable if is_ping => {
                    let after = delivery.at.duration_since(asked).try_into().unwrap_or_default();
                    return Some(Arrival::Genuine { after });
                }
                // 503 is tried again.
                Verdict::Rejected if delivery.status != 503 => refused = Some(delivery.reason),
                Verdict::Accepted
                | Verdict::Duplicate
                | Verdict::Undecodable
                | Verdict::Rejected
                | Verdict::Sent
                | Verdict::Failed => {}
            }
        }
        refused.map(|reason| Arrival::Refused { reason })
    }
}

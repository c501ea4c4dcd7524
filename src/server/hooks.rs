//! The secrets of the webhook doors: read at the start, and again and again while one of them cannot be read.
//! Until then senders are asked to retry, because a refusal would lose their deliveries.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{account::Account, desk::Desk};
use crate::{
    config::{SecretRef, WebhookSettings},
    core::{id::AccountName, sender::Demand, text::Shown},
    receiver::{self, Hook, NamedSecret},
};

/// How long the door waits for secrets before it opens.
const MOMENT: Duration = Duration::from_millis(500);

/// The hooks of some accounts, and which of them could not be read whole, and why.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) hooks: Vec<Hook>,
    pub(super) wrong: Vec<(AccountName, Shown)>,
}

impl Hooks {
    /// Reads the secrets of every account with a webhook.
    pub(super) async fn read(accounts: &[Arc<Account>]) -> Self {
        let mut read = Self::default();
        for account in accounts {
            let Some(webhook) = &account.settings.webhook else { continue };
            let (hook, wrong) = read_one(account, webhook).await;
            read.wrong.extend(wrong.map(|wrong| (account.settings.name.clone(), wrong)));
            read.hooks.push(hook);
        }
        read
    }

    /// Says on the board, and in the log, what cannot be read.
    pub(super) fn tell(&self, desk: &Desk) {
        for (account, wrong) in &self.wrong {
            tracing::error!(%account, "{wrong}");
        }
        for hook in &self.hooks {
            let wrong = self.wrong.iter().find(|(account, _)| *account == hook.account);
            desk.hub.account(&hook.account, |known| known.push.off = wrong.map(|(_, wrong)| wrong.clone()));
        }
    }
}

/// Reads the secrets, but opens the door without those that take long: a key in a password store may have to be
/// unlocked first, and senders are asked to retry meanwhile.
pub(super) async fn read_for_a_moment(accounts: &[Arc<Account>]) -> Option<Hooks> {
    timeout(MOMENT, Hooks::read(accounts)).await.ok()
}

/// The hooks of these accounts as long as nothing is read.
pub(super) fn unread(accounts: &[Arc<Account>]) -> Vec<Hook> {
    let unread = accounts.iter().filter_map(|account| {
        let webhook = account.settings.webhook.as_ref()?;
        let name = account.settings.name.clone();
        let (demand, unread, allow) = (webhook.demand.clone(), webhook.secrets.len(), webhook.allow.clone());
        Some(Hook { account: name, url_key: None, demand, secrets: vec![], unread, allow, decode: account.decode() })
    });
    unread.collect()
}

async fn read_one(account: &Account, webhook: &WebhookSettings) -> (Hook, Option<Shown>) {
    let (mut secrets, mut unread, mut wrong) = (vec![], 0, None);
    for secret in &webhook.secrets {
        match Purpose::Proof(webhook.demand.clone()).usable(secret).await {
            Ok(secret) => secrets.push(secret),
            Err(why) => {
                unread += 1;
                wrong = Some(why);
            }
        }
    }
    let url_key = match Purpose::UrlKey(webhook.demand.clone()).usable(&webhook.url_key).await {
        Ok(key) => {
            secrets.extend((webhook.demand == Demand::SecretUrl).then(|| key.clone()));
            Some(key.value)
        }
        Err(why) => {
            wrong = Some(why);
            None
        }
    };
    let (name, demand, allow) = (account.settings.name.clone(), webhook.demand.clone(), webhook.allow.clone());
    (Hook { account: name, url_key, demand, secrets, unread, allow, decode: account.decode() }, wrong)
}

/// Every secret of an account's door, the key of its path first, and for what it has to serve.
pub fn secrets(webhook: &WebhookSettings) -> impl Iterator<Item = (Purpose, &SecretRef)> {
    let proofs = webhook.secrets.iter().map(|secret| (Purpose::Proof(webhook.demand.clone()), secret));
    std::iter::once((Purpose::UrlKey(webhook.demand.clone()), &webhook.url_key)).chain(proofs)
}

/// For what a secret of a door has to serve.
#[derive(Debug, Clone)]
pub enum Purpose {
    /// As the key of the path, before what else is demanded.
    UrlKey(Demand),
    /// To show who sent it.
    Proof(Demand),
}

impl Purpose {
    /// The secret, if it is there and of the right form. One that is not is as good as unread: senders are asked to retry.
    pub async fn usable(&self, secret: &SecretRef) -> Result<NamedSecret, Shown> {
        let value = secret.read().await.map_err(|error| Shown::line(&error.to_string()))?;
        let secret = NamedSecret { name: secret.name(), value };
        let why = match self {
            Self::UrlKey(demand) => receiver::unusable_key(demand, &secret),
            Self::Proof(demand) => receiver::unusable(demand, &secret),
        };
        match why {
            None => Ok(secret),
            Some(why) => Err(Shown::line(&why)),
        }
    }
}

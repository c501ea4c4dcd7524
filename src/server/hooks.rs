//! The secrets of the webhook doors: read at the start, and again and again while one of them cannot be read.
//! Until then senders are asked to retry, because a refusal would lose their deliveries.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{account::Account, desk::Desk};
use crate::{
    config::WebhookSettings,
    core::{id::AccountName, text::Shown},
    receiver::{Hook, NamedSecret},
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
        let (name, unread) = (account.settings.name.clone(), webhook.secrets.len());
        Some(Hook { account: name, url_key: None, secrets: vec![], unread, decode: account.decode() })
    });
    unread.collect()
}

async fn read_one(account: &Account, webhook: &WebhookSettings) -> (Hook, Option<Shown>) {
    let (mut secrets, mut unread, mut wrong) = (vec![], 0, None);
    for secret in &webhook.secrets {
        match secret.read().await {
            Ok(value) => secrets.push(NamedSecret { name: secret.name(), value }),
            Err(error) => {
                unread += 1;
                wrong = Some(Shown::line(&error.to_string()));
            }
        }
    }
    let url_key = match webhook.url_key.read().await {
        Ok(key) => Some(key),
        Err(error) => {
            wrong = Some(Shown::line(&error.to_string()));
            None
        }
    };
    let name = account.settings.name.clone();
    (Hook { account: name, url_key, secrets, unread, decode: account.decode() }, wrong)
}

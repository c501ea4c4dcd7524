//! The secrets of the webhook doors: read at the start, and again and again while one of them cannot be read.
//! Until then senders are asked to retry, because a refusal would lose their deliveries.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{account::Account, desk::Desk};
use crate::{
    config::{SecretRef, WebhookSettings},
    core::{delivery::Decode, sender::Demand, text::Shown},
    receiver::{self, Hook, NamedSecret, Receiver},
};

/// How long the door waits for secrets before it opens.
const MOMENT: Duration = Duration::from_millis(500);
/// Between two tries to read what could not be read.
const RETRY: Duration = Duration::from_secs(15);

/// Reads the secrets of every account with a webhook. The board says which cannot be read; `false`: there are some.
pub(super) async fn read(desk: &Desk, decode: &Arc<dyn Decode>) -> (Vec<Hook>, bool) {
    let (mut hooks, mut whole) = (vec![], true);
    for account in desk.accounts.all().values() {
        let Some(webhook) = &account.settings.webhook else { continue };
        let (hook, wrong) = read_one(account, webhook, decode).await;
        if let Some(wrong) = &wrong {
            whole = false;
            tracing::error!(account = %account.settings.name, "{wrong}");
        }
        desk.hub.account(&account.settings.name, |known| known.push.off = wrong);
        hooks.push(hook);
    }
    (hooks, whole)
}

/// Reads the secrets, but opens the door without those that take long: a key in a password store may have to be
/// unlocked first, and senders are asked to retry meanwhile.
pub(super) async fn read_for_a_moment(desk: &Desk, decode: &Arc<dyn Decode>) -> (Vec<Hook>, bool) {
    if let Ok(read) = timeout(MOMENT, read(desk, decode)).await {
        return read;
    }
    let accounts = desk.accounts.all();
    let unread = accounts.values().filter_map(|account| {
        let webhook = account.settings.webhook.as_ref()?;
        let account = account.settings.name.clone();
        let (demand, unread, allow) = (webhook.demand.clone(), webhook.secrets.len(), webhook.allow.clone());
        Some(Hook { account, url_key: None, demand, secrets: vec![], unread, allow, decode: Arc::clone(decode) })
    });
    (unread.collect(), false)
}

/// Reads again until all can be read, then lets the receiver have them.
pub(super) async fn read_until_whole(
    desk: Arc<Desk>,
    decode: Arc<dyn Decode>,
    receiver: Receiver,
    stop: CancellationToken,
) {
    loop {
        let (hooks, whole) = tokio::select! {
            () = stop.cancelled() => return,
            read = read(&desk, &decode) => read,
        };
        receiver.set_hooks(hooks);
        if whole {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(RETRY) => {}
        }
    }
}

async fn read_one(account: &Account, webhook: &WebhookSettings, decode: &Arc<dyn Decode>) -> (Hook, Option<Shown>) {
    let (mut secrets, mut unread, mut wrong) = (vec![], 0, None);
    for secret in &webhook.secrets {
        match usable(&webhook.demand, secret).await {
            Ok(secret) => secrets.push(secret),
            Err(why) => {
                unread += 1;
                wrong = Some(why);
            }
        }
    }
    let alone = webhook.demand == Demand::SecretUrl;
    let of_key = if alone { &webhook.demand } else { &Demand::Bearer };
    let url_key = match usable(of_key, &webhook.url_key).await {
        Ok(key) => {
            secrets.extend(alone.then(|| key.clone()));
            Some(key.value)
        }
        Err(why) => {
            wrong = Some(why);
            None
        }
    };
    let (account, demand, allow) = (account.settings.name.clone(), webhook.demand.clone(), webhook.allow.clone());
    (Hook { account, url_key, demand, secrets, unread, allow, decode: Arc::clone(decode) }, wrong)
}

/// A secret that is there and of the right form. One that is not is as good as unread: senders are asked to retry.
async fn usable(demand: &Demand, secret: &SecretRef) -> Result<NamedSecret, Shown> {
    let value = secret.read().await.map_err(|error| Shown::line(&error.to_string()))?;
    let secret = NamedSecret { name: secret.name(), value };
    match receiver::unusable(demand, &secret) {
        None => Ok(secret),
        Some(why) => Err(Shown::line(&why)),
    }
}

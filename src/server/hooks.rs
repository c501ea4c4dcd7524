//! The secrets of the webhook doors: read at the start, and again and again while one of them cannot be read.
//! Until then senders are asked to retry, because a refusal would lose their deliveries.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{account::Account, desk::Desk};
use crate::{
    config::WebhookSettings,
    core::{delivery::Decode, text::Shown},
    receiver::{Hook, NamedSecret, Receiver},
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
        let unread = webhook.secrets.len();
        Some(Hook { account, url_key: None, secrets: vec![], unread, decode: Arc::clone(decode) })
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
    (Hook { account: name, url_key, secrets, unread, decode: Arc::clone(decode) }, wrong)
}

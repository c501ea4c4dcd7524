//! The secrets of the webhook doors: each read by itself at the start, in force as soon as it is read, and tried again and
//! again while it cannot be. Until then senders are asked to retry, because a refusal would lose their deliveries.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::{account::Account, desk::Desk};
use crate::{
    config::{SecretRef, WebhookSettings},
    core::{id::AccountName, sender::Demand, text::Shown},
    receiver::{self, Hook, NamedSecret},
};

/// Between two tries to read a secret that could not be read.
const RETRY: Duration = Duration::from_secs(15);

/// A secret, or why it is not there.
pub(super) type Secret = Result<NamedSecret, Shown>;

/// Which of all secrets: the account, and the place among [`secrets`].
#[derive(Debug, Clone)]
pub(super) struct Place {
    account: AccountName,
    at: usize,
}

/// The secrets that are being read.
pub(super) type Reading = JoinSet<(Place, Secret)>;

/// The doors of some accounts, with their secrets as far as they are read.
#[derive(Default)]
pub(super) struct Doors(Vec<Door>);

/// The door of one account.
struct Door {
    account: Arc<Account>,
    webhook: WebhookSettings,
    /// In the order of [`secrets`].
    secrets: Vec<Secret>,
}

impl Doors {
    /// Those of the accounts that have one, with nothing read yet.
    pub(super) fn closed<'a>(accounts: impl IntoIterator<Item = &'a Arc<Account>>) -> Self {
        let door = |account: &Arc<Account>| {
            let webhook = account.settings.webhook.clone()?;
            let unread = |(_, secret): (_, &SecretRef)| Err(Shown::line(&format!("{}: not read yet", secret.name())));
            let secrets = secrets(&webhook).map(unread).collect();
            Some(Door { account: Arc::clone(account), webhook, secrets })
        };
        Self(accounts.into_iter().filter_map(door).collect())
    }

    /// The same with everything read; else what cannot be.
    pub(super) async fn whole(accounts: &[Arc<Account>]) -> Result<Self, String> {
        let (mut doors, mut reading) = (Self::closed(accounts), Reading::default());
        doors.read(&mut reading);
        while let Some(Ok((place, secret))) = reading.join_next().await {
            doors.put(&place, secret);
        }
        match doors.wrong() {
            Some((account, wrong)) => Err(format!("account {account}: {wrong}")),
            None => Ok(doors),
        }
    }

    /// Begins to read all of them at once.
    pub(super) fn read(&self, reading: &mut Reading) {
        for door in &self.0 {
            for at in 0..door.secrets.len() {
                let account = door.account.settings.name.clone();
                self.read_one(reading, Place { account, at }, Duration::ZERO);
            }
        }
    }

    fn read_one(&self, reading: &mut Reading, place: Place, after: Duration) {
        let Some(door) = self.0.iter().find(|door| door.account.settings.name == place.account) else { return };
        let Some((purpose, secret)) = secrets(&door.webhook).nth(place.at) else { return };
        let secret = secret.clone();
        reading.spawn(async move {
            sleep(after).await;
            (place, purpose.usable(&secret).await)
        });
    }

    /// Takes what was read. What could not be read is read again, after a while.
    pub(super) fn take(&mut self, reading: &mut Reading, (place, secret): (Place, Secret)) {
        if let Err(wrong) = &secret {
            tracing::error!(account = %place.account, "{wrong}");
            self.read_one(reading, place.clone(), RETRY);
        }
        self.put(&place, secret);
    }

    fn put(&mut self, place: &Place, secret: Secret) {
        let door = self.0.iter_mut().find(|door| door.account.settings.name == place.account);
        if let Some(known) = door.and_then(|door| door.secrets.get_mut(place.at)) {
            *known = secret;
        }
    }

    /// The first secret that is not there, and why.
    fn wrong(&self) -> Option<(&AccountName, &Shown)> {
        self.0.iter().find_map(|door| Some((&door.account.settings.name, door.wrong()?)))
    }

    /// Says on the board what is not there.
    pub(super) fn tell(&self, desk: &Desk) {
        for door in &self.0 {
            desk.hub.account(&door.account.settings.name, |known| known.push.off = door.wrong().cloned());
        }
    }

    /// What the receiver goes by.
    pub(super) fn hooks(&self) -> Vec<Hook> {
        self.0.iter().map(Door::hook).collect()
    }
}

impl Door {
    fn wrong(&self) -> Option<&Shown> {
        self.secrets.iter().find_map(|secret| secret.as_ref().err())
    }

    fn hook(&self) -> Hook {
        let mut all = self.secrets.iter();
        let key = all.next().and_then(|key| key.as_ref().ok());
        let unread = all.clone().filter(|secret| secret.is_err()).count();
        let mut secrets: Vec<_> = all.filter_map(|secret| secret.as_ref().ok().cloned()).collect();
        let WebhookSettings { demand, allow, .. } = self.webhook.clone();
        if demand == Demand::SecretUrl {
            secrets.extend(key.cloned());
        }
        let (account, url_key) = (self.account.settings.name.clone(), key.map(|key| key.value.clone()));
        Hook { account, url_key, demand, secrets, unread, allow, decode: self.account.decode() }
    }
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

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::*;
    use crate::{
        config::AccountSettings,
        server::{calls::Calls, fake},
    };

    fn file(dir: &Path, name: &str) -> SecretRef {
        let path = dir.join(name);
        fs::write(&path, "hunter2hunter2").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours alone");
        SecretRef::File { path }
    }

    fn account(name: &str, secrets: Vec<SecretRef>) -> Arc<Account> {
        let (name, url_key) = (name.parse().expect("name"), SecretRef::Inline("4b1d4b1d4b1d4b1d".into()));
        let demand = Demand::PagerdutyV3;
        let webhook = WebhookSettings { url_key, secrets, demand, allow: None, public_url: None, ping: false };
        let settings = AccountSettings { name, webhook: Some(webhook), ..fake::settings() };
        Arc::new(Account::new(settings, &Calls::default()))
    }

    async fn next(doors: &mut Doors, reading: &mut Reading) -> Place {
        let read = reading.join_next().await.expect("something is read").expect("whole");
        let place = read.0.clone();
        doors.take(reading, read);
        place
    }

    /// How many secrets of an account's door are in use, and how many are missing.
    fn standing(doors: &Doors, of: &str) -> (usize, usize) {
        let hooks = doors.hooks();
        let hook = hooks.iter().find(|hook| hook.account.as_str() == of).expect("a door");
        (hook.secrets.len(), hook.unread)
    }

    #[tokio::test]
    async fn a_secret_that_takes_long_keeps_no_other_out_of_use() {
        let dir = tempfile::tempdir().expect("dir");
        let hangs = SecretRef::Command { argv: vec!["sleep".into(), "600".into()] };
        let accounts =
            [account("slow", vec![hangs, file(dir.path(), "s")]), account("good", vec![file(dir.path(), "g")])];
        let (mut doors, mut reading) = (Doors::closed(&accounts), Reading::default());

        doors.read(&mut reading);
        for _ in 0..4 {
            next(&mut doors, &mut reading).await;
        }

        assert_eq!((standing(&doors, "slow"), standing(&doors, "good")), ((1, 1), (1, 0)));
        let (account, wrong) = doors.wrong().expect("one is not there");
        assert_eq!((account.as_str(), wrong.as_str()), ("slow", "command sleep: not read yet"));
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_could_not_be_read_is_read_again_and_what_was_read_stays() {
        let dir = tempfile::tempdir().expect("dir");
        let none = SecretRef::File { path: dir.path().join("none") };
        let accounts = [account("broken", vec![none]), account("good", vec![file(dir.path(), "g")])];
        let (mut doors, mut reading) = (Doors::closed(&accounts), Reading::default());
        doors.read(&mut reading);
        for _ in 0..4 {
            next(&mut doors, &mut reading).await;
        }
        fs::remove_file(dir.path().join("g")).expect("gone for a moment");

        let again = next(&mut doors, &mut reading).await;
        assert_eq!((again.account.as_str(), again.at), ("broken", 1));
        assert_eq!((standing(&doors, "broken"), standing(&doors, "good")), ((0, 1), (1, 0)));

        file(dir.path(), "none");
        next(&mut doors, &mut reading).await;
        assert_eq!(standing(&doors, "broken"), (1, 0));
        assert!(reading.is_empty() && doors.wrong().is_none());
    }
}

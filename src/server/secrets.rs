//! Whether the secrets behind references are others than they were. Digests are compared, and kept in memory alone.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::{try_join, try_join_all};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::account::Account;
use crate::{
    config::{AccountSettings, Acts, PersonSettings, SecretError, SecretRef, User},
    core::id::AccountName,
    receiver::Hook,
};

/// Tokens that are read at the same time: each may be a program that is run.
const AT_ONCE: usize = 8;

/// The accounts' tokens, where they have one.
pub(super) type Tokens = BTreeMap<AccountName, SecretString>;

/// What tells a secret from another one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Print([u8; 32]);

impl Print {
    pub(super) fn of(secret: &SecretString) -> Self {
        Self(Sha256::digest(secret.expose_secret().as_bytes()).into())
    }
}

/// The secrets that were read, each by what it is for and where it comes from.
#[derive(Default)]
pub(super) struct Prints(BTreeMap<String, Print>);

impl Prints {
    pub(super) fn token(&mut self, account: &AccountSettings, token: &SecretRef, print: Print) {
        self.0.insert(format!("{}: token ({})", account.name, token.name()), print);
    }

    pub(super) fn token_of(&mut self, person: &PersonSettings, token: &SecretRef, print: Print) {
        let who = match &person.user {
            User::Login(login) => login.clone(),
            User::Uid(uid) => format!("uid {uid}"),
        };
        let account = person.account.as_ref().map(|account| format!(" at {account}")).unwrap_or_default();
        self.0.insert(format!("[[person]] {who}{account}: token ({})", token.name()), print);
    }

    /// Those of the doors, as far as they were read.
    pub(super) fn doors(&mut self, accounts: &[AccountSettings], hooks: &[Hook]) {
        for hook in hooks {
            let settings = accounts.iter().find(|account| account.name == hook.account);
            let Some(webhook) = settings.and_then(|account| account.webhook.as_ref()) else { continue };
            if let Some(key) = &hook.url_key {
                let name = format!("{}: url_key ({})", hook.account, webhook.url_key.name());
                self.0.insert(name, Print::of(key));
            }
            // The key of the path stands among them where it is the only secret.
            for (at, secret) in hook.secrets.iter().take(webhook.secrets.len()).enumerate() {
                let name = format!("{}: secret {} ({})", hook.account, at + 1, secret.name);
                self.0.insert(name, Print::of(&secret.value));
            }
        }
    }

    /// Which of these are others than `before`.
    pub(super) fn others(&self, before: &Self) -> Vec<String> {
        let other = |(name, print): &(&String, &Print)| before.0.get(*name).is_some_and(|former| former != *print);
        self.0.iter().filter(other).map(|(name, _)| format!("{name} is another one")).collect()
    }

    /// That none of these is another one, as far as that can be told.
    pub(super) fn none_is_other(&self, before: &Self) -> &'static str {
        if self.0.keys().all(|name| before.0.contains_key(name)) {
            "no secret of an account or a person is different"
        } else {
            "no secret of an account or a person that was read before is different"
        }
    }
}

/// Reads all tokens, some at once: one that takes long holds up none. Those of people are only compared; theirs are read when they
/// act.
pub(super) async fn tokens(accounts: &[Arc<Account>], people: &[PersonSettings]) -> Result<(Prints, Tokens), String> {
    let places = &Semaphore::new(AT_ONCE);
    let of_accounts = accounts.iter().filter_map(|account| {
        let (settings, token) = (&account.settings, account.settings.token.as_ref()?);
        let read = async move { in_turn(places, token).await.map(|read| (settings, token, read)) };
        Some(async move { read.await.map_err(|error| format!("account {}: {error}", settings.name)) })
    });
    let of_people = people.iter().filter_map(|person| {
        let Acts::With { token } = &person.acts else { return None };
        let read = async move { in_turn(places, token).await.map(|read| (person, token, read)) };
        Some(async move { read.await.map_err(|error| format!("a [[person]]: {error}")) })
    });
    let (of_accounts, of_people) = try_join(try_join_all(of_accounts), try_join_all(of_people)).await?;
    let (mut prints, mut tokens) = (Prints::default(), Tokens::new());
    for (settings, token, read) in of_accounts {
        prints.token(settings, token, Print::of(&read));
        tokens.insert(settings.name.clone(), read);
    }
    for (person, token, read) in of_people {
        prints.token_of(person, token, Print::of(&read));
    }
    Ok((prints, tokens))
}

async fn in_turn(places: &Semaphore, token: &SecretRef) -> Result<SecretString, SecretError> {
    let _place = places.acquire().await;
    token.read().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::calls::Calls;
    use crate::server::fake;

    fn prints(token: &str) -> Prints {
        let (mut prints, reference) = (Prints::default(), SecretRef::Env { variable: "PD_TOKEN".to_owned() });
        prints.token(&fake::settings(), &reference, Print::of(&SecretString::from(token)));
        prints
    }

    #[test]
    fn a_secret_that_is_another_one_is_named_with_its_place_and_never_shown() {
        let name = fake::account_name();

        let others = prints("new-hunter2").others(&prints("old-hunter2"));

        assert_eq!(others, [format!("{name}: token (env PD_TOKEN) is another one")]);
        assert!(prints("same").others(&prints("same")).is_empty());
    }

    #[test]
    fn what_was_not_read_before_is_not_called_the_same() {
        let (before, now) = (Prints::default(), prints("token"));

        assert!(now.others(&before).is_empty());
        assert!(now.none_is_other(&before).contains("that was read before"));
        assert_eq!(now.none_is_other(&now), "no secret of an account or a person is different");
    }

    #[tokio::test]
    async fn the_tokens_of_all_are_read_at_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        // Each ends only when all have begun.
        let all_begin = "cd \"$0\"; : > \"$1\"; until [ -e a ] && [ -e b ] && [ -e c ]; do sleep 0.01; done; echo u+x";
        let token = |mark: &str| {
            let dir = dir.path().to_str().expect("unicode");
            SecretRef::Command { argv: ["sh", "-c", all_begin, dir, mark].map(str::to_owned).to_vec() }
        };
        let account = |name: &str| {
            let name_of_it = AccountName::new(name).expect("name");
            let settings = AccountSettings { name: name_of_it, token: Some(token(name)), ..fake::settings() };
            Arc::new(Account::new(settings, &Calls::default()))
        };
        let acts = Acts::With { token: token("c") };
        let person = PersonSettings { user: User::Uid(4_000_001), account: None, acts };

        let (_, read) = tokens(&[account("a"), account("b")], &[person]).await.expect("all are read");

        assert_eq!(read.len(), 2);
    }
}

//! One configured account: its way to the provider, made when it is first needed and made anew when the
//! credentials were refused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::{Notify, OnceCell};

use super::{calls::Calls, people::Acting, scope::Scope, secrets::Print};
use crate::{
    config::{AccountSettings, Acts, PersonSettings, ProviderKind, SecretRef},
    core::{
        call::{Budget, Purpose},
        delivery::Decode,
        freshness::Failure,
        id::AccountName,
        text::Shown,
    },
    provider::{
        Provider, ProviderError,
        pagerduty::{PagerDuty, Settings, Webhooks},
    },
};

/// An account as the server holds it.
pub struct Account {
    pub settings: AccountSettings,
    provider: Mutex<Option<Way>>,
    /// Held by whoever reads the token: one does, and nobody else waits for it.
    reading: tokio::sync::Mutex<()>,
    /// Of the token that was read last.
    print: Mutex<Option<Print>>,
    /// The ways to the provider of those with a token of their own.
    own: Mutex<Vec<Own>>,
    /// Where its calls are told.
    calls: Calls,
    /// Asks the poller to look now.
    pub look: Notify,
    /// Asks for a look at the provider's subscriptions.
    pub doubt: Notify,
    /// Of which incidents push tells.
    pub scope: Scope,
}

/// The account's own way to the provider.
#[derive(Clone)]
struct Way {
    provider: Arc<dyn Provider>,
    /// Of its token; `None`: it was at hand from the start.
    print: Option<Print>,
    /// The token may have been replaced: it is read before anything more is asked.
    is_doubted: bool,
}

/// A person with a token of their own, and their way to the provider once that was read.
type Own = (Arc<PersonSettings>, Arc<OnceCell<Arc<dyn Provider>>>);

/// The accounts that are configured now. Settings may be read again at any time, so whoever needs an account looks
/// it up then; one that is held stays usable to its holder.
#[derive(Default)]
pub struct Accounts(RwLock<Arc<BTreeMap<AccountName, Arc<Account>>>>);

impl Accounts {
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        let table = Self::default();
        table.set(accounts.into_iter().map(Arc::new));
        table
    }

    /// All of them, as they are at this moment.
    pub fn all(&self) -> Arc<BTreeMap<AccountName, Arc<Account>>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn get(&self, name: &AccountName) -> Option<Arc<Account>> {
        self.all().get(name).cloned()
    }

    pub fn contains_key(&self, name: &AccountName) -> bool {
        self.all().contains_key(name)
    }

    /// Puts these in the place of all others.
    pub fn set(&self, accounts: impl IntoIterator<Item = Arc<Account>>) {
        let table = accounts.into_iter().map(|account| (account.settings.name.clone(), account)).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}

/// Why there is no way to the provider just now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoProvider {
    #[error("no token is configured for this account, so it can only receive webhooks")]
    NoToken,
    #[error("{0}")]
    Token(String),
    #[error("{0}")]
    Client(String),
}

impl Account {
    /// An account whose calls to its provider are told to `calls`.
    pub fn new(settings: AccountSettings, calls: &Calls) -> Self {
        Self::holding(settings, None, calls.clone())
    }

    /// An account whose provider is at hand already.
    pub fn with_provider(settings: AccountSettings, provider: Arc<dyn Provider>) -> Self {
        Self::holding(settings, Some(provider), Calls::default())
    }

    fn holding(settings: AccountSettings, provider: Option<Arc<dyn Provider>>, calls: Calls) -> Self {
        let way = |provider| Way { provider, print: None, is_doubted: false };
        let provider = Mutex::new(provider.map(way));
        Self {
            settings,
            provider,
            reading: tokio::sync::Mutex::default(),
            print: Mutex::default(),
            own: Mutex::default(),
            calls,
            look: Notify::new(),
            doubt: Notify::new(),
            scope: Scope::default(),
        }
    }

    /// How this account's webhooks are read.
    pub fn decode(&self) -> Arc<dyn Decode> {
        match self.settings.provider {
            ProviderKind::PagerDuty => Arc::new(Webhooks),
        }
    }

    /// What is left of the provider's rate limit, if it says so.
    pub fn budget(&self) -> Option<Budget> {
        self.way().as_ref()?.provider.budget()
    }

    /// The provider's clock minus this machine's, as far as its answers told.
    pub fn clock_skew(&self) -> Option<SignedDuration> {
        self.way().as_ref()?.provider.clock_skew()
    }

    /// Whether REST can be used at all.
    pub fn has_rest(&self) -> bool {
        self.settings.token.is_some() || self.way().is_some()
    }

    fn way(&self) -> MutexGuard<'_, Option<Way>> {
        self.provider.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way that is not doubted.
    fn sure(&self) -> Option<Arc<dyn Provider>> {
        self.way().as_ref().filter(|way| !way.is_doubted).map(|way| Arc::clone(&way.provider))
    }

    /// The way to the provider. The token is read when this is first called, and again after [`Account::forget`].
    pub async fn provider(&self) -> Result<Arc<dyn Provider>, NoProvider> {
        if let Some(known) = self.sure() {
            return Ok(known);
        }
        let _alone = self.reading.lock().await;
        if let Some(read) = self.sure() {
            return Ok(read);
        }
        let token = read(self.settings.token.as_ref().ok_or(NoProvider::NoToken)?).await?;
        // With new settings it may have been read meanwhile, and that one is newer.
        let mut held = self.way();
        match held.as_ref().filter(|way| !way.is_doubted) {
            Some(way) => Ok(Arc::clone(&way.provider)),
            None => self.hold(&mut held, token),
        }
    }

    /// Goes by a token that was just read. With the same one as before the way stays: a fresh one would know nothing of the
    /// provider's rate limit, and of how long it asked to be left alone.
    fn hold(&self, held: &mut Option<Way>, token: SecretString) -> Result<Arc<dyn Provider>, NoProvider> {
        let print = Print::of(&token);
        *self.print.lock().unwrap_or_else(PoisonError::into_inner) = Some(print.clone());
        let provider = match held.take().filter(|way| way.print.as_ref() == Some(&print)) {
            Some(way) => way.provider,
            None => self.made(token, self.settings.from.clone())?,
        };
        *held = Some(Way { provider: Arc::clone(&provider), print: Some(print), is_doubted: false });
        Ok(provider)
    }

    /// Goes by a token that was read with new settings, and on by the way of `former` if that leads to the same place.
    pub(super) fn go_on(&self, former: Option<&Self>, token: SecretString) {
        let leads_here = |former: &&Self| {
            let (theirs, ours) = (&former.settings, &self.settings);
            (theirs.provider, &theirs.base_url, &theirs.from) == (ours.provider, &ours.base_url, &ours.from)
        };
        let known = former.filter(leads_here).and_then(|former| former.way().clone());
        let mut held = self.way();
        if known.is_some() {
            *held = known;
        }
        // One that cannot be used is told of when it is to be.
        let _ = self.hold(&mut held, token);
    }

    /// What the token was told from others by, if it was read.
    pub(super) fn print(&self) -> Option<Print> {
        self.print.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn made(&self, token: SecretString, from: Option<String>) -> Result<Arc<dyn Provider>, NoProvider> {
        let (account, base_url) = (self.settings.name.clone(), self.settings.base_url.clone());
        match self.settings.provider {
            ProviderKind::PagerDuty => PagerDuty::new(Settings { account, base_url, token, from })
                .map(|provider| Arc::new(provider.heard_by(self.calls.ear())) as Arc<dyn Provider>)
                .map_err(|e| NoProvider::Client(e.to_string())),
        }
    }

    /// The way to the provider for what `acting` does: it goes out as theirs, or not at all.
    pub async fn provider_for(&self, acting: &Acting) -> Result<Arc<dyn Provider>, NoProvider> {
        self.named(acting).await.map(|provider| provider.for_purpose(Purpose::Action))
    }

    async fn named(&self, acting: &Acting) -> Result<Arc<dyn Provider>, NoProvider> {
        let Acting::Person(person) = acting else { return self.provider().await };
        let token = match &person.acts {
            Acts::As { email } => {
                let provider = self.provider().await?;
                return provider.acting_as(email).map_err(|e| NoProvider::Client(e.to_string()));
            }
            Acts::With { token } => token,
        };
        let way = self.own_way(person);
        let made = way.get_or_try_init(|| async { self.made(read(token).await?, None) }).await?;
        Ok(Arc::clone(made))
    }

    /// Where the way of a person with a token of their own is kept.
    fn own_way(&self, person: &Arc<PersonSettings>) -> Arc<OnceCell<Arc<dyn Provider>>> {
        let mut own = self.own();
        // Those of former settings are held by nobody else.
        own.retain(|(known, _)| Arc::strong_count(known) > 1);
        if let Some((_, way)) = own.iter().find(|(known, _)| Arc::ptr_eq(known, person)) {
            return Arc::clone(way);
        }
        let way = Arc::default();
        own.push((Arc::clone(person), Arc::clone(&way)));
        way
    }

    fn own(&self) -> MutexGuard<'_, Vec<Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After the credentials of `acting` were refused: what is theirs alone is read again.
    pub fn forget_for(&self, acting: &Acting) {
        if let Acting::Person(person) = acting {
            self.own().retain(|(known, _)| !Arc::ptr_eq(known, person));
        }
    }

    /// Has the token read again: it may have been replaced.
    pub fn forget(&self) {
        if let Some(way) = self.way().as_mut().filter(|_| self.settings.token.is_some()) {
            way.is_doubted = true;
        }
    }
}

async fn read(token: &SecretRef) -> Result<SecretString, NoProvider> {
    token.read().await.map_err(|e| NoProvider::Token(e.to_string()))
}

impl NoProvider {
    pub fn shown(&self) -> Shown {
        Shown::line(&self.to_string())
    }
}

/// A provider's error as a failure of the REST source.
pub fn failure(error: &ProviderError, at: Timestamp) -> Failure {
    Failure { at, cause: error.shown(), unauthorised: matches!(error, ProviderError::Unauthorised { .. }) }
}

/// How long to wait before asking again after `error`, if `poll` is the usual time.
pub fn pause_after(error: &ProviderError, poll: Duration) -> Duration {
    match error {
        ProviderError::RateLimited { wait } => *wait,
        // Asking again with the same credentials only fills the provider's log.
        ProviderError::Unauthorised { .. } => poll.max(Duration::from_mins(1)),
        // However seldom it is asked, what comes back is met soon.
        _ => poll.min(Duration::from_mins(1)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::{
        config::User,
        server::{
            fake,
            people::{Caller, People},
        },
    };

    #[tokio::test]
    async fn what_the_provider_said_of_its_limit_holds_for_as_long_as_address_and_token_are_the_same() {
        let (first, second) = (SecretString::from("u+first"), SecretString::from("u+second"));
        let with = |poll: u64, base_url: &str| {
            let token = Some(SecretRef::Inline(first.clone()));
            let (poll, base_url) = (Duration::from_secs(poll), base_url.to_owned());
            Account::new(AccountSettings { base_url, token, poll, ..fake::settings() }, &Calls::default())
        };
        let way = async |account: &Account| account.provider().await.unwrap_or_else(|no| panic!("{no}"));
        let account = with(30, "http://127.0.0.1:1");
        let before = way(&account).await;

        account.forget();
        assert!(Arc::ptr_eq(&before, &way(&account).await), "read again, and the same");
        account.go_on(Some(&account), first.clone());
        assert!(Arc::ptr_eq(&before, &way(&account).await));
        let slower = with(60, "http://127.0.0.1:1");
        slower.go_on(Some(&account), first.clone());
        assert!(Arc::ptr_eq(&before, &way(&slower).await));

        let elsewhere = with(30, "http://127.0.0.1:2");
        elsewhere.go_on(Some(&account), first.clone());
        assert!(!Arc::ptr_eq(&before, &way(&elsewhere).await));
        account.go_on(Some(&account), second);
        assert!(!Arc::ptr_eq(&before, &way(&account).await));
    }

    #[tokio::test]
    async fn a_token_that_takes_long_to_read_holds_up_no_new_settings_and_nobody_else() {
        let slow = || SecretRef::Command { argv: vec!["sleep".to_owned(), "60".to_owned()] };
        let settings = AccountSettings { token: Some(slow()), ..fake::settings() };
        let account = Account::new(settings, &Calls::default());
        let person = |uid, token| PersonSettings { user: User::Uid(uid), account: None, acts: Acts::With { token } };
        let [alice, bob] =
            [person(4_000_001, slow()), person(4_000_002, SecretRef::Inline("y_NbAkKc66ryYTWUXYEu".into()))]
                .map(|one| Acting::Person(Arc::new(one)));
        let (mut ours, mut hers) = (Box::pin(account.provider()), Box::pin(account.named(&alice)));
        assert!(ours.as_mut().now_or_never().is_none() && hers.as_mut().now_or_never().is_none());

        account.go_on(Some(&account), SecretString::from("u+new"));

        assert!(account.provider().now_or_never().is_some_and(|way| way.is_ok()));
        assert!(account.named(&bob).now_or_never().is_some_and(|way| way.is_ok()));
    }

    #[tokio::test]
    async fn a_person_s_own_token_is_read_again_with_the_settings() {
        let token = SecretRef::Inline("y_NbAkKc66ryYTWUXYEu".into());
        let alice = PersonSettings { user: User::Uid(4_000_001), account: None, acts: Acts::With { token } };
        let caller = Caller { uid: Some(4_000_001), login: "alice".into() };
        let account = Account::new(fake::settings(), &Calls::default());
        let people = People::new(std::slice::from_ref(&alice));
        let way = async || {
            let acting = people.acting(&caller, &fake::account_name()).expect("a person");
            account.named(&acting).await.unwrap_or_else(|no| panic!("{no}"))
        };

        let first = way().await;
        assert!(Arc::ptr_eq(&first, &way().await));
        people.set(&[alice]);

        assert!(!Arc::ptr_eq(&first, &way().await));
    }
}

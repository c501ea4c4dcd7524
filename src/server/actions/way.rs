//! How an action goes out: as whom and where to, as it was when it was asked for. What waited goes out by the settings that
//! are in force by then, or not at all.

use std::sync::Arc;

use crate::{
    core::{action::By, id::AccountName, text::Shown},
    provider::{Provider, ProviderError},
    server::{
        account::Account,
        desk::Desk,
        people::{Acting, Caller},
    },
};

pub struct Way {
    account: AccountName,
    caller: Caller,
    acting: Acting,
    /// Where the provider was asked; `None`: the account was not configured any more.
    address: Option<String>,
}

impl Way {
    pub(in crate::server) fn new(desk: &Desk, by: &By, account: AccountName, acting: Acting) -> Self {
        let caller = Caller { uid: by.uid, login: by.actor.clone() };
        let address = desk.accounts.get(&account).map(|known| known.settings.base_url.clone());
        Self { account, caller, acting, address }
    }

    /// The way by the settings of this moment, if it is still the same; else why nothing goes out.
    pub(in crate::server) async fn now(&self, desk: &Desk) -> Result<(Acting, Arc<dyn Provider>), Shown> {
        let (account, acting) = self.stands(desk)?;
        let provider = account.provider_for(&acting).await.map_err(|error| error.shown())?;
        match provider.prepare_writes().await {
            // The first look, or what is sent, meets the same and knows what to do.
            Ok(()) | Err(ProviderError::RateLimited { .. } | ProviderError::Unauthorised { .. }) => {
                Ok((acting, provider))
            }
            Err(error) => Err(error.shown()),
        }
    }

    /// Where it leads to and in whose name by the settings of this moment, if that is still the same; else why nothing goes
    /// out.
    pub(super) fn stands(&self, desk: &Desk) -> Result<(Arc<Account>, Acting), Shown> {
        let account = desk.accounts.get(&self.account).ok_or_else(|| Shown::line("its account is not configured"))?;
        if self.address.as_ref() != Some(&account.settings.base_url) {
            return Err(changed("its account is at another address"));
        }
        let acting = desk.people.acting(&self.caller, &self.account).map_err(|why| changed(&why))?;
        if !is_same(&acting, &self.acting) {
            return Err(changed("who asked for it acts in another name"));
        }
        Ok((account, acting))
    }

    /// The way to read what became of it by the credentials of this moment, unless they lead elsewhere or nowhere.
    pub(super) async fn to_read(&self, desk: &Desk, acting: &Acting) -> Option<Arc<dyn Provider>> {
        let account = desk.accounts.get(&self.account)?;
        if self.address.as_ref() != Some(&account.settings.base_url) {
            return None;
        }
        account.provider_for(acting).await.ok()
    }
}

fn changed(why: &str) -> Shown {
    Shown::line(&format!("the settings changed while it waited, and nothing was done: {why}"))
}

fn is_same(one: &Acting, other: &Acting) -> bool {
    match (one, other) {
        (Acting::Owner, Acting::Owner) => true,
        (Acting::Person(one), Acting::Person(other)) => one.acts == other.acts,
        (Acting::Owner, Acting::Person(_)) | (Acting::Person(_), Acting::Owner) => false,
    }
}

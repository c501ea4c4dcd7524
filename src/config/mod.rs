//! Settings: what the configuration file says, checked as a whole before anything runs.
//!
//! A secret is a reference ([`SecretRef`]) until the moment it is needed; no error here repeats a value
//! from the file where a secret could stand.

mod error;
mod fields;
mod file;
mod networks;
mod notify;
mod places;
mod runbooks;
mod secret;
mod shared;
pub mod targets;
mod tls;
mod values;
mod views;
mod webhook;

use std::{net::SocketAddr, time::Duration};

pub use error::{ConfigError, Finding};
pub use file::{load, parse};
pub use places::{default_config_path, default_state_dir, init};
pub use secret::{AS_ROOT, SecretError, SecretRef};
pub use shared::{Acts, PersonSettings, ServerSettings, User};
pub use targets::{BasicSettings, TargetSettings};
pub use tls::{Looks, TlsSettings};
pub use values::public_url;

use ipnet::IpNet;

use crate::core::{id::AccountName, notify::Notify, runbook::Rule, sender::Demand, view::SavedViews};

/// The commented sample that [`init`] writes: every key, each with its default or an example.
pub const SAMPLE: &str = include_str!("../../assets/config.sample.toml");

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    pub receiver: ReceiverSettings,
    pub server: ServerSettings,
    /// In the order of the file; a user has one entry for an account at most.
    pub people: Vec<PersonSettings>,
    pub store: StoreSettings,
    pub actions: ActionSettings,
    /// In the order of the file; names are unique.
    pub accounts: Vec<AccountSettings>,
    /// Of whoever looks: a server makes nothing of them.
    pub views: SavedViews,
    /// Likewise.
    pub notify: Notify,
    /// In the order of the file: the first that is about an incident counts.
    pub runbooks: Vec<Rule>,
    /// In the order of the file; names are unique.
    pub integrations: Vec<IntegrationSettings>,
    /// In the order of the file; names are unique.
    pub targets: Vec<TargetSettings>,
}

/// `[receiver]`: the door for webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverSettings {
    pub listen: SocketAddr,
    /// Who may deliver, unless an account says otherwise; `None` is everybody.
    pub allow: Option<Vec<IpNet>>,
    /// Whose word on where a request comes from is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// `None`: plain HTTP.
    pub tls: Option<TlsSettings>,
}

impl Default for ReceiverSettings {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8484));
        Self { listen, allow: None, trusted_proxies: vec![], tls: None }
    }
}

/// `[store]`: how much of the webhook log is kept. What fits all three is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// Since they came; 1 day to 10 years.
    pub keep: Duration,
    pub keep_deliveries: u64,
    /// Bytes of the database.
    pub keep_size: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { keep: Duration::from_hours(90 * 24), keep_deliveries: 1_000_000, keep_size: 2 * 1024 * 1024 * 1024 }
    }
}

/// `[actions]`: how consoles act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionSettings {
    /// How long an action can be taken back before it is sent; at most a minute, none at all with `0s`.
    pub undo_window: Duration,
}

impl Default for ActionSettings {
    fn default() -> Self {
        Self { undo_window: Duration::from_secs(5) }
    }
}

/// `[[account]]`: one account at one provider.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountSettings {
    pub name: AccountName,
    pub provider: ProviderKind,
    /// Scheme, host and port, no slash at the end. Plain http only to this machine.
    pub base_url: String,
    /// `None`: webhooks only.
    pub token: Option<SecretRef>,
    /// The e-mail address that acts when the token belongs to no person.
    pub from: Option<String>,
    /// Between two polls; 5 s to 1 h.
    pub poll: Duration,
    /// `None`: polling only.
    pub webhook: Option<WebhookSettings>,
}

/// `[account.webhook]`: `POST /hooks/<account>/<url_key>`.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSettings {
    pub url_key: SecretRef,
    /// Any of them will do; none where the key of the path is the only secret, else at least one.
    pub secrets: Vec<SecretRef>,
    pub demand: Demand,
    /// Who may deliver, in place of the general list.
    pub allow: Option<Vec<IpNet>>,
    /// What the provider reaches this door by, no slash at the end; `None`: not told.
    pub public_url: Option<String>,
    /// Whether a test delivery may be asked for when nothing came for long.
    pub ping: bool,
}

/// `[[integration]]`: where `dogwatch event` sends to.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegrationSettings {
    pub name: String,
    /// The key of an Events API v2 integration of a service.
    pub routing_key: SecretRef,
    /// Scheme, host and port, no slash at the end. Plain http only to this machine.
    pub base_url: String,
}

/// Who the incidents come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    PagerDuty,
}

impl ProviderKind {
    /// Its name in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::PagerDuty => "pagerduty",
        }
    }
}

impl Settings {
    /// Every secret reference, with the place it stands in.
    pub fn secrets(&self) -> Vec<(String, &SecretRef)> {
        let mut out = vec![];
        for account in &self.accounts {
            out.extend(account.token.iter().map(|token| (format!("token of {}", account.name), token)));
            if let Some(webhook) = &account.webhook {
                out.push((format!("webhook.url_key of {}", account.name), &webhook.url_key));
                out.extend(webhook.secrets.iter().map(|s| (format!("webhook.secrets of {}", account.name), s)));
            }
        }
        let integrations = self.integrations.iter();
        out.extend(integrations.map(|one| (format!("routing_key of {}", one.name), &one.routing_key)));
        out.extend(self.people.iter().filter_map(PersonSettings::token));
        out.extend(self.targets.iter().flat_map(TargetSettings::secrets));
        out
    }

    /// The variables of the environment that hold secrets.
    pub fn secret_variables(&self) -> Vec<String> {
        let variable = |(_, secret): (String, &SecretRef)| match secret {
            SecretRef::Env { variable } => Some(variable.clone()),
            SecretRef::File { .. }
            | SecretRef::Command { .. }
            | SecretRef::Credential { .. }
            | SecretRef::Inline(_) => None,
        };
        self.secrets().into_iter().filter_map(variable).collect()
    }
}

/// What is allowed but probably not meant: one sentence each, for `config check`.
pub fn advice(settings: &Settings) -> Vec<String> {
    let mut out = vec![];
    if settings.accounts.is_empty() {
        out.push("no [[account]]: nothing is watched".to_owned());
    }
    let listen = settings.receiver.listen;
    let receives = settings.accounts.iter().any(|account| account.webhook.is_some());
    if !listen.ip().is_loopback() && settings.receiver.tls.is_none() && receives {
        let what = "set [receiver.tls], or put a TLS proxy before it";
        out.push(format!("receiver.listen {listen} is open to the network without TLS: {what}"));
    }
    if let Some(metrics) = settings.server.metrics.filter(|metrics| !metrics.ip().is_loopback()) {
        out.push(format!("server.metrics {metrics} is open to the network: anybody there can read the figures"));
    }
    for account in &settings.accounts {
        advise(account, &settings.people, &mut out);
        advise_on_senders(account, &settings.receiver, &mut out);
    }
    shared::advise(&settings.server, &settings.people, &mut out);
    targets::advise(&settings.targets, &mut out);
    out
}

fn advise(account: &AccountSettings, people: &[PersonSettings], out: &mut Vec<String>) {
    let name = &account.name;
    match (&account.token, &account.webhook) {
        (None, None) => out.push(format!("account {name} has neither token nor [account.webhook]: it shows nothing")),
        (None, Some(_)) => out.push(format!("account {name} has no token: nothing can be done, and gaps stay unseen")),
        (Some(_), None) => {
            let poll = account.poll.as_secs();
            out.push(format!("account {name} has no [account.webhook]: changes show after up to {poll} s"));
        }
        (Some(_), Some(_)) => {}
    }
    let acts = |person: &PersonSettings| person.account.as_ref().is_none_or(|account| account == name);
    if account.token.is_some() && account.from.is_none() && !people.iter().any(acts) {
        let what = "a token of the whole account can then look but not act, unless a [[person]] does";
        out.push(format!("account {name} has no from: {what}"));
    }
}

fn advise_on_senders(account: &AccountSettings, receiver: &ReceiverSettings, out: &mut Vec<String>) {
    let Some(webhook) = &account.webhook else { return };
    let (name, scheme) = (&account.name, webhook.demand.scheme());
    if scheme.is_signed() {
        return;
    }
    if !receiver.listen.ip().is_loopback() && receiver.tls.is_none() {
        out.push(format!("account {name}: with scheme {} the secret itself comes over plain http", scheme.word()));
    }
    if account.token.is_none() {
        out.push(format!(
            "account {name}: scheme {} signs nothing, and without a token nothing confirms what comes",
            scheme.word()
        ));
    }
}

#[cfg(test)]
mod tests;

//! A provider's subscriptions to its events: where each leads, and whether it does. The address may hold a secret
//! in its path, so it is shown without.

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    id::{AccountName, ServiceId, SubscriptionId, TeamId},
    incident,
    text::Shown,
};

/// One subscription.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub url: SecretString,
    pub description: Shown,
    pub state: State,
    pub filter: Filter,
    /// The event types that are sent.
    pub events: Vec<Shown>,
}

/// Whether it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Active,
    /// By the provider, after refusals.
    Disabled,
    /// By somebody.
    Inactive,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Inactive => "inactive",
        }
    }
}

/// Of what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    Account,
    Service(ServiceId),
    Team(TeamId),
    /// A kind that is not known here.
    Other(Shown),
}

impl Filter {
    /// Whether an incident's changes are told. What cannot be known counts as not told: nobody is alarmed for it.
    pub fn covers(&self, incident: &incident::State) -> bool {
        match self {
            Self::Account => true,
            Self::Service(id) => incident.service.as_ref().is_some_and(|service| service.id == *id),
            Self::Team(id) => incident.teams.iter().any(|team| team.id == *id),
            Self::Other(_) => false,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("account"),
            Self::Service(id) => write!(f, "service:{id}"),
            Self::Team(id) => write!(f, "team:{id}"),
            Self::Other(kind) => write!(f, "({kind})"),
        }
    }
}

/// What a filter can be, as people type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a filter is `account`, `service:ID` or `team:ID`")]
pub struct BadFilter;

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        match text.split_once(':') {
            None if text == "account" => Ok(Self::Account),
            Some(("service", id)) => ServiceId::new(id).map(Self::Service).map_err(|_| BadFilter),
            Some(("team", id)) => TeamId::new(id).map(Self::Team).map_err(|_| BadFilter),
            _ => Err(BadFilter),
        }
    }
}

/// A subscription to make.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    pub url: SecretString,
    pub description: String,
    pub filter: Filter,
}

/// One that was made. The secret is told this once.
#[derive(Debug, Clone)]
pub struct Created {
    pub subscription: Subscription,
    pub secret: SecretString,
}

impl Subscription {
    /// Whether it leads to the door of `account`, whatever host stands before it.
    pub fn leads_to(&self, account: &AccountName, url_key: &SecretString) -> bool {
        let url = self.url.expose_secret();
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let mut parts = path.trim_end_matches('/').rsplit('/').map(plain);
        let (key, name, hooks) = (parts.next(), parts.next(), parts.next());
        hooks.as_deref() == Some("hooks")
            && name.as_deref() == Some(account.as_str())
            && key.as_deref() == Some(url_key.expose_secret())
    }

    /// Where it leads, without what may be secret: user, password, the path from the key on, query.
    pub fn place(&self) -> Shown {
        let url = self.url.expose_secret();
        let (scheme, rest) = url.split_once("://").unwrap_or(("?", url));
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.rsplit('@').next().unwrap_or_default();
        let mut parts = path.splitn(3, '/');
        let path = match (parts.next(), parts.next(), parts.next()) {
            // A key may have a `/` in it.
            (Some("hooks"), Some(account), Some(_)) => format!("hooks/{account}/…"),
            _ if path.is_empty() => String::new(),
            _ => "…".to_owned(),
        };
        Shown::line(&format!("{scheme}://{host}/{path}"))
    }

    /// Those of `needed` that it does not send.
    pub fn lacks<'a>(&self, needed: &[&'a str]) -> Vec<&'a str> {
        needed.iter().filter(|kind| !self.events.iter().any(|sent| sent.as_str() == **kind)).copied().collect()
    }
}

/// The address of an account's door behind `public_url`, which has no slash at its end.
pub fn door(public_url: &str, account: &AccountName, url_key: &SecretString) -> SecretString {
    format!("{public_url}/hooks/{account}/{}", url_key.expose_secret()).into()
}

/// A part of a path with its `%XX` resolved.
fn plain(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| first == b'%').and_then(|two| hex::decode(two).ok());
        if let Some([byte]) = escaped.as_deref() {
            bytes.push(*byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> Subscription {
        Subscription {
            id: SubscriptionId::new("PSUB001").expect("id"),
            url: url.into(),
            description: Shown::default(),
            state: State::Active,
            filter: Filter::Account,
            events: vec!["incident.triggered".into()],
        }
    }

    #[test]
    fn a_subscription_is_ours_by_account_and_key_behind_any_host() {
        let (prod, key) = (AccountName::new("prod").expect("name"), SecretString::from("4b1d"));
        for ours in [
            "https://hooks.example.com/hooks/prod/4b1d",
            "https://example.com:8443/behind/a/proxy/hooks/prod/4b1d/",
            "https://user:word@example.com/hooks/prod/4%621d?x=1",
        ] {
            assert!(to(ours).leads_to(&prod, &key), "{ours}");
        }
        for other in [
            "https://example.com/hooks/prod/4b1e",
            "https://example.com/hooks/test/4b1d",
            "https://example.com/prod/4b1d",
            "https://example.com/?/hooks/prod/4b1d",
            "",
        ] {
            assert!(!to(other).leads_to(&prod, &key), "{other}");
        }
    }

    #[test]
    fn what_may_be_secret_in_an_address_is_not_shown() {
        for (url, shown) in [
            ("https://u:secret@example.com/hooks/prod/secret?key=secret", "https://example.com/hooks/prod/…"),
            ("https://example.com/hooks/prod/sec/ret/", "https://example.com/hooks/prod/…"),
            ("https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/…"),
            ("https://example.com", "https://example.com/"),
            ("secret", "?://secret/"),
        ] {
            assert_eq!(to(url).place().as_str(), shown);
        }
    }

    #[test]
    fn filters_are_read_as_they_are_shown() {
        for text in ["account", "service:P393ZNQ", "team:PTEAM01"] {
            assert_eq!(text.parse::<Filter>().map(|filter| filter.to_string()).as_deref(), Ok(text));
        }
        for bad in ["", "service", "service:", "user:P1", "account:P1"] {
            assert!(bad.parse::<Filter>().is_err(), "{bad}");
        }
    }

    #[test]
    fn missing_event_types_are_named() {
        assert_eq!(to("").lacks(&["incident.triggered", "incident.resolved"]), ["incident.resolved"]);
    }
}

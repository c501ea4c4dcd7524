//! The other side of the checks: signing a delivery anew, as the senders of an account do.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    hmac, mac, pagerduty, slack, splunk, standard,
    token::{self, AUTHORIZATION},
};
use crate::core::sender::{Algorithm, Demand, HmacDemand, Part};

/// A request that is about to be sent with `POST`.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Path and query; `None`: not known yet, and then nothing can be signed that covers it.
    pub path: Option<&'a str>,
    /// Names in lower case.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

impl Draft<'_> {
    fn header(&self, name: &str) -> Result<&str, String> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        let missing = || format!("its {name} header is signed too, and it has none");
        found.map(|(_, value)| value.as_str()).ok_or_else(missing)
    }

    fn path(&self) -> Result<&str, String> {
        self.path
            .ok_or_else(|| "its address is signed too, and is not known here: use `delivery replay --to`".to_owned())
    }
}

/// What may become of a secret that senders show as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// It stays here, and nothing is made that needs it.
    Withheld,
    /// Whoever receives the headers may have it.
    Allowed,
}

/// The headers that show `draft` to be genuine. They take the place of any of the same names. Fails, in words, where
/// the secret itself would have to be shown and may not be. Where the path is the secret there are none.
pub fn sign(
    demand: &Demand,
    secret: &SecretString,
    showing: Showing,
    draft: &Draft<'_>,
    now: Timestamp,
) -> Result<Vec<(String, String)>, String> {
    let (key, second) = (secret.expose_secret().as_bytes(), now.as_second().to_string());
    let tag = |key: &[u8], parts: &[&[u8]]| mac::tag(Algorithm::Sha256, key, parts);
    let headers = match demand {
        Demand::PagerdutyV3 => vec![(pagerduty::HEADER, format!("v1={}", hex::encode(tag(key, &[draft.body]))))],
        Demand::StandardWebhooks { .. } => {
            let key = standard::key(secret.expose_secret()).ok_or("its secret is none of Standard Webhooks")?;
            let id = draft.header(standard::ID)?;
            let tag = tag(&key, &[id.as_bytes(), b".", second.as_bytes(), b".", draft.body]);
            let signature = format!("v1,{}", BASE64_STANDARD.encode(tag));
            vec![(standard::TIME, second), (standard::SIGNATURE, signature)]
        }
        Demand::SlackV0 { .. } => {
            let tag = tag(key, &[b"v0:", second.as_bytes(), b":", draft.body]);
            vec![(slack::TIME, second), (slack::SIGNATURE, format!("v0={}", hex::encode(tag)))]
        }
        Demand::Hmac(demand) => by_demand(demand, key, draft, &second)?,
        Demand::SplunkOncall { url } => {
            let fields = splunk::fields(draft.body);
            let parts = splunk::parts(url, draft.path()?, &fields);
            vec![(splunk::HEADER, BASE64_STANDARD.encode(mac::tag(Algorithm::Sha1, key, &parts)))]
        }
        Demand::Basic { .. } | Demand::Bearer | Demand::Header { .. } if showing == Showing::Withheld => {
            let scheme = demand.scheme().word();
            return Err(format!(
                "by {scheme} nothing is signed, the secret itself is shown: only `delivery replay --to URL --show-secret` does"
            ));
        }
        Demand::Basic { user } => vec![(AUTHORIZATION, token::basic(user, secret))],
        Demand::Bearer => vec![(AUTHORIZATION, token::bearer(secret))],
        Demand::Header { name, prefix } => vec![(name.as_str(), format!("{prefix}{}", secret.expose_secret()))],
        Demand::SecretUrl => vec![],
    };
    Ok(headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn by_demand<'d>(
    demand: &'d HmacDemand,
    key: &[u8],
    draft: &Draft<'_>,
    second: &str,
) -> Result<Vec<(&'d str, String)>, String> {
    let timed = demand.timestamp.as_ref().map(|(name, _)| name.as_str());
    let parts = demand.signed.iter().map(|part| {
        Ok(match part {
            Part::Body => draft.body,
            Part::Timestamp => timed.map_or(&b""[..], |_| second.as_bytes()),
            Part::Method => b"POST",
            Part::Path => draft.path()?.as_bytes(),
            Part::Header(name) if Some(name.as_str()) == timed => second.as_bytes(),
            Part::Header(name) => draft.header(name)?.as_bytes(),
            Part::Text(text) => text.as_bytes(),
        })
    });
    let parts: Vec<&[u8]> = parts.collect::<Result<_, String>>()?;
    let tag = hmac::encode(demand.encoding, &mac::tag(demand.algorithm, key, &parts));
    let signature = (demand.header.as_str(), format!("{}{tag}", demand.prefix));
    Ok(timed.map(|name| (name, second.to_owned())).into_iter().chain([signature]).collect())
}

//! Who sent it: one file for each way of proving that, all behind one trait.
//!
//! Always over the bytes as they came, and always compared in constant time. A signature is looked at before the time
//! it was made at, so that only genuine ones hear that a clock is wrong.

mod hmac;
mod mac;
mod pagerduty;
mod sign;
mod slack;
mod splunk;
mod standard;
mod token;

#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, Method, Uri};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

pub(super) use self::mac::UrlKey;
#[cfg(test)]
pub(super) use self::pagerduty::HEADER;
pub use self::sign::{Draft, Showing, sign};
use crate::core::{
    delivery::{Proof, Scheme},
    sender::Demand,
    text::Shown,
};

/// More signatures than this are not looked at; a sender has two while a secret is changed.
const SIGNATURES: usize = 16;
/// Where the key of the path is the only secret, it has at least as many characters.
const SHORTEST_URL_KEY: usize = 16;
/// What may stand in a part of a path as it is, beside letters and digits (RFC 3986, `pchar`).
const PLAIN: &[u8] = b"-._~!$&'()*+,;=:@";

/// A secret, and the name by which it may be spoken of: where it comes from.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    pub name: String,
    pub value: SecretString,
}

/// A request as it came, as far as senders sign it.
pub(super) struct Presented<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// Why a sender is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("no {0} header")]
    Missing(String),
    #[error("no usable {what} in the {header} header")]
    Unusable { what: String, header: String },
    #[error("more than one {0} header")]
    Several(String),
    #[error("empty body")]
    Empty,
    /// None of so many secrets fits.
    #[error("the signature was {}", unfitting(*.0))]
    WrongSignature(usize),
    #[error("the secret is {}", unequal(*.0))]
    WrongSecret(usize),
    /// Rightly signed, but long ago or in the future.
    #[error(
        "signed with {secret}, but {seconds} s {way} by our clock, and at most {} s are taken: a replay, or one of the clocks is wrong",
        tolerance.as_secs()
    )]
    Untimely { secret: String, seconds: u64, way: &'static str, tolerance: Duration },
}

fn unfitting(secrets: usize) -> String {
    match secrets {
        0 | 1 => "not made with the secret configured here".to_owned(),
        several => format!("made with none of the {several} secrets configured here"),
    }
}

fn unequal(secrets: usize) -> String {
    match secrets {
        0 | 1 => "not the one configured here".to_owned(),
        several => format!("none of the {several} configured here"),
    }
}

/// One way of proving who sent a request.
pub(super) trait Check: Send + Sync {
    /// Which of the secrets showed it.
    fn check(&self, request: &Presented<'_>, now: Timestamp) -> Result<Proof, Refused>;
}

/// What the senders of one account must show.
pub(super) struct Gate {
    check: Box<dyn Check>,
    loaded: bool,
    /// Their values stay out of the log, whatever else is known of them.
    secret_header: Option<HeaderName>,
    /// No secrets, though the name does not show it.
    open_headers: Vec<HeaderName>,
}

impl Gate {
    pub(super) fn new(demand: &Demand, secrets: &[NamedSecret]) -> Self {
        let usable = secrets.iter().filter(|secret| unusable(demand, secret).is_none());
        let secrets: Vec<NamedSecret> = usable.cloned().collect();
        let loaded = !secrets.is_empty();
        let name = |text: &String| HeaderName::try_from(text.as_str()).ok();
        let (mut secret_header, mut open_headers) = (None, vec![]);
        let check: Box<dyn Check> = match demand {
            Demand::PagerdutyV3 => Box::new(pagerduty::PagerdutyV3::new(&secrets)),
            Demand::StandardWebhooks { tolerance } => Box::new(standard::StandardWebhooks::new(&secrets, *tolerance)),
            Demand::SlackV0 { tolerance } => Box::new(slack::SlackV0::new(&secrets, *tolerance)),
            Demand::Hmac(demand) => {
                let named = [Some(&demand.header), demand.timestamp.as_ref().map(|(header, _)| header)];
                open_headers = named.into_iter().flatten().filter_map(name).collect();
                Box::new(hmac::Hmac::new(demand.clone(), &secrets))
            }
            Demand::SplunkOncall { url } => Box::new(splunk::SplunkOncall::new(url.clone(), &secrets)),
            Demand::Basic { user } => Box::new(token::Token::basic(user, &secrets)),
            Demand::Bearer => Box::new(token::Token::bearer(&secrets)),
            Demand::Header { name: header, prefix } => {
                secret_header = name(header);
                Box::new(token::Token::header(header, prefix, &secrets))
            }
            Demand::SecretUrl => Box::new(token::Known::new(&secrets)),
        };
        Self { check, loaded, secret_header, open_headers }
    }

    /// Whether there is any secret to check with.
    pub(super) fn is_loaded(&self) -> bool {
        self.loaded
    }

    pub(super) fn check(&self, request: &Presented<'_>, now: Timestamp) -> Result<Proof, Refused> {
        self.check.check(request, now)
    }

    /// Whether the log may keep the value of a header: `None` where this gate does not know.
    pub(super) fn is_harmless(&self, header: &HeaderName) -> Option<bool> {
        if self.secret_header.as_ref() == Some(header) {
            return Some(false);
        }
        self.open_headers.contains(header).then_some(true)
    }
}

/// A secret that nobody has.
pub(super) fn decoy() -> NamedSecret {
    let value = std::iter::repeat_with(fastrand::alphanumeric).take(32).collect::<String>();
    NamedSecret { name: "decoy".to_owned(), value: SecretString::from(value) }
}

/// Why a secret cannot serve for this scheme, in words.
pub fn unusable(demand: &Demand, secret: &NamedSecret) -> Option<String> {
    let value = secret.value.expose_secret();
    let why = match demand {
        // With an empty secret anybody could sign.
        _ if value.is_empty() => "is empty",
        Demand::StandardWebhooks { .. } if standard::key(value).is_none() => {
            "is no secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64"
        }
        Demand::SecretUrl if value.len() < SHORTEST_URL_KEY => {
            "is shorter than 16 characters, and with secret-url it is the only secret"
        }
        _ => return None,
    };
    Some(format!("{}: {why}", secret.name))
}

/// Why a secret cannot be the key of a path, in words. What stands in a part of a path only escaped is not found in the
/// address that people make of the key, and `/` and `?` end the part.
pub fn unusable_key(demand: &Demand, secret: &NamedSecret) -> Option<String> {
    let value = secret.value.expose_secret();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte);
    if !value.bytes().all(plain) || matches!(value, "." | "..") {
        let plain = String::from_utf8_lossy(PLAIN);
        return Some(format!(
            "{}: is no part of a path, as `url_key` has to be: letters, digits and {plain} only, as `openssl rand -hex 16`              makes it",
            secret.name
        ));
    }
    unusable(if *demand == Demand::SecretUrl { demand } else { &Demand::Bearer }, secret)
}

/// The proof that a request fits the secrets of these names: several while the sender signs with an old one and a new.
fn proof(scheme: Scheme, matched: &[&str]) -> Option<Proof> {
    (!matched.is_empty()).then(|| Proof { scheme, secret: Shown::line(&matched.join(" and ")) })
}

/// The only value of a header that must be there once.
fn one<'a>(headers: &'a HeaderMap, name: &str, what: &str) -> Result<&'a str, Refused> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next().ok_or_else(|| Refused::Missing(name.to_owned()))?;
    if values.next().is_some() {
        return Err(Refused::Several(name.to_owned()));
    }
    value.to_str().map_err(|_| Refused::Unusable { what: what.to_owned(), header: name.to_owned() })
}

/// The signatures in a header, each without its prefix and decoded; several may come in one line or in several. A line
/// that could be several is one all the same where what divides them stands in the prefix.
fn offered(
    headers: &HeaderMap,
    name: &str,
    split: &[char],
    decode: impl Fn(&str) -> Option<Vec<u8>>,
    what: &str,
) -> Result<Vec<Vec<u8>>, Refused> {
    if !headers.contains_key(name) {
        return Err(Refused::Missing(name.to_owned()));
    }
    let values = || headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let wholes = values().filter(|value| value.contains(split)).take(SIGNATURES);
    let parts = values().flat_map(|value| value.split(split)).take(SIGNATURES);
    let tags: Vec<Vec<u8>> = wholes.chain(parts).filter_map(|part| decode(part.trim())).collect();
    if tags.is_empty() {
        return Err(Refused::Unusable { what: what.to_owned(), header: name.to_owned() });
    }
    Ok(tags)
}

/// When a request was signed.
struct Signed<'a> {
    /// As it came, because that was signed.
    text: &'a str,
    second: i64,
}

impl<'a> Signed<'a> {
    fn read(headers: &'a HeaderMap, name: &str) -> Result<Self, Refused> {
        let text = one(headers, name, "time")?;
        // No sign: `parse` alone would take one.
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let second = text.parse().ok().filter(|_| digits);
        let second = second.ok_or_else(|| Refused::Unusable { what: "time".to_owned(), header: name.to_owned() })?;
        Ok(Self { text, second })
    }

    /// To be asked of rightly signed requests only.
    fn within(&self, tolerance: Duration, now: Timestamp, proof: Proof) -> Result<Proof, Refused> {
        let seconds = now.as_second().abs_diff(self.second);
        if seconds <= tolerance.as_secs() {
            return Ok(proof);
        }
        let way = if self.second < now.as_second() { "ago" } else { "ahead" };
        Err(Refused::Untimely { secret: proof.secret.to_string(), seconds, way, tolerance })
    }
}

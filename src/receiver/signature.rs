//! Who sent it: `PagerDuty`'s v3 signatures, and the secret part of the path.
//!
//! Always over the bytes as they came, and always compared in constant time.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

pub(super) const HEADER: &str = "x-pagerduty-signature";
/// More signatures than this are not looked at; a sender has two while a secret is changed.
const SIGNATURES: usize = 16;

/// A signing secret, and the name by which it may be spoken of: where it comes from.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    pub name: String,
    pub value: SecretString,
}

/// Why a signature is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("no {HEADER} header")]
    Missing,
    #[error("no usable v1 signature in the {HEADER} header")]
    Unusable,
    #[error("empty body")]
    Empty,
    #[error("the signature was not made with the secret configured here")]
    Wrong,
}

/// The name of the secret with which the body was signed.
pub(super) fn signer<'a>(secrets: &'a [NamedSecret], headers: &HeaderMap, body: &[u8]) -> Result<&'a str, Refused> {
    if !headers.contains_key(HEADER) {
        return Err(Refused::Missing);
    }
    if body.is_empty() {
        return Err(Refused::Empty);
    }
    let offered = offered(headers);
    if offered.is_empty() {
        return Err(Refused::Unusable);
    }
    let made = |secret: &&NamedSecret| {
        let mac = mac(secret.value.expose_secret().as_bytes(), body);
        offered.iter().any(|tag| mac.clone().verify_slice(tag).is_ok())
    };
    secrets.iter().find(made).map(|secret| secret.name.as_str()).ok_or(Refused::Wrong)
}

fn offered(headers: &HeaderMap) -> Vec<Vec<u8>> {
    let values = headers.get_all(HEADER).into_iter().filter_map(|value| value.to_str().ok());
    let parts = values.flat_map(|value| value.split(',')).take(SIGNATURES);
    parts.filter_map(|part| hex::decode(part.trim().strip_prefix("v1=")?).ok()).collect()
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(key).expect("hmac takes keys of any length");
    mac.update(text);
    mac
}

/// The secret part of a path, kept as a digest: comparing takes the same time whatever was offered.
pub(super) struct UrlKey([u8; 32]);

impl UrlKey {
    pub(super) fn new(key: &SecretString) -> Self {
        Self(Self::digest(key.expose_secret()).finalize().into_bytes().into())
    }

    /// Equal to no key: compared with where there is no account, so that this takes as long.
    pub(super) fn of_nobody() -> Self {
        Self([0; 32])
    }

    pub(super) fn is(&self, offered: &str) -> bool {
        Self::digest(offered).verify_slice(&self.0).is_ok()
    }

    fn digest(key: &str) -> Hmac<Sha256> {
        mac(b"dogwatch url key", key.as_bytes())
    }
}

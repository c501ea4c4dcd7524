//! Keys, and comparing what was made with them. Nothing here ends earlier for a better guess.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret as _, SecretBox, SecretString, zeroize::Zeroize as _};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{NamedSecret, Proof, Refused, Scheme, proof};
use crate::core::sender::Algorithm;

/// The secrets of a scheme that signs.
pub(super) struct Keys {
    scheme: Scheme,
    algorithm: Algorithm,
    named: Vec<(String, SecretBox<Vec<u8>>)>,
}

impl Keys {
    /// Keys that are the secrets' own bytes.
    pub(super) fn plain(scheme: Scheme, algorithm: Algorithm, secrets: &[NamedSecret]) -> Self {
        Self::decoded(scheme, algorithm, secrets, |text| Some(text.as_bytes().to_vec()))
    }

    /// Keys as `decode` reads them from the secrets; what it cannot read is left out.
    pub(super) fn decoded(
        scheme: Scheme,
        algorithm: Algorithm,
        secrets: &[NamedSecret],
        decode: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Self {
        let key = |secret: &NamedSecret| {
            let key = decode(secret.value.expose_secret())?;
            Some((secret.name.clone(), SecretBox::new(Box::new(key))))
        };
        Self { scheme, algorithm, named: secrets.iter().filter_map(key).collect() }
    }

    /// Which keys made one of the tags over the parts, one after the other. Every key is tried with every tag.
    pub(super) fn signed(&self, parts: &[&[u8]], tags: &[Vec<u8>]) -> Result<Proof, Refused> {
        let fits = |key: &SecretBox<Vec<u8>>| fitting(self.algorithm, key.expose_secret(), parts, tags) > 0;
        let matched: Vec<&str> =
            self.named.iter().filter(|(_, key)| fits(key)).map(|(name, _)| name.as_str()).collect();
        proof(self.scheme, &matched).ok_or(Refused::WrongSignature(self.named.len()))
    }
}

/// How many of the tags are the whole HMAC of the parts with this key.
pub(super) fn fitting(algorithm: Algorithm, key: &[u8], parts: &[&[u8]], tags: &[Vec<u8>]) -> usize {
    match algorithm {
        Algorithm::Sha1 => count::<Hmac<Sha1>>(key, parts, tags),
        Algorithm::Sha256 => count::<Hmac<Sha256>>(key, parts, tags),
        Algorithm::Sha512 => count::<Hmac<Sha512>>(key, parts, tags),
    }
}

/// The HMAC of the parts, one after the other.
pub(super) fn tag(algorithm: Algorithm, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn made<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        keyed::<M>(key, parts).finalize().into_bytes().to_vec()
    }
    match algorithm {
        Algorithm::Sha1 => made::<Hmac<Sha1>>(key, parts),
        Algorithm::Sha256 => made::<Hmac<Sha256>>(key, parts),
        Algorithm::Sha512 => made::<Hmac<Sha512>>(key, parts),
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> M {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("hmac takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

fn count<M: Mac + KeyInit + Clone>(key: &[u8], parts: &[&[u8]], tags: &[Vec<u8>]) -> usize {
    let mac = keyed::<M>(key, parts);
    tags.iter().filter(|tag| mac.clone().verify_slice(tag).is_ok()).count()
}

/// A secret that is shown as it is, kept as a digest: comparing takes the same time whatever was offered.
pub(in crate::receiver) struct UrlKey([u8; 32]);

impl UrlKey {
    pub(in crate::receiver) fn new(key: &SecretString) -> Self {
        Self::of(key.expose_secret().as_bytes())
    }

    pub(super) fn of(key: &[u8]) -> Self {
        Self(Self::digest(key).finalize().into_bytes().into())
    }

    /// Equal to no key: compared with where there is no account, so that this takes as long.
    pub(in crate::receiver) fn of_nobody() -> Self {
        Self([0; 32])
    }

    pub(in crate::receiver) fn is(&self, offered: &[u8]) -> bool {
        Self::digest(offered).verify_slice(&self.0).is_ok()
    }

    fn digest(key: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(b"dogwatch url key").expect("hmac takes keys of any length");
        mac.update(key);
        mac
    }
}

impl Drop for UrlKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

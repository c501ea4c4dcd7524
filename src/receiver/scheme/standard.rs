//! Standard Webhooks 1.0: `webhook-signature: v1,<base64> v1,<base64>`, HMAC-SHA256 of `<id>.<time>.<body>`.
//!
//! Asymmetric signatures (`v1a`) are passed over.

use std::time::Duration;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use jiff::Timestamp;

use super::{Check, NamedSecret, Presented, Proof, Refused, Scheme, Signed, mac::Keys, offered, one};
use crate::core::sender::Algorithm;

pub(super) const ID: &str = "webhook-id";
pub(super) const TIME: &str = "webhook-timestamp";
pub(super) const SIGNATURE: &str = "webhook-signature";
/// How many bytes a secret has, by the specification.
const SIZES: std::ops::RangeInclusive<usize> = 24..=64;

/// With padding at the end or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) struct StandardWebhooks {
    keys: Keys,
    tolerance: Duration,
}

impl StandardWebhooks {
    pub(super) fn new(secrets: &[NamedSecret], tolerance: Duration) -> Self {
        Self { keys: Keys::decoded(Scheme::StandardWebhooks, Algorithm::Sha256, secrets, key), tolerance }
    }
}

/// The bytes of a secret, written as `whsec_` and base64; as in the reference libraries the first part may be missing.
pub(super) fn key(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok().filter(|key| SIZES.contains(&key.len()))
}

impl Check for StandardWebhooks {
    fn check(&self, request: &Presented<'_>, now: Timestamp) -> Result<Proof, Refused> {
        let decode = |part: &str| BASE64.decode(part.strip_prefix("v1,")?).ok();
        let tags = offered(request.headers, SIGNATURE, &[' '], decode, "v1 signature")?;
        let id = one(request.headers, ID, "id")?;
        let at = Signed::read(request.headers, TIME)?;
        let parts = [id.as_bytes(), b".", at.text.as_bytes(), b".", request.body];
        at.within(self.tolerance, now, self.keys.signed(&parts, &tags)?)
    }
}

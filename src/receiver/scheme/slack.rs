//! Slack's way: `X-Slack-Signature: v0=<hex>`, HMAC-SHA256 of `v0:<time>:<body>`.

use std::time::Duration;

use jiff::Timestamp;

use super::{Check, NamedSecret, Presented, Proof, Refused, Scheme, Signed, mac::Keys, offered};
use crate::core::sender::Algorithm;

pub(super) const TIME: &str = "x-slack-request-timestamp";
pub(super) const SIGNATURE: &str = "x-slack-signature";

pub(super) struct SlackV0 {
    keys: Keys,
    tolerance: Duration,
}

impl SlackV0 {
    pub(super) fn new(secrets: &[NamedSecret], tolerance: Duration) -> Self {
        Self { keys: Keys::plain(Scheme::SlackV0, Algorithm::Sha256, secrets), tolerance }
    }
}

impl Check for SlackV0 {
    fn check(&self, request: &Presented<'_>, now: Timestamp) -> Result<Proof, Refused> {
        let decode = |part: &str| hex::decode(part.strip_prefix("v0=")?).ok();
        let tags = offered(request.headers, SIGNATURE, &[','], decode, "v0 signature")?;
        let at = Signed::read(request.headers, TIME)?;
        let proof = self.keys.signed(&[b"v0:", at.text.as_bytes(), b":", request.body], &tags)?;
        at.within(self.tolerance, now, proof)
    }
}

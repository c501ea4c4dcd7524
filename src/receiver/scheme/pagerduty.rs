//! `PagerDuty`'s webhooks v3: `X-PagerDuty-Signature: v1=<hex>,v1=<hex>`, HMAC-SHA256 of the body alone.

use jiff::Timestamp;

use super::{Check, NamedSecret, Presented, Proof, Refused, Scheme, mac::Keys, offered};
use crate::core::sender::Algorithm;

pub(in crate::receiver) const HEADER: &str = "x-pagerduty-signature";

pub(super) struct PagerdutyV3(Keys);

impl PagerdutyV3 {
    pub(super) fn new(secrets: &[NamedSecret]) -> Self {
        Self(Keys::plain(Scheme::PagerdutyV3, Algorithm::Sha256, secrets))
    }
}

impl Check for PagerdutyV3 {
    fn check(&self, request: &Presented<'_>, _: Timestamp) -> Result<Proof, Refused> {
        let decode = |part: &str| hex::decode(part.strip_prefix("v1=")?).ok();
        let tags = offered(request.headers, HEADER, &[','], decode, "v1 signature");
        if request.body.is_empty() && !matches!(tags, Err(Refused::Missing(_))) {
            return Err(Refused::Empty);
        }
        self.0.signed(&[request.body], &tags?)
    }
}

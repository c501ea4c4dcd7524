//! An HMAC whose header, algorithm, encoding and signed parts are told by the configuration.

use base64::Engine as _;
use jiff::Timestamp;

use super::{Check, NamedSecret, Presented, Proof, Refused, Scheme, Signed, mac::Keys, offered, one, standard::BASE64};
use crate::core::sender::{Encoding, HmacDemand, Part};

pub(super) struct Hmac {
    demand: HmacDemand,
    keys: Keys,
}

impl Hmac {
    pub(super) fn new(demand: HmacDemand, secrets: &[NamedSecret]) -> Self {
        let keys = Keys::plain(Scheme::Hmac, demand.algorithm, secrets);
        Self { demand, keys }
    }

    fn decode(&self, part: &str) -> Option<Vec<u8>> {
        // No value of a header begins with a blank.
        let text = part.strip_prefix(self.demand.prefix.trim_start())?;
        match self.demand.encoding {
            Encoding::Hex => hex::decode(text).ok(),
            Encoding::Base64 => BASE64.decode(text).ok(),
        }
    }
}

/// A tag as it is written.
pub(super) fn encode(encoding: Encoding, tag: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(tag),
        Encoding::Base64 => BASE64.encode(tag),
    }
}

impl Check for Hmac {
    fn check(&self, request: &Presented<'_>, now: Timestamp) -> Result<Proof, Refused> {
        let demand = &self.demand;
        let tags = offered(request.headers, &demand.header, &[',', ' '], |part| self.decode(part), "signature")?;
        let timed = demand.timestamp.as_ref().map(|(name, tolerance)| (name, *tolerance));
        let timed = timed.map(|(name, tolerance)| Ok((Signed::read(request.headers, name)?, tolerance))).transpose()?;
        let path = request.uri.path_and_query().map_or("", |path| path.as_str());
        let parts = demand.signed.iter().map(|part| {
            Ok(match part {
                Part::Body => request.body,
                Part::Timestamp => timed.as_ref().map_or(&b""[..], |(at, _)| at.text.as_bytes()),
                Part::Method => request.method.as_str().as_bytes(),
                Part::Path => path.as_bytes(),
                Part::Header(name) => one(request.headers, name, "text")?.as_bytes(),
                Part::Text(text) => text.as_bytes(),
            })
        });
        let parts: Vec<&[u8]> = parts.collect::<Result<_, Refused>>()?;
        let proof = self.keys.signed(&parts, &tags)?;
        match timed {
            Some((at, tolerance)) => at.within(tolerance, now, proof),
            None => Ok(proof),
        }
    }
}

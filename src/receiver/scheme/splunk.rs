//! Splunk On-Call's escalation webhooks: `X-VictorOps-Signature: <base64>`, HMAC-SHA1 of the address as it was typed
//! there, followed by each field's name and value, sorted by name and unescaped.
//!
//! The sender puts nothing between name and value, so another division of the same letters has the same signature.

use base64::Engine as _;
use jiff::Timestamp;

use super::{Check, NamedSecret, Presented, Proof, Refused, Scheme, mac::Keys, offered, standard::BASE64};
use crate::core::sender::Algorithm;

pub(super) const HEADER: &str = "x-victorops-signature";

pub(super) struct SplunkOncall {
    url: String,
    keys: Keys,
}

impl SplunkOncall {
    pub(super) fn new(url: String, secrets: &[NamedSecret]) -> Self {
        Self { url, keys: Keys::plain(Scheme::SplunkOncall, Algorithm::Sha1, secrets) }
    }
}

impl Check for SplunkOncall {
    fn check(&self, request: &Presented<'_>, _: Timestamp) -> Result<Proof, Refused> {
        let tags = offered(request.headers, HEADER, &[','], |part| BASE64.decode(part).ok(), "signature")?;
        let path = request.uri.path_and_query().map_or("", |path| path.as_str());
        self.keys.signed(&parts(&self.url, path, &fields(request.body)), &tags)
    }
}

/// What is signed, one after the other.
pub(super) fn parts<'a>(url: &'a str, path: &'a str, fields: &'a [(Vec<u8>, Vec<u8>)]) -> Vec<&'a [u8]> {
    let fields = fields.iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]);
    [url.as_bytes(), path.as_bytes()].into_iter().chain(fields).collect()
}

/// The fields of a form, unescaped and sorted by name; those of one name stay in their order.
pub(super) fn fields(form: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut fields: Vec<_> = form
        .split(|byte| *byte == b'&')
        .filter(|field| !field.is_empty())
        .map(|field| {
            let end = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
            let (name, value) = field.split_at_checked(end).unwrap_or((field, b""));
            (unescaped(name), unescaped(value.get(1..).unwrap_or_default()))
        })
        .collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields
}

/// `+` is a blank and `%41` is `A`; what is no escape stays as it is.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((byte, after)) = rest.split_first() {
        let escape = after.get(..2).filter(|_| *byte == b'%');
        let meant = escape.and_then(|digits| hex::decode(digits).ok()).and_then(|bytes| bytes.first().copied());
        match (meant, byte) {
            (Some(meant), _) => {
                out.push(meant);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            (None, b'+') => out.push(b' '),
            (None, _) => out.push(*byte),
        }
        rest = after;
    }
    out
}

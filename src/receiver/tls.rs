//! TLS at the door, 1.2 and 1.3: from PEM to what a handshake needs. Nothing older is spoken, and HTTP/1.1 only.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};

/// How a new connection begins.
#[derive(Clone, Default)]
pub enum Entrance {
    /// As plain HTTP.
    #[default]
    Plain,
    Tls(Arc<ServerConfig>),
    /// Not at all: TLS is configured and its certificate cannot be used. Senders try again.
    Shut,
}

/// A certificate with its key, fit for use.
pub struct Pair {
    pub config: Arc<ServerConfig>,
    /// The door's own, first in its chain.
    pub certificate: CertificateDer<'static>,
    /// When the certificate ends.
    pub ends: Timestamp,
}

/// Why certificate and key are of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    #[error("the certificate's file holds no `BEGIN CERTIFICATE`")]
    NoCertificate,
    #[error("the certificate's file is damaged: {0}")]
    Damaged(String),
    #[error("the key's file holds no private key in PEM")]
    NoKey,
    #[error("they cannot be used together: {0}")]
    Unfit(String),
    #[error("the certificate does not say until when it holds")]
    NoEnd,
}

impl Pair {
    /// Reads both from PEM, and sees that they belong together.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| PairError::Damaged(error.to_string()))?;
        let first = chain.first().ok_or(PairError::NoCertificate)?;
        let ends = end_of(first).ok_or(PairError::NoEnd)?;
        let certificate = first.clone();
        // Its error could repeat a piece of the key.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| PairError::NoKey)?;
        let unfit = |error: rustls::Error| PairError::Unfit(error.to_string());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), certificate, ends })
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("ends", &self.ends).finish_non_exhaustive()
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The `notAfter` of a certificate (RFC 5280, 4.1): the second time in the fourth or fifth part of its first part.
fn end_of(certificate: &[u8]) -> Option<Timestamp> {
    let (SEQUENCE, whole, _) = part(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = part(whole)? else { return None };
    if let (VERSION, _, after) = part(rest)? {
        rest = after;
    }
    for _serial_algorithm_issuer in 0..3 {
        rest = part(rest)?.2;
    }
    let (SEQUENCE, validity, _) = part(rest)? else { return None };
    let (_, _, after) = part(validity)?;
    let (tag, time, _) = part(after)?;
    time_of(tag, std::str::from_utf8(time).ok()?)
}

/// The first element of DER: its tag, its content, and what follows it.
fn part(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

/// `YYMMDDHHMMSSZ`, where 50 and above is 19.., or `YYYYMMDDHHMMSSZ`.
fn time_of(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        UTC_TIME => format!("{}{text}", if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", &text).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn made(end: (i32, u8, u8)) -> (String, String) {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(["door.example".to_owned()]).expect("params");
        params.not_after = date_time_ymd(end.0, end.1, end.2);
        (params.self_signed(&key).expect("certificate").pem(), key.serialize_pem())
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        for (end, text) in [((2031, 5, 9), "2031-05-09T00:00:00Z"), ((2088, 12, 1), "2088-12-01T00:00:00Z")] {
            let (certificate, key) = made(end);
            let pair = Pair::from_pem(certificate.as_bytes(), key.as_bytes()).expect("pair");
            assert_eq!(pair.ends.to_string(), text);
        }
    }

    #[test]
    fn what_does_not_belong_together_or_is_no_pair_is_named_without_the_key() {
        let ((certificate, key), (_, other)) = (made((2031, 1, 1)), made((2031, 1, 1)));
        let refused =
            |certificate: &str, key: &str| Pair::from_pem(certificate.as_bytes(), key.as_bytes()).expect_err("refused");

        assert!(matches!(refused(&certificate, &other), PairError::Unfit(_)));
        assert_eq!(refused("", &key), PairError::NoCertificate);
        assert_eq!(refused(&key, &key), PairError::NoCertificate);
        assert_eq!(refused(&certificate, &certificate), PairError::NoKey);
        assert_eq!(refused(&certificate, "hunter2"), PairError::NoKey);
    }

    #[test]
    fn a_certificate_cut_anywhere_is_no_panic() {
        let (certificate, _) = made((2031, 1, 1));
        let whole = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("der");
        for length in 0..whole.len() {
            end_of(&whole[..length]);
        }
        assert!(end_of(&whole).is_some());
    }
}

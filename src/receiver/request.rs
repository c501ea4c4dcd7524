//! What is taken from a request: the body, counted while it is read, and the headers without their secrets.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::scheme::Gate;

/// The largest body taken.
pub(super) const LIMIT: u64 = 1024 * 1024;
/// What a larger body is still read up to and thrown away, so that its sender gets to read the answer.
const DRAIN: u64 = 8 * 1024 * 1024;
/// How long that may take.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

/// A body as far as it was kept.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub bytes: Vec<u8>,
    /// Bytes that came; of a body that is too large, those that were announced, or as many as had come when that was seen.
    pub size: u64,
}

impl Taken {
    pub(super) fn is_too_large(&self) -> bool {
        self.size > LIMIT
    }
}

/// Reads the body and keeps the first `keep` bytes. Fails when the connection breaks.
pub(super) async fn take(mut body: Body, keep: usize) -> Result<Taken, axum::Error> {
    let announced = body.size_hint().lower();
    if announced > DRAIN {
        return Ok(Taken { bytes: vec![], size: announced });
    }
    let mut taken = Taken::default();
    while !taken.is_too_large() {
        let Some(frame) = body.frame().await else { return Ok(taken) };
        let Ok(data) = frame?.into_data() else { continue };
        let room = keep.saturating_sub(taken.bytes.len()).min(data.len());
        taken.bytes.extend_from_slice(data.get(..room).unwrap_or_default());
        taken.size += length(&data);
    }
    taken.size = taken.size.max(announced);
    // Whether it ends, breaks or goes on for ever: it is too large.
    let _ = timeout(DRAIN_WAIT, drain(body, DRAIN)).await;
    Ok(taken)
}

async fn drain(mut body: Body, mut room: u64) {
    while let (1.., Some(Ok(frame))) = (room, body.frame().await) {
        room = room.saturating_sub(frame.data_ref().map_or(0, length));
    }
}

fn length(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Whether the body is compressed or otherwise wrapped, which is never unpacked here.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONTENT_ENCODING).into_iter();
    values.map(|value| value.as_bytes().trim_ascii()).any(|value| !value.eq_ignore_ascii_case(b"identity"))
}

/// The headers for the log. Only those known to carry no secret keep their values: senders let people configure
/// headers of their own, and those are mostly keys. `gate` knows the account's own headers.
pub(super) fn loggable(headers: &HeaderMap, gate: Option<&Gate>) -> Vec<(String, String)> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        let told = gate.and_then(|gate| gate.is_harmless(name));
        let value = if told.unwrap_or_else(|| is_harmless(name.as_str())) {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        } else {
            "•••".to_owned()
        };
        (name.as_str().to_owned(), value)
    };
    headers.iter().map(line).collect()
}

fn is_harmless(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "cache-control",
        "connection",
        "date",
        "expect",
        "forwarded",
        "host",
        "origin",
        "traceparent",
        "transfer-encoding",
        "user-agent",
        "via",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-pagerduty-signature",
        "x-real-ip",
        "x-request-id",
        "x-slack-request-timestamp",
        "x-slack-signature",
        "x-victorops-signature",
        "x-webhook-id",
        "x-webhook-subscription",
    ];
    const FAMILIES: &[&str] = &["accept", "content-"];
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

//! What is taken from a request: the body, counted while it is read, and the headers without their secrets.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::scheme::Gate;

/// The largest head taken, in bytes as [`head_size`] counts them. What reads heads has no exact limit: it reads in pieces.
pub(super) const HEAD_LIMIT: usize = 32 * 1024;
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
    /// Bytes that its sender said it has.
    pub announced: Option<u64>,
}

impl Taken {
    pub(super) fn is_too_large(&self) -> bool {
        self.size > LIMIT
    }

    /// How much of it came.
    pub(super) fn part(&self) -> String {
        match self.announced {
            Some(all) => format!("{} of {all} bytes", self.size),
            None => format!("{} bytes, of how many was not said", self.size),
        }
    }
}

/// Reads the body into `taken` and keeps the first `keep` bytes. Fails when the connection breaks.
pub(super) async fn take(mut body: Body, keep: usize, taken: &mut Taken) -> Result<(), axum::Error> {
    taken.announced = body.size_hint().exact();
    let announced = body.size_hint().lower();
    if announced > DRAIN {
        taken.size = announced;
        return Ok(());
    }
    while !taken.is_too_large() {
        let Some(frame) = body.frame().await else { return Ok(()) };
        let Ok(data) = frame?.into_data() else { continue };
        let room = keep.saturating_sub(taken.bytes.len()).min(data.len());
        taken.bytes.extend_from_slice(data.get(..room).unwrap_or_default());
        taken.size += length(&data);
    }
    taken.size = taken.size.max(announced);
    // Whether it ends, breaks or goes on for ever: it is too large.
    let _ = timeout(DRAIN_WAIT, drain(body, DRAIN)).await;
    Ok(())
}

async fn drain(mut body: Body, mut room: u64) {
    while let (1.., Some(Ok(frame))) = (room, body.frame().await) {
        room = room.saturating_sub(frame.data_ref().map_or(0, length));
    }
}

fn length(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Bytes of a head: the method, the target, and the names and values of the headers.
pub(super) fn head_size(head: &Parts) -> usize {
    let authority = head.uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = head.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    head.method.as_str().len() + authority + path + headers.sum::<usize>()
}

/// Whether the body is compressed or otherwise wrapped, which is never unpacked here.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONTENT_ENCODING).into_iter();
    values.map(|value| value.as_bytes().trim_ascii()).any(|value| !value.eq_ignore_ascii_case(b"identity"))
}

/// The headers for the log. Only those known to carry no secret keep their values: senders let people configure
/// headers of their own, and those are mostly keys. `gate` knows the account's own headers. Of a head that is too large,
/// those that fit into the largest one.
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
    let mut room = HEAD_LIMIT;
    let fits = |(name, value): &(&HeaderName, &HeaderValue)| {
        let left = room.checked_sub(name.as_str().len() + value.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    headers.iter().filter(fits).map(line).collect()
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

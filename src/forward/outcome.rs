//! What came of sending something, in words that tell one failure from another and hold nothing secret.

use std::{error::Error, fmt::Write as _, io, time::Duration};

use reqwest::StatusCode;

use super::address::Forbidden;

/// What came of one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) taken: Taken,
    /// 0: nothing was answered.
    pub(super) status: u16,
    pub(super) words: String,
    /// The first of the answer's body.
    pub(super) response: Vec<u8>,
    /// How long the target asks to wait.
    pub(super) retry_after: Option<Duration>,
}

/// Whether the target took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    No,
}

/// How far the body of an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Whole,
    /// There was more than is read.
    Long,
    BrokenOff,
    /// It did not end in time.
    TooLong,
}

impl Outcome {
    /// Nothing was answered, or nothing sent.
    pub(super) fn none(words: impl Into<String>) -> Self {
        Self { taken: Taken::No, status: 0, words: words.into(), response: vec![], retry_after: None }
    }

    /// An answer came. Any 2xx is success, unless its body did not come to an end in time.
    pub(super) fn answered(status: StatusCode, body: Body, response: Vec<u8>, within: Duration) -> Self {
        let taken = if status.is_success() && body != Body::TooLong { Taken::Yes } else { Taken::No };
        let mut words = status.as_u16().to_string();
        if let Some(reason) = status.canonical_reason() {
            let _ = write!(words, " {reason}");
        }
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            words.push_str(": redirects are not followed");
        }
        match body {
            Body::Whole => {}
            Body::Long => words.push_str(" (more of its body was not read)"),
            Body::BrokenOff => words.push_str(" (its body broke off)"),
            Body::TooLong => {
                let _ = write!(words, ", but its body did not end within {} s", within.as_secs());
            }
        }
        Self { taken, status: status.as_u16(), words, response, retry_after: None }
    }

    /// No answer came because of `error`.
    pub(super) fn failed(error: reqwest::Error) -> Self {
        Self::none(cause(&error.without_url()))
    }
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), source)
}

fn source<'e>(error: &&'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let error: &'e (dyn Error + 'static) = *error;
    error.source()
}

/// Why there is no answer.
fn cause(error: &reqwest::Error) -> String {
    for cause in chain(error) {
        if let Some(forbidden) = inner::<Forbidden>(cause) {
            return forbidden.to_string();
        }
        if let Some(tls) = inner::<rustls::Error>(cause) {
            return tls_words(tls);
        }
        if let Some(http) = cause.downcast_ref::<hyper::Error>()
            && let Some(words) = http_words(http)
        {
            return words.to_owned();
        }
        if let Some(words) = cause.downcast_ref::<io::Error>().and_then(io_words) {
            return words.to_owned();
        }
    }
    if error.is_builder() {
        return "its address or headers cannot be used".to_owned();
    }
    let innermost = chain(error).last().map(ToString::to_string).unwrap_or_default();
    // The system's words for it, which hold no address.
    if chain(error).any(|cause| cause.to_string() == "dns error") {
        return format!("its name cannot be resolved: {innermost}");
    }
    innermost
}

/// `error`, or what an input or output error holds, however deep.
fn inner<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut held = error;
    loop {
        if let Some(found) = held.downcast_ref() {
            return Some(found);
        }
        held = held.downcast_ref::<io::Error>().and_then(io::Error::get_ref)?;
    }
}

fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => format!("TLS: its certificate is not trusted: {why}"),
        rustls::Error::InvalidMessage(_) => "TLS: what answers there does not speak it (http:// perhaps?)".to_owned(),
        other => format!("TLS: {other}"),
    }
}

fn http_words(error: &hyper::Error) -> Option<&'static str> {
    if error.is_parse() {
        return Some("what it answered is not HTTP");
    }
    error.is_incomplete_message().then_some("it closed the connection without an answer")
}

fn io_words(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "it reset the connection",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "there is no way to its host",
        _ => return None,
    })
}

//! One POST: five seconds for all of it, no redirects, nothing kept open, and an answer that may be endless.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use reqwest::{
    Client, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use secrecy::ExposeSecret as _;
use tokio::time::{Instant, timeout_at};

use super::{
    Target, address,
    outcome::{Body, Outcome},
};

/// For everything, from the look for the name to the last byte of the answer.
pub(super) const WITHIN: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const READ: usize = 64 * 1024;
/// Bytes of an answer that are kept.
const KEPT: usize = 1024;
/// What stands in the log for a secret.
const SECRET: &str = "•••";
/// Headers that are ours to say.
const OURS: [&str; 7] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// A header, and whether its value may be shown.
#[derive(Debug)]
pub(super) struct Header {
    name: HeaderName,
    value: HeaderValue,
}

/// Something about to be sent.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) url: Url,
    headers: Vec<Header>,
    pub(super) body: Vec<u8>,
}

impl Letter {
    /// `body` for `target`, as event `id`; the error says what of the target cannot be used.
    pub(super) fn new(target: &Target, id: &str, body: Vec<u8>, now: Timestamp) -> Result<Self, &'static str> {
        let url: Url = target.url.expose_secret().parse().map_err(|_| "its address is none")?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err("its address is none of http:// or https://");
        }
        let second = now.as_second();
        let mut headers = vec![
            plain("content-type", "application/json")?,
            plain("user-agent", concat!("dogwatch/", env!("CARGO_PKG_VERSION")))?,
            plain("webhook-id", id)?,
            plain("webhook-timestamp", &second.to_string())?,
        ];
        if let Some(signing) = &target.signing {
            let made = signing.sign(id, second, &body).ok_or("its signing secret is not `whsec_` and base64")?;
            headers.push(plain("webhook-signature", &made)?);
        }
        if let Some(basic) = &target.basic {
            let pair = format!("{}:{}", basic.user, basic.password.expose_secret());
            headers.push(secret("authorization", &format!("Basic {}", BASE64_STANDARD.encode(pair)))?);
        }
        for (name, value) in &target.headers {
            let own = secret(name, value.expose_secret())?;
            if OURS.contains(&own.name.as_str()) {
                return Err("one of its headers is not for it to say");
            }
            headers.retain(|known| known.name != own.name);
            headers.push(own);
        }
        Ok(Self { url, headers, body })
    }

    /// The headers for the log.
    pub(super) fn loggable(&self) -> Vec<(String, String)> {
        let value = |header: &Header| match header.value.to_str() {
            Ok(text) if !header.value.is_sensitive() => text.to_owned(),
            _ => SECRET.to_owned(),
        };
        self.headers.iter().map(|header| (header.name.as_str().to_owned(), value(header))).collect()
    }
}

fn header(name: &str, value: &str) -> Result<Header, &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "the name of one of its headers is none")?;
    let value = HeaderValue::try_from(value).map_err(|_| "the value of one of its headers cannot be sent")?;
    Ok(Header { name, value })
}

fn plain(name: &str, value: &str) -> Result<Header, &'static str> {
    header(name, value)
}

fn secret(name: &str, value: &str) -> Result<Header, &'static str> {
    let mut header = header(name, value)?;
    header.value.set_sensitive(true);
    Ok(header)
}

/// What of a client depends on where it is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Way {
    encrypted: bool,
    /// This machine: no proxy is asked.
    loopback: bool,
    guarded: bool,
}

/// Sends letters. Its clients are made when they are first needed: loading certificates takes long.
#[derive(Debug)]
pub(super) struct Sender {
    /// How long everything may take.
    pub(super) within: Duration,
    pub(super) clients: Mutex<HashMap<Way, Client>>,
}

impl Default for Sender {
    fn default() -> Self {
        Self { within: WITHIN, clients: Mutex::default() }
    }
}

impl Sender {
    /// Sends a letter to `target` and reads the answer.
    pub(super) async fn send(&self, target: &Target, letter: &Letter) -> Outcome {
        if !target.allow_link_local
            && let Err(forbidden) = address::check(&letter.url)
        {
            return Outcome::none(forbidden.to_string());
        }
        let way = Way {
            encrypted: letter.url.scheme() == "https",
            loopback: address::is_loopback(&letter.url),
            guarded: !target.allow_link_local,
        };
        let client = match self.client(way) {
            Ok(client) => client,
            Err(error) => return Outcome::failed(error),
        };
        let headers: HeaderMap =
            letter.headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect();
        let deadline = Instant::now() + self.within;
        let request = client.post(letter.url.clone()).headers(headers).body(letter.body.clone());
        match timeout_at(deadline, request.send()).await {
            Err(_) => Outcome::none(format!("no answer within {} s", self.within.as_secs())),
            Ok(Err(error)) => Outcome::failed(error),
            Ok(Ok(response)) => read(response, deadline, self.within).await,
        }
    }

    fn client(&self, way: Way) -> Result<Client, reqwest::Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&way) {
            return Ok(client.clone());
        }
        let client = build(way)?;
        clients.insert(way, client.clone());
        Ok(client)
    }
}

fn build(way: Way) -> Result<Client, reqwest::Error> {
    // Fails only when a provider of cryptography is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A connection that the other side is about to close would make a failure of what it might have taken.
    let mut builder = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0).no_gzip();
    if way.loopback {
        builder = builder.no_proxy();
    }
    if way.guarded {
        builder = builder.dns_resolver(Arc::new(address::Guarded));
    }
    if !way.encrypted {
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

async fn read(mut response: Response, deadline: Instant, within: Duration) -> Outcome {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let (mut kept, mut read) = (vec![], 0);
    let body = loop {
        match timeout_at(deadline, response.chunk()).await {
            Err(_) => break Body::TooLong,
            Ok(Err(_)) => break Body::BrokenOff,
            Ok(Ok(None)) => break Body::Whole,
            Ok(Ok(Some(chunk))) => {
                read += chunk.len();
                kept.extend(chunk.iter().take(KEPT.saturating_sub(kept.len())));
                if read >= READ {
                    break Body::Long;
                }
            }
        }
    };
    Outcome { retry_after: retry_after.map(Duration::from_secs), ..Outcome::answered(status, body, kept, within) }
}

//! Requests over HTTP: every one has a deadline, reads are tried again, writes are sent once,
//! and no message ever holds an address with its query or a credential.

mod backoff;
mod base;
mod clock;
mod gate;
mod trace;

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;
use tokio::{sync::OnceCell, time::Instant};

pub use base::BadAddress;
pub(crate) use base::{BaseUrl, is_loopback};
pub(crate) use clock::date;

use super::{Heard, ProviderError};
use crate::core::{
    call::{Budget, Purpose},
    id::AccountName,
};
use gate::Pass;
use trace::{Ears, Trace};

/// Longer addresses are refused (414) by proxies on the way; what names many things is asked for in parts.
pub(crate) const LONGEST_URL: usize = 4096;

/// The bounds of every exchange.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// For a connection, TLS included.
    pub(crate) connect: Duration,
    /// For one exchange, from the first byte sent to the last received.
    pub(crate) exchange: Duration,
    /// For a read with all its attempts.
    pub(crate) read: Duration,
    /// For a list with all its pages.
    pub(crate) list: Duration,
    /// For one that a poll asks for, which waits for the rate limit's next window.
    pub(crate) patient_list: Duration,
    pub(crate) attempts: u32,
    pub(crate) first_pause: Duration,
    pub(crate) longest_pause: Duration,
    /// Bytes of an answer, unpacked.
    pub(crate) body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            exchange: Duration::from_secs(15),
            read: Duration::from_secs(20),
            list: Duration::from_mins(1),
            patient_list: Duration::from_mins(5),
            attempts: 3,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(4),
            body: 16 * 1024 * 1024,
        }
    }
}

/// What to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) method: Method,
    pub(crate) segments: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, String)],
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Value>,
}

impl Call<'_> {
    /// What a provider's tighter limits go by: the method, and a path without what it names.
    fn route(&self) -> String {
        format!("{} {} {}", self.method, self.segments.first().unwrap_or(&""), self.segments.len())
    }
}

/// What came back: any status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as far as it came.
    pub(crate) body: Vec<u8>,
    /// Why the body is not whole.
    pub(crate) cut: Option<Trouble>,
}

/// An error, and whether the same read may fare better.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) error: ProviderError,
    pub(crate) again: bool,
}

impl From<ProviderError> for Trouble {
    fn from(error: ProviderError) -> Self {
        let again = error.leaves_doubt() || matches!(error, ProviderError::Unreachable { .. });
        Self { error, again }
    }
}

/// One account's connection to its provider.
#[derive(Debug)]
pub(crate) struct Http {
    base: BaseUrl,
    limits: Limits,
    gate: gate::Gate,
    clock: clock::Clock,
    ears: Ears,
    /// Made at the first request: loading the certificates costs more than the whole rest of the start.
    client: OnceCell<Client>,
}

impl Http {
    pub(crate) fn new(base: BaseUrl, limits: Limits) -> Self {
        let (gate, clock) = (gate::Gate::default(), clock::Clock::default());
        Self { base, limits, gate, clock, ears: Ears::default(), client: OnceCell::new() }
    }

    /// From now on every call is told to `heard`, as one of `account`.
    pub(crate) fn listen(&self, account: AccountName, heard: Heard) {
        self.ears.listen(account, heard);
    }

    pub(crate) fn address(&self) -> String {
        self.base.address()
    }

    /// What is left in the provider's window, as far as it has told.
    pub(crate) fn budget(&self) -> Option<Budget> {
        self.gate.budget(Instant::now())
    }

    /// The time by our clock for what is asked now.
    pub(crate) fn asked(&self) -> Timestamp {
        self.clock.asked(Timestamp::now())
    }

    /// The provider's clock minus ours, as far as its answers have told.
    pub(crate) fn skew(&self) -> Option<SignedDuration> {
        self.clock.skew()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends a read until `judge` is content with an answer, the attempts are used up or the time is.
    pub(crate) async fn read<T, F>(&self, call: &Call<'_>, judge: F) -> Result<T, ProviderError>
    where
        F: Fn(Answer) -> Result<T, Trouble>,
    {
        let deadline = Instant::now() + self.limits.read;
        let mut failures = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let trouble = match self.exchange(call, left).await.and_then(&judge) {
                Ok(value) => return Ok(value),
                Err(trouble) => trouble,
            };
            failures += 1;
            let pause = backoff::pause(failures, self.limits.first_pause, self.limits.longest_pause, fastrand::f64());
            let late = Instant::now() + pause >= deadline;
            if !trouble.again || late || failures >= self.limits.attempts {
                return Err(trouble.error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a write, once.
    pub(crate) async fn write<T, F>(&self, call: &Call<'_>, judge: F) -> Result<T, ProviderError>
    where
        F: FnOnce(Answer) -> Result<T, Trouble>,
    {
        self.exchange(call, self.limits.exchange).await.and_then(judge).map_err(|trouble| trouble.error)
    }

    /// One request, one answer, unless the rate limit's gate is closed.
    async fn exchange(&self, call: &Call<'_>, within: Duration) -> Result<Answer, Trouble> {
        let url = self.base.join(call.segments, call.query).ok_or_else(|| not_found(call))?;
        if url.as_str().len() > LONGEST_URL {
            let reason = format!("the address of {} is too long to be sent", call.segments.join("/"));
            return Err(ProviderError::Refused { status: 414, reason }.into());
        }
        let admitted = self.gate.admit(call.purpose, call.route(), Instant::now());
        let pass = admitted.map_err(|wait| ProviderError::RateLimited { wait })?;
        let client = self.client.get_or_try_init(|| self.build()).await?;
        let within = within.min(self.limits.exchange);
        let mut request =
            client.request(call.method.clone(), url.clone()).headers(call.headers.clone()).timeout(within);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.to_string());
        }
        let mut trace = Trace::begin(&self.ears, call, &url);
        let answer = self.send(request, within, &pass, &mut trace).await;
        trace.end(answer.as_ref());
        answer
    }

    async fn send(
        &self,
        request: RequestBuilder,
        within: Duration,
        pass: &Pass<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<Answer, Trouble> {
        let sent = Timestamp::now();
        let response = request.send().await.map_err(|error| self.broken(error, within))?;
        self.clock.answered(response.headers(), sent, Timestamp::now());
        let limited = response.status() == StatusCode::TOO_MANY_REQUESTS;
        let wait = limited.then(|| pass.refused(response.headers(), Instant::now()));
        let left = if limited { Some(0) } else { pass.passed(response.headers(), Instant::now()) };
        trace.answered(&response, left);
        match wait {
            Some(wait) => Err(ProviderError::RateLimited { wait }.into()),
            None => Ok(self.receive(response, within).await),
        }
    }

    async fn receive(&self, mut response: reqwest::Response, within: Duration) -> Answer {
        let mut answer =
            Answer { status: response.status(), headers: response.headers().clone(), body: vec![], cut: None };
        loop {
            match response.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) if answer.body.len().saturating_add(chunk.len()) > self.limits.body => {
                    let cause = format!("more than {} MiB", self.limits.body / (1024 * 1024));
                    answer.cut = Some(Trouble { error: ProviderError::Unreadable { cause }, again: false });
                    break;
                }
                Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
                Err(error) => {
                    answer.cut = Some(self.cut(error, within));
                    break;
                }
            }
        }
        answer
    }

    fn cut(&self, error: reqwest::Error, within: Duration) -> Trouble {
        if error.is_timeout() {
            return ProviderError::TimedOut { address: self.address(), within }.into();
        }
        let cause = format!("it was cut short ({})", root_cause(&error.without_url()));
        ProviderError::Unreadable { cause }.into()
    }

    /// An exchange that brought no answer. What fails while connecting was certainly not sent.
    fn broken(&self, error: reqwest::Error, within: Duration) -> Trouble {
        let error = error.without_url();
        let address = self.address();
        let error = match (error.is_connect(), error.is_timeout()) {
            (true, true) => {
                let cause = "no connection in time".to_owned();
                ProviderError::Unreachable { address, cause, maybe_sent: false }
            }
            (true, false) => ProviderError::Unreachable { address, cause: root_cause(&error), maybe_sent: false },
            (false, true) => ProviderError::TimedOut { address, within },
            (false, false) => {
                let maybe_sent = !error.is_builder();
                ProviderError::Unreachable { address, cause: root_cause(&error), maybe_sent }
            }
        };
        error.into()
    }

    async fn build(&self) -> Result<Client, Trouble> {
        let (base, limits) = (self.base.clone(), self.limits.clone());
        let built = tokio::task::spawn_blocking(move || build(&base, &limits)).await;
        let cause = match built {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => root_cause(&error.without_url()),
            Err(_) => "the client could not be built".to_owned(),
        };
        Err(Trouble {
            error: ProviderError::Unreachable { address: self.address(), cause, maybe_sent: false },
            again: false,
        })
    }
}

fn not_found(call: &Call<'_>) -> ProviderError {
    ProviderError::NotFound { what: call.segments.join("/") }
}

fn build(base: &BaseUrl, limits: &Limits) -> Result<Client, reqwest::Error> {
    builder(base, limits).build()
}

fn builder(base: &BaseUrl, limits: &Limits) -> ClientBuilder {
    // Fails only when a provider of cryptography is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("dogwatch/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect)
        // Shorter than any load balancer's: a write on a connection that the other side is closing leaves doubt.
        .pool_idle_timeout(Duration::from_secs(45))
        .redirect(Policy::none());
    if base.is_loopback() {
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, 0));
        builder = builder.no_proxy().resolve_to_addrs("localhost", &here);
    }
    if !base.is_encrypted() {
        builder = builder.tls_certs_only([]);
    }
    builder
}

/// The innermost cause: the outer ones only say that a request failed.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

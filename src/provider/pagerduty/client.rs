//! How `PagerDuty` wants to be spoken to: credentials, `Accept`, `From`, and what an answer means.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use reqwest::{
    Method,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::{sync::OnceCell, time::Instant};

use super::{SetupError, errors, wire};
use crate::{
    core::{call::Purpose, text::Shown},
    provider::{
        ProviderError,
        http::{self, Answer, Call, Http, Trouble},
    },
};

const VERSION: HeaderValue = HeaderValue::from_static("application/vnd.pagerduty+json;version=2");
const FROM: HeaderName = HeaderName::from_static("from");
/// REST keys have 20 characters, the keys of Events integrations this many.
const EVENTS_KEY: usize = 32;
const NO_FROM: &str = "this key belongs to no person, so an action needs to name one: \
                       set `from` of the account to the e-mail address of a user";

/// For so long the owner of a key is not asked for again after that failed, where `from` says who acts.
const UNTOLD: Duration = Duration::from_mins(1);

/// To whom the key belongs.
#[derive(Debug, Clone)]
pub(super) enum Owner {
    Person(wire::Reference),
    /// An account's key: acts as whoever `From` names.
    Account,
}

/// A success.
#[derive(Debug)]
pub(super) struct Reply {
    /// Null when the body was empty.
    pub(super) json: Value,
    /// The provider's clock.
    pub(super) date: Option<Timestamp>,
    pub(super) status: u16,
}

/// In whose name to act.
#[derive(Debug, Clone)]
enum Name {
    /// The key's owner, or this address where the key belongs to no person.
    Usual(Option<(String, HeaderValue)>),
    /// This address and no other: with the key of another person nothing is sent.
    Only(String, HeaderValue),
}

/// One account's REST API.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) http: Arc<Http>,
    token: SecretString,
    authorization: HeaderValue,
    name: Name,
    owner: Arc<OnceCell<Owner>>,
    /// When asking for the owner last failed, and `from` said who acts.
    untold: Arc<Mutex<Option<Instant>>>,
    pub(super) purpose: Purpose,
    /// Questions asked through this handle.
    pub(super) asked: AtomicU64,
}

impl Api {
    pub(super) fn new(http: Http, token: &SecretString, from: Option<String>) -> Result<Self, SetupError> {
        let token = SecretString::from(token.expose_secret().trim());
        let key = bare(token.expose_secret());
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SetupError::BadToken);
        }
        let mut authorization =
            HeaderValue::from_str(&authorization(token.expose_secret())).map_err(|_| SetupError::BadToken)?;
        authorization.set_sensitive(true);
        let from = from.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let from = from.map(|text| address(&text).map(|value| (text, value))).transpose()?;
        Ok(Self {
            http: Arc::new(http),
            token,
            authorization,
            name: Name::Usual(from),
            owner: Arc::default(),
            untold: Arc::default(),
            purpose: Purpose::Upkeep,
            asked: AtomicU64::default(),
        })
    }

    /// The same key and limits, acting in the name of `email` only.
    pub(super) fn acting_as(&self, email: &str) -> Result<Self, SetupError> {
        Ok(Self { name: Name::Only(email.to_owned(), address(email)?), ..self.for_purpose(self.purpose) })
    }

    /// The same, whose calls are made for `purpose`.
    pub(super) fn for_purpose(&self, purpose: Purpose) -> Self {
        Self {
            http: Arc::clone(&self.http),
            token: self.token.clone(),
            authorization: self.authorization.clone(),
            name: self.name.clone(),
            owner: Arc::clone(&self.owner),
            untold: Arc::clone(&self.untold),
            purpose,
            asked: AtomicU64::default(),
        }
    }

    /// The configured address that acts.
    pub(super) fn from(&self) -> Option<&str> {
        match &self.name {
            Name::Usual(from) => from.as_ref().map(|(text, _)| text.as_str()),
            Name::Only(email, _) => Some(email),
        }
    }

    pub(super) async fn get(&self, segments: &[&str], query: &[(&str, String)]) -> Result<Reply, ProviderError> {
        let call =
            Call { purpose: self.purpose, method: Method::GET, segments, query, headers: self.headers(), body: None };
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.http.read(&call, |answer| self.judge(segments, answer)).await
    }

    pub(super) async fn put(&self, segments: &[&str], body: Value) -> Result<Value, ProviderError> {
        self.write(Method::PUT, segments, Some(body)).await.map(|reply| reply.json)
    }

    pub(super) async fn post(&self, segments: &[&str], body: Value) -> Result<Value, ProviderError> {
        self.write(Method::POST, segments, Some(body)).await.map(|reply| reply.json)
    }

    pub(super) async fn delete(&self, segments: &[&str]) -> Result<Reply, ProviderError> {
        self.write(Method::DELETE, segments, None).await
    }

    async fn write(&self, method: Method, segments: &[&str], body: Option<Value>) -> Result<Reply, ProviderError> {
        let mut headers = self.headers();
        // However long ago that was: a write that was prepared is not held up.
        if let Some(from) = self.acting(Duration::MAX).await? {
            headers.insert(FROM, from);
        }
        let call = Call { purpose: self.purpose, method, segments, query: &[], headers, body };
        self.http.write(&call, |answer| self.judge(segments, answer)).await
    }

    /// A write that is nobody's action, and so without `From`.
    pub(super) async fn arrange(
        &self,
        method: Method,
        segments: &[&str],
        body: Option<Value>,
    ) -> Result<Value, ProviderError> {
        let call = Call { purpose: self.purpose, method, segments, query: &[], headers: self.headers(), body };
        self.http.write(&call, |answer| self.judge(segments, answer)).await.map(|reply| reply.json)
    }

    fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone()), (ACCEPT, VERSION)])
    }

    /// Finds out in whose name a write goes out.
    pub(super) async fn prepare_writes(&self) -> Result<(), ProviderError> {
        self.acting(UNTOLD).await.map(drop)
    }

    /// Whether asking for the owner failed within this time.
    fn is_untold(&self, within: Duration) -> bool {
        let untold = *self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        self.owner.get().is_none() && untold.is_some_and(|at| at.elapsed() < within)
    }

    /// The value of `From`: the person's own address, else the configured one; that one also for so long after the owner
    /// could not be asked for. An error means that nothing was sent, and says so by leaving no doubt.
    async fn acting(&self, untold: Duration) -> Result<Option<HeaderValue>, ProviderError> {
        let configured = match &self.name {
            Name::Usual(from) => from.as_ref().map(|(_, value)| value.clone()),
            Name::Only(email, value) => return self.acting_only_as(email, value).await.map(Some),
        };
        if self.is_untold(untold) {
            return Ok(configured);
        }
        let owner = match self.owner.get_or_try_init(|| self.ask_owner()).await {
            Ok(owner) => owner,
            Err(error @ (ProviderError::Unauthorised { .. } | ProviderError::RateLimited { .. })) => return Err(error),
            Err(_) if configured.is_some() => {
                *self.untold.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                return Ok(configured);
            }
            Err(ProviderError::Forbidden { .. }) => {
                return Err(ProviderError::Forbidden { reason: NO_FROM.to_owned() });
            }
            Err(error) => return Err(self.unsent(&error)),
        };
        match owner {
            Owner::Person(user) => Ok(user.email.as_deref().and_then(|email| address(email).ok()).or(configured)),
            Owner::Account if configured.is_some() => Ok(configured),
            Owner::Account => Err(ProviderError::Forbidden { reason: NO_FROM.to_owned() }),
        }
    }

    /// `PagerDuty` takes what is sent with a person's key for that person's doing, whatever `From` says.
    async fn acting_only_as(&self, email: &str, value: &HeaderValue) -> Result<HeaderValue, ProviderError> {
        let owner = match self.owner.get_or_try_init(|| self.ask_owner()).await {
            Ok(owner) => owner,
            Err(error @ (ProviderError::Unauthorised { .. } | ProviderError::RateLimited { .. })) => return Err(error),
            Err(error) => return Err(self.unsent(&error)),
        };
        match owner {
            Owner::Account => Ok(value.clone()),
            Owner::Person(user) if user.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email)) => {
                Ok(value.clone())
            }
            Owner::Person(_) => Err(ProviderError::Forbidden {
                reason: format!(
                    "the account's key belongs to another person than {email}: configure a key of the whole account, or \
                     give this [[person]] a `token`"
                ),
            }),
        }
    }

    fn unsent(&self, error: &ProviderError) -> ProviderError {
        let cause = format!("nothing was sent, because the owner of the key could not be found out: {error}");
        ProviderError::Unreachable { address: self.http.address(), cause, maybe_sent: false }
    }

    /// Asks anew to whom the key belongs.
    pub(super) async fn owner(&self) -> Result<Owner, ProviderError> {
        let owner = self.ask_owner().await?;
        // Set already: the key is the same, and so is its owner.
        let _ = self.owner.set(owner.clone());
        Ok(owner)
    }

    async fn ask_owner(&self) -> Result<Owner, ProviderError> {
        match self.get(&["users", "me"], &[]).await {
            Ok(reply) => {
                let user = reply.json.get("user").cloned().unwrap_or_default();
                let person: wire::Reference = serde_json::from_value(user).unwrap_or_default();
                let lack = || ProviderError::Unreadable { cause: "users/me without a user".to_owned() };
                person.id.is_some().then_some(Owner::Person(person)).ok_or_else(lack)
            }
            // The only sign of an account's key is this sentence.
            Err(ProviderError::Refused { status: 400, reason }) if reason.to_lowercase().contains("account-level") => {
                Ok(Owner::Account)
            }
            Err(error) => Err(error),
        }
    }

    fn judge(&self, segments: &[&str], answer: Answer) -> Result<Reply, Trouble> {
        if !answer.status.is_success() {
            let reason = self.scrub(&errors::reason(answer.status, &answer.body));
            return Err(errors::refused(answer.status, reason, &segments.join("/"), &self.advice()).into());
        }
        if let Some(cut) = answer.cut {
            return Err(cut);
        }
        let (date, status) = (http::date(&answer.headers), answer.status.as_u16());
        if answer.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Reply { json: Value::Null, date, status });
        }
        let json = serde_json::from_slice(&answer.body)
            .map_err(|error| ProviderError::Unreadable { cause: format!("no JSON ({error})") })?;
        Ok(Reply { json, date, status })
    }

    /// What may be wrong when the key is refused.
    fn advice(&self) -> String {
        let address = self.http.address();
        if self.token.expose_secret().len() == EVENTS_KEY {
            return format!(
                "the key has {EVENTS_KEY} characters like that of an Events integration; {address} wants a REST API key (20)"
            );
        }
        format!("the key is wrong, or it belongs to another region than {address}")
    }

    /// A provider that repeats the key in an error must not bring it onto a screen or into a log.
    fn scrub(&self, text: &str) -> String {
        text.replace(bare(self.token.expose_secret()), "[key]")
    }
}

/// A key without the scheme that may stand before it in the settings.
fn bare(token: &str) -> &str {
    let rest = token.strip_prefix("Bearer").filter(|rest| rest.is_empty() || rest.starts_with(' '));
    rest.unwrap_or(token).trim()
}

/// OAuth tokens begin with `pd`, the region in two letters, and `+_`; all others are API keys.
fn authorization(token: &str) -> String {
    let key = bare(token);
    let oauth = key.starts_with("pd") && key.get(4..6) == Some("+_");
    if oauth || key.len() < token.len() { format!("Bearer {key}") } else { format!("Token token={key}") }
}

fn address(text: &str) -> Result<HeaderValue, SetupError> {
    let bad = || SetupError::BadFrom(Shown::line(text));
    if !text.contains('@') {
        return Err(bad());
    }
    HeaderValue::from_str(text).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_token_gets_its_scheme() {
        assert_eq!(authorization("y_NbAkKc66ryYTWUXYEu"), "Token token=y_NbAkKc66ryYTWUXYEu");
        assert_eq!(authorization("pdus+_0XBPWQQ_1b9e"), "Bearer pdus+_0XBPWQQ_1b9e");
        assert_eq!(authorization("pdeu+_0XBPWQQ_1b9e"), "Bearer pdeu+_0XBPWQQ_1b9e");
        assert_eq!(authorization("Bearer abc"), "Bearer abc");
        assert_eq!(authorization("pd+_0XBPWQQ"), "Token token=pd+_0XBPWQQ");
    }
}

//! What every request passes: it is recorded, hit by faults or not, and let in only with a key, within the rate limit and
//! with the headers that `PagerDuty` demands. Nothing behind the gate looks at headers.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Query as Pairs, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, FROM},
        request::Parts,
    },
    middleware::Next,
    response::Response,
};
use futures_util::stream;
use secrecy::ExposeSecret as _;
use tokio::time::{sleep, timeout};

use super::{
    super::{
        clock,
        faults::Faults,
        limiter::{Budget, LIMIT},
        world::{UserIx, World},
    },
    Answer, Call, Caller, Query, Shared, locked,
};

const BODY_LIMIT: usize = 1024 * 1024;
/// A body that is not here by then does not come.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// What a 429 set as a fault says when nothing else was asked for.
const FAULT_RESET: u64 = 7;
/// Keys that begin so belong to the account and to nobody in it.
const ACCOUNT_KEY: &str = "account";
/// Keys that begin so may only read.
const READ_ONLY_KEY: &str = "readonly";

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Lets a request through, or answers it.
pub(crate) async fn pass(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(Ok(body)) = timeout(BODY_PATIENCE, to_bytes(body, BODY_LIMIT)).await else {
        return Answer::error(StatusCode::PAYLOAD_TOO_LARGE, 2001, "Invalid Input Provided").into_response();
    };
    let place = locked(&shared.record).arrived(&parts.method, &parts.uri, &parts.headers, &body);
    let (hit, request_id) = {
        let (faults, dice) = &mut *locked(&shared.faults);
        (faults.strike(dice), dice.uuid())
    };
    if hit.latency_ms > 0 {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = sleep(Duration::from_millis(hit.latency_ms)) => {}
        }
    }
    let mut response = match hit.status {
        Some(status) => fault(status, &hit),
        None => through(&shared, parts, body, next).await,
    };
    if let (Some(reset), true) = (hit.ratelimit_reset, response.headers().contains_key(RATE_RESET)) {
        response.headers_mut().insert(RATE_RESET, HeaderValue::from(reset));
    }
    if let Some(Ok(date)) =
        hit.date_seconds.map(|late| HeaderValue::from_str(&clock::http(clock::after(clock::now(), late))))
    {
        response.headers_mut().insert(DATE, date);
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    locked(&shared.record).answered(place, response.status());
    if hit.truncate { truncated(response).await } else { response }
}

/// The answer that was ordered, in the shape `PagerDuty` gives it.
fn fault(status: u16, hit: &Faults) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match status {
        StatusCode::UNAUTHORIZED => return Answer::unauthorized().into_response(),
        StatusCode::NOT_FOUND => Answer::not_found(),
        StatusCode::FORBIDDEN => Answer::error(status, 2010, "Access Denied"),
        StatusCode::TOO_MANY_REQUESTS => Answer::error(status, 2020, "Rate Limit Exceeded"),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            Answer { status, body: None }
        }
        s if s.is_server_error() => {
            Answer::error(status, 2000, "An internal error has occurred. PagerDuty team has been notified.")
        }
        _ => Answer::error(status, 2002, status.canonical_reason().unwrap_or("Arguments Caused Error")),
    }
    .into_response();
    let exceeded = status == StatusCode::TOO_MANY_REQUESTS;
    let remaining = if exceeded { 0 } else { LIMIT - 1 };
    write_budget(&mut response, Budget { remaining, reset: hit.ratelimit_reset.unwrap_or(FAULT_RESET), exceeded });
    response
}

async fn through(shared: &Shared, mut parts: Parts, body: Bytes, next: Next) -> Response {
    let Some((caller, key)) = caller(shared, &parts.headers) else {
        return Answer::unauthorized().into_response();
    };
    let budget = locked(&shared.limiter).take(&key, clock::now());
    let refusal = if budget.exceeded {
        Some(Answer::error(StatusCode::TOO_MANY_REQUESTS, 2020, "Rate Limit Exceeded"))
    } else {
        unsuitable(&parts, &key, &body)
    };
    let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    let mut response = match (refusal, pairs) {
        (Some(refusal), _) => refusal.into_response(),
        (None, Err(_)) => Answer::invalid("the query cannot be read").into_response(),
        (None, Ok(Pairs(pairs))) => {
            let call = Call { caller, query: Query(pairs), body, ids: vec![], now: clock::now() };
            parts.extensions.insert(call);
            next.run(Request::from_parts(parts, Body::empty())).await
        }
    };
    write_budget(&mut response, budget);
    response
}

fn write_budget(response: &mut Response, budget: Budget) {
    let headers = response.headers_mut();
    headers.insert(RATE_LIMIT, HeaderValue::from(LIMIT));
    headers.insert(RATE_REMAINING, HeaderValue::from(budget.remaining));
    headers.insert(RATE_RESET, HeaderValue::from(budget.reset));
}

/// Who the key belongs to, and under which name its requests are counted. Exactly `Token token=…` or `Bearer …` counts.
fn caller(shared: &Shared, headers: &HeaderMap) -> Option<(Caller, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token = value.strip_prefix("Token token=").or_else(|| value.strip_prefix("Bearer "))?;
    let known = match &shared.token {
        Some(only) => only.expose_secret() == token,
        None => {
            (8..=128).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+".contains(&b))
        }
    };
    if !known {
        return None;
    }
    if token.starts_with(ACCOUNT_KEY) || token.starts_with(READ_ONLY_KEY) {
        let from = headers.get(FROM).and_then(|f| f.to_str().ok()).map(|f| f.trim().to_owned());
        return Some((Caller::Account { from: from.filter(|f| !f.is_empty()) }, token.to_owned()));
    }
    let world = locked(&shared.world);
    let user = user_of(&world, token);
    Some((Caller::User(user), world.account.user(user).id.clone()))
}

/// A key that contains a user's id is that user's; any other is the first user's.
fn user_of(world: &World, token: &str) -> UserIx {
    UserIx(world.account.users.iter().position(|u| token.contains(&u.id)).unwrap_or(0))
}

/// What is wrong with a request before anybody reads what it is about.
fn unsuitable(parts: &Parts, key: &str, body: &[u8]) -> Option<Answer> {
    let accepted = parts.headers.get(ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    let accepted: String = accepted.to_ascii_lowercase().split_whitespace().collect();
    if !accepted.split(',').any(|a| a == "application/vnd.pagerduty+json;version=2") {
        let message = "Accept must be application/vnd.pagerduty+json;version=2";
        return Some(Answer::error(StatusCode::NOT_ACCEPTABLE, 2002, message));
    }
    let writes = parts.method != Method::GET && parts.method != Method::HEAD;
    if writes && key.starts_with(READ_ONLY_KEY) {
        return Some(Answer::error(StatusCode::FORBIDDEN, 2010, "Access Denied"));
    }
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|c| c.to_str().ok()).unwrap_or_default();
    if writes && !body.is_empty() && !content_type.starts_with("application/json") {
        let message = "Content-Type must be application/json";
        return Some(Answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 2002, message));
    }
    None
}

/// The first half of the body under the length of the whole, then the connection breaks.
async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let broken = || std::io::Error::other("broken off as ordered");
    let pieces = stream::unfold(Some(half), move |piece| async move {
        match piece {
            Some(half) if !half.is_empty() => Some((Ok(half), Some(Bytes::new()))),
            Some(_) => {
                // Time for the first half to leave, so that the client sees a beginning.
                sleep(Duration::from_millis(20)).await;
                Some((Err(broken()), None))
            }
            None => None,
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

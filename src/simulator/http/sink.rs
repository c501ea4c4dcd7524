//! `/sink/…`: somewhere to send outgoing webhooks to, on this machine. What comes is read and forgotten.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::Value;

/// Of so many deliveries to `/sink/flaky` one is refused.
const REFUSED: u64 = 3;

pub(super) fn router() -> Router {
    Router::new().route("/sink/{name}", post(take)).with_state(Arc::new(AtomicU64::new(0)))
}

async fn take(State(taken): State<Arc<AtomicU64>>, Path(name): Path<String>, body: Bytes) -> Response {
    if serde_json::from_slice::<Value>(&body).is_err() {
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    }
    if name == "flaky" && taken.fetch_add(1, Ordering::Relaxed) % REFUSED == 0 {
        return (StatusCode::SERVICE_UNAVAILABLE, "come back later").into_response();
    }
    "ok".into_response()
}

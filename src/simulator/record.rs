//! What was asked of the simulator, in order of arrival, for tests to read. A bounded ring; the token's value is never kept.

use std::collections::VecDeque;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header::AUTHORIZATION};
use serde_json::{Map, Value, json};

/// Older requests are forgotten.
const KEPT: usize = 5000;

#[derive(Debug, Default)]
pub(crate) struct Record {
    kept: VecDeque<(Value, Option<StatusCode>)>,
    /// How many came in ever.
    arrived: u64,
}

/// Which request of all there were, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(u64);

impl Record {
    pub(crate) fn arrived(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Place {
        let path = uri.path_and_query().map_or(uri.path(), |p| p.as_str());
        let request =
            json!({"method": method.as_str(), "path": path, "headers": shown(headers), "body": readable(body)});
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((request, None));
        self.arrived += 1;
        Place(self.arrived - 1)
    }

    pub(crate) fn answered(&mut self, place: Place, status: StatusCode) {
        let first = self.arrived - u64::try_from(self.kept.len()).unwrap_or(0);
        let at = place.0.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some((_, answer)) = at.and_then(|at| self.kept.get_mut(at)) {
            *answer = Some(status);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.arrived
    }

    /// All that is kept; `status` is null while a request is not yet answered.
    pub(crate) fn json(&self) -> Value {
        let one = |(request, status): &(Value, Option<StatusCode>)| {
            super::json::with(request.clone(), json!({"status": status.map(|s| s.as_u16())}))
        };
        Value::Array(self.kept.iter().map(one).collect())
    }
}

fn shown(headers: &HeaderMap) -> Map<String, Value> {
    let one = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let value = if name == AUTHORIZATION { without_token(&value) } else { value };
        (name.as_str().to_owned(), Value::String(value))
    };
    headers.iter().map(one).collect()
}

/// The form stays, so that a test can see it: `Token token=***`.
fn without_token(value: &str) -> String {
    let form = ["Token token=", "Bearer "].into_iter().find(|form| value.starts_with(form));
    format!("{}***", form.unwrap_or_default())
}

fn readable(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_a_late_answer_finds_its_request() {
        let mut record = Record::default();
        let arrive = |record: &mut Record, n: usize| {
            let uri: Uri = format!("/incidents?n={n}").parse().expect("well formed");
            record.arrived(&Method::GET, &uri, &HeaderMap::new(), b"")
        };

        let first = arrive(&mut record, 0);
        let places: Vec<_> = (1..=KEPT).map(|n| arrive(&mut record, n)).collect();
        record.answered(first, StatusCode::OK);
        record.answered(places[KEPT - 1], StatusCode::NOT_FOUND);

        let kept = record.json();
        assert_eq!(kept.as_array().expect("well formed").len(), KEPT);
        assert_eq!((&kept[0]["path"], &kept[0]["status"]), (&json!("/incidents?n=1"), &Value::Null));
        assert_eq!(kept[KEPT - 1]["status"], 404);
        assert_eq!(record.count(), 5001);
    }

    #[test]
    fn tokens_are_never_kept() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Token token=y_NbAkKc66ryYTWUXYEu".parse().expect("well formed"));
        let mut record = Record::default();

        record.arrived(&Method::GET, &Uri::from_static("/users/me"), &headers, b"");

        assert_eq!(record.json()[0]["headers"]["authorization"], "Token token=***");
        assert_eq!(without_token("secret"), "***");
    }
}

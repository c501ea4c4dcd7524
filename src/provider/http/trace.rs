//! Every call leaves a trace for the API log: also one that was given up before an answer came.

use std::{fmt, sync::OnceLock, time::Instant};

use jiff::Timestamp;
use reqwest::{Response, Url};

use super::{Answer, Call, Trouble};
use crate::{
    core::{
        call::{ApiCall, End, Purpose},
        id::AccountName,
        text::Shown,
    },
    provider::Heard,
};

const REQUEST_ID: &str = "x-request-id";
/// Parts of a query that name nobody and nothing secret; of others the log has the name alone.
const OPEN: [&str; 15] = [
    "limit",
    "offset",
    "total",
    "since",
    "until",
    "date_range",
    "statuses[]",
    "urgencies[]",
    "include[]",
    "sort_by",
    "time_zone",
    "is_overview",
    "overflow",
    "earliest",
    "cursor",
];

/// Whom calls are told, and of which account they are.
#[derive(Default)]
pub(super) struct Ears(OnceLock<(AccountName, Heard)>);

impl fmt::Debug for Ears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ears")
    }
}

impl Ears {
    pub(super) fn listen(&self, account: AccountName, heard: Heard) {
        // Who listens first goes on listening.
        let _ = self.0.set((account, heard));
    }
}

/// One call under way.
pub(super) struct Trace<'a> {
    ears: &'a Ears,
    at: Timestamp,
    began: Instant,
    purpose: Purpose,
    method: Shown,
    path: Shown,
    status: Option<u16>,
    request_id: Option<Shown>,
    left: Option<u64>,
    end: Option<End>,
}

impl<'a> Trace<'a> {
    pub(super) fn begin(ears: &'a Ears, call: &Call<'_>, url: &Url) -> Self {
        Self {
            ears,
            at: Timestamp::now(),
            began: Instant::now(),
            purpose: call.purpose,
            method: Shown::line(call.method.as_str()),
            path: path(url),
            status: None,
            request_id: None,
            left: None,
            end: None,
        }
    }

    /// The head of an answer came.
    pub(super) fn answered(&mut self, response: &Response, left: Option<u64>) {
        let id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        (self.status, self.left) = (Some(response.status().as_u16()), left);
        self.request_id = id.map(Shown::line);
    }

    pub(super) fn end(mut self, answer: Result<&Answer, &Trouble>) {
        let cut = answer.map(|answer| answer.cut.as_ref());
        self.end = Some(match (self.status, cut) {
            (Some(status), Ok(None) | Err(_)) => End::Status(status),
            (_, Ok(Some(trouble)) | Err(trouble)) => End::Failed(trouble.error.shown()),
            (None, Ok(None)) => return,
        });
    }
}

impl Drop for Trace<'_> {
    fn drop(&mut self) {
        let Some((account, heard)) = self.ears.0.get() else { return };
        heard(ApiCall {
            number: 0,
            at: self.at,
            account: account.clone(),
            purpose: self.purpose,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            end: self.end.take().unwrap_or_else(|| End::Failed("given up before it was answered".into())),
            took: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            request_id: self.request_id.take(),
            left: self.left,
        });
    }
}

/// Path and query, without what nobody else needs to read.
fn path(url: &Url) -> Shown {
    let mut text = url.path().to_owned();
    for (at, (name, value)) in url.query_pairs().enumerate() {
        text.push(if at == 0 { '?' } else { '&' });
        let value = if OPEN.contains(&name.as_ref()) { value.as_ref() } else { "…" };
        for part in [name.as_ref(), "=", value] {
            text.push_str(part);
        }
    }
    Shown::line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_shows_what_was_asked_for_but_of_whom_only_that() {
        let url = Url::parse("https://a.example/incidents?statuses[]=triggered&limit=100&query=ann%40example.com&x=1");

        assert_eq!(path(&url.expect("url")).as_str(), "/incidents?statuses[]=triggered&limit=100&query=…&x=…");
    }
}

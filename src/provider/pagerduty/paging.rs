//! Lists, page by page. A list is whole or it is an error; what is left out on purpose is said.

use std::collections::HashSet;

use serde_json::Value;

use super::client::Api;
use crate::provider::ProviderError;

/// Rows asked for at a time unless the list says otherwise; more is refused.
const PAGE: usize = 100;
/// `PagerDuty` refuses `offset` + `limit` beyond this.
const WINDOW: usize = 10_000;
/// Pages of one list, steps back included.
const MOST_REQUESTS: usize = 200;

/// A list to fetch.
pub(super) struct List<'a> {
    segments: &'a [&'a str],
    /// Under which key the rows stand.
    key: &'a str,
    query: &'a [(&'a str, String)],
    /// Enough rows.
    most: usize,
    /// Rows asked for at a time.
    page: usize,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) rows: Vec<Value>,
    /// Whether there are more than were wanted.
    pub(super) more: bool,
}

impl<'a> List<'a> {
    /// A list of which every row is wanted.
    pub(super) fn all(segments: &'a [&'a str], key: &'a str, query: &'a [(&'a str, String)]) -> Self {
        Self { segments, key, query, most: usize::MAX, page: PAGE }
    }

    /// A list of which the first `most` rows or a few more are enough.
    pub(super) fn first(most: usize, segments: &'a [&'a str], key: &'a str, query: &'a [(&'a str, String)]) -> Self {
        Self { segments, key, query, most, page: PAGE }
    }

    /// The same in smaller pages, for rows that are dear to make.
    pub(super) fn pages_of(self, page: usize) -> Self {
        Self { page: page.min(PAGE), ..self }
    }
}

/// One page, and by what each of its rows is known.
struct Page {
    rows: Vec<Value>,
    names: Vec<String>,
    more: bool,
}

/// What to do after a page.
enum Next {
    Done { more: bool },
    From(usize),
}

/// The rows so far.
///
/// Rows may vanish while pages are read (an incident is resolved): all behind them move up, and a page that starts
/// where the last one ended would skip some. Therefore each page starts at the last row of the one before. If its
/// first row is not known yet, rows have moved past unseen, and the reading steps back until it meets a known one.
#[derive(Default)]
struct Walk {
    rows: Vec<Value>,
    known: HashSet<String>,
    first: Vec<String>,
    offset: usize,
    /// Whether the page at `offset` begins with a row that is known, if nothing moved.
    overlaps: bool,
}

impl Api {
    /// Fetches a list, all its pages within one deadline.
    pub(super) async fn list(&self, list: &List<'_>) -> Result<Rows, ProviderError> {
        let within = self.http.limits().list;
        let late = || ProviderError::TimedOut { address: self.http.address(), within };
        tokio::time::timeout(within, self.walk(list)).await.map_err(|_| late())?
    }

    async fn walk(&self, list: &List<'_>) -> Result<Rows, ProviderError> {
        let mut walk = Walk::default();
        for _ in 0..MOST_REQUESTS {
            let page = self.page(list, walk.offset).await?;
            match walk.take(page, list)? {
                Next::Done { more } => return Ok(Rows { rows: walk.rows, more }),
                Next::From(offset) => walk.offset = offset,
            }
        }
        Err(unreadable(list, "changes faster than it can be read"))
    }

    async fn page(&self, list: &List<'_>, offset: usize) -> Result<Page, ProviderError> {
        let limit = list.page.min(WINDOW - offset);
        let mut query = list.query.to_vec();
        query.extend([("limit", limit.to_string()), ("offset", offset.to_string())]);
        let mut json = self.get(list.segments, &query).await?.json;
        let Some(Value::Array(rows)) = json.get_mut(list.key).map(Value::take) else {
            return Err(unreadable(list, "is missing in the answer"));
        };
        let names = rows.iter().map(name).collect();
        Ok(Page { rows, names, more: json.get("more").and_then(Value::as_bool).unwrap_or(false) })
    }
}

impl Walk {
    fn take(&mut self, page: Page, list: &List<'_>) -> Result<Next, ProviderError> {
        let Page { rows, names, more } = page;
        let received = rows.len();
        if self.offset > 0 && received > 0 && names == self.first {
            // A server that repeats its first page does not know about pages: this is all there is.
            return Ok(Next::Done { more: false });
        }
        let moved = self.overlaps && !names.first().is_some_and(|name| self.known.contains(name));
        if self.offset == 0 {
            self.first.clone_from(&names);
        }
        let new = rows.into_iter().zip(names).filter_map(|(row, name)| self.known.insert(name).then_some(row));
        self.rows.extend(new);
        if moved {
            let back = self.offset.saturating_sub(list.page);
            self.overlaps = back > 0;
            return Ok(Next::From(back));
        }
        if !more || self.rows.len() >= list.most {
            return Ok(Next::Done { more });
        }
        if received == 0 {
            return Err(unreadable(list, "has an empty page with more to follow"));
        }
        // With pages of one row there would be no progress.
        self.overlaps = received > 1;
        let next = self.offset + received - usize::from(self.overlaps);
        if next + 1 >= WINDOW {
            return Err(unreadable(list, "has more than 10000 rows, of which PagerDuty shows no more"));
        }
        Ok(Next::From(next))
    }
}

fn unreadable(list: &List<'_>, lack: &str) -> ProviderError {
    ProviderError::Unreadable { cause: format!("the list `{}` {lack}", list.key) }
}

/// By what a row is known: its id, or all of it where it has none.
fn name(row: &Value) -> String {
    row.get("id").and_then(Value::as_str).map_or_else(|| row.to_string(), str::to_owned)
}

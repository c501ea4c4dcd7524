//! Lists, page by page. A list is whole or it is an error; what is left out on purpose is said.

use std::collections::HashSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::client::Api;
use crate::{core::call::Purpose, provider::ProviderError};

/// Rows asked for at a time unless the list says otherwise; more is refused.
const PAGE: usize = 100;
/// `PagerDuty` refuses `offset` + `limit` beyond this.
const WINDOW: usize = 10_000;
/// Pages of one list, steps back included.
const MOST_REQUESTS: usize = 300;
/// Pages that are asked for at the same time: `PagerDuty` would rather have one after the other.
const AT_ONCE: usize = 4;
/// So often one page waits for the rate limit's next window.
const WAITS: usize = 5;

/// Makes something of a row.
pub(super) type Read<'a, T> = &'a (dyn Fn(Value) -> Result<T, ProviderError> + Sync);

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
    order: Order,
}

/// How the pages of a list are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    OneByOne,
    /// The first, which tells how many there are, then several at the same time.
    SideBySide,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Rows<T> {
    pub(super) rows: Vec<T>,
    pub(super) end: End,
}

/// Where the reading of a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There are no more.
    Whole,
    /// There are more than were wanted.
    Enough,
    /// There are more than `PagerDuty` shows in pages.
    Window,
}

impl<'a> List<'a> {
    /// A list of which every row is wanted.
    pub(super) fn all(segments: &'a [&'a str], key: &'a str, query: &'a [(&'a str, String)]) -> Self {
        Self { segments, key, query, most: usize::MAX, page: PAGE, order: Order::OneByOne }
    }

    /// A list of which the first `most` rows or a few more are enough.
    pub(super) fn first(most: usize, segments: &'a [&'a str], key: &'a str, query: &'a [(&'a str, String)]) -> Self {
        Self { most, ..Self::all(segments, key, query) }
    }

    /// The same in smaller pages, for rows that are dear to make.
    pub(super) fn pages_of(self, page: usize) -> Self {
        Self { page: page.min(PAGE), ..self }
    }

    /// The same, several pages at a time: for lists that may be long.
    pub(super) fn side_by_side(self) -> Self {
        Self { order: Order::SideBySide, ..self }
    }
}

/// One page, and by what each of its rows is known.
struct Page<T> {
    offset: usize,
    rows: Vec<T>,
    names: Vec<String>,
    more: bool,
    /// How many rows the whole list has, if that was asked for and told.
    total: Option<usize>,
}

/// The rows so far.
///
/// Rows may vanish while pages are read (an incident is resolved): all behind them move up, and a page that starts
/// where the last one ended would skip some. Therefore each page starts at the last row of the one before. If its
/// first row is not known yet, rows have moved past unseen: the reading steps back until it meets a known one, and
/// from there forward until it meets that page. That holds too when later pages were read before earlier ones.
struct Walk<T> {
    rows: Vec<T>,
    known: HashSet<String>,
    first: Vec<String>,
    requests: usize,
}

impl Api {
    /// Fetches a list, all its pages within one deadline.
    pub(super) async fn list(&self, list: &List<'_>) -> Result<Rows<Value>, ProviderError> {
        let rows = self.list_of(list, &Ok).await?;
        if rows.end == End::Window {
            return Err(unreadable(list, "has more than 10000 rows, of which PagerDuty shows no more"));
        }
        Ok(rows)
    }

    /// The same, each row read by `read` as it comes: the text of a long list takes far more room than what is in it.
    /// One row that cannot be read fails the list.
    pub(super) async fn list_of<T: Send>(&self, list: &List<'_>, read: Read<'_, T>) -> Result<Rows<T>, ProviderError> {
        let limits = self.http.limits();
        let within = if self.is_patient(list) { limits.patient_list } else { limits.list };
        let late = || ProviderError::TimedOut { address: self.http.address(), within };
        timeout(within, self.walk(list, read)).await.map_err(|_| late())?
    }

    async fn walk<T: Send>(&self, list: &List<'_>, read: Read<'_, T>) -> Result<Rows<T>, ProviderError> {
        let mut walk = Walk { rows: vec![], known: HashSet::new(), first: vec![], requests: 0 };
        let mut page = self.page(list, 0, read).await?;
        let mut ahead = stream::iter(ahead(list, &page)).map(|offset| self.page(list, offset, read)).buffered(AT_ONCE);
        loop {
            walk.asked(list)?;
            if walk.repeats(&page) {
                return Ok(walk.ended(End::Whole));
            }
            if walk.has_moved(&page) {
                self.close(&mut walk, list, &page, read).await?;
            } else if page.rows.is_empty() && page.more {
                return Err(unreadable(list, "has an empty page with more to follow"));
            }
            let (more, next) = (page.more, page.next());
            walk.add(page);
            match next {
                _ if !more => return Ok(walk.ended(End::Whole)),
                _ if walk.rows.len() >= list.most => return Ok(walk.ended(End::Enough)),
                next if next + 1 >= WINDOW => return Ok(walk.ended(End::Window)),
                next => {
                    page = match ahead.try_next().await? {
                        Some(page) => page,
                        None => self.page(list, next, read).await?,
                    }
                }
            }
        }
    }

    /// Reads what is missing before `page`.
    async fn close<T: Send>(
        &self,
        walk: &mut Walk<T>,
        list: &List<'_>,
        page: &Page<T>,
        read: Read<'_, T>,
    ) -> Result<(), ProviderError> {
        let mut at = page.offset.saturating_sub(list.page);
        while at + 1 < WINDOW {
            walk.asked(list)?;
            let before = self.page(list, at, read).await?;
            if at > 0 && !walk.knows(before.names.first()) {
                at = at.saturating_sub(list.page);
                continue;
            }
            let joins = !before.more || before.names.iter().any(|name| page.names.contains(name));
            at = before.next();
            walk.add(before);
            if joins {
                break;
            }
        }
        Ok(())
    }

    async fn page<T: Send>(&self, list: &List<'_>, offset: usize, read: Read<'_, T>) -> Result<Page<T>, ProviderError> {
        let limit = list.page.min(WINDOW.saturating_sub(offset));
        let mut query = list.query.to_vec();
        query.extend([("limit", limit.to_string()), ("offset", offset.to_string())]);
        if list.order == Order::SideBySide && offset == 0 {
            query.push(("total", "true".to_owned()));
        }
        let mut json = self.patient_get(list, &query).await?;
        let Some(Value::Array(rows)) = json.get_mut(list.key).map(Value::take) else {
            return Err(unreadable(list, "is missing in the answer"));
        };
        let names = rows.iter().map(name).collect();
        let total = json.get("total").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
        let more = json.get("more").and_then(Value::as_bool).unwrap_or(false);
        drop(json);
        Ok(Page { offset, rows: rows.into_iter().map(read).collect::<Result<_, _>>()?, names, more, total })
    }

    /// A poll has time: it waits for the next window rather than begin a long list anew.
    fn is_patient(&self, list: &List<'_>) -> bool {
        self.purpose == Purpose::Poll && list.order == Order::SideBySide
    }

    async fn patient_get(&self, list: &List<'_>, query: &[(&str, String)]) -> Result<Value, ProviderError> {
        for _ in 0..WAITS {
            match self.get(list.segments, query).await {
                Err(ProviderError::RateLimited { wait }) if self.is_patient(list) => sleep(wait).await,
                answer => return answer.map(|reply| reply.json),
            }
        }
        self.get(list.segments, query).await.map(|reply| reply.json)
    }
}

/// Where the pages behind the first begin, if that can be known and they are wanted all.
fn ahead<T>(list: &List<'_>, first: &Page<T>) -> Vec<usize> {
    let received = first.rows.len();
    // A server that gives less than was asked for cuts its pages otherwise.
    if list.order == Order::OneByOne || received < list.page || !first.more {
        return vec![];
    }
    let total = first.total.unwrap_or(0).min(list.most).min(WINDOW);
    (received - 1..total.saturating_sub(1)).step_by(received - 1).collect()
}

impl<T> Page<T> {
    /// Where the page behind it begins: with its last row, if it has another.
    fn next(&self) -> usize {
        self.offset + self.rows.len() - usize::from(self.rows.len() > 1)
    }
}

impl<T> Walk<T> {
    fn asked(&mut self, list: &List<'_>) -> Result<(), ProviderError> {
        self.requests += 1;
        if self.requests > MOST_REQUESTS { Err(unreadable(list, "changes faster than it can be read")) } else { Ok(()) }
    }

    fn knows(&self, name: Option<&String>) -> bool {
        name.is_some_and(|name| self.known.contains(name))
    }

    /// A server that repeats its first page does not know about pages: that is all there is.
    fn repeats(&self, page: &Page<T>) -> bool {
        page.offset > 0 && !page.rows.is_empty() && page.names == self.first
    }

    /// Whether rows moved past unseen before `page`. With pages of one row that cannot be told.
    fn has_moved(&self, page: &Page<T>) -> bool {
        page.offset > 0 && self.first.len() > 1 && !self.knows(page.names.first())
    }

    fn add(&mut self, page: Page<T>) {
        if page.offset == 0 && self.first.is_empty() {
            self.first.clone_from(&page.names);
        }
        let new =
            page.rows.into_iter().zip(page.names).filter_map(|(row, name)| self.known.insert(name).then_some(row));
        self.rows.extend(new);
    }

    fn ended(self, end: End) -> Rows<T> {
        Rows { rows: self.rows, end }
    }
}

fn unreadable(list: &List<'_>, lack: &str) -> ProviderError {
    ProviderError::Unreadable { cause: format!("the list `{}` {lack}", list.key) }
}

/// By what a row is known: its id, or all of it where it has none.
fn name(row: &Value) -> String {
    row.get("id").and_then(Value::as_str).map_or_else(|| row.to_string(), str::to_owned)
}

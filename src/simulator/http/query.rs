//! Query parameters as `PagerDuty` reads them: sets as repeated `name[]`, booleans in lower case, windows of time, and pages.

use jiff::{Timestamp, ToSpan as _, Zoned, civil, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    super::{json::Includes, world::rota},
    answer::Answer,
};

const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;
/// `offset + limit` may not go beyond this.
const REACH: usize = 10_000;

#[derive(Debug, Clone, Default)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    limit: usize,
    offset: usize,
    total: bool,
}

/// From, to.
pub(crate) type Window = (Timestamp, Timestamp);

impl Query {
    /// The last value under this name; an empty one counts as none.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values of the set `name[]`.
    pub(crate) fn set(&self, name: &str) -> Vec<&str> {
        let is = |n: &str| n.strip_suffix("[]") == Some(name);
        self.0.iter().filter(|(n, _)| is(n)).map(|(_, v)| v.as_str()).collect()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    pub(crate) fn includes(&self) -> Includes {
        Includes(self.set("include").into_iter().map(str::to_owned).collect())
    }

    fn number(&self, name: &str) -> Result<Option<usize>, Answer> {
        let parse = |v: &str| v.parse().map_err(|_| Answer::invalid(format!("{name} must be a whole number")));
        self.one(name).map(parse).transpose()
    }

    /// More than 100 at once are not given, whatever was asked.
    pub(crate) fn page(&self) -> Result<Page, Answer> {
        let limit = self.number("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        let offset = self.number("offset")?.unwrap_or(0);
        if offset.saturating_add(limit) > REACH {
            return Err(Answer::invalid(format!("Offset plus limit must not exceed {REACH}")));
        }
        Ok(Page { limit, offset, total: self.flag("total") })
    }

    /// The zone asked for, or `default`.
    pub(crate) fn zone(&self, default: &str) -> Result<TimeZone, Answer> {
        match self.one("time_zone") {
            None => Ok(rota::zone(default)),
            Some(name) => TimeZone::get(name).map_err(|_| Answer::invalid(format!("time_zone {name} is unknown"))),
        }
    }

    /// A moment; a date alone is its midnight in `zone`.
    pub(crate) fn time(&self, name: &str, zone: &TimeZone) -> Result<Option<Timestamp>, Answer> {
        let Some(text) = self.one(name) else { return Ok(None) };
        let local = |at: civil::DateTime| at.to_zoned(zone.clone()).ok().map(|z: Zoned| z.timestamp());
        let at = text
            .parse::<Timestamp>()
            .ok()
            .or_else(|| text.parse::<civil::DateTime>().ok().and_then(local))
            .or_else(|| text.parse::<civil::Date>().ok().and_then(|d| local(d.at(0, 0, 0, 0))));
        let refusal = || super::bad_request(2004, "Invalid time values in 'since' and/or 'until' parameters");
        at.map(Some).ok_or_else(refusal)
    }

    /// `since` and `until` for lists of the past: a month back unless said, six months at most, none with `date_range=all`.
    pub(crate) fn past(&self, default_zone: &str, now: Timestamp) -> Result<Option<Window>, Answer> {
        if self.one("date_range") == Some("all") {
            return Ok(None);
        }
        let zone = self.zone(default_zone)?;
        let until = self.time("until", &zone)?;
        let end = until.unwrap_or(now);
        let back = |months: i64| end.to_zoned(zone.clone()).saturating_sub(months.months()).timestamp();
        let since = self.time("since", &zone)?.unwrap_or_else(|| back(1));
        // A day of grace: half a year is not the same length everywhere.
        let earliest = super::super::clock::after(back(6), -86_400);
        if since > end || since < earliest {
            return Err(super::bad_request(2005, "Invalid Query Date Range"));
        }
        Ok(Some((since, until.unwrap_or(Timestamp::MAX))))
    }
}

impl Page {
    /// The part of `all`, written by `write`, with the fields that every page has.
    pub(crate) fn of<T>(&self, name: &str, all: &[T], mut write: impl FnMut(&T) -> Value) -> Value {
        let items: Vec<Value> = all.iter().skip(self.offset).take(self.limit).map(&mut write).collect();
        let more = self.offset.saturating_add(items.len()) < all.len();
        json!({
            name: items,
            "limit": self.limit,
            "offset": self.offset,
            "more": more,
            "total": self.total.then_some(all.len()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        Query(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn a_page_never_has_more_than_a_hundred_and_ends_at_ten_thousand() {
        let all: Vec<usize> = (0..250).collect();

        let page = query(&[("limit", "1000"), ("offset", "200"), ("total", "true")]).page().expect("well formed");

        let page = page.of("numbers", &all, |n| json!(n));
        assert_eq!((page["numbers"].as_array().expect("well formed").len(), &page["more"]), (50, &json!(false)));
        assert_eq!((&page["limit"], &page["total"]), (&json!(100), &json!(250)));
        assert!(query(&[("limit", "100"), ("offset", "9901")]).page().is_err());
        assert!(query(&[("limit", "ten")]).page().is_err());
    }

    #[test]
    fn the_past_is_one_month_unless_said_and_never_more_than_six() {
        let now: Timestamp = "2026-07-15T12:00:00Z".parse().expect("well formed");

        let default = query(&[]).past("UTC", now).expect("well formed").expect("well formed");
        let half_a_year = query(&[("since", "2026-01-15")]).past("UTC", now);
        let year = query(&[("since", "2025-07-15")]).past("UTC", now);

        assert_eq!(default.0, "2026-06-15T12:00:00Z".parse().expect("well formed"));
        assert!(half_a_year.is_ok());
        assert_eq!(year.expect_err("refused").body.expect("well formed")["error"]["code"], 2005);
        assert_eq!(query(&[("date_range", "all")]).past("UTC", now).expect("well formed"), None);
        let nonsense = query(&[("since", "yesterday")]).past("UTC", now).expect_err("refused");
        assert_eq!(nonsense.body.expect("well formed")["error"]["code"], 2004);
    }
}

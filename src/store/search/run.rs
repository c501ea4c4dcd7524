//! Looking: along the way that the plan names, each delivery is held against the whole search.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, Result, Row, params_from_iter, types::Value};

use super::{Condition, Found, Search, plan::Plan};
use crate::{
    core::{
        delivery::NOTHING,
        id::DeliveryId,
        query::delivery::{Record, stands_in_line},
    },
    store::{
        StoreError, index,
        reader::{Reader, SUMMARY, summary},
        register,
        words::Needle,
        writes::nanoseconds,
    },
};

/// How long one call looks at deliveries that do not fit. Somebody waits for an answer, if only "nothing so far".
const PATIENCE: Duration = Duration::from_millis(200);
/// Deliveries between two looks at the clock: so many are looked at whatever that takes.
const STRIDE: u32 = 64;

impl Reader {
    /// Up to `limit` deliveries older than `before` that fit, newest first; see [`Found::next`].
    pub fn search(&self, search: &Search, before: Option<DeliveryId>, limit: u32) -> Result<Found, StoreError> {
        self.search_within(PATIENCE, search, before, limit)
    }

    /// Whether this delivery fits; `false` when it is not kept any more.
    pub fn fits(&self, search: &Search, id: DeliveryId) -> Result<bool, StoreError> {
        self.look(|db| {
            let sql = format!("SELECT {SUMMARY}, peer FROM delivery WHERE id = ?1");
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([id.0])?;
            rows.next()?.map_or(Ok(false), |row| AtHand { db, row }.fits(search))
        })
    }

    pub(in crate::store) fn search_within(
        &self,
        patience: Duration,
        search: &Search,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Found, StoreError> {
        self.look(|db| {
            // One view of the log for all statements.
            let tx = db.unchecked_transaction()?;
            let plan = Plan::of(search, &tx)?;
            let ways = ways(&plan, search, before.map_or(i64::MAX, |id| id.0), Covered::now(&tx)?);
            let mut looking =
                Looking { db: &tx, until: Instant::now() + patience, looked: 0, limit, found: Found::default() };
            for way in &ways {
                if looking.follow(way)? == Went::NotAll {
                    break;
                }
            }
            Ok(looking.found)
        })
    }
}

/// A statement that gives deliveries in the order of the log, and what they must be.
pub(super) struct Way<'s> {
    pub sql: String,
    pub parameters: Vec<Value>,
    search: &'s Search,
}

/// How far what leads to deliveries covers the log; newer ones are looked at themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered {
    /// By the registers.
    pub filed: i64,
    /// By the index of words.
    pub indexed: i64,
}

impl Covered {
    fn now(db: &Connection) -> Result<Self> {
        Ok(Self { filed: register::filed(db)?, indexed: index::indexed(db)? })
    }
}

/// One after the other, these lead to all older than `before`.
pub(super) fn ways<'s>(plan: &'s Plan, search: &'s Search, before: i64, covered: Covered) -> Vec<Way<'s>> {
    let way = |by: &str, each: &[String], parameters: Vec<Value>, search| {
        let parameters = [vec![before.into()], parameters].concat();
        Way { sql: format!("{} ORDER BY {by} DESC", each.join(" UNION ALL ")), parameters, search }
    };
    let line = |from: &str| format!("SELECT {SUMMARY}, peer FROM delivery {from}");
    let newer = |than: i64| way("id", &[line("WHERE id < ?1 AND id > ?2")], vec![than.into()], search);
    match plan {
        Plan::Everything => vec![way("id", &[line("WHERE id < ?1")], vec![], search)],
        Plan::Nothing => vec![],
        Plan::Incidents(ids) => vec![
            newer(covered.filed),
            way("id", &registered("incident_register", ids.len()), values(covered.filed, ids), search),
        ],
        Plan::Types(names) => vec![
            newer(covered.filed),
            way("id", &registered("type_register", names.len()), values(covered.filed, names), search),
        ],
        Plan::Verdicts(verdicts) => {
            let each = verdicts.iter().map(|verdict| verdict.word());
            let each = each.map(|of| line(&format!("INDEXED BY delivery_{of} WHERE verdict = '{of}' AND id < ?1")));
            vec![way("id", &each.collect::<Vec<_>>(), vec![], search)]
        }
        Plan::Targets(names) => {
            let each = (2..).take(names.len());
            let each = each.map(|n| line(&format!("INDEXED BY delivery_target WHERE target = ?{n} AND id < ?1")));
            let names = names.iter().cloned().map(Value::Text).collect();
            vec![way("id", &each.collect::<Vec<_>>(), names, search)]
        }
        Plan::Words { query, rest } => {
            let older = format!(
                "SELECT {SUMMARY}, peer FROM delivery_text CROSS JOIN delivery ON delivery.id = delivery_text.rowid
                 WHERE delivery_text MATCH ?3 AND delivery_text.rowid < min(?1, ?2 + 1)"
            );
            let parameters = vec![covered.indexed.into(), query.clone().into()];
            vec![newer(covered.indexed), way("delivery_text.rowid", &[older], parameters, rest)]
        }
    }
}

/// A statement for each of the values from `?3` on: the filed deliveries that the register has under it. Their number is
/// taken from there, because only so do the rows come in its order by themselves.
fn registered(register: &str, values: usize) -> Vec<String> {
    let line = SUMMARY.replacen("id", "filed.delivery AS id", 1);
    let under = |n| {
        format!(
            "SELECT {line}, peer FROM {register} AS filed CROSS JOIN delivery ON delivery.id = filed.delivery
             WHERE filed.about = ?{n} AND filed.delivery < min(?1, ?2 + 1)"
        )
    };
    (3..).take(values).map(under).collect()
}

fn values(filed: i64, values: &[String]) -> Vec<Value> {
    std::iter::once(filed.into()).chain(values.iter().cloned().map(Value::Text)).collect()
}

struct Looking<'d> {
    db: &'d Connection,
    until: Instant,
    looked: u32,
    limit: u32,
    found: Found,
}

/// Whether a way was followed to its end.
#[derive(PartialEq)]
enum Went {
    Through,
    NotAll,
}

impl Looking<'_> {
    fn follow(&mut self, way: &Way<'_>) -> Result<Went> {
        let mut statement = self.db.prepare_cached(&way.sql)?;
        let mut rows = statement.query(params_from_iter(&way.parameters))?;
        while let Some(row) = rows.next()? {
            if (AtHand { db: self.db, row }).fits(way.search)? {
                self.found.deliveries.push(summary(row)?);
            }
            self.looked += 1;
            let enough = self.found.deliveries.len() >= usize::try_from(self.limit).unwrap_or(usize::MAX);
            if enough || self.looked.is_multiple_of(STRIDE) && Instant::now() >= self.until {
                self.found.next = Some(DeliveryId(row.get("id")?));
                return Ok(Went::NotAll);
            }
        }
        Ok(Went::Through)
    }
}

/// One delivery, held against a search. Its columns are read as they are needed.
struct AtHand<'r> {
    db: &'r Connection,
    row: &'r Row<'r>,
}

impl AtHand<'_> {
    fn fits(&self, search: &Search) -> Result<bool> {
        match search {
            Search::Is(condition) => self.has(condition),
            Search::Not(search) => Ok(!self.fits(search)?),
            Search::All(all) => {
                for one in all {
                    if !self.fits(one)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Search::Any(any) => {
                for one in any {
                    if self.fits(one)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn has(&self, condition: &Condition) -> Result<bool> {
        let text = |column| Ok::<_, rusqlite::Error>(self.row.get_ref(column)?.as_str_or_null()?);
        let number = |column| self.row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(match condition {
            Condition::Verdict(verdict) => text("verdict")? == Some(verdict.word()),
            Condition::EventType(pattern) => text("event_type")?.is_some_and(|is| pattern.matches(is)),
            Condition::Account(account) => text("account")? == Some(account.as_str()),
            Condition::Incident(id) => text("incident")? == Some(id.as_str()),
            Condition::EventId(pattern) => text("event_id")?.is_some_and(|is| pattern.matches(is)),
            Condition::Status(range) => range.contains(&self.row.get("status")?),
            Condition::Peer(pattern) => text("peer")?.is_some_and(|is| pattern.matches(is)),
            Condition::Scheme(scheme) => text("scheme")? == scheme.map(crate::core::delivery::Scheme::word),
            Condition::Secret(pattern) => text("secret")?.is_some_and(|is| pattern.matches(is)),
            Condition::Altered => self.row.get("altered")?,
            Condition::Changed => text("changed")?.is_some_and(|changed| !changed.starts_with(NOTHING)),
            Condition::Target(name) => text("target")? == Some(name.as_str()),
            Condition::Line(word) => stands_in_line(word, &Record { line: &summary(self.row)?, number: None }),
            Condition::Since(at) => self.row.get::<_, i64>("at")? >= nanoseconds(*at),
            Condition::Until(at) => self.row.get::<_, i64>("at")? < nanoseconds(*at),
            Condition::Size(range) => range.contains(&number("size")?),
            Condition::Latency(range) => {
                let waited = self.row.get::<_, Option<i64>>("latency_us")?.map(i64::unsigned_abs);
                waited.is_some_and(|waited| range.contains(&waited))
            }
            Condition::Text(text) => match Needle::new(text) {
                Some(needle) => self.says(&needle)?,
                None => true,
            },
        })
    }

    fn says(&self, needle: &Needle) -> Result<bool> {
        let sql = format!("SELECT {} FROM delivery WHERE id = ?1", index::TEXTS);
        let id: i64 = self.row.get("id")?;
        let text = self.db.prepare_cached(&sql)?.query_row([id], index::text).optional()?;
        Ok(text.is_some_and(|text| needle.is_in(&text)))
    }
}

//! Of what others can cause at will, rejected deliveries and duplicates, only the newest are kept: a ring for each account,
//! and one for all that came without the key of any, so that strangers push out nothing that concerns an account.
//!
//! What falls out is counted in its transaction, so that whoever looks for such deliveries is told that there were more.

use jiff::Timestamp;
use rusqlite::{Connection, Result, params};

use super::{
    Condition, Search, StoreError,
    reader::{Reader, checked, checked_if_any, timestamp, unsigned, verdict},
    writes::signed,
};
use crate::core::{
    delivery::Verdict,
    id::{AccountName, DeliveryId},
    query::Truth,
    words::count,
};

/// Rows kept in a ring.
pub(super) const RING: u32 = 2_000;
/// Bytes kept of the body of such a row.
pub(super) const RING_BODY: usize = 64 * 1024;

/// What fell out of a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallen {
    /// `None`: they came without the key of an account.
    pub account: Option<AccountName>,
    /// [`Verdict::Rejected`] or [`Verdict::Duplicate`].
    pub verdict: Verdict,
    pub deliveries: u64,
    /// The newest of them.
    pub last: DeliveryId,
    /// When the latest of them came.
    pub at: Timestamp,
}

impl Fallen {
    /// How many fell out of all of these, in words; `None`: there are none.
    pub fn words(all: &[Self]) -> Option<String> {
        let of = |verdict| all.iter().filter(|one| one.verdict == verdict).map(|one| one.deliveries).sum::<u64>();
        let named = |number: u64, one, many| {
            (number > 0).then(|| count(usize::try_from(number).unwrap_or(usize::MAX), one, many))
        };
        let rejected = named(of(Verdict::Rejected), "rejected one", "rejected ones");
        let duplicates = named(of(Verdict::Duplicate), "duplicate", "duplicates");
        let both: Vec<_> = rejected.into_iter().chain(duplicates).collect();
        let one = of(Verdict::Rejected) + of(Verdict::Duplicate) == 1;
        let verb = if one { "is" } else { "are" };
        (!both.is_empty()).then(|| format!("{} before {verb} not kept any more", both.join(" and ")))
    }

    /// Whether some of these were what is looked for.
    fn may_fit(&self, search: &Search) -> Truth {
        match search {
            Search::Is(condition) => self.may_have(condition),
            Search::Not(search) => !self.may_fit(search),
            Search::All(all) => all.iter().fold(Truth::Yes, |so_far, one| so_far.and(|| self.may_fit(one))),
            Search::Any(any) => any.iter().fold(Truth::No, |so_far, one| so_far.or(|| self.may_fit(one))),
        }
    }

    fn may_have(&self, condition: &Condition) -> Truth {
        match condition {
            Condition::Verdict(verdict) => (*verdict == self.verdict).into(),
            Condition::Account(account) => (self.account.as_ref() == Some(account)).into(),
            Condition::Target(_) => Truth::No,
            Condition::Since(at) if *at > self.at => Truth::No,
            // Nothing is read in what is rejected.
            Condition::EventType(_)
            | Condition::Incident(_)
            | Condition::EventId(_)
            | Condition::Altered
            | Condition::Changed
                if self.verdict == Verdict::Rejected =>
            {
                Truth::No
            }
            Condition::EventType(_)
            | Condition::Incident(_)
            | Condition::EventId(_)
            | Condition::Status(_)
            | Condition::Peer(_)
            | Condition::Scheme(_)
            | Condition::Secret(_)
            | Condition::Altered
            | Condition::Changed
            | Condition::Line(_)
            | Condition::Since(_)
            | Condition::Until(_)
            | Condition::Size(_)
            | Condition::Latency(_)
            | Condition::Text(_) => Truth::Perhaps,
        }
    }
}

impl Reader {
    /// What fell out of the rings and may have been what is looked for.
    pub fn fallen(&self, search: &Search) -> std::result::Result<Vec<Fallen>, StoreError> {
        let sql = "SELECT nullif(account, '') AS account, verdict, deliveries, last, at FROM fallen";
        let mut all = self.rows(sql, [], |row| {
            Ok(Fallen {
                account: checked_if_any(row, "account", AccountName::new)?,
                verdict: checked(row, "verdict", |word| verdict(&word))?,
                deliveries: unsigned(row, "deliveries")?,
                last: DeliveryId(row.get("last")?),
                at: timestamp(row, "at")?,
            })
        })?;
        all.retain(|fallen| fallen.may_fit(search) != Truth::No);
        Ok(all)
    }
}

/// Lets the oldest fall out of a ring that is full.
pub(super) fn prune(db: &Connection, verdict: Verdict, account: Option<&AccountName>) -> Result<()> {
    let ring = match verdict {
        Verdict::Accepted | Verdict::Undecodable | Verdict::Sent | Verdict::Failed => return Ok(()),
        Verdict::Duplicate | Verdict::Rejected => verdict.word(),
    };
    let account = account.map(AccountName::as_str);
    let sql = format!(
        "DELETE FROM delivery WHERE id IN
             (SELECT id FROM delivery INDEXED BY delivery_{ring}_of WHERE verdict = '{ring}' AND account IS ?1
              ORDER BY id DESC LIMIT -1 OFFSET ?2)
         RETURNING id, at"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let fell = statement.query_map(params![account, RING], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let fell = fell.collect::<Result<Vec<(i64, i64)>>>()?;
    let Some((last, at)) = fell.iter().copied().reduce(|(last, at), (id, came)| (last.max(id), at.max(came))) else {
        return Ok(());
    };
    let sql = "INSERT INTO fallen (account, verdict, deliveries, last, at) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET deliveries = deliveries + excluded.deliveries,
                   last = max(last, excluded.last), at = max(at, excluded.at)";
    db.prepare_cached(sql)?.execute(params![account.unwrap_or_default(), ring, signed(fell.len()), last, at]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        NewDelivery, Store,
        tests::{account, delivery, event, other, store},
    };

    fn rejected(name: Option<&str>, second: i64) -> NewDelivery {
        let at = Timestamp::from_second(second).expect("small");
        NewDelivery { at, account: name.map(account), ..delivery(Verdict::Rejected, None, b"forged") }
    }

    async fn flood(store: &Store, more: u32, new: impl Fn() -> NewDelivery) {
        // Few at a time: each has its deadline on a busy machine too.
        const SOME: u32 = 50;
        for part in 0..(RING + more).div_ceil(SOME) {
            let some = (RING + more - part * SOME).min(SOME);
            let recorded = futures_util::future::join_all((0..some).map(|_| store.record(new()))).await;
            assert!(recorded.iter().all(std::result::Result::is_ok));
        }
    }

    fn verdict_is(verdict: Verdict) -> Search {
        Search::Is(Condition::Verdict(verdict))
    }

    fn all(of: Vec<Search>) -> Search {
        Search::All(of)
    }

    fn said(store: &Store, search: &Search) -> Option<String> {
        Fallen::words(&store.reader().expect("reader").fallen(search).expect("fallen"))
    }

    #[tokio::test]
    async fn a_flood_at_a_strangers_path_pushes_out_no_rejection_of_an_account_and_is_counted() {
        let (_dir, store) = store();
        let real = store.record(rejected(Some("prod"), 1)).await.expect("recorded").summary.id;
        flood(&store, 100, || rejected(None, 60)).await;
        let last = store.record(rejected(Some("prod"), 2)).await.expect("recorded").summary.id;

        let reader = store.reader().expect("reader");
        assert!(reader.delivery(real).expect("delivery").is_some(), "that of the account is kept");
        let found = reader.search(&verdict_is(Verdict::Rejected), None, 10_000).expect("search").deliveries;
        assert_eq!(found.len(), 2_002);
        let fallen = reader.fallen(&Search::default()).expect("fallen");
        let at = Timestamp::from_second(60).expect("small");
        let last = DeliveryId(last.0 - 1 - i64::from(RING));
        assert_eq!(fallen, [Fallen { account: None, verdict: Verdict::Rejected, deliveries: 100, last, at }]);
        assert_eq!(reader.check(), Ok(()));
    }

    #[tokio::test]
    async fn who_looks_for_what_fell_out_is_told_how_many_there_were_and_nobody_else() {
        let (_dir, store) = store();
        store.record(event("E1")).await.expect("recorded");
        flood(&store, 3, || rejected(Some("prod"), 60)).await;
        flood(&store, 1, || event("E1")).await;
        let words = |search| said(&store, &search);
        let is = |condition| Search::Is(condition);
        let second = |second| Timestamp::from_second(second).expect("small");

        let both = "3 rejected ones and 1 duplicate before are not kept any more";
        assert_eq!(words(Search::default()).as_deref(), Some(both));
        let three = Some("3 rejected ones before are not kept any more");
        assert_eq!(words(verdict_is(Verdict::Rejected)).as_deref(), three);
        let one = Some("1 duplicate before is not kept any more");
        assert_eq!(words(Search::Not(Box::new(verdict_is(Verdict::Rejected)))).as_deref(), one);
        assert_eq!(words(all(vec![verdict_is(Verdict::Rejected), is(Condition::Since(second(60)))])).as_deref(), three);
        for search in [
            verdict_is(Verdict::Accepted),
            all(vec![verdict_is(Verdict::Rejected), is(Condition::Since(second(61)))]),
            all(vec![verdict_is(Verdict::Rejected), is(Condition::Account(account("lab")))]),
            is(Condition::Target("chat".parse().expect("name"))),
        ] {
            assert_eq!(words(search.clone()), None, "{search:?}");
        }
    }

    #[test]
    fn a_full_ring_is_found_by_its_own_index() {
        let (dir, _store) = store();
        let db = other(&dir);
        let sql = "EXPLAIN QUERY PLAN SELECT id FROM delivery INDEXED BY delivery_rejected_of
                   WHERE verdict = 'rejected' AND account IS ?1 ORDER BY id DESC LIMIT -1 OFFSET 2";

        let plan: Vec<String> = db
            .prepare(sql)
            .expect("sql")
            .query_map([None::<&str>], |row| row.get("detail"))
            .expect("plan")
            .collect::<Result<_>>()
            .expect("rows");

        assert_eq!(plan, ["SEARCH delivery USING COVERING INDEX delivery_rejected_of (account=?)"]);
    }
}

//! How much of the log is kept. Deliveries go oldest first, in slices that hold up no sender.
//!
//! What is not applied yet never goes, nor the newest one: its number must not be given a second time. The events stay
//! known for good.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Result, params};

use super::writes::{nanoseconds, signed};

/// Deliveries in one slice: about 4 ms of the writer's time.
const SLICE: u32 = 100;
/// Bytes on disk after which a slice ends early: large bodies take long to free.
const SLICE_BYTES: i64 = 4 * 1024 * 1024;
/// The newest ones, which no limit of size touches: the rest of the store may be large by itself.
const LEAST: u64 = 1_000;
/// How many of the oldest are looked at for one that is too old: a clock that was ahead once may have timed those before it.
const LOOKED_AT: u32 = 5_000;
/// Free pages given back in one step.
const STEP: i64 = 64;
/// Free pages that are not given back but wait to be used again.
const SPARE: i64 = 256;

/// What is kept of the log: what fits all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Since they came.
    pub age: Duration,
    pub deliveries: u64,
    /// Bytes of the database, all that it holds counted.
    pub size: u64,
}

/// Why a delivery is not kept any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrunedFor {
    Size,
    Number,
    Age,
}

impl PrunedFor {
    /// What it is called in the database.
    fn word(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Number => "number",
            Self::Age => "age",
        }
    }

    pub(super) fn of(word: &str) -> std::result::Result<Self, String> {
        let known = [Self::Size, Self::Number, Self::Age].into_iter().find(|cause| cause.word() == word);
        known.ok_or_else(|| format!("nothing is pruned for {word}"))
    }
}

/// Lets one slice go; says whether there may be more.
pub(super) fn prune(db: &Connection, keep: &Keep, now: Timestamp) -> Result<bool> {
    let (total, used) = (total(db)?, used(db)?);
    let size = (used > keep.size).then(|| (PrunedFor::Size, total.saturating_sub(LEAST)));
    let number = (total > keep.deliveries).then(|| (PrunedFor::Number, total - keep.deliveries));
    let over = size.into_iter().chain(number).find(|(_, over)| *over > 0);
    let (cause, most, last) = match over {
        Some((cause, over)) => (cause, u32::try_from(over).unwrap_or(u32::MAX).min(SLICE), i64::MAX),
        None => (PrunedFor::Age, SLICE, last_before(db, nanoseconds(oldest(keep, now)))?),
    };
    let some = oldest_of(db, most, last)?;
    for id in &some {
        db.prepare_cached("DELETE FROM delivery WHERE id = ?1")?.execute([id])?;
    }
    if !some.is_empty() {
        let note = "UPDATE log SET pruned = pruned + ?1, pruned_at = ?2, pruned_for = ?3";
        db.prepare_cached(note)?.execute(params![signed(some.len()), nanoseconds(now), cause.word()])?;
    }
    Ok(!some.is_empty())
}

fn oldest(keep: &Keep, now: Timestamp) -> Timestamp {
    let age = SignedDuration::try_from(keep.age).unwrap_or(SignedDuration::MAX);
    now.checked_sub(age).unwrap_or(Timestamp::MIN)
}

fn total(db: &Connection) -> Result<u64> {
    db.prepare_cached("SELECT ifnull(sum(deliveries), 0) FROM counted")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// Bytes of the database that are in use.
fn used(db: &Connection) -> Result<u64> {
    let pages = pragma(db, "page_count")? - pragma(db, "freelist_count")?;
    Ok(u64::try_from(pages * pragma(db, "page_size")?).unwrap_or_default())
}

fn pragma(db: &Connection, name: &str) -> Result<i64> {
    db.pragma_query_value(None, name, |row| row.get(0))
}

/// The last of the oldest that came before `before`; 0: none. What came ahead of it came before that too, whatever its time
/// says.
fn last_before(db: &Connection, before: i64) -> Result<i64> {
    let mut statement = db.prepare_cached(
        "SELECT ifnull(max(id), 0) FROM (SELECT id, at FROM delivery
             WHERE applied IS NOT 0 AND id < (SELECT max(id) FROM delivery) ORDER BY id LIMIT ?1) WHERE at < ?2",
    )?;
    for looked_at in [SLICE, LOOKED_AT] {
        let last = statement.query_row(params![looked_at, before], |row| row.get(0))?;
        if last > 0 {
            return Ok(last);
        }
    }
    Ok(0)
}

/// The oldest that may go, up to `last`.
fn oldest_of(db: &Connection, most: u32, last: i64) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT id, length(body) FROM delivery
         WHERE applied IS NOT 0 AND id <= ?2 AND id < (SELECT max(id) FROM delivery) ORDER BY id LIMIT ?1",
    )?;
    let mut rows = statement.query(params![most, last])?;
    let (mut some, mut bytes) = (vec![], 0);
    while let Some(row) = rows.next()? {
        some.push(row.get(0)?);
        bytes += row.get::<_, i64>(1)?;
        if bytes > SLICE_BYTES {
            break;
        }
    }
    Ok(some)
}

/// Gives some free pages back to the disk; says whether there are more to give. A store that was made without that
/// uses them again instead.
pub(super) fn shrink(db: &Connection) -> Result<bool> {
    const INCREMENTAL: i64 = 2;
    let free = pragma(db, "freelist_count")?;
    if pragma(db, "auto_vacuum")? != INCREMENTAL || free <= SPARE.max(pragma(db, "page_count")? / 10) {
        return Ok(false);
    }
    let mut step = db.prepare(&format!("PRAGMA incremental_vacuum({STEP})"))?;
    let mut pages = step.query([])?;
    while pages.next()?.is_some() {}
    Ok(true)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::runtime::Runtime;

    use super::*;
    use crate::{
        core::{delivery::Verdict, id::DeliveryId},
        store::{
            Applied, NewDelivery, Reader, Store, Write,
            tests::{delivery, event, other, store},
        },
    };

    const DAY: SignedDuration = SignedDuration::from_hours(24);
    const ALL: Keep = Keep { age: Duration::MAX, deliveries: u64::MAX, size: u64::MAX };

    fn day(n: i32) -> Timestamp {
        Timestamp::UNIX_EPOCH + DAY * n
    }

    /// Accepted deliveries of the first ten days, one a day, all but the third applied.
    async fn ten_days() -> (TempDir, Store) {
        let (dir, store) = store();
        for n in 1..=10 {
            record_at(&store, event(&format!("E{n}")), n).await;
        }
        let applied =
            (1..=10).filter(|n| *n != 3).map(|n| Applied { id: DeliveryId(n), changed: None, commit_us: None });
        store.save(vec![Write::Applied(applied.collect())]).await.expect("saved");
        (dir, store)
    }

    async fn record_at(store: &Store, new: NewDelivery, n: i32) -> Verdict {
        store.record(NewDelivery { at: day(n), ..new }).await.expect("recorded").summary.verdict
    }

    async fn prune_all(store: &Store, keep: Keep, now: Timestamp) {
        while store.prune_some(keep, now).await.expect("pruned") {}
    }

    fn kept(store: &Store) -> Vec<i64> {
        let reader = store.reader().expect("reader");
        reader.recent(None, 10_000).expect("recent").iter().map(|line| line.id.0).collect()
    }

    fn counted(reader: &Reader) -> u64 {
        reader.counts().expect("counts").iter().map(|count| count.deliveries).sum()
    }

    #[tokio::test]
    async fn what_is_too_old_goes_but_not_what_waits_to_be_applied() {
        let (_dir, store) = ten_days().await;

        prune_all(&store, Keep { age: Duration::from_hours(5 * 24), ..ALL }, day(12)).await;

        assert_eq!(kept(&store), [10, 9, 8, 7, 3]);
        let reader = store.reader().expect("reader");
        let beginning = reader.beginning().expect("beginning");
        assert_eq!(beginning.first, Some((DeliveryId(3), day(3))));
        assert_eq!((beginning.pruned, beginning.pruned_for), (5, Some(PrunedFor::Age)));
        assert_eq!(beginning.let_go().as_deref(), Some("5 older let go: too old"));
        assert_eq!(counted(&reader), 5);
        assert_eq!(reader.check(), Ok(()));
    }

    #[tokio::test]
    async fn what_came_while_the_clock_was_ahead_keeps_nothing_older_from_going() {
        let (_dir, store) = store();
        let days = std::iter::repeat_n(400, 150).chain(1..=10);
        for (n, day) in days.enumerate() {
            record_at(&store, NewDelivery { verdict: Verdict::Rejected, ..event(&format!("E{n}")) }, day).await;
        }

        prune_all(&store, Keep { age: Duration::from_hours(5 * 24), ..ALL }, day(12)).await;

        assert_eq!(kept(&store), [160, 159, 158, 157], "the sixth day and all before");
    }

    #[tokio::test]
    async fn no_more_than_so_many_are_kept_the_newest_of_them() {
        let (_dir, store) = ten_days().await;

        prune_all(&store, Keep { deliveries: 4, ..ALL }, day(12)).await;

        assert_eq!(kept(&store), [10, 9, 8, 3]);
        assert_eq!(store.reader().expect("reader").beginning().expect("beginning").pruned_for, Some(PrunedFor::Number));
    }

    #[tokio::test]
    async fn the_event_of_a_pruned_delivery_stays_known_and_its_number_is_not_given_again() {
        let (dir, store) = ten_days().await;
        let applied = vec![Applied { id: DeliveryId(3), changed: None, commit_us: None }];
        store.save(vec![Write::Applied(applied)]).await.expect("saved");

        prune_all(&store, Keep { age: Duration::ZERO, ..ALL }, day(1_000)).await;
        assert_eq!(kept(&store), [10]);
        drop(store);

        let store = Store::open(dir.path()).expect("reopened");
        assert_eq!(record_at(&store, event("E1"), 1_001).await, Verdict::Duplicate);
        assert_eq!(kept(&store), [11, 10]);
    }

    #[tokio::test]
    async fn nothing_goes_while_all_limits_hold() {
        let (_dir, store) = ten_days().await;

        for keep in [ALL, Keep { deliveries: 10, age: Duration::from_hours(24 * 20), size: 64 * 1024 * 1024 }] {
            assert_eq!(store.prune_some(keep, day(12)).await, Ok(false));
        }

        assert_eq!(kept(&store).len(), 10);
        let reader = store.reader().expect("reader");
        assert_eq!(reader.beginning().expect("beginning").pruned_for, None);
    }

    #[tokio::test]
    async fn a_store_that_is_too_large_by_itself_still_lets_the_old_ones_go() {
        let (_dir, store) = ten_days().await;

        prune_all(&store, Keep { age: Duration::from_hours(5 * 24), size: 1, ..ALL }, day(12)).await;

        assert_eq!(kept(&store), [10, 9, 8, 7, 3]);
    }

    #[tokio::test]
    async fn of_large_ones_fewer_go_at_once() {
        let (_dir, store) = store();
        for n in 0..8 {
            store.record(large(n, 1024 * 1024)).await.expect("recorded");
        }

        assert_eq!(store.prune_some(Keep { deliveries: 1, ..ALL }, day(1)).await, Ok(true));

        assert_eq!(kept(&store), [8, 7, 6]);
    }

    /// Random bytes, which no packing makes smaller.
    fn large(n: u64, length: usize) -> NewDelivery {
        let mut body = vec![0; length];
        fastrand::Rng::with_seed(n).fill(&mut body);
        NewDelivery { body, ..delivery(Verdict::Undecodable, None, b"") }
    }

    fn pages(dir: &TempDir) -> (i64, i64) {
        let db = other(dir);
        (pragma(&db, "page_count").expect("pages"), pragma(&db, "freelist_count").expect("free"))
    }

    #[test]
    fn a_store_that_is_too_large_shrinks_on_disk_and_keeps_the_newest_thousand() {
        let (dir, store) = store();
        let runtime = Runtime::new().expect("runtime");
        // Two hundred large ones, then a thousand small ones, as many at once as find room.
        for some in 0..12 {
            let length = if some < 2 { 40_000 } else { 10 };
            let all = (some * 100..(some + 1) * 100).map(|n| store.record(large(n, length)));
            let recorded = runtime.block_on(futures_util::future::join_all(all));
            assert!(recorded.iter().all(Result::is_ok));
        }
        let before = pages(&dir);

        runtime.block_on(prune_all(&store, Keep { size: 5 * 1024 * 1024, ..ALL }, day(1)));
        assert!((1_050..1_150).contains(&kept(&store).len()), "as many as there is room for");
        runtime.block_on(prune_all(&store, Keep { size: 1024 * 1024, ..ALL }, day(1)));
        assert_eq!(kept(&store).len(), 1_000);
        assert_eq!(pages(&dir).0, before.0);
        runtime.block_on(async { while store.shrink_some().await.expect("shrunk") {} });

        let after = pages(&dir);
        assert!(after.0 < before.0 && after.1 <= SPARE.max(after.0 / 10), "{before:?} {after:?}");
        assert_eq!(store.reader().expect("reader").check(), Ok(()));
    }

    #[tokio::test]
    async fn pruning_waits_for_nobody_and_goes_on_by_itself_when_the_store_was_locked() {
        let (dir, store) = ten_days().await;
        let mut db = other(&dir);
        let lock = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).expect("lock");
        let keep = Keep { deliveries: 4, ..ALL };

        let (pruned, ()) = tokio::join!(store.prune_some(keep, day(12)), async { lock.rollback().expect("unlock") });

        assert_eq!(pruned, Ok(true));
        store.ready().await.expect("ready");
    }
}

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
    let (cause, most, before) = match over {
        Some((cause, over)) => (cause, u32::try_from(over).unwrap_or(u32::MAX).min(SLICE), i64::MAX),
        None => (PrunedFor::Age, SLICE, nanoseconds(oldest(keep, now))),
    };
    let some = oldest_of(db, most, before)?;
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
    db.prepare_cached("SELECT ifnull(sum(deliveries), 0) FROM tally")?
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

/// The oldest that may go, those among them that came before `before`.
fn oldest_of(db: &Connection, most: u32, before: i64) -> Result<Vec<i64>> {
    let mut statement = db.prepare_cached(
        "SELECT id, at, length(body) FROM delivery
         WHERE applied IS NOT 0 AND id < (SELECT max(id) FROM delivery) ORDER BY id LIMIT ?1",
    )?;
    let mut rows = statement.query([most])?;
    let (mut some, mut bytes) = (vec![], 0);
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? < before {
            some.push(row.get(0)?);
            bytes += row.get::<_, i64>(2)?;
        }
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

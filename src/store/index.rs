//! The index of words, filled and cleared in slices after the commits.
//!
//! It may lag behind as long as it likes: what it does not hold yet is looked at itself. It never holds a delivery that
//! `log.indexed` does not cover.

use rusqlite::{Connection, Result, Row, params};

use super::{
    StoreError,
    reader::{Reader, content},
    words::{self, Syntax, spoken},
};
use crate::core::id::DeliveryId;

/// Deliveries in one slice: a few milliseconds of the writer's time.
const SLICE: u32 = 100;
/// Bytes of bodies after which a slice ends early.
const SLICE_BYTES: usize = 1024 * 1024;
/// Words that are looked at with each slice that is taken out.
const FORGOTTEN: u32 = 20;
/// Pages of the index (4 KB) that are merged after a slice.
const MERGED: i64 = 64;

/// A column that joins those in which words are looked for.
pub(super) const TEXTS: &str = "event_type, subject, reason, incident, headers, body, packed";

/// The text of a delivery as its words, a line feed between its parts, so that no phrase reaches over them.
pub(super) fn text(row: &Row<'_>) -> Result<String> {
    let mut all = String::new();
    for part in ["event_type", "subject", "reason", "incident"] {
        if let Some(part) = row.get_ref(part)?.as_str_or_null()? {
            all.push_str(&spoken(part, Syntax::Plain));
            all.push('\n');
        }
    }
    let body = content(row)?.1;
    let body = String::from_utf8_lossy(&body);
    all.push_str(&spoken(&body, Syntax::of(&body)));
    Ok(all)
}

/// Deliveries that the index does not hold, oldest first, with what it is to hold of them.
pub(super) struct Slice {
    /// What the index covered.
    from: i64,
    terms: Vec<(DeliveryId, Vec<String>)>,
}

impl Slice {
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Reads the next one. This is the long part, and it holds nobody up.
    pub(super) fn read(reader: &Reader) -> Result<Self, StoreError> {
        reader.look(|db| {
            let tx = db.unchecked_transaction()?;
            let from = indexed(&tx)?;
            let sql = format!("SELECT id, {TEXTS} FROM delivery WHERE id > ?1 ORDER BY id LIMIT ?2");
            let mut statement = tx.prepare_cached(&sql)?;
            let mut rows = statement.query(params![from, SLICE])?;
            let (mut terms, mut bytes) = (vec![], 0);
            while let Some(row) = rows.next()? {
                let text = text(row)?;
                bytes += text.len();
                terms.push((DeliveryId(row.get("id")?), words::terms(&text).into_iter().collect()));
                if bytes > SLICE_BYTES {
                    break;
                }
            }
            Ok(Self { from, terms })
        })
    }
}

pub(super) fn indexed(db: &Connection) -> Result<i64> {
    db.prepare_cached("SELECT indexed FROM log")?.query_row([], |row| row.get(0))
}

/// Takes a slice in. Nothing happens when the index has gone on since it was read.
pub(super) fn add(db: &Connection, slice: &Slice) -> Result<()> {
    let Some((last, _)) = slice.terms.last().filter(|_| indexed(db).is_ok_and(|now| now == slice.from)) else {
        return Ok(());
    };
    // One that was pruned in the meantime is left out.
    let mut insert =
        db.prepare_cached("INSERT INTO delivery_text (rowid, words) SELECT id, ?2 FROM delivery WHERE id = ?1")?;
    for (id, terms) in &slice.terms {
        insert.execute(params![id.0, terms.join(" ")])?;
    }
    let mut learn = db.prepare_cached("INSERT OR IGNORE INTO word VALUES (?1)")?;
    let common = slice.terms.iter().flat_map(|(_, terms)| terms).filter(|term| words::is_common(term));
    for word in common.collect::<std::collections::BTreeSet<_>>() {
        learn.execute([word])?;
    }
    db.prepare_cached("UPDATE log SET indexed = ?1")?.execute([last.0])?;
    Ok(())
}

/// Whether there is something to take out.
pub(super) fn has_gone(reader: &Reader) -> std::result::Result<bool, StoreError> {
    reader.look(|db| db.query_row("SELECT EXISTS (SELECT 1 FROM gone)", [], |row| row.get(0)))
}

/// Takes out some of those that are gone, and words that were only in such.
pub(super) fn clear(db: &Connection) -> Result<()> {
    let mut some = db.prepare_cached("SELECT id FROM gone LIMIT ?1")?;
    let gone = some.query_map([SLICE], |row| row.get(0))?.collect::<Result<Vec<i64>>>()?;
    for id in &gone {
        db.prepare_cached("DELETE FROM delivery_text WHERE rowid = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM gone WHERE id = ?1")?.execute([id])?;
    }
    forget(db)
}

/// Forgets some of the common words that stand in no delivery any more, each time from where it ended before.
fn forget(db: &Connection) -> Result<()> {
    let mut some =
        db.prepare_cached("SELECT word FROM word WHERE word > (SELECT looked_at FROM log) ORDER BY word LIMIT ?1")?;
    let words = some.query_map([FORGOTTEN], |row| row.get(0))?.collect::<Result<Vec<String>>>()?;
    let mut stands =
        db.prepare_cached("SELECT 1 FROM delivery_text WHERE delivery_text MATCH ?1 ORDER BY rowid DESC LIMIT 1")?;
    for word in &words {
        if !stands.exists([format!("\"{word}\"")])? {
            db.prepare_cached("DELETE FROM word WHERE word = ?1")?.execute([word])?;
        }
    }
    let last = words.last().map_or("", String::as_str);
    db.prepare_cached("UPDATE log SET looked_at = ?1")?.execute([last]).map(drop)
}

/// Joins parts of the index, so that their number does not grow with the log.
pub(super) fn merge(db: &Connection) -> Result<()> {
    db.prepare_cached("INSERT INTO delivery_text (delivery_text, rank) VALUES ('merge', ?1)")?
        .execute([MERGED])
        .map(drop)
}

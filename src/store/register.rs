//! The registers: which deliveries are about an incident, which are of an event type, and how many there are of each
//! kind. Filled in slices after the commits, so that no sender waits for them.
//!
//! They may lag behind: what `log.filed` does not cover yet is looked at itself.

use rusqlite::{Connection, Result};

use super::{StoreError, reader::Reader};

/// Deliveries in one slice: a few milliseconds of the writer's time.
const SLICE: u32 = 500;

/// Whether there are deliveries that are not filed.
pub(super) fn is_behind(reader: &Reader) -> std::result::Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM delivery WHERE id > (SELECT filed FROM log))";
    reader.look(|db| db.prepare_cached(sql)?.query_row([], |row| row.get(0)))
}

/// The number of the last delivery that is filed.
pub(super) fn filed(db: &Connection) -> Result<i64> {
    db.prepare_cached("SELECT filed FROM log")?.query_row([], |row| row.get(0))
}

/// Files the next slice.
pub(super) fn file(db: &Connection) -> Result<()> {
    let from = filed(db)?;
    let last = "SELECT max(id) FROM (SELECT id FROM delivery WHERE id > ?1 ORDER BY id LIMIT ?2)";
    let Some(last) = db.prepare_cached(last)?.query_row([from, SLICE.into()], |row| row.get::<_, Option<i64>>(0))?
    else {
        return Ok(());
    };
    for sql in [
        "INSERT INTO incident_register SELECT incident, id FROM delivery
         WHERE id > ?1 AND id <= ?2 AND incident IS NOT NULL ORDER BY 1, 2",
        "INSERT INTO type_register SELECT event_type, id FROM delivery
         WHERE id > ?1 AND id <= ?2 AND event_type IS NOT NULL ORDER BY 1, 2",
        "INSERT INTO tally SELECT ifnull(account, ''), verdict, ifnull(event_type, ''), count(*) FROM delivery
         WHERE id > ?1 AND id <= ?2 GROUP BY 1, 2, 3
         ON CONFLICT DO UPDATE SET deliveries = deliveries + excluded.deliveries",
    ] {
        db.prepare_cached(sql)?.execute([from, last])?;
    }
    db.prepare_cached("UPDATE log SET filed = ?1")?.execute([last]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use jiff::Timestamp;

    use crate::{
        core::delivery::Verdict,
        store::{
            Applied, Keep, Reader, Store, Write,
            tests::{delivery, event, store},
        },
    };

    /// By verdict: as counted, and one by one.
    fn counts(reader: &Reader) -> [BTreeMap<&'static str, u64>; 2] {
        let (mut counted, mut seen) = (BTreeMap::new(), BTreeMap::new());
        for count in reader.counts().expect("counts") {
            *counted.entry(count.verdict.word()).or_default() += count.deliveries;
        }
        for line in reader.recent(None, 10_000).expect("recent") {
            *seen.entry(line.verdict.word()).or_default() += 1;
        }
        [counted, seen]
    }

    async fn record_some(store: &Store, from: usize) {
        for n in from..from + 4 {
            let id = store.record(event(&format!("E{n}"))).await.expect("recorded").summary.id;
            store.record(event(&format!("E{n}"))).await.expect("a duplicate");
            store.record(delivery(Verdict::Rejected, None, b"junk")).await.expect("rejected");
            let applied = Applied { id, changed: None, commit_us: None };
            store.save(vec![Write::Applied(vec![applied])]).await.expect("applied");
        }
    }

    #[tokio::test]
    async fn the_counts_are_right_whatever_is_filed_already_and_whatever_goes() {
        let (_dir, store) = store();
        let reader = store.reader().expect("reader");
        let fewer = |deliveries| Keep { age: Duration::MAX, deliveries, size: u64::MAX };
        record_some(&store, 0).await;
        assert_eq!(counts(&reader)[0], BTreeMap::from([("accepted", 4), ("duplicate", 4), ("rejected", 4)]));

        while store.index_some().await.expect("filed") {}
        record_some(&store, 10).await;

        let [counted, seen] = counts(&reader);
        assert_eq!(counted, seen);
        assert_eq!(counted, BTreeMap::from([("accepted", 8), ("duplicate", 8), ("rejected", 8)]));
        for left in [18, 9, 5] {
            while store.prune_some(fewer(left), Timestamp::now()).await.expect("pruned") {}
            let [counted, seen] = counts(&reader);
            assert_eq!(counted, seen);
            assert_eq!(counted.values().sum::<u64>(), left);
            store.index_some().await.expect("filed");
        }
    }
}

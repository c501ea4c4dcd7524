//! What the store says of the calls that wait for it, and of whether it can store at all.

use std::time::Instant;

use futures_util::{FutureExt as _, TryFutureExt as _};

use super::*;
use crate::core::id::TargetName;

/// Everybody waits for as long as it takes.
fn patient_store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("tempdir");
    let store = Store::open_with(dir.path(), Waits { commit: DEADLINE, lock: DEADLINE }).expect("open");
    (dir, store)
}

async fn comes_to_hold(mut holds: impl FnMut() -> bool) {
    let tries = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, tries).await.expect("within the deadline");
}

#[tokio::test]
async fn it_is_known_how_many_wait_for_the_writer_and_how_many_are_not_done() {
    let (dir, store) = patient_store();
    let mut db = other(&dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");
    let mut first = Box::pin(store.record(event("E1")));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    comes_to_hold(|| store.queued() == 0).await;

    let mut behind = ["E2", "E3", "E4"].map(|id| Box::pin(store.record(event(id))));
    for one in &mut behind {
        assert!(futures_util::poll!(one.as_mut()).is_pending());
    }

    assert_eq!((store.queued(), store.calls()), (3, 4));
    drop(behind);
    assert_eq!(store.calls(), 4, "given up, not done");
    lock.rollback().expect("unlock");
    first.await.expect("recorded");
    comes_to_hold(|| store.calls() == 0).await;
    assert_eq!((store.queued(), event_ids(&store.reader().expect("reader")).len()), (0, 4));
}

#[tokio::test]
async fn when_the_last_handle_is_gone_everything_that_was_asked_for_is_done() {
    let (dir, store) = patient_store();
    let mut asked = Box::pin(store.record(event("E1")));
    pending_behind_a_lock(&dir, asked.as_mut());
    drop(asked);

    drop(store);

    assert_eq!(event_ids(&Reader::open(dir.path()).expect("reader")), ["E1"]);
}

#[tokio::test]
async fn whoever_fills_the_index_hears_of_each_delivery() {
    let (_dir, store) = store();
    let grown = store.grown();

    store.record(event("E1")).await.expect("recorded");

    timeout(DEADLINE, grown.notified()).await.expect("told");
}

/// Commits that were made to see whether one works, and the bytes of the last one with weight.
fn probes(dir: &TempDir) -> (i64, Option<i64>) {
    let sql = "SELECT commits, (SELECT length(json) FROM snapshot WHERE kind = 'probe') FROM probe";
    other(dir).query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("probe")
}

#[tokio::test]
async fn ready_means_that_a_commit_worked_lately_or_that_one_tried_now_works() {
    let (dir, store) = store();
    let last = |last| *store.pulse.lock().unwrap_or_else(PoisonError::into_inner) = last;
    let long_ago = Instant::now().checked_sub(LATELY).expect("up for longer");

    store.ready().await.expect("ready");
    assert_eq!(probes(&dir), (1, None));
    store.ready().await.expect("ready");
    assert_eq!(probes(&dir), (1, None), "the commit before was enough");

    last(Last::Worked(long_ago));
    store.ready().await.expect("ready");
    assert_eq!(probes(&dir), (2, None));

    last(Last::Failed(StoreError::Full { path: "somewhere".to_owned() }));
    store.ready().await.expect("ready");
    assert_eq!(probes(&dir), (3, Some(64 * 1024)), "on a full disk a small one may still find room");
}

#[tokio::test]
async fn deliveries_are_synced_also_after_housekeeping_that_need_not_be() {
    let (_dir, store) = store();
    let setting = |name| store.ask(move |db| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)));
    let (full, memory) = (2, 2);
    assert_eq!(setting("synchronous").await, Ok(full));

    store.prune_some(Keep { age: Duration::ZERO, deliveries: 0, size: 0 }, Timestamp::MAX).await.expect("pruned");

    assert_eq!(setting("synchronous").await, Ok(full));
    assert_eq!(setting("temp_store").await, Ok(memory), "nothing of a delivery lies about");
    assert_eq!(setting("journal_size_limit").await, Ok(16 * 1024 * 1024));
}

#[tokio::test]
async fn what_must_be_known_to_be_done_or_not_is_never_told_to_be_late_and_then_done_after_all() {
    let dir = tempfile::tempdir().expect("tempdir");
    let waits = Waits { commit: Duration::from_millis(50), lock: DEADLINE };
    let store = Store::open_with(dir.path(), waits).expect("open");
    let at = Timestamp::UNIX_EPOCH;
    let chat = || "chat".parse::<TargetName>().expect("name");
    let by = By { actor: "alice".into(), uid: Some(1001), name: None };
    let mut db = other(&dir);
    let lock = db.transaction_with_behavior(TransactionBehavior::Immediate).expect("lock");

    let mut asked = [
        store.new_action(at, by, Verb::Acknowledge, vec![incident_key("P1")]).map_ok(drop).boxed(),
        store.queue_again(vec![(chat(), "evt_1".to_owned())], at).map_ok(drop).boxed(),
        store.save_standing(chat(), "{}".to_owned()).boxed(),
        store.begin(ForwardId(1), at).map_ok(drop).boxed(),
        store.end(ended(&chat())).map_ok(drop).boxed(),
        store.drop_waiting(chat(), at, "it is off").map_ok(drop).boxed(),
    ];
    for one in &mut asked {
        assert!(futures_util::poll!(one).is_pending());
    }

    // By then the others would be too late as well.
    let late = store.save(vec![]).await;
    assert_eq!(late, Err(StoreError::Late { within: waits.commit }));
    for one in &mut asked {
        assert!(futures_util::poll!(one).is_pending());
    }
    lock.rollback().expect("unlock");
    assert_eq!(join_all(asked).await, vec![Ok(()); 6]);
}

/// What came of something that was in no queue.
fn ended(target: &TargetName) -> Ended {
    let attempt = Attempt {
        at: Timestamp::UNIX_EPOCH,
        target: target.clone(),
        about: None,
        verdict: Verdict::Sent,
        reason: "200 OK".into(),
        status: 200,
        peer: String::new(),
        headers: vec![],
        body: vec![],
        response: vec![],
        format: None,
        timings: Timings::default(),
    };
    Ended { attempt, then: Then::Nothing, standing: None }
}

//! Snapshots that consoles share, and what they are told after it.

use std::collections::BTreeSet;

use super::*;

/// Changes with a number each, by which one sees whether some are missing or come twice.
fn publish(hub: &Hub, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        hub.publish(Change::Unshown(number));
    }
}

/// The number in a snapshot.
fn first(attached: &Attached) -> u64 {
    let text = attached.snapshot.text().expect("a message");
    match serde_json::from_str(text).expect("a message") {
        FromServer::Snapshot { board } => board.unshown,
        other => panic!("{other:?}"),
    }
}

fn number(news: &News) -> u64 {
    match news.change.as_deref() {
        Some(Change::Unshown(number)) => *number,
        other => panic!("{other:?}"),
    }
}

/// The number in the snapshot, and those after it until `last`.
async fn told(mut attached: Attached, last: u64) -> (u64, Vec<u64>) {
    let snapshot = first(&attached);
    let mut after: Vec<_> = attached.since.iter().map(|news| number(news)).collect();
    while after.last().unwrap_or(&snapshot) < &last {
        after.push(number(&attached.news.recv().await.expect("not behind")));
    }
    (snapshot, after)
}

async fn attach(hub: &Hub) -> Attached {
    hub.attach(None).await.expect("attached")
}

fn made(attached: &[Attached]) -> usize {
    attached.iter().map(|one| Arc::as_ptr(&one.snapshot)).collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn consoles_that_attach_together_share_one_copy_of_the_board() {
    let hub = Hub::new(Board::default());

    let attached = futures_util::future::join_all((0..24).map(|_| attach(&hub))).await;

    assert_eq!(made(&attached), 1);
}

#[tokio::test]
async fn who_shares_a_snapshot_is_told_of_what_came_after_it_once_and_in_order() {
    let hub = Hub::new(Board::default());
    publish(&hub, 1..=3);
    let early = attach(&hub).await;
    publish(&hub, 4..=6);
    let late = attach(&hub).await;
    publish(&hub, 7..=8);

    assert!(Arc::ptr_eq(&early.snapshot, &late.snapshot));
    let all = (3, (4..=8).collect());
    assert_eq!((told(early, 8).await, told(late, 8).await), (all.clone(), all));
}

/// Attaches again and again and listens for a moment; says how much it was told between snapshots and news.
async fn comes_and_goes(hub: Hub) -> usize {
    let mut between = 0;
    for _ in 0..50 {
        let mut attached = attach(&hub).await;
        let mut seen = first(&attached);
        let mut next = |news: &News| {
            assert_eq!(number(news), seen + 1);
            seen += 1;
        };
        between += attached.since.len();
        attached.since.iter().for_each(|news| next(news));
        for _ in 0..5 {
            // One that falls behind attaches anew.
            let Ok(news) = attached.news.recv().await else { break };
            next(&news);
        }
    }
    between
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_missing_and_nothing_comes_twice_while_the_board_changes_and_consoles_come_and_go() {
    let (hub, stop) = (Hub::new(Board::default()), CancellationToken::new());
    let (publisher, until) = (hub.clone(), stop.clone());
    let publishing = tokio::task::spawn_blocking(move || {
        publish(&publisher, (1..).take_while(|_| !until.is_cancelled()));
    });

    let consoles: Vec<_> = (0..4).map(|_| tokio::spawn(comes_and_goes(hub.clone()))).collect();

    let between = futures_util::future::try_join_all(consoles).await.expect("told of all");
    stop.cancel();
    publishing.await.expect("published");
    assert!(between.into_iter().any(|told| told > 0), "none shared a snapshot of before");
}

#[tokio::test]
async fn a_snapshot_that_lies_too_far_behind_or_tells_not_all_is_shared_no_more() {
    let hub = Hub::with_feed(Board::default(), 4);
    let first_one = attach(&hub).await;
    publish(&hub, 1..=4);
    let second = attach(&hub).await;
    publish(&hub, 5..=5);
    let third = attach(&hub).await;
    hub.tell(|board| {
        board.unshown = 6;
        (vec![], Telling::Snapshot, ())
    });
    let fourth = attach(&hub).await;

    assert!(Arc::ptr_eq(&first_one.snapshot, &second.snapshot));
    assert_eq!((first(&third), third.since.len()), (5, 0));
    assert_eq!((first(&fourth), fourth.since.len()), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_nobody_has_any_more_is_let_go() {
    let hub = Hub::new(Board::default());
    let snapshot = Arc::downgrade(&attach(&hub).await.snapshot);
    publish(&hub, 1..=3);
    assert!(snapshot.strong_count() > 0, "another one may attach at once");

    sleep(2 * SHARED).await;
    assert_eq!(snapshot.strong_count(), 0);

    publish(&hub, 4..=4);
    assert!(hub.lock().shared.is_none());
    assert_eq!(first(&attach(&hub).await), 4);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_shared_no_longer_because_somebody_reads_it_slowly() {
    let hub = Hub::new(Board::default());
    let slow = attach(&hub).await;
    sleep(2 * SHARED).await;
    publish(&hub, 1..=1);

    let later = attach(&hub).await;

    assert_eq!((first(&slow), first(&later)), (0, 1));
    assert!(later.since.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_was_told_something_already_gets_no_snapshot_from_before() {
    let hub = Hub::new(Board::default());
    let early = attach(&hub).await;
    publish(&hub, 1..=1);
    sleep(SHARED / 4).await;
    let from = Instant::now();

    let again = hub.attach(Some(from)).await.expect("attached");
    let together = hub.attach(Some(from)).await.expect("attached");

    assert_eq!((first(&early), first(&again)), (0, 1));
    assert!(Arc::ptr_eq(&again.snapshot, &together.snapshot));
}

/// So many snapshots, all of them held and too old to be shared.
async fn held(hub: &Hub, many: usize) -> Vec<Attached> {
    let mut held = vec![];
    for _ in 0..many {
        held.push(hub.attach(Some(Instant::now())).await.expect("attached"));
        sleep(2 * SHARED).await;
    }
    held
}

#[tokio::test(start_paused = true)]
async fn who_attaches_again_and_again_and_reads_nothing_holds_two_snapshots_and_each_tells_all() {
    let hub = Hub::new(Board::default());
    let mut held = vec![];
    for number in 1..=24 {
        held.push(attach(&hub).await);
        sleep(2 * SHARED).await;
        publish(&hub, [number]);
    }

    assert_eq!(made(&held), SNAPSHOTS - KEPT);
    for (before, one) in (0..).zip(held) {
        let (first, after) = told(one, 24).await;
        assert!(first <= before && after.into_iter().eq(first + 1..=24));
    }
}

#[tokio::test(start_paused = true)]
async fn who_needs_a_fresh_snapshot_gets_one_beside_those_that_nobody_reads() {
    let hub = Hub::new(Board::default());
    let unread = held(&hub, 2).await;
    publish(&hub, 1..=1);

    let fresh = hub.attach(Some(Instant::now())).await.expect("attached");

    assert_eq!((first(&fresh), made(&unread)), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn without_a_place_who_attaches_gets_the_newest_snapshot_and_who_needs_a_fresh_one_waits_for_it() {
    let hub = Hub::new(Board::default());
    let mut unread = held(&hub, 3).await;
    publish(&hub, 1..=1);
    let mut fresh = Box::pin(hub.attach(Some(Instant::now())));
    assert!(futures_util::poll!(fresh.as_mut()).is_pending());

    let older = attach(&hub).await;
    assert!(Arc::ptr_eq(&older.snapshot, &unread[2].snapshot));
    assert_eq!(told(older, 1).await, (0, vec![1]));

    unread.remove(0);
    assert_eq!(first(&fresh.await.expect("attached")), 1);
}

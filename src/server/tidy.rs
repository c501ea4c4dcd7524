//! Letting go of what is over, so that a server that runs for months does not grow with it. The log keeps its deliveries.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::core::{board::Board, id::IncidentKey};

/// Between two looks for what is over.
const TIDY: Duration = Duration::from_mins(10);
/// Resolved incidents older than this are not kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Nor more of them than so many, some 5 KB each, but for those of the last two hours.
const MOST: usize = 10_000;
const LATELY: SignedDuration = SignedDuration::from_hours(2);
/// Nor more than so many whenever they were resolved.
const AT_ALL: usize = 20_000;
/// Let go together: others wait for it.
const TOGETHER: usize = 256;

/// Tidies the board now and then until `stop`.
pub async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    loop {
        let before = |age: SignedDuration| (desk.now)().checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
        let kept = Kept { oldest: before(KEPT), lately: before(LATELY), most: MOST, at_all: AT_ALL };
        for some in desk.hub.look(|board| over(board, &kept)).chunks(TOGETHER) {
            if stop.is_cancelled() {
                return;
            }
            desk.forget_all(some).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(TIDY) => {}
        }
    }
}

/// What is kept of those that are resolved.
struct Kept {
    /// None from before this.
    oldest: Timestamp,
    /// Of those from before this no more than `most` with the newer ones.
    lately: Timestamp,
    most: usize,
    at_all: usize,
}

/// The resolved incidents that are not kept.
fn over(board: &Board, kept: &Kept) -> Vec<IncidentKey> {
    let resolved = board.incidents.values().filter(|incident| !incident.state.status.is_open());
    let mut resolved: Vec<_> = resolved.map(|incident| (incident.stamp.at, &incident.key)).collect();
    resolved.sort_unstable_by(|a, b| b.cmp(a));
    let is_over = |(place, (at, _)): &(usize, (Timestamp, &IncidentKey))| {
        *at < kept.oldest || *place >= kept.most && *at < kept.lately || *place >= kept.at_all
    };
    resolved.into_iter().enumerate().filter(is_over).map(|(_, (_, key))| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::{board::Change, incident::Status},
        server::fake::{self, Fake, key},
    };

    #[tokio::test]
    async fn what_was_resolved_long_ago_is_let_go() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Resolved, 0)).await;
        desk.observe(&fake.put("P2", Status::Triggered, 0)).await;
        let (_, mut feed) = desk.hub.subscribe();
        let stop = CancellationToken::new();
        let tidying = tokio::spawn(run(Arc::clone(&desk), stop.clone()));

        while !matches!(&*feed.recv().await.expect("change"), Change::Forgotten(gone) if *gone == key("P1")) {}

        desk.hub.look(|board| assert!(board.incidents.keys().eq([&key("P2")])));
        stop.cancel();
        tidying.await.expect("ends");
    }

    #[tokio::test]
    async fn of_many_resolved_ones_the_newest_stay_and_all_that_are_open() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P0", Status::Triggered, 0)).await;
        for (id, at) in [("P3", 3), ("P1", 1), ("P4", 4), ("P2", 2)] {
            desk.observe(&fake.put(id, Status::Resolved, at)).await;
        }

        let kept = |lately, at_all| Kept { oldest: Timestamp::UNIX_EPOCH, lately, most: 2, at_all };
        let over = |kept: Kept| desk.hub.look(|board| over(board, &kept));

        assert_eq!(over(kept(Timestamp::MAX, 9)), [key("P2"), key("P1")]);
        assert_eq!(over(kept(Timestamp::UNIX_EPOCH, 9)), [], "lately all of them were resolved");
        assert_eq!(over(kept(Timestamp::UNIX_EPOCH, 3)), [key("P1")], "but there is an end to that too");
    }
}

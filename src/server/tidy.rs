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
/// Nor more of them than so many, some 2 KB each.
const MOST: usize = 10_000;
/// Let go together: others wait for it.
const TOGETHER: usize = 256;

/// Tidies the board now and then until `stop`.
pub async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    loop {
        let oldest = (desk.now)().checked_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH);
        for some in desk.hub.look(|board| over(board, oldest, MOST)).chunks(TOGETHER) {
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

/// The resolved incidents from before `oldest`, and those that are more than the newest `most`.
fn over(board: &Board, oldest: Timestamp, most: usize) -> Vec<IncidentKey> {
    let resolved = board.incidents.values().filter(|incident| !incident.state.status.is_open());
    let mut resolved: Vec<_> = resolved.map(|incident| (incident.stamp.at, &incident.key)).collect();
    resolved.sort_unstable_by(|a, b| b.cmp(a));
    let is_over = |(place, (at, _)): &(usize, (Timestamp, &IncidentKey))| *place >= most || *at < oldest;
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

        let over = desk.hub.look(|board| over(board, Timestamp::UNIX_EPOCH, 2));

        assert_eq!(over, [key("P2"), key("P1")]);
    }
}

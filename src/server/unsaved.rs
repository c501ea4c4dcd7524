//! What the board shows and the store did not take: written down once the store works again, so that a restart finds what
//! was shown.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::{
    core::{board::Board, id::IncidentKey},
    store::Write,
};

/// Before another try.
const AGAIN: Duration = Duration::from_secs(1);

/// What waits to be written down. It grows by what is polled alone: while the store fails, no webhook is taken.
#[derive(Debug, Default)]
pub struct Unsaved {
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// As they stand on the board by then.
    incidents: BTreeSet<IncidentKey>,
    /// What was noted of deliveries, which changes no more.
    notes: Vec<Write>,
}

impl Unsaved {
    /// Takes what could not be saved. Events for targets are the forwarder's, who tries again too.
    pub fn add(&self, writes: &[Write]) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for write in writes {
            match write {
                Write::Incident(incident) => drop(waiting.incidents.insert(incident.key.clone())),
                Write::Forget(key) => drop(waiting.incidents.insert(key.clone())),
                Write::Applied(_) | Write::Committed(_) => waiting.notes.push(write.clone()),
                Write::Action(_) | Write::Snapshot { .. } | Write::Event(_) | Write::Standing { .. } => {}
            }
        }
        self.added.notify_one();
    }

    /// All of it, to be written now.
    fn take(&self, board: &Board) -> Vec<Write> {
        let Waiting { incidents, notes } =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let now = |key: IncidentKey| match board.incidents.get(&key) {
            Some(incident) => Write::Incident(Box::new(incident.clone())),
            None => Write::Forget(key),
        };
        incidents.into_iter().map(now).chain(notes).collect()
    }
}

/// Writes it down as soon as that works, until `stop`.
pub async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let work = async {
        loop {
            desk.unsaved.added.notified().await;
            while !save(&desk).await {
                sleep(AGAIN).await;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Says whether nothing waits any more.
async fn save(desk: &Desk) -> bool {
    // Nobody is to wait for the order while the store fails.
    if desk.store.ready().await.is_err() {
        return false;
    }
    let _order = desk.order.lock().await;
    let writes = Arc::new(desk.hub.look(|board| desk.unsaved.take(board)));
    let saved = writes.is_empty() || desk.store.save(Arc::clone(&writes)).await.is_ok();
    if !saved {
        desk.unsaved.add(&writes);
    }
    saved
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        core::incident::Status,
        server::fake::{self, Fake, key},
        store::Reader,
    };

    #[tokio::test]
    async fn what_the_store_did_not_take_is_there_after_a_restart_all_the_same() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        desk.observe(&fake.put("P3", Status::Triggered, 0)).await;
        let (database, aside) = (dir.path().join("dogwatch.db"), dir.path().join("aside"));
        fs::rename(&database, &aside).expect("moved away");
        desk.observe(&fake.put("P1", Status::Acknowledged, 1)).await;
        desk.observe(&fake.put("P2", Status::Triggered, 1)).await;
        desk.forget(&key("P3")).await;
        fs::rename(&aside, &database).expect("put back");

        tokio::spawn(run(Arc::clone(&desk), CancellationToken::new()));

        let kept = || {
            let kept = Reader::open(dir.path()).expect("reader").incidents().expect("incidents");
            kept.into_iter().map(|incident| (incident.key.id.to_string(), incident.state.status)).collect::<Vec<_>>()
        };
        let wanted = [("P1".to_owned(), Status::Acknowledged), ("P2".to_owned(), Status::Triggered)];
        let there = async {
            while kept() != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), there).await.expect("kept at last");
    }
}

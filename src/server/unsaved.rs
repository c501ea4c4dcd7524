//! What the board shows and the store did not take: written down once the store works again, so that a restart finds what
//! was shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::{
    core::{
        action::Action,
        board::Board,
        id::{ActionId, DeliveryId, IncidentKey},
    },
    store::{Applied, StoreError, Write},
};

/// Before another try.
const AGAIN: Duration = Duration::from_secs(1);
/// Written together: others wait for it.
const TOGETHER: usize = 256;

/// What waits to be written down. It grows with the incidents that change and the deliveries that are not noted yet, and
/// while the store fails no webhook is taken and no action is begun.
#[derive(Debug, Default)]
pub struct Unsaved {
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// As they stand on the board by then.
    incidents: BTreeSet<IncidentKey>,
    /// As they stand on the board by then; as here, when they have left it.
    actions: BTreeMap<ActionId, Box<Action>>,
    /// What was noted of deliveries, which changes no more.
    applied: BTreeMap<DeliveryId, Applied>,
    committed: BTreeMap<DeliveryId, u64>,
}

impl Unsaved {
    /// Takes what could not be saved. Events for targets are the forwarder's, who tries again too.
    pub fn add(&self, writes: &[Write]) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for write in writes {
            match write {
                Write::Incident(incident) => drop(waiting.incidents.insert(incident.key.clone())),
                Write::Forget(key) => drop(waiting.incidents.insert(key.clone())),
                Write::Applied(all) => waiting.applied.extend(all.iter().map(|one| (one.id, one.clone()))),
                Write::Committed(all) => waiting.committed.extend(all.iter().copied()),
                Write::Action(action) => drop(waiting.actions.insert(action.id, action.clone())),
                Write::Snapshot { .. } | Write::Event(_) => {}
            }
        }
        self.added.notify_one();
    }

    /// Some of it, to be written now; nothing when no more waits.
    fn take(&self, board: &Board) -> Vec<Write> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { incidents, actions, applied, committed } = &mut *waiting;
        let keys = std::iter::from_fn(|| incidents.pop_first()).take(TOGETHER);
        let mut writes: Vec<Write> = keys.filter_map(|key| now(board, key)).collect();
        let kept = std::iter::from_fn(|| actions.pop_first()).take(TOGETHER);
        let on_board = |id| board.actions.iter().find(|action| action.id == id).cloned().map(Box::new);
        writes.extend(kept.map(|(id, kept)| Write::Action(on_board(id).unwrap_or(kept))));
        let marks: Vec<_> = std::iter::from_fn(|| applied.pop_first()).take(TOGETHER).map(|(_, mark)| mark).collect();
        let times: Vec<_> = std::iter::from_fn(|| committed.pop_first()).take(TOGETHER).collect();
        writes.extend((!marks.is_empty()).then_some(Write::Applied(marks)));
        writes.extend((!times.is_empty()).then_some(Write::Committed(times)));
        writes
    }

    fn is_empty(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { incidents, actions, applied, committed } = &*waiting;
        incidents.is_empty() && actions.is_empty() && applied.is_empty() && committed.is_empty()
    }
}

/// What to write of an incident. Those of an account that left the settings stay in the store as they are.
fn now(board: &Board, key: IncidentKey) -> Option<Write> {
    match board.incidents.get(&key) {
        Some(incident) => Some(Write::Incident(Box::new(incident.clone()))),
        None => board.accounts.contains_key(&key.account).then_some(Write::Forget(key)),
    }
}

/// Writes it down as soon as that works, until `stop`.
pub async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let work = async {
        loop {
            desk.unsaved.added.notified().await;
            while !desk.unsaved.is_empty() {
                if !save_some(&desk).await {
                    sleep(AGAIN).await;
                }
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// Says whether it worked.
async fn save_some(desk: &Desk) -> bool {
    // Nobody is to wait for the order while the store fails.
    if desk.store.commits().await.is_err() {
        return false;
    }
    let _order = desk.order.lock().await;
    let writes = Arc::new(desk.hub.look(|board| desk.unsaved.take(board)));
    match desk.store.save(Arc::clone(&writes)).await {
        Ok(()) => true,
        Err(StoreError::Unstorable { .. }) => {
            one_by_one(desk, &writes).await;
            true
        }
        Err(_) => {
            desk.unsaved.add(&writes);
            false
        }
    }
}

/// What cannot be stored at all is let go; it keeps nothing else from being written.
async fn one_by_one(desk: &Desk, writes: &[Write]) {
    for write in writes {
        match desk.store.save(vec![write.clone()]).await {
            Ok(()) => {}
            Err(error @ StoreError::Unstorable { .. }) => tracing::error!(%error, "not written down: {error}"),
            Err(_) => desk.unsaved.add(std::slice::from_ref(write)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        core::{
            action::{By, Outcome, Verb},
            id::AccountName,
            incident::Status,
        },
        server::{
            actions,
            fake::{self, Fake, key},
        },
        store::Reader,
    };
    use jiff::Timestamp;

    #[test]
    fn much_is_written_in_parts_and_each_mark_once() {
        let unsaved = Unsaved::default();
        let mark = |id| Applied { id: DeliveryId(id), changed: None, commit_us: None };
        for _ in 0..2 {
            unsaved.add(&[Write::Applied((0..300).map(mark).collect())]);
        }
        let part = || unsaved.take(&Board::default());

        let sizes = [part(), part()].map(|part| match part.as_slice() {
            [Write::Applied(marks)] => marks.len(),
            other => panic!("{other:?}"),
        });

        assert_eq!(sizes, [TOGETHER, 300 - TOGETHER]);
        assert!(unsaved.is_empty() && part().is_empty());
    }

    #[tokio::test]
    async fn an_outcome_that_the_store_did_not_take_is_no_other_one_after_a_restart() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let by = By { actor: "alice".into(), uid: None, name: None };
        let asked = desk.write_down(by, Verb::Acknowledge, vec![key("P1")], false).await;
        let (action, _) = asked.expect("written down");
        actions::record(&desk, action.id, &[(key("P1"), Outcome::Sent)]).await.expect("saved");
        let (database, aside) = (dir.path().join("dogwatch.db"), dir.path().join("aside"));
        fs::rename(&database, &aside).expect("moved away");
        let confirmed = (key("P1"), Outcome::Confirmed { notice: None });
        actions::record_last(&desk, action.id, &Verb::Acknowledge, vec![confirmed.clone()]).await;
        fs::rename(&aside, &database).expect("put back");

        tokio::spawn(run(Arc::clone(&desk), CancellationToken::new()));

        let kept = || {
            let mut actions = Reader::open(dir.path()).expect("reader").actions(10).expect("actions");
            actions.pop().map(|action| action.outcomes)
        };
        let there = async {
            while kept() != Some(vec![confirmed.clone()]) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), there).await.expect("kept at last");
    }

    #[test]
    fn an_action_that_left_the_board_is_written_as_it_was() {
        let unsaved = Unsaved::default();
        let by = By { actor: "alice".into(), uid: None, name: None };
        let action = |words: &str| Action {
            id: ActionId(7),
            at: Timestamp::UNIX_EPOCH,
            by: by.clone(),
            verb: Verb::Note { text: words.to_owned() },
            outcomes: vec![],
            due: None,
        };
        let mut board = Board::default();
        for (there, expected) in [(None, "here"), (Some("there"), "there")] {
            unsaved.add(&[Write::Action(Box::new(action("here")))]);
            board.actions = there.into_iter().map(action).collect();
            let [Write::Action(written)] = &unsaved.take(&board)[..] else { panic!("one action") };
            assert_eq!(written.verb, Verb::Note { text: expected.to_owned() });
            assert!(unsaved.is_empty());
        }
    }

    #[tokio::test]
    async fn what_the_store_did_not_take_is_there_after_a_restart_all_the_same() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        desk.observe(&fake.put("P1", Status::Triggered, 0)).await;
        desk.observe(&fake.put("P3", Status::Triggered, 0)).await;
        // Of an account that is not configured now.
        let elsewhere = IncidentKey { account: AccountName::new("other").expect("name"), ..key("P9") };
        let mut kept_there = desk.hub.look(|board| board.incidents[&key("P1")].clone());
        kept_there.key = elsewhere.clone();
        desk.store.save(vec![Write::Incident(Box::new(kept_there))]).await.expect("saved");
        let (database, aside) = (dir.path().join("dogwatch.db"), dir.path().join("aside"));
        fs::rename(&database, &aside).expect("moved away");
        desk.observe(&fake.put("P1", Status::Acknowledged, 1)).await;
        desk.observe(&fake.put("P2", Status::Triggered, 1)).await;
        desk.forget(&key("P3")).await;
        desk.unsaved.add(&[Write::Forget(elsewhere.clone())]);
        fs::rename(&aside, &database).expect("put back");

        tokio::spawn(run(Arc::clone(&desk), CancellationToken::new()));

        let kept = || {
            let kept = Reader::open(dir.path()).expect("reader").incidents().expect("incidents");
            kept.into_iter().map(|incident| (incident.key.id.to_string(), incident.state.status)).collect::<Vec<_>>()
        };
        let wanted = [
            ("P9".to_owned(), Status::Triggered),
            ("P1".to_owned(), Status::Acknowledged),
            ("P2".to_owned(), Status::Triggered),
        ];
        let there = async {
            while kept() != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), there).await.expect("kept at last");
    }
}

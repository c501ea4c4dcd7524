//! From committed deliveries to the board. A delivery is applied after it is committed, and marked as applied
//! with what it changed; whatever a crash left between the two is applied at the next start.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::{
    core::{
        board::{Board, Change},
        delivery::{Decode, Verdict},
        freshness::Push,
        id::{AccountName, DeliveryId},
        incident::Observation,
    },
    receiver::Arrival,
    store::{StoreError, Write},
};

/// Arrivals taken together.
const BATCH: usize = 512;

/// Applies what arrives until `stop`. `missed` says that an arrival found no room and is only in the store.
pub async fn run(
    desk: Arc<Desk>,
    mut arrivals: mpsc::Receiver<Arrival>,
    missed: Arc<Notify>,
    decoders: BTreeMap<AccountName, Arc<dyn Decode>>,
    stop: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            taken = arrivals.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return;
                }
                apply(&desk, &mut batch).await;
            }
            () = missed.notified() => {
                if let Err(error) = catch_up(&desk, &decoders).await {
                    tracing::error!(%error, "deliveries wait to be applied");
                }
            }
        }
    }
}

async fn apply(desk: &Desk, batch: &mut Vec<Arrival>) {
    let arrived: Vec<Arrival> = std::mem::take(batch);
    let (mut writes, applied) = desk.hub.change(|board| {
        let (mut changes, mut writes, mut applied) = (vec![], vec![], vec![]);
        for arrival in arrived {
            if arrival.summary.verdict == Verdict::Accepted {
                applied.push(arrival.summary.id);
            }
            if let Some(Change::Incident(incident)) = arrival.observation.and_then(|seen| board.observe(&seen)) {
                writes.push(Write::Incident(incident.clone()));
                changes.push(Change::Incident(incident));
            }
            let change = Change::Delivery(Box::new(arrival.summary));
            board.apply(&change);
            changes.extend(note_push(board, &change));
            changes.push(change);
        }
        (changes, (writes, applied))
    });
    writes.push(Write::Applied(applied));
    if let Err(error) = desk.store.save(writes).await {
        tracing::error!(%error, "applied deliveries could not be marked; they are applied again at the next start");
    }
}

/// The push side of the account, after this delivery.
fn note_push(board: &mut Board, delivery: &Change) -> Option<Change> {
    let Change::Delivery(summary) = delivery else { return None };
    let known = &mut board.accounts.get_mut(summary.account.as_ref()?)?.account;
    let push = &mut known.push;
    match summary.verdict {
        Verdict::Accepted | Verdict::Duplicate | Verdict::Undecodable => {
            *push = Push { off: push.off.take(), last_delivery: Some(summary.at), ..Push::default() };
        }
        Verdict::Rejected => {
            push.rejected = push.rejected.saturating_add(1);
            push.last_rejection = Some(summary.reason.clone());
        }
    }
    Some(Change::Account(Box::new(known.clone())))
}

/// Applies everything that is committed and not applied yet.
pub async fn catch_up(desk: &Desk, decoders: &BTreeMap<AccountName, Arc<dyn Decode>>) -> Result<(), StoreError> {
    let waiting = desk.store.read(|reader| Ok((reader.unapplied()?, reader.recent(None, 500)?))).await?;
    let (unapplied, newest) = waiting;
    let mut seen: Vec<Observation> = vec![];
    let mut applied: Vec<DeliveryId> = vec![];
    for (id, account, body) in unapplied {
        applied.push(id);
        let decoded = decoders.get(&account).and_then(|decoder| decoder.decode(&account, &body).ok());
        seen.extend(decoded.and_then(|decoded| decoded.observation));
    }
    let mut writes = desk.hub.change(|board| {
        let (mut changes, mut writes) = (vec![], vec![]);
        for seen in &seen {
            if let Some(Change::Incident(incident)) = board.observe(seen) {
                writes.push(Write::Incident(incident.clone()));
                changes.push(Change::Incident(incident));
            }
        }
        for summary in newest {
            let change = Change::Delivery(Box::new(summary));
            board.apply(&change);
            changes.push(change);
        }
        (changes, writes)
    });
    writes.push(Write::Applied(applied));
    desk.store.save(writes).await
}

/// When push last worked, from the log, for a board that is just being built.
pub fn last_push(board: &mut Board) {
    let mut newest: BTreeMap<AccountName, Timestamp> = BTreeMap::new();
    for delivery in board.deliveries.iter().filter(|d| d.verdict != Verdict::Rejected) {
        if let Some(account) = &delivery.account {
            newest.entry(account.clone()).or_insert(delivery.at);
        }
    }
    for (name, at) in newest {
        if let Some(known) = board.accounts.get_mut(&name) {
            known.account.push.last_delivery = Some(at);
        }
    }
}

//! From committed deliveries to the board. A delivery is applied after it is committed, and marked as applied
//! with what it changed; whatever a crash left between the two is applied at the next start.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{desk::Desk, hub::Telling};
use crate::{
    core::{
        board::{Board, Change, LOG_LENGTH},
        delivery::{DeliverySummary, NOTHING, Verdict},
        forward::happening::{Before, Seen},
        freshness::Push,
        id::{AccountName, DeliveryId, IncidentKey},
        incident::Observation,
        push::{REFUSALS_TO_DISABLE, Subscribed},
        text::Shown,
    },
    receiver::Arrival,
    store::{
        Applied, NewEvent, StoreError, Unapplied, Write,
        crash::{self, Point},
    },
};

/// Before deliveries that could not be read back are tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Arrivals taken together.
const BATCH: usize = 512;

/// Applies what arrives until `stop`. `missed` says that an arrival found no room and is only in the store.
pub async fn run(desk: Arc<Desk>, mut arrivals: mpsc::Receiver<Arrival>, missed: Arc<Notify>, stop: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = missed.notified() => {
                if let Err(error) = catch_up(&desk).await {
                    tracing::error!(%error, "deliveries wait to be applied");
                    sleep(AGAIN).await;
                    missed.notify_one();
                }
                // However often some find no room, those that did are not kept waiting.
                if !arrivals.is_empty() {
                    arrivals.recv_many(&mut batch, BATCH).await;
                    apply(&desk, &mut batch).await;
                }
            }
            taken = arrivals.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return;
                }
                apply(&desk, &mut batch).await;
            }
        }
    }
}

pub(super) async fn apply(desk: &Arc<Desk>, batch: &mut Vec<Arrival>) {
    crash::passing(Point::BeforeApply);
    let arrived: Vec<Arrival> = std::mem::take(batch);
    let _order = desk.order.lock().await;
    let done = desk.hub.change(|board| {
        let mut done = Done::default();
        for arrival in arrived {
            done.take(desk, board, arrival);
        }
        let pushed = std::mem::take(&mut done.pushed);
        done.changes.extend(pushed.into_iter().filter_map(|account| push_now(board, account)));
        crash::passing(Point::BeforePublish);
        (std::mem::take(&mut done.changes), done)
    });
    crash::passing(Point::AfterPublish);
    doubt_push(desk);
    desk.looks.ask(done.doubted);
    let mut writes = done.writes;
    writes.extend([Write::Applied(done.applied), Write::Committed(done.committed)]);
    writes.extend(done.events.iter().cloned().map(Write::Event));
    // What targets are told of must not happen a second time. The rest is worked out again from the deliveries.
    let is_told = !done.events.is_empty();
    let writes = Arc::new(writes);
    let saved = if is_told {
        desk.store.save(Arc::clone(&writes)).await
    } else {
        desk.store.save_eased(Arc::clone(&writes)).await
    };
    if let Err(error) = &saved {
        tracing::error!(%error, "applied deliveries could not be marked; they are when the store works again");
        desk.unsaved.add(&writes);
    }
    crash::passing(Point::AfterMark);
    desk.forwarder.written(done.events, saved.as_ref().map(drop));
}

/// What applying some deliveries came to.
#[derive(Default)]
struct Done {
    changes: Vec<Change>,
    writes: Vec<Write>,
    applied: Vec<Applied>,
    /// What their senders waited, of those that there was nothing to apply of.
    committed: Vec<(DeliveryId, u64)>,
    /// Incidents of which only another look at the provider can tell how they stand.
    doubted: Vec<IncidentKey>,
    events: Vec<Arc<NewEvent>>,
    /// Accounts whose push side is another now.
    pushed: BTreeSet<AccountName>,
}

impl Done {
    fn take(&mut self, desk: &Desk, board: &mut Board, Arrival { mut summary, observation, commit_us }: Arrival) {
        // Those of an account that left the board meanwhile wait in the store until it is configured again.
        let known = summary.account.as_ref().is_some_and(|name| board.accounts.contains_key(name));
        // What was read back from the store while it waited here is on the board already.
        let (told, waited) = board.shown(&summary).map(noted).unwrap_or_default();
        summary.latency_us = waited.or(summary.latency_us);
        if known && summary.verdict == Verdict::Accepted {
            let told = told.unwrap_or_else(|| self.merge(desk, board, &summary, observation.as_ref()));
            summary.changed = Some(told.clone());
            self.applied.push(Applied { id: summary.id, changed: Some(told), commit_us });
        } else {
            self.committed.extend(commit_us.map(|commit_us| (summary.id, commit_us)));
        }
        if let Some(incident) = summary.incident.as_ref().filter(|_| known) {
            desk.details.overtaken(incident);
        }
        self.pushed.extend(note_push(board, &summary));
        self.show(board, summary);
    }

    /// Merges what an accepted delivery tells into the board; says what that changed.
    fn merge(&mut self, desk: &Desk, board: &mut Board, line: &DeliverySummary, told: Option<&Observation>) -> Shown {
        self.doubted.extend(told.filter(|seen| board.doubts(seen)).map(|seen| seen.key.clone()));
        let before = before(desk, board, line);
        let (change, words) = merge(board, told);
        self.events.extend(happened(desk, board, before, (line, told)));
        if let Some(Change::Incident(incident)) = change {
            self.writes.push(Write::Incident(incident.clone()));
            self.changes.push(Change::Incident(incident));
        }
        words
    }

    fn show(&mut self, board: &mut Board, summary: DeliverySummary) {
        let change = Change::Delivery(Box::new(summary));
        board.apply(&change);
        self.changes.push(change);
    }
}

/// How the incident of a delivery stands that is about to be applied, if anybody is to be told what happens to it.
fn before(desk: &Desk, board: &Board, delivery: &DeliverySummary) -> Option<Before> {
    let key = delivery.incident.as_ref().filter(|_| !desk.forwarder.is_idle())?;
    Some(Before::of(board.incidents.get(key)))
}

/// What targets are to be told of an accepted delivery that was applied.
fn happened(
    desk: &Desk,
    board: &Board,
    before: Option<Before>,
    (delivery, told): (&DeliverySummary, Option<&Observation>),
) -> Vec<Arc<NewEvent>> {
    let (Some(before), Some(key)) = (before, &delivery.incident) else { return vec![] };
    let signed = delivery.proof.as_ref().is_none_or(|proof| proof.scheme.is_signed());
    let seen = if signed { Seen::Delivered(delivery, told) } else { Seen::Looked };
    desk.forwarder.happened(board, &before, key, seen)
}

/// Has the provider's subscriptions looked at where so many were refused that it may have switched one off.
fn doubt_push(desk: &Desk) {
    let stopped = desk.hub.look(|board| {
        let doubted = |push: &Push| push.unproved >= REFUSALS_TO_DISABLE && push.subscribed == Subscribed::Active;
        let accounts = board.accounts.iter().filter(|(_, known)| doubted(&known.account.push));
        accounts.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    });
    for account in stopped.iter().filter_map(|name| desk.accounts.get(name)) {
        account.doubt.notify_one();
    }
}

/// Merges what a delivery tells into the board; says what that changed.
pub(super) fn merge(board: &mut Board, told: Option<&Observation>) -> (Option<Change>, Shown) {
    match told {
        Some(seen) => board.observe_told(seen),
        None => (None, Shown::line(&format!("{NOTHING}: it does not tell how an incident stands"))),
    }
}

/// Notes a delivery on the push side of the account it concerns, which it names. What the board shows, or showed, is
/// noted.
fn note_push(board: &mut Board, summary: &DeliverySummary) -> Option<AccountName> {
    if board.shown(summary).is_some() || board.is_too_old(summary) {
        return None;
    }
    let (account, known) = board.accounts.iter_mut().find(|(account, _)| summary.concerns(account))?;
    tell_push(&mut known.account.push, summary);
    Some(account.clone())
}

fn push_now(board: &Board, account: AccountName) -> Option<Change> {
    let push = Box::new(board.accounts.get(&account)?.account.push.clone());
    Some(Change::Push { account, push })
}

/// Applies everything that is committed and not applied yet. Fails when that cannot be read.
pub async fn catch_up(desk: &Desk) -> Result<(), StoreError> {
    let page = u32::try_from(LOG_LENGTH).unwrap_or(u32::MAX);
    let waiting = desk.store.read(move |reader| Ok((reader.unapplied()?, reader.recent(None, page)?))).await?;
    let (unapplied, newest) = waiting;
    let mut seen: Vec<(DeliverySummary, Option<Observation>)> = vec![];
    for Unapplied { summary, account, body } in unapplied {
        // Those of an account that is not configured now wait until it is again.
        let Some(known) = desk.accounts.get(&account) else { continue };
        let decoded = known.decode().decode(&account, &body).ok();
        let decoded = decoded.map(|decoded| decoded.shown_by(summary.proof.as_ref(), summary.at));
        seen.push((summary, decoded.and_then(|decoded| decoded.observation)));
    }
    crash::passing(Point::BeforeApply);
    let _order = desk.order.lock().await;
    let (done, applied) = desk.hub.tell(|board| {
        let telling = if leaves_a_hole(board, &newest, &seen) { Telling::Snapshot } else { Telling::EachChange };
        let (mut done, mut applied) = (Done::default(), BTreeMap::new());
        for (line, told) in &seen {
            // What was noted of a line since the store was read is on the board already.
            let words = board.shown(line).and_then(|shown| shown.changed.clone());
            applied.insert(line.id, words.unwrap_or_else(|| done.merge(desk, board, line, told.as_ref())));
        }
        seen.iter().filter_map(|(line, _)| line.incident.as_ref()).for_each(|key| desk.details.overtaken(key));
        for mut summary in newest {
            let (told, waited) = board.shown(&summary).map(noted).unwrap_or_default();
            summary.changed = told.or_else(|| applied.get(&summary.id).cloned()).or(summary.changed);
            summary.latency_us = waited.or(summary.latency_us);
            if board.shown(&summary) != Some(&summary) {
                done.show(board, summary);
            }
        }
        last_push(board);
        let accounts = board.accounts.values().map(|known| Change::Account(Box::new(known.account.clone())));
        done.changes.extend(accounts);
        crash::passing(Point::BeforePublish);
        (std::mem::take(&mut done.changes), telling, (done, applied))
    });
    crash::passing(Point::AfterPublish);
    desk.looks.ask(done.doubted);
    let mut writes = done.writes;
    let applied = applied.into_iter().map(|(id, changed)| Applied { id, changed: Some(changed), commit_us: None });
    writes.push(Write::Applied(applied.collect()));
    writes.extend(done.events.iter().cloned().map(Write::Event));
    let writes = Arc::new(writes);
    let saved = desk.store.save(Arc::clone(&writes)).await;
    if let Err(error) = &saved {
        tracing::error!(%error, "applied deliveries could not be marked; they are when the store works again");
        desk.unsaved.add(&writes);
    }
    crash::passing(Point::AfterMark);
    desk.forwarder.written(done.events, saved.as_ref().map(drop));
    Ok(())
}

/// Whether there may be lines between those that are shown and the page of the newest: a console that is told of the
/// newest alone would take these for all. `applied` were waiting.
fn leaves_a_hole(
    board: &Board,
    newest: &[DeliverySummary],
    applied: &[(DeliverySummary, Option<Observation>)],
) -> bool {
    let Some(oldest) = newest.last().filter(|_| newest.len() >= LOG_LENGTH) else { return false };
    let is_newer_than_some = |id: DeliveryId| board.deliveries.back().is_some_and(|shown| shown.id < id);
    let unshown = |line: &DeliverySummary| is_newer_than_some(line.id) && board.shown(line).is_none();
    unshown(oldest) || applied.iter().any(|(line, _)| line.id < oldest.id && unshown(line))
}

/// What is known of a line only after it was committed.
fn noted(line: &DeliverySummary) -> (Option<Shown>, Option<u64>) {
    (line.changed.clone(), line.latency_us)
}

fn tell_push(push: &mut Push, summary: &DeliverySummary) {
    match summary.verdict {
        Verdict::Accepted | Verdict::Duplicate | Verdict::Undecodable => push.delivered(summary.at),
        Verdict::Rejected => push.refused(summary),
        Verdict::Sent | Verdict::Failed => {}
    }
}

/// When push last worked and what was refused since, from the log.
pub fn last_push(board: &mut Board) {
    let mut told: BTreeMap<AccountName, Push> = BTreeMap::new();
    for delivery in board.deliveries.iter().rev() {
        if let Some(account) = board.accounts.keys().find(|account| delivery.concerns(account)) {
            tell_push(told.entry(account.clone()).or_default(), delivery);
        }
    }
    for (name, told) in told {
        let Some(known) = board.accounts.get_mut(&name) else { continue };
        let push = &mut known.account.push;
        if let Some(at) = told.last_delivery.filter(|at| push.last_delivery.is_none_or(|known| known < *at)) {
            push.delivered(at);
        }
        push.rejected = told.rejected;
        push.unproved = told.unproved;
        push.last_rejection = told.last_rejection;
    }
}

#[cfg(test)]
mod tests;

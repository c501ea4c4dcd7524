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

use super::desk::Desk;
use crate::{
    core::{
        board::{Board, Change},
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
            () = stop.cancelled() => return,
            taken = arrivals.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return;
                }
                apply(&desk, &mut batch).await;
            }
            () = missed.notified() => {
                if let Err(error) = catch_up(&desk).await {
                    tracing::error!(%error, "deliveries wait to be applied");
                    sleep(AGAIN).await;
                    missed.notify_one();
                }
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
    let saved = if is_told { desk.store.save(writes).await } else { desk.store.save_eased(writes).await };
    if let Err(error) = &saved {
        tracing::error!(%error, "applied deliveries could not be marked; they are applied again at the next start");
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
        let (told, waited) = board.delivery(summary.id).map(noted).unwrap_or_default();
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

/// Notes a delivery on the push side of its account, which it names. What the board shows, or showed, is noted.
fn note_push(board: &mut Board, summary: &DeliverySummary) -> Option<AccountName> {
    let account = summary.account.as_ref()?;
    if board.delivery(summary.id).is_some() || board.is_too_old(summary.id) {
        return None;
    }
    tell_push(&mut board.accounts.get_mut(account)?.account.push, summary);
    Some(account.clone())
}

fn push_now(board: &Board, account: AccountName) -> Option<Change> {
    let push = Box::new(board.accounts.get(&account)?.account.push.clone());
    Some(Change::Push { account, push })
}

/// Applies everything that is committed and not applied yet.
pub async fn catch_up(desk: &Desk) -> Result<(), StoreError> {
    let waiting = desk.store.read(|reader| Ok((reader.unapplied()?, reader.recent(None, 500)?))).await?;
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
    let (done, applied) = desk.hub.change(|board| {
        let (mut done, mut applied) = (Done::default(), BTreeMap::new());
        for (line, told) in &seen {
            // What was noted of a line since the store was read is on the board already.
            let words = board.delivery(line.id).and_then(|shown| shown.changed.clone());
            applied.insert(line.id, words.unwrap_or_else(|| done.merge(desk, board, line, told.as_ref())));
        }
        for mut summary in newest {
            let (told, waited) = board.delivery(summary.id).map(noted).unwrap_or_default();
            summary.changed = told.or_else(|| applied.get(&summary.id).cloned()).or(summary.changed);
            summary.latency_us = waited.or(summary.latency_us);
            if board.delivery(summary.id) != Some(&summary) {
                done.show(board, summary);
            }
        }
        last_push(board);
        let accounts = board.accounts.values().map(|known| Change::Account(Box::new(known.account.clone())));
        done.changes.extend(accounts);
        crash::passing(Point::BeforePublish);
        (std::mem::take(&mut done.changes), (done, applied))
    });
    crash::passing(Point::AfterPublish);
    desk.looks.ask(done.doubted);
    let mut writes = done.writes;
    let applied = applied.into_iter().map(|(id, changed)| Applied { id, changed: Some(changed), commit_us: None });
    writes.push(Write::Applied(applied.collect()));
    writes.extend(done.events.iter().cloned().map(Write::Event));
    let saved = desk.store.save(writes).await;
    crash::passing(Point::AfterMark);
    desk.forwarder.written(done.events, saved.as_ref().map(drop));
    saved
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
        if let Some(account) = &delivery.account {
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
mod tests {
    use super::*;
    use crate::{
        core::{
            delivery::{Decode as _, Direction, Timings},
            id::DeliveryId,
            incident::{Stamp, Status},
        },
        provider::pagerduty::Webhooks,
        server::fake::{self, Fake, key},
        store::NewDelivery,
    };
    use jiff::{SignedDuration, Timestamp};

    fn arrival(id: i64, seen: Observation) -> Arrival {
        let summary = DeliverySummary {
            id: DeliveryId(id),
            at: Timestamp::now(),
            direction: Direction::Incoming,
            account: Some(fake::account_name()),
            verdict: Verdict::Accepted,
            reason: "signed".into(),
            status: 202,
            event_id: None,
            event_type: None,
            incident: Some(seen.key.clone()),
            subject: None,
            latency_us: Some(1),
            size: 1,
            proof: None,
            altered: false,
            changed: None,
            target: None,
        };
        Arrival { summary, observation: Some(seen), commit_us: Some(1300) }
    }

    /// The incident as a webhook tells of it, some milliseconds into the second of REST's answer.
    fn pushed(rest: &Observation, status: Status, milliseconds: i64) -> Observation {
        let second = Timestamp::from_second(rest.stamp.at.as_second()).expect("second");
        let at = second.checked_add(SignedDuration::from_millis(milliseconds)).expect("small");
        let mut seen = Observation { stamp: Stamp::push(at), extra: None, ..rest.clone() };
        seen.state.status = status;
        seen
    }

    #[tokio::test]
    async fn a_change_within_the_second_of_a_rest_answer_is_asked_for_at_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let acknowledged = fake.put("P1", Status::Acknowledged, 0);
        desk.observe(&acknowledged).await;
        let (_, mut feed) = desk.hub.subscribe();
        fake.put_again("P1", Status::Resolved);
        tokio::spawn(super::super::look::run(Arc::clone(&desk), CancellationToken::new()));

        apply(&desk, &mut vec![arrival(1, pushed(&acknowledged, Status::Resolved, 800))]).await;

        loop {
            if let Change::Incident(incident) = &*feed.recv().await.expect("change") {
                assert_eq!(incident.state.status, Status::Resolved);
                return;
            }
        }
    }

    #[tokio::test]
    async fn what_nobody_signed_is_asked_about_at_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let real = fake.put("P1", Status::Acknowledged, 0);
        let received = real.stamp.asked.checked_sub(SignedDuration::from_millis(1)).expect("small");
        let lie = pushed(&real, Status::Resolved, 3_600_000).unsigned(received);
        let (_, mut feed) = desk.hub.subscribe();
        tokio::spawn(super::super::look::run(Arc::clone(&desk), CancellationToken::new()));

        apply(&desk, &mut vec![arrival(1, lie)]).await;

        let mut shown = vec![];
        while shown.last() != Some(&(Status::Acknowledged, false)) {
            let change = tokio::time::timeout(Duration::from_secs(10), feed.recv()).await.expect("asked at once");
            if let Change::Incident(incident) = &*change.expect("change") {
                shown.push((incident.state.status, incident.is_unconfirmed()));
            }
        }
        assert_eq!(shown, [(Status::Resolved, true), (Status::Acknowledged, false)]);
    }

    #[tokio::test]
    async fn a_delivery_shows_in_the_log_on_the_incident_and_in_the_age_of_push() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let seen = pushed(&Fake::default().put("P1", Status::Triggered, 0), Status::Triggered, 1);

        apply(&desk, &mut vec![arrival(7, seen)]).await;

        desk.hub.look(|board| {
            assert_eq!(board.deliveries[0].id, DeliveryId(7));
            assert!(board.incidents.contains_key(&key("P1")));
            assert!(board.accounts[&fake::account_name()].account.push.last_delivery.is_some());
        });
        let kept = desk.store.read(crate::store::Reader::incidents).await.expect("incidents");
        assert_eq!(kept.len(), 1);
    }

    #[tokio::test]
    async fn deliveries_applied_together_tell_the_push_side_once_and_a_console_knows_what_the_server_knows() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let seen = pushed(&Fake::default().put("P1", Status::Triggered, 0), Status::Triggered, 1);
        let (mut console, mut feed) = desk.hub.subscribe();

        apply(&desk, &mut vec![arrival(1, seen.clone()), refusal(2, 401), arrival(3, seen), refusal(4, 401)]).await;

        let mut told = 0;
        while let Ok(change) = feed.try_recv() {
            told += usize::from(matches!(*change, Change::Push { .. }));
            console.apply(&change);
        }
        assert_eq!(told, 1);
        desk.hub.look(|board| assert_eq!(console, *board));
        assert_eq!(push_of(&desk).rejected, 1);
    }

    #[tokio::test]
    async fn a_delivery_says_in_the_log_what_it_changed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let rest = fake.put("P1", Status::Triggered, 0);
        let triggered = pushed(&rest, Status::Triggered, 100);
        let acknowledged = pushed(&rest, Status::Acknowledged, 5000);
        let mut ping = arrival(4, triggered.clone());
        ping.observation = None;
        let order = [arrival(1, triggered.clone()), arrival(2, acknowledged), arrival(3, triggered), ping];

        apply(&desk, &mut order.into()).await;

        let said: Vec<_> = desk.hub.look(|board| board.deliveries.iter().rev().map(|d| d.changed.clone()).collect());
        let said: Vec<_> = said.iter().flatten().map(Shown::as_str).collect();
        assert_eq!(
            said,
            [
                "new incident, triggered",
                "triggered -> acknowledged",
                "nothing: a newer state was known",
                "nothing: it does not tell how an incident stands"
            ]
        );
    }

    #[tokio::test]
    async fn what_a_line_says_is_not_forgotten_when_the_log_is_read_again_before_that_is_stored() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let seen = pushed(&fake.put("P1", Status::Triggered, 0), Status::Triggered, 1);
        let stored = desk.store.record(new(Verdict::Rejected, b"x")).await.expect("stored").summary;
        assert_eq!(stored.latency_us, None, "not noted yet");
        let shown = DeliverySummary { id: stored.id, ..arrival(1, seen).summary };
        desk.hub.publish(Change::Delivery(Box::new(shown.clone())));

        catch_up(&desk).await.expect("caught up");

        desk.hub.look(|board| assert_eq!(board.deliveries[0].latency_us, shown.latency_us));
    }

    fn new(verdict: Verdict, body: &[u8]) -> NewDelivery {
        let decoded = Webhooks.decode(&fake::account_name(), body).ok();
        NewDelivery {
            at: Timestamp::now(),
            account: Some(fake::account_name()),
            proof: None,
            timings: Timings::default(),
            verdict,
            reason: "x".into(),
            status: if verdict == Verdict::Accepted { 202 } else { 401 },
            decoded: decoded.filter(|_| verdict == Verdict::Accepted),
            peer: "peer".into(),
            headers: vec![],
            body: body.to_vec(),
        }
    }

    #[tokio::test]
    async fn a_delivery_that_is_read_back_while_its_arrival_waits_says_what_it_changed_on_the_screen_as_in_the_store() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let body = include_bytes!("../../tests/fixtures/pagerduty/webhook_real.triggered.json");
        let new = new(Verdict::Accepted, body);
        let observation = new.decoded.as_ref().and_then(|decoded| decoded.observation.clone());
        let summary = desk.store.record(new).await.expect("stored").summary;
        let (mut console, mut feed) = desk.hub.subscribe();

        catch_up(&desk).await.expect("caught up");
        apply(&desk, &mut vec![Arrival { summary, observation, commit_us: None }]).await;
        catch_up(&desk).await.expect("caught up");

        while let Ok(change) = feed.try_recv() {
            console.apply(&change);
        }
        let stored = desk.store.read(|reader| reader.recent(None, 1)).await.expect("read").remove(0);
        assert_eq!(stored.changed.as_ref().map(Shown::as_str), Some("new incident, triggered"));
        assert_eq!(console.deliveries[0].changed, stored.changed);
    }

    #[tokio::test]
    async fn a_refusal_that_is_read_back_while_its_arrival_waits_counts_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let summary = desk.store.record(new(Verdict::Rejected, b"x")).await.expect("stored").summary;
        let waiting = Arrival { summary, observation: None, commit_us: Some(1300) };

        catch_up(&desk).await.expect("caught up");
        apply(&desk, &mut vec![waiting]).await;

        assert_eq!((push_of(&desk).rejected, push_of(&desk).unproved), (1, 1));
    }

    #[tokio::test]
    async fn what_is_read_back_as_it_is_shown_is_not_told_again() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        desk.store.record(new(Verdict::Rejected, b"x")).await.expect("stored");
        catch_up(&desk).await.expect("caught up");
        let (_, mut feed) = desk.hub.subscribe();

        catch_up(&desk).await.expect("caught up");

        while let Ok(change) = feed.try_recv() {
            assert!(!matches!(*change, Change::Delivery(_)), "{change:?}");
        }
    }

    fn refusal(id: i64, status: u16) -> Arrival {
        let seen = Fake::default().put("P1", Status::Triggered, 0);
        let mut refused = Arrival { observation: None, ..arrival(id, seen) };
        refused.summary.verdict = Verdict::Rejected;
        refused.summary.status = status;
        refused
    }

    fn push_of(desk: &Desk) -> Push {
        desk.hub.look(|board| board.accounts[&fake::account_name()].account.push.clone())
    }

    #[tokio::test]
    async fn the_first_refusal_at_the_right_path_says_wrong_secret_until_a_genuine_delivery_comes() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        apply(&desk, &mut vec![refusal(1, 404)]).await;
        assert!(!push_of(&desk).has_wrong_secret(), "a stranger tried a path");

        apply(&desk, &mut vec![refusal(2, 401)]).await;
        assert!(push_of(&desk).has_wrong_secret());
        let seen = pushed(&Fake::default().put("P1", Status::Triggered, 0), Status::Triggered, 1);
        apply(&desk, &mut vec![arrival(3, seen)]).await;

        assert_eq!((push_of(&desk).has_wrong_secret(), push_of(&desk).rejected), (false, 0));
    }

    #[tokio::test]
    async fn what_was_refused_since_the_last_genuine_delivery_is_known_after_a_restart_too() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let seen = pushed(&Fake::default().put("P1", Status::Triggered, 0), Status::Triggered, 1);
        apply(&desk, &mut vec![refusal(1, 401), arrival(2, seen), refusal(3, 401), refusal(4, 404)]).await;
        let before = push_of(&desk);

        desk.hub.change(|board| {
            board.accounts.get_mut(&fake::account_name()).expect("account").account.push = Push::default();
            last_push(board);
            (vec![], ())
        });

        assert_eq!((before.rejected, before.unproved), (2, 1));
        assert_eq!(push_of(&desk), before);
    }

    #[tokio::test]
    async fn three_refusals_in_a_row_have_the_subscription_looked_at() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        desk.hub.account(&fake::account_name(), |account| account.push.subscribed = Subscribed::Active);
        let account = desk.accounts.get(&fake::account_name()).expect("known");
        let doubt = &account.doubt;

        apply(&desk, &mut vec![refusal(1, 401), refusal(2, 401)]).await;
        assert!(tokio::time::timeout(Duration::ZERO, doubt.notified()).await.is_err());
        apply(&desk, &mut vec![refusal(3, 401)]).await;

        tokio::time::timeout(Duration::from_secs(5), doubt.notified()).await.expect("looked at");
    }
}

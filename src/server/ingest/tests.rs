//! How what arrives gets onto the board, and what is said of it.

use super::*;
use crate::{
    core::{
        delivery::{Decode as _, Direction, Timings, wrong_key},
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
    let desk = fake::desk(&Fake::default(), dir.path());
    let stored = desk.store.record(new(Verdict::Rejected, b"x")).await.expect("stored").summary;
    assert_eq!(stored.latency_us, None, "not noted yet");
    let shown = DeliverySummary { latency_us: Some(1), ..stored };
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
    let body = include_bytes!("../../../tests/fixtures/pagerduty/webhook_real.triggered.json");
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

/// Stores deliveries that nobody tells of.
async fn missed(desk: &Desk, deliveries: usize) {
    let recorded = (0..deliveries).map(|_| desk.store.record(new(Verdict::Rejected, b"x")));
    futures_util::future::try_join_all(recorded).await.expect("stored");
}

#[tokio::test]
async fn consoles_get_a_fresh_snapshot_where_more_is_in_the_log_than_they_can_be_told_of() {
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = fake::desk(&Fake::default(), dir.path());
    missed(&desk, 600).await;
    catch_up(&desk).await.expect("caught up");
    for (deliveries, each) in [(LOG_LENGTH - 1, true), (LOG_LENGTH, false)] {
        missed(&desk, deliveries).await;
        let mut news = desk.hub.attach(None).await.expect("attached").news;

        catch_up(&desk).await.expect("caught up");

        assert_eq!(news.recv().await.expect("news").text().is_some(), each, "{deliveries}");
        assert_eq!(desk.hub.look(|board| board.deliveries.len()), LOG_LENGTH);
    }
}

#[tokio::test]
async fn a_line_that_is_shown_above_those_that_wait_does_not_hide_the_hole() {
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = fake::desk(&Fake::default(), dir.path());
    missed(&desk, 1).await;
    catch_up(&desk).await.expect("caught up");
    missed(&desk, LOG_LENGTH).await;
    let newest = desk.store.record(new(Verdict::Rejected, b"x")).await.expect("stored").summary;
    apply(&desk, &mut vec![Arrival { summary: newest, observation: None, commit_us: None }]).await;
    let mut news = desk.hub.attach(None).await.expect("attached").news;

    catch_up(&desk).await.expect("caught up");

    assert!(news.recv().await.expect("news").text().is_none());
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
async fn a_number_that_another_store_gives_once_more_is_another_delivery_s() {
    let dir = tempfile::tempdir().expect("tempdir");
    let fake = Fake::default();
    let desk = fake::desk(&fake, dir.path());
    apply(&desk, &mut vec![arrival(7, pushed(&fake.put("P1", Status::Triggered, 0), Status::Triggered, 1))]).await;
    let mut other = arrival(7, pushed(&fake.put("P2", Status::Triggered, 0), Status::Triggered, 1));
    other.summary.at = other.summary.at.checked_add(SignedDuration::from_secs(1)).expect("small");

    apply(&desk, &mut vec![other]).await;

    desk.hub.look(|board| assert!(board.incidents.keys().eq([&key("P1"), &key("P2")])));
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
async fn a_wrong_key_in_the_path_is_told_the_account_that_it_names_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = fake::desk(&Fake::default(), dir.path());
    let without_key = |id, reason: &str| {
        let mut refused = refusal(id, 404);
        (refused.summary.account, refused.summary.reason) = (None, reason.into());
        refused
    };
    let reason = wrong_key(&fake::account_name());
    let elsewhere = without_key(2, "the path names no account configured here");

    apply(&desk, &mut vec![without_key(1, &reason), elsewhere]).await;

    let push = push_of(&desk);
    assert_eq!((push.rejected, push.unproved), (1, 0));
    assert_eq!(push.last_rejection, Some(reason.as_str().into()));
    desk.hub.change(|board| {
        board.accounts.get_mut(&fake::account_name()).expect("account").account.push = Push::default();
        last_push(board);
        (vec![], ())
    });
    assert_eq!(push_of(&desk), push);
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

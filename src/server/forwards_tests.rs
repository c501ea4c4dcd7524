//! What the server tells targets of: once whatever happened once, with the change itself, and nothing that is old.

use std::{path::Path, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{
    desk::Desk,
    fake::{self, Fake, person},
    ingest,
    people::Caller,
};
use crate::{
    core::{
        delivery::{Decode as _, Timings, Verdict},
        incident::{Observation, Stamp, Status},
        text::Shown,
    },
    proto::{Answer, Request},
    provider::pagerduty::Webhooks,
    receiver::Arrival,
    store::{ForwardId, NewDelivery},
};

const TRIGGERED: &str = include_str!("../../tests/fixtures/pagerduty/webhook_real.triggered.json");
const ACKNOWLEDGED: &str = include_str!("../../tests/fixtures/pagerduty/webhook_real.acknowledged.json");
const ANNOTATED: &str = include_str!("../../tests/fixtures/pagerduty/webhook_real.annotated.json");

/// A desk with a target that takes nothing for now, so that everything it is to be told waits.
fn desk(fake: &Fake, dir: &Path) -> Arc<Desk> {
    let desk = fake::desk(fake, dir);
    fake::want_everything(&desk);
    desk
}

/// What waits: incident and event.
fn waiting(desk: &Desk) -> Vec<(String, String)> {
    let reader = desk.store.reader().expect("reader");
    let all = reader.waiting(&fake::chat(), ForwardId(0)).expect("waiting");
    let one = |id: &str| reader.event(id).expect("readable").expect("kept").0;
    all.iter().map(|queued| (queued.incident.id.to_string(), one(&queued.event).kind.to_string())).collect()
}

fn told(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(id, kind)| ((*id).to_owned(), format!("incident.{kind}"))).collect()
}

fn new_delivery(body: &str) -> NewDelivery {
    NewDelivery {
        at: Timestamp::now(),
        account: Some(fake::account_name()),
        proof: None,
        timings: Timings::default(),
        verdict: Verdict::Accepted,
        reason: "signed".into(),
        status: 202,
        decoded: Webhooks.decode(&fake::account_name(), body.as_bytes()).ok(),
        peer: "peer".into(),
        headers: vec![],
        body: body.as_bytes().to_vec(),
    }
}

/// Stores a delivery, and takes it in as it arrives.
async fn arrives(desk: &Arc<Desk>, body: &str) {
    let observation = Webhooks.decode(&fake::account_name(), body.as_bytes()).expect("decoded").observation;
    let summary = desk.store.record(new_delivery(body)).await.expect("stored").summary;
    let observation = observation.filter(|_| summary.verdict == Verdict::Accepted);
    ingest::apply(desk, &mut vec![Arrival { summary, observation, commit_us: Some(1) }]).await;
}

/// The account is watched since long before anything of the fixtures.
fn watched_for_long(desk: &Desk) {
    desk.forwarder.watches(&fake::account_name(), Timestamp::UNIX_EPOCH);
}

const INCIDENT: &str = "Q2CKYRLH85UNN4";

#[tokio::test]
async fn t49_a_delivery_that_comes_twice_and_a_look_that_sees_the_same_are_told_once() {
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = desk(&Fake::default(), dir.path());

    arrives(&desk, TRIGGERED).await;
    arrives(&desk, TRIGGERED).await;
    let seen = Webhooks.decode(&fake::account_name(), TRIGGERED.as_bytes()).expect("decoded").observation;
    let seen = seen.expect("an incident");
    let later = seen.stamp.at.checked_add(SignedDuration::from_mins(1)).expect("small");
    let looked = Observation { stamp: Stamp::rest(later, Timestamp::now()), ..seen };
    desk.observe(&looked).await;

    assert_eq!(waiting(&desk), told(&[(INCIDENT, "created")]));
}

#[tokio::test]
async fn what_a_look_saw_first_the_delivery_does_not_tell_again() {
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = desk(&Fake::default(), dir.path());
    watched_for_long(&desk);
    let seen = Webhooks.decode(&fake::account_name(), ACKNOWLEDGED.as_bytes()).expect("decoded").observation;
    let seen = seen.expect("an incident");

    desk.observe(&Observation { stamp: Stamp::rest(seen.stamp.at, Timestamp::now()), ..seen.clone() }).await;
    arrives(&desk, TRIGGERED).await;
    arrives(&desk, ACKNOWLEDGED).await;

    let id = seen.key.id.as_str();
    assert_eq!(waiting(&desk).iter().filter(|(of, _)| of == id).count(), 2);
    assert_eq!(waiting(&desk).get(..2), Some(told(&[(id, "created"), (id, "acknowledged")]).as_slice()));
}

#[tokio::test]
async fn t50_the_first_look_after_the_start_tells_nothing_of_what_is_old_and_later_ones_what_changed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let fake = Fake::default();
    let desk = desk(&fake, dir.path());
    let ago = |minutes| Timestamp::now().checked_sub(SignedDuration::from_mins(minutes)).expect("small");
    desk.forwarder.watches(&fake::account_name(), ago(10));
    fake.put_created("OLD", Status::Acknowledged, ago(60));
    fake.put_created("NEW", Status::Triggered, ago(5));

    desk.observe_all(fake.all()).await;
    assert_eq!(waiting(&desk), told(&[("NEW", "created")]));
    desk.observe(&fake.put("OLD", Status::Resolved, 50)).await;

    assert_eq!(waiting(&desk), told(&[("NEW", "created"), ("OLD", "resolved")]));
}

#[tokio::test]
async fn a_look_tells_of_a_hand_off_where_no_webhook_is_configured() {
    for (off, expected) in [(None, told(&[])), (Some(Shown::line("off")), told(&[("P1", "handoff")]))] {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = desk(&fake, dir.path());
        desk.hub.account(&fake::account_name(), |account| account.push.off = off);
        let mut seen = fake.put("P1", Status::Triggered, 0);
        desk.observe(&seen).await;

        seen.state.assignees = vec![person("bob")];
        seen.stamp.at = seen.stamp.at.checked_add(SignedDuration::from_mins(1)).expect("small");
        desk.observe(&seen).await;

        assert_eq!(waiting(&desk), expected);
    }
}

#[tokio::test]
async fn what_a_crash_left_unapplied_is_told_at_the_next_start_once_and_with_the_same_id() {
    let dir = tempfile::tempdir().expect("tempdir");
    let first = {
        let desk = desk(&Fake::default(), dir.path());
        desk.store.record(new_delivery(TRIGGERED)).await.expect("stored");
        // It ends here.
        ingest::catch_up(&desk).await.expect("caught up");
        let reader = desk.store.reader().expect("reader");
        reader.waiting(&fake::chat(), ForwardId(0)).expect("waiting").remove(0).event
    };

    let desk = desk(&Fake::default(), dir.path());
    ingest::catch_up(&desk).await.expect("caught up");
    arrives(&desk, TRIGGERED).await;

    let reader = desk.store.reader().expect("reader");
    let all = reader.waiting(&fake::chat(), ForwardId(0)).expect("waiting");
    assert_eq!(all.iter().map(|queued| queued.event.as_str()).collect::<Vec<_>>(), [first.as_str()]);
}

#[tokio::test]
async fn what_nobody_signed_is_told_once_the_provider_says_so_too() {
    let dir = tempfile::tempdir().expect("tempdir");
    let fake = Fake::default();
    let desk = desk(&fake, dir.path());
    let real = fake.put("P1", Status::Triggered, 0);
    desk.observe(&real).await;
    let at = real.stamp.at.checked_add(SignedDuration::from_mins(1)).expect("small");
    let mut hint = Observation { stamp: Stamp::push(at), extra: None, ..real.clone() };
    hint.state.status = Status::Acknowledged;
    let hint = hint.unsigned(Timestamp::now());

    desk.observe(&hint).await;
    assert_eq!(waiting(&desk), told(&[]));
    let mut confirmed = fake.put("P1", Status::Acknowledged, 60);
    confirmed.stamp.asked = Timestamp::now().checked_add(SignedDuration::from_secs(1)).expect("small");
    desk.observe(&confirmed).await;

    assert_eq!(waiting(&desk), told(&[("P1", "acknowledged")]));
}

#[tokio::test]
async fn a_note_is_told_under_its_own_name_with_the_delivery_that_brought_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = desk(&Fake::default(), dir.path());

    arrives(&desk, ANNOTATED).await;

    let reader = desk.store.reader().expect("reader");
    let queued = reader.waiting(&fake::chat(), ForwardId(0)).expect("waiting").remove(0);
    let (event, body) = reader.event(&queued.event).expect("readable").expect("kept");
    assert_eq!(event.kind.as_str(), "incident.annotated");
    assert_eq!(body.as_deref(), Some(ANNOTATED.as_bytes()));
    assert_eq!(event.data["id"], queued.incident.id.as_str());
}

#[tokio::test]
async fn a_delivery_that_is_replayed_tells_nobody_anything() {
    let dir = tempfile::tempdir().expect("tempdir");
    let desk = desk(&Fake::default(), dir.path());
    let id = desk.store.record(new_delivery(TRIGGERED)).await.expect("stored").summary.id;

    let answer = desk.answer(&Caller::ourselves(), Request::Replay { id }).await;

    assert!(matches!(answer, Ok(Answer::Replayed { .. })), "{answer:?}");
    assert_eq!(waiting(&desk), told(&[]));
}

//! Events, queues and attempts, on real files.

use super::*;
use crate::{
    core::{
        delivery::{Direction, Format, Timings},
        forward::{Event, EventType},
        id::TargetName,
    },
    store::{About, Attempt, Begun, Ended, ForwardId, NewEvent, Then},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("small")
}

fn target(name: &str) -> TargetName {
    name.parse().expect("name")
}

fn happened(id: &str, incident: &str, kind: &str) -> Event {
    Event {
        id: id.to_owned(),
        kind: EventType::new(kind).expect("a name"),
        at: at(1),
        account: account("prod"),
        provider: "pagerduty".to_owned(),
        incident: incident_key(incident),
        title: "disk full".into(),
        data: serde_json::json!({ "id": incident }),
        linked: serde_json::Value::Null,
        delivery: None,
    }
}

fn new(event: Event, targets: &[&str]) -> Write {
    let targets = targets.iter().map(|name| target(name)).collect();
    Write::Event(Arc::new(NewEvent { event, at: at(2), targets, full: vec![] }))
}

fn attempt(event: &Event, verdict: Verdict) -> Attempt {
    Attempt {
        at: at(3),
        target: target("chat"),
        about: Some(About::from(event)),
        verdict,
        reason: "200 OK".into(),
        status: 200,
        peer: "https://chat.example.com".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{}".to_vec(),
        response: b"ok\x1b[2J".to_vec(),
        format: Some(Format::Custom),
        timings: Timings { read_us: 0, check_us: 3, commit_us: Some(4) },
    }
}

fn queue(store: &Store, of: &str) -> Vec<String> {
    let all = store.reader().expect("reader").waiting(&target(of), ForwardId(0)).expect("waiting");
    all.into_iter().map(|queued| queued.event).collect()
}

#[tokio::test]
async fn an_event_is_queued_once_for_each_target_however_often_it_is_written() {
    let (_dir, store) = store();
    let created = happened("evt_1", "P1", "incident.created");
    let handoff = |id| happened(id, "P1", "incident.handoff");

    store.save(vec![new(created.clone(), &["chat", "mail"]), new(created.clone(), &["chat"])]).await.expect("saved");
    store.save(vec![new(happened("evt_2", "P1", "incident.created"), &["chat"])]).await.expect("saved");
    store.save(vec![new(handoff("evt_3"), &["chat"]), new(handoff("evt_4"), &["chat"])]).await.expect("saved");

    assert_eq!(queue(&store, "chat"), ["evt_1", "evt_3", "evt_4"]);
    assert_eq!(queue(&store, "mail"), ["evt_1"]);
    assert_eq!(store.reader().expect("reader").check(), Ok(()));
    let kept = store.reader().expect("reader").event("evt_1").expect("readable");
    assert_eq!(kept, Some((created, None)));
}

#[tokio::test]
async fn an_event_that_waits_and_is_not_kept_is_found_by_the_check() {
    let (dir, store) = store();
    store.save(vec![new(happened("evt_1", "P1", "incident.created"), &["chat"])]).await.expect("saved");
    other(&dir).execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM event").expect("deleted");

    let checked = store.reader().expect("reader").check();

    assert!(checked.as_ref().is_err_and(|why| why.contains("1 events that wait")), "{checked:?}");
}

#[tokio::test]
async fn what_happened_to_a_forgotten_incident_may_happen_again() {
    let (_dir, store) = store();
    store.save(vec![new(happened("evt_1", "P1", "incident.created"), &["chat"])]).await.expect("saved");

    store.save(vec![Write::Forget(incident_key("P1"))]).await.expect("saved");
    store.save(vec![new(happened("evt_2", "P1", "incident.created"), &["chat"])]).await.expect("saved");

    assert_eq!(queue(&store, "chat"), ["evt_1", "evt_2"]);
}

#[tokio::test]
async fn an_attempt_leaves_the_queue_with_the_line_that_tells_of_it() {
    let (dir, store) = store();
    let event = happened("evt_1", "P1", "incident.created");
    store.save(vec![new(event.clone(), &["chat"])]).await.expect("saved");
    let reader = store.reader().expect("reader");
    let id = reader.waiting(&target("chat"), ForwardId(0)).expect("waiting").remove(0).id;

    assert_eq!(store.begin(id, at(3)).await, Ok(Begun::Yes));
    let begun = reader.waiting(&target("chat"), ForwardId(0)).expect("waiting").remove(0);
    assert_eq!((begun.begun, begun.attempts), (Some(at(3)), 1));
    let again =
        Ended { attempt: attempt(&event, Verdict::Failed), then: Then::Again { id, due: at(9) }, standing: None };
    store.end(again).await.expect("ended");
    let later = reader.waiting(&target("chat"), ForwardId(0)).expect("waiting").remove(0);
    assert_eq!((later.begun, later.attempts, later.due), (None, 1, at(9)));
    let standing = Some("{\"a\":1}".to_owned());
    let done = Ended { attempt: attempt(&event, Verdict::Sent), then: Then::Leave(id), standing };
    let line = store.end(done).await.expect("ended");

    assert_eq!(queue(&store, "chat"), [""; 0]);
    assert_eq!(reader.standings(), Ok(vec![(target("chat"), "{\"a\":1}".to_owned())]));
    let stored = reader.delivery(line.id).expect("readable").expect("there");
    assert_eq!(stored.summary, line);
    assert_eq!((line.direction, line.verdict, line.latency_us), (Direction::Outgoing, Verdict::Sent, Some(7)));
    assert_eq!((stored.response.as_slice(), stored.format), (b"ok\x1b[2J".as_slice(), Some(Format::Custom)));
    assert_eq!(store.begin(id, at(4)).await, Ok(Begun::Gone));
    assert_eq!(reader.unapplied().expect("readable"), []);
    assert_eq!(reader.rhythm(&account("prod"), 9), Ok(vec![]));
    assert_eq!(event_ids(&reader), [""; 0]);
    assert_eq!(reader.check(), Ok(()));
    drop(store);
    assert_eq!(
        Store::open(dir.path()).expect("reopened").record(super::event("evt_1")).await.map(|it| it.summary.verdict),
        Ok(Verdict::Accepted)
    );
}

#[tokio::test]
async fn a_queue_that_is_dropped_leaves_one_line_and_no_events() {
    let (_dir, store) = store();
    let events = [1, 2, 3].map(|n| happened(&format!("evt_{n}"), "P1", "incident.handoff"));
    store.save(events.iter().map(|event| new(event.clone(), &["chat"])).collect::<Vec<_>>()).await.expect("saved");

    let (dropped, line) = store.drop_waiting(target("chat"), at(5), "it is off").await.expect("dropped");

    let line = line.expect("a line");
    assert_eq!((dropped, line.reason.as_str()), (3, "it is off; 3 events that waited will not be sent"));
    assert_eq!((line.incident, line.event_id, line.target), (None, None, Some(target("chat"))));
    assert_eq!(store.reader().expect("reader").event("evt_1"), Ok(None));
    assert_eq!(store.drop_waiting(target("chat"), at(6), "it is off").await, Ok((0, None)));
}

#[tokio::test]
async fn numbers_of_places_in_a_queue_are_not_used_again() {
    let (_dir, store) = store();
    let place = |event: &str| {
        let all = store.reader().expect("reader").waiting(&target("chat"), ForwardId(0)).expect("waiting");
        all.into_iter().find(|queued| queued.event == event).map(|queued| queued.id)
    };
    store.save(vec![new(happened("evt_1", "P1", "incident.handoff"), &["chat"])]).await.expect("saved");
    let first = place("evt_1").expect("queued");
    store.drop_waiting(target("chat"), at(5), "it is off").await.expect("dropped");

    store.save(vec![new(happened("evt_2", "P1", "incident.handoff"), &["chat"])]).await.expect("saved");

    assert!(place("evt_2").is_some_and(|second| second > first));
}

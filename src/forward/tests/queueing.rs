//! What waits, in which order it goes, how often, and what an end in the middle leaves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Post, kinds, looks, name, observation, set_clock,
    sink::{Reply, Sink},
    summary, target, until,
};
use crate::{
    core::{
        delivery::Verdict,
        forward::{TargetState, TargetSummary},
        id::DeliveryId,
        incident::Status,
    },
    forward::{Target, happened::ROOM},
    store::{Begun, ForwardId, NewEvent, StoreError, tests::other},
};

fn full() -> StoreError {
    StoreError::Other { path: "the store".into(), cause: "no space left".into() }
}

fn ids(sink: &Sink) -> Vec<String> {
    sink.heard().iter().filter_map(|heard| heard.header("webhook-id").map(str::to_owned)).collect()
}

#[tokio::test]
async fn t34_a_target_that_hangs_holds_up_no_other() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let hanging = Sink::new(|_, _| Reply::Hang(String::new())).await;
    post.set([target("slow", &hanging.url()), target("chat", &sink.url())]);
    let began = Instant::now();

    for n in 0..12 {
        post.triggered(&format!("P{n}")).await;
    }
    post.idle("chat").await;

    assert_eq!(sink.count(), 12);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((hanging.count(), post.waiting("slow")), (4, 12), "four at a time");
}

#[tokio::test]
async fn t48_each_incident_keeps_its_order_though_attempts_fail_and_are_made_again() {
    // Every second request is refused, to be made again at once.
    let again = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
    let sink = Sink::new(move |n, _| if n % 2 == 0 { Reply::bytes(again) } else { Reply::status(200) }).await;
    let mut post = Post::new();
    post.set([Target { retries: 10, ..target("chat", &sink.url()) }]);

    for n in 0..4 {
        post.triggered(&format!("P{n}")).await;
    }
    for n in 0..4 {
        post.acknowledged(&format!("P{n}")).await;
        post.resolved(&format!("P{n}")).await;
    }
    let began = Instant::now();
    while post.waiting("chat") > 0 {
        assert!(began.elapsed() < super::PATIENCE, "{:?}", post.reasons());
        // The clock on the wall stands still in these tests.
        set_clock(super::now().as_second() - 1_700_000_000 + 1);
        post.forwarder.knock(&[name("chat")]);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    let lines = post.log();
    for n in 0..4 {
        let incident = super::key(&format!("P{n}"));
        let own = lines.iter().filter(|line| line.summary.incident.as_ref() == Some(&incident));
        let sent = own.filter(|line| line.summary.verdict == Verdict::Sent);
        let sent: Vec<_> = sent.filter_map(|line| line.summary.event_type.as_ref().map(ToString::to_string)).collect();
        assert_eq!(sent, ["incident.created", "incident.acknowledged", "incident.resolved"]);
    }
}

#[tokio::test]
async fn t49_what_is_told_twice_is_sent_once_also_after_a_restart() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    post.triggered("P1").await;
    post.idle("chat").await;

    let mut post = post.again();
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    post.board.incidents.clear();
    post.triggered("P1").await;
    post.told(Some(&observation("P1", Status::Acknowledged, 5)), &super::key("P1"), None).await;
    post.acknowledged("P1").await;
    post.idle("chat").await;

    assert_eq!(kinds(&sink), ["incident.created", "incident.acknowledged"]);
}

#[tokio::test]
async fn t51_nothing_is_tried_again_by_itself_and_resending_makes_a_new_line_of_the_same_event() {
    let sink = Sink::new(|n, _| Reply::status(if n == 0 { 500 } else { 200 })).await;
    let mut post = Post::new();
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    post.idle("chat").await;
    post.acknowledged("P1").await;
    post.idle("chat").await;
    assert_eq!((sink.count(), post.log().len()), (2, 2));

    let failed = post.log()[0].summary.id;
    post.forwarder.resend(failed).await.expect("queued");
    post.logged(3).await;

    let all = ids(&sink);
    assert_eq!((all.len(), &all[2]), (3, &all[0]));
    let statuses: Vec<Value> = sink.heard().iter().map(|heard| heard.json()["data"]["status"].clone()).collect();
    assert_eq!(statuses, ["open", "acknowledged", "open"], "as it was then");
    let verdicts: Vec<Verdict> = post.log().iter().map(|line| line.summary.verdict).collect();
    assert_eq!(verdicts, [Verdict::Failed, Verdict::Sent, Verdict::Sent]);
    assert!(post.forwarder.resend(DeliveryId(99)).await.is_err_and(|why| why.contains("not kept")));
}

#[tokio::test]
async fn all_that_failed_last_are_sent_again_and_nothing_else() {
    let works = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&works);
    let sink = Sink::new(move |_, _| Reply::status(if told.load(Ordering::Relaxed) { 200 } else { 500 })).await;
    let fine = Sink::with_status(200).await;
    let mut post = Post::new();
    post.set([target("chat", &sink.url()), target("mail", &fine.url())]);
    for n in 0..3 {
        post.triggered(&format!("P{n}")).await;
    }
    post.logged(6).await;
    works.store(true, Ordering::Relaxed);
    let first = post.log().iter().find(|line| line.summary.verdict == Verdict::Failed).map(|line| line.summary.id);
    post.forwarder.resend(first.expect("one")).await.expect("queued");
    post.logged(7).await;
    post.idle("chat").await;

    assert_eq!(post.forwarder.resend_failed(Some(&name("mail"))).await, Ok(0));
    assert_eq!(post.forwarder.resend_failed(None).await, Ok(2));
    post.logged(9).await;
    post.idle("chat").await;
    assert_eq!(post.forwarder.resend_failed(None).await, Ok(0));
    post.forwarder.switch(&name("chat"), false).await.expect("switched");
    assert!(post.forwarder.resend_failed(Some(&name("chat"))).await.is_err_and(|why| why.contains("is off")));
}

#[tokio::test]
async fn with_retries_a_failed_attempt_is_made_again_later_so_often_and_no_more() {
    let mut post = Post::new();
    let sink = Sink::with_status(500).await;
    post.set([Target { retries: 2, ..target("chat", &sink.url()) }]);

    post.triggered("P1").await;
    post.logged(1).await;
    assert_eq!((sink.count(), post.waiting("chat")), (1, 1));
    for attempts in 2..=3 {
        set_clock(attempts * 100);
        post.forwarder.knock(&[name("chat")]);
        post.logged(usize::try_from(attempts).expect("small")).await;
    }
    post.idle("chat").await;

    let all = ids(&sink);
    assert!(all.len() == 3 && all.iter().all(|id| *id == all[0]), "{all:?}");
    let reasons = post.reasons();
    assert!(reasons[0].starts_with("500 Internal Server Error; attempt 1 of 3, again in "), "{reasons:?}");
    assert_eq!(reasons[2], "500 Internal Server Error; attempt 3 of 3, given up");
}

#[tokio::test]
async fn t52_the_queue_has_an_end_and_what_is_beyond_it_is_in_the_log() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    post.idle("chat").await;
    post.logged(1).await;
    until("counted", || post.forwarder.summaries()[0].waiting == 0).await;
    post.forwarder.lane(&name("chat")).expect("there").waiting.store(ROOM, Ordering::Relaxed);

    post.acknowledged("P1").await;

    post.logged(2).await;
    let line = post.log()[1].summary.clone();
    assert_eq!((line.verdict, line.status), (Verdict::Failed, 0));
    assert!(line.reason.as_str().starts_with("not sent: too many events wait for chat"), "{}", line.reason);
    until("told", || post.told_lines().iter().any(|told| told.id == line.id)).await;
    post.forwarder.resend(line.id).await.expect("queued");
    post.logged(3).await;
    assert_eq!(kinds(&sink), ["incident.created", "incident.acknowledged"]);
}

#[tokio::test]
async fn t53_at_the_end_what_is_due_is_sent_and_the_rest_waits_for_the_next_start() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let hanging = Sink::new(|_, _| Reply::Hang(String::new())).await;
    post.set([target("chat", &sink.url()), target("slow", &hanging.url())]);
    for n in 0..20 {
        post.triggered(&format!("P{n}")).await;
    }

    post.forwarder.finish(Duration::from_millis(1500)).await;
    assert_eq!((sink.count(), post.waiting("chat"), post.waiting("slow")), (20, 0, 20));

    let post = post.again();
    post.set([target("chat", &sink.url()), target("slow", &sink.url())]);
    post.idle("slow").await;
    let slow = post.log().into_iter().filter(|line| line.summary.target == Some(name("slow")));
    let unknown = slow.filter(|line| line.summary.reason.as_str().contains("not known whether it arrived"));
    assert_eq!((unknown.count(), sink.count()), (4, 40));
}

#[tokio::test]
async fn an_attempt_that_was_begun_when_it_ended_is_told_as_unknown_and_made_again_with_its_id() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let chat = target("chat", &sink.url());
    let mut broken = summary(&chat);
    broken.state = TargetState::Broken { reason: "later".into() };
    post.forwarder.set(vec![(chat.clone(), broken)]);
    post.triggered("P1").await;
    // From here on it takes nothing for begun by an earlier run.
    post.has_read("chat").await;
    let queued = post.reader().waiting(&name("chat"), ForwardId(0)).expect("waiting").remove(0);
    assert_eq!(post.store.begin(queued.id, super::now()).await, Ok(Begun::Yes));

    let post = post.again();
    post.set([chat]);
    post.logged(2).await;
    post.idle("chat").await;

    assert_eq!(ids(&sink), [queued.event.as_str()]);
    let reasons = post.reasons();
    assert!(reasons[0].contains("not known whether it arrived"), "{reasons:?}");
    assert_eq!(reasons[1], "200 OK");
}

#[tokio::test]
async fn what_waits_for_a_target_that_is_taken_away_is_dropped_and_what_is_under_way_is_told() {
    let mut post = Post::new();
    let hanging = Sink::new(|_, _| Reply::Hang(String::new())).await;
    let sink = Sink::with_status(200).await;
    post.set([target("old", &hanging.url()), target("new", &sink.url())]);
    for n in 0..6 {
        post.triggered(&format!("P{n}")).await;
    }
    post.idle("new").await;
    until("under way", || hanging.count() == 4).await;

    post.set([target("new", &sink.url())]);
    post.idle("old").await;

    let old = post.log().into_iter().map(|line| line.summary).filter(|line| line.target == Some(name("old")));
    let (dropped, tried): (Vec<_>, Vec<_>) = old.partition(|line| line.event_id.is_none());
    let reasons: Vec<_> = dropped.iter().map(|line| line.reason.as_str()).collect();
    assert_eq!(reasons, ["this target is not configured any more; 2 events that waited will not be sent"]);
    assert_eq!((tried.len(), hanging.count()), (4, 4), "each attempt stands in the log");
}

#[tokio::test]
async fn a_target_that_comes_back_waits_for_what_it_had_under_way() {
    let (mut post, works) = (Post::new(), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&works);
    let fine = || Reply::status(200);
    let sink =
        Sink::new(move |_, _| if told.load(Ordering::Relaxed) { fine() } else { Reply::Hang(String::new()) }).await;
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    until("under way", || sink.count() == 1).await;
    works.store(true, Ordering::Relaxed);

    post.set([]);
    post.set([target("chat", &sink.url())]);
    post.acknowledged("P1").await;
    post.idle("chat").await;

    assert_eq!(kinds(&sink), ["incident.created", "incident.acknowledged"], "nothing is sent twice");
    let verdicts: Vec<Verdict> = post.log().iter().map(|line| line.summary.verdict).collect();
    assert_eq!(verdicts, [Verdict::Failed, Verdict::Sent]);
}

#[tokio::test]
async fn what_an_earlier_run_had_under_way_to_a_target_that_is_gone_is_told_and_not_sent() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let chat = target("chat", &sink.url());
    let mut broken = summary(&chat);
    broken.state = TargetState::Broken { reason: "later".into() };
    post.forwarder.set(vec![(chat, broken)]);
    post.triggered("P1").await;
    post.acknowledged("P1").await;
    post.has_read("chat").await;
    let queued = post.reader().waiting(&name("chat"), ForwardId(0)).expect("waiting").remove(0);
    assert_eq!(post.store.begin(queued.id, super::now()).await, Ok(Begun::Yes));

    let post = post.again();
    post.set([]);
    post.idle("chat").await;
    post.logged(2).await;

    let reasons = post.reasons();
    assert!(
        reasons[0]
            .ends_with("not known whether it arrived; this target is not configured any more, so it is not sent again"),
        "{reasons:?}"
    );
    assert_eq!(reasons[1], "this target is not configured any more; 1 event that waited will not be sent");
}

#[tokio::test]
async fn what_could_not_be_written_down_goes_before_what_happened_later() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    let seen = observation("P1", Status::Triggered, 0);
    let lost = post.judged(Some(&seen), &seen.key, Some("incident.triggered"));

    post.forwarder.written(lost, Err(&full()));
    post.acknowledged("P1").await;
    post.resolved("P1").await;
    until("all of it", || sink.count() == 3).await;

    assert_eq!(kinds(&sink), ["incident.created", "incident.acknowledged", "incident.resolved"]);
    post.idle("chat").await;
    post.happens("incident.reassigned", &observation("P1", Status::Resolved, 30)).await;
    until("what happened after that", || sink.count() == 4).await;
}

#[tokio::test]
async fn what_could_not_be_written_down_is_written_with_the_next_change() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    let kinds_of = |events: &[Arc<NewEvent>]| -> Vec<String> {
        events.iter().map(|new| new.event.kind.as_str().to_owned()).collect()
    };
    let told = |post: &mut Post, status, event_type| {
        let seen = observation("P1", status, post.deliveries);
        post.judged(Some(&seen), &seen.key, Some(event_type))
    };
    let lost = told(&mut post, Status::Triggered, "incident.triggered");
    post.forwarder.written(lost, Err(&full()));

    let two = told(&mut post, Status::Acknowledged, "incident.acknowledged");
    assert_eq!(kinds_of(&two), ["incident.created", "incident.acknowledged"]);
    post.forwarder.written(two, Err(&full()));
    let three = told(&mut post, Status::Resolved, "incident.resolved");
    assert_eq!(kinds_of(&three), ["incident.created", "incident.acknowledged", "incident.resolved"]);
    post.write(three).await;

    post.logged(3).await;
    assert_eq!(kinds(&sink), ["incident.created", "incident.acknowledged", "incident.resolved"]);
    let after = told(&mut post, Status::Resolved, "incident.reassigned");
    assert_eq!(kinds_of(&after), ["incident.handoff"], "nothing waits any more");
}

#[tokio::test]
async fn an_event_that_cannot_be_stored_fails_no_later_change() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    let seen = observation("P1", Status::Triggered, 0);
    let bad = post.judged(Some(&seen), &seen.key, Some("incident.triggered"));
    let refuse = format!(
        "CREATE TRIGGER no BEFORE INSERT ON event WHEN NEW.id = '{}' BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        bad[0].event.id
    );
    other(&post.dir).execute_batch(&refuse).expect("trigger");
    post.write(bad).await;

    let seen = observation("P1", Status::Acknowledged, 10);
    let later = post.judged(Some(&seen), &seen.key, Some("incident.acknowledged"));

    assert!(later.iter().all(|new| new.event.kind.as_str() == "incident.acknowledged"), "{later:?}");
    post.write(later).await;
    post.logged(1).await;
    assert_eq!(kinds(&sink), ["incident.acknowledged"]);
}

#[tokio::test]
async fn a_test_says_nothing_of_the_event_it_is_made_of() {
    let works = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&works);
    let sink = Sink::new(move |_, _| Reply::status(if told.load(Ordering::Relaxed) { 200 } else { 500 })).await;
    let mut post = Post::new();
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    post.idle("chat").await;
    let id = ids(&sink)[0].clone();
    let (event, _) = post.reader().event(&id).expect("readable").expect("kept");

    works.store(false, Ordering::Relaxed);
    let test = post.forwarder.test(&name("chat"), event.clone(), Value::Null).await.expect("tried");

    assert_eq!(post.forwarder.resend_failed(None).await, Ok(0), "what arrived is not sent again");
    assert!(post.forwarder.resend(test).await.is_err_and(|why| why.contains("a test, perhaps")));
    assert_ne!(ids(&sink)[1], id);
    post.acknowledged("P1").await;
    post.idle("chat").await;
    works.store(true, Ordering::Relaxed);
    post.forwarder.test(&name("chat"), event, Value::Null).await.expect("tried");
    assert_eq!(post.forwarder.resend_failed(None).await, Ok(1), "what failed still does");
}

#[tokio::test]
async fn events_are_let_go_of_when_nothing_refers_to_them_any_more() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url()), target("mail", &sink.url())]);
    post.triggered("P1").await;
    post.triggered("P2").await;
    post.logged(4).await;
    post.idle("chat").await;
    post.idle("mail").await;
    let first = ids(&sink)[0].clone();
    assert!(post.reader().event(&first).expect("readable").is_some());

    let keep = |deliveries| crate::store::Keep { age: Duration::MAX, deliveries, size: u64::MAX };
    while post.store.prune_some(keep(1), super::now()).await.expect("pruned") {}

    let kept: Vec<bool> = ids(&sink).iter().map(|id| post.reader().event(id).expect("readable").is_some()).collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 2, "that of the last line, which went to both: {kept:?}");
}

#[tokio::test]
async fn events_that_cannot_be_read_hold_nothing_up_and_the_log_says_so() {
    let (post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    post.has_read("chat").await;
    let damaged = |n| {
        format!(
            "INSERT INTO event VALUES ('evt_{n}', 1, 'prod', 'X{n}', NULL, '{{}}');
             INSERT INTO forward (event, target, account, incident, due, begun)
             VALUES ('evt_{n}', 'chat', 'prod', 'X{n}', 1, {});",
            if n == 0 { "1" } else { "NULL" }
        )
    };
    other(&post.dir).execute_batch(&(0..6).map(damaged).collect::<String>()).expect("damaged");

    // One of them was begun by an earlier run.
    let mut post = post.again();
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    until("what can be read is sent", || sink.count() == 1).await;
    post.idle("chat").await;

    post.logged(8).await;
    let reasons = post.reasons();
    assert!(reasons[0].starts_with("event evt_0 of incident X0: dogwatch ended while this was sent"), "{reasons:?}");
    let unread = reasons.iter().filter(|reason| reason.contains(": it cannot be read, so nothing was sent: "));
    assert_eq!(unread.count(), 6, "{reasons:?}");
    assert_eq!(kinds(&sink), ["incident.created"]);
}

#[tokio::test]
async fn a_target_that_cannot_be_sent_to_sleeps_though_an_attempt_is_due() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    let chat = Target { retries: 2, ..target("chat", &sink.url()) };
    post.set([chat.clone()]);
    post.triggered("P1").await;
    post.logged(1).await;
    let mut broken = summary(&chat);
    broken.state = TargetState::Broken { reason: "its address cannot be read".into() };
    post.forwarder.set(vec![(chat, broken)]);
    set_clock(100);
    post.has_read("chat").await;

    let before = looks();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(20)).await;
    tokio::time::resume();

    assert!(looks() - before < 5, "{} times within 20 s", looks() - before);
    assert_eq!((sink.count(), post.waiting("chat")), (1, 1));
}

#[tokio::test]
async fn what_is_written_down_after_its_target_was_taken_away_is_let_go_of_and_not_sent_when_it_comes_back() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    let seen = observation("P1", Status::Triggered, 0);
    let late = post.judged(Some(&seen), &seen.key, Some("incident.triggered"));
    let chat = post.forwarder.lane(&name("chat")).expect("there");
    post.set([]);
    chat.ended.cancelled().await;
    // What is looked for when a target is taken away is not there yet.
    let tasks = &post.forwarder.0.tasks;
    until("that is looked for", || tasks.is_empty()).await;

    post.write(late).await;
    post.idle("chat").await;

    post.logged(1).await;
    assert_eq!(post.reasons(), ["this target is not configured any more; 1 event that waited will not be sent"]);
    post.set([target("chat", &sink.url())]);
    post.acknowledged("P1").await;
    until("what happens later", || sink.count() > 0).await;
    assert_eq!(kinds(&sink), ["incident.acknowledged"]);
}

#[tokio::test]
async fn an_attempt_that_is_begun_is_made_though_its_target_cannot_be_sent_to_any_more() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let chat = target("chat", &sink.url());
    let cannot = || {
        let state = TargetState::Broken { reason: "its address cannot be read".into() };
        vec![(Target { url: String::new().into(), ..chat.clone() }, TargetSummary { state, ..summary(&chat) })]
    };
    post.set([chat.clone()]);
    post.has_read("chat").await;
    post.forwarder.set(cannot());
    post.triggered("P1").await;
    post.has_read("chat").await;
    let db = other(&post.dir);
    db.execute_batch("BEGIN IMMEDIATE").expect("lock");
    // What is asked for after it waits in the queue of the store.
    let mut before = Box::pin(post.store.save(vec![]));
    assert!(futures_util::poll!(before.as_mut()).is_pending());
    until("the store waits", || post.store.queued() == 0).await;

    post.set([chat.clone()]);
    until("an attempt is to be begun", || post.store.queued() == 1).await;
    post.forwarder.set(cannot());
    db.execute_batch("ROLLBACK").expect("unlock");

    post.idle("chat").await;
    assert_eq!((post.reasons(), sink.count()), (vec!["200 OK".to_owned()], 1));
}

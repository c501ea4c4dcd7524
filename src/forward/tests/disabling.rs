//! A target that fails for too long is disabled, and that is seen.

use super::{
    Post, kinds, name, observation, set_clock,
    sink::{Reply, Sink},
    target, until,
};
use crate::{
    core::{board::Change, delivery::Verdict, forward::TargetState, incident::Status},
    forward::{Target, announce},
    store::tests::other,
};

const DAY: i64 = 24 * 3600;

/// Fails at the beginning and once more three days and a second later.
async fn fail_for_three_days(post: &mut Post) {
    post.triggered("P1").await;
    post.logged(1).await;
    post.idle("chat").await;
    // By no other clock did any time pass, so the next run has to be another one.
    set_clock(3 * DAY + 1);
}

#[tokio::test]
async fn t42_a_target_that_is_disabled_is_shown_as_such_with_when_and_why_and_in_the_log() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    post.set([target("chat", &sink.url())]);
    tokio::spawn(announce(post.forwarder.clone(), tokio_util::sync::CancellationToken::new()));
    fail_for_three_days(&mut post).await;
    let mut post = post.again();
    post.set([target("chat", &sink.url())]);
    tokio::spawn(announce(post.forwarder.clone(), tokio_util::sync::CancellationToken::new()));

    post.acknowledged("P1").await;
    post.logged(2).await;

    let TargetState::Disabled { at, reason } = post.state("chat") else { panic!("{:?}", post.state("chat")) };
    assert_eq!(at, super::now());
    assert!(reason.as_str().starts_with("every attempt failed for more than 3 days, since 2023-11-14"), "{reason}");
    assert!(post.reasons()[1].contains("DISABLED"), "{:?}", post.reasons());
    until("consoles are told", || {
        let told = post.told.lock().expect("told");
        let disabled = |change: &Change| match change {
            Change::Targets(all) => matches!(all[0].state, TargetState::Disabled { .. }),
            _ => false,
        };
        told.iter().any(disabled)
    })
    .await;
    post.resolved("P1").await;
    assert_eq!((sink.count(), post.log().len()), (2, 2), "it gets nothing and leaves no line");

    let post = post.again();
    post.set([target("chat", &sink.url())]);
    assert!(matches!(post.state("chat"), TargetState::Disabled { .. }), "also after a restart");
}

#[tokio::test]
async fn a_clock_that_jumps_three_days_within_one_run_disables_nothing() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    post.set([target("chat", &sink.url())]);
    fail_for_three_days(&mut post).await;

    post.acknowledged("P1").await;
    post.logged(2).await;

    assert_eq!(post.state("chat"), TargetState::On);
}

#[tokio::test]
async fn t43_what_waits_for_a_target_when_it_is_disabled_is_dropped_and_the_log_says_how_much() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    post.set([target("chat", &sink.url())]);
    fail_for_three_days(&mut post).await;
    let mut post = post.again();
    let chat = target("chat", &sink.url());
    let mut broken = super::summary(&chat);
    broken.state = TargetState::Broken { reason: "for now".into() };
    post.forwarder.set(vec![(chat.clone(), broken)]);
    post.acknowledged("P1").await;
    post.resolved("P1").await;
    post.happens("incident.reassigned", &super::observation("P1", crate::core::incident::Status::Resolved, 30)).await;
    assert_eq!(post.waiting("chat"), 3);

    post.set([chat]);
    post.idle("chat").await;

    assert_eq!((sink.count(), post.log().len()), (2, 2), "the first of them failed, the others are not sent");
    let last = post.log().pop().expect("a line").summary;
    assert_eq!(last.verdict, Verdict::Failed);
    assert!(last.reason.as_str().ends_with("DISABLED; 2 events that waited will not be sent"), "{}", last.reason);
    assert!(matches!(post.state("chat"), TargetState::Disabled { .. }));
}

#[tokio::test]
async fn t44_switched_on_again_it_begins_anew() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    post.set([target("chat", &sink.url())]);
    fail_for_three_days(&mut post).await;
    let mut post = post.again();
    post.set([target("chat", &sink.url())]);
    post.acknowledged("P1").await;
    post.logged(2).await;

    post.forwarder.switch(&name("chat"), true).await.expect("switched");
    assert_eq!(post.state("chat"), TargetState::On);
    set_clock(3 * DAY + 60);
    post.resolved("P1").await;
    post.logged(3).await;

    assert_eq!(post.state("chat"), TargetState::On);
    let summary = post.forwarder.summaries().remove(0);
    assert_eq!((summary.failing_since, summary.last), (Some(super::now()), Some((super::now(), false))));
    assert!(post.forwarder.switch(&name("mail"), true).await.is_err_and(|why| why == "no target is called mail"));
}

#[tokio::test]
async fn t45_with_another_address_it_has_not_failed_yet_and_the_address_is_on_no_disk() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    post.set([target("chat", &sink.url())]);
    fail_for_three_days(&mut post).await;
    let mut post = post.again();
    post.set([target("chat", &format!("{}&moved=yes", sink.url()))]);

    post.acknowledged("P1").await;
    post.logged(2).await;

    assert_eq!(post.state("chat"), TargetState::On);
    assert!(!super::on_disk(post.dir.path()).contains("s3cret"));
}

#[tokio::test]
async fn switched_off_it_gets_nothing_more_what_waited_is_dropped_and_what_was_under_way_is_told() {
    let mut post = Post::new();
    let hanging = Sink::new(|_, _| Reply::Hang(String::new())).await;
    post.set([Target { retries: 3, ..target("chat", &hanging.url()) }]);
    post.triggered("P1").await;
    until("under way", || hanging.count() == 1).await;
    post.acknowledged("P1").await;

    post.forwarder.switch(&name("chat"), false).await.expect("switched");
    post.resolved("P1").await;

    assert_eq!(post.state("chat"), TargetState::Off);
    assert_eq!(post.waiting("chat"), 1, "what is under way");
    assert_eq!(post.reasons(), ["this target was switched off; 1 event that waited will not be sent"]);
    post.idle("chat").await;
    let last = post.log().pop().expect("a line").summary;
    assert_eq!((post.log().len(), hanging.count(), last.status), (2, 1, 0));
    assert!(last.reason.as_str().ends_with("attempt 1 of 4, given up"), "{}", last.reason);
    let post = post.again();
    post.set([target("chat", &hanging.url())]);
    assert_eq!(post.state("chat"), TargetState::Off, "also after a restart");
}

#[tokio::test]
async fn what_is_written_down_after_it_was_switched_off_is_let_go_of_and_not_sent_when_it_opens_again() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    let seen = observation("P1", Status::Triggered, 0);
    let late = post.judged(Some(&seen), &seen.key, Some("incident.triggered"));
    post.forwarder.switch(&name("chat"), false).await.expect("switched");
    post.has_read("chat").await;

    post.write(late).await;
    post.idle("chat").await;

    post.logged(1).await;
    assert_eq!(post.reasons(), ["this target is off; 1 event that waited will not be sent"]);
    post.forwarder.switch(&name("chat"), true).await.expect("switched");
    post.acknowledged("P1").await;
    until("what happens later", || sink.count() > 0).await;
    assert_eq!(kinds(&sink), ["incident.acknowledged"]);
}

#[tokio::test]
async fn what_was_sent_and_cannot_be_written_down_is_not_sent_again_when_it_was_off_meanwhile() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    let refuse = "CREATE TRIGGER no AFTER INSERT ON delivery WHEN NEW.target IS NOT NULL
         BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    other(&post.dir).execute_batch(refuse).expect("trigger");
    post.triggered("P1").await;
    until("it is sent", || sink.count() == 1).await;
    until("it is over", || post.forwarder.summaries()[0].waiting == 0).await;
    other(&post.dir).execute_batch("DROP TRIGGER no").expect("mended");

    post.forwarder.switch(&name("chat"), false).await.expect("switched");
    post.has_read("chat").await;
    post.forwarder.switch(&name("chat"), true).await.expect("switched");
    post.acknowledged("P1").await;
    post.logged(1).await;

    assert_eq!(kinds(&sink), ["incident.created", "incident.acknowledged"]);
}

#[tokio::test]
async fn switched_off_and_on_again_during_an_attempt_it_gets_that_event_again_before_what_happened_later() {
    let mut post = Post::new();
    let sink = Sink::new(|n, _| if n == 0 { Reply::Hang(String::new()) } else { Reply::status(200) }).await;
    post.set([Target { retries: 3, ..target("chat", &sink.url()) }]);
    post.triggered("P1").await;
    until("under way", || sink.count() == 1).await;
    post.triggered("P2").await;
    post.logged(1).await;
    post.acknowledged("P1").await;

    post.forwarder.switch(&name("chat"), false).await.expect("switched");
    until("what waited is let go of", || post.forwarder.summaries()[0].waiting == 1).await;
    post.forwarder.switch(&name("chat"), true).await.expect("switched");
    post.resolved("P1").await;
    post.triggered("P3").await;

    until("what waits for nothing", || sink.count() == 3).await;
    post.logged(4).await;
    assert_eq!(post.waiting("chat"), 2, "the attempt under way, and what waits for it: {:?}", post.reasons());
    until("the attempt is over", || post.reasons().iter().any(|it| it.contains("attempt 1 of 4, again in"))).await;
    set_clock(100);
    post.forwarder.knock(&[name("chat")]);
    post.idle("chat").await;
    let heard: Vec<_> = sink.heard().iter().map(super::sink::Heard::json).collect();
    let of_first = heard.iter().filter(|it| it["data"]["id"] == "P1");
    let kinds: Vec<_> = of_first.map(|it| it["type"].as_str().expect("type").to_owned()).collect();
    assert_eq!(kinds, ["incident.created", "incident.created", "incident.resolved"]);
}

#[tokio::test]
async fn an_old_switch_does_not_hold_against_settings_that_came_after_it() {
    let (post, sink) = (Post::new(), Sink::with_status(200).await);
    let configured = |enabled| post.set([Target { enabled, ..target("chat", &sink.url()) }]);
    configured(false);
    post.forwarder.switch(&name("chat"), true).await.expect("switched");
    assert_eq!(post.state("chat"), TargetState::On);

    configured(true);
    configured(false);

    assert_eq!(post.state("chat"), TargetState::Off);
    let kept = || post.reader().standings().expect("standings").remove(0).1;
    until("that is kept", || kept().contains("\"switched\":null")).await;
    let post = post.again();
    post.set([Target { enabled: false, ..target("chat", &sink.url()) }]);
    assert_eq!(post.state("chat"), TargetState::Off, "also after a restart");
}

#[tokio::test]
async fn a_switch_that_could_not_be_written_down_is_not_in_force() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    until("how it stands is kept", || !post.reader().standings().expect("standings").is_empty()).await;
    let db = other(&post.dir);
    let refuse = "CREATE TRIGGER no BEFORE INSERT ON target BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    db.execute_batch(refuse).expect("trigger");

    let off = post.forwarder.switch(&name("chat"), false).await;

    assert!(off.as_ref().is_err_and(|why| why.contains("not this one")), "{off:?}");
    assert_eq!(post.state("chat"), TargetState::On);
    db.execute_batch("DROP TRIGGER no").expect("mended");
    post.triggered("P1").await;
    until("what happened is sent", || sink.count() == 1).await;
    post.idle("chat").await;
    post.forwarder.switch(&name("chat"), false).await.expect("switched");
    db.execute_batch(refuse).expect("trigger");
    let on = post.forwarder.switch(&name("chat"), true).await;
    assert!(on.is_err(), "{on:?}");
    assert_eq!(post.state("chat"), TargetState::Off);
}

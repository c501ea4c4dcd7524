//! What is sent, to whom, and what the log says of it.

use serde_json::Value;

use super::{Post, kinds, name, now, observation, on_disk, set_clock, sink::Sink, target, until};
use crate::{
    core::{
        delivery::{Direction, Format, Verdict},
        forward::{EventType, TargetState},
        incident::Status,
        query::{Clock, incident},
    },
    forward::{Basic, Signing, Target},
};

fn only(event: &str, target: Target) -> Target {
    Target { events: vec![EventType::new(event).expect("a name")], ..target }
}

#[tokio::test]
async fn t01_an_event_that_is_wanted_is_sent_once() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);

    post.triggered("P1").await;
    post.logged(1).await;
    post.idle("chat").await;

    assert_eq!(kinds(&sink), ["incident.created"]);
    assert_eq!(post.log().len(), 1);
    until("consoles see it", || post.told_lines().len() == 1).await;
}

#[tokio::test]
async fn t02_an_event_that_is_not_wanted_is_not_sent_and_leaves_no_line() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([only("incident.resolved", target("chat", &sink.url()))]);
    let wants = |name: &str| post.forwarder.wants(&EventType::new(name).expect("a name"));
    assert!(wants("incident.resolved") && !wants("incident.created"));

    post.triggered("P1").await;
    post.resolved("P1").await;
    post.logged(1).await;

    assert_eq!(kinds(&sink), ["incident.resolved"]);
}

#[tokio::test]
async fn t03_a_target_that_is_off_gets_nothing_and_leaves_no_line() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([Target { enabled: false, ..target("chat", &sink.url()) }]);
    assert_eq!(post.state("chat"), TargetState::Off);
    assert!(post.forwarder.is_idle());

    post.triggered("P1").await;
    post.forwarder.switch(&name("chat"), true).await.expect("switched");
    post.acknowledged("P1").await;
    post.logged(1).await;

    assert_eq!(kinds(&sink), ["incident.acknowledged"]);
    assert_eq!(post.log().len(), 1);
}

#[tokio::test]
async fn t04_events_that_only_one_provider_has_can_be_wanted() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([only("incident.annotated", target("chat", &sink.url()))]);

    post.triggered("P1").await;
    post.told(None, &super::key("P1"), Some("incident.annotated")).await;
    post.told(None, &super::key("unheard-of"), Some("incident.annotated")).await;
    post.logged(2).await;

    let ids: Vec<Value> = sink.heard().iter().map(|heard| heard.json()["data"]["id"].clone()).collect();
    assert!(ids.contains(&"P1".into()) && ids.contains(&"unheard-of".into()), "{ids:?}");
}

#[tokio::test]
async fn t05_t06_it_is_a_post_of_json_with_type_and_data_and_an_id() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);

    post.triggered("P1").await;
    post.logged(1).await;

    let heard = &sink.heard()[0];
    assert!(heard.line.starts_with("POST /services/T0/s3cret-path?key=s3cret-query HTTP/1.1"), "{}", heard.line);
    assert_eq!(heard.header("content-type"), Some("application/json"));
    assert!(heard.header("user-agent").is_some_and(|agent| agent.starts_with("dogwatch/")));
    assert_eq!(heard.header("authorization"), None);
    assert_eq!(heard.header("webhook-signature"), None);
    let id = heard.header("webhook-id").expect("an id").to_owned();
    assert!(id.starts_with("evt_"));
    assert_eq!(post.log()[0].summary.event_id.as_ref().map(ToString::to_string), Some(id));
    let body = heard.json();
    let keys: Vec<&String> = body.as_object().expect("object").keys().collect();
    assert_eq!(keys, ["type", "data"]);
    assert_eq!(body["data"]["id"], "P1");
}

#[tokio::test]
async fn t07_what_is_sent_is_the_incident_as_it_stood_then() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let broken = |target: &Target| {
        let mut summary = super::summary(target);
        summary.state = TargetState::Broken { reason: "its secret cannot be read".into() };
        summary
    };
    let chat = target("chat", &sink.url());
    post.forwarder.set(vec![(chat.clone(), broken(&chat))]);
    post.triggered("P1").await;
    post.acknowledged("P1").await;
    assert!(matches!(post.state("chat"), TargetState::Broken { .. }));
    assert_eq!((sink.count(), post.waiting("chat")), (0, 2), "they wait while it is broken");

    post.set([chat]);
    post.logged(2).await;

    let statuses: Vec<Value> = sink.heard().iter().map(|heard| heard.json()["data"]["status"].clone()).collect();
    assert_eq!(statuses, ["open", "acknowledged"]);
}

#[tokio::test]
async fn t08_times_are_whole_seconds_or_utc() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);

    post.triggered("P1").await;
    post.logged(1).await;

    let data = &sink.heard()[0].json()["data"];
    assert_eq!(data["created"].as_i64(), Some(now().as_second()));
    assert!(data["createdAt"].as_str().is_some_and(|at| at.contains(".000Z")), "{data}");
}

#[tokio::test]
async fn t09_user_and_password_go_as_basic_and_a_user_alone_has_an_empty_password() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let with = |name: &str, password: &str| Target {
        basic: Some(Basic { user: "ann".to_owned(), password: password.to_owned().into() }),
        ..target(name, &sink.url())
    };
    post.set([with("one", "s3cret-word"), with("two", "")]);

    post.triggered("P1").await;
    post.logged(2).await;

    let mut sent: Vec<_> = sink.heard().iter().map(|heard| heard.header("authorization").map(str::to_owned)).collect();
    sent.sort();
    assert_eq!(sent, [Some("Basic YW5uOg==".to_owned()), Some("Basic YW5uOnMzY3JldC13b3Jk".to_owned())]);
}

#[tokio::test]
async fn own_headers_are_added_and_may_take_the_place_of_usual_ones_but_not_of_the_id() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let with = |name: &str, headers: &[(&str, &str)]| Target {
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())).collect(),
        ..target(name, &sink.url())
    };
    post.set([
        with("fine", &[("X-Api-Key", "s3cret-key"), ("Content-Type", "application/cloudevents+json")]),
        with("wrong", &[("Webhook-Id", "mine")]),
    ]);

    post.triggered("P1").await;
    post.logged(2).await;

    assert_eq!(sink.count(), 1);
    let heard = &sink.heard()[0];
    assert_eq!(heard.header("x-api-key"), Some("s3cret-key"));
    assert_eq!(heard.header("content-type"), Some("application/cloudevents+json"));
    assert!(post.reasons().contains(&"one of its headers is not for it to say".to_owned()), "{:?}", post.reasons());
}

#[tokio::test]
async fn with_a_secret_it_is_signed_as_standard_webhooks_say() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let signing = || Signing { secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into() };
    post.set([Target { signing: Some(signing()), ..target("chat", &sink.url()) }]);

    post.triggered("P1").await;
    post.logged(1).await;

    let heard = &sink.heard()[0];
    let second = heard.header("webhook-timestamp").and_then(|at| at.parse().ok()).expect("a time");
    let expected = signing().sign(heard.header("webhook-id").expect("an id"), second, heard.body.as_bytes());
    assert_eq!(heard.header("webhook-signature"), expected.as_deref());
}

#[tokio::test]
async fn a_filter_leaves_out_what_is_not_wanted_and_nothing_that_it_cannot_tell_of() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let filtered = |name: &str, filter: &str| {
        let clock = Clock { now: now(), zone: &jiff::tz::TimeZone::UTC };
        let wanted = incident::read(filter, clock).expect("a filter");
        Target { filter: Some(wanted), ..target(name, &sink.url()) }
    };
    post.set([filtered("low", "urgency:low"), filtered("perhaps", "service:web"), filtered("here", "account:prod")]);

    post.triggered("P1").await;
    post.logged(2).await;

    let mut names: Vec<String> =
        post.log().iter().filter_map(|line| line.summary.target.as_ref().map(ToString::to_string)).collect();
    names.sort();
    assert_eq!(names, ["here", "perhaps"]);
}

#[tokio::test]
async fn t35_the_log_has_one_line_for_each_attempt_with_all_that_is_to_be_known() {
    let (mut post, sink) = (Post::new(), Sink::with_status(418).await);
    post.set([target("chat", &sink.url())]);
    set_clock(50);

    post.triggered("P1").await;
    post.logged(1).await;

    let all = post.log();
    let line = &all[0];
    let summary = &line.summary;
    assert_eq!((summary.direction, summary.verdict, summary.status), (Direction::Outgoing, Verdict::Failed, 418));
    assert_eq!(summary.target, Some(name("chat")));
    assert_eq!(summary.incident, Some(super::key("P1")));
    assert_eq!(summary.event_type.as_ref().map(ToString::to_string).as_deref(), Some("incident.created"));
    assert_eq!(summary.subject.as_ref().map(ToString::to_string).as_deref(), Some("disk full"));
    assert_eq!((summary.at, summary.reason.as_str()), (now(), "418 I'm a teapot"));
    assert!(summary.latency_us.is_some_and(|us| us > 0));
    assert_eq!(line.body, sink.heard()[0].body.as_bytes(), "the bytes that were sent");
    assert_eq!((line.response.as_slice(), line.format), (b"ok".as_slice(), Some(Format::Default)));
    assert_eq!(line.peer, format!("http://{}", sink.at));
}

#[tokio::test]
async fn t37_no_secret_is_in_the_log_nor_anywhere_on_disk() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    post.set([Target {
        basic: Some(Basic { user: "ann".to_owned(), password: "s3cret-word".to_owned().into() }),
        headers: vec![("x-api-key".to_owned(), "s3cret-key".to_owned().into())],
        signing: Some(Signing { secret: "whsec_czNjcmV0LXNpZ25pbmcta2V5".to_owned().into() }),
        ..target("chat", &sink.url())
    }]);

    post.triggered("P1").await;
    post.logged(1).await;

    let line = &post.log()[0];
    let shown = format!("{line:?}");
    assert!(line.headers.contains(&("authorization".to_owned(), "•••".to_owned())), "{:?}", line.headers);
    assert!(line.headers.contains(&("x-api-key".to_owned(), "•••".to_owned())), "{:?}", line.headers);
    post.forwarder.finish(std::time::Duration::from_secs(1)).await;
    let disk = on_disk(post.dir.path());
    for secret in ["s3cret", "czNjcmV0", "YW5uOnMzY3JldC13b3Jk"] {
        assert!(!shown.contains(secret) && !disk.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn t38_the_log_of_what_went_out_survives_a_restart() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([target("chat", &sink.url())]);
    post.triggered("P1").await;
    post.logged(1).await;
    post.idle("chat").await;
    let before = post.log();

    let post = post.again();

    assert_eq!(post.log(), before);
    assert_eq!(post.reader().check(), Ok(()));
}

#[tokio::test]
async fn t54_our_own_door_is_no_target() {
    let (mut post, sink) = (Post::new(), Sink::with_status(202).await);
    post.forwarder.listens_on(Some(sink.at));
    post.set([target("chat", &sink.url())]);

    post.triggered("P1").await;
    post.logged(1).await;

    assert_eq!((sink.count(), post.log()[0].summary.verdict), (0, Verdict::Failed));
    assert!(post.reasons()[0].contains("own door"), "{:?}", post.reasons());
}

#[tokio::test]
async fn a_test_is_sent_at_once_also_to_a_target_that_is_off_and_says_so_in_the_log() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    let chat = target("chat", &sink.url());
    post.set([chat.clone()]);
    post.triggered("P1").await;
    post.logged(1).await;
    post.idle("chat").await;
    let first = sink.heard()[0].header("webhook-id").expect("an id").to_owned();
    let (event, _) = post.reader().event(&first).expect("readable").expect("kept");
    post.forwarder.switch(&name("chat"), false).await.expect("switched");
    let standing = post.forwarder.summaries();

    let line = post.forwarder.test(&name("chat"), event, Value::Null).await.expect("sent");

    let stored = post.reader().delivery(line).expect("readable").expect("there");
    assert_eq!(stored.summary.reason.as_str(), "test: 500 Internal Server Error");
    assert_eq!(post.forwarder.summaries(), standing, "it does not count");
    assert!(post.forwarder.test(&name("mail"), observation_event(&post), Value::Null).await.is_err());
    until("told", || post.told_lines().iter().any(|told| told.id == line)).await;
}

fn observation_event(post: &Post) -> crate::core::forward::Event {
    let id = post.log()[0].summary.event_id.as_ref().map(ToString::to_string).expect("an event");
    post.reader().event(&id).expect("readable").expect("kept").0
}

#[tokio::test]
async fn a_template_that_cannot_be_rendered_sends_nothing_and_neither_counts_nor_resets() {
    let (mut post, sink) = (Post::new(), Sink::with_status(500).await);
    let chat = target("chat", &sink.url());
    post.set([chat.clone()]);
    post.triggered("P1").await;
    post.logged(1).await;
    let before = post.forwarder.summaries().remove(0);
    // The worker of these tests cannot be started.
    post.set([Target { template: Some("{{#if}".to_owned()), retries: 3, ..chat }]);

    post.acknowledged("P1").await;
    post.logged(2).await;
    post.idle("chat").await;

    assert_eq!(sink.count(), 1);
    let reasons = post.reasons();
    assert!(reasons[1].starts_with("nothing was sent: the template: line 1, column"), "{reasons:?}");
    let after = post.forwarder.summaries().remove(0);
    assert_eq!((after.failing_since, after.last), (before.failing_since, before.last));
}

#[tokio::test]
async fn a_target_whose_template_makes_nothing_is_told_as_failing_until_something_is_taken() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    let chat = target("chat", &sink.url());
    post.set([Target { template: Some("{{#if}".to_owned()), ..chat.clone() }]);
    post.triggered("P1").await;
    post.logged(1).await;
    post.idle("chat").await;

    let now = super::now();
    let told = post.forwarder.summaries().remove(0);
    assert_eq!((sink.count(), told.failing_since, told.last), (0, Some(now), Some((now, false))));
    let mut post = post.again();
    post.set([chat]);
    assert_eq!(post.forwarder.summaries().remove(0).failing_since, Some(now), "also after a restart");
    post.acknowledged("P1").await;
    post.logged(2).await;
    post.idle("chat").await;
    let told = post.forwarder.summaries().remove(0);
    assert_eq!((told.failing_since, told.last), (None, Some((now, true))));
}

#[tokio::test]
async fn t21_a_template_of_blanks_alone_is_none() {
    let (mut post, sink) = (Post::new(), Sink::with_status(200).await);
    post.set([Target { template: Some(" \n\t".to_owned()), ..target("chat", &sink.url()) }]);

    post.happens("incident.triggered", &observation("P1", Status::Triggered, 0)).await;
    post.logged(1).await;

    assert_eq!(kinds(&sink), ["incident.created"]);
}

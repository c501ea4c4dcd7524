//! Outgoing webhooks as a whole: whatever ends the server, each event arrives, in order for its incident, and what
//! arrives twice has the same id. A template that cannot be rendered sends nothing.

#![cfg(debug_assertions)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use dogwatch::{
    core::{
        delivery::{Format, Verdict},
        forward::{Event, EventType, Kept, TargetState, TargetSummary},
        id::{IncidentKey, TargetName},
        text::Shown,
    },
    forward::{Forwarder, Target},
    store::{ForwardId, NewEvent, Store, Write, crash::Point},
};
use serde_json::Value;
use support::door::{Door, door_with};

mod support;

/// What happens to each incident, in this order.
const STORY: [(&str, &str); 5] = [
    ("incident.triggered", "incident.created"),
    ("incident.acknowledged", "incident.acknowledged"),
    ("incident.reassigned", "incident.handoff"),
    ("incident.delegated", "incident.handoff"),
    ("incident.resolved", "incident.resolved"),
];
/// Senders at the same time.
const SENDERS: usize = 4;

/// Something that arrived: of which incident, how far its story was, the event's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Arrived {
    incident: String,
    step: usize,
    id: String,
}

/// A target that refuses every third request, or breaks off.
struct Sink {
    at: SocketAddr,
    arrived: Arc<Mutex<Vec<(Arrived, bool)>>>,
}

impl Sink {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("address");
        let (arrived, count): (Arc<Mutex<Vec<_>>>, _) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let all = Arc::clone(&arrived);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, count) = (Arc::clone(&all), Arc::clone(&count));
                thread::spawn(move || serve(stream, &all, &count));
            }
        });
        Self { at, arrived }
    }

    fn arrived(&self) -> Vec<(Arrived, bool)> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events that were taken.
    fn taken(&self) -> usize {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.iter().filter(|(_, taken)| *taken).map(|(one, _)| one).collect::<BTreeSet<_>>().len()
    }

    fn config(&self) -> String {
        format!(
            r#"
            [[target]]
            name = "chat"
            url = "http://{}/in"
            events = ["incident.created", "incident.acknowledged", "incident.handoff", "incident.resolved"]
            retries = 10
            "#,
            self.at
        )
    }
}

/// Who closes first does not matter: what was read counts as arrived.
fn serve(mut stream: TcpStream, all: &Mutex<Vec<(Arrived, bool)>>, count: &AtomicUsize) {
    let Some((id, body)) = read(&mut stream) else { return };
    let title = body["data"]["title"].as_str().unwrap_or_default();
    let (incident, step) = title.rsplit_once(' ').expect("a title");
    let step: usize = step.parse().expect("a step");
    assert_eq!(body["type"], STORY[step].1);
    let turn = count.fetch_add(1, Ordering::Relaxed);
    let taken = turn % 3 != 2;
    let arrived = Arrived { incident: incident.to_owned(), step, id };
    all.lock().unwrap_or_else(PoisonError::into_inner).push((arrived, taken));
    let answer = if taken { "200 OK" } else { "503 Busy\r\nretry-after: 0" };
    let _ = write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
}

fn read(stream: &mut TcpStream) -> Option<(String, Value)> {
    let (mut bytes, mut some) = (vec![], [0; 16 * 1024]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                head.lines()
                    .filter_map(|line| line.split_once(": "))
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
            };
            let length: usize = header("content-length")?.1.parse().ok()?;
            if body.len() >= length {
                return Some((header("webhook-id")?.1.to_owned(), serde_json::from_str(body).ok()?));
            }
        }
        match stream.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(some.get(..length)?),
        }
    }
}

/// The bodies of an incident's story.
fn story(incident: &str) -> Vec<Vec<u8>> {
    let text = include_str!("fixtures/pagerduty/webhook_real.triggered.json");
    let begin = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(10);
    let tell = |(step, (event, _)): (i64, (&str, &str))| {
        let status = match event {
            "incident.triggered" => "triggered",
            "incident.resolved" => "resolved",
            _ => "acknowledged",
        };
        let mut body: Value = serde_json::from_str(text).expect("json");
        body["event"]["id"] = format!("{incident}-{step}").into();
        body["event"]["event_type"] = event.into();
        body["event"]["occurred_at"] = (begin + jiff::SignedDuration::from_mins(step)).to_string().into();
        body["event"]["data"]["id"] = incident.into();
        body["event"]["data"]["status"] = status.into();
        body["event"]["data"]["title"] = format!("{incident} {step}").into();
        body.to_string().into_bytes()
    };
    (0..).zip(STORY).map(tell).collect()
}

fn incidents(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("QFORWARD{n}")).collect()
}

/// Each sender tells the stories of its incidents in order, each step until it is accepted.
fn tell_all(door: &Arc<Door>, incidents: &[String]) -> Vec<JoinHandle<()>> {
    let senders = incidents.chunks(incidents.len().div_ceil(SENDERS)).map(|own| {
        let (door, own) = (Arc::clone(door), own.to_vec());
        thread::spawn(move || {
            for body in own.iter().flat_map(|incident| story(incident)) {
                door.post_until_accepted(&body);
            }
        })
    });
    senders.collect()
}

fn wait_until(what: &str, within: Duration, mut check: impl FnMut() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < within, "gave up waiting: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// That every step of every story was taken, that the steps of each arrived in order, and that each has one id.
fn assert_all_arrived(sink: &Sink, incidents: &[String], door: &Door) {
    let arrived = sink.arrived();
    let mut stories: BTreeMap<&str, Vec<&Arrived>> = BTreeMap::new();
    for (one, _) in &arrived {
        stories.entry(one.incident.as_str()).or_default().push(one);
    }
    let taken: BTreeSet<&Arrived> = arrived.iter().filter(|(_, taken)| *taken).map(|(one, _)| one).collect();
    assert_eq!(taken.len(), incidents.len() * STORY.len(), "each was taken, under one id\n{}", door.log());
    for incident in incidents {
        let mut steps = stories.get(incident.as_str()).cloned().unwrap_or_default();
        // A step that is repeated is repeated before the next one comes.
        steps.dedup();
        let order: Vec<usize> = steps.iter().map(|one| one.step).collect();
        assert_eq!(order, [0, 1, 2, 3, 4], "{incident}: {steps:?}");
    }
}

fn from_environment(name: &str, otherwise: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// `DOGWATCH_FORWARD_EVENTS=5000 DOGWATCH_FORWARD_KILLS=20` runs more of it.
#[test]
fn killed_again_and_again_every_event_arrives_in_order_and_repetitions_have_the_same_id() {
    let events = from_environment("DOGWATCH_FORWARD_EVENTS", 150);
    let kills = from_environment("DOGWATCH_FORWARD_KILLS", 4);
    let incidents = incidents(events / STORY.len());
    let within = Duration::from_mins(1) + Duration::from_millis(200) * u32::try_from(events).expect("small");
    let sink = Sink::open();
    let door = door_with(&sink.config());
    let began = Instant::now();
    door.start(None);
    let senders = tell_all(&door, &incidents);

    for kill in 1..=kills {
        let so_far = events * kill / (kills + 1);
        wait_until(&format!("{so_far} of {events} to arrive"), within, || sink.taken() >= so_far);
        door.kill();
        door.start(None);
    }
    for sender in senders {
        sender.join().expect("everything is accepted in the end");
    }
    wait_until("all to arrive", within, || sink.taken() >= incidents.len() * STORY.len());
    door.stop();

    assert_all_arrived(&sink, &incidents, &door);
    assert_eq!(door.run(&["doctor", "--store"]).stdout, b"ok\n");
    let (requests, distinct) = (sink.arrived().len(), sink.taken());
    let refused = sink.arrived().iter().filter(|(_, taken)| !taken).count();
    let doubled = requests - refused - distinct;
    eprintln!(
        "{kills} kills, {distinct} events, {requests} requests: {refused} refused, {doubled} taken twice; {:?}",
        began.elapsed()
    );
}

#[test]
fn wherever_it_dies_what_happened_is_told_to_the_target() {
    let on_the_way = [Point::BeforeApply, Point::BeforePublish, Point::AfterPublish, Point::AfterMark];
    // The start passes these once. How much is then applied together is left to the machine, so only the next passing of
    // them is certain.
    let points = on_the_way.map(|point| (point, 2)).into_iter().chain(Point::FORWARD.map(|point| (point, 3)));
    for (point, passing) in points {
        let (sink, incidents) = (Sink::open(), incidents(SENDERS));
        let (door, at) = (door_with(&sink.config()), format!("{}:{passing}", point.name()));
        door.start(Some(&at));
        let senders = tell_all(&door, &incidents);
        door.died_there(&at);
        assert!(!door.stored().is_empty(), "{at}: it died before anything was taken");
        door.start(None);
        for sender in senders {
            sender.join().expect("everything is accepted in the end");
        }
        wait_until(&at, support::PATIENCE, || sink.taken() >= incidents.len() * STORY.len());
        door.stop();
        assert_all_arrived(&sink, &incidents, &door);
    }
}

/// A forwarder with the real worker, whose one target has this template.
fn with_template(dir: &std::path::Path, at: SocketAddr, template: &str, linked: bool) -> (Forwarder, Store) {
    let store = Store::open(dir).expect("store");
    let worker = vec![env!("CARGO_BIN_EXE_dogwatch").into(), "render-worker".into()];
    let forwarder = Forwarder::new(store.clone(), worker, jiff::Timestamp::now, vec![], Arc::new(|_| {}));
    let events = vec![EventType::new(EventType::CREATED).expect("a name")];
    let target = Target {
        name: chat(),
        url: format!("http://{at}/in").into(),
        basic: None,
        headers: vec![],
        events: events.clone(),
        filter: None,
        enabled: true,
        linked,
        template: Some(template.to_owned()),
        retries: 3,
        signing: None,
        allow_link_local: false,
    };
    let summary = TargetSummary {
        name: chat(),
        kept: Kept::Config,
        address: Shown::default(),
        user: None,
        headers: vec![],
        signed: false,
        events,
        linked,
        template: Some("mine".to_owned()),
        filter: None,
        retries: 3,
        allow_link_local: false,
        state: TargetState::On,
        failing_since: None,
        last: None,
        waiting: 0,
    };
    forwarder.set(vec![(target, summary)]);
    (forwarder, store)
}

fn chat() -> TargetName {
    "chat".parse().expect("name")
}

fn happened() -> Event {
    Event {
        id: "evt_1".to_owned(),
        kind: EventType::new(EventType::CREATED).expect("a name"),
        at: jiff::Timestamp::UNIX_EPOCH,
        account: "prod".parse().expect("name"),
        provider: "pagerduty".to_owned(),
        incident: IncidentKey { account: "prod".parse().expect("name"), id: "P1".parse().expect("id") },
        title: "disk full".into(),
        data: serde_json::json!({ "id": "P1", "title": "QFORWARD0 0" }),
        linked: serde_json::json!({ "d_user": { "name": "Ann" } }),
        delivery: None,
    }
}

/// What becomes of the event with this template: requests, the line's verdict and reason, the rendered body.
async fn sent_with(template: &str) -> (usize, Verdict, String, String) {
    sent_as(template, false).await
}

/// The same; `linked` is the switch for the default body.
async fn sent_as(template: &str, linked: bool) -> (usize, Verdict, String, String) {
    let (dir, sink) = (tempfile::tempdir().expect("tempdir"), Sink::open());
    let (forwarder, store) = with_template(dir.path(), sink.at, template, linked);
    let new = NewEvent { event: happened(), at: jiff::Timestamp::now(), targets: vec![chat()], full: vec![] };
    let events = vec![Arc::new(new)];
    store.save(events.iter().cloned().map(Write::Event).collect::<Vec<_>>()).await.expect("saved");
    forwarder.written(events, Ok(()));
    let reader = store.reader().expect("reader");
    let began = Instant::now();
    while !reader.waiting(&chat(), ForwardId(0)).expect("waiting").is_empty() {
        assert!(began.elapsed() < support::PATIENCE, "still waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let line = reader.recent(None, 9).expect("log").pop().expect("a line");
    let told = forwarder.summaries()[0].failing_since.is_some();
    assert_eq!(told, line.verdict == Verdict::Failed, "that nothing is sent is told");
    let stored = reader.delivery(line.id).expect("readable").expect("there");
    assert_eq!(stored.format, Some(Format::Custom));
    let body = stored.body;
    let body = String::from_utf8(body).expect("text");
    let requests = sink.arrived().len();
    (requests, line.verdict, line.reason.to_string(), body)
}

#[tokio::test]
async fn t12_with_a_template_the_switch_for_linked_objects_changes_nothing() {
    for linked in [false, true] {
        let (_, verdict, _, body) =
            sent_as(r#"{"type":"{{event.type}}","data":{{{JSONstringify incident}}} }"#, linked).await;

        assert_eq!(verdict, Verdict::Sent);
        let unknown = r#""source":null,"s_log":null,"d_team":null"#;
        let data = format!(r#"{{"id":"P1","title":"QFORWARD0 0",{unknown},"d_user":{{"name":"Ann"}}}}"#);
        assert_eq!(body, format!(r#"{{"type":"incident.created","data":{data} }}"#), "{linked}");
    }
}

#[tokio::test]
async fn t18_what_a_template_makes_that_is_no_json_is_not_sent_and_the_log_says_where_it_stops_being_so() {
    let (requests, verdict, reason, body) = sent_with("{\"a\": 1,\n  }").await;

    assert_eq!((requests, verdict), (0, Verdict::Failed));
    assert!(reason.starts_with("nothing was sent: what the template made is not JSON: line 2, column"), "{reason}");
    assert_eq!(body, "{\"a\": 1,\n  }", "what it made is kept");
}

#[tokio::test]
async fn t19_t20_a_template_that_is_wrong_sends_nothing_and_does_not_count() {
    for (template, words) in [("{{nosuch event.type \"x\"}}", "nosuch"), ("{{#if incident.id}}x", "line 1, column")] {
        let (requests, verdict, reason, _) = sent_with(template).await;

        assert_eq!((requests, verdict), (0, Verdict::Failed), "{template}");
        assert!(reason.starts_with("nothing was sent: the template: ") && reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn t22_what_a_template_makes_is_sent_to_the_byte() {
    let template = "{ \"type\":\"{{event.type}}\" ,\n \"data\": {\"title\": \"{{incident.title}}\" } }";
    let (requests, verdict, _, body) = sent_with(template).await;

    assert_eq!((requests, verdict), (1, Verdict::Sent));
    assert_eq!(body, "{ \"type\":\"incident.created\" ,\n \"data\": {\"title\": \"QFORWARD0 0\" } }");
}

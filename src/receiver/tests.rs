//! Each answer the door can give, and what is written down for it.

mod cut_off;
mod senders;
mod signatures;

use std::{fs, path::Path as FilePath, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::Request as HttpRequest,
};
use futures_util::{StreamExt as _, future::join_all, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{scheme::HEADER, *};
use crate::{
    core::{
        delivery::Decoded,
        id::{EventId, IncidentId, IncidentKey},
        incident::{Observation, Stamp, State, Status, Urgency},
    },
    store::{Reader, StoredDelivery},
};

const SECRET: &str = "a signing secret";
const OLD_SECRET: &str = "an older secret";
const KEY: &str = "url-key";
const LIMIT: usize = 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);

/// Understands `{"event":{"id":…,"event_type":…}}`.
struct TestDecoder;

impl Decode for TestDecoder {
    fn decode(&self, account: &AccountName, body: &[u8]) -> Result<Decoded, String> {
        #[derive(Deserialize)]
        struct Envelope {
            event: Event,
        }
        #[derive(Deserialize)]
        struct Event {
            id: EventId,
            event_type: String,
        }
        assert!(!body.starts_with(b"panic"), "asked to");
        let Envelope { event } = serde_json::from_slice(body).map_err(|error| format!("no event in it: {error}"))?;
        let event_type = Shown::line(&event.event_type);
        let key = IncidentKey { account: account.clone(), id: IncidentId::new("P1").expect("id") };
        Ok(Decoded {
            event_id: event.id,
            event_type,
            occurred_at: None,
            incident: Some(key.clone()),
            subject: None,
            observation: Some(observation(key)),
        })
    }
}

fn observation(key: IncidentKey) -> Observation {
    let state = State {
        status: Status::Triggered,
        urgency: Urgency::High,
        title: Shown::line("disk full"),
        number: None,
        priority: None,
        service: None,
        escalation_policy: None,
        assignees: vec![],
        teams: vec![],
        created_at: Timestamp::UNIX_EPOCH,
        url: None,
        dedup_key: None,
    };
    Observation { key, stamp: Stamp::push(Timestamp::UNIX_EPOCH), state, extra: None }
}

struct House {
    dir: TempDir,
    app: Router,
    receiver: Receiver,
    arrivals: mpsc::Receiver<Arrival>,
    missed: Arc<Notify>,
}

fn named(name: &str, value: &str) -> NamedSecret {
    NamedSecret { name: name.to_owned(), value: SecretString::from(value) }
}

fn account(name: &str) -> AccountName {
    AccountName::new(name).expect("account")
}

fn hook(secrets: Vec<NamedSecret>) -> Hook {
    hook_of(Demand::PagerdutyV3, secrets)
}

fn hook_of(demand: Demand, secrets: Vec<NamedSecret>) -> Hook {
    let url_key = Some(SecretString::from(KEY));
    let account = account("prod");
    Hook { account, url_key, demand, secrets, unread: 0, allow: None, decode: Arc::new(TestDecoder) }
}

fn house_with(secrets: Vec<NamedSecret>, room: usize) -> House {
    house_of(hook(secrets), room, Networks::default())
}

fn house_of(hook: Hook, room: usize, networks: Networks) -> House {
    let dir = tempfile::tempdir().expect("tempdir");
    let store = Store::open(dir.path()).expect("store");
    let (sender, arrivals) = mpsc::channel(room);
    let missed = Arc::new(Notify::new());
    let now = || Timestamp::UNIX_EPOCH;
    let receiver = Receiver::new(vec![hook], networks, store, sender, Arc::clone(&missed), now).expect("an intake");
    House { dir, app: router(receiver.clone()), receiver, arrivals, missed }
}

fn house() -> House {
    house_with(vec![named("env PD_SECRET", SECRET), named("env PD_OLD", OLD_SECRET)], 100)
}

impl House {
    async fn ask(&self, request: HttpRequest<Body>) -> Response {
        self.app.clone().oneshot(request).await.expect("infallible")
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> StatusCode {
        self.ask(request(path, headers, body)).await.status()
    }

    /// Sends `body` as its sender would.
    async fn deliver(&self, body: &str) -> StatusCode {
        self.post("/hooks/prod/url-key", &[(HEADER, &sign(SECRET, body.as_bytes()))], body.to_owned()).await
    }

    fn log(&self) -> Vec<DeliverySummary> {
        Reader::open(self.dir.path()).expect("reader").recent(None, 100).expect("recent")
    }

    /// What the server is told next.
    async fn told(&mut self) -> Arrival {
        timeout(DEADLINE, self.arrivals.recv()).await.expect("in time").expect("told")
    }

    fn newest(&self) -> StoredDelivery {
        let id = self.log().first().expect("a delivery").id;
        Reader::open(self.dir.path()).expect("reader").delivery(id).expect("delivery").expect("there")
    }

    /// The newest line: verdict, status, reason.
    fn last(&self) -> (Verdict, u16, String) {
        let line = self.newest().summary;
        (line.verdict, line.status, line.reason.to_string())
    }

    /// Makes each commit fail until it is healed.
    fn break_store(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.dir.path().join("dogwatch.db")).expect("connect");
        crate::store::tests::until_followed(&db);
        db.execute_batch("ALTER TABLE delivery RENAME TO d; ALTER TABLE probe RENAME TO p").expect("break");
        db
    }
}

fn heal(db: &rusqlite::Connection) {
    db.execute_batch("ALTER TABLE d RENAME TO delivery; ALTER TABLE p RENAME TO probe").expect("heal");
}

fn request(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> HttpRequest<Body> {
    let builder = headers.iter().fold(HttpRequest::post(path), |builder, (name, value)| builder.header(*name, *value));
    builder.body(body.into()).expect("request")
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

fn event(id: &str) -> String {
    format!(r#"{{"event":{{"id":"{id}","event_type":"incident.triggered"}}}}"#)
}

/// An event of exactly so many bytes.
fn event_of(size: usize) -> String {
    let body = event("large");
    let padding = " ".repeat(size - body.len());
    body + &padding
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_key_are_the_same_404_but_not_the_same_line() {
    let house = house();
    let signed = sign(SECRET, event("E1").as_bytes());
    let mut answers = vec![];
    for path in ["/hooks/nobody/url-key", "/hooks/prod/url-keY", "/hooks/prod/%FF", "/elsewhere"] {
        let answer = house.ask(request(path, &[(HEADER, &signed)], event("E1"))).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        answers.push((status, headers, to_bytes(answer.into_body(), 1000).await.expect("body")));
    }

    assert_eq!(answers[0].0, StatusCode::NOT_FOUND);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let lines: Vec<_> =
        house.log().into_iter().map(|line| (line.verdict, line.status, line.reason.to_string())).collect();
    let line = |reason: &str| (Verdict::Rejected, 404, reason.to_owned());
    assert_eq!(lines, [line(NO_DOOR), line(NO_DOOR), line("wrong key in the path of account prod"), line(NO_ACCOUNT)]);
}

#[tokio::test]
async fn a_delivery_that_misses_the_path_of_every_door_is_counted_and_written_down_as_a_strangers() {
    let mut house = house();
    let signed = sign(SECRET, event("E1").as_bytes());
    let missing = ["/behind/hooks/prod/url-key", "/hooks/prod/ab/cd", "/hooks/prod/%ff", "/hook/prod/url-key", "/"];

    for path in missing {
        assert_eq!(house.post(path, &[(HEADER, &signed)], event("E1")).await, StatusCode::NOT_FOUND, "{path}");
        let told = house.told().await.summary;
        assert_eq!((told.account, told.status, told.reason.as_str()), (None, 404, NO_DOOR), "{path}");
    }
    let strangers = format!("deliveries_total{{account=\"-\",verdict=\"rejected\"}} {}\n", missing.len());
    assert!(house.figures().contains(&strangers), "{}", house.figures());
    assert_eq!(house.newest().body, event("E1").as_bytes(), "it can be seen whose it is");
    let get = HttpRequest::get("/favicon.ico").body(Body::empty()).expect("request");
    assert_eq!(house.ask(get).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(house.log().len(), missing.len(), "what was no delivery is not there");
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_path_makes_no_difference() {
    let house = house();
    let signed = sign(SECRET, event("E1").as_bytes());

    let status = house.post("/hooks/prod/url-key/", &[(HEADER, &signed)], event("E1")).await;

    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(house.last().0, Verdict::Accepted);
    assert_eq!(house.post("/hooks/prod/wrong/", &[], event("E1")).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_came_without_the_right_key_is_of_no_account_and_pushes_out_none_of_its_lines() {
    let mut house = house();
    let signed = sign(SECRET, event("E1").as_bytes());
    house.post("/hooks/prod/wrong", &[(HEADER, &signed)], event("E1")).await;
    assert_eq!(house.told().await.summary.account, None);

    house.receiver.set_hooks(vec![Hook { url_key: None, ..hook(vec![named("env PD_SECRET", SECRET)]) }]);
    house.deliver(&event("E1")).await;
    let told = house.told().await.summary;
    assert_eq!((told.account, told.status), (None, 503));
    assert!(told.reason.as_str().starts_with("the key of account prod is not read yet"), "{}", told.reason);
}

#[tokio::test]
async fn other_methods_are_405() {
    let house = house();

    for path in ["/hooks/prod/url-key", "/hooks/nobody/x"] {
        let get = HttpRequest::get(path).body(Body::empty()).expect("request");
        assert_eq!(house.ask(get).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn a_content_encoding_is_415_but_identity_is_none() {
    let house = house();
    let signed = sign(SECRET, event("E1").as_bytes());
    let with = |encoding| [(HEADER, signed.as_str()), ("content-encoding", encoding)];

    for encoding in ["gzip", "br", "identity, gzip", ""] {
        let status = house.post("/hooks/prod/url-key", &with(encoding), event("E1")).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{encoding:?}");
    }
    assert_eq!(house.last().1, 415);
    assert_eq!(house.post("/hooks/prod/url-key", &with("Identity"), event("E1")).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn without_a_loaded_secret_it_is_503_with_retry_after() {
    for secrets in [vec![], vec![named("env EMPTY", "")]] {
        let house = house_with(secrets, 10);

        let answer = house.ask(request("/hooks/prod/url-key", &[(HEADER, &sign("", b"{}"))], "{}")).await;

        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "5");
        let (verdict, status, reason) = house.last();
        assert_eq!((verdict, status), (Verdict::Rejected, 503));
        assert!(reason.starts_with("no secret is loaded"), "{reason}");
    }
}

#[tokio::test]
async fn while_the_store_cannot_commit_it_is_503_and_when_it_can_again_everything_that_was_answered_is_there() {
    let house = house();
    let broken = house.break_store();
    // Nobody knows it before the first one; that one is safe all the same.
    assert_eq!(house.deliver(&event("E1")).await, StatusCode::ACCEPTED);
    timeout(DEADLINE, house.receiver.trouble().notified()).await.expect("told");

    let signed = sign(SECRET, event("E2").as_bytes());
    let answer = house.ask(request("/hooks/prod/url-key", &[(HEADER, &signed)], event("E2"))).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(house.post("/hooks/prod/url-key", &[], event("E2")).await, StatusCode::UNAUTHORIZED);

    heal(&broken);
    assert_eq!(house.deliver(&event("E3")).await, StatusCode::ACCEPTED);
    let accepted: Vec<_> = house.log().into_iter().filter(|line| line.verdict == Verdict::Accepted).collect();
    let ids: Vec<_> = accepted.iter().rev().map(|line| line.event_id.as_ref().expect("event").as_str()).collect();
    assert_eq!(ids, ["E1", "E3"]);
}

#[tokio::test]
async fn a_duplicate_is_202_and_told_as_such() {
    let mut house = house();
    house.deliver(&event("E1")).await;

    assert_eq!(house.deliver(&event("E1")).await, StatusCode::ACCEPTED);

    let told = [house.told().await, house.told().await];
    let told = told.map(|arrival| (arrival.summary.verdict, arrival.observation.is_some()));
    assert_eq!(told, [(Verdict::Accepted, true), (Verdict::Duplicate, false)]);
}

#[tokio::test]
async fn of_twin_requests_exactly_one_is_accepted() {
    let house = house();

    for id in ["E1", "E2", "E3", "E4"] {
        let body = event(id);
        let statuses = join_all((0..8).map(|_| house.deliver(&body))).await;
        assert!(statuses.iter().all(|status| *status == StatusCode::ACCEPTED));
    }

    let log = house.log();
    let accepted: Vec<_> = log.iter().filter(|line| line.verdict == Verdict::Accepted).collect();
    assert_eq!((accepted.len(), log.len()), (4, 32));
}

#[tokio::test]
async fn what_is_signed_but_cannot_be_understood_is_kept_raw_and_202() {
    let house = house();
    let body = "\u{feff}{\"event\":1e999";

    assert_eq!(house.deliver(body).await, StatusCode::ACCEPTED);
    assert_eq!(house.newest().body, body.as_bytes());
    let (verdict, status, reason) = house.last();
    assert_eq!((verdict, status), (Verdict::Undecodable, 202));
    assert!(reason.starts_with("signed with env PD_SECRET, but no event in it"), "{reason}");

    assert_eq!(house.deliver("panic now").await, StatusCode::ACCEPTED);
    assert_eq!(house.last().0, Verdict::Undecodable);
}

#[tokio::test]
async fn when_nobody_takes_the_arrivals_somebody_is_told_to_look() {
    let house = house_with(vec![named("env PD_SECRET", SECRET)], 1);

    assert_eq!(house.deliver(&event("E1")).await, StatusCode::ACCEPTED);
    assert_eq!(house.deliver(&event("E2")).await, StatusCode::ACCEPTED);

    timeout(DEADLINE, house.missed.notified()).await.expect("notified");
    assert_eq!(house.log().len(), 2);
}

#[tokio::test]
async fn what_was_taken_of_a_request_dropped_half_way_is_told_like_any_other() {
    let mut house = house();
    let body = event("E1");
    let mut delivering = Box::pin(house.deliver(&body));
    assert!(futures_util::poll!(delivering.as_mut()).is_pending());

    drop(delivering);

    assert_eq!(house.told().await.summary.verdict, Verdict::Accepted);
    assert_eq!(house.last().0, Verdict::Accepted);
}

#[tokio::test]
async fn headers_are_logged_without_what_may_be_a_secret() {
    let house = house();
    let signature = sign(SECRET, event("E1").as_bytes());
    let headers = [
        ("authorization", "Bearer hunter2"),
        ("cookie", "session=hunter2"),
        ("x-our-own", "hunter2"),
        ("user-agent", "PagerDuty-Webhook/V3.0"),
        ("x-webhook-id", "W1"),
        (HEADER, &signature),
    ];

    house.post("/hooks/prod/url-key", &headers, event("E1")).await;

    let kept = house.newest().headers;
    let value = |name| kept.iter().find(|(kept, _)| kept == name).map(|(_, value)| value.as_str());
    for name in ["authorization", "cookie", "x-our-own"] {
        assert_eq!(value(name), Some("•••"), "{name}");
    }
    assert_eq!(value("user-agent"), Some("PagerDuty-Webhook/V3.0"));
    assert_eq!((value("x-webhook-id"), value(HEADER)), (Some("W1"), Some(signature.as_str())));
}

#[tokio::test]
async fn it_is_healthy_always_and_ready_while_it_can_store() {
    let house = house();
    let get = async |path: &str| house.ask(HttpRequest::get(path).body(Body::empty()).expect("request")).await;

    assert_eq!(get("/readyz").await.status(), StatusCode::OK);
    assert_eq!(get("/healthz").await.status(), StatusCode::OK);

    let broken = house.break_store();
    house.deliver(&event("E1")).await;
    timeout(DEADLINE, house.receiver.trouble().notified()).await.expect("told");
    let answer = get("/readyz").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let cause = to_bytes(answer.into_body(), 1000).await.expect("body");
    let cause = String::from_utf8_lossy(&cause);
    assert!(cause.contains("no such table"), "{cause}");
    assert!(!cause.contains(house.dir.path().to_str().expect("a path")), "strangers learn no path: {cause}");
    assert_eq!(get("/healthz").await.status(), StatusCode::OK);

    heal(&broken);
    let ready = async { while get("/readyz").await.status() != StatusCode::OK {} };
    timeout(DEADLINE, ready).await.expect("ready again");
}

#[tokio::test]
async fn whoever_asks_whether_it_is_ready_makes_no_write_each_time() {
    let house = house();
    let broken = house.break_store();
    house.deliver(&event("E1")).await;
    timeout(DEADLINE, house.receiver.trouble().notified()).await.expect("told");
    let get = async || house.ask(HttpRequest::get("/readyz").body(Body::empty()).expect("request")).await.status();
    let asked = Instant::now();
    assert_eq!(get().await, StatusCode::SERVICE_UNAVAILABLE);

    heal(&broken);
    let ready = async { while get().await != StatusCode::OK {} };
    timeout(DEADLINE, ready).await.expect("ready again");

    assert!(asked.elapsed() >= SEEN, "what was seen is told for so long");
}

#[tokio::test]
async fn a_body_is_counted_while_it_comes() {
    let house = house();
    let post = async |body: Body, signed: &[u8]| {
        house.post("/hooks/prod/url-key", &[(HEADER, &sign(SECRET, signed))], body).await
    };
    let pieces = |body: String| {
        let pieces: Vec<_> = body.into_bytes().chunks(50_000).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect();
        Body::from_stream(stream::iter(pieces))
    };

    for (size, status) in [(LIMIT - 1, 202), (LIMIT, 202), (LIMIT + 1, 413), (3 * LIMIT, 413)] {
        let body = event_of(size);
        assert_eq!(post(Body::from(body.clone()), body.as_bytes()).await, status, "{size} announced");
        assert_eq!(post(pieces(body.clone()), body.as_bytes()).await, status, "{size} in pieces");
    }
    assert_eq!(house.last().1, 413);
    let endless = Body::from_stream(stream::repeat(vec![b'x'; 50_000]).map(Ok::<_, std::io::Error>));
    assert_eq!(post(endless, b"").await, StatusCode::PAYLOAD_TOO_LARGE);
}

/// The house's door on a real port, and the token that closes it.
async fn open_door(house: &House) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let (at, stop) = (listener.local_addr().expect("address"), CancellationToken::new());
    let front = http::Front::plain(Networks::default());
    tokio::spawn(http::serve(listener, house.app.clone(), http::Limits::default(), front, stop.clone()));
    (at, stop)
}

/// Writes `bytes` and reads until the other end closes.
async fn converse(at: SocketAddr, bytes: &[u8]) -> String {
    let mut tcp = TcpStream::connect(at).await.expect("connect");
    tcp.write_all(bytes).await.expect("written");
    let mut answer = String::new();
    timeout(DEADLINE, tcp.read_to_string(&mut answer)).await.expect("in time").expect("read");
    answer
}

fn head(body: &str, framing: &str) -> String {
    let signature = sign(SECRET, body.as_bytes());
    format!(
        "POST /hooks/prod/{KEY} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{HEADER}: {signature}\r\n{framing}\r\n\r\n"
    )
}

#[tokio::test]
async fn sizes_are_exact_over_a_socket_and_the_sender_gets_to_read_the_answer() {
    let house = house();
    let (at, _stop) = open_door(&house).await;

    for (size, status) in [(LIMIT - 1, "202"), (LIMIT, "202"), (LIMIT + 1, "413"), (3 * LIMIT, "413")] {
        let body = event_of(size);
        let announced = head(&body, &format!("content-length: {size}")) + &body;
        let chunked = format!("{}{size:x}\r\n{body}\r\n0\r\n\r\n", head(&body, "transfer-encoding: chunked"));
        for request in [&chunked, &announced] {
            let answer = converse(at, request.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{size}: {answer}");
        }
    }
    let reason = house.newest().summary.reason;
    assert!(reason.as_str().contains("larger than 1048576 bytes: 3145728 at least"), "{reason}");
}

#[tokio::test]
async fn the_sender_s_address_is_kept() {
    let house = house();
    let (at, _stop) = open_door(&house).await;
    let body = event("E1");

    converse(at, (head(&body, &format!("content-length: {}", body.len())) + &body).as_bytes()).await;

    assert!(house.newest().peer.starts_with("127.0.0.1:"), "{}", house.newest().peer);
}

#[tokio::test]
async fn what_is_no_proper_request_is_never_2xx() {
    let house = house();
    let (at, _stop) = open_door(&house).await;
    let body = event("E1");
    let long = format!("{}x-b: {}\r\n\r\n", head(&body, "content-length: 1").trim_end(), "a".repeat(100_000));

    let both = head(&body, &format!("content-length: {}\r\ntransfer-encoding: chunked", body.len())) + "0\r\n\r\n";
    let two = head(&body, &format!("content-length: {}\r\ncontent-length: 3", body.len())) + &body;
    for bad in
        [long.as_bytes(), both.as_bytes(), two.as_bytes(), b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"\r\n\r\n\r\n?"]
    {
        let mut tcp = TcpStream::connect(at).await.expect("connect");
        let _ = tcp.write_all(bad).await;
        let mut answer = vec![];
        let _ = timeout(DEADLINE, tcp.read_to_end(&mut answer)).await.expect("closed in time");
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    assert!(house.log().iter().all(|line| line.verdict == Verdict::Rejected));
}

#[tokio::test]
async fn while_the_key_of_the_path_cannot_be_read_every_sender_is_asked_to_retry() {
    let house = house();
    house.receiver.set_hooks(vec![Hook { url_key: None, ..hook(vec![named("env PD_SECRET", SECRET)]) }]);
    assert_eq!(house.deliver(&event("e1")).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(house.last().0, Verdict::Rejected);

    house.receiver.set_hooks(vec![hook(vec![named("env PD_SECRET", SECRET)])]);
    assert_eq!(house.deliver(&event("e1")).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_signature_that_may_be_by_a_secret_not_read_yet_is_not_refused() {
    let house = house();
    house.receiver.set_hooks(vec![Hook { unread: 1, ..hook(vec![named("env PD_OLD", OLD_SECRET)]) }]);

    assert_eq!(house.deliver(&event("e1")).await, StatusCode::SERVICE_UNAVAILABLE);
    let unsigned = house.post("/hooks/prod/url-key", &[], event("e1")).await;
    assert_eq!(unsigned, StatusCode::UNAUTHORIZED);
}

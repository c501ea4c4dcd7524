//! What others have found to break parsers, sent by a genuine sender or by a stranger: nothing of it ends the server,
//! is lost, or drives a terminal.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use dogwatch::{
    core::{
        board::Board,
        delivery::{Decode as _, Verdict},
        id::AccountName,
    },
    provider::pagerduty::Webhooks,
    receiver::{
        Arrival, Hook, NamedSecret, Networks, Receiver,
        http::{Front, Limits, serve},
        router,
    },
    server::desk,
    store::{Reader, Store, StoredDelivery},
};
use futures_util::{StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const SECRET: &str = "a signing secret";
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest body that is taken.
const LIMIT: usize = 1024 * 1024;
/// Senders at the same time.
const AT_ONCE: usize = 32;

struct House {
    dir: TempDir,
    app: Router,
    arrivals: mpsc::Receiver<Arrival>,
}

fn house() -> House {
    let dir = tempfile::tempdir().expect("tempdir");
    let store = Store::open(dir.path()).expect("store");
    let secret = NamedSecret { name: "env PD_SECRET".to_owned(), value: SecretString::from(SECRET) };
    let hook = Hook {
        account: account(),
        url_key: Some(SecretString::from("key")),
        demand: dogwatch::core::sender::Demand::PagerdutyV3,
        secrets: vec![secret],
        unread: 0,
        allow: None,
        decode: Arc::new(Webhooks),
    };
    let (sender, arrivals) = mpsc::channel(10_000);
    let (missed, now) = (Arc::new(Notify::new()), || Timestamp::UNIX_EPOCH);
    let receiver = Receiver::new(vec![hook], Networks::default(), store, sender, missed, now).expect("an intake");
    House { dir, app: router(receiver), arrivals }
}

fn account() -> AccountName {
    AccountName::new("prod").expect("name")
}

fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

impl House {
    async fn deliver(&self, body: &[u8]) -> StatusCode {
        let request = Request::post("/hooks/prod/key").header("x-pagerduty-signature", sign(body));
        let request = request.body(Body::from(body.to_vec())).expect("request");
        self.app.clone().oneshot(request).await.expect("infallible").status()
    }

    /// What the server is told next.
    async fn told(&mut self) -> Arrival {
        timeout(DEADLINE, self.arrivals.recv()).await.expect("in time").expect("told")
    }

    /// Sends all of them, and returns what was kept of them.
    async fn keeps(&mut self, bodies: &[Vec<u8>]) -> Vec<StoredDelivery> {
        let answers: Vec<StatusCode> =
            stream::iter(bodies).map(|body| self.deliver(body)).buffered(AT_ONCE).collect().await;
        for (body, status) in bodies.iter().zip(answers) {
            assert_eq!(status, StatusCode::ACCEPTED, "{}", excerpt(body));
        }
        let reader = Reader::open(self.dir.path()).expect("reader");
        let mut kept = vec![];
        for _ in bodies {
            let arrival = self.told().await;
            kept.push(reader.delivery(arrival.summary.id).expect("readable").expect("there"));
        }
        let mut sent: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        let mut stored: Vec<&[u8]> = kept.iter().map(|delivery| delivery.body.as_slice()).collect();
        sent.sort_unstable();
        stored.sort_unstable();
        assert!(sent == stored, "every byte is kept as it came: {} sent, {} kept", sent.len(), stored.len());
        kept
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new("tests/fixtures").join(name)).expect("fixture")
}

/// The files packed into one.
fn packed(name: &str) -> Vec<Vec<u8>> {
    let text = String::from_utf8(fixture(name)).expect("text");
    let bytes = |line: &str| BASE64_STANDARD.decode(line.split_once('\t').expect("a tab").1).expect("base64");
    text.lines().map(bytes).collect()
}

fn json_files() -> Vec<Vec<u8>> {
    let mut files = packed("hostile/json_test_suite.tsv");
    // The two that are too large to be kept here.
    files.extend([b"[".repeat(100_000), b"[{\"\":".repeat(50_000)]);
    files.extend(packed("hostile/go_fuzz_json.tsv"));
    files
}

/// Whatever is known to go wrong where text is shown.
fn texts() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = serde_json::from_slice::<Vec<String>>(&fixture("hostile/naughty_strings.json"))
        .expect("strings")
        .into_iter()
        .map(String::into_bytes)
        .collect();
    texts.extend(fixture("hostile/utf8_decoder_stress_test.txt").split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    texts.extend(packed("hostile/terminal.tsv"));
    texts
}

/// An event whose title is `title`, and so are the other texts in it that are shown.
fn titled(number: usize, title: &str) -> Vec<u8> {
    let mut body: Value =
        serde_json::from_slice(&fixture("pagerduty/webhook_real.triggered.json")).expect("a real event");
    let event = &mut body["event"];
    event["id"] = json!(format!("EVENT{number}"));
    event["data"]["id"] = json!(format!("Q{number}"));
    for at in ["/event_type", "/data/title", "/data/service/summary", "/data/html_url", "/data/incident_key"] {
        *event.pointer_mut(at).expect("a place in the event") = json!(title);
    }
    serde_json::to_vec(&body).expect("JSON")
}

/// No control character stands in any text that is shown of it.
fn assert_harmless(shown: &Value, of: &[u8]) {
    match shown {
        Value::String(text) => {
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?} of {}", excerpt(of));
        }
        Value::Array(all) => all.iter().for_each(|one| assert_harmless(one, of)),
        Value::Object(all) => all.values().for_each(|one| assert_harmless(one, of)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Opens each on its own as a console would, and shows all of them on one board.
fn all_are_shown(kept: Vec<StoredDelivery>) -> Board {
    let mut board = Board::default();
    for stored in kept {
        let body = stored.body.clone();
        if let Ok(decoded) = Webhooks.decode(&account(), &body)
            && let Some(seen) = &decoded.observation
        {
            board.observe(seen);
        }
        let view = desk::view(stored);
        assert!(!view.body.as_str().chars().any(|c| c.is_control() && c != '\n'), "{}", excerpt(&body));
        assert_harmless(&serde_json::to_value(&view).expect("JSON"), &body);
    }
    assert_harmless(&serde_json::to_value(&board).expect("JSON"), b"the board");
    board
}

#[tokio::test(flavor = "multi_thread")]
async fn any_json_or_what_looks_like_it_is_taken_from_a_genuine_sender_and_kept_byte_for_byte() {
    let (empty, bodies): (Vec<_>, Vec<_>) = json_files().into_iter().partition(Vec::is_empty);
    assert!(bodies.len() >= 2060, "{} bodies", bodies.len());
    let mut house = house();

    all_are_shown(house.keeps(&bodies).await);

    // No sender of webhooks says nothing.
    for body in empty {
        assert_eq!(house.deliver(&body).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_text_may_stand_in_an_event_and_drives_no_terminal() {
    let texts = texts();
    let lossy = |(number, text): (usize, &Vec<u8>)| titled(number, &String::from_utf8_lossy(text));
    let bodies: Vec<Vec<u8>> = texts.iter().enumerate().map(lossy).collect();
    assert!(bodies.len() >= 800, "{} bodies", bodies.len());

    let kept = house().keeps(&bodies).await;
    assert!(kept.iter().all(|delivery| delivery.summary.verdict == Verdict::Accepted), "each is a new event");
    let board = all_are_shown(kept);

    assert_eq!(board.incidents.len(), bodies.len(), "each is an incident");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_kept_and_shown_all_the_same() {
    let place = b"\x01PLACE\x01";
    let around = titled(0, "PLACE");
    let at = around.windows(5).position(|window| window == b"PLACE").expect("the place");
    let spliced = |text: &Vec<u8>| [&around[..at], text, &around[at + 5..]].concat();
    let mut bodies: Vec<Vec<u8>> = texts();
    bodies.extend(texts().iter().map(spliced));
    bodies.extend((0..=255).map(|byte| vec![byte; 300]));
    bodies.push([&b"\xef\xbb\xbf"[..], &around].concat());
    bodies.push(place.repeat(LIMIT / place.len()));
    bodies.push(vec![b'"'; LIMIT]);
    bodies.retain(|body| !body.is_empty());
    // One event twice is kept once in full.
    let once: BTreeSet<Vec<u8>> = bodies.into_iter().collect();

    all_are_shown(house().keeps(&Vec::from_iter(once)).await);
}

/// A delivery as a stranger would send it.
fn forged(body: &str) -> Vec<u8> {
    let head = "POST /hooks/prod/key HTTP/1.1\r\nhost: dogwatch\r\ncontent-type: application/json\r\n";
    format!("{head}x-pagerduty-signature: v1={}\r\ncontent-length: {}\r\n\r\n{body}", "0".repeat(64), body.len())
        .into_bytes()
}

/// Requests that have fooled servers before.
fn crafted() -> Vec<Vec<u8>> {
    let post = "POST /hooks/prod/key HTTP/1.1\r\nhost: x\r\n";
    let mut all: Vec<Vec<u8>> = [
        format!(
            "{post}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nhost: x\r\n\r\n"
        ),
        format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
        format!("{post}content-length: -1\r\n\r\n"),
        format!("{post}content-length: 99999999999999999999\r\n\r\n"),
        format!("{post}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx"),
        format!("{post}transfer-encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n"),
        format!("{post}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("{post}expect: 200-ok\r\ncontent-length: 2\r\n\r\n{{}}"),
        format!("{post} folded: line\r\n\r\n"),
        format!("{post}x-pagerduty-signature: {}\r\ncontent-length: 2\r\n\r\n{{}}", "v1=,".repeat(5000)),
        format!("{post}{}\r\n\r\n", "a: b\r\n".repeat(500)),
        format!("{post}a: {}\r\n\r\n", "b".repeat(500_000)),
        format!("POST /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a/".repeat(40_000)),
        "POST /hooks/prod/key%00 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "POST /hooks/%ff%fe/key HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "POST http://other/hooks/prod/key HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "POST /hooks/../hooks/prod/key HTTP/0.9\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "CONNECT other:443 HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "\r\n".repeat(10_000),
        String::new(),
    ]
    .map(String::into_bytes)
    .into();
    // The hello of TLS, of SSH, and everything that a byte can be.
    all.push(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20));
    all.push(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    all.extend((0..=255).map(|byte| vec![byte; 64]));
    all
}

/// A forged delivery with some of its bytes lost, changed, repeated or moved.
fn mangled(dice: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = forged(r#"{"event":{"id":"E1","event_type":"incident.triggered"}}"#);
    for _ in 0..dice.usize(1..8) {
        let (from, to) = (dice.usize(..bytes.len()), dice.usize(..bytes.len()));
        let part = bytes.get(from..from + dice.usize(..20)).unwrap_or_default().to_vec();
        match dice.u8(..5) {
            0 => bytes[from] ^= 1 << dice.u8(..8),
            1 => bytes[from] = dice.u8(..),
            2 => bytes.truncate(from.max(1)),
            3 => drop(bytes.splice(to..to, part)),
            _ => drop(bytes.splice(from..from + part.len(), [])),
        }
        if bytes.is_empty() {
            bytes.push(b'P');
        }
    }
    bytes
}

async fn asked(at: SocketAddr, bytes: &[u8]) -> String {
    let mut tcp = TcpStream::connect(at).await.expect("connect");
    let mut answer = vec![];
    // The server may hang up at any time.
    let talk = async {
        let _ = tcp.write_all(bytes).await;
        let _ = tcp.shutdown().await;
        let _ = tcp.read_to_end(&mut answer).await;
    };
    timeout(DEADLINE * 2, talk).await.expect("the server hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_at_the_port_is_never_taken_and_the_next_delivery_comes_through() {
    let mut house = house();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let (at, stop) = (listener.local_addr().expect("address"), CancellationToken::new());
    let front = Front::plain(Networks::default());
    let serving = tokio::spawn(serve(listener, house.app.clone(), Limits::default(), front, stop.clone()));
    let mut dice = fastrand::Rng::with_seed(9);
    let junk: Vec<Vec<u8>> = crafted().into_iter().chain((0..2000).map(|_| mangled(&mut dice))).collect();

    let answers: Vec<String> = stream::iter(&junk).map(|bytes| asked(at, bytes)).buffered(AT_ONCE).collect().await;

    for (bytes, answer) in junk.iter().zip(answers) {
        assert!(!answer.contains("HTTP/1.1 2"), "{answer} to {}", excerpt(bytes));
        assert!(!answer.contains("HTTP/1.1 500"), "a panic: {answer} to {}", excerpt(bytes));
    }
    while house.arrivals.try_recv().is_ok() {}
    let body = String::from_utf8(titled(1, "after the junk")).expect("text");
    let genuine = String::from_utf8(forged(&body)).expect("text");
    let genuine = genuine.replace(&format!("v1={}", "0".repeat(64)), &sign(body.as_bytes()));
    let genuine = genuine.replace("host: dogwatch", "host: dogwatch\r\nconnection: close");
    let mut tcp = TcpStream::connect(at).await.expect("connect");
    tcp.write_all(genuine.as_bytes()).await.expect("write");
    let mut answer = String::new();
    timeout(DEADLINE, tcp.read_to_string(&mut answer)).await.expect("in time").expect("text");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(house.told().await.summary.verdict, Verdict::Accepted);
    stop.cancel();
    timeout(DEADLINE, serving).await.expect("ended").expect("no panic");
}

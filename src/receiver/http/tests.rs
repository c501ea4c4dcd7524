use axum::{
    http::StatusCode,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    task::JoinHandle,
};

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_millis(20);
const ONCE: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

fn short() -> Limits {
    let short = Duration::from_millis(300);
    Limits { head: short, request: short, answer: short, ..Limits::default() }
}

struct Served {
    at: SocketAddr,
    /// The address is left.
    stop: CancellationToken,
    /// All ends.
    end: CancellationToken,
    ended: JoinHandle<()>,
    /// Lets `/held` answer.
    release: Arc<Notify>,
    /// `/held` was reached.
    reached: Arc<Notify>,
}

async fn served(limits: Limits) -> Served {
    served_behind(limits, "192.0.2.1/32").await
}

async fn served_behind(limits: Limits, proxy: &str) -> Served {
    let proxy = proxy.parse().expect("network");
    let (release, reached) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = {
        let (release, reached) = (Arc::clone(&release), Arc::clone(&reached));
        move || async move {
            reached.notify_one();
            release.notified().await;
            "released"
        }
    };
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/body", post(|body: String| async move { body }))
        .route("/genuine", get(|| async { StatusCode::ACCEPTED }))
        .route("/held", get(held));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let (at, end) = (listener.local_addr().expect("address"), CancellationToken::new());
    let stop = end.child_token();
    let front = Front { end: Some(end.clone()), ..Front::plain(Networks::new(None, vec![proxy])) };
    let ended = tokio::spawn(serve(listener, app, limits, front, stop.clone()));
    Served { at, stop, end, ended, release, reached }
}

async fn connected(at: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut tcp = TcpStream::connect(at).await.expect("connect");
    tcp.write_all(bytes).await.expect("write");
    tcp
}

/// What comes until the server hangs up.
async fn rest(mut tcp: TcpStream) -> String {
    let mut bytes = vec![];
    // A reset is an end too.
    let _ = timeout(DEADLINE, tcp.read_to_end(&mut bytes)).await.expect("the server hangs up");
    String::from_utf8(bytes).expect("text")
}

async fn hello(at: SocketAddr) -> TcpStream {
    let mut tcp = connected(at, REQUEST).await;
    let mut head = [0; 15];
    timeout(DEADLINE, tcp.read_exact(&mut head)).await.expect("in time").expect("answered");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    tcp
}

#[tokio::test]
async fn a_client_that_is_silent_or_slow_with_its_head_is_dropped() {
    let server = served(short()).await;

    for bytes in [&b""[..], b"GET / HTTP/1.1\r\nhost:"] {
        assert!(!rest(connected(server.at, bytes).await).await.contains(" 200 "));
    }
    rest(hello(server.at).await).await;
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_is_dropped_and_may_try_again() {
    let server = served(short()).await;

    let slow = connected(server.at, b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await;

    let answer = rest(slow).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n"), "{answer}");
}

#[tokio::test]
async fn when_all_places_are_taken_the_longest_silent_makes_room() {
    let limits = Limits { connections: 3, grace: GRACE, head: DEADLINE * 2, ..Limits::default() };
    let server = served(limits).await;
    let silent = connected(server.at, b"GET / HTTP/1.1\r\n").await;
    let kept = [hello(server.at).await, hello(server.at).await];

    hello(server.at).await;

    assert_eq!(rest(silent).await, "");
    for mut tcp in kept {
        tcp.write_all(REQUEST).await.expect("still open");
    }
}

#[tokio::test]
async fn who_is_owed_an_answer_makes_no_room_and_the_newcomer_gets_its_turn() {
    for limits in [Limits { connections: 2, ..Limits::default() }, Limits { per_peer: 2, ..Limits::default() }] {
        let server = served(limits).await;
        let mut held = vec![];
        for _ in 0..2 {
            held.push(connected(server.at, b"GET /held HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await);
            timeout(DEADLINE, server.reached.notified()).await.expect("reached");
        }
        let newcomer = connected(server.at, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;

        for held in held {
            server.release.notify_one();
            assert!(rest(held).await.ends_with("released"));
        }

        assert!(rest(newcomer).await.ends_with("hello"));
    }
}

/// From an address that no other connection comes from.
async fn hello_from_elsewhere(at: SocketAddr) {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind("127.0.0.2:0".parse().expect("address")).expect("bind");
    let mut tcp = socket.connect(at).await.expect("connect");
    tcp.write_all(ONCE).await.expect("write");
    assert!(rest(tcp).await.ends_with("hello"));
}

#[tokio::test]
async fn an_address_that_is_owed_answers_for_all_of_its_share_holds_up_no_other() {
    let server = served(Limits { per_peer: 2, ..Limits::default() }).await;
    let mut held = vec![];
    for _ in 0..2 {
        held.push(connected(server.at, b"GET /held HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await);
        timeout(DEADLINE, server.reached.notified()).await.expect("reached");
    }
    let newcomer = connected(server.at, ONCE).await;

    hello_from_elsewhere(server.at).await;

    server.release.notify_one();
    assert!(rest(newcomer).await.ends_with("hello"), "its turn comes");
    server.release.notify_one();
    for held in held {
        assert!(rest(held).await.ends_with("released"));
    }
}

#[tokio::test]
async fn an_address_that_keeps_speaking_holds_up_no_other_also_if_it_has_only_just_begun() {
    let limits = Limits { per_peer: 2, grace: DEADLINE * 2, head: DEADLINE * 2, ..Limits::default() };
    let server = served(limits).await;
    let _speaking = hello(server.at).await;
    let mut just_come = connected(server.at, b"").await;
    let newcomer = connected(server.at, ONCE).await;

    just_come.write_all(REQUEST).await.expect("write");

    hello_from_elsewhere(server.at).await;
    drop(just_come);
    assert!(rest(newcomer).await.ends_with("hello"), "its turn comes");
}

#[tokio::test]
async fn who_waits_at_the_door_steps_aside_once_their_address_is_busy_with_its_share() {
    let limits = Limits { per_peer: 1, grace: DEADLINE * 8, ..Limits::default() };
    let places = Arc::new(Places::new(limits, &Front::plain(Networks::default())));
    let address = [127, 0, 0, 1].into();
    let just_come = Places::take(&places, address).await.expect("free");
    let mut newcomer = pin!(Places::take(&places, address));
    assert!(timeout(Duration::ZERO, newcomer.as_mut()).await.is_err(), "waits for who may turn out silent");

    just_come.spoke(StatusCode::OK);

    assert!(timeout(DEADLINE, newcomer).await.expect("in time").is_none());
}

#[tokio::test]
async fn only_so_many_wait_for_the_share_of_their_address_and_the_end_does_not_wait_for_them() {
    let limits = Limits { per_peer: 1, waiting: 1, grace: DEADLINE * 2, head: DEADLINE * 2, ..Limits::default() };
    let server = served(limits).await;
    let _speaking = hello(server.at).await;
    let waits = connected(server.at, REQUEST).await;

    let one_too_many = connected(server.at, REQUEST).await;

    assert_eq!(rest(one_too_many).await, "");
    server.end.cancel();
    assert_eq!(rest(waits).await, "");
    timeout(Duration::from_secs(2), server.ended).await.expect("ended before the drain is over").expect("join");
}

#[tokio::test]
async fn in_a_rush_nobody_is_cut_off_for_the_next_one() {
    let server = served(Limits { connections: 4, grace: DEADLINE, ..Limits::default() }).await;
    let mut all = tokio::task::JoinSet::new();

    for _ in 0..200 {
        all.spawn(async move { rest(connected(server.at, ONCE).await).await });
    }

    for answer in all.join_all().await {
        assert!(answer.ends_with("hello"), "{answer:?}");
    }
}

#[tokio::test]
async fn who_brought_a_genuine_delivery_keeps_its_place_though_it_is_silent() {
    let limits = Limits { connections: 3, grace: GRACE, head: DEADLINE * 2, ..Limits::default() };
    let server = served(limits).await;
    let mut proven = connected(server.at, b"GET /genuine HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 12];
    proven.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 202");

    let mut others = vec![];
    for _ in 0..10 {
        others.push(hello(server.at).await);
    }

    proven.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("write");
    assert!(rest(proven).await.contains("hello"));
}

#[tokio::test]
async fn one_address_gets_its_share_only() {
    let limits = Limits { per_peer: 2, grace: GRACE, head: DEADLINE * 2, ..Limits::default() };
    let server = served(limits).await;
    let first = connected(server.at, b"").await;
    // Until it is counted.
    hello(server.at).await;

    let _second = hello(server.at).await;
    let _third = hello(server.at).await;

    assert_eq!(rest(first).await, "");
}

#[tokio::test]
async fn a_trusted_proxy_is_not_held_to_the_share_of_one_address() {
    let limits = Limits { per_peer: 2, grace: GRACE, head: DEADLINE * 2, ..Limits::default() };
    let server = served_behind(limits, "127.0.0.0/8").await;
    let mut first = hello(server.at).await;
    let mut others = vec![];
    for _ in 0..10 {
        others.push(hello(server.at).await);
    }

    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("write");

    assert!(rest(first).await.contains("hello"));
}

#[tokio::test]
async fn a_flood_of_half_requests_keeps_no_honest_one_out() {
    let limits = Limits { connections: 20, per_peer: 10, grace: GRACE, head: DEADLINE * 2, ..Limits::default() };
    let server = served(limits).await;
    let mut flood = vec![];

    for _ in 0..30 {
        for _ in 0..5 {
            flood.push(connected(server.at, b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nh").await);
        }
        hello(server.at).await;
    }
}

#[tokio::test]
async fn a_host_with_many_addresses_of_ipv6_has_the_share_of_one() {
    let limits = Limits { per_peer: 2, grace: DEADLINE * 8, ..Limits::default() };
    let places = Arc::new(Places::new(limits, &Front::plain(Networks::default())));
    let take = |address: &str| Places::take(&places, address.parse().expect("address"));
    let first = [take("2001:db8::1").await.expect("free"), take("2001:db8::ffff:2").await.expect("free")];
    for place in &first {
        place.spoke(StatusCode::OK);
    }

    assert!(
        timeout(DEADLINE, take("2001:db8::3")).await.expect("in time").is_none(),
        "one network, and it has its share"
    );
    for other in ["2001:db8:0:1::1", "192.0.2.1"] {
        assert!(timeout(DEADLINE, take(other)).await.expect("in time").is_some(), "{other}");
    }
}

#[tokio::test]
async fn the_end_waits_for_a_request_in_progress_and_for_no_idle_connection() {
    let server = served(Limits::default()).await;
    let _idle = hello(server.at).await;
    let held = connected(server.at, b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    timeout(DEADLINE, server.reached.notified()).await.expect("reached");

    server.end.cancel();
    // The port is free when the end has begun.
    let gone = async { while TcpStream::connect(server.at).await.is_ok() {} };
    timeout(DEADLINE, gone).await.expect("the port is given back");
    server.release.notify_one();

    assert!(rest(held).await.ends_with("released"));
    timeout(Duration::from_secs(2), server.ended).await.expect("ended before the drain is over").expect("join");
}

#[tokio::test]
async fn the_end_does_not_wait_longer_than_the_drain() {
    let server = served(Limits { drain: Duration::from_millis(100), ..Limits::default() }).await;
    let held = connected(server.at, b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    timeout(DEADLINE, server.reached.notified()).await.expect("reached");

    server.end.cancel();

    timeout(Duration::from_secs(2), server.ended).await.expect("ended").expect("join");
    assert_eq!(rest(held).await, "");
}

#[tokio::test]
async fn where_only_the_address_is_left_a_body_has_its_time_until_all_ends() {
    let server = served(Limits { drain: Duration::ZERO, ..Limits::default() }).await;
    let half = b"POST /body HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 8\r\n\r\n";
    let mut halves = vec![];
    for _ in 0..2 {
        let mut tcp = connected(server.at, half).await;
        let mut asked = [0; 25];
        timeout(DEADLINE, tcp.read_exact(&mut asked)).await.expect("in time").expect("asked for its body");
        tcp.write_all(b"half").await.expect("write");
        halves.push(tcp);
    }

    server.stop.cancel();
    let gone = async { while TcpStream::connect(server.at).await.is_ok() {} };
    timeout(DEADLINE, gone).await.expect("the port is given back");
    let mut slow = halves.pop().expect("one");
    slow.write_all(b"half").await.expect("write");

    assert!(rest(slow).await.ends_with("halfhalf"));
    server.end.cancel();
    timeout(Duration::from_secs(2), server.ended).await.expect("ended").expect("join");
    assert!(rest(halves.remove(0)).await.is_empty());
}

#[tokio::test]
async fn a_connection_does_not_live_for_ever() {
    let server = served(Limits { lifetime: Duration::from_millis(200), ..Limits::default() }).await;

    rest(hello(server.at).await).await;
}

#[tokio::test]
async fn the_largest_head_is_read_also_in_small_pieces() {
    let limits = Limits::default();
    let places = Arc::new(Places::new(limits, &Front::plain(Networks::default())));
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let place = Places::take(&places, peer.ip()).await.expect("free");
    let app = Router::new().route("/", get(|| async { "hello" }));
    let (mut client, server) = tokio::io::duplex(1460);
    tokio::spawn(Talk { peer, app, limits, place, stop: CancellationToken::new() }.converse(server));
    let (names, each) = (b'a'..=b'z', HEAD_LIMIT / 26 - 10);
    let lines: Vec<_> = names.map(|name| format!("{}: {}\r\n", char::from(name), "x".repeat(each))).collect();
    let lines = lines.concat();
    let counted = "GET/".len() + 26 * (1 + each);
    let rest = "x".repeat(HEAD_LIMIT - counted - "connectionclosehost".len());

    let head = format!("GET / HTTP/1.1\r\nconnection: close\r\n{lines}host: {rest}\r\n\r\n");
    client.write_all(head.as_bytes()).await.expect("written");

    let mut answer = String::new();
    timeout(DEADLINE, client.read_to_string(&mut answer)).await.expect("in time").expect("read");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

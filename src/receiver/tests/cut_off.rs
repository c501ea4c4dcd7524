//! What ends before it is whole leaves a line all the same.

use prometheus_client::{encoding::text, registry::Registry};
use tokio::sync::watch;

use super::{super::tls_tests::pair, *};

impl House {
    /// Waits for the newest line: account, status, reason.
    async fn refused(&mut self) -> (Option<AccountName>, u16, String) {
        let told = self.told().await.summary;
        assert_eq!(told.verdict, Verdict::Rejected);
        (told.account, told.status, told.reason.to_string())
    }

    pub(super) fn figures(&self) -> String {
        let (mut registry, mut out) = (Registry::default(), String::new());
        self.receiver.meter().register(&mut registry);
        text::encode(&mut out, &registry).expect("figures");
        out
    }

    /// Waits until one connection ended without a request for this reason.
    async fn counts(&self, reason: &str) {
        self.shows(&format!("no_requests_total{{reason=\"{reason}\"}} 1\n")).await;
    }

    /// Waits until this is among the figures.
    async fn shows(&self, figure: &str) {
        let there = async {
            while !self.figures().contains(figure) {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, there).await.unwrap_or_else(|_| panic!("{figure}: {}", self.figures()));
    }
}

/// The house's door on a real port, where requests have so long.
async fn door_with(house: &House, limits: http::Limits) -> (SocketAddr, CancellationToken) {
    door_of(house, limits, http::Front::plain(Networks::default())).await
}

async fn door_of(house: &House, limits: http::Limits, front: http::Front) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let (at, stop) = (listener.local_addr().expect("address"), CancellationToken::new());
    let front = http::Front { receiver: Some(house.receiver.clone()), ..front };
    tokio::spawn(http::serve(listener, house.app.clone(), limits, front, stop.clone()));
    (at, stop)
}

const SHORT: Duration = Duration::from_millis(500);

/// Where heads have little time.
fn hasty() -> http::Limits {
    http::Limits { head: SHORT, ..http::Limits::default() }
}

/// Where bodies have little time.
fn hasty_for_bodies() -> http::Limits {
    http::Limits { request: SHORT, ..http::Limits::default() }
}

async fn sent(at: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut tcp = TcpStream::connect(at).await.expect("connect");
    tcp.write_all(bytes).await.expect("written");
    tcp
}

/// What comes until the server hangs up.
async fn rest(mut tcp: TcpStream) -> String {
    let mut answer = vec![];
    // A reset is an end too.
    let _ = timeout(DEADLINE, tcp.read_to_end(&mut answer)).await.expect("the server hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A connection whose body is half read: one is asked for it as soon as somebody waits for it.
async fn half_read(at: SocketAddr, body: &str) -> TcpStream {
    let head = head(body, &format!("content-length: {}\r\nexpect: 100-continue", body.len() + 10));
    let mut tcp = sent(at, head.as_bytes()).await;
    let mut asked = [0; 25];
    timeout(DEADLINE, tcp.read_exact(&mut asked)).await.expect("in time").expect("asked for");
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    tcp.write_all(body.as_bytes()).await.expect("written");
    tcp
}

/// A signed request of `body` that announces ten bytes more.
fn unfinished(path: &str, body: &str) -> Vec<u8> {
    let whole = head(body, &format!("content-length: {}", body.len() + 10)) + body;
    whole.replacen(&format!("/hooks/prod/{KEY}"), path, 1).into_bytes()
}

#[tokio::test]
async fn a_body_that_is_too_slow_is_503_and_stands_in_the_log_with_how_much_of_it_came() {
    let mut house = house();
    let (at, _stop) = door_with(&house, hasty_for_bodies()).await;
    let body = event("E1");

    let answer = rest(sent(at, &unfinished(&format!("/hooks/prod/{KEY}"), &body)).await).await;

    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 5\r\n"), "{answer}");
    assert!(answer.ends_with("not complete in time\n"), "{answer}");
    let part = format!("{} of {} bytes", body.len(), body.len() + 10);
    let reason = format!("the body was not complete after 0.5 s: {part}");
    assert_eq!(house.refused().await, (Some(account("prod")), 503, reason));
    let kept = house.newest();
    assert_eq!(kept.body, body.as_bytes());
    assert!(kept.peer.starts_with("127.0.0.1:") && kept.headers.iter().any(|(name, _)| name == HEADER));
    assert!(house.figures().contains("{account=\"prod\",verdict=\"rejected\"} 1"), "{}", house.figures());
}

#[tokio::test]
async fn who_is_too_slow_without_the_key_of_a_door_is_of_no_account() {
    let mut house = house();
    let (at, _stop) = door_with(&house, hasty_for_bodies()).await;

    for path in ["/hooks/prod/wrong", "/hooks/nobody/url-key"] {
        rest(sent(at, &unfinished(path, &event("E1"))).await).await;

        let (account, status, reason) = house.refused().await;
        assert_eq!((account, status), (None, 503));
        assert!(reason.starts_with("the body was not complete"), "{reason}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_stands_in_the_log() {
    let mut house = house();
    let (at, _stop) = door_with(&house, http::Limits::default()).await;
    let body = event("E1");

    drop(sent(at, &unfinished(&format!("/hooks/prod/{KEY}"), &body)).await);

    let part = format!("{} of {} bytes", body.len(), body.len() + 10);
    assert_eq!(house.refused().await, (Some(account("prod")), 503, format!("the body broke off: {part}")));
}

#[tokio::test]
async fn who_has_to_make_room_with_half_a_body_stands_in_the_log() {
    let mut house = house();
    let limits = http::Limits { connections: 1, grace: Duration::from_millis(1), ..http::Limits::default() };
    let (at, _stop) = door_with(&house, limits).await;
    let slow = half_read(at, &event("E1")).await;

    let newcomer = rest(sent(at, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await).await;

    assert!(newcomer.ends_with("ok\n"), "{newcomer}");
    assert_eq!(rest(slow).await, "");
    let (account, status, reason) = house.refused().await;
    assert_eq!((account.as_ref().map(AccountName::as_str), status), (Some("prod"), 503));
    assert!(reason.starts_with("closed before the body was complete, to make room"), "{reason}");
}

#[tokio::test]
async fn a_flood_of_slow_bodies_leaves_the_door_open_and_the_log_as_small_as_any_flood() {
    let mut house = house();
    let limits = http::Limits { connections: 16, grace: Duration::from_millis(1), ..http::Limits::default() };
    let (at, _stop) = door_with(&house, limits).await;
    let body = event("E2");
    let mut flood = vec![];
    let inner = Arc::clone(&house.receiver.0);
    let all_turns = inner.rejections.acquire_many(u32::try_from(REJECTIONS).expect("few")).await.expect("open");

    for _ in 0..100 {
        flood.push(half_read(at, &event("E1")).await);
    }

    let whole = head(&body, &format!("content-length: {}", body.len())) + &body;
    assert!(converse(at, whole.as_bytes()).await.starts_with("HTTP/1.1 202 "));
    house.shows("deliveries_total{account=\"prod\",verdict=\"rejected\"} 85\n").await;
    assert_eq!(house.told().await.summary.verdict, Verdict::Accepted);
    assert_eq!(house.log().len(), 1, "those that are cut off take turns like all that are refused");
    drop(all_turns);
    flood.pop();
    assert_eq!(house.refused().await.1, 503);
}

#[tokio::test]
async fn what_is_no_request_is_counted_by_its_reason_and_stands_in_the_log() {
    let mut house = house();
    let (at, _stop) = door_with(&house, http::Limits::default()).await;
    let (hasty, _stop) = door_with(&house, hasty()).await;
    let control = "POST /hooks/prod/url-key HTTP/1.1\r\nhost: x\r\nx-a: \u{1}\r\n\r\n";
    let long = format!("POST / HTTP/1.1\r\nhost: x\r\nx-a: {}", "a".repeat(200_000));

    assert!(rest(sent(at, control.as_bytes()).await).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(house.refused().await, (None, 400, "no request: malformed head".to_owned()));
    let mut tcp = TcpStream::connect(at).await.expect("connect");
    // It may be closed before all of it is written.
    let _ = tcp.write_all(long.as_bytes()).await;
    rest(tcp).await;
    assert_eq!(house.refused().await, (None, 431, "no request: head too large".to_owned()));
    assert_eq!(rest(sent(at, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await).await, "");
    rest(sent(hasty, b"POST / HTTP/1.1\r\nhost:").await).await;

    for reason in ["malformed head", "head too large", "HTTP/2", "head not complete in time"] {
        house.counts(reason).await;
    }
    assert!(!house.figures().contains("deliveries_total{"), "they are no deliveries: {}", house.figures());
    house.deliver(&event("E1")).await;
    assert_eq!(house.told().await.summary.status, 202, "what was answered with nothing stands in no log");
}

#[tokio::test]
async fn who_hangs_up_during_a_handshake_is_not_counted_and_who_speaks_something_else_is() {
    let house = house();
    let entrance = watch::channel(pair().0).1;
    let front = http::Front { entrance, ..http::Front::plain(Networks::default()) };
    let (at, _stop) = door_of(&house, http::Limits::default(), front).await;

    for begun in [&b""[..], b"\x16\x03\x01"] {
        let mut tcp = sent(at, begun).await;
        tcp.shutdown().await.expect("shut down");
        rest(tcp).await;
    }
    rest(sent(at, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await).await;

    house.counts("no handshake of TLS").await;
}

#[tokio::test]
async fn a_connection_that_is_kept_and_asks_no_more_is_no_late_head() {
    let house = house();
    let (at, _stop) = door_with(&house, hasty()).await;

    rest(sent(at, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await).await;

    // The next one ends later, and is counted later.
    rest(sent(at, b"GET /healthz HTTP/1.1\r\nhost:").await).await;
    house.counts("head not complete in time").await;
}

#[tokio::test]
async fn another_method_on_the_path_of_a_hook_stands_in_the_log() {
    let mut house = house();
    let get = |path: &str| HttpRequest::get(path).body(Body::empty()).expect("request");

    let answer = house.ask(get("/hooks/prod/url-key")).await;
    assert_eq!(
        (answer.status(), &answer.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().expect("value"))
    );
    let reason = "GET, and only POST delivers";
    assert_eq!(house.refused().await, (Some(account("prod")), 405, reason.to_owned()));
    house.ask(get("/hooks/prod/wrong")).await;
    assert_eq!(house.refused().await, (None, 405, reason.to_owned()));
}

#[tokio::test]
async fn a_head_of_more_than_32_kib_is_431_also_where_it_could_be_read() {
    let mut house = house();
    let (at, _stop) = door_with(&house, http::Limits::default()).await;
    let body = event("E1");
    let with = |size: usize| {
        let plain = head(&body, &format!("content-length: {}\r\nx-pad: ", body.len()));
        let counted = plain.replace("HTTP/1.1", "").replace("\r\n", "").replace([' ', ':'], "").len();
        plain.trim_end().to_owned() + &"a".repeat(size - counted) + "\r\n\r\n" + &body
    };

    assert!(converse(at, with(32 * 1024).as_bytes()).await.starts_with("HTTP/1.1 202 "), "the largest");
    assert_eq!(house.told().await.summary.status, 202);
    for size in [32 * 1024 + 1, 33_000, 40_000] {
        let answer = rest(sent(at, with(size).as_bytes()).await).await;

        assert!(answer.starts_with("HTTP/1.1 431 "), "{size}: {answer}");
        let (account, status, reason) = house.refused().await;
        assert_eq!((account.as_ref().map(AccountName::as_str), status), (Some("prod"), 431));
        assert_eq!(reason, format!("the head is larger than 32768 bytes: {size}"));
    }
    assert!(!house.newest().headers.iter().any(|(name, _)| name == "x-pad"), "what does not fit is not kept");
}

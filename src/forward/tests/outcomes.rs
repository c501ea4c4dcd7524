//! What the other side may do, and what is made of it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    sink::{Reply, Sink},
    target,
};
use crate::forward::{
    outcome::{Outcome, Taken},
    send::{Letter, Sender, WITHIN},
};

/// Long enough for an answer on loopback, short enough to wait for.
const IMPATIENT: Duration = Duration::from_millis(400);

async fn send_to(url: &str, within: Duration) -> Outcome {
    let target = target("chat", url);
    let letter = Letter::new(&target, "evt_1", b"{}".to_vec(), Timestamp::UNIX_EPOCH).expect("a letter");
    Sender { within, ..Sender::default() }.send(&target, &letter).await
}

async fn send(sink: &Sink) -> Outcome {
    send_to(&sink.url(), WITHIN).await
}

async fn answered(reply: Reply) -> Outcome {
    send(&Sink::new(move |_, _| reply.clone()).await).await
}

#[tokio::test]
async fn t26_every_2xx_is_success() {
    for status in [200, 201, 202, 203, 206, 226, 299] {
        let outcome = answered(Reply::status(status)).await;
        assert_eq!((outcome.taken, outcome.status), (Taken::Yes, status), "{outcome:?}");
        assert!(outcome.words.starts_with(&status.to_string()));
    }
    let empty = answered(Reply::bytes("HTTP/1.1 204 No Content\r\n\r\n")).await;
    assert_eq!((empty.taken, empty.words.as_str()), (Taken::Yes, "204 No Content"));
    let early = answered(Reply::bytes("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    assert_eq!((early.taken, early.status), (Taken::Yes, 200));
}

#[tokio::test]
async fn t27_every_other_status_is_a_failure_that_is_named() {
    for (status, words) in
        [(400, "400 Bad Request"), (404, "404 Not Found"), (429, "429 Too Many Requests"), (600, "600")]
    {
        let outcome = answered(Reply::status(status)).await;
        assert_eq!((outcome.taken, outcome.status, outcome.words.as_str()), (Taken::No, status, words));
        assert_eq!(outcome.response, b"ok");
    }
    for status in [304, 401, 410, 500, 502, 503, 504] {
        assert_eq!(answered(Reply::status(status)).await.taken, Taken::No, "{status}");
    }
    let switched = answered(Reply::bytes("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n")).await;
    assert_eq!((switched.taken, switched.status), (Taken::No, 101));
}

#[tokio::test]
async fn t28_redirects_are_not_followed() {
    let elsewhere = Sink::with_status(200).await;
    for status in [301, 302, 303, 307, 308] {
        let to = elsewhere.url();
        let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        let outcome = answered(Reply::Bytes(head)).await;

        assert_eq!((outcome.taken, outcome.status), (Taken::No, status));
        assert!(outcome.words.ends_with("redirects are not followed"), "{}", outcome.words);
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn t29_no_answer_in_five_seconds_is_a_failure() {
    assert_eq!(WITHIN, Duration::from_secs(5));
    for silent in [Reply::Hang(String::new()), Reply::Hang("HTTP/1.1 200 O".to_owned())] {
        let sink = Sink::new(move |_, _| silent.clone()).await;
        let began = std::time::Instant::now();

        let outcome = send_to(&sink.url(), IMPATIENT).await;

        assert_eq!((outcome.taken, outcome.status), (Taken::No, 0));
        assert!(outcome.words.starts_with("no answer within"), "{}", outcome.words);
        let took = began.elapsed();
        assert!(took >= IMPATIENT && took < IMPATIENT + Duration::from_millis(500), "{took:?}");
    }
}

#[tokio::test]
async fn t30_a_body_that_does_not_end_in_time_is_a_failure_that_names_the_status() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc".to_owned();
    for reply in [Reply::Hang(head.clone()), Reply::Drip(head)] {
        let sink = Sink::new(move |_, _| reply.clone()).await;

        let outcome = send_to(&sink.url(), IMPATIENT).await;

        assert_eq!((outcome.taken, outcome.status), (Taken::No, 200));
        assert!(outcome.words.starts_with("200 OK, but its body did not end within"), "{}", outcome.words);
        assert!(outcome.response.starts_with(b"abc"));
    }
}

#[tokio::test]
async fn t31_an_endless_body_is_read_no_further_than_it_must_be() {
    let outcome = answered(Reply::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned())).await;

    assert_eq!((outcome.taken, outcome.status, outcome.response.len()), (Taken::Yes, 200, 1024));
    assert!(outcome.words.contains("was not read"), "{}", outcome.words);
    let broken = answered(Reply::bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")).await;
    assert_eq!((broken.taken, broken.words.as_str()), (Taken::Yes, "200 OK (its body broke off)"));
}

/// A port that nobody listens on.
async fn closed() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}/s3cret-path", listener.local_addr().expect("address"))
}

/// Says something to whoever comes, without listening.
async fn blunt() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            // What it was sent is read, so that closing is no reset.
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    address
}

#[tokio::test]
async fn t32_each_way_of_getting_no_answer_has_words_of_its_own_and_none_has_the_address_in_it() {
    let https = format!("https://{}/s3cret-path", blunt().await);
    let all = [
        send_to(&closed().await, WITHIN).await,
        send_to("http://nowhere.invalid/s3cret-path", WITHIN).await,
        send_to(&https, WITHIN).await,
        answered(Reply::Reset).await,
        answered(Reply::bytes("SSH-2.0-OpenSSH_9.9\r\n")).await,
        answered(Reply::bytes("")).await,
    ];

    for (outcome, words) in all.iter().zip([
        "connection refused",
        "its name cannot be resolved",
        "TLS: what answers there does not speak it",
        "it reset the connection",
        "what it answered is not HTTP",
        "it closed the connection without an answer",
    ]) {
        assert_eq!((outcome.taken, outcome.status), (Taken::No, 0));
        assert!(outcome.words.starts_with(words), "{} is not {words}", outcome.words);
        assert!(!outcome.words.contains("s3cret"), "{}", outcome.words);
    }
}

#[tokio::test]
async fn t33_a_certificate_that_nobody_vouches_for_is_refused() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("key");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).expect("config");
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });

    let outcome = send_to(&format!("https://localhost:{port}/s3cret-path"), WITHIN).await;

    assert_eq!(outcome.taken, Taken::No);
    assert!(outcome.words.starts_with("TLS: its certificate is not trusted"), "{}", outcome.words);
}

#[tokio::test]
async fn an_address_that_is_link_local_is_refused_before_anything_is_sent_unless_that_is_allowed() {
    let outcome = send_to("http://169.254.169.254/latest/meta-data/s3cret-path", WITHIN).await;
    assert_eq!(outcome.taken, Taken::No);
    assert!(outcome.words.starts_with("refused: 169.254.169.254 is"), "{}", outcome.words);

    let sink = Sink::with_status(200).await;
    let mut allowed = target("chat", &sink.url());
    allowed.allow_link_local = true;
    let letter = Letter::new(&allowed, "evt_1", vec![], Timestamp::UNIX_EPOCH).expect("a letter");
    assert_eq!(Sender::default().send(&allowed, &letter).await.taken, Taken::Yes);
}

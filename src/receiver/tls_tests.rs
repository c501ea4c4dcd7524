//! The door behind TLS, met by real clients over loopback.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::StatusCode, routing::get};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    Networks,
    http::{Front, Limits, serve},
    pinned,
    tls::{Entrance, Pair},
};

const DEADLINE: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: door.example\r\n\r\n";

/// A pair, and its certificate for clients to trust.
pub(super) fn pair() -> (Entrance, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["door.example".to_owned()]).expect("pair");
    let pair = Pair::from_pem(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).expect("pair");
    (Entrance::Tls(pair.config), cert.der().clone())
}

struct House {
    at: SocketAddr,
    entrance: watch::Sender<Entrance>,
    _stop: tokio_util::sync::DropGuard,
}

async fn house(limits: Limits, entrance: Entrance) -> House {
    let app = Router::new().route("/", get(|| async { StatusCode::ACCEPTED }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let (at, stop) = (listener.local_addr().expect("address"), CancellationToken::new());
    let entrance = watch::Sender::new(entrance);
    let front = Front { entrance: entrance.subscribe(), ..Front::plain(Networks::default()) };
    tokio::spawn(serve(listener, app, limits, front, stop.clone()));
    House { at, entrance, _stop: stop.drop_guard() }
}

async fn shake(
    at: SocketAddr,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(at).await?;
    let name = ServerName::try_from("door.example").expect("name");
    timeout(DEADLINE, TlsConnector::from(Arc::new(config)).connect(name, tcp)).await.expect("in time")
}

async fn is_accepted(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
    io.write_all(REQUEST).await.expect("write");
    let mut answer = vec![];
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        timeout(DEADLINE, io.read_exact(&mut byte)).await.expect("in time").expect("an answer");
        answer.push(byte[0]);
    }
    answer.starts_with(b"HTTP/1.1 202 ")
}

/// Everything that comes until the door hangs up.
async fn rest(mut tcp: TcpStream) -> Vec<u8> {
    let mut bytes = vec![];
    let _ = timeout(DEADLINE, tcp.read_to_end(&mut bytes)).await.expect("the door hangs up");
    bytes
}

#[tokio::test]
async fn clients_of_both_versions_are_served_over_http_1_1() {
    let (entrance, trusted) = pair();
    let house = house(Limits::default(), entrance).await;
    for (version, spoken) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut tls = shake(house.at, &trusted, &[version]).await.expect("handshake");

        assert!(is_accepted(&mut tls).await);

        assert_eq!(tls.get_ref().1.protocol_version(), Some(spoken));
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

/// A hello of a client that knows nothing newer than TLS 1.0 or 1.1.
fn old_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    // No session; one suite, AES128-SHA; no compression; no extensions.
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let mut handshake = vec![1, 0, 0, u8::try_from(hello.len()).expect("short")];
    handshake.extend(hello);
    let mut record = vec![22, 3, 1, 0, u8::try_from(handshake.len()).expect("short")];
    record.extend(handshake);
    record
}

#[tokio::test]
async fn plain_http_and_old_versions_are_refused_and_harm_nobody() {
    let (entrance, trusted) = pair();
    let house = house(Limits::default(), entrance).await;
    let mut before = shake(house.at, &trusted, &[&TLS13]).await.expect("handshake");
    let long_noise = vec![0xff; 70_000];
    for bytes in [REQUEST, &old_hello(1), &old_hello(2), b"\x16\x03\x01\xff\xff", &long_noise] {
        let mut tcp = TcpStream::connect(house.at).await.expect("connect");
        // The door may hang up before all is written.
        let _ = tcp.write_all(bytes).await;
        let _ = tcp.shutdown().await;

        let said = rest(tcp).await;

        assert!(said.is_empty() || said.starts_with(&[21, 3]), "an alert at most: {said:?}");
    }
    assert!(is_accepted(&mut before).await);
    assert!(is_accepted(&mut shake(house.at, &trusted, &[&TLS12]).await.expect("handshake")).await);
}

#[tokio::test]
async fn a_client_that_knows_one_certificate_talks_to_nobody_with_another() {
    let ((own, certificate), (stranger, _)) = (pair(), pair());
    let connect = async |entrance: Entrance| {
        let house = house(Limits::default(), entrance).await;
        let tcp = TcpStream::connect(house.at).await.expect("connect");
        let name = ServerName::try_from("any.example").expect("name");
        let config = Arc::new(pinned::client(certificate.clone()));
        timeout(DEADLINE, TlsConnector::from(config).connect(name, tcp)).await.expect("in time").map(|_| ())
    };

    assert!(connect(own).await.is_ok());
    let error = connect(stranger).await.expect_err("refused");
    assert!(error.to_string().contains("another certificate"), "{error}");
}

#[tokio::test]
async fn another_certificate_is_shown_to_the_next_connection_and_the_present_ones_stay() {
    let ((first, trusted_first), (second, trusted_second)) = (pair(), pair());
    let house = house(Limits::default(), first).await;
    let mut before = shake(house.at, &trusted_first, &[&TLS13]).await.expect("handshake");

    house.entrance.send_replace(second);

    assert!(is_accepted(&mut shake(house.at, &trusted_second, &[&TLS13]).await.expect("the new one")).await);
    assert!(shake(house.at, &trusted_first, &[&TLS13]).await.is_err(), "the old one is not shown any more");
    assert!(is_accepted(&mut before).await, "who was connected stays");
}

#[tokio::test]
async fn half_a_handshake_is_cut_and_keeps_no_honest_one_out() {
    let (entrance, trusted) = pair();
    let limits = Limits { connections: 4, per_peer: 4, head: Duration::from_secs(2), ..Limits::default() };
    let house = house(limits, entrance).await;
    let mut half = vec![];
    for _ in 0..20 {
        let mut tcp = TcpStream::connect(house.at).await.expect("connect");
        tcp.write_all(&old_hello(3)[..20]).await.expect("write");
        half.push(tcp);
    }

    assert!(is_accepted(&mut shake(house.at, &trusted, &[&TLS13]).await.expect("handshake")).await);

    for tcp in half {
        assert!(rest(tcp).await.is_empty());
    }
}

#[tokio::test]
async fn without_a_usable_certificate_nothing_is_answered() {
    let house = house(Limits::default(), Entrance::Shut).await;
    let mut tcp = TcpStream::connect(house.at).await.expect("connect");
    let _ = tcp.write_all(REQUEST).await;

    assert!(rest(tcp).await.is_empty());

    house.entrance.send_replace(pair().0);
}

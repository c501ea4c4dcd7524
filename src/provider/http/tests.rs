//! To whom credentials go: to the host that was named, over TLS that holds, and to nobody else.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use reqwest::{Certificate, header::AUTHORIZATION};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

const TOKEN: &str = "Token token=y_NbAkKc66ryYTWUXYEu";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(vec![]).expect("params");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority")
}

/// The certificate of a server, its key, and what it is for.
fn server_of(authority: &Authority, host: &str, until: i32) -> ServerConfig {
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::new([host.to_owned()]).expect("params");
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, authority).expect("certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("key");
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("pair")
}

/// A server, and the heads of the requests that reached it.
#[derive(Clone)]
struct Server {
    at: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers everything with `answer`; without `tls`, over plain HTTP.
    async fn start(tls: Option<ServerConfig>, answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let server = Self { at: listener.local_addr().expect("address"), heads: Arc::default() };
        let (serving, tls) = (server.clone(), tls.map(|config| TlsAcceptor::from(Arc::new(config))));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                match &tls {
                    None => serving.talk(tcp, &answer).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(tcp).await {
                            serving.talk(stream, &answer).await;
                        }
                    }
                }
            }
        });
        server
    }

    async fn talk(&self, mut io: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
        let mut head = vec![];
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && matches!(io.read(&mut byte).await, Ok(1)) {
            head.push(byte[0]);
        }
        if !head.is_empty() {
            self.heads.lock().expect("lock").push(String::from_utf8_lossy(&head).into_owned());
            let _ = io.write_all(answer.as_bytes()).await;
            let _ = io.shutdown().await;
        }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("lock").clone()
    }
}

fn fine() -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}".to_owned()
}

/// Asks `https://localhost:<port>` with the token, trusting `authority` alone.
async fn ask(server: &Server, authority: &Authority) -> Result<StatusCode, ProviderError> {
    let base = BaseUrl::parse(&format!("https://localhost:{}", server.at.port())).expect("base");
    let limits = Limits { attempts: 2, first_pause: Duration::ZERO, ..Limits::default() };
    let trusted = Certificate::from_der(authority.der()).expect("certificate");
    let client = builder(&base, &limits).tls_certs_only([trusted]).build().expect("client");
    let http = Http { client: OnceCell::new_with(Some(client)), ..Http::new(base, limits) };
    let headers = [(AUTHORIZATION, HeaderValue::from_static(TOKEN))].into_iter().collect();
    let (purpose, method) = (Purpose::Poll, Method::GET);
    let call = Call { purpose, method, segments: &["users", "me"], query: &[], headers, body: None };
    http.read(&call, |answer| Ok(answer.status)).await
}

#[tokio::test]
async fn the_token_goes_to_the_host_that_proves_to_be_the_one_named() {
    let authority = authority();
    let server = Server::start(Some(server_of(&authority, "localhost", 2090)), fine()).await;

    assert_eq!(ask(&server, &authority).await, Ok(StatusCode::OK));

    assert!(server.heads()[0].contains(TOKEN));
}

#[tokio::test]
async fn a_certificate_that_is_self_made_expired_or_of_another_host_gets_no_request() {
    let (stranger, authority) = (authority(), authority());
    let cases = [
        ("not by an authority we know", server_of(&stranger, "localhost", 2090)),
        ("expired", server_of(&authority, "localhost", 2020)),
        ("of another host", server_of(&authority, "api.example.com", 2090)),
    ];
    for (case, config) in cases {
        let server = Server::start(Some(config), fine()).await;

        let answer = ask(&server, &authority).await;

        assert!(matches!(answer, Err(ProviderError::Unreachable { maybe_sent: false, .. })), "{case}: {answer:?}");
        assert_eq!(server.heads(), Vec::<String>::new(), "{case}");
    }
}

#[tokio::test]
async fn plain_http_where_tls_was_named_gets_no_request() {
    let authority = authority();
    let server = Server::start(None, fine()).await;

    assert!(ask(&server, &authority).await.is_err());

    assert!(server.heads().iter().all(|head| !head.contains("oken")), "{:?}", server.heads());
}

#[tokio::test]
async fn no_redirect_is_followed_to_plain_http_or_to_another_host() {
    let authority = authority();
    let plain = Server::start(None, fine()).await;
    let other = Server::start(Some(server_of(&authority, "localhost", 2090)), fine()).await;
    for status in [301, 302, 303, 307, 308] {
        for to in [format!("http://127.0.0.1:{}", plain.at.port()), format!("https://localhost:{}", other.at.port())] {
            let answer = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {to}/users/me\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            let server = Server::start(Some(server_of(&authority, "localhost", 2090)), answer).await;

            let answered = ask(&server, &authority).await.map(|status| status.as_u16());

            assert_eq!(answered, Ok(status), "the redirect itself is the answer");
        }
    }
    assert_eq!((plain.heads(), other.heads()), (vec![], vec![]), "nobody else was asked");
}

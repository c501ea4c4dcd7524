//! The client against servers that behave as `PagerDuty` does, and worse.

mod actions;
mod context;
mod examples;
mod lists;
mod order;
mod rota;
mod signs;
mod subscriptions;
mod talk;
mod webhooks;

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use super::{PagerDuty, Settings};
use crate::{
    core::id::{AccountName, IncidentId},
    provider::http::Limits,
};

const TOKEN: &str = "y_NbAkKc66ryYTWUXYEu";

fn settings(base_url: &str) -> Settings {
    Settings { account: account(), base_url: base_url.to_owned(), token: TOKEN.into(), from: None }
}

fn account() -> AccountName {
    AccountName::new("prod").expect("name")
}

fn incident_id(id: &str) -> IncidentId {
    IncidentId::new(id).expect("id")
}

/// As in production, but nobody waits.
fn limits() -> Limits {
    Limits { first_pause: Duration::from_millis(1), ..Limits::default() }
}

fn client(settings: Settings) -> PagerDuty {
    PagerDuty::with_limits(settings, limits()).expect("settings")
}

fn client_of(server: &MockServer) -> PagerDuty {
    client(settings(&server.uri()))
}

/// Answers every request for `path` with `answer`.
async fn on(server: &MockServer, method: &str, path: &str, answer: ResponseTemplate) {
    Mock::given(matchers::method(method)).and(matchers::path(path)).respond_with(answer).mount(server).await;
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// What the server was asked, as `METHOD path`.
async fn asked(server: &MockServer) -> Vec<String> {
    requests(server).await.iter().map(|request| format!("{} {}", request.method, request.url.path())).collect()
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("recorded")
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}

fn incident(id: &str) -> Value {
    json!({ "id": id, "status": "triggered", "title": id, "created_at": "2026-01-01T00:00:00Z" })
}

/// The owner of a person's key.
fn person() -> Value {
    json!({ "user": { "id": "U1", "name": "Ann", "summary": "Ann", "email": "ann@example.com" } })
}

/// What `/users/me` says to an account's key.
fn account_key() -> ResponseTemplate {
    let words = "Because this request was made using an account-level access token, we were unable to determine \
                 the user's identity. Please use a user-level token.";
    ResponseTemplate::new(400).set_body_json(json!({ "error": words }))
}

/// A server that reads a request, sends `bytes` and hangs up; its address.
async fn hanging_up_after(bytes: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 16384];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(bytes.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pagerduty").join(name);
    fs::read_to_string(path).expect(name)
}

fn json_fixture(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).expect(name)
}

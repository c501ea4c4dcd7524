//! The simulator over real HTTP: what a client of `PagerDuty` relies on.

mod context;
mod delivery;
mod faults;
mod lists;
mod rota;
mod shapes;
mod states;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, time::timeout};

use super::{Night, Options, Simulator, Webhook, start};

const ACCEPT: &str = "application/vnd.pagerduty+json;version=2";
const SECRET: &str = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK";
const PATIENCE: Duration = Duration::from_secs(20);

/// What one request came back with.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Reply {
    fn code(&self) -> u64 {
        self.body["error"]["code"].as_u64().unwrap_or(0)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

/// A webhook as it arrived.
#[derive(Debug, Clone)]
struct Delivery {
    headers: HeaderMap,
    body: Bytes,
}

impl Delivery {
    fn event(&self) -> Value {
        serde_json::from_slice::<Value>(&self.body).unwrap()["event"].take()
    }

    fn kind(&self) -> String {
        self.event()["event_type"].as_str().unwrap().to_owned()
    }
}

/// A receiver that answers as it is told, and 202 after that.
#[derive(Debug, Default)]
struct Inbox {
    answers: Mutex<VecDeque<u16>>,
    got: watch::Sender<Vec<Delivery>>,
}

impl Inbox {
    async fn open() -> (Arc<Self>, SocketAddr) {
        let inbox = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let take = |State(inbox): State<Arc<Self>>, headers: HeaderMap, body: Bytes| async move {
            inbox.got.send_modify(|got| got.push(Delivery { headers, body }));
            let answer = inbox.answers.lock().unwrap().pop_front().unwrap_or(202);
            StatusCode::from_u16(answer).unwrap()
        };
        let router = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (inbox, address)
    }

    fn answer(&self, answers: &[u16]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The deliveries, once `enough` says so.
    async fn when(&self, enough: impl FnMut(&Vec<Delivery>) -> bool) -> Vec<Delivery> {
        let mut got = self.got.subscribe();
        let found = timeout(PATIENCE, got.wait_for(enough)).await;
        found.expect("webhooks do not come").unwrap().clone()
    }

    async fn first(&self, n: usize) -> Vec<Delivery> {
        self.when(|got| got.len() >= n).await
    }

    /// The latest webhook of this kind.
    async fn of_kind(&self, kind: &str) -> Value {
        let got = self.when(|got| got.iter().any(|d| d.kind() == kind)).await;
        got.iter().rev().find(|d| d.kind() == kind).unwrap().event()
    }
}

/// A simulator with somebody who asks and somebody who listens.
#[derive(Debug)]
struct Stage {
    simulator: Simulator,
    inbox: Arc<Inbox>,
    client: reqwest::Client,
    token: String,
    from: Option<String>,
}

fn options() -> Options {
    Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        seed: 42,
        script: None,
        incidents: 0,
        webhook: None,
        token: None,
        night: Night::Quiet,
    }
}

impl Stage {
    async fn empty() -> Self {
        Self::with(options()).await
    }

    async fn with_incidents(incidents: usize) -> Self {
        Self::with(Options { incidents, ..options() }).await
    }

    async fn with(options: Options) -> Self {
        let (inbox, address) = Inbox::open().await;
        let webhook = Webhook { url: format!("http://{address}/hooks"), secret: SECRET.into() };
        let simulator = start(Options { webhook: Some(webhook), ..options }).await.unwrap();
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Self { simulator, inbox, client, token: "y_NbAkKc66ryYTWUXYEu".to_owned(), from: None }
    }

    fn bare(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.simulator.url()))
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.bare(method, path).header("authorization", format!("Token token={}", self.token));
        let request = request.header("accept", ACCEPT);
        match &self.from {
            Some(from) => request.header("from", from),
            None => request,
        }
    }

    async fn send(request: reqwest::RequestBuilder) -> Reply {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap();
        Reply { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    async fn get(&self, path: &str) -> Reply {
        Self::send(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        Self::send(self.request(Method::POST, path).json(&body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Reply {
        Self::send(self.request(Method::PUT, path).json(&body)).await
    }

    async fn delete(&self, path: &str) -> Reply {
        Self::send(self.request(Method::DELETE, path)).await
    }

    /// Changes one incident, and gives it back as it is then.
    async fn change(&self, id: &str, fields: Value) -> Value {
        let reply = self.put(&format!("/incidents/{id}"), item(fields)).await;
        assert_eq!(reply.status, 200, "{:?}", reply.body);
        reply.body["incident"].clone()
    }

    async fn set_faults(&self, faults: Value) {
        let reply = Self::send(self.bare(Method::POST, "/_sim/faults").json(&faults)).await;
        assert_eq!(reply.status, 200);
    }

    /// A fresh incident; its id.
    async fn trigger(&self, title: &str) -> String {
        let order = json!({"title": title, "service": "Payments API", "details": {"host": "eu1-db-02"}});
        let reply = Self::send(self.bare(Method::POST, "/_sim/incidents").json(&order)).await;
        assert_eq!(reply.status, 201);
        text(&reply.body["incident"]["id"])
    }

    fn user(&self, n: usize) -> String {
        self.simulator.users()[n].id.to_string()
    }

    async fn policy(&self, name: &str) -> String {
        let reply = self.get(&format!("/escalation_policies?query={name}")).await;
        text(&reply.body["escalation_policies"][0]["id"])
    }
}

fn item(mut fields: Value) -> Value {
    fields["type"] = json!("incident_reference");
    json!({"incident": fields})
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| text(&one["id"])).collect()
}

/// Who is assigned.
fn assignees(incident: &Value) -> Vec<String> {
    incident["assignments"].as_array().unwrap().iter().map(|a| text(&a["assignee"]["id"])).collect()
}

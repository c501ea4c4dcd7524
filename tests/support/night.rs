//! One night on call: a provider, a state directory with its configuration, and the real binary on both.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{self, Command, Output},
    sync::atomic::{AtomicU16, Ordering},
};

use dogwatch::simulator::{Person, Simulator, Webhook};
use hmac::{Hmac, KeyInit as _, Mac as _};
use portable_pty::CommandBuilder;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sha2::Sha256;
use tokio::runtime::{self, Runtime};

use super::{
    console::{COLUMNS, Console, ROWS, is_age},
    eventually,
    simulated::{self, TOKEN, ask},
    terminal::{Reading, Terminal},
};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_dogwatch");
const SECRET: &str = "whole-night-long";
const URL_KEY: &str = "4b1d";
const ACCEPT: (&str, &str) = ("accept", "application/vnd.pagerduty+json;version=2");

/// A provider, and one state directory with its configuration.
pub(crate) struct Night {
    pub(crate) simulator: Option<Simulator>,
    provider: SocketAddr,
    pub(crate) door: SocketAddr,
    dir: tempfile::TempDir,
    runtime: Runtime,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// The provider sends webhooks.
    Subscribed,
    /// Only the tests send webhooks.
    ByHand,
}

/// A port for webhooks that nothing else takes by chance, not even while its owner changes: outside the range from
/// which the kernel gives ports to outgoing connections.
pub(crate) fn reserve_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(process::id() % 12_000).expect("small");
    loop {
        let port = 16_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

pub(crate) fn night(incidents: usize, push: Push, poll: &str) -> Night {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let door = reserve_port();
    let webhook = Webhook { url: format!("http://{door}/hooks/prod/{URL_KEY}"), secret: SECRET.into() };
    let webhook = (push == Push::Subscribed).then_some(webhook);
    let simulator = runtime.block_on(simulated::start(any_port(), incidents, webhook));
    let provider = simulated::address(&simulator);
    let dir = tempfile::tempdir().expect("tempdir");
    let config = format!(
        r#"
        [receiver]
        listen = "{door}"

        [[account]]
        name = "prod"
        provider = "pagerduty"
        base_url = "http://{provider}"
        token = {{ env = "PD_TOKEN" }}
        poll = "{poll}"

        [account.webhook]
        url_key = {{ env = "PD_URL_KEY" }}
        secrets = [{{ env = "PD_SECRET" }}]
        "#
    );
    fs::write(dir.path().join("config.toml"), config).expect("config");
    let night = Night { simulator: Some(simulator), provider, door, dir, runtime };
    night.let_nothing_happen_by_itself();
    night
}

impl Night {
    fn environment(&self) -> [(&'static str, String); 6] {
        let home = self.dir.path().display().to_string();
        [
            ("HOME", home.clone()),
            ("TERM", "xterm-256color".into()),
            ("DOGWATCH_CONFIG", format!("{home}/config.toml")),
            ("PD_TOKEN", TOKEN.into()),
            ("PD_URL_KEY", URL_KEY.into()),
            ("PD_SECRET", SECRET.into()),
        ]
    }

    /// Adds to the configuration.
    pub(crate) fn configure(&self, more: &str) {
        let path = self.dir.path().join("config.toml");
        let config = fs::read_to_string(&path).expect("config");
        fs::write(path, format!("{config}\n{more}")).expect("config");
    }

    pub(crate) fn spawn(&self, reading: Reading) -> Console {
        let mut command = CommandBuilder::new(BIN);
        command.env_clear();
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command.arg("--state-dir");
        command.arg(self.dir.path().join("state"));
        Console(Terminal::open(command, ROWS, COLUMNS, reading))
    }

    /// A console whose server has heard all that the provider has to tell at first.
    pub(crate) fn console(&self) -> Console {
        let console = self.spawn(Reading::Always);
        console.until("the provider has answered", |screen| {
            let mut words = screen.split_whitespace().skip_while(|word| *word != "rest").skip(1);
            words.next().is_some_and(is_age)
        });
        console
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BIN);
        command.env_clear().envs(self.environment()).arg("--state-dir").arg(self.dir.path().join("state"));
        command.args(args).output().expect("the binary runs")
    }

    pub(crate) fn stored_ids(&self) -> Vec<String> {
        let output = self.run(&["delivery", "list", "--format", "ids"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    }

    pub(crate) fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().expect("runs")
    }

    pub(crate) fn let_nothing_happen_by_itself(&self) {
        let (status, said) = ask(self.provider, "POST /_sim/quiet", &[], b"").expect("an answer");
        assert_eq!(status, 204, "{said}");
    }

    pub(crate) fn people(&self) -> Vec<Person> {
        self.simulator().users()
    }

    pub(crate) fn set_faults(&self, faults: &str) {
        simulated::set_faults(self.provider, faults);
    }

    /// Something breaks at the provider's; the incident's id.
    pub(crate) fn trigger(&self, title: &str) -> String {
        let order = serde_json::json!({"title": title}).to_string();
        let (status, made) = ask(self.provider, "POST /_sim/incidents", &[], order.as_bytes()).expect("an answer");
        assert_eq!(status, 201, "{made}");
        let made: Value = serde_json::from_str(&made).expect("json");
        made["incident"]["id"].as_str().expect("an id").to_owned()
    }

    /// How an incident really stands.
    pub(crate) fn truth(&self, id: &str) -> Value {
        self.ledger().into_iter().find(|row| row["id"] == id).expect("known")
    }

    pub(crate) fn ledger(&self) -> Vec<Value> {
        let (_, all) = ask(self.provider, "GET /_sim/incidents", &[], b"").expect("an answer");
        let all: Value = serde_json::from_str(&all).expect("json");
        all["incidents"].as_array().expect("incidents").clone()
    }

    pub(crate) fn open(&self) -> Vec<Value> {
        self.ledger().into_iter().filter(|row| row["status"] != "resolved").collect()
    }

    /// What was sent to the provider to change something.
    pub(crate) fn writes(&self) -> usize {
        let (_, all) = ask(self.provider, "GET /_sim/requests", &[], b"").expect("an answer");
        let all: Value = serde_json::from_str(&all).expect("json");
        all["requests"].as_array().expect("requests").iter().filter(|request| request["method"] != "GET").count()
    }

    /// Somebody else resolves it, through the provider's own interface.
    pub(crate) fn resolve_as(&self, person: &Person, id: &str) {
        let token = format!("Token token={}", person.token.expose_secret());
        let body = serde_json::json!({"incident": {"type": "incident_reference", "status": "resolved"}}).to_string();
        let headers = [ACCEPT, ("authorization", &token)];
        let (status, said) =
            ask(self.provider, &format!("PUT /incidents/{id}"), &headers, body.as_bytes()).expect("an answer");
        assert_eq!(status, 200, "{said}");
    }

    /// Posts a signed webhook once; its answer's status, if there was an answer.
    pub(crate) fn post(&self, body: &[u8]) -> Option<u16> {
        self.post_signed_with(SECRET, body)
    }

    pub(crate) fn post_signed_with(&self, secret: &str, body: &[u8]) -> Option<u16> {
        let signature = signature(secret, body);
        let headers = [("x-pagerduty-signature", signature.as_str())];
        ask(self.door, &format!("POST /hooks/prod/{URL_KEY}"), &headers, body).ok().map(|(status, _)| status)
    }

    /// A signed webhook, as it goes over a connection that is kept.
    pub(crate) fn request(&self, body: &[u8]) -> Vec<u8> {
        let (door, length, signature) = (self.door, body.len(), signature(SECRET, body));
        let head = format!(
            "POST /hooks/prod/{URL_KEY} HTTP/1.1\r\nhost: {door}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nx-pagerduty-signature: {signature}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }

    /// Posts again and again until it is accepted.
    pub(crate) fn post_until_accepted(&self, body: &[u8]) {
        eventually("the webhook is accepted", || self.post(body) == Some(202));
    }

    pub(crate) fn lose_the_provider(&mut self) {
        self.runtime.block_on(self.simulator.take().expect("runs").stop());
    }

    pub(crate) fn bring_the_provider_back(&mut self, incidents: usize) {
        self.simulator = Some(self.runtime.block_on(simulated::start(self.provider, incidents, None)));
        self.let_nothing_happen_by_itself();
    }
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("hmac takes keys of any length");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// A webhook's body: that `incident` was triggered, under this title.
pub(crate) fn triggered(event: &str, incident: &str, title: &str) -> Vec<u8> {
    let mut body: Value =
        serde_json::from_str(include_str!("../fixtures/pagerduty/webhook_real.triggered.json")).expect("json");
    body["event"]["id"] = event.into();
    body["event"]["occurred_at"] = jiff::Timestamp::now().to_string().into();
    body["event"]["data"]["id"] = incident.into();
    body["event"]["data"]["title"] = title.into();
    body.to_string().into_bytes()
}

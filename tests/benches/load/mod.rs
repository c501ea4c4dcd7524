//! What the benches of the door share: the door itself, and signed deliveries as `PagerDuty` sends them.

use std::{
    env,
    fmt::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use dogwatch::{
    core::{id::AccountName, sender::Demand},
    provider::pagerduty::Webhooks,
    receiver::{self, Hook, NamedSecret, Networks, Receiver},
    store::Store,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use tokio::sync::{Notify, mpsc};

/// What the deliveries are signed with.
pub(crate) const SECRET: &str = "a secret of the bench";
pub(crate) const PATH: &str = "/hooks/prod/key";
const BODY: usize = 3 * 1024;

/// A number from the environment.
pub(crate) fn setting<T: std::str::FromStr>(name: &str, usual: T) -> T {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// dogwatch's receiver and store; what arrives is taken from it and let go.
pub(crate) fn receiver(dir: &Path) -> Router {
    let store = Store::open(&dir.join("state")).expect("a store");
    let (arrived, mut arrivals) = mpsc::channel(4096);
    tokio::spawn(async move { while arrivals.recv().await.is_some() {} });
    let hook = Hook {
        account: AccountName::new("prod").expect("a name"),
        url_key: Some("key".into()),
        demand: Demand::PagerdutyV3,
        secrets: vec![NamedSecret { name: "bench".to_owned(), value: SECRET.into() }],
        unread: 0,
        allow: None,
        decode: Arc::new(Webhooks),
    };
    let (networks, missed) = (Networks::default(), Arc::new(Notify::new()));
    receiver::router(Receiver::new(vec![hook], networks, store, arrived, missed, Timestamp::now).expect("an intake"))
}

pub(crate) fn mac(body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(SECRET.as_bytes()).expect("hmac takes keys of any length");
    mac.update(body);
    mac
}

/// Numbers of events, so that each delivery is new.
static EVENT: AtomicU64 = AtomicU64::new(0);

/// The next delivery, as it goes over the wire.
pub(crate) fn next_request() -> Vec<u8> {
    titled(&format!("Disk 97 % full on db-{}", EVENT.load(Ordering::Relaxed) % 100))
}

/// The same, about an incident with this title.
pub(crate) fn titled(title: &str) -> Vec<u8> {
    request(EVENT.fetch_add(1, Ordering::Relaxed), title)
}

fn request(event: u64, title: &str) -> Vec<u8> {
    let body = body(event, title);
    let signature = hex::encode(mac(body.as_bytes()).finalize().into_bytes());
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: dogwatch\r\ncontent-type: application/json\r\nuser-agent: PagerDuty-Webhook/V3.0\r\n\
         x-pagerduty-signature: v1={signature}\r\nx-webhook-id: {event:032}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// An `incident.triggered` as `PagerDuty` sends it, with ids that rise as its own do.
fn body(event: u64, title: &str) -> String {
    let mut body = format!(
        r#"{{"event":{{"id":"01EV{event:022}","event_type":"incident.triggered","resource_type":"incident","occurred_at":"2026-11-21T03:12:45.{:03}Z","agent":null,"client":{{"name":"Monitoring"}},"data":{{"id":"Q{:013}","type":"incident","self":"https://api.pagerduty.com/incidents/Q{:013}","html_url":"https://acme.pagerduty.com/incidents/Q{:013}","number":{event},"status":"triggered","incident_key":"key-{event}","created_at":"2026-11-21T03:12:45Z","title":"{title}","service":{{"html_url":"https://acme.pagerduty.com/services/PSVC01","id":"PSVC01","self":"https://api.pagerduty.com/services/PSVC01","summary":"Database","type":"service_reference"}},"assignees":[{{"html_url":"https://acme.pagerduty.com/users/PUSR01","id":"PUSR01","self":"https://api.pagerduty.com/users/PUSR01","summary":"Alice","type":"user_reference"}}],"escalation_policy":{{"id":"PPOL01","summary":"Default","type":"escalation_policy_reference"}},"teams":[],"priority":null,"urgency":"high","conference_bridge":null,"resolve_reason":null,"body":{{"details":""#,
        event % 1000,
        event,
        event,
        event,
    );
    // Text as people and machines write it: some words, some numbers.
    let mut word = event.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    while body.len() < BODY - 8 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let words = ["mount", "/var/lib/pg", "used", "inode", "host", "rack", "threshold", "alert", "sda1", "iowait"];
        let index = usize::try_from((word >> 33) % 10).unwrap_or_default();
        body.push_str(words.get(index).unwrap_or(&"free"));
        let _ = write!(body, " {} ", (word >> 40) % 1000);
    }
    body.push_str(r#""}}}}"#);
    body
}

/// The latency, in milliseconds, that this share of them does not exceed. They are sorted.
pub(crate) fn at(latencies: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = (latencies.len() as f64 * share) as usize;
    latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}

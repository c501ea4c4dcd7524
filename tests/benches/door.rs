//! Does the time of a refusal tell anything? Welch's t over refusals that a stranger must not tell apart; |t| < 4.5 is no
//! evidence that it does. `cargo bench --bench door [REQUESTS]`.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use dogwatch::{
    core::sender::Demand,
    provider::pagerduty::Webhooks,
    receiver::{self, Hook, NamedSecret, Networks, Receiver},
    store::Store,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::Sha256;
use tokio::sync::{Notify, mpsc};
use tower::ServiceExt as _;

const SECRET: &str = "the signing secret of this account";
const KEY: &str = "the-key-of-the-path";
/// Requests of each class, unless told otherwise.
const REQUESTS: usize = 20_000;
const LEAK: f64 = 4.5;

/// One kind of refusal.
struct Class {
    name: &'static str,
    path: String,
    signature: String,
    status: StatusCode,
    took: Vec<f64>,
}

impl Class {
    fn new(name: &'static str, path: String, signature: &[u8], status: StatusCode) -> Self {
        Self { name, path, signature: format!("v1={}", hex::encode(signature)), status, took: vec![] }
    }
}

fn main() {
    let told = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let requests = told.unwrap_or(REQUESTS);
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let app = router(&dir);
    let body = format!("{{\"event\":{{\"id\":\"E1\",\"filler\":\"{}\"}}}}", "x".repeat(3_000));
    let mut classes = classes(body.as_bytes());
    runtime.block_on(async {
        for _ in 0..requests {
            let mut order: Vec<usize> = (0..classes.len()).collect();
            fastrand::shuffle(&mut order);
            for at in order {
                let class = &mut classes[at];
                let took = refusal(&app, class, &body).await;
                class.took.push(took.as_secs_f64() * 1e6);
            }
        }
    });
    println!("{requests} requests of each class, the middle 80 %");
    for class in &classes {
        let (mean, variance, count) = middle(&class.took);
        let (low, half) = (quantile(&class.took, 10), quantile(&class.took, 50));
        let spread = variance.sqrt();
        println!("{:>28}  mean {mean:8.2} us  sd {spread:7.2}  p10 {low:7.2}  p50 {half:7.2}  n {count}", class.name);
    }
    for (a, b) in [(0, 1), (2, 3), (3, 4), (2, 4)] {
        let t = welch(&classes[a].took, &classes[b].took);
        let word = if t.abs() < LEAK { "nothing told" } else { "TOLD APART" };
        println!("{:>28} / {:<28} t = {t:6.2}  {word}", classes[a].name, classes[b].name);
    }
}

fn router(dir: &tempfile::TempDir) -> Router {
    let store = Store::open(dir.path()).expect("a store");
    let (arrived, mut arrivals) = mpsc::channel(1_000);
    std::thread::spawn(move || while arrivals.blocking_recv().is_some() {});
    let secret = NamedSecret { name: "inline".to_owned(), value: SecretString::from(SECRET) };
    let hook = Hook {
        account: "prod".parse().expect("a name"),
        url_key: Some(SecretString::from(KEY)),
        demand: Demand::PagerdutyV3,
        secrets: vec![secret],
        unread: 0,
        allow: None,
        decode: Arc::new(Webhooks),
    };
    let missed = Arc::new(Notify::new());
    receiver::router(
        Receiver::new(vec![hook], Networks::default(), store, arrived, missed, Timestamp::now).expect("an intake"),
    )
}

fn classes(body: &[u8]) -> Vec<Class> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(body);
    let right: Vec<u8> = mac.finalize().into_bytes().to_vec();
    let none: Vec<u8> = right.iter().map(|byte| !byte).collect();
    let mut nearly = right.clone();
    nearly[31] ^= 0xff;
    let (door, refused, nowhere) = (format!("/hooks/prod/{KEY}"), StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND);
    vec![
        Class::new("no byte right", door.clone(), &none, refused),
        Class::new("31 bytes right", door.clone(), &nearly, refused),
        Class::new("unknown account", format!("/hooks/prof/{KEY}"), &none, nowhere),
        Class::new("wrong key", "/hooks/prod/the-key-of-the-patH".to_owned(), &none, nowhere),
        Class::new("wrong signature", door, &none, refused),
    ]
}

async fn refusal(app: &Router, class: &Class, body: &str) -> Duration {
    let request = Request::post(class.path.as_str())
        .header("x-pagerduty-signature", class.signature.as_str())
        .body(Body::from(body.to_owned()))
        .expect("a request");
    let app = app.clone();
    let started = Instant::now();
    let answer = app.oneshot(request).await.expect("infallible");
    let took = started.elapsed();
    assert_eq!(answer.status(), class.status, "{}", class.name);
    took
}

/// What `percent` of all stay below: hardly moved by what else the machine does, unlike the mean.
fn quantile(all: &[f64], percent: usize) -> f64 {
    let mut sorted = all.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() * percent / 100]
}

/// Mean, variance and number of what is left without the lowest and the highest tenth.
fn middle(all: &[f64]) -> (f64, f64, usize) {
    let mut sorted = all.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let tenth = sorted.len() / 10;
    let kept = &sorted[tenth..sorted.len() - tenth];
    let count = f64::from(u32::try_from(kept.len()).expect("few"));
    let mean = kept.iter().sum::<f64>() / count;
    let variance = kept.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance, kept.len())
}

fn welch(a: &[f64], b: &[f64]) -> f64 {
    let ((mean_a, variance_a, count_a), (mean_b, variance_b, count_b)) = (middle(a), middle(b));
    let part = |variance: f64, count: usize| variance / f64::from(u32::try_from(count).expect("few"));
    (mean_a - mean_b) / (part(variance_a, count_a) + part(variance_b, count_b)).sqrt()
}

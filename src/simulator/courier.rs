//! Delivers webhooks as `PagerDuty` does: signed, in order for each incident, retried on time-outs, 429 and 5xx, dropped on
//! any other answer; three drops in a row switch the subscription off. An event counts as settled exactly once.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::body::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{StatusCode, Url, header::CONTENT_TYPE, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{dice::Dice, faults::WebhookFaults, json::event::Event};
use crate::core::id::EventId;

/// `PagerDuty`'s own limit for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// `PagerDuty` gives up after this.
const LIFETIME: Duration = Duration::from_hours(48);
const CONNECTIONS: usize = 16;
/// With more waiting than this, further events are dropped.
const WAITING: usize = 100_000;
const DROPS_TO_DISABLE: u32 = 3;
const DISABLED_FOR: Duration = Duration::from_hours(24);

/// What became of the webhooks so far. Events are counted once, however often they were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) signed: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: u64,
    pub(crate) duplicates: u64,
    pub(crate) pending: u64,
    pub(crate) disabled: bool,
}

#[derive(Debug)]
struct Letter {
    webhook_id: String,
    body: Bytes,
    signature: String,
    written: Instant,
    faults: LetterFaults,
}

/// Decided when the letter is written, so that the seed decides.
#[derive(Debug, Clone, Copy)]
struct LetterFaults {
    duplicate: bool,
    held_back: Option<Duration>,
}

/// Where to, and by whom.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) url: Url,
    pub(crate) subscription: String,
    /// What of it can be changed.
    pub(crate) form: Form,
    secret: SecretString,
    client: reqwest::Client,
}

/// How a subscription is described. Only `active` has an effect: everything is sent to everybody.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) description: String,
    pub(crate) events: Vec<String>,
    pub(crate) filter: Value,
    pub(crate) active: bool,
}

impl Address {
    pub(crate) fn new(
        url: Url,
        secret: SecretString,
        subscription: String,
        form: Form,
    ) -> Result<Self, reqwest::Error> {
        let client = client(&url)?;
        Ok(Self { url, subscription, form, secret, client })
    }
}

#[derive(Debug)]
struct Mail {
    queues: HashMap<String, VecDeque<Arc<Letter>>>,
    address: Option<Arc<Address>>,
    tally: Tally,
    drops_in_a_row: u32,
    disabled_at: Option<Instant>,
    dice: Dice,
    faults: WebhookFaults,
    /// Bodies answered with 2xx.
    accepted: Vec<Bytes>,
}

impl Mail {
    /// Whether the drops have switched the subscription off, and not too long ago.
    fn is_disabled(&self, now: Instant) -> bool {
        self.disabled_at.is_some_and(|at| now.duration_since(at) < DISABLED_FOR)
    }

    fn sends(&self, now: Instant) -> bool {
        self.address.as_ref().is_some_and(|address| address.form.active) && !self.is_disabled(now)
    }

    fn dropped(&mut self, now: Instant) {
        self.tally.dropped += 1;
        self.drops_in_a_row += 1;
        if self.drops_in_a_row >= DROPS_TO_DISABLE && !self.is_disabled(now) {
            self.disabled_at = Some(now);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Courier {
    mail: Mutex<Mail>,
    pending: watch::Sender<u64>,
    connections: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

enum Outcome {
    Delivered,
    Dropped,
    /// The simulator stops.
    Stopped,
}

/// `v1=` and the hexadecimal HMAC of the body.
pub(crate) fn signature(secret: &SecretString, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("hmac takes keys of any length");
    mac.update(body);
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// A client for webhooks: no redirects, `PagerDuty`'s patience, its name.
fn client(url: &Url) -> Result<reqwest::Client, reqwest::Error> {
    // Fails only when somebody else has installed one already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(redirect::Policy::none())
        .user_agent("PagerDuty-Webhook/V3.0")
        .no_proxy();
    // Reading the system's certificates takes longer than all the rest, and plain http needs none.
    if url.scheme() == "https" { builder.build() } else { builder.tls_certs_only([]).build() }
}

impl Courier {
    pub(crate) fn new(address: Option<Address>, dice: Dice, stop: CancellationToken) -> Arc<Self> {
        let mail = Mail {
            queues: HashMap::new(),
            address: address.map(Arc::new),
            tally: Tally::default(),
            drops_in_a_row: 0,
            disabled_at: None,
            dice,
            faults: WebhookFaults::default(),
            accepted: vec![],
        };
        Arc::new(Self {
            mail: Mutex::new(mail),
            pending: watch::Sender::new(0),
            connections: Semaphore::new(CONNECTIONS),
            tasks: TaskTracker::new(),
            stop,
        })
    }

    pub(crate) fn address(&self) -> Option<Arc<Address>> {
        self.mail().address.clone()
    }

    /// Takes another address, or none. One that is new begins without drops.
    pub(crate) fn set_address(&self, address: Option<Address>) {
        let mut mail = self.mail();
        let same = |known: &Arc<Address>| address.as_ref().is_some_and(|new| new.subscription == known.subscription);
        if !mail.address.as_ref().is_some_and(same) {
            mail.drops_in_a_row = 0;
            mail.disabled_at = None;
        }
        mail.address = address.map(Arc::new);
    }

    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_faults(&self, faults: WebhookFaults) {
        self.mail().faults = faults;
    }

    pub(crate) fn tally(&self) -> Tally {
        let mail = self.mail();
        Tally { disabled: mail.is_disabled(Instant::now()), ..mail.tally }
    }

    /// Switches a disabled subscription on again; what came in between stays lost.
    pub(crate) fn enable(&self) {
        let mut mail = self.mail();
        mail.disabled_at = None;
        mail.drops_in_a_row = 0;
    }

    /// Takes events for delivery, in this order.
    pub(crate) fn post(self: &Arc<Self>, events: Vec<Event>) {
        let Some(address) = self.address() else { return };
        for event in events {
            let signature = signature(&address.secret, &event.body);
            self.accept(event, signature);
        }
    }

    fn accept(self: &Arc<Self>, event: Event, signature: String) {
        let mut mail = self.mail();
        mail.tally.signed += 1;
        let faults = mail.faults;
        let full = mail.tally.pending >= u64::try_from(WAITING).unwrap_or(u64::MAX);
        if !mail.sends(Instant::now()) || full || mail.dice.percent(faults.drop) {
            mail.tally.dropped += 1;
            return;
        }
        mail.tally.pending += 1;
        self.pending.send_replace(mail.tally.pending);
        let held_back = mail.dice.percent(faults.reorder).then(|| mail.dice.between(100, 900).unsigned_abs());
        let letter = Arc::new(Letter {
            webhook_id: mail.dice.uuid(),
            body: event.body.into(),
            signature,
            written: Instant::now(),
            faults: LetterFaults {
                duplicate: mail.dice.percent(faults.duplicate),
                held_back: held_back.map(Duration::from_millis),
            },
        });
        if letter.faults.held_back.is_some() {
            self.tasks.spawn(Arc::clone(self).carry_late(letter));
        } else if let Some(queue) = mail.queues.get_mut(&event.incident) {
            queue.push_back(letter);
        } else {
            mail.queues.insert(event.incident.clone(), VecDeque::from([letter]));
            self.tasks.spawn(Arc::clone(self).carry(event.incident));
        }
    }

    /// Carries one incident's letters, one after the other, until there are none.
    async fn carry(self: Arc<Self>, incident: String) {
        while let Some(letter) = self.next_of(&incident) {
            let outcome = self.deliver(&letter).await;
            self.settle(&outcome, &letter);
        }
    }

    /// Carries one letter that others may overtake.
    async fn carry_late(self: Arc<Self>, letter: Arc<Letter>) {
        if self.pause(letter.faults.held_back.unwrap_or_default()).await {
            let outcome = self.deliver(&letter).await;
            self.settle(&outcome, &letter);
        }
    }

    fn next_of(&self, incident: &str) -> Option<Arc<Letter>> {
        let mut mail = self.mail();
        let next = mail.queues.get_mut(incident)?.pop_front();
        if next.is_none() {
            mail.queues.remove(incident);
        }
        next
    }

    /// Waits; false when the simulator stops meanwhile.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    async fn deliver(&self, letter: &Letter) -> Outcome {
        let mut pause = FIRST_PAUSE;
        loop {
            if self.stop.is_cancelled() {
                return Outcome::Stopped;
            }
            if !self.mail().sends(Instant::now()) || letter.written.elapsed() > LIFETIME {
                return Outcome::Dropped;
            }
            match self.attempt(letter).await {
                Some(status) if status.is_success() => {
                    if letter.faults.duplicate {
                        self.attempt(letter).await;
                        self.mail().tally.duplicates += 1;
                    }
                    return Outcome::Delivered;
                }
                Some(status) if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() => {
                    return Outcome::Dropped;
                }
                _ => {}
            }
            let jitter = self.mail().dice.share() / 4.0;
            if !self.pause(pause.mul_f64(1.0 + jitter)).await {
                return Outcome::Stopped;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The answer's status; nothing when there was none in time.
    async fn attempt(&self, letter: &Letter) -> Option<StatusCode> {
        let address = self.address()?;
        let _permit = self.connections.acquire().await.ok()?;
        let sent = address
            .client
            .post(address.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("accept", "application/json")
            .header("x-pagerduty-signature", &letter.signature)
            .header("x-webhook-id", &letter.webhook_id)
            .header("x-webhook-subscription", &address.subscription)
            .body(letter.body.clone())
            .send();
        tokio::select! {
            () = self.stop.cancelled() => None,
            answer = sent => answer.ok().map(|a| a.status()),
        }
    }

    fn settle(&self, outcome: &Outcome, letter: &Letter) {
        let mut mail = self.mail();
        match outcome {
            Outcome::Delivered => {
                mail.tally.delivered += 1;
                mail.accepted.push(letter.body.clone());
                mail.drops_in_a_row = 0;
            }
            Outcome::Dropped => {
                mail.dropped(Instant::now());
            }
            Outcome::Stopped => return,
        }
        mail.tally.pending = mail.tally.pending.saturating_sub(1);
        // Under the lock, so that an older count never overwrites a newer one.
        self.pending.send_replace(mail.tally.pending);
    }

    /// The event ids answered with 2xx, in the order of the answers.
    pub(crate) fn accepted(&self) -> Vec<EventId> {
        let bodies = self.mail().accepted.clone();
        let id = |body: &Bytes| {
            let value: serde_json::Value = serde_json::from_slice(body).ok()?;
            EventId::new(value.pointer("/event/id")?.as_str()?).ok()
        };
        bodies.iter().filter_map(id).collect()
    }

    /// Until nothing is waiting for delivery.
    pub(crate) async fn idle(&self) {
        let mut pending = self.pending.subscribe();
        // The sender lives as long as `self`, so this ends only when nothing is pending.
        let _ = pending.wait_for(|n| *n == 0).await;
    }

    /// Until all deliveries have noticed that the simulator stops.
    pub(crate) async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscription_is_off_for_a_day_after_the_third_drop_in_a_row() {
        let url = Url::parse("http://127.0.0.1:1/hooks").expect("url");
        let form = Form { description: String::new(), events: vec![], filter: Value::Null, active: true };
        let address = Address::new(url, "secret".into(), "PSUB001".to_owned(), form).expect("address");
        let courier = Courier::new(Some(address), Dice::new(1), CancellationToken::new());
        let mut mail = courier.mail();
        let now = Instant::now();
        mail.dropped(now);
        mail.dropped(now);
        assert!(mail.sends(now));

        mail.dropped(now);

        assert!(!mail.sends(now) && !mail.sends(now + Duration::from_secs(24 * 3600 - 1)));
        assert!(mail.sends(now + Duration::from_hours(24)));
    }
}

//! A `PagerDuty` in a process: REST on loopback, signed webhooks, a scripted or a random night. For the demo and for tests.
//!
//! All chance comes from the seed; the clock is the real one. It serves loopback only: its keys protect nothing.
//!
//! Keys: any well-formed one is let in (or only [`Options::token`]). One that contains a user's id is that user's, one that begins with
//! `account` belongs to the account (and needs `From`), one that begins with `readonly` is such a key that may only read; any other
//! belongs to the first user.

mod clock;
mod courier;
mod dice;
mod faults;
mod http;
mod json;
mod limiter;
mod record;
mod script;
#[cfg(test)]
mod tests;
mod world;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::Url;
use secrecy::SecretString;
use tokio::{
    net::TcpListener,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::script::{Script, ScriptError};
use self::{
    courier::{Address, Courier},
    dice::Dice,
    faults::Faults,
    http::{Shared, locked},
    limiter::Limiter,
    record::Record,
    world::{Audience, World},
};
use crate::core::id::{EventId, UserId};

/// How often time-outs of the account are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How long a stop waits for requests that are being answered.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is to be simulated.
#[derive(Debug)]
pub struct Options {
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    pub seed: u64,
    pub script: Option<Script>,
    /// How many incidents are open at the start.
    pub incidents: usize,
    pub webhook: Option<Webhook>,
    /// The only key that is let in; any well-formed one when absent.
    pub token: Option<SecretString>,
    pub night: Night,
}

/// Where webhooks go, and what they are signed with.
#[derive(Debug, Clone)]
pub struct Webhook {
    pub url: String,
    pub secret: SecretString,
}

/// What happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Night {
    /// Nothing but the time-outs of the account.
    Quiet,
    /// Something at random, on average once in `mean`.
    Paced { mean: Duration },
}

/// Why the simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    #[error("{0} is not a loopback address; the simulator has no real protection and serves only this machine")]
    NotLoopback(SocketAddr),
    #[error("cannot listen on {address}: {error}")]
    Bind { address: SocketAddr, error: io::Error },
    #[error("webhook address {url} is not an http or https URL")]
    WebhookUrl { url: String },
    #[error("cannot send webhooks: {0}")]
    Client(#[from] reqwest::Error),
    #[error(transparent)]
    Script(#[from] ScriptError),
}

/// What happened so far. An event is counted once, however often it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events signed for the subscription.
    pub signed: u64,
    /// Events answered with 2xx.
    pub delivered: u64,
    /// Events given up: refused by the receiver, lost by a fault, or written while the subscription was disabled.
    pub dropped: u64,
    /// Events sent once more after they were accepted, by a fault.
    pub duplicates: u64,
    /// Events on their way.
    pub pending: u64,
    /// Three drops in a row have switched the subscription off.
    pub disabled: bool,
    /// REST requests.
    pub requests: u64,
}

/// Somebody of the account.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub name: String,
    pub email: String,
    /// A user key of this person.
    pub token: SecretString,
}

/// A running simulator. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

/// Binds, and serves in the background until it is stopped or dropped.
pub async fn start(options: Options) -> Result<Simulator, SimulatorError> {
    let Options { listen, seed, script, incidents, webhook, token, night } = options;
    if !listen.ip().is_loopback() {
        return Err(SimulatorError::NotLoopback(listen));
    }
    let audience = if webhook.is_some() { Audience::Subscribed } else { Audience::Nobody };
    let mut world = World::new(seed, incidents, clock::now(), audience);
    let script = script.unwrap_or_default();
    script.check(&world.account)?;
    let stop = CancellationToken::new();
    let address = webhook.map(|w| address(w, &world)).transpose()?;
    let (letters, faults, pace) = (world.dice.fork(), world.dice.fork(), world.dice.fork());
    let shared = Arc::new(Shared {
        courier: Courier::new(address, letters, stop.clone()),
        world: Mutex::new(world),
        record: Mutex::new(Record::default()),
        faults: Mutex::new((Faults::default(), faults)),
        limiter: Mutex::new(Limiter::default()),
        token,
        quiet: stop.child_token(),
        stop,
    });
    let bind = |error| SimulatorError::Bind { address: listen, error };
    let listener = TcpListener::bind(listen).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let tasks = TaskTracker::new();
    tasks.spawn(serve(listener, Arc::clone(&shared)));
    tasks.spawn(keep_time(Arc::clone(&shared)));
    tasks.spawn(play(script, Arc::clone(&shared)));
    if let Night::Paced { mean } = night {
        tasks.spawn(live(mean, pace, Arc::clone(&shared)));
    }
    Ok(Simulator { address, shared, tasks })
}

fn address(webhook: Webhook, world: &World) -> Result<Address, SimulatorError> {
    let url = Url::parse(&webhook.url).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
    let url = url.ok_or(SimulatorError::WebhookUrl { url: webhook.url })?;
    let form = http::subscriptions::usual_form();
    Ok(Address::new(url, webhook.secret, world.account.subscription.clone(), form)?)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = http::router(&shared);
    let stopped = shared.stop.clone().cancelled_owned();
    // Accept errors are retried inside; it ends only by the stop.
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
        tracing::error!("the simulator no longer serves: {error}");
    }
}

/// Lets time-outs of the account happen though nobody asks.
async fn keep_time(shared: Arc<Shared>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.quiet.cancelled() => return,
            _ = ticks.tick() => shared.act(|_, _| ()),
        }
    }
}

async fn play(script: Script, shared: Arc<Shared>) {
    let mut names = HashMap::new();
    let mut passed = Duration::ZERO;
    for (at, step) in script.times() {
        tokio::select! {
            () = shared.quiet.cancelled() => return,
            () = sleep(at.saturating_sub(passed)) => {}
        }
        passed = at;
        shared.act(|world, now| script.run(step, &mut names, world, now));
    }
}

/// A random night: the pauses are exponential, so that things come alone and in bursts.
async fn live(mean: Duration, mut dice: Dice, shared: Arc<Shared>) {
    loop {
        let pause = mean.mul_f64((-(1.0 - dice.share()).ln()).clamp(0.05, 5.0));
        tokio::select! {
            () = shared.quiet.cancelled() => return,
            () = sleep(pause) => {}
        }
        shared.act(World::night_step);
    }
}

impl Simulator {
    /// The base URL of the REST API, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn stats(&self) -> Stats {
        let tally = self.shared.courier.tally();
        Stats {
            signed: tally.signed,
            delivered: tally.delivered,
            dropped: tally.dropped,
            duplicates: tally.duplicates,
            pending: tally.pending,
            disabled: tally.disabled,
            requests: locked(&self.shared.record).count(),
        }
    }

    /// The ids of the events that the receiver answered with 2xx: what it must not lose.
    pub fn accepted_events(&self) -> Vec<EventId> {
        self.shared.courier.accepted()
    }

    /// Everybody of the account; the first is the one that a plain key belongs to.
    pub fn users(&self) -> Vec<Person> {
        let world = locked(&self.shared.world);
        let person = |user: &world::account::User| Person {
            id: UserId::new(user.id.clone()).expect("ids are letters and digits"),
            name: user.name.to_owned(),
            email: user.email.clone(),
            token: format!("user-{}-key", user.id).into(),
        };
        world.account.users.iter().map(person).collect()
    }

    /// Lets nothing more happen by itself, and waits until no webhook is pending, at most `within`.
    pub async fn drain(&self, within: Duration) {
        self.shared.quiet.cancel();
        // What is still pending then is seen in `stats`.
        let _ = timeout(within, self.shared.courier.idle()).await;
    }

    /// Frees the port and ends all tasks; webhooks on their way are given up.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.tasks.close();
        let ended = async {
            self.tasks.wait().await;
            self.shared.courier.finished().await;
        };
        if timeout(FAREWELL, ended).await.is_err() {
            tracing::warn!("the simulator stops while a request is still being answered");
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

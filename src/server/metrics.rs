//! Figures for Prometheus, in a registry of this server's own. Labels are configured names and our own words:
//! nothing from outside becomes a label, so there are never more series than the configuration makes.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::header, response::IntoResponse as _, routing::get};
use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        info::Info,
    },
    registry::{Registry, Unit},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use crate::{
    core::{
        action::{Outcome, Verb},
        board::Board,
        forward::TargetState,
        id::AccountName,
    },
    receiver::{
        Meter, Networks,
        http::{self, Front, Limits},
    },
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    target: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Acted {
    verb: &'static str,
    outcome: &'static str,
}

/// What is counted while it happens.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    actions: Family<Acted, Counter>,
    poll_failures: Family<Of, Counter>,
    reloads: Family<Result, Counter>,
    consoles: Gauge,
    /// Connections of the door.
    pub connections: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

/// A console that is counted until this is dropped.
pub struct Attached(Gauge);

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// An action on one incident came to its end.
    pub fn acted(&self, verb: &Verb, outcome: &Outcome) {
        self.actions.get_or_create(&Acted { verb: verb.word(), outcome: outcome.word() }).inc();
    }

    pub fn poll_failed(&self, account: &AccountName) {
        self.poll_failures.get_or_create(&Of { account: account.to_string() }).inc();
    }

    /// The settings were asked to be read again.
    pub fn reloaded(&self, taken: bool) {
        let result = if taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&Result { result }).inc();
    }

    pub fn attached(&self) -> Attached {
        self.consoles.inc();
        Attached(self.consoles.clone())
    }

    /// Everything that is counted, with what `desk` shows when it is asked.
    fn registry(&self, desk: &Arc<Desk>, door: Option<&Meter>) -> Registry {
        let mut all = Registry::with_prefix("dogwatch");
        all.register("actions", "Actions on single incidents, by verb and outcome", self.actions.clone());
        all.register("poll_failures", "Polls that failed, by account", self.poll_failures.clone());
        all.register("reloads", "Times the settings were read again", self.reloads.clone());
        all.register("consoles", "Consoles that are connected", self.consoles.clone());
        all.register("connections", "Open connections of the door for webhooks", self.connections.clone());
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "What is running", version);
        let started = Timestamp::now().as_second();
        let start: ConstGauge<i64> = ConstGauge::new(started);
        all.register_with_unit("start_time", "When this server started, since 1970", Unit::Seconds, start);
        if let Some(door) = door {
            door.register(&mut all);
        }
        all.register_collector(Box::new(Shown(Arc::clone(desk))));
        all
    }
}

/// What is looked up when somebody asks.
struct Shown(Arc<Desk>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl Collector for Shown {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> std::result::Result<(), fmt::Error> {
        let desk = &self.0;
        let queued = i64::try_from(desk.store.queued()).unwrap_or(i64::MAX);
        let queue: ConstGauge<i64> = ConstGauge::new(queued);
        let help = "Requests that wait for the store's writer";
        queue.encode(to.encode_descriptor("writer_queue", help, None, queue.metric_type())?)?;

        let waiting: ConstGauge<i64> = ConstGauge::new(i64::try_from(desk.store.unentered()).unwrap_or(i64::MAX));
        let help = "Deliveries that were answered with 2xx and do not stand in the log yet";
        waiting.encode(to.encode_descriptor("unentered", help, None, waiting.metric_type())?)?;

        let ages = desk.hub.look(poll_ages);
        let help = "Since the last poll that succeeded, by account";
        encode(&mut to, "poll_age", help, Some(&Unit::Seconds), ages)?;

        let skews = desk.hub.look(skews);
        let help = "The provider's clock minus this one, by account; 0 when they agree";
        encode(&mut to, "clock_skew", help, Some(&Unit::Seconds), skews)?;

        let open = desk.hub.look(open_incidents);
        encode(&mut to, "open_incidents", "Incidents that are triggered or acknowledged, by account", None, open)?;

        let targets = desk.forwarder.summaries();
        let waiting = targets.iter().map(|target| (target.name.to_string(), f64::from(target.waiting)));
        encode_targets(&mut to, "target_waiting", "Events that wait to be sent, by target", waiting.collect())?;
        let open = targets
            .iter()
            .map(|target| (target.name.to_string(), if target.state == TargetState::On { 1.0 } else { 0.0 }));
        encode_targets(&mut to, "target_on", "Whether events are sent to it, by target", open.collect())?;

        let accounts = desk.accounts.all();
        let budget =
            accounts.iter().filter_map(|(name, account)| Some((name.to_string(), as_float(account.budget()?.left))));
        let help = "Requests the provider still takes in its present window, by account";
        encode(&mut to, "rate_budget", help, None, budget.collect())
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is counted here stays far below 2^52")]
fn as_float(count: u64) -> f64 {
    count as f64
}

fn poll_ages(board: &Board) -> Vec<(String, f64)> {
    let now = Timestamp::now();
    let accounts = board.accounts.values().map(|known| &known.account);
    let aged = accounts.filter_map(|a| Some((a.name.to_string(), now.duration_since(a.rest.last_success?))));
    aged.map(|(name, age)| (name, age.as_secs_f64().max(0.0))).collect()
}

fn skews(board: &Board) -> Vec<(String, f64)> {
    let accounts = board.accounts.values().map(|known| &known.account);
    accounts.map(|a| (a.name.to_string(), a.skew.map_or(0.0, |skew| skew.as_secs_f64()))).collect()
}

fn open_incidents(board: &Board) -> Vec<(String, f64)> {
    let open = |name: &AccountName| {
        let all = board.incidents.values().filter(|i| i.key.account == *name && i.state.status.is_open());
        as_float(all.count() as u64)
    };
    board.accounts.keys().map(|name| (name.to_string(), open(name))).collect()
}

fn encode(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    values: Vec<(String, f64)>,
) -> std::result::Result<(), fmt::Error> {
    let gauges: Family<Of, Gauge<f64, std::sync::atomic::AtomicU64>> = Family::default();
    for (account, value) in values {
        gauges.get_or_create(&Of { account }).set(value);
    }
    gauges.encode(to.encode_descriptor(name, help, unit, gauges.metric_type())?)
}

fn encode_targets(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: Vec<(String, f64)>,
) -> std::result::Result<(), fmt::Error> {
    let gauges: Family<To, Gauge<f64, std::sync::atomic::AtomicU64>> = Family::default();
    for (target, value) in values {
        gauges.get_or_create(&To { target }).set(value);
    }
    gauges.encode(to.encode_descriptor(name, help, None, gauges.metric_type())?)
}

/// Where the figures are to be had.
pub async fn bind(address: SocketAddr) -> std::result::Result<TcpListener, String> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| format!("server.metrics: cannot listen on {address}: {error}"))
}

/// Serves `GET /metrics` until `stop`.
pub async fn serve(listener: TcpListener, desk: Arc<Desk>, door: Option<Meter>, stop: CancellationToken) {
    let registry = Arc::new(desk.metrics.registry(&desk, door.as_ref()));
    let show = move || {
        let registry = Arc::clone(&registry);
        async move {
            let mut out = String::new();
            match text::encode(&mut out, &registry) {
                Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], out).into_response(),
                Err(error) => (axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
            }
        }
    };
    let limits = Limits { connections: 16, per_peer: 8, drain: Duration::ZERO, ..Limits::default() };
    http::serve(listener, Router::new().route("/metrics", get(show)), limits, Front::plain(Networks::default()), stop)
        .await;
}

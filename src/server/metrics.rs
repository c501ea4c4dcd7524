//! Figures for Prometheus, in a registry of this server's own. Labels are configured names and our own words:
//! nothing from outside becomes a label, so there are never more series than the configuration makes.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::header, response::IntoResponse as _, routing::get};
use jiff::{SignedDuration, Timestamp};
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
        freshness,
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
    /// When this server started.
    began: Began,
    /// Connections of the door.
    pub connections: Gauge,
}

/// The moment at which it is made.
#[derive(Debug, Clone, Copy)]
struct Began(Timestamp);

impl Default for Began {
    fn default() -> Self {
        Self(Timestamp::now())
    }
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
        let start: ConstGauge<i64> = ConstGauge::new(self.began.0.as_second());
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

        let ages = desk.hub.look(|board| poll_ages(board, desk.metrics.began.0, Timestamp::now()));
        let help = "Since the last poll that succeeded, or since the start where none did, by account";
        encode(&mut to, "poll_age", help, Some(&Unit::Seconds), ages)?;

        let accounts = desk.accounts.all();
        let skews = accounts.iter().filter_map(|(name, account)| Some((name.to_string(), skew(account.clock_skew()?))));
        let skews = skews.collect();
        let help = "The provider's clock minus this one, by account, where it is known; 0 when they agree";
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

/// Of those that are polled. One that never answered is as old as the server, so that an alert on age fires for it too.
fn poll_ages(board: &Board, began: Timestamp, now: Timestamp) -> Vec<(String, f64)> {
    let accounts = board.accounts.values().map(|known| &known.account).filter(|account| account.rest_off.is_none());
    let aged = accounts.map(|account| {
        let since = account.rest.last_success.unwrap_or(began);
        (account.name.to_string(), now.duration_since(since).as_secs_f64().max(0.0))
    });
    aged.collect()
}

fn skew(known: SignedDuration) -> f64 {
    if known.abs() > freshness::SKEW { known.as_secs_f64() } else { 0.0 }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::fake::{self, Fake};

    fn encoded(desk: &Arc<Desk>) -> String {
        let mut out = String::new();
        text::encode(&mut out, &desk.metrics.registry(desk, None)).expect("text");
        out
    }

    fn value(desk: &Arc<Desk>, series: &str) -> Option<f64> {
        let text = encoded(desk);
        let line = text.lines().find_map(|line| line.strip_prefix(series))?;
        line.trim().parse().ok()
    }

    #[test]
    fn the_start_is_that_of_the_server_also_where_the_figures_are_served_anew() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut desk = fake::desk(&Fake::default(), dir.path());
        let began = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_700_000_000);
        Arc::get_mut(&mut desk).expect("nobody else has it").metrics.began = Began(began);

        for _ in 0..2 {
            assert_eq!(value(&desk, "dogwatch_start_time_seconds "), Some(1_700_000_000.0));
        }
    }

    #[test]
    fn a_clock_that_is_not_known_has_no_skew_and_one_that_agrees_has_none_to_speak_of() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fake = Fake::default();
        let desk = fake::desk(&fake, dir.path());
        let series = "dogwatch_clock_skew_seconds{account=\"prod\"} ";

        assert_eq!(value(&desk, series), None);
        fake.set_clock_apart(0);
        assert_eq!(value(&desk, series), Some(0.0));
        fake.set_clock_apart(-90);
        assert_eq!(value(&desk, series), Some(-90.0));
    }

    #[test]
    fn an_account_that_never_answered_is_as_old_as_the_server() {
        let dir = tempfile::tempdir().expect("tempdir");
        let desk = fake::desk(&Fake::default(), dir.path());
        let second = |second| Timestamp::from_second(second).expect("small");
        let mut board = desk.hub.look(Board::clone);
        let ages = |board: &Board| poll_ages(board, second(100), second(160)).into_iter().map(|(_, age)| age).next();

        assert_eq!(ages(&board), Some(60.0));
        board.accounts.get_mut(&fake::account_name()).expect("there").account.rest.last_success = Some(second(150));
        assert_eq!(ages(&board), Some(10.0));
        board.accounts.get_mut(&fake::account_name()).expect("there").account.rest_off = Some("no token".into());
        assert_eq!(ages(&board), None, "it is not polled any more");
    }
}

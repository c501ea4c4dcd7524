//! How fast signed deliveries are taken, beside what the same door can do with less work.
//!
//! All variants run in one process, in turn, round after round: only the ratios between them mean something.
//! `cargo bench --bench ingest`; `ROUNDS` and `SECONDS` (of one measurement) may be set.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

#[path = "load/mod.rs"]
mod load;

use std::{
    collections::BTreeMap,
    env,
    fs::{File, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::FileExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use dogwatch::{
    receiver::{
        Networks,
        http::{self, Front, Limits},
    },
    store::Reader,
};
use hmac::Mac as _;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use self::load::{PATH, at, mac, next_request, receiver, setting};

const CONNECTIONS: [usize; 3] = [1, 16, 128];

/// What stands behind the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Variant {
    /// Reads the body, answers 202.
    Bare,
    /// Checks the signature too.
    Verify,
    /// Appends to a preallocated file and syncs it, all that wait together: the disk's own limit.
    File,
    /// dogwatch's receiver and store: the answer comes when the intake has synced it, the log follows.
    Durable,
    /// The same on a file system in memory: what it costs without the disk.
    InMemory,
}

impl Variant {
    const ALL: [Self; 5] = [Self::Bare, Self::Verify, Self::File, Self::Durable, Self::InMemory];

    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Verify => "verify",
            Self::File => "file",
            Self::Durable => "durable",
            Self::InMemory => "in memory",
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Measured {
    rates: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// Deliveries a second until the last one stood in the log.
    entered: Vec<f64>,
}

fn main() {
    let rounds: usize = setting("ROUNDS", 5);
    let seconds: u64 = setting("SECONDS", 2);
    let variants = wanted();
    let mut table: BTreeMap<(usize, Variant), Measured> = BTreeMap::new();
    for _ in 0..rounds {
        for connections in CONNECTIONS {
            for &variant in &variants {
                let run = measure(variant, connections, Duration::from_secs(seconds));
                let cell = table.entry((connections, variant)).or_default();
                cell.rates.push(run.rate);
                cell.p50.push(run.p50);
                cell.p99.push(run.p99);
                cell.entered.push(run.entered);
            }
        }
    }
    print(&table);
}

/// All variants, or those named in `VARIANTS`.
fn wanted() -> Vec<Variant> {
    let named = env::var("VARIANTS").unwrap_or_default();
    let all = Variant::ALL.into_iter();
    all.filter(|variant| named.is_empty() || named.split(',').any(|name| name == variant.name())).collect()
}

struct Run {
    rate: f64,
    p50: f64,
    p99: f64,
    entered: f64,
}

fn measure(variant: Variant, connections: usize, time: Duration) -> Run {
    let dir = match variant {
        Variant::InMemory => tempfile::tempdir_in("/dev/shm"),
        // Beside the build, because the usual place for temporary files is often in memory.
        _ => tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")),
    }
    .expect("a directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let stop = CancellationToken::new();
    let address = runtime.block_on(open(variant, dir.path(), stop.clone()));
    let begun = Instant::now();
    let mut latencies = load(address, connections, time);
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let entered = match variant {
        Variant::Durable | Variant::InMemory => {
            until_entered(&dir.path().join("state"), latencies.len());
            latencies.len() as f64 / begun.elapsed().as_secs_f64()
        }
        Variant::Bare | Variant::Verify | Variant::File => f64::NAN,
    };
    stop.cancel();
    runtime.shutdown_timeout(Duration::from_secs(5));
    latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let rate = latencies.len() as f64 / time.as_secs_f64();
    Run { rate, p50: at(&latencies, 0.5), p99: at(&latencies, 0.99), entered }
}

/// Waits until so many stand in the log.
fn until_entered(dir: &Path, taken: usize) {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let newest = Reader::open(dir).and_then(|reader| reader.recent(None, 1)).expect("readable");
        if newest.first().is_some_and(|line| usize::try_from(line.id.0).is_ok_and(|id| id >= taken)) {
            return;
        }
        assert!(Instant::now() < until, "not all that was taken stands in the log: {newest:?} of {taken}");
    }
}

/// Listens, and gives the address.
async fn open(variant: Variant, dir: &Path, stop: CancellationToken) -> SocketAddr {
    let router = match variant {
        Variant::Bare => Router::new().route(PATH, post(|_: Bytes| async { axum::http::StatusCode::ACCEPTED })),
        Variant::Verify => Router::new().route(PATH, post(verify)),
        Variant::File => Router::new().route(PATH, post(append)).with_state(Log::open(dir)),
        Variant::Durable | Variant::InMemory => receiver(dir),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(http::serve(listener, router, Limits::default(), Front::plain(Networks::default()), stop));
    address
}

fn genuine(headers: &HeaderMap, body: &[u8]) -> bool {
    let signature = headers.get("x-pagerduty-signature").and_then(|value| value.to_str().ok()?.strip_prefix("v1="));
    let tag = signature.and_then(|hex| hex::decode(hex).ok());
    tag.is_some_and(|tag| mac(body).verify_slice(&tag).is_ok())
}

async fn verify(headers: HeaderMap, body: Bytes) -> axum::http::StatusCode {
    if genuine(&headers, &body) { axum::http::StatusCode::ACCEPTED } else { axum::http::StatusCode::UNAUTHORIZED }
}

type Append = (Bytes, oneshot::Sender<()>);

/// A preallocated file with one thread that appends all that has queued, syncs once, and answers.
#[derive(Clone)]
struct Log(mpsc::Sender<Append>);

/// More than the fastest run fills.
const LOG_SIZE: usize = 768 * 1024 * 1024;

impl Log {
    fn open(dir: &Path) -> Self {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(dir.join("log")).expect("a file");
        let zeros = vec![0; 1024 * 1024];
        for _ in 0..LOG_SIZE / zeros.len() {
            (&file).write_all(&zeros).expect("room on the disk");
        }
        file.sync_all().expect("synced");
        let (queue, waiting) = mpsc::channel(1024);
        thread::spawn(move || write(&file, waiting));
        Self(queue)
    }
}

fn write(file: &File, mut waiting: mpsc::Receiver<Append>) {
    let (mut at, mut batch, mut bytes) = (0, vec![], vec![]);
    while waiting.blocking_recv_many(&mut batch, 256) > 0 {
        bytes.clear();
        for (body, _) in &batch {
            let body: &Bytes = body;
            bytes.extend_from_slice(body);
        }
        file.write_all_at(&bytes, at).expect("written");
        file.sync_data().expect("synced");
        at += u64::try_from(bytes.len()).expect("small");
        for (_, answer) in batch.drain(..) {
            let _ = answer.send(());
        }
    }
}

async fn append(State(log): State<Log>, headers: HeaderMap, body: Bytes) -> axum::http::StatusCode {
    if !genuine(&headers, &body) {
        return axum::http::StatusCode::UNAUTHORIZED;
    }
    let (answer, done) = oneshot::channel();
    log.0.send((body, answer)).await.expect("the log runs");
    done.await.expect("the log answers");
    axum::http::StatusCode::ACCEPTED
}

/// Posts over kept connections until the time is over; how long each answer took.
fn load(address: SocketAddr, connections: usize, time: Duration) -> Vec<Duration> {
    let clients: Vec<_> = (0..connections.min(2))
        .map(|part| {
            let own = connections / 2 + if part == 0 { connections % 2 } else { 0 };
            thread::spawn(move || client(address, own.max(1), time))
        })
        .collect();
    clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
}

/// One thread that serves its connections with one request each at a time.
fn client(address: SocketAddr, connections: usize, time: Duration) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async move {
        let until = Instant::now() + time;
        let posting: Vec<_> = (0..connections).map(|_| tokio::spawn(post_until(address, until))).collect();
        let mut all = vec![];
        for one in posting {
            all.extend(one.await.expect("a connection"));
        }
        all
    })
}

async fn post_until(address: SocketAddr, until: Instant) -> Vec<Duration> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut tcp = tokio::net::TcpStream::connect(address).await.expect("connected");
    tcp.set_nodelay(true).expect("nodelay");
    let (mut latencies, mut answer) = (vec![], vec![0; 4096]);
    while Instant::now() < until {
        let request = next_request();
        let start = Instant::now();
        tcp.write_all(&request).await.expect("sent");
        let read = tcp.read(&mut answer).await.expect("answered");
        let line = answer.get(..read).unwrap_or_default();
        assert!(line.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(line));
        latencies.push(start.elapsed());
    }
    latencies
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(table: &BTreeMap<(usize, Variant), Measured>) {
    println!(
        "{:>12} {:>10} {:>10} {:>9} {:>9} {:>8} {:>8} {:>8} {:>12}",
        "connections", "variant", "a second", "p50 ms", "p99 ms", "/bare", "/verify", "/file", "to the log"
    );
    for ((connections, variant), cell) in table {
        let rate = median(cell.rates.clone());
        let against = |other: Variant| {
            table.get(&(*connections, other)).map_or(f64::NAN, |cell| rate / median(cell.rates.clone()))
        };
        println!(
            "{connections:>12} {:>10} {rate:>10.0} {:>9.2} {:>9.2} {:>8.2} {:>8.2} {:>8.2} {:>12.0}",
            variant.name(),
            median(cell.p50.clone()),
            median(cell.p99.clone()),
            against(Variant::Bare),
            against(Variant::Verify),
            against(Variant::File),
            median(cell.entered.clone()),
        );
    }
}

//! What senders meet when twice as much comes as can be taken: every one an answer in time, 202 or 503, and what was
//! answered with 202 is in the store.
//!
//! First the rate that saturates the door is found, by senders that wait for each answer. Then twice that comes, each
//! delivery over a connection of its own and whether or not the ones before it were answered, as from a provider.
//! `cargo bench --bench overload`; `SECONDS` may be set.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

#[path = "load/mod.rs"]
mod load;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use dogwatch::{
    core::delivery::Verdict,
    receiver::{
        Networks,
        http::{self, Front, Limits},
    },
    store::Reader,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    runtime::Runtime,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::load::{at, next_request, receiver, setting};

/// When a sender gives up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses that deliveries come from.
const SENDERS: u8 = 16;
/// Unanswered at the same time; what would go beyond is not sent, and told.
const MOST: usize = 8_000;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Taken,
    /// 503: it will be sent again.
    Later,
    /// Any other answer.
    Refused,
    /// No answer in time.
    Late,
    /// The connection ended without an answer, or did not begin.
    Cut,
}

fn main() {
    let seconds: u64 = setting("SECONDS", 8);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let server = runtime(2);
    let stop = CancellationToken::new();
    let door = {
        let _within = server.enter();
        open(dir.path(), stop.clone())
    };
    let _ = rlimit();

    let client = runtime(1);
    let saturated = client.block_on(saturate(door, Duration::from_secs(3)));
    println!("saturated: {saturated} deliveries/s over 128 connections");
    let (sent, unsent, time, mut ends) = client.block_on(flood(door, saturated * 2, Duration::from_secs(seconds)));
    stop.cancel();
    server.shutdown_timeout(Duration::from_secs(10));

    #[expect(clippy::cast_precision_loss, reason = "few")]
    let rate = sent as f64 / time.as_secs_f64();
    println!("sent: {sent} in {time:.1?} ({rate:.0}/s), {unsent} more not sent, {MOST} being unanswered");
    for end in [End::Taken, End::Later, End::Refused, End::Late, End::Cut] {
        println!("{:>8}: {}", format!("{end:?}").to_lowercase(), ends.iter().filter(|(it, _)| *it == end).count());
    }
    ends.sort_by_key(|(_, time)| *time);
    let answered: Vec<Duration> =
        ends.iter().filter(|(end, _)| matches!(end, End::Taken | End::Later)).map(|(_, time)| *time).collect();
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| at(&answered, share));
    println!("answered after: p50 {p50:.0} ms, p99 {p99:.0} ms, p99.9 {p999:.0} ms");
    let stored = stored(dir.path());
    let taken = ends.iter().filter(|(end, _)| *end == End::Taken).count();
    println!("in the store: {stored}, of them answered with 202 in the flood: {taken}");
    assert!(stored >= taken, "a delivery that was answered with 202 is not in the store");
}

fn runtime(threads: usize) -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("runtime")
}

/// As many files as are allowed.
fn rlimit() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

fn open(dir: &Path, stop: CancellationToken) -> SocketAddr {
    let listener = http::listen(([127, 0, 0, 1], 0).into()).expect("a port");
    let door = listener.local_addr().expect("an address");
    let front = Front::plain(Networks::default());
    tokio::spawn(http::serve(listener, receiver(dir), Limits::default(), front, stop));
    door
}

/// Deliveries a second that are taken from senders who wait for their answers.
async fn saturate(door: SocketAddr, time: Duration) -> u32 {
    let until = Instant::now() + time;
    let senders: Vec<_> = (0..128).map(|_| tokio::spawn(post_until(door, until))).collect();
    let mut taken = 0;
    for sender in senders {
        taken += sender.await.expect("a sender");
    }
    taken / u32::try_from(time.as_secs()).expect("short")
}

async fn post_until(door: SocketAddr, until: Instant) -> u32 {
    let mut tcp = TcpStream::connect(door).await.expect("connected");
    let mut taken = 0;
    while Instant::now() < until {
        assert_eq!(exchange(&mut tcp).await, End::Taken);
        taken += 1;
    }
    taken
}

async fn exchange(tcp: &mut TcpStream) -> End {
    let mut answer = [0; 1024];
    if tcp.write_all(&next_request()).await.is_err() {
        return End::Cut;
    }
    match tcp.read(&mut answer).await {
        Ok(read) if answer[..read].starts_with(b"HTTP/1.1 202") => End::Taken,
        Ok(read) if answer[..read].starts_with(b"HTTP/1.1 503") => End::Later,
        Ok(1..) => End::Refused,
        Ok(0) | Err(_) => End::Cut,
    }
}

/// Sends `rate` a second for some time; how many were sent and how many were not, how long that took, and what became
/// of each.
async fn flood(door: SocketAddr, rate: u32, time: Duration) -> (usize, usize, Duration, Vec<(End, Duration)>) {
    let (began, open) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let (mut all, mut due, mut unsent) = (vec![], 0_u32, 0);
    while began.elapsed() < time {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few, and after the beginning")]
        let now = (began.elapsed().as_secs_f64() * f64::from(rate)) as u32;
        for n in due..now {
            if open.load(Ordering::Relaxed) < MOST {
                all.push(tokio::spawn(alone(door, n, Arc::clone(&open))));
            } else {
                unsent += 1;
            }
        }
        due = now;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (took, sent, mut ends) = (began.elapsed(), all.len(), Vec::with_capacity(all.len()));
    for one in all {
        ends.push(one.await.expect("a sender"));
    }
    (sent, unsent, took, ends)
}

/// One delivery over a connection of its own.
async fn alone(door: SocketAddr, number: u32, open: Arc<AtomicUsize>) -> (End, Duration) {
    open.fetch_add(1, Ordering::Relaxed);
    let began = Instant::now();
    let sender = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(number % u32::from(SENDERS)).expect("few"));
    let end = timeout(PATIENCE, async {
        let Ok(mut tcp) = connect(door, sender).await else { return End::Cut };
        exchange(&mut tcp).await
    })
    .await;
    open.fetch_sub(1, Ordering::Relaxed);
    (end.unwrap_or(End::Late), began.elapsed())
}

async fn connect(door: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(door).await
}

/// Accepted deliveries in the store.
fn stored(dir: &Path) -> usize {
    let counts = Reader::open(&dir.join("state")).expect("a store").counts().expect("counts");
    let accepted = counts.iter().filter(|count| count.verdict == Verdict::Accepted);
    accepted.map(|count| usize::try_from(count.deliveries).expect("few")).sum()
}

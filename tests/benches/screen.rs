//! From the bytes of a delivery to the bytes on a terminal: how long until what came in is on the screen, idle and while a
//! thousand others come in each second; beside it when the sender had its answer, and what syncing the disk costs.
//!
//! `cargo bench --bench screen`; takes about half a minute. The goal: 99 of 100 within two frames and one sync.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

// The other benches use more of it.
#[expect(dead_code, reason = "shared with the other benches")]
#[path = "load/mod.rs"]
mod load;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use self::load::{SECRET, at, next_request, setting, titled};

const ROWS: u16 = 60;
const COLUMNS: u16 = 160;
/// Two changes nearer than this are joined into one frame.
const FRAME: Duration = Duration::from_millis(16);
/// Between two deliveries that are measured.
const PAUSE: Duration = Duration::from_millis(60);
const PATIENCE: Duration = Duration::from_secs(10);
/// Deliveries a second beside those that are measured, over so many connections.
const LOAD: u32 = 1_000;
const SENDERS: u32 = 8;

fn main() {
    let count: usize = setting("COUNT", 150);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let syncs = syncs(dir.path(), count);
    let door = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    let mut console = Console::start(dir.path(), door);

    println!("{:>22} {:>9} {:>9}", "", "p50 ms", "p99 ms");
    line("sync of 4 KiB", &syncs);
    let goal = 2.0 * FRAME.as_secs_f64() * 1e3 + at(&syncs, 0.99);
    measure("idle", &mut console, door, count, goal);
    let stop = Arc::new(AtomicBool::new(false));
    let (sent, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            thread::spawn(move || send(door, &stop, &sent))
        })
        .collect();
    measure("beside others", &mut console, door, count, goal);
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().expect("a sender");
    }
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let rate = sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    println!("the others: {rate:.0} a second");
}

fn line(name: &str, times: &[Duration]) {
    println!("{name:>22} {:>9.2} {:>9.2}", at(times, 0.5), at(times, 0.99));
}

/// What it takes to write a page and sync it.
fn syncs(dir: &Path, count: usize) -> Vec<Duration> {
    let file = fs::File::create(dir.join("file")).expect("a file");
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let began = Instant::now();
            file.write_all_at(&[7; 4096], 0).expect("written");
            file.sync_data().expect("synced");
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

fn measure(name: &str, console: &mut Console, door: SocketAddr, count: usize, goal: f64) {
    let mut tcp = connected(door);
    let (mut answers, mut shown) = (vec![], vec![]);
    for n in 0..count {
        thread::sleep(PAUSE);
        let title = format!("{} {n:04} {:08x}", if n % 2 == 0 { "alpha" } else { "OMEGA" }, fastrand::u32(..));
        let request = titled(&title);
        console.watch(&title);
        let began = Instant::now();
        exchange(&mut tcp, &request);
        answers.push(began.elapsed());
        shown.push(console.seen().duration_since(began));
    }
    answers.sort_unstable();
    shown.sort_unstable();
    line(&format!("{name}: answered"), &answers);
    line(&format!("{name}: shown"), &shown);
    println!("{:>22} {:>19.2} of the goal of {goal:.1} ms", "", at(&shown, 0.99) / goal);
}

fn connected(door: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect(door).expect("connected");
    tcp.set_nodelay(true).expect("nodelay");
    tcp
}

fn exchange(tcp: &mut TcpStream, request: &[u8]) {
    let mut answer = [0; 1024];
    tcp.write_all(request).expect("sent");
    let read = tcp.read(&mut answer).expect("answered");
    assert!(answer[..read].starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer[..read]));
}

/// One of those beside whom is measured.
fn send(door: SocketAddr, stop: &AtomicBool, sent: &AtomicU64) {
    let mut tcp = connected(door);
    let (began, mut own) = (Instant::now(), 0_u32);
    while !stop.load(Ordering::Relaxed) {
        let due = began + Duration::from_secs(1) * own / (LOAD / SENDERS);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        exchange(&mut tcp, &next_request());
        own += 1;
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// dogwatch in a terminal, with the webhook log on the screen.
struct Console {
    child: Box<dyn Child + Send + Sync>,
    _terminal: Box<dyn MasterPty + Send>,
    watched: std::sync::mpsc::Sender<String>,
    seen: Receiver<Instant>,
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Console {
    fn start(dir: &Path, door: SocketAddr) -> Self {
        let config = dir.join("config.toml");
        let text = format!(
            "[receiver]\nlisten = \"{door}\"\n[[account]]\nname = \"prod\"\nprovider = \"pagerduty\"\n\
             [account.webhook]\nurl_key = {{ env = \"PD_URL_KEY\" }}\nsecrets = [{{ env = \"PD_SECRET\" }}]\n"
        );
        fs::write(&config, text).expect("config");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("permissions");
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_dogwatch"));
        command.env_clear();
        let home = dir.display().to_string();
        let own = [("HOME", home.as_str()), ("TERM", "xterm-256color"), ("PD_URL_KEY", "key"), ("PD_SECRET", SECRET)];
        for (name, value) in own {
            command.env(name, value);
        }
        command.args(["--config", &config.display().to_string(), "--state-dir", &format!("{home}/state")]);
        let child = pair.slave.spawn_command(command).expect("the binary runs");
        let reader = pair.master.try_clone_reader().expect("reader");
        let (watched, to_watch) = channel();
        let (see, seen) = channel();
        thread::spawn(move || read(reader, &to_watch, &see));
        let mut keyboard = pair.master.take_writer().expect("writer");
        let mut console = Self { child, _terminal: pair.master, watched, seen };
        console.watch("Incidents");
        console.seen();
        keyboard.write_all(b"3").expect("a key");
        console.watch("[3 Webhooks]");
        console.seen();
        console
    }

    /// Says what is to be looked for from now on.
    fn watch(&self, text: &str) {
        self.watched.send(text.to_owned()).expect("the reader runs");
    }

    /// When that was there.
    fn seen(&mut self) -> Instant {
        self.seen.recv_timeout(PATIENCE).expect("it is shown in time")
    }
}

/// Keeps the screen, and says when what is looked for appears on it.
fn read(
    mut reader: Box<dyn std::io::Read + Send>,
    to_watch: &Receiver<String>,
    see: &std::sync::mpsc::Sender<Instant>,
) {
    let mut screen = vt100::Parser::new(ROWS, COLUMNS, 0);
    let (mut buffer, mut watched) = ([0; 8 * 1024], None::<String>);
    while let Ok(read @ 1..) = reader.read(&mut buffer) {
        let came = Instant::now();
        screen.process(&buffer[..read]);
        watched = to_watch.try_iter().last().or(watched);
        if watched.as_ref().is_some_and(|text| screen.screen().contents().contains(text)) {
            watched = None;
            if see.send(came).is_err() {
                return;
            }
        }
    }
}

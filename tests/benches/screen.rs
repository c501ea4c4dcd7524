//! From a delivery to the screen: how long its sender waits for the 202, and a person for the line that tells of it.
//!
//! The real binary in a pseudo-terminal, its receiver inside, the webhook log in view. Deliveries are posted one at a
//! time, so that no two share a frame; first alone, then while others come at a steady rate. Beside each, as many bytes
//! are appended to a file on the same disk and synced, which is the least that a promise costs there.
//! `cargo bench --bench screen`; `SECONDS` for each part and `RATE` may be set.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

#[expect(dead_code, reason = "it needs no door of its own")]
#[path = "load/mod.rs"]
mod load;
#[path = "../support/mod.rs"]
mod support;

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use self::{
    load::{at, setting},
    support::{
        console::Console,
        night::{Night, Push, night, triggered},
        terminal::{Output, Reading},
    },
};

/// Frames are so far apart.
const FRAME: Duration = Duration::from_millis(16);
const ROWS: u16 = 60;
const COLUMNS: u16 = 160;
/// Over so many connections the others come.
const SENDERS: usize = 16;
/// Incidents that the others tell of.
const INCIDENTS: usize = 200;
/// A delivery that is not shown by then was pushed out of sight by others before a frame showed it.
const PATIENCE: Duration = Duration::from_secs(1);

fn main() {
    let (time, rate) = (Duration::from_secs(setting("SECONDS", 20)), setting("RATE", 1_000));
    let night = night(0, Push::ByHand, "30s");
    let screen = Screen::open(&night);
    let mut probes = Probes::new(&night);

    let idle = measure(&screen, &mut probes, time);
    let others = Others::start(&night, rate, time);
    let loaded = measure(&screen, &mut probes, time);
    let real = others.rate();

    println!("p50 and p99 in ms, goal: p99 on the screen below two frames and an fsync");
    println!("                    202 after  on the screen  after the 202       an fsync   unseen  p99 / goal by");
    println!("                                                                                     p50, p99 of fsync");
    print("alone", &idle);
    print(&format!("with {real:.0}/s"), &loaded);
}

fn print(name: &str, figures: &Figures) {
    let Figures { answered, shown, behind, synced, unseen } = figures;
    print!("{name:<14}");
    for times in [answered, shown, behind, synced] {
        print!("{:>8.1}{:>7.1}", at(times, 0.5), at(times, 0.99));
    }
    let goal = |share: f64| (2 * FRAME).as_secs_f64() * 1e3 + at(synced, share);
    let ratio = |share: f64| at(shown, 0.99) / goal(share);
    println!("{unseen:>5}/{:<5}{:>6.2}{:>6.2}", answered.len(), ratio(0.5), ratio(0.99));
}

/// Sorted, but for the number of those that were not seen; they count as shown after all of [`PATIENCE`].
struct Figures {
    answered: Vec<Duration>,
    shown: Vec<Duration>,
    /// From the 202 to the screen: what the screen alone costs, whatever the disk does.
    behind: Vec<Duration>,
    synced: Vec<Duration>,
    unseen: usize,
}

/// One delivery after the other, with a pause in between that is longer than a frame and never the same.
fn measure(screen: &Screen, probes: &mut Probes<'_>, time: Duration) -> Figures {
    let until = Instant::now() + time;
    let mut figures = Figures { answered: vec![], shown: vec![], behind: vec![], synced: vec![], unseen: 0 };
    while Instant::now() < until {
        let (title, request) = probes.next();
        screen.expect(title);
        let sent = Instant::now();
        let answered = probes.door.post(&request);
        let shown = screen.shown.recv_timeout(PATIENCE).ok();
        figures.unseen += usize::from(shown.is_none());
        figures.answered.push(answered - sent);
        figures.shown.push(shown.map_or(PATIENCE, |shown| shown - sent));
        figures.behind.push(shown.map_or(PATIENCE, |shown| shown.saturating_duration_since(answered)));
        thread::sleep(2 * FRAME + Duration::from_micros(fastrand::u64(0..16_000)));
        figures.synced.push(probes.disk.append(&request));
        thread::sleep(Duration::from_millis(5));
    }
    for times in [&mut figures.answered, &mut figures.shown, &mut figures.behind, &mut figures.synced] {
        times.sort_unstable();
    }
    figures
}

/// The console, and when what is waited for stood on its screen.
struct Screen {
    wanted: Arc<Mutex<Option<String>>>,
    shown: Receiver<Instant>,
    _console: Console,
}

impl Screen {
    fn open(night: &Night) -> Self {
        let mut console = night.spawn(Reading::Never);
        let bytes = console.0.master.try_clone_reader().expect("a reader");
        let wanted = Arc::new(Mutex::new(None));
        let (told, shown) = mpsc::channel();
        let (output, looked_for) = (Arc::clone(&console.0.output), Arc::clone(&wanted));
        thread::spawn(move || watch(bytes, &output, &looked_for, &told));
        console.0.resize(ROWS, COLUMNS);
        console.until("a server is there", |screen| screen.contains("owner"));
        console.press("3", "[3 Webhooks]");
        Self { wanted, shown, _console: console }
    }

    fn expect(&self, title: String) {
        // One that came too late is not the next one's.
        while self.shown.try_recv().is_ok() {}
        *self.wanted.lock().expect("lock") = Some(title);
    }
}

/// Reads as a terminal does. A text is shown from when the bytes were read that complete it: a frame holds only what
/// differs from the one before, so that a title seldom is in its bytes as a whole.
fn watch(
    mut bytes: Box<dyn std::io::Read + Send>,
    output: &Mutex<Output>,
    wanted: &Mutex<Option<String>>,
    told: &Sender<Instant>,
) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = bytes.read(&mut chunk) {
        let read = Instant::now();
        let mut output = output.lock().expect("lock");
        output.screen.process(chunk.get(..n).unwrap_or_default());
        let mut wanted = wanted.lock().expect("lock");
        if wanted.as_ref().is_some_and(|title| output.screen.screen().contents().contains(title)) {
            *wanted = None;
            let _ = told.send(read);
        }
    }
}

/// A connection that is kept.
struct Door(TcpStream);

impl Door {
    fn open(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).expect("connected");
        tcp.set_nodelay(true).expect("nodelay");
        Self(tcp)
    }

    /// When the 202 was there.
    fn post(&mut self, request: &[u8]) -> Instant {
        let mut answer = [0; 1024];
        self.0.write_all(request).expect("sent");
        let read = self.0.read(&mut answer).expect("answered");
        let answer = answer.get(..read).unwrap_or_default();
        assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(answer));
        Instant::now()
    }
}

/// A file on the disk of the store.
struct Disk {
    _dir: tempfile::TempDir,
    file: File,
}

impl Disk {
    fn append(&mut self, bytes: &[u8]) -> Duration {
        let began = Instant::now();
        self.file.write_all(bytes).expect("written");
        self.file.sync_data().expect("synced");
        began.elapsed()
    }
}

/// The deliveries that are measured, each with a title of its own.
struct Probes<'n> {
    night: &'n Night,
    door: Door,
    disk: Disk,
    number: usize,
}

impl<'n> Probes<'n> {
    fn new(night: &'n Night) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = File::create(dir.path().join("synced")).expect("a file");
        Self { night, door: Door::open(night.door), disk: Disk { _dir: dir, file }, number: 0 }
    }

    fn next(&mut self) -> (String, Vec<u8>) {
        self.number += 1;
        let title = format!("seen {:06}", self.number);
        let body = triggered(&format!("SEEN{:022}", self.number), &format!("PS{:05}", self.number), &title);
        (title, self.night.request(&body))
    }
}

/// Other deliveries, over connections of their own.
struct Others(Vec<thread::JoinHandle<f64>>);

impl Others {
    /// `rate` a second for a little longer than `time`. All are made before the first is sent: making them is not what
    /// is measured.
    fn start(night: &Night, rate: usize, time: Duration) -> Self {
        let seconds = usize::try_from(time.as_secs()).expect("short") + 3;
        let requests = |sender: usize| -> Vec<Vec<u8>> {
            let numbers = (sender..rate * seconds).step_by(SENDERS);
            numbers.map(|n| night.request(&other(n))).collect()
        };
        let all: Vec<_> = (0..SENDERS).map(requests).collect();
        let until = Instant::now() + time + Duration::from_secs(1);
        let apart = Duration::from_secs_f64(1.0) * u32::try_from(SENDERS).expect("few")
            / u32::try_from(rate).expect("a few thousand");
        let door = night.door;
        let senders = all.into_iter().map(|requests| thread::spawn(move || post_all(door, &requests, apart, until)));
        let senders = Self(senders.collect());
        // The first second is not looked at.
        thread::sleep(Duration::from_secs(1));
        senders
    }

    /// Answered a second.
    fn rate(self) -> f64 {
        self.0.into_iter().map(|sender| sender.join().expect("a sender")).sum()
    }
}

fn other(number: usize) -> Vec<u8> {
    let incident = number % INCIDENTS;
    triggered(&format!("OTHER{number:021}"), &format!("PO{incident:05}"), &format!("Disk 97 % full on db-{incident}"))
}

/// One after the other, each when it is due but after the answer to the one before; how many a second those were.
fn post_all(address: SocketAddr, requests: &[Vec<u8>], apart: Duration, until: Instant) -> f64 {
    let mut door = Door::open(address);
    let (began, mut posted) = (Instant::now(), 0.0);
    let mut due = began + apart.mul_f64(fastrand::f64());
    for request in requests {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if Instant::now() >= until {
            break;
        }
        door.post(request);
        posted += 1.0;
        due = (due + apart).max(Instant::now());
    }
    posted / began.elapsed().as_secs_f64()
}

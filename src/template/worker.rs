//! The body of the render worker: limits itself, then renders what it is given until its input ends.
//!
//! It holds nothing worth stealing and can open, write and start nothing; a template that overflows its stack or
//! takes too much ends this process and no other.

use std::{
    io::{self, Read, Write},
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{
    Limits,
    frame::{self, Ask, Reply},
    patience,
    render::{self, Job},
};

/// Of the thread that renders. Enough for what the depth limit lets through; the rest overflows it soon.
const STACK: usize = 64 * 1024 * 1024;

/// Renders until `stdin` ends, and gives the exit code. Limits this whole process for good: for a process that
/// does nothing else. A rendering still going on when the input ends is given up, so that a worker never
/// outlives its console.
pub fn worker(stdin: impl AsFd, stdout: impl Write + Send + 'static) -> i32 {
    let mut stdin = Unbuffered(stdin);
    let Ok(Ask::Start { limits, zone }) = frame::read(&mut stdin) else { return 2 };
    // Read before this process can open nothing any more.
    let Ok(zone) = TimeZone::get(&zone) else { return 4 };
    if confine(&limits).is_err() {
        return 3;
    }
    let (asks, rendering) = sync_channel(1);
    let (patience, desk) =
        (patience(&limits), Arc::new(Desk { stdout: Mutex::new(stdout), busy: AtomicBool::new(false) }));
    let answering = Arc::clone(&desk);
    let renderer = thread::Builder::new().stack_size(STACK);
    if renderer.spawn(move || answer(&rendering, &answering, &limits, &zone)).is_err() {
        return 3;
    }
    let mut job = Arc::default();
    loop {
        match stdin.has_more(desk.busy.load(Ordering::Acquire).then_some(patience)) {
            Ok(true) => {
                let Ok(Ask::Render(next)) = frame::read(&mut stdin) else { return 0 };
                job = Arc::from(next);
                desk.busy.store(true, Ordering::Release);
                if asks.send(Arc::clone(&job)).is_err() {
                    return 1;
                }
            }
            Ok(false) => desk.end_if_stuck(&job, patience),
            Err(_) => return 1,
        }
    }
}

/// Input of which nothing is held back, so that waiting for more does not overlook any.
struct Unbuffered<F>(F);

impl<F: AsFd> Read for Unbuffered<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut *into))?)
    }
}

impl<F: AsFd> Unbuffered<F> {
    /// Whether there is more to read, or the input ended; `false`: not within `wait`.
    fn has_more(&self, wait: Option<Duration>) -> rustix::io::Result<bool> {
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let polled = || poll(&mut [PollFd::new(&self.0, PollFlags::IN)], wait.as_ref());
        rustix::io::retry_on_intr(polled).map(|ready| ready > 0)
    }
}

/// What the thread that renders and the one that watches it share.
struct Desk<W> {
    stdout: Mutex<W>,
    /// Something is being rendered.
    busy: AtomicBool,
}

impl<W: Write> Desk<W> {
    fn send(&self, reply: &Reply) -> io::Result<()> {
        frame::write(&mut *self.stdout.lock().unwrap_or_else(PoisonError::into_inner), reply)
    }

    /// Answers in the place of a rendering that is stuck, and ends this process: nothing else ends a match.
    fn end_if_stuck(&self, job: &Job, patience: Duration) {
        // While the answer is held back, the rendering cannot give one of its own.
        let mut stdout = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(doing) = patience::stuck(patience / 2) {
            let _ = frame::write(&mut *stdout, &Reply::Broken(render::stuck(&doing, job)));
            std::process::exit(0);
        }
    }
}

/// How long a match may take: it must be said before somebody else ends this process.
fn patience(limits: &Limits) -> Duration {
    limits.wall.min(Duration::from_secs(limits.cpu)) * 3 / 4
}

/// Takes from this process what rendering does not need.
fn confine(limits: &Limits) -> rustix::io::Result<()> {
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nofile, 3)?;
    set(Resource::As, limits.memory)
}

fn set(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |allowed| allowed.min(most));
    setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
}

fn answer(asks: &Receiver<Arc<Job>>, desk: &Desk<impl Write>, limits: &Limits, zone: &TimeZone) {
    let mut spent = Duration::from_secs(1);
    if desk.send(&Reply::Ready).is_err() {
        return;
    }
    while let Ok(job) = asks.recv() {
        let started = Instant::now();
        allow(spent, limits.cpu);
        let reply = reply(&job, limits, zone);
        desk.busy.store(false, Ordering::Release);
        spent += started.elapsed();
        if desk.send(&reply).is_err() {
            return;
        }
    }
}

/// Lets this process take `more` seconds of the processor beside what it has taken: at most `spent`, the time
/// its renderings lasted. Beyond that the kernel ends it, whether or not anybody is left to watch it.
fn allow(spent: Duration, more: u64) {
    let most = spent.as_secs().saturating_add(1).saturating_add(more);
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = Some(maximum.map_or(most, |allowed| allowed.min(most)));
    let _ = setrlimit(Resource::Cpu, Rlimit { current, maximum });
}

fn reply(job: &Job, limits: &Limits, zone: &TimeZone) -> Reply {
    match catch_unwind(AssertUnwindSafe(|| render::render_within(job, limits, zone))) {
        Ok(Ok(made)) => Reply::Rendered { json: render::check_json(&made.output), output: made.output, log: made.log },
        Ok(Err(fault)) => Reply::Broken(fault),
        Err(_) => Reply::Broken(render::at_large("the renderer broke off on this template")),
    }
}

//! The body of the render worker: limits itself, then renders what it is given until its input ends.
//!
//! It holds nothing worth stealing and can open, write and start nothing; a template that overflows its stack or
//! takes too much ends this process and no other.

use std::{
    io::{Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, sync_channel},
    thread,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    Limits,
    frame::{self, Ask, Reply},
    render::{self, Job},
};

/// Of the thread that renders. Enough for what the depth limit lets through; the rest overflows it soon.
const STACK: usize = 64 * 1024 * 1024;

/// Renders until `stdin` ends, and gives the exit code. Limits this whole process for good: for a process that
/// does nothing else. A rendering still going on when the input ends is given up, so that a worker never
/// outlives its console.
pub fn worker(mut stdin: impl Read, stdout: impl Write + Send + 'static) -> i32 {
    let Ok(Ask::Start { limits, zone }) = frame::read(&mut stdin) else { return 2 };
    // Read before this process can open nothing any more.
    let Ok(zone) = TimeZone::get(&zone) else { return 4 };
    if confine(&limits).is_err() {
        return 3;
    }
    let (asks, rendering) = sync_channel(1);
    let started = thread::Builder::new().stack_size(STACK).spawn(move || answer(&rendering, stdout, &limits, &zone));
    if started.is_err() {
        return 3;
    }
    while let Ok(ask) = frame::read::<Ask>(&mut stdin) {
        if asks.send(ask).is_err() {
            return 1;
        }
    }
    0
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

fn answer(asks: &Receiver<Ask>, mut stdout: impl Write, limits: &Limits, zone: &TimeZone) {
    let mut spent = Duration::from_secs(1);
    if frame::write(&mut stdout, &Reply::Ready).is_err() {
        return;
    }
    while let Ok(ask) = asks.recv() {
        let Ask::Render(job) = ask else { return };
        let started = Instant::now();
        allow(spent, limits.cpu);
        let reply = reply(&job, limits, zone);
        spent += started.elapsed();
        if frame::write(&mut stdout, &reply).is_err() {
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

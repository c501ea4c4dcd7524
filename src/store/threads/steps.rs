//! The store without threads, for a simulation: each of its threads, and each thing that may block, is a step that is
//! taken on the thread which drives the simulation, when that has it taken. Which one it is comes from a seed, so that the
//! same seed gives the same run.
//!
//! A step that has to wait for others takes their steps meanwhile.

use std::{cell::RefCell, path::Path, time::Duration};

use fastrand::Rng;
use tokio::sync::oneshot;

use super::Worker;
use crate::store::schema;

thread_local! {
    static STEPS: RefCell<Option<Steps>> = const { RefCell::new(None) };
}

/// How many of the others' steps a rest takes.
const REST: usize = 3;

struct Steps {
    rng: Rng,
    /// Of one that is at work its place is empty.
    threads: Vec<Option<Box<dyn Thread>>>,
    jobs: Vec<Box<dyn FnOnce()>>,
}

/// As long as this is there, the store that this thread opens has no threads. What is left when it goes is never done.
pub(crate) struct Guard(());

/// Makes the store of a directory, which gets its number by no lot.
pub(crate) fn make_store(dir: &Path) {
    let (db, _) = schema::open_writer(dir, Duration::ZERO).expect("a store");
    db.execute("UPDATE log SET store = 1", []).expect("a row");
}

/// From now on the order of steps is that of the seed.
pub(crate) fn begin(seed: u64) -> Guard {
    let steps = Steps { rng: Rng::with_seed(seed), threads: vec![], jobs: vec![] };
    let former = STEPS.replace(Some(steps));
    assert!(former.is_none(), "one at a time");
    Guard(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(STEPS.take());
    }
}

/// Whether there are steps instead of threads.
pub(super) fn are_taken() -> bool {
    STEPS.with_borrow(Option::is_some)
}

fn with<T>(work: impl FnOnce(&mut Steps) -> T) -> T {
    STEPS.with_borrow_mut(|steps| work(steps.as_mut().expect("begun")))
}

/// Takes one step of those that can be taken now; says whether there was one.
pub(crate) fn take() -> bool {
    let next = with(|steps| {
        let ready = steps.ready();
        match steps.rng.usize(..(ready.len() + steps.jobs.len()).max(1)) {
            _ if ready.is_empty() && steps.jobs.is_empty() => None,
            at if at < ready.len() => Some(Err(ready[at])),
            at => Some(Ok(steps.jobs.remove(at - ready.len()))),
        }
    });
    match next {
        None => return false,
        Some(Ok(job)) => job(),
        Some(Err(thread)) => go(thread),
    }
    true
}

/// A number below `end`, by the seed.
pub(crate) fn draw(end: usize) -> usize {
    with(|steps| steps.rng.usize(..end))
}

/// A thread that would wait for a moment.
pub(super) fn some() {
    for _ in 0..REST {
        of_a_thread();
    }
}

/// Until `done`: all that another one would do before a thread goes on.
pub(in crate::store) fn until(mut done: impl FnMut() -> bool) {
    while are_taken() && !done() {
        assert!(of_a_thread(), "nobody is left who could do what is waited for");
    }
}

/// The same as [`take`], but of no job: none of these waits for one.
fn of_a_thread() -> bool {
    let next = with(|steps| {
        let ready = steps.ready();
        steps.rng.choice(ready)
    });
    next.map(go).is_some()
}

/// It goes on for as long as it works; one that ends is there no more.
fn go(at: usize) {
    let Some(mut thread) = with(|steps| steps.threads[at].take()) else { return };
    if thread.step() {
        with(|steps| steps.threads[at] = Some(thread));
    }
}

impl Steps {
    fn ready(&self) -> Vec<usize> {
        let places = self.threads.iter().enumerate();
        places.filter_map(|(at, thread)| thread.as_ref()?.is_ready().then_some(at)).collect()
    }
}

trait Thread {
    fn is_ready(&self) -> bool;
    fn step(&mut self) -> bool;
}

struct Works<W: Worker> {
    worker: W,
    queue: W::Queue,
    begun: bool,
}

impl<W: Worker> Thread for Works<W> {
    fn is_ready(&self) -> bool {
        !self.begun || !W::is_idle(&self.queue)
    }

    fn step(&mut self) -> bool {
        if self.begun {
            return self.worker.work(&mut self.queue);
        }
        self.begun = true;
        self.worker.begin()
    }
}

pub(super) fn add<W: Worker>(worker: W, queue: W::Queue) {
    with(|steps| steps.threads.push(Some(Box::new(Works { worker, queue, begun: false }))));
}

pub(super) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = oneshot::channel();
    with(|steps| steps.jobs.push(Box::new(move || drop(tell.send(work())))));
    told.await.ok()
}

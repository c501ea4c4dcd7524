//! The task of one target: takes what waits from the store, and carries it, some incidents at a time.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Lane, Setup};
use crate::{
    core::{
        board::Change,
        delivery::{Timings, Verdict},
        forward::Event,
        id::TargetName,
        text::Shown,
    },
    forward::{
        AGAIN, Inner,
        attempt::{self, Errand, Kind},
        queue::Queue,
    },
    store::{
        Attempt, Begun, Ended, ForwardId, Queued, StoreError, Then,
        crash::{self, Point},
    },
};

/// Incidents whose events are sent to one target at the same time.
const SIDE_BY_SIDE: usize = 4;
/// Longer than that no timer waits: clocks on the wall may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What the log says of an attempt of a run that ended in the middle of it.
const UNKNOWN: &str = "dogwatch ended while this was sent: not known whether it arrived";

/// Whether such an attempt is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

/// What is known of an errand from the queue once it is over.
enum Over {
    /// It is through: sent, or given up.
    Through(Queued),
    Again(Queued, Timestamp),
    /// It could not be begun; it still waits.
    Not(Queued),
}

/// Sends what waits for a target until it is stopped, or until nothing more is due once the end has come. When the target
/// is taken away, what is under way comes to its end. `former` is told when an earlier lane of that name has ended.
pub(super) async fn run(
    inner: Weak<Inner>,
    ending: CancellationToken,
    lane: Arc<Lane>,
    former: Option<CancellationToken>,
) {
    let _ended = lane.ended.clone().drop_guard();
    if let Some(former) = former {
        tokio::select! {
            biased;
            () = lane.stop.cancelled() => return,
            () = former.cancelled() => {}
        }
    }
    let (mut queue, mut under_way) = (Queue::default(), JoinSet::new());
    let (mut filled, mut knocked) = (Filled::Not, false);
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let leaves = lane.leave.is_cancelled();
        if filled.falls_short(&lane) {
            filled = fill(&inner, &lane, &mut queue, filled).await;
        }
        let goes_on = lane.goes_on();
        if !goes_on {
            queue.clear();
            filled = filled.partly();
            if knocked {
                tokio::select! {
                    biased;
                    () = lane.stop.cancelled() => return,
                    () = lane.drop_if_closed(&inner) => {}
                }
            }
            note_length(&inner, &lane, &queue);
        }
        knocked = false;
        let setup = lane.setup();
        let may_send = goes_on && setup.reason().is_none();
        while may_send && under_way.len() < SIDE_BY_SIDE {
            let Some(next) = queue.next((inner.now)(), Instant::now().into_std()) else { break };
            under_way.spawn(carry_safely(Arc::clone(&inner), Arc::clone(&lane), Arc::clone(&setup), next));
        }
        if (ending.is_cancelled() || leaves) && under_way.is_empty() {
            if leaves {
                inner.keep(&lane.name, lane.standing());
            }
            return;
        }
        // What is due is not waited for where it could not be begun: then something else has to come first.
        let next_due = queue.next_due().filter(|_| may_send && under_way.len() < SIDE_BY_SIDE);
        let pause = if filled.falls_short(&lane) { AGAIN } else { until(next_due, (inner.now)()) };
        drop(inner);
        tokio::select! {
            biased;
            () = lane.stop.cancelled() => return,
            () = lane.leave.cancelled(), if !leaves => {}
            Some(over) = under_way.join_next() => settled(&lane, &mut queue, over),
            () = lane.knock.notified() => (filled, knocked) = (filled.partly(), true),
            () = ending.cancelled(), if !ending.is_cancelled() => {}
            () = sleep_until(Instant::now() + pause) => {}
        }
    }
}

/// How far the queue in memory is that of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// Not at all yet.
    Not,
    /// There may be more.
    Partly,
    Whole,
}

impl Filled {
    fn partly(self) -> Self {
        if self == Self::Not { Self::Not } else { Self::Partly }
    }

    /// Whether the store is to be read. What an earlier run left is looked at in any case, the rest once it can be sent.
    fn falls_short(self, lane: &Lane) -> bool {
        match self {
            Self::Not => !lane.leave.is_cancelled(),
            Self::Partly => lane.goes_on(),
            Self::Whole => false,
        }
    }
}

/// How long to wait when nothing happens.
fn until(due: Option<Timestamp>, now: Timestamp) -> Duration {
    let until = due.map(|due| due.duration_since(now).max(SignedDuration::ZERO));
    until.and_then(|until| until.try_into().ok()).unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)
}

/// Takes in what the store has and the queue has not.
async fn fill(inner: &Inner, lane: &Lane, queue: &mut Queue, so_far: Filled) -> Filled {
    let (name, last) = (lane.name.clone(), queue.last());
    let read = inner.store.read(move |reader| reader.waiting(&name, last)).await;
    let Ok(new) = read.inspect_err(|error| tracing::warn!(target = %lane.name, %error, "a queue cannot be read"))
    else {
        return so_far;
    };
    for mut waiting in new {
        if so_far == Filled::Not && waiting.begun.is_some() {
            // Of a run that ended in the middle of it.
            let again = if lane.is_open() { Again::Yes } else { Again::No };
            if let Err(error) = unknown(inner, lane, &waiting, again).await {
                tracing::warn!(target = %lane.name, %error, "an attempt could not be written down");
                return so_far;
            }
            if again == Again::No {
                continue;
            }
            (waiting.begun, waiting.attempts) = (None, waiting.attempts.saturating_sub(1));
        }
        // Under way, or over and not to be written down: the next run tells of it.
        if waiting.begun.is_none() {
            queue.push(waiting);
        }
    }
    note_length(inner, lane, queue);
    Filled::Whole
}

/// Shows how many wait.
fn note_length(inner: &Inner, lane: &Lane, queue: &Queue) {
    let length = u32::try_from(queue.length()).unwrap_or(u32::MAX);
    if lane.waiting.swap(length, Ordering::Relaxed) != length {
        inner.changed.notify_one();
    }
}

/// Says in the log that nobody knows what came of an attempt.
async fn unknown(inner: &Inner, lane: &Lane, waiting: &Queued, again: Again) -> Result<(), StoreError> {
    let peer = lane.setup().summary.address.to_string();
    match again {
        Again::Yes => {
            let reason = format!("{UNKNOWN}; it is sent again with the same id");
            told_of(inner, (&lane.name, peer), waiting, &reason, Then::Anew(waiting.id)).await
        }
        Again::No => {
            let reason = format!("{UNKNOWN}; {}, so it is not sent again", lane.closed_words());
            told_of(inner, (&lane.name, peer), waiting, &reason, Then::Leave(waiting.id)).await
        }
    }
}

/// The same of all that an earlier run had begun to send to a target that is not configured any more.
pub(in crate::forward) async fn tell_unknown(inner: &Inner, name: &TargetName) -> Result<(), StoreError> {
    let of = name.clone();
    let all = inner.store.read(move |reader| reader.waiting(&of, ForwardId(0))).await?;
    for waiting in all.iter().filter(|waiting| waiting.begun.is_some()) {
        let reason = format!("{UNKNOWN}; this target is not configured any more, so it is not sent again");
        told_of(inner, (name, String::new()), waiting, &reason, Then::Leave(waiting.id)).await?;
    }
    Ok(())
}

/// Writes down an attempt at a target, somewhere, of which nothing is known but that it was begun.
async fn told_of(
    inner: &Inner,
    (target, peer): (&TargetName, String),
    waiting: &Queued,
    reason: &str,
    then: Then,
) -> Result<(), StoreError> {
    let id = waiting.event.clone();
    let (about, reason) = match inner.store.read(move |reader| reader.event(&id)).await {
        Ok(Some((event, _))) => (Some((&event).into()), reason.to_owned()),
        Ok(None) => return Ok(()),
        Err(StoreError::Corrupt { .. }) => {
            (None, format!("event {} of incident {}: {reason}", waiting.event, waiting.incident.id))
        }
        Err(error) => return Err(error),
    };
    let attempt = Attempt {
        at: waiting.begun.unwrap_or_else(inner.now),
        target: target.clone(),
        about,
        verdict: Verdict::Failed,
        reason: Shown::line(&reason),
        status: 0,
        peer,
        headers: vec![],
        body: vec![],
        response: vec![],
        format: None,
        timings: Timings::default(),
    };
    let told = inner.store.end(Ended { attempt, then, standing: None }).await?;
    (inner.tell)(Change::Delivery(Box::new(told)));
    Ok(())
}

/// Carries one event to its target. Should that break off, its incident waits no longer for it than for any other.
async fn carry_safely(inner: Arc<Inner>, lane: Arc<Lane>, setup: Arc<Setup>, waiting: Queued) -> Over {
    let carried = carry(Arc::clone(&inner), Arc::clone(&lane), setup, waiting.clone());
    if let Ok(over) = AssertUnwindSafe(carried).catch_unwind().await {
        return over;
    }
    tracing::error!(target = %lane.name, "sending event {} broke off", waiting.event);
    let reason = "dogwatch broke off on this event, which may or may not have been sent; its own log says where";
    let peer = lane.setup().summary.address.to_string();
    if let Err(error) = told_of(&inner, (&lane.name, peer), &waiting, reason, Then::Leave(waiting.id)).await {
        tracing::error!(target = %lane.name, %error, "an attempt could not be written down");
    }
    Over::Through(waiting)
}

/// Carries one event to its target; with the settings `known`, if with those of then nothing can be sent any more.
async fn carry(inner: Arc<Inner>, lane: Arc<Lane>, known: Arc<Setup>, waiting: Queued) -> Over {
    let id = waiting.event.clone();
    let (event, body): (Event, _) = match inner.store.read(move |reader| reader.event(&id)).await {
        Ok(Some(found)) => found,
        Ok(None) => return Over::Through(waiting),
        Err(StoreError::Corrupt { cause, .. }) => return unreadable(&inner, &lane, waiting, &cause).await,
        Err(error) => return not_begun(&lane, waiting, &error).await,
    };
    match inner.store.begin(waiting.id, (inner.now)()).await {
        Ok(Begun::Yes) => {}
        Ok(Begun::Gone) => return Over::Through(waiting),
        Err(error) => return not_begun(&lane, waiting, &error).await,
    }
    crash::passing(Point::BeforeSend);
    let raw = body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or(Value::Null);
    let errand = Errand { kind: Kind::FromQueue(waiting.clone()), event, raw };
    let setup = Some(lane.setup()).filter(|setup| setup.reason().is_none()).unwrap_or(known);
    let made = attempt::make(&inner, &lane, &setup.target, &errand).await;
    crash::passing(Point::AfterSend);
    match lane.settle(&inner, &setup.target, &errand, made).await {
        Ok((_, Then::Again { due, .. })) => Over::Again(waiting, due),
        Ok((_, Then::Nothing | Then::Leave(_) | Then::LeaveAll(_) | Then::Anew(_))) => Over::Through(waiting),
        Err(error) => {
            tracing::error!(target = %lane.name, %error, "what came of an event cannot be written down: {error}");
            Over::Through(waiting)
        }
    }
}

/// Lets go of an event that cannot be read: nothing can be sent of it, and it is not to hold up others.
async fn unreadable(inner: &Inner, lane: &Lane, waiting: Queued, cause: &str) -> Over {
    tracing::error!(target = %lane.name, "event {} cannot be read, so it is not sent: {cause}", waiting.event);
    let reason = format!("it cannot be read, so nothing was sent: {cause}");
    let peer = lane.setup().summary.address.to_string();
    match told_of(inner, (&lane.name, peer), &waiting, &reason, Then::Leave(waiting.id)).await {
        Ok(()) => Over::Through(waiting),
        Err(error) => not_begun(lane, waiting, &error).await,
    }
}

async fn not_begun(lane: &Lane, waiting: Queued, error: &StoreError) -> Over {
    tracing::warn!(target = %lane.name, %error, "an event waits: its attempt cannot be written down: {error}");
    sleep(AGAIN).await;
    Over::Not(waiting)
}

fn settled(lane: &Lane, queue: &mut Queue, over: Result<Over, JoinError>) {
    match over {
        Ok(Over::Through(waiting)) => queue.done(&waiting),
        Ok(Over::Again(waiting, due)) => queue.again(&waiting, waiting.attempts.saturating_add(1), due),
        Ok(Over::Not(waiting)) => queue.again(&waiting, waiting.attempts, waiting.due),
        Err(error) => tracing::error!(target = %lane.name, %error, "sending an event broke off"),
    }
    lane.waiting.store(u32::try_from(queue.length()).unwrap_or(u32::MAX), Ordering::Relaxed);
}

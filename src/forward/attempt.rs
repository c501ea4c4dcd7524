//! One attempt: rendered, sent, and put into words for the log.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{
    Inner, Target, address,
    lane::Lane,
    outcome::{Outcome, Taken},
    send::Letter,
};
use crate::{
    core::{
        delivery::{Format, Timings, Verdict},
        forward::Event,
        template::Fault,
        text::Shown,
    },
    store::{Attempt, Queued, Then},
};

/// Before the next attempt, after the first, the second … failed; about: nobody is served by all at the same second.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];
/// A target may ask for a pause of its own between these.
const PAUSE_ASKED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));

/// Something to send.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) kind: Kind,
    pub(super) event: Event,
    /// The delivery that told of it.
    pub(super) raw: Value,
}

/// Why it is sent.
#[derive(Debug)]
pub(super) enum Kind {
    /// It waited in the queue.
    FromQueue(Queued),
    /// Somebody tries a target: it counts neither for nor against it.
    Test,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Made {
    /// It could not be rendered, so nothing was sent.
    Unrendered {
        why: String,
        output: Vec<u8>,
        check_us: u64,
    },
    Tried(Box<Tried>),
}

#[derive(Debug)]
pub(super) struct Tried {
    outcome: Outcome,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timings: Timings,
}

impl Made {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Tried(tried) if tried.outcome.taken == Taken::Yes => Verdict::Sent,
            Self::Tried(_) | Self::Unrendered { .. } => Verdict::Failed,
        }
    }

    /// Whether it says anything of the target.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Self::Tried(_))
    }

    /// The line of the log, with `reason`.
    pub(super) fn line(self, target: &Target, event: &Event, at: Timestamp, reason: &str) -> Attempt {
        let verdict = self.verdict();
        let (status, headers, body, response, timings) = match self {
            Self::Tried(tried) => {
                let Tried { outcome, headers, body, timings } = *tried;
                (outcome.status, headers, body, outcome.response, timings)
            }
            Self::Unrendered { output, check_us, .. } => {
                (0, vec![], output, vec![], Timings { check_us, commit_us: Some(0), ..Timings::default() })
            }
        };
        Attempt {
            at,
            target: target.name.clone(),
            about: Some(event.into()),
            verdict,
            reason: Shown::line(reason),
            status,
            peer: peer(target),
            headers,
            body,
            response,
            format: Some(if template(target).is_some() { Format::Custom } else { Format::Default }),
            timings,
        }
    }
}

/// Scheme, host and port: what of an address may be shown.
pub(super) fn peer(target: &Target) -> String {
    let url = target.url.expose_secret().parse::<Url>().ok();
    url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// Renders and sends an errand.
pub(super) async fn make(inner: &Inner, lane: &Lane, target: &Target, errand: &Errand) -> Made {
    let began = Instant::now();
    let rendered = render(lane, target, errand).await;
    let check_us = microseconds(began);
    let body = match rendered {
        Ok(body) => body,
        Err((why, output)) => return Made::Unrendered { why, output, check_us },
    };
    let began = Instant::now();
    let (outcome, headers, body) = match Letter::new(target, &errand.event.id, body.clone(), (inner.now)()) {
        Ok(letter) => (exchange(inner, target, &letter).await, letter.loggable(), letter.body),
        Err(wrong) => (Outcome::none(wrong), vec![], body),
    };
    let timings = Timings { read_us: 0, check_us, commit_us: Some(microseconds(began)) };
    Made::Tried(Box::new(Tried { outcome, headers, body, timings }))
}

pub(super) async fn exchange(inner: &Inner, target: &Target, letter: &Letter) -> Outcome {
    if let Some(door) = inner.door()
        && address::leads_to(&letter.url, door).await
    {
        return Outcome::none("refused: its address is this dogwatch's own door for webhooks");
    }
    inner.sender.send(target, letter).await
}

pub(super) fn microseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The text of its template; one of blanks alone is none.
fn template(target: &Target) -> Option<&str> {
    target.template.as_deref().filter(|text| !text.trim().is_empty())
}

/// The body, as it will be sent; or why there is none, and what was rendered instead.
async fn render(lane: &Lane, target: &Target, errand: &Errand) -> Result<Vec<u8>, (String, Vec<u8>)> {
    let Some(template) = template(target) else {
        return Ok(errand.event.default_body(target.linked).to_string().into_bytes());
    };
    let context = errand.event.context(&errand.raw);
    match lane.renderer.render(template, &context).await {
        Ok(rendered) => match rendered.json {
            Ok(()) => Ok(rendered.output.into_bytes()),
            Err(fault) => {
                Err((format!("what the template made is not JSON: {}", place(&fault)), rendered.output.into()))
            }
        },
        Err(fault) => Err((format!("the template: {}", place(&fault)), vec![])),
    }
}

fn place(fault: &Fault) -> String {
    let Fault { message, line, column } = fault;
    if *line == 0 { message.to_string() } else { format!("line {line}, column {column}: {message}") }
}

/// What becomes of the place in the queue: with `retries`, a failed attempt is made again.
pub(super) fn then(waiting: &Queued, retries: u32, made: &Made, now: Timestamp) -> Then {
    let Made::Tried(tried) = made else { return Then::Leave(waiting.id) };
    if tried.outcome.taken == Taken::Yes || waiting.attempts >= retries {
        return Then::Leave(waiting.id);
    }
    let pause = tried
        .outcome
        .retry_after
        .map_or_else(|| pause(waiting.attempts), |asked| asked.clamp(PAUSE_ASKED.0, PAUSE_ASKED.1));
    Then::Again { id: waiting.id, due: now.checked_add(pause).unwrap_or(now) }
}

/// Before the next attempt, when so many failed before this one.
fn pause(failed: u32) -> Duration {
    let usual =
        PAUSES.get(usize::try_from(failed).unwrap_or(usize::MAX)).or(PAUSES.last()).copied().unwrap_or_default();
    usual.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// What the log says of it.
pub(super) fn words(errand: &Errand, made: &Made, then: Then, retries: u32, now: Timestamp) -> String {
    let outcome = match made {
        Made::Unrendered { why, .. } => format!("nothing was sent: {why}"),
        Made::Tried(tried) => tried.outcome.words.clone(),
    };
    let waiting = match &errand.kind {
        Kind::Test => return format!("test: {outcome}"),
        Kind::FromQueue(waiting) => waiting,
    };
    let nth = format!("attempt {} of {}", waiting.attempts.saturating_add(1), retries.saturating_add(1));
    match then {
        Then::Again { due, .. } => {
            let seconds = due.duration_since(now).as_secs();
            format!("{outcome}; {nth}, again in {seconds} s")
        }
        _ if retries == 0 || !made.counts() => outcome,
        _ if made.verdict() == Verdict::Sent && waiting.attempts == 0 => outcome,
        _ if made.verdict() == Verdict::Sent => format!("{outcome}; {nth}"),
        _ => format!("{outcome}; {nth}, given up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_never_quite_the_same() {
        let around = |failed: u32| (0..50).map(|_| pause(failed)).collect::<Vec<_>>();

        for (failed, seconds) in [(0, 10), (1, 60), (4, 3600), (9, 3600)] {
            let all = around(failed);
            let within = |pause: &Duration| (seconds * 800..=seconds * 1200).contains(&pause.as_millis());
            assert!(all.iter().all(within), "{failed}: {all:?}");
            assert!(all.iter().any(|pause| *pause != all[0]));
        }
    }
}

//! The rate limit's gate: after a 429 nothing is sent until the provider's window is over.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::header::HeaderMap;
use tokio::time::Instant;

/// A longer wait than this is not believed: `PagerDuty`'s windows last a minute.
const LONGEST: Duration = Duration::from_mins(5);
/// Longest wait after a 429 that does not say how long.
const LONGEST_GUESS: u64 = 30;
/// Seconds until the window is over, in the order in which they are trusted. `PagerDuty` documents the first only.
const HEADERS: [&str; 3] = ["ratelimit-reset", "retry-after", "x-ratelimit-reset"];
/// Requests left in the window, as `PagerDuty` documents it.
const LEFT: &str = "ratelimit-remaining";

#[derive(Debug, Default)]
struct State {
    closed_until: Option<Instant>,
    /// 429s in a row that did not say how long to wait.
    unexplained: u32,
    /// What the last answer said is left of the window's requests.
    left: Option<u64>,
}

/// Shared by all requests of one account.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

impl Gate {
    /// How long the gate stays closed, if it is.
    pub(crate) fn closed_for(&self, now: Instant) -> Option<Duration> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed_until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Closes the gate after a 429 with these headers; says for how long.
    pub(crate) fn refused(&self, headers: &HeaderMap, now: Instant) -> Duration {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = if let Some(told) = told(headers) {
            told
        } else {
            state.unexplained = state.unexplained.saturating_add(1);
            Duration::from_secs(2u64.saturating_pow(state.unexplained).min(LONGEST_GUESS))
        };
        let until = now + wait;
        state.closed_until = state.closed_until.max(Some(until));
        wait
    }

    /// An answer that was not a 429.
    pub(crate) fn passed(&self, headers: &HeaderMap) {
        let left = headers.get(LEFT).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.unexplained = 0;
        state.left = left.or(state.left);
    }

    /// Requests left in the window, as far as the provider has told.
    pub(crate) fn left(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).left
    }
}

fn told(headers: &HeaderMap) -> Option<Duration> {
    let seconds = HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse::<f64>().ok())?;
    let wait = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST);
    Some(wait.clamp(Duration::from_secs(1), LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (k.parse().expect("name"), v.parse().expect("value"))).collect()
    }

    #[test]
    fn it_stays_closed_as_long_as_the_answer_says_and_then_opens() {
        let (gate, now) = (Gate::default(), Instant::now());

        let wait = gate.refused(&headers(&[("retry-after", "90"), ("ratelimit-reset", "7")]), now);

        assert_eq!(wait, Duration::from_secs(7));
        assert_eq!(gate.closed_for(now + Duration::from_secs(5)), Some(Duration::from_secs(2)));
        assert_eq!(gate.closed_for(now + Duration::from_secs(7)), None);
    }

    #[test]
    fn a_429_without_a_word_waits_longer_each_time_up_to_half_a_minute() {
        let (gate, now) = (Gate::default(), Instant::now());
        let refused = || gate.refused(&HeaderMap::new(), now).as_secs();
        let waits: Vec<u64> = (0..6).map(|_| refused()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);

        gate.passed(&headers(&[("ratelimit-remaining", "41")]));
        gate.passed(&HeaderMap::new());
        assert_eq!(gate.left(), Some(41));

        assert_eq!(gate.refused(&HeaderMap::new(), now).as_secs(), 2);
    }

    #[test]
    fn a_shorter_wait_does_not_open_the_gate_early_and_an_absurd_one_is_not_believed() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.refused(&headers(&[("ratelimit-reset", "20")]), now);
        gate.refused(&headers(&[("ratelimit-reset", "0")]), now);
        assert_eq!(gate.closed_for(now), Some(Duration::from_secs(20)));

        let absurd = gate.refused(&headers(&[("x-ratelimit-reset", "1760000000")]), now);

        assert_eq!(absurd, LONGEST);
    }
}

//! The rate limit's gate. After a 429 nothing is sent until the provider's window is over; before that, what may wait
//! stops while there is still enough left for those who act.
//!
//! What is left is never believed to be more than the last answer said less the requests that are under way; when the
//! window is over it is full again, whatever was said in the last one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::header::HeaderMap;
use tokio::time::Instant;

use crate::core::call::{Budget, Purpose};

/// A longer wait than this is not believed: `PagerDuty`'s windows last a minute.
const LONGEST: Duration = Duration::from_mins(5);
/// Longest wait after a 429 that does not say how long.
const LONGEST_GUESS: u64 = 30;
/// Seconds until the window is over, in the order in which they are trusted. `PagerDuty` documents the first only.
const HEADERS: [&str; 3] = ["ratelimit-reset", "retry-after", "x-ratelimit-reset"];
/// Requests left in the window, and in a whole one, as `PagerDuty` documents it.
const LEFT: &str = "ratelimit-remaining";
const LIMIT: &str = "ratelimit-limit";
/// How long a window is taken to last where no answer says so.
const WINDOW: Duration = Duration::from_mins(1);
/// Whole seconds are told: the end of one window may seem to move by so much.
const ROUNDING: Duration = Duration::from_secs(2);
/// For the same reason a window may last so much longer than told: what can wait does not run into its end.
const SLACK: Duration = Duration::from_secs(1);

/// The part of a limit that is kept for actions: one in so many requests.
const KEPT: u64 = 10;

/// How many requests of `limit` are left alone by calls for `purpose`.
fn reserve(limit: u64, purpose: Purpose) -> u64 {
    match purpose {
        Purpose::Action => 0,
        Purpose::Detail => limit.div_ceil(2 * KEPT),
        Purpose::Poll | Purpose::Upkeep => limit.div_ceil(KEPT),
        Purpose::Context => limit.saturating_mul(2).div_ceil(KEPT),
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    left: u64,
    resets: Instant,
    /// Nobody told: the last one was over.
    guessed: bool,
}

impl Window {
    /// When it is certainly over.
    fn over(&self) -> Instant {
        self.resets + SLACK
    }
}

#[derive(Debug, Default)]
struct State {
    closed_until: Option<Instant>,
    /// Routes with a limit of their own that is used up.
    closed_routes: HashMap<String, Instant>,
    /// 429s in a row that did not say how long to wait.
    unexplained: u32,
    /// By how much the whole window allows: a provider has one limit for all, and tighter ones for some routes.
    windows: BTreeMap<u64, Window>,
    /// Which of the limits the last answer on a route was about: the one that is closest to being reached.
    routes: HashMap<String, u64>,
    under_way: u64,
}

/// Shared by all requests with one key.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<State>);

/// A request that was let through; it counts as under way until this is dropped.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    route: String,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.under_way = state.under_way.saturating_sub(1);
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request on `route` through, or says how long it has to wait.
    pub(crate) fn admit(&self, purpose: Purpose, route: String, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.state();
        if let Some(wait) = state.closed_for(&route, now) {
            return Err(wait);
        }
        state.begin_windows(now);
        let limits = state.limits_of(&route);
        let short = |limit: &u64| state.windows.get(limit).filter(|window| window.left <= reserve(*limit, purpose));
        let wait = match purpose {
            Purpose::Action => None,
            _ => limits.iter().filter_map(short).map(|window| window.over().saturating_duration_since(now)).max(),
        };
        if let Some(wait) = wait {
            return Err(wait.max(Duration::from_millis(1)));
        }
        for limit in limits {
            if let Some(window) = state.windows.get_mut(&limit) {
                window.left = window.left.saturating_sub(1);
            }
        }
        state.under_way += 1;
        drop(state);
        Ok(Pass { gate: self, route })
    }

    /// What is left for all, as far as the provider has told.
    pub(crate) fn budget(&self, now: Instant) -> Option<Budget> {
        let mut state = self.state();
        state.begin_windows(now);
        let (limit, window) = state.windows.last_key_value()?;
        let resets_in = window.resets.saturating_duration_since(now).as_secs_f64().ceil();
        Some(Budget {
            limit: (*limit > 0).then_some(*limit),
            left: window.left,
            reserve: reserve(*limit, Purpose::Poll),
            resets_in: Duration::try_from_secs_f64(resets_in).unwrap_or(LONGEST).as_secs(),
        })
    }
}

impl Pass<'_> {
    /// The answer was a 429 with these headers; says for how long the gate is closed now.
    pub(crate) fn refused(&self, headers: &HeaderMap, now: Instant) -> Duration {
        let mut state = self.gate.state();
        let wait = if let Some(told) = told(headers) {
            told
        } else {
            state.unexplained = state.unexplained.saturating_add(1);
            Duration::from_secs(2u64.saturating_pow(state.unexplained).min(LONGEST_GUESS))
        };
        let until = now + wait;
        let own_limit = number(headers, LIMIT).filter(|limit| state.windows.keys().any(|known| known > limit));
        if own_limit.is_some() {
            let known = state.closed_routes.entry(self.route.clone()).or_insert(until);
            *known = until.max(*known);
        } else {
            state.closed_until = state.closed_until.max(Some(until));
        }
        wait
    }

    /// An answer that was not a 429. Requests left after it, if it said so.
    pub(crate) fn passed(&self, headers: &HeaderMap, now: Instant) -> Option<u64> {
        let mut state = self.gate.state();
        state.unexplained = 0;
        let told_left = number(headers, LEFT)?;
        let limit = number(headers, LIMIT).or_else(|| state.windows.keys().next_back().copied()).unwrap_or(0);
        // The others under way may not be counted in it yet.
        let left = told_left.saturating_sub(state.under_way.saturating_sub(1));
        let resets = now + told(headers).unwrap_or(WINDOW);
        let heard = Window { left, resets, guessed: false };
        let known = state.windows.entry(limit).or_insert(heard);
        if known.guessed || resets > known.resets + ROUNDING {
            *known = heard;
        } else {
            known.left = known.left.min(left);
            known.resets = known.resets.min(resets);
        }
        state.routes.insert(self.route.clone(), limit);
        Some(told_left)
    }
}

impl State {
    fn closed_for(&mut self, route: &str, now: Instant) -> Option<Duration> {
        self.closed_routes.retain(|_, until| *until > now);
        let until = self.closed_until.max(self.closed_routes.get(route).copied())?;
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Windows that are over are full again.
    fn begin_windows(&mut self, now: Instant) {
        for (limit, window) in self.windows.iter_mut().filter(|(_, window)| window.over() <= now) {
            *window = Window { left: *limit, resets: now + WINDOW, guessed: true };
        }
        // One whose size was never told says nothing any more.
        self.windows.retain(|limit, window| *limit > 0 || !window.guessed);
    }

    /// The limits that a request on `route` counts for.
    fn limits_of(&self, route: &str) -> Vec<u64> {
        let general = self.windows.keys().next_back().copied();
        let own = self.routes.get(route).copied().filter(|own| Some(*own) != general);
        general.into_iter().chain(own).collect()
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn told(headers: &HeaderMap) -> Option<Duration> {
    let seconds = HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse::<f64>().ok())?;
    let wait = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST);
    Some(wait.clamp(Duration::from_secs(1), LONGEST))
}

#[cfg(test)]
mod tests;

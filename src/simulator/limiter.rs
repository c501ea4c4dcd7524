//! The rate limit: 960 requests a minute for each key, or for each user with all keys of his.

use std::collections::HashMap;

use jiff::Timestamp;

/// As documented for account keys and for users.
pub(crate) const LIMIT: u32 = 960;
const WINDOW_SECONDS: i64 = 60;
/// With more windows than this the ended ones are thrown out.
const WINDOWS: usize = 1000;

/// What a caller has left, as the `ratelimit-*` headers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) remaining: u32,
    /// Whole seconds until it starts over, at least 1.
    pub(crate) reset: u64,
    pub(crate) exceeded: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Limiter {
    windows: HashMap<String, (Timestamp, u32)>,
}

impl Limiter {
    /// Counts one request of this caller.
    pub(crate) fn take(&mut self, caller: &str, now: Timestamp) -> Budget {
        let ended = |began: Timestamp| now.as_second().saturating_sub(began.as_second()) >= WINDOW_SECONDS;
        if self.windows.len() > WINDOWS {
            self.windows.retain(|_, (began, _)| !ended(*began));
        }
        let window = self.windows.entry(caller.to_owned()).or_insert((now, 0));
        if ended(window.0) {
            *window = (now, 0);
        }
        let exceeded = window.1 >= LIMIT;
        window.1 = window.1.saturating_add(1);
        let passed = now.as_second().saturating_sub(window.0.as_second());
        let reset = u64::try_from(WINDOW_SECONDS - passed).unwrap_or(0).max(1);
        Budget { remaining: LIMIT.saturating_sub(window.1), reset, exceeded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_961st_request_of_a_minute_is_too_much_and_the_next_minute_is_new() {
        let now = Timestamp::UNIX_EPOCH;
        let later = |seconds| super::super::clock::after(now, seconds);
        let mut limiter = Limiter::default();

        for n in 1..=LIMIT {
            assert_eq!(limiter.take("a", now), Budget { remaining: LIMIT - n, reset: 60, exceeded: false });
        }

        assert_eq!(limiter.take("a", later(20)), Budget { remaining: 0, reset: 40, exceeded: true });
        assert!(!limiter.take("b", later(20)).exceeded);
        assert_eq!(limiter.take("a", later(60)), Budget { remaining: LIMIT - 1, reset: 60, exceeded: false });
    }
}

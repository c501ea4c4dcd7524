//! Two clocks: this host's, and the provider's as far as its answers tell.

use std::{
    collections::VecDeque,
    str::FromStr as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap};

/// As many answers have to be heard; the one in the middle of them counts, so that a single one that is wrong does
/// not.
const REPEATED: usize = 3;
/// `Date` leaves out what is less.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// By so much later is a question that was asked right after another, or after this host's clock was set back.
const STEP: SignedDuration = SignedDuration::from_micros(1);

/// What the answers of one provider told of its clock.
#[derive(Debug, Default)]
pub(crate) struct Clock(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// How far this host's clock was ahead at each of the last answers.
    ahead: VecDeque<SignedDuration>,
    asked: Timestamp,
}

impl Clock {
    /// The time by this host's clock, but always later than before: of two answers the one that was asked for later
    /// is the newer, also when the clock was set back in between.
    pub(crate) fn asked(&self, now: Timestamp) -> Timestamp {
        let mut heard = self.heard();
        let next = heard.asked.checked_add(STEP).unwrap_or(Timestamp::MAX);
        heard.asked = now.max(next);
        heard.asked
    }

    /// Takes the `Date` of an answer to what was sent at `sent` and took so long.
    pub(super) fn told(&self, headers: &HeaderMap, sent: Timestamp, took: Duration) {
        let Some(theirs) = date(headers) else { return };
        let mut heard = self.heard();
        heard.ahead.push_back(ahead(theirs, sent, took));
        if heard.ahead.len() > REPEATED {
            heard.ahead.pop_front();
        }
    }

    /// How far this host's clock is ahead of the provider's; negative: behind.
    pub(crate) fn ahead(&self) -> Option<SignedDuration> {
        let mut ahead = Vec::from(self.heard().ahead.clone());
        ahead.sort_unstable();
        if ahead.len() < REPEATED { None } else { ahead.get(REPEATED / 2).copied() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider's time in an answer.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok().or_else(|| Timestamp::from_str(text).ok())
}

/// The smallest difference that explains an answer: it was given at some time while it was waited for, and within
/// the second that it names.
fn ahead(theirs: Timestamp, sent: Timestamp, took: Duration) -> SignedDuration {
    let took = SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX);
    let least = sent.duration_since(theirs).saturating_sub(SECOND);
    let most = sent.duration_since(theirs).saturating_add(took);
    SignedDuration::ZERO.clamp(least, most.max(least))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const NOW: &str = "2023-10-03T16:46:39.4Z";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    fn headers(date: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))])
    }

    fn told(clock: &Clock, date: &'static str, took: u64) {
        clock.told(&headers(date), at(NOW), Duration::from_secs(took));
    }

    #[test]
    fn the_clock_of_an_answer_is_read() {
        assert_eq!(date(&headers("Tue, 03 Oct 2023 16:46:39 GMT")), Some(at("2023-10-03T16:46:39Z")));
        assert_eq!(date(&headers("yesterday")), None);
    }

    #[test]
    fn an_answer_that_took_long_is_no_difference_of_the_clocks() {
        let took = Duration::from_secs(40);
        let difference = |theirs: &str| ahead(at(theirs), at(NOW), took).as_secs();

        assert_eq!(["2023-10-03T16:46:39Z", "2023-10-03T16:47:19Z"].map(difference), [0, 0]);
        assert_eq!(["2023-10-03T16:36:39Z", "2023-10-03T16:56:39Z"].map(difference), [599, -559]);
    }

    #[test]
    fn one_answer_that_is_wrong_says_nothing_and_three_that_agree_do() {
        let clock = Clock::default();
        told(&clock, "Tue, 03 Oct 2023 16:36:39 GMT", 0);
        told(&clock, "Tue, 03 Oct 2023 16:46:39 GMT", 0);
        assert_eq!(clock.ahead(), None);
        told(&clock, "Tue, 03 Oct 2023 16:46:39 GMT", 0);
        assert_eq!(clock.ahead(), Some(SignedDuration::ZERO));
        told(&clock, "Tue, 03 Oct 2023 16:36:39 GMT", 0);
        told(&clock, "Tue, 03 Oct 2023 16:36:39 GMT", 0);

        assert_eq!(clock.ahead().map(|ahead| ahead.as_secs()), Some(599));
    }

    #[test]
    fn what_was_asked_for_later_is_later_though_the_clock_was_set_back() {
        let clock = Clock::default();
        let before = clock.asked(at("2023-10-03T16:46:39Z"));
        let after = [clock.asked(at("2023-10-03T15:46:39Z")), clock.asked(at("2023-10-03T15:46:40Z"))];

        assert!(before < after[0] && after[0] < after[1], "{before} {after:?}");
        assert_eq!(clock.asked(at("2023-10-03T16:46:41Z")), at("2023-10-03T16:46:41Z"));
    }
}

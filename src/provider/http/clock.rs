//! How far this machine's clock is from the provider's, by the `Date` of its answers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::header::{DATE, HeaderMap};

/// By so much later is a question that was asked right after another, or after this host's clock was set back.
const STEP: SignedDuration = SignedDuration::from_micros(1);

#[derive(Debug, Default)]
pub(crate) struct Clock(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The differences of the last two answers: one alone may have come from a cache.
    differences: [Option<SignedDuration>; 2],
    asked: Timestamp,
}

impl Clock {
    /// `now`, but always later than before: of two answers the one that was asked for later is the newer, also when
    /// our clock was set back in between.
    pub(crate) fn asked(&self, now: Timestamp) -> Timestamp {
        let mut known = self.known();
        let next = known.asked.checked_add(STEP).unwrap_or(Timestamp::MAX);
        known.asked = now.max(next);
        known.asked
    }

    /// Notes an answer to what was sent at `sent`, whose head came at `received`, by our clock.
    pub(crate) fn answered(&self, headers: &HeaderMap, sent: Timestamp, received: Timestamp) {
        let Some(date) = date(headers) else { return };
        let mut known = self.known();
        known.differences = [Some(difference(date, sent, received)), known.differences[0]];
    }

    /// The provider's clock minus ours, by the one of the last two answers that says less. `None` before there are two.
    pub(crate) fn skew(&self) -> Option<SignedDuration> {
        let [last, before] = self.known().differences;
        let (last, before) = (last?, before?);
        Some(if last.signum() == before.signum() { shorter(last, before) } else { SignedDuration::ZERO })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shorter(one: SignedDuration, other: SignedDuration) -> SignedDuration {
    if other.abs() < one.abs() { other } else { one }
}

/// The provider's clock when it made this answer, in whole seconds.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(date).ok().or_else(|| date.parse().ok())
}

/// What is certain of the difference: the answer was made at some time between the two, within the second of `date`.
fn difference(date: Timestamp, sent: Timestamp, received: Timestamp) -> SignedDuration {
    let (least, most) = (date.duration_since(received), date.duration_since(sent) + SignedDuration::from_secs(1));
    if least.is_positive() {
        least
    } else if most.is_negative() {
        most
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("small")
    }

    fn answer(date: &str) -> HeaderMap {
        HeaderMap::from_iter([(DATE, date.parse().expect("a header"))])
    }

    /// A thousand seconds after the beginning of 1970.
    const DATE_1000: &str = "Thu, 01 Jan 1970 00:16:40 GMT";

    fn skew(sent_and_received: &[(i64, i64)]) -> Option<i64> {
        let clock = Clock::default();
        for (sent, received) in sent_and_received {
            clock.answered(&answer(DATE_1000), at(*sent), at(*received));
        }
        clock.skew().map(|skew| skew.as_secs())
    }

    #[test]
    fn the_time_that_an_answer_takes_is_no_skew() {
        assert_eq!(skew(&[(1_000, 1_000), (1_000, 1_000)]), Some(0));
        assert_eq!(skew(&[(950, 1_010), (1_000, 1_060)]), Some(0));
    }

    #[test]
    fn a_clock_that_is_ahead_or_behind_is_told_by_what_is_certain() {
        assert_eq!(skew(&[(1_600, 1_602), (1_605, 1_606)]), Some(-599));
        assert_eq!(skew(&[(390, 400), (380, 395)]), Some(600));
    }

    #[test]
    fn what_was_asked_for_later_is_later_though_the_clock_was_set_back() {
        let clock = Clock::default();
        let before = clock.asked(at(10_000));
        let after = [clock.asked(at(6_400)), clock.asked(at(6_401))];

        assert!(before < after[0] && after[0] < after[1], "{before} {after:?}");
        assert_eq!(clock.asked(at(10_001)), at(10_001));
    }

    #[test]
    fn one_answer_alone_says_nothing_nor_do_two_that_disagree() {
        assert_eq!(skew(&[(1_600, 1_602)]), None);
        assert_eq!(skew(&[(1_600, 1_602), (400, 400)]), Some(0));
        assert_eq!(skew(&[(1_600, 1_602), (1_000, 1_000)]), Some(0));
        let clock = Clock::default();
        clock.answered(&answer("yesterday"), at(5_000), at(5_000));
        clock.answered(&HeaderMap::new(), at(5_000), at(5_000));
        assert_eq!(clock.skew(), None);
    }
}

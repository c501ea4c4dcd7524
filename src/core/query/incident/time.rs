//! Times in conditions. "An hour ago" is another moment all the time, so it stays an hour until it is judged.

use jiff::{SignedDuration, Timestamp};

/// A moment, or so long before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    At(Timestamp),
    Ago(SignedDuration),
}

impl When {
    fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => now.checked_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

/// A side of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Then or later.
    Since(When),
    /// Before.
    Until(When),
}

impl Time {
    pub fn holds(self, at: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Since(when) => at >= when.moment(now),
            Self::Until(when) => at < when.moment(now),
        }
    }

    /// When it will say something else of `at`; `None`: never.
    pub(super) fn turns(self, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let (Self::Since(When::Ago(span)) | Self::Until(When::Ago(span))) = self else { return None };
        let turn = at.checked_add(span).and_then(|last| last.checked_add(SignedDuration::from_nanos(1))).ok()?;
        (turn > now).then_some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("small")
    }

    proptest! {
        #[test]
        fn a_time_says_the_same_until_it_turns_and_the_opposite_from_then_on(
            at in 0..1000_i64, now in 0..1000_i64, span in 0..500_i64, since in any::<bool>()
        ) {
            let ago = When::Ago(SignedDuration::from_secs(span));
            let time = if since { Time::Since(ago) } else { Time::Until(ago) };
            let (at, now) = (second(at), second(now));
            let says = time.holds(at, now);

            let Some(turn) = time.turns(at, now) else {
                prop_assert_eq!(time.holds(at, second(100_000)), says);
                return Ok(());
            };
            prop_assert_eq!(time.holds(at, turn - SignedDuration::from_nanos(1)), says);
            prop_assert_eq!(time.holds(at, turn), !says);
        }
    }
}

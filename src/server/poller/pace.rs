//! How long a round may wait for the next, so that what is left of a rate limit lasts until it is renewed.

use std::time::Duration;

use crate::core::call::Budget;

/// `cost`: requests of a round. Never shorter than `poll`; where nothing can be spared, until the limit is renewed.
pub(super) fn pause(budget: Option<Budget>, cost: u64, poll: Duration) -> Duration {
    let Some(budget) = budget else { return poll };
    let rounds = budget.left.saturating_sub(budget.reserve) / cost.max(1);
    let renewed = Duration::from_secs(budget.resets_in);
    match u32::try_from(rounds) {
        Ok(0) => poll.max(renewed),
        Ok(rounds) => poll.max(renewed / rounds),
        Err(_) => poll,
    }
}

/// Whether a round of this cost may come before its time.
pub(super) fn can_spare(budget: Option<Budget>, cost: u64) -> bool {
    budget.is_none_or(|budget| budget.left.saturating_sub(budget.reserve) >= cost.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause_with(left: u64, cost: u64) -> u64 {
        let budget = Budget { limit: Some(960), left, reserve: 96, resets_in: 60 };
        pause(Some(budget), cost, Duration::from_secs(5)).as_secs()
    }

    #[test]
    fn polls_slow_down_before_the_wall_and_stop_at_the_reserve() {
        let slower: Vec<u64> = [960, 200, 110, 100, 96, 0].map(|left| pause_with(left, 2)).to_vec();

        assert_eq!(slower, [5, 5, 8, 30, 60, 60]);
    }

    #[test]
    fn a_dear_round_waits_longer_than_a_cheap_one_and_nothing_told_slows_nobody() {
        assert_eq!((pause_with(300, 2), pause_with(300, 102)), (5, 30));
        assert_eq!(pause(None, 500, Duration::from_secs(5)), Duration::from_secs(5));
    }
}

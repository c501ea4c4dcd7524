//! How long to wait before a read is tried again: pure arithmetic, the chance comes in as an argument.

use std::time::Duration;

/// "Full jitter": anything between nothing and `first` × 2^(`failures` − 1), at most `most`, so that many clients
/// that failed together do not come back together. `roll` is a random number from 0 to 1.
pub(crate) fn pause(failures: u32, first: Duration, most: Duration, roll: f64) -> Duration {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
    first.saturating_mul(doubled).min(most).mul_f64(roll.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_doubles_up_to_the_cap() {
        let longest = |failures| pause(failures, Duration::from_millis(250), Duration::from_secs(4), 1.0).as_millis();

        assert_eq!([1, 2, 3, 4, 5, 6, 40].map(longest), [250, 500, 1000, 2000, 4000, 4000, 4000]);
    }

    #[test]
    fn the_roll_spreads_over_the_whole_span_and_never_beyond() {
        let rolled = |roll| pause(2, Duration::from_millis(100), Duration::from_secs(9), roll).as_millis();

        assert_eq!([0.0, 0.25, 0.5, 1.0, 7.0, -1.0].map(rolled), [0, 50, 100, 200, 200, 0]);
    }
}

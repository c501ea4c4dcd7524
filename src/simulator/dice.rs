//! All chance in the simulator, ids included, comes from one seed through here:
//! the same seed and the same requests give the same account, incidents and ids.

use std::fmt::Write as _;

/// Ids are drawn from these, as `PagerDuty`'s look.
const BASE36: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Crockford's alphabet, as in ULIDs.
const BASE32: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8] = b"0123456789abcdef";

#[derive(Debug)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Dice of its own for another task, so that its draws do not depend on who comes first.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(*self.pick(alphabet))).collect()
    }

    /// 14 characters from `Q`: incidents, alerts, log entries, overrides.
    pub(crate) fn long_id(&mut self) -> String {
        format!("Q{}", self.text(BASE36, 13))
    }

    /// 7 characters from `P`: everything else.
    pub(crate) fn short_id(&mut self) -> String {
        format!("P{}", self.text(BASE36, 6))
    }

    /// 26 characters, as real webhook event ids are.
    pub(crate) fn event_id(&mut self) -> String {
        format!("01{}", self.text(BASE32, 24))
    }

    /// 32 hex digits, as real `incident_key`s are.
    pub(crate) fn key(&mut self) -> String {
        self.text(HEX, 32)
    }

    /// 64 characters, as real signing secrets are.
    pub(crate) fn signing_secret(&mut self) -> String {
        self.text(BASE64, 64)
    }

    pub(crate) fn uuid(&mut self) -> String {
        let mut out = String::with_capacity(36);
        for (at, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
            let part = self.text(HEX, length);
            let _ = write!(out, "{}{part}", if at == 0 { "" } else { "-" });
        }
        out
    }

    /// One of `of`, which is never empty.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.0.usize(..of.len())]
    }

    /// One of `of`, or nothing when there is none.
    pub(crate) fn choose<T>(&mut self, of: Vec<T>) -> Option<T> {
        self.0.choice(of)
    }

    /// True in `percent` of 100 throws.
    pub(crate) fn percent(&mut self, percent: u8) -> bool {
        self.0.u8(..100) < percent
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.i64(low..=high)
    }

    /// From 0 up to, not including, 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0.f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_they_look_real() {
        let (mut one, mut two) = (Dice::new(7), Dice::new(7));

        assert_eq!(one.long_id(), two.long_id());
        assert_eq!(one.event_id(), two.event_id());
        assert_eq!(one.uuid(), two.uuid());
        assert_eq!((one.long_id().len(), one.short_id().len(), one.event_id().len()), (14, 7, 26));
        assert!(one.short_id().starts_with('P') && one.long_id().starts_with('Q'));
        assert_ne!(Dice::new(8).long_id(), Dice::new(7).long_id());
    }
}

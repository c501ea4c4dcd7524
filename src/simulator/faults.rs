//! Trouble on demand. What is set stays until something else is set; `{}` heals.

use serde::{Deserialize, Serialize};

use super::dice::Dice;

/// What goes wrong for webhooks on their way, each in percent.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhookFaults {
    /// Signed, but never sent.
    pub(crate) drop: u8,
    /// Sent a second time after it was accepted.
    pub(crate) duplicate: u8,
    /// Held back while later ones overtake it.
    pub(crate) reorder: u8,
}

/// Set by `POST /_sim/faults`; touches nothing under `/_sim/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// Answered instead of doing anything.
    pub(crate) status: Option<u16>,
    /// How many of 100 requests are hit; all unless said.
    pub(crate) percent: u8,
    /// How late a hit request is answered.
    pub(crate) latency_ms: u64,
    /// The answer breaks off half-way; the request has taken effect.
    pub(crate) truncate: bool,
    /// Seconds in `ratelimit-reset` of a hit request's answer.
    pub(crate) ratelimit_reset: Option<u64>,
    /// By how many seconds the `Date` of a hit request's answer is late (negative: early).
    pub(crate) date_seconds: Option<i64>,
    pub(crate) webhooks: WebhookFaults,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            status: None,
            percent: 100,
            latency_ms: 0,
            truncate: false,
            ratelimit_reset: None,
            date_seconds: None,
            webhooks: WebhookFaults::default(),
        }
    }
}

impl Faults {
    /// From a request's body; says what is wrong with it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let faults: Self = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let w = faults.webhooks;
        if [faults.percent, w.drop, w.duplicate, w.reorder].into_iter().any(|p| p > 100) {
            return Err("percentages go from 0 to 100".to_owned());
        }
        if faults.status.is_some_and(|s| !(200..=599).contains(&s)) {
            return Err("status goes from 200 to 599".to_owned());
        }
        Ok(faults)
    }

    /// What happens to the next request: these faults, or none.
    pub(crate) fn strike(&self, dice: &mut Dice) -> Self {
        if dice.percent(self.percent) { self.clone() } else { Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_heals_and_wrong_ones_are_refused_with_the_reason() {
        let healed = Faults::parse(b"{}").expect("well formed");

        assert_eq!((healed.status, healed.latency_ms, healed.truncate), (None, 0, false));
        assert!(Faults::parse(br#"{"staus":500}"#).expect_err("refused").contains("staus"));
        assert!(Faults::parse(br#"{"percent":101}"#).expect_err("refused").contains("100"));
        assert!(Faults::parse(br#"{"status":42}"#).expect_err("refused").contains("599"));
    }

    #[test]
    fn percent_hits_about_that_many_requests() {
        let faults = Faults::parse(br#"{"status":500,"percent":30}"#).expect("well formed");
        let mut dice = Dice::new(1);

        let hit = (0..1000).filter(|_| faults.strike(&mut dice).status.is_some()).count();

        assert!((250..350).contains(&hit), "{hit}");
    }
}

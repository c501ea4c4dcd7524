//! The webhook side of an account, and when its silence means something. A quiet night alone never does: silence
//! needs a witness, a change that polling saw or a ping that was asked for and did not come.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{delivery::DeliverySummary, text::Shown};

/// The event type of a test delivery, at `PagerDuty`.
pub const PING: &str = "pagey.ping";
/// Fewer gaps than this tell nothing.
const GAPS: usize = 10;
/// How many times the usual gap has to pass before push is looked after.
const TIMES: i32 = 4;
/// A shorter silence than this is never long.
const FLOOR: SignedDuration = SignedDuration::from_hours(1);
/// A longer one always is; also where the usual gap is not known yet.
const CEILING: SignedDuration = SignedDuration::from_hours(24);
/// How long `PagerDuty` switches a subscription off after three refusals in a row.
pub const DISABLED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Refusals in a row after which it does.
pub const REFUSALS_TO_DISABLE: u32 = 3;

/// What is known of the way from the provider to the door.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Push {
    /// Whether `[account.webhook]` is configured and its secrets are loaded; else why not.
    pub off: Option<Shown>,
    /// The last genuine delivery, by our clock.
    pub last_delivery: Option<Timestamp>,
    /// Refused since the last genuine one, and the last reason.
    pub rejected: u32,
    pub last_rejection: Option<Shown>,
    /// Of these, how many came to the right path and only proved nothing: by all signs the provider's, and the
    /// secret is wrong.
    pub unproved: u32,
    /// Changes that polling found and push had not delivered by then, since the last genuine delivery.
    pub missed: u32,
    /// When the first of these was found.
    pub missed_since: Option<Timestamp>,
    /// When a ping was asked for that should have arrived by now.
    pub unanswered: Option<Timestamp>,
    pub subscribed: Subscribed,
}

/// How the subscription to our door stands at the provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subscribed {
    /// Not asked yet, or the key may not ask.
    #[default]
    Unknown,
    Active,
    /// No subscription leads to our door.
    Missing,
    /// Switched off by the provider after refusals, at the latest until then.
    Disabled {
        until: Timestamp,
    },
    /// Switched off by somebody.
    Inactive,
}

impl Subscribed {
    /// Why nothing is sent here.
    pub fn trouble(self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::Active => None,
            Self::Missing => Some("no webhook subscription leads here"),
            Self::Disabled { .. } => Some("the provider has switched the webhook subscription off"),
            Self::Inactive => Some("the webhook subscription is switched off"),
        }
    }
}

/// Push tells nothing though there is something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The last time it certainly worked, or else the first time it certainly did not.
    pub since: Timestamp,
    pub witness: Witness,
}

/// Why silence is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// Polling found this many changes that push has not told.
    Changes(u32),
    /// A ping was asked for at this time.
    Ping(Timestamp),
}

impl Push {
    /// A genuine delivery at `at`: whatever was wrong before is over.
    pub fn delivered(&mut self, at: Timestamp) {
        let subscribed = if self.subscribed == Subscribed::Unknown { Subscribed::Unknown } else { Subscribed::Active };
        *self = Self { off: self.off.take(), last_delivery: Some(at), subscribed, ..Self::default() };
    }

    /// One more was refused; `unproved`, if nothing else was wrong with it.
    pub fn refused(&mut self, delivery: &DeliverySummary) {
        self.rejected = self.rejected.saturating_add(1);
        self.last_rejection = Some(delivery.reason.clone());
        if is_unproved(delivery) {
            self.unproved = self.unproved.saturating_add(1);
        }
    }

    /// Polling found `changes` at `at` that push should have told.
    pub fn missed(&mut self, changes: u32, at: Timestamp) {
        self.missed = self.missed.saturating_add(changes);
        self.missed_since.get_or_insert(at);
    }

    pub fn silence(&self) -> Option<Silence> {
        let witness = match (self.missed, self.unanswered) {
            (0, None) => return None,
            (0, Some(asked)) => Witness::Ping(asked),
            (changes, _) => Witness::Changes(changes),
        };
        let first_seen = [self.missed_since, self.unanswered].into_iter().flatten().min();
        Some(Silence { since: self.last_delivery.or(first_seen)?, witness })
    }

    /// Whether the secret configured here is by all signs another than the sender's.
    pub fn has_wrong_secret(&self) -> bool {
        self.unproved > 0
    }
}

/// Whether a refused delivery came to the right path and was well-formed, but no secret fits: 401 is for that alone.
fn is_unproved(delivery: &DeliverySummary) -> bool {
    delivery.account.is_some() && delivery.status == 401
}

/// The gap between deliveries that nine of ten are shorter than; nothing, when there were too few to tell. Order
/// does not matter.
pub fn usual_gap(mut deliveries: Vec<Timestamp>) -> Option<SignedDuration> {
    deliveries.sort_unstable();
    let mut gaps: Vec<SignedDuration> = deliveries
        .iter()
        .zip(deliveries.iter().skip(1))
        .map(|(earlier, later)| later.duration_since(*earlier))
        .collect();
    gaps.sort_unstable();
    if gaps.len() < GAPS {
        return None;
    }
    gaps.get(gaps.len() * 9 / 10).copied()
}

/// After how long without a delivery it is time to look after push, which alarms nobody by itself.
pub fn long_silence(usual: Option<SignedDuration>) -> SignedDuration {
    usual.map_or(CEILING, |gap| gap.saturating_mul(TIMES).clamp(FLOOR, CEILING))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::board::tests::summary;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_750_000_000 + minute * 60).expect("small")
    }

    fn minutes(n: i64) -> SignedDuration {
        SignedDuration::from_mins(n)
    }

    #[test]
    fn silence_has_a_witness_and_ends_with_the_next_genuine_delivery() {
        let mut push = Push { last_delivery: Some(at(0)), ..Push::default() };
        assert_eq!(push.silence(), None, "a quiet night");
        push.missed(2, at(600));
        push.missed(1, at(700));
        assert_eq!(push.silence(), Some(Silence { since: at(0), witness: Witness::Changes(3) }));

        push.delivered(at(800));

        assert_eq!(push.silence(), None);
        push.unanswered = Some(at(900));
        assert_eq!(push.silence(), Some(Silence { since: at(800), witness: Witness::Ping(at(900)) }));
    }

    #[test]
    fn without_any_delivery_ever_silence_begins_with_the_first_change_that_was_missed() {
        let mut push = Push::default();
        push.missed(1, at(5));
        push.missed(1, at(9));

        assert_eq!(push.silence().map(|silence| silence.since), Some(at(5)));
    }

    #[test]
    fn bursts_do_not_make_the_usual_gap_short_nor_one_quiet_night_long() {
        // Twenty incidents of a working day, each told by three deliveries within a minute; and a night.
        let day: Vec<Timestamp> =
            (0..20).flat_map(|n| [0, 0, 1].map(|then| at(n * 20 + then))).chain([at(20 * 20 + 600)]).collect();

        assert_eq!(usual_gap(day), Some(minutes(19)));
    }

    #[test]
    fn three_webhooks_a_day_are_looked_after_after_a_day_and_a_busy_account_after_an_hour() {
        assert_eq!(long_silence(usual_gap((0..40).map(|n| at(n * 480)).collect())), CEILING);
        assert_eq!(long_silence(usual_gap((0..40).map(|n| at(n * 30)).collect())), minutes(120));
        assert_eq!(long_silence(usual_gap((0..40).map(at).collect())), FLOOR);
        assert_eq!(long_silence(usual_gap(vec![at(0), at(1)])), CEILING, "two tell nothing");
        assert_eq!(usual_gap((0..10).map(at).collect()), None);
        assert_eq!(usual_gap((0..11).map(at).collect()), Some(minutes(1)), "ten gaps do");
    }

    #[test]
    fn a_genuine_delivery_ends_all_that_was_wrong_and_shows_that_there_is_a_subscription() {
        let off = Some(Shown::line("no secret"));
        let wrong = Push { off: off.clone(), rejected: 2, unproved: 1, missed: 3, ..Push::default() };
        let now = |subscribed| Push { off: off.clone(), last_delivery: Some(at(9)), subscribed, ..Push::default() };
        let cases = [
            (Subscribed::Unknown, Subscribed::Unknown),
            (Subscribed::Missing, Subscribed::Active),
            (Subscribed::Disabled { until: at(99) }, Subscribed::Active),
        ];
        for (before, after) in cases {
            let mut push = Push { subscribed: before, ..wrong.clone() };
            push.delivered(at(9));
            assert_eq!(push, now(after));
        }
    }

    #[test]
    fn the_secret_is_called_wrong_only_when_nothing_else_was_wrong_with_a_delivery() {
        let refused = |account: Option<&str>, status| DeliverySummary {
            account: account.map(|name| name.parse().expect("name")),
            status,
            reason: Shown::line("no"),
            ..summary(1)
        };
        let mut push = Push::default();
        for (account, status) in [(Some("prod"), 413), (None, 401), (None, 404)] {
            push.refused(&refused(account, status));
        }
        assert!(!push.has_wrong_secret());

        push.refused(&refused(Some("prod"), 401));
        assert!(push.has_wrong_secret());
        assert_eq!((push.rejected, push.unproved, push.last_rejection), (4, 1, Some(Shown::line("no"))));
    }
}

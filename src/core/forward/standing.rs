//! How a target stands: whether it is switched on, since when every attempt fails, and when that is too long.
//!
//! A target is disabled by the first failure more than 72 hours after the first of an unbroken series. Success ends a
//! series, and so does a pause of more than 144 hours or a clock that was set back before its beginning. Templates that
//! cannot be rendered and test sends count neither way, but that a template makes nothing is told like a failure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::TargetState;
use crate::core::text::Shown;

/// A series may last so long; the first failure after that disables.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(72);
/// Two failures that lie further apart are of two series.
pub const FORGIVEN: SignedDuration = SignedDuration::from_hours(144);

/// An unbroken series of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// The first of them.
    pub since: Timestamp,
    /// The last so far.
    pub last: Timestamp,
}

impl Streak {
    fn with(known: Option<Self>, now: Timestamp) -> Self {
        let goes_on = known.filter(|known| now >= known.since && now.duration_since(known.last) <= FORGIVEN);
        Self { since: goes_on.map_or(now, |known| known.since), last: now }
    }

    fn is_too_long(&self) -> bool {
        self.last.duration_since(self.since) > PATIENCE
    }
}

/// On or off, as somebody switched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    On,
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// When a target was disabled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    pub at: Timestamp,
    pub reason: Shown,
}

/// What has to be remembered of a target from one run to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Every attempt since then has failed.
    pub streak: Option<Streak>,
    /// Since then nothing has reached it, first because the template made of an event what cannot be sent.
    pub unmade: Option<Timestamp>,
    pub disabled: Option<Disabled>,
    /// How it was switched here, and how its settings said then: it holds until the settings say otherwise.
    pub switched: Option<(Switch, Switch)>,
    /// The last attempt, and whether it was taken.
    pub last: Option<(Timestamp, bool)>,
    /// What its address is known by again, never the address itself.
    pub address: Option<String>,
}

/// What a failure does to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    None,
    Disabled,
}

impl Standing {
    /// Whether it is switched on where its settings say `configured`.
    pub fn is_on(&self, configured: Switch) -> bool {
        let switched = self.switched.filter(|(_, then)| *then == configured);
        switched.map_or(configured, |(switched, _)| switched) == Switch::On
    }

    /// How a target stands whose settings say `configured`. `broken`: why it cannot be sent to.
    pub fn state(&self, configured: Switch, broken: Option<Shown>) -> TargetState {
        if !self.is_on(configured) {
            return TargetState::Off;
        }
        if let Some(Disabled { at, reason }) = self.disabled.clone() {
            return TargetState::Disabled { at, reason };
        }
        broken.map_or(TargetState::On, |reason| TargetState::Broken { reason })
    }

    /// Since when nothing reaches it, for whatever reason.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.streak.map(|streak| streak.since).into_iter().chain(self.unmade).min()
    }

    /// The template made of an event what cannot be sent. That is no failure of the target's, so it disables nothing.
    pub fn not_made(&mut self, now: Timestamp) {
        self.last = Some((now, false));
        self.unmade = self.unmade.filter(|since| *since <= now).or(Some(now));
    }

    pub fn taken(&mut self, now: Timestamp) {
        self.streak = None;
        self.unmade = None;
        self.last = Some((now, true));
    }

    /// An attempt failed at `now`. `steady` is how long the series has lasted by a clock that nobody sets, where that is
    /// known: if it is much less, the clock on the wall was set, and the series begins anew.
    pub fn failed(&mut self, now: Timestamp, steady: Option<Duration>) -> Consequence {
        self.last = Some((now, false));
        self.unmade = self.unmade.filter(|since| *since <= now);
        let streak = Streak::with(self.streak, now);
        let steady = steady.filter(|_| Some(streak.since) == self.streak.map(|streak| streak.since));
        let jumped = steady.is_some_and(|steady| SignedDuration::try_from(steady).is_ok_and(|it| it <= PATIENCE));
        if !streak.is_too_long() || self.disabled.is_some() {
            self.streak = Some(streak);
            return Consequence::None;
        }
        if jumped {
            self.streak = Some(Streak { since: now, last: now });
            return Consequence::None;
        }
        self.streak = Some(streak);
        let since = streak.since.strftime("%Y-%m-%d %H:%M UTC");
        let reason = Shown::line(&format!("every attempt failed for more than 3 days, since {since}"));
        self.disabled = Some(Disabled { at: now, reason });
        Consequence::Disabled
    }

    /// Its settings say `configured`. Once that is something else than when it was switched, the switch is over, also if
    /// they say the same again later. Says whether that is new.
    pub fn settings_say(&mut self, configured: Switch) -> bool {
        self.switched.take_if(|(_, then)| *then != configured).is_some()
    }

    /// Somebody switched it; on, it begins anew.
    pub fn switch(&mut self, to: Switch, configured: Switch) {
        self.switched = Some((to, configured));
        if to == Switch::On {
            self.begin_anew();
        }
    }

    /// It has this address now. One that was never tried has not failed. Says whether that is new.
    pub fn move_to(&mut self, address: String) -> bool {
        let moves = self.address.as_ref() != Some(&address);
        if moves && self.address.is_some() {
            self.begin_anew();
        }
        self.address = Some(address);
        moves
    }

    fn begin_anew(&mut self) {
        self.streak = None;
        self.unmade = None;
        self.disabled = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const VECTORS: &str = include_str!("../../../tests/fixtures/forward/autodisable.json");

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("small")
    }

    /// Lives through the steps of a timeline; says after which of them it was disabled, and how it stands at the end.
    fn live(steps: &[Value]) -> (Option<usize>, Standing) {
        let (mut standing, mut disabled) = (Standing::default(), None);
        standing.move_to("one".to_owned());
        for (n, step) in steps.iter().enumerate() {
            let now = second(step["t"].as_i64().expect("seconds"));
            match step["do"].as_str().expect("a step") {
                "fail" if standing.failed(now, None) == Consequence::Disabled => disabled = Some(n),
                "ok" => standing.taken(now),
                "reenable" => standing.switch(Switch::On, Switch::On),
                "edit_url" => drop(standing.move_to("another".to_owned())),
                "restart" => {
                    let text = serde_json::to_string(&standing).expect("json");
                    standing = serde_json::from_str(&text).expect("standing");
                }
                "template_error" => standing.not_made(now),
                "fail" | "test_ok" | "event" => {}
                other => panic!("unknown step {other}"),
            }
        }
        (disabled, standing)
    }

    fn timeline(name: &str) -> (Option<usize>, Standing) {
        let all: Value = serde_json::from_str(VECTORS).expect("json");
        let case = all["cases"].as_array().expect("cases").iter().find(|case| case["name"] == name).expect("case");
        live(case["steps"].as_array().expect("steps"))
    }

    #[test]
    fn all_seventeen_timelines_end_as_they_should() {
        let all: Value = serde_json::from_str(VECTORS).expect("json");
        let cases = all["cases"].as_array().expect("cases");
        assert_eq!(cases.len(), 17);
        for case in cases {
            let (disabled, standing) = live(case["steps"].as_array().expect("steps"));

            let expected = case["disabled_after_step"].as_u64().map(|n| usize::try_from(n).expect("small"));
            assert_eq!(disabled, expected, "{}", case["name"]);
            let enabled = case["enabled_at_end"].as_bool().unwrap_or(expected.is_none());
            assert_eq!(standing.disabled.is_none(), enabled, "{}", case["name"]);
        }
    }

    #[test]
    fn t39_exactly_three_days_of_failures_are_not_more_than_three_days() {
        assert_eq!(timeline("exactly_72h_is_not_more_than").0, None);
        assert_eq!(timeline("72h_plus_1s").0, Some(1));
    }

    #[test]
    fn t40_any_success_ends_the_series() {
        assert_eq!(timeline("success_in_the_middle_resets").0, None);
    }

    #[test]
    fn t41_the_series_survives_a_restart() {
        assert_eq!(timeline("restart_keeps_streak").0, Some(2));
    }

    #[test]
    fn t44_a_target_that_is_switched_on_again_is_not_disabled_by_the_next_failure() {
        let (disabled, standing) = timeline("reenable_clears");
        assert_eq!((disabled, standing.disabled), (Some(1), None));
    }

    #[test]
    fn t45_another_address_has_not_failed_yet() {
        assert_eq!(timeline("url_edit_clears").0, None);
    }

    #[test]
    fn t46_a_clock_that_is_set_back_begins_the_series_anew() {
        assert_eq!(timeline("clock_set_back").0, Some(3));
        let mut standing = Standing::default();
        standing.failed(Timestamp::MAX, None);
        assert_eq!(standing.failed(Timestamp::MIN, None), Consequence::None);
        assert_eq!(standing.failing_since(), Some(Timestamp::MIN));
    }

    #[test]
    fn t47_a_quiet_week_is_forgiven() {
        assert_eq!(timeline("quiet_week_is_forgiven").0, None);
        assert_eq!(timeline("sparse_but_within_forgive_gap").0, Some(1));
    }

    #[test]
    fn a_clock_that_is_set_forward_disables_nothing() {
        let mut standing = Standing::default();
        standing.failed(second(0), None);

        assert_eq!(standing.failed(second(400_000), Some(Duration::from_secs(5))), Consequence::None);
        assert_eq!(standing.failing_since(), Some(second(400_000)));
        let steady = Duration::from_secs(260_000);
        assert_eq!(standing.failed(second(660_000), Some(steady)), Consequence::Disabled);
    }

    #[test]
    fn nothing_has_reached_it_since_its_template_made_nothing_though_it_fails_itself_now() {
        let mut standing = Standing::default();
        standing.not_made(second(0));

        standing.failed(second(60), None);
        assert_eq!(standing.failing_since(), Some(second(0)));
        standing.failed(second(-30), None);
        assert_eq!(standing.failing_since(), Some(second(-30)), "the clock was set back");

        standing.taken(second(120));
        assert_eq!(standing.failing_since(), None);
    }

    #[test]
    fn a_switch_holds_until_the_settings_say_something_else() {
        let mut standing = Standing::default();
        assert!(standing.is_on(Switch::On) && !standing.is_on(Switch::Off));

        standing.switch(Switch::Off, Switch::On);
        assert!(!standing.is_on(Switch::On));
        assert!(!standing.is_on(Switch::Off));

        standing.switch(Switch::On, Switch::Off);
        assert!(standing.is_on(Switch::Off) && standing.is_on(Switch::On));
        assert!(!standing.settings_say(Switch::Off), "as they did before");
        assert!(standing.is_on(Switch::Off));

        assert!(standing.settings_say(Switch::On));
        assert!(standing.is_on(Switch::On));
        assert!(!standing.settings_say(Switch::Off), "there is no switch to forget any more");
        assert!(!standing.is_on(Switch::Off), "the later settings hold, not the earlier switch");
    }
}

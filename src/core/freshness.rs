//! How far what is shown can be trusted: each source's last success, last failure, and their ages.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use super::push::Push;
use super::{
    id::{AccountName, IncidentId, UserId},
    incident::Named,
    left::{self, Left},
    text::Shown,
    words::about,
};

/// Why a source fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub at: Timestamp,
    pub cause: Shown,
    /// The credentials were refused: trying again will not help.
    pub unauthorised: bool,
}

/// What is known of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    pub last_success: Option<Timestamp>,
    /// The last failure since the last success.
    pub failure: Option<Failure>,
}

/// How a source stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was ever received, and nothing has failed yet.
    Waiting,
    /// The last attempt succeeded, and lately.
    Fresh { age: SignedDuration },
    /// There is old data: since when, and why nothing newer.
    Stale { age: SignedDuration, cause: Shown },
    /// There is no data at all, and why.
    Down { cause: Shown },
}

impl Freshness {
    pub fn succeeded(&mut self, at: Timestamp) {
        self.last_success = Some(at);
        self.failure = None;
    }

    pub fn failed(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    /// This host's clock was set back by `back`: what was noted by the former one is no younger for it.
    pub fn set_back(&mut self, back: SignedDuration) {
        let failed_at = self.failure.as_mut().map(|failure| &mut failure.at);
        for at in self.last_success.iter_mut().chain(failed_at) {
            *at = at.checked_sub(back).unwrap_or(Timestamp::MIN);
        }
    }

    /// How it stands at `now`, if a success is due every `every`: late by two periods is stale too.
    pub fn standing(&self, now: Timestamp, every: SignedDuration) -> Standing {
        let age = self.last_success.map(|at| now.duration_since(at).max(SignedDuration::ZERO));
        match (age, &self.failure) {
            (None, None) => Standing::Waiting,
            (None, Some(failure)) => Standing::Down { cause: failure.cause.clone() },
            (Some(age), Some(failure)) => Standing::Stale { age, cause: failure.cause.clone() },
            (Some(age), None) if age > every.saturating_mul(3) => {
                Standing::Stale { age, cause: Shown::line("no answer yet") }
            }
            (Some(age), None) => Standing::Fresh { age },
        }
    }
}

/// As whom an account's key acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub name: Shown,
    pub email: Option<Shown>,
    /// The person, when the key belongs to one or `from` names one.
    pub user: Option<Named<UserId>>,
    /// A key of the whole account: acts as the `from` address.
    pub account_key: bool,
    /// It may not look whom that address names.
    #[serde(default)]
    pub may_not_look: bool,
}

/// An account on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub name: AccountName,
    /// `pagerduty` …
    pub provider: Shown,
    pub identity: Option<Identity>,
    /// Why nothing can be done through this account, if so ("no token", "from is not set").
    pub cannot_act: Option<Shown>,
    /// No token: webhooks only.
    pub rest_off: Option<Shown>,
    /// The incidents.
    pub rest: Freshness,
    /// Who is on call, the schedules, and to whom can be handed off.
    pub on_call: Freshness,
    /// Seconds between polls.
    pub poll_seconds: u32,
    pub push: Push,
    /// The provider's clock minus that of the server's host, when they are too far apart to be left unsaid.
    #[serde(default)]
    pub skew: Option<SignedDuration>,
    /// In the order in which they were missed.
    #[serde(default)]
    pub left: Vec<Left>,
    /// What the key may not see, and what the provider says to that: it is as it was, or not known.
    #[serde(default)]
    pub barred: BTreeMap<Sight, Shown>,
    /// Schedules that are left out, in words.
    #[serde(default)]
    pub lacks: Vec<Shown>,
}

/// Something of an account that a key may not see though it sees the incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    Schedules,
    /// Those of the provider's newer system alone.
    ShiftSchedules,
    /// With the escalation policies.
    People,
    Services,
    /// The maintenance windows of services.
    Windows,
}

impl Sight {
    fn words(self) -> &'static str {
        match self {
            Self::Schedules => "schedules",
            Self::ShiftSchedules => "shift-based schedules",
            Self::People => "people and escalation policies",
            Self::Services => "services",
            Self::Windows => "maintenance windows",
        }
    }
}

/// Clocks that differ by less are taken for the same.
pub const SKEW: SignedDuration = SignedDuration::from_secs(30);

impl Account {
    /// Whether the clocks differ, in words; `None` when they agree.
    pub fn skew_words(&self) -> Option<String> {
        let skew = self.skew?;
        let way = if skew.is_negative() { "ahead of" } else { "behind" };
        let by = about(skew);
        Some(format!("server's clock is {by} {way} {}'s: set it, its times are off", self.provider))
    }

    /// Why this cannot be seen, if so, in words.
    pub fn barred_words(&self, sight: Sight) -> Option<String> {
        self.barred.get(&sight).map(|cause| format!("{} cannot be seen with this key: {cause}", sight.words()))
    }

    /// What of the schedules is not shown, and why: a sentence for each.
    pub fn lacking(&self) -> Vec<String> {
        let barred = [Sight::Schedules, Sight::ShiftSchedules].into_iter().filter_map(|sight| self.barred_words(sight));
        barred.chain(self.lacks.iter().map(ToString::to_string)).collect()
    }

    /// Which incidents left the view, as far as nothing more can be found out about them, and how many are open by their
    /// webhooks alone, in words: a sentence for each.
    pub fn left_words(&self, now: Timestamp) -> Vec<String> {
        left::summary(&self.left, now)
    }

    /// How many are open by their webhooks alone; not more than are told of.
    pub fn unseen(&self) -> usize {
        left::unseen(&self.left)
    }

    /// What is to be said of an incident that left the view.
    pub fn left(&self, id: &IncidentId) -> Option<&Left> {
        self.left.iter().rev().find(|left| left.id == *id)
    }

    /// What time it is at the provider when it is `now` here: what it dates is as old as that says.
    pub fn provider_time(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.skew.unwrap_or_default()).unwrap_or(now)
    }

    /// This host's clock jumped by so much (negative: was set back): how it stands to the provider's is not known.
    pub fn clock_jumped(&mut self, jump: SignedDuration) {
        self.skew = None;
        if jump.is_negative() {
            self.rest.set_back(jump.abs());
            self.on_call.set_back(jump.abs());
        }
    }

    /// How the incidents asked for over REST stand at `now`.
    pub fn rest_standing(&self, now: Timestamp) -> Standing {
        self.rest.standing(now, self.every())
    }

    /// How what is known of on-call stands at `now`.
    pub fn on_call_standing(&self, now: Timestamp) -> Standing {
        self.on_call.standing(now, self.every())
    }

    fn every(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.poll_seconds))
    }
}

/// The door for webhooks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    #[default]
    Closed,
    /// Listening, for example on `127.0.0.1:8484`.
    Open { address: String },
    /// The port belongs to somebody else: polling only.
    Taken { address: String, by: Shown },
    /// The system does not give us the port, though nobody has it: polling only.
    Refused { address: String, cause: Shown },
    /// The store cannot commit: webhooks are answered 503.
    Failing { address: String, cause: Shown },
}

impl Door {
    /// Where it is, or would be.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Closed => None,
            Self::Open { address }
            | Self::Taken { address, .. }
            | Self::Refused { address, .. }
            | Self::Failing { address, .. } => Some(address),
        }
    }
}

/// What whoever runs the server has to see to, beside sources and door. Told to every console until it is mended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upkeep {
    /// Why the settings were read again and not taken: the former ones are in force.
    pub settings: Option<Shown>,
    /// What is wrong with the door's certificate, or will soon be.
    pub certificate: Option<Shown>,
    /// Why targets that were made in a console cannot be read.
    #[serde(default)]
    pub targets: Option<Shown>,
    /// What was damaged of what deliveries were taken into.
    #[serde(default)]
    pub intake: Option<Shown>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::core) fn account(name: &str) -> Account {
        Account {
            name: name.parse().expect("name"),
            provider: "pagerduty".into(),
            identity: None,
            cannot_act: None,
            rest_off: None,
            rest: Freshness::default(),
            on_call: Freshness::default(),
            poll_seconds: 30,
            skew: None,
            left: vec![],
            barred: BTreeMap::new(),
            lacks: vec![],
            push: Push::default(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("small")
    }

    #[test]
    fn age_counts_from_the_last_success_not_from_the_last_try() {
        let mut rest = Freshness::default();
        let every = SignedDuration::from_secs(30);
        assert_eq!(rest.standing(at(0), every), Standing::Waiting);
        rest.succeeded(at(10));
        rest.failed(Failure { at: at(70), cause: Shown::line("500"), unauthorised: false });

        let Standing::Stale { age, cause } = rest.standing(at(100), every) else { panic!("not stale") };
        assert_eq!(age, SignedDuration::from_secs(90));
        assert_eq!(cause.as_str(), "500");
    }

    #[test]
    fn what_failed_is_no_fresher_for_a_clock_that_was_set_back() {
        let every = SignedDuration::from_secs(30);
        let mut rest = Freshness::default();
        rest.succeeded(at(7_200));
        rest.failed(Failure { at: at(7_230), cause: Shown::line("500"), unauthorised: false });

        rest.set_back(SignedDuration::from_hours(1));

        let Standing::Stale { age, .. } = rest.standing(at(3_660), every) else { panic!("not stale") };
        assert_eq!(age, SignedDuration::from_secs(60));
    }

    #[test]
    fn silence_for_three_periods_is_stale_and_a_clock_set_back_gives_no_negative_age() {
        let mut rest = Freshness::default();
        rest.succeeded(at(100));
        let age = SignedDuration::from_secs(90);
        assert_eq!(rest.standing(at(190), SignedDuration::from_secs(30)), Standing::Fresh { age });
        assert!(matches!(rest.standing(at(191), SignedDuration::from_secs(30)), Standing::Stale { .. }));
        assert_eq!(rest.standing(at(50), SignedDuration::from_secs(30)), Standing::Fresh { age: SignedDuration::ZERO });
    }

    #[test]
    fn an_account_that_is_polled_seldom_is_late_later() {
        let mut account = account("prod");
        account.rest.succeeded(at(0));
        account.on_call.succeeded(at(50));
        let is_stale = |standing| matches!(standing, Standing::Stale { .. });

        assert!(is_stale(account.rest_standing(at(100))) && !is_stale(account.on_call_standing(at(100))));
        account.poll_seconds = 60;
        assert!(!is_stale(account.rest_standing(at(100))));
    }
}

//! When and how a console calls whoever is not looking: what the settings say, and what follows for one incident.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};

use super::incident::{State, Urgency};

/// A way to call somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Means {
    /// The terminal's bell.
    Bell,
    /// A notification of the desktop, by way of the terminal (OSC 9 and OSC 777).
    Desktop,
}

/// Whether the title of the window tells how many incidents are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WindowTitle {
    #[default]
    Counts,
    Untouched,
}

/// What to do about some incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `None`: any.
    pub urgency: Option<Urgency>,
    /// The service's name in any case, or its id; `None`: any.
    pub service: Option<String>,
    pub means: BTreeSet<Means>,
}

impl Rule {
    fn is_for(&self, state: &State) -> bool {
        let named = |wanted: &String| {
            let service = state.service.as_ref();
            service.is_some_and(|known| {
                known.id.as_str() == wanted || known.name.as_str().to_lowercase() == wanted.to_lowercase()
            })
        };
        self.urgency.is_none_or(|wanted| wanted == state.urgency) && self.service.as_ref().is_none_or(named)
    }
}

/// Hours of the viewer's day in which nobody is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    pub from: Time,
    /// The first moment that is not quiet any more; before `from`: of the next day.
    pub to: Time,
    /// Who is called all the same.
    pub except: Except,
}

/// What quiet hours do not hold back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Except {
    HighUrgency,
    Nothing,
}

impl Quiet {
    /// Whether it is quiet at `now`, by the clock of `zone`.
    pub fn holds(&self, now: Timestamp, zone: &TimeZone) -> bool {
        let time = now.to_zoned(zone.clone()).time();
        if self.from <= self.to { (self.from..self.to).contains(&time) } else { time >= self.from || time < self.to }
    }
}

/// The settings of whoever looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Unless a rule says otherwise.
    pub means: BTreeSet<Means>,
    pub title: WindowTitle,
    /// After so long without a key nobody is taken to be looking, whatever the terminal says of its focus.
    pub away_after: SignedDuration,
    /// More incidents than this within a minute are a storm; `None`: never.
    pub storm: Option<usize>,
    pub quiet: Option<Quiet>,
    /// The first that is for an incident decides.
    pub rules: Vec<Rule>,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            means: [Means::Bell, Means::Desktop].into(),
            title: WindowTitle::Counts,
            away_after: SignedDuration::from_mins(5),
            storm: Some(10),
            quiet: None,
            rules: vec![],
        }
    }
}

impl Notify {
    /// How somebody who does not look is called to an incident at `now`; by nothing in quiet hours.
    pub fn means_for(&self, state: &State, now: Timestamp, zone: &TimeZone) -> BTreeSet<Means> {
        let quiet = self.quiet.is_some_and(|quiet| {
            let excepted = quiet.except == Except::HighUrgency && state.urgency == Urgency::High;
            quiet.holds(now, zone) && !excepted
        });
        if quiet {
            return BTreeSet::new();
        }
        self.rules.iter().find(|rule| rule.is_for(state)).map_or(&self.means, |rule| &rule.means).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{
        incident::{Named, Stamp, Status, tests::observation},
        text::Shown,
    };

    fn time(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").expect("zone")
    }

    fn state(urgency: Urgency, service: &str) -> State {
        let mut state = observation(Status::Triggered, Stamp::push(time("2025-06-10T02:17:30Z")), "disk full").state;
        state.urgency = urgency;
        state.service = Some(Named { id: "PSVC1".parse().expect("id"), name: Shown::line(service) });
        state
    }

    fn quiet(from: &str, to: &str, except: Except) -> Quiet {
        Quiet { from: from.parse().expect("time"), to: to.parse().expect("time"), except }
    }

    #[test]
    fn quiet_hours_reach_over_midnight_by_the_viewers_clock() {
        let night = quiet("22:00", "07:00", Except::Nothing);
        // Berlin is two hours ahead of UTC in June.
        for (at, holds) in [
            ("2025-06-10T19:59:59Z", false),
            ("2025-06-10T20:00:00Z", true),
            ("2025-06-10T22:00:00Z", true),
            ("2025-06-11T04:59:59Z", true),
            ("2025-06-11T05:00:00Z", false),
        ] {
            assert_eq!(night.holds(time(at), &berlin()), holds, "{at}");
        }
        let noon = quiet("12:00", "13:00", Except::Nothing);
        assert!(noon.holds(time("2025-06-10T10:30:00Z"), &berlin()));
        assert!(!noon.holds(time("2025-06-10T11:00:00Z"), &berlin()));
    }

    #[test]
    fn high_urgency_calls_in_quiet_hours_where_it_is_excepted() {
        let settings = |except| Notify { quiet: Some(quiet("00:00", "06:00", except)), ..Notify::default() };
        let now = time("2025-06-10T02:17:30Z");
        let calls = |except, urgency| !settings(except).means_for(&state(urgency, "x"), now, &berlin()).is_empty();

        assert!(calls(Except::HighUrgency, Urgency::High));
        assert!(!calls(Except::HighUrgency, Urgency::Low));
        assert!(!calls(Except::Nothing, Urgency::High));
    }

    #[test]
    fn the_first_rule_that_is_for_an_incident_decides() {
        let rule = |urgency, service: Option<&str>, means: &[Means]| Rule {
            urgency,
            service: service.map(str::to_owned),
            means: means.iter().copied().collect(),
        };
        let settings = Notify {
            rules: vec![
                rule(None, Some("payments api"), &[Means::Bell]),
                rule(Some(Urgency::Low), None, &[]),
                rule(None, Some("PSVC1"), &[Means::Desktop]),
            ],
            ..Notify::default()
        };
        let now = time("2025-06-10T02:17:30Z");
        let means = |urgency, service| {
            settings.means_for(&state(urgency, service), now, &berlin()).into_iter().collect::<Vec<_>>()
        };

        assert_eq!(means(Urgency::Low, "Payments API"), [Means::Bell]);
        assert_eq!(means(Urgency::Low, "Edge"), []);
        assert_eq!(means(Urgency::High, "Edge"), [Means::Desktop]);
    }
}

//! `[notify]`: how whoever looks wants to be called when they do not.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, civil::Time};

use super::{fields::Section, file::Reading, values};
use crate::core::{
    incident::Urgency,
    notify::{Except, Means, Notify, Quiet, Rule, WindowTitle},
};

/// Shorter, and somebody who reads is taken to be gone.
const AWAY_SHORTEST: Duration = Duration::from_secs(30);
const AWAY_LONGEST: Duration = Duration::from_hours(24);
/// More in a minute than anybody can read.
const STORM_MOST: u64 = 10_000;

impl Reading<'_, '_> {
    pub(super) fn notify(&mut self, section: &Section<'_>) -> Notify {
        let usual = Notify::default();
        let means = self.means(section, &usual.means);
        let title = match section.flag("title", self.to) {
            Some(false) => WindowTitle::Untouched,
            Some(true) | None => WindowTitle::Counts,
        };
        let away_after = self.value(section, "away_after", away_after).unwrap_or(usual.away_after);
        let storm = self.storm(section, usual.storm);
        let quiet = self.quiet(section);
        let rules = self.sections_of(section, "rule", "notify.rule");
        let rules = rules.iter().filter_map(|rule| self.rule(rule, &means)).collect();
        Notify { means, title, away_after, storm, quiet, rules }
    }

    /// What a section says of `bell` and `desktop`; of what it does not, `usual`.
    fn means(&mut self, section: &Section<'_>, usual: &BTreeSet<Means>) -> BTreeSet<Means> {
        let mut means = usual.clone();
        for (key, one) in [("bell", Means::Bell), ("desktop", Means::Desktop)] {
            match section.flag(key, self.to) {
                Some(true) => drop(means.insert(one)),
                Some(false) => drop(means.remove(&one)),
                None => {}
            }
        }
        means
    }

    fn storm(&mut self, section: &Section<'_>, usual: Option<usize>) -> Option<usize> {
        let Some((number, at)) = section.number("storm", self.to) else { return usual };
        if number > STORM_MOST {
            self.to.add(at, format!("`storm` must be at most {STORM_MOST}; 0 is never"));
        }
        usize::try_from(number).ok().filter(|number| *number > 0)
    }

    fn quiet(&mut self, section: &Section<'_>) -> Option<Quiet> {
        let except = match section.flag("quiet_except_high", self.to) {
            Some(false) => Except::Nothing,
            Some(true) | None => Except::HighUrgency,
        };
        let (from, to) = self.value(section, "quiet", hours)?;
        Some(Quiet { from, to, except })
    }

    fn rule(&mut self, section: &Section<'_>, means: &BTreeSet<Means>) -> Option<Rule> {
        let urgency = self.value(section, "urgency", urgency);
        let service = self.value(section, "service", service);
        if section.get("urgency").is_none() && section.get("service").is_none() {
            self.to.add(section.at.clone(), "[[notify.rule]] needs `urgency` or `service`: it is for everything else");
            return None;
        }
        Some(Rule { urgency, service, means: self.means(section, means) })
    }
}

fn away_after(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "`away_after` must be \"30s\" to \"24h\", as in \"5m\"".to_owned();
    let length = values::duration(text).filter(|length| (AWAY_SHORTEST..=AWAY_LONGEST).contains(length));
    length.and_then(|length| SignedDuration::try_from(length).ok()).ok_or_else(wrong)
}

fn hours(text: &str) -> Result<(Time, Time), String> {
    let wrong = || "`quiet` must be two times of the day, as in \"22:00-07:00\"".to_owned();
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let time = |text: &str| text.trim().parse::<Time>().map_err(|_| wrong());
    let (from, to) = (time(from)?, time(to)?);
    if from == to {
        return Err("`quiet` ends when it begins: leave it out, or switch bell and desktop off".into());
    }
    Ok((from, to))
}

fn urgency(text: &str) -> Result<Urgency, String> {
    match text {
        "high" => Ok(Urgency::High),
        "low" => Ok(Urgency::Low),
        _ => Err("`urgency` must be \"high\" or \"low\"".into()),
    }
}

fn service(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("`service` must be the name of a service, or its id".into())
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{ConfigError, parse};

    fn notify(text: &str) -> Result<Notify, String> {
        match parse(text, Path::new("/etc/dogwatch.toml")) {
            Ok(settings) => Ok(settings.notify),
            Err(ConfigError::Invalid { findings, .. }) => {
                Err(findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            }
            Err(other) => Err(other.to_string()),
        }
    }

    #[test]
    fn a_rule_says_only_what_is_different() {
        let read = notify(
            "[notify]\nbell = false\ntitle = false\naway_after = \"90s\"\nstorm = 0\nquiet = \"22:00-07:30\"\n\
             quiet_except_high = false\n[[notify.rule]]\nurgency = \"low\"\ndesktop = false\n\
             [[notify.rule]]\nservice = \"Payments API\"\nbell = true\n",
        )
        .expect("settings");

        let quiet = read.quiet.expect("quiet hours");
        assert_eq!(
            (quiet.from, quiet.to, quiet.except),
            (Time::constant(22, 0, 0, 0), Time::constant(7, 30, 0, 0), Except::Nothing)
        );
        assert_eq!((read.title, read.storm), (WindowTitle::Untouched, None));
        assert_eq!(read.away_after, SignedDuration::from_secs(90));
        let means: Vec<Vec<Means>> = read.rules.iter().map(|rule| rule.means.iter().copied().collect()).collect();
        assert_eq!(means, [vec![], vec![Means::Bell, Means::Desktop]]);
        assert_eq!(notify(""), Ok(Notify::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, said) in [
            (
                "[notify]\nquiet = \"22-7\"\n",
                "line 2, column 9: `quiet` must be two times of the day, as in \"22:00-07:00\"",
            ),
            (
                "[notify]\nquiet = \"22:00-22:00\"\n",
                "line 2, column 9: `quiet` ends when it begins: leave it out, or switch bell and desktop off",
            ),
            (
                "[notify]\naway_after = \"1s\"\n",
                "line 2, column 14: `away_after` must be \"30s\" to \"24h\", as in \"5m\"",
            ),
            ("[notify]\nbell = \"yes\"\n", "line 2, column 8: `bell` must be true or false, this is a text"),
            ("[notify]\nbel = true\n", "line 2, column 1: unknown key `bel` in [notify]; did you mean `bell`?"),
            (
                "[[notify.rule]]\nbell = false\n",
                "line 1, column 1: [[notify.rule]] needs `urgency` or `service`: it is for everything else",
            ),
            ("[[notify.rule]]\nurgency = \"loud\"\n", "line 2, column 11: `urgency` must be \"high\" or \"low\""),
        ] {
            assert_eq!(notify(text), Err(said.to_owned()), "{text}");
        }
    }
}

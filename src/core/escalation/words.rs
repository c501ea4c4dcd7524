//! The escalation clock in words: the long form for a page, the short one for a column.

use jiff::{SignedDuration, Timestamp};

use super::{Lack, Outlook, Rest, When, Whom};
use crate::core::{
    freshness::{Account, Sight, Standing},
    incident::Named,
    words::{age, ago},
};

/// `4 min`, `1 h 5 min`, `under a minute`: rounded down, so that nobody waits too long.
pub fn in_time(left: SignedDuration) -> String {
    let minutes = left.as_mins();
    match minutes {
        ..1 => "under a minute".into(),
        1..60 => format!("{minutes} min"),
        60..1440 if minutes % 60 == 0 => format!("{} h", minutes / 60),
        60..1440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1440, minutes % 1440 / 60),
    }
}

/// What has to be said with a person whom a level calls, when that is not fresh: `as of 5h ago`, `as last seen`. `now` by
/// this host's clock.
pub fn doubt(account: &Account, now: Timestamp) -> Option<String> {
    let sights = [Sight::Schedules, Sight::ShiftSchedules, Sight::People];
    let barred = sights.iter().any(|sight| account.barred.contains_key(sight));
    match account.on_call_standing(now) {
        Standing::Stale { age, .. } => Some(format!("as of {}", ago(age))),
        Standing::Fresh { .. } | Standing::Waiting | Standing::Down { .. } => barred.then(|| "as last seen".to_owned()),
    }
}

/// `in 4 min: Bob Okafor (L2 of Payments)`, or why nobody, or why that is not known. `now` by the provider's clock.
pub fn long(outlook: &Outlook, policy: &str, now: Timestamp, doubt: Option<&str>) -> String {
    match outlook {
        Outlook::Pages { when, whom } => {
            let doubt = doubt.filter(|_| *whom != Whom::NotKnown).map(|doubt| format!(", {doubt}"));
            format!("{}: {}{}", lapse(*when, now), called(whom, policy), doubt.unwrap_or_default())
        }
        Outlook::Nobody(rest) => format!("nobody: {}", why_nobody(*rest)),
        Outlook::NotKnown(lack) => format!("not known: {}", why_not_known(*lack)),
    }
}

/// `4m Bob Okafor`, `~4m Bob Okafor`, `4m ?Bob Okafor`, `nobody`, `?`: the same for a narrow column.
pub fn short(outlook: &Outlook, now: Timestamp, doubt: Option<&str>) -> String {
    match outlook {
        Outlook::Pages { when, whom } => {
            let sign = if matches!(when, When::About(_)) { "~" } else { "" };
            let left = when.at().duration_since(now);
            let left = if left.as_mins() < 1 { "<1m".into() } else { age(left) };
            format!("{sign}{left} {}", short_whom(whom, doubt))
        }
        Outlook::Nobody(Rest::Acknowledged | Rest::Resolved) => String::new(),
        Outlook::Nobody(Rest::Direct) => "nobody: direct".into(),
        Outlook::Nobody(Rest::LowUrgency) => "nobody: low".into(),
        Outlook::Nobody(Rest::End) => "nobody: at end".into(),
        Outlook::NotKnown(_) => "?".into(),
    }
}

fn lapse(when: When, now: Timestamp) -> String {
    let left = when.at().duration_since(now);
    match when {
        When::At(_) if left.is_negative() || left.is_zero() => "any moment".into(),
        When::At(_) => format!("in {}", in_time(left)),
        When::About(_) if left.as_mins() < 1 => "in about a minute or less".into(),
        When::About(_) => format!("in about {}", in_time(left)),
    }
}

fn names<Id>(people: &[Named<Id>]) -> String {
    people.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn called(whom: &Whom, policy: &str) -> String {
    match whom {
        Whom::People { level, people } => format!("{} (L{level} of {policy})", names(people)),
        Whom::Nobody { level } => format!("! nobody is on call at L{level} of {policy}"),
        Whom::NotKnown => "who that is is not known".into(),
    }
}

fn short_whom(whom: &Whom, doubt: Option<&str>) -> String {
    let is_old = doubt.is_some();
    match whom {
        Whom::People { people, .. } => format!("{}{}", if is_old { "?" } else { "" }, names(people)),
        Whom::Nobody { level } => format!("{} L{level} empty", if is_old { "?" } else { "!" }),
        Whom::NotKnown => "?".into(),
    }
}

fn why_nobody(rest: Rest) -> &'static str {
    match rest {
        Rest::Acknowledged => "it is acknowledged",
        Rest::Resolved => "it is resolved",
        Rest::Direct => "it was assigned directly, so it does not escalate",
        Rest::LowUrgency => "of low urgency, it does not escalate",
        Rest::End => "the last level was called, and the policy does not start again",
    }
}

fn why_not_known(lack: Lack) -> &'static str {
    match lack {
        Lack::Webhooks => "webhooks do not tell when it was assigned",
        Lack::Rules => "the rules of its policy are not known",
        Lack::Level => "those who have it are not on call on just one level of its policy",
        Lack::Repeats => "the last level was called, and how often the policy started again is not told",
        Lack::Overdue => "it should have escalated by now, and the provider tells of nothing to come",
    }
}

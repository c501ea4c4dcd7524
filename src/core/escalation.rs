//! The escalation clock: who is paged next for an incident if nobody acknowledges it, and when.
//!
//! Only what the provider said is told as certain. What its rules lead to expect is `about`, and the rest is said
//! not to be known: a guess never looks like the truth.

mod words;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    board::AccountBoard,
    id::{PolicyId, ScheduleId, UserId},
    incident::{Extra, Incident, Named, State, Status, Urgency, Via},
    text::Shown,
};

pub use words::{doubt, in_time, long, short};

/// Whom a level calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Responder {
    User(Named<UserId>),
    Schedule(Named<ScheduleId>),
    /// Of a kind that is not known here.
    Other(Shown),
}

/// One level of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Minutes until the next level is called.
    pub delay: u32,
    pub responders: Vec<Responder>,
}

/// An escalation policy with its rules: the first is level 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub policy: Named<PolicyId>,
    pub rules: Vec<Rule>,
    /// How often it starts again after its last level.
    pub repeats: u32,
}

impl Policy {
    /// Its levels and their rules, level 1 first.
    pub fn levels(&self) -> impl Iterator<Item = (u32, &Rule)> {
        (1..).zip(&self.rules)
    }

    fn last(&self) -> u32 {
        u32::try_from(self.rules.len()).unwrap_or(u32::MAX)
    }

    fn rule(&self, level: u32) -> Option<&Rule> {
        self.levels().find(|(at, _)| *at == level).map(|(_, rule)| rule)
    }
}

/// What comes for an incident if nobody acknowledges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    Pages {
        when: When,
        whom: Whom,
    },
    /// Nobody else is paged.
    Nobody(Rest),
    NotKnown(Lack),
}

/// By the provider's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The provider said so.
    At(Timestamp),
    /// By the policy's rules, counted from the last assignment.
    About(Timestamp),
}

impl When {
    pub fn at(self) -> Timestamp {
        match self {
            Self::At(at) | Self::About(at) => at,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    People {
        level: u32,
        people: Vec<Named<UserId>>,
    },
    /// The level has no one on call at that time.
    Nobody {
        level: u32,
    },
    NotKnown,
}

/// Why nobody else is paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Acknowledged,
    Resolved,
    Direct,
    LowUrgency,
    /// The last level was called, and the policy does not start again.
    End,
}

/// Why it is not known who is paged next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Webhooks do not tell when it was assigned.
    Webhooks,
    /// The rules of its policy are not known.
    Rules,
    /// Those who have it are on no level of the policy, or on several.
    Level,
    /// The last level was called; how often the policy started again is not told.
    Repeats,
    /// It should have escalated already, and the provider tells of nothing to come.
    Overdue,
}

/// Who is paged next for `incident` if nobody acknowledges; `now` by the provider's clock.
pub fn outlook(incident: &Incident, board: &AccountBoard, now: Timestamp) -> Outlook {
    let state = &incident.state;
    match state.status {
        Status::Triggered => {}
        Status::Acknowledged => return Outlook::Nobody(Rest::Acknowledged),
        Status::Resolved => return Outlook::Nobody(Rest::Resolved),
    }
    let extra = incident.extra();
    let path = Path::of(state, board);
    if let Some(at) = extra.and_then(escalates_at) {
        let whom = path.map_or(Whom::NotKnown, |path| path.next_after_provider(extra, at));
        return Outlook::Pages { when: When::At(at), whom };
    }
    if extra.is_some_and(|extra| extra.via == Some(Via::Direct)) {
        return Outlook::Nobody(Rest::Direct);
    }
    if state.urgency == Urgency::Low {
        return Outlook::Nobody(Rest::LowUrgency);
    }
    path.map_or(Outlook::NotKnown(Lack::Rules), |path| path.expected(extra, now))
}

/// When the provider itself says that it escalates.
fn escalates_at(extra: &Extra) -> Option<Timestamp> {
    extra.pending.iter().filter(|pending| pending.what.as_str() == "escalate").map(|pending| pending.at).min()
}

/// An incident's way through its policy.
struct Path<'a> {
    state: &'a State,
    board: &'a AccountBoard,
    policy: &'a Policy,
}

impl<'a> Path<'a> {
    fn of(state: &'a State, board: &'a AccountBoard) -> Option<Self> {
        let wanted = state.escalation_policy.as_ref()?;
        let policy = board.escalation.iter().find(|policy| policy.policy.id == wanted.id)?;
        (!policy.rules.is_empty()).then_some(Self { state, board, policy })
    }

    /// To whom it goes at a time that the provider told: from the last level it starts again.
    fn next_after_provider(&self, extra: Option<&Extra>, at: Timestamp) -> Whom {
        let since = extra.and_then(|extra| extra.assigned_at).unwrap_or(self.state.created_at);
        match self.level(since) {
            Some(level) if level < self.policy.last() => self.whom(level + 1, at),
            Some(_) => self.whom(1, at),
            None => Whom::NotKnown,
        }
    }

    /// What the rules lead to expect.
    fn expected(&self, extra: Option<&Extra>, now: Timestamp) -> Outlook {
        let assigned_at = extra.and_then(|extra| extra.assigned_at);
        let since = assigned_at.unwrap_or(self.state.created_at);
        let Some(level) = self.level(since) else { return Outlook::NotKnown(Lack::Level) };
        if assigned_at.is_none() && level > 1 {
            return Outlook::NotKnown(Lack::Webhooks);
        }
        let delay = self.policy.rule(level).map_or(0, |rule| rule.delay);
        let at = since.checked_add(SignedDuration::from_mins(i64::from(delay))).unwrap_or(Timestamp::MAX);
        if level >= self.policy.last() {
            let ends = self.policy.repeats == 0;
            return if ends { Outlook::Nobody(Rest::End) } else { Outlook::NotKnown(Lack::Repeats) };
        }
        if at <= now {
            return Outlook::NotKnown(if assigned_at.is_none() { Lack::Webhooks } else { Lack::Overdue });
        }
        Outlook::Pages { when: When::About(at), whom: self.whom(level + 1, at) }
    }

    /// The level at which those who have it were called at `since`, or are on call now; `None` when that is not one.
    fn level(&self, since: Timestamp) -> Option<u32> {
        let assignees = &self.state.assignees;
        let calls = |level: u32| {
            let then = people_at(self.board, self.policy, level, since).unwrap_or_default();
            let now = self.board.oncalls.iter().filter(|on| on.policy.id == self.policy.policy.id && on.level == level);
            let now: Vec<_> = now.map(|on| &on.user.id).collect();
            assignees.iter().all(|one| now.contains(&&one.id) || then.iter().any(|known| known.id == one.id))
        };
        let mut levels = self.policy.levels().map(|(level, _)| level).filter(|level| calls(*level));
        let first = levels.next().filter(|_| !assignees.is_empty())?;
        levels.next().is_none().then_some(first)
    }

    fn whom(&self, level: u32, at: Timestamp) -> Whom {
        match people_at(self.board, self.policy, level, at) {
            None => Whom::NotKnown,
            Some(people) if people.is_empty() => Whom::Nobody { level },
            Some(people) => Whom::People { level, people },
        }
    }
}

/// Who is called at a level of `policy` at that time, nobody twice; `None` when that is not known.
pub fn people_at(board: &AccountBoard, policy: &Policy, level: u32, at: Timestamp) -> Option<Vec<Named<UserId>>> {
    let mut people: Vec<Named<UserId>> = vec![];
    for responder in &policy.rule(level)?.responders {
        let called = match responder {
            Responder::User(user) => vec![user.clone()],
            Responder::Schedule(schedule) => on_schedule(board, &schedule.id, at)?,
            Responder::Other(_) => return None,
        };
        for user in called {
            if !people.iter().any(|known| known.id == user.id) {
                people.push(user);
            }
        }
    }
    Some(people)
}

/// Who has the shift of a schedule at that time; `None` when that is not known.
fn on_schedule(board: &AccountBoard, id: &ScheduleId, at: Timestamp) -> Option<Vec<Named<UserId>>> {
    let known = board.schedules.iter().find(|known| known.schedule.id == *id);
    if let Some(known) = known.filter(|known| known.from <= at && at < known.to) {
        return Some(known.on_duty(at).map(|shift| shift.user.clone()).collect());
    }
    let here = board.oncalls.iter().filter(|on| on.schedule.as_ref().is_some_and(|schedule| schedule.id == *id));
    let covering = here.filter(|on| on.start.is_none_or(|start| start <= at) && on.end.is_none_or(|end| at < end));
    let mut people: Vec<_> = covering.map(|on| on.user.clone()).collect();
    people.sort();
    people.dedup();
    (!people.is_empty()).then_some(people)
}

#[cfg(test)]
mod tests;

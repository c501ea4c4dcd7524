//! Judging one incident.

use jiff::Timestamp;

use super::{Condition, Part, Time, Truth, Wanted};
use crate::core::{
    board::AccountBoard,
    id::{ServiceId, UserId},
    incident::{Incident, Named, Status},
    query::{
        Literal,
        part::{is_like, stands_in},
    },
    text::Shown,
};

/// An incident, and what is known around it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub incident: &'a Incident,
    /// The account that it belongs to: its people have addresses.
    pub account: Option<&'a AccountBoard>,
    /// By the clock of its provider.
    pub now: Timestamp,
    /// Who asks, at this account; `None`: that is not known.
    pub me: Option<&'a UserId>,
    pub marked: bool,
    pub noted: Truth,
}

/// Whether the incident is one of those that are wanted.
pub fn judge(wanted: &Wanted, record: &Record<'_>) -> Truth {
    wanted.truth(|any| any_of(any, record))
}

fn any_of(any: &[Condition], record: &Record<'_>) -> Truth {
    any.iter().fold(Truth::No, |so_far, next| so_far.or(|| holds(next, record)))
}

fn holds(condition: &Condition, record: &Record<'_>) -> Truth {
    let incident = record.incident;
    let state = &incident.state;
    let is = match condition {
        Condition::Word(word) => stands_in_row(word, incident) || is_like_row(word, incident),
        Condition::Text(text) => stands_in_row(text, incident),
        Condition::Status(status) => state.status == *status,
        Condition::Open => state.status.is_open(),
        Condition::Urgency(urgency) => state.urgency == *urgency,
        Condition::Priority(None) => state.priority.is_none(),
        Condition::Priority(Some(part)) => state.priority.as_ref().is_some_and(|name| part.is_of(name.as_str())),
        Condition::Service(part) => return told(state.service.as_ref(), |it| is_service(part, it, record.account)),
        Condition::Team(part) => state.teams.iter().any(|team| part.means(team.id.as_str(), name(team))),
        Condition::Assignee(None) => state.assignees.is_empty(),
        Condition::Assignee(Some(part)) => state.assignees.iter().any(|user| is_user(part, user, record.account)),
        Condition::Mine => return mine(record),
        Condition::Policy(part) => {
            return told(state.escalation_policy.as_ref(), |it| part.means(it.id.as_str(), name(it)));
        }
        Condition::Number(range) => return told(state.number.as_ref(), |number| range.contains(number)),
        Condition::Account(name) => incident.key.account == *name,
        Condition::Created(time) => time.holds(state.created_at, record.now),
        Condition::Acknowledged(time) => return acknowledged(*time, record),
        Condition::Marked => record.marked,
        Condition::Unsigned => incident.is_unconfirmed(),
        Condition::Snoozed => return snoozed(incident),
        Condition::Noted => return record.noted,
    };
    is.into()
}

/// Of what every incident has; where it was not told, nothing can be said.
fn told<T>(known: Option<&T>, is: impl FnOnce(&T) -> bool) -> Truth {
    known.map_or(Truth::Perhaps, |known| is(known).into())
}

fn name<Id>(of: &Named<Id>) -> &str {
    of.name.as_str()
}

/// Whether `part` means this person of `account`: by name, id or e-mail address.
pub(in crate::core::query) fn is_user(part: &Part, user: &Named<UserId>, account: Option<&AccountBoard>) -> bool {
    if !part.is_address() {
        return part.means(user.id.as_str(), name(user));
    }
    let people = account.iter().flat_map(|account| &account.people);
    let emails = people.filter(|person| person.user.id == user.id).filter_map(|person| person.email.as_ref());
    emails.chain([&user.name]).any(|email| part.is_of(email.as_str()))
}

/// Whether `part` means this service of `account`. What is the id of one means none that has it in its name.
fn is_service(part: &Part, service: &Named<ServiceId>, account: Option<&AccountBoard>) -> bool {
    let is_id = |id: &ServiceId| id.as_str() == part.as_str();
    let is_anothers = || {
        let services = account.iter().flat_map(|account| &account.services.services);
        services.map(|known| &known.service.id).any(is_id)
    };
    is_id(&service.id) || (part.is_of(name(service)) && !is_anothers())
}

fn mine(record: &Record<'_>) -> Truth {
    let assignees = &record.incident.state.assignees;
    match record.me {
        Some(me) => assignees.iter().any(|user| user.id == *me).into(),
        None if assignees.is_empty() => Truth::No,
        None => Truth::Perhaps,
    }
}

/// When it was acknowledged last, as far as REST has told of the present state.
fn acknowledged_at(incident: &Incident) -> Option<Timestamp> {
    incident.extra()?.acknowledged.iter().map(|(at, _)| *at).max()
}

fn acknowledged(time: Time, record: &Record<'_>) -> Truth {
    if record.incident.state.status != Status::Acknowledged {
        return Truth::No;
    }
    acknowledged_at(record.incident).map_or(Truth::Perhaps, |at| time.holds(at, record.now).into())
}

fn snoozed(incident: &Incident) -> Truth {
    if incident.state.status != Status::Acknowledged {
        return Truth::No;
    }
    let Some(extra) = incident.extra() else { return Truth::Perhaps };
    extra.pending.iter().any(|pending| pending.what.as_str() == "unacknowledge").into()
}

/// Whether `word`, in lower case, stands in what the row shows.
fn stands_in_row(word: &str, incident: &Incident) -> bool {
    let state = &incident.state;
    let fixed = [state.title.as_str(), state.status.word(), incident.key.id.as_str(), incident.key.account.as_str()];
    let names = state.assignees.iter().map(name).chain(state.service.iter().map(name));
    let words = state.priority.iter().map(Shown::as_str).chain(incident.is_unconfirmed().then_some("unsigned"));
    fixed.into_iter().chain(names).chain(words).any(|text| stands_in(word, text))
        || state.number.is_some_and(|number| stands_in(word, &format!("#{number}")))
}

/// Whether it is like a word of title or service. A number that is like another one is another one.
fn is_like_row(word: &str, incident: &Incident) -> bool {
    let state = &incident.state;
    let letters = word.chars().any(char::is_alphabetic);
    letters && (is_like(word, state.title.as_str()) || state.service.iter().any(|service| is_like(word, name(service))))
}

/// Whether it is wanted because its being resolved was asked for: then it does not matter how long ago that was.
pub fn names_resolved(wanted: &Wanted, record: &Record<'_>) -> bool {
    let literal = |literal: &Literal<Vec<Condition>>| match literal {
        Literal::Is(any) => any_of(any, record),
        Literal::Not(any) => !any_of(any, record),
    };
    let names = |literal: &Literal<Vec<Condition>>| match literal {
        Literal::Is(any) => any.contains(&Condition::Status(Status::Resolved)),
        Literal::Not(any) => any.contains(&Condition::Open),
    };
    let groups = wanted.groups.iter().filter(|group| group.iter().any(names));
    groups.into_iter().any(|group| group.iter().all(|one| literal(one) == Truth::Yes))
}

/// The next moment, by the provider's clock, from which on [`judge`] may say something else though nothing has changed.
pub fn next_turn(wanted: &Wanted, record: &Record<'_>) -> Option<Timestamp> {
    let turns = wanted.terms().flatten().filter_map(|condition| match condition {
        Condition::Created(time) => time.turns(record.incident.state.created_at, record.now),
        Condition::Acknowledged(time) => time.turns(acknowledged_at(record.incident)?, record.now),
        _ => None,
    });
    turns.min()
}

/// Whether any of its conditions is this one.
pub fn asks(wanted: &Wanted, condition: &Condition) -> bool {
    wanted.terms().flatten().any(|known| known == condition)
}

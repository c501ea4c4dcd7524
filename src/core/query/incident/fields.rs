//! The fields, their values, and what to say about wrong ones.

use jiff::SignedDuration;

use super::{Condition, Part, Time, Wanted, When};
use crate::core::{
    id::AccountName,
    incident::{Status, Urgency},
    query::{
        BadQuery, Clock, Fields, Kind, Query, Spans, Term, moment, parse, span,
        values::{self, Age, choose, no_time, unknown_field},
    },
};

/// Every field, with what it is for.
pub const FIELDS: &Fields = &[
    ("status", "triggered, acked, resolved, open"),
    ("urgency", "high, low"),
    ("priority", "its name, as P1, or none"),
    ("service", "a part of its name (with * all of it), or its id; so too with the next ones"),
    ("team", "a team of the incident"),
    ("assignee", "me, a name, an e-mail address, or none"),
    ("policy", "the escalation policy"),
    ("number", "as 1201, >1200 or 1200..1210"),
    ("account", "account's name"),
    ("since", "created 7d ago or later, or since a moment as 2025-06-10T04:00"),
    ("until", "created before 7d ago, or before a moment"),
    ("age", ">2h or <2h since it was created"),
    ("acked", ">1h or <1h since it was last acknowledged"),
    (
        "is",
        "open, triggered, acked, resolved, high, low, mine, unassigned, marked, unsigned, or snoozed: acknowledged \
         and due to come back by itself",
    ),
    ("has", "note: as far as seen by webhook, by opening it, or by noting here; else it counts as not known"),
];

/// The words beside the fields, with what they mean.
pub const LANGUAGE: &Fields = &[
    (
        "disk full",
        "both words, as they stand in what a row shows; in title and service also with letters left out, one for \
         three typed, the first never: chkout finds checkout",
    ),
    ("\"disk full\"", "to the letter"),
    ("!disk", "not this; ! goes before anything"),
    ("a or b", "either side of it"),
    ("field:a,b", "the field is one of these:"),
];

const STATUSES: [(&str, Condition); 5] = [
    ("triggered", Condition::Status(Status::Triggered)),
    ("acked", Condition::Status(Status::Acknowledged)),
    ("acknowledged", Condition::Status(Status::Acknowledged)),
    ("resolved", Condition::Status(Status::Resolved)),
    ("open", Condition::Open),
];
const URGENCIES: [(&str, Condition); 2] =
    [("high", Condition::Urgency(Urgency::High)), ("low", Condition::Urgency(Urgency::Low))];
const STATES: [(&str, Condition); 5] = [
    ("mine", Condition::Mine),
    ("unassigned", Condition::Assignee(None)),
    ("marked", Condition::Marked),
    ("unsigned", Condition::Unsigned),
    ("snoozed", Condition::Snoozed),
];
/// Fields that take one value.
const SINGLE: [&str; 4] = ["since", "until", "age", "acked"];

/// Reads a query for incidents.
pub fn read(text: &str, clock: Clock<'_>) -> Result<Wanted, BadQuery> {
    check(&parse(text)?, clock)
}

/// Makes sense of a query's fields and values. Of `clock`, only the zone lasts: what is "so long ago" stays so.
pub fn check(query: &Query, clock: Clock<'_>) -> Result<Wanted, BadQuery> {
    query.map(|term| conditions(term, clock))
}

fn conditions(term: &Term, clock: Clock<'_>) -> Result<Vec<Condition>, BadQuery> {
    let Kind::Field { name, values } = &term.kind else {
        return Ok(match &term.kind {
            Kind::Text(text) => vec![Condition::Text(text.to_lowercase())],
            Kind::Word(word) => vec![Condition::Word(word.to_lowercase())],
            Kind::Field { .. } => vec![],
        });
    };
    if !FIELDS.iter().any(|(known, _)| known == name) {
        return Err(unknown_field(term.column, name, FIELDS));
    }
    if let (true, Some(second)) = (SINGLE.contains(&name.as_str()), values.get(1)) {
        return Err(BadQuery::new(second.column, format!("`{name}:` takes one value")));
    }
    let each = values.iter().map(|value| {
        condition(name, &value.text, clock).map_err(|said| BadQuery::new(value.column, format!("{name}: {said}")))
    });
    each.collect()
}

/// What one value of a field asks for. The error says what is wrong with the value.
fn condition(field: &str, value: &str, clock: Clock<'_>) -> Result<Condition, String> {
    Ok(match field {
        "status" => choose(value, &STATUSES)?,
        "urgency" => choose(value, &URGENCIES)?,
        "priority" => Condition::Priority(part_or_none(value)),
        "service" => Condition::Service(Part::new(value)),
        "team" => Condition::Team(Part::new(value)),
        "assignee" if value.eq_ignore_ascii_case("me") => Condition::Mine,
        "assignee" => Condition::Assignee(part_or_none(value)),
        "policy" => Condition::Policy(Part::new(value)),
        "number" => Condition::Number(
            Spans::of(value, |text| text.strip_prefix('#').unwrap_or(text).parse().ok())
                .ok_or_else(|| format!("`{value}` is no number; as `1201`, `>1200` or `1200..1210`"))?,
        ),
        "account" => Condition::Account(AccountName::new(value).map_err(|bad| bad.to_string())?),
        "since" => Condition::Created(Time::Since(when(value, clock)?)),
        "until" => Condition::Created(Time::Until(when(value, clock)?)),
        "age" => Condition::Created(age(value)?),
        "acked" => Condition::Acknowledged(age(value)?),
        "is" => choose(value, &[&STATUSES[..], &URGENCIES, &STATES].concat())?,
        _ => choose(value, &[("note", Condition::Noted)])?,
    })
}

fn part_or_none(value: &str) -> Option<Part> {
    (!value.eq_ignore_ascii_case("none")).then(|| Part::new(value))
}

fn when(value: &str, clock: Clock<'_>) -> Result<When, String> {
    match span(value) {
        Some(span) => Ok(When::Ago(span)),
        None => moment(value, clock).map(When::At).ok_or_else(|| no_time(value)),
    }
}

fn age(value: &str) -> Result<Time, String> {
    let ago = |span: SignedDuration| When::Ago(span);
    Ok(match values::age(value)? {
        Age::Above(span) => Time::Until(ago(span)),
        Age::Below(span) => Time::Since(ago(span)),
    })
}

//! The fields, their values, and what to say about wrong ones.

use std::ops::RangeInclusive;

use super::{Condition, Glob, Phrase, Wanted};
use crate::core::{
    delivery::{Direction, Scheme, Verdict},
    id::{AccountName, IncidentId, TargetName},
    query::{
        BadQuery, Clock, Kind, Query, Spans, Term, Value, moment, parse,
        values::{self, Age, choose, no_time, unknown_field},
    },
};

/// Every field, with what it is for.
pub const FIELDS: &[(&str, &str)] = &[
    ("verdict", "accepted, duplicate, undecodable, rejected; sent, failed"),
    ("type", "event type, as incident.* or triggered"),
    ("from", "sender's address, as 203.0.113.7 or 203.0.113.*"),
    ("account", "account's name"),
    ("incident", "id, account/id or #number"),
    ("status", "what was answered, as 401, 4xx or >=500"),
    ("scheme", "how it was signed, as pagerduty-v3, or none"),
    ("secret", "name of the secret that matched, or a part of it"),
    ("event", "event id, also with *"),
    ("is", "altered, unsigned, changed"),
    ("since", "1h ago or later, or a moment as 2025-06-10T04:00"),
    ("until", "before 1h ago, or before a moment"),
    ("age", ">2h or <2h"),
    ("size", "bytes of the body, as >64k"),
    ("took", "time until the answer, as >100ms"),
    ("direction", "in or out"),
    ("target", "where it was sent to, by the target's name"),
];

const KINDS: [(&str, Condition); 3] =
    [("altered", Condition::Altered), ("unsigned", Condition::Unsigned), ("changed", Condition::Changed)];
const DIRECTIONS: [(&str, Condition); 2] =
    [("in", Condition::Direction(Direction::Incoming)), ("out", Condition::Direction(Direction::Outgoing))];
/// Nearly all events are an incident's, and are shown without this.
const USUAL_TYPE: &str = "incident.";

/// Reads a query for deliveries.
pub fn read(text: &str, clock: Clock<'_>) -> Result<Wanted, BadQuery> {
    check(&parse(text)?, clock)
}

/// Makes sense of a query's fields and values.
pub fn check(query: &Query, clock: Clock<'_>) -> Result<Wanted, BadQuery> {
    query.map(|term| conditions(term, clock))
}

/// The same query with moments in place of times ago, so that it means the same later and in another zone.
pub fn fixed(query: &Query, clock: Clock<'_>) -> Result<Query, BadQuery> {
    query.map(|term| {
        let (name, at) = match conditions(term, clock)?.as_slice() {
            [Condition::Since(at)] => ("since", *at),
            [Condition::Until(at)] => ("until", *at),
            _ => return Ok(term.clone()),
        };
        let values = vec![Value { column: term.column, text: at.to_string() }];
        Ok(Term { column: term.column, kind: Kind::Field { name: name.to_owned(), values } })
    })
}

fn conditions(term: &Term, clock: Clock<'_>) -> Result<Vec<Condition>, BadQuery> {
    match &term.kind {
        Kind::Word(word) => Ok(vec![Condition::Word(word.to_lowercase())]),
        Kind::Text(text) => {
            let phrase = Phrase::new(text);
            if phrase.has_words() {
                return Ok(vec![Condition::Text(phrase)]);
            }
            let said = format!("\"{text}\" has no letter or digit; what stands in quotes is found by its words");
            Err(BadQuery::new(term.column, said))
        }
        Kind::Field { name, values } => {
            if !FIELDS.iter().any(|(known, _)| known == name) {
                return Err(unknown_field(term.column, name, FIELDS));
            }
            if let (true, Some(second)) = (matches!(name.as_str(), "since" | "until" | "age"), values.get(1)) {
                return Err(BadQuery::new(second.column, format!("`{name}:` takes one value")));
            }
            let each = values.iter().map(|value| {
                let wrong = |said| BadQuery::new(value.column, format!("{name}: {said}"));
                condition(name, &value.text, clock).map_err(wrong)
            });
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
    }
}

/// What one value of a field asks for; more than one: any of it. The error says what is wrong with the value.
fn condition(field: &str, value: &str, clock: Clock<'_>) -> Result<Vec<Condition>, String> {
    let only = |condition| Ok(vec![condition]);
    match field {
        "verdict" => only(choose(value, &Verdict::ALL.map(|verdict| (verdict.word(), Condition::Verdict(verdict))))?),
        "type" => Ok(event_type(value)),
        "from" => from(value),
        "account" => match AccountName::new(value) {
            Ok(name) => only(Condition::Account(name)),
            Err(bad) => Err(bad.to_string()),
        },
        "incident" => only(incident(value)?),
        "status" => only(Condition::Status(status(value)?)),
        "scheme" => {
            let schemes = Scheme::ALL.iter().map(|scheme| (scheme.word(), Condition::Scheme(Some(*scheme))));
            let known: Vec<_> = schemes.chain([("none", Condition::Scheme(None))]).collect();
            only(choose(value, &known)?)
        }
        "secret" if value.contains('*') => only(Condition::Secret(Glob::new(value))),
        "secret" => only(Condition::Secret(Glob::new(&format!("*{value}*")))),
        "event" => only(Condition::EventId(Glob::new(value))),
        "is" => only(choose(value, &KINDS)?),
        "direction" => only(choose(value, &DIRECTIONS)?),
        "target" => match TargetName::new(value) {
            Ok(name) => only(Condition::Target(name)),
            Err(bad) => Err(bad.to_string()),
        },
        "since" => only(Condition::Since(moment(value, clock).ok_or_else(|| no_time(value))?)),
        "until" => only(Condition::Until(moment(value, clock).ok_or_else(|| no_time(value))?)),
        "age" => only(age(value, clock)?),
        "size" => only(Condition::Size(
            Spans::of(value, bytes).ok_or_else(|| format!("`{value}` is no size; as `>64k`, `<1m` or `0`"))?,
        )),
        _ => only(Condition::Took(
            Spans::of(value, microseconds).ok_or_else(|| format!("`{value}` is no time; as `>100ms` or `<2s`"))?,
        )),
    }
}

fn event_type(value: &str) -> Vec<Condition> {
    let mut any = vec![Condition::EventType(Glob::new(value))];
    if !value.contains('*') && !value.to_lowercase().starts_with(USUAL_TYPE) {
        any.push(Condition::EventType(Glob::new(&format!("{USUAL_TYPE}{value}"))));
    }
    any
}

fn from(value: &str) -> Result<Vec<Condition>, String> {
    if value.contains('/') {
        return Err(format!("`{value}`: networks are written with *, as `203.0.113.*`"));
    }
    // Kept with the port, and addresses of IPv6 in brackets.
    let kept = [value.to_owned(), format!("{value}:*"), format!("[{value}]:*")];
    Ok(kept.iter().map(|kept| Condition::From(Glob::new(kept))).collect())
}

fn incident(value: &str) -> Result<Condition, String> {
    if let Some(number) = value.strip_prefix('#') {
        let number = number.parse().map_err(|_| format!("`{value}` is no number; as `#1201`"))?;
        return Ok(Condition::Number(number));
    }
    match value.split_once('/') {
        Some((account, id)) => {
            let account = AccountName::new(account).map_err(|bad| format!("the account: {bad}"))?;
            Ok(Condition::IncidentOf(account, IncidentId::new(id).map_err(|bad| bad.to_string())?))
        }
        None => Ok(Condition::Incident(IncidentId::new(value).map_err(|bad| bad.to_string())?)),
    }
}

fn status(value: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || format!("`{value}` is no status; as `401`, `4xx` or `>=500`");
    if let Some(hundred) = value.to_lowercase().strip_suffix("xx") {
        let hundred: u16 = hundred.parse().ok().filter(|h| (1..=9).contains(h)).ok_or_else(wrong)?;
        return Ok(hundred * 100..=hundred * 100 + 99);
    }
    let number = |text: &str| text.parse().ok().filter(|status| (100..=999).contains(status));
    let range = Spans::of(value, number).ok_or_else(wrong)?;
    let narrow = |end: u64| u16::try_from(end).unwrap_or(u16::MAX);
    Ok(narrow(*range.start())..=narrow(*range.end()))
}

fn age(value: &str, clock: Clock<'_>) -> Result<Condition, String> {
    let ago = |span| clock.now.checked_sub(span).map_err(|_| format!("`{value}` is too long ago"));
    Ok(match values::age(value)? {
        Age::Above(span) => Condition::Until(ago(span)?),
        Age::Below(span) => Condition::Since(ago(span)?),
    })
}

/// A number with one of `units` after it, or with none.
fn number_with(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let lower = text.to_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let (number, unit) = lower.split_at_checked(digits)?;
    let (_, each) = units.iter().find(|(known, _)| *known == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*each)
}

fn bytes(text: &str) -> Option<u64> {
    number_with(text, &[("", 1), ("k", 1024), ("m", 1024 * 1024)])
}

fn microseconds(text: &str) -> Option<u64> {
    number_with(text, &[("us", 1), ("ms", 1000), ("s", 1_000_000)])
}

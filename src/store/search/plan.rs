//! Where to look: which index leads to the deliveries that may fit, in the order of the log.

use rusqlite::{Connection, Result, params};

use super::{Condition, Pattern, Search};
use crate::{core::delivery::Verdict, store::words::Needle};

/// Ways that are joined at most; with more of them the whole log is looked through.
const WAYS: usize = 50;
/// Common words with the same beginning that are asked for one by one.
const WORDS: u32 = 64;
/// Deliveries that are looked through without asking for their words.
const FEW: i64 = 2_000;

/// A way through the log that meets all that may fit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    Everything,
    Nothing,
    Incidents(Vec<String>),
    Verdicts(Vec<Verdict>),
    /// What was sent to these.
    Targets(Vec<String>),
    /// As they stand in the log.
    Types(Vec<String>),
    /// Those of which the index says so, and `rest` too. Deliveries that it does not hold are to be looked at one by
    /// one.
    Words {
        query: String,
        rest: Search,
    },
}

impl Plan {
    pub(super) fn of(search: &Search, db: &Connection) -> Result<Self> {
        let all = search.joined();
        if let Some(incidents) = best(&all, incident) {
            return Ok(Self::Incidents(incidents));
        }
        if let Some(targets) = best(&all, target) {
            return Ok(Self::Targets(targets));
        }
        if let Some(verdicts) = best(&all, ring) {
            return Ok(Self::Verdicts(verdicts));
        }
        let types = best(&all, event_type).map(|patterns| Types::fitting(&patterns, db)).transpose()?;
        if let Some(types) = types.as_ref().filter(|types| types.deliveries <= FEW && types.names.len() <= WAYS) {
            return Ok(if types.names.is_empty() { Self::Nothing } else { Self::Types(types.names.clone()) });
        }
        if let Some(plan) = words(&all, db)? {
            return Ok(plan);
        }
        // When one in a few fits, the log itself is the shortest way.
        let rare = |types: &Types| types.names.len() <= WAYS && types.deliveries < types.of / 20;
        Ok(types.filter(rare).map_or(Self::Everything, |types| Self::Types(types.names)))
    }
}

/// Of the conditions that all hold, the one with the fewest alternatives that all are of one kind.
fn best<T: PartialEq>(all: &[&Search], kind: impl Fn(&Condition) -> Option<T> + Copy) -> Option<Vec<T>> {
    let alternatives =
        all.iter().filter_map(|one| one.alternatives(kind)).filter(|any| (1..=WAYS).contains(&any.len()));
    let best = alternatives.min_by_key(Vec::len)?;
    // Two ways to the same deliveries would find them twice.
    let mut distinct = vec![];
    for one in best {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    Some(distinct)
}

fn incident(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Incident(id) => Some(id.as_str().to_owned()),
        _ => None,
    }
}

fn target(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Target(name) => Some(name.as_str().to_owned()),
        _ => None,
    }
}

/// The verdicts that have an index of their own.
fn ring(condition: &Condition) -> Option<Verdict> {
    match condition {
        Condition::Verdict(verdict) if *verdict != Verdict::Accepted => Some(*verdict),
        _ => None,
    }
}

fn event_type(condition: &Condition) -> Option<Pattern> {
    match condition {
        Condition::EventType(pattern) => Some(pattern.clone()),
        _ => None,
    }
}

/// Event types in the log.
struct Types {
    names: Vec<String>,
    deliveries: i64,
    /// All deliveries.
    of: i64,
}

impl Types {
    fn fitting(patterns: &[Pattern], db: &Connection) -> Result<Self> {
        let mut types = Self { names: vec![], deliveries: 0, of: 0 };
        let mut statement = db.prepare_cached("SELECT event_type, sum(deliveries) FROM counted GROUP BY event_type")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, deliveries): (String, i64) = (row.get(0)?, row.get(1)?);
            types.of += deliveries;
            if !name.is_empty() && patterns.iter().any(|pattern| pattern.matches(&name)) {
                types.deliveries += deliveries;
                types.names.push(name);
            }
        }
        Ok(types)
    }
}

/// The way by the index of words, when there are words that must stand there.
fn words(all: &[&Search], db: &Connection) -> Result<Option<Plan>> {
    let mut must = vec![];
    let mut rest = vec![];
    for one in all {
        let needles = one.alternatives(|condition| match condition {
            Condition::Text(text) => Needle::new(text),
            _ => None,
        });
        let needles = needles.filter(|needles| !needles.is_empty() && needles.len() <= WAYS);
        if needles.as_ref().is_none_or(|needles| !needles.iter().all(Needle::is_exact)) {
            rest.push((*one).clone());
        }
        if let Some(needles) = needles {
            let any = needles.iter().map(|needle| needle.query(|beginning| beginning_with(beginning, db)));
            must.push(format!("({})", any.collect::<Result<Vec<_>>>()?.join(") OR (")));
        }
    }
    let query = must.iter().map(|any| format!("({any})")).collect::<Vec<_>>().join(" AND ");
    Ok((!must.is_empty()).then_some(Plan::Words { query, rest: Search::All(rest) }))
}

/// The common words in the index with this beginning, unless they are many.
fn beginning_with(beginning: &str, db: &Connection) -> Result<Option<Vec<String>>> {
    let mut statement = db.prepare_cached("SELECT word FROM word WHERE word >= ?1 AND word < ?2 LIMIT ?3")?;
    let end = format!("{beginning}{}", char::MAX);
    let words = statement.query_map(params![beginning, end, WORDS + 1], |row| row.get(0))?;
    let words = words.collect::<Result<Vec<String>>>()?;
    Ok((words.len() <= usize::try_from(WORDS).unwrap_or_default()).then_some(words))
}

impl Search {
    /// The searches of which each must hold.
    fn joined(&self) -> Vec<&Self> {
        match self {
            Self::All(all) => all.iter().flat_map(Self::joined).collect(),
            Self::Is(_) | Self::Not(_) | Self::Any(_) => vec![self],
        }
    }

    /// What must hold, when it is one of several conditions of a kind.
    fn alternatives<T>(&self, kind: impl Fn(&Condition) -> Option<T> + Copy) -> Option<Vec<T>> {
        match self {
            Self::Is(condition) => kind(condition).map(|one| vec![one]),
            Self::Any(any) => {
                let each = any.iter().map(|one| one.alternatives(kind));
                each.collect::<Option<Vec<_>>>().map(|each| each.into_iter().flatten().collect())
            }
            Self::All(all) => match all.as_slice() {
                [one] => one.alternatives(kind),
                _ => None,
            },
            Self::Not(_) => None,
        }
    }
}

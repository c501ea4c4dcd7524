//! What the fields of all queries have in common: words to choose from, and what is said of wrong ones.

use jiff::SignedDuration;

use super::{BadQuery, nearest, span};

/// Fields with what each is for, as the help lists them.
pub type Fields = [(&'static str, &'static str)];

/// The one of `known` that `value` names, in any case; else what to say.
pub(super) fn choose<T: Clone>(value: &str, known: &[(&str, T)]) -> Result<T, String> {
    let lower = value.to_lowercase();
    if let Some((_, chosen)) = known.iter().find(|(word, _)| *word == lower) {
        return Ok(chosen.clone());
    }
    let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
    Err(match nearest(value, &words) {
        Some(near) => format!("`{value}` is not known, perhaps `{near}`"),
        None => format!("`{value}` is not known; there are {}", words.join(", ")),
    })
}

/// There is no such field.
pub(super) fn unknown_field(column: usize, name: &str, fields: &Fields) -> BadQuery {
    let known: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let meant = match nearest(name, &known) {
        Some(near) => format!("perhaps `{near}:`"),
        None => format!("there are {}", known.join(", ")),
    };
    BadQuery::new(column, format!("no field `{name}`, {meant}; what is no field goes into quotes"))
}

pub(super) fn no_time(value: &str) -> String {
    format!("`{value}` is no time; as `1h`, `7d`, `2025-06-10` or `2025-06-10T04:00Z`")
}

/// What an age is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Above(SignedDuration),
    Below(SignedDuration),
}

/// `>2h` or `<30m`.
pub(super) fn age(value: &str) -> Result<Age, String> {
    let wrong = || format!("`{value}` is no age; as `>2h` or `<30m`");
    let read = |text| span(text).ok_or_else(wrong);
    match (value.strip_prefix('>'), value.strip_prefix('<')) {
        (Some(text), _) => read(text).map(Age::Above),
        (_, Some(text)) => read(text).map(Age::Below),
        (None, None) => Err(wrong()),
    }
}

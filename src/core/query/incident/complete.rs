//! Completing what is being typed at the end of a query: fields, and their values.

use crate::core::query::{Fields, is_field_name, written};

/// What the last word of a text may become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// What stays before it.
    before: String,
    /// As far as it is typed.
    typed: String,
    kind: Kind,
    /// Fields with their colon, or values without quotes; those that begin as typed before those that hold it.
    pub candidates: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Field,
    Value,
}

/// What the end of `text` may become. `values` tells what a field's value can be.
pub fn complete(text: &str, fields: &Fields, values: impl Fn(&str) -> Vec<String>) -> Completion {
    let start = last_word(text);
    let word = text.get(start..).unwrap_or_default();
    let bare = word.trim_start_matches('!');
    let Some((field, listed)) = bare.split_once(':').filter(|(field, _)| is_field_name(field)) else {
        let names = fields.iter().map(|(name, _)| format!("{name}:")).collect();
        let quoted = bare.starts_with('"');
        return Completion::of(text, bare, Kind::Field, if quoted { vec![] } else { names });
    };
    let typed = listed.get(last_value(listed)..).unwrap_or_default();
    let all = values(&field.to_lowercase());
    Completion::of(text, typed, Kind::Value, all)
}

impl Completion {
    fn of(text: &str, typed: &str, kind: Kind, all: Vec<String>) -> Self {
        let before = text.strip_suffix(typed).unwrap_or(text).to_owned();
        let typed = unquoted(typed);
        let lower = typed.to_lowercase();
        let (mut candidates, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| one.to_lowercase().starts_with(&lower));
        let within = |one: &String| kind == Kind::Value && one.to_lowercase().contains(&lower);
        candidates.extend(others.into_iter().filter(within));
        Self { before, typed, kind, candidates }
    }

    /// The whole text with its end completed: all of it when one candidate is left, else as far as all begin alike.
    /// `None`: nothing can be added.
    pub fn advance(&self) -> Option<String> {
        let before = &self.before;
        match (self.candidates.as_slice(), self.kind) {
            ([], _) => None,
            ([only], Kind::Field) => Some(format!("{before}{only}")),
            ([only], Kind::Value) => Some(format!("{before}{} ", written(only))),
            ([first, others @ ..], kind) => {
                let common = others.iter().fold(first.as_str(), |common, next| alike(common, next));
                let longer = common.chars().count() > self.typed.chars().count();
                let plain = kind == Kind::Field || written(common) == common;
                longer.then(|| if plain { format!("{before}{common}") } else { format!("{before}\"{common}") })
            }
        }
    }
}

/// `text` without its last word.
pub fn before_last_word(text: &str) -> &str {
    text.get(..last_word(text)).unwrap_or_default()
}

/// The beginning that both have, in any case.
fn alike<'a>(a: &'a str, b: &str) -> &'a str {
    let same = |(x, y): &((usize, char), char)| x.1.to_lowercase().eq(y.to_lowercase());
    let end = a.char_indices().zip(b.chars()).take_while(same).last().map_or(0, |((at, c), _)| at + c.len_utf8());
    a.get(..end).unwrap_or_default()
}

/// Where the last word begins: behind the last blank that does not stand in quotes.
fn last_word(text: &str) -> usize {
    behind_last(text, char::is_whitespace)
}

/// Where the last value of a list begins.
fn last_value(text: &str) -> usize {
    behind_last(text, |c| c == ',')
}

fn behind_last(text: &str, divides: impl Fn(char) -> bool) -> usize {
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if divides(c) && !quoted => start = at + c.len_utf8(),
            _ => {}
        }
    }
    start
}

/// A value as far as it is typed, without its quotes.
fn unquoted(typed: &str) -> String {
    let Some(inside) = typed.strip_prefix('"') else { return typed.to_owned() };
    inside.strip_suffix('"').unwrap_or(inside).replace("\\\"", "\"").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::query::{incident::FIELDS, parse};
    use proptest::prelude::*;

    fn values(field: &str) -> Vec<String> {
        let known: &[&str] = match field {
            "service" => &["Payments API", "Payments Web", "Search \"7\""],
            "status" => &["triggered", "acked"],
            _ => &[],
        };
        known.iter().map(|one| (*one).to_owned()).collect()
    }

    fn tab(text: &str) -> Option<String> {
        complete(text, FIELDS, values).advance()
    }

    #[test]
    fn fields_then_values_are_completed_as_far_as_it_is_clear() {
        for (typed, completed) in [
            ("urg", "urgency:"),
            ("disk !urg", "disk !urgency:"),
            ("a or SER", "a or service:"),
            ("status:t", "status:triggered "),
            ("status:triggered,a", "status:triggered,acked "),
            ("service:pay", "service:\"Payments "),
            ("service:\"payments w", "service:\"Payments Web\" "),
            ("!service:web", "!service:\"Payments Web\" "),
            ("service:sea", "service:\"Search \\\"7\\\"\" "),
        ] {
            assert_eq!(tab(typed).as_deref(), Some(completed), "{typed}");
        }
        for nothing in ["", "zzz", "s", "status:", "status:x", "\"sta", "nofield:x", "service:\"Payments "] {
            assert_eq!(tab(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_may_come_next_is_listed() {
        let listed = |text: &str| complete(text, FIELDS, values).candidates;
        assert_eq!(listed("a s"), ["status:", "service:", "since:"]);
        assert_eq!(listed("status:"), ["triggered", "acked"]);
        assert_eq!(listed("service:web"), ["Payments Web"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_completing_panic(text in any::<String>()) {
            tab(&text);
        }

        #[test]
        fn a_value_from_outside_completes_to_a_query_that_asks_for_it(value in "\\PC{1,12}") {
            let completion = complete("service:", FIELDS, |_| vec![value.clone()]);
            prop_assert_eq!(parse(&completion.advance().expect("one")).map(|query| query.terms().count()), Ok(1));
        }
    }
}

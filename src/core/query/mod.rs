//! One language to look for things: words, `field:value`, `!` negates, quotes, `or`.
//!
//! ```text
//! verdict:rejected since:1h          both
//! type:incident.*,service.* !"disk"  a list: any of them; what the quotes hold stands nowhere in it
//! from:203.0.113.7 or status:4xx     `or` divides; it binds weaker than everything else
//! ```
//!
//! This is the grammar alone. What the fields are, and what they mean, is said by those who use it ([`delivery`], [`incident`],
//! [`oncall`]).
//! Printing a query and reading it again gives the same query.

pub mod delivery;
pub mod incident;
mod lexer;
pub mod near;
pub mod oncall;
pub mod part;
mod time;
mod values;

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

use lexer::is_field_name;
pub use near::nearest;
pub use time::{Spans, moment, span};
pub use values::Fields;

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct BadQuery {
    /// The character it begins with, counted from 1.
    pub column: usize,
    pub message: String,
}

impl BadQuery {
    pub fn new(column: usize, message: impl Into<String>) -> Self {
        Self { column, message: message.into() }
    }
}

/// Which moment and zone a query's times are told from.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    pub now: Timestamp,
    pub zone: &'a TimeZone,
}

/// A part of a query, and where it stands.
#[derive(Debug, Clone)]
pub struct Term {
    /// The character it begins with, counted from 1.
    pub column: usize,
    pub kind: Kind,
}

/// The place does not count: two queries are equal when they ask for the same.
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What a part of a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A word alone.
    Word(String),
    /// What stood in quotes alone.
    Text(String),
    /// `field:value,value`; never without a value.
    Field { name: String, values: Vec<Value> },
}

/// A value of a field, and where it stands.
#[derive(Debug, Clone)]
pub struct Value {
    pub column: usize,
    pub text: String,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Value {}

/// One condition, or that it does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal<T> {
    Is(T),
    Not(T),
}

impl<T> Literal<T> {
    pub fn get(&self) -> &T {
        match self {
            Self::Is(of) | Self::Not(of) => of,
        }
    }
}

/// At least one of its groups must hold; of a group, everything. Without a group everything is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<T = Term> {
    pub groups: Vec<Vec<Literal<T>>>,
}

impl<T> Default for Query<T> {
    fn default() -> Self {
        Self { groups: vec![] }
    }
}

/// Whether something is so. What is told apart later, by somebody who can look, is `Perhaps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    No,
    Perhaps,
    Yes,
}

impl From<bool> for Truth {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;
    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
            Self::Yes => Self::No,
        }
    }
}

impl Truth {
    #[must_use]
    pub fn and(self, other: impl FnOnce() -> Self) -> Self {
        match self {
            Self::No => Self::No,
            Self::Yes => other(),
            Self::Perhaps => match other() {
                Self::No => Self::No,
                Self::Yes | Self::Perhaps => Self::Perhaps,
            },
        }
    }

    #[must_use]
    pub fn or(self, other: impl FnOnce() -> Self) -> Self {
        !(!self).and(|| !other())
    }
}

impl<T> Query<T> {
    /// Whether it asks for anything; if not, everything is meant.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Every condition in it, in its order.
    pub fn terms(&self) -> impl Iterator<Item = &T> {
        self.groups.iter().flatten().map(Literal::get)
    }

    /// Whether it holds, where `judge` tells it of each condition.
    pub fn truth(&self, mut judge: impl FnMut(&T) -> Truth) -> Truth {
        if self.is_empty() {
            return Truth::Yes;
        }
        let mut literal = |literal: &Literal<T>| match literal {
            Literal::Is(of) => judge(of),
            Literal::Not(of) => !judge(of),
        };
        let mut group =
            |group: &Vec<Literal<T>>| group.iter().fold(Truth::Yes, |so_far, next| so_far.and(|| literal(next)));
        self.groups.iter().fold(Truth::No, |so_far, next| so_far.or(|| group(next)))
    }

    /// What both ask for.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self
    where
        T: Clone,
    {
        if self.is_empty() || other.is_empty() {
            return if self.is_empty() { other.clone() } else { self.clone() };
        }
        let both = self.groups.iter().flat_map(|mine| other.groups.iter().map(move |theirs| (mine, theirs)));
        Self { groups: both.map(|(mine, theirs)| [&mine[..], &theirs[..]].concat()).collect() }
    }

    /// The same query over other conditions.
    pub fn map<U, E>(&self, mut make: impl FnMut(&T) -> Result<U, E>) -> Result<Query<U>, E> {
        let mut literal = |literal: &Literal<T>| match literal {
            Literal::Is(of) => make(of).map(Literal::Is),
            Literal::Not(of) => make(of).map(Literal::Not),
        };
        let groups = self.groups.iter().map(|group| group.iter().map(&mut literal).collect());
        Ok(Query { groups: groups.collect::<Result<_, E>>()? })
    }
}

/// Reads a query. Text of blanks alone asks for everything.
pub fn parse(text: &str) -> Result<Query, BadQuery> {
    lexer::parse(text)
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, group) in self.groups.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " or " })?;
            for (at, literal) in group.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { " " })?;
                match literal {
                    Literal::Is(term) => write!(f, "{}", term.kind)?,
                    Literal::Not(term) => write!(f, "!{}", term.kind)?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Field { name, values } => {
                f.write_str(name)?;
                for (at, value) in values.iter().enumerate() {
                    f.write_str(if at == 0 { ":" } else { "," })?;
                    f.write_str(&written(&value.text))?;
                }
                Ok(())
            }
        }
    }
}

/// A value as it is written after its field: in quotes where it cannot stand without.
pub fn written(value: &str) -> String {
    if lexer::is_plain_value(value) { value.to_owned() } else { quoted(value) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        parse(text).map_or_else(|bad| bad.to_string(), |query| query.to_string())
    }

    #[test]
    fn words_fields_quotes_not_and_or_are_read() {
        for text in [
            "disk full",
            "!disk verdict:rejected,duplicate or \"a \\\"b\\\" \\\\ c\"",
            "secret:\"env A,B\" !from:[::1] or 12:30 !or",
            "",
        ] {
            assert_eq!(read(text), text);
        }
        assert_eq!(read("  a   OR  !!b !!or c"), "a or b or c");
        assert_eq!(read("type:\"x\""), "type:x");
        assert_eq!(parse("Verdict:x"), parse("verdict:x"), "a field's case does not count");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_column() {
        for (text, said) in [
            ("disk \"full", "column 6: the quote is not closed"),
            ("a or", "column 3: `or` needs something after it"),
            ("or a", "column 1: `or` needs something before it"),
            ("a or or b", "column 6: `or` needs something before it"),
            ("a ! b", "column 3: `!` needs something right after it"),
            ("é verdict:", "column 3: `verdict:` needs a value right after it"),
            ("status:1,,2", "column 10: a value is missing before `,`"),
            ("status:1, 2", "column 10: a value is missing after `,`"),
            ("\"a\"b", "column 4: a blank is missing after the quote"),
        ] {
            assert_eq!(read(text), said, "{text}");
        }
    }

    #[test]
    fn not_knowing_is_neither_yes_nor_no() {
        use Truth::{No, Perhaps, Yes};
        assert_eq!([Yes.and(|| Perhaps), No.and(|| Perhaps), Perhaps.and(|| No)], [Perhaps, No, No]);
        assert_eq!([Yes.or(|| Perhaps), No.or(|| Perhaps), Perhaps.or(|| Yes)], [Yes, Perhaps, Yes]);
        assert_eq!(!Perhaps, Perhaps);
    }

    #[test]
    fn of_two_queries_both_must_hold() {
        let and = |a: &str, b: &str| parse(a).expect(a).and(&parse(b).expect(b)).to_string();
        assert_eq!(and("a or b", "!c or d"), "a !c or a d or b !c or b d");
        assert_eq!([and("", "a"), and("a", ""), and("", "")], ["a", "a", ""]);
    }

    fn any_term() -> impl Strategy<Value = Kind> {
        let text = || any::<String>();
        let values = prop::collection::vec(text().prop_map(|text| Value { column: 1, text }), 1..4);
        prop_oneof![
            "[a-z0-9#.é%-]{1,8}".prop_filter("`or` divides", |w| w != "or").prop_map(Kind::Word),
            text().prop_map(Kind::Text),
            ("[a-z][a-z-]{0,6}", values).prop_map(|(name, values)| Kind::Field { name, values }),
        ]
    }

    fn any_query() -> impl Strategy<Value = Query> {
        let literal = (any_term(), any::<bool>()).prop_map(|(kind, not)| {
            let term = Term { column: 1, kind };
            if not { Literal::Not(term) } else { Literal::Is(term) }
        });
        prop::collection::vec(prop::collection::vec(literal, 1..4), 0..4).prop_map(|groups| Query { groups })
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_or_an_error_within_it(text in any::<String>()) {
            if let Err(bad) = parse(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&bad.column));
            }
        }

        #[test]
        fn text_that_looks_like_a_query_never_panics(text in "[a-c:!,\" \\\\or*>é]{0,24}") {
            if let Ok(query) = parse(&text) {
                prop_assert_eq!(parse(&query.to_string()), Ok(query));
            }
        }

        #[test]
        fn a_printed_query_reads_as_the_same_query(query in any_query()) {
            prop_assert_eq!(parse(&query.to_string()), Ok(query));
        }
    }
}

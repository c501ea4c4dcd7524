//! What can be said about a template before it is rendered: what is wrong for certain, and what handlebars and its
//! helpers do that their users do not expect.
//!
//! A fault is something that fails wherever the template comes to it. A warning is about a template that renders.

mod calls;
mod fields;
mod json;
mod quirks;
mod walk;

use super::{helpers, language, render::too_long};
use crate::core::{template::Fault, text::Shown};
use walk::Walk;

/// More bytes of template are refused.
pub(super) const SOURCE_LIMIT: usize = 64 * 1024;
/// Deeper blocks and parentheses are refused.
pub(super) const DEPTH_LIMIT: usize = 100;
/// More of a kind is not told.
const MOST: usize = 50;

/// What was found, in the order of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

/// Looks for all that can be told without data. Cheap, and safe on any text.
pub fn check(text: &str) -> Checked {
    if text.len() > SOURCE_LIMIT {
        return Checked { faults: vec![too_long(text.len(), SOURCE_LIMIT)], warnings: vec![] };
    }
    match language::parse(text, DEPTH_LIMIT) {
        Ok(program) => Walk::over(&program).found(text),
        Err(mistake) => Checked { faults: vec![mistake.in_text(text)], warnings: vec![] },
    }
}

/// Size, nesting, grammar, and that no refused helper is called: without them nothing is rendered.
pub(super) fn check_within(text: &str, source: usize, depth: usize) -> Result<(), Fault> {
    if text.len() > source {
        return Err(too_long(text.len(), source));
    }
    let program = language::parse(text, depth).map_err(|mistake| mistake.in_text(text))?;
    helpers::refused(&program).map_or(Ok(()), |mistake| Err(mistake.in_text(text)))
}

/// How sure it is that something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Fault,
    Warning,
}

/// Something found, at a byte of the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    at: usize,
    weight: Weight,
    message: String,
}

impl Walk {
    fn found(mut self, text: &str) -> Checked {
        self.found.sort();
        self.found.dedup();
        let place = |found: &Found| {
            let (line, column) = language::place(text, found.at);
            Fault { message: Shown::line(&found.message), line, column }
        };
        let of = |weight| {
            let found = self.found.iter().filter(move |found| found.weight == weight);
            found.take(MOST).map(place).collect()
        };
        Checked { faults: of(Weight::Fault), warnings: of(Weight::Warning) }
    }
}

#[cfg(test)]
mod tests;

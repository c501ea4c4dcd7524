//! The language of templates, read exactly as handlebars.js 4.7 reads it: the lexer with its modes, the grammar,
//! and which white space a tag takes with it. Nothing here knows what a template means: see `machine`.

mod grammar;
mod lexer;
mod tree;
mod whitespace;

pub(crate) use grammar::parse;
pub(crate) use tree::{Block, BlockKind, Call, Expression, Kind, Path, Program, Statement};

use crate::core::{template::Fault, text::Shown};

/// Where in a template something is wrong (a byte offset), and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Mistake {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// With its line and column in `text`, counted in characters from 1.
    pub(crate) fn in_text(&self, text: &str) -> Fault {
        let (line, column) = place(text, self.at);
        Fault { message: Shown::line(&self.message), line, column }
    }
}

/// Line and column of a byte offset, in characters from 1.
pub(crate) fn place(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let line = before.matches('\n').count() + 1;
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (small(line), small(column))
}

#[cfg(test)]
mod tests;

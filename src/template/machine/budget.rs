//! What one rendering may take, so that a template that never ends becomes an error long before it harms.

use std::{cell::Cell, io, rc::Rc};

use handlebars::Output;

use crate::template::{
    Limits,
    javascript::{Problem, throw},
};

/// Tags and blocks that one rendering may run.
const STEPS: u64 = 2_000_000;
/// Bytes that all blocks of one rendering may make together, for each byte of output it may have.
const SPARE: usize = 32;
/// Bytes of one text on the way.
pub(crate) const TEXT_LIMIT: usize = 4 * 1024 * 1024;
/// Blocks and partials that may run within each other.
const CALLS: usize = 200;

pub(super) struct Budget {
    output: usize,
    bytes: Cell<usize>,
    steps: Cell<u64>,
    calls: Rc<Cell<usize>>,
}

/// One more block within another, until it is dropped.
pub(super) struct Deeper(Rc<Cell<usize>>);

impl Drop for Deeper {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        let bytes = Cell::new(limits.output.saturating_mul(SPARE));
        Self { output: limits.output, bytes, steps: Cell::new(STEPS), calls: Rc::default() }
    }

    pub(super) fn step(&self) -> Result<(), Problem> {
        let Some(left) = self.steps.get().checked_sub(1) else {
            return throw(format!("the template takes more than {STEPS} steps"));
        };
        self.steps.set(left);
        Ok(())
    }

    pub(super) fn deeper(&self) -> Result<Deeper, Problem> {
        self.step()?;
        let calls = self.calls.get() + 1;
        if calls > CALLS {
            return throw(format!("blocks and partials run more than {CALLS} deep: does one include itself?"));
        }
        self.calls.set(calls);
        Ok(Deeper(self.calls.clone()))
    }
}

/// Output that ends in an error instead of filling the memory.
pub(super) struct Bounded<'b> {
    pub(super) text: String,
    budget: &'b Budget,
}

impl<'b> Bounded<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        Self { text: String::new(), budget }
    }
}

impl Output for Bounded<'_> {
    fn write(&mut self, part: &str) -> Result<(), io::Error> {
        let left = self.budget.bytes.get().checked_sub(part.len());
        let fits = self.text.len().saturating_add(part.len()) <= self.budget.output;
        let Some(left) = left.filter(|_| fits) else {
            return Err(io::Error::other(format!("the output is longer than {} bytes", self.budget.output)));
        };
        self.budget.bytes.set(left);
        self.text.push_str(part);
        Ok(())
    }
}

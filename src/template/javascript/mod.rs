//! JavaScript's values and the rules by which they are compared, converted and printed: a template means what it
//! means in handlebars.js, where `undefined` is not `null`, every number is a double and text has UTF-16 units.

pub(crate) mod compare;
pub(crate) mod date;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod pattern;
pub(crate) mod text;
mod value;

use std::rc::Rc;

pub(crate) use value::{List, Object, Value};

/// Why a value cannot be had: what JavaScript would throw, or what is refused here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    /// The innermost call it came from.
    pub(crate) place: Option<Place>,
}

/// A byte offset in the template, or in the partial of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partial: Option<Rc<str>>,
    pub(crate) at: usize,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None }
    }

    /// The same, at `place` if no inner one is known.
    pub(crate) fn at(mut self, place: impl FnOnce() -> Place) -> Self {
        self.place.get_or_insert_with(place);
        self
    }
}

/// What a JavaScript expression gives, or throws.
pub(crate) type Outcome = Result<Value, Problem>;

/// Throws.
pub(crate) fn throw<T>(message: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::new(message))
}

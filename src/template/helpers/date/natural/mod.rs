//! `date.js` 0.3.3: dates in words. What it makes of a text is often odd, and is what handlebars-helpers gives for
//! `{{moment time "YYYY"}}`, so its steps are followed one by one: [`normal`] finds dates and numbers, [`phrase`]
//! understands what is left.

mod normal;
mod phrase;
mod words;

use regress::Regex;

use crate::template::{
    clock::Clock,
    javascript::{Problem, date, throw},
};

/// A longer text is no date, and takes `date.js` a time that grows with its square.
const LONGEST: usize = 500;

/// The time that `text` means, seen from now; `None` for an invalid date.
pub(super) fn read(text: &str, clock: &Clock) -> Result<Option<i64>, Problem> {
    if text.len() > LONGEST {
        return throw(format!("a date in words has at most {LONGEST} bytes"));
    }
    let found = normal::normalise(text, clock)?;
    match found.dates.first() {
        Some(date) if found.rest.is_empty() => Ok(date::parse(date, &clock.zone)),
        _ => phrase::read(&found.rest, clock),
    }
}

/// An expression of JavaScript that is made once.
macro_rules! expression {
    ($name:ident, $source:literal) => {
        static $name: std::sync::LazyLock<regress::Regex> =
            std::sync::LazyLock::new(|| regress::Regex::new($source).expect("an expression of our own"));
    };
}
use expression;

/// The texts of a match: the whole, then its groups.
fn groups(regex: &Regex, text: &str, from: usize) -> Option<(std::ops::Range<usize>, Vec<Option<String>>)> {
    let found = regex.find_from(text, from).next()?;
    let taken = |range: Option<std::ops::Range<usize>>| range.and_then(|range| text.get(range)).map(str::to_owned);
    Some((found.range(), found.groups().map(taken).collect()))
}

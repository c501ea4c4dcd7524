//! Regular expressions. `regress` reads and matches them as ECMAScript says, on UTF-16 units; a crate that matches
//! in linear time has no look-around and no back-references, which templates use. Its backtracking is unbounded:
//! the limits of the worker end it.

use std::{cell::Cell, fmt};

use regress::Regex;

use super::{Problem, text, throw};

pub(crate) struct Pattern {
    source: String,
    flags: String,
    regex: Regex,
    /// Where a global pattern goes on.
    last: Cell<usize>,
}

/// A longer one is refused.
const LONGEST: usize = 4096;

impl Pattern {
    /// `new RegExp(source, flags)`
    pub(crate) fn new(source: &str, flags: &str) -> Result<Self, Problem> {
        let twice = flags.chars().enumerate().any(|(at, flag)| flags.chars().skip(at + 1).any(|other| other == flag));
        if twice || !flags.chars().all(|flag| "dgimsuvy".contains(flag)) || (flags.contains('u') && flags.contains('v'))
        {
            return throw(format!("`{flags}` are no flags of a regular expression"));
        }
        if source.len() > LONGEST {
            return throw(format!("a regular expression has at most {LONGEST} bytes here"));
        }
        let by_units = !flags.contains(['u', 'v']);
        let regex = if by_units {
            Regex::from_unicode(source.encode_utf16().map(u32::from), flags)
        } else {
            Regex::with_flags(source, flags)
        };
        let regex = regex.map_err(|error| Problem::new(format!("`{source}` is no regular expression: {error}")))?;
        let mut sorted: Vec<char> = flags.chars().collect();
        sorted.sort_unstable();
        Ok(Self { source: source.to_owned(), flags: sorted.into_iter().collect(), regex, last: Cell::new(0) })
    }

    /// The source as `new RegExp` takes it from another one.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// `pattern.test(text)`
    pub(crate) fn test(&self, text: &str) -> bool {
        let goes_on = self.flags.contains(['g', 'y']);
        let from = if goes_on { self.last.get() } else { 0 };
        let units = text::units(text);
        let found = (from <= units.len()).then(|| self.find(&units, from)).flatten();
        let found = found.filter(|range| !self.flags.contains('y') || range.start == from);
        if goes_on {
            self.last.set(found.as_ref().map_or(0, |range| range.end));
        }
        found.is_some()
    }

    fn find(&self, units: &[u16], from: usize) -> Option<std::ops::Range<usize>> {
        let found = if self.flags.contains(['u', 'v']) {
            self.regex.find_from_utf16(units, from).next()
        } else {
            self.regex.find_from_ucs2(units, from).next()
        };
        found.map(|found| found.range())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        if self.source.is_empty() {
            f.write_str("(?:)")?;
        }
        let (mut escaped, mut in_class) = (false, false);
        for c in self.source.chars() {
            match c {
                '/' if !escaped && !in_class => f.write_str("\\/")?,
                '\n' => f.write_str(if escaped { "n" } else { "\\n" })?,
                '\r' => f.write_str(if escaped { "r" } else { "\\r" })?,
                _ => write!(f, "{c}")?,
            }
            match c {
                '[' if !escaped => in_class = true,
                ']' if !escaped => in_class = false,
                _ => {}
            }
            escaped = c == '\\' && !escaped;
        }
        write!(f, "/{}", self.flags)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_javascript() {
        let holds = |source: &str, flags: &str, text: &str| Pattern::new(source, flags).expect(source).test(text);
        assert!(holds(r"^(?=.*\d)(\w)\1", "", "aa1"));
        assert!(holds("OUTAGE", "i", "outage") && !holds("^b$", "", "a\nb") && holds("^b$", "m", "a\nb"));
        assert!(holds("^..$", "", "🚒") && holds("^.$", "u", "🚒"));
        assert!(Pattern::new("(", "").is_err() && Pattern::new("a", "gg").is_err() && Pattern::new("a", "q").is_err());
    }

    #[test]
    fn a_pattern_prints_so_that_it_could_be_read_again() {
        let printed = |source: &str| Pattern::new(source, "ig").expect(source).to_string();
        assert_eq!((printed("a/b[/]"), printed("")), (r"/a\/b[/]/gi".to_owned(), "/(?:)/gi".to_owned()));
    }
}

//! From text to a query. Nothing is guessed: what does not fit the grammar is an error that points at its place.

use super::{BadQuery, Kind, Literal, Query, Term, Value};

/// A text being read; columns are counted in characters from 1.
struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    column: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.column += usize::from(next.is_some());
        next
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    /// Characters up to a blank or one of `ends`.
    fn plain(&mut self, ends: &[char]) -> String {
        let mut out = String::new();
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !ends.contains(c)) {
            out.push(c);
            self.next();
        }
        out
    }

    /// What stands in quotes; the first one is next.
    fn quoted(&mut self, ends: &[char]) -> Result<String, BadQuery> {
        let start = self.column;
        self.next();
        let mut out = String::new();
        loop {
            match self.next() {
                None => return Err(BadQuery::new(start, "the quote is not closed")),
                Some('"') => break,
                Some('\\') if matches!(self.peek(), Some('"' | '\\')) => out.extend(self.next()),
                Some(c) => out.push(c),
            }
        }
        match self.peek() {
            Some(c) if !c.is_whitespace() && !ends.contains(&c) => {
                Err(BadQuery::new(self.column, "a blank is missing after the quote"))
            }
            _ => Ok(out),
        }
    }
}

/// Whether a value can stand without quotes.
pub(super) fn is_plain_value(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('"') && !text.contains(|c: char| c.is_whitespace() || c == ',')
}

pub(super) fn is_field_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

pub(super) fn parse(text: &str) -> Result<Query, BadQuery> {
    let mut reader = Reader { rest: text.chars().peekable(), column: 1 };
    let mut groups: Vec<Vec<Literal<Term>>> = vec![];
    let mut group = vec![];
    let mut or_at = None;
    loop {
        reader.skip_blanks();
        let column = reader.column;
        if reader.peek().is_none() {
            break;
        }
        match literal(&mut reader)? {
            None if group.is_empty() => return Err(BadQuery::new(column, "`or` needs something before it")),
            None => {
                groups.push(std::mem::take(&mut group));
                or_at = Some(column);
            }
            Some(literal) => group.push(literal),
        }
    }
    match (or_at, group.is_empty()) {
        (Some(column), true) => return Err(BadQuery::new(column, "`or` needs something after it")),
        (None, true) => {}
        (_, false) => groups.push(group),
    }
    Ok(Query { groups })
}

/// One condition; `None`: it was `or`.
fn literal(reader: &mut Reader<'_>) -> Result<Option<Literal<Term>>, BadQuery> {
    let start = reader.column;
    let mut negated = false;
    while reader.peek() == Some('!') {
        reader.next();
        negated = !negated;
    }
    let column = reader.column;
    if column > start && reader.peek().is_none_or(char::is_whitespace) {
        return Err(BadQuery::new(start, "`!` needs something right after it"));
    }
    let kind = term(reader)?;
    if !negated && matches!(&kind, Kind::Word(word) if word.eq_ignore_ascii_case("or")) {
        return Ok(None);
    }
    let term = Term { column, kind };
    Ok(Some(if negated { Literal::Not(term) } else { Literal::Is(term) }))
}

fn term(reader: &mut Reader<'_>) -> Result<Kind, BadQuery> {
    if reader.peek() == Some('"') {
        return reader.quoted(&[]).map(Kind::Text);
    }
    let start = reader.column;
    let mut word = reader.plain(&[':']);
    if reader.peek() == Some(':') && is_field_name(&word) {
        reader.next();
        let name = word.to_ascii_lowercase();
        if reader.peek().is_none_or(char::is_whitespace) {
            return Err(BadQuery::new(start, format!("`{name}:` needs a value right after it")));
        }
        return Ok(Kind::Field { values: values(reader)?, name });
    }
    word += &reader.plain(&[]);
    Ok(Kind::Word(word))
}

fn values(reader: &mut Reader<'_>) -> Result<Vec<Value>, BadQuery> {
    let mut values = vec![];
    loop {
        let column = reader.column;
        let text = if reader.peek() == Some('"') { reader.quoted(&[','])? } else { reader.plain(&[',']) };
        if text.is_empty() && column == reader.column {
            let place = if reader.peek() == Some(',') { "before" } else { "after" };
            return Err(BadQuery::new(column, format!("a value is missing {place} `,`")));
        }
        values.push(Value { column, text });
        if reader.peek() != Some(',') {
            return Ok(values);
        }
        reader.next();
    }
}

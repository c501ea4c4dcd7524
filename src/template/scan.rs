//! Cuts a template into its tags, as handlebars.js does, with the place of each. Linear in the text, and never
//! recursive: it is what runs before anything that could be driven into trouble by a template.

use crate::core::{template::Fault, text::Shown};

/// What a tag is for, by the sign after its braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{{x}}`, `{{{x}}}`, `{{&x}}`
    Value,
    /// `{{#x}}`
    Open,
    /// `{{^x}}`
    OpenInverse,
    /// `{{#*inline "x"}}`
    OpenDecorator,
    /// `{{#>x}}`
    OpenPartial,
    /// `{{*x}}`
    Decorator,
    /// `{{>x}}`
    Partial,
    /// `{{else}}`, `{{^}}`, `{{else if x}}`
    Else,
    /// `{{/x}}`
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// A path, a name, a number.
    Word,
    /// In quotes, which are part of the text.
    Quoted,
    /// `(`, `)`, `=`, `|` and whatever else stands alone.
    Sign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) piece: Piece,
    pub(super) text: &'t str,
    /// Byte offset in the template.
    pub(super) at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag<'t> {
    pub(super) kind: Kind,
    /// Byte offset of the first brace.
    pub(super) at: usize,
    /// What follows the sign; for `{{else if x}}` what follows `else`.
    pub(super) tokens: Vec<Token<'t>>,
}

/// Says that something is wrong at byte `at` of `text`.
pub(super) fn fault(text: &str, at: usize, message: &str) -> Fault {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let line = before.matches('\n').count() + 1;
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Fault { message: Shown::line(message), line: small(line), column: small(column) }
}

/// More tags and comments are refused: the parser's time grows with their square.
const TAG_LIMIT: usize = 2000;

/// The tags of `text` in their order, comments and escaped ones left out.
pub(super) fn tags(text: &str) -> Result<Vec<Tag<'_>>, Fault> {
    let mut scan = Scan { text, at: 0 };
    let mut out = vec![];
    let mut count = 0;
    while let Some(open) = scan.next_open() {
        count += 1;
        if count > TAG_LIMIT {
            return scan.fault(open, &format!("more than {TAG_LIMIT} tags"));
        }
        out.extend(scan.tag(open)?);
    }
    Ok(out)
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault<T>(&self, at: usize, message: &str) -> Result<T, Fault> {
        Err(fault(self.text, at, message))
    }

    /// Moves behind `word` if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let next = self.rest().starts_with(word);
        if next {
            self.at += word.len();
        }
        next
    }

    /// The next `{{` that is not escaped by an odd `\`: handlebars.js looks at two characters only.
    fn next_open(&mut self) -> Option<usize> {
        loop {
            let open = self.at + self.rest().find("{{")?;
            let before = self.text.get(..open).unwrap_or_default();
            self.at = open;
            if before.ends_with('\\') && !before.ends_with("\\\\") {
                self.at += 2;
                continue;
            }
            return Some(open);
        }
    }

    /// The tag at `open`; `None` for a comment.
    fn tag(&mut self, open: usize) -> Result<Option<Tag<'t>>, Fault> {
        if self.take("{{{{") {
            return self.fault(open, "not supported yet: raw blocks, {{{{…}}}}");
        }
        self.take("{{");
        if self.comment(open)? {
            return Ok(None);
        }
        let triple = self.take("{");
        let stripped = self.take("~");
        if stripped && triple {
            return self.fault(open, "{{{~ is not Handlebars: write {{~{x}~}}");
        }
        let triple = triple || (stripped && self.take("{"));
        let kind = if triple { Kind::Value } else { self.kind() };
        let mut tokens = self.tokens(open)?;
        self.close(open, triple)?;
        let kind = match tokens.first() {
            Some(first) if kind == Kind::Value && !triple && first.text == "else" => {
                tokens.remove(0);
                Kind::Else
            }
            None if kind == Kind::OpenInverse => Kind::Else,
            _ => kind,
        };
        if tokens.is_empty() && kind != Kind::Else {
            return self.fault(open, "an empty tag");
        }
        Ok(Some(Tag { kind, at: open, tokens }))
    }

    fn comment(&mut self, open: usize) -> Result<bool, Fault> {
        let stripped = self.rest().starts_with("~!");
        if !stripped && !self.rest().starts_with('!') {
            return Ok(false);
        }
        let long = self.rest().trim_start_matches('~').starts_with("!--");
        let end = if long { "--}}" } else { "}}" };
        let length = self.rest().find(end);
        let comment = length.and_then(|length| self.rest().get(..length)).unwrap_or(self.rest());
        if stripped || (long && comment.contains("--~}}")) || (!long && comment.ends_with('~')) {
            return self.fault(open, "not supported yet: `~` on a comment");
        }
        let Some(length) = length else { return self.fault(open, "a comment that is never closed") };
        self.at += length + end.len();
        Ok(true)
    }

    fn kind(&mut self) -> Kind {
        let signs = [
            ("#*", Kind::OpenDecorator),
            ("#>", Kind::OpenPartial),
            ("#", Kind::Open),
            ("^", Kind::OpenInverse),
            ("/", Kind::Close),
            (">", Kind::Partial),
            ("*", Kind::Decorator),
            ("&", Kind::Value),
        ];
        signs.into_iter().find(|(sign, _)| self.take(sign)).map_or(Kind::Value, |(_, kind)| kind)
    }

    fn tokens(&mut self, open: usize) -> Result<Vec<Token<'t>>, Fault> {
        let mut out = vec![];
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            let rest = self.rest();
            let Some(first) = rest.chars().next() else {
                return self.fault(open, "a tag that is never closed");
            };
            if rest.starts_with("}}") || rest.starts_with("~}}") || rest.starts_with("}~}}") {
                return Ok(out);
            }
            let (piece, length) = match first {
                '"' | '\'' => (Piece::Quoted, self.quoted(first)?),
                '{' | '}' => return self.fault(self.at, "a brace within a tag"),
                '(' | ')' | '=' | '|' | '~' => (Piece::Sign, 1),
                _ => (Piece::Word, word_length(rest)),
            };
            out.push(Token { piece, text: rest.get(..length).unwrap_or(rest), at: self.at });
            self.at += length;
        }
    }

    /// The length of the quoted text here, quotes included.
    fn quoted(&self, quote: char) -> Result<usize, Fault> {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => return Ok(at + 1),
                _ => {}
            }
        }
        self.fault(self.at, "a quote that is never closed")
    }

    fn close(&mut self, open: usize, triple: bool) -> Result<(), Fault> {
        let at = self.at;
        if triple {
            if !self.take("}}}") && !self.take("}~}}") {
                return self.fault(open, "{{{ must be closed by }}}");
            }
            if self.rest().starts_with('}') {
                return self.fault(at, "}}}} closes nothing: with a brace of your own behind the tag, write }}} }");
            }
            return Ok(());
        }
        self.take("~");
        self.take("}}");
        if self.rest().starts_with('}') {
            return self.fault(at, "}}} closes only {{{: with a brace of your own behind the tag, write }} }");
        }
        Ok(())
    }
}

/// The length of the word at the start of `rest`; `[…]` in it may hold anything.
fn word_length(rest: &str) -> usize {
    let mut in_brackets = false;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ if in_brackets => {}
            '(' | ')' | '=' | '|' | '~' | '{' | '}' | '"' | '\'' => return at.max(1),
            c if c.is_whitespace() => return at,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(Kind, Vec<&str>)> {
        let tags = tags(text).expect("tags");
        tags.into_iter().map(|tag| (tag.kind, tag.tokens.iter().map(|token| token.text).collect())).collect()
    }

    fn place(text: &str) -> (u32, u32) {
        let fault = tags(text).expect_err("a fault");
        (fault.line, fault.column)
    }

    #[test]
    fn tags_are_told_apart() {
        let text =
            "a{{b}}{{{c d}}}{{#e f as |g h|}}{{else}}{{^}}{{else if i}}{{/e}}{{> j k=1}}{{!l}}{{!-- }} --}}{{~m~}}";

        assert_eq!(
            shape(text),
            [
                (Kind::Value, vec!["b"]),
                (Kind::Value, vec!["c", "d"]),
                (Kind::Open, vec!["e", "f", "as", "|", "g", "h", "|"]),
                (Kind::Else, vec![]),
                (Kind::Else, vec![]),
                (Kind::Else, vec!["if", "i"]),
                (Kind::Close, vec!["e"]),
                (Kind::Partial, vec!["j", "k", "=", "1"]),
                (Kind::Value, vec!["m"]),
            ]
        );
    }

    #[test]
    fn what_is_quoted_or_bracketed_belongs_together() {
        assert_eq!(
            shape(r#"{{a "}} \" x" 'y"' b.[c }} d] (e f)}}"#),
            [(Kind::Value, vec!["a", r#""}} \" x""#, r#"'y"'"#, "b.[c }} d]", "(", "e", "f", ")"])]
        );
    }

    #[test]
    fn an_escaped_tag_is_text() {
        assert_eq!(shape(r"\{{a}} {{b}}"), [(Kind::Value, vec!["b"])]);
        assert_eq!(shape(r"\\{{a}}"), [(Kind::Value, vec!["a"])]);
    }

    #[test]
    fn faults_name_the_place_in_characters() {
        assert_eq!(place("é\né {{"), (2, 3));
        assert_eq!(place("{\"n\":{{x}}}"), (1, 9));
        assert_eq!(place("{{{x}}"), (1, 1));
        assert_eq!(place("{\"n\":{{{x}}}}"), (1, 10));
        assert_eq!(place("ab {{x \"y}}"), (1, 8));
        assert_eq!(place("{{!-- x"), (1, 1));
        assert_eq!(place("{{{{raw}}}}"), (1, 1));
    }
}

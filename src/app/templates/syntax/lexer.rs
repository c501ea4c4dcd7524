//! Cuts one line into tokens, from the state in which it begins.

use super::{Json, Kind, Place, Sign, Start, State, Tag, Token};
use crate::core::helper::{Use, helper_called};

/// Adds the tokens of a line that begins in `state`; gives the state at its end.
pub fn tokens(state: State, line: &str, out: &mut Vec<Token>) -> State {
    let first = out.len();
    let mut lexer = Lexer { line, at: 0, state, out, text_from: first };
    while lexer.at < line.len() {
        lexer.step();
    }
    lexer.state
}

struct Lexer<'l, 'o> {
    line: &'l str,
    at: usize,
    state: State,
    out: &'o mut Vec<Token>,
    /// The first token of the JSON text that is open.
    text_from: usize,
}

impl<'l> Lexer<'l, '_> {
    fn rest(&self) -> &'l str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, kind: Kind, length: usize) {
        let end = self.at + length;
        if length > 0 {
            self.out.push(Token { kind, start: self.at, end });
        }
        self.at = end;
    }

    fn step(&mut self) {
        match self.state.place {
            Place::Outside => self.outside(),
            Place::Tag(tag) => match tag.quote {
                Some(quote) => self.quoted(tag, quote),
                None => self.inside(tag),
            },
            Place::Comment { long } => {
                let end = if long { "--}}" } else { "}}" };
                let rest = self.rest();
                // `--~}}` ends a long one too.
                let found = rest.find(end).map(|at| at + end.len());
                let stripping = rest.find("--~}}").filter(|_| long).map(|at| at + 5);
                let found = found.into_iter().chain(stripping).min();
                if found.is_some() {
                    self.state.place = Place::Outside;
                }
                self.take(Kind::Comment, found.unwrap_or(rest.len()));
            }
            Place::RawBlock => {
                let length = self.rest().find("{{{{/").unwrap_or(self.rest().len());
                if length < self.rest().len() {
                    self.state.place = Place::Outside;
                }
                self.at += length;
            }
        }
    }

    fn outside(&mut self) {
        let rest = self.rest();
        if let Some(escaped) = rest.strip_prefix("\\{{") {
            let length = 3 + escaped.find("}}").map_or(escaped.len(), |at| at + 2);
            self.at += length;
        } else if rest.starts_with("{{") {
            self.open();
        } else {
            match self.state.json {
                Json::Off => {
                    let next = rest.char_indices().skip(1).find(|(_, c)| matches!(c, '{' | '\\'));
                    self.at += next.map_or(rest.len(), |(at, _)| at);
                }
                Json::InText => self.json_text(),
                Json::Between => self.json_between(),
            }
        }
    }

    fn open(&mut self) {
        let rest = self.rest();
        let braces = if rest.starts_with("{{{{") { 4 } else { 2 };
        let after = rest.get(braces..).unwrap_or_default();
        let inner = after.strip_prefix('~').unwrap_or(after);
        let stripped = after.len() - inner.len();
        if braces == 2 && inner.starts_with('!') {
            self.state.place = Place::Comment { long: inner.starts_with("!--") };
            self.take(Kind::Comment, braces + stripped + 1);
            return;
        }
        let (sign, length) = match inner.as_bytes() {
            [b'{', ..] if braces == 2 => (Sign::Value, 1),
            [b'#', b'>' | b'*', ..] => (Sign::Open, 2),
            [b'#', ..] => (Sign::Open, 1),
            [b'/', ..] => (Sign::Close, 1),
            [b'^', ..] => (Sign::Inverse, 1),
            [b'>', ..] => (Sign::Partial, 1),
            [b'&', ..] => (Sign::Value, 1),
            _ => (Sign::Value, 0),
        };
        let start = match inner.as_bytes() {
            _ if braces == 4 => Start::RawBlock,
            [b'{', ..] => Start::Braced,
            [b'&', ..] => Start::And,
            _ => Start::Escaped,
        };
        self.state.place = Place::Tag(Tag { sign, start, head: true, quote: None });
        self.take(start.kind(), braces + stripped + length);
    }

    fn inside(&mut self, tag: Tag) {
        let rest = self.rest();
        if let Some(end) = end_of_tag(rest) {
            let in_raw_block = tag.start == Start::RawBlock && tag.sign != Sign::Close;
            self.state.place = if in_raw_block { Place::RawBlock } else { Place::Outside };
            let kind = if tag.start.ends_with(end) { tag.start.kind() } else { Kind::Bad };
            self.take(kind, end.len());
            return;
        }
        let Some(first) = rest.chars().next() else { return };
        match first {
            '"' | '\'' => {
                self.state.place = Place::Tag(Tag { quote: Some(first), head: false, ..tag });
                self.take(Kind::Literal, 1);
            }
            '(' | ')' => {
                self.state.place = Place::Tag(Tag { head: first == '(', ..tag });
                self.take(Kind::Parenthesis, 1);
            }
            c if is_path(c) => self.word(tag),
            c => self.at += c.len_utf8(),
        }
    }

    fn word(&mut self, tag: Tag) {
        let rest = self.rest();
        let length = word_length(rest);
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let kind = match word {
            _ if after.starts_with('=') => Kind::Name,
            "true" | "false" | "null" | "undefined" => Kind::Constant,
            "else" if tag.head => Kind::Keyword,
            "as" if after.trim_start().starts_with('|') => Kind::Keyword,
            _ if word.parse::<f64>().is_ok() => Kind::Number,
            _ if tag.head && tag.sign != Sign::Partial => called(word),
            _ => Kind::Field,
        };
        // `else if`: what follows is called too.
        let head = tag.head && word == "else";
        self.state.place = Place::Tag(Tag { head, ..tag });
        self.take(kind, length.max(1));
    }

    fn quoted(&mut self, tag: Tag, quote: char) {
        let mut escaped = false;
        for (at, c) in self.rest().char_indices() {
            if c == quote && !escaped {
                self.state.place = Place::Tag(Tag { quote: None, ..tag });
                return self.take(Kind::Literal, at + 1);
            }
            escaped = c == '\\' && !escaped;
        }
        self.take(Kind::Literal, self.rest().len());
    }

    fn json_between(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        match first {
            '"' => {
                self.state.json = Json::InText;
                self.text_from = self.out.len();
                self.take(Kind::Text, 1);
            }
            '{' | '}' | '[' | ']' => self.take(Kind::Bracket, 1),
            '-' | '0'..='9' => {
                let number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
                self.take(Kind::Number, rest.find(|c| !number(c)).unwrap_or(rest.len()));
            }
            'a'..='z' => {
                let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
                match rest.get(..length) {
                    Some("true" | "false" | "null") => self.take(Kind::Constant, length),
                    _ => self.at += length,
                }
            }
            c => self.at += c.len_utf8(),
        }
    }

    /// Up to its end, a tag in it, or the end of the line, where a JSON text cannot go on.
    fn json_text(&mut self) {
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices() {
            let here = rest.get(at..).unwrap_or_default();
            if here.starts_with("{{") && at > 0 {
                return self.take(Kind::Text, at);
            }
            if c == '"' && !escaped {
                self.take(Kind::Text, at + 1);
                return self.end_json_text();
            }
            escaped = c == '\\' && !escaped;
        }
        self.take(Kind::Text, rest.len());
        self.state.json = Json::Between;
    }

    fn end_json_text(&mut self) {
        self.state.json = Json::Between;
        if self.rest().trim_start().starts_with(':') {
            for token in self.out.iter_mut().skip(self.text_from).filter(|token| token.kind == Kind::Text) {
                token.kind = Kind::Key;
            }
        }
    }
}

fn end_of_tag(rest: &str) -> Option<&'static str> {
    ["}}}}", "}~}}", "}}}", "~}}", "}}"].into_iter().find(|end| rest.starts_with(end))
}

/// What the first word of a tag is.
fn called(word: &str) -> Kind {
    match word {
        "if" | "unless" | "each" | "with" => Kind::Keyword,
        word => match helper_called(word).map(|helper| helper.called) {
            Some(Use::Refused) => Kind::Bad,
            Some(Use::Value | Use::Block | Use::Log) => Kind::Helper,
            None => Kind::Field,
        },
    }
}

/// What paths are made of.
pub(in crate::app::templates) fn is_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '[' | ']' | '$')
}

/// The bytes of the path at the start of `rest`; in brackets anything goes.
fn word_length(rest: &str) -> usize {
    let mut bracketed = false;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => bracketed = true,
            ']' => bracketed = false,
            c if !bracketed && !is_path(c) => return at,
            _ => {}
        }
    }
    rest.len()
}

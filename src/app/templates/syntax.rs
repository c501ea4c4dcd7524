//! What the characters of a template are, line by line, for colours and for finding pairs. Each line begins in the
//! state in which the one before ended, so that only the lines in sight have to be looked at again. This reads
//! loosely: whether a template is right is for the server to say.

use crate::core::helper::{Use, helper_called};

/// What a stretch of text is. What is none of these is plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name before `:` in JSON.
    Key,
    /// A text in JSON.
    Text,
    Number,
    /// `true`, `false`, `null`.
    Constant,
    /// One of `{ } [ ]` in JSON.
    Bracket,
    /// One of `( )` in a tag.
    Parenthesis,
    /// The ends of a tag, with the sign that says what tag it is.
    Tag,
    /// The same of one whose output is not escaped: `{{{`, `{{&`.
    Raw,
    /// `if`, `else`, `each` …
    Keyword,
    Helper,
    /// Refused, or an end that does not belong to the start.
    Bad,
    Field,
    /// The name of a named value: `format=`.
    Name,
    Literal,
    Comment,
}

/// A stretch of one line, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Where the lexer stands at the start of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    json: Json,
    pub(super) place: Place,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Json {
    /// The text is no JSON.
    #[default]
    Off,
    Between,
    InText,
}

/// Inside what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Outside,
    Tag(Tag),
    /// `{{! …}}`, or `{{!-- … --}}`.
    Comment {
        long: bool,
    },
    /// Between `{{{{name}}}}` and `{{{{/name}}}}`.
    RawBlock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) sign: Sign,
    start: Start,
    /// The next word says what is called.
    pub(super) head: bool,
    /// The quote that a text began with.
    pub(super) quote: Option<char>,
}

/// How a tag began, and so must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// `{{`
    Escaped,
    /// `{{&`
    And,
    /// `{{{`
    Braced,
    /// `{{{{`
    RawBlock,
}

impl Start {
    fn kind(self) -> Kind {
        match self {
            Self::And | Self::Braced => Kind::Raw,
            Self::Escaped | Self::RawBlock => Kind::Tag,
        }
    }

    /// Whether this end belongs to it.
    fn ends_with(self, end: &str) -> bool {
        match self {
            Self::Escaped | Self::And => matches!(end, "}}" | "~}}"),
            Self::Braced => matches!(end, "}}}" | "}~}}"),
            Self::RawBlock => end == "}}}}",
        }
    }
}

/// What kind of tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Value,
    Open,
    Close,
    Inverse,
    Partial,
}

impl State {
    /// JSON without tags.
    pub fn json() -> Self {
        Self { json: Json::Between, place: Place::Outside }
    }

    /// At the first line of a template.
    fn first(lines: &[String]) -> Self {
        if is_json(lines) { Self::json() } else { Self::default() }
    }

    /// The tag that is open here, unless it is a comment.
    pub(super) fn tag(self) -> Option<Tag> {
        match self.place {
            Place::Tag(tag) => Some(tag),
            Place::Outside | Place::Comment { .. } | Place::RawBlock => None,
        }
    }
}

/// The states at the start of each line.
pub fn states(lines: &[String]) -> Vec<State> {
    let (mut state, mut scratch) = (State::first(lines), vec![]);
    let mut out = Vec::with_capacity(lines.len());
    for line in lines {
        out.push(state);
        scratch.clear();
        state = tokens(state, line, &mut scratch);
    }
    out
}

/// Whether the first thing outside of tags is the start of an object or a list.
fn is_json(lines: &[String]) -> bool {
    let (mut state, mut found) = (State::default(), vec![]);
    for line in lines {
        found.clear();
        state = tokens(state, line, &mut found);
        let mut rest = line.char_indices().filter(|(_, c)| !c.is_whitespace());
        let in_tag = |at: usize| found.iter().any(|token| (token.start..token.end).contains(&at));
        let (mut depth, first) = (0_i32, rest.find(|(at, _)| !in_tag(*at)));
        let Some((at, c)) = first else { continue };
        // A plain character between the tokens of a tag is not outside of it.
        for token in found.iter().filter(|token| token.end <= at) {
            let text = line.get(token.start..token.end).unwrap_or_default();
            depth += i32::from(text.starts_with("{{")) - i32::from(text.ends_with("}}"));
        }
        if depth <= 0 {
            return matches!(c, '{' | '[');
        }
    }
    false
}

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
pub(super) fn is_path(c: char) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each token as its kind's first letters and its text.
    fn said(text: &str) -> Vec<String> {
        let lines: Vec<_> = text.split('\n').map(str::to_owned).collect();
        let mut out = vec![];
        for (state, line) in states(&lines).into_iter().zip(&lines) {
            let mut found = vec![];
            tokens(state, line, &mut found);
            out.extend(found.iter().map(|t| format!("{:?} {}", t.kind, line.get(t.start..t.end).expect("a token"))));
        }
        out
    }

    #[test]
    fn a_tag_says_what_is_called_and_with_what() {
        assert_eq!(
            said("{{#each raw.list as |item|}}{{upcase item.name}}{{else}}{{/each}}"),
            [
                "Tag {{#",
                "Keyword each",
                "Field raw.list",
                "Keyword as",
                "Field item",
                "Tag }}",
                "Tag {{",
                "Helper upcase",
                "Field item.name",
                "Tag }}",
                "Tag {{",
                "Keyword else",
                "Tag }}",
                "Tag {{/",
                "Keyword each",
                "Tag }}"
            ]
        );
        assert_eq!(
            said("{{moment (lookup a 1) format=\"YYYY }}\"}}"),
            [
                "Tag {{",
                "Helper moment",
                "Parenthesis (",
                "Keyword lookup",
                "Field a",
                "Number 1",
                "Parenthesis )",
                "Name format",
                "Literal \"",
                "Literal YYYY }}\"",
                "Tag }}"
            ]
            .map(|word| if word == "Keyword lookup" { "Helper lookup" } else { word })
        );
        assert_eq!(said("{{{raw}}}{{&b}}{{read x}}")[..3], ["Raw {{{", "Helper raw", "Raw }}}"]);
        assert_eq!(said("{{read x}}")[1], "Bad read");
        assert_eq!(said("{{a}}}")[2], "Bad }}}", "which JSON around a tag invites, and which is no end of it");
        assert_eq!(said("{{{a}}")[2], "Bad }}");
        assert_eq!(said("{{else if a}}")[1..3], ["Keyword else", "Keyword if"]);
    }

    #[test]
    fn tags_texts_and_comments_go_on_over_lines() {
        assert_eq!(said("{{!-- a }}\nb --}}c"), ["Comment {{!", "Comment -- a }}", "Comment b --}}"]);
        assert_eq!(
            said("{{add\n  1\n'a\nb'}}"),
            ["Tag {{", "Helper add", "Number 1", "Literal '", "Literal a", "Literal b'", "Tag }}"]
        );
        assert_eq!(said("{{{{raw}}}}\n{{x}}\n{{{{/raw}}}}{{y}}").last().map(String::as_str), Some("Tag }}"));
        assert!(!said("{{{{raw}}}}\n{{x}}\n{{{{/raw}}}}").contains(&"Field x".to_owned()));
    }

    #[test]
    fn json_around_the_tags_is_told_apart_and_other_text_is_not_touched() {
        assert_eq!(
            said("{\n \"a{{b}}\": \"x\\\"{{c}}\", \"n\": [-1.5, true]\n}"),
            [
                "Bracket {",
                "Key \"",
                "Key a",
                "Tag {{",
                "Field b",
                "Tag }}",
                "Key \"",
                "Text \"",
                "Text x\\\"",
                "Tag {{",
                "Field c",
                "Tag }}",
                "Text \"",
                "Key \"",
                "Key n\"",
                "Bracket [",
                "Number -1.5",
                "Constant true",
                "Bracket ]",
                "Bracket }"
            ]
        );
        assert_eq!(said("Dear \"{{name}}\", it is {true}"), ["Tag {{", "Field name", "Tag }}"]);
        assert_eq!(said("{{#if a}}\n{\"b\": 1}\n{{/if}}")[4], "Bracket {");
        assert_eq!(said("\\{{a}} {{b}}"), ["Tag {{", "Field b", "Tag }}"]);
    }

    #[test]
    fn nothing_stops_it_and_nothing_is_cut_through_a_character() {
        for text in [
            "{{",
            "{{{",
            "{{é",
            "\"é",
            "{\"é\\",
            "{{[é",
            "{{'",
            "}}",
            "{{!",
            "{{{{",
            "{{/",
            "\\{{",
            "é{{~é~}}é",
            "{{as |",
        ] {
            for cut in ["", "{", "{\n"] {
                said(&format!("{cut}{text}"));
                said(&format!("{cut}{text}\n{text}"));
            }
        }
    }
}

//! What the characters of a template are, line by line, for colours and for finding pairs. Each line begins in the
//! state in which the one before ended, so that only the lines in sight have to be looked at again. This reads
//! loosely: whether a template is right is for the server to say.

mod lexer;

pub(super) use lexer::is_path;
pub use lexer::tokens;

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
    place: Place,
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
enum Place {
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

//! Cuts a template into tokens, rule by rule as the lexer of handlebars.js 4.7 does, in its five modes. Linear in
//! the text, but for the search of a comment's end.

use super::Mistake;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Content,
    Comment,
    OpenRawBlock,
    CloseRawBlock,
    EndRawBlock,
    OpenBlock,
    OpenPartialBlock,
    OpenInverse,
    OpenInverseChain,
    Inverse,
    OpenEndBlock,
    Open,
    OpenUnescaped,
    OpenPartial,
    Close,
    CloseUnescaped,
    OpenParenthesis,
    CloseParenthesis,
    Equals,
    Id,
    Separator,
    Text,
    Number,
    Bool,
    Undefined,
    Null,
    Data,
    OpenBlockParams,
    CloseBlockParams,
    Invalid,
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    /// Its text, without what the lexer takes off (quotes, backslashes).
    pub(super) text: String,
    pub(super) at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Text,
    /// Behind `\{{`.
    Escaped,
    Tag,
    Comment,
    Raw,
}

pub(super) fn lex(text: &str) -> Result<Vec<Lexeme>, Mistake> {
    let mut lexer = Lexer { text, at: 0, modes: vec![Mode::Text], out: vec![] };
    while lexer.at < text.len() {
        lexer.step()?;
    }
    lexer.push(Token::End, "");
    Ok(lexer.out)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    modes: Vec<Mode>,
    out: Vec<Lexeme>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, token: Token, text: &str) {
        self.out.push(Lexeme { token, text: text.to_owned(), at: self.at });
    }

    fn unknown<T>(&self) -> Result<T, Mistake> {
        let message = match self.modes.last() {
            Some(Mode::Comment) => "a comment that is never closed",
            Some(Mode::Raw) => "a raw block that is never closed",
            _ => "a character that no template can hold (NUL)",
        };
        Err(Mistake::new(self.at, message))
    }

    fn step(&mut self) -> Result<(), Mistake> {
        match self.modes.last().copied().unwrap_or(Mode::Text) {
            Mode::Text => self.text_step(),
            Mode::Escaped => self.escaped_step(),
            Mode::Tag => {
                self.tag_step();
                Ok(())
            }
            Mode::Comment => self.comment_step(),
            Mode::Raw => self.raw_step(),
        }
    }

    fn text_step(&mut self) -> Result<(), Mistake> {
        let rest = self.rest();
        let open = rest.find("{{");
        let content = rest.get(..open.unwrap_or(rest.len())).unwrap_or_default();
        let (Some(open), None) = (open, content.find('\0')) else {
            let end = content.find('\0').unwrap_or(content.len());
            if end == 0 {
                return self.unknown();
            }
            self.take(Token::Content, end);
            return Ok(());
        };
        let (kept, mode) = match content.strip_suffix('\\') {
            Some(kept) if kept.ends_with('\\') => (kept, Mode::Tag),
            Some(kept) => (kept, Mode::Escaped),
            None => (content, Mode::Tag),
        };
        if !kept.is_empty() {
            self.push(Token::Content, kept);
        }
        self.at += open;
        self.modes.push(mode);
        Ok(())
    }

    fn take(&mut self, token: Token, length: usize) {
        let text = self.rest().get(..length).unwrap_or_default();
        self.push(token, text);
        self.at += length;
    }

    /// The text of an escaped tag, up to the next one, escaped or not.
    fn escaped_step(&mut self) -> Result<(), Mistake> {
        let rest = self.rest();
        let ends = |at: usize| {
            let from = rest.get(at..).unwrap_or_default();
            from.starts_with("{{") || from.starts_with("\\{{") || from.starts_with("\\\\{{")
        };
        let end = rest.char_indices().map(|(at, _)| at).find(|&at| at >= 2 && ends(at)).unwrap_or(rest.len());
        if rest.get(..end).is_none_or(|text| text.contains('\0')) {
            return self.unknown();
        }
        self.modes.pop();
        self.take(Token::Content, end);
        Ok(())
    }

    fn comment_step(&mut self) -> Result<(), Mistake> {
        let rest = self.rest();
        let plain = rest.find("--}}").map(|at| (at, at + 4));
        let stripping = rest.find("--~}}").map(|at| (at, at + 5));
        let Some((_, end)) = plain.into_iter().chain(stripping).min() else { return self.unknown() };
        self.modes.pop();
        self.take(Token::Comment, end);
        Ok(())
    }

    fn raw_step(&mut self) -> Result<(), Mistake> {
        let rest = self.rest();
        if rest.starts_with("{{{{") {
            if let Some(name) = end_of_raw_block(rest) {
                self.modes.pop();
                let length = name.len() + 9;
                if self.modes.last() == Some(&Mode::Raw) {
                    self.take(Token::Content, length);
                    return Ok(());
                }
                self.push(Token::EndRawBlock, name);
                self.at += length;
                return Ok(());
            }
            if rest.chars().nth(4).is_some_and(|next| next != '/') {
                self.modes.push(Mode::Raw);
                self.take(Token::Content, 4);
                return Ok(());
            }
        }
        let from = rest.chars().next().map_or(0, char::len_utf8);
        match rest.get(from..).and_then(|later| later.find("{{{{")).map(|at| at + from) {
            Some(end) if rest.get(..end).is_some_and(|text| !text.contains('\0')) => {
                self.take(Token::Content, end);
                Ok(())
            }
            _ => self.unknown(),
        }
    }

    fn tag_step(&mut self) {
        let rest = self.rest();
        if let Some((token, length)) = opening(rest) {
            return self.open(token, length);
        }
        if let Some((token, length)) = closing(rest) {
            self.modes.pop();
            if token == Token::CloseRawBlock {
                self.modes.push(Mode::Raw);
            }
            self.take(token, length);
            return;
        }
        let spaces = rest.len() - rest.trim_start_matches(is_space).len();
        if spaces > 0 {
            self.at += spaces;
            return;
        }
        let Some(first) = rest.chars().next() else { return };
        match first {
            '"' | '\'' => self.quoted(first),
            '[' => self.bracketed(),
            _ => {
                let (token, length) = word(rest, first);
                self.take(token, length);
            }
        }
    }

    fn open(&mut self, opening: Opening, length: usize) {
        match opening {
            Opening::Token(token) => self.take(token, length),
            Opening::Inverse => {
                self.modes.pop();
                self.take(Token::Inverse, length);
            }
            Opening::LongComment => {
                self.modes.pop();
                self.modes.push(Mode::Comment);
            }
            Opening::Comment => {
                self.modes.pop();
                self.take(Token::Comment, length);
            }
        }
    }

    fn quoted(&mut self, quote: char) {
        let Some(length) = quoted_length(self.rest(), quote) else { return self.take(Token::Invalid, 1) };
        let inner = self.rest().get(1..length - 1).unwrap_or_default();
        self.push(Token::Text, &inner.replace(&format!("\\{quote}"), &quote.to_string()));
        self.at += length;
    }

    fn bracketed(&mut self) {
        let Some(length) = quoted_length(self.rest(), ']') else { return self.take(Token::Invalid, 1) };
        let text = self.rest().get(..length).unwrap_or_default();
        let text = unescape_brackets(text);
        self.push(Token::Id, &text);
        self.at += length;
    }
}

/// `\s`
fn is_space(c: char) -> bool {
    crate::template::javascript::text::is_space(c)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The name in `{{{{/name}}}}`.
fn end_of_raw_block(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix("{{{{/")?;
    let end = name.find(|c| !is_id(c)).filter(|end| *end > 0)?;
    name.get(end..)?.starts_with("}}}}").then(|| name.get(..end)).flatten()
}

/// What names are made of.
fn is_id(c: char) -> bool {
    !is_space(c)
        && !matches!(c, '!' | '"' | '#' | '%'..=',' | '.' | '/' | ';'..='>' | '@' | '['..='^' | '`' | '{'..='~')
}

#[derive(Clone, Copy)]
enum Opening {
    Token(Token),
    /// `{{else}}` or `{{^}}`, with its end.
    Inverse,
    /// `{{!--`
    LongComment,
    /// `{{! …}}`, with its end.
    Comment,
}

/// The start of a tag here, with its length.
fn opening(rest: &str) -> Option<(Opening, usize)> {
    let after = rest.strip_prefix("{{")?;
    if after.starts_with("{{") {
        return Some((Opening::Token(Token::OpenRawBlock), 4));
    }
    let inner = after.strip_prefix('~').unwrap_or(after);
    let length = |left: &str| rest.len() - left.len();
    let signs = [
        (">", Token::OpenPartial),
        ("#>", Token::OpenPartialBlock),
        ("#*", Token::OpenBlock),
        ("#", Token::OpenBlock),
        ("/", Token::OpenEndBlock),
    ];
    for (sign, token) in signs {
        if let Some(left) = inner.strip_prefix(sign) {
            return Some((Opening::Token(token), length(left)));
        }
    }
    let after_else = inner.trim_start_matches(is_space).strip_prefix("else");
    for left in inner.strip_prefix('^').into_iter().chain(after_else) {
        let end = left.trim_start_matches(is_space);
        let end = end.strip_prefix('~').unwrap_or(end);
        if let Some(left) = end.strip_prefix("}}") {
            return Some((Opening::Inverse, length(left)));
        }
    }
    if let Some(left) = inner.strip_prefix('^') {
        return Some((Opening::Token(Token::OpenInverse), length(left)));
    }
    if let Some(left) = after_else.filter(|left| !left.starts_with(is_word)) {
        return Some((Opening::Token(Token::OpenInverseChain), length(left)));
    }
    Some(plain_opening(inner, length))
}

fn plain_opening(inner: &str, length: impl Fn(&str) -> usize) -> (Opening, usize) {
    if let Some(left) = inner.strip_prefix('{') {
        return (Opening::Token(Token::OpenUnescaped), length(left));
    }
    if inner.starts_with("!--") {
        return (Opening::LongComment, 0);
    }
    if inner.starts_with('!')
        && let Some(end) = inner.find("}}")
    {
        return (Opening::Comment, length(inner) + end + 2);
    }
    let left = inner.strip_prefix(['&', '*']).unwrap_or(inner);
    (Opening::Token(Token::Open), length(left))
}

/// The end of a tag here, with its length.
fn closing(rest: &str) -> Option<(Token, usize)> {
    let ends = [
        ("}}}}", Token::CloseRawBlock),
        ("}}}", Token::CloseUnescaped),
        ("}~}}", Token::CloseUnescaped),
        ("~}}", Token::Close),
        ("}}", Token::Close),
    ];
    ends.into_iter().find(|(end, _)| rest.starts_with(end)).map(|(end, token)| (token, end.len()))
}

/// What is neither quoted nor bracketed.
fn word(rest: &str, first: char) -> (Token, usize) {
    let sign = match first {
        '(' => Some(Token::OpenParenthesis),
        ')' => Some(Token::CloseParenthesis),
        '=' => Some(Token::Equals),
        '@' => Some(Token::Data),
        '|' => Some(Token::CloseBlockParams),
        '/' => Some(Token::Separator),
        _ => None,
    };
    if let Some(token) = sign {
        return (token, 1);
    }
    if first == '.' {
        return dots(rest);
    }
    literal(rest).or_else(|| block_params(rest)).or_else(|| name(rest)).unwrap_or((Token::Invalid, first.len_utf8()))
}

fn dots(rest: &str) -> (Token, usize) {
    if rest.starts_with("..") {
        return (Token::Id, 2);
    }
    let alone = rest.chars().nth(1).is_some_and(ends_name);
    (if alone { Token::Id } else { Token::Separator }, 1)
}

/// What may follow a name.
fn ends_name(c: char) -> bool {
    matches!(c, '=' | '~' | '}' | '/' | '.' | ')' | '|') || is_space(c)
}

fn ends_literal(rest: &str) -> bool {
    rest.chars().next().is_some_and(|c| matches!(c, '~' | '}' | ')') || is_space(c))
}

fn literal(rest: &str) -> Option<(Token, usize)> {
    let words = [("true", Token::Bool), ("false", Token::Bool), ("undefined", Token::Undefined), ("null", Token::Null)];
    let word = words.into_iter().find(|(word, _)| rest.strip_prefix(word).is_some_and(ends_literal));
    word.map(|(word, token)| (token, word.len())).or_else(|| number(rest))
}

fn number(rest: &str) -> Option<(Token, usize)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let sign = usize::from(rest.starts_with('-'));
    let whole = digits(rest.get(sign..)?);
    let end = sign + whole;
    if whole == 0 {
        return None;
    }
    let fraction = rest.get(end..)?.strip_prefix('.').map_or(0, digits);
    let with_fraction = end + 1 + fraction;
    if fraction > 0 && rest.get(with_fraction..).is_some_and(ends_literal) {
        return Some((Token::Number, with_fraction));
    }
    rest.get(end..).is_some_and(ends_literal).then_some((Token::Number, end))
}

/// `as |`
fn block_params(rest: &str) -> Option<(Token, usize)> {
    let after = rest.strip_prefix("as")?;
    let bar = after.trim_start_matches(is_space);
    let spaces = after.len() - bar.len();
    (spaces > 0 && bar.starts_with('|')).then_some((Token::OpenBlockParams, 2 + spaces + 1))
}

fn name(rest: &str) -> Option<(Token, usize)> {
    let length = rest.find(|c| !is_id(c)).filter(|length| *length > 0)?;
    rest.get(length..)?.chars().next().is_some_and(ends_name).then_some((Token::Id, length))
}

/// The bytes up to the end that belongs to the first character, ends included; a backslash saves one.
///
/// The rule of handlebars.js tries the escape first, and goes back on it when no end follows.
fn quoted_length(rest: &str, end: char) -> Option<usize> {
    let mut last = None;
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == end {
            if !escaped {
                return Some(at + 1);
            }
            last = Some(at + 1);
        }
        escaped = c == '\\';
    }
    last
}

/// `\\` and `\]` in brackets.
fn unescape_brackets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(&next @ ('\\' | ']')) if c == '\\' => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

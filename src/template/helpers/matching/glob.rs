//! One glob.

use std::fmt::Write as _;

use std::{iter::Peekable, str::Chars};

use crate::template::javascript::{Problem, pattern::Pattern, throw};

/// Whether `*` finds names that begin with a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dots {
    Hide,
    Match,
}

pub(super) enum Glob {
    /// Nothing in it is special.
    Plain(String),
    Pattern(Pattern),
}

/// A longer one is refused.
const LONGEST: usize = 1000;

impl Glob {
    pub(super) fn new(text: &str, dots: Dots) -> Result<Self, Problem> {
        if text.len() > LONGEST {
            return throw(format!("a glob has at most {LONGEST} bytes here"));
        }
        if !is_special(text) {
            return Ok(Self::Plain(text.to_owned()));
        }
        let source = Writer::new(tokens(text)?, dots).expression();
        Pattern::new(&source, "").map(Self::Pattern)
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        let short = super::without_dot_slash(path);
        match self {
            Self::Plain(text) => path == text || short == text,
            Self::Pattern(pattern) => pattern.test(short),
        }
    }
}

/// `/(?:(?:(^|\/)[!.])|[*?+()|\[\]{}]|[+@]\()/`
fn is_special(text: &str) -> bool {
    let starts = |part: &str| part.starts_with(['!', '.']);
    text.split('/').any(starts) || text.contains(['*', '?', '+', '(', ')', '|', '[', ']', '{', '}'])
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Dot {
        hides: bool,
    },
    Slash,
    Star,
    /// `**` as a whole part of the path.
    Globstar,
    /// How many.
    Question(usize),
    /// `[…]`, as an expression.
    Class(String),
    /// `{…}` and `@(…)`, as an expression.
    Group(String),
    /// A `!` at the start.
    Not,
    /// A `!` elsewhere.
    Bang,
}

fn refused<T>(glob: &str, what: &str) -> Result<T, Problem> {
    throw(format!("the glob `{glob}` is not supported: {what}"))
}

fn tokens(glob: &str) -> Result<Vec<Token>, Problem> {
    let mut out = vec![];
    let mut chars = glob.strip_prefix("./").unwrap_or(glob).chars().peekable();
    while let Some(c) = chars.next() {
        let at_start = matches!(out.last(), None | Some(Token::Slash | Token::Not));
        let token = match c {
            '/' => Token::Slash,
            '!' if out.is_empty() && chars.peek() != Some(&'(') && chars.peek() != Some(&'!') => Token::Not,
            '*' if chars.peek() == Some(&'(') => group(glob, &mut chars, "*")?,
            '*' => stars(&mut chars, at_start),
            '?' if chars.peek() == Some(&'(') => group(glob, &mut chars, "?")?,
            '?' => Token::Question(1 + run(&mut chars, '?')),
            '@' if chars.peek() == Some(&'(') => group(glob, &mut chars, "")?,
            '+' if chars.peek() == Some(&'(') => group(glob, &mut chars, "+")?,
            '(' => inner_group(glob, &mut chars, "")?,
            '!' if chars.peek() == Some(&'(') || out.is_empty() => return refused(glob, "`!(…)` and `!!`"),
            '!' => Token::Bang,
            '[' => class(glob, &mut chars)?,
            '{' => braces(glob, &mut chars)?,
            '.' if chars.peek() == Some(&'.') => return refused(glob, "`..`"),
            '.' => Token::Dot { hides: at_start },
            '+' | ')' | '|' | '\\' | '$' | '^' | '"' | '\'' => return refused(glob, &format!("`{c}`")),
            c => Token::Text(c.to_string()),
        };
        match (out.last_mut(), token) {
            (Some(Token::Text(text)), Token::Text(more)) => text.push_str(&more),
            (_, token) => out.push(token),
        }
    }
    Ok(out)
}

fn run(chars: &mut Peekable<Chars<'_>>, of: char) -> usize {
    std::iter::from_fn(|| chars.next_if_eq(&of)).count()
}

/// Behind a first `*`.
fn stars(chars: &mut Peekable<Chars<'_>>, at_start: bool) -> Token {
    let more = run(chars, '*');
    let ends_part = matches!(chars.peek(), None | Some('/'));
    if more == 1 && ends_part && at_start { Token::Globstar } else { Token::Star }
}

/// `(a|b)`, whose parts are plain text.
fn group(glob: &str, chars: &mut Peekable<Chars<'_>>, repeat: &str) -> Result<Token, Problem> {
    chars.next();
    inner_group(glob, chars, repeat)
}

fn inner_group(glob: &str, chars: &mut Peekable<Chars<'_>>, repeat: &str) -> Result<Token, Problem> {
    let inner: String = std::iter::from_fn(|| chars.next_if(|c| *c != ')')).collect();
    if chars.next().is_none() {
        return refused(glob, "a parenthesis that is never closed");
    }
    Ok(Token::Group(format!("{}{repeat}", alternatives(glob, inner.split('|'))?)))
}

fn alternatives<'t>(glob: &str, parts: impl Iterator<Item = &'t str>) -> Result<String, Problem> {
    let mut out = vec![];
    for part in parts {
        let plain = |c: char| {
            c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | ':' | '~' | '@' | '#' | '%' | '&' | '=')
        };
        if !part.chars().all(plain) || part.contains("..") {
            return refused(glob, "alternatives that are more than plain text");
        }
        out.push(part.replace('.', "\\."));
    }
    Ok(format!("(?:{})", out.join("|")))
}

/// `{a,b}`. A brace alone is text.
fn braces(glob: &str, chars: &mut Peekable<Chars<'_>>) -> Result<Token, Problem> {
    let ahead: String = chars.clone().take_while(|c| *c != '}').collect();
    let is_closed = chars.clone().any(|c| c == '}');
    if !is_closed {
        return Ok(Token::Text("{".to_owned()));
    }
    if !ahead.contains(',') {
        return refused(glob, "braces without a comma");
    }
    let token = alternatives(glob, ahead.split(',')).map(Token::Group);
    for _ in 0..=ahead.chars().count() {
        chars.next();
    }
    token
}

fn class(glob: &str, chars: &mut Peekable<Chars<'_>>) -> Result<Token, Problem> {
    let negated = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut inner: String = std::iter::from_fn(|| chars.next_if(|c| *c != ']')).collect();
    let plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | ',' | ':' | '~' | '@' | '#' | '%' | '&' | '=')
    };
    if chars.next().is_none() || inner.is_empty() || !inner.chars().all(plain) || inner.contains("[:") {
        return refused(glob, "what stands in its brackets");
    }
    if let Some(rest) = inner.strip_prefix('-') {
        inner = format!("\\-{rest}");
    }
    if negated {
        for needed in ['.', '/'] {
            if !inner.contains(needed) {
                inner.push(needed);
            }
        }
    }
    Ok(Token::Class(format!("[{}{inner}]", if negated { "^" } else { "" })))
}

/// Writes the expression, token by token, as the compilers of `nanomatch` do.
struct Writer {
    tokens: Vec<Token>,
    dots: Dots,
    out: String,
    /// A part that begins with a dot was named: later stars may find such, too.
    names_dots: bool,
    /// The slash behind it may be missing.
    loose_slash: bool,
}

const SLASH: &str = r"[\\/]";
const STAR: &str = r"[^\\/]*?";
const NO_DOT: &str = r"(?!\.)";

impl Writer {
    fn new(tokens: Vec<Token>, dots: Dots) -> Self {
        Self { tokens, dots, out: String::new(), names_dots: false, loose_slash: false }
    }

    fn at(&self, at: Option<usize>) -> Option<&Token> {
        at.and_then(|at| self.tokens.get(at))
    }

    fn starts_part(&self, at: usize) -> bool {
        at == 0 || matches!(self.at(at.checked_sub(1)), Some(Token::Slash))
    }

    fn expression(mut self) -> String {
        let negated = self.tokens.first() == Some(&Token::Not);
        for at in 0..self.tokens.len() {
            let Some(token) = self.tokens.get(at).cloned() else { break };
            self.token(at, &token);
        }
        if negated {
            self.out = format!("(?!^(?:{})$).*", self.out);
        }
        let meta = self.tokens.iter().any(|token| matches!(token, Token::Star | Token::Globstar | Token::Question(_)));
        let open_end = meta && !matches!(self.tokens.last(), Some(Token::Question(_) | Token::Slash));
        let end = if open_end { r"(?:[\\/]|$)" } else { "" };
        format!(r"^(?:(?:\.[\\/](?=.))?{}{end})$", self.out)
    }

    fn token(&mut self, at: usize, token: &Token) {
        match token {
            Token::Text(text) | Token::Class(text) | Token::Group(text) => self.out.push_str(text),
            Token::Bang => self.out.push('!'),
            Token::Not => {}
            Token::Dot { hides } => {
                self.names_dots |= hides;
                self.out.push_str("\\.");
            }
            Token::Question(count) => {
                let hides = self.dots == Dots::Hide && self.starts_part(at);
                self.out.push_str(if hides { r"[^.\\/]" } else { r"[^\\/]" });
                if *count > 1 {
                    let _ = write!(self.out, "{{{count}}}");
                }
            }
            Token::Slash => self.slash(at),
            Token::Star => self.star(at),
            Token::Globstar => self.globstar(at),
        }
    }

    fn slash(&mut self, at: usize) {
        if at == 1 && self.tokens.first() == Some(&Token::Globstar) {
            self.out = format!("(?:{}{SLASH})?", self.out);
            return;
        }
        self.out.push_str(SLASH);
        if at == 2 && self.negates_globstar() {
            self.out.push_str(r"?\b");
            return;
        }
        if std::mem::take(&mut self.loose_slash) {
            self.out.push('?');
        }
    }

    /// `!**` is written otherwise than `**`.
    fn negates_globstar(&self) -> bool {
        matches!(self.tokens.as_slice(), [Token::Not, Token::Globstar, ..])
    }

    fn star(&mut self, at: usize) {
        let negated = matches!(self.at(at.checked_sub(1)), Some(Token::Not));
        if at == 0 {
            let _ = write!(self.out, "(?!{SLASH})");
        }
        let after_text = matches!(self.at(at.checked_sub(1)), Some(Token::Text(_) | Token::Bang));
        let hidden = r"(?!(?:^|[\\/])\.{1,2}(?:$|[\\/]))";
        let prefix = match self.dots {
            _ if self.names_dots || after_text => "",
            Dots::Match => hidden,
            Dots::Hide => NO_DOT,
        };
        let starts = self.starts_part(at) || negated;
        match (starts, prefix) {
            (true, NO_DOT) => self.out.push_str(r"(?!\.)(?=.)"),
            (true, prefix) => {
                let _ = write!(self.out, r"{prefix}(?!(\.{{2}}|\.[\\/]))(?=.)");
            }
            (false, NO_DOT) => {}
            (false, prefix) => self.out.push_str(prefix),
        }
        self.out.push_str(STAR);
    }

    fn globstar(&mut self, at: usize) {
        let between_slashes = matches!(self.at(at.checked_sub(1)), Some(Token::Slash))
            && matches!(self.at(Some(at + 1)), Some(Token::Slash));
        if between_slashes {
            let before_is_text = matches!(self.at(at.checked_sub(2)), Some(Token::Text(_)));
            let after_is_text = matches!(self.at(Some(at + 2)), Some(Token::Text(_)));
            if before_is_text {
                self.out.push('?');
                if !after_is_text {
                    self.out.push_str("\\b");
                }
            } else if after_is_text || matches!(self.at(Some(at + 2)), Some(Token::Star)) {
                self.loose_slash = true;
            }
        }
        self.out.push_str(match self.dots {
            Dots::Hide if at == 1 && self.negates_globstar() => r"(?:(?!(?:[\\/]|^)\.).)*?",
            Dots::Hide => r"(?!\.)(?:(?!(?:[\\/]|^)\.).)*?",
            Dots::Match => r"(?:(?!(?:[\\/]|^)(?:\.{1,2})($|[\\/]))(?!\.{2}).)*?",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_become_the_expressions_of_micromatch() {
        let source = |glob: &str| match Glob::new(glob, Dots::Hide).expect(glob) {
            Glob::Pattern(pattern) => pattern.source().to_owned(),
            Glob::Plain(text) => text,
        };
        for (glob, expression) in [
            ("*.js", r"^(?:(?:\.[\\/](?=.))?(?![\\/])(?!\.)(?=.)[^\\/]*?\.js(?:[\\/]|$))$"),
            ("a/**/b", r"^(?:(?:\.[\\/](?=.))?a[\\/]?(?!\.)(?:(?!(?:[\\/]|^)\.).)*?[\\/]b(?:[\\/]|$))$"),
            (
                "**/*.js",
                r"^(?:(?:\.[\\/](?=.))?(?:(?!\.)(?:(?!(?:[\\/]|^)\.).)*?[\\/])?(?!\.)(?=.)[^\\/]*?\.js(?:[\\/]|$))$",
            ),
            ("?(a)b", r"^(?:(?:\.[\\/](?=.))?(?:a)?b)$"),
            ("!a*", r"^(?:(?:\.[\\/](?=.))?(?!^(?:a[^\\/]*?)$).*(?:[\\/]|$))$"),
            ("!**/a", r"^(?:(?:\.[\\/](?=.))?(?!^(?:(?:(?!(?:[\\/]|^)\.).)*?[\\/]?\ba)$).*(?:[\\/]|$))$"),
            ("{a.js,b}", r"^(?:(?:\.[\\/](?=.))?(?:a\.js|b))$"),
            ("[!a]x?", r"^(?:(?:\.[\\/](?=.))?[^a./]x[^\\/])$"),
        ] {
            assert_eq!(source(glob), expression, "{glob}");
        }
    }

    #[test]
    fn what_may_match_otherwise_is_refused() {
        for glob in ["{1..9999999}", "!(a)", "a+b", "(?:a)", "[[:alpha:]]*", r"\*", "{a{b,c}}", "*(a*)"] {
            assert!(Glob::new(glob, Dots::Hide).is_err(), "{glob}");
        }
    }
}

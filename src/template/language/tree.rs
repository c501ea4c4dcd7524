//! What a template says, before anything of it is looked up.

/// `{{~` and `~}}`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strip {
    pub(crate) open: bool,
    pub(crate) close: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Program {
    pub(crate) body: Vec<Statement>,
    /// `as |x y|`
    pub(crate) params: Vec<String>,
    /// It holds nothing but the block of an `{{else if …}}`.
    pub(super) chained: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    Content(Content),
    Comment(Strip),
    Print(Print),
    Partial(Partial),
    Block(Box<Block>),
    /// `{{*x}}`
    Decorator(Print),
}

/// Text between tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// What is left of it.
    pub(crate) value: String,
    pub(super) original: String,
    pub(super) left_stripped: bool,
    pub(super) right_stripped: bool,
}

/// `{{x}}`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Print {
    pub(crate) call: Call,
    pub(crate) escaped: bool,
    pub(super) strip: Strip,
}

/// `{{> x}}`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partial {
    pub(crate) call: Call,
    /// Put before each of its lines.
    pub(crate) indent: String,
    pub(super) strip: Strip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// `{{#x}}`, `{{^x}}`, `{{{{x}}}}`
    Plain,
    /// `{{#*x}}`
    Decorator,
    /// `{{#> x}}`
    Partial,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    pub(crate) call: Call,
    pub(crate) program: Option<Program>,
    pub(crate) inverse: Option<Program>,
    pub(super) open: Strip,
    pub(super) between: Strip,
    pub(super) close: Strip,
}

/// A name with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: Expression,
    pub(crate) params: Vec<Expression>,
    /// `None` differs from an empty one: with `x=1` a name can only be a helper's.
    pub(crate) hash: Option<Vec<(String, Expression)>>,
    /// Byte offset of the tag or parenthesis.
    pub(crate) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    pub(crate) kind: Kind,
    /// Byte offset in the template.
    pub(crate) at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Path(Path),
    Text(String),
    Number(f64),
    Bool(bool),
    Undefined,
    Null,
    /// `(x …)`
    Call(Box<Call>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// `@x`
    pub(crate) is_data: bool,
    /// How many `../`.
    pub(crate) depth: usize,
    pub(crate) parts: Vec<String>,
    /// As it was written, without brackets.
    pub(crate) original: String,
}

/// What handlebars.js compares of the two ends of a block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Original {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Undefined,
}

impl Expression {
    pub(crate) fn original(&self) -> Original {
        match &self.kind {
            Kind::Path(path) => Original::Text(path.original.clone()),
            Kind::Text(text) => Original::Text(text.clone()),
            Kind::Number(number) => Original::Number(*number),
            Kind::Bool(yes) => Original::Bool(*yes),
            Kind::Null => Original::Null,
            Kind::Undefined | Kind::Call(_) => Original::Undefined,
        }
    }
}

impl Path {
    /// Whether it starts at the context by name. handlebars.js looks for the word `this` anywhere in it.
    pub(crate) fn is_scoped(&self) -> bool {
        self.original.starts_with('.') || ends_word_this(&self.original)
    }

    /// Whether it can be the name of a helper.
    pub(crate) fn is_simple(&self) -> bool {
        self.parts.len() == 1 && !self.is_scoped() && self.depth == 0
    }
}

fn ends_word_this(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices("this").any(|(at, word)| {
        text.get(at + word.len()..).and_then(|rest| rest.chars().next()).is_none_or(|next| !is_word(next))
    })
}

impl Content {
    pub(super) fn new(text: &str) -> Self {
        Self { value: text.to_owned(), original: text.to_owned(), left_stripped: false, right_stripped: false }
    }
}

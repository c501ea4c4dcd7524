//! What can be said about a template before it is rendered. A construct that the renderer would read otherwise
//! than handlebars.js is a fault with its place, never a quietly different output.

use super::{
    helpers::{self, Form},
    scan::{self, Kind, Piece, Tag, Token, fault},
};
use crate::core::template::Fault;

/// More bytes of template are refused.
pub(super) const SOURCE_LIMIT: usize = 64 * 1024;
/// Deeper blocks and parentheses are refused.
pub(super) const DEPTH_LIMIT: usize = 50;

/// Checks size, nesting, names and constructs. Cheap, and safe on any text.
pub fn check(text: &str) -> Result<(), Fault> {
    check_within(text, SOURCE_LIMIT, DEPTH_LIMIT)
}

pub(super) fn check_within(text: &str, source: usize, depth: usize) -> Result<(), Fault> {
    if text.len() > source {
        let size = text.len();
        return Err(fault(text, 0, &format!("the template has {size} bytes; at most {source} are rendered")));
    }
    let tags = scan::tags(text)?;
    let partials = tags.iter().filter(|tag| tag.kind == Kind::OpenDecorator).filter_map(inline_name).collect();
    let mut checking = Checking { text, depth, open: vec![], partials };
    for tag in &tags {
        checking.tag(tag).map_err(|(at, message)| fault(text, at, &message))?;
    }
    checking
        .open
        .last()
        .map_or(Ok(()), |block| Err(fault(text, block.at, &format!("`{}` is never closed", block.name))))
}

/// Where, and what.
type Problem = (usize, String);

fn problem<T>(at: usize, message: impl Into<String>) -> Result<T, Problem> {
    Err((at, message.into()))
}

/// The name that `{{#*inline "name"}}` gives.
fn inline_name<'t>(tag: &Tag<'t>) -> Option<&'t str> {
    tag.tokens.get(1).filter(|token| token.piece == Piece::Quoted).map(|token| token.text.trim_matches(['"', '\'']))
}

struct Block<'t> {
    name: &'t str,
    at: usize,
    /// How many `../` lead from here to the top of the context.
    levels: usize,
    /// The same after its `{{else}}`.
    outer: usize,
    /// `as |x y|`
    names: Vec<&'t str>,
}

struct Checking<'t> {
    text: &'t str,
    depth: usize,
    open: Vec<Block<'t>>,
    partials: Vec<&'t str>,
}

impl<'t> Checking<'t> {
    fn levels(&self) -> usize {
        self.open.last().map_or(0, |block| block.levels)
    }

    fn tag(&mut self, tag: &Tag<'t>) -> Result<(), Problem> {
        match tag.kind {
            Kind::Value => self.value(tag),
            Kind::Open => self.open(tag),
            Kind::OpenDecorator => self.inline(tag),
            Kind::Else => self.otherwise(tag),
            Kind::Close => self.close(tag),
            Kind::Partial => self.partial(tag),
            Kind::OpenInverse => {
                let name = tag.tokens.first().map_or("x", |token| token.text);
                let message =
                    format!("not supported yet: {{{{^{name}}}}}; write {{{{#unless {name}}}}}…{{{{/unless}}}}");
                problem(tag.at, message)
            }
            Kind::OpenPartial => problem(tag.at, "not supported yet: a partial with a block, {{#> …}}"),
            Kind::Decorator => problem(tag.at, "not supported yet: decorators other than {{#*inline}}"),
        }
    }

    fn value(&mut self, tag: &Tag<'t>) -> Result<(), Problem> {
        let Some((first, rest)) = tag.tokens.split_first() else { return Ok(()) };
        match first.piece {
            Piece::Sign => return problem(first.at, "a tag must start with a name"),
            Piece::Quoted => return problem(first.at, "not supported yet: a quoted text as a name"),
            Piece::Word => {}
        }
        if rest.is_empty() && !helpers::is_known_name(first.text) {
            return self.plain_value(first);
        }
        self.call(first, rest, Form::Inline)
    }

    /// `{{x}}`, where no helper has that name.
    fn plain_value(&self, word: &Token<'t>) -> Result<(), Problem> {
        match word.text {
            "." => problem(word.at, "not supported yet: {{.}}; write {{this}}"),
            "@first" | "@last" => problem(
                word.at,
                format!("{0} prints nothing with handlebars-helpers; write {{{{#if {0}}}}}", word.text),
            ),
            text if text.contains('.') && !is_path(text) => {
                problem(word.at, format!("not supported yet: {{{{{text}}}}}"))
            }
            text if !is_path(text) => self.word(word),
            _ => self.path(word),
        }
    }

    fn open(&mut self, tag: &Tag<'t>) -> Result<(), Problem> {
        let Some((name, rest)) = tag.tokens.split_first() else { return Ok(()) };
        if self.open.len() >= self.depth {
            return problem(tag.at, format!("blocks are nested more than {} deep", self.depth));
        }
        let (rest, names) = self.block_params(name, rest)?;
        self.call(name, rest, Form::Block)?;
        let outer = self.levels();
        let levels = outer + usize::from(pushes(name.text));
        self.open.push(Block { name: name.text, at: tag.at, levels, outer, names });
        Ok(())
    }

    /// Takes `as |x y|` off the end.
    fn block_params<'a>(
        &self,
        name: &Token<'t>,
        tokens: &'a [Token<'t>],
    ) -> Result<(&'a [Token<'t>], Vec<&'t str>), Problem> {
        let Some(bar) = tokens.iter().position(|token| token.text == "|") else { return Ok((tokens, vec![])) };
        let at = tokens.get(bar).map_or(name.at, |token| token.at);
        let Some(end) = bar.checked_sub(1).filter(|&end| tokens.get(end).is_some_and(|token| token.text == "as"))
        else {
            return problem(at, "`|` stands only in `as |x|`");
        };
        let most = match name.text {
            "each" => 2,
            "with" => 1,
            other => return problem(at, format!("not supported yet: `as |…|` for `{other}`")),
        };
        let names: Vec<_> = tokens.iter().skip(bar + 1).take_while(|token| token.text != "|").collect();
        let plain = names.iter().all(|token| token.piece == Piece::Word && !token.text.contains(['.', '/', '[', '@']));
        if !plain || names.is_empty() || names.len() > most || tokens.len() != bar + names.len() + 2 {
            return problem(at, format!("`{}` takes `as |…|` with at most {most} plain names, at its end", name.text));
        }
        let names: Vec<_> = names.into_iter().map(|token| token.text).collect();
        if let Some(again) = names.iter().find(|name| self.open.iter().any(|block| block.names.contains(name))) {
            return problem(at, format!("not supported yet: a second `{again}` within `as |{again}|`"));
        }
        Ok((tokens.get(..end).unwrap_or_default(), names))
    }

    fn inline(&mut self, tag: &Tag<'t>) -> Result<(), Problem> {
        if tag.tokens.first().is_none_or(|token| token.text != "inline") {
            return problem(tag.at, "not supported yet: decorators other than {{#*inline}}");
        }
        if tag.tokens.len() != 2 || inline_name(tag).is_none() {
            return problem(tag.at, "a partial is written {{#*inline \"name\"}}…{{/inline}}");
        }
        if self.open.len() >= self.depth {
            return problem(tag.at, format!("blocks are nested more than {} deep", self.depth));
        }
        if !self.open.is_empty() {
            return problem(tag.at, "not supported yet: a partial defined within a block");
        }
        self.open.push(Block { name: "inline", at: tag.at, levels: 0, outer: 0, names: vec![] });
        Ok(())
    }

    fn otherwise(&mut self, tag: &Tag<'t>) -> Result<(), Problem> {
        let (Some(block), chained) = (self.open.last_mut(), tag.tokens.split_first()) else {
            return problem(tag.at, "{{else}} outside of a block");
        };
        if block.name == "inline" {
            return problem(tag.at, "{{else}} in a partial");
        }
        block.levels = block.outer;
        block.names.clear();
        let Some((name, rest)) = chained else { return Ok(()) };
        let (rest, names) = self.block_params(name, rest)?;
        self.call(name, rest, Form::Block)?;
        if let Some(block) = self.open.last_mut() {
            block.levels = block.outer + usize::from(pushes(name.text));
            block.names = names;
        }
        Ok(())
    }

    fn close(&mut self, tag: &Tag<'t>) -> Result<(), Problem> {
        let name = tag.tokens.first().map_or("", |token| token.text);
        match self.open.pop() {
            None => problem(tag.at, format!("{{{{/{name}}}}} closes nothing")),
            Some(block) if block.name != name => {
                let line = fault(self.text, block.at, "").line;
                let opened = block.name;
                problem(tag.at, format!("{{{{/{name}}}}} closes {{{{#{opened}}}}} of line {line}"))
            }
            Some(_) => Ok(()),
        }
    }

    fn partial(&mut self, tag: &Tag<'t>) -> Result<(), Problem> {
        let Some((name, rest)) = tag.tokens.split_first() else { return Ok(()) };
        match name.text {
            "@partial-block" => return problem(tag.at, "not supported yet: @partial-block"),
            "(" => return problem(tag.at, "not supported yet: a partial whose name is computed"),
            _ => {}
        }
        if self.open.iter().any(|block| !block.names.is_empty()) {
            return problem(tag.at, "not supported yet: a partial within `as |…|`");
        }
        if name.piece != Piece::Word || !self.partials.contains(&name.text) {
            let known = if self.partials.is_empty() { "none".to_owned() } else { self.partials.join(", ") };
            return problem(
                name.at,
                format!("no partial `{}` is defined in this template (defined: {known})", name.text),
            );
        }
        self.arguments(rest, true).map(|_| ())
    }

    /// A helper with its arguments, up to the end of `rest`.
    fn call(&self, name: &Token<'t>, rest: &[Token<'t>], form: Form) -> Result<(), Problem> {
        let Some(helper) = helpers::find(name.text) else {
            return problem(name.at, no_helper(name.text, form));
        };
        if !helper.has(form) {
            let message = match form {
                Form::Block => format!("`{}` takes no block: write {{{{{} …}}}}", name.text, name.text),
                Form::Inline => format!("`{0}` needs a block: {{{{#{0} …}}}}…{{{{/{0}}}}}", name.text),
            };
            return problem(name.at, message);
        }
        let count = self.arguments(rest, helper.named)?;
        if !helper.takes.contains(&count) {
            let (least, most) = (helper.takes.start(), helper.takes.end());
            let takes = match (least, most) {
                (least, &usize::MAX) => format!("at least {least}"),
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            let word = if (least, most) == (&1, &1) { "value" } else { "values" };
            return problem(name.at, format!("`{}` takes {takes} {word}, here are {count}", name.text));
        }
        Ok(())
    }

    /// Checks arguments and what is in parentheses among them; gives the number of unnamed ones.
    fn arguments(&self, tokens: &[Token<'t>], named: bool) -> Result<usize, Problem> {
        let (mut at, mut count) = (0, 0);
        while let Some(token) = tokens.get(at) {
            let is_name = tokens.get(at + 1).is_some_and(|next| next.text == "=" && next.piece == Piece::Sign);
            if is_name && token.piece == Piece::Word {
                if !named {
                    return problem(token.at, format!("not supported yet: `{}=`", token.text));
                }
                at += 2;
                at += self.argument(tokens.get(at..).unwrap_or_default(), token.at)?;
                continue;
            }
            at += self.argument(tokens.get(at..).unwrap_or_default(), token.at)?;
            count += 1;
        }
        Ok(count)
    }

    /// Checks one argument; gives the number of its tokens.
    fn argument(&self, tokens: &[Token<'t>], from: usize) -> Result<usize, Problem> {
        let Some(first) = tokens.first() else { return problem(from, "a value is missing") };
        match (first.piece, first.text) {
            (Piece::Quoted, _) => quoted(first).map(|()| 1),
            (Piece::Word, _) => self.word(first).map(|()| 1),
            (Piece::Sign, "(") => self.parenthesis(tokens),
            (Piece::Sign, other) => problem(first.at, format!("`{other}` is not expected here")),
        }
    }

    /// `(helper …)`: not by recursion into the text, but level by level with a bound.
    fn parenthesis(&self, tokens: &[Token<'t>]) -> Result<usize, Problem> {
        let from = tokens.first().map_or(0, |token| token.at);
        let mut depth = 0usize;
        for (at, token) in tokens.iter().enumerate() {
            match (token.piece, token.text) {
                (Piece::Sign, "(") => depth += 1,
                (Piece::Sign, ")") => depth -= 1,
                _ => {}
            }
            if depth > self.depth {
                return problem(token.at, format!("parentheses are nested more than {} deep", self.depth));
            }
            if depth == 0 {
                self.inner(tokens.get(1..at).unwrap_or_default(), from)?;
                return Ok(at + 1);
            }
        }
        problem(from, "a parenthesis that is never closed")
    }

    fn inner(&self, tokens: &[Token<'t>], from: usize) -> Result<(), Problem> {
        match tokens.split_first() {
            Some((name, rest)) if name.piece == Piece::Word => self.call(name, rest, Form::Inline),
            _ => problem(from, "a parenthesis must start with the name of a helper"),
        }
    }

    /// A path or a number as an argument.
    fn word(&self, word: &Token<'t>) -> Result<(), Problem> {
        let text = word.text;
        if text.starts_with('[') {
            return problem(word.at, "not supported yet: a path that starts with `[`; write this.[…]");
        }
        if text == "." {
            return problem(word.at, "not supported yet: `.` as a value; write `this`");
        }
        if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let number = match digits.split_once('.') {
                Some((whole, part)) => plain(whole) && plain(part),
                None => plain(digits),
            };
            return if number { Ok(()) } else { problem(word.at, format!("`{text}` is no number")) };
        }
        self.path(word)
    }

    fn path(&self, word: &Token<'t>) -> Result<(), Problem> {
        let text = word.text;
        if let Some(name) = text.strip_prefix('@') {
            let known = ["root", "index", "key", "first", "last"].contains(&name) || name.starts_with("root.");
            return if known { Ok(()) } else { problem(word.at, format!("not supported yet: `{text}`")) };
        }
        let mut rest = text;
        let mut up = 0;
        while let Some(after) = rest.strip_prefix("../") {
            rest = after;
            up += 1;
        }
        if rest == ".." || rest.is_empty() {
            return problem(word.at, "not supported yet: bare `..`; name a field, as in `../title`");
        }
        if up > self.levels() {
            return problem(word.at, format!("`{text}` leads out of the data: here are {} levels", self.levels()));
        }
        if up > 0 && self.open.iter().any(|block| block.names.contains(&head(rest))) {
            return problem(
                word.at,
                format!("not supported yet: `{text}`, while `{}` is a name of a block", head(rest)),
            );
        }
        segments(rest).map_err(|message| (word.at, message))
    }
}

fn pushes(name: &str) -> bool {
    matches!(name, "each" | "with")
}

fn is_path(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '[')
}

fn head(path: &str) -> &str {
    path.split(['.', '/']).next().unwrap_or(path)
}

/// The parts of a path behind its `../`.
fn segments(path: &str) -> Result<(), String> {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut bare = String::new();
    let mut in_brackets = false;
    for c in path.chars() {
        match c {
            '[' => in_brackets = true,
            ']' => {
                in_brackets = false;
                bare.push('x');
            }
            _ if in_brackets => {}
            c => bare.push(c),
        }
    }
    let parts: Vec<&str> = bare.split(['.', '/']).collect();
    if let Some(bad) = bare.chars().find(|c| "!\"#%&'()*+,;<=>@\\^`{|}~".contains(*c)) {
        return Err(format!("`{bad}` in a path"));
    }
    if parts.iter().any(|part| part.is_empty()) || parts.iter().skip(1).any(|part| *part == "this") {
        return Err(format!("`{path}` is not a path"));
    }
    match parts.split_last() {
        Some((&"length", before)) if !before.is_empty() => {
            Err(format!("not supported yet: `.length`; write length {}", before.join(".")))
        }
        Some((last, before)) if !before.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) => {
            Err(format!("a path must not end in a bare number: write .[{last}]"))
        }
        _ => Ok(()),
    }
}

/// Handlebars knows no escapes in a quoted text but that of its own quote.
fn quoted(token: &Token<'_>) -> Result<(), Problem> {
    let text = token.text;
    let quote = text.chars().next().unwrap_or('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&quote).is_none() {
            return problem(token.at, "not supported yet: a backslash in a quoted text (Handlebars knows no \\n)");
        }
        if c.is_control() {
            return problem(token.at, "not supported yet: a line break or control character in a quoted text");
        }
    }
    Ok(())
}

fn no_helper(name: &str, form: Form) -> String {
    if helpers::READS_FILES.contains(&name) {
        return format!("helper \"{name}\" is refused: it reads files on this host");
    }
    if helpers::NOT_YET.contains(&name) {
        let field =
            if form == Form::Inline { format!("; a field of that name is {{{{this.{name}}}}}") } else { String::new() };
        return format!("not supported yet: the helper `{name}`{field}");
    }
    match form {
        Form::Inline => format!("there is no helper `{name}`"),
        Form::Block => {
            format!(
                "not supported yet: a section over data, {{{{#{name}}}}}; write {{{{#each {name}}}}}, {{{{#with {name}}}}} or {{{{#if {name}}}}}"
            )
        }
    }
}

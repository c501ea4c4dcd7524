//! Puts tokens together to a tree, by the grammar of handlebars.js 4.7.

use super::{
    Mistake,
    lexer::{Lexeme, Token, lex},
    tree::{
        Block, BlockKind, Call, Content, Expression, Kind, Original, Partial, Path, Print, Program, Statement, Strip,
    },
    whitespace,
};

/// Reads `text`. Blocks or parentheses nested deeper than `depth` are a mistake: they are read by recursion.
pub(crate) fn parse(text: &str, depth: usize) -> Result<Program, Mistake> {
    let lexemes = lex(text)?;
    let mut parser = Parser { lexemes: &lexemes, next: 0, nested: 0, depth };
    let mut program = parser.program()?;
    if parser.token() != Token::End {
        return parser.misplaced();
    }
    whitespace::control(&mut program);
    Ok(program)
}

struct Parser<'l> {
    lexemes: &'l [Lexeme],
    next: usize,
    nested: usize,
    depth: usize,
}

type Parsed<T> = Result<T, Mistake>;

/// The part behind `{{else}}`.
struct Inverse {
    program: Program,
    strip: Strip,
    is_chain: bool,
}

impl<'l> Parser<'l> {
    fn token(&self) -> Token {
        self.lexemes.get(self.next).map_or(Token::End, |lexeme| lexeme.token)
    }

    fn at(&self) -> usize {
        self.lexemes.get(self.next).map_or(0, |lexeme| lexeme.at)
    }

    fn advance(&mut self) -> Option<&'l Lexeme> {
        let lexeme = self.lexemes.get(self.next);
        self.next += 1;
        lexeme
    }

    /// The text of the token here, which is passed.
    fn text(&mut self) -> &'l str {
        self.advance().map_or("", |lexeme| lexeme.text.as_str())
    }

    fn expect(&mut self, token: Token, open: usize) -> Parsed<&'l str> {
        if self.token() == token {
            return Ok(self.text());
        }
        match (token, self.token()) {
            (_, Token::End) => Err(Mistake::new(open, "a tag that is never closed")),
            (Token::Close, Token::CloseUnescaped) => {
                let message = "}}} closes only {{{: with a brace of your own behind the tag, write }} }";
                Err(Mistake::new(self.at(), message))
            }
            (Token::CloseUnescaped, Token::Close) => Err(Mistake::new(open, "{{{ must be closed by }}}")),
            (Token::CloseUnescaped, Token::CloseRawBlock) => {
                let message = "}}}} closes nothing: with a brace of your own behind the tag, write }}} }";
                Err(Mistake::new(self.at(), message))
            }
            _ => self.misplaced(),
        }
    }

    fn misplaced<T>(&self) -> Parsed<T> {
        let text = self.lexemes.get(self.next).map_or("", |lexeme| lexeme.text.as_str());
        let message = match self.token() {
            Token::End => "the template ends too soon".to_owned(),
            Token::Inverse | Token::OpenInverseChain => "{{else}} outside of a block, or a second one in it".to_owned(),
            Token::OpenEndBlock => {
                let name = self.lexemes.get(self.next + 1).map_or("", |lexeme| lexeme.text.as_str());
                format!("{{{{/{name}}}}} closes nothing")
            }
            Token::Close | Token::CloseUnescaped => format!("`{text}` comes too soon: a name or a value is missing"),
            _ => format!("`{text}` is not expected here"),
        };
        Err(Mistake::new(self.at(), message))
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(&mut self, what: &str, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nested >= self.depth {
            return Err(Mistake::new(self.at(), format!("{what} are nested more than {} deep", self.depth)));
        }
        self.nested += 1;
        let parsed = inner(self);
        self.nested -= 1;
        parsed
    }

    fn program(&mut self) -> Parsed<Program> {
        let mut program = Program::default();
        while let Some(statement) = self.statement()? {
            program.body.push(statement);
        }
        Ok(program)
    }

    fn statement(&mut self) -> Parsed<Option<Statement>> {
        let statement = match self.token() {
            Token::Content => Statement::Content(Content::new(self.text())),
            Token::Comment => {
                let text = self.text();
                Statement::Comment(strip(text, text))
            }
            Token::Open => self.print(Token::Close)?,
            Token::OpenUnescaped => self.print(Token::CloseUnescaped)?,
            Token::OpenPartial => self.partial()?,
            Token::OpenBlock => self.deeper("blocks", Self::block)?,
            Token::OpenInverse => self.deeper("blocks", Self::inverted)?,
            Token::OpenPartialBlock => self.deeper("blocks", Self::partial_block)?,
            Token::OpenRawBlock => self.raw_block()?,
            _ => return Ok(None),
        };
        Ok(Some(statement))
    }

    fn print(&mut self, end: Token) -> Parsed<Statement> {
        let at = self.at();
        let open = self.text();
        let call = self.call(at)?;
        let close = self.expect(end, at)?;
        let sign = open.chars().nth(3).or_else(|| open.chars().nth(2));
        let print = Print { call, escaped: !matches!(sign, Some('{' | '&')), strip: strip(open, close) };
        Ok(if open.contains('*') { Statement::Decorator(print) } else { Statement::Print(print) })
    }

    fn partial(&mut self) -> Parsed<Statement> {
        let at = self.at();
        let open = self.text();
        let call = self.partial_call(at)?;
        let close = self.expect(Token::Close, at)?;
        Ok(Statement::Partial(Partial { call, indent: String::new(), strip: strip(open, close) }))
    }

    fn partial_call(&mut self, at: usize) -> Parsed<Call> {
        let name = if self.token() == Token::OpenParenthesis { self.parenthesis()? } else { self.name()? };
        self.arguments(name, at)
    }

    /// The opening tag behind its first token, its params and its strip.
    fn head(&mut self, open: &str, at: usize) -> Parsed<(Call, Vec<String>, Strip)> {
        let call = self.call(at)?;
        let params = self.block_params()?;
        let close = self.expect(Token::Close, at)?;
        Ok((call, params, strip(open, close)))
    }

    fn block(&mut self) -> Parsed<Statement> {
        let at = self.at();
        let open = self.text();
        let (call, params, open_strip) = self.head(open, at)?;
        let mut program = self.program()?;
        program.params = params;
        let mut inverse = self.inverse_chain()?;
        let close = self.close(&call)?;
        let is_decorator = open.contains('*');
        if is_decorator && inverse.is_some() {
            return Err(Mistake::new(at, "a decorator takes no {{else}}"));
        }
        if let Some(inverse) = inverse.as_mut().filter(|inverse| inverse.is_chain) {
            close_chain(&mut inverse.program, close);
        }
        let between = inverse.as_ref().map(|inverse| inverse.strip).unwrap_or_default();
        let kind = if is_decorator { BlockKind::Decorator } else { BlockKind::Plain };
        let inverse = inverse.map(|inverse| inverse.program);
        Ok(Statement::Block(Box::new(Block {
            kind,
            call,
            program: Some(program),
            inverse,
            open: open_strip,
            between,
            close,
        })))
    }

    fn inverted(&mut self) -> Parsed<Statement> {
        let at = self.at();
        let open = self.text();
        let (call, params, open_strip) = self.head(open, at)?;
        let mut inverse = self.program()?;
        inverse.params = params;
        let otherwise = if self.token() == Token::Inverse { Some(self.inverse()?) } else { None };
        let close = self.close(&call)?;
        let between = otherwise.as_ref().map(|otherwise| otherwise.strip).unwrap_or_default();
        let program = otherwise.map(|otherwise| otherwise.program);
        let kind = BlockKind::Plain;
        Ok(Statement::Block(Box::new(Block {
            kind,
            call,
            program,
            inverse: Some(inverse),
            open: open_strip,
            between,
            close,
        })))
    }

    fn partial_block(&mut self) -> Parsed<Statement> {
        let at = self.at();
        let open = self.text();
        let call = self.partial_call(at)?;
        let end = self.expect(Token::Close, at)?;
        let program = self.program()?;
        let close = self.close(&call)?;
        let (kind, between) = (BlockKind::Partial, Strip::default());
        Ok(Statement::Block(Box::new(Block {
            kind,
            call,
            program: Some(program),
            inverse: None,
            open: strip(open, end),
            between,
            close,
        })))
    }

    fn raw_block(&mut self) -> Parsed<Statement> {
        let at = self.at();
        self.advance();
        let call = self.call(at)?;
        self.expect(Token::CloseRawBlock, at)?;
        let mut program = Program::default();
        while self.token() == Token::Content {
            program.body.push(Statement::Content(Content::new(self.text())));
        }
        let end = self.at();
        let name = self.expect(Token::EndRawBlock, at)?;
        if call.name.original() != Original::Text(name.to_owned()) {
            return Err(unmatched(&call, name, end));
        }
        let (kind, none) = (BlockKind::Plain, Strip::default());
        Ok(Statement::Block(Box::new(Block {
            kind,
            call,
            program: Some(program),
            inverse: None,
            open: none,
            between: none,
            close: none,
        })))
    }

    /// `{{else if x}}…{{else}}…`, if it comes here.
    fn inverse_chain(&mut self) -> Parsed<Option<Inverse>> {
        match self.token() {
            Token::Inverse => self.inverse().map(Some),
            Token::OpenInverseChain => self.deeper("blocks", Self::chain_link).map(Some),
            _ => Ok(None),
        }
    }

    fn inverse(&mut self) -> Parsed<Inverse> {
        let text = self.text();
        Ok(Inverse { program: self.program()?, strip: strip(text, text), is_chain: false })
    }

    fn chain_link(&mut self) -> Parsed<Inverse> {
        let at = self.at();
        let open = self.text();
        let (call, params, open_strip) = self.head(open, at)?;
        let mut program = self.program()?;
        program.params = params;
        let mut inverse = self.inverse_chain()?;
        let between = inverse.as_ref().map(|inverse| inverse.strip).unwrap_or_default();
        if let Some(inverse) = inverse.as_mut().filter(|inverse| inverse.is_chain) {
            close_chain(&mut inverse.program, between);
        }
        let (kind, inverse) = (BlockKind::Plain, inverse.map(|inverse| inverse.program));
        let block = Block { kind, call, program: Some(program), inverse, open: open_strip, between, close: between };
        let body = vec![Statement::Block(Box::new(block))];
        Ok(Inverse { program: Program { body, params: vec![], chained: true }, strip: open_strip, is_chain: true })
    }

    fn close(&mut self, call: &Call) -> Parsed<Strip> {
        if self.token() == Token::End {
            let message = format!("`{}` is never closed", printed(&call.name.original()));
            return Err(Mistake::new(call.at, message));
        }
        let at = self.at();
        let open = self.expect(Token::OpenEndBlock, at)?;
        let name = self.name()?;
        let close = self.expect(Token::Close, at)?;
        let matches = !matches!(call.name.kind, Kind::Call(_)) && name.original() == call.name.original();
        if !matches {
            return Err(unmatched(call, &printed(&name.original()), at));
        }
        Ok(strip(open, close))
    }

    fn call(&mut self, at: usize) -> Parsed<Call> {
        let name = self.name()?;
        self.arguments(name, at)
    }

    fn arguments(&mut self, name: Expression, at: usize) -> Parsed<Call> {
        let mut params = vec![];
        let mut hash = vec![];
        loop {
            if self.token() == Token::Id
                && self.lexemes.get(self.next + 1).is_some_and(|next| next.token == Token::Equals)
            {
                let key = unbracketed(self.text()).to_owned();
                self.advance();
                hash.push((key, self.param()?));
            } else if hash.is_empty() && self.starts_param() {
                params.push(self.param()?);
            } else {
                let hash = (!hash.is_empty()).then_some(hash);
                return Ok(Call { name, params, hash, at });
            }
        }
    }

    fn starts_param(&self) -> bool {
        use Token as T;
        matches!(
            self.token(),
            T::Id | T::Data | T::Text | T::Number | T::Bool | T::Undefined | T::Null | T::OpenParenthesis
        )
    }

    fn param(&mut self) -> Parsed<Expression> {
        if self.token() == Token::OpenParenthesis { self.parenthesis() } else { self.name() }
    }

    fn parenthesis(&mut self) -> Parsed<Expression> {
        self.deeper("parentheses", |parser| {
            let at = parser.at();
            parser.advance();
            let call = parser.call(at)?;
            if parser.token() != Token::CloseParenthesis {
                let closes = matches!(parser.token(), Token::Close | Token::CloseUnescaped | Token::End);
                let never = Mistake::new(at, "a parenthesis that is never closed");
                return if closes { Err(never) } else { parser.misplaced() };
            }
            parser.advance();
            Ok(Expression { kind: Kind::Call(Box::new(call)), at })
        })
    }

    /// A path or a literal.
    fn name(&mut self) -> Parsed<Expression> {
        let at = self.at();
        let kind = match self.token() {
            Token::Id => Kind::Path(self.path(false)?),
            Token::Data => {
                self.advance();
                if self.token() != Token::Id {
                    return self.misplaced();
                }
                Kind::Path(self.path(true)?)
            }
            Token::Text => Kind::Text(self.text().to_owned()),
            // The code that handlebars.js makes of `-0` says `0`.
            Token::Number => Kind::Number(self.text().parse::<f64>().unwrap_or(f64::NAN) + 0.0),
            Token::Bool => Kind::Bool(self.text() == "true"),
            Token::Undefined => {
                self.advance();
                Kind::Undefined
            }
            Token::Null => {
                self.advance();
                Kind::Null
            }
            _ => return self.misplaced(),
        };
        Ok(Expression { kind, at })
    }

    fn path(&mut self, is_data: bool) -> Parsed<Path> {
        let at = self.at();
        let mut path =
            Path { is_data, depth: 0, parts: vec![], original: if is_data { "@".to_owned() } else { String::new() } };
        loop {
            let raw = self.text();
            let part = unbracketed(raw);
            path.original.push_str(part);
            if part == raw && matches!(part, ".." | "." | "this") {
                if !path.parts.is_empty() {
                    let message = format!("`{}` is no path: {part} stands only at its start", path.original);
                    return Err(Mistake::new(at, message));
                }
                path.depth += usize::from(part == "..");
            } else {
                path.parts.push(part.to_owned());
            }
            if self.token() != Token::Separator {
                return Ok(path);
            }
            path.original.push_str(self.text());
            if self.token() != Token::Id {
                return self.misplaced();
            }
        }
    }

    fn block_params(&mut self) -> Parsed<Vec<String>> {
        let mut params = vec![];
        if self.token() != Token::OpenBlockParams {
            return Ok(params);
        }
        self.advance();
        while self.token() == Token::Id {
            params.push(unbracketed(self.text()).to_owned());
        }
        if params.is_empty() || self.token() != Token::CloseBlockParams {
            return self.misplaced();
        }
        self.advance();
        Ok(params)
    }
}

/// The last link of a chain ends where its block ends.
fn close_chain(chain: &mut Program, close: Strip) {
    if let Some(Statement::Block(link)) = chain.body.first_mut() {
        link.close = close;
    }
}

fn strip(open: &str, close: &str) -> Strip {
    let before_end = close.len().checked_sub(3).and_then(|at| close.as_bytes().get(at));
    Strip { open: open.as_bytes().get(2) == Some(&b'~'), close: before_end == Some(&b'~') }
}

/// `[x]` without its brackets.
fn unbracketed(text: &str) -> &str {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.filter(|inner| !inner.contains(['\n', '\r', '\u{2028}', '\u{2029}'])).unwrap_or(text)
}

fn printed(original: &Original) -> String {
    match original {
        Original::Text(text) => text.clone(),
        Original::Number(number) => crate::template::javascript::number::print(*number),
        Original::Bool(yes) => yes.to_string(),
        Original::Null => "null".to_owned(),
        Original::Undefined => "undefined".to_owned(),
    }
}

fn unmatched(open: &Call, close: &str, at: usize) -> Mistake {
    let opened = printed(&open.name.original());
    Mistake::new(at, format!("{{{{/{close}}}}} closes {{{{#{opened}}}}}"))
}

//! Goes through a template in the order of its text, and knows at each tag what it stands in.

use super::{Found, Weight, calls, fields, json::Json, quirks};
use crate::template::{
    helpers,
    language::{Block, BlockKind, Call, Expression, Kind, Path, Program, Statement},
};

/// In what a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `{{x}}`, or `{{{x}}}` when it is not escaped.
    Print { escaped: bool },
    /// `{{#x}}`
    Block,
    /// `(x)`
    Inner,
}

#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) found: Vec<Found>,
    /// Block parameters in force: such a name is no helper's.
    params: Vec<String>,
    /// What the blocks around ask for.
    asked: Vec<String>,
    /// Blocks around that may have another context than the whole.
    moved: usize,
    /// Names that `{{#*inline}}` gives anywhere.
    inline: Vec<String>,
    /// Where in its JSON the text is.
    json: Json,
}

impl Walk {
    pub(super) fn over(program: &Program) -> Self {
        let mut walk = Self { json: Json::of(program), ..Self::default() };
        walk.note_inline(program);
        walk.program(program);
        walk
    }

    pub(super) fn fault(&mut self, at: usize, message: impl Into<String>) {
        self.found.push(Found { at, weight: Weight::Fault, message: message.into() });
    }

    pub(super) fn warn(&mut self, at: usize, message: impl Into<String>) {
        self.found.push(Found { at, weight: Weight::Warning, message: message.into() });
    }

    /// Whether a block around asks whether there is a `name`.
    pub(super) fn asks_for(&self, name: &str) -> bool {
        self.asked.iter().any(|asked| asked == name || asked.ends_with(&format!(".{name}")))
    }

    /// Whether `path` starts at the context of the whole template.
    pub(super) fn is_at_root(&self, path: &Path) -> bool {
        let own = path.depth == 0 && !path.is_data && !path.is_scoped() && self.moved == 0;
        own && path.parts.first().is_some_and(|name| !self.params.contains(name))
    }

    /// The name that `call` can only mean a helper by, or means one because there is such a helper.
    pub(super) fn helper_of<'c>(&self, call: &'c Call) -> Option<&'c str> {
        let name = match &call.name.kind {
            Kind::Path(path) if path.is_simple() => path.parts.first()?,
            Kind::Text(text) => text,
            _ => return None,
        };
        let given = !call.params.is_empty() || call.hash.is_some();
        let means = !self.params.contains(name) && (given || helpers::find(name).is_some());
        means.then_some(name.as_str())
    }

    fn note_inline(&mut self, program: &Program) {
        for statement in &program.body {
            let Statement::Block(block) = statement else { continue };
            if block.kind == BlockKind::Decorator
                && let Some(Kind::Text(name)) = block.call.params.first().map(|name| &name.kind)
            {
                self.inline.push(name.clone());
            }
            block.program.iter().chain(&block.inverse).for_each(|program| self.note_inline(program));
        }
    }

    fn program(&mut self, program: &Program) {
        let known = self.params.len();
        self.params.extend(program.params.iter().cloned());
        program.body.iter().for_each(|statement| self.statement(statement));
        self.params.truncate(known);
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Content(content) => self.json.take(&content.value),
            Statement::Comment(_) => {}
            Statement::Print(print) => {
                let json = self.json.clone();
                json.look(self, &print.call, print.escaped);
                self.json.value();
                self.call(&print.call, Role::Print { escaped: print.escaped });
            }
            Statement::Decorator(decorator) => {
                self.fault(decorator.call.at, "there are no decorators but {{#*inline}}");
            }
            Statement::Partial(partial) => {
                self.partial(&partial.call);
                self.arguments(&partial.call);
            }
            Statement::Block(block) => self.block(block),
        }
    }

    fn partial(&mut self, call: &Call) {
        let name = match &call.name.kind {
            Kind::Path(path) => &path.original,
            Kind::Text(text) => text,
            _ => return self.expression(&call.name),
        };
        if name != "@partial-block" && !self.inline.contains(name) {
            let message =
                format!("there is no partial `{name}`: {{{{#*inline \"{name}\"}}}}…{{{{/inline}}}} makes one");
            self.fault(call.at, message);
        }
    }

    fn block(&mut self, block: &Block) {
        match block.kind {
            BlockKind::Plain => self.call(&block.call, Role::Block),
            BlockKind::Partial => self.arguments(&block.call),
            BlockKind::Decorator => {}
        }
        let asked = self.asked.len();
        block.call.params.iter().for_each(|param| self.ask(param));
        self.ask(&block.call.name);
        let moves = block.kind != BlockKind::Plain || moves_context(&block.call);
        self.moved += usize::from(moves);
        let before = self.json.clone();
        if let Some(program) = &block.program {
            self.program(program);
        }
        self.moved -= usize::from(moves);
        if let Some(inverse) = &block.inverse {
            let after = std::mem::replace(&mut self.json, before);
            self.program(inverse);
            if block.program.is_some() {
                self.json = after;
            }
        }
        self.asked.truncate(asked);
    }

    /// Notes the fields that a block looks at.
    fn ask(&mut self, expression: &Expression) {
        match &expression.kind {
            Kind::Path(path) => self.asked.push(path.parts.join(".")),
            Kind::Call(call) => call.params.iter().for_each(|param| self.ask(param)),
            _ => {}
        }
    }

    fn call(&mut self, call: &Call, role: Role) {
        match self.helper_of(call) {
            Some(name) => {
                calls::look(self, name, call, role);
                quirks::look(self, name, call, role);
            }
            None => self.field(call),
        }
        self.arguments(call);
    }

    /// A name that means a field.
    fn field(&mut self, call: &Call) {
        let Kind::Path(path) = &call.name.kind else { return };
        if call.params.is_empty() {
            fields::look(self, path, call.name.at);
        } else {
            self.fault(call.at, format!("there is no helper `{}`: a field takes no values", path.original));
        }
    }

    fn arguments(&mut self, call: &Call) {
        let named = call.hash.iter().flatten().map(|(_, value)| value);
        call.params.iter().chain(named).for_each(|value| self.expression(value));
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            Kind::Call(call) => self.call(call, Role::Inner),
            Kind::Path(path) => fields::look(self, path, expression.at),
            _ => {}
        }
    }
}

/// Whether a block may run on another context than its own. Helpers that choose do not.
fn moves_context(call: &Call) -> bool {
    const CHOOSE: &[&str] = &[
        "if",
        "unless",
        "and",
        "or",
        "not",
        "neither",
        "eq",
        "is",
        "isnt",
        "compare",
        "contains",
        "default",
        "frame",
        "gt",
        "gte",
        "has",
        "ifEven",
        "ifNth",
        "ifOdd",
        "isFalsey",
        "isTruthy",
        "lt",
        "lte",
        "unlessEq",
        "unlessGt",
        "unlessGteq",
        "unlessLt",
        "unlessLteq",
        "inArray",
        "isEmpty",
        "equalsLength",
        "lengthEqual",
        "startsWith",
        "noop",
        "uppercase",
        "lowercase",
        "upcase",
        "downcase",
    ];
    !matches!(&call.name.kind, Kind::Path(path) if path.is_simple() && CHOOSE.contains(&path.original.as_str()))
}

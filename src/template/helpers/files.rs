//! Files: helpers that would open one by a path from a template or a payload are refused, by name.

use super::{Table, number};
use crate::template::{
    javascript::{Outcome, Value},
    language::{Block, Call, Expression, Kind, Mistake, Program, Statement},
    machine::Invocation,
};

pub(super) const HELPERS: Table =
    &[("fileSize", number::bytes), ("read", refuse), ("readdir", refuse), ("embed", refuse), ("md", refuse)];

/// The refused helpers, and why.
const REFUSED: &[(&str, &str)] = &[
    ("read", "it reads files on this host"),
    ("readdir", "it lists directories on this host"),
    ("embed", "it reads files on this host"),
    ("md", "it reads files on this host"),
];

/// Why a helper is refused, if it is.
pub(crate) fn refusal(name: &str) -> Option<String> {
    let (name, why) = REFUSED.iter().find(|(refused, _)| *refused == name)?;
    Some(format!("helper \"{name}\" is refused: {why}; a field of that name is written {{{{this.{name}}}}}"))
}

fn refuse(call: &Invocation<'_>) -> Outcome {
    let name = &call.options.name;
    crate::template::javascript::throw::<Value>(refusal(name).unwrap_or_else(|| name.to_string()))
}

/// The first call of a refused helper, also where it would not be reached.
pub(crate) fn refused(program: &Program) -> Option<Mistake> {
    Search::default().program(program)
}

/// The block parameters that are in force: such a name is no helper's.
#[derive(Default)]
struct Search {
    params: Vec<String>,
}

impl Search {
    fn program(&mut self, program: &Program) -> Option<Mistake> {
        let known = self.params.len();
        self.params.extend(program.params.iter().cloned());
        let found = program.body.iter().find_map(|statement| self.statement(statement));
        self.params.truncate(known);
        found
    }

    fn statement(&mut self, statement: &Statement) -> Option<Mistake> {
        match statement {
            Statement::Content(_) | Statement::Comment(_) => None,
            Statement::Print(print) => self.call(&print.call),
            Statement::Decorator(decorator) => self.arguments(&decorator.call),
            Statement::Partial(partial) => {
                self.name_of_partial(&partial.call).or_else(|| self.arguments(&partial.call))
            }
            Statement::Block(block) => self.block(block),
        }
    }

    fn block(&mut self, block: &Block) -> Option<Mistake> {
        let own = match block.kind {
            crate::template::language::BlockKind::Plain => self.call(&block.call),
            _ => self.name_of_partial(&block.call).or_else(|| self.arguments(&block.call)),
        };
        own.or_else(|| block.program.iter().chain(&block.inverse).find_map(|program| self.program(program)))
    }

    fn name_of_partial(&self, call: &Call) -> Option<Mistake> {
        self.expression(&call.name)
    }

    fn call(&self, call: &Call) -> Option<Mistake> {
        self.name(&call.name).or_else(|| self.arguments(call))
    }

    fn name(&self, name: &Expression) -> Option<Mistake> {
        let word = match &name.kind {
            Kind::Path(path) if path.is_simple() => path.parts.first()?,
            Kind::Text(text) => text,
            _ => return None,
        };
        let message = refusal(word).filter(|_| !self.params.contains(word))?;
        Some(Mistake::new(name.at, message))
    }

    fn arguments(&self, call: &Call) -> Option<Mistake> {
        let named = call.hash.iter().flatten().map(|(_, value)| value);
        call.params.iter().chain(named).find_map(|value| self.expression(value))
    }

    fn expression(&self, expression: &Expression) -> Option<Mistake> {
        match &expression.kind {
            Kind::Call(call) => self.call(call),
            _ => None,
        }
    }
}

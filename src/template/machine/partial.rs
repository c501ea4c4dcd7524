//! Partials: registered texts, `{{#*inline}}`, and the block of `{{#> x}}`.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    Compiled, Machine,
    lower::Unit,
    scope::{Closure, Data, Frame, Restores, Scope},
    unread,
};
use crate::template::{
    helpers,
    javascript::{Object, Problem, Value, throw},
    language::{self, Call, Kind},
};

#[derive(Debug, Clone)]
pub(super) enum Part {
    /// A registered text, read when it is first used.
    Source(Rc<str>),
    Inline(Rc<Closure>),
}

pub(super) type Partials = BTreeMap<Rc<str>, Part>;

/// The partials that a template sees now; the same for all its blocks.
#[derive(Debug, Clone)]
pub(super) struct Container(Rc<RefCell<Rc<Partials>>>);

impl Container {
    pub(super) fn new(partials: Partials) -> Self {
        Self(Rc::new(RefCell::new(Rc::new(partials))))
    }

    fn partials(&self) -> Rc<Partials> {
        self.0.borrow().clone()
    }

    /// Adds `more`; gives what was there before.
    pub(super) fn extend(&self, more: &Partials) -> Rc<Partials> {
        let before = self.partials();
        *self.0.borrow_mut() = joined(&before, more);
        before
    }

    pub(super) fn restore(&self, before: Option<Rc<Partials>>) {
        if let Some(before) = before {
            *self.0.borrow_mut() = before;
        }
    }
}

fn joined(partials: &Partials, more: &Partials) -> Rc<Partials> {
    let all = partials.iter().chain(more).map(|(name, part)| (name.clone(), part.clone()));
    Rc::new(all.collect())
}

impl Machine {
    /// A block of the frame's template, with the partials defined in it.
    pub(super) fn closure(&self, program: usize, frame: &Frame) -> Result<Closure, Problem> {
        let mut inline = Partials::new();
        for definition in frame.unit.programs.get(program).into_iter().flat_map(|code| &code.inline) {
            let call = &definition.call;
            let is_inline = matches!(&call.name.kind, Kind::Path(path) if path.original == "inline");
            let Some(program) = definition.program.filter(|_| is_inline) else {
                return Err(Problem::new("there are no decorators but {{#*inline}}").at(|| frame.place(call.at)));
            };
            let name = call.params.first().map_or(Ok(Value::Undefined), |name| self.evaluate(name, frame))?;
            inline.insert(name.to_text(), Part::Inline(Rc::new(self.closure(program, frame)?)));
        }
        Ok(Closure { program, frame: frame.clone(), inline: Rc::new(inline), restores: Restores::Nothing })
    }

    /// `{{> x}}` and `{{#> x}}…{{/x}}`
    pub(super) fn partial(
        &self,
        call: &Call,
        indent: &str,
        program: Option<usize>,
        frame: &Frame,
    ) -> Result<String, Problem> {
        if call.params.len() > 1 {
            return throw("a partial takes one value at most");
        }
        let name = self.partial_name(call, frame)?;
        let context = self.partial_context(call, frame)?;
        let mut partials = frame.container.partials();
        let mut part = match &*name {
            "@partial-block" => frame.data.partial_block.borrow().clone(),
            _ => partials.get(&name).cloned(),
        };
        let mut data = frame.data.clone();
        if let Some(program) = program {
            let mut block = self.closure(program, frame)?;
            partials = joined(&partials, &block.inline);
            block.restores = Restores::Block(frame.data.partial_block.borrow().clone());
            let block = Part::Inline(Rc::new(block));
            let inner = Data::child(&data);
            inner.partial_block.replace(Some(block.clone()));
            data = Rc::new(inner);
            part = part.or(Some(block));
        }
        let text = match part {
            None => return throw(format!("there is no partial `{name}`")),
            Some(Part::Inline(closure)) => self.enter(&closure, context, Some(data), None)?,
            Some(Part::Source(name)) => self.registered(&name, context, data, partials)?,
        };
        Ok(indented(text, indent))
    }

    fn partial_name(&self, call: &Call, frame: &Frame) -> Result<Rc<str>, Problem> {
        if matches!(call.name.kind, Kind::Call(_)) {
            let name = self.evaluate(&call.name, frame)?;
            return Ok(if name.is_true() { name.to_text() } else { "undefined".into() });
        }
        Ok(match &call.name.kind {
            Kind::Path(path) => path.original.as_str().into(),
            _ => self.evaluate(&call.name, frame)?.to_text(),
        })
    }

    fn partial_context(&self, call: &Call, frame: &Frame) -> Result<Value, Problem> {
        let context = match call.params.first() {
            Some(context) => self.evaluate(context, frame)?,
            None => frame.scope.this.clone(),
        };
        if call.hash.is_none() {
            return Ok(context);
        }
        let hash = Value::Object(Rc::new(self.hash(call, frame)?));
        Ok(Value::Object(Rc::new(Object::new(context.fields().into_iter().chain(hash.fields())))))
    }

    /// Renders a registered partial on its own, without the contexts above.
    fn registered(
        &self,
        name: &Rc<str>,
        context: Value,
        data: Rc<Data>,
        partials: Rc<Partials>,
    ) -> Result<String, Problem> {
        let (unit, container) = self.compiled(name)?;
        *container.0.borrow_mut() = partials;
        let scope = Rc::new(Scope::new(context.clone(), None));
        let frame = Frame { unit, scope, data, params: None, container };
        let closure = self.within(frame.clone(), || self.closure(0, &frame))?;
        self.enter(&closure, context, None, None)
    }

    fn compiled(&self, name: &Rc<str>) -> Result<Compiled, Problem> {
        if let Some((unit, container)) = self.compiled.borrow().get(name) {
            return Ok((unit.clone(), container.clone()));
        }
        let text = self.sources.get(name).map_or("", String::as_str);
        let program = language::parse(text, self.depth).map_err(|mistake| unread(&mistake, Some(name)))?;
        helpers::refused(&program).map_or(Ok(()), |mistake| Err(unread(&mistake, Some(name))))?;
        let compiled = (Rc::new(Unit::new(Some(name.clone()), program)), Container::new(Partials::new()));
        self.compiled.borrow_mut().insert(name.clone(), compiled.clone());
        Ok(compiled)
    }
}

/// Each line but an empty last one.
fn indented(text: String, indent: &str) -> String {
    if indent.is_empty() {
        return text;
    }
    let last = text.matches('\n').count();
    let lines = text.split('\n').enumerate();
    let lines =
        lines.map(|(at, line)| if line.is_empty() && at == last { String::new() } else { format!("{indent}{line}") });
    lines.collect::<Vec<_>>().join("\n")
}

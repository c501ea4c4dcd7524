//! What a block sees: contexts for `../`, `@` variables, block parameters, and the partials of its template.

use std::{cell::RefCell, rc::Rc};

use super::{
    lower::Unit,
    partial::{Container, Part, Partials},
};
use crate::template::javascript::{Object, Place, Value, compare::is_loosely_equal};

/// A context and those above it.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) this: Value,
    pub(super) above: Option<Rc<Scope>>,
}

impl Scope {
    pub(super) fn new(this: Value, above: Option<Rc<Scope>>) -> Self {
        Self { this, above }
    }
}

/// The `@` variables of a block.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) vars: Object,
    parent: Option<Rc<Data>>,
    pub(super) partial_block: RefCell<Option<Part>>,
}

impl Data {
    pub(super) fn new(vars: Object, parent: Option<Rc<Data>>) -> Self {
        Self { vars, parent, partial_block: RefCell::default() }
    }

    /// Variables with nothing above them.
    pub(crate) fn bare(vars: Object) -> Self {
        Self::new(vars, None)
    }

    /// A frame of its own with the same variables.
    pub(crate) fn child(parent: &Rc<Data>) -> Self {
        let vars = Object::new(parent.vars.keys().into_iter().map(|key| (key.clone(), parent.vars.get(&key))));
        let partial_block = RefCell::new(parent.partial_block.borrow().clone());
        Self { vars, parent: Some(parent.clone()), partial_block }
    }

    pub(super) fn above(self: &Rc<Self>, depth: usize) -> Option<Rc<Self>> {
        let mut data = self.clone();
        for _ in 0..depth {
            data = data.parent.clone()?;
        }
        Some(data)
    }
}

/// `as |x y|` of one block: the names, and what it was given for them.
#[derive(Debug)]
pub(super) struct Params {
    pub(super) names: Rc<[Rc<str>]>,
    /// `None`: its helper gives none.
    pub(super) values: Option<Vec<Value>>,
    pub(super) above: Option<Rc<Params>>,
}

/// Where a program runs.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) unit: Rc<Unit>,
    pub(super) scope: Rc<Scope>,
    pub(super) data: Rc<Data>,
    pub(super) params: Option<Rc<Params>>,
    pub(super) container: Container,
}

impl Frame {
    pub(super) fn place(&self, at: usize) -> Place {
        Place { partial: self.unit.name.clone(), at }
    }
}

/// What `@partial-block` is inside of a block.
#[derive(Debug, Clone)]
pub(super) enum Restores {
    /// What its data say.
    Nothing,
    /// What it was outside: this is itself the block of a partial.
    Block(Option<Part>),
}

/// A block with what it saw where it was made.
#[derive(Debug, Clone)]
pub(crate) struct Closure {
    pub(super) program: usize,
    pub(super) frame: Frame,
    /// The partials that `{{#*inline}}` defines in it.
    pub(super) inline: Rc<Partials>,
    pub(super) restores: Restores,
}

impl Closure {
    pub(super) fn frame_on(
        &self,
        context: Value,
        data: Option<Rc<Data>>,
        params: Option<Vec<Value>>,
        nothing: &Value,
    ) -> Frame {
        let mut frame = self.frame.clone();
        let outer = &self.frame.scope;
        let stands_for_null = context.is_same(nothing) && matches!(outer.this, Value::Null);
        let is_same = is_loosely_equal(&context, &outer.this) || stands_for_null;
        let above = if is_same { outer.above.clone() } else { Some(outer.clone()) };
        frame.scope = Rc::new(Scope::new(context, above));
        if let Some(data) = data {
            frame.data = data;
        }
        if let Restores::Block(block) = &self.restores {
            let data = Data::child(&frame.data);
            data.partial_block.replace(block.clone());
            frame.data = Rc::new(data);
        }
        let names = self.frame.unit.programs.get(self.program).map(|code| code.params.clone()).unwrap_or_default();
        frame.params = Some(Rc::new(Params { names, values: params, above: frame.params.take() }));
        frame
    }

    /// Makes its own inline partials known; gives what was known before, if that changed.
    pub(super) fn share_inline(&self, container: &Container) -> Option<Rc<Partials>> {
        (!self.inline.is_empty()).then(|| container.extend(&self.inline))
    }
}

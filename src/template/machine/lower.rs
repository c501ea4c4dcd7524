//! Turns a tree into templates of the `handlebars` crate: text stays text, each tag becomes a call of the one
//! helper [`RUNTIME`] with the tag's number.

use std::{collections::HashMap, rc::Rc};

use handlebars::{
    Template,
    template::{ExpressionSpecBuilder, HelperTemplate, Parameter, TemplateElement},
};
use serde_json::Value;

use crate::template::language::{BlockKind, Call, Program, Statement};

/// The helper that carries handlebars.js' rules; no template can write its name.
pub(super) const RUNTIME: &str = "$";

/// A template or a partial.
#[derive(Debug)]
pub(super) struct Unit {
    /// The partial's name.
    pub(super) name: Option<Rc<str>>,
    /// The first is the whole.
    pub(super) programs: Vec<Code>,
    pub(super) nodes: Vec<Node>,
}

/// What stands between the two ends of a block.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) template: Template,
    pub(super) params: Rc<[Rc<str>]>,
    pub(super) inline: Vec<Inline>,
}

/// `{{#*inline "x"}}…{{/inline}}`
#[derive(Debug)]
pub(super) struct Inline {
    pub(super) call: Call,
    pub(super) program: Option<usize>,
}

/// A tag that says something. Programs are numbers in the unit.
#[derive(Debug)]
pub(super) enum Node {
    Print {
        call: Call,
        escaped: bool,
    },
    /// `{{{x}}}{{{y}}}` with nothing before them: handlebars.js adds them up, and numbers have a sum.
    Sum {
        first: Call,
        more: Vec<Call>,
    },
    Block {
        call: Call,
        program: Option<usize>,
        inverse: Option<usize>,
    },
    Partial {
        call: Call,
        indent: String,
        program: Option<usize>,
    },
}

impl Node {
    pub(super) fn call(&self) -> &Call {
        match self {
            Self::Print { call, .. }
            | Self::Sum { first: call, .. }
            | Self::Block { call, .. }
            | Self::Partial { call, .. } => call,
        }
    }
}

impl Unit {
    pub(super) fn new(name: Option<Rc<str>>, program: Program) -> Self {
        let mut unit = Self { name, programs: vec![], nodes: vec![] };
        unit.lower(program);
        unit
    }

    /// Gives the program's number.
    fn lower(&mut self, program: Program) -> usize {
        let number = self.programs.len();
        let params = program.params.iter().map(|param| Rc::from(param.as_str())).collect();
        self.programs.push(Code { template: Template::new(), params, inline: vec![] });
        let mut body = program.body;
        if let Some(sum) = leading_sum(&mut body) {
            self.node(number, sum);
        }
        for statement in body {
            self.statement(statement, number);
        }
        number
    }

    fn statement(&mut self, statement: Statement, program: usize) {
        match statement {
            Statement::Comment(_) => {}
            Statement::Content(content) => {
                self.element(program, TemplateElement::RawString(content.value));
            }
            Statement::Print(print) => {
                self.node(program, Node::Print { call: print.call, escaped: print.escaped });
            }
            Statement::Partial(partial) => {
                self.node(program, Node::Partial { call: partial.call, indent: partial.indent, program: None });
            }
            Statement::Decorator(decorator) => self.inline(program, Inline { call: decorator.call, program: None }),
            Statement::Block(block) => {
                let inner = block.program.map(|inner| self.lower(inner));
                let inverse = block.inverse.map(|inverse| self.lower(inverse));
                let call = block.call;
                match block.kind {
                    BlockKind::Plain => self.node(program, Node::Block { call, program: inner, inverse }),
                    BlockKind::Partial => {
                        self.node(program, Node::Partial { call, indent: String::new(), program: inner });
                    }
                    BlockKind::Decorator => self.inline(program, Inline { call, program: inner }),
                }
            }
        }
    }

    fn inline(&mut self, program: usize, inline: Inline) {
        if let Some(code) = self.programs.get_mut(program) {
            code.inline.push(inline);
        }
    }

    fn node(&mut self, program: usize, node: Node) {
        let number = self.nodes.len();
        self.nodes.push(node);
        self.element(program, tag(number));
    }

    fn element(&mut self, program: usize, element: TemplateElement) {
        if let Some(code) = self.programs.get_mut(program) {
            code.template.elements.push(element);
        }
    }
}

/// Takes the raw tags off the start, where they are several.
fn leading_sum(body: &mut Vec<Statement>) -> Option<Node> {
    let is_raw = |statement: &Statement| matches!(statement, Statement::Print(print) if !print.escaped);
    let says_nothing = |statement: &Statement| match statement {
        Statement::Comment(_) => true,
        Statement::Content(content) => content.value.is_empty(),
        _ => false,
    };
    let run = body.iter().take_while(|statement| is_raw(statement) || says_nothing(statement)).count();
    if body.iter().take(run).filter(|statement| is_raw(statement)).count() < 2 {
        return None;
    }
    let mut calls = body.drain(..run).filter_map(|statement| match statement {
        Statement::Print(print) => Some(print.call),
        _ => None,
    });
    let first = calls.next()?;
    Some(Node::Sum { first, more: calls.collect() })
}

fn tag(number: usize) -> TemplateElement {
    let call = ExpressionSpecBuilder::default()
        .name(Parameter::Name(RUNTIME.to_owned()))
        .params(vec![Parameter::Literal(Value::from(number))])
        .hash(HashMap::new())
        .omit_pre_ws(false)
        .omit_pro_ws(false)
        .build()
        .expect("every part is given");
    TemplateElement::HtmlExpression(Box::new(HelperTemplate::new(call, false, false)))
}

//! Calls: which of helper and field a name means, and what a helper is given.

use std::{borrow::Cow, fmt, rc::Rc};

use super::{
    Machine, budget, path,
    scope::{Closure, Data, Frame},
};
use crate::template::{
    helpers,
    javascript::{Object, Outcome, Place, Problem, Value, throw},
    language::{Call, Expression, Kind, Path},
    patience::{self, Doing},
};

/// The last argument of every helper.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) name: Rc<str>,
    pub(crate) hash: Rc<Object>,
    /// `None`: the helper was not called as a block.
    block: Option<Blocks>,
    pub(crate) data: Rc<Data>,
}

/// The two parts of a block. A part that was not written renders to nothing.
#[derive(Debug, Clone)]
struct Blocks {
    then: Option<Closure>,
    otherwise: Option<Closure>,
}

impl Options {
    pub(crate) fn get(&self, key: &str) -> Value {
        match key {
            "hash" => Value::Object(self.hash.clone()),
            "name" => Value::Text(self.name.clone()),
            _ => Value::Undefined,
        }
    }

    pub(crate) fn keys() -> Vec<Rc<str>> {
        ["name", "hash"].into_iter().map(Rc::from).collect()
    }

    pub(crate) fn is_block(&self) -> bool {
        self.block.is_some()
    }
}

/// One call of a helper.
pub(crate) struct Invocation<'m> {
    pub(crate) machine: &'m Machine,
    pub(crate) this: Value,
    /// Without the options.
    pub(crate) args: Vec<Value>,
    pub(crate) options: Rc<Options>,
    pub(super) place: Place,
}

impl Invocation<'_> {
    /// Runs a match, which may take for ever.
    pub(crate) fn matching<T>(&self, pattern: &dyn fmt::Display, run: impl FnOnce() -> T) -> T {
        let message = format!("`{}`: {pattern} takes too long here", self.options.name);
        let partial = self.place.partial.as_deref().map(str::to_owned);
        patience::during(Doing { message, partial, at: self.place.at }, run)
    }

    /// `arguments[at]`: the options follow the last one.
    pub(crate) fn arg(&self, at: usize) -> Value {
        if at == self.args.len() {
            return Value::Options(self.options.clone());
        }
        self.args.get(at).cloned().unwrap_or_default()
    }

    pub(crate) fn hash(&self, key: &str) -> Value {
        self.options.hash.get(key)
    }

    /// `options.fn(context)`
    pub(crate) fn then(&self, context: Value) -> Outcome {
        self.then_with(&self.options, context, None, None)
    }

    /// `options.inverse(context)`
    pub(crate) fn otherwise(&self, context: Value) -> Outcome {
        self.run(self.blocks(&self.options)?.otherwise.as_ref(), context, None, None)
    }

    /// `options.fn(context, {data, blockParams})`, with the options of whatever is one.
    pub(crate) fn then_with(
        &self,
        options: &Options,
        context: Value,
        data: Option<Rc<Data>>,
        params: Option<Vec<Value>>,
    ) -> Outcome {
        self.run(self.blocks(options)?.then.as_ref(), context, data, params)
    }

    fn blocks<'o>(&self, options: &'o Options) -> Result<&'o Blocks, Problem> {
        let name = &self.options.name;
        options
            .block
            .as_ref()
            .ok_or_else(|| Problem::new(format!("`{name}` needs a block: {{{{#{name} …}}}}…{{{{/{name}}}}}")))
    }

    fn run(
        &self,
        closure: Option<&Closure>,
        context: Value,
        data: Option<Rc<Data>>,
        params: Option<Vec<Value>>,
    ) -> Outcome {
        let Some(closure) = closure else { return Ok(Value::from("")) };
        self.machine.enter(closure, context, data, params).map(Value::from)
    }

    pub(crate) fn fails<T>(&self, problem: &str) -> Result<T, Problem> {
        throw(format!("`{}`: {problem}", self.options.name))
    }
}

/// Those whose calls handlebars.js compiles without looking at the data.
const KNOWN: &[&str] = &["helperMissing", "blockHelperMissing", "each", "if", "unless", "with", "log", "lookup"];

/// The programs of a block: the first, and that behind `{{else}}`.
pub(super) type Programs = (Option<usize>, Option<usize>);

/// How a value came about, which decides what a block does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Helper,
    Field,
}

impl Machine {
    pub(super) fn evaluate(&self, expression: &Expression, frame: &Frame) -> Outcome {
        match &expression.kind {
            Kind::Path(path) => path::find(path, frame),
            Kind::Text(text) => Ok(Value::text(text)),
            Kind::Number(number) => Ok(Value::Number(*number)),
            Kind::Bool(yes) => Ok(Value::Bool(*yes)),
            Kind::Undefined => Ok(Value::Undefined),
            Kind::Null => Ok(Value::Null),
            Kind::Call(call) => {
                let name = called(&call.name);
                let value = match &*name {
                    path if path.is_simple() && path::is_param(path, frame) => path::find(path, frame),
                    path => self.helper(path, call, None, frame),
                };
                value.map_err(|problem| problem.at(|| frame.place(call.at)))
            }
        }
    }

    /// `{{x}}`, `{{x y}}`, `{{#x}}`: a helper's result or a field.
    pub(super) fn expression(
        &self,
        call: &Call,
        programs: Option<Programs>,
        frame: &Frame,
    ) -> Result<(Value, Source), Problem> {
        let path = called(&call.name);
        let is_param = path.is_simple() && path::is_param(&path, frame);
        let name = path.parts.first().map_or("", String::as_str);
        let has_arguments = !call.params.is_empty() || call.hash.is_some();
        if !is_param && (has_arguments || (path.is_simple() && KNOWN.contains(&name))) {
            return Ok((self.helper(&path, call, programs, frame)?, Source::Helper));
        }
        if !is_param
            && path.is_simple()
            && let Some(helper) = helpers::find(name)
        {
            return Ok((self.invoke(helper, name, call, programs, frame)?, Source::Helper));
        }
        Ok((path::find(&path, frame)?, Source::Field))
    }

    /// `{{#x}}…{{/x}}`
    pub(super) fn block(&self, call: &Call, programs: Programs, frame: &Frame) -> Outcome {
        let (value, source) = self.expression(call, Some(programs), frame)?;
        if source == Source::Helper {
            return Ok(value);
        }
        let options = Options {
            name: Rc::from(called(&call.name).original.as_str()),
            hash: Rc::default(),
            block: Some(self.blocks(programs, frame)?),
            data: frame.data.clone(),
        };
        let this = path::this(frame, &self.nothing);
        helpers::section(&Invocation {
            machine: self,
            this,
            args: vec![value],
            options: Rc::new(options),
            place: frame.place(call.at),
        })
    }

    /// A call that can only mean a helper.
    fn helper(&self, path: &Path, call: &Call, programs: Option<Programs>, frame: &Frame) -> Outcome {
        let first = path.parts.first().map_or("", String::as_str);
        let name =
            if KNOWN.contains(&first) { Some(first) } else { path.is_simple().then_some(path.original.as_str()) };
        if let Some((name, helper)) = name.and_then(|name| helpers::find(name).map(|helper| (name, helper))) {
            return self.invoke(helper, name, call, programs, frame);
        }
        if KNOWN.contains(&first) {
            return throw(format!("`{first}` cannot be called"));
        }
        let arguments = self.arguments(&call.params, frame)?;
        self.hash(call, frame)?;
        if path::find(path, frame)?.is_true() {
            return throw(format!("`{}` is a field, not a helper: it takes no values", path.original));
        }
        if arguments.is_empty() {
            Ok(Value::Undefined)
        } else {
            throw(format!("there is no helper `{}`", path.original))
        }
    }

    fn invoke(
        &self,
        helper: helpers::Helper,
        name: &str,
        call: &Call,
        programs: Option<Programs>,
        frame: &Frame,
    ) -> Outcome {
        let args = self.arguments(&call.params, frame)?;
        let hash = Rc::new(self.hash(call, frame)?);
        let block = programs.map(|programs| self.blocks(programs, frame)).transpose()?;
        let options = Rc::new(Options { name: name.into(), hash, block, data: frame.data.clone() });
        let this = path::this(frame, &self.nothing);
        let value = helper(&Invocation { machine: self, this, args, options, place: frame.place(call.at) })?;
        match &value {
            Value::Text(text) if text.len() > budget::TEXT_LIMIT => {
                throw(format!("`{name}` makes a text of more than {} bytes", budget::TEXT_LIMIT))
            }
            _ => Ok(value),
        }
    }

    fn arguments(&self, params: &[Expression], frame: &Frame) -> Result<Vec<Value>, Problem> {
        params.iter().map(|param| self.evaluate(param, frame)).collect()
    }

    /// `x=1 y=2` as handlebars.js makes an object of them: from the last to the first.
    pub(super) fn hash(&self, call: &Call, frame: &Frame) -> Result<Object, Problem> {
        let object = Object::default();
        let pairs = call.hash.iter().flatten();
        let values = pairs.map(|(key, value)| Ok((key, value, self.evaluate(value, frame)?)));
        let values: Vec<_> = values.collect::<Result<_, Problem>>()?;
        for (key, expression, value) in values.into_iter().rev() {
            if !matches!(expression.kind, Kind::Undefined) {
                object.set(key, value);
            }
        }
        Ok(object)
    }

    /// The block parameters in force where a helper was called.
    pub(crate) fn params_around(&self) -> Vec<Value> {
        self.frame().map(|frame| path::params(&frame)).unwrap_or_default()
    }

    fn blocks(&self, (program, inverse): Programs, frame: &Frame) -> Result<Blocks, Problem> {
        let closure = |program: Option<usize>| program.map(|program| self.closure(program, frame)).transpose();
        Ok(Blocks { then: closure(program)?, otherwise: closure(inverse)? })
    }
}

/// The path by which a call is looked up.
fn called(name: &Expression) -> Cow<'_, Path> {
    let literal = |value: Value| Cow::Owned(path::of_literal(&value.to_text()));
    match &name.kind {
        Kind::Path(path) => Cow::Borrowed(path),
        Kind::Text(text) => literal(Value::text(text)),
        Kind::Number(number) => literal(Value::Number(*number)),
        Kind::Bool(yes) => literal(Value::Bool(*yes)),
        Kind::Null => literal(Value::Null),
        Kind::Undefined | Kind::Call(_) => literal(Value::Undefined),
    }
}

//! Runs a template: handlebars.js' runtime rules, carried by the one helper `$` that [`lower`] puts into the
//! templates of the `handlebars` crate. The crate walks the elements and writes the output; what a tag means is
//! decided here.

mod budget;
mod call;
mod lower;
mod partial;
mod path;
mod scope;

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::LazyLock};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
    Renderable as _,
};

pub(crate) use call::{Invocation, Options};
use lower::RUNTIME;
pub(crate) use scope::Data;

pub(crate) use budget::TEXT_LIMIT;
use budget::{Bounded, Budget};
use lower::{Node, Unit};
use partial::{Container, Part, Partials};
use scope::{Closure, Frame, Scope};

use super::{
    Limits,
    clock::Clock,
    helpers,
    javascript::{Object, Outcome, Place, Problem, Value, compare, throw},
    language::{self, Call, Mistake},
};

/// What is rendered.
pub(crate) struct Task<'t> {
    pub(crate) text: &'t str,
    pub(crate) context: Value,
    /// Registered partials: name and text.
    pub(crate) partials: &'t [(String, String)],
    /// The variables `@x` there are from the start.
    pub(crate) private: Vec<(Rc<str>, Value)>,
    pub(crate) clock: Clock,
}

/// What a rendering gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub output: String,
    /// What its logging helpers said, a line each.
    pub log: Vec<String>,
}

/// A registered partial, read.
type Compiled = (Rc<Unit>, Container);

/// One rendering.
pub(crate) struct Machine {
    budget: Budget,
    pub(crate) clock: Clock,
    depth: usize,
    frames: RefCell<Vec<Frame>>,
    sources: HashMap<Rc<str>, String>,
    compiled: RefCell<HashMap<Rc<str>, Compiled>>,
    /// What stands for a context that is none.
    nothing: Value,
    log: RefCell<Vec<String>>,
    /// What went wrong, while the crate carries its own error out.
    problem: RefCell<Option<Problem>>,
}

thread_local! {
    /// The rendering of this thread: the crate's helpers must be the same for all threads, its values must not.
    static RUNNING: RefCell<Option<Rc<Machine>>> = const { RefCell::new(None) };
}

/// Takes the rendering off its thread, also when it panics.
struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Option::take);
    }
}

/// Renders `task`. Time and stack are the caller's matter.
pub(crate) fn run(task: Task<'_>, limits: &Limits) -> Result<Made, Problem> {
    let program = language::parse(task.text, limits.depth).map_err(|mistake| unread(&mistake, None))?;
    helpers::refused(&program).map_or(Ok(()), |mistake| Err(unread(&mistake, None)))?;
    let unit = Rc::new(Unit::new(None, program));
    let sources: HashMap<Rc<str>, String> =
        task.partials.iter().map(|(name, text)| (name.as_str().into(), text.clone())).collect();
    let parts: Partials = sources.keys().map(|name| (name.clone(), Part::Source(name.clone()))).collect();
    let machine = Rc::new(Machine {
        budget: Budget::new(limits),
        clock: task.clock,
        depth: limits.depth,
        frames: RefCell::default(),
        sources,
        compiled: RefCell::default(),
        nothing: Value::Object(Rc::default()),
        log: RefCell::default(),
        problem: RefCell::default(),
    });
    RUNNING.with_borrow_mut(|running| *running = Some(machine.clone()));
    let _running = Running;
    let output = machine.main(unit, task.context, task.private, parts)?;
    Ok(Made { output, log: machine.log.take() })
}

fn unread(mistake: &Mistake, partial: Option<&Rc<str>>) -> Problem {
    let place = Place { partial: partial.cloned(), at: mistake.at };
    Problem { message: mistake.message.clone(), place: Some(place) }
}

impl Machine {
    fn main(
        &self,
        unit: Rc<Unit>,
        context: Value,
        private: Vec<(Rc<str>, Value)>,
        parts: Partials,
    ) -> Result<String, Problem> {
        let vars = Object::new(private);
        if !vars.has("root") {
            vars.set("root", context.clone());
        }
        let frame = Frame {
            unit,
            scope: Rc::new(Scope::new(context.clone(), None)),
            data: Rc::new(Data::new(vars, None)),
            params: None,
            container: Container::new(parts),
        };
        let closure = self.within(frame.clone(), || self.closure(0, &frame))?;
        self.enter(&closure, context, None, None)
    }

    /// Runs `inner` with `frame` as the current one.
    fn within<T>(&self, frame: Frame, inner: impl FnOnce() -> T) -> T {
        self.frames.borrow_mut().push(frame);
        let out = inner();
        self.frames.borrow_mut().pop();
        out
    }

    fn frame(&self) -> Result<Frame, Problem> {
        self.frames.borrow().last().cloned().ok_or_else(|| Problem::new("nothing is being rendered"))
    }

    /// Runs a block on `context`; gives its text.
    fn enter(
        &self,
        closure: &Closure,
        context: Value,
        data: Option<Rc<Data>>,
        params: Option<Vec<Value>>,
    ) -> Result<String, Problem> {
        let _deeper = self.budget.deeper()?;
        let frame = closure.frame_on(context, data, params, &self.nothing);
        let kept = closure.share_inline(&frame.container);
        let drawn = self.within(frame, || self.draw(closure));
        closure.frame.container.restore(kept);
        drawn
    }

    fn draw(&self, closure: &Closure) -> Result<String, Problem> {
        static NO_DATA: LazyLock<Context> = LazyLock::new(Context::null);
        let Some(code) = closure.frame.unit.programs.get(closure.program) else {
            return throw("there is no such block");
        };
        let mut out = Bounded::new(&self.budget);
        let mut state = RenderContext::new(None);
        let drawn = code.template.render(registry(), &NO_DATA, &mut state, &mut out);
        match drawn {
            Ok(()) => Ok(out.text),
            Err(error) => Err(self.problem.take().unwrap_or_else(|| Problem::new(written(&error)))),
        }
    }

    /// One tag, as text.
    fn step(&self, at: usize) -> Result<String, Problem> {
        self.budget.step()?;
        let frame = self.frame()?;
        let Some(node) = frame.unit.nodes.get(at) else { return throw("there is no such tag") };
        let done = match node {
            Node::Print { call, escaped } => self.print(call, &frame).map(|value| printed(&value, *escaped)),
            Node::Sum { first, more } => self.sum(first, more, &frame),
            Node::Block { call, program, inverse } => {
                self.block(call, (*program, *inverse), &frame).map(|value| printed(&value, false))
            }
            Node::Partial { call, indent, program } => self.partial(call, indent, *program, &frame),
        };
        done.map_err(|problem| problem.at(|| frame.place(node.call().at)))
    }

    pub(crate) fn say(&self, line: &str) {
        /// More lines of one rendering are dropped.
        const LINES: usize = 100;
        const LONGEST: usize = 1000;
        let mut log = self.log.borrow_mut();
        if log.len() < LINES {
            log.push(line.chars().take(LONGEST).collect());
        }
    }
}

fn printed(value: &Value, escaped: bool) -> String {
    if value.is_nullish() {
        return String::new();
    }
    let text = value.to_text();
    if escaped { escape(&text) } else { text.to_string() }
}

/// As `{{x}}` does.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            '`' => out.push_str("&#x60;"),
            '=' => out.push_str("&#x3D;"),
            _ => out.push(c),
        }
    }
    out
}

fn written(error: &RenderError) -> String {
    match error.reason() {
        RenderErrorReason::IOError(cause) => cause.to_string(),
        other => other.to_string(),
    }
}

/// The crate's registry with the one helper, and no others.
fn registry() -> &'static Handlebars<'static> {
    static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
        let mut registry = Handlebars::new();
        registry.register_helper(RUNTIME, Box::new(Runtime));
        registry
    });
    &REGISTRY
}

/// The helper `$`: its one parameter is the number of a tag.
struct Runtime;

impl HelperDef for Runtime {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let at = call.param(0).and_then(|number| number.value().as_u64()).and_then(|at| usize::try_from(at).ok());
        let machine = RUNNING.with_borrow(Clone::clone);
        let (Some(at), Some(machine)) = (at, machine) else {
            return Err(RenderErrorReason::Other("a tag outside of a rendering".to_owned()).into());
        };
        match machine.step(at) {
            Ok(text) => Ok(out.write(&text)?),
            Err(problem) => {
                let error = RenderErrorReason::Other(problem.message.clone()).into();
                machine.problem.replace(Some(problem));
                Err(error)
            }
        }
    }
}

impl Machine {
    /// Tags that are added up as JavaScript does it.
    fn sum(&self, first: &Call, more: &[Call], frame: &Frame) -> Result<String, Problem> {
        let value = |call: &Call| {
            let value = self.print(call, frame).map_err(|problem| problem.at(|| frame.place(call.at)))?;
            Ok(if value.is_nullish() { Value::from("") } else { value })
        };
        let sum = more.iter().try_fold(value(first)?, |sum, call| Ok(compare::sum(&sum, &value(call)?)));
        sum.map(|sum| sum.to_text().to_string())
    }

    /// `{{x …}}`
    fn print(&self, call: &Call, frame: &Frame) -> Outcome {
        self.expression(call, None, frame).map(|(value, _)| value)
    }
}

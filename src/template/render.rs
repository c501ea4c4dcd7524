//! Renders one template, in this process. Only the worker does so with templates that nobody has vouched for:
//! a regular expression can take for ever.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::{
    Limits,
    clock::Clock,
    javascript::{Place, Problem, Value as JavaScript, json},
    language::place,
    machine::{self, Made, Task},
    patience::Doing,
};
use crate::core::{template::Fault, text::Shown};

/// What is to be rendered, as it goes to the worker.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Job {
    pub text: String,
    /// The context, as JSON.
    pub context: String,
    /// Registered partials: name and text.
    #[serde(default)]
    pub partials: Vec<(String, String)>,
    /// The `@` variables there are from the start: an object, as JSON. Empty for none.
    #[serde(default)]
    pub private: String,
    /// The time that helpers see; the host's where it is not given.
    #[serde(default)]
    pub now: Option<Timestamp>,
}

impl Job {
    pub fn new(text: &str, context: &Value) -> Self {
        Self { text: text.to_owned(), context: context.to_string(), ..Self::default() }
    }
}

/// Renders `text` on `context` with the usual limits on sizes; time, memory and stack are the caller's matter.
pub fn render_here(text: &str, context: &Value) -> Result<String, Fault> {
    render_within(&Job::new(text, context), &Limits::default(), &TimeZone::UTC).map(|made| made.output)
}

/// Renders a whole job in this process.
pub fn render_within(job: &Job, limits: &Limits, zone: &TimeZone) -> Result<Made, Fault> {
    if job.text.len() > limits.source {
        return Err(too_long(job.text.len(), limits.source));
    }
    let read = |json: &str| {
        json::parse(json).map_err(|problem| at_large(&format!("the context is not JSON: {}", problem.message)))
    };
    let private = if job.private.is_empty() { vec![] } else { read(&job.private)?.fields() };
    let context = if job.context.is_empty() { JavaScript::Undefined } else { read(&job.context)? };
    let clock = Clock { now: job.now.unwrap_or_else(Timestamp::now), zone: zone.clone() };
    let task = Task { text: &job.text, context, partials: &job.partials, private, clock };
    machine::run(task, limits).map_err(|problem| fault(&problem, job))
}

/// With line and column in the template or the partial it belongs to.
fn fault(problem: &Problem, job: &Job) -> Fault {
    let Some(at) = &problem.place else { return at_large(&problem.message) };
    let partial = at.partial.as_ref().and_then(|name| job.partials.iter().find(|(known, _)| **known == **name));
    let (text, message) = match partial {
        Some((name, text)) => (text, format!("in the partial `{name}`: {}", problem.message)),
        None => (&job.text, problem.message.clone()),
    };
    let (line, column) = place(text, at.at);
    Fault { message: Shown::line(&message), line, column }
}

/// What is said of a rendering that is stuck.
pub(super) fn stuck(doing: &Doing, job: &Job) -> Fault {
    let place = Place { partial: doing.partial.as_deref().map(Into::into), at: doing.at };
    fault(&Problem { message: doing.message.clone(), place: Some(place) }, job)
}

/// A fault of the template as a whole.
pub(super) fn at_large(message: &str) -> Fault {
    Fault { message: Shown::line(message), line: 0, column: 0 }
}

pub(super) fn too_long(size: usize, most: usize) -> Fault {
    Fault {
        message: Shown::line(&format!("the template has {size} bytes; at most {most} are rendered")),
        line: 1,
        column: 1,
    }
}

/// Whether `output`, which is JSON, is no object: many receivers take nothing else.
pub(super) fn is_odd(output: &str) -> bool {
    output.trim_start().starts_with(['[', '"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 't', 'f', 'n'])
}

/// Whether `output` is JSON, and where it stops being so.
pub(super) fn check_json(output: &str) -> Result<(), Fault> {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(output) else { return Ok(()) };
    let line = output.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // serde_json counts bytes, and gives the number of those read.
    let bytes = error.column().clamp(1, line.len().max(1)) - 1;
    let column = line.char_indices().take_while(|(at, _)| *at <= bytes).count().max(1);
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Err(Fault { message: Shown::line(message), line: small(error.line().max(1)), column: small(column) })
}

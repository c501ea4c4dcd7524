//! Renders one template, in this process. Only the worker does so with templates that nobody has vouched for:
//! a template can overflow the stack.

use std::io;

use handlebars::{
    Context, Output, Path, RenderContext, RenderError, RenderErrorReason, Renderable as _, Template, TemplateError,
    TemplateErrorReason,
    template::{HelperTemplate, Parameter, Subexpression, TemplateElement},
};
use serde_json::Value;

use super::{Limits, check::check_within, helpers};
use crate::core::{template::Fault, text::Shown};

/// Renders `text` on `context` with the usual limits on sizes; time, memory and stack are the caller's matter.
pub fn render_here(text: &str, context: &Value) -> Result<String, Fault> {
    render_within(text, context, &Limits::default())
}

pub(super) fn render_within(text: &str, context: &Value, limits: &Limits) -> Result<String, Fault> {
    check_within(text, limits.source, limits.depth)?;
    let mut template = Template::compile(text).map_err(|error| unparsed(&error))?;
    normalise(&mut template, text);
    let context = Context::wraps(helpers::as_javascript(context)).map_err(|error| unrendered(&error))?;
    let mut out = Bounded { text: String::new(), limit: limits.output };
    let mut state = RenderContext::new(None);
    template.render(helpers::registry(), &context, &mut state, &mut out).map_err(|error| unrendered(&error))?;
    Ok(out.text)
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
    Err(Fault { message: Shown::line(message), line: small(error.line().max(1)), column: small(column) })
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Output that ends in an error instead of filling the memory.
struct Bounded {
    text: String,
    limit: usize,
}

impl Output for Bounded {
    fn write(&mut self, part: &str) -> Result<(), io::Error> {
        if self.text.len().saturating_add(part.len()) > self.limit {
            return Err(io::Error::other(format!("the output is longer than {} bytes", self.limit)));
        }
        self.text.push_str(part);
        Ok(())
    }
}

fn unparsed(error: &TemplateError) -> Fault {
    let (line, column) = error.pos().unwrap_or_default();
    let message = match error.reason() {
        TemplateErrorReason::InvalidSyntax(why) => {
            format!("cannot be read: {}", why.lines().next().unwrap_or_default().trim())
        }
        other => other.to_string(),
    };
    Fault { message: Shown::line(&message), line: small(line), column: small(column) }
}

fn unrendered(error: &RenderError) -> Fault {
    let message = match error.reason() {
        RenderErrorReason::InvalidJsonIndex(name) => {
            format!("a list has no field `{name}`: use {{{{#each}}}}, a position as in .[0], or the helper length")
        }
        RenderErrorReason::CannotIncludeSelf => "the template includes itself".to_owned(),
        RenderErrorReason::IOError(cause) => cause.to_string(),
        RenderErrorReason::Other(message) => message.clone(),
        other => other.to_string(),
    };
    let (line, column) = (error.line_no.unwrap_or(0), error.column_no.unwrap_or(0));
    Fault { message: Shown::line(&message), line: small(line), column: small(column) }
}

/// Brings what the crate has read closer to what handlebars.js means: values are printed by
/// [`helpers::PRINT`], comparisons may be blocks, `@root` is the data. Depth is bounded by the check before.
fn normalise(template: &mut Template, text: &str) {
    let places: Vec<usize> = template.mapping.iter().map(|place| place.0).collect();
    for (at, element) in template.elements.iter_mut().enumerate() {
        match element {
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => print(call),
            TemplateElement::HelperBlock(call) => block(call, text),
            TemplateElement::DecoratorBlock(part) => part.template.iter_mut().for_each(|t| normalise(t, text)),
            TemplateElement::PartialExpression(part) => {
                part.params.iter_mut().chain(part.hash.values_mut()).for_each(parameter);
                // Only a partial alone on its line is indented.
                let line = places.get(at).and_then(|line| text.split('\n').nth(line.checked_sub(1)?));
                if line.is_none_or(|line| !is_alone(line)) {
                    part.indent = None;
                }
            }
            // Text and comments; the others are refused by the check.
            _ => {}
        }
    }
}

fn is_alone(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("{{") && line.ends_with("}}") && line.matches("{{").count() == 1
}

fn print(call: &mut HelperTemplate) {
    let name = std::mem::replace(&mut call.name, Parameter::Name(helpers::PRINT.to_owned()));
    let params = std::mem::take(&mut call.params);
    let hash = std::mem::take(&mut call.hash);
    let is_call = !params.is_empty() || name.as_name().is_some_and(helpers::is_known_name);
    let mut value =
        if is_call { Parameter::Subexpression(Subexpression::new(name, params, hash)) } else { path_of(name) };
    parameter(&mut value);
    call.params = vec![value];
}

/// The crate keeps `{{title}}` as a name; as an argument it must be a path.
fn path_of(name: Parameter) -> Parameter {
    match name {
        Parameter::Name(name) => Path::parse(&name).map_or(Parameter::Name(name), Parameter::Path),
        other => other,
    }
}

fn block(call: &mut HelperTemplate, text: &str) {
    call.params.iter_mut().chain(call.hash.values_mut()).for_each(parameter);
    let choice = call.name.as_name().and_then(helpers::find).is_some_and(|helper| helper.has(helpers::Form::Inline));
    if choice {
        let name = std::mem::replace(&mut call.name, Parameter::Name("if".to_owned()));
        let params = std::mem::take(&mut call.params);
        let hash = std::mem::take(&mut call.hash);
        call.params = vec![Parameter::Subexpression(Subexpression::new(name, params, hash))];
    }
    call.template.iter_mut().chain(call.inverse.iter_mut()).for_each(|template| normalise(template, text));
}

fn parameter(argument: &mut Parameter) {
    match argument {
        Parameter::Subexpression(inner) => {
            if let TemplateElement::Expression(call) = inner.element.as_mut() {
                call.params.iter_mut().chain(call.hash.values_mut()).for_each(parameter);
            }
        }
        Parameter::Path(Path::Local((0, name, raw))) if name == "root" => {
            if let Some(root) = root(raw) {
                *argument = Parameter::Path(root);
            }
        }
        Parameter::Literal(value) => *value = helpers::as_javascript(value),
        _ => {}
    }
}

/// The path of the whole data. The crate reads `@root.x`, but takes a lone `@root` for a variable.
fn root(raw: &str) -> Option<Path> {
    match Path::parse("@root/x").ok()? {
        Path::Relative((mut parts, _)) => {
            parts.pop();
            Some(Path::Relative((parts, raw.to_owned())))
        }
        Path::Local(_) => None,
    }
}

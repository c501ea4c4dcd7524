//! What a template can name on the delivery that the preview is on: asked once for each delivery, and only when
//! somebody wants to see it.

use crate::{
    app::{Effect, Model, source::Source, wait::Wait},
    core::{field::Field, template::Subject, text::Shown},
    proto::{Answer, Request, RequestId},
};

/// The fields of one delivery, as far as they are known.
#[derive(Debug, Default)]
pub struct Context {
    known: Option<(Subject, Result<Box<Field>, Shown>)>,
    asked: Option<(Wait, Subject)>,
}

impl Context {
    /// The fields on `source`.
    pub fn field(&self, source: &Source) -> Option<&Field> {
        self.of(source)?.as_ref().ok().map(|field| &**field)
    }

    /// The same, or why they are not known; `None`: not answered yet.
    pub fn of(&self, source: &Source) -> Option<&Result<Box<Field>, Shown>> {
        let wanted = source.subject();
        self.known.as_ref().filter(|(on, _)| *on == wanted).map(|(_, field)| field)
    }

    /// An answer; `false`: none that is waited for here.
    pub(super) fn take(&mut self, id: RequestId, answer: &Result<Answer, String>) -> bool {
        let Some((_, on)) = self.asked.take_if(|(wait, _)| wait.is(id)) else { return false };
        let field = match answer {
            Ok(Answer::TemplateContext { context }) => Ok(context.clone()),
            other => Err(Shown::line(super::why(other))),
        };
        self.known = Some((on, field));
        true
    }

    /// What was asked will not be answered; what failed may go well over the next link.
    pub(super) fn detached(&mut self) {
        self.asked = None;
        self.known.take_if(|(_, field)| field.is_err());
    }
}

/// Asks for the fields, unless they are known or asked for.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    let on = model.templates.source.subject();
    let (context, now) = (&mut model.templates.context, model.now);
    context.asked.take_if(|(wait, asked)| wait.overdue(now) || *asked != on);
    let is_known = context.known.as_ref().is_some_and(|(known, _)| *known == on);
    if is_known || context.asked.is_some() {
        return vec![];
    }
    let Some((wait, effect)) = Wait::ask(model, Request::TemplateContext { on: on.clone() }) else { return vec![] };
    model.templates.context.asked = Some((wait, on));
    vec![effect]
}

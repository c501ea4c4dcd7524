//! Leaving, for good or for a while: where something would be lost, the same key again.

use super::{Effect, Link, Model, NoticeKind, Role, templates};
use crate::core::text::Shown;

/// A way out that the person may have to ask for twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    Quit,
    Suspend,
}

/// Quits; with unsaved templates only when asked twice.
pub(super) fn quit(model: &mut Model) -> Vec<Effect> {
    let form = model.targets.unsaved();
    let unsaved: Vec<&str> = model.templates.unsaved().into_iter().chain(form.as_deref()).collect();
    let unsaved = unsaved.join(", ");
    let fate = if model.templates.keeps_drafts() && form.is_none() { "keeps it as a draft" } else { "loses it" };
    let warning = format!("not saved: {unsaved}. The same key again quits and {fate}; any other stays");
    leave(model, Leaving::Quit, (!unsaved.is_empty()).then_some(warning))
}

/// Suspends; the owner of the server, which stops with it, only when asked twice.
pub(super) fn suspend(model: &mut Model) -> Vec<Effect> {
    let warning = "suspended, this dogwatch receives no webhooks: ctrl-z again suspends";
    let owner = matches!(model.link, Link::Up(Role::Owner));
    leave(model, Leaving::Suspend, owner.then(|| warning.to_owned()))
}

/// Leaves when there is nothing to warn of, or when it was warned of by the key before.
fn leave(model: &mut Model, way: Leaving, warning: Option<String>) -> Vec<Effect> {
    let warned = model.leaving.as_ref().is_some_and(|(warned, _)| *warned == way);
    if let Some(warning) = warning.filter(|_| !warned) {
        model.say(NoticeKind::Bad, &warning);
        model.leaving = Some((way, Shown::line(&warning)));
        return vec![];
    }
    match way {
        Leaving::Quit => ending(model, Effect::Quit),
        Leaving::Suspend => ending(model, Effect::Suspend),
    }
}

/// Leaves, after what is typed was kept.
pub(super) fn ending(model: &mut Model, way: Effect) -> Vec<Effect> {
    let mut effects = templates::ended(model);
    effects.push(way);
    effects
}

//! Where a key or a pasted text goes: to what is open over the view, else to the view.

use super::{
    Effect, Model, NoticeKind, View, calls, command, geometry, handoff, incidents,
    keys::{self, Action},
    leaving::{quit, suspend},
    list::Step,
    oncall, prompt, refresh, services, settle_others,
    sheet::{self, Subject},
    targets, templates, webhooks,
};
use crate::core::keys::{Chord, Key};

pub(super) fn press(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let before = model.leaving.clone();
    let effects = press_key(model, chord);
    // The same key again leaves; any other takes the question back.
    if let Some((_, said)) = before.filter(|before| model.leaving.as_ref() == Some(before)) {
        model.leaving = None;
        model.notice.take_if(|notice| notice.text == said);
    }
    effects
}

pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if geometry::is_too_small(model.size) || model.sheet.is_some() || model.calls.is_some() {
        return vec![];
    }
    if model.prompt.is_some() {
        prompt::pasted(model, text);
        return vec![];
    }
    if handoff::pasted(model, text) || command::pasted(model, text) {
        return vec![];
    }
    match model.view {
        View::Incidents => incidents::pasted(model, text),
        View::OnCall => oncall::pasted(model, text),
        View::Webhooks => webhooks::pasted(model, text),
        View::Templates => templates::pasted(model, text),
        View::Services => services::pasted(model, text),
        View::Targets => targets::pasted(model, text),
    };
    settle_others(model)
}

fn press_key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    if chord.ctrl && chord.key == Key::Char('c') {
        return quit(model);
    }
    if chord.ctrl && chord.key == Key::Char('z') {
        return suspend(model);
    }
    if geometry::is_too_small(model.size) {
        return press_unseen(model, chord);
    }
    model.notice.take_if(|notice| notice.kind == NoticeKind::Good);
    if let Some(prompt) = model.prompt.take() {
        let mut effects = prompt::press(model, prompt, chord);
        effects.extend(incidents::open_conflict(model));
        return effects;
    }
    let mut effects = press_view(model, chord);
    effects.extend(incidents::open_conflict(model));
    effects
}

/// What cannot be seen cannot be worked: only leaving goes, and not while something may be half typed.
fn press_unseen(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let typing = model.prompt.is_some()
        || model.command.line.is_some()
        || model.handoff.is_some()
        || model.incidents.typing.is_some()
        || model.targets.form.is_some()
        || model.view == View::Templates;
    if !typing && keys::resolve(chord, model.view) == Some(Action::Quit) { quit(model) } else { vec![] }
}

fn press_view(model: &mut Model, chord: Chord) -> Vec<Effect> {
    if let Some(open) = model.sheet {
        sheet::press(model, open, chord);
        return vec![];
    }
    if model.handoff.is_some() {
        return handoff::press(model, chord);
    }
    if model.calls.is_some() {
        return press_calls(model, chord);
    }
    if let Some(effects) = command::typed(model, chord) {
        return effects;
    }
    let typed = match model.view {
        View::Incidents => incidents::typed(model, chord),
        View::OnCall => oncall::typed(model, chord),
        View::Webhooks => webhooks::typed(model, chord),
        View::Templates => templates::typed(model, chord),
        View::Services => services::typed(model, chord),
        View::Targets => targets::typed(model, chord),
    };
    if let Some(effects) = typed {
        return effects;
    }
    keys::resolve(chord, model.view).map(|action| act(model, action)).unwrap_or_default()
}

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let had_news = model.notice.is_some();
    // Bad news stays while one only looks around.
    if Step::of(action).is_none() {
        model.notice.take_if(|notice| notice.kind == NoticeKind::Bad);
    }
    match action {
        Action::Quit => return quit(model),
        Action::Suspend => return suspend(model),
        Action::Help => sheet::open(model, Subject::Help),
        Action::ShowTroubles => sheet::open(model, Subject::Troubles),
        Action::NextView => model.view = model.view.after(1),
        Action::PreviousView => model.view = model.view.after(View::ALL.len() - 1),
        Action::ShowIncidents => model.view = View::Incidents,
        Action::ShowServices => model.view = View::Services,
        Action::ShowTargets => model.view = View::Targets,
        Action::ShowOnCall => model.view = View::OnCall,
        Action::ShowWebhooks => model.view = View::Webhooks,
        Action::ShowTemplates => model.view = View::Templates,
        Action::Refresh => return refresh(model),
        Action::ApiLog => return calls::open(model),
        Action::CommandLine => command::open(model),
        Action::HandOffShift => return handoff::open(model),
        Action::TakeBack => return incidents::take_back(model),
        Action::Back if had_news && model.notice.is_none() => {}
        Action::Back if webhooks::returns(model) => {}
        _ => {
            return match model.view {
                View::Incidents => incidents::act(model, action),
                View::OnCall => oncall::act(model, action),
                View::Webhooks => webhooks::act(model, action),
                View::Templates => templates::act(model, action),
                View::Services => services::act(model, action),
                View::Targets => targets::act(model, action),
            };
        }
    }
    services::settle(model);
    [targets::settle(model), webhooks::settle(model), oncall::settle(model)].concat()
}

/// The keys that hold everywhere; those of the view below do nothing.
fn press_calls(model: &mut Model, chord: Chord) -> Vec<Effect> {
    match keys::resolve(chord, model.view) {
        Some(Action::Back | Action::ApiLog | Action::Quit) => model.calls = None,
        Some(action @ (Action::Help | Action::ShowTroubles | Action::Refresh | Action::TakeBack | Action::Suspend)) => {
            return act(model, action);
        }
        Some(
            action @ (Action::NextView
            | Action::PreviousView
            | Action::ShowIncidents
            | Action::ShowOnCall
            | Action::ShowWebhooks
            | Action::ShowTemplates
            | Action::ShowServices
            | Action::ShowTargets),
        ) => {
            model.calls = None;
            return act(model, action);
        }
        Some(action) if Step::of(action).is_some() => calls::step(model, Step::of(action)),
        _ => {}
    }
    vec![]
}

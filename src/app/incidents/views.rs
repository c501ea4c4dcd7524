//! The list of saved views, for terminals whose keys do not reach one, and for names that one forgot.

use super::looking;
use crate::{
    app::{Effect, Model, NoticeKind, list::Step},
    core::{
        keys::{Chord, Key},
        text::Shown,
    },
};

/// Opens the list, with the hand on the view that is in force.
pub(super) fn begin(model: &mut Model) {
    let state = &mut model.incidents;
    let names = state.views.all.iter().map(|view| &view.name);
    let Some(first) = state.view().map(|view| &view.name).or_else(|| names.into_iter().next()).cloned() else {
        model.say(NoticeKind::Bad, "no saved views: [[view]] in the configuration makes them");
        return;
    };
    state.picking = Some(first);
}

/// A key while the list is open; `None`: it is not.
pub(super) fn press(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    let picked = model.incidents.picking.clone()?;
    let step = match chord.key {
        Key::Esc => {
            model.incidents.picking = None;
            return Some(vec![]);
        }
        Key::Enter => {
            model.incidents.picking = None;
            return Some(looking::show_view(model, picked.as_str()));
        }
        Key::Char('j') | Key::Down => Step::Down,
        Key::Char('k') | Key::Up => Step::Up,
        Key::Char('g') | Key::Home => Step::Top,
        Key::Char('G') | Key::End => Step::Bottom,
        _ => return Some(vec![]),
    };
    model.incidents.picking = moved(model, &picked, step);
    Some(vec![])
}

fn moved(model: &Model, from: &Shown, step: Step) -> Option<Shown> {
    let all = &model.incidents.views.all;
    let at = all.iter().position(|view| view.name == *from).unwrap_or_default();
    let last = all.len().saturating_sub(1);
    let to = match step {
        Step::Down | Step::PageDown => (at + 1).min(last),
        Step::Up | Step::PageUp => at.saturating_sub(1),
        Step::Top => 0,
        Step::Bottom => last,
    };
    all.get(to).map(|view| view.name.clone())
}

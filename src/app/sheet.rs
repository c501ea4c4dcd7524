//! A sheet of text over the view: the keys, or all that is wrong now. It is made anew each time it is shown.

use ratatui::layout::Rect;

use super::{
    Model, geometry, help,
    keys::{self, Action},
    list::{self, Step},
    page::Piece,
    troubles,
};
use crate::core::keys::Chord;

/// What stands on a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Help,
    Troubles,
}

impl Subject {
    /// Of the key that opens it, and closes it again.
    fn of(action: Action) -> Option<Self> {
        match action {
            Action::Help => Some(Self::Help),
            Action::ShowTroubles => Some(Self::Troubles),
            _ => None,
        }
    }
}

/// An open sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    subject: Subject,
    /// Lines that are scrolled away above; fewer when there are not that many any more.
    pub offset: usize,
}

impl Sheet {
    /// Its lines, of `width`.
    pub fn lines(self, model: &Model, width: usize) -> Vec<Vec<Piece>> {
        match self.subject {
            Subject::Help => help::page(model, width),
            Subject::Troubles => troubles::page(model, width),
        }
    }
}

pub(super) fn open(model: &mut Model, subject: Subject) {
    model.sheet = Some(Sheet { subject, offset: 0 });
}

/// A key while `sheet` is open.
pub(super) fn press(model: &mut Model, sheet: Sheet, chord: Chord) {
    let Some(action) = keys::resolve(chord, model.view).or_else(|| keys::resolve_in_editor(chord)) else { return };
    if let Some(subject) = Subject::of(action).filter(|subject| *subject != sheet.subject) {
        open(model, subject);
    } else if let Some(step) = Step::of(action) {
        model.sheet = Some(scrolled(model, sheet, step));
    } else if matches!(action, Action::Back | Action::Quit) || Subject::of(action).is_some() {
        model.sheet = None;
    }
}

fn scrolled(model: &Model, sheet: Sheet, step: Step) -> Sheet {
    let body = geometry::areas(Rect::new(0, 0, model.size.0, model.size.1)).body;
    let lines = sheet.lines(model, geometry::text(body).width.into()).len();
    Sheet { offset: list::scroll(sheet.offset, step, lines, body.height.into()), ..sheet }
}

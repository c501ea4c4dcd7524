//! Drawing: a pure function of the model. Reads `&Model`, writes the frame, touches nothing else.

pub mod incidents;
pub mod oncall;
pub mod templates;
pub mod theme;
pub mod webhooks;

#[cfg(test)]
pub(crate) mod snapshot;
#[cfg(test)]
pub(crate) use crate::app::fixtures;
pub use crate::core::words;

use ratatui::Frame;

use crate::app::{Model, View, geometry};

/// Draws the whole screen.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let at = geometry::areas(frame.area());
    match model.view {
        View::Incidents => incidents::draw(model, frame, at.body),
        View::OnCall => oncall::draw(model, frame, at.body),
        View::Webhooks => webhooks::draw(model, frame, at.body),
        View::Templates => templates::draw(model, frame, at.body),
    }
}

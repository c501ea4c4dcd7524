//! Colours and marks. Colour never carries meaning alone: a mark or a word goes with it. Only the 16
//! colours of the terminal's own palette are used; under `NO_COLOR` none at all.

use ratatui::style::{Color, Modifier, Style};

pub use crate::app::page::Tone;

use crate::app::Model;

/// The style for `tone` on this terminal.
pub fn style(model: &Model, tone: Tone) -> Style {
    let (colour, modifier) = match tone {
        Tone::Plain => (None, Modifier::empty()),
        Tone::Strong => (None, Modifier::BOLD),
        Tone::Faint => (None, Modifier::DIM),
        Tone::Alarm => (Some(Color::Red), Modifier::BOLD),
        Tone::Caution => (Some(Color::Yellow), Modifier::empty()),
        Tone::Calm => (Some(Color::Green), Modifier::empty()),
        Tone::Accent => (Some(Color::Cyan), Modifier::empty()),
    };
    let style = Style::new().add_modifier(modifier);
    match colour.filter(|_| model.colour) {
        Some(colour) => style.fg(colour),
        None => style,
    }
}

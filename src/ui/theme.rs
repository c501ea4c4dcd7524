//! Colours and marks. Colour never carries meaning alone: a mark or a word goes with it. Only the 16
//! colours of the terminal's own palette are used; under `NO_COLOR` none at all.

use ratatui::style::{Color, Modifier, Style};

pub use crate::app::page::Tone;

use crate::app::{Model, templates::syntax::Kind};

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

/// The style of a stretch of a template or of JSON. Without colour, what steers (keywords) is bold, what does nothing
/// (comments) faint, and the rest plain: the text says the same.
pub fn syntax(model: &Model, kind: Kind) -> Style {
    let (colour, modifier) = match kind {
        Kind::Key | Kind::Name => (Some(Color::Blue), Modifier::empty()),
        Kind::Text | Kind::Literal => (Some(Color::Green), Modifier::empty()),
        Kind::Number | Kind::Constant => (Some(Color::Magenta), Modifier::empty()),
        Kind::Bracket | Kind::Parenthesis => (None, Modifier::empty()),
        Kind::Tag | Kind::Field => (Some(Color::Cyan), Modifier::empty()),
        Kind::Raw => (Some(Color::Yellow), Modifier::BOLD),
        Kind::Keyword => (Some(Color::Magenta), Modifier::BOLD),
        Kind::Helper => (Some(Color::Yellow), Modifier::empty()),
        Kind::Bad => (Some(Color::Red), Modifier::BOLD),
        Kind::Comment => (None, Modifier::DIM),
    };
    let style = Style::new().add_modifier(modifier);
    match colour.filter(|_| model.colour) {
        Some(colour) => style.fg(colour),
        None => style,
    }
}

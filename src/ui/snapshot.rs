//! Screens as text for snapshots: what is drawn, then one line for each run of styled cells, so that a
//! changed colour shows up in review like a changed word.

use std::fmt::Write as _;

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier, Style},
};
use unicode_width::UnicodeWidthStr as _;

use crate::app::Model;

/// The screen of `model` at this size. The model's own size should be the same.
pub(crate) fn screen(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("infallible");
    terminal.draw(|frame| super::view(model, frame)).expect("infallible");
    styled(terminal.backend().buffer())
}

fn styled(buffer: &Buffer) -> String {
    let (mut text, mut styles) = (String::new(), String::new());
    for y in 0..buffer.area.height {
        text += row(buffer, y).trim_end();
        text.push('\n');
        push_runs(&mut styles, buffer, y);
    }
    format!("{text}---\n{styles}")
}

/// A wide character covers the cell after it.
fn row(buffer: &Buffer, y: u16) -> String {
    let (mut text, mut covered) = (String::new(), 0);
    for x in 0..buffer.area.width {
        if covered > 0 {
            covered -= 1;
            continue;
        }
        let symbol = buffer[(x, y)].symbol();
        covered = symbol.width().saturating_sub(1);
        text += symbol;
    }
    text
}

fn push_runs(out: &mut String, buffer: &Buffer, y: u16) {
    let plain = Style::new().fg(Color::Reset).bg(Color::Reset).underline_color(Color::Reset);
    let mut run: Option<(u16, Style)> = None;
    for x in 0..=buffer.area.width {
        let style = (x < buffer.area.width).then(|| buffer[(x, y)].style()).filter(|style| *style != plain);
        if run.map(|(_, style)| style) == style {
            continue;
        }
        if let Some((from, style)) = run {
            let _ = writeln!(out, "{y}:{from}..{x}{}", words(style));
        }
        run = style.map(|style| (x, style));
    }
}

fn words(style: Style) -> String {
    let mut words = String::new();
    if let Some(colour) = style.fg.filter(|c| *c != Color::Reset) {
        let _ = write!(words, " {colour}");
    }
    if let Some(colour) = style.bg.filter(|c| *c != Color::Reset) {
        let _ = write!(words, " on {colour}");
    }
    for (modifier, name) in [(Modifier::BOLD, "bold"), (Modifier::DIM, "dim"), (Modifier::REVERSED, "reversed")] {
        if style.add_modifier.contains(modifier) {
            let _ = write!(words, " {name}");
        }
    }
    let rest = style.add_modifier - Modifier::BOLD - Modifier::DIM - Modifier::REVERSED;
    if !rest.is_empty() {
        let _ = write!(words, " {rest:?}");
    }
    words
}

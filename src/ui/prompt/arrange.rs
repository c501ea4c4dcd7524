//! The prompts for overrides and maintenance windows.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{border, field, frame_box, keys};
use crate::{
    app::{
        Model,
        geometry::{self, inside},
        page::{Page, Tone},
        prompt::{
            Prompt,
            arrange::{Arranging, Stage},
        },
    },
    ui::{
        parts::{self, cell},
        theme::style,
    },
};

/// What can be typed for a span.
const EXAMPLES: &str = "30m, 1h, until 09:00, 18:00-22:00, tue 08:00 for 12h, 2025-06-12 08:00 until 20:00";

pub(super) fn draw(
    model: &Model,
    prompt: &Prompt,
    arranging: &Arranging,
    title: &str,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    match arranging.stage {
        Stage::Schedule | Stage::Person | Stage::Override | Stage::Window => {
            choice(model, arranging, title, frame, body);
        }
        Stage::When => typed(model, prompt, arranging, ("when", arranging.when.as_str(), EXAMPLES), title, frame, body),
        Stage::Words => {
            let line = ("what for", arranging.words.as_str(), "one line, for others to read; may be empty");
            typed(model, prompt, arranging, line, title, frame, body);
        }
        Stage::Asking => {
            question(model, prompt, vec![(Tone::Caution, "asking the provider…".into())], title, frame, body);
        }
        Stage::Confirming => question(model, prompt, arranging.question(model), title, frame, body),
    }
}

fn question(
    model: &Model,
    prompt: &Prompt,
    lines: Vec<(Tone, String)>,
    title: &str,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let mut page = Page::new(usize::from(inside(geometry::prompt(body, 1)).width));
    for (tone, text) in lines {
        page.text(0, tone, &text);
    }
    keys(&mut page, prompt);
    let area = frame_box(model, title, Tone::Caution, frame, geometry::prompt(body, page.lines.len()));
    // Where not all fits, the keys must still be seen.
    let hidden = page.lines.len().saturating_sub(area.height.into());
    crate::ui::page(model, page.lines, hidden, frame, area);
}

fn typed(
    model: &Model,
    prompt: &Prompt,
    arranging: &Arranging,
    (name, text, examples): (&str, &str, &str),
    title: &str,
    frame: &mut Frame<'_>,
    body: Rect,
) {
    let mut page = Page::new(usize::from(inside(geometry::prompt(body, 1)).width));
    page.blank();
    match &arranging.wrong {
        Some(wrong) => page.text(0, Tone::Alarm, &format!("! {wrong}")),
        None => page.text(0, Tone::Faint, examples),
    }
    keys(&mut page, prompt);
    let area = frame_box(model, title, Tone::Caution, frame, geometry::prompt(body, page.lines.len()));
    crate::ui::page(model, page.lines, 0, frame, area);
    field(model, name, text, true, frame, Rect { height: area.height.min(1), ..area });
}

fn choice(model: &Model, arranging: &Arranging, title: &str, frame: &mut Frame<'_>, body: Rect) {
    let at = geometry::pick(body);
    frame_box(model, title, Tone::Caution, frame, at.frame);
    field(model, "find", arranging.filter.as_str(), true, frame, at.filter);
    if arranging.listed.is_empty() {
        let text = if arranging.choices.is_empty() { "nothing is known yet" } else { "nothing matches" };
        frame.render_widget(Line::styled(text, style(model, Tone::Caution)), at.choices);
    }
    let names = usize::from(at.choices.width * 2 / 5).min(24);
    for (row, thing) in at.choices.rows().zip(arranging.listed.iter().skip(arranging.cursor.offset())) {
        let Some(choice) = arranging.choices.iter().find(|choice| choice.thing == *thing) else { continue };
        let mark = if arranging.cursor.selected() == Some(thing) { "▸ " } else { "  " };
        let line = Line::from(vec![
            Span::styled(mark, style(model, Tone::Accent)),
            Span::styled(cell(&choice.name, names), style(model, Tone::Plain)),
            Span::styled(format!(" {}", choice.about), style(model, Tone::Faint)),
        ]);
        frame.render_widget(line, row);
    }
    parts::beyond(
        model,
        frame,
        border(at.frame),
        (arranging.cursor.offset(), at.choices.height),
        arranging.listed.len(),
    );
}

//! The text of a template, line by line: numbers, colours, what is selected, found, and belongs together, the cursor,
//! and what may stand there. Only the lines in sight are looked at.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::Clear,
};

use crate::{
    app::{
        Model,
        page::Tone,
        templates::{
            areas::{column_of, number_width, popup, width_at},
            complete::Completion,
            editor::Editor,
            syntax::{Token, tokens},
        },
    },
    core::text::{Shown, columns, fit, pieces},
    ui::{
        parts::{self, cell, span},
        theme,
    },
};

/// The widest list of suggestions, in columns.
const WIDEST: usize = 56;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, editor: &Editor) {
    let lines = editor.area.lines();
    let numbers = number_width(lines.len()).min(area.width);
    let digits = usize::from(numbers.saturating_sub(1));
    let mut found = vec![];
    for (y, row) in (area.y..area.bottom()).zip(editor.offset.0..lines.len()) {
        let number = format!("{:>digits$} ", row + 1);
        parts::line(frame, Rect { y, height: 1, width: numbers, ..area }, Line::styled(number, Style::new().dim()));
        found.clear();
        tokens(editor.states.get(row).copied().unwrap_or_default(), &lines[row], &mut found);
        let rest = Rect { x: area.x + numbers, y, width: area.width - numbers, height: 1 };
        parts::line(frame, rest, text_line(model, editor, row, &found, rest.width.into()));
    }
}

/// The part of a line that is in sight.
fn text_line(model: &Model, editor: &Editor, row: usize, found: &[Token], width: usize) -> Line<'static> {
    let (line, left) = (&editor.area.lines()[row], editor.offset.1);
    let marks = Marks::of(editor, row);
    let (mut spans, mut column, mut token) = (Runs::default(), 0, found.iter().peekable());
    for (number, (byte, c)) in line.char_indices().enumerate() {
        let wide = width_at(c, column);
        let end = column + wide;
        while token.next_if(|token| token.end <= byte).is_some() {}
        if end > left && end <= left + width {
            let kind = token.peek().filter(|token| token.start <= byte).map(|token| token.kind);
            let style = kind.map_or(Style::new(), |kind| theme::syntax(model, kind));
            let style = marks.over(model, style, number, byte);
            // A tab, and a wide character that is cut at the left.
            if c == '\t' || column < left {
                spans.push_text(&" ".repeat(end - column.max(left)), style);
            } else {
                spans.push(c, style);
            }
        }
        column = end;
    }
    if marks.cursor == Some(line.chars().count()) {
        spans.push(' ', Style::new().reversed());
    }
    let mut shown = spans.line();
    // The cursor is always seen: where it stands in the last column, it is the sign that there is more.
    if column > left + width && marks.cursor.is_none_or(|cursor| column_of(line, cursor) + 1 != left + width) {
        cut(&mut shown, width);
    }
    shown
}

/// Puts a mark in the last column: the line goes on.
fn cut(line: &mut Line<'static>, width: usize) {
    let mut room = width.saturating_sub(1);
    let mut spans = vec![];
    for span in line.spans.drain(..) {
        let text = prefix(&span.content, room);
        room -= columns(&text);
        spans.push(Span::styled(text, span.style));
    }
    spans.push(Span::raw(" ".repeat(room)));
    spans.push(Span::styled("›", Style::new().dim()));
    line.spans = spans;
}

/// As much of the start as fits.
fn prefix(text: &str, width: usize) -> String {
    let fits = pieces(text, width.max(1)).first().copied().unwrap_or_default();
    if columns(fits) <= width { fits.to_owned() } else { String::new() }
}

/// Stretches of one style.
#[derive(Default)]
struct Runs {
    done: Vec<Span<'static>>,
    text: String,
    style: Style,
}

impl Runs {
    fn push(&mut self, c: char, style: Style) {
        self.push_text(c.encode_utf8(&mut [0; 4]), style);
    }

    fn push_text(&mut self, text: &str, style: Style) {
        if style != self.style && !self.text.is_empty() {
            self.done.push(Span::styled(std::mem::take(&mut self.text), self.style));
        }
        self.style = style;
        self.text.push_str(text);
    }

    fn line(mut self) -> Line<'static> {
        self.done.push(Span::styled(self.text, self.style));
        Line::from(self.done)
    }
}

/// What is to be seen in one line besides its text.
struct Marks {
    /// The character that the cursor stands on.
    cursor: Option<usize>,
    selected: Option<(usize, usize)>,
    /// Finds, with whether the cursor stands on it.
    hits: Vec<(usize, usize, bool)>,
    /// What belongs together, in bytes.
    pair: Vec<(usize, usize)>,
    fault: Option<usize>,
}

impl Marks {
    fn of(editor: &Editor, row: usize) -> Self {
        let (line, column) = editor.cursor();
        let within = |from: (usize, usize), to: (usize, usize)| {
            let start = if from.0 == row { from.1 } else { 0 };
            let end = if to.0 == row { to.1 } else { usize::MAX };
            (from.0..=to.0).contains(&row).then_some((start, end))
        };
        let hits = editor.search.iter().flat_map(|search| &search.hits).filter(|hit| hit.0 == row);
        let fault = editor.preview.fault().filter(|fault| usize::try_from(fault.line) == Ok(row + 1));
        Self {
            cursor: (line == row).then_some(column),
            selected: editor.area.selection_range().and_then(|(from, to)| within(from, to)),
            hits: hits.map(|hit| (hit.1, hit.2, line == row && (hit.1..hit.2).contains(&column))).collect(),
            pair: editor.pair.iter().filter_map(|stretch| within(stretch.from, stretch.to)).collect(),
            fault: fault.and_then(|fault| usize::try_from(fault.column).ok()?.checked_sub(1)),
        }
    }

    fn over(&self, model: &Model, style: Style, number: usize, byte: usize) -> Style {
        let mut added = Modifier::empty();
        if self.selected.is_some_and(|(from, to)| (from..to).contains(&number)) {
            added |= Modifier::UNDERLINED;
        }
        for (_, _, current) in self.hits.iter().filter(|(from, to, _)| (*from..*to).contains(&number)) {
            added |= if *current { Modifier::UNDERLINED | Modifier::BOLD } else { Modifier::UNDERLINED };
        }
        if self.pair.iter().any(|(from, to)| (*from..*to).contains(&byte)) {
            added |= Modifier::UNDERLINED | Modifier::BOLD;
        }
        if self.cursor == Some(number) {
            added |= Modifier::REVERSED;
        }
        if self.fault == Some(number) {
            return theme::style(model, Tone::Alarm).add_modifier(added | Modifier::UNDERLINED);
        }
        style.add_modifier(added)
    }
}

/// What may stand at the cursor, in a list beside it, within `room`.
pub(super) fn suggestions(model: &Model, frame: &mut Frame<'_>, text: Rect, room: Rect, editor: &Editor) {
    let Some(completion) = &editor.completion else { return };
    let (row, column) = editor.cursor();
    let line = editor.area.lines().get(row).map_or("", String::as_str);
    let start = column_of(line, column.saturating_sub(completion.typed));
    let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    let y = text.y.saturating_add(small(row.saturating_sub(editor.offset.0)));
    let numbers = number_width(editor.area.lines().len());
    let x = text.x.saturating_add(numbers).saturating_add(small(start.saturating_sub(editor.offset.1)));
    let names = completion.candidates.iter().map(|one| columns(&one.text)).max().unwrap_or(0).min(24);
    let notes = completion.candidates.iter().map(|one| columns(&one.note)).max().unwrap_or(0);
    let width = (names + notes + 5).min(WIDEST);
    let at = popup(room, (y, x.saturating_sub(3)), completion.candidates.len(), small(width));
    frame.render_widget(Clear, at);
    for (y, number) in (at.y..at.bottom()).zip(window(completion, at.height.into())) {
        let candidate = &completion.candidates[number];
        let selected = number == completion.selected;
        let note = fit(Shown::line(&candidate.note).as_str(), usize::from(at.width).saturating_sub(names + 5));
        let spans = vec![
            span(model, Tone::Faint, "│"),
            parts::gutter(model, selected),
            span(model, Tone::Plain, cell(Shown::line(&candidate.text).as_str(), names)),
            span(model, Tone::Faint, format!("  {note}")),
        ];
        parts::line(frame, Rect { y, height: 1, ..at }, parts::selected(Line::from(spans), selected));
    }
}

/// The numbers of the suggestions that show, the selected one among them.
fn window(completion: &Completion, height: usize) -> std::ops::Range<usize> {
    let first = (completion.selected + 1).saturating_sub(height.max(1));
    first..completion.candidates.len()
}

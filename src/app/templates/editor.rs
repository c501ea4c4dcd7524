//! One template being edited, with its preview. The text is never lost silently, and what the preview
//! shows is always said to be of the text on the screen, or not yet.

use jiff::Timestamp;
use ratatui::{
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
};
use tui_textarea::{CursorMove, TextArea};

use crate::{
    app::wait::Wait,
    core::{
        template::{Fault, Preview},
        text::{Shown, ShownBody, pieces},
        words::wrap,
    },
};

use super::{
    hidden::{self, Stripped},
    source::Pick,
};

/// From this width on, the preview stands beside the text.
const BESIDE: u16 = 100;
/// Steps of undo kept.
const HISTORY: usize = 500;

/// A template's text as it was left without saving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub(super) text: String,
    /// The text without changes.
    pub(super) clean: String,
    /// What the server holds, as it sent it; `None`: nothing yet.
    pub(super) base: Option<String>,
}

impl Draft {
    /// What the server sent, as it can be edited.
    pub(super) fn of(base: String) -> (Self, usize) {
        let Stripped { text, hidden } = hidden::strip(&base);
        (Self { clean: text.clone(), text, base: Some(base) }, hidden)
    }

    /// A template that does not exist yet.
    pub(super) fn empty() -> Self {
        Self { text: String::new(), clean: String::new(), base: None }
    }
}

/// An open template.
#[derive(Debug)]
pub struct Editor {
    pub name: String,
    pub area: TextArea<'static>,
    /// How many hidden characters the text has: until they are taken out it is only shown.
    pub locked: Option<usize>,
    pub preview: Previewed,
    /// Lines of the preview scrolled by.
    pub scroll: usize,
    pub pick: Option<Pick>,
    /// Leaving with unsaved changes: the person is being asked.
    pub leaving: bool,
    /// It was saved since it was opened.
    pub saved: bool,
    clean: String,
    pub(super) base: Option<String>,
}

/// The preview, and how it stands to the text.
#[derive(Debug)]
pub struct Previewed {
    /// The text or the delivery is another than the one that was asked for last.
    pub(super) wanted: bool,
    pub(super) asked: Option<Wait>,
    pub last: Option<Result<Preview, Shown>>,
}

impl Previewed {
    /// Whether `last` is of the text on the screen.
    pub fn is_current(&self) -> bool {
        !self.wanted && self.asked.is_none() && self.last.is_some()
    }

    /// Whether the server did not answer in time.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.asked.is_some_and(|wait| wait.overdue(now))
    }

    /// What is wrong with the template on the screen or with what it gives, in words; `None`: nothing that is
    /// known.
    pub(super) fn wrong(&self) -> Option<String> {
        match self.last.as_ref().filter(|_| self.is_current())?.as_ref().ok()? {
            Preview::Broken(fault) => Some(format!("it is broken: {}", placed(fault))),
            Preview::Rendered { output, json: Err(fault), .. } if is_meant_as_json(output.as_str()) => {
                Some(format!("its output is not JSON: {}", placed(fault)))
            }
            Preview::Rendered { .. } => None,
        }
    }

    /// What is wrong with the template on the screen, and where.
    pub fn fault(&self) -> Option<&Fault> {
        match &self.last {
            Some(Ok(Preview::Broken(fault))) if self.is_current() => Some(fault),
            _ => None,
        }
    }
}

impl Editor {
    pub(super) fn new(name: String, draft: Draft, hidden: usize) -> Self {
        let locked = (hidden > 0).then_some(hidden);
        let area = match (&draft.base, locked) {
            (Some(base), Some(_)) => area(ShownBody::new(base).as_str()),
            _ => area(&draft.text),
        };
        let preview = Previewed { wanted: true, asked: None, last: None };
        let Draft { clean, base, .. } = draft;
        Self { name, area, locked, preview, scroll: 0, pick: None, leaving: false, saved: false, clean, base }
    }

    /// The text to render and to save: what is on the screen, or what a locked one stands for.
    pub(super) fn text(&self) -> String {
        match (&self.base, self.locked) {
            (Some(base), Some(_)) => base.clone(),
            _ => self.area.lines().join("\n"),
        }
    }

    /// Whether something would be lost by closing it.
    pub fn is_unsaved(&self) -> bool {
        self.locked.is_none() && self.text() != self.clean
    }

    /// Whether the server has nothing of it yet.
    pub fn is_new(&self) -> bool {
        self.base.is_none()
    }

    pub(super) fn draft(&self) -> Draft {
        Draft { text: self.text(), clean: self.clean.clone(), base: self.base.clone() }
    }

    /// The server now holds `text`.
    pub(super) fn saved(&mut self, text: &str) {
        self.saved = true;
        self.base = Some(text.to_owned());
        text.clone_into(&mut self.clean);
    }

    /// Takes the hidden characters out, so that the rest can be edited; says how many they were.
    pub(super) fn unlock(&mut self) -> usize {
        let Some(hidden) = self.locked.take() else { return 0 };
        self.clean = self.base.clone().unwrap_or_default();
        self.area = area(&hidden::strip(&self.clean).text);
        self.preview.wanted = true;
        hidden
    }

    /// Text from the clipboard; says how many hidden characters were left out.
    pub(super) fn paste(&mut self, text: &str) -> usize {
        let Stripped { text, hidden } = hidden::strip(text);
        self.preview.wanted |= self.area.insert_str(text);
        hidden
    }
}

/// An editor for `text`. Its styles are the same with and without colour.
fn area(text: &str) -> TextArea<'static> {
    let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
    area.set_line_number_style(Style::new().add_modifier(Modifier::DIM));
    area.set_cursor_line_style(Style::new());
    area.set_selection_style(Style::new().add_modifier(Modifier::UNDERLINED));
    area.set_max_histories(HISTORY);
    area.set_tab_length(2);
    area.move_cursor(CursorMove::Top);
    area
}

/// The parts of the open editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EditorAreas {
    pub title: Rect,
    /// Marks beside the text, one column.
    pub gutter: Rect,
    pub text: Rect,
    /// Between text and preview when they stand side by side; empty otherwise.
    pub divider: Rect,
    pub preview_title: Rect,
    pub preview: Rect,
}

pub fn editor_areas(body: Rect) -> EditorAreas {
    let halves = [Constraint::Fill(1), Constraint::Length(1), Constraint::Fill(1)];
    let (left, divider, right) = if body.width >= BESIDE {
        let [left, divider, right] = Layout::horizontal(halves).areas(body);
        (left, divider, right)
    } else {
        let [above, below] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(body);
        (above, Rect::default(), below)
    };
    let titled = |part| Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas::<2>(part);
    let ([title, rest], [preview_title, preview]) = (titled(left), titled(right));
    let [gutter, text] = Layout::horizontal([Constraint::Length(1), Constraint::Fill(1)]).areas(rest);
    EditorAreas { title, gutter, text, divider, preview_title, preview }
}

/// One line of the preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviewLine<'a> {
    Output {
        text: &'a str,
        /// The output stops being JSON here.
        marked: bool,
    },
    Fault(String),
    Warning(String),
    Remark(String),
}

/// More warnings are only counted: the output must stay in sight, also where there is little room.
fn told_warnings(width: usize) -> usize {
    match width {
        ..60 => 1,
        60..100 => 2,
        100.. => 3,
    }
}

impl Previewed {
    /// The preview as lines of at most `width` columns, the mark before them included.
    pub fn lines(&self, width: usize) -> Vec<PreviewLine<'_>> {
        let inner = width.saturating_sub(2);
        let said = |text: &str, line: fn(String) -> PreviewLine<'static>| -> Vec<PreviewLine<'_>> {
            wrap(text, inner).into_iter().map(line).collect()
        };
        match &self.last {
            None => said("no preview yet", PreviewLine::Remark),
            Some(Err(cause)) => said(&format!("no preview: {cause}"), PreviewLine::Fault),
            Some(Ok(Preview::Broken(fault))) => said(&placed(fault), PreviewLine::Fault),
            Some(Ok(Preview::Rendered { output, json, warnings, .. })) => {
                let mut out = vec![];
                let fault = json.as_ref().err().filter(|_| is_meant_as_json(output.as_str()));
                if let Some(fault) = fault {
                    out.extend(said(&format!("not JSON, {}", placed(fault)), PreviewLine::Fault));
                }
                let told = told_warnings(inner);
                for warning in warnings.iter().take(told) {
                    out.extend(said(&placed(warning), PreviewLine::Warning));
                }
                if let Some(more @ 1..) = warnings.len().checked_sub(told) {
                    out.extend(said(&format!("and {more} more"), PreviewLine::Warning));
                }
                for (number, line) in (1..).zip(output.lines()) {
                    let marked = fault.is_some_and(|fault| fault.line == number);
                    out.extend(pieces(line, inner).into_iter().map(|text| PreviewLine::Output { text, marked }));
                }
                if output.is_empty() {
                    out.extend(said("the output is empty", PreviewLine::Remark));
                }
                out
            }
        }
    }
}

/// Whether output that is not JSON was meant to be: else it is text, and nothing is wrong with it.
pub fn is_meant_as_json(output: &str) -> bool {
    output.trim_start().starts_with(['{', '['])
}

/// What is wrong, after where.
fn placed(fault: &Fault) -> String {
    match (fault.line, fault.column) {
        (0, _) => fault.message.to_string(),
        (line, 0) => format!("line {line}: {}", fault.message),
        (line, column) => format!("line {line}, column {column}: {}", fault.message),
    }
}

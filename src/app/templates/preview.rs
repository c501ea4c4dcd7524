//! The preview of an open template: what it gives, whether that is JSON, and how it differs from what the saved text
//! gives.

use jiff::Timestamp;

use crate::{
    app::{Effect, Model, wait::Wait},
    core::{
        diff::{self, difference},
        template::{Fault, Preview},
        text::{Shown, pieces},
        words::wrap,
    },
    proto::{Answer, Request, RequestId},
};

/// The preview, and how it stands to the text.
#[derive(Debug, Default)]
pub struct Previewed {
    /// The text or the delivery is another than the one that was asked for last.
    pub(super) wanted: bool,
    pub(super) asked: Option<Wait>,
    pub last: Option<Result<Preview, Shown>>,
    /// What the saved text gives on the same delivery, while that is compared.
    pub compare: Option<Compare>,
}

/// The output of the saved text.
#[derive(Debug, Default)]
pub struct Compare {
    pub(super) wanted: bool,
    asked: Option<Wait>,
    /// `None`: not known yet, or nothing is saved.
    pub last: Option<Result<Preview, Shown>>,
}

/// How the output stands to that of the saved text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not known yet.
    Asking,
    /// Nothing is saved, or it gives nothing.
    Nothing,
    Same,
    Different {
        new: usize,
        gone: usize,
    },
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

    /// What the template on the screen does that is perhaps not meant.
    pub fn warnings(&self) -> &[Fault] {
        match &self.last {
            Some(Ok(Preview::Rendered { warnings, .. })) if self.is_current() => warnings,
            _ => &[],
        }
    }

    /// Asks for the preview of `text` when it is wanted and no answer is waited for: of the texts in between, only
    /// the newest is rendered. The same for the saved text, while that is compared.
    pub(super) fn ask(&mut self, model: &mut Model, text: impl FnOnce() -> String, saved: Option<&str>) -> Vec<Effect> {
        let on = model.templates.source.subject();
        let mut effects = vec![];
        let lost = self.asked.take_if(|wait| wait.overdue(model.now)).is_some();
        if self.asked.is_none() && (self.wanted || lost) {
            self.wanted = true;
            if let Some((wait, effect)) = Wait::ask(model, Request::Render { text: text(), on: on.clone() }) {
                self.asked = Some(wait);
                self.wanted = false;
                effects.push(effect);
            }
        }
        if let (Some(compare), Some(saved)) = (&mut self.compare, saved) {
            let lost = compare.asked.take_if(|wait| wait.overdue(model.now)).is_some();
            compare.wanted |= lost;
            if compare.wanted
                && let Some((wait, effect)) = Wait::ask(model, Request::Render { text: saved.to_owned(), on })
            {
                *compare = Compare { wanted: false, asked: Some(wait), last: None };
                effects.push(effect);
            }
        }
        effects
    }

    /// An answer; `false`: it is none of these.
    pub(super) fn take(&mut self, id: RequestId, answer: &Result<Answer, String>) -> bool {
        let said = || {
            Some(match answer {
                Ok(Answer::Preview { preview }) => Ok(preview.clone()),
                other => Err(Shown::line(super::why(other))),
            })
        };
        if self.asked.take_if(|wait| wait.is(id)).is_some() {
            self.last = said();
            return true;
        }
        let compare = self.compare.as_mut().filter(|compare| compare.asked.is_some_and(|wait| wait.is(id)));
        if let Some(compare) = compare {
            (compare.asked, compare.last) = (None, said());
            return true;
        }
        false
    }

    /// The link broke, or stands anew: what was asked is asked again.
    pub(super) fn again(&mut self) {
        self.wanted |= self.asked.take().is_some() || matches!(self.last, Some(Err(_)));
        if let Some(compare) = &mut self.compare {
            compare.wanted |= compare.asked.take().is_some() || matches!(compare.last, Some(Err(_)));
        }
    }

    pub(super) fn toggle_compare(&mut self) {
        self.compare = match self.compare {
            None => Some(Compare { wanted: true, ..Compare::default() }),
            Some(_) => None,
        };
    }

    /// The delivery or the saved text is another.
    pub(super) fn outdated(&mut self) {
        self.wanted = true;
        if let Some(compare) = &mut self.compare {
            compare.wanted = true;
        }
    }

    /// How the output stands to that of the saved text; `None` while they are not compared.
    pub fn standing(&self) -> Option<Standing> {
        let compare = self.compare.as_ref()?;
        Some(match (self.outputs(), &compare.last) {
            (_, None) if compare.asked.is_some() || compare.wanted => Standing::Asking,
            (Some((saved, now)), _) if saved == now => Standing::Same,
            (Some((saved, now)), _) => {
                let (new, gone) = diff::counts(&difference(saved, now));
                Standing::Different { new, gone }
            }
            (None, _) => Standing::Nothing,
        })
    }

    /// The output of the saved text, and that of the text on the screen.
    fn outputs(&self) -> Option<(&str, &str)> {
        Some((output(self.compare.as_ref()?.last.as_ref())?, output(self.last.as_ref())?))
    }
}

fn output(preview: Option<&Result<Preview, Shown>>) -> Option<&str> {
    match preview {
        Some(Ok(Preview::Rendered { output, .. })) => Some(output.as_str()),
        _ => None,
    }
}

/// One line of the preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviewLine<'a> {
    Output {
        /// The whole line of the output, of which this shows a part.
        line: &'a str,
        /// The part, in bytes.
        from: usize,
        to: usize,
        /// The output stops being JSON here.
        marked: bool,
    },
    /// A line that only one of the outputs has, or both.
    Compared(diff::Line<'a>),
    Fault(String),
    Warning(String),
    Remark(String),
}

impl Previewed {
    /// The preview as lines of at most `width` columns, the mark before them included.
    pub fn lines(&self, width: usize) -> Vec<PreviewLine<'_>> {
        let inner = width.saturating_sub(2);
        match &self.last {
            None => said("no preview yet", inner, PreviewLine::Remark),
            Some(Err(cause)) => said(&format!("no preview: {cause}"), inner, PreviewLine::Fault),
            Some(Ok(Preview::Broken(fault))) => said(&placed(fault), inner, PreviewLine::Fault),
            Some(Ok(Preview::Rendered { output, json, warnings, .. })) => {
                let mut out = vec![];
                let fault = json.as_ref().err().filter(|_| is_meant_as_json(output.as_str()));
                if let Some(fault) = fault {
                    out.extend(said(&format!("not JSON, {}", placed(fault)), inner, PreviewLine::Fault));
                }
                out.extend(warned(warnings, inner));
                match self.compared(inner) {
                    Some(lines) => out.extend(lines),
                    None => out.extend(whole(output.as_str(), fault, inner)),
                }
                if output.is_empty() {
                    out.extend(said("the output is empty", inner, PreviewLine::Remark));
                }
                out
            }
        }
    }

    /// The lines that differ from the saved text's output; `None` while they are not compared.
    fn compared(&self, inner: usize) -> Option<Vec<PreviewLine<'_>>> {
        let remark = |text: &str| said(text, inner, PreviewLine::Remark);
        match self.standing()? {
            Standing::Asking => None,
            Standing::Same => {
                let mut out = remark("the same as the saved text gives:");
                if let Some((_, now)) = self.outputs() {
                    out.extend(whole(now, None, inner));
                }
                Some(out)
            }
            Standing::Nothing => {
                let cause = match self.compare.as_ref().and_then(|compare| compare.last.as_ref()) {
                    None => "nothing is saved yet to compare with".to_owned(),
                    Some(Err(cause)) => format!("nothing to compare with: {cause}"),
                    Some(Ok(Preview::Broken(fault))) => format!("the saved text gives nothing: {}", placed(fault)),
                    Some(Ok(Preview::Rendered { .. })) => return None,
                };
                Some(remark(&cause))
            }
            Standing::Different { .. } => {
                let (saved, now) = self.outputs()?;
                Some(compared(&difference(saved, now), inner))
            }
        }
    }
}

/// More warnings are only counted: the output must stay in sight, also where there is little room.
fn told_warnings(width: usize) -> usize {
    match width {
        ..60 => 1,
        60..100 => 2,
        100.. => 3,
    }
}

fn warned<'a>(warnings: &[Fault], inner: usize) -> Vec<PreviewLine<'a>> {
    let told = told_warnings(inner);
    let mut out = vec![];
    for warning in warnings.iter().take(told) {
        out.extend(said(&placed(warning), inner, PreviewLine::Warning));
    }
    if let Some(more @ 1..) = warnings.len().checked_sub(told) {
        out.extend(said(&format!("and {more} more"), inner, PreviewLine::Warning));
    }
    out
}

/// Lines of a difference, long ones in pieces.
pub(super) fn compared<'a>(lines: &[diff::Line<'a>], inner: usize) -> Vec<PreviewLine<'a>> {
    let mut out = vec![];
    for line in lines {
        let part = |text: &'a str| match line {
            diff::Line::Same(_) => diff::Line::Same(text),
            diff::Line::Gone(_) => diff::Line::Gone(text),
            diff::Line::New(_) => diff::Line::New(text),
            diff::Line::Skipped(n) => diff::Line::Skipped(*n),
        };
        out.extend(pieces(line.text(), inner).into_iter().map(|text| PreviewLine::Compared(part(text))));
    }
    out
}

fn whole<'a>(output: &'a str, fault: Option<&Fault>, inner: usize) -> Vec<PreviewLine<'a>> {
    let mut out = vec![];
    for (number, line) in (1..).zip(output.lines()) {
        let marked = fault.is_some_and(|fault| fault.line == number);
        let mut from = 0;
        for piece in pieces(line, inner) {
            let to = from + piece.len();
            out.push(PreviewLine::Output { line, from, to, marked });
            from = to;
        }
    }
    out
}

fn said<'a>(text: &str, inner: usize, line: fn(String) -> PreviewLine<'a>) -> Vec<PreviewLine<'a>> {
    wrap(text, inner).into_iter().map(line).collect()
}

/// Whether output that is not JSON was meant to be: else it is text, and nothing is wrong with it.
pub fn is_meant_as_json(output: &str) -> bool {
    output.trim_start().starts_with(['{', '['])
}

/// What is wrong, after where.
pub(super) fn placed(fault: &Fault) -> String {
    match (fault.line, fault.column) {
        (0, _) => fault.message.to_string(),
        (line, 0) => format!("line {line}: {}", fault.message),
        (line, column) => format!("line {line}, column {column}: {}", fault.message),
    }
}

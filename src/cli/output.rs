//! What commands print. Outside text was cleaned when it came in; what people typed is cleaned here.

use std::{
    fmt::Write as _,
    io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _},
    sync::OnceLock,
};

use serde::Serialize;

use super::{Exit, Failure};
use crate::core::text::{Shown, ShownBody, columns};

/// Why standard output does not hold all that was to stand there: the first cause.
static LOST: OnceLock<String> = OnceLock::new();

/// Whether it was written. A reader that has left (`| head`) wants no more, which is no error; what else keeps it from
/// being written is said at the end, by [`finish`].
pub(super) fn is_written(written: &io::Result<()>) -> bool {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
    written.is_ok()
}

/// How a command ends that would end with `exit`: an answer of which some is missing is none.
pub(super) fn finish(exit: Exit) -> Exit {
    is_written(&io::stdout().flush());
    let Some(cause) = LOST.get() else { return exit };
    complain(&format!("standard output: {cause}: not all of the answer was written"));
    Exit::Failed
}

/// One line to standard output.
pub(super) fn line(text: &str) {
    is_written(&writeln!(io::stdout().lock(), "{text}"));
}

/// Many lines to standard output, in few writes.
pub(super) struct Lines(BufWriter<StdoutLock<'static>>);

impl Lines {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    /// `false`: no more can be written, or nobody reads it.
    pub(super) fn add(&mut self, text: &str) -> bool {
        is_written(&writeln!(self.0, "{text}"))
    }

    /// Writes what waits, with the same answer.
    pub(super) fn flush(&mut self) -> bool {
        is_written(&self.0.flush())
    }
}

/// One line to standard error. Where that cannot be written there is nowhere to say so; how the command ends tells.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "dogwatch: {}", ShownBody::new(text));
}

/// Text of one's own making, to the letter; cleaned only when a terminal reads it.
pub(super) fn verbatim(text: &str) {
    if io::stdout().is_terminal() {
        line(ShownBody::new(text).as_str());
    } else {
        line(text);
    }
}

/// A value as indented JSON, whole; what could act on a terminal is escaped as JSON escapes it.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(Exit::Failed, e))?;
    line(&escaped(&text));
    Ok(())
}

/// A value as one line of JSON, likewise.
pub(super) fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value).map_err(|e| Failure::new(Exit::Failed, e))?;
    Ok(escaped(&text))
}

fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        let harmless =
            c == '\n' || matches!(c, ' '..='~') || Shown::line(c.encode_utf8(&mut [0; 4])).as_str().contains(c);
        if harmless {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Rows under headings, columns as wide as they need to be.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = headings.iter().map(|h| columns(h)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let headings: Vec<String> = headings.iter().map(|h| (*h).to_owned()).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let mut out = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            out.push_str(cell);
            out.push_str(&" ".repeat(width.saturating_sub(columns(cell)) + 2));
        }
        line(out.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_and_drives_no_terminal() {
        let value = serde_json::json!({ "text": "a\u{202e}b\u{9b}2J é 日本 \u{e0041}", "more": "x".repeat(300_000) });
        let text = escaped(&serde_json::to_string_pretty(&value).expect("json"));

        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("json"), value);
        assert!(!text.contains(['\u{202e}', '\u{9b}', '\u{e0041}']));
        assert!(text.contains("é 日本"));
    }
}

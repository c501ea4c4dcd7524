//! What commands print. Outside text was cleaned when it came in; what people typed is cleaned here.
#![expect(clippy::print_stderr, reason = "saying what went wrong is what commands do")]

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

use serde::Serialize;

use super::Failure;
use crate::core::text::{Shown, ShownBody, columns};

/// One line to standard output. A reader that has left (`| head`) is no error.
pub(super) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// One line to standard error.
pub(super) fn complain(text: &str) {
    eprintln!("dogwatch: {}", ShownBody::new(text));
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
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(super::Exit::Failed, e))?;
    line(&escaped(&text));
    Ok(())
}

/// A value as one line of JSON, likewise.
pub(super) fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value).map_err(|e| Failure::new(super::Exit::Failed, e))?;
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

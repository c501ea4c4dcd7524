//! What commands print. Outside text was cleaned when it came in; what people typed is cleaned here.
#![expect(clippy::print_stderr, reason = "saying what went wrong is what commands do")]

use std::io::{self, Write as _};

use serde::Serialize;

use super::Failure;
use crate::core::text::{ShownBody, columns};

/// One line to standard output. A reader that has left (`| head`) is no error.
pub(super) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// One line to standard error.
pub(super) fn complain(text: &str) {
    eprintln!("dogwatch: {}", ShownBody::new(text));
}

/// A value as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(super::Exit::Failed, e))?;
    line(&ShownBody::new(&text).to_string());
    Ok(())
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

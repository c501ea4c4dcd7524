//! Templates of outgoing webhooks, and what rendering one gives.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::text::{Shown, ShownBody};

/// A template in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSummary {
    /// The file's name without its ending: lower-case letters, digits, `-` and `_`.
    pub name: String,
    pub saved_at: Option<Timestamp>,
    /// Ships with dogwatch and was not changed.
    pub built_in: bool,
}

/// What is wrong with a template or its output, and where (counted from 1; 0 when unknown).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub message: Shown,
    pub line: u32,
    pub column: u32,
}

/// The result of a preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preview {
    /// Rendered. `json` says whether the output is JSON, and where it stops being so; `warnings` what the template does
    /// that is perhaps not meant.
    Rendered {
        output: ShownBody,
        json: Result<(), Fault>,
        bytes: u64,
        #[serde(default)]
        warnings: Vec<Fault>,
    },
    /// Not rendered.
    Broken(Fault),
}

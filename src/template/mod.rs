//! Handlebars templates: checked before, rendered in a process of their own, kept in a library.
//!
//! A template is code from somebody else: it may take no more time, memory or output than [`Limits`] say, and
//! whatever it does ends in an output or a [`Fault`](crate::core::template::Fault), never in the end of the console.

mod cases;
mod check;
mod clock;
mod context;
mod frame;
mod helpers;
mod javascript;
mod language;
mod library;
mod machine;
mod patience;
mod render;
mod renderer;
mod samples;
mod worker;

pub use cases::{Case, Cases};
pub use check::{Checked, check};
pub use context::{Delivered, SAMPLE_BODY, context, sample_context};
pub use library::{Library, LibraryError};
pub use machine::Made;
pub use render::{Job, render_here, render_within};
pub use renderer::{Rendered, Renderer};
pub use samples::{sample, samples};
pub use worker::worker;

use std::time::Duration;

/// What one rendering may take.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// From the request to the answer.
    pub wall: Duration,
    /// Of the processor, in whole seconds: the limit that also holds when nobody is left to watch the clock.
    pub cpu: u64,
    /// Bytes of address space of the worker.
    pub memory: u64,
    /// Bytes of output.
    pub output: usize,
    /// Bytes of template.
    pub source: usize,
    /// Of blocks and of parentheses.
    pub depth: usize,
}

impl Limits {
    /// How long a preview may take.
    pub const PREVIEW: Duration = Duration::from_millis(250);
    /// How long the rendering of what is sent may take.
    pub const DELIVERY: Duration = Duration::from_secs(2);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Self::PREVIEW,
            cpu: 1,
            memory: 512 * 1024 * 1024,
            output: 1024 * 1024,
            source: check::SOURCE_LIMIT,
            depth: check::DEPTH_LIMIT,
        }
    }
}

#[cfg(test)]
mod parity_tests;
#[cfg(test)]
mod tests;

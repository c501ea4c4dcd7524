//! Prompts: what is asked before anything is done that other people notice.

/// An open prompt.
#[derive(Debug)]
pub enum Prompt {}

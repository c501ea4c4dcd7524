//! What can be said about a template before it is rendered.

use super::{helpers, language, render::too_long};
use crate::core::template::Fault;

/// More bytes of template are refused.
pub(super) const SOURCE_LIMIT: usize = 64 * 1024;
/// Deeper blocks and parentheses are refused.
pub(super) const DEPTH_LIMIT: usize = 100;

/// Checks size, nesting, grammar, and that no refused helper is called. Cheap, and safe on any text.
pub fn check(text: &str) -> Result<(), Fault> {
    check_within(text, SOURCE_LIMIT, DEPTH_LIMIT)
}

pub(super) fn check_within(text: &str, source: usize, depth: usize) -> Result<(), Fault> {
    if text.len() > source {
        return Err(too_long(text.len(), source));
    }
    let program = language::parse(text, depth).map_err(|mistake| mistake.in_text(text))?;
    helpers::refused(&program).map_or(Ok(()), |mistake| Err(mistake.in_text(text)))
}

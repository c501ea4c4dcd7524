//! Stub.
use super::Table;
use crate::template::{javascript::Outcome, machine::Invocation};
pub(super) const HELPERS: Table = &[
("match", stub),
("isMatch", stub),
("mm", stub),
];
fn stub(call: &Invocation<'_>) -> Outcome { call.fails("stub") }

//! Stub.
use super::Table;
use crate::template::{javascript::Outcome, machine::Invocation};
pub(super) const HELPERS: Table = &[
("moment", stub),
("date", stub),
("year", stub),
];
fn stub(call: &Invocation<'_>) -> Outcome { call.fails("stub") }

//! Outgoing webhooks: what happened to an incident goes to the targets that want it, rendered by their templates.

mod target;

pub use target::{Basic, Signing, Target};

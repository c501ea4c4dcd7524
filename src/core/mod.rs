//! What the words mean. No I/O, no clock, no randomness: times come in as arguments.

pub mod action;
pub mod address;
pub mod board;
pub mod call;
pub mod choices;
pub mod context;
pub mod curl;
pub mod delivery;
pub mod detail;
pub mod freshness;
pub mod id;
pub mod incident;
pub mod keys;
pub mod oncall;
pub mod push;
pub mod query;
pub mod runbook;
pub mod sender;
pub mod span;
pub mod subscription;
pub mod template;
pub mod text;
pub mod view;
pub mod words;

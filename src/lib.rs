//! dogwatch: a terminal console for people on call.
//!
//! The rooms, and who may use whom, are checked by `tests/layers.rs`.

pub mod app;
pub mod cli;
pub mod config;
pub mod core;
pub mod forward;
pub mod proto;
pub mod provider;
pub mod receiver;
pub mod run;
pub mod server;
pub mod simulator;
pub mod store;
pub mod template;
pub mod term;
pub mod ui;

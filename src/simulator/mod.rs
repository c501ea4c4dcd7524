//! A `PagerDuty` in a process.
mod clock;
mod dice;
mod json;
mod world;

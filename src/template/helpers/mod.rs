//! The helpers a template can call: those of handlebars.js, and all 188 of handlebars-helpers 0.10.0 with their
//! own results, odd ones included. Where a result cannot be equal, a helper says so in an error.

#![expect(clippy::unnecessary_wraps, reason = "helpers are all of one type, also those that never fail")]

mod array;
mod blocks;
mod code;
mod collection;
mod comparison;
mod date;
mod files;
mod html;
mod i18n;
mod inflection;
mod logging;
mod markdown;
mod matching;
mod math;
mod misc;
mod number;
mod object;
mod path;
mod regex;
mod rules;
mod string;
mod url;

use std::{collections::HashMap, sync::LazyLock};

pub(crate) use blocks::section;
pub(crate) use files::{refusal, refused};

use super::{javascript::Outcome, machine::Invocation};

pub(crate) type Helper = fn(&Invocation<'_>) -> Outcome;

/// Helpers with their names.
type Table = &'static [(&'static str, Helper)];

/// Later ones win, as they do when handlebars-helpers registers them.
const TABLES: &[Table] = &[
    blocks::HELPERS,
    array::HELPERS,
    code::HELPERS,
    collection::HELPERS,
    comparison::HELPERS,
    date::HELPERS,
    files::HELPERS,
    html::HELPERS,
    i18n::HELPERS,
    inflection::HELPERS,
    logging::HELPERS,
    markdown::HELPERS,
    matching::HELPERS,
    math::HELPERS,
    misc::HELPERS,
    number::HELPERS,
    object::HELPERS,
    path::HELPERS,
    regex::HELPERS,
    string::HELPERS,
    url::HELPERS,
];

static BY_NAME: LazyLock<HashMap<&'static str, Helper>> =
    LazyLock::new(|| TABLES.iter().copied().flatten().copied().collect());

pub(crate) fn find(name: &str) -> Option<Helper> {
    BY_NAME.get(name).copied()
}

/// All names, in order.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = BY_NAME.keys().copied().collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;

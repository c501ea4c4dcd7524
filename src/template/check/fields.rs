//! Names of fields that no context has.

use super::walk::Walk;
use crate::{
    core::{forward::payload::FIELDS, query::near::nearest},
    template::language::Path,
};

/// What stands at the top of the context: of an event, and of a hand-off.
const TOP: &[&str] = &[
    "event",
    "incident",
    "alert",
    "raw",
    "shift",
    "counts",
    "open",
    "triggered",
    "acknowledged",
    "snoozed",
    "resolved",
    "doubts",
];

/// Names of an earlier context, and what says the same now.
const FORMER: &[(&str, &str)] = &[
    ("incident.created_at", "incident.createdAt"),
    ("note", "raw.event.data.content"),
    ("message", "raw.event.data.message"),
    ("event.agent", "raw.event.agent"),
];

pub(super) fn look(walk: &mut Walk, path: &Path, at: usize) {
    let parts = match path.parts.split_first() {
        Some((root, rest)) if path.is_data && root == "root" && path.depth == 0 => rest,
        Some(_) if walk.is_at_root(path) => path.parts.as_slice(),
        _ => return,
    };
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let Some(unknown) = unknown(&parts) else { return };
    let name = parts.get(..=unknown).unwrap_or_default().join(".");
    let former = FORMER.iter().find(|(former, _)| *former == name).map(|(_, now)| (*now).to_owned());
    let meant = former.or_else(|| {
        let before = parts.get(..unknown).unwrap_or_default();
        let near = nearest(parts.get(unknown)?, &children(before))?;
        Some([before, &[near]].concat().join("."))
    });
    let hint = meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default();
    walk.warn(at, format!("there is no field `{name}`{hint}"));
}

/// Which of the parts is the first that is not in the context.
fn unknown(parts: &[&str]) -> Option<usize> {
    let root = *parts.first()?;
    if !TOP.contains(&root) {
        return Some(0);
    }
    for at in 1..parts.len() {
        let known = children(parts.get(..at)?);
        // Whatever is in a list or in a text.
        if known.is_empty() {
            return None;
        }
        if !known.contains(parts.get(at)?) {
            return Some(at);
        }
    }
    None
}

/// The names under a path; none where it is no object that is told of.
fn children(parts: &[&str]) -> Vec<&'static str> {
    let Some((root, rest)) = parts.split_first() else { return TOP.to_vec() };
    let root = if *root == "alert" { "incident" } else { root };
    let prefix = [&[root], rest].concat().join(".") + ".";
    let below = FIELDS.iter().filter_map(|field| field.path.strip_prefix(prefix.as_str()));
    let mut names: Vec<_> = below.filter_map(|rest| rest.split(['.', '[']).next()).collect();
    names.dedup();
    names
}

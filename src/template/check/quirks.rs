//! What PagerTree's helpers do that nobody expects. Templates render the same here, so it is said.

use super::walk::{Role, Walk};
use crate::template::language::{Call, Expression, Kind, Path};

/// Fields that hold seconds.
const SECONDS: &[&str] = &["created", "acknowledged", "resolved", "ttl"];
/// Fields that are absent until something happened.
const ABSENT: &[&str] = &["acknowledged", "resolved"];
/// Helpers that fail on what is no number.
const STRICT: &[&str] =
    &["abs", "ceil", "divide", "floor", "minus", "modulo", "multiply", "plus", "round", "subtract", "times"];
/// Helpers that are called without values on purpose.
const BARE: &[&str] = &["year", "moment"];
const BARE_BLOCKS: &[&str] =
    &["noop", "raw", "frame", "withHash", "markdown", "lowercase", "uppercase", "upcase", "downcase"];

pub(super) fn look(walk: &mut Walk, name: &str, call: &Call, role: Role) {
    shadowed(walk, name, call, role);
    if ["moment", "date"].contains(&name) {
        moment(walk, name, call);
    }
    if STRICT.contains(&name) {
        call.params.iter().for_each(|value| absent(walk, name, value));
    }
}

/// Helper names beat fields.
fn shadowed(walk: &mut Walk, name: &str, call: &Call, role: Role) {
    let Kind::Path(path) = &call.name.kind else { return };
    if path.is_data {
        let block = if role == Role::Block { "#" } else { "" };
        return walk.warn(
            call.name.at,
            format!("`{{{{{block}@{name}}}}}` calls the helper `{name}`: it prints nothing; {{{{#if @{name}}}}} asks for the field"),
        );
    }
    let meant = match role {
        Role::Print { .. } => BARE.contains(&name),
        Role::Block => BARE_BLOCKS.contains(&name),
        Role::Inner => true,
    };
    if call.params.is_empty() && call.hash.is_none() && !meant {
        walk.warn(
            call.name.at,
            format!("`{name}` is a helper here, whatever the data hold; a field of that name is {{{{this.{name}}}}}"),
        );
    }
}

fn path_of(value: &Expression) -> Option<&Path> {
    match &value.kind {
        Kind::Path(path) => Some(path),
        _ => None,
    }
}

/// The field's own name, where it is one of an incident.
fn is_one_of(path: &Path, names: &[&str]) -> bool {
    let of_incident =
        matches!(path.parts.as_slice(), [.., above, _] if ["incident", "alert"].contains(&above.as_str()));
    let last = path.parts.last().is_some_and(|last| names.contains(&last.as_str()));
    last && (of_incident || path.parts.len() == 1) && !path.is_data
}

/// `{{moment incident.created}}`, `{{moment incident.createdAt "…"}}`
fn moment(walk: &mut Walk, name: &str, call: &Call) {
    let Some(value) = call.params.first() else { return };
    if path_of(value).is_some_and(|path| is_one_of(path, SECONDS)) {
        return walk.warn(
            value.at,
            format!("it is in seconds, `{name}` takes milliseconds: (multiply {} 1000)", written(value)),
        );
    }
    let has = |key: &str| call.hash.iter().flatten().any(|(known, _)| known == key);
    let is_text = matches!(value.kind, Kind::Path(_) | Kind::Text(_));
    if is_text && call.params.len() > 1 && !has("datejs") {
        walk.warn(
            call.at,
            format!("`{name}` reads a text with date.js, which is wrong on the 30th and 31st: add datejs=false"),
        );
    }
}

/// `{{subtract incident.resolved incident.created}}`
fn absent(walk: &mut Walk, name: &str, value: &Expression) {
    let Some(path) = path_of(value).filter(|path| is_one_of(path, ABSENT)) else { return };
    let Some(field) = path.parts.last() else { return };
    if !walk.asks_for(field) && !walk.asks_for("status") {
        let path = &path.original;
        walk.warn(
            value.at,
            format!("`{name}` fails while there is no `{path}`: put it into {{{{#if {path}}}}}…{{{{/if}}}}"),
        );
    }
}

fn written(value: &Expression) -> &str {
    path_of(value).map_or("", |path| path.original.as_str())
}

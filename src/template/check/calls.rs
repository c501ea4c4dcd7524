//! Calls that fail for certain: helpers that do not exist or are refused, and values that are too few or too many.

use super::walk::{Role, Walk};
use crate::{
    core::query::near::nearest,
    template::{helpers, language::Call},
};

/// Helpers that fail with fewer values than this, whatever the values are.
const LEAST: &[(usize, &[&str])] = &[
    (
        1,
        &[
            "JSONparse",
            "parseJSON",
            "JSONstringify",
            "stringify",
            "_inspect",
            "abs",
            "absolute",
            "basename",
            "ceil",
            "dirname",
            "extname",
            "floor",
            "ifEven",
            "ifOdd",
            "isMatch",
            "lookup",
            "option",
            "round",
            "segments",
            "stem",
            "urlParse",
        ],
    ),
    (
        2,
        &[
            "divide",
            "minus",
            "modulo",
            "multiply",
            "pick",
            "plus",
            "random",
            "relative",
            "subtract",
            "times",
            "urlResolve",
        ],
    ),
    (3, &["compare"]),
];
/// Helpers that take so many values, and fail with any other number.
const EXACTLY: &[(usize, &[&str])] =
    &[(1, &["each", "if", "unless", "with", "ol", "ul"]), (2, &["filter", "some"]), (0, &["noop", "raw", "withHash"])];
/// Helpers that are nothing but blocks.
const BLOCKS: &[&str] = &["each", "filter", "frame", "if", "noop", "raw", "some", "unless", "with", "withHash"];

pub(super) fn look(walk: &mut Walk, name: &str, call: &Call, role: Role) {
    if let Some(message) = helpers::refusal(name) {
        return walk.fault(call.name.at, message);
    }
    if helpers::find(name).is_none() {
        return missing(walk, name, call);
    }
    if role != Role::Block && BLOCKS.contains(&name) {
        return walk.fault(call.at, format!("`{name}` needs a block: {{{{#{name} …}}}}…{{{{/{name}}}}}"));
    }
    let (given, words) = (call.params.len(), |count: usize| if count == 1 { "value" } else { "values" });
    let of =
        |table: &[(usize, &[&str])]| table.iter().find(|(_, names)| names.contains(&name)).map(|(count, _)| *count);
    if let Some(count) = of(EXACTLY).filter(|count| *count != given) {
        walk.fault(call.at, format!("`{name}` takes {count} {}, here are {given}", words(count)));
    } else if let Some(least) = of(LEAST).filter(|least| *least > given) {
        walk.fault(call.at, format!("`{name}` takes {least} {} at least, here are {given}", words(least)));
    }
}

/// With values it fails; with names alone it prints nothing.
fn missing(walk: &mut Walk, name: &str, call: &Call) {
    let near = nearest(name, &helpers::names());
    let hint = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
    let message = format!("there is no helper `{name}`{hint}");
    if call.params.is_empty() { walk.warn(call.at, message) } else { walk.fault(call.at, message) }
}

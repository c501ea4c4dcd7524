//! Templates that make JSON: which tag breaks it, or says something else than it looks like.

use super::walk::Walk;
use crate::{
    core::forward::payload::FIELDS,
    template::language::{Call, Kind, Path, Program, Statement},
};

/// Where in JSON the text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The template does not make JSON.
    #[default]
    None,
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Json {
    state: State,
}

/// Fields that hold words without anything that JSON or HTML would change.
const PLAIN: &[&str] = &[
    "id",
    "sid",
    "status",
    "provider_status",
    "urgency",
    "created",
    "acknowledged",
    "resolved",
    "ttl",
    "createdAt",
    "updatedAt",
    "source_id",
    "d_team_id",
    "d_user_id",
    "s_log_id",
    "number",
    "type",
    "time",
    "account",
    "provider",
    "owner_id",
];
const NUMBERS: &[&str] = &["created", "acknowledged", "resolved", "ttl", "number"];

impl Json {
    /// The template makes JSON when its text begins and ends so.
    pub(super) fn of(program: &Program) -> Self {
        let state = match (first_text(program), last_text(program)) {
            (Some('{'), Some('}')) | (Some('['), Some(']')) => State::Outside,
            _ => State::None,
        };
        Self { state }
    }

    pub(super) fn take(&mut self, text: &str) {
        for c in text.chars() {
            self.state = match (self.state, c) {
                (State::None, _) => return,
                (State::Outside, '"') | (State::Escaped, _) => State::Inside,
                (State::Inside, '"') => State::Outside,
                (State::Inside, '\\') => State::Escaped,
                (state, _) => state,
            };
        }
    }

    /// A tag stands here.
    pub(super) fn value(&mut self) {
        if self.state == State::Escaped {
            self.state = State::Inside;
        }
    }

    /// What is wrong with a tag that prints here.
    pub(super) fn look(&self, walk: &mut Walk, call: &Call, escaped: bool) {
        let name = walk.helper_of(call).map(str::to_owned);
        let makes_json = name.as_deref().is_some_and(|name| ["JSONstringify", "stringify"].contains(&name));
        let written = written(call, makes_json);
        let outside = match self.state {
            State::None => return,
            State::Outside => true,
            State::Inside | State::Escaped => false,
        };
        let message = match (outside, makes_json) {
            (true, true) if escaped => format!("two braces write &quot; for each quote: {{{{{{{written}}}}}}}"),
            (false, true) => {
                format!("JSONstringify brings its own quotes: {{{{{{{written}}}}}}} without those around it")
            }
            (true, false) if is_text(walk, call) => {
                format!("it is a text, which JSON has in quotes: {{{{{{{written}}}}}}}")
            }
            (true, _) => return,
            (false, false) if is_plain(walk, call) => return,
            (false, false) => {
                let harm = if escaped {
                    "quotes and signs in it arrive as &quot; and the like"
                } else {
                    "a quote, a backslash or a line break in it breaks the JSON"
                };
                format!("{harm}: {{{{{{{written}}}}}}} without the quotes around it")
            }
        };
        walk.warn(call.at, message);
    }
}

/// How it would be written.
fn written(call: &Call, makes_json: bool) -> String {
    let name = match &call.name.kind {
        Kind::Path(path) => path.original.as_str(),
        _ => "…",
    };
    match (makes_json, call.params.is_empty()) {
        (true, _) => format!("{name} …"),
        (false, true) => format!("JSONstringify {name}"),
        (false, false) => format!("JSONstringify ({name} …)"),
    }
}

/// The first character of text that is not blank.
fn first_text(program: &Program) -> Option<char> {
    program.body.iter().find_map(|statement| match statement {
        Statement::Content(content) => content.value.trim_start().chars().next(),
        Statement::Block(block) => block.program.iter().chain(&block.inverse).find_map(first_text),
        _ => None,
    })
}

/// The last character that is not blank, when it is text.
fn last_text(program: &Program) -> Option<char> {
    let said = |statement: &&Statement| match statement {
        Statement::Content(content) => !content.value.trim().is_empty(),
        Statement::Comment(_) => false,
        _ => true,
    };
    match program.body.iter().rev().find(said)? {
        Statement::Content(content) => content.value.trim_end().chars().last(),
        Statement::Block(block) => block.program.iter().chain(&block.inverse).last().and_then(last_text),
        _ => None,
    }
}

/// The field that a tag prints, where it is one of the whole context.
fn field<'c>(walk: &Walk, call: &'c Call) -> Option<&'c Path> {
    match &call.name.kind {
        Kind::Path(path) if call.params.is_empty() && walk.helper_of(call).is_none() => Some(path),
        _ => None,
    }
}

/// Whether it prints nothing that needs care. Helpers that print numbers or choose among words of the template do not.
fn is_plain(walk: &Walk, call: &Call) -> bool {
    const HELPERS: &[&str] = &[
        "moment",
        "date",
        "year",
        "length",
        "add",
        "subtract",
        "multiply",
        "divide",
        "round",
        "floor",
        "ceil",
        "toFixed",
        "toInt",
        "sum",
        "avg",
        "plus",
        "minus",
        "times",
        "modulo",
        "abs",
        "encodeURI",
        "escape",
        "url_encode",
        "ordinalize",
        "addCommas",
        "bytes",
        "phoneNumber",
        "typeOf",
    ];
    match walk.helper_of(call) {
        Some("replace" | "default" | "lowercase" | "uppercase" | "truncate" | "capitalize") => {
            call.params.iter().all(|value| match &value.kind {
                Kind::Path(path) => is_plain_path(path),
                Kind::Call(inner) => is_plain(walk, inner),
                Kind::Text(text) => !text.contains(['"', '\\', '\n']),
                _ => true,
            })
        }
        Some(helper) => HELPERS.contains(&helper),
        None => field(walk, call).is_some_and(is_plain_path),
    }
}

fn is_plain_path(path: &Path) -> bool {
    path.is_data || path.parts.last().is_some_and(|last| PLAIN.contains(&last.as_str()) || last == "length")
}

/// Whether it is known to be a text.
fn is_text(walk: &Walk, call: &Call) -> bool {
    let Some(path) = field(walk, call).filter(|path| walk.is_at_root(path)) else { return false };
    let name = path.parts.join(".").replacen("alert.", "incident.", 1);
    let number = path.parts.last().is_some_and(|last| NUMBERS.contains(&last.as_str()));
    !number && FIELDS.iter().any(|field| field.path == name)
}

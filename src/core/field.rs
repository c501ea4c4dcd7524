//! What a template can name: the fields of a delivery's context, by their exact names and with what they hold,
//! bounded and cleaned. Unlike [`super::detail::Tree`], nothing is opened that a template could not reach.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::Shown;

/// Values of one context; more are left out.
const MOST: usize = 4000;
/// Items shown of one list.
const MOST_ITEMS: usize = 50;
/// Characters shown of one text.
const MOST_TEXT: usize = 200;
/// Levels.
const DEEPEST: usize = 32;

/// A value in a context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Text(Shown),
    /// A number, `true`, `false` or `null`.
    Word(Shown),
    Items(Vec<Field>),
    Fields(Vec<(Shown, Field)>),
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    Name(Shown),
    Item(usize),
}

impl Field {
    pub fn of(value: &Value) -> Self {
        let mut room = MOST;
        take(value, &mut room, 0)
    }

    /// The field of this name, or the item of this number.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Fields(fields) => fields.iter().find(|(known, _)| known.as_str() == name).map(|(_, field)| field),
            Self::Items(items) => name.parse::<usize>().ok().and_then(|at| items.get(at)),
            Self::Text(_) | Self::Word(_) => None,
        }
    }

    /// What is directly inside, with the step that leads there.
    pub fn inside(&self) -> Vec<(Step, &Self)> {
        match self {
            Self::Fields(fields) => fields.iter().map(|(name, field)| (Step::Name(name.clone()), field)).collect(),
            Self::Items(items) => items.iter().enumerate().map(|(at, item)| (Step::Item(at), item)).collect(),
            Self::Text(_) | Self::Word(_) => vec![],
        }
    }

    /// In short: the value, or how much is inside.
    pub fn gist(&self) -> String {
        match self {
            Self::Text(text) => format!("\"{text}\""),
            Self::Word(word) => word.to_string(),
            Self::Items(items) => format!("[{}]", items.len()),
            Self::Fields(fields) => format!("{{{}}}", fields.len()),
        }
    }
}

/// A path as a template writes it: `raw.event.data`, `assignees.[0].name`, `a.[odd name]`.
pub fn path(steps: &[Step]) -> String {
    let mut out = String::new();
    for (at, step) in steps.iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        match step {
            Step::Item(number) => drop(write!(out, "[{number}]")),
            Step::Name(name) if is_plain(name.as_str()) => out.push_str(name.as_str()),
            Step::Name(name) => drop(write!(out, "[{name}]")),
        }
    }
    out
}

/// Whether a template can write this name without brackets.
fn is_plain(name: &str) -> bool {
    let words = ["true", "false", "null", "undefined", "this", "else", "as"];
    let fits = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.chars().all(fits) && !words.contains(&name) && name.parse::<f64>().is_err()
}

fn take(value: &Value, room: &mut usize, depth: usize) -> Field {
    *room = room.saturating_sub(1);
    match value {
        Value::String(text) => Field::Text(short(text)),
        Value::Array(_) | Value::Object(_) if depth >= DEEPEST => Field::Word(Shown::line("…")),
        Value::Array(items) => {
            let mut out = vec![];
            for item in items.iter().take(MOST_ITEMS) {
                if *room == 0 {
                    break;
                }
                out.push(take(item, room, depth + 1));
            }
            Field::Items(out)
        }
        Value::Object(fields) => {
            let mut out = vec![];
            for (name, inner) in fields {
                if *room == 0 {
                    break;
                }
                out.push((Shown::line(name), take(inner, room, depth + 1)));
            }
            Field::Fields(out)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Field::Word(Shown::line(&value.to_string())),
    }
}

fn short(text: &str) -> Shown {
    match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => Shown::line(&format!("{}…", text.get(..end).unwrap_or_default())),
        None => Shown::line(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_context_goes_over_the_wire_with_its_names_and_without_what_drives_a_terminal() {
        let field = Field::of(&json!({ "a": { "b": [1, "x\u{1b}[2J", null] }, "n": "1" }));

        let text = serde_json::to_string(&field).expect("json");

        assert!(!text.contains('\u{1b}'));
        assert_eq!(serde_json::from_str::<Field>(&text).expect("a field"), field);
        let list = field.get("a").and_then(|a| a.get("b")).expect("a list");
        assert_eq!(list.gist(), "[3]");
        assert_eq!(list.get("1").expect("a text").gist(), "\"x␛[2J\"");
    }

    #[test]
    fn a_path_is_written_so_that_a_template_can_read_it() {
        let name = |name: &str| Step::Name(Shown::line(name));
        assert_eq!(path(&[name("raw"), name("event_type")]), "raw.event_type");
        assert_eq!(
            path(&[name("a"), Step::Item(0), name("odd name"), name("7"), name("this")]),
            "a.[0].[odd name].[7].[this]"
        );
    }

    #[test]
    fn what_has_no_end_is_cut() {
        let mut deep = json!("bottom");
        for _ in 0..100 {
            deep = json!({ "down": deep });
        }
        let wide = Field::of(&json!({ "list": vec![1; 1000], "text": "é".repeat(5000), "deep": deep }));
        assert_eq!(wide.get("list").expect("list").inside().len(), MOST_ITEMS);
        assert!(wide.get("text").expect("text").gist().chars().count() < MOST_TEXT + 5);
        let many = Field::of(&json!(vec![json!(vec![json!({ "a": 1, "b": 2 }); 50]); 50]));
        assert!(serde_json::to_string(&many).expect("json").len() < 200_000);
    }
}

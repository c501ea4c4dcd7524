//! What a sender attached to an alert, in its own structure: bounded, cleaned, and nothing else lost. JSON that was sent
//! inside a text is opened.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::core::text::{Shown, ShownBody};

/// Values of one tree; more are counted.
const MOST_VALUES: usize = 1000;
/// Bytes of text in one tree; what is longer is cut, and says so.
const MOST_TEXT: usize = 256 * 1024;
/// Levels; what lies deeper is kept as JSON.
const DEEPEST: usize = 8;

/// A value with all that is in it. In JSON it is text, list or object again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    Text(ShownBody),
    Items(Vec<Tree>),
    /// In the sender's order.
    Fields(Vec<(Shown, Tree)>),
}

/// What may still be taken in.
struct Room {
    values: usize,
    text: usize,
    /// Values for which there was none.
    left_out: usize,
}

impl Tree {
    /// `None` where nothing was sent.
    pub fn of(value: &Value) -> Option<Self> {
        if is_nothing(value) {
            return None;
        }
        let mut room = Room { values: MOST_VALUES, text: MOST_TEXT, left_out: 0 };
        let mut tree = room.take(value, 0);
        if room.left_out > 0 {
            tree.add_remark(&format!("{} more values are not shown", room.left_out));
        }
        Some(tree)
    }

    pub fn text(text: &str) -> Self {
        Self::Text(ShownBody::new(text))
    }

    fn add_remark(&mut self, remark: &str) {
        match self {
            Self::Fields(fields) => fields.push((Shown::line("…"), Self::text(remark))),
            Self::Items(items) => items.push(Self::text(&format!("… {remark}"))),
            Self::Text(_) => {}
        }
    }

    /// A field by its exact name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Fields(fields) => fields.iter().find(|(known, _)| known.as_str() == name).map(|(_, tree)| tree),
            Self::Text(_) | Self::Items(_) => None,
        }
    }

    /// Its text, if it is one that says something.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty() && *text != "null"),
            Self::Items(_) | Self::Fields(_) => None,
        }
    }

    /// The text of a field of this name.
    pub fn say(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    pub fn items(&self) -> &[Self] {
        match self {
            Self::Items(items) => items,
            Self::Text(_) | Self::Fields(_) => &[],
        }
    }

    pub fn fields(&self) -> &[(Shown, Self)] {
        match self {
            Self::Fields(fields) => fields,
            Self::Text(_) | Self::Items(_) => &[],
        }
    }

    /// Shows `see` every text in order, with the name of the nearest field that holds it.
    pub fn walk<'a>(&'a self, see: &mut dyn FnMut(&'a str, &'a str)) {
        self.walk_under("", see);
    }

    fn walk_under<'a>(&'a self, name: &'a str, see: &mut dyn FnMut(&'a str, &'a str)) {
        match self {
            Self::Text(text) => see(name, text.as_str()),
            Self::Items(items) => items.iter().for_each(|item| item.walk_under(name, see)),
            Self::Fields(fields) => fields.iter().for_each(|(name, tree)| tree.walk_under(name.as_str(), see)),
        }
    }

    /// Bytes that it takes, roughly.
    pub fn size(&self) -> usize {
        const FRAME: usize = 48;
        match self {
            Self::Text(text) => FRAME + text.as_str().len(),
            Self::Items(items) => FRAME + items.iter().map(Self::size).sum::<usize>(),
            Self::Fields(fields) => {
                FRAME + fields.iter().map(|(name, tree)| FRAME + name.as_str().len() + tree.size()).sum::<usize>()
            }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Room {
    fn take(&mut self, value: &Value, depth: usize) -> Tree {
        match value {
            Value::Object(_) | Value::Array(_) if depth >= DEEPEST || is_nothing(value) => {
                self.text(&value.to_string())
            }
            Value::Object(fields) => {
                let mut taken = vec![];
                for (name, inner) in fields {
                    if self.admits(inner) {
                        taken.push((Shown::line(name), self.take(inner, depth + 1)));
                    }
                }
                Tree::Fields(taken)
            }
            Value::Array(items) => {
                let mut taken = vec![];
                for inner in items {
                    if self.admits(inner) {
                        taken.push(self.take(inner, depth + 1));
                    }
                }
                Tree::Items(taken)
            }
            Value::String(text) => match inside(text) {
                Some(inner) => self.take(&inner, depth),
                None => self.text(text),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => self.text(&value.to_string()),
        }
    }

    fn admits(&mut self, value: &Value) -> bool {
        if self.values == 0 {
            self.left_out += leaves(value);
            return false;
        }
        self.values -= 1;
        true
    }

    fn text(&mut self, text: &str) -> Tree {
        if text.len() <= self.text {
            self.text -= text.len();
            return Tree::text(text);
        }
        let end = (0..=self.text).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let kept = text.get(..end).unwrap_or_default();
        self.text = 0;
        Tree::text(&format!("{kept}… (cut here: {} more bytes)", text.len() - end))
    }
}

/// The object or list that was sent as a text, as `CloudWatch` does through SNS.
fn inside(text: &str) -> Option<Value> {
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return None;
    }
    let value: Value = serde_json::from_str(start).ok()?;
    (!is_nothing(&value)).then_some(value)
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(leaves).sum::<usize>().max(1),
        Value::Array(items) => items.iter().map(leaves).sum::<usize>().max(1),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(to),
            Self::Items(items) => items.serialize(to),
            Self::Fields(fields) => to.collect_map(fields.iter().map(|(name, tree)| (name, tree))),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a text, a list or an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut items = vec![];
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Tree::Items(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut fields = vec![];
        while let Some(field) = from.next_entry()? {
            fields.push(field);
        }
        Ok(Tree::Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tree(value: &Value) -> Tree {
        Tree::of(value).expect("something")
    }

    #[test]
    fn what_was_sent_keeps_its_structure_and_its_order_over_the_wire() {
        let sent = json!({ "z": { "b": 1, "a": [true, { "x": "y" }] }, "e": {}, "n": null, "l": "1\n2", "q": "" });
        let tree = tree(&sent);

        let text = serde_json::to_string(&tree).expect("json");

        assert_eq!(text, r#"{"z":{"b":"1","a":["true",{"x":"y"}]},"e":"{}","n":"null","l":"1\n2","q":""}"#);
        assert_eq!(serde_json::from_str::<Tree>(&text).expect("a tree"), tree);
        assert_eq!(Tree::of(&json!({})), None);
    }

    #[test]
    fn json_inside_a_text_is_opened_and_text_that_only_looks_like_it_stays() {
        let sent =
            tree(&json!({ "Message": "{\"AlarmName\": \"disk\", \"Trigger\": {\"Period\": 60}}", "x": "{oops" }));

        let message = sent.get("Message").expect("a field");
        assert_eq!(message.say("AlarmName"), Some("disk"));
        assert_eq!(message.get("Trigger").and_then(|trigger| trigger.say("Period")), Some("60"));
        assert_eq!(sent.say("x"), Some("{oops"));
    }

    #[test]
    fn what_has_no_end_is_cut_and_the_cut_is_said() {
        let wide = tree(&json!(vec![json!({"a": 1, "b": 2}); 5000]));
        assert_eq!(wide.items().len(), 335);
        assert_eq!(wide.items()[334].as_text(), Some("… 9334 more values are not shown"));

        let long = tree(&json!({ "x": "é".repeat(MOST_TEXT), "y": "more" }));
        assert!(long.say("x").expect("text").ends_with("… (cut here: 262144 more bytes)"));
        assert_eq!(long.say("y"), Some("… (cut here: 4 more bytes)"));
        assert!(long.size() < 2 * MOST_TEXT);
    }

    #[test]
    fn what_is_very_deep_is_kept_as_json_below_the_eighth_level() {
        let mut deep = json!("bottom");
        for _ in 0..100 {
            deep = json!({ "down": deep });
        }

        let mut tree = &tree(&deep);
        for _ in 0..DEEPEST {
            tree = tree.get("down").expect("deeper");
        }

        let rest = tree.as_text().expect("text");
        assert!(rest.starts_with("{\"down\":{") && rest.contains("bottom"), "{rest}");
    }
}

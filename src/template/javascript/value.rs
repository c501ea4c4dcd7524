//! One value. Lists and objects are shared and changeable, as in JavaScript: `sort` changes the payload for the
//! rest of the template.

use std::{cell::RefCell, rc::Rc};

use indexmap::IndexMap;

use super::{Outcome, number, pattern::Pattern, text, throw};
use crate::template::machine::Options;

#[derive(Debug, Clone, Default)]
pub(crate) enum Value {
    #[default]
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Rc<str>),
    List(Rc<List>),
    Object(Rc<Object>),
    /// A regular expression.
    Pattern(Rc<Pattern>),
    /// The last argument of every helper. A helper that was given too few takes it for one of them.
    Options(Rc<Options>),
}

/// An array. Its named fields are there because helpers write such into the items of a list.
#[derive(Debug, Default)]
pub(crate) struct List {
    items: RefCell<Vec<Value>>,
    named: Object,
}

#[derive(Debug, Default)]
pub(crate) struct Object {
    fields: RefCell<IndexMap<Rc<str>, Value>>,
}

/// Deeper lists print nothing: only a list that holds itself is so deep.
const DEEPEST: usize = 64;

impl Value {
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Rc::from(text.as_ref()))
    }

    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(List::new(items)))
    }

    pub(crate) fn object(fields: impl IntoIterator<Item = (Rc<str>, Value)>) -> Self {
        Self::Object(Rc::new(Object::new(fields)))
    }

    pub(crate) fn is_nullish(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// JavaScript's truth: lists and objects are always true.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(yes) => *yes,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::List(_) | Self::Object(_) | Self::Pattern(_) | Self::Options(_) => true,
        }
    }

    /// Handlebars' own idea of nothing: zero is something, an empty list is not.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.len() == 0,
            Self::Number(number) => number.is_nan(),
            other => !other.is_true(),
        }
    }

    /// `typeof`
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Null | Self::List(_) | Self::Object(_) | Self::Pattern(_) | Self::Options(_) => "object",
        }
    }

    /// What the library `kind-of` calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::List(_) => "array",
            Self::Pattern(_) => "regexp",
            other => other.type_name(),
        }
    }

    /// An object that is no list and no regular expression.
    pub(crate) fn is_object(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Options(_))
    }

    pub(crate) fn as_text(&self) -> Option<&Rc<str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&Rc<List>> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// `String(value)`
    pub(crate) fn to_text(&self) -> Rc<str> {
        self.to_text_within(DEEPEST)
    }

    fn to_text_within(&self, depth: usize) -> Rc<str> {
        match self {
            Self::Undefined => "undefined".into(),
            Self::Null => "null".into(),
            Self::Bool(yes) => if *yes { "true" } else { "false" }.into(),
            Self::Number(number) => number::print(*number).into(),
            Self::Text(text) => text.clone(),
            Self::List(list) => list.join_within(",", depth.saturating_sub(1)).into(),
            Self::Object(_) | Self::Options(_) => "[object Object]".into(),
            Self::Pattern(pattern) => pattern.to_string().into(),
        }
    }

    /// `Number(value)`
    pub(crate) fn to_number(&self) -> f64 {
        match self {
            Self::Undefined => f64::NAN,
            Self::Null => 0.0,
            Self::Bool(yes) => f64::from(u8::from(*yes)),
            Self::Number(number) => *number,
            other => number::read(&other.to_text()),
        }
    }

    /// `value[key]`, own fields only; `undefined` where there is none.
    pub(crate) fn get(&self, key: &str) -> Value {
        match self {
            Self::Object(object) => object.get(key),
            Self::List(list) => list.get(key),
            Self::Text(text) if key == "length" => Self::Number(number::of_count(text::length(text))),
            Self::Text(text) => {
                is_index(key).and_then(|at| text::unit_at(text, at)).map_or(Self::Undefined, Self::Text)
            }
            Self::Options(options) => options.get(key),
            _ => Self::Undefined,
        }
    }

    /// [`Value::get`], which throws on `undefined` and `null` as JavaScript does.
    pub(crate) fn read(&self, key: &str) -> Outcome {
        if self.is_nullish() {
            return throw(format!("cannot read `{key}` of {}", self.to_text()));
        }
        Ok(self.get(key))
    }

    /// `Object.keys(value)`
    pub(crate) fn keys(&self) -> Vec<Rc<str>> {
        match self {
            Self::Object(object) => object.keys(),
            Self::List(list) => list.keys(),
            Self::Text(text) => (0..text::length(text)).map(|at| at.to_string().into()).collect(),
            Self::Options(_) => Options::keys(),
            _ => vec![],
        }
    }

    /// The fields that `Object.assign` and its kind take over.
    pub(crate) fn fields(&self) -> Vec<(Rc<str>, Value)> {
        self.keys().into_iter().map(|key| (key.clone(), self.get(&key))).collect()
    }

    /// Whether two values are one and the same thing.
    pub(crate) fn is_same(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => Rc::ptr_eq(a, b),
            (Self::Object(a), Self::Object(b)) => Rc::ptr_eq(a, b),
            (Self::Pattern(a), Self::Pattern(b)) => Rc::ptr_eq(a, b),
            (Self::Options(a), Self::Options(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// A position in a list, if that is what `key` says.
pub(crate) fn is_index(key: &str) -> Option<usize> {
    let plain = key == "0" || (!key.starts_with('0') && key.len() < 10);
    (plain && !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit())).then(|| key.parse().ok()).flatten()
}

impl List {
    pub(crate) fn new(items: Vec<Value>) -> Self {
        Self { items: RefCell::new(items), named: Object::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.borrow().len()
    }

    /// The item at `at`; `undefined` beyond the end.
    pub(crate) fn at(&self, at: usize) -> Value {
        self.items.borrow().get(at).cloned().unwrap_or_default()
    }

    pub(crate) fn items(&self) -> Vec<Value> {
        self.items.borrow().clone()
    }

    pub(crate) fn replace(&self, items: Vec<Value>) {
        *self.items.borrow_mut() = items;
    }

    /// Writes a named field, or an item; one beyond the end makes the list longer.
    pub(crate) fn set(&self, key: &str, value: Value) {
        /// A list does not grow further than this beyond its end.
        const GAP: usize = 10_000;
        let Some(at) = is_index(key).filter(|at| *at < self.len() + GAP) else { return self.named.set(key, value) };
        let mut items = self.items.borrow_mut();
        if at >= items.len() {
            items.resize(at + 1, Value::Undefined);
        }
        if let Some(item) = items.get_mut(at) {
            *item = value;
        }
    }

    fn get(&self, key: &str) -> Value {
        match is_index(key) {
            Some(at) => self.at(at),
            None if key == "length" => Value::Number(number::of_count(self.len())),
            None => self.named.get(key),
        }
    }

    fn keys(&self) -> Vec<Rc<str>> {
        let positions = (0..self.len()).map(|at| Rc::from(at.to_string()));
        positions.chain(self.named.keys()).collect()
    }

    /// `list.join(separator)`
    pub(crate) fn join(&self, separator: &str) -> String {
        self.join_within(separator, DEEPEST)
    }

    fn join_within(&self, separator: &str, depth: usize) -> String {
        if depth == 0 {
            return String::new();
        }
        let print = |item: &Value| if item.is_nullish() { "".into() } else { item.to_text_within(depth) };
        self.items.borrow().iter().map(print).collect::<Vec<_>>().join(separator)
    }
}

impl Object {
    pub(crate) fn new(fields: impl IntoIterator<Item = (Rc<str>, Value)>) -> Self {
        Self { fields: RefCell::new(fields.into_iter().collect()) }
    }

    pub(crate) fn get(&self, key: &str) -> Value {
        self.fields.borrow().get(key).cloned().unwrap_or_default()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.fields.borrow().contains_key(key)
    }

    pub(crate) fn set(&self, key: &str, value: Value) {
        self.fields.borrow_mut().insert(key.into(), value);
    }

    pub(crate) fn is_bare(&self) -> bool {
        self.fields.borrow().is_empty()
    }

    /// The names in JavaScript's order: whole numbers first and by size, then the others as they were written.
    pub(crate) fn keys(&self) -> Vec<Rc<str>> {
        let fields = self.fields.borrow();
        let mut numbers: Vec<_> = fields.keys().filter_map(|key| is_index(key).map(|at| (at, key.clone()))).collect();
        numbers.sort_unstable_by_key(|(at, _)| *at);
        let others = fields.keys().filter(|key| is_index(key).is_none()).cloned();
        numbers.into_iter().map(|(_, key)| key).chain(others).collect()
    }
}

//! A tree as lines for a width: fields in two columns, lists of the same fields as tables, everything else below its name.

use super::Tree;
use crate::core::{
    text::{Shown, columns},
    words::wrap,
};

/// Columns by which what is inside stands in.
const STEP: usize = 2;
/// What is inside keeps at least so many columns, however deep.
const ROOM: usize = 16;
/// The widest column of names; longer names stand on a line of their own.
const WIDEST_NAME: usize = 24;
/// A list of words that is no longer than this stands on one line.
const SHORT: usize = 60;
/// Columns of a table, and between them.
const MOST_COLUMNS: usize = 6;
const GAP: usize = 2;

/// One line: what it is of, with all the space before what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub name: String,
    pub text: String,
}

impl Tree {
    /// As lines of at most `width` columns.
    pub fn lines(&self, width: usize) -> Vec<Line> {
        let mut page = Layout { width, lines: vec![] };
        page.put(0, self);
        page.lines
    }
}

struct Layout {
    width: usize,
    lines: Vec<Line>,
}

impl Layout {
    fn put(&mut self, indent: usize, tree: &Tree) {
        let indent = indent.min(self.width.saturating_sub(ROOM));
        match tree {
            Tree::Text(text) => text.lines().for_each(|line| self.wrapped(indent, line)),
            Tree::Fields(fields) => self.fields(indent, fields),
            Tree::Items(items) => self.items(indent, items),
        }
    }

    fn wrapped(&mut self, indent: usize, text: &str) {
        for text in wrap(text, self.width.saturating_sub(indent)) {
            self.lines.push(Line { name: " ".repeat(indent), text });
        }
    }

    /// A name that stands above what it is the name of.
    fn heading(&mut self, indent: usize, name: &str) {
        let indent = indent.min(self.width.saturating_sub(ROOM));
        for name in wrap(name, self.width.saturating_sub(indent)) {
            self.lines.push(Line { name: format!("{:indent$}{name}", ""), text: String::new() });
        }
    }

    fn fields(&mut self, indent: usize, fields: &[(Shown, Tree)]) {
        let most = WIDEST_NAME.min(self.width.saturating_sub(indent) / 2);
        let beside = fields.iter().filter(|(_, tree)| on_one_line(tree).is_some());
        let names = beside.map(|(name, _)| columns(name.as_str())).filter(|wide| *wide <= most).max().unwrap_or(0);
        for (name, tree) in fields {
            match on_one_line(tree) {
                Some(text) if columns(name.as_str()) <= names => self.pair(indent, name.as_str(), names, &text),
                _ => {
                    self.heading(indent, name.as_str());
                    self.put(indent + STEP, tree);
                }
            }
        }
    }

    fn pair(&mut self, indent: usize, name: &str, names: usize, text: &str) {
        let room = self.width.saturating_sub(indent + names + GAP);
        for (at, text) in wrap(text, room).into_iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            let padding = " ".repeat(names.saturating_sub(columns(name)) + GAP);
            self.lines.push(Line { name: format!("{:indent$}{name}{padding}", ""), text });
        }
    }

    fn items(&mut self, indent: usize, items: &[Tree]) {
        if let Some(pairs) = named_values(items) {
            return self.fields(indent, &pairs);
        }
        if let Some(table) = Table::of(items).filter(|table| table.width() + indent <= self.width) {
            return table.put(indent, &mut self.lines);
        }
        for item in items {
            let first = self.lines.len();
            self.put(indent + STEP, item);
            if let Some(line) = self.lines.get_mut(first) {
                mark(line, indent);
            }
        }
    }
}

/// A dash before the first line of an item.
fn mark(line: &mut Line, indent: usize) {
    if line.name.get(indent..).is_some_and(|rest| rest.starts_with(' ')) {
        line.name.replace_range(indent..=indent, "-");
    }
}

/// A short text, or a short list of words.
fn on_one_line(tree: &Tree) -> Option<String> {
    match tree {
        Tree::Text(text) => (text.lines().count() <= 1).then(|| text.as_str().trim_end().to_owned()),
        Tree::Items(items) => {
            let words: Option<Vec<&str>> = items.iter().map(|item| one_line(item)).collect();
            words.map(|words| words.join(", ")).filter(|text| text.len() <= SHORT)
        }
        Tree::Fields(_) => None,
    }
}

fn one_line(tree: &Tree) -> Option<&str> {
    match tree {
        Tree::Text(text) => (text.lines().count() <= 1).then_some(text.as_str()),
        Tree::Items(_) | Tree::Fields(_) => None,
    }
}

/// `[{"name": "a", "value": "b"}]` says no more than `{"a": "b"}`.
fn named_values(items: &[Tree]) -> Option<Vec<(Shown, Tree)>> {
    let find = |item: &Tree, names: [&str; 2]| {
        let mut fields = item.fields().iter();
        fields
            .find(|(name, _)| names.iter().any(|known| name.as_str().eq_ignore_ascii_case(known)))
            .map(|(_, it)| it.clone())
    };
    let pair = |item: &Tree| {
        let (of, it) = (find(item, ["name", "key"])?, find(item, ["value", "val"])?);
        (item.fields().len() == 2).then(|| Some((Shown::line(one_line(&of)?), it)))?
    };
    if items.is_empty() { None } else { items.iter().map(pair).collect() }
}

/// Rows of the same short fields.
struct Table<'a> {
    names: Vec<&'a str>,
    rows: Vec<Vec<&'a str>>,
    widths: Vec<usize>,
}

impl<'a> Table<'a> {
    fn of(items: &'a [Tree]) -> Option<Self> {
        let mut names: Vec<&str> = vec![];
        for item in items {
            for (name, _) in item.fields() {
                if !names.contains(&name.as_str()) {
                    names.push(name.as_str());
                }
            }
            if names.len() > MOST_COLUMNS {
                return None;
            }
        }
        let cell = |item: &'a Tree, name: &str| item.get(name).map_or(Some(""), one_line);
        let row = |item: &'a Tree| match item {
            Tree::Fields(_) => names.iter().map(|name| cell(item, name)).collect::<Option<Vec<&str>>>(),
            Tree::Text(_) | Tree::Items(_) => None,
        };
        let rows: Vec<Vec<&str>> = items.iter().map(row).collect::<Option<_>>()?;
        if rows.len() < 2 {
            return None;
        }
        let wide = |at: usize, name: &str| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell));
            cells.max().unwrap_or(0).max(columns(name))
        };
        let widths = names.iter().enumerate().map(|(at, name)| wide(at, name)).collect();
        Some(Self { names, rows, widths })
    }

    fn width(&self) -> usize {
        self.widths.iter().map(|wide| wide + GAP).sum::<usize>().saturating_sub(GAP)
    }

    fn put(&self, indent: usize, lines: &mut Vec<Line>) {
        let line = |cells: &[&str]| {
            let cell = |(cell, wide): (&&str, &usize)| {
                format!("{cell}{}", " ".repeat(wide.saturating_sub(columns(cell)) + GAP))
            };
            cells.iter().zip(&self.widths).map(cell).collect::<String>().trim_end().to_owned()
        };
        lines.push(Line { name: format!("{:indent$}{}", "", line(&self.names)), text: String::new() });
        lines.extend(self.rows.iter().map(|row| Line { name: " ".repeat(indent), text: line(row) }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn shown(value: &Value, width: usize) -> Vec<String> {
        let tree = Tree::of(value).expect("something");
        tree.lines(width).iter().map(|line| format!("{}{}", line.name, line.text)).collect()
    }

    #[test]
    fn fields_stand_in_columns_and_nested_ones_below_their_name() {
        let value = json!({ "host": "db-3", "volume": { "path": "/var", "used": 97.2, "tags": ["a", "b"] }, "n": 1 });
        assert_eq!(
            shown(&value, 40),
            ["host  db-3", "volume", "  path  /var", "  used  97.2", "  tags  a, b", "n     1"]
        );
    }

    #[test]
    fn a_list_of_the_same_fields_is_a_table_where_it_fits() {
        let value = json!({ "targets": [{ "name": "web-1", "state": "down" }, { "name": "web-22", "state": "up" }] });
        assert_eq!(shown(&value, 40), ["targets", "  name    state", "  web-1   down", "  web-22  up"]);
        let value =
            json!({ "targets": [{ "name": "web-1-frankfurt", "state": "down" }, { "name": "b", "state": "up" }] });
        assert_eq!(
            shown(&value, 20),
            [
                "targets",
                "  - name   web-1-fra",
                "           nkfurt",
                "    state  down",
                "  - name   b",
                "    state  up"
            ]
        );
    }

    #[test]
    fn names_with_values_read_like_fields() {
        let value = json!([{ "name": "DBInstance", "value": "orders" }, { "value": "eu", "name": "Region" }]);
        assert_eq!(shown(&value, 40), ["DBInstance  orders", "Region      eu"]);
    }

    #[test]
    fn long_texts_and_names_are_broken_and_lines_of_a_text_stay_lines() {
        let value = json!({ "a": "one two three four", "log": "first\nsecond", "a name that is far too long": "x" });
        assert_eq!(
            shown(&value, 16),
            ["a  one two three", "   four", "log", "first", "second", "a name that is", "far too long", "x"]
        );
    }

    fn any_tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!("日本語 \u{1b}[2J\n\u{202e}".repeat(9))),
        ];
        leaf.prop_recursive(6, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn a_letter_that_joins_what_stands_before_it_is_measured_with_it() {
        for value in [json!({ "a": { "ำ": "x" } }), json!([{ "ຳ": "ำ", "b": 1 }, { "ຳ": "y", "b": 2 }])] {
            let tree = Tree::of(&value).expect("a tree");
            for line in tree.lines(20) {
                let text = format!("{}{}", line.name, line.text);
                assert!(columns(&text) <= 20, "{text:?} {value}");
                assert_eq!(Shown::line(&text).as_str(), text, "{value}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_screen_and_nothing_in_it_acts(value in any_tree(), width in 20..90_usize) {
            let Some(tree) = Tree::of(&value) else { return Ok(()) };
            for line in tree.lines(width) {
                let text = format!("{}{}", line.name, line.text);
                prop_assert!(columns(&text) <= width, "{text:?}");
                prop_assert!(Shown::line(&text).as_str() == text || text.len() > 1024, "{text:?}");
            }
        }
    }
}

//! Reading a parsed file key by key: each complaint has a place, and none repeats a value.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Finding;

/// The sections and their keys, as they stand in the file.
pub(super) const SECTIONS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "receiver",
            "server",
            "store",
            "actions",
            "account",
            "integration",
            "person",
            "view",
            "notify",
            "runbook",
            "target",
        ],
    ),
    ("receiver", &["listen", "allow", "trusted_proxies", "tls"]),
    ("receiver.tls", &["certificate", "key"]),
    ("server", &["socket", "group", "metrics"]),
    ("store", &["keep", "keep_deliveries", "keep_size"]),
    ("actions", &["undo_window"]),
    ("view", &["name", "query", "key", "default"]),
    ("notify", &["bell", "desktop", "title", "away_after", "storm", "quiet", "quiet_except_high", "rule"]),
    ("notify.rule", &["urgency", "service", "bell", "desktop"]),
    ("runbook", &["service", "title", "url"]),
    ("integration", &["name", "region", "base_url", "routing_key"]),
    ("person", &["user", "account", "email", "token"]),
    ("account", &["name", "provider", "region", "base_url", "token", "from", "poll", "webhook"]),
    (
        "account.webhook",
        &[
            "url_key",
            "secrets",
            "scheme",
            "header",
            "prefix",
            "algorithm",
            "encoding",
            "signed",
            "timestamp_header",
            "tolerance",
            "user",
            "public_url",
            "ping",
            "allow",
        ],
    ),
    (
        "target",
        &[
            "name",
            "url",
            "user",
            "password",
            "headers",
            "events",
            "enabled",
            "linked",
            "template",
            "filter",
            "retries",
            "secret",
            "allow_link_local",
        ],
    ),
];

/// A value in the file and where it stands.
pub(super) type Field<'a> = &'a Spanned<DeValue<'a>>;

/// Collects what is wrong.
pub(super) struct Findings<'a> {
    text: &'a str,
    pub(super) found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, found: vec![] }
    }

    pub(super) fn add(&mut self, at: Range<usize>, message: impl Into<String>) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let line = before.matches('\n').count() + 1;
        self.found.push(Finding { line, column, message: message.into() });
    }

    /// In the order of the file.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.found.sort_by_key(|f| (f.line, f.column));
        self.found
    }
}

/// One table of the file.
pub(super) struct Section<'a> {
    name: &'static str,
    pub(super) at: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Section<'a> {
    /// Takes the table of section `name`; keys it does not have are complained about.
    pub(super) fn new(name: &'static str, at: Range<usize>, table: &'a DeTable<'a>, to: &mut Findings<'_>) -> Self {
        let known = SECTIONS.iter().find(|(section, _)| *section == name).map_or(&[][..], |(_, keys)| keys);
        for key in table.keys() {
            let word: &str = key.get_ref();
            if !known.contains(&word) {
                to.add(key.span(), unknown(word, name, known));
            }
        }
        Self { name, at, table }
    }

    pub(super) fn get(&self, key: &str) -> Option<Field<'a>> {
        self.table.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value)
    }

    /// A value that must be there.
    pub(super) fn need(&self, key: &str, to: &mut Findings<'_>) -> Option<Field<'a>> {
        let value = self.get(key);
        if value.is_none() {
            to.add(self.at.clone(), format!("{} needs `{key}`", title(self.name)));
        }
        value
    }

    /// A text, if there.
    pub(super) fn text(&self, key: &str, to: &mut Findings<'_>) -> Option<(&'a str, Range<usize>)> {
        let value = self.get(key)?;
        if let DeValue::String(text) = value.get_ref() {
            return Some((text, value.span()));
        }
        to.add(value.span(), format!("`{key}` must be a text in quotes, this is {}", kind(value.get_ref())));
        None
    }

    /// True or false, if there.
    pub(super) fn flag(&self, key: &str, to: &mut Findings<'_>) -> Option<bool> {
        let value = self.get(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        to.add(value.span(), format!("`{key}` must be true or false, this is {}", kind(value.get_ref())));
        None
    }

    /// A whole number, if there.
    pub(super) fn number(&self, key: &str, to: &mut Findings<'_>) -> Option<(u64, Range<usize>)> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            to.add(value.span(), format!("`{key}` must be a whole number without quotes"));
        }
        Some((number?, value.span()))
    }

    /// A table within this one, if there.
    pub(super) fn section(&self, key: &str, name: &'static str, to: &mut Findings<'_>) -> Option<Section<'a>> {
        let value = self.get(key)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some(Section::new(name, value.span(), table, to));
        }
        to.add(value.span(), format!("`{key}` must be a section, {}", title(name)));
        None
    }
}

/// How a section is written.
fn title(name: &str) -> String {
    match name {
        "account" | "person" | "view" | "notify.rule" | "runbook" | "target" => format!("[[{name}]]"),
        _ => format!("[{name}]"),
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn unknown(key: &str, section: &str, known: &[&str]) -> String {
    let place = if section.is_empty() { "at the top".to_owned() } else { format!("in {}", title(section)) };
    let start = format!("unknown key `{}` {place}", key.escape_debug());
    if let Some(near) = nearest(key, known) {
        return format!("{start}; did you mean `{near}`?");
    }
    let elsewhere = SECTIONS.iter().filter_map(|(other, keys)| nearest(key, keys).map(|near| (other, near)));
    let is_within = |other: &str| other.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    let elsewhere = elsewhere.min_by_key(|(other, near)| (!is_within(other), strsim::damerau_levenshtein(key, near)));
    match elsewhere {
        Some((other, near)) => format!("{start}; `{near}` belongs into {}", title(other)),
        None => format!("{start}; known here: {}", known.join(", ")),
    }
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase().replace('-', "_");
    let distance = |k: &str| strsim::damerau_levenshtein(&word, k);
    let near = |k: &&&str| {
        distance(k) <= k.len().div_ceil(3) || word == format!("{k}s") || (word.len() > 3 && k.ends_with(&word))
    };
    known.iter().filter(near).min_by_key(|k| distance(k)).copied()
}

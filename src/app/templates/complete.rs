//! What may stand at the cursor: helpers, and the fields of the delivery that the preview is on.

use crate::core::{
    field::{Field, Step, path},
    helper::{HELPERS, Helper, Use},
};

use super::{
    pairs::open_blocks,
    syntax::{Kind, Sign, State, is_path, tokens},
};

/// Suggestions kept; whoever wants others types on.
const MOST: usize = 200;
/// Helpers that go through a list.
const LOOPS: &[&str] = &[
    "each",
    "forEach",
    "iterate",
    "eachIndex",
    "filter",
    "withFirst",
    "withLast",
    "withAfter",
    "withBefore",
    "withSort",
];
/// Helpers inside of which the same fields are seen as outside.
const TESTS: &[&str] = &["if", "unless"];
/// What a loop adds.
const LOOP_NAMES: &[(&str, &str)] = &[
    ("this", "the item itself"),
    ("@index", "its number, from 0"),
    ("@key", "its name, in an object"),
    ("@first", "whether it is the first"),
    ("@last", "whether it is the last"),
];

/// One thing that may stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub text: String,
    /// What it is: a value, or what a helper does.
    pub note: String,
}

/// The list of what may stand at the cursor, open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The characters before the cursor that are replaced.
    pub typed: usize,
    pub candidates: Vec<Candidate>,
    pub selected: usize,
}

impl Completion {
    pub(super) fn step(&mut self, down: bool) {
        let count = self.candidates.len().max(1);
        self.selected = if down { self.selected + 1 } else { self.selected + count - 1 } % count;
    }

    pub(super) fn chosen(&self) -> Option<&Candidate> {
        self.candidates.get(self.selected)
    }
}

/// How it came to be asked what may stand here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Something was typed: nothing is suggested where a word may as well be complete or text.
    ByTyping,
    ByKey,
}

/// What may stand at the cursor (line, character); `None`: nothing does.
pub(super) fn completion(
    lines: &[String],
    states: &[State],
    (row, column): (usize, usize),
    context: Option<&Field>,
    asked: Asked,
) -> Option<Completion> {
    let line = lines.get(row)?;
    let byte = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let before = line.get(..byte)?;
    let mut found = vec![];
    let tag = tokens(*states.get(row)?, before, &mut found).tag().filter(|tag| tag.quote.is_none())?;
    let opened = found.iter().rfind(|token| matches!(token.kind, Kind::Tag | Kind::Raw)).map_or(0, |token| token.end);
    let word = word_before(before.get(opened..)?);
    // The state behind a word is no longer that in front of it.
    let start = before.get(..before.len() - word.len())?;
    let head = tokens(*states.get(row)?, start, &mut vec![]).tag().map_or(tag.head, |tag| tag.head);
    if asked == Asked::ByTyping && word.is_empty() && start.len() != opened {
        return None;
    }
    let blocks = open_blocks(lines, states, (row, byte));
    let candidates = match tag.sign {
        Sign::Close => closing(&blocks, word),
        Sign::Partial => vec![],
        Sign::Value | Sign::Open | Sign::Inverse => {
            let mut all = fields(&scopes(context, &blocks), &blocks, word);
            if head && !word.contains(['.', '/']) {
                all.extend(helpers(tag.sign));
                all.extend(middle(&blocks));
            }
            ranked(all, last_part(word))
        }
    };
    let done = matches!(&*candidates, [only] if only.text == last_part(word));
    if candidates.is_empty() || done {
        return None;
    }
    let typed = last_part(word).chars().count();
    let candidates = candidates.into_iter().take(MOST).collect();
    Some(Completion { typed, candidates, selected: 0 })
}

fn word_before(before: &str) -> &str {
    let start = before.char_indices().rev().take_while(|(_, c)| is_path(*c)).last().map_or(before.len(), |(at, _)| at);
    before.get(start..).unwrap_or_default()
}

/// What stands behind the last `.` of a path.
fn last_part(word: &str) -> &str {
    word.rfind(['.', '/']).map_or(word, |at| word.get(at + 1..).unwrap_or_default())
}

fn closing(blocks: &[String], word: &str) -> Vec<Candidate> {
    let Some(block) = blocks.last() else { return vec![] };
    let name = block.split_whitespace().next().unwrap_or_default();
    let fits = name.starts_with(word);
    fits.then(|| Candidate { text: name.to_owned(), note: "ends the block".into() }).into_iter().collect()
}

fn middle(blocks: &[String]) -> Option<Candidate> {
    (!blocks.is_empty()).then(|| Candidate { text: "else".into(), note: "otherwise".into() })
}

/// Those that begin so, then those in which it stands.
fn ranked(all: Vec<Candidate>, word: &str) -> Vec<Candidate> {
    let wanted = word.to_lowercase();
    let (mut begin, mut inside) = (vec![], vec![]);
    for one in all {
        let text = one.text.to_lowercase();
        if text.starts_with(&wanted) {
            begin.push(one);
        } else if text.contains(&wanted) {
            inside.push(one);
        }
    }
    begin.extend(inside);
    begin
}

fn helpers(sign: Sign) -> impl Iterator<Item = Candidate> {
    let usable = move |helper: &&Helper| match helper.called {
        Use::Refused => false,
        Use::Block => true,
        Use::Value | Use::Log => sign == Sign::Value,
    };
    let note = move |helper: &Helper| match (helper.called, sign) {
        (Use::Block, Sign::Value) => format!("#{}", helper.what),
        _ => helper.what.to_owned(),
    };
    HELPERS.iter().filter(usable).map(move |helper| Candidate { text: helper.name.to_owned(), note: note(helper) })
}

/// What the holder of the last name in `word` has, and the names that there are everywhere.
fn fields(scopes: &[Option<&Field>], blocks: &[String], word: &str) -> Vec<Candidate> {
    let part = last_part(word);
    let path = word.get(..word.len() - part.len()).unwrap_or_default().trim_end_matches(['.', '/']);
    let mut all: Vec<Candidate> = resolve(scopes, path).map(inside).unwrap_or_default();
    if path.is_empty() && blocks.iter().any(|block| LOOPS.contains(&first_word(block))) {
        let name = |(name, what): &(&str, &str)| Candidate { text: (*name).to_owned(), note: (*what).to_owned() };
        all.extend(LOOP_NAMES.iter().map(name));
    }
    if path.is_empty() && scopes.len() > 1 {
        all.push(Candidate { text: "@root".into(), note: "the fields from the start".into() });
    }
    all
}

fn inside(field: &Field) -> Vec<Candidate> {
    let candidate = |(step, inner): (Step, &Field)| Candidate { text: path(&[step]), note: inner.gist() };
    field.inside().into_iter().map(candidate).collect()
}

fn first_word(block: &str) -> &str {
    block.split_whitespace().next().unwrap_or_default()
}

/// What is seen in each block, the outermost first; the last is what is seen at the cursor.
fn scopes<'f>(root: Option<&'f Field>, blocks: &[String]) -> Vec<Option<&'f Field>> {
    let mut scopes = vec![root];
    for block in blocks {
        let mut words = block.split_whitespace();
        let (name, argument) = (words.next().unwrap_or_default(), words.next());
        let argument = argument.filter(|argument| !argument.starts_with(['(', '"', '\'']));
        if TESTS.contains(&name) {
            continue;
        }
        let seen = match (name, argument) {
            (name, Some(argument)) if LOOPS.contains(&name) => resolve(&scopes, argument).and_then(item),
            ("with", Some(argument)) => resolve(&scopes, argument),
            (name, _) if HELPERS.iter().any(|helper| helper.name == name) => continue,
            // A section: of a list each item, of all else itself.
            (section, _) => {
                resolve(&scopes, section).and_then(|field| if is_list(field) { item(field) } else { Some(field) })
            }
        };
        scopes.push(seen);
    }
    scopes
}

fn is_list(field: &Field) -> bool {
    matches!(field, Field::Items(_))
}

fn item(field: &Field) -> Option<&Field> {
    field.inside().into_iter().map(|(_, item)| item).next()
}

/// What a path means at the last of the scopes; `../` goes to what is seen outside of the block.
fn resolve<'f>(scopes: &[Option<&'f Field>], path: &str) -> Option<&'f Field> {
    if let Some(rest) = path.strip_prefix("..") {
        let outside = scopes.len().checked_sub(1).and_then(|outside| scopes.get(..outside))?;
        return resolve(outside, rest.strip_prefix('/').unwrap_or(rest));
    }
    let mut at = scopes.last().copied().flatten();
    for step in path.split(['.', '/']) {
        at = match step {
            "" | "this" => at,
            "@root" => scopes.first().copied().flatten(),
            step => {
                let name = step.strip_prefix('[').and_then(|step| step.strip_suffix(']')).unwrap_or(step);
                at.and_then(|field| field.get(name))
            }
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::templates::syntax::states;

    fn context() -> Field {
        Field::of(&json!({
            "event": { "id": "1", "type": "x" },
            "incident": { "title": "t", "assignees": [{ "name": "Alice", "id": "P1" }], "odd name": 1 },
        }))
    }

    /// What is suggested where `|` stands: the texts, and how much is replaced.
    fn suggested(text: &str, asked: Asked) -> Option<(Vec<String>, usize)> {
        let before = text.split('|').next().unwrap_or_default();
        let row = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let lines: Vec<_> = text.replacen('|', "", 1).split('\n').map(str::to_owned).collect();
        let found = completion(&lines, &states(&lines), (row, column), Some(&context()), asked)?;
        Some((found.candidates.into_iter().map(|candidate| candidate.text).collect(), found.typed))
    }

    fn texts(text: &str) -> Vec<String> {
        suggested(text, Asked::ByTyping).map(|(texts, _)| texts).unwrap_or_default()
    }

    #[test]
    fn after_the_start_of_a_tag_there_are_fields_first_and_all_helpers() {
        let all = texts("é {{|");
        assert_eq!(all[..2], ["event", "incident"]);
        assert_eq!(all.len(), 2 + HELPERS.iter().filter(|helper| helper.called != Use::Refused).count());
        assert_eq!(texts("{{up|")[..2], ["upcase", "uppercase"]);
        assert!(texts("{{#e|").starts_with(&["event".into(), "each".into()]));
        assert!(!texts("{{#|").contains(&"upcase".to_owned()));
    }

    #[test]
    fn behind_a_dot_there_are_the_fields_that_the_delivery_has() {
        assert_eq!(
            suggested("{{incident.|}}", Asked::ByTyping),
            Some((vec!["title".into(), "assignees".into(), "[odd name]".into()], 0))
        );
        assert_eq!(suggested("{{upcase incident.ti|}}", Asked::ByTyping), Some((vec!["title".into()], 2)));
        assert_eq!(texts("{{incident.assignees.[0].|"), ["name", "id"]);
        assert_eq!(texts("{{incident.title|}}"), Vec::<String>::new(), "it is complete");
        assert_eq!(texts("{{nothing.|}}"), Vec::<String>::new());
    }

    #[test]
    fn inside_a_block_the_fields_are_those_seen_there() {
        assert_eq!(texts("{{#each incident.assignees}}\n{{n|")[..1], ["name"]);
        assert!(texts("{{#each incident.assignees}}{{@|").contains(&"@index".to_owned()));
        assert_eq!(texts("{{#with incident}}{{ti|")[..1], ["title"]);
        assert_eq!(texts("{{#incident}}{{#if title}}{{ti|")[..1], ["title"]);
        assert_eq!(texts("{{#each incident.assignees}}{{../event.t|"), ["type"]);
        assert_eq!(texts("{{#each incident.assignees}}{{@root.event.t|"), ["type"]);
        assert_eq!(texts("{{#each incident.assignees}}{{/each}}{{ev|")[..1], ["event"]);
        assert_eq!(texts("{{#each x}}{{#if a}}{{/if}}{{/e|"), ["each"]);
        assert_eq!(suggested("{{#if a}}{{/|", Asked::ByTyping), Some((vec!["if".into()], 0)));
    }

    #[test]
    fn outside_of_tags_in_texts_and_in_comments_nothing_is_suggested() {
        for text in ["up|", "{{a}} up|", "{{upcase \"up|", "{{! up|", "{{!-- a\nup|", "{{upcase |"] {
            assert_eq!(suggested(text, Asked::ByTyping), None, "{text}");
        }
        assert!(suggested("{{upcase |", Asked::ByKey).is_some());
    }
}

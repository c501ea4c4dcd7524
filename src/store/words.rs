//! The words of a delivery, as the index holds them and as a search asks for them.
//!
//! Both sides, and the look at what is not indexed yet, see a text through [`spoken`]: so they agree.

use std::collections::BTreeSet;

use crate::core::query::delivery::is_word_alone;

/// Characters of a word that the index holds; longer ones are known by their beginning.
const LONGEST: usize = 64;
/// A last word of fewer characters is meant whole: too many begin so.
const BEGINNING: usize = 2;
/// Stands before words that are not common. It is in no word itself.
const RARE: char = '§';

/// A text as its words in small letters, a blank before each and one at the end.
///
/// Only letters and digits make words; of scripts that put no blanks between them, each character is one. In JSON,
/// escapes are resolved.
pub(super) fn spoken(text: &str, syntax: Syntax) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut within = false;
    let mut say = |c: char| {
        if c.is_alphanumeric() {
            if !within || is_word_alone(c) {
                out.push(' ');
            }
            if c.is_ascii() {
                out.push(c.to_ascii_lowercase());
            } else {
                out.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
            }
        }
        within = c.is_alphanumeric() && !is_word_alone(c);
    };
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, syntax) {
            ('\\', Syntax::Json) => say(escaped(&mut rest)),
            _ => say(c),
        }
    }
    out.push(' ');
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Plain,
    Json,
}

impl Syntax {
    pub(super) fn of(body: &str) -> Self {
        if body.trim_start().starts_with(['{', '[', '"']) { Self::Json } else { Self::Plain }
    }
}

/// The character behind a backslash; a blank for all that make no words.
fn escaped(rest: &mut std::str::Chars<'_>) -> char {
    if rest.next() != Some('u') {
        return ' ';
    }
    let Some(first) = unit(rest) else { return ' ' };
    let mut after = rest.clone();
    let second = if (after.next(), after.next()) == (Some('\\'), Some('u')) { unit(&mut after) } else { None };
    let pair = [first, second.unwrap_or_default()];
    match char::decode_utf16(pair).next() {
        Some(Ok(c)) => {
            if c.len_utf16() == 2 {
                *rest = after;
            }
            c
        }
        Some(Err(_)) | None => ' ',
    }
}

/// Four hexadecimal digits, taken only if they are there.
fn unit(rest: &mut std::str::Chars<'_>) -> Option<u16> {
    let digits = rest.as_str().get(..4)?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    *rest = rest.as_str().get(4..)?.chars();
    Some(unit)
}

/// What the index holds of texts that went through [`spoken`], each once.
pub(super) fn terms(spoken: &str) -> BTreeSet<String> {
    spoken.split_ascii_whitespace().map(term).collect()
}

fn term(word: &str) -> String {
    let (word, _) = cut(word);
    if is_common(word) { word.to_owned() } else { format!("{RARE}{word}") }
}

/// The part of a word that the index holds, and whether that is all of it.
fn cut(word: &str) -> (&str, bool) {
    let end = word.char_indices().nth(LONGEST).map(|(at, _)| at);
    (word.get(..end.unwrap_or(word.len())).unwrap_or(word), end.is_none())
}

/// Whether many deliveries may have it: then it is found by its beginning through the list of words. Ids, hashes and
/// numbers are found by theirs in the index itself, as each is in a few deliveries only, and would fill the list.
pub(super) fn is_common(term: &str) -> bool {
    let digits = term.bytes().filter(u8::is_ascii_digit).count();
    match term.len() {
        0..=4 => true,
        5..=7 => digits < term.len(),
        length => length <= 32 && term.chars().all(char::is_alphabetic),
    }
}

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    /// To be found in a text that went through [`spoken`].
    spoken: String,
}

impl Needle {
    /// `None` when there is no letter or digit in it.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut spoken = spoken(text, Syntax::Plain);
        let last = spoken.split_ascii_whitespace().last()?;
        if last.chars().count() >= BEGINNING {
            spoken.pop();
        }
        Some(Self { spoken })
    }

    pub(super) fn is_in(&self, spoken: &str) -> bool {
        spoken.contains(&self.spoken)
    }

    /// Whether [`query`](Self::query) finds nothing that it is not in.
    pub(super) fn is_exact(&self) -> bool {
        let mut words = self.spoken.split_ascii_whitespace();
        words.next().is_some_and(|word| cut(word).1) && words.next().is_none()
    }

    /// An expression for the index. `beginning_with` gives the common words that begin so, or `None` when they are too
    /// many.
    pub(super) fn query<E>(
        &self,
        mut beginning_with: impl FnMut(&str) -> Result<Option<Vec<String>>, E>,
    ) -> Result<String, E> {
        let words: Vec<&str> = self.spoken.split_ascii_whitespace().collect();
        let (last, first) = words.split_last().expect("not empty");
        let mut all: Vec<String> = first.iter().map(|word| format!("\"{}\"", term(word))).collect();
        let (last, _) = cut(last);
        if self.spoken.ends_with(' ') {
            all.push(format!("\"{}\"", term(last)));
        } else {
            let rare = format!("\"{RARE}{last}\"*");
            let common = match beginning_with(last)? {
                Some(words) => words.iter().map(|word| format!("\"{word}\"")).collect(),
                None => vec![format!("\"{last}\"*")],
            };
            all.push(format!("({})", [common, vec![rare]].concat().join(" OR ")));
        }
        Ok(all.join(" AND "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finds(needle: &str, text: &str) -> bool {
        Needle::new(needle).is_none_or(|needle| needle.is_in(&spoken(text, Syntax::of(text))))
    }

    #[test]
    fn words_are_found_whatever_their_case_and_punctuation_and_the_last_by_its_beginning() {
        for needle in ["disk", "FULL disk", "disk:  db", "fu", "full disk db-01", "prod"] {
            assert!(finds(needle, "Full disk: db-01 (Prod)"), "{needle}");
        }
        for needle in ["isk", "disk full", "ful disk", "d", "full disk d", "db 0"] {
            assert!(!finds(needle, "Full disk: db-01 (Prod)"), "{needle}");
        }
        assert!(finds("...", "anything"));
        assert!(finds("größe", "GRÖSSE oder Größe"));
    }

    #[test]
    fn what_is_written_without_blanks_is_found_by_any_part_of_it() {
        let text = "夜間バッチ failed on db障害2";
        for needle in ["夜間", "バッチ", "間バ", "チ FAILED", "害", "db", "障害2", text] {
            assert!(finds(needle, text), "{needle}");
            let all = terms(&spoken(text, Syntax::Plain));
            let words = spoken(needle, Syntax::Plain);
            assert!(words.split_ascii_whitespace().all(|word| all.contains(&term(word))), "{needle} in {all:?}");
        }
        for needle in ["夜バ", "バッチ夜", "faile db", "db2", "on d"] {
            assert!(!finds(needle, text), "{needle}");
        }
    }

    #[test]
    fn escapes_in_json_are_what_they_stand_for() {
        let text = r#"{"t":"disk\nfull","u":"gr\u00f6\u00dfe","v":"a\"b","w":"\ud835\udc00x \ud835 end\u00"}"#;
        for needle in ["disk full", "größe", "a b", "𝐀x", "end"] {
            assert!(finds(needle, text), "{needle}");
        }
        assert!(!finds("nfull", text));
        assert!(finds("nfull", r"C:\nfull"));
    }

    #[test]
    fn a_query_holds_nothing_but_quoted_words() {
        let none = |_: &str| Ok::<_, ()>(Some(vec![]));
        let query = |text: &str| Needle::new(text).expect("words").query(none).expect("no error");

        assert_eq!(query("disk* OR \"x\" NEAR("), r#""disk" AND "or" AND "x" AND ("§near"*)"#);
        assert_eq!(query("Q02JTSNZWHSEKV 1"), r#""§q02jtsnzwhsekv" AND "1""#);
        assert_eq!(query("1"), r#""1""#);
        assert_eq!(query("5551234 code"), r#""§5551234" AND ("§code"*)"#);
        assert_eq!(
            Needle::new("db").expect("word").query(|_| Ok::<_, ()>(None)),
            Ok(r#"("db"* OR "§db"*)"#.to_owned())
        );
    }

    proptest! {
        #[test]
        fn every_word_of_a_text_is_found_in_it_and_among_its_terms(text in ".{0,200}") {
            let spoken = spoken(&text, Syntax::Plain);
            for word in spoken.split_ascii_whitespace() {
                prop_assert!(Needle::new(word).is_none_or(|needle| needle.is_in(&spoken)), "{word:?} in {spoken:?}");
            }
            prop_assert!(terms(&spoken).iter().all(|term| !term.contains(['"', ' ', '*'])));
        }
    }
}

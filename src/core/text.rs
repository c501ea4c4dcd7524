//! Outside text, cleaned once so that nothing later can let it drive the terminal.
//!
//! [`Shown`] is one line, [`ShownBody`] several. Both can only be made by cleaning, also when they
//! arrive over the wire, so whoever holds one may print it. The raw bytes stay in the store.

use std::{fmt, fmt::Write as _};

use serde::{Deserialize, Deserializer, Serialize};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// More of a line is cut off, with `…`.
const LINE_LIMIT: usize = 1024;
/// More of a body is cut off, and the cut is said.
const BODY_LIMIT: usize = 256 * 1024;
/// Combining marks kept on one base character.
const MARKS: usize = 2;

/// One line of outside text, safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Shown(String);

/// Several lines of outside text, safe to show; lines end with `\n`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ShownBody(String);

impl Shown {
    /// Cleans `text` into one line: controls become their pictures, invisible characters `·`.
    pub fn line(text: &str) -> Self {
        Self(clean(text, Form::Line))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ShownBody {
    /// Cleans `text`, keeping line breaks: controls become their pictures, invisible characters `⟨U+202E⟩`.
    pub fn new(text: &str) -> Self {
        Self(clean(text, Form::Body))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.lines()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

macro_rules! shown_as_text {
    ($name:ident, $make:path) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $make(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Ok($make(&String::deserialize(from)?))
            }
        }
    };
}

shown_as_text!(Shown, Shown::line);
shown_as_text!(ShownBody, ShownBody::new);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Line,
    Body,
}

fn clean(text: &str, form: Form) -> String {
    let limit = if form == Form::Line { LINE_LIMIT } else { BODY_LIMIT };
    let plain = |b: u8| b.is_ascii_graphic() || b == b' ' || (b == b'\n' && form == Form::Body);
    if text.len() <= limit && text.bytes().all(plain) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len().min(limit));
    let mut taken = 0;
    for cluster in text.graphemes(true) {
        taken += cluster.chars().count();
        if taken > limit {
            out.push_str(if form == Form::Line { "…" } else { "\n… (cut here: too long to show)" });
            break;
        }
        push_cluster(&mut out, cluster, form);
    }
    out
}

fn push_cluster(out: &mut String, cluster: &str, form: Form) {
    match cluster {
        "\r\n" | "\n" if form == Form::Body => out.push('\n'),
        "\t" if form == Form::Body => out.push_str("    "),
        "\r\n" => out.push_str("␍␊"),
        _ => {
            let mut chars = cluster.chars();
            match (chars.next(), chars.next()) {
                (Some(base), Some(_)) if is_joined(cluster) => push_char(out, base, form),
                _ => push_marked(out, cluster, form),
            }
        }
    }
}

/// Clusters that terminals join, or not, each in its own way: only the first character of such is shown.
fn is_joined(cluster: &str) -> bool {
    let joins = |c: char| matches!(c, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f3fb}'..='\u{1f3ff}');
    let apart: usize = cluster.chars().map(|c| c.width().unwrap_or(0)).sum();
    cluster.chars().any(joins) || cluster.width() != apart || cluster.chars().skip(1).any(|c| c.width() != Some(0))
}

/// A base character with its combining marks, of which a few are kept. A blank is no base: where a line is broken there, its
/// marks would stand first.
fn push_marked(out: &mut String, cluster: &str, form: Form) {
    let (mut marks, has_base) = (0, !cluster.starts_with(char::is_whitespace));
    for (at, c) in cluster.chars().enumerate() {
        if has_base && at > 0 && is_mark(c) && !is_invisible(c) {
            marks += 1;
            if marks <= MARKS {
                out.push(c);
            }
        } else {
            push_char(out, c, form);
        }
    }
}

fn is_mark(c: char) -> bool {
    matches!(c.general_category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

fn push_char(out: &mut String, c: char, form: Form) {
    use GeneralCategory as G;
    match c {
        ' '..='~' => out.push(c),
        '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\u{7f}' => out.push('\u{2421}'),
        _ if is_invisible(c) => push_invisible(out, c, form),
        // Letters by their category, and they join what stands before them like a mark.
        '\u{e33}' | '\u{eb3}' => out.push('\u{25cc}'),
        _ => match c.general_category() {
            G::Control | G::Surrogate | G::PrivateUse | G::Unassigned => out.push('\u{fffd}'),
            G::SpaceSeparator => out.push(' '),
            G::Format | G::LineSeparator | G::ParagraphSeparator => push_invisible(out, c, form),
            // A mark without a base would sit on whatever is drawn to its left.
            G::NonspacingMark | G::EnclosingMark | G::SpacingMark => out.push('\u{25cc}'),
            _ if c.width() == Some(0) => push_invisible(out, c, form),
            // A lone regional indicator is half a flag: terminals disagree on its width.
            _ if ('\u{1f1e6}'..='\u{1f1ff}').contains(&c) => out.push('\u{25a1}'),
            _ => out.push(c),
        },
    }
}

fn push_invisible(out: &mut String, c: char, form: Form) {
    match form {
        Form::Line => out.push('·'),
        Form::Body => {
            let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
        }
    }
}

/// Characters that show nothing though their category does not say so: fillers, selectors, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// Columns that `text` takes on the screen.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` cut to at most `width` columns, whole clusters only, with `…` where something is left out.
pub fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        used += cluster.width();
        if used + 1 > width {
            break;
        }
        out.push_str(cluster);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// `line` in pieces of at most `width` columns, whole clusters only; never none. Takes time in proportion
/// to the length, however long the line.
pub fn pieces(line: &str, width: usize) -> Vec<&str> {
    let width = width.max(1);
    if line.len() <= width {
        return vec![line];
    }
    let (mut out, mut start, mut used) = (vec![], 0, 0);
    for (at, cluster) in line.grapheme_indices(true) {
        let wide = cluster.width();
        if used + wide > width && at > start {
            out.extend(line.get(start..at));
            (start, used) = (at, 0);
        }
        used += wide;
    }
    out.extend(line.get(start..));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn controls_become_pictures_and_hidden_characters_show() {
        assert_eq!(Shown::line("a\u{1b}[2J\r\nb\t\u{7}\u{9b}").as_str(), "a␛[2J␍␊b␉␇\u{fffd}");
        assert_eq!(Shown::line("pay\u{202e}lap\u{200b}").as_str(), "pay·lap·");
        assert_eq!(ShownBody::new("a\r\n\u{202e}b\tc").as_str(), "a\n⟨U+202E⟩b    c");
    }

    #[test]
    fn ordinary_text_in_any_language_stays() {
        for text in ["disk full on db-1", "café naïve über", "日本語テスト", "e\u{301}tat", "→ 95 % ✓"] {
            assert_eq!(Shown::line(text).as_str(), text);
        }
    }

    #[test]
    fn clusters_that_terminals_measure_differently_shrink_to_their_base() {
        assert_eq!(Shown::line("👩\u{200d}👩\u{200d}👧!").as_str(), "👩!");
        assert_eq!(Shown::line("🇩🇪").as_str(), "□");
        assert_eq!(Shown::line("🇩!").as_str(), "□!");
        assert_eq!(Shown::line("a\u{200d}").as_str(), "a");
        assert_eq!(Shown::line("क्ष").as_str(), "क");
        assert_eq!(Shown::line("z\u{300}\u{301}\u{302}\u{303}\u{304}").as_str(), "z\u{300}\u{301}");
    }

    #[test]
    fn a_single_control_is_enough_in_a_line_and_in_a_body() {
        assert_eq!(Shown::line("a\nb").as_str(), "a␊b");
        assert_eq!(Shown::line("\u{7f}").as_str(), "␡");
        assert_eq!(ShownBody::new("a\u{1b}[2Jb").as_str(), "a␛[2Jb");
    }

    #[test]
    fn what_shows_nothing_or_sits_on_its_neighbour_is_seen() {
        for hidden in ["\u{ad}", "\u{600}", "\u{2028}", "\u{2800}", "\u{3164}", "\u{1161}", "\u{e0041}"] {
            assert_eq!(Shown::line(hidden).as_str(), "·", "{hidden:?}");
        }
        for joined in ["a\u{34f}b", "a\u{200c}b", "a\u{1161}b"] {
            assert_eq!(Shown::line(joined).as_str(), "a·b", "{joined:?}");
        }
        for mark in ["\u{301}", "\u{20dd}", "\u{903}"] {
            assert_eq!(Shown::line(&format!("{mark}x")).as_str(), "◌x", "{mark:?}");
        }
        assert_eq!(Shown::line("a \u{301}x").as_str(), "a ◌x", "a line may be broken at the blank");
        assert_eq!(Shown::line("\u{e000}\u{378}").as_str(), "\u{fffd}\u{fffd}");
        assert_eq!(Shown::line("a\u{a0}b\u{3000}c").as_str(), "a b c");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        for letter in ["é", "x"] {
            let shown = Shown::line(&letter.repeat(5000));
            assert_eq!(shown.as_str().chars().count(), LINE_LIMIT + 1);
            assert!(shown.as_str().ends_with('…'));
        }
        let body = "x\n".repeat(128 * 1024);
        assert_eq!(ShownBody::new(&body).as_str(), body);
        let shown = ShownBody::new(&format!("{body}y"));
        assert_eq!(shown.as_str().strip_prefix(&body), Some("\n… (cut here: too long to show)"));
        assert_eq!(Shown::line(&"x".repeat(LINE_LIMIT)).as_str().len(), LINE_LIMIT);
    }

    #[test]
    fn only_nothing_is_empty() {
        assert!(Shown::line("").is_empty() && ShownBody::new("").is_empty());
        assert!(!Shown::line("\u{200b}").is_empty() && !ShownBody::new("\n").is_empty());
    }

    #[test]
    fn fitting_cuts_whole_clusters() {
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn pieces_keep_every_character_and_the_width() {
        assert_eq!(pieces("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(pieces("日本語", 5), ["日本", "語"]);
        assert_eq!(pieces("日", 1), ["日"]);
        assert_eq!(pieces("", 5), [""]);
        assert_eq!(pieces(&"é".repeat(200_000), 80).len(), 2500);
    }

    /// Any characters, more of those that could do harm. `any::<String>()` has none of these.
    fn any_text() -> impl Strategy<Value = String> {
        let low = (0..0x100_u32).prop_map(|code| char::from_u32(code).unwrap_or_default());
        let known = prop::sample::select(
            "\r\n\t\u{1b}\u{202e}\u{200d}\u{fe0f}\u{301}\u{903}\u{2028}🇩👩日क्a".chars().collect::<Vec<_>>(),
        );
        prop::collection::vec(prop_oneof![any::<char>(), low, known], 0..40).prop_map(String::from_iter)
    }

    fn acts(c: char) -> bool {
        use GeneralCategory as G;
        let category = c.general_category();
        let hidden = matches!(category, G::Format | G::LineSeparator | G::ParagraphSeparator);
        hidden || matches!(category, G::Control | G::PrivateUse | G::Unassigned) || is_invisible(c)
    }

    proptest! {
        #[test]
        fn cleaning_leaves_nothing_that_acts_and_is_done_once(text in any_text()) {
            let (line, body) = (Shown::line(&text), ShownBody::new(&text));
            for shown in [line.0.clone(), body.0.replace('\n', "")] {
                prop_assert!(!shown.chars().any(acts), "{text:?} {shown:?}");
            }
            prop_assert_eq!(Shown::line(line.as_str()), line);
            prop_assert_eq!(ShownBody::new(body.as_str()), body);
        }
    }
}

//! Characters that cannot be seen: controls, direction marks, zero-width ones. None of them gets into the
//! text that the editor draws, and none is taken away without saying so.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::core::text::ShownBody;

/// Text without its hidden characters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stripped {
    pub(super) text: String,
    /// How many were taken out.
    pub(super) hidden: usize,
}

/// Takes the hidden characters out of `text`; odd spaces become plain ones, line ends `\n`.
pub(super) fn strip(text: &str) -> Stripped {
    let mut out = Stripped { text: String::with_capacity(text.len()), hidden: 0 };
    for cluster in text.graphemes(true) {
        if matches!(cluster, "\r\n" | "\r") {
            out.text.push('\n');
            continue;
        }
        for (at, c) in cluster.chars().enumerate() {
            match (is_hidden(c, at > 0), c.is_whitespace()) {
                (false, _) => out.text.push(c),
                (true, space) => {
                    out.hidden += 1;
                    out.text.extend(space.then_some(' '));
                }
            }
        }
    }
    out
}

/// Whether `c` shows nothing, or something else than it is. Marks show on the character before (`after`).
pub(super) fn is_hidden(c: char, after: bool) -> bool {
    if matches!(c, ' '..='~' | '\n' | '\t') {
        return false;
    }
    let alone = ShownBody::new(c.encode_utf8(&mut [0; 4]));
    match alone.as_str() {
        // A mark without a base, half a flag: these show.
        "\u{25cc}" => !after && c != '\u{25cc}',
        "\u{25a1}" => false,
        shown => !shown.chars().eq([c]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(text: &str) -> (String, usize) {
        let out = strip(text);
        (out.text, out.hidden)
    }

    #[test]
    fn ordinary_text_stays_and_line_ends_become_plain() {
        let text = "{{#each a}}\n\t\"é\": 日本 e\u{301} 🇩🇪 👩 क\u{94d}ष\u{93f}\n{{/each}}";
        assert_eq!(stripped(text), (text.to_owned(), 0));
        assert_eq!(stripped("a\r\nb\rc"), ("a\nb\nc".into(), 0));
    }

    #[test]
    fn hidden_characters_go_and_are_counted() {
        assert_eq!(stripped("a\u{202e}b\u{200b}\u{1b}[2J\u{0}"), ("ab[2J".into(), 4));
        assert_eq!(stripped("1\u{a0}000"), ("1 000".into(), 1));
        assert_eq!(stripped("⚠\u{fe0f} 👩\u{200d}💻"), ("⚠ 👩💻".into(), 2));
    }
}

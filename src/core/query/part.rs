//! How a value means a thing that has an id and a name, and how words are compared.

use super::delivery::Glob;

/// A part of a name in any case, the whole name with `*` in it, or an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    text: String,
    lower: String,
    glob: Option<Glob>,
}

impl Part {
    pub fn new(text: &str) -> Self {
        let glob = text.contains('*').then(|| Glob::new(text));
        Self { text: text.to_owned(), lower: text.to_lowercase(), glob }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn means(&self, id: &str, name: &str) -> bool {
        id == self.text || self.is_of(name)
    }

    pub fn is_of(&self, name: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.matches(name),
            None => stands_in(&self.lower, name),
        }
    }

    /// Whether it can only be an address, and then whether it is this one.
    pub fn is_address(&self) -> bool {
        self.text.contains('@')
    }
}

/// Whether `word`, in lower case, stands somewhere in `text`, in any case.
pub fn stands_in(word: &str, text: &str) -> bool {
    if word.is_ascii() && text.is_ascii() {
        let (word, text) = (word.as_bytes(), text.as_bytes());
        return word.is_empty() || text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    }
    text.to_lowercase().contains(word)
}

/// A word of fewer characters is meant to the letter.
const LIKE: usize = 3;
/// So many typed for each that may have been left out.
const TYPED_FOR_EACH: usize = 3;

/// Whether `word`, in lower case, is one of the words of `text` with letters left out: the first one is there, the others
/// come in their order, and for each three typed at most one was left out in between. `chkout` is like `checkout`;
/// `chk`, `out` and `cout` are not. Nothing is said of what stands behind the last letter.
///
/// A person can foresee what that finds, and it never joins letters of two words: what is listed by it may be acted on.
pub fn is_like(word: &str, text: &str) -> bool {
    let typed = word.chars().count();
    typed >= LIKE && text.split(|c: char| !c.is_alphanumeric()).any(|other| leaves_out_few(word, typed, other))
}

fn leaves_out_few(word: &str, typed: usize, whole: &str) -> bool {
    let mut rest = whole.chars().flat_map(char::to_lowercase);
    let mut used = 0;
    for (at, letter) in word.chars().enumerate() {
        let Some(skipped) = rest.position(|c| c == letter) else { return false };
        if at == 0 && skipped > 0 {
            return false;
        }
        used += skipped + 1;
    }
    used - typed <= typed / TYPED_FOR_EACH
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_word_with_a_few_letters_left_out_is_like_the_whole_word_and_nothing_else_is() {
        for (word, text) in [("chkout", "Checkout Web"), ("pymnts", "the payments"), ("dsk", "DISK"), ("rpl", "repl-2")]
        {
            assert!(is_like(word, text), "{word} {text}");
        }
        for (word, text) in [
            ("chk", "checkout"),
            ("cout", "checkout"),
            ("out", "checkout"),
            ("heckout", "checkout"),
            ("checkoutt", "checkout"),
            ("db", "dab"),
            ("disk", "dim skies"),
            ("prod", "provided"),
            ("", "anything"),
        ] {
            assert!(!is_like(word, text), "{word} {text}");
        }
    }

    #[test]
    fn a_part_is_a_part_of_the_name_or_the_id_and_a_star_stands_for_anything() {
        assert!(Part::new("pay").means("P1", "Payments API"));
        assert!(Part::new("P1").means("P1", "Payments API"));
        assert!(!Part::new("p1").means("P1", "Payments API"));
        assert!(Part::new("pay*api").means("P1", "Payments API"));
        assert!(!Part::new("pay*").means("P1", "The payments"));
    }

    proptest! {
        #[test]
        fn a_word_is_like_what_it_is_the_beginning_of(word in "[a-zé]{3,9}", more in "[a-zé]{0,5}") {
            let (apart, within) = (format!("x {word}{more}"), format!("x{}{more}", word.to_uppercase()));
            prop_assert!(is_like(&word, &apart) && stands_in(&word, &within));
        }

        #[test]
        fn no_texts_make_comparing_panic(word in any::<String>(), text in any::<String>()) {
            is_like(&word, &text);
            stands_in(&word, &text);
        }
    }
}

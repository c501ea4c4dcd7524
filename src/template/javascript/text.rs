//! Text by its UTF-16 units, as JavaScript counts and cuts it. Half of a character, which only a cut can make,
//! becomes U+FFFD at once: that is what it is when it leaves as UTF-8.

use std::rc::Rc;

/// `text.length`
pub(crate) fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

pub(crate) fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

pub(crate) fn of_units(units: &[u16]) -> Rc<str> {
    String::from_utf16_lossy(units).into()
}

/// `text[at]`
pub(crate) fn unit_at(text: &str, at: usize) -> Option<Rc<str>> {
    text.encode_utf16().nth(at).map(|unit| of_units(&[unit]))
}

/// `text.slice(start, end)`; negative positions count from the end, `NaN` is 0.
pub(crate) fn slice(text: &str, start: f64, end: f64) -> Rc<str> {
    let units = units(text);
    let (start, end) = (position(start, units.len()), position(end, units.len()));
    of_units(units.get(start..end.max(start)).unwrap_or_default())
}

/// The place in a sequence of `length` that `slice` means by `at`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "within 0..=length"
)]
pub(crate) fn position(at: f64, length: usize) -> usize {
    let whole = if at.is_nan() { 0.0 } else { at.trunc() };
    let from_start = if whole < 0.0 { (length as f64 + whole).max(0.0) } else { whole.min(length as f64) };
    from_start as usize
}

/// `\s` and what `trim` takes.
pub(crate) fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}'
            | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// `\w`
pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `text.toLowerCase()`
pub(crate) fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// `text.toUpperCase()`
pub(crate) fn upper(text: &str) -> String {
    text.to_uppercase()
}

/// Its first unit in upper case, the rest as it is.
pub(crate) fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // Half of a pair has no upper case.
        Some(first) if first.len_utf16() == 1 => format!("{}{}", upper(&first.to_string()), chars.as_str()),
        _ => text.to_owned(),
    }
}

/// `text.indexOf(part, from)` in units.
pub(crate) fn index_of(text: &str, part: &str, from: usize) -> Option<usize> {
    let (text, part) = (units(text), units(part));
    let from = from.min(text.len());
    let rest = text.get(from..)?;
    if part.is_empty() {
        return Some(from);
    }
    rest.windows(part.len()).position(|window| window == part).map(|at| at + from)
}

/// By UTF-16 units, as `<` and `sort` compare.
pub(crate) fn order(a: &str, b: &str) -> std::cmp::Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_counts_for_two_and_can_be_cut() {
        assert_eq!((length("a🚒"), length("é")), (3, 1));
        assert_eq!(&*slice("a🚒b", 0.0, 2.0), "a\u{fffd}");
        assert_eq!(&*slice("abc", -2.0, f64::INFINITY), "bc");
        assert_eq!(&*slice("abc", f64::NAN, -1.0), "ab");
        assert_eq!(&*slice("abc", 2.0, 1.0), "");
        assert_eq!(index_of("a🚒b", "b", 0), Some(3));
    }

    #[test]
    fn spaces_are_those_of_javascript() {
        assert_eq!(trim("\u{feff}\u{a0} x \u{85}"), "x \u{85}");
    }
}

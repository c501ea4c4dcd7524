//! Texts. Lengths and positions count UTF-16 units, as JavaScript does.

use serde_json::Value;

use super::{Arguments, Outcome};

/// A helper does not make a longer text, in bytes.
const LONGEST: usize = 1024 * 1024;

#[expect(clippy::unnecessary_wraps, reason = "all helpers have one signature")]
fn made(text: impl Into<String>) -> Outcome {
    Ok(Some(Value::String(text.into())))
}

pub(super) fn uppercase(arguments: &Arguments<'_>) -> Outcome {
    made(arguments.text(0).unwrap_or_default().to_uppercase())
}

pub(super) fn lowercase(arguments: &Arguments<'_>) -> Outcome {
    made(arguments.text(0).unwrap_or_default().to_lowercase())
}

pub(super) fn capitalize(arguments: &Arguments<'_>) -> Outcome {
    let mut chars = arguments.text(0).unwrap_or_default().chars();
    let first = chars.next();
    made(first.into_iter().flat_map(char::to_uppercase).chain(chars).collect::<String>())
}

/// JavaScript's white space: Unicode's without U+0085, with U+FEFF.
pub(super) fn trim(arguments: &Arguments<'_>) -> Outcome {
    let blank = |c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}');
    made(arguments.text(0).unwrap_or_default().trim_matches(blank))
}

/// `replace text a b`: every `a`, taken literally.
pub(super) fn replace(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0).unwrap_or_default();
    let Some(old) = arguments.text(1).filter(|old| !old.is_empty()) else { return made(text) };
    let new = arguments.text(2).unwrap_or_default();
    let grown = text.matches(old).count().saturating_mul(new.len()).saturating_add(text.len());
    if grown > LONGEST {
        return Err("makes a text of more than 1 MiB".to_owned());
    }
    made(text.replace(old, new))
}

/// `truncate text limit suffix`: the suffix counts.
pub(super) fn truncate(arguments: &Arguments<'_>) -> Outcome {
    cut(arguments, arguments.text(2).unwrap_or_default(), "")
}

/// `ellipsis text limit`: what is cut off is marked, and the mark does not count.
pub(super) fn ellipsis(arguments: &Arguments<'_>) -> Outcome {
    cut(arguments, "", "…")
}

/// The text if it is short enough, else so much of it that it fits together with `counted`.
fn cut(arguments: &Arguments<'_>, counted: &str, mark: &str) -> Outcome {
    let text = arguments.text(0).unwrap_or_default();
    let limit = arguments.get(1).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.ok_or("takes a whole number as its second value")?;
    let units: Vec<u16> = text.encode_utf16().collect();
    if units.len() <= limit {
        return made(text);
    }
    let used = counted.encode_utf16().count();
    // A suffix longer than the limit counts from the end of the text: JavaScript's slice with a negative number.
    let end = limit.checked_sub(used).unwrap_or_else(|| units.len().saturating_sub(used - limit));
    made(format!("{}{counted}{mark}", String::from_utf16_lossy(units.get(..end).unwrap_or(&units))))
}

pub(super) fn append(arguments: &Arguments<'_>) -> Outcome {
    joined(arguments, |text, suffix| format!("{text}{suffix}"))
}

pub(super) fn prepend(arguments: &Arguments<'_>) -> Outcome {
    joined(arguments, |text, prefix| format!("{prefix}{text}"))
}

/// Texts only: anything else leaves the first value as it is.
fn joined(arguments: &Arguments<'_>, join: impl Fn(&str, &str) -> String) -> Outcome {
    match (arguments.text(0), arguments.text(1)) {
        (Some(a), Some(b)) if a.len() + b.len() > LONGEST => Err("makes a text of more than 1 MiB".to_owned()),
        (Some(a), Some(b)) => made(join(a, b)),
        _ => Ok(arguments.get(0).cloned()),
    }
}

/// `split text separator`
pub(super) fn split(arguments: &Arguments<'_>) -> Outcome {
    let Some(text) = arguments.text(0).filter(|text| !text.is_empty()) else { return made("") };
    let separator = arguments.text(1).filter(|separator| !separator.is_empty()).unwrap_or(",");
    Ok(Some(text.split(separator).collect()))
}

/// `encodeURI text`: as `encodeURIComponent`.
pub(super) fn encode_uri(arguments: &Arguments<'_>) -> Outcome {
    let mut out = String::new();
    for byte in arguments.text(0).unwrap_or_default().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    made(out)
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use serde_json::{Value, json};

    #[test]
    fn texts_are_changed_as_in_javascript() {
        for (name, values, result) in [
            ("uppercase", vec![json!("straße")], "STRASSE"),
            ("lowercase", vec![json!(5)], ""),
            ("capitalize", vec![json!("élan")], "Élan"),
            ("trim", vec![json!("\u{feff} a\u{85} ")], "a\u{85}"),
            ("replace", vec![json!("a.b.c"), json!("."), json!("-")], "a-b-c"),
            ("replace", vec![json!("a.b"), json!("."), json!(null)], "ab"),
            ("replace", vec![json!("a.b"), json!("")], "a.b"),
            ("truncate", vec![json!("abcdef"), json!(4), json!("…")], "abc…"),
            ("truncate", vec![json!("abc"), json!(3)], "abc"),
            ("truncate", vec![json!("a😀b"), json!(2)], "a\u{fffd}"),
            ("truncate", vec![json!("abcdef"), json!(1), json!("..")], "abcde.."),
            ("ellipsis", vec![json!("abcdef"), json!(4)], "abcd…"),
            ("append", vec![json!("a"), json!("b")], "ab"),
            ("prepend", vec![json!("a"), json!("b")], "ba"),
            ("encodeURI", vec![json!("a b/é")], "a%20b%2F%C3%A9"),
        ] {
            assert_eq!(run(name, &values), Ok(Some(json!(result))), "{name} {values:?}");
        }
        assert_eq!(run("append", &[json!(1), json!("b")]), Ok(Some(json!(1))));
        assert_eq!(run("split", &[json!("a,b")]), Ok(Some(json!(["a", "b"]))));
    }

    #[test]
    fn a_text_cannot_be_blown_up() {
        let (many, long) = (Value::from("a".repeat(10_000)), Value::from("b".repeat(10_000)));

        assert!(run("replace", &[many, json!("a"), long]).is_err());
    }
}

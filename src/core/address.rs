//! Web addresses in outside text. Only those that are safe to open are found: `https`, or `http` on this machine.

use std::fmt::Write as _;

use super::text::Shown;

const SCHEMES: [&str; 2] = ["https://", "http://"];
/// Longer ones are no addresses that anybody opens.
const LONGEST: usize = 1000;

/// The addresses in `text`, in order, without what only stands behind them.
pub fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("http").map(|(at, _)| at);
    starts.filter_map(|at| address(text.get(at..)?))
}

/// The first of them.
pub fn first_address(text: &str) -> Option<Shown> {
    addresses(text).next().map(Shown::line)
}

/// Whether all of `text` is one such address.
pub fn is_address(text: &str) -> bool {
    address(text) == Some(text)
}

fn address(text: &str) -> Option<&str> {
    let scheme = SCHEMES.iter().find(|scheme| text.starts_with(**scheme))?;
    let is_part =
        |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '`' | '\\' | '^' | '{' | '}' | '|' | '\'');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let found = text.get(..end)?.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', ']']);
    // A bracket belongs to it when it was opened in it.
    let found = if found.contains('(') { found } else { found.trim_end_matches(')') };
    let host = found.get(scheme.len()..)?.split(['/', '?', '#']).next()?;
    let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
    // A name before `@` would only make it look like another place.
    let named = bare.contains(|c: char| c.is_ascii_alphanumeric()) && !host.contains('@');
    let here = matches!(bare, "localhost" | "127.0.0.1" | "[::1]");
    (named && found.len() <= LONGEST && (*scheme == "https://" || here)).then_some(found)
}

/// `text` as a part of an address's path: what means something there is escaped.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// `text` as the names of wiki pages are made: `Payments API (EU)` is `payments-api-eu`.
pub fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        addresses(text).collect()
    }

    #[test]
    fn addresses_are_found_without_what_stands_around_them() {
        assert_eq!(
            found("see https://wiki.example/a_(b), or <https://x.example/?q=1#top>. Also (https://y.example)."),
            ["https://wiki.example/a_(b)", "https://x.example/?q=1#top", "https://y.example"]
        );
        assert_eq!(found("[runbook](https://wiki.example/disk)"), ["https://wiki.example/disk"]);
        assert_eq!(found("http://127.0.0.1:9/x http://localhost/y"), ["http://127.0.0.1:9/x", "http://localhost/y"]);
    }

    #[test]
    fn addresses_that_are_not_safe_to_open_are_none() {
        for bad in
            ["http://wiki.example/", "https://", "https:///x", "https://good.example@evil.example/", "javascript:x"]
        {
            assert_eq!(found(bad), [""; 0], "{bad}");
        }
        assert!(is_address("https://a.example/") && !is_address("https://a.example/ b"));
    }

    #[test]
    fn names_become_parts_of_addresses() {
        assert_eq!(escaped("Payments API/é"), "Payments%20API%2F%C3%A9");
        assert_eq!(slug("Payments API (EU)"), "payments-api-eu");
    }
}

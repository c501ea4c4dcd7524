//! A delivery as a curl command that sends the same bytes again. Nothing in the delivery can make a shell do anything:
//! what came stands between single quotes where it is made of characters that no shell and no terminal gives a meaning
//! there, and in base64 where it is not. Nor does anything depend on what not every shell knows: there is no comment, no
//! here-document, and no line that would be a command of its own.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{delivery::DeliverySummary, words};

/// Names the address to send to, with its secret part, which is not in the log.
pub const ADDRESS: &str = "DOGWATCH_URL";
/// What stands in the log for a value that is not kept.
pub const NOT_KEPT: &str = "•••";
/// In bytes: no terminal takes a line of more than 4096, and the rest of the command stands beside it.
const LONGEST_PLAIN: usize = 3900;
/// Bytes that a line of base64 holds: three make four characters.
const BASE64_BYTES: usize = 57;
/// Ends a line within a command.
const NEXT_LINE: &str = " \\\n  ";
/// Headers that are named as left out, and the longest name.
const NAMED: usize = 8;
const LONGEST_NAME: usize = 40;
const CURL: &str = r"curl -sS --globoff --max-time 10 -w 'answered %{http_code}\n' -X POST --data-binary @-";

/// Headers that belong to the way a delivery took, not to what it says.
const OF_THE_WAY: &[&str] = &[
    "accept",
    "accept-encoding",
    "cache-control",
    "connection",
    "content-length",
    "date",
    "expect",
    "forwarded",
    "host",
    "transfer-encoding",
    "via",
];
const FAMILIES_OF_THE_WAY: &[&str] = &["x-forwarded-", "x-real-ip"];

/// Whether a header is sent again with the delivery, if its value is kept.
pub fn is_repeated(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !OF_THE_WAY.contains(&name.as_str()) && !FAMILIES_OF_THE_WAY.iter().any(|family| name.starts_with(family))
}

/// The command for a whole `body`. `fresh` are headers of a new signature; they replace those of the same name. `door` is
/// the address that it may have come in at, if that is known.
pub fn command(
    door: Option<&str>,
    line: &DeliverySummary,
    headers: &[(String, String)],
    body: &[u8],
    fresh: &[(String, String)],
) -> String {
    let is_fresh = |name: &str| fresh.iter().any(|(new, _)| new.eq_ignore_ascii_case(name));
    let (kept, lost): (Vec<_>, Vec<_>) = headers
        .iter()
        .filter(|(name, _)| is_repeated(name) && !is_fresh(name))
        .partition(|(name, value)| is_name(name) && value != NOT_KEPT);
    let mut out = remark(&format!("Delivery {} of {}, {} bytes.", line.id, line.at, body.len()));
    out += &remark(&where_to(door, line));
    if !lost.is_empty() {
        out += &remark(&format!("Left out, because their values are not kept: {}.", named(&lost)));
    }
    if fresh.is_empty() {
        out +=
            &remark("Signatures are those it came with, if any; one that holds a time is refused when that is over.");
    }
    let _ = write!(out, "{} | {CURL}", printed(body));
    for (name, value) in kept.into_iter().chain(fresh) {
        let _ = write!(out, "{NEXT_LINE}-H {}", word(&header(name, value)));
    }
    let _ = writeln!(out, "{NEXT_LINE}\"${{{ADDRESS}:?is not set}}\"");
    out
}

fn where_to(door: Option<&str>, line: &DeliverySummary) -> String {
    if let Some(target) = &line.target {
        return format!("Set {ADDRESS} to the address of target {target}, which is not in the log.");
    }
    let door = door.unwrap_or("ADDRESS:PORT");
    let account = line.account.as_ref().map_or("ACCOUNT", |name| name.as_str());
    format!("Set {ADDRESS} to http://{door}/hooks/{account}/URL-KEY, or to where it shall go.")
}

/// A line that does nothing: a comment, where not every shell knows comments.
fn remark(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_plain(c) { c } else { '?' }).collect();
    format!(": '{text}'\n")
}

/// A name is the sender's own words: it is shown where it is nothing but a name.
fn named(lost: &[&(String, String)]) -> String {
    let is_harmless = |name: &&str| {
        name.len() <= LONGEST_NAME && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let mut names: Vec<_> = lost.iter().map(|(name, _)| name.as_str()).filter(is_harmless).collect();
    names.truncate(NAMED);
    let others = lost.len() - names.len();
    let shown = names.join(", ");
    match (names.is_empty(), others) {
        (false, 0) => shown,
        (false, _) => format!("{shown} and {}", words::count(others, "other", "others")),
        (true, _) => words::count(others, "header", "headers"),
    }
}

/// Whether HTTP takes it for a header's name; curl takes other ones for something else.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// As curl wants it: without a value it would leave it out.
fn header(name: &str, value: &str) -> String {
    let value: String = value.chars().filter(|c| *c == '\t' || !c.is_control()).collect();
    if value.trim().is_empty() { format!("{name};") } else { format!("{name}: {value}") }
}

/// What no shell gives a meaning to between single quotes, nor a terminal that is typed at: a quote ends them, a
/// backslash escapes there in fish, a `!` is history in csh, and to a line editor that reads another character set, what
/// is not ASCII are keys.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '\'' | '\\' | '!')
}

fn plain(bytes: &[u8]) -> Option<&str> {
    let is_plain = bytes.len() <= LONGEST_PLAIN && bytes.iter().all(|byte| is_plain(char::from(*byte)));
    std::str::from_utf8(bytes).ok().filter(|_| is_plain)
}

/// A command that prints these bytes and nothing else.
fn printed(bytes: &[u8]) -> String {
    if let Some(text) = plain(bytes) {
        return format!("printf %s '{text}'");
    }
    let mut out = "printf %s".to_owned();
    for part in bytes.chunks(BASE64_BYTES) {
        let _ = write!(out, "{NEXT_LINE}'{}'", BASE64_STANDARD.encode(part));
    }
    out + NEXT_LINE + "| base64 -d"
}

/// One word for the shell, whatever is in `text`.
fn word(text: &str) -> String {
    plain(text.as_bytes()).map_or_else(|| format!("\"$({})\"", printed(text.as_bytes())), |text| format!("'{text}'"))
}

#[cfg(test)]
mod tests;

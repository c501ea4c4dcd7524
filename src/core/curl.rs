//! A delivery as a curl command that sends the same bytes again. Nothing in the delivery can make the shell do
//! anything: values stand in single quotes, the body in a here-document, or in base64 where a terminal or a shell
//! could trip over it.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{delivery::DeliverySummary, text::ShownBody};

/// Names the address to send to, with its secret part, which is not in the log.
pub const ADDRESS: &str = "DOGWATCH_URL";
/// What stands in the log for a value that is not kept.
pub const NOT_KEPT: &str = "•••";
/// Longer lines cannot be pasted into every terminal.
const LONGEST_LINE: usize = 4000;
/// Characters of a line of base64.
const BASE64_LINE: usize = 76;

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
    let (lost, kept): (Vec<_>, Vec<_>) = headers
        .iter()
        .filter(|(name, _)| is_repeated(name) && !is_fresh(name))
        .partition(|(_, value)| value == NOT_KEPT);
    let mut out = format!("# Delivery {} of {}, {} bytes.\n", line.id, line.at, body.len());
    let door = door.unwrap_or("ADDRESS:PORT");
    let account = line.account.as_ref().map_or("ACCOUNT", |name| name.as_str());
    let _ = match &line.target {
        Some(target) => writeln!(out, "# Set {ADDRESS} to the address of target {target}, which is not in the log."),
        None => {
            writeln!(out, "# Set {ADDRESS} to http://{door}/hooks/{account}/URL-KEY, or to where it shall go.")
        }
    };
    if !lost.is_empty() {
        let names: Vec<_> = lost.iter().map(|(name, _)| printable(name)).collect();
        let _ = writeln!(out, "# Left out, because their values are not kept: {}", names.join(", "));
    }
    if fresh.is_empty() {
        out += "# Signatures are those it came with, if any; one that holds a time is refused when that is over.\n";
    }
    let end = end_for(body);
    let (feed, document) = match plain(body) {
        Some(text) => (format!("head -c {}", body.len()), format!("{text}\n")),
        None => ("base64 -d".to_owned(), in_lines(&BASE64_STANDARD.encode(body))),
    };
    let _ = write!(
        out,
        "{feed} <<'{end}' | curl -sS --globoff --max-time 10 -w 'answered %{{http_code}}\\n' -X POST --data-binary @-"
    );
    for (name, value) in kept.into_iter().chain(fresh) {
        let _ = write!(out, " \\\n  -H {}", quoted(&format!("{name}: {value}")));
    }
    let _ = write!(out, " \\\n  \"${{{ADDRESS}:?is not set}}\"\n{document}{end}\n");
    out
}

/// The body, if it can go through a terminal and a here-document as it is.
fn plain(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let harmless = ShownBody::new(text).as_str() == text;
    (harmless && text.lines().all(|line| line.len() <= LONGEST_LINE)).then_some(text)
}

/// A line that ends the document and is not in it.
fn end_for(body: &[u8]) -> String {
    let mut end = "DELIVERY".to_owned();
    while body.split(|byte| *byte == b'\n').any(|line| line == end.as_bytes()) {
        end.push('_');
    }
    end
}

fn in_lines(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at > 0 && at % BASE64_LINE == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push('\n');
    out
}

/// One word for the shell, whatever is in `text`.
fn quoted(text: &str) -> String {
    format!("'{}'", printable(text).replace('\'', r"'\''"))
}

/// Without what could act on a terminal or end a line.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use proptest::prelude::*;

    use super::*;
    use crate::app::fixtures::delivery;
    use crate::core::delivery::Verdict;

    const DOOR: Option<&str> = Some("127.0.0.1:9999");

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn line() -> DeliverySummary {
        delivery(6, 5, Verdict::Accepted, "incident.triggered")
    }

    /// What a shell gives to curl: its arguments, and what it is fed.
    fn run(script: &str) -> (Vec<String>, Vec<u8>) {
        let dir = tempfile::tempdir().expect("tempdir");
        let told = "curl() { for a in \"$@\"; do printf '%s\\0' \"$a\"; done >args; cat >fed; }";
        let mut shell = Command::new("/bin/sh");
        shell.current_dir(dir.path()).env_clear().env("PATH", "/usr/bin:/bin").env(ADDRESS, "http://127.0.0.1:1/x y");
        let ended = shell.arg("-c").arg(format!("{told}\n{script}")).output().expect("sh");
        assert!(ended.status.success() && ended.stderr.is_empty() && ended.stdout.is_empty(), "{ended:?}");
        let arguments = fs::read_to_string(dir.path().join("args")).expect("arguments");
        let arguments = arguments.split_terminator('\0').map(str::to_owned).collect();
        (arguments, fs::read(dir.path().join("fed")).expect("fed"))
    }

    #[test]
    fn the_shell_sends_the_same_bytes_whatever_they_are() {
        let bodies: [&[u8]; 8] = [
            b"{\"title\":\"it's $HOME `id` \\\\ !!\"}",
            b"DELIVERY\nDELIVERY_\n$(touch x)\n",
            b"",
            b"\n",
            b"no end\r\nof line\tand a tab",
            b"\xff\x00\x1b[2J",
            "é 日本 \u{202e}".as_bytes(),
            &[b'x'; 9000],
        ];
        for body in bodies {
            let (arguments, fed) = run(&command(DOOR, &line(), &headers(&[("content-type", "a/b")]), body, &[]));
            assert_eq!(fed, body);
            assert_eq!(arguments.last().map(String::as_str), Some("http://127.0.0.1:1/x y"));
        }
    }

    #[test]
    fn headers_are_words_of_their_own_and_only_those_that_can_be_told() {
        let came = headers(&[
            ("content-type", "it's; $(id)"),
            ("Host", "example.com"),
            ("x-forwarded-for", "1.2.3.4"),
            ("authorization", NOT_KEPT),
            ("x-pagerduty-signature", "v1=old"),
        ]);
        let script = command(DOOR, &line(), &came, b"{}", &headers(&[("X-PagerDuty-Signature", "v1=new")]));

        let (arguments, _) = run(&script);

        let sent: Vec<&String> = arguments.iter().filter(|a| a.contains(": ")).collect();
        assert_eq!(sent, ["content-type: it's; $(id)", "X-PagerDuty-Signature: v1=new"]);
        assert!(script.contains("not kept: authorization\n"), "{script}");
    }

    #[test]
    fn nothing_in_it_acts_on_a_terminal() {
        let hostile = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r\n";
        let script =
            command(DOOR, &line(), &headers(&[(hostile, hostile), ("a\nb", NOT_KEPT)]), hostile.as_bytes(), &[]);
        assert!(script.chars().all(|c| c == '\n' || !c.is_control()), "{script:?}");
        assert!(script.lines().filter(|l| l.starts_with('#')).all(|l| !l.contains('\u{1b}')));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_body_arrives_as_it_was(body in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(run(&command(DOOR, &line(), &[], &body, &[])).1, body);
        }

        #[test]
        fn any_text_arrives_as_it_was(body in "[ -~\n]{0,300}") {
            prop_assert_eq!(run(&command(DOOR, &line(), &[], body.as_bytes(), &[])).1, body.as_bytes());
        }
    }
}

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use proptest::prelude::*;

use super::*;
use crate::app::fixtures::delivery;
use crate::core::delivery::Verdict;

const DOOR: Option<&str> = Some("127.0.0.1:9999");
const URL: &str = "http://127.0.0.1:1/x y";
/// A file that hostile text would make, were it run.
const TOUCHED: &str = "touched";

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn line() -> DeliverySummary {
    delivery(6, 5, Verdict::Accepted, "incident.triggered")
}

/// What curl was given: its arguments, and what it was fed.
fn given(dir: &Path) -> (Vec<String>, Vec<u8>) {
    assert!(!dir.join(TOUCHED).exists(), "something else was run");
    let arguments = fs::read_to_string(dir.join("args")).expect("arguments");
    let arguments = arguments.split_terminator('\0').map(str::to_owned).collect();
    (arguments, fs::read(dir.join("fed")).expect("fed"))
}

const TOLD: &str = "curl() { for a in \"$@\"; do printf '%s\\0' \"$a\"; done >args; cat >fed; }";

fn shell(program: &str, dir: &Path) -> Command {
    let mut shell = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    shell.current_dir(dir).env_clear().env("PATH", path).env("HOME", dir).env(ADDRESS, URL);
    shell
}

/// What `sh` makes of a file.
fn run(script: &str) -> (Vec<String>, Vec<u8>) {
    let dir = tempfile::tempdir().expect("tempdir");
    let ended = shell("sh", dir.path()).arg("-c").arg(format!("{TOLD}\n{script}")).output().expect("sh");
    assert!(ended.status.success() && ended.stderr.is_empty() && ended.stdout.is_empty(), "{ended:?}");
    given(dir.path())
}

/// What a shell makes of lines that are typed at it; `None` where it is not installed.
fn typed(program: &str, options: &[&str], script: &str) -> Option<(Vec<String>, Vec<u8>)> {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut shell = shell(program, dir.path());
    shell.args(options).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut shell = shell.spawn().ok()?;
    let mut input = shell.stdin.take().expect("piped");
    // Something for a `!` to find.
    input.write_all(format!("touch {TOUCHED}\nrm {TOUCHED}\n{TOLD}\n{script}\nexit\n").as_bytes()).expect("typed");
    drop(input);
    shell.wait().expect("ended");
    Some(given(dir.path()))
}

/// The commands that a shell without comments finds, with `Q` for a word between single quotes, and `curl` for the part
/// that is always the same.
fn commands(script: &str) -> Vec<String> {
    let script = script.replacen(CURL, "curl", 1);
    let mut out = String::new();
    for (at, part) in script.split('\'').enumerate() {
        if at % 2 == 0 {
            out.push_str(part);
        } else {
            assert!(part.chars().all(is_plain), "{part:?}");
            out.push('Q');
        }
    }
    assert!(script.split('\'').count() % 2 == 1, "a quote is open at the end");
    let out = out.replace(NEXT_LINE, " ");
    out.lines().map(str::to_owned).collect()
}

/// One word, however many lines of base64 it was written in.
fn in_short(command: &str) -> String {
    let mut out = command.to_owned();
    while out.contains("Q Q") {
        out = out.replace("Q Q", "Q");
    }
    out.replace("printf %s Q | base64 -d", "printf %s Q").replace("\"$(printf %s Q)\"", "Q").replace(" -H Q", "")
}

fn is_the_one_command(script: &str) {
    let mut commands = commands(script);
    let last = commands.pop().expect("a command");
    assert!(commands.iter().all(|remark| remark == ": Q"), "{commands:?}");
    assert_eq!(in_short(&last), format!("printf %s Q | curl \"${{{ADDRESS}:?is not set}}\""));
}

/// What would be run where a quote is lost, or a comment is none.
const HOSTILE: &[&str] = &[
    "';",
    "'; touch touched; '",
    "\\'; touch touched; '",
    "`touch touched`",
    "$(touch touched)",
    "| touch touched",
    "\ntouch touched\n",
    "\r\ntouch touched\r\n",
    "!touch",
    "!!",
    "^rm^touch",
    "$'\\'; touch touched; '",
    "\"; touch touched; \"",
    "\u{1b}[201~touch touched\n\u{1b}[200~",
    "# ",
    "\\",
    "\u{85}\u{9b}201~\u{202e}é",
    "\t\0\u{7f}",
    "DELIVERY\ntouch touched\n",
    "@/etc/passwd",
    "",
];

#[test]
fn no_hostile_text_runs_anything_in_any_shell() {
    let all = HOSTILE.concat();
    let came: Vec<_> =
        HOSTILE.iter().chain([&all.as_str()]).map(|text| (format!("x{text}"), (*text).to_owned())).collect();
    let mut lost: Vec<_> = came.iter().map(|(name, _)| (name.clone(), NOT_KEPT.to_owned())).collect();
    lost.push(("x'".to_owned(), NOT_KEPT.to_owned()));
    let came: Vec<_> = came.into_iter().chain(lost).collect();
    for body in HOSTILE.iter().chain([&all.as_str()]) {
        let script = command(DOOR, &line(), &came, body.as_bytes(), &[]);
        is_the_one_command(&script);
        assert!(!script.contains('!') && script.lines().all(|line| !line.starts_with('#')), "{script}");
        let wanted = run(&script);
        assert_eq!(wanted.1, body.as_bytes());
        for (program, options) in
            [("bash", ["--norc", "-i"]), ("zsh", ["-f", "-i"]), ("ksh", ["-E", "-i"]), ("dash", ["-I", "-i"])]
        {
            let got = typed(program, &options, &script);
            assert!(got.is_none_or(|got| got == wanted), "{program}: {script}");
        }
    }
}

#[test]
fn the_shell_sends_the_same_bytes_whatever_they_are() {
    let bodies: [&[u8]; 9] = [
        b"{\"title\":\"it's $HOME `id` \\\\ !!\"}",
        b"{\"title\":\"Disk 97 % full on $db-3\"}",
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
        assert_eq!(arguments.last().map(String::as_str), Some(URL));
    }
}

#[test]
fn headers_are_words_of_their_own_and_only_those_that_can_be_told() {
    let came = headers(&[
        ("content-type", "it's; $(id)"),
        ("x-empty", ""),
        ("Host", "example.com"),
        ("x-forwarded-for", "1.2.3.4"),
        ("authorization", NOT_KEPT),
        ("x'", NOT_KEPT),
        ("@/etc/passwd", "x"),
        ("x-pagerduty-signature", "v1=old"),
    ]);
    let script = command(DOOR, &line(), &came, b"{}", &headers(&[("X-PagerDuty-Signature", "v1=new")]));

    let (arguments, _) = run(&script);

    let sent: Vec<&String> = arguments.windows(2).filter(|pair| pair[0] == "-H").map(|pair| &pair[1]).collect();
    assert_eq!(sent, ["content-type: it's; $(id)", "x-empty;", "X-PagerDuty-Signature: v1=new"]);
    assert!(script.contains("not kept: authorization and 2 others."), "{script}");
}

#[test]
fn nothing_in_it_acts_on_a_terminal() {
    let hostile = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r\n";
    let came = headers(&[(hostile, hostile), ("x", hostile), ("a\nb", NOT_KEPT)]);
    let script = command(DOOR, &line(), &came, hostile.as_bytes(), &[]);
    assert!(script.chars().all(|c| matches!(c, '\n' | ' '..='~')), "{script:?}");
    assert!(script.lines().all(|line| line.len() < 4096));
}

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(HOSTILE).prop_map(str::to_owned),
        "[ -~\n]{0,12}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
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

proptest! {
    #[test]
    fn it_is_the_one_command_whatever_came(
        came in prop::collection::vec((hostile(), prop_oneof![hostile(), Just(NOT_KEPT.to_owned())]), 0..6),
        fresh in prop::collection::vec((hostile(), hostile()), 0..2),
        body in prop_oneof![hostile().prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..300)],
        door in prop::option::of(hostile()),
    ) {
        is_the_one_command(&command(door.as_deref(), &line(), &came, &body, &fresh));
    }
}

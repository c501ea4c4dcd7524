//! What a file with targets promises.

use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::config::{self, SAMPLE};

const CHAT: &str = "[[target]]\nname = \"chat\"\nurl = { env = \"CHAT_URL\" }\n";

fn read(text: &str) -> Vec<TargetSettings> {
    config::parse(text, Path::new("/etc/dogwatch/config.toml")).expect("valid").targets
}

fn complaints(text: &str) -> Vec<String> {
    match config::parse(text, Path::new("/etc/dogwatch/config.toml")) {
        Ok(_) => vec![],
        Err(ConfigError::Invalid { findings, .. }) => {
            findings.iter().map(|f| format!("{}:{}: {}", f.line, f.column, f.message)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

fn whole() -> TargetSettings {
    let lines = "user = \"dog\"\npassword = \"pass \\\"word\\\\\"\nheaders = { \"X-A\" = \"b\", \"X-C\" = { file = \"token\" } }
events = [\"incident.created\", \"incident.annotated\"]\nenabled = false\nlinked = true\ntemplate = \"slack\"
filter = \"service:\\\"Payments API\\\" urgency:high\"\nretries = 3\nsecret = { command = [\"pass\", \"show\", \"x\"] }
allow_link_local = true\n";
    read(&format!("{CHAT}{lines}")).remove(0)
}

#[test]
fn a_target_is_read_with_all_its_keys_and_nothing_is_sent_by_default() {
    let target = whole();
    assert_eq!(target.url.name(), "env CHAT_URL");
    let basic = target.basic.as_ref().expect("basic");
    assert_eq!((basic.user.as_str(), basic.password.as_ref().map(SecretRef::name)), ("dog", Some("inline".to_owned())));
    let headers: Vec<_> = target.headers.iter().map(|(name, value)| (name.as_str(), value.name())).collect();
    assert_eq!(headers, [("X-A", "inline".to_owned()), ("X-C", "file /etc/dogwatch/token".to_owned())]);
    assert_eq!(
        target.events.iter().map(EventType::as_str).collect::<Vec<_>>(),
        ["incident.created", "incident.annotated"]
    );
    assert_eq!((target.enabled, target.linked, target.retries, target.allow_link_local), (false, true, 3, true));
    assert_eq!(target.filter.as_deref(), Some("service:\"Payments API\" urgency:high"));

    let plain = read(CHAT).remove(0);
    assert_eq!((plain.enabled, plain.linked, plain.retries, plain.allow_link_local), (true, false, 0, false));
    assert!(plain.events.is_empty() && plain.basic.is_none() && plain.headers.is_empty() && plain.secret.is_none());
}

#[test]
fn what_is_wrong_with_a_target_is_told_with_its_place() {
    let with = |line: &str| complaints(&format!("{CHAT}{line}\n"));
    assert_eq!(complaints("[[target]]\n"), ["1:1: [[target]] needs `name`", "1:1: [[target]] needs `url`"]);
    assert_eq!(
        with("filter = \"service:x urgency:loud\""),
        ["4:10: `filter`: column 19: urgency: `loud` is not known; there are high, low"]
    );
    assert_eq!(
        with("filter = \"is:mine\""),
        ["4:10: `filter`: column 1: nobody looks when an event is sent, so there is no `mine`, `me` and `marked`"]
    );
    assert_eq!(
        with("events = [\"incident.created\", \"*\", 5, \"incident.created\"]"),
        [
            "4:31: name each event, as in \"incident.created\": there is no way to say all of them",
            "4:36: an event's name is a text in quotes, this is a number",
            "4:39: `incident.created` a second time",
        ]
    );
    assert_eq!(with("retries = 11"), ["4:11: `retries` must be from 0 to 10"]);
    assert_eq!(with("password = \"x\""), ["4:12: `password` needs `user` beside it"]);
    assert_eq!(with("user = \"a:b\""), ["4:8: `user` must not be empty and must not hold `:`"]);
    assert_eq!(
        with("headers = { \"Content-Type\" = \"x\", \"A B\" = \"y\", \"X\" = \"1\", \"x\" = \"2\" }"),
        [
            "4:13: the header content-type is dogwatch's own and cannot be set",
            "4:35: a header's name is letters, digits and `-`",
            "4:59: a second header x",
        ]
    );
    assert_eq!(
        with("user = \"a\"\nheaders = { Authorization = \"x\" }"),
        ["5:13: either `user` or a header Authorization, not both"]
    );
    assert_eq!(with("template = \"../x\"").len(), 1);
    assert_eq!(with("secret = \"hunter2\""), ["4:10: `secret` must be `whsec_` and 24 to 64 bytes in base64"]);
    assert_eq!(with("event = []"), ["4:1: unknown key `event` in [[target]]; did you mean `events`?"]);
    let twice = complaints(&format!("{CHAT}{CHAT}"));
    assert_eq!(twice, ["5:8: a second target named `chat`"]);
    let url = |url: &str| complaints(&format!("[[target]]\nname = \"chat\"\nurl = \"{url}\"\n"));
    assert_eq!(url("hunter2"), ["3:7: `url` must begin with https:// or http://"]);
    assert_eq!(url("https://a:hunter2@example.com/").len(), 1);
}

#[test]
fn no_complaint_about_a_target_repeats_what_may_be_a_secret() {
    for line in [
        "url = \"hunter2\"",
        "url = \"https://alice:hunter2@example.com\"",
        "url = \"https://example.com/hunter2 \"",
        "url = { envv = \"hunter2\" }",
        "url = \"https://example.com/\"\nuser = \"a\"\npassword = [\"hunter2\"]",
        "url = \"https://example.com/\"\nheaders = { X = \"hunter2\\t\" }",
        "url = \"https://example.com/\"\nheaders = \"hunter2\"",
        "url = \"https://example.com/\"\nsecret = \"hunter2\"",
    ] {
        let said = complaints(&format!("[[target]]\nname = \"chat\"\n{line}\n"));
        assert!(!said.is_empty() && !said.join("\n").contains("hunter2"), "{line}: {said:?}");
    }
    assert!(!format!("{:?}", whole()).contains("pass \\\"word"));
}

#[test]
fn a_file_that_others_can_open_may_name_a_host_but_not_hold_an_address_that_is_a_secret() {
    let secrets = |url: &str| {
        let target = read(&format!("[[target]]\nname = \"chat\"\nurl = \"{url}\"\n")).remove(0);
        target.secrets().len()
    };
    assert_eq!((secrets("https://example.com"), secrets("https://example.com/T0/B1/x")), (0, 1));
    let names: Vec<_> = whole().secrets().into_iter().map(|(place, _)| place).collect();
    assert_eq!(
        names,
        [
            "url of target chat",
            "password of target chat",
            "header X-A of target chat",
            "header X-C of target chat",
            "secret of target chat",
        ]
    );
}

#[test]
fn what_is_probably_not_meant_is_advised_against() {
    let advice = |text: &str| {
        let settings = config::parse(text, Path::new("/etc/dogwatch.toml")).expect("valid");
        config::advice(&settings).into_iter().filter(|one| one.contains("target")).collect::<Vec<_>>()
    };
    assert_eq!(advice(CHAT), ["target chat: it has no events: nothing is sent to it"]);
    let chat = "[[target]]\nname = \"chat\"\nurl = \"http://chat.internal/x\"\nlinked = true\ntemplate = \"slack\"\n";
    assert_eq!(
        advice(&format!("{chat}events = [\"incident.triggered\", \"incident.resolvd\"]\n")),
        [
            "target chat: `incident.triggered` is told as `incident.created`",
            "target chat: `incident.resolvd` is no event that is known here, perhaps `incident.resolved`",
            "target chat: it is sent to over plain http: whoever is on the way can read and change it",
            "target chat: `linked` means nothing with a template",
        ]
    );
    assert!(advice(&format!("{CHAT}events = [\"incident.created\"]\n")).is_empty());
    assert!(SAMPLE.contains("#[[target]]"));
}

#[test]
fn what_is_written_is_read_again_the_same_and_for_its_owner_alone() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("targets.toml");
    assert!(load(&path).expect("no file").is_empty());
    let (one, mut other) = (whole(), read(CHAT).remove(0));
    other.name = "jira".parse().expect("name");
    other.basic = Some(BasicSettings { user: "x".into(), password: None });
    other.url = typed("https://example.com/\u{e9}", &path).expect("text");
    assert!(save(&[other.clone()], &path).is_err(), "what could not be read again is not written");
    other.url = typed("https://example.com/x", &path).expect("text");

    save(&[one.clone(), other.clone()], &path).expect("saved");

    assert_eq!(load(&path).expect("read"), [one, other]);
    assert_eq!(fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).expect("dir").count(), 1, "nothing half-done stays");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("mode");
    assert!(matches!(load(&path), Err(ConfigError::Exposed { .. })));
    fs::remove_file(&path).expect("removed");
    symlink("/etc/passwd", &path).expect("link");
    assert!(matches!(load(&path), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn a_file_of_targets_holds_nothing_else() {
    let said = parse(&format!("{CHAT}[receiver]\nlisten = \"127.0.0.1:1\"\n"), Path::new("t")).expect_err("refused");

    assert!(said.to_string().contains("t:4:2: nothing but [[target]] belongs into this file"), "{said}");
}

#[test]
fn a_secret_is_typed_as_itself_or_as_the_file_has_it() {
    let name = |text: &str| typed(text, Path::new("/state/targets.toml")).map(|secret| secret.name());
    assert_eq!(name("hunter2").as_deref(), Ok("inline"));
    assert_eq!(name("{ env = \"CHAT\" }").as_deref(), Ok("env CHAT"));
    assert_eq!(name("{file=\"x\"}").as_deref(), Ok("file /state/x"));
    for bad in ["", "{", "{ env = hunter2 }", "{ env = \"A\" }\nx = \"hunter2\"", "{ hunter2 = \"x\" }", "{}"] {
        let said = name(bad).expect_err(bad);
        assert!(!said.contains("hunter2") || bad.contains("{ hunter2"), "{bad}: {said}");
    }
}

//! The commands as scripts see them: the real binary, against a simulated PagerDuty over real HTTP.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use serde_json::Value;
use support::{
    commands::{Setup, code, setup},
    simulated::TOKEN,
};

mod support;

const BIN: &str = env!("CARGO_BIN_EXE_dogwatch");

/// The open incidents as id and status.
fn open_incidents(setup: &Setup) -> Vec<(String, String)> {
    let output = setup.run(&["incident", "list", "--format", "tsv"]);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    rows(&output)
}

fn rows(output: &Output) -> Vec<(String, String)> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|l| l.split_once('\t').expect("id and status")).map(|(a, b)| (a.into(), b.into())).collect()
}

fn triggered(rows: &[(String, String)]) -> &str {
    &rows.iter().find(|(_, status)| status == "triggered").expect("one triggered").0
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_acknowledged_handed_off_noted_and_resolved() {
    let setup = setup(4).await;
    let open = open_incidents(&setup);
    assert_eq!(open.len(), 4);
    let id = triggered(&open);

    let acked = setup.json(&["incident", "ack", id, "--json"]);
    assert_eq!(acked["outcomes"][0][1]["outcome"], "confirmed", "{acked}");
    let oncall = setup.json(&["oncall", "--json"]);
    let person = oncall["on_calls"][0]["on_call"]["user"]["id"].as_str().expect("a person").to_owned();
    let handed = setup.run(&["incident", "handoff", id, "--to", &person, "--note", "yours now"]);
    assert_eq!(code(&handed), 0, "{handed:?}");
    let noted = setup.run(&["incident", "note", id, "-m", "looking at the disk"]);
    assert_eq!(code(&noted), 0, "{noted:?}");
    let shown = setup.json(&["incident", "show", id, "--json"]);
    let texts: Vec<&str> =
        shown["detail"]["notes"].as_array().expect("notes").iter().filter_map(|n| n["content"].as_str()).collect();
    assert!(texts.contains(&"yours now") && texts.contains(&"looking at the disk"), "{texts:?}");
    assert_eq!(shown["incident"]["assignees"][0]["id"], person.as_str());
    assert!(shown["detail"]["alerts"][0]["details"].is_object() || shown["detail"]["alerts"][0]["details"].is_string());
    assert!(shown["context"]["changes"]["told"][0]["summary"].is_string(), "{}", shown["context"]);
    assert!(setup.json(&["incident", "show", id, "--brief", "--json"])["context"].is_null());
    let resolved = setup.run(&["incident", "resolve", id]);
    assert_eq!(code(&resolved), 0, "{resolved:?}");

    assert!(!open_incidents(&setup).iter().any(|(known, _)| known == id));
    let all = rows(&setup.run(&["incident", "list", "--all", "--format", "tsv"]));
    assert!(all.contains(&(id.to_owned(), "resolved".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn some_of_several_failing_is_said_and_ends_with_3() {
    let setup = setup(3).await;
    let open = open_incidents(&setup);
    let id = triggered(&open);
    assert_eq!(code(&setup.run(&["incident", "resolve", id])), 0);

    let other = &open.iter().find(|(known, _)| known != id).expect("another").0;
    let output = setup.run(&["incident", "ack", id, other]);

    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 3, "{text}");
    assert!(text.contains("conflict, nothing was sent: it was resolved"), "{text}");
    assert!(!open_incidents(&setup).iter().any(|(known, _)| known == id), "it is not reopened");
    assert_eq!(code(&setup.run(&["incident", "ack", id, "--even-if-changed"])), 0);
    assert!(open_incidents(&setup).iter().any(|(known, _)| known == id), "asked for, it is");
    assert_eq!(code(&setup.run(&["incident", "ack", "NOSUCH"])), 1);
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_lists_what_it_finds_and_says_what_it_leaves_out() {
    let setup = setup(6).await;
    let list = |args: &[&str]| setup.run(&[&["incident", "list", "--format", "tsv"], args].concat());
    let all = open_incidents(&setup);
    let (id, _) = &all[0];
    assert_eq!(code(&setup.run(&["incident", "resolve", id])), 0);

    let open = rows(&list(&[]));
    assert_eq!(open.len(), 5);
    assert_eq!(rows(&list(&["is:open"])), open);
    let (high, low) = (rows(&list(&["urgency:high"])), rows(&list(&["!urgency:high"])));
    assert_eq!(high.len() + low.len(), open.len());
    assert_eq!(rows(&list(&["status:resolved"])), [(id.clone(), "resolved".to_owned())]);
    let noted = setup.run(&["incident", "list", "has:note"]);
    assert_eq!(
        (code(&noted), noted.stdout.as_slice()),
        (4, b"".as_slice()),
        "it is not known, so \"none\" is not said"
    );
    let hidden = setup.run(&["incident", "list", "is:open or since:9999d"]);
    assert!(String::from_utf8_lossy(&hidden.stderr).contains("1 resolved one matches too: --all lists them"));

    for (query, said) in
        [("sttus:open", "column 1: no field `sttus`, perhaps `status:`"), ("is:marked", "marks are a console's")]
    {
        let wrong = list(&[query]);
        assert!(String::from_utf8_lossy(&wrong.stderr).contains(said), "{wrong:?}");
        assert_eq!((code(&wrong), wrong.stdout.as_slice()), (2, b"".as_slice()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_view_is_listed_by_its_name() {
    let setup = setup(4).await;
    let config = setup.dir.path().join("config.toml");
    let more = "[[view]]\nname = \"loud\"\nquery = \"urgency:high\"\n";
    let text = fs::read_to_string(&config).expect("config") + more;
    fs::write(&config, text).expect("config");

    let viewed = setup.run(&["incident", "list", "--view", "loud", "--format", "tsv"]);
    assert_eq!(rows(&viewed), rows(&setup.run(&["incident", "list", "urgency:high", "--format", "tsv"])));

    let none = setup.run(&["incident", "list", "--view", "quiet"]);
    assert_eq!(code(&none), 2);
    assert!(String::from_utf8_lossy(&none.stderr).contains("no [[view]] is named `quiet`; there are loud"));
}

#[tokio::test(flavor = "multi_thread")]
async fn acting_on_all_that_match_shows_them_first_and_touches_just_these() {
    let setup = setup(6).await;
    let matching = |id: &str| setup.run(&["incident", "list", "--format", "tsv", id]);
    let before = open_incidents(&setup);
    let wanted = rows(&matching("is:triggered urgency:high"));
    assert!(!wanted.is_empty() && wanted.len() < before.len(), "{wanted:?} of {before:?}");

    let shown = setup.run(&["incident", "ack", "--matching", "is:triggered urgency:high"]);
    assert_eq!(code(&shown), 2);
    assert!(wanted.iter().all(|(id, _)| stdout(&shown).contains(id.as_str())), "{shown:?}");
    assert_eq!(stdout(&shown).lines().count(), wanted.len() + 1, "headings, and a line for each");
    assert_eq!(open_incidents(&setup), before, "nothing was done");

    let done = setup.run(&["incident", "ack", "--matching", "is:triggered urgency:high", "--yes"]);
    assert_eq!(code(&done), 0, "{done:?}");
    assert_eq!(stdout(&done).lines().count(), wanted.len());
    for (id, status) in open_incidents(&setup) {
        let expected = if wanted.iter().any(|(known, _)| *known == id) {
            "acknowledged"
        } else {
            before.iter().find(|(known, _)| *known == id).expect("known").1.as_str()
        };
        assert_eq!(status, expected, "{id}");
    }
    let nothing = setup.run(&["incident", "resolve", "--matching", "nobody-says-this", "--yes"]);
    assert_eq!((code(&nothing), stdout(&nothing).as_str()), (0, "no open incident matches: nothing to do\n"));
    for args in [vec!["--matching", ""], vec!["--matching", "sttus:x"], vec!["--matching", "x", "P1"], vec![]] {
        assert_eq!(code(&setup.run(&[&["incident", "resolve"], args.as_slice()].concat())), 2, "{args:?}");
    }
    let (one, _) = &open_incidents(&setup)[0];
    let into_itself = setup.run(&["incident", "merge", one, "--into", one]);
    assert_eq!(code(&into_itself), 2, "{into_itself:?}");
    let shown = setup.run(&["incident", "merge", "--matching", "is:open", "--into", one]);
    assert_eq!((code(&shown), stdout(&shown).contains(one.as_str())), (2, false), "it is the one that stays");

    setup.faults(r#"{"status":500,"percent":100}"#);
    let blind = setup.run(&["incident", "resolve", "--matching", "is:open", "--yes"]);
    assert_eq!(code(&blind), 4);
    assert!(String::from_utf8_lossy(&blind.stderr).contains("what matches is not known, nothing was done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_named_by_number_id_account_or_web_address() {
    let setup = setup(3).await;
    let listed = setup.json(&["incident", "list", "--json"]);
    let incident = &listed["incidents"][0];
    let (id, number) = (incident["id"].as_str().expect("id"), incident["number"].as_u64().expect("number"));
    let url = incident["url"].as_str().expect("url");

    for name in [id, url, &number.to_string(), &format!("#{number}"), &format!("prod/{id}"), &format!("prod/#{number}")]
    {
        assert_eq!(setup.json(&["incident", "show", name, "--json"])["incident"]["id"], id, "{name}");
        let timeline = setup.json(&["incident", "timeline", name, "--json"]);
        let entries = timeline["timeline"].as_array().expect("entries");
        let times: Vec<&str> = entries.iter().filter_map(|entry| entry["at"].as_str()).collect();
        assert!(!times.is_empty() && times.is_sorted(), "oldest first: {times:?}");
    }
    assert_eq!(code(&setup.run(&["incident", "timeline", "99999999"])), 1);
    assert_eq!(code(&setup.run(&["incident", "timeline", "https://acme.pagerduty.com/services/P1"])), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_on_call_for_a_team_is_answered() {
    let setup = setup(0).await;
    let policies = |args: &[&str]| {
        let answer = setup.json(&[&["oncall", "--json"], args].concat());
        let rows = answer["on_calls"].as_array().expect("rows").clone();
        rows.iter().map(|row| row["on_call"]["policy"]["name"].as_str().expect("name").to_owned()).collect::<Vec<_>>()
    };
    let all = policies(&[]);
    let payments = policies(&["--team", "payments"]);
    assert!(!payments.is_empty() && payments.len() < all.len(), "{payments:?} of {all:?}");

    assert_eq!(policies(&["team:payments"]), payments);
    assert_eq!(
        policies(&["--policy", &payments[0], "level:1"]).len(),
        policies(&["--policy", &payments[0], "level:1", "team:payments"]).len()
    );
    let mine = setup.json(&["oncall", "--json", "--user", "me"]);
    let mine = mine["on_calls"].as_array().expect("rows");
    assert!(mine.iter().all(|row| row["on_call"]["user"]["name"] == "Mira Okafor"), "{mine:?}");
    let nobody = setup.run(&["oncall", "--team", "paymnets"]);
    assert_eq!((code(&nobody), nobody.stdout.as_slice()), (1, b"".as_slice()));
    assert!(
        String::from_utf8_lossy(&nobody.stderr)
            .contains("no team matches `paymnets`; there are Data, Payments, Platform")
    );
    assert_eq!(code(&setup.run(&["oncall", "taem:x"])), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_in_trouble_is_never_no_incidents() {
    let setup = setup(3).await;
    let before = open_incidents(&setup);

    for faults in [
        r#"{"status":500,"percent":100}"#,
        r#"{"status":429,"percent":100,"ratelimit_reset":7}"#,
        r#"{"truncate":true,"percent":100}"#,
    ] {
        setup.faults(faults);
        let output = setup.run(&["incident", "list", "--format", "tsv"]);
        assert_eq!(code(&output), 4, "{faults}: {output:?}");
        assert_eq!(rows(&output), before, "{faults}: the last list stays");
        assert!(!output.stderr.is_empty(), "{faults}: the cause is said");
        let oncall = setup.run(&["oncall"]);
        assert_eq!(code(&oncall), 4, "{faults}: {oncall:?}");
        setup.faults("{}");
    }
    assert_eq!(open_incidents(&setup), before);

    let Setup { simulator, dir } = setup;
    let url = simulator.url();
    simulator.stop().await;
    let gone = Command::new(BIN)
        .args(["incident", "list", "--format", "tsv"])
        .env("PD_TOKEN", TOKEN)
        .env("DOGWATCH_CONFIG", dir.path().join("config.toml"))
        .env("DOGWATCH_STATE_DIR", dir.path().join("state"))
        .output()
        .expect("the binary runs");
    assert_eq!(code(&gone), 4, "{url}: {gone:?}");
    assert_eq!(rows(&gone), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_said_beside_the_answer() {
    let setup = setup(2).await;
    setup.faults(r#"{"date_seconds": -600}"#);

    for args in [["incident", "list"].as_slice(), &["oncall"]] {
        let output = setup.run(args);

        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("prod: server's clock is 10m ahead of pagerduty's"), "{args:?}: {said}");
        assert_eq!(code(&output), 0, "what was asked for is true all the same");
    }
    setup.faults("{}");
    assert_eq!(setup.run(&["incident", "list"]).stderr, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_without_a_provider_shows_nothing_and_says_why() {
    let setup = setup(3).await;
    setup.faults(r#"{"status":500,"percent":100}"#);

    let output = setup.run(&["incident", "list"]);

    assert_eq!(code(&output), 4);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("no incidents"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("500"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_what_it_found_and_the_store_is_ok() {
    let setup = setup(1).await;
    open_incidents(&setup);

    let findings = setup.json(&["doctor", "--json"]);
    let text = findings.to_string();
    assert!(text.contains("acts as") && text.contains("abilities"), "{text}");
    let store = setup.run(&["doctor", "--store"]);
    assert_eq!((code(&store), store.stdout.as_slice()), (0, b"ok\n".as_slice()));

    // As a start keeps a file that is damaged.
    std::fs::write(setup.dir.path().join("state/intake-damaged-1"), "").expect("written");
    let store = setup.run(&["doctor", "--store"]);
    let said = String::from_utf8_lossy(&store.stderr).into_owned();
    assert!(
        code(&store) == 1 && said.contains("could not be read back") && said.contains("intake-damaged-1"),
        "{said}"
    );
    let findings = setup.run(&["doctor", "--json"]);
    assert!(code(&findings) == 1 && String::from_utf8_lossy(&findings.stdout).contains("could not be read back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_configuration_and_wrong_usage_end_with_2() {
    let setup = setup(0).await;
    assert_eq!(code(&setup.run(&["incident", "frobnicate"])), 2);
    let config = setup.dir.path().join("config.toml");
    fs::write(&config, "[reciever]\nlisten = \"127.0.0.1:1\"\n").expect("config");

    let output = setup.run(&["config", "check"]);

    assert_eq!(code(&output), 2);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(":1:") && said.contains("receiver"), "{said}");
    fs::remove_file(&config).expect("remove");
    let init = setup.run(&["config", "init"]);
    assert_eq!(code(&init), 0, "{init:?}");
    assert_eq!(fs::metadata(&config).expect("file").permissions().mode() & 0o777, 0o600);
    assert_eq!(code(&setup.run(&["config", "init"])), 2, "never overwrites");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_is_told_without_what_drives_a_terminal() {
    let output = setup(0).await.run(&["incident", "list\u{1b}]52;c;AAAA\u{7}\u{202e}"]);

    let said = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    assert_eq!((code(&output), output.stdout.as_slice()), (2, b"".as_slice()));
    assert!(said.starts_with("dogwatch: unrecognized subcommand 'list"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']) && said.contains("Usage"), "{said}");
}

#[test]
fn a_template_renders_on_an_event_from_files() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (template, event) = (dir.path().join("t.hbs"), dir.path().join("e.json"));
    let body = include_str!("fixtures/pagerduty/webhook_real.triggered.json");
    fs::write(&event, body).expect("event");
    fs::write(&template, r#"{"text": "{{incident.title}}"}"#).expect("template");
    let render = |json: bool| {
        let mut command = Command::new(BIN);
        command.args(["template", "render", "--template"]).arg(&template).arg("--event").arg(&event);
        if json {
            command.arg("--json");
        }
        command.output().expect("runs")
    };

    let output = render(false);
    assert_eq!(code(&output), 0, "{output:?}");
    let rendered: Value = serde_json::from_slice(&output.stdout).expect("json");
    let event: Value = serde_json::from_str(body).expect("json");
    assert_eq!(rendered["text"], event["event"]["data"]["title"]);

    fs::write(&template, "{{#if incident.title}}").expect("template");
    let broken = render(false);
    assert_eq!(code(&broken), 1);
    assert!(String::from_utf8_lossy(&broken.stderr).contains("t.hbs:1:"), "{broken:?}");
}

/// A script that is the person's editor.
fn editor(dir: &std::path::Path, script: &str) -> String {
    let path = dir.join("editor");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("executable");
    path.display().to_string()
}

struct Templates {
    dir: tempfile::TempDir,
}

impl Templates {
    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BIN);
        command.arg("template").args(args).env_clear().env("PATH", "/usr/bin:/bin").env("BIN", BIN);
        command.env("TMPDIR", self.dir.path()).env("EDITOR", self.dir.path().join("editor"));
        command
            .env("PD_TOKEN", "a token")
            .env("OTHER", "other")
            .env("DOGWATCH_CONFIG", self.dir.path().join("config.toml"));
        command.env("DOGWATCH_STATE_DIR", self.dir.path().join("state")).output().expect("runs")
    }

    /// What it printed, when all went well.
    fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(code(&output), 0, "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn edit(&self, script: &str) -> Output {
        editor(self.dir.path(), script);
        self.run(&["edit", "page"])
    }
}

#[test]
fn a_template_is_edited_checked_and_taken_back_from_the_command_line() {
    let templates = Templates { dir: tempfile::tempdir().expect("tempdir") };
    assert!(templates.said(&["list"]).contains("slack"));
    let edited = templates.edit("printf '{{a}}' > \"$1\"");
    assert_eq!((code(&edited), String::from_utf8_lossy(&edited.stdout).trim()), (0, "page is saved"));
    assert_eq!(templates.said(&["show", "page"]), "{{a}}\n");
    let unchanged = templates.edit("true");
    assert_eq!(String::from_utf8_lossy(&unchanged.stdout).trim(), "page: nothing was changed");

    let broken = templates.edit("printf '\\n{{#if a}}' >> \"$1\"");
    assert_eq!((code(&broken), String::from_utf8_lossy(&broken.stdout).trim()), (0, "page is saved, but it is broken"));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("page:2:"), "{broken:?}");
    let checked = templates.run(&["check", "page", "slack"]);
    assert_eq!(code(&checked), 3);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("page:2:") && said.contains("slack: ok"), "{said}");
    assert_eq!(code(&templates.run(&["check", "page"])), 1);

    let history: Value = serde_json::from_str(&templates.said(&["history", "page", "--json"])).expect("json");
    assert_eq!((&history["former"][0]["number"], &history["former"][0]["bytes"]), (&1.into(), &5.into()));
    assert!(templates.said(&["history", "page", "--diff", "1"]).contains("+ {{#if a}}"));
    templates.said(&["restore", "page", "1"]);
    assert_eq!(templates.said(&["show", "page"]), "{{a}}\n");
    assert_eq!(templates.said(&["show", "page", "--version", "2"]), "{{a}}\n{{#if a}}\n");
    assert_eq!(code(&templates.run(&["restore", "page", "built-in"])), 1);
    assert_eq!(code(&templates.run(&["show", "Page"])), 2);
}

#[test]
fn the_editor_gets_no_variable_that_holds_a_secret() {
    let templates = Templates { dir: tempfile::tempdir().expect("tempdir") };
    let config = "[[account]]\nname = \"prod\"\nprovider = \"pagerduty\"\ntoken = { env = \"PD_TOKEN\" }\n";
    fs::write(templates.dir.path().join("config.toml"), config).expect("config");

    let edited = templates.edit("printf '%s' \"${PD_TOKEN-none} $OTHER\" > \"$1\"");

    assert_eq!(code(&edited), 0, "{edited:?}");
    assert_eq!(templates.said(&["show", "page"]), "none other\n");
}

#[test]
fn a_text_that_could_not_be_saved_stays_in_a_file_that_is_named() {
    let templates = Templates { dir: tempfile::tempdir().expect("tempdir") };
    templates.edit("printf one > \"$1\"");
    let other = "if [ -z \"$SECOND\" ]; then export SECOND=1; \"$BIN\" template edit page; printf mine > \"$1\"; \
                 else printf theirs > \"$1\"; fi";

    let refused = templates.edit(other);

    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(code(&refused), 1, "{said}");
    assert!(said.contains("saved by somebody else meanwhile"), "{said}");
    let path = said.trim().rsplit(' ').next().expect("a path");
    assert_eq!(fs::read_to_string(path).expect("the text"), "mine");
    assert_eq!(templates.said(&["show", "page"]), "theirs\n");

    let failed = templates.edit("printf unsaved > \"$1\"; exit 3");
    assert_eq!(code(&failed), 1);
    assert!(String::from_utf8_lossy(&failed.stderr).contains("it is in "), "{failed:?}");
    assert_eq!(templates.said(&["show", "page"]), "theirs\n");
}

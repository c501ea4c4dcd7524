//! Targets of outgoing webhooks as scripts see them: the real binary, and a sink of the simulator's.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Output, Stdio},
};

use support::commands::{Setup, code, setup};

mod support;

const SECRET: &str = "hunter2hunter2";

/// Runs a command with these lines on its standard input.
fn run_with(setup: &Setup, args: &[&str], lines: &str) -> Output {
    let mut child = setup
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // One that wants no line is gone by now, perhaps.
    let _ = child.stdin.take().expect("piped").write_all(lines.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_made_tested_switched_and_removed_and_no_command_prints_a_secret() {
    let setup = setup(1).await;
    let url = format!("{}/sink/flaky?key={SECRET}", setup.simulator.url());
    let mut all = String::new();
    let mut run = |args: &[&str], lines: &str, expected: i32| {
        let output = run_with(&setup, args, lines);
        assert_eq!(code(&output), expected, "{args:?}: {}", said(&output));
        all += &said(&output);
        said(&output)
    };

    let add =
        ["target", "add", "chat", "--url", "-", "--user", "dog", "--password", "-", "--event", "incident.created"];
    run(&add, &format!("{url}\n{SECRET}\n"), 0);
    assert!(run(&add, &format!("{url}\n{SECRET}\n"), 1).contains("there is a target chat already"));
    run(&["target", "test", "chat"], "", 1);
    assert!(run(&["target", "test", "chat"], "", 0).contains("chat took it: test: 200"));
    let edited = run(&["target", "edit", "chat", "--filter", "is:mine"], "", 1);
    assert!(edited.contains("nobody looks when an event is sent"), "{edited}");
    run(&["target", "edit", "chat", "--retries", "2", "--header", "X-Ref: env:CHAT"], "", 0);
    run(&["target", "disable", "chat"], "", 0);
    let list: serde_json::Value = serde_json::from_str(&run(&["target", "list", "--json"], "", 0)).expect("JSON");
    assert_eq!(
        (&list[0]["name"], &list[0]["state"]["state"], &list[0]["retries"]),
        (&"chat".into(), &"off".into(), &2.into())
    );
    let shown = run(&["target", "show", "chat"], "", 0);
    assert!(shown.contains("off") && shown.contains("sent") && shown.contains("failed"), "{shown}");

    let found = run(&["delivery", "search", "direction:out", "target:chat", "--json"], "", 0);
    let found: serde_json::Value = serde_json::from_str(&found).expect("JSON");
    let verdicts: Vec<_> = found.as_array().expect("lines").iter().map(|line| line["verdict"].clone()).collect();
    assert_eq!(verdicts, ["sent", "failed"], "the log survives each command, newest first");
    let id = found[0]["id"].to_string();
    let curl = run(&["delivery", "export", &id, "--curl"], "", 0);
    assert!(curl.contains("authorization") && curl.contains("the address of target chat"), "{curl}");
    assert!(run(&["delivery", "show", &id], "", 0).contains("response:\nok"));
    assert!(run(&["delivery", "list"], "", 0).contains("TARGET"));
    run(&["delivery", "export", &id, "--curl", "--sign"], "", 1);
    run(&["delivery", "resend", &id], "", 1);
    run(&["delivery", "replay", &id], "", 1);

    let mode = fs::metadata(setup.dir.path().join("state/targets.toml")).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    run(&["target", "remove", "chat"], "", 0);
    assert!(run(&["target", "list"], "", 0).contains("no target"));
    assert!(!all.contains(SECRET), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_of_the_configuration_is_checked_with_its_place_and_switched_but_not_changed() {
    let setup = setup(1).await;
    let path = setup.dir.path().join("config.toml");
    let plain = fs::read_to_string(&path).expect("config");
    let target = |filter: &str| {
        format!(
            "{plain}[[target]]\nname = \"log\"\nurl = \"{}\"\nfilter = \"{filter}\"\ntemplate = \"nope\"\n",
            setup.simulator.url()
        )
    };
    fs::write(&path, target("urgency:loud")).expect("config");
    let checked = setup.run(&["config", "check"]);
    assert_eq!(code(&checked), 2, "{}", said(&checked));
    assert!(said(&checked).contains("column 9: urgency: `loud`"), "{}", said(&checked));

    fs::write(&path, target("urgency:high")).expect("config");
    let checked = said(&setup.run(&["config", "check"]));
    assert!(checked.contains("target log: there is no template `nope`"), "{checked}");
    assert!(checked.contains("target log: it has no events"), "{checked}");
    let doctor = setup.run(&["doctor"]);
    assert_eq!(code(&doctor), 2, "{}", said(&doctor));
    assert!(said(&doctor).contains("WRONG  target log"), "{}", said(&doctor));
    assert!(said(&doctor).contains("there is no template `nope`"), "{}", said(&doctor));
    let removed = setup.run(&["target", "remove", "log"]);
    assert_eq!(code(&removed), 1);
    assert!(said(&removed).contains("stands in the configuration file"), "{}", said(&removed));
    assert_eq!(code(&setup.run(&["target", "disable", "log"])), 0);
    assert_eq!(setup.json(&["target", "list", "--json"])[0]["state"]["state"], "off", "it stays off");
    assert!(said(&setup.run(&["doctor"])).contains("`dogwatch target enable log`"));

    let status = || said(&setup.run(&["status"]));
    assert!(!status().contains("does not work"), "{}", status());
    setup.run(&["target", "enable", "log"]);
    assert!(status().contains("1 target does not work"), "{}", status());
}

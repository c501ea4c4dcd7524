//! `dogwatch status` and `dogwatch handoff` as scripts see them: the real binary, against a simulated PagerDuty.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener,
    process::Command,
    thread,
};

use dogwatch::{
    core::board::Board,
    proto::{Access, FromServer, PROTOCOL},
};
use serde_json::Value;
use support::commands::{code, printed, setup};

mod support;

#[tokio::test(flavor = "multi_thread")]
async fn a_status_starts_nothing_and_does_not_take_not_knowing_for_a_quiet_night() {
    let setup = setup(3).await;

    for format in ["plain", "tmux"] {
        let output = setup.run(&["status", "--format", format]);
        assert_eq!((code(&output), printed(&output)), (4, "open: not known\n"), "{output:?}");
    }

    assert!(!setup.dir.path().join("state").exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_it_tells_what_the_last_one_knew_and_says_so() {
    let setup = setup(3).await;
    assert_eq!(code(&setup.run(&["incident", "list"])), 0);

    let output = setup.run(&["status"]);
    assert_eq!(code(&output), 4, "{output:?}");
    assert!(printed(&output).contains('?') && printed(&output).contains("no dogwatch runs"), "{output:?}");
    assert!(printed(&output).contains("mine)"), "who I am is kept: {output:?}");

    let json: Value = serde_json::from_str(printed(&setup.run(&["status", "--format", "json"]))).expect("json");
    let open = ["triggered", "acknowledged"].map(|status| json[status]["all"].as_u64().expect("a number"));
    assert_eq!(open.iter().sum::<u64>(), 3, "{json}");
    assert_eq!((&json["trusted"], &json["source"]), (&Value::Bool(false), &Value::from("store")));
}

#[test]
fn a_running_server_is_asked() {
    let dir = tempfile::tempdir().expect("tempdir");
    let listener = UnixListener::bind(dir.path().join("control.sock")).expect("bind");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a command");
        BufReader::new(&stream).read_line(&mut String::new()).expect("hello");
        let you = Access::Act { actor: "alice".into() };
        let greeting = FromServer::Hello { protocol: PROTOCOL, version: "1".into(), you };
        let snapshot = FromServer::Snapshot { board: Box::new(Board::default()) };
        for message in [greeting, snapshot, FromServer::UpToDate] {
            writeln!(stream, "{}", serde_json::to_string(&message).expect("json")).expect("write");
        }
    });

    let output = Command::new(env!("CARGO_BIN_EXE_dogwatch"))
        .args(["status", "--format", "json", "--state-dir"])
        .arg(dir.path())
        .output()
        .expect("the binary runs");
    server.join().expect("served");

    let json: Value = serde_json::from_str(printed(&output)).expect("json");
    assert_eq!(json["source"], "server", "{json}");
    assert_eq!(code(&output), 4, "no account: nothing is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_is_handed_off_in_the_words_of_a_template() {
    let setup = setup(4).await;
    let listed = setup.run(&["incident", "list", "--format", "tsv"]);
    let id = printed(&listed).split('\t').next().expect("an incident").to_owned();
    assert_eq!(code(&setup.run(&["incident", "note", &id, "-m", "tried turning it off\nand on"])), 0);

    let output = setup.run(&["handoff", "--since", "8h"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let digest = printed(&output);
    assert!(digest.starts_with("HAND-OFF ") && digest.contains("(8h)"), "{digest}");
    assert!(digest.contains("Open: 4 ("), "{digest}");
    assert!(digest.contains(": tried turning it off / and on"), "{digest}");

    let output = setup.run(&["handoff", "--since", "8h", "--format", "json"]);
    let json: Value = serde_json::from_str(printed(&output)).expect("json");
    assert_eq!(json["facts"]["counts"]["open"], 4, "{json}");

    let templates = setup.dir.path().join("state/templates");
    fs::create_dir_all(&templates).expect("directory");
    fs::write(templates.join("handoff-short.hbs"), "{{counts.open}} open, {{shift.zone}}").expect("template");
    let output = setup.run(&["handoff", "--template", "handoff-short"]);
    assert!(printed(&output).starts_with("4 open, CE"), "{output:?}");

    for (args, said) in [
        (["handoff", "--since", "soon"], "--since: `soon` is no time"),
        (["handoff", "--template", "nothing"], "there is no template `nothing`"),
    ] {
        let output = setup.run(&args);
        assert_ne!(code(&output), 0);
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_off_from_a_provider_that_fails_says_that_it_may_not_be_all() {
    let setup = setup(2).await;
    assert_eq!(code(&setup.run(&["incident", "list"])), 0);
    setup.faults(r#"{"status":500,"percent":100}"#);

    let output = setup.run(&["handoff", "--since", "1h"]);

    assert_eq!(code(&output), 4, "{output:?}");
    assert!(printed(&output).contains("THIS MAY NOT BE ALL") && printed(&output).contains("Open: 2 ("), "{output:?}");
}

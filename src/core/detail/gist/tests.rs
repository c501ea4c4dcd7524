use std::{fmt::Write as _, fs, path::Path};

use super::*;

fn details(sender: &str) -> Tree {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/senders").join(format!("{sender}.json"));
    let value = serde_json::from_str(&fs::read_to_string(path).expect(sender)).expect("JSON");
    Tree::of(&value).expect("details")
}

/// The gist, and all the rest below.
fn shown(sender: &str) -> String {
    let tree = details(sender);
    let gist = Gist::of(&tree).expect(sender);
    let mut out = format!("{}\n", gist.sender);
    for (name, text) in &gist.facts {
        let _ = writeln!(out, "{name:<10} {}", text.as_str().replace('\n', "\n           "));
    }
    let _ = writeln!(out, "----");
    for line in tree.lines(74) {
        let _ = writeln!(out, "{}", format!("{}{}", line.name, line.text).trim_end());
    }
    out
}

macro_rules! senders {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(shown(stringify!($name)));
        }
    )*};
}

senders! {
    cloudwatch_sns alertmanager alertmanager_group alertmanager_webhook datadog nagios_service nagios_host new_relic
    new_relic_workflow
}

#[test]
fn an_alarm_reads_the_same_with_and_without_the_envelope_it_came_in() {
    assert_eq!(Gist::of(&details("cloudwatch")), Gist::of(&details("cloudwatch_sns")));
}

#[test]
fn nobody_is_taken_for_a_known_sender_by_a_word_or_two() {
    for details in [
        serde_json::json!({ "title": "x", "tags": "a,b", "body": "c" }),
        serde_json::json!({ "AlarmName": "x" }),
        serde_json::json!({ "firing": "yes" }),
        serde_json::json!({ "HOSTNAME": "x" }),
        serde_json::json!({ "alerts": [{ "name": "x" }] }),
        serde_json::json!({ "condition_name": "x" }),
        serde_json::json!("Labels:\n - alertname = x"),
    ] {
        assert_eq!(Gist::of(&Tree::of(&details).expect("details")), None, "{details}");
    }
}

#[test]
fn a_gist_is_short_whatever_was_sent() {
    let block =
        "Labels:\n - alertname = x\n - pod = {n}\nAnnotations:\n - summary = a\n\n\n\n\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    let firing: String = (0..400).map(|n| block.replace("{n}", &n.to_string())).collect();
    let tree = Tree::of(&serde_json::json!({ "firing": firing })).expect("details");

    let gist = Gist::of(&tree).expect("Prometheus");

    assert_eq!(gist.facts.len(), 13);
    assert!(gist.facts.iter().all(|(_, text)| text.lines().count() <= MOST_LINES + 1));
    assert_eq!(gist.facts[12].1.as_str(), "and 390 more, below");
}

#[test]
fn alerts_of_a_list_that_are_over_are_not_told_as_firing() {
    let alert = |name: &str, status: &str| serde_json::json!({ "status": status, "labels": { "alertname": name }, "annotations": { "summary": name } });
    let tree = Tree::of(&serde_json::json!({ "alerts": [alert("Over", "resolved"), alert("Disk", "firing")] }));

    let gist = Gist::of(&tree.expect("details")).expect("Prometheus");

    let said: Vec<&str> = gist.facts.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(said, ["Disk", "1", "Disk"]);
}

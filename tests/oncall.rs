//! On-call, services and maintenance as scripts see them: the real binary, against a simulated PagerDuty over real HTTP.

use serde_json::Value;
use support::commands::{code, complained, printed, setup};

mod support;

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("{key} in {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pager_is_taken_shown_as_mine_and_given_back() {
    let setup = setup(0).await;
    // The plain key belongs to Mira, who has the primary but not the data schedule.
    let taken = setup.run(&["oncall", "take", "Data Daily", "2h"]);
    assert_eq!(code(&taken), 0, "{taken:?}");
    let text = printed(&taken);
    assert!(text.contains("Mira Okafor from ") && text.contains("in place of"), "{text}");
    assert!(text.contains("confirmed"), "{text}");

    let now = setup.json(&["oncall", "now", "--json"]);
    let mine = |row: &Value| {
        row["on_call"]["user"]["name"] == "Mira Okafor" && row["on_call"]["schedule"]["name"] == "Data Daily"
    };
    assert!(list(&now, "on_calls").iter().any(mine), "{now}");
    let shown = setup.json(&["oncall", "schedule", "Data Daily", "--json"]);
    assert_eq!(shown["schedules"][0]["shifts"][0]["override"], true, "{shown}");

    let overrides = setup.json(&["oncall", "override", "list", "Data Daily", "--json"]);
    let id = overrides["overrides"][0]["id"].as_str().expect("an id");
    let gone = setup.run(&["oncall", "override", "delete", "Data Daily", id]);
    assert_eq!(code(&gone), 0, "{gone:?}");
    assert!(printed(&gone).contains("it was running, and ends now"), "{gone:?}");
    let again = setup.run(&["oncall", "override", "delete", "Data Daily", id]);
    // Within the second in which it began, nothing is left of it.
    assert!(code(&again) == 1 || printed(&again).contains("it was gone already"), "{again:?}");

    let actions = setup.json(&["action", "list", "--json"]);
    let verbs: Vec<_> =
        actions.as_array().expect("list").iter().map(|action| action["verb"]["arrange"].clone()).collect();
    assert!(verbs.iter().all(Value::is_object) && (2..=3).contains(&verbs.len()), "{actions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_based_schedule_is_taken_too_and_its_gaps_are_loud() {
    let setup = setup(0).await;
    let shown = setup.run(&["oncall", "schedule", "Edge Days"]);
    assert_eq!(code(&shown), 0, "{shown:?}");
    assert!(printed(&shown).contains("! NOBODY"), "{}", printed(&shown));

    // A day holds a shift and a gap, so that one is replaced and the other filled. It is taken for longer than the day
    // that is looked at afterwards, which begins seconds later.
    let mut take = vec!["oncall", "override", "add", "Edge Days", "--user", "lea.fontaine@example.com"];
    take.extend(["25h", "--long"]);
    let taken = setup.run(&take);
    assert_eq!(code(&taken), 0, "{taken:?}");
    assert!(printed(&taken).contains("a part of that time has nobody now"), "{}", printed(&taken));
    let after = setup.json(&["oncall", "schedule", "Edge Days", "--days", "1", "--json"]);
    let shifts = list(&after["schedules"][0], "shifts");
    // Which of the two it begins with depends on the time of day.
    assert!(shifts.iter().all(|shift| shift["user"]["name"] == "Léa Fontaine"), "{after}");
    assert!(shifts.iter().any(|shift| shift["override"] == true), "{after}");
    assert!(shifts.windows(2).all(|pair| pair[0]["end"] == pair[1]["start"]), "{after}");

    let overrides = setup.json(&["oncall", "override", "list", "Edge Days", "--json"]);
    let ids: Vec<_> = list(&overrides, "overrides").iter().map(|one| one["id"].as_str().expect("id")).collect();
    assert!(ids.len() >= 2 && ids.iter().any(|id| id.starts_with("custom_shift:")), "{ids:?}");
    let args = [&["oncall", "override", "delete", "Edge Days"], ids.as_slice()].concat();
    let gone = setup.run(&args);
    assert_eq!(code(&gone), 0, "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slip_is_refused_before_anything_is_sent() {
    let setup = setup(0).await;
    for (args, words) in [
        (["oncall", "take", "Data Daily", "1201"].as_slice(), "1201 of what?"),
        (&["oncall", "take", "Data Daily", "2d"], "say --long"),
        (&["oncall", "take", "Nowhere", "1h"], "no schedule is called"),
        (&["oncall", "override", "add", "Data Daily", "--user", "Nobody", "1h"], "nobody at prod is called"),
        (&["maintenance", "start", "--service", "Nothing", "1h"], "no service is called"),
        (&["oncall", "load", "--since", "400d"], "90 days at most"),
    ] {
        let refused = setup.run(args);
        assert_ne!(code(&refused), 0, "{args:?}");
        assert!(complained(&refused).contains(words), "{args:?}: {}", complained(&refused));
    }
    assert_eq!(setup.json(&["action", "list", "--json"]), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_for_each_level_and_i_am_told_when_i_am_next() {
    let setup = setup(0).await;
    let next = setup.json(&["oncall", "next", "--json"]);
    let primary =
        list(&next, "levels").iter().find(|one| one["policy"]["name"] == "Payments On-Call" && one["level"] == 1);
    let primary = primary.expect("the level");
    assert_eq!(primary["now"][0]["person"]["name"], "Mira Okafor");
    assert!(primary["next"][0]["from"].is_string() || primary["next"][0]["person"].is_null(), "{primary}");

    let me = setup.run(&["oncall", "me"]);
    assert_eq!(code(&me), 0, "{me:?}");
    assert!(printed(&me).contains("Mira Okafor is ON CALL at L1 of Payments On-Call until"), "{}", printed(&me));
    assert!(printed(&me).contains("next from"), "{}", printed(&me));
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_started_seen_and_ended() {
    let setup = setup(2).await;
    let began = setup.run(&[
        "maintenance",
        "start",
        "--service",
        "Payments API",
        "--service",
        "Checkout Web",
        "90m",
        "-m",
        "disk swap",
    ]);
    assert_eq!(code(&began), 0, "{began:?}");
    let services = setup.json(&["service", "list", "--json"]);
    let in_maintenance = |row: &&Value| row["condition"] == "maintenance";
    assert_eq!(list(&services, "services").iter().filter(in_maintenance).count(), 2, "{services}");

    let windows = setup.json(&["maintenance", "list", "--json"]);
    let id = windows["windows"][0]["window"]["id"].as_str().expect("id");
    assert_eq!(windows["windows"][0]["window"]["description"], "disk swap");
    assert_eq!(code(&setup.run(&["maintenance", "end", id])), 0);
    assert_eq!(list(&setup.json(&["maintenance", "list", "--json"]), "windows").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_paged_next_and_who_was_is_told() {
    let setup = setup(6).await;
    let incidents = setup.json(&["incident", "list", "--json"]);
    let next = |one: &Value| (one["status"].clone(), one["next_paged"].clone());
    let all: Vec<_> = list(&incidents, "incidents").iter().map(next).collect();
    assert!(all.iter().all(|(status, next)| (status == "triggered") == next.is_object()), "{all:?}");
    assert!(all.iter().filter(|(_, next)| next.is_object()).all(|(_, next)| next["words"].is_string()));

    let load = setup.json(&["oncall", "load", "--json"]);
    let people = list(&load["accounts"][0], "people");
    assert!(!people.is_empty() && people[0]["pages"].as_u64() >= people[0]["at_night"].as_u64(), "{load}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_nothing_is_called_done() {
    let setup = setup(0).await;
    assert_eq!(code(&setup.run(&["oncall"])), 0);
    setup.faults(r#"{"status": 503, "percent": 100}"#);

    let refused = setup.run(&["oncall", "take", "Data Daily", "1h"]);

    assert_ne!(code(&refused), 0, "{refused:?}");
    assert!(!printed(&refused).contains("confirmed"), "{}", printed(&refused));
    assert!(complained(&refused).contains("503"), "{}", complained(&refused));
}

//! Every template case with the output of the real handlebars.js: equal, or in the list of known differences.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Cases, Limits, render_within};

const CASES: &str = include_str!("../../tests/fixtures/handlebars/cases.json");
const DIFFERENCES: &str = include_str!("../../tests/fixtures/handlebars/known_differences.txt");

/// The least share that is equal of each group, in per mille.
const GATES: [(&str, usize); 5] = [("spec", 995), ("lang", 995), ("oncall", 990), ("hh", 980), ("matrix", 970)];

/// Whether the result is what handlebars.js gives.
fn is_equal(wanted: &Value, got: Result<&str, &str>) -> bool {
    let by_accident = wanted["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "js-typeerror"));
    match (wanted["expected"].as_str(), got) {
        (Some(expected), got) => got == Ok(expected),
        (None, Err(message)) if wanted["policy"] == "refuse" => message.contains("is refused"),
        (None, Err(_)) => true,
        (None, Ok(output)) => by_accident && output.is_empty(),
    }
}

/// The ids of the cases that differ, and for each group how many are equal of how many.
fn compare() -> (BTreeSet<String>, BTreeMap<String, (usize, usize)>) {
    let cases: Cases = serde_json::from_str(CASES).expect("cases");
    let wanted: Value = serde_json::from_str(CASES).expect("cases");
    let now = "2018-06-21T17:30:00Z".parse().expect("time");
    let mut differ = BTreeSet::new();
    let mut groups = BTreeMap::<String, (usize, usize)>::new();
    for (case, wanted) in cases.cases.iter().zip(wanted["cases"].as_array().expect("cases")) {
        let job = cases.job(case, Some(now)).expect(&case.id);
        let made = render_within(&job, &Limits::default(), &TimeZone::UTC);
        let got = made.as_ref().map(|made| made.output.as_str()).map_err(|fault| fault.message.as_str());
        let (equal, all) = groups.entry(wanted["group"].as_str().expect("group").to_owned()).or_default();
        *all += 1;
        if is_equal(wanted, got) {
            *equal += 1;
        } else {
            differ.insert(case.id.clone());
        }
    }
    (differ, groups)
}

#[test]
fn every_case_renders_as_in_handlebars_js_but_for_those_that_are_known() {
    let known: BTreeSet<String> =
        DIFFERENCES.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();

    let compared = thread::Builder::new().stack_size(64 * 1024 * 1024).spawn(compare).expect("thread");
    let (differ, groups) = compared.join().expect("no case panics");

    assert_eq!(differ, known, "new differences, or known ones that are gone: take those off the list");
    for (group, least) in GATES {
        let (equal, all) = groups[group];
        assert!(equal * 1000 >= all * least, "{group}: {equal} of {all}");
    }
}

//! Prometheus' Alertmanager (and Grafana, which writes the same): what is firing, as blocks of text in `firing`, or as a list of
//! alerts with labels and annotations.

use super::Facts;
use crate::core::detail::Tree;

/// Alerts of one group that are told one by one.
const MOST_ALERTS: usize = 10;
/// Annotations that say what is wrong, in the order in which they are looked for.
const SAYS: [&str; 4] = ["summary", "description", "message", "title"];
/// Labels that have a line of their own, so they are not repeated.
const OWN_LINE: [&str; 2] = ["alertname", "severity"];

type Pairs = Vec<(String, String)>;

/// One alert of a group.
#[derive(Default)]
struct Fired {
    labels: Pairs,
    annotations: Pairs,
    source: Option<String>,
}

pub(super) fn read(tree: &Tree) -> Option<Facts> {
    let fired = match tree.get("firing") {
        Some(Tree::Text(text)) => blocks(text.as_str()),
        Some(list) => listed(list),
        None => tree.get("alerts").map(listed).unwrap_or_default(),
    };
    let counted = tree.say("num_firing");
    if fired.is_empty() && (counted.is_none() || tree.say("num_resolved").is_none()) {
        return None;
    }
    let mut facts = Facts::default();
    let common = common(&fired);
    facts.add("alert", value(&common, "alertname"));
    facts.add("severity", value(&common, "severity"));
    let firing = counted.map_or_else(|| fired.len().to_string(), str::to_owned);
    let resolved =
        tree.say("num_resolved").filter(|n| *n != "0").map(|n| format!(", resolved {n}")).unwrap_or_default();
    facts.add("firing", Some(format!("{firing}{resolved}")));
    let rest: Vec<String> = common.iter().filter(|(name, _)| !OWN_LINE.contains(&name.as_str())).map(pair).collect();
    match fired.as_slice() {
        [one] => {
            annotated(&mut facts, one);
            facts.add("labels", Some(rest.join(", ")));
            facts.add("source", one.source.as_deref());
        }
        many => {
            facts.add("labels", Some(rest.join(", ")));
            for (at, one) in many.iter().take(MOST_ALERTS).enumerate() {
                facts.add(&format!("{}", at + 1), Some(told(one, &common)));
            }
            let more = many.len().saturating_sub(MOST_ALERTS);
            facts.add("", (more > 0).then(|| format!("and {more} more, below")));
        }
    }
    Some(facts)
}

fn annotated(facts: &mut Facts, one: &Fired) {
    for (name, text) in &one.annotations {
        facts.add(name, Some(text));
    }
}

/// What tells it from the others, and what it says.
fn told(one: &Fired, common: &Pairs) -> String {
    let own: Vec<String> = one.labels.iter().filter(|label| !common.contains(label)).map(pair).collect();
    let says = SAYS.iter().find_map(|name| value(&one.annotations, name));
    match says {
        Some(says) if own.is_empty() => says.to_owned(),
        Some(says) => format!("{}: {says}", own.join(", ")),
        None => own.join(", "),
    }
}

fn pair((name, value): &(String, String)) -> String {
    format!("{name}={value}")
}

fn value<'a>(pairs: &'a Pairs, wanted: &str) -> Option<&'a str> {
    pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

/// The labels that all of them have.
fn common(fired: &[Fired]) -> Pairs {
    let Some((first, others)) = fired.split_first() else { return vec![] };
    let in_all = |label: &&(String, String)| others.iter().all(|one| one.labels.contains(label));
    first.labels.iter().filter(in_all).cloned().collect()
}

fn listed(list: &Tree) -> Vec<Fired> {
    let pairs = |tree: Option<&Tree>| -> Pairs {
        let fields = tree.map(Tree::fields).unwrap_or_default();
        fields.iter().filter_map(|(name, value)| Some((name.to_string(), value.as_text()?.to_owned()))).collect()
    };
    let is_firing = |one: &&Tree| one.get("labels").is_some() && one.say("status") != Some("resolved");
    let one = |one: &Tree| Fired {
        labels: pairs(one.get("labels")),
        annotations: pairs(one.get("annotations")),
        source: one.say("generatorURL").map(str::to_owned),
    };
    list.items().iter().filter(is_firing).map(one).collect()
}

/// `Labels:`, then ` - name = value` for each, `Annotations:` likewise, and `Source: ADDRESS`; one such block an alert.
fn blocks(text: &str) -> Vec<Fired> {
    let mut fired: Vec<Fired> = vec![];
    let mut annotating = false;
    for line in text.lines() {
        let bare = line.trim();
        if bare == "Labels:" {
            fired.push(Fired::default());
            annotating = false;
        } else if bare == "Annotations:" {
            annotating = true;
        } else if let Some(one) = fired.last_mut() {
            let pairs = if annotating { &mut one.annotations } else { &mut one.labels };
            if let Some((name, value)) = bare.strip_prefix("- ").and_then(|pair| pair.split_once(" = ")) {
                pairs.push((name.to_owned(), value.to_owned()));
            } else if let Some(source) = bare.strip_prefix("Source:") {
                one.source = Some(source.trim().to_owned()).filter(|source| !source.is_empty());
            } else if let Some((_, value)) = pairs.last_mut().filter(|_| !bare.is_empty()) {
                // A value of several lines.
                value.push('\n');
                value.push_str(bare);
            }
        }
    }
    fired
}

//! Escalation policies with their rules.

use serde::Deserialize;
use serde_json::Value;

use super::{lenient, naming::named, wire};
use crate::core::{
    escalation::{Policy, Responder, Rule},
    text::Shown,
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WirePolicy {
    #[serde(deserialize_with = "lenient::count")]
    num_loops: Option<u64>,
    #[serde(deserialize_with = "lenient::list")]
    escalation_rules: Vec<WireRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireRule {
    #[serde(deserialize_with = "lenient::count")]
    escalation_delay_in_minutes: Option<u64>,
    #[serde(deserialize_with = "lenient::list")]
    targets: Vec<Value>,
}

/// A policy whose rules can be read; `None`: nothing is said of them.
pub(super) fn with_rules(row: &Value) -> Option<Policy> {
    let policy = named(serde_json::from_value(row.clone()).ok())?;
    let wire: WirePolicy = serde_json::from_value(row.clone()).ok()?;
    let small = |count: Option<u64>| count.and_then(|count| u32::try_from(count).ok());
    let rule = |rule: WireRule| {
        let responders = rule.targets.into_iter().map(responder).collect();
        Some(Rule { delay: small(rule.escalation_delay_in_minutes)?, responders })
    };
    let rules = wire.escalation_rules.into_iter().map(rule).collect::<Option<Vec<_>>>()?;
    Some(Policy { policy, rules, repeats: small(wire.num_loops)? })
}

fn responder(target: Value) -> Responder {
    let kind = target.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let reference: Option<wire::Reference> = serde_json::from_value(target).ok();
    let label = reference.as_ref().and_then(|one| one.summary.as_deref().or(one.id.as_deref())).unwrap_or("?");
    let other = Responder::Other(Shown::line(label));
    // A schedule of either system: `schedule_reference`, `schedule_v3_reference`, or the whole object.
    if kind.starts_with("user") {
        named(reference).map_or(other, Responder::User)
    } else if kind.starts_with("schedule") {
        named(reference).map_or(other, Responder::Schedule)
    } else {
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row() -> Value {
        json!({
            "id": "E1", "name": "Payments", "num_loops": 2,
            "escalation_rules": [
                { "escalation_delay_in_minutes": 5, "targets": [
                    { "id": "S1", "summary": "Primary", "type": "schedule_reference" },
                    { "id": "S2", "summary": "Sun", "type": "schedule_v3_reference" },
                ] },
                { "escalation_delay_in_minutes": 10, "targets": [
                    { "id": "U1", "summary": "Ann", "type": "user_reference" },
                    { "id": "X1", "summary": "Robot", "type": "assistant_reference" },
                ] },
            ],
        })
    }

    #[test]
    fn a_policy_keeps_its_rules_and_says_what_it_does_not_know() {
        let policy = with_rules(&row()).expect("readable");

        let kinds: Vec<String> = policy
            .rules
            .iter()
            .flat_map(|rule| &rule.responders)
            .map(|responder| match responder {
                Responder::User(user) => format!("user {}", user.name),
                Responder::Schedule(schedule) => format!("schedule {}", schedule.name),
                Responder::Other(what) => format!("other {what}"),
            })
            .collect();
        assert_eq!(kinds, ["schedule Primary", "schedule Sun", "user Ann", "other Robot"]);
        assert_eq!((policy.repeats, policy.rules.iter().map(|r| r.delay).collect::<Vec<_>>()), (2, vec![5, 10]));
    }

    #[test]
    fn a_policy_whose_rules_cannot_be_read_has_none_rather_than_wrong_ones() {
        for change in [json!({"num_loops": null}), json!({"escalation_rules": [{"targets": []}]})] {
            let mut row = row();
            row.as_object_mut().expect("object").extend(change.as_object().expect("object").clone());

            assert_eq!(with_rules(&row), None, "{change}");
        }
    }
}

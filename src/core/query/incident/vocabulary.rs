//! What a field's value can be, as far as the board tells: for completing what is being typed.

use std::collections::BTreeSet;

use crate::core::{
    board::Board,
    incident::{Incident, Named},
};

const STATES: [&str; 11] =
    ["open", "triggered", "acked", "resolved", "high", "low", "mine", "unassigned", "marked", "unsigned", "snoozed"];

/// The values that `field` can have, in order; of times, a few to begin with.
pub fn vocabulary(board: &Board, field: &str) -> Vec<String> {
    let incidents = board.incidents.values();
    let accounts = board.accounts.values();
    match field {
        "status" => fixed(&["triggered", "acked", "resolved", "open"]),
        "urgency" => fixed(&["high", "low"]),
        "is" => fixed(&STATES),
        "has" => fixed(&["note"]),
        "since" | "until" => fixed(&["1h", "24h", "7d"]),
        "age" | "acked" => fixed(&[">1h", ">24h", "<1h"]),
        "account" => board.accounts.keys().map(ToString::to_string).collect(),
        "priority" => {
            sorted(incidents.filter_map(|one| one.state.priority.as_ref()).map(ToString::to_string), &["none"])
        }
        "service" => sorted(incidents.filter_map(|one| one.state.service.as_ref()).map(name), &[]),
        "policy" => {
            let of_incidents = incidents.filter_map(|one| one.state.escalation_policy.as_ref()).map(name);
            sorted(of_incidents.chain(accounts.flat_map(|account| &account.policies).map(name)), &[])
        }
        "team" => {
            let of_policies = accounts.flat_map(|account| account.policy_teams.values().flatten()).map(name);
            sorted(incidents.flat_map(|one: &Incident| &one.state.teams).map(name).chain(of_policies), &[])
        }
        "assignee" | "user" => {
            let people = accounts.flat_map(|account| &account.people).map(|person| name(&person.user));
            sorted(incidents.flat_map(|one: &Incident| &one.state.assignees).map(name).chain(people), &["me", "none"])
        }
        "schedule" => {
            sorted(accounts.flat_map(|account| &account.schedules).map(|schedule| name(&schedule.schedule)), &[])
        }
        _ => vec![],
    }
}

fn name<Id>(of: &Named<Id>) -> String {
    of.name.to_string()
}

fn fixed(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// `first`, then each of `names` once.
fn sorted(names: impl Iterator<Item = String>, first: &[&str]) -> Vec<String> {
    let mut all = fixed(first);
    all.extend(names.filter(|name| !name.is_empty()).collect::<BTreeSet<_>>());
    all
}

//! Who is on call now, level by level.

use serde_json::json;

use super::{Client, Outcome, output};
use crate::core::{id::AccountName, oncall::OnCall};

pub(super) fn list(client: &Client, json: bool) -> Outcome {
    let mut rows: Vec<(AccountName, OnCall)> = client
        .board
        .accounts
        .iter()
        .flat_map(|(name, known)| known.oncalls.iter().map(|oncall| (name.clone(), oncall.clone())))
        .collect();
    rows.sort_by(|(a, x), (b, y)| {
        (a, &x.policy.name, x.level, &x.user.name).cmp(&(b, &y.policy.name, y.level, &y.user.name))
    });
    let doubts = client.on_call_doubts();
    if json {
        let rows: Vec<_> =
            rows.iter().map(|(account, oncall)| json!({ "account": account, "on_call": oncall })).collect();
        output::json(&json!({ "on_calls": rows, "trusted": doubts.is_empty(), "doubts": doubts }))?;
    } else {
        print(&rows, doubts.is_empty());
    }
    Ok(super::trusted(client))
}

fn print(rows: &[(AccountName, OnCall)], trusted: bool) {
    if rows.is_empty() {
        if trusted {
            output::line("nobody is on call");
        }
        return;
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(account, oncall)| {
            vec![
                account.to_string(),
                oncall.policy.name.to_string(),
                oncall.level.to_string(),
                oncall.user.name.to_string(),
                oncall.schedule.as_ref().map_or_else(|| "directly".to_owned(), |s| s.name.to_string()),
                oncall.end.map_or_else(|| "always".to_owned(), |end| end.to_string()),
            ]
        })
        .collect();
    output::table(&["ACCOUNT", "POLICY", "LEVEL", "PERSON", "SCHEDULE", "UNTIL (UTC)"], &cells);
}

//! Who is on call now, level by level; all, or those that are asked for.

use serde_json::json;

use super::{Client, Exit, Outcome, asking, output};
use crate::core::{board::AccountBoard, oncall::OnCall, query::oncall::Wanted};

pub(super) fn list(client: &Client, wanted: &Wanted, json: bool) -> Outcome {
    let asking::Found { mut rows, doubt } = asking::find(client, wanted)?;
    rows.sort_by(|(a, x), (b, y)| {
        (&a.account.name, &x.policy.name, x.level, &x.user.name).cmp(&(
            &b.account.name,
            &y.policy.name,
            y.level,
            &y.user.name,
        ))
    });
    let mut doubts = client.on_call_doubts();
    doubts.extend(doubt);
    if json {
        let on_call =
            |(known, on_call): &(&AccountBoard, &OnCall)| json!({ "account": known.account.name, "on_call": on_call });
        let rows: Vec<_> = rows.iter().map(on_call).collect();
        output::json(&json!({ "on_calls": rows, "trusted": doubts.is_empty(), "doubts": doubts }))?;
    } else {
        print(&rows, doubts.is_empty());
    }
    for doubt in &doubts {
        output::complain(doubt);
    }
    Ok(if doubts.is_empty() { Exit::Done } else { Exit::Stale })
}

fn print(rows: &[(&AccountBoard, &OnCall)], trusted: bool) {
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
                account.account.name.to_string(),
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

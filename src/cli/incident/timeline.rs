//! `dogwatch incident timeline`: what happened to an incident, oldest first.

use serde_json::json;

use super::{Client, CommandOutcome, Exit, find, output, trusted};

pub(super) async fn run(client: &mut Client, text: &str, json: bool) -> CommandOutcome {
    let key = find::find(client, text)?;
    let Some(detail) = find::detail(client, &key).await? else { return Ok(Exit::Stale) };
    let missing = detail.lacks("timeline").is_some();
    let mut entries = detail.timeline;
    entries.reverse();
    if json {
        output::json(&json!({ "incident": key, "timeline": entries, "missing": detail.missing }))?;
    } else {
        for entry in &entries {
            output::line(&format!("{}  {}: {}", entry.at, entry.kind, entry.summary));
        }
        if entries.is_empty() && !missing {
            output::line("nothing is told of it");
        }
    }
    for missing in &detail.missing {
        output::complain(missing.as_str());
    }
    let trusted = trusted(client);
    Ok(if missing { Exit::Partly } else { trusted })
}

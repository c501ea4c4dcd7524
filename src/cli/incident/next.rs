//! Who is paged next for an incident, for people and for scripts.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    cli::client::Client,
    core::{
        escalation::{self, Outlook, When, Whom},
        incident::{Incident, Status},
    },
};

fn outlook(client: &Client, incident: &Incident) -> Option<(Outlook, Timestamp)> {
    let board = client.board.accounts.get(&incident.key.account)?;
    let now = board.account.provider_time(Timestamp::now());
    (incident.state.status == Status::Triggered).then(|| (escalation::outlook(incident, board, now), now))
}

/// What has to be said with the people, when who is on call is not fresh.
fn doubt(client: &Client, incident: &Incident) -> Option<String> {
    escalation::doubt(&client.board.accounts.get(&incident.key.account)?.account, Timestamp::now())
}

/// `in 4 min: Bob Okafor (L2 of Payments)`; `None` when it is not triggered.
pub(super) fn words(client: &Client, incident: &Incident) -> Option<String> {
    let (outlook, now) = outlook(client, incident)?;
    let doubt = doubt(client, incident);
    let policy = incident.state.escalation_policy.as_ref().map_or("its policy", |policy| policy.name.as_str());
    Some(escalation::long(&outlook, policy, now, doubt.as_deref()))
}

/// Null when it is not triggered; else `at` (null: not known, or nobody), whether that is `certain`, the level and the
/// people (null: not known), how old that is when it is not fresh (`doubt`), and all of it in words.
pub(super) fn as_json(client: &Client, incident: &Incident) -> Value {
    let Some((outlook, _)) = outlook(client, incident) else { return Value::Null };
    let words = words(client, incident);
    let Outlook::Pages { when, whom } = outlook else {
        return json!({ "at": null, "certain": false, "level": null, "people": null, "words": words });
    };
    let (level, people) = match whom {
        Whom::People { level, people } => (Some(level), Some(people)),
        Whom::Nobody { level } => (Some(level), Some(vec![])),
        Whom::NotKnown => (None, None),
    };
    let certain = matches!(when, When::At(_));
    let doubt = doubt(client, incident);
    json!({
        "at": when.at(), "certain": certain, "level": level, "people": people, "doubt": doubt, "words": words
    })
}

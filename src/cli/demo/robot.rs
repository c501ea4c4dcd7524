//! Somebody on call who never sleeps: acknowledges, hands off, resolves, and notes.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{Failure, client::Client};
use crate::core::{
    action::{Assignee, Target, Verb},
    incident::{Incident, Status},
};

/// Between two things that the robot does.
const PACE: Duration = Duration::from_millis(400);

/// Works on the incidents until `end`.
pub(super) async fn be_on_call(client: &mut Client, end: Instant) -> Result<(), Failure> {
    client.ask_the_providers().await?;
    let mut turn = 0;
    while Instant::now() < end {
        let rest = (Instant::now() + PACE).min(end);
        while Instant::now() < rest {
            client.listen_until(rest).await;
        }
        if let Some((target, verb)) = next(client, turn) {
            client.act(vec![target], verb).await?;
        }
        turn += 1;
    }
    Ok(())
}

/// What to do in this turn, if there is an incident for it.
fn next(client: &Client, turn: usize) -> Option<(Target, Verb)> {
    let with = |status: Status| {
        let mut found: Vec<&Incident> = client.board.incidents.values().filter(|i| i.state.status == status).collect();
        found.sort_by_key(|i| (i.state.created_at, i.key.clone()));
        found.first().map(|incident| Target::at(incident))
    };
    match turn % 4 {
        0 | 2 => Some((with(Status::Triggered)?, Verb::Acknowledge)),
        1 => {
            let person = client.board.accounts.values().flat_map(|known| &known.oncalls).nth(turn % 3)?.user.clone();
            let note = Some(format!("handed off in turn {turn}"));
            Some((with(Status::Acknowledged)?, Verb::HandOff { to: Assignee::User(person), note }))
        }
        _ => Some((with(Status::Acknowledged)?, Verb::Resolve { note: None })),
    }
}

//! The shifts of schedules in the coming days.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Client, Exit, Failure, Outcome, find_schedule, local, output, told};
use crate::{
    core::{
        freshness::Sight,
        id::{AccountName, ScheduleId},
        incident::Named,
        oncall::Schedule,
        rota::{Edge, Stretch, stretches},
        span::Span,
        words,
    },
    proto::{Answer, Request},
};

pub(super) async fn show(client: &mut Client, schedule: Option<&str>, days: u16, json: bool) -> Outcome {
    let wanted = if let Some(text) = schedule { vec![find_schedule(client, text)?] } else { all(client) };
    let mut rows = vec![];
    for (account, schedule) in wanted {
        let now = client.board.provider_time(&account, Timestamp::now());
        let length = SignedDuration::from_hours(24 * i64::from(days));
        let span = Span { from: now, to: now.checked_add(length).unwrap_or(now) };
        let known = fetch(client, account.clone(), schedule, span).await?;
        if json {
            rows.push(as_json(&account, &known, now));
        } else {
            print(&account, &known, now);
        }
    }
    let doubts = client.doubts_about(&[Sight::Schedules]);
    if json {
        output::json(&json!({ "schedules": rows, "trusted": doubts.is_empty(), "doubts": doubts }))?;
    }
    Ok(told(&doubts))
}

fn all(client: &Client) -> Vec<(AccountName, Named<ScheduleId>)> {
    let accounts = client.board.accounts.values();
    let each = accounts.flat_map(|board| board.schedules.iter().map(|known| (&board.account.name, known)));
    each.map(|(account, known)| (account.clone(), known.schedule.clone())).collect()
}

/// The shifts as the provider tells them now.
pub(super) async fn fetch(
    client: &mut Client,
    account: AccountName,
    schedule: Named<ScheduleId>,
    span: Span,
) -> Result<Schedule, Failure> {
    match client.ask(Request::Shifts { account, schedule, span }).await? {
        Answer::Shifts { schedule } => Ok(*schedule),
        _ => Err(Failure::new(Exit::Failed, "the server answered another question")),
    }
}

fn as_json(account: &AccountName, known: &Schedule, now: Timestamp) -> Value {
    let stretch = |stretch: &Stretch<'_>| {
        json!({
            "start": stretch.start.known(), "end": stretch.end.known(), "user": stretch.who,
            "override": stretch.from_override, "now": stretch.now,
        })
    };
    let stretches: Vec<Value> = stretches(known, now).iter().map(stretch).collect();
    json!({
        "account": account, "schedule": known.schedule, "time_zone": known.zone, "until": known.to, "shifts": stretches,
    })
}

fn print(account: &AccountName, known: &Schedule, now: Timestamp) {
    let zone = words::zone_called(known.zone.as_str());
    output::line(&format!("{account}: {}, kept in {zone}", known.schedule.name));
    let all = stretches(known, now);
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|stretch| {
            let edge = |edge: Edge| match edge {
                Edge::At(at) => local(at),
                Edge::Beyond(at) => format!("beyond {}", local(at)),
            };
            let start = if stretch.now { "now".to_owned() } else { edge(stretch.start) };
            let who = stretch.who.map_or_else(|| "! NOBODY".to_owned(), |who| who.name.to_string());
            vec![start, edge(stretch.end), who, if stretch.from_override { "override".into() } else { String::new() }]
        })
        .collect();
    output::table(&["FROM", "TILL", "WHO", ""], &rows);
    match all.last().map(|stretch| stretch.end) {
        None => output::line(&format!("! NOBODY until {}", local(known.to))),
        Some(Edge::At(end)) if end < known.to => {
            output::line(&format!("! NOBODY from {} until {}", local(end), local(known.to)));
        }
        Some(_) => {}
    }
    output::line("");
}

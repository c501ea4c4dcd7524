//! Overrides: put somebody on a schedule for a time, or take an override away.

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Client, Exit, Failure, Outcome, When, find_schedule, local, me, missing, output, schedule};
use crate::{
    cli::maintenance::report,
    core::{
        arrangement::{Arrangement, Cover},
        freshness::Sight,
        id::{AccountName, ScheduleId, UserId},
        incident::Named,
        rota::{Override, replaced},
        span::Span,
        text::Shown,
    },
    proto::{Answer, Request},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Put somebody on a schedule.
    Add {
        /// Name or id of the schedule.
        schedule: String,
        /// A person's name, e-mail address or id.
        #[arg(long)]
        user: String,
        #[command(flatten)]
        when: When,
    },
    /// Take overrides away. One that runs ends now.
    Delete {
        /// Name or id of the schedule.
        schedule: String,
        /// Ids of overrides, as `override list` shows them.
        #[arg(required = true)]
        overrides: Vec<String>,
    },
    /// The overrides of a schedule in the coming days.
    List {
        /// Name or id of the schedule.
        schedule: String,
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=90))]
        days: u16,
    },
}

pub(super) async fn run(client: &mut Client, command: Command, json: bool) -> Outcome {
    match command {
        Command::Add { schedule, user, when } => {
            let (account, schedule) = find_schedule(client, &schedule)?;
            let user = person(client, &account, &user)?;
            cover(client, account, schedule, user, &when, json).await
        }
        Command::Delete { schedule, overrides } => {
            let (account, schedule) = find_schedule(client, &schedule)?;
            delete(client, account, schedule, &overrides, json).await
        }
        Command::List { schedule, days } => {
            let (account, schedule) = find_schedule(client, &schedule)?;
            list(client, account, &schedule, days, json).await
        }
    }
}

pub(super) async fn take(client: &mut Client, schedule: &str, when: &When, json: bool) -> Outcome {
    let (account, schedule) = find_schedule(client, schedule)?;
    let myself = client.board.accounts.get(&account).and_then(|board| me(client, board)).cloned();
    let unknown = || {
        let why = format!("at {account} it is not known who you are: `oncall override add --user` names somebody");
        missing(client, Sight::People, &why)
    };
    let user = myself.ok_or_else(unknown)?;
    cover(client, account, schedule, user, when, json).await
}

async fn cover(
    client: &mut Client,
    account: AccountName,
    schedule: Named<ScheduleId>,
    user: Named<UserId>,
    when: &When,
    json: bool,
) -> Outcome {
    let span = when.read(client, &account)?;
    let shifts = schedule::fetch(client, account.clone(), schedule.clone(), span).await?;
    let (replaces, gap) = replaced(&shifts, span.from, span.to);
    if !json {
        let others: Vec<&str> = replaces.iter().filter(|one| one.id != user.id).map(|one| one.name.as_str()).collect();
        let place = if others.is_empty() { "nobody".to_owned() } else { others.join(", ") };
        let gap = if gap { "; a part of that time has nobody now" } else { "" };
        output::line(&format!(
            "{}: {} from {} till {}, in place of {place}{gap}",
            schedule.name,
            user.name,
            local(span.from),
            local(span.to)
        ));
    }
    let what = Arrangement::AddOverrides { schedule, covers: vec![Cover { user, span, replaces }] };
    let action = client.arrange(account, what.clone()).await?;
    report(&action, &what, json)
}

/// A person of the account.
fn person(client: &Client, account: &AccountName, text: &str) -> Result<Named<UserId>, Failure> {
    let people = client.board.accounts.get(account).map(|board| board.people.as_slice()).unwrap_or_default();
    let same = |name: &Shown| name.as_str().eq_ignore_ascii_case(text);
    let is_meant = |person: &&crate::core::oncall::Person| {
        person.user.id.as_str() == text || same(&person.user.name) || person.email.as_ref().is_some_and(same)
    };
    let mut found = people.iter().filter(is_meant).map(|person| person.user.clone());
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Usage, format!("`{text}` names several people: use the id"))),
        (None, _) => Err(missing(client, Sight::People, &format!("nobody at {account} is called `{text}`"))),
    }
}

async fn fetch(
    client: &mut Client,
    account: AccountName,
    schedule: &Named<ScheduleId>,
    days: u16,
) -> Result<Vec<Override>, Failure> {
    let from = client.board.provider_time(&account, Timestamp::now());
    let length = SignedDuration::from_hours(24 * i64::from(days));
    let span = Span { from, to: from.checked_add(length).unwrap_or(from) };
    match client.ask(Request::Overrides { account, schedule: schedule.id.clone(), span }).await? {
        Answer::Overrides { overrides } => Ok(overrides),
        _ => Err(Failure::new(Exit::Failed, "the server answered another question")),
    }
}

async fn list(
    client: &mut Client,
    account: AccountName,
    schedule: &Named<ScheduleId>,
    days: u16,
    json: bool,
) -> Outcome {
    let overrides = fetch(client, account.clone(), schedule, days).await?;
    if json {
        output::json(&json!({ "account": account, "schedule": schedule, "overrides": overrides }))?;
        return Ok(Exit::Done);
    }
    if overrides.is_empty() {
        output::line(&format!("{} has no overrides in the coming {days} days", schedule.name));
        return Ok(Exit::Done);
    }
    let row = |one: &Override| vec![one.id.to_string(), one.user.name.to_string(), local(one.start), local(one.end)];
    output::table(&["ID", "WHO", "FROM", "TILL"], &overrides.iter().map(row).collect::<Vec<_>>());
    Ok(Exit::Done)
}

async fn delete(
    client: &mut Client,
    account: AccountName,
    schedule: Named<ScheduleId>,
    ids: &[String],
    json: bool,
) -> Outcome {
    let known = fetch(client, account.clone(), &schedule, 90).await?;
    let mut overrides = vec![];
    for id in ids {
        let found = known.iter().find(|one| one.id.as_str() == id);
        let lack = || {
            Failure::new(
                Exit::Failed,
                format!("{} has no override `{id}` that is not over; nothing was sent", schedule.name),
            )
        };
        overrides.push(found.cloned().ok_or_else(lack)?);
    }
    let what = Arrangement::RemoveOverrides { schedule, overrides };
    let action = client.arrange(account, what.clone()).await?;
    report(&action, &what, json)
}

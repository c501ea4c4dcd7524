//! `dogwatch maintenance`: windows in which services call nobody.

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;

use super::{
    Exit, Failure, Outcome, Places,
    client::Client,
    oncall::{When, local, missing},
    output,
};
use crate::core::{
    action::{self, Action},
    arrangement::Arrangement,
    freshness::Sight,
    id::{AccountName, ServiceId},
    incident::Named,
    service::Window,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The windows that run or are to come.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Put services into maintenance for a time: new incidents of theirs call nobody. As in
    /// `start 30m --service Checkout -m 'disk swap'`.
    Start {
        /// Name or id of a service; may be repeated.
        #[arg(long = "service", required = true)]
        services: Vec<String>,
        #[command(flatten)]
        when: When,
        /// What for.
        #[arg(long, short, default_value = "")]
        message: String,
        #[arg(long)]
        json: bool,
    },
    /// End a window: one that is to come is taken away, one that runs ends now.
    End {
        /// Ids of windows, as `list` shows them.
        #[arg(required = true)]
        windows: Vec<String>,
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    let mut client = Client::open(places).await?;
    let outcome = with(&mut client, command).await;
    client.close().await;
    outcome
}

async fn with(client: &mut Client, command: Command) -> Outcome {
    client.ask_for_all_but_incidents().await?;
    match command {
        Command::List { json } => list(client, json),
        Command::Start { services, when, message, json } => start(client, &services, &when, message, json).await,
        Command::End { windows, json } => end(client, &windows, json).await,
    }
}

fn all(client: &Client) -> Vec<(AccountName, Window)> {
    let now = Timestamp::now();
    let accounts = client.board.accounts.values();
    let open = accounts.flat_map(|board| {
        let theirs = board.account.provider_time(now);
        let windows = board.services.windows.iter().filter(move |window| !window.is_over(theirs));
        windows.map(|window| (board.account.name.clone(), window.clone()))
    });
    open.collect()
}

fn list(client: &Client, json: bool) -> Outcome {
    let windows = all(client);
    let doubts = client.doubts_about(&[Sight::Windows]);
    if json {
        let rows: Vec<_> =
            windows.iter().map(|(account, window)| json!({ "account": account, "window": window })).collect();
        output::json(&json!({ "windows": rows, "trusted": doubts.is_empty(), "doubts": doubts }))?;
    } else if windows.is_empty() {
        if doubts.is_empty() {
            output::line("no maintenance windows");
        }
    } else {
        let row = |(account, window): &(AccountName, Window)| {
            let services: Vec<&str> = window.services.iter().map(|service| service.name.as_str()).collect();
            let by = window.created_by.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![
                account.to_string(),
                window.id.to_string(),
                local(window.start),
                local(window.end),
                services.join(", "),
                window.description.to_string(),
                by,
            ]
        };
        let rows: Vec<Vec<String>> = windows.iter().map(row).collect();
        output::table(&["ACCOUNT", "ID", "FROM", "TILL", "SERVICES", "WHAT FOR", "BY"], &rows);
    }
    for doubt in &doubts {
        output::complain(doubt);
    }
    Ok(if doubts.is_empty() { Exit::Done } else { Exit::Stale })
}

/// The service that is meant.
fn find_service(client: &Client, text: &str) -> Result<(AccountName, Named<ServiceId>), Failure> {
    let accounts = client.board.accounts.values();
    let each = accounts.flat_map(|board| board.services.services.iter().map(|one| (&board.account.name, &one.service)));
    let is_meant = |one: &Named<ServiceId>| one.id.as_str() == text || one.name.as_str().eq_ignore_ascii_case(text);
    let mut found = each.filter(|(_, one)| is_meant(one)).map(|(account, one)| (account.clone(), one.clone()));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Usage, format!("`{text}` names several services: use the id"))),
        (None, _) => Err(missing(client, Sight::Services, &format!("no service is called `{text}`"))),
    }
}

async fn start(client: &mut Client, services: &[String], when: &When, message: String, json: bool) -> Outcome {
    let found = services.iter().map(|text| find_service(client, text)).collect::<Result<Vec<_>, _>>()?;
    let Some((account, _)) = found.first().cloned() else {
        return Err(Failure::new(Exit::Usage, "name a service: --service"));
    };
    if found.iter().any(|(other, _)| *other != account) {
        return Err(Failure::new(Exit::Usage, "these services belong to several accounts: one account's at a time"));
    }
    let span = when.read(client, &account)?;
    let services = found.into_iter().map(|(_, service)| service).collect();
    let what = Arrangement::StartMaintenance { services, span, description: message };
    if !json {
        output::line(&format!("{}: from {} till {}", what.subject(0), local(span.from), local(span.to)));
    }
    let action = client.arrange(account, what.clone()).await?;
    report(&action, &what, json)
}

async fn end(client: &mut Client, ids: &[String], json: bool) -> Outcome {
    let known = all(client);
    let mut found = vec![];
    for id in ids {
        let window = known.iter().find(|(_, window)| window.id.as_str() == id);
        let lack = || {
            missing(client, Sight::Windows, &format!("there is no window `{id}` that is not over; nothing was sent"))
        };
        found.push(window.cloned().ok_or_else(lack)?);
    }
    let Some((account, _)) = found.first().cloned() else { return Err(Failure::new(Exit::Usage, "name a window")) };
    if found.iter().any(|(other, _)| *other != account) {
        return Err(Failure::new(Exit::Usage, "these windows belong to several accounts: one account's at a time"));
    }
    let named = |(_, window): (AccountName, Window)| Named { id: window.id, name: window.description };
    let what = Arrangement::EndMaintenance { windows: found.into_iter().map(named).collect() };
    let action = client.arrange(account, what.clone()).await?;
    report(&action, &what, json)
}

/// Each part with its own outcome, and the exit code by all of them.
pub(super) fn report(action: &Action, what: &Arrangement, json: bool) -> Outcome {
    if json {
        output::json(action)?;
    } else {
        for (at, (_, outcome)) in action.outcomes.iter().enumerate() {
            output::line(&format!("{} {}: {}", what.word(), what.subject(at), sentence(outcome)));
        }
    }
    let done = action.outcomes.iter().filter(|(_, o)| matches!(o, action::Outcome::Confirmed { .. })).count();
    let partly = action.outcomes.iter().any(|(_, o)| matches!(o, action::Outcome::Partly { .. }));
    Ok(match done {
        all if all == action.outcomes.len() => Exit::Done,
        0 if !partly => Exit::Failed,
        _ => Exit::Partly,
    })
}

fn sentence(outcome: &action::Outcome) -> String {
    let word = outcome.word();
    match outcome {
        action::Outcome::Pending { .. }
        | action::Outcome::TakenBack
        | action::Outcome::Sent
        | action::Outcome::Confirmed { notice: None } => word.to_owned(),
        action::Outcome::Confirmed { notice: Some(notice) } => format!("{word} ({notice})"),
        action::Outcome::Partly { done, failed } => format!("{done}, but {failed}"),
        action::Outcome::Failed { reason }
        | action::Outcome::Unknown { reason }
        | action::Outcome::Conflict { reason, .. } => format!("{word}: {reason}"),
    }
}

//! `dogwatch webhook`: the provider's subscriptions to its webhooks, and a test of the whole way to the log.
//!
//! A signing secret is told once, by the provider, when a subscription is made. It goes into a file of its owner's
//! that is there before the subscription is; it is printed only where that was asked for, and never logged.

mod secret_file;
mod way;

use std::path::PathBuf;

use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{Exit, Failure, Outcome, Places, output};
use crate::{
    config::{AccountSettings, SecretRef, WebhookSettings},
    core::{
        id::{AccountName, SubscriptionId},
        subscription::{self, Filter, NewSubscription, Subscription},
    },
};

pub(super) use way::{Arrival, Way};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The subscriptions at the provider, and which of them lead here.
    List {
        #[command(flatten)]
        of: Of,
        #[arg(long)]
        json: bool,
    },
    /// Subscribe this account's door.
    Create {
        #[command(flatten)]
        of: Of,
        /// What the provider reaches this host by, before /hooks; `public_url` unless said.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// What it tells of: account, service:ID or team:ID.
        #[arg(long, default_value = "account")]
        filter: Filter,
        /// Write the signing secret to this new file; the first file in `secrets` that is not there yet unless said.
        #[arg(long, value_name = "FILE", conflicts_with = "print_secret")]
        secret_file: Option<PathBuf>,
        /// Print the signing secret, this once, instead of writing it to a file.
        #[arg(long)]
        print_secret: bool,
    },
    /// Switch a subscription on again, and test it.
    Enable {
        #[command(flatten)]
        of: Of,
        /// The subscription; the one that leads here unless said.
        id: Option<SubscriptionId>,
    },
    /// Ask for a test delivery, and wait until it is in the log.
    Ping {
        #[command(flatten)]
        of: Of,
        /// The subscription; the one that leads here unless said.
        id: Option<SubscriptionId>,
    },
    /// Delete a subscription.
    Delete {
        #[command(flatten)]
        of: Of,
        id: SubscriptionId,
    },
}

#[derive(clap::Args)]
pub(super) struct Of {
    /// The account; not needed where there is one.
    #[arg(long, value_name = "NAME")]
    account: Option<AccountName>,
}

/// What of a subscription is printed; never its whole address, which may hold the key of the path.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    state: &'static str,
    here: bool,
    filter: String,
    leads_to: &'a str,
    description: &'a str,
    events: Vec<&'a str>,
}

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    match command {
        Command::List { of, json } => list(&way(places, &of).await?, json).await,
        Command::Create { of, url, filter, secret_file, print_secret } => {
            let way = way(places, &of).await?;
            let keep = if print_secret { Keep::Printed } else { Keep::InFile(secret_file) };
            create(&way, url.as_deref(), filter, keep).await
        }
        Command::Enable { of, id } => {
            let way = way(places, &of).await?;
            let subscription = way.named_or_ours(id).await?;
            enable(&way, &subscription).await?;
            test(&way, &subscription).await
        }
        Command::Ping { of, id } => {
            let way = way(places, &of).await?;
            let subscription = way.named_or_ours(id).await?;
            test(&way, &subscription).await
        }
        Command::Delete { of, id } => {
            way(places, &of).await?.delete(&id).await?;
            output::line(&format!("{id} is deleted"));
            Ok(Exit::Done)
        }
    }
}

async fn way(places: &Places, of: &Of) -> Result<Way, Failure> {
    let settings = places.settings()?;
    let account = chosen(settings.accounts, of.account.as_ref())?;
    Way::open(places, account).await
}

fn chosen(accounts: Vec<AccountSettings>, named: Option<&AccountName>) -> Result<AccountSettings, Failure> {
    let known: Vec<String> = accounts.iter().map(|account| account.name.to_string()).collect();
    let mut fitting: Vec<AccountSettings> =
        accounts.into_iter().filter(|account| named.is_none_or(|name| account.name == *name)).collect();
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    match (fitting.len(), named) {
        (1, _) => Ok(fitting.remove(0)),
        (0, Some(name)) => usage(format!("there is no account `{name}`; there is: {}", known.join(", "))),
        (0, None) => usage("no account is configured".to_owned()),
        _ => usage(format!("which account? --account {}", known.join(" | "))),
    }
}

async fn list(way: &Way, json: bool) -> Outcome {
    let all = way.list().await?;
    let places: Vec<_> = all.iter().map(Subscription::place).collect();
    let rows: Vec<Row<'_>> = all
        .iter()
        .zip(&places)
        .map(|(one, place)| Row {
            id: one.id.as_str(),
            state: one.state.word(),
            here: way.is_ours(one),
            filter: one.filter.to_string(),
            leads_to: place.as_str(),
            description: one.description.as_str(),
            events: one.events.iter().map(crate::core::text::Shown::as_str).collect(),
        })
        .collect();
    if json {
        output::json(&rows)?;
        return Ok(Exit::Done);
    }
    let cells = |row: &Row<'_>| {
        let here = if row.here { "here" } else { "" };
        [row.id, row.state, here, &row.filter, row.leads_to, row.description].map(str::to_owned).to_vec()
    };
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    output::table(&["ID", "STATE", "", "FILTER", "LEADS TO", "DESCRIPTION"], &cells);
    Ok(Exit::Done)
}

/// Where the secret of a new subscription goes.
pub(super) enum Keep {
    Printed,
    /// This file, or the one that the configuration waits for.
    InFile(Option<PathBuf>),
}

/// Subscribes the door.
pub(super) async fn create(way: &Way, url: Option<&str>, filter: Filter, keep: Keep) -> Outcome {
    let (webhook, url_key) = way.door()?;
    if let Some(there) = way.list().await?.iter().find(|one| way.is_ours(one) && one.filter == filter) {
        let says = format!("{} leads here already, it is {}: `dogwatch webhook enable`", there.id, there.state.word());
        return Err(Failure::new(Exit::Failed, says));
    }
    let url = checked_url(url, webhook)?;
    let new = NewSubscription {
        url: subscription::door(&url, way.account(), url_key),
        description: format!("dogwatch, account {}", way.account()),
        filter,
    };
    let file = match keep {
        Keep::Printed => None,
        Keep::InFile(named) => Some(secret_file::SecretFile::prepare(awaited(webhook, named)?)?),
    };
    let created = match way.create(&new).await {
        Ok(created) => created,
        Err(failure) => {
            if let Some(file) = file {
                file.abandon();
            }
            return Err(failure);
        }
    };
    let id = &created.subscription.id;
    output::line(&format!(
        "{id} leads to {} and is {}",
        created.subscription.place(),
        created.subscription.state.word()
    ));
    match file {
        Some(file) => {
            let path = file.fill(&created.secret)?;
            output::line(&format!("its secret is in {}, which `secrets` names: the running server", path.display()));
            output::line("reads it within 15 s, and asks to retry until then. Then: dogwatch webhook ping");
        }
        None => print_secret(&created.secret),
    }
    Ok(Exit::Done)
}

fn print_secret(secret: &SecretString) {
    output::line(secret.expose_secret());
    output::complain("put it where `secrets` looks for it, at once: three refusals in a row stop push for a day");
}

fn checked_url(url: Option<&str>, webhook: &WebhookSettings) -> Result<String, Failure> {
    match (url, &webhook.public_url) {
        (Some(url), _) => crate::config::public_url(url).map_err(|problem| Failure::new(Exit::Usage, problem)),
        (None, Some(url)) => Ok(url.clone()),
        (None, None) => {
            let lack = "what does the provider reach this host by? --url, or `public_url` in [account.webhook]";
            Err(Failure::new(Exit::Usage, lack))
        }
    }
}

/// The file that the configuration names and that is not there yet. While it is missing or empty, senders are asked
/// to retry; with any other place the first deliveries would be refused, and refused ones are lost.
fn awaited(webhook: &WebhookSettings, named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let files: Vec<&PathBuf> = webhook
        .secrets
        .iter()
        .filter_map(|secret| if let SecretRef::File { path } = secret { Some(path) } else { None })
        .collect();
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    let advice = "add { file = \"…\" } with a new path to `secrets`, restart the server, and create it then, \
                  so that nothing is refused in between (or --print-secret)";
    match named {
        Some(path) if files.contains(&&path) => Ok(path),
        Some(path) => usage(format!("`secrets` does not name {}: {advice}", path.display())),
        None => match files.into_iter().find(|path| !path.exists()) {
            Some(path) => Ok(path.clone()),
            None => usage(format!("nowhere to put the new secret: {advice}")),
        },
    }
}

/// Switches a subscription on and says so.
pub(super) async fn enable(way: &Way, subscription: &Subscription) -> Result<(), Failure> {
    let now = way.enable(subscription).await?;
    output::line(&format!("{} is {}", now.id, now.state.word()));
    Ok(())
}

/// Asks for a test delivery and says what became of it.
pub(super) async fn test(way: &Way, subscription: &Subscription) -> Outcome {
    match way.ping(&subscription.id).await? {
        Arrival::Genuine { after } => {
            output::line(&format!("ping arrived after {:.1} s", after.as_secs_f64()));
            Ok(Exit::Done)
        }
        Arrival::Refused { reason } => {
            Err(Failure::new(Exit::Failed, format!("a delivery came and was refused: {reason}")))
        }
        Arrival::Nothing { within } => {
            let says = format!(
                "no ping within {} s: `dogwatch doctor` says which link is broken; if all here are well, \
                 the way from the provider to this host is",
                within.as_secs()
            );
            Err(Failure::new(Exit::Failed, says))
        }
    }
}

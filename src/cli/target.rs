//! `dogwatch target`: where outgoing webhooks go. What is kept is asked of the server, and changed by it. No secret is
//! taken from the command line, where everybody on the machine could read it, and none is ever printed.

mod form;
mod show;

use clap::Subcommand;

use super::{Exit, Failure, Outcome, Places, client::Client, output};
use crate::{
    core::{
        delivery::{DeliverySummary, Verdict},
        forward::{
            TargetSummary, checks,
            form::{Making, TargetForm},
        },
        id::{DeliveryId, TargetName},
        template::Subject,
        text::Shown,
    },
    proto::{Answer, Request},
};
use form::SettingArgs;

#[derive(Subcommand)]
pub(super) enum Command {
    /// The targets, how each stands, and what is set.
    List {
        #[arg(long)]
        json: bool,
    },
    /// One target, with its latest attempts.
    Show {
        #[arg(value_parser = checks::name)]
        name: TargetName,
        #[arg(long)]
        json: bool,
    },
    /// Make a target. It is kept beside the store, readable by you alone.
    Add {
        #[arg(value_parser = checks::name)]
        name: TargetName,
        #[command(flatten)]
        settings: Box<SettingArgs>,
        /// Off until somebody enables it.
        #[arg(long)]
        off: bool,
    },
    /// Change a target that was made so; what is not given stays.
    Edit {
        #[arg(value_parser = checks::name)]
        name: TargetName,
        #[command(flatten)]
        settings: Box<SettingArgs>,
    },
    /// Forget a target that was made so.
    Remove {
        #[arg(value_parser = checks::name)]
        name: TargetName,
    },
    /// Send to a target from now on; failures so far are forgiven.
    Enable {
        #[arg(value_parser = checks::name)]
        name: TargetName,
    },
    /// Send nothing to a target from now on; what waits is dropped.
    Disable {
        #[arg(value_parser = checks::name)]
        name: TargetName,
    },
    /// Send a test at once, and say what came of it: exits 1 when it was not taken.
    Test {
        #[arg(value_parser = checks::name)]
        name: TargetName,
        /// Send the event of this delivery of the log, in place of a made-up one.
        #[arg(long, value_name = "NUMBER", conflicts_with = "sample")]
        delivery: Option<i64>,
        /// Send the sample of this event type, as `incident.resolved`.
        #[arg(long, value_name = "EVENT")]
        sample: Option<String>,
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    // What is read from standard input comes before anything is begun.
    let prepared = match &command {
        Command::Add { settings, .. } | Command::Edit { settings, .. } => Some(settings.read()?),
        _ => None,
    };
    let mut client = Client::open(places).await?;
    let outcome = done(&mut client, command, prepared).await;
    client.close().await;
    outcome
}

async fn done(client: &mut Client, command: Command, typed: Option<form::Typed>) -> Outcome {
    let typed = typed.unwrap_or_default();
    match command {
        Command::List { json } => list(&client.board.targets, json),
        Command::Show { name, json } => {
            let target = known(client, &name)?;
            let attempts = show::attempts(client, &name).await?;
            show::print(&target, &attempts, json)
        }
        Command::Add { name, settings, off } => {
            let form = settings.form(&name, None, typed)?;
            let making = Making::New { on: !off };
            keep(client, Request::SaveTarget { form: Box::new(form), making, base: None }).await
        }
        Command::Edit { name, settings } => {
            let former = known(client, &name)?;
            let form = settings.form(&name, Some(&former), typed)?;
            let base = Some(Box::new(TargetForm::of(&former)));
            keep(client, Request::SaveTarget { form: Box::new(form), making: Making::Changed, base }).await
        }
        Command::Remove { name } => tell(client, Request::RemoveTarget { name }, "removed").await,
        Command::Enable { name } => tell(client, Request::SwitchTarget { name, on: true }, "on").await,
        Command::Disable { name } => tell(client, Request::SwitchTarget { name, on: false }, "off").await,
        Command::Test { name, delivery, sample, json } => {
            let sample = sample.map_or_else(Subject::default, Subject::Sample);
            let on = delivery.map_or(sample, |id| Subject::Delivery(DeliveryId(id)));
            match client.ask(Request::TestTarget { name, on }).await? {
                Answer::Attempted { delivery } => tested(&delivery, json),
                _ => Err(another()),
            }
        }
    }
}

fn another() -> Failure {
    Failure::new(Exit::Failed, "the server answered something else")
}

fn known(client: &Client, name: &TargetName) -> Result<TargetSummary, Failure> {
    let found = client.board.targets.iter().find(|target| target.name == *name).cloned();
    found.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("no target is called {name}; `dogwatch target list` names them"))
    })
}

fn list(targets: &[TargetSummary], json: bool) -> Outcome {
    if json {
        output::json(&targets)?;
        return Ok(Exit::Done);
    }
    if targets.is_empty() {
        output::line("no target: `dogwatch target add` makes one, or [[target]] in the configuration file");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = targets.iter().map(show::row).collect();
    output::table(&show::HEADINGS, &rows);
    Ok(Exit::Done)
}

/// Asks for something and says that it is so.
async fn tell(client: &mut Client, request: Request, word: &str) -> Outcome {
    let Answer::TargetKept { name, .. } = client.ask(request).await? else { return Err(another()) };
    output::line(&format!("target {name} is {word}"));
    Ok(Exit::Done)
}

/// The same for settings, with what is probably not meant.
async fn keep(client: &mut Client, request: Request) -> Outcome {
    let Answer::TargetKept { name, advice } = client.ask(request).await? else { return Err(another()) };
    output::line(&format!("target {name} is kept; `dogwatch target test {name}` sends a test"));
    for advice in advice {
        output::complain(&format!("advice: {advice}"));
    }
    Ok(Exit::Done)
}

fn tested(attempt: &DeliverySummary, json: bool) -> Outcome {
    if json {
        output::json(attempt)?;
    } else {
        let target = attempt.target.as_ref().map_or("", |name| name.as_str());
        let taken = if attempt.verdict == Verdict::Sent { "took it" } else { "did not take it" };
        let reason = Shown::as_str(&attempt.reason);
        output::line(&format!("{target} {taken}: {reason} (delivery {} of the log)", attempt.id));
    }
    Ok(if attempt.verdict == Verdict::Sent { Exit::Done } else { Exit::Failed })
}

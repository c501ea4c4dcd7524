//! `dogwatch action`: who did what, and what became of it. Asked of the running server, else read from the store.

use clap::Subcommand;

use super::{Exit, Failure, Outcome, Places, client::Client, output};
use crate::{
    core::action::Action,
    proto::{Answer, Request},
    server::ownership,
    store::Reader,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// The newest actions: who asked, in whose name, for what, and the outcome for each incident.
    List {
        #[arg(long)]
        json: bool,
        /// How many, newest first; 500 at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

pub(super) async fn run(places: &Places, command: &Command) -> Outcome {
    let Command::List { json, limit } = *command;
    let actions = actions(places, limit).await?;
    if json {
        output::json(&actions)?;
    } else {
        let rows: Vec<Vec<String>> = actions.iter().flat_map(rows).collect();
        output::table(
            &["NUMBER", "TIME (UTC)", "WHO", "UID", "IN THE NAME OF", "ACTION", "INCIDENT", "OUTCOME"],
            &rows,
        );
    }
    Ok(Exit::Done)
}

async fn actions(places: &Places, limit: u32) -> Result<Vec<Action>, Failure> {
    let shared = places.shared().dial().await;
    let own = ownership::dial(&ownership::socket_path(&places.state_dir()?)).await;
    match (&shared, &own) {
        (Ok(Some(_)), _) | (_, Ok(Some(_))) => {}
        (Err(refused), _) => return Err(Failure::new(Exit::Failed, refused)),
        (Ok(None), _) => return Ok(Reader::open(&places.state_dir()?)?.actions(limit)?),
    }
    drop((shared, own));
    let mut client = Client::open(places).await?;
    let answer = client.ask(Request::Actions { limit }).await;
    client.close().await;
    match answer? {
        Answer::Actions { actions } => Ok(actions),
        _ => Err(Failure::new(Exit::Failed, "an answer to another question")),
    }
}

/// One for each incident.
fn rows(action: &Action) -> impl Iterator<Item = Vec<String>> {
    action.outcomes.iter().map(|(key, outcome)| {
        let by = &action.by;
        vec![
            action.id.to_string(),
            action.at.to_string(),
            by.actor.to_string(),
            by.uid.map(|uid| uid.to_string()).unwrap_or_default(),
            by.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            action.verb.word().to_owned(),
            format!("{}/{}", key.account, key.id),
            outcome.words(),
        ]
    })
}

//! `dogwatch config`: write a sample, check what is there.

use clap::Subcommand;

use super::{Exit, Outcome, Places, output};
use crate::config as settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Write a commented sample, readable by you alone. Never overwrites.
    Init,
    /// Say what is wrong with the configuration, and what could be better.
    Check {
        /// Read the secrets too (runs the configured commands).
        #[arg(long)]
        secrets: bool,
    },
    /// Where the configuration and the state are looked for.
    Path,
}

pub(super) async fn run(places: &Places, command: Command) -> Outcome {
    let path = places.config_path()?;
    match command {
        Command::Init => {
            settings::init(&path)?;
            output::line(&format!("wrote {}: fill it in, then run `dogwatch config check`", path.display()));
            Ok(Exit::Done)
        }
        Command::Check { secrets } => check(places, secrets).await,
        Command::Path => {
            output::line(&format!("configuration  {}", path.display()));
            output::line(&format!("state          {}", places.state_dir()?.display()));
            Ok(Exit::Done)
        }
    }
}

async fn check(places: &Places, secrets: bool) -> Outcome {
    let loaded = places.settings()?;
    for advice in settings::advice(&loaded) {
        output::line(&format!("advice: {advice}"));
    }
    let mut wrong = 0;
    if secrets {
        for account in &loaded.accounts {
            let webhook = account.webhook.iter().flat_map(|w| std::iter::once(&w.url_key).chain(&w.secrets));
            for secret in account.token.iter().chain(webhook) {
                if let Err(error) = secret.read().await {
                    wrong += 1;
                    output::complain(&format!("account `{}`: {error}", account.name));
                }
            }
        }
    }
    if wrong > 0 {
        return Ok(Exit::Usage);
    }
    output::line(&format!("{}: ok, {} account(s)", places.config_path()?.display(), loaded.accounts.len()));
    Ok(Exit::Done)
}

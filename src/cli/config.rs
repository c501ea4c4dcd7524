//! `dogwatch config`: write a sample, check what is there.

use clap::Subcommand;

use jiff::Timestamp;

use super::{Exit, Failure, Outcome, Places, client::Client, output};
use crate::{
    config::{self as settings, AS_ROOT, PersonSettings, SecretRef, Settings, TlsSettings},
    core::words::count,
    proto::{Answer, Request},
    server::{
        certificate,
        hooks::{self, Purpose},
    },
    template::Library,
};

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
    /// Have the running dogwatch read settings and secrets again, without dropping a connection.
    Reload,
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
        Command::Reload => reload(places).await,
        Command::Path => {
            output::line(&format!("configuration  {}", path.display()));
            output::line(&format!("state          {}", places.state_dir()?.display()));
            Ok(Exit::Done)
        }
    }
}

/// Asks whoever runs; what is wrong with the new settings is said by it, who keeps the former ones then.
async fn reload(places: &Places) -> Outcome {
    let shared = places.shared().dial().await.map_err(|refused| Failure::new(Exit::Failed, refused))?;
    if shared.is_none() && !super::console::someone_serves(&places.state_dir()?).await {
        return Err(Failure::new(Exit::Failed, "no dogwatch is running: the next one reads the settings anyway"));
    }
    let mut client = Client::open(places).await?;
    let answer = client.ask(Request::Reload).await;
    client.close().await;
    let Answer::Reloaded { changes } = answer? else {
        return Err(Failure::new(Exit::Failed, "an answer to another question"));
    };
    for change in changes {
        output::line(&change);
    }
    Ok(Exit::Done)
}

/// How much is wrong with it.
fn check_certificate(tls: &TlsSettings) -> usize {
    match certificate::load(tls) {
        Ok(pair) => {
            if let Some(warning) = certificate::warning(pair.ends, Timestamp::now()) {
                output::line(&format!("advice: {warning}"));
            }
            0
        }
        Err(problem) => {
            output::complain(&format!("receiver.tls: {problem}"));
            1
        }
    }
}

/// Says why a secret of `place` cannot be used, for its purpose if it is one of a door's: how much is wrong.
async fn check_secret(place: &str, purpose: Option<&Purpose>, secret: &SecretRef) -> usize {
    if secret.is_out_of_reach() {
        output::line(&format!("not read: {place}: {}: only the service can read it, {AS_ROOT}", secret.name()));
        return 0;
    }
    let why = match purpose {
        Some(purpose) => purpose.usable(secret).await.err().map(|why| why.to_string()),
        None => secret.read().await.err().map(|error| error.to_string()),
    };
    if let Some(why) = &why {
        output::complain(&format!("{place}: {why}"));
    }
    usize::from(why.is_some())
}

/// Says which templates are not there, and which secrets cannot be read: how many of these.
async fn check_targets(places: &Places, loaded: &Settings, secrets: bool) -> Result<usize, Failure> {
    let library = Library::open(&places.state_dir()?.join("templates"));
    let mut wrong = 0;
    for target in &loaded.targets {
        if let Some(Err(error)) = target.template.as_ref().map(|name| library.read(name)) {
            output::line(&format!("advice: target {}: {error}, so nothing is sent until it is", target.name));
        }
        for (place, secret) in target.secrets().into_iter().filter(|_| secrets) {
            wrong += check_secret(&place, None, secret).await;
        }
    }
    Ok(wrong)
}

async fn check(places: &Places, secrets: bool) -> Outcome {
    let loaded = places.settings()?;
    for advice in settings::advice(&loaded) {
        output::line(&format!("advice: {advice}"));
    }
    let mut wrong = 0;
    for account in &loaded.accounts {
        let token = account.token.iter().map(|token| (None, token));
        let webhook = account.webhook.iter().flat_map(hooks::secrets).map(|(purpose, secret)| (Some(purpose), secret));
        // What stands in the file itself is read with it.
        let read = token.chain(webhook).filter(|(_, secret)| secrets || matches!(secret, SecretRef::Inline(_)));
        for (purpose, secret) in read {
            wrong += check_secret(&format!("account `{}`", account.name), purpose.as_ref(), secret).await;
        }
    }
    for (place, token) in loaded.people.iter().filter_map(PersonSettings::token).filter(|_| secrets) {
        wrong += check_secret(&place, None, token).await;
    }
    wrong += check_targets(places, &loaded, secrets).await?;
    if let Some(tls) = &loaded.receiver.tls {
        wrong += check_certificate(tls);
    }
    if wrong > 0 {
        return Ok(Exit::Usage);
    }
    let unread = if secrets { "" } else { "; secrets were not read, --secrets reads them too" };
    let accounts = count(loaded.accounts.len(), "account", "accounts");
    output::line(&format!("{}: ok, {accounts}{unread}", places.config_path()?.display()));
    Ok(Exit::Done)
}

//! `dogwatch simulate`: a PagerDuty on this machine, to try things on.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failure, Outcome, output};
use crate::simulator::{self, Night, Options, Script, Webhook};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The address to listen on; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The same seed gives the same night.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What happens and when, instead of a random night.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Open incidents at the start.
    #[arg(long, default_value_t = 6)]
    incidents: usize,
    /// Mean time between two things that happen by themselves, in milliseconds; 0: nothing does.
    #[arg(long, value_name = "MS", default_value_t = 4000)]
    pace: u64,
    /// Where to send signed webhooks.
    #[arg(long, value_name = "URL", requires = "secret")]
    webhook: Option<String>,
    /// The secret that signs them.
    #[arg(long, env = "DOGWATCH_SIMULATOR_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// The only token that is let in; without it any well-formed one is.
    #[arg(long, env = "DOGWATCH_SIMULATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let script = match &args.script {
        Some(path) => Some(Script::read(path).map_err(|e| Failure::new(Exit::Usage, e))?),
        None => None,
    };
    let webhook =
        args.webhook.zip(args.secret).map(|(url, secret)| Webhook { url, secret: SecretString::from(secret) });
    let night = match (args.pace, &script) {
        (0, _) | (_, Some(_)) => Night::Quiet,
        (pace, None) => Night::Paced { mean: Duration::from_millis(pace) },
    };
    let options = Options {
        listen: args.listen,
        seed: args.seed,
        script,
        incidents: args.incidents,
        webhook,
        token: args.token.map(SecretString::from),
        night,
    };
    let simulator = simulator::start(options).await.map_err(|e| Failure::new(Exit::Failed, e))?;
    output::line(&format!("a simulated PagerDuty listens on {}", simulator.url()));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.stop().await;
    Ok(Exit::Done)
}
